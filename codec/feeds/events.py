"""What happens on a feed beside its data: connection states, faults, gaps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

__all__ = ["Event", "EventKind", "Events", "State"]


class State(StrEnum):
    """A connection's state."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    FAILED = "failed"


class EventKind(StrEnum):
    """What an event is about; docs/feeds.md says what each one's `data` holds."""

    STATE = "state"
    ACKNOWLEDGED = "acknowledged"
    SERVER_ERROR = "server_error"
    UNKNOWN_MESSAGE = "unknown_message"
    BAD_MESSAGE = "bad_message"
    BAD_SIGNATURE = "bad_signature"
    STALE = "stale"
    OVERFLOW = "overflow"
    GAP = "gap"
    BACKWARDS = "backwards"
    FUTURE = "future"
    TAXONOMY_CHANGE = "taxonomy_change"
    DUPLICATE_ASSET = "duplicate_asset"
    ASSET_ABSENT = "asset_absent"
    ASSET_BACK = "asset_back"
    CLOCK_JUMP = "clock_jump"


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One thing that happened.

    time_ns: when it was noticed, unix ns. connection: the index of the URL it happened
    on, None where it concerns the feed. text: for people. data: for programs.
    """

    kind: EventKind
    time_ns: int
    connection: int | None
    text: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        place = "" if self.connection is None else f" [connection {self.connection}]"
        return f"{self.kind}: {self.text}{place}"


_LEVELS = {
    EventKind.ACKNOWLEDGED: logging.DEBUG,
    EventKind.ASSET_BACK: logging.INFO,
    EventKind.SERVER_ERROR: logging.ERROR,
}
_STATE_LEVELS = {
    State.FAILED: logging.ERROR,
    State.RECONNECTING: logging.WARNING,
}
_logger = logging.getLogger("codec.feeds")


class Events:
    """The events of a feed: the last thousand, and each new one as it comes.

    Iterating gives those that are kept, oldest first; `async for` gives new ones until
    the feed is closed, and misses those that are kept no more; `listen` registers a
    function that is called with each. All of them are logged to "codec.feeds". Of one
    kind (but states) at most `per_second` are let through in a second; the next one's
    data says how many were `suppressed`, and `counts` counts all.
    """

    def __init__(
        self, *, capacity: int = 1000, per_second: int = 20, now_ns: Callable[[], int]
    ) -> None:
        self.counts: Counter[EventKind] = Counter()
        self._kept: deque[Event] = deque(maxlen=capacity)
        self._n = 0  # how many there have ever been
        self._listeners: list[Callable[[Event], object]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._closed = False
        self._per_second = per_second
        self._now_ns = now_ns
        self._windows: dict[EventKind, tuple[float, int]] = {}
        self._suppressed: Counter[EventKind] = Counter()

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    async def __aiter__(self) -> AsyncIterator[Event]:
        seen = self._n
        while True:
            new = min(self._n - seen, len(self._kept))
            seen = self._n
            for event in tuple(self._kept)[len(self._kept) - new :]:
                yield event
            if self._closed and seen == self._n:
                return
            if seen == self._n:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                try:
                    await waiter
                finally:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)

    def listen(self, function: Callable[[Event], object]) -> None:
        """Has the function called with every new event, from the feed's thread.

        What it raises is logged, and goes no further.
        """
        self._listeners.append(function)

    def emit(
        self,
        kind: EventKind,
        text: str,
        *,
        connection: int | None = None,
        n: int = 1,
        **data: object,
    ) -> None:
        """Notes an event, that stands for `n` of its kind."""
        self.counts[kind] += n
        if kind is not EventKind.STATE:
            if not self._let_through(kind):
                self._suppressed[kind] += n
                return
            if self._suppressed[kind]:
                data["suppressed"] = self._suppressed.pop(kind)
        event = Event(kind, self._now_ns(), connection, text, data)
        self._kept.append(event)
        self._n += 1
        level = _LEVELS.get(kind, logging.WARNING)
        if kind is EventKind.STATE:
            level = _STATE_LEVELS.get(State(str(data["state"])), logging.INFO)
        _logger.log(level, "%s", event, extra={"event": event})
        self._wake()
        for function in tuple(self._listeners):
            try:
                function(event)
            except Exception:
                _logger.exception("a listener failed at %s", event)

    def close(self) -> None:
        """Ends every `async for`."""
        self._closed = True
        self._wake()

    def _let_through(self, kind: EventKind) -> bool:
        now = time.monotonic()
        start, n = self._windows.get(kind, (now, 0))
        if now - start >= 1.0:
            start, n = now, 0
        self._windows[kind] = start, n + 1
        return n < self._per_second

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
