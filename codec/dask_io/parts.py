"""Files taken apart into partitions: whole ones, and blocks of large ones."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import fsspec
from dask.utils import parse_bytes

from codec.dask_io.files import find, url_of
from codec.errors import RecordingError
from codec.recording.index import parse_index
from codec.recording.naming import PART, index_path, is_unfinished
from codec.recording.pieces import kind_of
from codec.recording.zstd import frame_offsets, is_ours

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from codec.dask_io.files import File, Urls

__all__ = ["BLOCK_LEN", "Part", "plan"]

BLOCK_LEN = 256 << 20
"""No segment that a Recorder has closed holds more text, unless it was told to."""

_N_THREADS = 16
# Text is seldom more than this times as long as its segment.
_MAX_RATIO = 8

_log = logging.getLogger("codec.dask_io")


@dataclass(frozen=True)
class Part:
    """What one partition is made of.

    begin, end: bytes of the file, None for its own end. is_text: of plain text, the
    lines that begin there; otherwise whole frames of a segment. stamp: differs when the
    file has changed; file_len: its bytes then.
    """

    fs: fsspec.AbstractFileSystem = field(repr=False)
    path: str
    begin: int
    end: int | None
    is_text: bool
    file_len: int = field(repr=False)
    stamp: str = field(repr=False)

    @property
    def url(self) -> str:
        """The file's name for people."""
        return url_of(self.fs, self.path)

    @property
    def size(self) -> int:
        """How many bytes of the file it is, as the file was when it was listed."""
        return (self.file_len if self.end is None else self.end) - self.begin

    @property
    def name(self) -> str:
        """What errors call it: lines count from its first byte on."""
        return f"{self.url} from byte {self.begin} on" if self.begin else self.url


def plan(
    urlpath: Urls,
    blocksize: int | str | None,
    storage_options: Mapping[str, Any] | None,
) -> list[Part]:
    """All parts, in order of files and bytes; `blocksize` as `read_frames` has it."""
    limit = None if blocksize is None else int(parse_bytes(blocksize))
    if limit is not None and limit <= 0:
        raise ValueError(f"blocksize must be above 0, not {blocksize!r}")
    files = find(urlpath, storage_options)
    with ThreadPoolExecutor(min(len(files), _N_THREADS)) as executor:
        parts = executor.map(lambda file: _parts(file, limit), files)
        return [part for of_file in parts for part in of_file]


def _parts(file: File, limit: int | None) -> list[Part]:
    places: list[int] = []
    is_text = False
    if limit is not None and file.size > limit // _ratio(file):
        start = file.fs.cat_file(file.path, start=0, end=64)
        is_text = kind_of(start, file.path) == "plain"
        if is_text:
            n = -(-file.size // limit)
            places = [file.size * i // n for i in range(1, n)]
        elif is_ours(start):
            places = _frame_places(file, limit)
    return [
        Part(file.fs, file.path, begin, end, is_text, file.size, file.stamp)
        for begin, end in zip([0, *places], [*places, None], strict=True)
    ]


def _ratio(file: File) -> int:
    """How many times as long as the file its text may be."""
    return _MAX_RATIO if file.path.removesuffix(PART).endswith(".zst") else 1


def _frame_places(file: File, limit: int) -> list[int]:
    """Where a compressed segment can be cut: where blocks of its index begin; without
    an index, where frames do, if that can be found out without reading all of it."""
    offsets, text_len = _indexed(file)
    if offsets is None:
        if url_of(file.fs, file.path) != file.path:  # not local
            return []
        with file.fs.open(file.path, "rb") as stream:
            offsets, text_len = frame_offsets(stream, file.size)
    n = -(-text_len // limit)
    places: list[int] = []
    for offset in offsets[1:]:
        if offset >= file.size * (len(places) + 1) / n:
            places.append(offset)
    return places


def _indexed(file: File) -> tuple[list[int] | None, int]:
    """The offsets in the index and the length of the text; None where none fits."""
    if is_unfinished(file.path):
        return None, 0
    place = str(index_path(file.path))
    try:
        index = parse_index(file.fs.cat_file(place), place)
    except FileNotFoundError:
        return None, 0
    except RecordingError as error:
        _log.warning("%s: the blocks of %s are not known", error, file.url)
        return None, 0
    if index.segment_len != file.size:
        return None, 0
    return [block.offset for block in index.blocks], index.text_len
