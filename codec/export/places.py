"""Outputs that are there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from glob import escape
from typing import TYPE_CHECKING, BinaryIO, Self

from codec.errors import ExportError
from codec.recording.disk import sync_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NewFile", "clear_stale", "refuse_existing"]

_TEMPORARY = ".tmp"


def refuse_existing(path: Path, force: bool) -> None:
    """Raises ExportError for what stands where an output shall be."""
    if path.is_dir():
        raise ExportError(f"{path}: this is a folder, not a file")
    if path.exists() and not path.is_file():
        raise ExportError(f"{path}: this is a device or a pipe, not a file")
    if path.exists() and not force:
        raise ExportError(f"{path}: this exists; --force (force=True) replaces it")


def clear_stale(folder: Path, name: str = "") -> list[Path]:
    """Removes what killed runs have left of outputs (of that name) in a folder.

    Raises ExportError where a run is still at work on the output of that name.
    """
    removed = []
    for path in sorted(folder.glob(f".{escape(name) or '*'}.????????{_TEMPORARY}")):
        if _is_in_use(path):
            if name:
                raise ExportError(f"{folder / name}: another run is writing this")
            continue
        path.unlink(missing_ok=True)
        removed.append(path)
    return removed


def _is_in_use(path: Path) -> bool:
    """Whether the process that writes the file is alive: it holds it locked."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class NewFile:
    """A file under a temporary name beside its own, until `commit` renames it.

    As a context it is removed where it was not committed. `file` is open for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_TEMPORARY}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open(self._place, flags, 0o644)
        except FileNotFoundError:
            raise ExportError(f"{path.parent}: there is no such folder") from None
        self.file: BinaryIO = open(fd, "wb")  # noqa: SIM115
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def sync(self) -> int:
        """Returns its length, once all that was written is on the disk."""
        self.file.flush()
        sync_file(self.file.fileno())
        return os.fstat(self.file.fileno()).st_size

    def commit(self) -> None:
        """Gives it its name, once it is on the disk."""
        self.sync()
        os.rename(self._place, self.path)
        self._close()
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Removes it, unless it was committed."""
        if not self.file.closed:
            self._place.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        with suppress(OSError):  # a full disk refuses what is still buffered
            self.file.close()
