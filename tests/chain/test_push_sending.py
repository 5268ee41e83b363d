"""What a pusher makes of a transaction's end."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from codec.chain import Budget, FeePolicy
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.sending import Sending
from codec.chain.push.state import PushState
from codec.chain.submission import Submission, SubmissionState


@pytest.mark.parametrize(
    ("end", "state", "found"),
    [
        (SubmissionState.CONFIRMED, PushState.CONFIRMED, {}),
        (
            SubmissionState.REVERTED,
            PushState.REVERTED,
            {Hindrance.REVERTED: "late: reverted"},
        ),
        (SubmissionState.LOST, PushState.FAILED, {Hindrance.FAILED: "late: lost"}),
    ],
)
def test_what_a_late_end_has_in_the_way_is_told(
    end: SubmissionState, state: PushState, found: dict[Hindrance, str]
) -> None:
    async def test() -> None:
        submission = Submission(1, b"", lambda _: False)
        submission.finish(submission.judged(SubmissionState.UNRESOLVED))
        submission.state = end
        submitter = SimpleNamespace(
            submit=lambda _: submission, pending=(), policy=FeePolicy()
        )
        told: list[str] = []
        sending = Sending(
            cast("Any", submitter),
            Budget(),
            dry_run=False,
            clock=asyncio.get_running_loop().time,
            on_unresolved=told.append,
        )
        result = await sending.send(b"")
        assert (result.state, result.found) == (state, found)
        assert told == ["unresolved"]

    asyncio.run(test())
