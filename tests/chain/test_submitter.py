"""Sending payloads to a real node that does as it should."""

from __future__ import annotations

import asyncio

from anvil import Anvil
from submitting import nonces_of, outcomes, payloads, submitting, to_consumer

from codec.chain import SubmissionState


def test_fifty_at_a_time_are_all_mined_and_leave_no_gap(
    chain: Anvil, consumer: str, verifier: str, fee_wei: int
) -> None:
    async def main() -> None:
        async with submitting(chain, to_consumer(consumer, verifier)) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            ended = await outcomes(sent)
            assert [outcome.state for outcome in ended] == ["confirmed"] * 50
            assert sorted(outcome.nonce or 0 for outcome in ended) == list(
                range(before, before + 50)
            )
            assert {outcome.fee_wei for outcome in ended} == {fee_wei}
            assert len({outcome.transaction_hash for outcome in ended}) == 50
            assert not submitter.pending

    before = nonces_of(chain)
    given = payloads(chain, 50)
    asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in given] == [1] * 50
    assert nonces_of(chain) == before + 50
    assert SubmissionState.CONFIRMED.is_final
