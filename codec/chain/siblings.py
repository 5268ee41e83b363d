"""The transactions of one nonce, and what nodes say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codec.chain.fees import Fees

__all__ = ["Action", "End", "Facts", "Head", "Limits", "Receipt", "Sibling"]


class Action(StrEnum):
    """What has to be done for a nonce now."""

    SEND = "send"  # `Track.to_send`, then `Track.sent`
    LOOK = "look"  # for all of `Track.hashes`, then `Track.looked`
    RAISE = "raise"  # make a dearer sibling: `Track.add`, or `Track.not_raised`
    FREE = "free"  # make a sibling without the payload: the same
    WAIT = "wait"  # until `Track.due`, or a new head
    STOP = "stop"  # `Track.end` says how it ended


class End(StrEnum):
    """How a nonce ended."""

    CONFIRMED = "confirmed"  # one of ours was mined, and did its work
    REVERTED = "reverted"  # one of ours was mined, and did nothing
    LOST = "lost"  # a transaction that is not ours, or has no payload, has the nonce
    REFUSED = "refused"  # nobody has a transaction with the nonce: it can go back


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. look_s: between looks at a transaction that is on its way."""

    confirmations: int = 1
    replace_after_s: float = 60.0
    deadline_s: float = 600.0
    poll_s: float = 1.0
    look_s: float = 5.0
    max_pause_s: float = 15.0

    def pause_s(self, n_failures: int) -> float:
        """Before something is tried again that failed so often."""
        return min(0.25 * self.poll_s * 2.0 ** min(n_failures, 30), self.max_pause_s)

    def long_pause_s(self, n_failures: int = 0) -> float:
        """The same where nothing presses: a few times `poll_s` at the least."""
        return self.pause_s(4 + n_failures)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest block, and the account there.

    nonce: how many of the account's transactions are mined. settled_nonce: the same at
    the depth that counts as confirmed, at most 64 blocks. base_fee: None on a legacy
    chain.
    """

    number: int
    hash: str
    nonce: int
    settled_nonce: int
    base_fee: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a transaction was mined, and what became of it."""

    hash: str
    block_number: int
    block_hash: str
    is_good: bool
    gas_used: int
    gas_price_wei: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What nodes know of a nonce's transactions.

    known: hashes that some node has. is_complete: whether every node answered.
    """

    receipts: tuple[Receipt, ...] = ()
    known: frozenset[str] = frozenset()
    is_complete: bool = True


@dataclass(slots=True)
class Sibling:
    """A signed transaction; all of a nonce's but one (or all) are never mined."""

    hash: str
    raw: bytes = field(repr=False)
    fees: Fees
    value_wei: int = 0
    has_payload: bool = True
    is_taken: bool = False
    is_refused: bool = False
