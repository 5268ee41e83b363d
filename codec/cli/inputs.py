"""What `stats` and `plot` read: recordings, archives and tables, in parts."""

from __future__ import annotations

import glob
import os
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from codec import Decoder
from codec.cli.options import UsageError
from codec.cli.table_files import is_table, read_symbols, read_table_file, table_files
from codec.errors import RecordingError
from codec.summary import Part, whole_messages

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from codec.recording import Chunk
    from codec.recording.reading import OnDamage
    from codec.taxonomy import Taxonomy

__all__ = ["Inputs", "add_inputs", "find_inputs"]

_STDIN, _STDIN_NAME = Path("-"), "standard input"
# How far a message's time and the time of its arrival may be apart where an index says
# which part of a recording need not be read.
_SLACK_NS = 3600 * 10**9


class Inputs(NamedTuple):
    """Files to be read, in this order: frames ("-" is standard input), then tables.

    text: what they are, for people.
    """

    frames: list[Path]
    tables: list[Path]
    text: str

    def taxonomy(self) -> Taxonomy | None:
        """What tables with a column `symbol` call their assets; None without any."""
        return read_symbols(self.tables) if self.tables else None

    @property
    def total_len(self) -> int | None:
        """How many bytes `chunks` counts; None where only reading will tell."""
        paths = [*self.frames, *self.tables]
        if not all(path.is_file() for path in paths):
            return None
        return sum(path.stat().st_size for path in paths)

    def chunks(
        self, start_ns: int | None, end_ns: int | None, on_damage: OnDamage
    ) -> Iterator[tuple[Part, int]]:
        """Updates with a timestamp from `start_ns` on and before `end_ns`, and how many
        bytes of the files were read for them. Views of memory that the next chunk
        overwrites.

        on_damage: as `codec.recording.read` has it. Raises OSError, and CodecError.
        """
        decoder = Decoder(payloads=False, layout="columns")
        for path in self.frames:
            n_read = 0
            for chunk in _lines(path, start_ns, end_ns, on_damage):
                batch = decoder.decode_lines(chunk.lines, on_error="skip")
                part = _within(Part.of_batch(batch), start_ns, end_ns)
                yield part, chunk.file_offset - n_read
                n_read = chunk.file_offset
        parts = (read_table_file(path, on_damage) for path in self.tables)
        for part, n_bytes in whole_messages(chain.from_iterable(parts)):
            yield _within(part, start_ns, end_ns), n_bytes


def add_inputs(parser: ArgumentParser) -> None:
    """Adds INPUT...: `args.inputs`, for `find_inputs`."""
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="files, folders or patterns: recordings, lines of frames (plain, gzip,"
        " zstd), Parquet or Arrow files of stork-codec decode; - for standard input",
    )


def find_inputs(names: Sequence[str]) -> Inputs:
    """The files that are meant. Raises RecordingError for none, UsageError, OSError."""
    from codec.recording.naming import find, is_index

    frames: list[Path] = []
    tables: list[Path] = []
    for name in names:
        if name == "-":
            frames.append(_STDIN)
            continue
        place = Path(name)
        if is_index(place):  # what a shell makes of `folder/*` has them among it
            continue
        if place.is_dir():
            found = table_files(place)
            if found and _has_recording(place):
                raise UsageError(f"{name}: recordings and tables, which? Name a file")
        elif glob.has_magic(name) and not place.exists():
            found = [path for path in map(Path, glob.glob(name)) if is_table(path)]
            found.sort()
        else:
            found = [place] if is_table(place) else []
        tables += found
        if not found:
            frames += find(place)
    frames = _each_once(frames)
    tables = _each_once(tables)
    n = len(frames) + len(tables)
    if not n:
        raise RecordingError(f"{names[0]}: there is no recording")
    shown = _STDIN_NAME if names[0] == "-" else names[0]
    text = shown if len(names) == 1 else f"{shown} and {len(names) - 1} more"
    return Inputs(frames, tables, text if n == 1 else f"{text}: {n:,} files")


def _each_once(paths: list[Path]) -> list[Path]:
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _has_recording(folder: Path) -> bool:
    from codec.recording.naming import find

    try:
        return bool(find(folder))
    except RecordingError:
        return False


def _lines(
    path: Path, start_ns: int | None, end_ns: int | None, on_damage: OnDamage
) -> Iterator[Chunk]:
    from codec.recording import read_chunks, read_stream
    from codec.recording.naming import is_unfinished

    if path == _STDIN:
        with open(0, "rb", buffering=0, closefd=False) as file:
            yield from read_stream(file, _STDIN_NAME, on_damage=on_damage, unended=True)
        return
    if not _has_all_times(path):
        start_ns = end_ns = None
    yield from read_chunks(
        path,
        start_ns=None if start_ns is None else max(start_ns - _SLACK_NS, 0),
        end_ns=None if end_ns is None else end_ns + _SLACK_NS,
        on_damage=on_damage,
        unended=not is_unfinished(path),
    )


def _has_all_times(path: Path) -> bool:
    """Whether no part of a segment is without any receive time, by which an index says
    where what is."""
    from codec.recording import read_index

    try:
        index = read_index(path)
    except RecordingError:  # reading the segment will tell
        return False
    return index is not None and all(block.max_ns for block in index.blocks)


def _within(part: Part, start_ns: int | None, end_ns: int | None) -> Part:
    if start_ns is None and end_ns is None:
        return part
    low = np.uint64(start_ns or 0)
    high = np.uint64(2**64 - 1 if end_ns is None else max(end_ns - 1, 0))

    def keep(times: NDArray[np.uint64]) -> NDArray[np.bool_]:
        return (times >= low) & (times <= high)

    rows = keep(part.timestamp_ns)
    return part._replace(
        timestamp_ns=part.timestamp_ns[rows],
        taxonomy_id=part.taxonomy_id[rows],
        asset_id=part.asset_id[rows],
        value=part.value[rows],
        messages=part.messages[keep(part.messages["timestamp_ns"])],
    )
