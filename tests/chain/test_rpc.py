"""Calls to a node that answers, that fails, and that lies."""

from __future__ import annotations

import asyncio
import gzip
import math
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import faulty as faults
import pytest
from asking import ADDRESS, ALWAYS, FAULTS, NUMBER, ask, closed_port
from faulty import Fault, Faulty

from codec import NodeError, RpcError
from codec.chain import ChainEventKind, EndpointState, Rpc, endpoints
from codec.simulator.certificate import (
    client_context,
    make_certificate,
    server_context,
)

pytestmark = pytest.mark.usefixtures("short_rests")


# One node that answers


def test_a_call(stub: Faulty) -> None:
    assert ask(stub.url) == 5
    assert stub.methods == ["eth_chainId", "eth_blockNumber"]
    assert stub.n_connections == 1


def test_the_helpers_ask_what_they_say(stub: Faulty) -> None:
    digest = "0x" + "ab" * 32
    stub.results = {
        "eth_chainId": "0x7a69",
        "eth_blockNumber": "0x5",
        "eth_getBalance": "0x10",
        "eth_getTransactionCount": "0x3",
        "eth_getCode": "0x6001",
        "eth_getBlockByNumber": {"number": "0x5"},
        "eth_getBlockByHash": None,
        "eth_getTransactionReceipt": None,
        "eth_getTransactionByHash": {"hash": digest},
        "eth_sendRawTransaction": digest,
        "eth_call": "0x0102",
        "eth_estimateGas": "0x5208",
    }

    async def work(rpc: Rpc) -> None:
        assert await rpc.balance(ADDRESS) == 16
        assert await rpc.balance(ADDRESS, 7) == 16
        assert await rpc.nonce(ADDRESS) == 3
        assert await rpc.nonce(ADDRESS, "pending") == 3
        assert await rpc.code(ADDRESS) == b"\x60\x01"
        assert await rpc.block() == {"number": "0x5"}
        assert await rpc.block(255) == {"number": "0x5"}
        assert await rpc.block(digest) is None
        assert await rpc.block(b"\xab" * 32) is None
        assert await rpc.receipt(digest) is None
        assert await rpc.transaction(b"\xab" * 32) == {"hash": digest}
        assert await rpc.send_raw(b"\x02\xff") == b"\xab" * 32
        transaction = {"to": ADDRESS, "value": 16, "data": b"\x01", "gas": None}
        assert await rpc.eth_call(transaction) == b"\x01\x02"
        assert await rpc.estimate_gas(transaction) == 21000

    ask(stub.url, work=work)
    sent = {"to": ADDRESS, "value": "0x10", "data": "0x01"}
    asked = [(request.method, request.params) for request in stub.requests]
    assert asked[1:] == [
        ("eth_getBalance", [ADDRESS, "latest"]),
        ("eth_getBalance", [ADDRESS, "0x7"]),
        ("eth_getTransactionCount", [ADDRESS, "latest"]),
        ("eth_getTransactionCount", [ADDRESS, "pending"]),
        ("eth_getCode", [ADDRESS, "latest"]),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getBlockByNumber", ["0xff", False]),
        ("eth_getBlockByHash", [digest, False]),
        ("eth_getBlockByHash", [digest, False]),
        ("eth_getTransactionReceipt", [digest]),
        ("eth_getTransactionByHash", [digest]),
        ("eth_sendRawTransaction", ["0x02ff"]),
        ("eth_call", [sent, "latest"]),
        ("eth_estimateGas", [sent]),
    ]


def test_a_nodes_own_error_is_not_asked_for_again(stub: Faulty) -> None:
    stub.will(faults.error(3, "execution reverted", "0x1234"), methods=NUMBER)
    with pytest.raises(RpcError) as caught:
        ask(stub.url)
    error = caught.value
    assert (error.code, error.message, error.data) == (
        3,
        "execution reverted",
        "0x1234",
    )
    assert (error.method, error.endpoint) == ("eth_blockNumber", stub.url)
    assert str(error) == f"{stub.url}: execution reverted [3, eth_blockNumber]"
    assert stub.count("eth_blockNumber") == 1
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


