"""What a recorder tells about itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EventKind", "RecorderEvent", "RecorderStats"]


class EventKind(StrEnum):
    """What has happened."""

    OPENED = "opened"  # a segment was begun
    CLOSED = "closed"  # a segment has its index and its final name
    FAILED = "failed"  # the disk refuses; lines wait and it is tried again
    RESUMED = "resumed"  # the disk takes lines again
    LOST = "lost"  # lines found no place in the queue, or could not be written at all


@dataclass(frozen=True, slots=True)
class RecorderEvent:
    """Something that happened to a recorder.

    path: the segment, where one is concerned. reason: in words, what is wrong.
    n_messages, n_bytes: of a closed segment what it holds, of lost lines how many since
    the last such event.
    """

    kind: EventKind
    path: str | None = None
    reason: str | None = None
    n_messages: int = 0
    n_bytes: int = 0

    def __str__(self) -> str:
        words = [str(self.kind)]
        if self.n_messages:
            words.append(f"{self.n_messages:,} messages, {self.n_bytes:,} bytes")
        return ", ".join(words + [text for text in (self.path, self.reason) if text])


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """A recorder's figures; messages and bytes are those of lines, uncompressed.

    n_written: in a segment. n_synced: on the disk, whatever happens to the machine.
    n_lost: refused by a full queue, or still waiting when the disk refused to the last.
    queue_len: bytes on their way. last_sync_ns: when the last fsync ended, unix ns, 0
    before the first. failure: why nothing is written at the moment, or None.
    """

    n_written: int
    written_len: int
    n_synced: int
    n_lost: int
    lost_len: int
    queue_len: int
    n_segments_closed: int
    last_sync_ns: int
    path: str | None
    failure: str | None
