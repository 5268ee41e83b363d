"""The files that are meant, and their lines; what is no archive of lines is refused."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codec.errors import ExportError, RecordingError
from codec.recording import read_chunks, read_stream
from codec.recording.naming import PART, find, is_index, is_unfinished

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codec.export.options import Options
    from codec.recording import Chunk
    from codec.recording.reading import OnDamage

__all__ = ["STDIN", "Input", "check_kind", "chunks", "find_inputs"]

STDIN = "-"
_STDIN_NAME = "standard input"
_KINDS = (
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"<svg", "a picture (SVG)"),
    (b"<?xml", "XML"),
    (b"<!DOCTYPE", "HTML"),
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xfd7zXZ", "compressed with xz, which is not read"),
    (b"BZh", "compressed with bzip2, which is not read"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4, which is not read"),
    (b"SQLite", "a SQLite file"),
    (b"\x7fELF", "a program"),
    (b'{\n "format": "stork-codec segment index"', "the index of a segment"),
)
_TEXT_CONTROLS = b"\t\n\r\x0b\x0c"
_LOOKED_AT_LEN = 64


@dataclass(frozen=True, slots=True)
class Input:
    """A file, or standard input (path "-").

    size: its bytes, None where only reading will tell. mtime_ns: when it was written.
    """

    path: Path
    size: int | None
    mtime_ns: int

    @property
    def is_stdin(self) -> bool:
        return str(self.path) == STDIN

    @property
    def name(self) -> str:
        """What errors call it."""
        return _STDIN_NAME if self.is_stdin else str(self.path)

    @property
    def stem(self) -> str:
        """The file's name without what says how it is written."""
        stem = self.path.name.removesuffix(PART)
        for suffix in (".zst", ".gz", ".ndjson", ".jsonl", ".txt", ".log"):
            stem = stem.removesuffix(suffix) or stem
        return stem


def find_inputs(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> list[Input]:
    """The files of paths, folders and patterns in their order, each once.

    A folder's segments come in the order of their numbers. Raises RecordingError for no
    recording, ExportError for an index, OSError.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    paths = list(paths)
    if paths and all(is_index(path) for path in paths):
        raise ExportError(
            f"{paths[0]}: this lies beside a segment and holds no messages"
        )
    found: dict[str, Input] = {}
    for path in paths:
        if str(path) == STDIN:
            found.setdefault(STDIN, _stdin())
        elif not is_index(path):
            for file in find(path):
                found.setdefault(os.path.realpath(file), _input(file))
    if not found:
        raise RecordingError("no path was given: there is no recording")
    return list(found.values())


def _stdin() -> Input:
    status = os.fstat(0)
    is_file = stat.S_ISREG(status.st_mode)
    return Input(Path(STDIN), status.st_size if is_file else None, 0)


def _input(path: Path) -> Input:
    try:
        status = path.stat()
    except FileNotFoundError:
        if not is_unfinished(path):
            raise
        path = path.with_suffix("")  # closed meanwhile
        status = path.stat()
    is_file = stat.S_ISREG(status.st_mode)
    return Input(path, status.st_size if is_file else None, status.st_mtime_ns)


def chunks(source: Input, options: Options, on_damage: OnDamage) -> Iterator[Chunk]:
    """An input's lines. The last one may lack its end, but for that of a segment that
    is being written. Raises ExportError for what is no text, and as `read` does."""
    if source.is_stdin:
        with open(0, "rb", buffering=0, closefd=False) as file:
            yield from _checked(
                read_stream(file, _STDIN_NAME, on_damage=on_damage, unended=True),
                source,
            )
        return
    is_by_index = options.clock == "receive"
    yield from _checked(
        read_chunks(
            source.path,
            start_ns=options.start_ns if is_by_index else None,
            end_ns=options.end_ns if is_by_index else None,
            on_damage=on_damage,
            unended=not is_unfinished(source.path),
        ),
        source,
    )


def _checked(all_chunks: Iterator[Chunk], source: Input) -> Iterator[Chunk]:
    is_first = True
    for chunk in all_chunks:
        if is_first:
            check_kind(chunk.lines, source.name)
            is_first = False
        yield chunk


def check_kind(lines: bytes | memoryview, name: str) -> None:
    """Raises ExportError where a file's first lines are none of messages."""
    head = bytes(lines[:_LOOKED_AT_LEN])
    for start, kind in _KINDS:
        if head.startswith(start):
            raise ExportError(f"{name}: this is {kind}, not lines of messages")
    if any(b < 0x20 and b not in _TEXT_CONTROLS for b in head):
        raise ExportError(f"{name}: this is binary, not lines of messages")
