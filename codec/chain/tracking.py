"""One nonce and the transactions that compete for it: what to do next, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.chain.sending import SendVerdict
from codec.chain.siblings import Action, End

if TYPE_CHECKING:
    from codec.chain.siblings import Facts, Head, Limits, Receipt, Sibling

__all__ = ["Track"]

# So often an offer is raised at once because a node calls it too low. From the first
# offer on that is a factor of 2.5; a pool that wants more gets it at the slow pace.
_MAX_QUICK_RAISES = 8
# So many looks that find the nonce used, and none of ours mined or waiting: LOST. They
# span some blocks, as the node behind a URL may be one that lags. More of them where
# a node did not answer.
_N_MISSES = 6
_N_MISSES_IN_DOUBT = 20


class Track:
    """Follows one nonce from its first transaction to its end.

    It is told what happened and says what to do next; `now` is any clock's seconds.
    It never lets go of the nonce while a transaction with it may be mined: REFUSED
    is only said where every node that was asked refused it. `notes` collects what is
    worth an event: its kind and a text.
    """

    def __init__(
        self, nonce: int, limits: Limits, now: float, deadline: float | None = None
    ) -> None:
        self.nonce = nonce
        self.siblings: list[Sibling] = []
        self.receipt: Receipt | None = None
        self.end: End | None = None
        self.reason = ""
        self.is_overdue = False
        self.may_be_out = False
        self.notes: list[tuple[str, str]] = []
        self._limits = limits
        self._deadline = now + limits.deadline_s if deadline is None else deadline
        self._is_sending = False
        self._must_look = False
        self._looked_head: Head | None = None
        self._look_at = now + limits.look_s
        self._send_at: float | None = None
        self._to_send: Sibling | None = None
        self._raise_now = False
        self._raised_at = now
        self._next_since: float | None = None
        self._n_failures = 0
        self._n_quick_raises = 0
        self._n_misses = 0
        self._is_unknown = False

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of all siblings, the newest last."""
        return tuple(sibling.hash for sibling in self.siblings)

    @property
    def newest(self) -> Sibling:
        """The dearest sibling."""
        return self.siblings[-1]

    @property
    def to_send(self) -> Sibling:
        """What SEND means: the newest that was not refused, or what was thrown out."""
        good = (s for s in reversed(self.siblings) if not s.is_refused)
        return self._to_send or next(good, self.newest)

    @property
    def mined(self) -> Sibling | None:
        """The sibling that has the receipt."""
        if self.receipt is None:
            return None
        return self._sibling(self.receipt.hash)

    @property
    def is_under_way(self) -> bool:
        """Whether a node has a transaction of this nonce."""
        return any(sibling.is_taken for sibling in self.siblings)

    def next(self, head: Head | None, now: float) -> Action:
        """What to do now. head: the newest that is known."""
        if self.end is None and now >= self._deadline and not self.is_overdue:
            self._overdue()
        if self.end is not None:
            return Action.STOP
        if self._must_look or now >= self._look_at or self._is_news(head):
            if now >= self._look_at or not self._must_look:
                return Action.LOOK
            return Action.WAIT
        if self._send_at is not None and now >= self._send_at:
            return Action.SEND
        if self.receipt is None and self._wants_raise(head, now):
            return Action.FREE if self._wants_freeing() else Action.RAISE
        return Action.WAIT

    def due(self, now: float) -> float:
        """When `next` may say another thing than WAIT, if no head comes before."""
        times = [self._look_at]
        if self._send_at is not None and not self._must_look:
            times.append(self._send_at)
        if self.receipt is None and self._replace_at > now:
            times.append(self._replace_at)
        if not self.is_overdue:
            times.append(self._deadline)
        return min(times)

    def add(self, sibling: Sibling, now: float) -> None:
        """A new sibling, to be sent at once."""
        if self.siblings:
            self.notes.append(("replaced", f"nonce {self.nonce}: {sibling.fees}"))
        self.siblings.append(sibling)
        self._raise_now = False
        self._raised_at = now
        self._to_send = None
        self._send_at = now
        self._n_failures = 0

    def not_raised(self, reason: str, now: float) -> None:
        """There is no dearer sibling: a cap forbids it, or it could not be made."""
        self._raise_now = False
        self._raised_at = now
        if not self.may_be_out:
            self._finish(End.REFUSED, reason)
        elif not self.is_under_way:
            self._try_again(now)

    def sending(self) -> None:
        """The transaction is being handed out: from here on somebody may have it."""
        self._is_sending = True
        self._send_at = None

    def sent(
        self, sibling: Sibling, verdict: SendVerdict, text: str, now: float
    ) -> None:
        """What came of it."""
        self._is_sending = False
        self._to_send = None
        match verdict:
            case SendVerdict.TAKEN:
                self._taken(sibling, now)
            case SendVerdict.NOT_SENT:
                self._try_again(now)
            case SendVerdict.UNCLEAR:
                self.may_be_out = True
                self._look_first(now)
            case SendVerdict.NONCE_TOO_LOW:
                self._look_first(now)
            case SendVerdict.INSUFFICIENT_FUNDS | SendVerdict.DEFINITELY_REFUSED:
                self._refused(sibling, text, now)
            case _:
                self._too_cheap(sibling, text, now)

    def abandoned(self) -> None:
        """Nobody waits for the answer of `sending` any more."""
        if self._is_sending:
            self._is_sending = False
            self.may_be_out = True

    def looked(self, facts: Facts | None, head: Head | None, now: float) -> None:
        """What a look found; None where no node answered. head: taken before it."""
        if facts is None:
            self._must_look = True
            self._n_failures += 1
            self._look_at = now + self._limits.pause_s(self._n_failures)
            return
        self._must_look = False
        self._looked_head = head
        self._look_at = now + self._limits.look_s
        found = {receipt.hash: receipt for receipt in facts.receipts}
        receipt = next((found[h] for h in self.hashes if h in found), None)
        if receipt is not None:
            self._is_mined(receipt, head)
        elif self.receipt is not None:
            self._is_thrown_out(now)
        elif head is not None and head.settled_nonce > self.nonce:
            self._is_missing(facts, now)
        elif head is None or head.nonce <= self.nonce:
            self._is_waiting(facts, now)

    def refuse(self, reason: str) -> bool:
        """Gives the nonce up, if nobody can have a transaction with it."""
        if self.end is None and not self.may_be_out and not self._is_sending:
            self._finish(End.REFUSED, reason)
        return self.end is End.REFUSED

    # What was found.

    def _is_mined(self, receipt: Receipt, head: Head | None) -> None:
        self.may_be_out = True
        self._sibling(receipt.hash).is_taken = True
        known = self.receipt
        if known is not None and known.block_hash != receipt.block_hash:
            text = f"{receipt.hash} moved from block {known.block_number}"
            self.notes.append(("reorganised", f"{text} to {receipt.block_number}"))
        self.receipt = receipt
        self._send_at = None
        self._raise_now = False
        self._n_misses = 0
        depth = 1 + max(0, (head.number if head else 0) - receipt.block_number)
        if depth < self._limits.confirmations:
            return
        if not self._sibling(receipt.hash).has_payload:
            self._finish(End.LOST, "the nonce was freed by a transfer to oneself")
        elif receipt.is_good:
            self._finish(End.CONFIRMED, "")
        else:
            self._finish(End.REVERTED, "the transaction was mined, and reverted")

    def _is_thrown_out(self, now: float) -> None:
        assert self.receipt is not None
        text = f"{self.receipt.hash} is no longer in block {self.receipt.block_number}"
        self.notes.append(("reorganised", text))
        self._to_send = self._sibling(self.receipt.hash)
        self.receipt = None
        self._send_at = now
        self._raised_at = now

    def _is_missing(self, facts: Facts, now: float) -> None:
        """The nonce is used, and none of ours has a receipt.

        Where a node knows one of ours, it is that: the receipt will come, or that node
        will see the other's transaction.
        """
        self._send_at = None
        if facts.known:
            self._n_misses = 0
            return
        self._n_misses += 1
        most = _N_MISSES if facts.is_complete else _N_MISSES_IN_DOUBT
        if self._n_misses >= most:
            self._finish(End.LOST, "another transaction of the account has its nonce")

    def _is_waiting(self, facts: Facts, now: float) -> None:
        self._n_misses = 0
        known = [s for s in self.siblings if s.hash in facts.known]
        self._is_unknown = not known and facts.is_complete
        for sibling in known:
            self._taken(sibling, now)
        is_sent = self.to_send.hash in facts.known or (known and self.to_send.is_taken)
        if not is_sent and self._send_at is None and not self._raise_now:
            self._send_at = now + self._limits.pause_s(self._n_failures)

    # What a node said.

    def _taken(self, sibling: Sibling, now: float) -> None:
        self.may_be_out = True
        self._is_unknown = False
        if not sibling.is_taken:
            sibling.is_taken = True
            self._raised_at = now
        if sibling is self.to_send:
            self._n_failures = 0
            self._send_at = None

    def _look_first(self, now: float) -> None:
        self._must_look = True
        self._look_at = now
        self._n_failures += 1

    def _try_again(self, now: float) -> None:
        self._n_failures += 1
        self._send_at = now + self._limits.pause_s(self._n_failures)

    def _refused(self, sibling: Sibling, text: str, now: float) -> None:
        if not self.may_be_out:
            self._finish(End.REFUSED, text)
        elif sibling is self.newest and not sibling.is_taken and len(self.siblings) > 1:
            sibling.is_refused = True  # those before it may still be mined
            self._look_first(now)
        else:
            self._try_again(now)

    def _too_cheap(self, sibling: Sibling, text: str, now: float) -> None:
        if sibling is not self.newest or sibling.is_taken:
            # A dearer sibling may be what is in its way.
            self._look_first(now)
        elif self._n_quick_raises < _MAX_QUICK_RAISES:
            self._n_quick_raises += 1
            self._raise_now = True
        elif not self.may_be_out:
            self._finish(End.REFUSED, text)
        else:
            self._look_first(now)

    # When.

    @property
    def _replace_at(self) -> float:
        since = self._raised_at
        if self._next_since is not None:
            since = max(since, self._next_since)
        return since + self._limits.replace_after_s

    def _is_news(self, head: Head | None) -> bool:
        """Whether a head may have brought a receipt, or taken one away."""
        if head is None or head == self._looked_head:
            return False
        return self.receipt is not None or head.nonce > self.nonce

    def _wants_raise(self, head: Head | None, now: float) -> bool:
        if self._raise_now:
            return True
        if head is None or not self.may_be_out or head.nonce > self.nonce:
            return False
        if head.nonce == self.nonce and self._next_since is None:
            self._next_since = now
        if now < self._replace_at:
            return False
        if head.base_fee is not None and head.base_fee > self.newest.fees.per_gas:
            return True
        # After the deadline only the market raises, so that there is an end to it.
        is_held_up = head.nonce == self.nonce
        return is_held_up and (not self.is_overdue or self._wants_freeing())

    def _wants_freeing(self) -> bool:
        """Whether others wait for a nonce whose payload nobody takes."""
        return self.is_overdue and self._is_unknown and self.newest.has_payload

    def _overdue(self) -> None:
        if self.refuse("the deadline passed before any node could be reached"):
            return
        self.is_overdue = True
        self.reason = "the deadline passed"

    def _finish(self, end: End, reason: str) -> None:
        self.end = end
        self.reason = reason

    def _sibling(self, digest: str) -> Sibling:
        return next(s for s in self.siblings if s.hash == digest)
