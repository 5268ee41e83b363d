"""Sends payloads from one account: each once, followed until its outcome is known."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Self

from codec.chain.blocking import BlockingSubmitter
from codec.chain.calldata import Target, payload_bytes
from codec.chain.checks import Checks
from codec.chain.desk import Desk
from codec.chain.fees import FeePolicy
from codec.chain.siblings import Limits
from codec.chain.submission import Submission
from codec.chain.verifier import Verifier
from codec.errors import ChainError

if TYPE_CHECKING:
    from codec.chain.calldata import Payload
    from codec.chain.events import ChainEvent, ChainEvents
    from codec.chain.rpc import Rpc
    from codec.chain.submission import Outcome
    from codec.chain.wallet import Wallet

__all__ = ["Submitter"]


class Submitter:
    """Sends payloads in transactions of one account, many at a time.

    target: the function to call, or the address of a verifier. policy: caps on what is
    paid. checks: what else must hold of a payload. confirmations: how many blocks, the
    transaction's own among them, make it final. replace_after_s: after how long without
    a receipt the offer is raised. deadline_s: after how long an outcome is UNRESOLVED;
    the transaction is followed further, as its nonce stands before all later ones.
    max_pending: how many may have a nonce at a time. poll_s: how often the chain is
    asked while something is out. events: by default those of the Rpc.

    Nobody else may send from the account meanwhile: whatever takes a nonce that was
    handed out here makes that submission LOST. A payload gets one nonce in its life,
    unless every node refused it. Opening is `async with`; the Rpc stays the caller's.
    """

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        target: Target | str,
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
        self.verifier = Verifier(rpc, self.target.verifier_address)
        self.policy = policy or FeePolicy()
        self.checks = checks or Checks()
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
        self.rpc.watch_code(self.target.verifier_address)
        self.verifier.renew()
        self._desk = Desk(
            self.rpc,
            self.wallet,
            self.target,
            self.verifier,
            policy=self.policy,
            checks=self.checks,
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

    async def send(self, payload: Payload) -> Outcome:
        """What became of a payload. Cancelled, it is not sent if it was not yet."""
        submission = self.submit(payload)
        try:
            return await submission
        except asyncio.CancelledError:
            submission.cancel()
            raise

    def submit(self, payload: Payload) -> Submission:
        """Begins to send a payload; awaiting the Submission gives its Outcome.

        Raises ValueError for text that is no payload, ChainError where the Submitter is
        not open.
        """
        data = payload_bytes(payload)
        if self._desk is None:
            raise ChainError("the submitter is not open: use `async with`")
        submission = Submission(next(self._numbers), data, self._desk.cancel)
        self._desk.start(submission)
        return submission

    def _keep(self, event: ChainEvent) -> None:
        """Keeps an event with the submission that it concerns."""
        number = event.data.get("submission")
        if self._desk is not None and isinstance(number, int):
            submission = self._desk.pending.get(number)
            if submission is not None:
                submission.events.append(event)
