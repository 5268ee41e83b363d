"""What segments and what lies beside them are called, and which files a path means."""

from __future__ import annotations

import glob
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from codec.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ERRORS",
    "PART",
    "TORN",
    "Compression",
    "Paths",
    "find",
    "index_path",
    "is_index",
    "is_readable",
    "is_unfinished",
    "last_sequence",
    "lock_path",
    "order",
    "prefix_of",
    "segment_name",
]

Compression: TypeAlias = Literal["zstd", "none"]
Paths: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"

PART = ".part"  # the end of a segment's name until the segment is closed
TORN = ".torn"  # the end of the name of what a repair has cut off
_INDEX = ".index.json"
_SUFFIX = {"zstd": ".ndjson.zst", "none": ".ndjson"}
_READABLE = (
    ".ndjson",
    ".ndjson.zst",
    ".ndjson.gz",
    ".jsonl",
    ".jsonl.zst",
    ".jsonl.gz",
)
ERRORS = ".errors.ndjson"  # the end of the name of a list of what was bad
_NAME = re.compile(r"(.+)-\d{8}T\d{6}Z-(\d{6,})\.ndjson(?:\.zst)?(?:\.part)?")
_PREFIX = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def segment_name(
    prefix: str, begin_ns: int, sequence: int, compression: Compression
) -> str:
    """The name of a closed segment. Raises ValueError for a prefix or a compression
    that cannot be used."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"a prefix is letters, digits and any of _ . - inside, not {prefix!r}"
        )
    if compression not in _SUFFIX:
        raise ValueError(f"compression is 'zstd' or 'none', not {compression!r}")
    begin = _EPOCH + timedelta(seconds=begin_ns // 10**9)
    suffix = _SUFFIX[compression]
    return f"{prefix}-{begin:%Y%m%dT%H%M%SZ}-{sequence:06}{suffix}"


def last_sequence(folder: Path, prefix: str) -> int:
    """The highest sequence number that a segment in the folder has; 0 without any."""
    found = (_NAME.match(name) for name in os.listdir(folder))
    return max((int(m[2]) for m in found if m and m[1] == prefix), default=0)


def prefix_of(path: Path) -> str | None:
    """The prefix of a segment; None for a file with another kind of name."""
    match = _NAME.fullmatch(path.name)
    return match[1] if match else None


def is_unfinished(path: str | Path) -> bool:
    """Whether the file is a segment that was not closed (yet)."""
    return str(path).endswith(PART)


def is_index(path: str | os.PathLike[str]) -> bool:
    """Whether the file lies beside a segment and is none."""
    return str(path).endswith((_INDEX, TORN))


def index_path(path: str | Path) -> Path:
    """Where a segment's index is, or will be."""
    return Path(f"{str(path).removesuffix(PART)}{_INDEX}")


def lock_path(folder: Path, prefix: str) -> Path:
    """The file that whoever writes segments of this prefix holds locked."""
    return folder / f".{prefix}.lock"


def find(paths: Paths) -> list[Path]:
    """The files that are meant: a file itself, those of a folder or of a pattern in
    the order of their sequence numbers or names, several one after the other.

    Raises RecordingError for none.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    paths = list(paths)
    found = [file for path in paths for file in _find_one(path)]
    if not found:
        names = ", ".join(map(str, paths[:3])) or "no path was given"
        raise RecordingError(f"{names}: there is no recording")
    return found


def _find_one(path: str | os.PathLike[str]) -> list[Path]:
    place = Path(path)
    if place.is_dir():
        files = list(place.iterdir())
    elif glob.has_magic(str(place)) and not place.exists():
        files = [Path(name) for name in glob.glob(str(place), recursive=True)]
    else:  # what a shell makes of `folder/*` has indexes among it
        return [] if is_index(place) else [place]
    readable = (file for file in files if is_readable(file.name) and file.is_file())
    found = sorted(readable, key=lambda file: order(file.name))
    if not found:
        raise RecordingError(f"{place}: there is no recording")
    return found


def order(name: str) -> tuple[str, int, str]:
    """By what files of a folder are sorted: segments of a prefix in the order in which
    they were written, whatever the clock did meanwhile; other files by name."""
    name = name.removesuffix(PART)
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2]), name) if match else (name, 0, name)


def is_readable(name: str) -> bool:
    """Whether a file of this name, found in a folder, is taken for a recording."""
    name = name.removesuffix(PART)
    if name.startswith(".") or name.endswith(ERRORS):
        return False
    return name.endswith(_READABLE)
