"""Each switch for faults of the aggregator's simulator, as its clients meet it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated import Raw, rest, run
from simulated_aggregator import (
    STATUSES,
    S,
    all_good,
    ask,
    by_hand,
    client,
    judged,
    publish,
    subscriber,
)
from websockets.exceptions import InvalidStatus

from codec.errors import ErrorCode
from codec.simulator import AggregatorFaults, AggregatorSimulator, Simulator
from codec.simulator.aggregates import js_rounded
from codec.simulator.faults import EVENTS, Faults, parse_fault, switches

SWITCHES = switches(AggregatorFaults)
CASES: dict[str, Callable[[], Awaitable[None]]] = {}
GOOD = dict.fromkeys(STATUSES, 0)


def case(work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Registers what a switch does, under its name."""
    CASES[work.__name__] = work
    return work


@pytest.mark.parametrize("name", SWITCHES)
def test_switch(name: str) -> None:
    assert name in CASES, f"nothing says what {name} does"
    run(CASES[name]())  # type: ignore[arg-type]


def test_no_case_without_a_switch() -> None:
    assert CASES.keys() == SWITCHES.keys()


def statuses(batch: Any, i: int) -> dict[str, int]:
    return {name: int(batch.aggregates[name][i]) for name in STATUSES}


async def judged_with(name: str) -> Any:
    """Three messages of two assets, of which a count holds for the second."""
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        messages = await publish(simulator, socket, 1)
        setattr(simulator.faults, name, 1)
        messages += await publish(simulator, socket, 2)
        assert getattr(simulator.faults, name) is None
        assert simulator.connections[0].sent == messages
        batch = judged(messages, signers=simulator.signer, on_error="skip")
        for i in (0, 1, 4, 5):
            assert statuses(batch, i) == GOOD
        return batch


async def only(name: str, **expected: int) -> Any:
    """What a count makes of both aggregates of a message, and of nothing else."""
    batch = await judged_with(name)
    assert not len(batch.errors)
    for i in (2, 3):
        assert statuses(batch, i) == GOOD | expected
    return batch


# Messages.


@case
async def wrong_key() -> None:
    await only("wrong_key", signature=ErrorCode.UNTRUSTED_SIGNER)


@case
async def high_s() -> None:
    await only("high_s", signature=ErrorCode.HIGH_S)


@case
async def wrong_msg_hash() -> None:
    await only("wrong_msg_hash", msg_hash=ErrorCode.MISMATCH)


@case
async def wrong_merkle_root() -> None:
    await only("wrong_merkle_root", merkle_root=ErrorCode.MISMATCH)


@case
async def wrong_asset_id() -> None:
    await only("wrong_asset_id", encoded_asset_id=ErrorCode.MISMATCH)


@case
async def wrong_price() -> None:
    await only("wrong_price", consistency=ErrorCode.MISMATCH)


@case
async def unsigned() -> None:
    unsigned = ErrorCode.UNSIGNED
    batch = await judged_with("unsigned")
    for name in ("signature", "msg_hash"):
        assert batch.aggregates[name].tolist() == [0, 0, unsigned, unsigned, 0, 0]
    assert batch.publishers["verified"].all()


@case
async def wrong_publisher() -> None:
    batch = await only("wrong_publisher")
    first = batch.aggregates["first_publisher"][2:4].tolist()
    bad = np.flatnonzero(~batch.publishers["verified"]).tolist()
    assert bad == first
    assert set(batch.publishers["signature"][bad]) == {ErrorCode.WRONG_SIGNER}
    assert not batch.publishers["msg_hash"].any()


@case
async def rounded_timestamps() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.rounded_timestamps = 1
        messages = await publish(simulator, socket, 2)
        batch = judged(messages)
        bad = statuses(batch, 0)
        assert bad["signature"] == ErrorCode.WRONG_SIGNER
        assert bad["msg_hash"] == ErrorCode.MISMATCH
        # Publishers sign whole seconds, which rounding leaves as they are.
        assert batch.publishers["verified"].all()
        assert statuses(batch, 2) == GOOD
        for name in ("timestamp_ns", "outer_timestamp_ns"):
            for timestamp_ns in batch.aggregates[name][:2].tolist():
                assert timestamp_ns == js_rounded(timestamp_ns)


