"""The recorder: lines from a live reader into segments, on a thread of its own."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections import deque
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from codec.recording.backlog import Backlog, Lost
from codec.recording.disk import lock
from codec.recording.events import EventKind, RecorderEvent, RecorderStats
from codec.recording.naming import last_sequence, segment_name
from codec.recording.segment import SegmentWriter, make_compressor
from codec.recording.text import cut, receive_times

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from codec.recording.naming import Compression

__all__ = ["Recorder"]

# Frames of half a MiB compress as well as longer ones, and one that is damaged takes
# little with it.
_FRAME_LEN = 512 << 10
_MAX_FRAME_LEN = 1 << 20
_RETRY_S = 1.0
_EXIT_S = 30.0

_log = logging.getLogger("codec.recording")


class Recorder:
    """Writes lines `<receive ns> <frame>` into segments of a folder.

    prefix: begins the segments' names; one recorder at a time writes into a folder and
    prefix. compression, level: "zstd" or "none", and zstd's level. max_segment_len,
    max_segment_seconds: a segment is closed before it holds more bytes of lines, and
    once it is that old. max_queue_len: bytes of lines that may wait for the disk.
    sync_seconds: how often lines are written and the file is synchronised; 0.75 leaves
    an fsync a quarter of the second that may be lost. on_event: called on the
    recorder's thread. clock: seconds, by which segments grow old.

    The disk's errors are never raised but told as events and in `stats`; the recorder
    keeps trying, and what meanwhile finds no place in the queue is counted as lost.
    Raises ValueError for a bad option.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        prefix: str = "stork-fast",
        compression: Compression = "zstd",
        level: int = 3,
        max_segment_len: int = 256 << 20,
        max_segment_seconds: float = 3600.0,
        max_queue_len: int = 64 << 20,
        sync_seconds: float = 0.75,
        on_event: Callable[[RecorderEvent], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        segment_name(prefix, 0, 0, compression)  # its errors, now
        limits = (max_segment_len, max_segment_seconds, max_queue_len, sync_seconds)
        if min(limits) <= 0:
            raise ValueError("lengths and seconds must be positive")
        self._folder = Path(folder)
        self._prefix = prefix
        self._compression = compression
        self._compress = make_compressor(compression, level)
        self._max_segment_len = max_segment_len
        self._max_segment_seconds = max_segment_seconds
        self._sync_seconds = sync_seconds
        self._on_event = on_event
        self._clock = clock
        self._backlog = Backlog(max_queue_len, min(_FRAME_LEN, max_queue_len // 2))
        self._pieces: deque[bytes] = deque()  # taken, not yet written
        self._segment: SegmentWriter | None = None
        self._opened_at = 0.0
        self._lock_fd = -1
        self._thread: Thread | None = None
        self._closing = Event()
        self._closing_lock = Lock()
        self._n_written = self._written_len = 0
        self._n_unsynced = self._n_synced = 0
        self._n_closed = self._last_sync_ns = 0
        self._failure: str | None = None
        self._lost_told = self._lost_indexed = Lost()

    def start(self) -> None:
        """Makes the folder, locks it and starts the thread.

        Raises RecordingError where another recorder has the folder and prefix, OSError
        where it cannot be used.
        """
        if self._thread is not None:
            raise RuntimeError("a recorder is started once")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock_fd = lock(self._folder, self._prefix)
        # A daemon, so that a forgotten recorder holds no process up; what it still has
        # is then written at exit.
        self._thread = Thread(target=self._run, name="codec-recorder", daemon=True)
        self._thread.start()
        atexit.register(self.close, _EXIT_S)

    def write(self, lines: Buffer, n_lines: int) -> bool:
        """Hands over whole lines, each with its end; never waits.

        False where the queue has no room, or the recorder is closed: those lines are
        lost, and counted. The buffer must not change any more; one over 64 KiB is kept
        until it is written, others are copied. Raises ValueError for a last line
        without an end. May be called by any thread.
        """
        return self._backlog.put(lines, n_lines)

    def close(self, timeout: float | None = None) -> None:
        """Writes what waits, closes the segment with its index and unlocks the folder.

        Does nothing the second time. timeout: seconds after which a disk that hangs is
        left to itself. Raises nothing: `stats` says what was lost.
        """
        self._backlog.close()
        self._closing.set()
        with self._closing_lock:
            if self._thread is not None:
                self._thread.join(timeout)
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def stats(self) -> RecorderStats:
        """The figures of this moment."""
        lost, segment = self._backlog.lost, self._segment
        return RecorderStats(
            n_written=self._n_written,
            written_len=self._written_len,
            n_synced=self._n_synced,
            n_lost=lost.n_messages,
            lost_len=lost.n_bytes,
            queue_len=self._backlog.n_bytes,
            n_segments_closed=self._n_closed,
            last_sync_ns=self._last_sync_ns,
            path=None if segment is None else str(segment.path),
            failure=self._failure,
        )

    # All below runs on the recorder's thread.

    def _run(self) -> None:
        due = time.monotonic() + self._sync_seconds
        is_last = False
        while not is_last:
            self._backlog.wait(max(due - time.monotonic(), 0.0))
            is_last = self._closing.is_set()
            is_due = is_last or time.monotonic() >= due
            if is_due:
                due = time.monotonic() + self._sync_seconds
            try:
                self._write_waiting(is_due)
                if is_due:
                    self._sync()
                    self._close_old_segment()
            except Exception as error:
                self._fail(error)
                if not is_last:
                    self._closing.wait(_RETRY_S)
            if is_due:
                self._tell_lost()
        self._finish()

    def _write_waiting(self, is_due: bool) -> None:
        """Writes what waits, all of it where it is due, else what fills a frame."""
        limit = min(_MAX_FRAME_LEN, self._max_segment_len)
        while True:
            while self._pieces:
                self._write_piece(self._pieces[0])
                self._backlog.done(len(self._pieces.popleft()))
            if is_due or self._backlog.has_much:
                self._pieces.extend(cut(self._backlog.take(_FRAME_LEN), limit))
            if not self._pieces:
                return

    def _write_piece(self, lines: bytes) -> None:
        segment = self._segment
        if segment and segment.text_len + len(lines) > self._max_segment_len:
            self._close_segment()
            segment = None
        n_messages = (segment or self._open_segment(lines)).append(lines)
        self._n_written += n_messages
        self._n_unsynced += n_messages
        self._written_len += len(lines)

    def _open_segment(self, lines: bytes) -> SegmentWriter:
        first = lines[: lines.index(b"\n") + 1]
        begin_ns = int(receive_times(first)[0]) or time.time_ns()
        segment = SegmentWriter(
            self._folder,
            self._prefix,
            begin_ns,
            last_sequence(self._folder, self._prefix) + 1,
            self._compression,
            self._compress,
        )
        self._segment = segment
        self._opened_at = self._clock()
        self._tell(EventKind.OPENED, segment.path)
        return segment

    def _sync(self) -> None:
        segment = self._segment
        if segment is None or not self._n_unsynced:
            return
        segment.sync()
        self._n_synced += self._n_unsynced
        self._n_unsynced = 0
        self._last_sync_ns = time.time_ns()
        if self._failure is not None:
            self._failure = None
            self._tell(EventKind.RESUMED, segment.path)

    def _close_old_segment(self) -> None:
        age = self._clock() - self._opened_at
        if self._segment and age >= self._max_segment_seconds:
            self._close_segment()

    def _close_segment(self) -> None:
        """After this there is no segment, or one that is broken."""
        self._sync()
        segment, self._segment = self._segment, None
        if segment is None:
            return
        lost, told = self._backlog.lost, self._lost_indexed
        path = segment.close(
            lost.n_messages - told.n_messages, lost.n_bytes - told.n_bytes
        )
        self._lost_indexed = lost
        if path is not None:
            self._n_closed += 1
            self._tell(
                EventKind.CLOSED, path, None, segment.n_messages, segment.text_len
            )

    def _fail(self, error: Exception) -> None:
        segment = self._segment
        if segment and segment.is_broken:
            self._segment = None
            segment.abandon()
            self._n_unsynced = 0  # and never known to be on the disk
        reason = f"{type(error).__name__}: {error}"
        if reason != self._failure:
            self._failure = reason
            path = None if segment is None else segment.path
            self._tell(EventKind.FAILED, path, reason)

    def _finish(self) -> None:
        if self._pieces or self._backlog.n_bytes:
            self._backlog.give_up(sum(piece.count(b"\n") for piece in self._pieces))
            self._pieces.clear()
        try:
            self._close_segment()
        except Exception as error:
            self._fail(error)
        self._tell_lost()
        os.close(self._lock_fd)

    def _tell_lost(self) -> None:
        lost, told = self._backlog.lost, self._lost_told
        if lost != told:
            self._lost_told = lost
            self._tell(
                EventKind.LOST,
                None,
                self._failure or "the disk is slower than the feed",
                lost.n_messages - told.n_messages,
                lost.n_bytes - told.n_bytes,
            )

    def _tell(
        self,
        kind: EventKind,
        path: Path | None = None,
        reason: str | None = None,
        n_messages: int = 0,
        n_bytes: int = 0,
    ) -> None:
        if self._on_event is None:
            return
        text = None if path is None else str(path)
        event = RecorderEvent(kind, text, reason, n_messages, n_bytes)
        try:
            self._on_event(event)
        except Exception:
            _log.exception("on_event failed with: %s", event)
