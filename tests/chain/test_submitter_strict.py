"""Sending to a node with geth's rules: what it refuses is not sent to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from parties import FEE, SIGNER
from strict_node import StrictNode
from submitting import outcomes, payloads, submitting, to_consumer, until

from codec.chain import FeePolicy, Outcome, Submission, Target

GWEI = 10**9


class Chain:
    """A strict node with a consumer, and what it was asked."""

    def __init__(self, node: StrictNode) -> None:
        self.node = node
        verifier = node.deploy("SingleSignerVerifier", SIGNER, FEE)
        self.consumer = node.deploy("Consumer", verifier)
        self.target: Target = to_consumer(self.consumer, verifier)
        self.account = node.accounts[0][0]

    def uses(self, given: Sequence[bytes]) -> list[int]:
        return [self.node.uses(self.consumer, payload) for payload in given]

    def n_waiting(self) -> int:
        """How many transactions of the account the pool has, without a gap."""
        pending = self.node.nonce(self.account, "pending")
        return pending - self.node.nonce(self.account)

    async def mined(self, *submissions: Submission) -> list[Outcome]:
        """The outcomes, a block being mined again and again."""
        ended = asyncio.ensure_future(outcomes(submissions))
        while not ended.done():
            self.node.mine()
            await asyncio.wait([ended], timeout=0.02)
        return ended.result()


@pytest.fixture
def on(strict: StrictNode) -> Chain:
    """On the strict node with base fees."""
    return Chain(strict)


def test_fifty_at_a_time_are_all_taken(on: Chain) -> None:
    async def main() -> None:
        async with submitting(on.node, on.target) as submitter:
            ended = await on.mined(*map(submitter.submit, given))
            assert {outcome.state for outcome in ended} == {"confirmed"}
            assert sorted(outcome.nonce or 0 for outcome in ended) == list(range(50))

    given = payloads(on.node, 50)
    asyncio.run(main())
    assert on.uses(given) == [1] * 50


@pytest.mark.parametrize("has_base_fee", [True, False])
def test_a_stuck_transaction_is_replaced_by_the_rules(has_base_fee: bool) -> None:
    """Each replacement is taken: both fees are raised by enough, or the gas price."""

    async def main() -> None:
        async with submitting(on.node, on.target, replace_after_s=0.3) as submitter:
            submission = submitter.submit(given[0])
            await until(lambda: len(submission.hashes) >= 4)
            (outcome,) = await on.mined(submission)
            assert outcome.state == "confirmed"
            assert outcome.transaction_hash in outcome.hashes

    with StrictNode(has_base_fee=has_base_fee) as node:
        on = Chain(node)
        given = payloads(node, 1)
        asyncio.run(main())
        assert on.uses(given) == [1]
        assert node.nonce(on.account) == 1
        assert "replacement transaction underpriced" not in node.refusals


def test_a_base_fee_that_rises_above_the_offer_is_followed(on: Chain) -> None:
    async def main() -> None:
        async with submitting(on.node, on.target, replace_after_s=0.3) as submitter:
            submission = submitter.submit(given[0])
            await until(on.n_waiting)
            on.node.set_base_fee(50 * GWEI)
            on.node.mine()
            assert on.n_waiting() == 1
            (outcome,) = await on.mined(submission)
            assert outcome.state == "confirmed" and len(outcome.hashes) > 1

    given = payloads(on.node, 1)
    asyncio.run(main())
    assert on.uses(given) == [1]


def test_a_cap_below_the_base_fee_waits_for_it_to_fall(on: Chain) -> None:
    async def main() -> None:
        policy = FeePolicy(max_fee_per_gas_wei=5 * GWEI)
        options = {"policy": policy, "replace_after_s": 0.2}
        async with submitting(on.node, on.target, **options) as submitter:
            on.node.set_base_fee(20 * GWEI)
            on.node.mine()
            submission = submitter.submit(given[0])
            await until(on.n_waiting)
            (outcome,) = await on.mined(submission)
            assert outcome.state == "confirmed"
            assert (outcome.effective_gas_price_wei or 0) <= 5 * GWEI

    given = payloads(on.node, 1)
    asyncio.run(main())
    assert on.uses(given) == [1]


def test_what_the_node_forgets_is_sent_again(on: Chain) -> None:
    async def main() -> None:
        async with submitting(on.node, on.target) as submitter:
            submission = submitter.submit(given[0])
            await until(on.n_waiting)
            on.node.drop(submission.hashes[0])
            assert not on.n_waiting()
            await until(on.n_waiting)
            (outcome,) = await on.mined(submission)
            assert outcome.state == "confirmed" and len(outcome.hashes) == 1

    given = payloads(on.node, 1)
    asyncio.run(main())
    assert on.uses(given) == [1]


@pytest.mark.parametrize("returns", [True, False])
def test_a_reorganisation_is_survived(on: Chain, returns: bool) -> None:
    """Whether the node keeps the transaction, or has to be given it again."""

    async def main() -> None:
        async with submitting(on.node, on.target, confirmations=3) as submitter:
            submission = submitter.submit(given[0])
            await until(on.n_waiting)
            on.node.mine()
            await until(lambda: submission.state == "mined")
            on.node.reorg(1, returns=returns)
            assert on.uses(given) == [0]
            await until(on.n_waiting)
            (outcome,) = await on.mined(submission)
            assert outcome.state == "confirmed"
            assert "reorganised" in [event.kind for event in submission.events]

    given = payloads(on.node, 1)
    asyncio.run(main())
    assert on.uses(given) == [1]


def test_a_nonce_that_somebody_else_takes_loses_the_payload(on: Chain) -> None:
    async def main() -> None:
        async with submitting(on.node, on.target) as submitter:
            submission = submitter.submit(given[0])
            await until(on.n_waiting)
            on.node.drop(submission.hashes[0])
            on.node.send(on.consumer, "push", given[1], 10**12, sender=account, wei=FEE)
            (outcome,) = await on.mined(submission)
            assert outcome.state == "lost"

    account = on.account
    given = payloads(on.node, 2)
    asyncio.run(main())
    assert on.uses(given) == [0, 1]


def test_an_account_that_is_emptied_is_refused_before_it_is_sent(on: Chain) -> None:
    async def main() -> None:
        async with submitting(on.node, on.target) as submitter:
            on.node.set_balance(on.account, FEE)
            outcome = await submitter.send(given[0])
            assert outcome.state == "refused" and "balance_low" in outcome.reason
            assert "eth_sendRawTransaction" not in on.node.requests[before:]
            on.node.set_balance(on.account, 10**18)
            (outcome,) = await on.mined(submitter.submit(given[0]))
            assert (outcome.state, outcome.nonce) == ("confirmed", 0)

    before = len(on.node.requests)
    given = payloads(on.node, 1)
    asyncio.run(main())
    assert on.uses(given) == [1]


def test_a_node_that_refuses_fees_below_the_base_fee_is_asked_later() -> None:
    """As sequencers of rollups do: the nonce is not given to another payload."""

    async def main() -> None:
        policy = FeePolicy(max_fee_per_gas_wei=5 * GWEI)
        async with submitting(on.node, on.target, policy=policy) as submitter:
            on.node.set_base_fee(6 * GWEI)
            on.node.mine()
            submissions = [submitter.submit(payload) for payload in given]
            await until(
                lambda: any(
                    "below" in text or "less than block base" in text
                    for text in on.node.refusals
                )
            )
            ended = await on.mined(*submissions)
            for outcome, payload in zip(ended, given, strict=True):
                assert outcome.state in ("confirmed", "refused")
                assert on.uses([payload]) == [int(outcome.is_good)]

    with StrictNode(refuses_below_base_fee=True) as node:
        on = Chain(node)
        given = payloads(node, 3)
        asyncio.run(main())


class NoFiller(StrictNode):
    """Refuses the first transaction, and for a while what fills its place."""

    n_sent = n_fillers = 0
    is_poor = True
    has_prices = True

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        method = request["method"]
        is_price = method == "eth_getBlockByNumber" and not self.has_prices
        if method == "eth_sendRawTransaction":
            raw = bytes.fromhex(request["params"][0][2:])
            is_filler = len(raw) < 200
            self.n_fillers += is_filler
            self.n_sent += 1
            if self.n_sent == 1 or (is_filler and self.is_poor):
                time.sleep(1.5 if self.n_sent == 1 else 0.0)
                return refusal(request, "insufficient funds for gas * price + value")
        return refusal(request, "no prices") if is_price else super().answer(request)


def refusal(request: dict[str, Any], text: str) -> dict[str, Any]:
    error = {"code": -32000, "message": text}
    return {"jsonrpc": "2.0", "id": request["id"], "error": error}


def test_a_hole_that_cannot_be_filled_is_tried_again_without_haste() -> None:
    async def main() -> None:
        async with submitting(node, on.target, poll_s=0.2) as submitter:
            first = submitter.submit(given[0])
            await until(lambda: node.n_sent == 1)
            second = submitter.submit(given[1])
            assert (await first).state == "refused"
            await asyncio.sleep(2.0)
            assert 1 <= node.n_fillers <= 5
            node.is_poor = False
            (outcome,) = await on.mined(second)
            assert outcome.state == "confirmed"

    with NoFiller() as node:
        node.n_sent = 1
        on = Chain(node)
        given = payloads(node, 2)
        node.n_sent = 0
        asyncio.run(main())
        assert sum(on.uses(given)) == 1


def test_a_hole_is_filled_though_there_were_no_prices_and_no_new_head() -> None:
    async def main() -> None:
        async with submitting(node, on.target, poll_s=0.1) as submitter:
            first = submitter.submit(given[0])
            await until(lambda: node.n_sent == 1)
            second = submitter.submit(given[1])
            await until(lambda: second.nonce is not None and first.nonce is not None)
            node.has_prices = False
            assert (await first).state == "refused"
            await asyncio.sleep(0.5)
            node.has_prices = True
            await until(lambda: node.n_fillers)
            (outcome,) = await on.mined(second)
            assert outcome.state == "confirmed"

    with NoFiller() as node:
        node.is_poor, node.n_sent = False, 1
        on = Chain(node)
        given = payloads(node, 2)
        node.n_sent = 0
        asyncio.run(main())
