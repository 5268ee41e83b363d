"""Each switch for faults, as clients that others wrote meet it."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated import (
    Raw,
    client,
    decode,
    receive,
    rest,
    run,
    subscriber,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

import codec
from codec import ErrorCode
from codec.simulator import Faults, Simulator
from codec.simulator.faults import EVENTS, SWITCHES, Event, parse_fault

S = 10**9


def by_hand(**options: Any) -> Simulator:
    """A simulator that publishes when it is told to, and remembers."""
    return Simulator(ticks=False, keep_sent=True, **options)


async def publish(
    simulator: Simulator, client: ClientConnection, n: int
) -> list[bytes]:
    for _ in range(n):
        simulator.publish_now()
    return await receive(client, n)


async def stays_silent(client: ClientConnection) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.recv(), 0.05)


async def refusal(simulator: Simulator, i: int) -> int:
    """The code with which a client has closed, once it has."""
    while (code := simulator.history[i].close_code) is None:
        await asyncio.sleep(0.001)
    return code


# Connections that end.


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_cut_loses_nothing_that_was_sent(tls: bool) -> None:
    async def test() -> None:
        async with Simulator(keep_sent=True, tls=tls) as simulator:
            simulator.faults.cut = 7
            for _ in range(5):
                client = await subscriber(simulator, ids=[1, 2])
                got = await rest(client)
                assert client.close_code == 1006
                assert len(got) == 7
                assert simulator.history[-1].sent == got
            assert simulator.connections == []
            assert [c.n_sent for c in simulator.history] == [7] * 5

    run(test())


def test_cut_at_once_comes_behind_what_was_sent() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            clients = [await subscriber(simulator, ids=[1]) for _ in range(3)]
            for _ in range(1000):
                simulator.publish_now()
            simulator.faults.cut = True
            assert simulator.faults.cut is None
            for client, connection in zip(clients, simulator.history, strict=True):
                assert await rest(client) == connection.sent
                assert connection.n_sent == 1000
            await (await subscriber(simulator)).close()

    run(test())


def test_cut_by_reset() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            raw, _ = await Raw.open(simulator)
            simulator.faults.cut = "reset"
            with pytest.raises(ConnectionResetError):
                await raw.reader.read()
            raw.close()
            simulator.faults.cut = (2, "reset")
            client = await subscriber(simulator)
            simulator.publish_now()
            assert len(simulator.connections) == 1
            simulator.publish_now()
            assert simulator.connections == []
            assert len(await rest(client)) <= 2

    run(test())


def test_an_event_while_nobody_is_there_awaits_the_next() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.cut = True
            assert await rest(await client(simulator)) == []
            await subscriber(simulator)

    run(test())


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        (True, 1000, ""),
        (1012, 1012, ""),
        ((4001, "elsewhere"), 4001, "elsewhere"),
        ((0, 1013, "later"), 1013, "later"),
    ],
)
def test_close(value: Any, code: int, reason: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator)
            simulator.faults.close = value
            assert await rest(client) == []
            assert (client.close_code, client.close_reason) == (code, reason)
            assert await refusal(simulator, 0) == code

    run(test())


@pytest.mark.parametrize("then", ["stall", "cut"])
def test_half_a_frame(then: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.half_frame = (3, then)
            raw, _ = await Raw.open(simulator)
            raw.send(0x81, b'{"type":"subscribe","assets":[1]}')
            await raw.frame()
            for _ in range(5):
                simulator.publish_now()
            for _ in range(3):
                assert (await raw.frame())[0] == 0x81
            first, size = await raw.reader.readexactly(2)
            n = int.from_bytes(await raw.reader.readexactly(2), "big")
            assert (first, size) == (0x81, 126)
            if then == "cut":
                assert 0 < len(await raw.reader.read()) < n
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(raw.reader.readexactly(n), 0.05)
            assert simulator.history[0].n_sent == 3
            raw.close()

    run(test())


def test_garbage_ends_a_client() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator)
            simulator.publish_now()
            simulator.faults.garbage = True
            got = await rest(client)
            assert got == simulator.history[0].sent
            assert await refusal(simulator, 0) == 1002

    run(test())


# Messages that are not what they should be.


def test_bad_signatures() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator)
            simulator.faults.wrong_key = 2
            simulator.faults.high_s = 1
            batch = codec.decode(await publish(simulator, client, 3))
            assert batch.verify(simulator.signer).tolist() == [False, False, True]
            simulator.faults.wrong_key = 2
            marked = codec.decode(
                await publish(simulator, client, 3),
                signers=simulator.signer,
                on_bad_signature="mark",
            )
            wrong = ErrorCode.WRONG_SIGNER
            assert marked.verified.tolist() == [False, False, True]
            assert marked.signers["status"].tolist() in ([0, 0, 0], [wrong, wrong, 0])
            simulator.faults.high_s = True
            with pytest.raises(codec.BadSignatureError) as error:
                codec.decode(
                    await publish(simulator, client, 3), signers=simulator.signer
                )
            assert error.value.code == ErrorCode.HIGH_S

    run(test())


@pytest.mark.parametrize("kind", ["unsigned", "signed_ecdsa"])
def test_damaged_texts_are_one_error_each(kind: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator, "10ms", kind)
            simulator.faults.garbage_text = 30
            messages = await publish(simulator, client, 40)
            batch = codec.decode(messages, on_error="skip")
            assert batch.errors["index"].tolist() == list(range(30))
            assert len(set(batch.errors["code"].tolist())) > 1
            assert simulator.history[0].sent == messages

    run(test())


@pytest.mark.parametrize("kind", ["unsigned", "signed_ecdsa"])
@pytest.mark.parametrize("more", ["", "&addtl_attrs=ms"])
def test_what_messages_say(kind: str, more: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator, "10ms", kind, more, ids=[1, 2, 3])
            simulator.faults.taxonomy_change = 1
            first = codec.decode(await publish(simulator, client, 2))
            assert first.messages["taxonomy_id"].tolist() == [2, 1]
            simulator.faults.duplicate_asset = 1
            second = codec.decode(await publish(simulator, client, 2))
            assert second.updates["asset_id"].tolist() == [1, 1, 2, 3, 1, 2, 3]
            simulator.faults.silent_asset = 2
            third = codec.decode(await publish(simulator, client, 1))
            assert third.updates["asset_id"].tolist() == [1, 3]

    run(test())


def test_time_that_goes_wrong() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            client = await subscriber(simulator, "1s")
            simulator.faults.backwards = 1
            past = codec.decode(await publish(simulator, client, 2)).messages
            simulator.faults.future = 1
            future = codec.decode(await publish(simulator, client, 2)).messages
            simulator.faults.skip_ticks = 5
            for _ in range(5):
                simulator.publish_now()
            last = codec.decode(await publish(simulator, client, 1)).messages
            stamps = np.concatenate([past, future, last])["timestamp_ns"]
            seconds = np.diff(stamps.astype(np.int64)) // S
            assert seconds.tolist() == [11, 61, -59, 6]

    run(test())


def test_a_burst_comes_at_once() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            socket = await subscriber(simulator, "20ms")
            simulator.faults.burst = 10
            messages = await receive(socket, 15)
            steps = np.diff(decode(messages, simulator).messages["timestamp_ns"])
            assert (steps == 2 * 10**7).all()  # late, and none missing
        async with by_hand() as simulator:
            socket = await subscriber(simulator)
            simulator.faults.burst = 50
            simulator.publish_now()
            assert simulator.connections[0].n_sent == 50
            assert len(decode(await receive(socket, 50), simulator).messages) == 50

    run(test())


def test_errors_of_the_server() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator)
            simulator.faults.error_message = True
            simulator.faults.error_message = "no more"
            texts = [
                json.loads(message)["error"] for message in await receive(socket, 2)
            ]
            assert texts == ["internal error", "no more"]

    run(test())


def test_an_oversized_message() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, max_size=None)
            simulator.faults.oversize = 3_000_000
            (message,) = await receive(socket, 1)
            assert len(message) == 3_000_000
            assert json.loads(message)["type"] == "oversize"
            simulator.faults.oversize = True
            assert len((await receive(socket, 1))[0]) == 64 << 20
            small = await subscriber(simulator, max_size=1 << 20)
            simulator.faults.oversize = (1, 2_000_000)
            simulator.publish_now()
            assert len(await rest(small)) == 1
            assert await refusal(simulator, -1) == 1009

    run(test())


def test_a_bomb() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, max_size=None)
            simulator.publish_now()
            simulator.faults.bomb = 5_000_000
            simulator.publish_now()
            first, bomb, last = await receive(socket, 3)
            assert json.loads(bomb) == {"type": "bomb", "p": "0" * 5_000_000}
            decode([first, last], simulator)
            raw, _ = await Raw.open(
                simulator, Sec_WebSocket_Extensions="permessage-deflate"
            )
            simulator.faults.bomb = True
            first_byte, payload = await raw.frame()
            assert first_byte == 0xC1
            assert len(payload) < 100_000
            inflated = zlib.decompressobj(-15).decompress(payload, 65 << 20)
            assert len(inflated) > 64 << 20
            small = await subscriber(simulator, max_size=1 << 20)
            simulator.faults.bomb = True
            assert await rest(small) == []
            assert await refusal(simulator, -1) == 1009
            raw.close()

    run(test())


# Connections that behave badly.


def test_silence_answers_pings() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            socket = await subscriber(simulator)
            simulator.faults.silence = True
            await asyncio.wait_for(await socket.ping(), 10)
            while True:
                try:
                    await asyncio.wait_for(socket.recv(), 0.05)
                except TimeoutError:
                    break
            await asyncio.wait_for(await socket.ping(), 10)
            assert simulator.connections[0].pings_received == 2
            simulator.faults.silence = False
            await socket.recv()

    run(test())


def test_a_withheld_pong() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator)
            simulator.faults.withhold_pong = True
            pong = await socket.ping()
            decode(await publish(simulator, socket, 3), simulator)
            assert not pong.done()
            simulator.faults.withhold_pong = False
            await asyncio.wait_for(await socket.ping(), 10)

    run(test())


def test_slow_bytes_stay_whole_messages() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, compression=None)
            simulator.faults.slow = 40
            begin = time.monotonic()
            for _ in range(5):
                simulator.publish_now()
            assert simulator.connections[0].n_sent == 0
            messages = await receive(socket, 5)
            assert time.monotonic() - begin > sum(map(len, messages)) / 40 / 1000
            assert simulator.connections[0].sent == messages
            for _ in range(5):
                simulator.publish_now()
            simulator.faults.slow = None
            simulator.publish_now()
            decode(await receive(socket, 6), simulator)
            simulator.faults.slow = 1
            simulator.publish_now()
            simulator.publish_now()
            simulator.faults.cut = True
            assert await rest(socket) == []
            assert simulator.history[0].n_sent == 11

    run(test())


@pytest.mark.parametrize(("end", "value"), [("close", 4000), ("half_frame", "cut")])
def test_an_end_does_not_fall_into_a_message_that_has_begun(
    end: str, value: Any
) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, compression=None)
            simulator.faults.slow = 40
            simulator.publish_now()
            simulator.publish_now()
            whole_len = simulator.connections[0].buffered_len
            while simulator.connections[0].buffered_len == whole_len:
                await asyncio.sleep(0)
            setattr(simulator.faults, end, value)
            decode(await rest(socket), simulator)
            assert simulator.history[0].n_sent == 1
            if end == "close":
                assert socket.close_code == value

    run(test())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_fragments_with_pings_between(compression: str | None) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, compression=compression)
            simulator.faults.fragment = 4
            decode(await publish(simulator, socket, 10), simulator)
            offer = {"Sec_WebSocket_Extensions": "permessage-deflate"}
            raw, _ = await Raw.open(simulator, **(offer if compression else {}))
            await simulator.send(b"0123456789", to=simulator.connections[1])
            frames = [await raw.frame() for _ in range(7)]
            text = 0x41 if compression else 0x01
            pings, parts = frames[1::2], frames[::2]
            assert pings == [(0x89, b"between")] * 3
            assert [first for first, _ in parts] == [text, 0, 0, 0x80]
            if not compression:
                assert b"".join(part for _, part in parts) == b"0123456789"
            raw.close()

    run(test())


def test_one_connection_stalls() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            sockets = [await subscriber(simulator, ids=[1]) for _ in range(3)]
            simulator.faults.stall = 1
            for _ in range(3):
                simulator.publish_now()
            assert await receive(sockets[0], 3) == await receive(sockets[2], 3)
            pong = await sockets[1].ping()
            await stays_silent(sockets[1])
            assert not pong.done()
            assert simulator.connections[1].sent == []
            simulator.faults.stall = None
            decode(await publish(simulator, sockets[1], 1), simulator)

    run(test())


def test_a_slow_consumer_is_dropped_with_bounded_memory() -> None:
    async def test() -> None:
        async with by_hand(assets=range(1, 1001)) as simulator:
            simulator.faults.slow_consumer = 1 << 20
            raw, _ = await Raw.open(simulator)
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            raw.send(
                0x81,
                json.dumps({"type": "subscribe", "assets": [*range(1, 1001)]}).encode(),
            )
            while not (simulator.connections and simulator.connections[0].subscribed):
                await asyncio.sleep(0.001)
            (connection,) = simulator.connections
            for _ in range(2000):
                simulator.publish_now()
                assert connection.buffered_len < 1.1 * (1 << 20)
                if not connection.is_open:
                    break
            assert simulator.connections == []
            raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
            n_read = 0
            while (frame := await raw.frame())[0] == 0x81:
                n_read += 1
            assert frame == (0x88, (1013).to_bytes(2, "big") + b"too slow")
            assert n_read == connection.n_sent + 1  # and the answer to its request
            raw.close()

    run(test())


# Handshakes that fail.


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_handshakes_refused_by_status(status: int) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.status = (status, 2, 7)
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await client(simulator)
                response = refused.value.response
                assert response.status_code == status
                assert response.headers["Retry-After"] == "7"
            await (await client(simulator)).close()
            simulator.faults.status = status
            with pytest.raises(InvalidStatus) as refused:
                await client(simulator)
            assert "Retry-After" not in refused.value.response.headers
            assert simulator.faults.status == status

    run(test())


def test_a_redirect() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.redirect = "ws://localhost:1/ws"
            raw, head = await Raw.open(simulator)
            assert head.startswith("HTTP/1.1 302")
            assert "Location: ws://localhost:1/ws\r\n" in head
            await raw.reader.read()
            raw.close()

    run(test())


def test_deflate_can_be_required() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            simulator.faults.require_deflate = True
            with pytest.raises(InvalidStatus) as refused:
                await client(simulator, compression=None)
            assert b"permessage-deflate" in refused.value.response.body
            await (await client(simulator)).close()

    run(test())


# The switches themselves.


def test_every_switch_can_be_set_by_text() -> None:
    assert list(SWITCHES) == [item.name for item in fields(Faults)]
    assert parse_fault("cut") == ("cut", True)
    assert parse_fault("cut=5") == ("cut", 5)
    assert parse_fault("cut=5:reset") == ("cut", (5, "reset"))
    assert parse_fault("half-frame=cut") == ("half_frame", "cut")
    assert parse_fault("close=1012:soon") == ("close", (1012, "soon"))
    assert parse_fault("status=503:3:2") == ("status", (503, 3, 2))
    assert parse_fault("redirect=ws://a:1/b") == ("redirect", "ws://a:1/b")
    for text in ("cuts", "slow", "redirect", "slow=fast", "wrong_key=x", "stall"):
        with pytest.raises(ValueError, match=r"no fault|needs a|takes a number"):
            parse_fault(text)


def test_the_documentation_has_every_switch() -> None:
    path = Path(__file__).parents[1] / "docs" / "simulator.md"
    lines = path.read_text().splitlines()
    for name, text in SWITCHES.items():
        assert f"| `{name}` | {text} |" in lines


@pytest.mark.parametrize(
    ("name", "value", "event"),
    [
        ("cut", True, Event(None)),
        ("cut", "reset", Event(None, ("reset",))),
        ("cut", 3, Event(3)),
        ("close", 999, Event(999)),
        ("close", 1001, Event(None, (1001,))),
        ("close", (5, 1001, "x"), Event(5, (1001, "x"))),
        ("bomb", 10**6, Event(None, (10**6,))),
        ("bomb", (4, 10**6), Event(4, (10**6,))),
    ],
)
def test_what_an_events_value_says(name: str, value: Any, event: Event) -> None:
    faults = Faults(**{name: value})
    assert faults.event(name) == event
    assert all(faults.event(other) is None for other in EVENTS if other != name)


def test_a_switch_that_is_none_is_noticed() -> None:
    faults = Faults()
    with pytest.raises(AttributeError, match="no fault 'cutt'"):
        faults.cutt = True  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="burst needs a number"):
        faults.burst = True
    faults.stall = False
    assert faults.stall is None
    assert faults == Faults()


def test_a_thousand_cuts_lose_nothing_and_repeat_nothing() -> None:
    async def test() -> None:
        async with Simulator(keep_sent=True, real_time_rate=1000) as simulator:
            simulator.faults.cut = 3
            got: list[bytes] = []
            for _ in range(1000):
                got += await rest(await subscriber(simulator, "real_time"))
            sent = [message for c in simulator.history for message in c.sent]
            assert got == sent
            assert len(got) == 3000 == len(set(got))
            decode(got, simulator)

    run(test())