def test_parameters_that_are_no_json_are_the_callers_fault(stub: Faulty) -> None:
    for bad, kind in ((object(), TypeError), (math.nan, ValueError)):
        with pytest.raises(kind):
            ask(stub.url, work=lambda rpc, bad=bad: rpc.call("eth_call", bad))


# A node that gives no usable answer


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named(stub: Faulty, fault: Fault, words: str) -> None:
    async def work(rpc: Rpc) -> None:
        stub.will(fault, methods=NUMBER)
        with pytest.raises(NodeError) as caught:
            await rpc.block_number()
        assert words in caught.value.reason
        assert caught.value.__cause__ is caught.value.__context__ is None
        (status,) = rpc.endpoints
        assert (status.state, status.n_failures) == (EndpointState.FAILED, 1)
        assert words in status.reason
        assert await rpc.block_number() == 5
        (status,) = rpc.endpoints
        assert (status.state, status.reason) == (EndpointState.USABLE, "")
        assert status.n_failures == 1
        kinds = [event.kind for event in rpc.events]
        assert kinds == [ChainEventKind.NODE_FAILED, ChainEventKind.NODE_BACK]

    ask(stub.url, work=work, attempts=1)


@pytest.mark.parametrize("fault", [f for f, _ in FAULTS.values()], ids=FAULTS.keys())
def test_after_a_fault_the_call_is_repeated(stub: Faulty, fault: Fault) -> None:
    stub.will(fault, times=3, methods=NUMBER)
    assert ask(stub.url) == 5
    assert stub.count("eth_blockNumber") == 4


def test_an_answer_that_is_compressed(stub: Faulty) -> None:
    def squeeze(_: Any, number: int, answer: dict[str, Any] | None) -> faults.Reply:
        content = gzip.compress(faults.encoded(answer))
        return faults.Reply(200, content, {"Content-Encoding": "gzip"})

    stub.will(Fault(squeeze), times=ALWAYS)
    assert ask(stub.url) == 5
    assert stub.requests[0].headers["Accept-Encoding"] == "gzip"


def test_an_answer_that_does_not_come(stub: Faulty) -> None:
    stub.will(faults.slow(0.3, is_kept=True), methods=NUMBER)
    with pytest.raises(NodeError, match=r"no answer, or not all of it, within 0\.05 s"):
        ask(stub.url, timeout_s=0.05, attempts=1)


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(NodeError) as caught:
        ask(url, attempts=3)
    assert caught.value.reason == "no connection: Connection refused (3 attempts)"
    with pytest.raises(NodeError, match="its name is not found"):
        ask("http://no-such-host.invalid", attempts=1)
    with pytest.raises(NodeError, match=r"no TLS|no connection"):
        ask(url.replace("http:", "https:"), attempts=1)


def test_attempts_are_bounded(stub: Faulty) -> None:
    stub.will(faults.page(), times=ALWAYS, methods=NUMBER)
    with pytest.raises(NodeError) as caught:
        ask(stub.url)
    assert stub.count("eth_blockNumber") == 5
    assert str(caught.value) == (
        f"{stub.url}: a web page instead of JSON (5 attempts) [eth_blockNumber]"
    )


@pytest.mark.parametrize("status", [301, 307, 401, 403, 404])
def test_what_lasts_is_not_tried_again(stub: Faulty, status: int) -> None:
    stub.will(faults.http(status, Location="/elsewhere"), methods=NUMBER)

    async def work(rpc: Rpc) -> None:
        with pytest.raises(NodeError, match=f"HTTP {status}"):
            await rpc.block_number()

    ask(stub.url, work=work)
    assert stub.methods == ["eth_chainId", "eth_blockNumber"]


