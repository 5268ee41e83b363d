"""A payload, or price updates, on the way into a transaction, and how that ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from codec.errors import ChainError, RefusedError, RevertedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from codec.chain.aggregator import PriceUpdates
    from codec.chain.events import ChainEvent
    from codec.chain.forecast import Forecast
    from codec.chain.reverts import Revert
    from codec.chain.siblings import Receipt, Sibling
    from codec.chain.tracking import Track

__all__ = ["Outcome", "Submission", "SubmissionState"]


class SubmissionState(StrEnum):
    """How far a submission is; docs/chain.md has the ways from one to the next."""

    WAITING = "waiting"  # for a place, or for funds that others may leave over
    CHECKING = "checking"  # by a preflight
    SENDING = "sending"  # it has a nonce, and no node has said that it took it
    PENDING = "pending"  # a node has it
    MINED = "mined"  # it is in a block, with too few confirmations
    # What an outcome has:
    CONFIRMED = "confirmed"  # mined, and the payload used
    REVERTED = "reverted"  # mined, and the payload not used
    REFUSED = "refused"  # never sent, or refused by every node that was asked
    LOST = "lost"  # never to be mined: another transaction has its nonce
    CANCELLED = "cancelled"  # never sent
    UNRESOLVED = "unresolved"  # sent, and it may be mined yet

    @property
    def is_final(self) -> bool:
        """Whether an outcome may have it."""
        return self in _FINAL


_FINAL = frozenset(
    {
        SubmissionState.CONFIRMED,
        SubmissionState.REVERTED,
        SubmissionState.REFUSED,
        SubmissionState.LOST,
        SubmissionState.CANCELLED,
        SubmissionState.UNRESOLVED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a submission ended; there is exactly one for each.

    transaction_hash: of the transaction that was mined, None where none is known to be.
    hashes: of all that were sent with the nonce, of which at most one is ever mined.
    cost_wei: what was paid, gas and fee. fee_wei: the value that was sent along.
    reason: for people, empty where all is well. preflight: what was known before. Of
    price updates, payload is their calldata, and updates what they were.
    """

    state: SubmissionState
    payload: bytes = field(repr=False)
    transaction_hash: str | None = None
    hashes: tuple[str, ...] = ()
    nonce: int | None = None
    block_number: int | None = None
    block_hash: str | None = None
    gas_used: int | None = None
    effective_gas_price_wei: int | None = None
    cost_wei: int = 0
    fee_wei: int = 0
    revert: Revert | None = None
    reason: str = ""
    preflight: Forecast | None = field(default=None, repr=False)
    updates: PriceUpdates | None = field(default=None, repr=False, compare=False)

    @property
    def is_good(self) -> bool:
        """Whether the payload was used."""
        return self.state is SubmissionState.CONFIRMED

    @property
    def may_be_mined(self) -> bool:
        """Whether it is still open what becomes of it: send nothing in its place."""
        return self.state is SubmissionState.UNRESOLVED

    def raise_unless_good(self) -> Self:
        """Itself if the payload was used.

        Raises RefusedError for what a preflight refused, RevertedError for what
        reverted, ChainError for all else.
        """
        if self.is_good:
            return self
        if self.state is SubmissionState.REFUSED and self.preflight is not None:
            if not self.preflight.is_good:
                raise RefusedError(self.preflight)
        elif self.state is SubmissionState.REVERTED and self.revert is not None:
            raise RevertedError(self.revert)
        raise ChainError(str(self))

    def __str__(self) -> str:
        text = str(self.state)
        if self.transaction_hash:
            text += f": {self.transaction_hash} in block {self.block_number}"
        elif self.hashes:
            text += f": {', '.join(self.hashes)}"
        return f"{text}: {self.reason}" if self.reason else text


class Submission:
    """A payload that was handed to a Submitter; awaiting it gives the Outcome.

    payload: its bytes. updates: price updates, whose calldata payload then is. state:
    how far it is. preflight: what was found before it was
    sent. events: those that concern it. Whoever awaits it may be cancelled without
    harm to it.
    """

    def __init__(
        self,
        number: int,
        payload: bytes,
        cancel: Callable[[Submission], bool],
        updates: PriceUpdates | None = None,
    ) -> None:
        self.number = number
        self.payload = payload
        self.updates = updates
        self.state = SubmissionState.WAITING
        self.preflight: Forecast | None = None
        self.events: list[ChainEvent] = []
        self.track: Track | None = None
        self._cancel = cancel
        self._outcome: asyncio.Future[Outcome] = (
            asyncio.get_running_loop().create_future()
        )

    def __repr__(self) -> str:
        nonce = "" if self.nonce is None else f", nonce {self.nonce}"
        return f"<Submission {self.number}: {self.state}{nonce}>"

    @property
    def nonce(self) -> int | None:
        """None until it is sent."""
        return None if self.track is None else self.track.nonce

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of all its transactions, of which at most one is mined, the newest last."""
        return () if self.track is None else self.track.hashes

    @property
    def outcome(self) -> Outcome | None:
        """None until there is one."""
        return self._outcome.result() if self._outcome.done() else None

    def judged(
        self, state: SubmissionState, reason: str = "", revert: Revert | None = None
    ) -> Outcome:
        """What is known of it, under this state."""
        known: dict[str, Any] = {}
        track = self.track
        if track is not None:
            known.update(nonce=track.nonce, hashes=track.hashes)
            if track.receipt is not None and track.mined is not None:
                known.update(_paid(track.receipt, track.mined))
        return Outcome(
            state=state,
            payload=self.payload,
            reason=reason,
            revert=revert,
            preflight=self.preflight,
            updates=self.updates,
            **known,
        )

    def cancel(self) -> bool:
        """Has it not sent, if it was not; whether it is certain never to be mined."""
        if self.outcome is not None:
            return self.outcome.state in (
                SubmissionState.CANCELLED,
                SubmissionState.REFUSED,
                SubmissionState.LOST,
            )
        return self._cancel(self)

    def finish(self, outcome: Outcome) -> None:
        """Its one outcome; the Submitter's to call."""
        self._outcome.set_result(outcome)

    def __await__(self) -> Generator[object, None, Outcome]:
        return asyncio.shield(self._outcome).__await__()


def _paid(receipt: Receipt, mined: Sibling) -> dict[str, Any]:
    """The fields of an Outcome that a receipt gives."""
    fee_wei = mined.value_wei if receipt.is_good else 0  # what reverts is given back
    return {
        "transaction_hash": receipt.hash,
        "block_number": receipt.block_number,
        "block_hash": receipt.block_hash,
        "gas_used": receipt.gas_used,
        "effective_gas_price_wei": receipt.gas_price_wei,
        "cost_wei": receipt.gas_used * receipt.gas_price_wei + fee_wei,
        "fee_wei": fee_wei,
    }