@case
async def duplicate_asset() -> None:
    batch = await judged_with("duplicate_asset")
    assert len(batch) == 6
    assert batch.errors["index"].tolist() == [1]
    assert batch.errors["code"].tolist() == [ErrorCode.DUPLICATE_KEY]


@case
async def garbage_text() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.garbage_text = 20
        messages = await publish(simulator, socket, 21)
        batch = judged(messages, on_error="skip")
        assert set(batch.errors["index"].tolist()) == set(range(20))
        assert len(set(batch.errors["code"].tolist())) > 1


@case
async def backwards() -> None:
    await shifted("backwards", -10)


@case
async def future() -> None:
    await shifted("future", 60)


async def shifted(name: str, by_s: int) -> None:
    batch = await only(name)
    for column in ("timestamp_ns", "outer_timestamp_ns"):
        stamps = batch.aggregates[column][::2].astype(np.int64)
        steps = np.diff(stamps) / S - 0.5
        assert np.rint(steps).tolist() == [by_s, -by_s]


@case
async def skip_ticks() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.skip_ticks = 3
        for _ in range(3):
            simulator.publish_now()
        assert simulator.connections[0].n_sent == 0
        all_good(await publish(simulator, socket, 1), simulator.signer)


@case
async def burst() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.burst = 5
        simulator.publish_now()
        assert simulator.connections[0].n_sent == 5
        messages = [await socket.recv(decode=False) for _ in range(5)]
        batch = all_good(messages, simulator.signer)
        steps = np.diff(batch.aggregates["timestamp_ns"][::2].astype(np.int64))
        assert (abs(steps - S // 2) < 10**6).all()


@case
async def silent_asset() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.silent_asset = "BTCUSD"
        (message,) = await publish(simulator, socket, 1)
        assert list(json.loads(message)["data"]) == ["ETHUSD"]
        await ask(socket, {"type": "unsubscribe", "data": ["ETHUSD"]})
        simulator.publish_now()
        assert simulator.connections[0].n_sent == 1


# Connections.


async def closed_with(simulator: AggregatorSimulator, code: int) -> None:
    """The client closes with this code."""
    while simulator.history[0].close_code is None:
        await asyncio.sleep(0.001)
    assert simulator.history[0].close_code == code


@case
async def cut() -> None:
    async with by_hand() as simulator:
        simulator.faults.cut = 3
        socket = await subscriber(simulator)
        for _ in range(5):
            simulator.publish_now()
        assert await rest(socket) == simulator.history[0].sent
        assert socket.close_code == 1006
        writer = await client(simulator, "/evm/publish")
        simulator.faults.cut = True
        assert await rest(writer) == []


@case
async def close() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        writer = await client(simulator, "/evm/publish")
        simulator.faults.close = (1012, "restart")
        for closed in (socket, writer):
            assert await rest(closed) == []
            assert (closed.close_code, closed.close_reason) == (1012, "restart")


@case
async def half_frame() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.publish_now()
        simulator.faults.half_frame = "cut"
        assert len(await rest(socket)) == 1
        assert socket.close_code == 1006


@case
async def garbage() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.garbage = True
        assert await rest(socket) == []
        await closed_with(simulator, 1002)


@case
async def bomb() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator, max_size=None)
        simulator.faults.bomb = 3_000_000
        assert len(await socket.recv()) > 3_000_000
        all_good(await publish(simulator, socket, 1), simulator.signer)


@case
async def oversize() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.oversize = 2_000_000
        assert await rest(socket) == []
        await closed_with(simulator, 1009)


@case
async def error_message() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.error_message = "no more"
        assert json.loads(await socket.recv()) == {"type": "error", "error": "no more"}


@case
async def silence() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.silence = True
        simulator.publish_now()
        await socket.send('{"type":"subscribe","data":[]}')
        await asyncio.wait_for(await socket.ping(), 10)
        simulator.faults.silence = False
        (message,) = await publish(simulator, socket, 1)
        assert b"oracle_prices" in message


@case
async def withhold_pong() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.withhold_pong = True
        pong = await socket.ping()
        await publish(simulator, socket, 1)
        assert not pong.done()


@case
async def slow() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator, compression=None)
        simulator.faults.slow = 400
        simulator.publish_now()
        assert simulator.connections[0].n_sent == 0
        all_good([await socket.recv(decode=False)], simulator.signer)


@case
async def fragment() -> None:
    async with by_hand() as simulator:
        socket = await subscriber(simulator)
        simulator.faults.fragment = 5
        all_good(await publish(simulator, socket, 3), simulator.signer)


