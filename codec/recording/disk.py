"""What makes written bytes lasting: whole writes, synchronised files and folders."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from codec.errors import RecordingError
from codec.recording.naming import lock_path

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["lock", "sync_file", "sync_folder", "write_whole"]

# On macOS fsync leaves the data in the drive's own memory, and this does not.
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def write_whole(fd: int, data: bytes, offset: int) -> None:
    """Writes all of it at that byte; a part of it may be there where this raises."""
    view = memoryview(data)
    while view:
        n = os.pwrite(fd, view, offset)
        offset += n
        view = view[n:]


def sync_file(fd: int) -> None:
    """Returns once the file's data, and its length, are on the disk."""
    if _FULL_SYNC is not None:
        fcntl.fcntl(fd, _FULL_SYNC)
    else:
        os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Returns once the names in the folder are on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def lock(folder: Path, prefix: str) -> int:
    """Takes the right to write segments of that prefix, until the fd is closed or the
    process ends in whatever way. Raises RecordingError where another has it."""
    path = lock_path(folder, prefix)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise RecordingError(
            f"{folder}: process {owner or 'unknown'} already records"
            f" {prefix!r} here (it holds {path.name} locked)"
        ) from None
    except OSError:
        os.close(fd)
        raise
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
