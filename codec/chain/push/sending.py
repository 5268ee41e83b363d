"""One payload's way out: within the budget, or not at all; and what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codec.chain.findings import PreflightCode
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.quantities import ether_text
from codec.chain.push.state import PushState
from codec.chain.push.watch import hindrance_of
from codec.chain.submission import SubmissionState
from codec.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codec.chain.forecast import Forecast
    from codec.chain.push.budget import Budget
    from codec.chain.submission import Outcome, Submission
    from codec.chain.submitter import Submitter

__all__ = ["Result", "Sending"]

_STATES = {
    SubmissionState.CONFIRMED: PushState.CONFIRMED,
    SubmissionState.REVERTED: PushState.REVERTED,
    SubmissionState.REFUSED: PushState.REFUSED,
}
_HINDRANCES = {
    PreflightCode.BALANCE_LOW: Hindrance.BALANCE_LOW,
    PreflightCode.COST_ABOVE_LIMIT: Hindrance.FEE_HIGH,
    PreflightCode.GAS_PRICE_CAPPED: Hindrance.FEE_HIGH,
    PreflightCode.WRONG_SIGNER: Hindrance.SIGNER_UNKNOWN,
    PreflightCode.REVERTS: Hindrance.REVERTED,
}
_LOOK_S = 0.25
_STEP_S = 0.005
# A payload that has no nonce by then makes way for a newer one.
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Result:
    """How a push ended. found: what was in the way, with reasons. free_s: when the
    budget allows it, where that is known."""

    state: PushState
    reason: str = ""
    hashes: tuple[str, ...] = ()
    cost_wei: int = 0
    found: Mapping[Hindrance, str] = field(default_factory=dict)
    free_s: float | None = None


class Sending:
    """Sends one payload after the other, each followed to its end.

    on_unresolved: called with a text while a transaction is out beyond its deadline.
    """

    def __init__(
        self,
        submitter: Submitter,
        budget: Budget,
        *,
        dry_run: bool,
        clock: Callable[[], float],
        on_unresolved: Callable[[str], object],
    ) -> None:
        self._submitter = submitter
        self._budget = budget
        self._dry_run = dry_run
        self._clock = clock
        self._on_unresolved = on_unresolved
        self._submission: Submission | None = None

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of the transactions that are out."""
        return () if self._submission is None else self._submission.hashes

    def cancel(self) -> bool:
        """Has what is out not sent, if that can still be had; whether it can."""
        return self._submission is None or self._submission.cancel()

    async def send(self, payload: bytes) -> Result:
        """What became of a payload; errors of the chain are results, too."""
        try:
            if self._dry_run or not self._is_surely_allowed():
                result = await self._tried(payload)
                if result is not None:
                    return result
            return await self._sent(payload)
        except ChainError as error:
            found = {hindrance_of(error): str(error)}
            return Result(PushState.FAILED, str(error), found=found)

    def _is_surely_allowed(self) -> bool:
        """Whether the budget allows whatever a push may cost."""
        left = self._budget.left_wei(self._clock())
        most = self._submitter.policy.max_cost_wei
        return left is None or (most is not None and most <= left)

    async def _tried(self, payload: bytes) -> Result | None:
        """What a preflight says; None where the payload may be sent."""
        submitter = self._submitter
        flight = await submitter.preflight(payload)
        if not flight.is_good:
            found = _found(flight)
            return Result(PushState.REFUSED, flight.reason, found=found)
        cost, now_s = flight.cost_wei or 0, self._clock()
        if not self._budget.allows(cost, now_s):
            left = self._budget.left_wei(now_s) or 0
            text = f"a push may cost {ether_text(cost)}, left are {ether_text(left)}"
            return Result(
                PushState.HELD,
                text,
                found={Hindrance.BUDGET_SPENT: text},
                free_s=self._budget.free_s(cost, now_s),
            )
        return Result(PushState.DRY, cost_wei=cost) if self._dry_run else None

    async def _sent(self, payload: bytes) -> Result:
        self._submission = submission = self._submitter.submit(payload)
        if await self._is_late(submission) and submission.cancel():
            self._submission = None
            text = "it could not be sent in time, and makes way for what is newer"
            found = {Hindrance.NODE_AWAY: text}
            return Result(PushState.FAILED, text, found=found)
        outcome = await submission
        if outcome.state is SubmissionState.UNRESOLVED:
            return await self._resolved(submission, str(outcome))
        self._submission = None
        state = _STATES.get(outcome.state, PushState.FAILED)
        if not outcome.is_good and state is PushState.CONFIRMED:
            state = PushState.FAILED
        return Result(
            state, outcome.reason, outcome.hashes, outcome.cost_wei, _found_of(outcome)
        )

    async def _is_late(self, submission: Submission) -> bool:
        """Waits for its nonce; whether it should make way for a newer payload, because
        the chain gave no answer or takes its time."""
        give_up_s = self._clock() + _PATIENCE_S
        was_checked = False
        while submission.outcome is None and submission.nonce is None:
            is_waiting = submission.state is SubmissionState.WAITING
            was_checked = was_checked or not is_waiting
            if (was_checked and is_waiting) or self._clock() >= give_up_s:
                return True
            await asyncio.sleep(_STEP_S)
        return False

    async def _resolved(self, submission: Submission, text: str) -> Result:
        """What became of a transaction after its deadline, however long that takes: the
        ones behind it would wait for it as well."""
        self._on_unresolved(text)
        while not submission.state.is_final or (
            submission.state is SubmissionState.UNRESOLVED
            and submission in self._submitter.pending
        ):
            await asyncio.sleep(_LOOK_S)
        self._submission = None
        state = _STATES.get(submission.state, PushState.FAILED)
        late = submission.judged(submission.state, f"late: {submission.state}")
        return Result(state, late.reason, late.hashes, late.cost_wei, _found_of(late))


def _found(flight: Forecast) -> dict[Hindrance, str]:
    """What is in the way of a payload that a preflight refuses."""
    fatal = [finding for finding in flight.findings if finding.is_fatal]
    return {_HINDRANCES.get(it.code, Hindrance.REFUSED): it.text for it in fatal}


def _found_of(outcome: Outcome) -> dict[Hindrance, str]:
    """What is in the way, as an outcome has it."""
    if outcome.is_good:
        return {}
    if outcome.state is SubmissionState.REVERTED:
        return {Hindrance.REVERTED: outcome.reason}
    if outcome.preflight is not None and not outcome.preflight.is_good:
        return _found(outcome.preflight)
    return {Hindrance.FAILED: outcome.reason}
