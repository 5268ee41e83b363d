"""What happens between this package and a chain: states, sends, faults of nodes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from codec.eventlog import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ChainEvent", "ChainEventKind", "ChainEvents"]


class ChainEventKind(StrEnum):
    """What an event is about; docs/chain.md says what each one's `data` holds."""

    STATE = "state"
    NODE_FAILED = "node_failed"
    NODE_BACK = "node_back"
    WRONG_CHAIN = "wrong_chain"
    SENT = "sent"
    SEND_FAILED = "send_failed"
    REPLACED = "replaced"
    REORGANISED = "reorganised"
    NONCE_REPAIRED = "nonce_repaired"
    FEE_CHANGED = "fee_changed"
    SIGNERS_CHANGED = "signers_changed"
    TRIGGERED = "triggered"
    PUSHED = "pushed"
    WAITING = "waiting"
    RESUMED = "resumed"
    UNRESOLVED = "unresolved"


_LEVELS = {
    ChainEventKind.STATE: logging.INFO,
    ChainEventKind.NODE_BACK: logging.INFO,
    ChainEventKind.WRONG_CHAIN: logging.ERROR,
    ChainEventKind.SENT: logging.INFO,
    ChainEventKind.TRIGGERED: logging.DEBUG,
    ChainEventKind.RESUMED: logging.INFO,
}
_logger = logging.getLogger("codec.chain")


@dataclass(frozen=True, slots=True, eq=False)
class ChainEvent:
    """One thing that happened.

    time_ns: when it was noticed, unix ns. place: which node (scheme://host:port) or
    which transaction it concerns, None where it is neither. text: for people. data: for
    programs.
    """

    kind: ChainEventKind
    time_ns: int
    place: str | None
    text: str
    data: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        place = "" if self.place is None else f" [{self.place}]"
        return f"{self.kind}: {self.text}{place}"


class ChainEvents(EventLog[ChainEventKind, ChainEvent]):
    """The events of a chain's users: the last thousand, and each new one as it comes.

    Iterating gives those that are kept, oldest first; `async for` gives new ones until
    it is closed, and misses those that are kept no more; `listen` registers a function
    that is called with each. All of them are logged to "codec.chain". Of failures of
    nodes at most `per_second` are let through in a second; the next one's data says how
    many were `suppressed`, and `counts` counts all.
    """

    def __init__(
        self,
        *,
        capacity: int = 1000,
        per_second: int = 20,
        now_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            _logger, capacity=capacity, per_second=per_second, monotonic=monotonic
        )
        self._now_ns = now_ns

    def emit(
        self,
        kind: ChainEventKind,
        text: str,
        *,
        place: str | None = None,
        level: int | None = None,
        n: int = 1,
        **data: object,
    ) -> None:
        """Notes an event, that stands for `n` of its kind.

        level: of `logging`, where it is another than the kind's own.
        """
        suppressed = self._admit(kind, n, limited=kind is ChainEventKind.NODE_FAILED)
        if suppressed is None:
            return
        if suppressed:
            data["suppressed"] = suppressed
        if level is None:
            level = _LEVELS.get(kind, logging.WARNING)
        self._add(ChainEvent(kind, self._now_ns(), place, text, data), level)
