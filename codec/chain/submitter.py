"""Sends from one account: each payload once, followed until its outcome is known."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from codec.chain.blocking import BlockingSubmitter
from codec.chain.calldata import Target
from codec.chain.checks import Checks
from codec.chain.desk import Desk
from codec.chain.fees import FeePolicy
from codec.chain.order import Order, preflight
from codec.chain.preflight import make_order
from codec.chain.siblings import Limits
from codec.chain.stork_core import StorkCore
from codec.chain.submission import Submission
from codec.chain.update_order import UpdateOrder
from codec.chain.verifier import Verifier
from codec.errors import ChainError

if TYPE_CHECKING:
    from codec.chain.aggregator import PriceUpdates
    from codec.chain.calldata import Payload
    from codec.chain.events import ChainEvent, ChainEvents
    from codec.chain.forecast import Forecast
    from codec.chain.rpc import Rpc
    from codec.chain.submission import Outcome
    from codec.chain.wallet import Wallet

__all__ = ["Submitter"]


class Submitter:
    """Sends payloads, or price updates, in transactions of one account, many at a time.

    target: the function to call, or the address of a verifier; for price updates the
    StorkCore. policy: caps on what is paid. checks: what else must hold of a payload.
    confirmations: how many blocks, the transaction's own among them, make it final.
    replace_after_s: after how long without a receipt the offer is raised. deadline_s:
    after how long an outcome is UNRESOLVED; the transaction is followed further, as its
    nonce stands before all later ones. max_pending: how many may have a nonce at a
    time. poll_s: how often the chain is asked while something is out. events: by
    default those of the Rpc.

    Nobody else may send from the account meanwhile: whatever takes a nonce that was
    handed out here makes that submission LOST. A payload gets one nonce in its life,
    unless every node refused it. Opening is `async with`; the Rpc stays the caller's.
    """

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        target: Target | StorkCore | str,
        *,
        policy: FeePolicy | None = None,
        checks: Checks | None = None,
        confirmations: int = 1,
        replace_after_s: float = 60.0,
        deadline_s: float = 600.0,
        max_pending: int = 64,
        poll_s: float = 1.0,
        events: ChainEvents | None = None,
    ) -> None:
        if confirmations < 1 or max_pending < 1:
            raise ValueError("confirmations and max_pending are at least 1")
        if min(replace_after_s, deadline_s, poll_s) <= 0:
            raise ValueError("replace_after_s, deadline_s and poll_s are above 0")
        self.rpc = rpc
        self.wallet = wallet
        self.target = Target(target) if isinstance(target, str) else target
        self.policy = policy or FeePolicy()
        self.checks = checks or Checks()
        self._verifier: Verifier | None = None
        if isinstance(self.target, Target):
            self.checks.must_be_of_payloads()
            self._verifier = Verifier(rpc, self.target.verifier_address)
        else:
            self.checks.must_be_of_updates()
            self._must_share(self.target)
        self.events = rpc.events if events is None else events
        self._limits = Limits(
            confirmations=confirmations,
            replace_after_s=replace_after_s,
            deadline_s=deadline_s,
            poll_s=poll_s,
            look_s=min(5 * poll_s, replace_after_s),
        )
        self._max_pending = max_pending
        self._numbers = count(1)
        self._desk: Desk | None = None
        self._left: tuple[Submission, ...] = ()

    async def __aenter__(self) -> Self:
        if self._desk is not None:
            raise ChainError("the submitter is open already")
        self.rpc.watch_code(self.target.address)
        if isinstance(self.target, Target):
            self.rpc.watch_code(self.target.verifier_address)
            self.verifier.renew()
        else:
            self.target.renew()
        self._desk = Desk(
            self.rpc,
            self.wallet,
            policy=self.policy,
            limits=self._limits,
            max_pending=self._max_pending,
            events=self.events,
        )
        self.events.listen(self._keep)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Sends nothing more. What was not sent is CANCELLED, what was is UNRESOLVED.

        A request that is under way is waited for, so that what became of it is known.
        """
        desk, self._desk = self._desk, None
        if desk is not None:
            self.events.unlisten(self._keep)
            try:
                await desk.close()
            finally:
                self._left = tuple(desk.pending.values())

    def __enter__(self) -> BlockingSubmitter:
        self._blocking = BlockingSubmitter(self)
        return self._blocking.open()

    def __exit__(self, *_: object) -> None:
        self._blocking.close()

    @property
    def pending(self) -> tuple[Submission, ...]:
        """Those whose end is open; after closing those that may be mined yet."""
        return self._left if self._desk is None else tuple(self._desk.pending.values())

    @property
    def verifier(self) -> Verifier:
        """Of the target. Raises ChainError where that is a StorkCore."""
        if self._verifier is None:
            raise ChainError(f"{self.target!r} verifies by itself")
        return self._verifier

    @verifier.setter
    def verifier(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def preflight(self, payload: Payload | PriceUpdates | Order[Any]) -> Forecast:
        """What would become of it, were it sent now; nothing is."""
        order = self.order(payload)
        sender, policy = self.wallet.address, self.policy
        return await preflight(order, self.rpc, sender=sender, policy=policy)

    async def send(self, payload: Payload | PriceUpdates | Order[Any]) -> Outcome:
        """What became of a payload. Cancelled, it is not sent if it was not yet."""
        submission = self.submit(payload)
        try:
            return await submission
        except asyncio.CancelledError:
            submission.cancel()
            raise

    def submit(self, payload: Payload | PriceUpdates | Order[Any]) -> Submission:
        """Begins to send a payload; awaiting the Submission gives its Outcome.

        payload: for the target; or price updates, where that is a StorkCore; or an
        order for another contract. Raises ValueError for text that is no payload,
        TypeError for what is not for this target, ChainError where the Submitter is not
        open.
        """
        order = self.order(payload)
        if self._desk is None:
            raise ChainError("the submitter is not open: use `async with`")
        updates = order.updates if isinstance(order, UpdateOrder) else None
        submission = Submission(
            next(self._numbers), order.contents, self._desk.cancel, updates
        )
        self._desk.start(submission, order)
        return submission

    def order(self, payload: Payload | PriceUpdates | Order[Any]) -> Order[Any]:
        """What `submit` sends, with its checks. Raises as that does."""
        if not isinstance(payload, Order):
            return make_order(payload, self.target, self._verifier, self.checks)
        if isinstance(payload, UpdateOrder):
            self._must_share(payload.core)
        return payload

    def _must_share(self, core: StorkCore) -> None:
        if core.rpc is not self.rpc:
            raise ValueError("the StorkCore is one of another Rpc")

    def _keep(self, event: ChainEvent) -> None:
        """Keeps an event with the submission that it concerns."""
        number = event.data.get("submission")
        if self._desk is not None and isinstance(number, int):
            submission = self._desk.pending.get(number)
            if submission is not None:
                submission.events.append(event)
