"""What a pusher shows of itself: its state, its pushes, and all of it at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codec.chain.push.hindrances import Obstacle
    from codec.chain.push.rules import Point, Rule

__all__ = ["AssetStatus", "Push", "PushState", "PusherState", "Status"]


class PusherState(StrEnum):
    """What a pusher does.

    WATCHING: no rule asks for a push. COLLECTING: one does, and others may follow in
    the window. PUSHING: a payload is on its way. WAITING: something has to pass first;
    the obstacles say what. ENDING: it was told to end, and waits for what is out.
    """

    STARTING = "starting"
    WATCHING = "watching"
    COLLECTING = "collecting"
    PUSHING = "pushing"
    WAITING = "waiting"
    ENDING = "ending"
    ENDED = "ended"


class PushState(StrEnum):
    """What became of one push. DRY: it would have been sent. HELD: the budget does not
    allow it now. FAILED: it was not sent. UNRESOLVED: nobody knows yet."""

    OUT = "out"
    CONFIRMED = "confirmed"
    DRY = "dry"
    HELD = "held"
    REFUSED = "refused"
    REVERTED = "reverted"
    FAILED = "failed"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class Push:
    """One payload's way. time_ns: when it was chosen, unix ns. reasons: by asset id.
    hashes: of its transactions. cost_wei: gas and fee; of a dry one at most."""

    time_ns: int
    timestamp_ns: int
    reasons: Mapping[int, str]
    state: PushState = PushState.OUT
    reason: str = ""
    hashes: tuple[str, ...] = ()
    cost_wei: int = 0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AssetStatus:
    """An asset with a rule. confirmed: what the chain is known to have of it."""

    asset_id: int
    rule: Rule
    newest: Point | None
    confirmed: Point | None
    n_pushes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A pusher at one moment. now_s: of its clock, as all that ends in _s.

    balance_wei, fee_wei: None while they are not known. spent_wei: in the last hour;
    total_wei: since the start. pushes: the last ones, oldest first. counts: of all, by
    state. n_messages: that counted; n_bad: badly signed, or unsigned.
    """

    state: PusherState
    now_s: float
    obstacles: tuple[Obstacle, ...] = ()
    assets: tuple[AssetStatus, ...] = ()
    pushes: tuple[Push, ...] = ()
    counts: Mapping[PushState, int] = field(default_factory=dict)
    balance_wei: int | None = None
    fee_wei: int | None = None
    signers: tuple[str, ...] = ()
    spent_wei: int = 0
    total_wei: int = 0
    max_wei_per_hour: int | None = None
    n_messages: int = 0
    n_bad: int = 0
