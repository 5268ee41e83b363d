"""Recordings read back: chunks of whole lines, or frames, from any number of files."""

from __future__ import annotations

import logging
import os
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from codec.errors import DamageError, RecordingError
from codec.recording import text
from codec.recording.index import read_index
from codec.recording.naming import find, is_unfinished
from codec.recording.pieces import Damage, Text, line_pieces, pieces
from codec.recording.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO
    from typing import IO

    from codec.recording.naming import Paths

__all__ = [
    "Chunk",
    "OnDamage",
    "read",
    "read_chunks",
    "read_file",
    "read_frames",
    "read_part",
    "read_stream",
]

OnDamage: TypeAlias = "Literal['raise', 'skip'] | Callable[[DamageError], None]"

_CHUNK_LEN = 1 << 20  # what is given out is a piece, of 1 MiB at most, longer
_MAX_LINE_LEN = 64 << 20

_log = logging.getLogger("codec.recording")


class Chunk(NamedTuple):
    """Whole lines, and where they stand.

    text_offset: where they begin in the file's text, decompressed, without what damage
    has taken; None where what comes before was not read. file_offset: how much of the
    file itself has been read so far. n_passed_over: lines before those of the file's
    first chunk that an index has spared (lines are not counted here: to find their ends
    takes longer than to decode them).
    """

    lines: bytes | memoryview
    text_offset: int | None
    file_offset: int
    n_passed_over: int


def read(
    path: Paths,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
    unended: bool = False,
) -> Iterator[bytes]:
    """Chunks of whole lines, about a MiB each, that `codec.decode_lines` takes.

    path: a file, a folder, a pattern (`*`), or several of them; segments of a Recorder,
    also the one that it is writing, and archives of others: plain, gzip, zstd. A
    folder's segments come in the order of their numbers. start_ns, end_ns: only lines
    received from then on, and before then; lines without a receive time are left out.
    Segments with an index are not read where they hold none.

    on_damage: "raise" raises DamageError where something cannot be read, once what
    comes before it was given; "skip" logs a warning and goes on behind it; a function
    is called with the error, and then it goes on. The torn end of an unfinished
    segment (`.part`) is expected: only a function hears of it. unended: give the
    last line of a file also where it has no end.

    Raises RecordingError for no recording, OSError, MissingDependencyError.
    """
    for file_path in find(path):
        yield from read_file(
            file_path,
            start_ns=start_ns,
            end_ns=end_ns,
            on_damage=on_damage,
            unended=unended,
        )


