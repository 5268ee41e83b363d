"""Calls to nodes that stand for each other, and to others than were meant."""

from __future__ import annotations

import asyncio
from typing import Any

import faulty as faults
import pytest
from asking import ADDRESS, ALWAYS, NUMBER, OTHER, ask, closed_port, run
from faulty import Fault, Faulty

from codec import ChainError, NodeError, RpcError, SignatureError, WrongChainError
from codec.chain import ChainEventKind, EndpointState, Rpc, endpoints

pytestmark = pytest.mark.usefixtures("short_rests")


# Several nodes


def test_the_first_node_is_preferred(stub: Faulty, second_stub: Faulty) -> None:
    assert ask(stub.url, second_stub.url) == 5
    assert second_stub.methods == []


def test_another_node_is_asked_at_once(stub: Faulty, second_stub: Faulty) -> None:
    stub.will(faults.too_many("60"), methods=NUMBER)

    async def work(rpc: Rpc) -> list[str]:
        assert [await rpc.block_number() for _ in range(3)] == [6, 6, 6]
        return [status.state for status in rpc.endpoints]

    assert ask(stub.url, second_stub.url, work=work) == ["failed", "usable"]
    assert stub.count("eth_blockNumber") == 1
    assert second_stub.count("eth_blockNumber") == 3


def test_the_error_names_every_node(stub: Faulty, second_stub: Faulty) -> None:
    stub.will(faults.page(), times=ALWAYS, methods=NUMBER)
    second_stub.will(faults.cut_before(), times=ALWAYS)
    gone = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(NodeError) as caught:
        ask(stub.url, second_stub.url, gone, attempts=9)
    assert caught.value.endpoint == f"{stub.url}, {second_stub.url}, {gone}"
    assert f"{stub.url}: a web page instead of JSON" in caught.value.reason
    assert f"{second_stub.url}: the connection ended" in caught.value.reason
    assert f"{gone}: no connection" in caught.value.reason


def test_every_node_has_a_turn_before_one_is_asked_again(
    stub: Faulty, second_stub: Faulty
) -> None:
    stub.will(faults.slow(5, is_kept=True), times=ALWAYS, methods=NUMBER)
    second_stub.will(faults.slow(5, is_kept=True), times=ALWAYS, methods=NUMBER)
    with Faulty(results={"eth_blockNumber": "0x7"}) as third:
        # A node that was too slow has rested long before the next one was.
        urls = [stub.url, second_stub.url, third.url]
        assert ask(*urls, attempts=3, timeout_s=0.5) == 7


def test_all_nodes_are_asked(stub: Faulty, second_stub: Faulty) -> None:
    gone = f"http://127.0.0.1:{closed_port()}"
    stub.results["eth_sendRawTransaction"] = "0x01"

    async def work(rpc: Rpc) -> list[Any]:
        return await rpc.call_all("eth_sendRawTransaction", b"\x02")

    first, other, last = ask(stub.url, second_stub.url, gone, work=work)
    assert first == "0x01"
    assert isinstance(other, RpcError) and other.code == -32601
    assert isinstance(last, NodeError) and last.endpoint == gone


def test_all_nodes_are_asked_again_until_one_answers(
    stub: Faulty, second_stub: Faulty
) -> None:
    stub.will(faults.page(), times=2, methods=NUMBER)
    second_stub.will(faults.other_chain(1), times=ALWAYS, methods={"eth_chainId"})

    async def work(rpc: Rpc) -> list[Any]:
        return await rpc.call_all("eth_blockNumber")

    first, other = ask(stub.url, second_stub.url, work=work)
    assert first == "0x5" and isinstance(other, WrongChainError)
    stub.will(faults.page(), times=ALWAYS, methods=NUMBER)
    first, other = ask(stub.url, second_stub.url, work=work)
    assert isinstance(first, NodeError) and isinstance(other, WrongChainError)
    assert stub.count("eth_blockNumber") == 3 + 5


