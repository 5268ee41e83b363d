"""Live data on disk: recorded without holding its reader up, read back, replayed."""

from codec.recording.checking import (
    SegmentReport,
    SegmentState,
    repair,
    verify,
)
from codec.recording.events import EventKind, RecorderEvent, RecorderStats
from codec.recording.index import Block, Index, read_index
from codec.recording.reading import (
    Chunk,
    read,
    read_chunks,
    read_frames,
    read_stream,
)
from codec.recording.recorder import Recorder
from codec.recording.replaying import replay, replay_async, spaced

__all__ = [
    "Block",
    "Chunk",
    "EventKind",
    "Index",
    "Recorder",
    "RecorderEvent",
    "RecorderStats",
    "SegmentReport",
    "SegmentState",
    "read",
    "read_chunks",
    "read_frames",
    "read_index",
    "read_stream",
    "repair",
    "replay",
    "replay_async",
    "spaced",
    "verify",
]
