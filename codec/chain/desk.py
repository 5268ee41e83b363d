"""Takes submissions to their outcomes: a place, a preflight, a nonce, and its end."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from codec.chain.account import Account
from codec.chain.events import ChainEventKind
from codec.chain.following import Draft
from codec.chain.order import preflight
from codec.chain.siblings import End
from codec.chain.submission import SubmissionState
from codec.errors import ChainError, WrongChainError

if TYPE_CHECKING:
    from codec.chain.events import ChainEvents
    from codec.chain.fees import FeePolicy
    from codec.chain.forecast import Forecast
    from codec.chain.order import Order
    from codec.chain.rpc import Rpc
    from codec.chain.siblings import Limits
    from codec.chain.submission import Outcome, Submission
    from codec.chain.tracking import Track
    from codec.chain.wallet import Wallet

__all__ = ["Desk"]

_CLOSING_S = 10.0  # for requests that are under way
_STATES = {
    End.CONFIRMED: SubmissionState.CONFIRMED,
    End.REVERTED: SubmissionState.REVERTED,
    End.LOST: SubmissionState.LOST,
    End.REFUSED: SubmissionState.REFUSED,
}
_logger = logging.getLogger("codec.chain")


class Desk:
    """One account's submissions between an opening and a closing of a Submitter.

    pending: those whose end is open, by number.
    """

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        *,
        policy: FeePolicy,
        limits: Limits,
        max_pending: int,
        events: ChainEvents,
    ) -> None:
        self.pending: dict[int, Submission] = {}
        self._rpc = rpc
        self._wallet = wallet
        self._policy = policy
        self._limits = limits
        self._events = events
        self._account = Account(
            rpc, wallet, policy=policy, limits=limits, events=events
        )
        self._places = asyncio.Semaphore(max_pending)
        self._tasks: dict[asyncio.Task[None], Submission] = {}

    # What the Submitter asks for.

    def start(self, submission: Submission, order: Order[Any]) -> None:
        """Begins with a submission of an order."""
        self.pending[submission.number] = submission
        task = asyncio.create_task(self._take_through(submission, order))
        self._tasks[task] = submission
        task.add_done_callback(self._over)

    def cancel(self, submission: Submission) -> bool:
        """Takes back what nobody can have; whether it will never be mined."""
        if submission.track is not None:
            is_back = submission.track.refuse("cancelled")
            self._account.heads.changed.give()
            return is_back
        for task, of in self._tasks.items():
            if of is submission:
                task.cancel()
        self._finish(submission, submission.judged(SubmissionState.CANCELLED))
        return True

    async def close(self) -> None:
        """Ends all, with an outcome for each."""
        self._account.follower.is_closing = True
        self._account.heads.changed.give()
        for task, submission in self._tasks.items():
            if submission.track is None:
                task.cancel()
        try:
            if self._tasks:
                _, late = await asyncio.wait(tuple(self._tasks), timeout=_CLOSING_S)
                for task in late:
                    task.cancel()
                if late:
                    await asyncio.wait(late)
        finally:
            await self._account.close()

    # Tasks.

    def _over(self, task: asyncio.Task[None]) -> None:
        submission = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _logger.error("a transaction is followed no more", exc_info=error)
        track = submission.track
        if submission.outcome is None:
            reason = f"{type(error).__name__}: {error}" if error else "closed"
            is_back = track is None or track.refuse(reason)
            state = SubmissionState.CANCELLED if is_back else SubmissionState.UNRESOLVED
            self._finish(submission, submission.judged(state, reason))

    async def _take_through(self, submission: Submission, order: Order[Any]) -> None:
        deadline = time.monotonic() + self._limits.deadline_s
        problem: list[str] = []
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                await self._places.acquire()
        except TimeoutError:
            self._refuse(submission, "the deadline passed before there was a place")
            return
        try:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._admit(submission, order, deadline, problem)
            except TimeoutError:
                reason = ": ".join(["the deadline passed before it was sent", *problem])
                self._refuse(submission, reason)
            if submission.track is not None:
                await self._follow(submission, submission.track)
        finally:
            self._places.release()

    # From a place to a nonce.

    async def _admit(
        self,
        submission: Submission,
        order: Order[Any],
        deadline: float,
        problem: list[str],
    ) -> None:
        """Gives it a Track, or refuses it. problem: what it waits for, in the end."""
        while True:
            seen = len(problem)
            self._account.n_coming += 1
            try:
                if await self._check(submission, order, deadline):
                    return
                problem[:] = ["the account's funds are promised to others"]
            except WrongChainError as error:
                self._refuse(submission, str(error))
                return
            except ChainError as error:
                problem[:] = [str(error)]
            finally:
                self._account.n_coming -= 1
                self._account.mend()
            self._set_state(submission, SubmissionState.WAITING)
            pause_s = self._limits.long_pause_s(seen)
            await self._account.ended.wait(pause_s)

    async def _check(
        self, submission: Submission, order: Order[Any], deadline: float
    ) -> bool:
        """Whether it was decided upon; not where funds may be left over by others."""
        self._set_state(submission, SubmissionState.CHECKING)
        found = await preflight(
            order,
            self._rpc,
            sender=self._wallet.address,
            policy=self._policy,
        )
        submission.preflight = found
        if not found.is_good:
            self._refuse(submission, found.reason)
            return True
        async with self._account.lock:
            if not self._is_affordable(found):
                return False
            await self._take(submission, order, found, deadline)
        return True

    def _is_affordable(self, found: Forecast) -> bool:
        """Whether the account has it beside what others may cost that are out."""
        promised = self._account.promised_wei
        cost, balance = found.cost_wei or 0, found.balance_wei or 0
        return not promised or promised + cost <= balance

    async def _take(
        self,
        submission: Submission,
        order: Order[Any],
        found: Forecast,
        deadline: float,
    ) -> None:
        assert found.gas_limit is not None and found.value_wei is not None
        assert found.fees is not None
        draft = Draft(
            order.address, found.calldata, found.gas_limit, found.value_wei, order
        )
        submission.track = await self._account.take(draft, found.fees, deadline)

    # From a nonce to an end.

    async def _follow(self, submission: Submission, track: Track) -> None:
        draft = await self._account.follow(
            track,
            lambda: self._tell(submission, track),
            submission=submission.number,
            nonce=track.nonce,
        )
        if track.end is not None:
            self._finish(submission, await self._conclude(submission, track, draft))

    def _tell(self, submission: Submission, track: Track) -> None:
        """Says how far it is; an outcome where the deadline passed."""
        if track.is_overdue and submission.outcome is None:
            reason = f"{track.reason}: it may be mined yet, and is followed further"
            state = SubmissionState.UNRESOLVED
            self._finish(submission, submission.judged(state, reason))
        if track.end is not None or submission.outcome is not None:
            return
        if track.receipt is not None:
            self._set_state(submission, SubmissionState.MINED)
        elif track.is_under_way:
            self._set_state(submission, SubmissionState.PENDING)
        else:
            self._set_state(submission, SubmissionState.SENDING)

    async def _conclude(
        self, submission: Submission, track: Track, draft: Draft
    ) -> Outcome:
        assert track.end is not None
        state, reason, revert = _STATES[track.end], track.reason, None
        if track.reason == "cancelled":
            state = SubmissionState.CANCELLED
        if track.mined is not None and track.mined.has_payload:
            found = await self._account.follower.why(track, draft)
            if found is not None:
                state = SubmissionState.REVERTED
                reason, revert = found
        return submission.judged(state, reason, revert)

    def _refuse(self, submission: Submission, reason: str) -> None:
        self._finish(submission, submission.judged(SubmissionState.REFUSED, reason))

    def _finish(self, submission: Submission, outcome: Outcome) -> None:
        """Gives the one outcome; what is known later is an event."""
        is_first = submission.outcome is None
        if is_first:
            submission.finish(outcome)
            self._set_state(submission, outcome.state, str(outcome))
        elif submission.state is SubmissionState.UNRESOLVED:
            self._set_state(submission, outcome.state, f"{outcome} (after all)")
        if submission.state is not SubmissionState.UNRESOLVED:
            self.pending.pop(submission.number, None)

    def _set_state(
        self, submission: Submission, state: SubmissionState, text: str = ""
    ) -> None:
        if submission.state is state:
            return
        submission.state = state
        self._events.emit(
            ChainEventKind.STATE,
            f"submission {submission.number}: {text or state}",
            place=submission.hashes[-1] if submission.hashes else None,
            state=str(state),
            submission=submission.number,
            nonce=submission.nonce,
        )