@pytest.mark.parametrize("attempts", [1, 3])
def test_what_never_left_is_told_from_what_may_have_arrived(
    stub: Faulty, second_stub: Faulty, attempts: int
) -> None:
    gone = f"http://127.0.0.1:{closed_port()}"
    stub.will(faults.cut_before(), times=ALWAYS, methods=NUMBER)
    second_stub.will(faults.page(), times=ALWAYS, methods={"eth_chainId"})

    async def work(rpc: Rpc) -> list[bool]:
        failures = await rpc.call_all("eth_blockNumber", attempts=attempts)
        return [failure.is_unsent for failure in failures]

    unsent = ask(stub.url, second_stub.url, gone, work=work)
    assert unsent == [False, True, True]


def test_what_left_once_has_left(stub: Faulty) -> None:
    async def work(rpc: Rpc) -> None:
        stub.will(faults.cut_after(), methods=NUMBER)
        await rpc.call("eth_getCode", ADDRESS, "latest")
        stub.will(faults.page(), times=ALWAYS, methods={"eth_chainId"})
        (failure,) = await rpc.call_all("eth_blockNumber")
        assert isinstance(failure, NodeError)
        assert not failure.is_unsent and "web page" in failure.reason

    ask(stub.url, work=work)


# Nodes of another chain


def test_a_node_of_another_chain_gets_no_other_request(stub: Faulty) -> None:
    stub.will(faults.other_chain(1), times=ALWAYS, methods={"eth_chainId"})

    async def work(rpc: Rpc) -> None:
        for _ in range(3):
            with pytest.raises(WrongChainError) as caught:
                await rpc.block_number()
            error = caught.value
            assert error.endpoint == stub.url
            assert (error.expected, error.found) == ("chain 31337", "chain 1")
        (status,) = rpc.endpoints
        assert status.state is EndpointState.WRONG_CHAIN
        (event, *_) = rpc.events
        assert event.kind is ChainEventKind.WRONG_CHAIN

    ask(stub.url, work=work)
    assert set(stub.methods) == {"eth_chainId"}


def test_a_node_of_another_chain_is_passed_over(
    stub: Faulty, second_stub: Faulty
) -> None:
    stub.will(faults.other_chain(1), times=ALWAYS, methods={"eth_chainId"})
    assert ask(stub.url, second_stub.url) == 6
    second_stub.will(faults.page(), times=ALWAYS)
    with pytest.raises(NodeError, match=r"found chain 1; .*: a web page"):
        ask(stub.url, second_stub.url)


