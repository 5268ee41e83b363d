"""The simulator as a client of the websockets package sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from simulated import (
    AUTHORIZATION,
    Raw,
    client,
    decode,
    receive,
    rest,
    run,
    subscribe,
    subscriber,
)
from websockets.exceptions import InvalidStatus

import codec
from codec.simulator import Simulator
from codec.simulator.ticks import PERIODS_NS

CHANNELS = (*PERIODS_NS, "real_time")
KEY = b"\x07" * 32


def fetch(simulator: Simulator, path: str, **headers: str) -> Any:
    base = simulator.url.replace("ws://", "http://").removesuffix("/ws")
    request = urllib.request.Request(base + path, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_every_type_and_layout_is_served(compression: str | None, tls: bool) -> None:
    async def test() -> None:
        async with Simulator(tls=tls, keep_sent=True) as simulator:
            for kind in ("unsigned", "signed_ecdsa"):
                for more in ("", "&addtl_attrs=ms"):
                    socket = await subscriber(
                        simulator, "10ms", kind, more, compression=compression
                    )
                    messages = await receive(socket, 3)
                    batch = codec.decode(messages)
                    is_signed = kind == "signed_ecdsa"
                    assert batch.verify(simulator.signer).tolist() == [is_signed] * 3
                    assert batch.updates["asset_id"].tolist() == [1, 2] * 3
                    assert (batch.updates["market_status"] == 255).all()
                    assert (
                        batch.messages["layout"] == is_signed * (1 + bool(more))
                    ).all()
                    (connection,) = simulator.connections
                    assert connection.sent[:3] == messages
                    assert connection.market_status == bool(more)
                    assert (connection.deflater is not None) == bool(compression)
                    assert ("ms" in str(messages[0])) == (bool(more) and not is_signed)
                    await socket.close()

    run(test())


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_channel_ticks_on_its_grid(channel: str) -> None:
    async def test() -> np.ndarray[Any, Any]:
        async with Simulator() as simulator:
            socket = await subscriber(simulator, channel)
            return decode(await receive(socket, 3), simulator).messages["timestamp_ns"]

    stamps = run(test())
    steps = np.diff(stamps.astype(np.int64))
    if channel == "real_time":
        assert (steps >= 10**6).all()
    else:
        assert not (stamps % PERIODS_NS[channel]).any()
        assert (steps == PERIODS_NS[channel]).all()


def test_real_time_sends_what_changed() -> None:
    async def test() -> codec.Batch:
        async with Simulator(real_time_rate=2000) as simulator:
            socket = await subscriber(simulator, "real_time", ids=range(1, 11))
            return decode(await receive(socket, 100), simulator)

    batch = run(test())
    counts = batch.messages["update_count"]
    assert counts.min() >= 1 and counts.max() <= 4 and len(set(counts)) > 1
    assert set(batch.updates["asset_id"]) == set(range(1, 11))
    assert (np.diff(batch.messages["timestamp_ns"]) >= 10**6).all()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic wrong"}, {"Authorization": "simulator"}]
)
def test_only_the_token_opens(headers: dict[str, str]) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            with pytest.raises(InvalidStatus) as refused:
                await client(simulator, additional_headers=headers)
            assert refused.value.response.status_code == 401
            assert b"Authorization" in refused.value.response.body
            simulator.set_token("wrong")
            socket = await client(
                simulator, additional_headers={"Authorization": "Basic wrong"}
            )
            (connection,) = simulator.connections
            assert connection.authorization_ok
            assert "Authorization" not in connection.headers
            assert [attempt.status for attempt in simulator.attempts] == [401, 101]
            await socket.close()

    run(test())


def test_without_a_token_anything_opens() -> None:
    async def test() -> None:
        async with Simulator(token=None) as simulator:
            await (await client(simulator, additional_headers={})).close()

    run(test())


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (("5ms",), "channel must be one of 10ms, 20ms"),
        (("",), "channel must be"),
        (("1s", "signed"), "message_type must be one of unsigned, signed_ecdsa"),
        (("1s", "unsigned", "&addtl_attrs=x"), "addtl_attrs"),
        (("1s", "unsigned", "&channel=1s"), "twice"),
    ],
)
def test_a_bad_query_gets_a_reason(place: tuple[str, ...], reason: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            with pytest.raises(InvalidStatus) as refused:
                await client(simulator, *place)
            assert refused.value.response.status_code == 400
            assert reason in refused.value.response.body.decode()

    run(test())


def test_another_path_is_not_found() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            raw, head = await Raw.open(simulator, target="/wss?channel=1s")
            assert head.startswith("HTTP/1.1 404")
            assert await raw.reader.read() == b"there is no /wss\n"
            raw.close()

    run(test())


def test_the_taxonomy_names_the_assets() -> None:
    async def test() -> None:
        async with Simulator(assets=[3, 11, 1], taxonomy_id=9) as simulator:
            get = asyncio.to_thread(fetch, simulator, "/v1/taxonomy", **AUTHORIZATION)
            assert await get == {
                "taxonomy_id": 9,
                "assets": [
                    {"name": "BTCUSD", "asset_id": 1},
                    {"name": "SOLUSD", "asset_id": 3},
                    {"name": "SIM00011USD", "asset_id": 11},
                ],
            }
            simulator.faults.taxonomy_change = True
            get = asyncio.to_thread(fetch, simulator, "/v1/taxonomy", **AUTHORIZATION)
            assert (await get)["taxonomy_id"] == 10
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                await asyncio.to_thread(fetch, simulator, "/v1/taxonomy")
            refused.value.close()

    run(test())


def test_subscriptions_belong_to_their_connection() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            a = await subscriber(simulator, ids=[1, 2, 3])
            b = await subscriber(simulator, ids=[7])
            c = await client(simulator)
            assert [i.subscribed for i in simulator.connections] == [
                {1, 2, 3},
                {7},
                set(),
            ]
            await a.send('{"type":"unsubscribe","assets":[2,4]}')
            assert json.loads(await a.recv()) == {
                "type": "unsubscribe",
                "assets": [2, 4],
            }
            await subscribe(b, [10])
            simulator.publish_now()
            for socket, ids in ((a, [1, 3]), (b, [7, 10])):
                batch = decode(await receive(socket, 1), simulator)
                assert batch.updates["asset_id"].tolist() == ids
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(c.recv(), 0.05)
            assert simulator.connections[0].received == [
                {"type": "subscribe", "assets": [1, 2, 3]},
                {"type": "unsubscribe", "assets": [2, 4]},
            ]

    run(test())


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[1]",
        '{"type":"subscribe"}',
        '{"type":"subscribe","assets":{"1":1}}',
        '{"type":"publish","assets":[1]}',
        '{"type":["subscribe"],"assets":[1]}',
        "[" * 100_000,
    ],
)
def test_a_malformed_request_is_answered(text: str) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            socket = await client(simulator)
            await socket.send(text)
            answer = json.loads(await socket.recv())
            assert answer["type"] == "error" and "expected" in answer["error"]
            await subscribe(socket, [1])

    run(test())


def test_unknown_assets_are_named() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            socket = await client(simulator)
            await socket.send('{"type":"subscribe","assets":[1,11,-1,65536,"1",true]}')
            assert json.loads(await socket.recv()) == {
                "type": "error",
                "error": 'unknown asset ids: [11, -1, 65536, "1", true]',
            }
            assert json.loads(await socket.recv()) == {
                "type": "subscribe",
                "assets": [1],
            }

    run(test())


def test_the_seed_decides_everything() -> None:
    async def messages(seed: int, n_others: int) -> list[bytes]:
        clock = iter(range(10**18, 2 * 10**18, 3 * 10**6)).__next__
        async with Simulator(seed=seed, ticks=False, time_ns=clock) as simulator:
            socket = await subscriber(simulator, "real_time", ids=[1, 2, 7])
            for _ in range(n_others):
                await subscriber(simulator, "1s", ids=[3])
            for _ in range(20):
                simulator.publish_now()
            return await receive(socket, 20)

    first = run(messages(5, 0))
    assert run(messages(5, 0)) == first
    assert run(messages(6, 0)) != first


def test_equal_subscribers_get_equal_messages() -> None:
    async def test(channel: str) -> None:
        async with Simulator(ticks=False, keep_sent=True) as simulator:
            sockets = [
                await subscriber(simulator, channel, ids=[1, 2], compression=None),
                await subscriber(simulator, channel, ids=[2, 1]),
                await subscriber(simulator, channel, ids=[1, 2, 3]),
            ]
            for _ in range(10):
                simulator.publish_now()
            a, b, c = [await receive(socket, 10) for socket in sockets]
            assert a == b != c
            assert simulator.connections[0].sent == simulator.connections[1].sent == a

    run(test("10ms"))
    run(test("real_time"))


def test_one_tick_has_one_value_for_all() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            a = await subscriber(simulator, "10ms", "unsigned", ids=[1, 2])
            b = await subscriber(simulator, "10ms", "signed_ecdsa", ids=[2])
            simulator.publish_now()
            seen = [codec.decode(await receive(socket, 1)).updates for socket in (a, b)]
            assert seen[0][1]["value"] == seen[1][0]["value"]
            assert seen[0][1]["timestamp_ns"] == seen[1][0]["timestamp_ns"]

    run(test())


def test_publishing_by_hand_goes_on_where_the_clock_is() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            socket = await subscriber(simulator, "100ms")
            for _ in range(5):
                simulator.publish_now()
            stamps = decode(await receive(socket, 8), simulator).messages[
                "timestamp_ns"
            ]
            assert (np.diff(stamps) == 10**8).all()

    run(test())


@pytest.mark.parametrize("key", [KEY, KEY.hex()])
def test_the_key_can_be_given(key: bytes | str) -> None:
    other = Simulator()
    simulator = Simulator(key=key)
    payload = codec.encode([1], [1], timestamp_ns=1, taxonomy_id=1, key=KEY)
    assert codec.decode_payloads([payload]).verify(simulator.signer).all()
    assert simulator.signer != other.signer == Simulator().signer
    assert Simulator(seed=1).signer != other.signer


def test_messages_of_ones_own() -> None:
    async def test() -> None:
        async with Simulator(ticks=False, keep_sent=True) as simulator:
            a, b = await client(simulator), await client(simulator)
            await simulator.send(b"for all")
            await simulator.send(b"for b", to=simulator.connections[1])
            assert await receive(a, 1) == [b"for all"]
            assert await receive(b, 2) == [b"for all", b"for b"]
            assert simulator.connections[1].sent == [b"for all", b"for b"]

    run(test())


def test_a_limit_ends_the_messages() -> None:
    async def test() -> None:
        async with Simulator(limit=3) as simulator:
            socket = await subscriber(simulator)
            await receive(socket, 3)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(socket.recv(), 0.1)

    run(test())


def test_prepared_messages_replace_the_market() -> None:
    frames = [b"message %d" % i for i in range(500)]

    async def test() -> None:
        given = [frames[0], (0.01, frames[1]), *frames[2:]]
        async with Simulator(frames=given) as simulator:
            simulator.faults.cut = 200
            got = []
            for _ in range(2):
                got += await rest(await subscriber(simulator))
            socket = await subscriber(simulator)
            got += await receive(socket, 100)
            await simulator.replayed.wait()
            assert got == frames

    run(test())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_flood_is_exact(compression: str | None) -> None:
    async def test() -> None:
        async with Simulator(keep_sent=True) as simulator:
            socket = await subscriber(simulator, "20ms", compression=compression)
            await receive(socket, 2)
            (connection,) = simulator.connections
            flooding = asyncio.create_task(
                simulator.flood(connection, 5000, distinct=1500)
            )
            messages = await receive(socket, 5002)  # and some ticks between
            assert await flooding == 5000
            messages += await receive(socket, 3)
            assert messages == connection.sent[2 : 2 + len(messages)]
            stamps = decode(messages, simulator).messages["timestamp_ns"]
            assert len(set(stamps.tolist())) < 1600

    run(test())


def test_a_flood_lasts_for_seconds_or_with_the_client() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            socket = await subscriber(simulator, compression=None)
            (connection,) = simulator.connections
            flooding = asyncio.create_task(simulator.flood(connection, seconds=0.2))
            reading = asyncio.create_task(rest(socket))
            n_sent = await flooding
            assert n_sent == connection.n_sent > 0
            connection.cut()
            assert len(await reading) == n_sent
            assert await simulator.flood(connection, 10) == 0
            with pytest.raises(ValueError, match="needs a number"):
                await simulator.flood(connection)

    run(test())


def test_ten_thousand_assets() -> None:
    async def test() -> None:
        ids = range(10_000)
        async with Simulator(assets=ids, ticks=False) as simulator:
            socket = await subscriber(simulator, ids=ids, max_size=None)
            simulator.publish_now()
            batch = decode(await receive(socket, 1), simulator)
            assert batch.updates["asset_id"].tolist() == list(ids)

    run(test())


def test_stopping_says_goodbye_and_frees_the_port() -> None:
    async def test() -> None:
        simulator = Simulator()
        await simulator.stop()
        await simulator.start()
        socket = await subscriber(simulator)
        silent, _ = await Raw.open(simulator)
        port = simulator.port
        await simulator.stop()
        await rest(socket)
        assert (socket.close_code, socket.close_reason) == (1001, "the simulator stops")
        silent.close()
        async with Simulator(port=port) as again:
            await (await subscriber(again)).close()

    run(test())


def test_a_certificate_is_wanted_only_with_tls() -> None:
    with pytest.raises(ValueError, match="tls=True"):
        Simulator().client_ssl_context()


def test_no_token_and_no_key_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)

    async def test() -> str:
        async with Simulator(token="hush-hush", key=KEY) as simulator:
            headers = {"Authorization": "Basic hush-hush"}
            socket = await client(simulator, additional_headers=headers)
            (connection,) = simulator.connections
            shown = [simulator, connection, connection.headers, simulator.attempts]
            await socket.close()
            with pytest.raises(InvalidStatus):
                await client(simulator)
            return repr(shown)

    text = run(test())
    logged = [r.getMessage() for r in caplog.records if "websockets" not in r.name]
    for secret in ("hush-hush", KEY.hex()):
        assert secret not in text
        assert not any(secret in line for line in logged)


def test_picows_is_asked_for_when_it_is_missing() -> None:
    code = (
        "import sys; sys.modules['picows'] = None\n"
        "import codec.simulator\n"
        "try: codec.simulator.Simulator\n"
        "except codec.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'stork-codec[simulator]'" in done.stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"assets": []}, "asset ids"),
        ({"assets": [65536]}, "asset ids"),
        ({"real_time_rate": 0}, "real_time_rate"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Simulator(**options)
