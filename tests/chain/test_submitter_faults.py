"""Nodes that die, lose answers, are busy, or are of another chain."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import pytest
from anvil import Anvil
from faulty import (
    JSON,
    Exchanged,
    Fault,
    Faulty,
    Reply,
    cut_after,
    cut_before,
    encoded,
    no_code,
    other_chain,
    page,
    too_many,
)
from faulty import error as answer_error
from faulty import result as answer_result
from parties import SIGNER
from submitting import (
    nonces_of,
    outcomes,
    payloads,
    submitting,
    to_consumer,
    until,
)

SEND = {"eth_sendRawTransaction"}


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (cut_after(), 3),
        (cut_before(), 3),
        (page(502), 3),
        (page(200, passed=True), 2),
        (too_many("1"), 2),
        (answer_error(-32000, "internal error", passed=True), 2),
        (answer_error(-32000, "internal error"), 2),
    ],
    ids=["cut after", "cut before", "502", "page after", "429", "after", "before"],
)
def test_a_send_that_fails_is_looked_up_and_never_sent_twice(
    chain: Anvil, consumer: str, verifier: str, fault: Fault, times: int
) -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            ended = await outcomes(sent)
            assert [str(outcome.state) for outcome in ended] == ["confirmed"] * 5
            assert len({outcome.nonce for outcome in ended}) == 5

    given = payloads(chain, 5)
    before = nonces_of(chain)
    with Faulty(chain.url) as faulty:
        faulty.will(fault, times=times, methods=SEND)
        asyncio.run(main())
        assert faulty.count("eth_sendRawTransaction") >= 5
    assert [chain.uses(consumer, payload) for payload in given] == [1] * 5
    assert nonces_of(chain) == before + 5


def test_pages_and_busy_answers_to_everything_are_outlasted(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            outcome = await submitter.send(payload)
            assert outcome.state == "confirmed"

    (payload,) = payloads(chain, 1)
    with Faulty(chain.url) as faulty:
        faulty.will(too_many("1"), times=2)
        faulty.will(page(200), times=2)
        asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_a_second_node_stands_in_for_one_that_takes_and_says_nothing(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        urls = [faulty.url, chain.url]
        async with submitting(chain, target, urls=urls) as submitter:
            ended = await outcomes([submitter.submit(p) for p in given])
            assert [str(outcome.state) for outcome in ended] == ["confirmed"] * 3

    given = payloads(chain, 3)
    with Faulty(chain.url) as faulty:
        faulty.will(cut_after(), times=100, methods=SEND)
        asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in given] == [1] * 3


def test_a_node_that_dies_amid_sends_and_comes_back_gets_them_again(
    tmp_path: Path,
) -> None:
    async def main(node: Anvil, consumer: str, verifier: str) -> None:
        target = to_consumer(consumer, verifier)
        node.set_automine(False)
        async with submitting(node, target, timeout_s=5.0) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            await until(lambda: sum(s.nonce is not None for s in sent) >= 10)
            await asyncio.to_thread(node.kill)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(node.start)  # mines each as it comes
            ended = await outcomes(sent)
            assert [str(o.state) for o in ended] == ["confirmed"] * 20

    with Anvil(state=tmp_path / "state.json") as node:
        verifier = node.deploy("SingleSignerVerifier", SIGNER, 3)
        consumer = node.deploy("Consumer", verifier)
        given = payloads(node, 20)
        asyncio.run(main(node, consumer, verifier))
        assert [node.uses(consumer, payload) for payload in given] == [1] * 20
        assert nonces_of(node) == 20


@pytest.mark.parametrize(
    ("fault", "method"),
    [(other_chain(1), "eth_chainId"), (no_code(), "eth_getCode")],
)
def test_another_chain_or_no_code_gets_nothing(
    chain: Anvil, consumer: str, verifier: str, fault: Fault, method: str
) -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            outcome = await submitter.send(payload)
            assert outcome.state == "refused"
            assert "expected" in outcome.reason
            assert not outcome.hashes

    (payload,) = payloads(chain, 1)
    before = nonces_of(chain)
    with Faulty(chain.url) as faulty:
        faulty.will(fault, times=1000, methods={method})
        asyncio.run(main())
        assert not faulty.count("eth_sendRawTransaction")
    assert nonces_of(chain) == before
    assert chain.uses(consumer, payload) == 0


def test_a_fresh_chain_at_the_same_place_swallows_no_value() -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(node, target, deadline_s=4.0) as submitter:
            assert (await submitter.send(given[0])).state == "confirmed"
            node.set_automine(False)
            pending = submitter.submit(given[1])
            await until(lambda: pending.state == "pending")
            await asyncio.to_thread(node.restart)  # without a state
            late = await submitter.send(given[2])
            assert late.state == "refused" and not late.hashes
            assert (await pending).state == "unresolved"

    with Anvil() as node:
        verifier = node.deploy("SingleSignerVerifier", SIGNER, 3)
        consumer = node.deploy("Consumer", verifier)
        given = payloads(node, 3)
        asyncio.run(main())
        assert nonces_of(node) == 0
        assert node.balance(node.accounts[0][0]) == 10_000 * 10**18
        assert node.balance(consumer) == 0


@pytest.mark.parametrize("is_known", [True, False])
def test_receipts_that_lag_behind_the_head_make_nothing_lost(
    chain: Anvil, consumer: str, verifier: str, is_known: bool
) -> None:
    """Behind one URL are nodes of which one is some blocks behind the other."""

    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            outcome = await submitter.send(payload)
            assert outcome.state == "confirmed"

    (payload,) = payloads(chain, 1)
    with Faulty(chain.url) as faulty:
        n = 12 if is_known else 4
        faulty.will(answer_result(None), times=n, methods={"eth_getTransactionReceipt"})
        if not is_known:
            what = {"eth_getTransactionByHash"}
            faulty.will(answer_result(None), times=n, methods=what)
        asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_a_count_of_waiting_ones_that_lags_behind_is_not_believed(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    """Some nodes count what is mined, and not what waits, from an older block."""

    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            assert (await submitter.send(payload)).state == "confirmed"

    (first, payload) = payloads(chain, 2)

    def behind(asked: Exchanged, number: Any, answer: Any) -> Reply:
        if asked.params[1] == "pending":
            answer = {"jsonrpc": "2.0", "id": number, "result": hex(before)}
        return Reply(200, encoded(answer), JSON)

    async def send_first() -> None:
        async with submitting(chain, to_consumer(consumer, verifier)) as submitter:
            await submitter.send(first)

    before = nonces_of(chain)
    asyncio.run(send_first())
    with Faulty(chain.url) as faulty:
        counts = {"eth_getTransactionCount"}
        faulty.will(Fault(behind), times=math.inf, methods=counts)
        asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_many_confirmations_need_no_state_that_nodes_have_given_up(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    """Full nodes keep that of the last 128 blocks, some of fewer."""

    async def main() -> None:
        target = to_consumer(consumer, verifier)
        options = {"urls": faulty.url, "confirmations": 200}
        async with submitting(chain, target, **options) as submitter:
            submission = submitter.submit(payload)
            await until(lambda: submission.state == "mined")
            chain.mine(250)
            assert (await submission).state == "confirmed"

    def pruned(asked: Exchanged, number: Any, answer: Any) -> Reply:
        block = asked.params[1]
        if block.startswith("0x") and newest() - int(block, 16) >= 128:
            error = {"code": -32000, "message": "missing trie node"}
            answer = {"jsonrpc": "2.0", "id": number, "error": error}
        return Reply(200, encoded(answer), JSON)

    def newest() -> int:
        return int(chain.rpc("eth_blockNumber"), 16)

    chain.mine(300)
    (payload,) = payloads(chain, 1)
    with Faulty(chain.url) as faulty:
        counts = {"eth_getTransactionCount"}
        faulty.will(Fault(pruned), times=math.inf, methods=counts)
        asyncio.run(main())
