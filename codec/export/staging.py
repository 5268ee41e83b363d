"""Many files that appear together: made aside, then moved, also after a crash."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Self

from codec.recording.disk import sync_file, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codec.export.resuming import DoneList

__all__ = ["Staging", "finish"]

_RECORD = ".record"
_TEMPORARY, _READY = ".staging.tmp", ".staging.ready"


def finish(folder: Path, done: DoneList) -> list[str]:
    """Moves what a killed run had made ready, removes what it had not, and says so.

    done: the list of the folder, which is locked.
    """
    notes = []
    for place in sorted(folder.glob(f".????????{_READY}")):
        _move(place, folder, done)
        notes.append(f"{folder}: finished what a killed run had made ready")
    for place in sorted(folder.glob(f".????????{_TEMPORARY}")):
        shutil.rmtree(place, ignore_errors=True)
        notes.append(f"{folder}: removed the unfinished files of a killed run")
    return notes


def _move(place: Path, folder: Path, done: DoneList) -> None:
    """May be done twice: what is moved is no longer there, what is noted stays so."""
    record = place / _RECORD
    for source in sorted(path for path in place.rglob("*") if path.is_file()):
        if source == record:
            continue
        target = folder / source.relative_to(place)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, target)
    for made in sorted(path for path in place.rglob("*") if path.is_dir()):
        sync_folder(folder / made.relative_to(place))
    sync_folder(folder)
    done.append(record.read_bytes())
    shutil.rmtree(place)
    sync_folder(folder)


class Staging:
    """A hidden folder within another, removed unless it was committed.

    files: where what is to be moved is made. scratch: for what is not.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f".{secrets.token_hex(4)}"
        self.files = folder / f"{self._name}{_TEMPORARY}"
        self.files.mkdir()
        self.scratch = self.files / ".scratch"
        self.scratch.mkdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.files, ignore_errors=True)

    def commit(self, names: Iterable[Path], record: bytes, done: DoneList) -> None:
        """Moves all files to their places, once they are on the disk, and notes it."""
        shutil.rmtree(self.scratch)
        (self.files / _RECORD).write_bytes(record)
        for name in (*names, Path(_RECORD)):
            with open(self.files / name, "rb") as file:
                sync_file(file.fileno())
            sync_folder((self.files / name).parent)
        ready = self._folder / f"{self._name}{_READY}"
        os.rename(self.files, ready)
        sync_folder(self._folder)
        _move(ready, self._folder, done)