def test_tls(tmp_path: Path) -> None:
    authority = make_certificate(tmp_path, "127.0.0.1")
    results = {"eth_blockNumber": "0x5"}
    with Faulty(results=results, tls=server_context(authority)) as stub:
        assert ask(stub.url, ssl_context=client_context(authority)) == 5
        with pytest.raises(NodeError, match="its certificate is not trusted: "):
            ask(stub.url)
        assert len(stub.requests) == 2
        with pytest.raises(NodeError):
            ask(stub.url.replace("https", "http"), attempts=1)
        assert len(stub.requests) == 2


# Rests


def rest_of(stub: Faulty, fault: Fault) -> float:
    """How long a node is left alone after a fault, in seconds."""

    async def work(rpc: Rpc) -> float:
        with pytest.raises(NodeError):
            await rpc.call("eth_blockNumber", attempts=1)
        (event,) = rpc.events
        assert event.place == stub.url
        rest_s = event.data["rest_s"]
        assert isinstance(rest_s, float)
        return rest_s

    stub.will(fault, methods=NUMBER)
    return ask(stub.url, work=work)


def test_retry_after(stub: Faulty) -> None:
    assert rest_of(stub, faults.too_many()) <= 0.01
    assert rest_of(stub, faults.too_many("7")) == 7
    assert rest_of(stub, faults.too_many("86400")) == 60
    assert rest_of(stub, faults.page(503)) <= 0.01
    assert rest_of(stub, faults.http(503, Retry_After="9")) == 9
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    assert 30 < rest_of(stub, faults.too_many(date)) <= 40
    assert rest_of(stub, faults.too_many("soon")) <= 0.01
    assert rest_of(stub, faults.too_many("-5")) <= 0.01


def test_a_node_that_rests_is_waited_for(stub: Faulty) -> None:
    stub.will(faults.too_many("1"), methods=NUMBER)

    async def work(rpc: Rpc) -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await rpc.block_number() == 5
        return loop.time() - start

    assert ask(stub.url, work=work) >= 1


def test_a_node_that_has_too_much_to_do_is_not_checked_again(stub: Faulty) -> None:
    stub.will(faults.too_many(), times=2, methods=NUMBER)
    assert ask(stub.url) == 5
    assert stub.methods == ["eth_chainId", *["eth_blockNumber"] * 3]


def test_rests_grow_and_end_with_an_answer(
    stub: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "LAST_REST_S", 0.04)

    async def work(rpc: Rpc) -> list[object]:
        for _ in range(2):
            stub.will(faults.page(), times=6, methods=NUMBER)
            assert await rpc.block_number() == 5
        return [event.data.get("rest_s") for event in rpc.events]

    rests = ask(stub.url, attempts=7, work=work)
    steps = [0.002, 0.004, 0.008, 0.016, 0.032, 0.04]
    assert rests[6] is rests[13] is None
    for rest_s, step in zip(rests[:6] + rests[7:13], steps * 2, strict=True):
        assert step / 2 <= rest_s <= step


# What makes no sense


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="needs the URL of a node"):
        Rpc([], chain_id=1)
    for bad in ({"chain_id": 0}, {"attempts": 0}, {"timeout_s": 0}):
        with pytest.raises(ValueError, match="above 0"):
            Rpc("http://host", **{"chain_id": 1, **bad})


def test_attempts_of_a_call_make_sense(stub: Faulty) -> None:
    for work in (
        lambda rpc: rpc.call("eth_blockNumber", attempts=0),
        lambda rpc: rpc.call_all("eth_blockNumber", attempts=0),
    ):
        with pytest.raises(ValueError, match="attempts are above 0"):
            ask(stub.url, work=work)
    assert stub.requests == []


def test_how_nodes_are_named() -> None:
    urls = ["https://a.b/k3y", "http://[::1]:8545/k3y", "HTTP://Host:80"]
    rpc = Rpc(urls, chain_id=1)
    names = [status.name for status in rpc.endpoints]
    assert names == ["https://a.b", "http://[::1]:8545", "http://host:80"]
    assert "unchecked" in repr(rpc) and "k3y" not in repr(rpc)
