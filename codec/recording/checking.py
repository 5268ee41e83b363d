"""Segments held to their indexes, and unfinished ones closed after a crash."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from codec.errors import DamageError, RecordingError
from codec.recording.disk import lock, sync_file, sync_folder, write_whole
from codec.recording.index import Index, Tally, read_index, write_index
from codec.recording.naming import (
    PART,
    TORN,
    find,
    index_path,
    is_unfinished,
    prefix_of,
)
from codec.recording.pieces import Damage, pieces
from codec.recording.reading import read_file
from codec.recording.source import Source
from codec.recording.text import receive_times
from codec.recording.zstd import is_ours, is_zstd

if TYPE_CHECKING:
    from io import FileIO

    from codec.recording.naming import Paths

__all__ = ["SegmentReport", "SegmentState", "repair", "verify"]

_IO_LEN = 1 << 20


class SegmentState(StrEnum):
    """What can be said of a file."""

    GOOD = "good"  # closed, and what its index says
    UNFINISHED = "unfinished"  # being written, or left by a crash; reads to its end
    UNINDEXED = "unindexed"  # reads to its end; there is nothing to compare it with
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """A file, what it holds and what is wrong with it.

    index: what the recorder wrote about it, None for none. problems: in words, with the
    byte of the file; of an unfinished segment its torn end.
    """

    path: Path
    state: SegmentState
    n_messages: int
    text_len: int
    segment_len: int
    first_receive_ns: int
    last_receive_ns: int
    index: Index | None
    problems: list[str]

    @property
    def is_good(self) -> bool:
        return self.state is not SegmentState.BAD


def verify(path: Paths) -> list[SegmentReport]:
    """Reads segments, or archives of others, through and says what they are.

    Their SHA-256 and their counts are compared with their indexes. Raises
    RecordingError for no recording, OSError.
    """
    return [_verify(file) for file in find(path)]


def _verify(path: Path) -> SegmentReport:
    damage: list[DamageError] = []
    tally = Tally()
    for lines in read_file(path, on_damage=damage.append):
        tally.add_text(lines, receive_times(lines), 0)
    if is_unfinished(path) and not path.exists():  # closed while it was read
        return _verify(path.with_suffix(""))
    problems = [f"byte {error.offset}: {error.reason}" for error in damage]
    index: Index | None = None
    state = SegmentState.UNINDEXED
    try:
        index = read_index(path)
    except RecordingError as error:
        problems.append(str(error))
    if is_unfinished(path):
        index, state = None, SegmentState.UNFINISHED
        is_bad = not all(error.is_at_end for error in damage)
    else:
        if index is not None:
            state = SegmentState.GOOD
            problems += _differences(path, index, tally)
        is_bad = bool(problems)
    return SegmentReport(
        path,
        SegmentState.BAD if is_bad else state,
        tally.n_messages,
        tally.text_len,
        path.stat().st_size,
        tally.first_receive_ns,
        tally.last_receive_ns,
        index,
        problems,
    )


def _differences(path: Path, index: Index, tally: Tally) -> list[str]:
    with open(path, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    found = tally.index(path.name, index.compression)
    names = ("n_messages", "text_len", "text_sha256")
    differences = [
        f"{name} is {getattr(found, name)}, in the index {getattr(index, name)}"
        for name in names
        if getattr(found, name) != getattr(index, name)
    ]
    if (size := path.stat().st_size) != index.segment_len:
        differences.append(f"{size:,} bytes, in the index {index.segment_len:,}")
    elif digest != index.segment_sha256:
        differences.append(f"SHA-256 {digest}, in the index {index.segment_sha256}")
    return differences


def repair(path: Paths) -> list[Path]:
    """Closes segments that a crash left unfinished: gives them their index and their
    final name, and returns the names.

    A torn end, which `read` leaves out anyway, is moved into a file of its own
    (`.torn`), nothing is deleted. Closed segments without an index get one; others, and
    those without any whole line, stay as they are. Raises RecordingError where a
    recorder is at work on them, or for a file that is no segment; OSError.
    """
    done = []
    for file in find(path):
        if is_unfinished(file) or not index_path(file).exists():
            prefix = prefix_of(file)
            if prefix is None:
                raise RecordingError(f"{file}: this is not named as a segment is")
            fd = lock(file.parent, prefix)
            try:
                done += _repair(file)
            finally:
                os.close(fd)
    return done


def _repair(path: Path) -> list[Path]:
    with open(path, "r+b", buffering=0) as file:
        start = file.read(64)
        if is_zstd(start) and not is_ours(start):
            raise RecordingError(f"{path}: this was not written by a recorder")
        tally, damage, end = _scan(file, path.name)
        if not tally.n_messages:
            return []
        _move_end(file, end, path)
        file.seek(0)
        while data := file.read(_IO_LEN):
            tally.add_bytes(data)
        sync_file(file.fileno())
    final = Path(str(path).removesuffix(PART))
    compression = "zstd" if is_zstd(start) else "none"
    index = tally.index(final.name, compression, closed="repaired", damage=damage)
    write_index(final, index)
    os.rename(path, final)
    sync_folder(final.parent)
    return [final]


def _scan(file: FileIO, name: str) -> tuple[Tally, list[str], int]:
    """Counts and blocks, damage in words, and where what can be read ends."""
    file.seek(0)
    tally = Tally()
    damage = []
    rest, rest_offset, end = b"", 0, 0
    for piece in pieces(Source(file), name):
        if isinstance(piece, Damage):
            rest = b""
            if not piece.is_at_end:
                damage.append(f"byte {piece.offset}: {piece.reason}")
            continue
        if not rest:
            rest_offset = piece.offset
        text = rest + piece.data
        cut = text.rfind(b"\n") + 1
        lines, rest = text[:cut], text[cut:]
        if lines:
            tally.add_text(lines, receive_times(lines), rest_offset)
            end = piece.end - len(rest)
            rest_offset = end
    return tally, damage, end


def _move_end(file: FileIO, end: int, path: Path) -> None:
    """Moves what is behind byte `end` into a file beside the segment."""
    file.seek(end)
    torn = file.read()
    if not torn:
        return
    place = Path(str(path).removesuffix(PART) + TORN)
    fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_whole(fd, torn, 0)
        sync_file(fd)
    finally:
        os.close(fd)
    sync_folder(place.parent)
    file.truncate(end)