def test_a_node_that_comes_to_the_right_chain_is_used(
    stub: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.will(faults.other_chain(1), methods={"eth_chainId"})

    async def work(rpc: Rpc) -> int:
        with pytest.raises(WrongChainError):
            await rpc.block_number()
        for until in [node.rests_until for node in rpc._nodes]:
            await asyncio.sleep(until - asyncio.get_running_loop().time())
        return await rpc.block_number()

    assert ask(stub.url, work=work) == 5


def test_code_is_looked_for_where_it_is_expected(stub: Faulty) -> None:
    async def work(rpc: Rpc) -> None:
        rpc.watch_code(ADDRESS)
        rpc.watch_code(ADDRESS.removeprefix("0x"))
        assert await rpc.block_number() == 5
        assert stub.methods == ["eth_chainId", "eth_getCode", "eth_blockNumber"]
        rpc.watch_code(ADDRESS)
        await rpc.block_number()
        assert stub.count("eth_getCode") == 1
        rpc.watch_code(OTHER)
        await rpc.block_number()
        assert stub.methods[-4:] == [
            *("eth_chainId", "eth_getCode", "eth_getCode", "eth_blockNumber")
        ]
        stub.will(faults.no_code(), times=ALWAYS, methods={"eth_getCode"})
        stub.disconnect()
        with pytest.raises(WrongChainError, match=f"expected code at {ADDRESS}, found"):
            await rpc.block_number()
        with pytest.raises(SignatureError):
            rpc.watch_code("0x12")

    ask(stub.url, work=work)


def test_the_code_stays_the_same_at_every_node(
    stub: Faulty, second_stub: Faulty
) -> None:
    second_stub.results["eth_getCode"] = "0x6002"

    async def work(rpc: Rpc) -> None:
        rpc.watch_code(ADDRESS)
        assert await rpc.block_number() == 5
        stub.stop()
        with pytest.raises(NodeError, match=r"the same code at .*, found another"):
            await rpc.block_number()

    ask(stub.url, second_stub.url, work=work)
    assert "eth_blockNumber" not in second_stub.methods


def test_a_node_that_cannot_say_its_chain_has_failed(stub: Faulty) -> None:
    stub.will(faults.error(-32601, "no"), methods={"eth_chainId"})
    stub.will(faults.result("31337"), methods={"eth_chainId"})
    assert ask(stub.url) == 5
    assert stub.methods == [*["eth_chainId"] * 3, "eth_blockNumber"]


@pytest.mark.parametrize(
    "fault", [faults.cut_before(), faults.cut_after(), faults.page(), faults.http(500)]
)
def test_a_node_is_checked_again_after_a_failure(stub: Faulty, fault: Fault) -> None:
    stub.will(fault, methods=NUMBER)
    assert ask(stub.url) == 5
    assert stub.methods == ["eth_chainId", "eth_blockNumber"] * 2


def test_a_new_connection_is_not_used_before_the_node_is_checked(
    stub: Faulty,
) -> None:
    async def work(rpc: Rpc) -> None:
        await rpc.block_number()
        stub.disconnect()  # as of a node that is restarted, perhaps with another chain
        stub.will(faults.other_chain(1), times=ALWAYS, methods={"eth_chainId"})
        with pytest.raises(WrongChainError):
            await rpc.block_number()

    ask(stub.url, work=work)
    assert stub.count("eth_blockNumber") == 1


# Many calls


def test_many_calls_at_once_share_the_checks(stub: Faulty) -> None:
    async def work(rpc: Rpc) -> None:
        rpc.watch_code(ADDRESS)
        calls = [rpc.block_number() for _ in range(50)]
        assert await asyncio.gather(*calls) == [5] * 50
        first = stub.methods.index("eth_blockNumber")
        assert stub.methods[:first].count("eth_getCode") <= 6
        assert stub.count("eth_chainId") <= 12
        assert stub.n_connections <= endpoints.MOST_AT_ONCE + 5

    ask(stub.url, work=work)


def test_many_calls_that_fail_at_once_are_one_failure(stub: Faulty) -> None:
    stub.will(faults.page(), times=20, methods=NUMBER)

    async def work(rpc: Rpc) -> None:
        calls = [rpc.block_number() for _ in range(20)]
        assert await asyncio.gather(*calls) == [5] * 20
        assert rpc.events.counts[ChainEventKind.NODE_FAILED] <= 5

    ask(stub.url, work=work)


def test_many_calls_of_a_failing_node_end(stub: Faulty) -> None:
    stub.will(faults.page(), times=ALWAYS)

    async def work(rpc: Rpc) -> None:
        calls = [rpc.block_number() for _ in range(200)]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, NodeError)

    ask(stub.url, work=work)
    assert len(stub.requests) < 100


def test_calls_that_are_cancelled_disturb_no_other(stub: Faulty) -> None:
    async def work(rpc: Rpc) -> None:
        stub.will(faults.slow(0.2), times=40)
        calls = [asyncio.create_task(rpc.block_number()) for _ in range(40)]
        while not stub.requests:
            await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(o, asyncio.CancelledError) for o in outcomes)
        stub.behave()
        assert await asyncio.gather(*(rpc.block_number() for _ in range(40)))
        assert rpc.events.counts[ChainEventKind.NODE_FAILED] == 0

    ask(stub.url, work=work)


def test_closing(stub: Faulty) -> None:
    async def main() -> None:
        rpc = Rpc(stub.url, chain_id=31337)
        await rpc.aclose()
        with pytest.raises(ChainError, match="the Rpc is closed"):
            await rpc.block_number()
        async with rpc:
            assert await rpc.block_number() == 5
            stub.will(faults.slow(5), methods=NUMBER)
            call = asyncio.create_task(rpc.block_number())
            while stub.count("eth_blockNumber") < 2:
                await asyncio.sleep(0.001)
        with pytest.raises(ChainError):
            await call
        await rpc.aclose()

    run(main())
    rpc = Rpc(stub.url, chain_id=31337)
    for _ in range(2):  # each with an event loop of its own

        async def use() -> None:
            async with rpc:
                calls = [rpc.block_number() for _ in range(9)]
                assert await asyncio.gather(*calls) == [5] * 9

        run(use())
