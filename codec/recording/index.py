"""A segment's index: what it holds, its digest, and where which time begins."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import codec
from codec import jsontext
from codec.errors import RecordingError
from codec.recording.disk import sync_folder, write_whole
from codec.recording.naming import index_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Block", "Index", "Tally", "parse_index", "read_index", "write_index"]

_FORMAT = "stork-codec segment index"
_VERSION = 1


class Block(NamedTuple):
    """Whole lines that can be read without those before them.

    offset: its first byte in the segment. min_ns, max_ns: the first and the last
    receive time in it, 0 where no line has one.
    """

    offset: int
    n_messages: int
    min_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class Index:
    """What stands in the index file. `text` is what the segment holds uncompressed.

    n_lost, lost_len: messages, and their bytes, that found no place since the segment
    before was closed; None where nobody can tell. damage: what could not be read when
    the segment was repaired.
    """

    segment: str
    closed: Literal["cleanly", "repaired"]
    compression: str
    codec_version: str
    n_messages: int
    first_receive_ns: int
    last_receive_ns: int
    segment_len: int
    segment_sha256: str
    text_len: int
    text_sha256: str
    n_lost: int | None
    lost_len: int | None
    damage: list[str]
    blocks: list[Block]

    def span(
        self, start_ns: int | None, end_ns: int | None
    ) -> tuple[int, int | None] | None:
        """From which byte of the segment to which lines of that time stand; None as the
        end is the segment's, None alone says that there are none."""
        wanted = [
            i
            for i, block in enumerate(self.blocks)
            if (start_ns is None or block.max_ns >= start_ns)
            and (end_ns is None or block.min_ns < end_ns)
        ]
        if not wanted:
            return None
        last = wanted[-1] + 1
        end = self.blocks[last].offset if last < len(self.blocks) else None
        return self.blocks[wanted[0]].offset, end


@dataclass(slots=True)
class Tally:
    """Counts and digests of a segment, block by block as it is written or scanned."""

    n_messages: int = 0
    first_receive_ns: int = 0
    last_receive_ns: int = 0
    text_len: int = 0
    segment_len: int = 0
    blocks: list[Block] = field(default_factory=list)
    _text: Any = field(default_factory=sha256)
    _segment: Any = field(default_factory=sha256)

    def add_text(self, lines: bytes, times: NDArray[np.uint64], offset: int) -> None:
        """Counts whole lines, with their receive times, at a byte of the segment."""
        known = times[times > 0]
        low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
        self.blocks.append(Block(offset, len(times), low, high))
        if len(known):
            self.first_receive_ns = self.first_receive_ns or int(known[0])
            self.last_receive_ns = int(known[-1])
        self.n_messages += len(times)
        self.text_len += len(lines)
        self._text.update(lines)

    def add_bytes(self, data: bytes) -> None:
        """Counts bytes of the segment itself."""
        self.segment_len += len(data)
        self._segment.update(data)

    def index(
        self,
        segment: str,
        compression: str,
        *,
        closed: Literal["cleanly", "repaired"] = "cleanly",
        n_lost: int | None = None,
        lost_len: int | None = None,
        damage: Sequence[str] = (),
    ) -> Index:
        """All that was counted, as the index of the segment with that name."""
        return Index(
            segment=segment,
            closed=closed,
            compression=compression,
            codec_version=codec.__version__,
            n_messages=self.n_messages,
            first_receive_ns=self.first_receive_ns,
            last_receive_ns=self.last_receive_ns,
            segment_len=self.segment_len,
            segment_sha256=self._segment.hexdigest(),
            text_len=self.text_len,
            text_sha256=self._text.hexdigest(),
            n_lost=n_lost,
            lost_len=lost_len,
            damage=list(damage),
            blocks=self.blocks,
        )


def write_index(path: Path, index: Index) -> None:
    """Writes the index beside the segment, whole or not at all."""
    values = asdict(index)
    blocks = ",\n".join(json.dumps(block) for block in values.pop("blocks"))
    head = json.dumps({"format": _FORMAT, "version": _VERSION, **values}, indent=1)
    text = f'{head[:-2]},\n "blocks": [\n{blocks}\n]}}\n'
    place = index_path(path)
    temporary = place.with_name(f".{place.name}.new")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_whole(fd, text.encode(), 0)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, place)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(place.parent)


def read_index(path: Path) -> Index | None:
    """A segment's index; None where there is none. Raises RecordingError for a bad one.

    Whether it fits the segment is not looked at.
    """
    place = index_path(path)
    try:
        return parse_index(place.read_bytes(), str(place))
    except FileNotFoundError:
        return None


def parse_index(data: bytes, place: str) -> Index:
    """The index that those bytes of a file are. Raises RecordingError."""
    try:
        values = jsontext.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"{place}: this is no index: {error}") from error
    try:
        if (values.pop("format"), values.pop("version")) != (_FORMAT, _VERSION):
            raise ValueError("another format or version")
        blocks = [Block(*map(int, block)) for block in values.pop("blocks")]
        return Index(**values, blocks=blocks)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{place}: this is no index: {error!r}") from error