@case
async def stall() -> None:
    async with by_hand() as simulator:
        sockets = [await subscriber(simulator) for _ in range(2)]
        simulator.faults.stall = 0
        await publish(simulator, sockets[1], 2)
        assert [c.n_sent for c in simulator.connections] == [0, 2]


@case
async def slow_consumer() -> None:
    async with by_hand() as simulator:
        simulator.faults.slow_consumer = 1 << 20
        raw, _ = await Raw.open(simulator, target="/evm/subscribe")
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw.send(0x81, json.dumps({"type": "subscribe", "data": ["BTCUSD"]}).encode())
        while not simulator.groups:
            await asyncio.sleep(0.001)
        (connection,) = simulator.connections
        while connection.is_open:
            connection.send(b"x" * 100_000)
            assert connection.buffered_len < 2 << 20
        raw.writer.transport.abort()


@case
async def status() -> None:
    async with by_hand() as simulator:
        simulator.faults.status = (503, 1, 7)
        with pytest.raises(InvalidStatus) as refused:
            await client(simulator, "/evm/publish")
        assert refused.value.response.status_code == 503
        await client(simulator, "/evm/publish")


@case
async def redirect() -> None:
    # The client keeps its token to itself when it is sent elsewhere.
    async with by_hand(token=None) as other, by_hand() as simulator:
        simulator.faults.redirect = other.url
        await subscriber(simulator)
        assert len(other.connections) == 1 and not simulator.connections


@case
async def require_deflate() -> None:
    async with by_hand() as simulator:
        simulator.faults.require_deflate = True
        with pytest.raises(InvalidStatus) as refused:
            await client(simulator, compression=None)
        assert b"permessage-deflate" in refused.value.response.body
        await client(simulator)


# Several at once, and the switches themselves.


def test_faults_can_be_combined() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator)
            for name in ("high_s", "wrong_publisher", "wrong_price", "unsigned"):
                setattr(simulator.faults, name, True)
            batch = judged(await publish(simulator, socket, 2))
            assert set(batch.aggregates["signature"]) == {ErrorCode.UNSIGNED}
            assert (~batch.publishers["verified"]).sum() == 4

    run(test())


def test_stark_messages_bear_every_count() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, "/stark/subscribe")
            counts = [name for name in SWITCHES if name.startswith("wrong_")]
            for name in (*counts, "high_s", "rounded_timestamps", "unsigned", "future"):
                setattr(simulator.faults, name, 1)
            first, second = await publish(simulator, socket, 2)
            wrong, good = (
                json.loads(text)["data"]["BTCUSD"] for text in (first, second)
            )
            assert wrong["price"] != wrong["signed_prices"][1]["price"]
            assert wrong["timestamp"] == js_rounded(wrong["timestamp"])
            assert wrong["timestamp"] - good["timestamp"] > 59 * S
            assert list(wrong) == list(good)

    run(test())


def test_switches_by_text() -> None:
    assert list(SWITCHES)[: len(EVENTS)] == list(EVENTS)
    assert parse_fault("silent_asset=BTC=1:2", AggregatorFaults) == (
        "silent_asset",
        "BTC=1:2",
    )
    assert parse_fault("wrong_price=3", AggregatorFaults) == ("wrong_price", 3)
    assert parse_fault("silent_asset=3") == ("silent_asset", 3)
    for text, faults in (
        ("silent_asset", AggregatorFaults),
        ("taxonomy_change", AggregatorFaults),
        ("wrong_price", Faults),
        ("burst", AggregatorFaults),
    ):
        with pytest.raises(ValueError, match=r"no fault|needs a"):
            parse_fault(text, faults)


def test_each_simulator_has_faults_of_its_own() -> None:
    with pytest.raises(AttributeError, match="no fault 'wrong_price'"):
        Simulator().faults.wrong_price = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no fault 'taxonomy_change'"):
        AggregatorSimulator().faults.taxonomy_change = 1  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="slow_consumer needs a number"):
        AggregatorSimulator().faults.slow_consumer = False


def test_the_documentation_has_every_switch() -> None:
    path = Path(__file__).parents[1] / "docs" / "simulator.md"
    lines = path.read_text().splitlines()
    for name, text in SWITCHES.items():
        assert f"| `{name}` | {text} |" in lines
