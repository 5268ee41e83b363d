"""What keeps a pusher from pushing: noted by whoever finds it, told once, and told
again when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Hindrance", "Hindrances", "Obstacle"]


class Hindrance(StrEnum):
    """What keeps a push from being sent, or from counting."""

    FEED_AWAY = "feed_away"
    NODE_AWAY = "node_away"
    WRONG_CHAIN = "wrong_chain"
    BALANCE_LOW = "balance_low"
    BUDGET_SPENT = "budget_spent"
    FEE_HIGH = "fee_high"
    SIGNER_UNKNOWN = "signer_unknown"
    REFUSED = "refused"
    REVERTED = "reverted"
    UNRESOLVED = "unresolved"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A hindrance that is there now. reason: for people. since_s: of the clock that was
    passed in."""

    kind: Hindrance
    reason: str
    since_s: float


class Hindrances:
    """Those that are there now, by who found them.

    told: called with each obstacle when it comes, and with the seconds that it lasted
    when it goes; one that two have found goes when both find it no more.
    """

    def __init__(self, told: Callable[[Obstacle, float | None], object]) -> None:
        self._told = told
        self._found: dict[str, Mapping[Hindrance, str]] = {}
        self._now: dict[Hindrance, Obstacle] = {}

    def __contains__(self, kind: object) -> bool:
        return kind in self._now

    def __bool__(self) -> bool:
        return bool(self._now)

    @property
    def now(self) -> tuple[Obstacle, ...]:
        """All that are there, the oldest first."""
        return tuple(self._now.values())

    def found_by(self, finder: str) -> tuple[Hindrance, ...]:
        """What one finder last found."""
        return tuple(self._found.get(finder, ()))

    def set(self, finder: str, found: Mapping[Hindrance, str], now_s: float) -> None:
        """All that one finder finds now, with reasons; what it found before, and does
        not find now, is over for it. A reason that changes is not told again."""
        self._found[finder] = dict(found)
        reasons: dict[Hindrance, str] = {}
        for one in self._found.values():
            reasons |= one
        before = self._now
        since_s = {kind: it.since_s for kind, it in before.items() if kind in reasons}
        since_s |= {kind: now_s for kind in reasons if kind not in before}
        # A dict of its own, so that other threads see the one or the other.
        self._now = {
            kind: Obstacle(kind, reasons[kind], since)
            for kind, since in since_s.items()
        }
        for kind, obstacle in before.items():
            if kind not in reasons:
                self._told(obstacle, now_s - obstacle.since_s)
        for kind, obstacle in self._now.items():
            if kind not in before:
                self._told(obstacle, None)