def read_frames(
    path: Paths,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
    unended: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """The receive time (unix ns, 0 where there is none) and the frame of each line;
    arguments and errors as in `read`."""
    chunks = read(
        path, start_ns=start_ns, end_ns=end_ns, on_damage=on_damage, unended=unended
    )
    return chain.from_iterable(map(text.frames, chunks))


def read_file(
    path: Path,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
    unended: bool = False,
) -> Iterator[bytes]:
    """As `read`, of one file."""
    for chunk in read_chunks(
        path, start_ns=start_ns, end_ns=end_ns, on_damage=on_damage, unended=unended
    ):
        if wanted := text.within(bytes(chunk.lines), start_ns, end_ns):
            yield wanted


def read_chunks(
    path: Path,
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
    unended: bool = False,
) -> Iterator[Chunk]:
    """As `read`, of one file, with the places of the lines. start_ns, end_ns: parts of
    a segment are passed over by its index where no line of that time can be; what is
    read is given out whole."""
    path, file = _open(path)
    with file:
        begin, end, n_before = 0, None, 0
        if (start_ns, end_ns) != (None, None):
            span = _span(path, file, start_ns, end_ns)
            if span is None:
                return
            begin, end, n_before = span
        place = _Place(n_before, None if begin else 0)
        source = Source(file, end)
        for item in _chunks(source, pieces(source, path.name, begin), place, unended):
            if isinstance(item, Damage):
                _report(path, item, on_damage)
            else:
                yield item


def read_stream(
    file: FileIO, name: str, *, on_damage: OnDamage = "raise", unended: bool = False
) -> Iterator[Chunk]:
    """As `read_chunks`, of an open file that need not be seekable, such as standard
    input; name: what errors call it. The file is not closed."""
    source = Source(file)
    for item in _chunks(source, pieces(source, ""), _Place(0, 0), unended):
        if isinstance(item, Damage):
            _report(Path(name), item, on_damage)
        else:
            yield item


def read_part(
    file: IO[bytes],
    path: str,
    begin: int = 0,
    end: int | None = None,
    *,
    is_text: bool = False,
    on_damage: OnDamage = "raise",
    unended: bool = False,
) -> Iterator[Chunk]:
    """As `read_chunks`, of a part of a file that is open, wherever it is.

    begin, end: bytes of the file, None for its own end: of a compressed segment where
    blocks of an index begin; with `is_text` of plain text anywhere, for the lines that
    begin there. path: for messages, and its end for what kind of file it is.
    Lines count from `begin` on.
    """
    source = Source(file, None if is_text else end)
    text_offset = None if begin else 0
    if is_text:
        of_lines = line_pieces(source, begin, end)
        found = list(islice(of_lines, 1))
        text_offset = found[0].offset if found else None
        text_pieces: Iterator[Text | Damage] = chain(found, of_lines)
    else:
        text_pieces = pieces(source, path, begin)
    for item in _chunks(source, text_pieces, _Place(0, text_offset), unended):
        if isinstance(item, Damage):
            _report(path, item, on_damage)
        else:
            yield item


def _open(path: Path) -> tuple[Path, FileIO]:
    """Opens a file; one that was closed meanwhile has lost its `.part`."""
    try:
        return path, open(path, "rb", buffering=0)
    except FileNotFoundError:
        if not is_unfinished(path):
            raise
    path = path.with_suffix("")
    return path, open(path, "rb", buffering=0)


def _span(
    path: Path, file: FileIO, start_ns: int | None, end_ns: int | None
) -> tuple[int, int | None, int] | None:
    """Which bytes to read, by an index if there is one that fits, and how many messages
    stand before them; None for nothing to read."""
    try:
        index = None if is_unfinished(path) else read_index(path)
    except RecordingError as error:
        _log.warning("%s: reading all of %s", error, path)
        index = None
    if index is None or index.segment_len != os.fstat(file.fileno()).st_size:
        return 0, None, 0
    span = index.span(start_ns, end_ns)
    if span is None:
        return None
    blocks = index.blocks
    return *span, sum(block.n_messages for block in blocks if block.offset < span[0])


def _report(path: Path | str, damage: Damage, on_damage: OnDamage) -> None:
    error = DamageError(str(path), damage.offset, damage.reason, damage.is_at_end)
    if callable(on_damage):
        on_damage(error)
    elif damage.is_at_end and is_unfinished(path):
        return
    elif on_damage == "raise":
        raise error
    else:
        _log.warning("%s", error)


class _Place:
    """Counts bytes of text while chunks of whole lines are made."""

    def __init__(self, n_passed_over: int, text_offset: int | None) -> None:
        self._n_passed_over = n_passed_over
        self._offset = text_offset
        self.file_offset = 0

    def pass_over(self, n: int) -> None:
        """Bytes of text that are given out in no chunk."""
        if self._offset is not None:
            self._offset += n

    def chunk(self, lines: list[bytes | memoryview]) -> Chunk:
        """The next lines."""
        data = lines[0] if len(lines) == 1 else b"".join(lines)
        chunk = Chunk(data, self._offset, self.file_offset, self._n_passed_over)
        self.pass_over(len(data))
        return chunk


def _chunks(
    source: Source, all_pieces: Iterator[Text | Damage], place: _Place, unended: bool
) -> Iterator[Chunk | Damage]:
    """Whole lines together; the parts of lines that damage leaves are dropped."""
    lines: list[bytes | memoryview] = []
    rest: list[bytes] = []  # the beginning of a line
    lines_len = rest_len = 0
    rest_offset = 0
    is_torn = False  # the text goes on within a line
    for piece in all_pieces:
        if isinstance(piece, Damage):
            if lines:
                yield place.chunk(lines)
            place.pass_over(rest_len)
            yield piece
            is_torn = not piece.is_line_start
            lines, rest, lines_len, rest_len = [], [], 0, 0
            continue
        data = piece.data
        place.file_offset = piece.end
        if is_torn:
            data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
            is_torn = not data and b"\n" not in piece.data
            place.pass_over(len(piece.data) - len(data))
        end = data.rfind(b"\n") + 1
        if end:
            # Of a whole piece no copy is made, of a part one, when it is joined.
            lines += (*rest, data if end == len(data) else memoryview(data)[:end])
            lines_len += rest_len + end
            rest, rest_len = [], 0
        n_left = len(data) - end
        if end and n_left and piece.is_plain and source.give_back(n_left):
            place.file_offset -= n_left  # to read it again is cheaper than a copy
        elif n_left:
            if not rest:
                rest_offset = piece.end - n_left
            rest.append(data[end:])
            rest_len += n_left
        if lines_len >= _CHUNK_LEN:
            yield place.chunk(lines)
            lines, lines_len = [], 0
        if rest_len > _MAX_LINE_LEN:
            if lines:
                yield place.chunk(lines)
                lines, lines_len = [], 0
            yield Damage(rest_offset, f"a line of over {_MAX_LINE_LEN:,} bytes")
            place.pass_over(rest_len)
            rest, rest_len, is_torn = [], 0, True
    if unended:
        lines += rest
        rest = []
    if lines:
        yield place.chunk(lines)
    if rest:
        yield Damage(rest_offset, "the last line has no end", is_at_end=True)
