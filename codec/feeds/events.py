"""What happens on a feed beside its data: connection states, faults, gaps."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from codec.eventlog import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    BAD_PUBLISHER = "bad_publisher"
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
    REFUSED = "refused"
    OUTAGE = "outage"
    MEMBER = "member"


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
    EventKind.MEMBER: logging.DEBUG,
    EventKind.ASSET_BACK: logging.INFO,
    EventKind.SERVER_ERROR: logging.ERROR,
    EventKind.REFUSED: logging.ERROR,
}
_STATE_LEVELS = {
    State.FAILED: logging.ERROR,
    State.RECONNECTING: logging.WARNING,
}
_UNLIMITED = {EventKind.STATE, EventKind.OUTAGE}
_logger = logging.getLogger("codec.feeds")


class Events(EventLog[EventKind, Event]):
    """The events of a feed: the last thousand, and each new one as it comes.

    Iterating gives those that are kept, oldest first; `async for` gives new ones until
    the feed is closed, and misses those that are kept no more; `listen` registers a
    function that is called with each. All of them are logged to "codec.feeds". Of one
    kind (but states and outages) at most `per_second` are let through in a second; the
    next one's data says how many were `suppressed`, and `counts` counts all.
    """

    def __init__(
        self, *, capacity: int = 1000, per_second: int = 20, now_ns: Callable[[], int]
    ) -> None:
        super().__init__(
            _logger,
            capacity=capacity,
            per_second=per_second,
            monotonic=lambda: time.monotonic(),
        )
        self._now_ns = now_ns

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
        is_state = kind is EventKind.STATE
        suppressed = self._admit(kind, n, limited=kind not in _UNLIMITED)
        if suppressed is None:
            return
        if suppressed:
            data["suppressed"] = suppressed
        level = _LEVELS.get(kind, logging.WARNING)
        if is_state:
            level = _STATE_LEVELS.get(State(str(data["state"])), logging.INFO)
        self._add(Event(kind, self._now_ns(), connection, text, data), level)
