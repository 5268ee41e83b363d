"""The bounded queue between who receives lines and the thread that writes them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Backlog", "Lost"]

# Small buffers are copied in well under a microsecond, and their owners may keep far
# more memory alive than the lines take; large ones are kept by reference.
_COPY_LEN = 64 << 10


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages, and their bytes, that found no place."""

    n_messages: int = 0
    n_bytes: int = 0


class Backlog:
    """Buffers of lines on their way; what was taken counts until it is `done`.

    `put` may be called by any thread, the rest by the one that writes.
    """

    def __init__(self, max_len: int, wake_len: int) -> None:
        self._max_len = max_len
        self._wake_len = wake_len
        self._buffers: deque[bytes | memoryview] = deque()
        self._waiting_len = 0  # not yet taken
        self._len = 0  # not yet done
        self._lost = Lost()
        self._is_open = True
        self._lock = Lock()
        self._wake = Event()

    @property
    def n_bytes(self) -> int:
        """Bytes that are on their way."""
        return self._len

    @property
    def has_much(self) -> bool:
        """Whether as much waits as is worth writing before its time."""
        return self._waiting_len >= self._wake_len

    @property
    def lost(self) -> Lost:
        """What was refused since the beginning."""
        return self._lost

    def put(self, lines: Buffer, n_lines: int) -> bool:
        """Never waits: False, and counted, where there is no room."""
        view = memoryview(lines)
        if view.format != "B" or view.ndim != 1 or not view.c_contiguous:
            view = view.cast("B")
        size = view.nbytes
        if not size:
            return True
        if view[-1] != 10:
            raise ValueError("the last line has no end")
        buffer = view.tobytes() if size <= _COPY_LEN else view
        with self._lock:
            if self._len + size > self._max_len or not self._is_open:
                lost = self._lost
                self._lost = Lost(lost.n_messages + n_lines, lost.n_bytes + size)
                return False
            self._buffers.append(buffer)
            self._len += size
            self._waiting_len += size
            is_much = self._waiting_len >= self._wake_len
        if is_much:
            self._wake.set()
        return True

    def wait(self, seconds: float) -> None:
        """Returns once there is much to write, after `close`, or once time is over."""
        self._wake.wait(seconds)
        self._wake.clear()

    def take(self, enough: int) -> bytes:
        """The next lines that wait, about `enough` bytes of them; nothing for none."""
        taken: list[bytes | memoryview] = []
        n_bytes = 0
        with self._lock:
            while self._buffers and n_bytes < enough:
                taken.append(self._buffers.popleft())
                n_bytes += len(taken[-1])
            self._waiting_len -= n_bytes
        return b"".join(taken)

    def done(self, n_bytes: int) -> None:
        """Makes room for as much as has been written."""
        with self._lock:
            self._len -= n_bytes

    def close(self) -> None:
        """Refuses all further lines."""
        with self._lock:
            self._is_open = False
        self._wake.set()

    def give_up(self, n_taken: int) -> None:
        """Counts all that is on its way as lost, `n_taken` messages of which were taken
        and not done."""
        with self._lock:
            n_waiting = sum(bytes(buffer).count(b"\n") for buffer in self._buffers)
            before = self._lost
            self._lost = Lost(
                before.n_messages + n_taken + n_waiting, before.n_bytes + self._len
            )
            self._buffers.clear()
            self._len = self._waiting_len = 0
