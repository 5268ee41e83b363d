"""What a pusher says of what it does, as events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from codec.chain.events import ChainEventKind
from codec.chain.push.ledger import GOOD
from codec.chain.push.quantities import ether_text
from codec.chain.push.state import PusherState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codec.chain.events import ChainEvents
    from codec.chain.push.hindrances import Obstacle
    from codec.chain.push.state import Push
    from codec.taxonomy import Taxonomy

__all__ = ["Voice"]

_TOLD_STATES = {PusherState.STARTING, PusherState.ENDING, PusherState.ENDED}


class Voice:
    """Makes events of a pusher's doings. taxonomy: names the assets in them, those of
    `taxonomy_id`, once that is known."""

    def __init__(self, events: ChainEvents, taxonomy: Taxonomy | None) -> None:
        self.taxonomy_id: int | None = None
        self._events = events
        self._taxonomy = taxonomy

    def name(self, asset_id: int) -> str:
        """An asset's symbol, or its id."""
        symbol = None
        if self._taxonomy is not None:
            symbol = self._taxonomy.symbol(asset_id, self.taxonomy_id)
        return symbol or str(asset_id)

    def state(self, state: PusherState, before: PusherState) -> None:
        """The beginning and the end are told; what is between comes too often."""
        if {state, before} & _TOLD_STATES:
            text = f"pusher: {state}"
            self._events.emit(
                ChainEventKind.STATE, text, state=state.value, before=before.value
            )

    def obstacle(self, obstacle: Obstacle, lasted_s: float | None) -> None:
        """An obstacle has come, or gone after so many seconds."""
        if lasted_s is None:
            kind, text = ChainEventKind.WAITING, f"{obstacle.kind}: {obstacle.reason}"
        else:
            kind = ChainEventKind.RESUMED
            text = f"{obstacle.kind} is over, after {lasted_s:.1f} s"
        self._events.emit(kind, text, hindrance=obstacle.kind.value, lasted_s=lasted_s)

    def chosen(self, reasons: Mapping[int, str], timestamp_ns: int) -> None:
        """A payload is to be pushed."""
        self._events.emit(
            ChainEventKind.TRIGGERED,
            ", ".join(f"{self.name(i)} {why}" for i, why in reasons.items()),
            assets=tuple(reasons),
            timestamp_ns=timestamp_ns,
        )

    def ended(self, push: Push) -> None:
        """A push has ended."""
        names = ", ".join(map(self.name, push.reasons))
        text = f"{push.state}: {names}, {ether_text(push.cost_wei)}"
        if push.reason:
            text += f": {push.reason}"
        self._events.emit(
            ChainEventKind.PUSHED,
            text,
            place=push.hashes[-1] if push.hashes else None,
            level=_level(push),
            state=push.state.value,
            assets=tuple(push.reasons),
            timestamp_ns=push.timestamp_ns,
            cost_wei=push.cost_wei,
        )

    def unresolved(self, hashes: tuple[str, ...]) -> None:
        """The end has come, and something is out."""
        shown = ", ".join(hashes) or "no hash yet"
        self._events.emit(
            ChainEventKind.UNRESOLVED,
            f"it is not known what became of a push ({shown})",
            hashes=hashes,
        )


def _level(push: Push) -> int:
    """What was not sent is told by what is in the way."""
    if push.state in GOOD:
        return logging.INFO
    return logging.WARNING if push.hashes else logging.DEBUG
