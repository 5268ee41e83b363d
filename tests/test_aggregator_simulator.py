"""The aggregator's simulator as clients of the websockets package see it."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import numpy as np
import pytest
from simulated import Raw, rest, run
from simulated_aggregator import (
    NOW_NS,
    S,
    all_good,
    ask,
    by_hand,
    client,
    publish,
    subscriber,
)
from websockets.exceptions import InvalidStatus

import codec
from codec.simulator import AggregatorSimulator
from codec.simulator.aggregates import js_rounded
from codec.simulator.book import median

MiB = 1 << 20


def as_ints(batch: Any) -> list[int]:
    return codec.as_int(batch["value"]).tolist()


# What subscribers get.


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_every_signature_is_good(compression: str | None, tls: bool) -> None:
    async def test() -> None:
        async with AggregatorSimulator(
            tls=tls, keep_sent=True, clock_period=0.02
        ) as simulator:
            socket = await subscriber(simulator, compression=compression)
            messages = [await socket.recv(decode=False) for _ in range(5)]
            batch = all_good(messages, simulator.signer)
            assert list(batch.symbols) == ["BTCUSD", "ETHUSD"]
            assert batch.messages["aggregate_count"].tolist() == [2] * 5
            assert batch.aggregates["publisher_count"].tolist() == [3] * 10
            assert set(batch.aggregates["trigger"].tolist()) == {1}
            signers = {f"0x{bytes(key).hex()}" for key in batch.publishers["publisher"]}
            assert signers == {text.lower() for text in simulator.publishers}
            (connection,) = simulator.connections
            assert connection.sent[:5] == messages
            assert (connection.deflater is not None) == bool(compression)
            check_aggregates(batch)

    run(test())


def check_aggregates(batch: Any) -> None:
    """Prices are medians, and times follow each other."""
    values, parts = as_ints(batch.aggregates), as_ints(batch.publishers)
    for i, row in enumerate(batch.aggregates):
        first, n = int(row["first_publisher"]), int(row["publisher_count"])
        of = batch.publishers[first : first + n]
        assert sorted(parts[first : first + n])[n // 2] == values[i]
        assert row["outer_timestamp_ns"] == of["timestamp_ns"].max()
        assert row["outer_timestamp_ns"] <= row["timestamp_ns"]
    for symbol in set(batch.aggregates["symbol"].tolist()):
        of = batch.aggregates[batch.aggregates["symbol"] == symbol]
        assert (np.diff(of["timestamp_ns"].astype(np.int64)) > 0).all()


def test_a_clock_update_comes_every_period() -> None:
    async def test() -> None:
        async with AggregatorSimulator(clock_period=0.05) as simulator:
            socket = await subscriber(simulator)
            messages = [await socket.recv(decode=False) for _ in range(4)]
            stamps = all_good(messages, simulator.signer).aggregates["timestamp_ns"]
            steps = np.diff(stamps[::2].astype(np.int64))
            assert (abs(steps - S // 20) < 10**6).all()

    run(test())


def test_a_price_that_moves_is_sent_at_once() -> None:
    async def test() -> None:
        async with AggregatorSimulator(
            clock_period=0.2, delta_percent=1e-6, n_publishers=5
        ) as simulator:
            socket = await subscriber(simulator)
            messages = [await socket.recv(decode=False) for _ in range(10)]
            batch = all_good(messages, simulator.signer)
            assert set(batch.aggregates["trigger"].tolist()) == {1, 2}
            check_aggregates(batch)

    run(test())


def test_equal_clocks_and_seeds_give_equal_bytes() -> None:
    async def messages(seed: int) -> list[bytes]:
        async with by_hand(seed=seed) as simulator:
            socket = await subscriber(simulator)
            return await publish(simulator, socket, 3)

    first, second, third = (run(messages(seed)) for seed in (1, 1, 2))
    assert first == second != third


def test_what_is_shared_is_signed_once() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            a, b, c = [
                await subscriber(simulator, assets=names)
                for names in (["BTCUSD"], ["BTCUSD"], ["BTCUSD", "SOLUSD"])
            ]
            simulator.publish_now()
            texts = [await socket.recv() for socket in (a, b, c)]
            assert texts[0] == texts[1] != texts[2]
            entries = [json.loads(text)["data"] for text in texts]
            assert entries[0]["BTCUSD"] == entries[2]["BTCUSD"]
            assert list(entries[2]) == ["BTCUSD", "SOLUSD"]

    run(test())


def test_many_assets_are_several_messages() -> None:
    async def test() -> None:
        async with by_hand(assets=60, n_publishers=40) as simulator:
            socket = await subscriber(simulator, assets=simulator.assets)
            simulator.publish_now()
            n = simulator.connections[0].n_sent
            assert n > 1
            messages = [await socket.recv(decode=False) for _ in range(n)]
            assert max(map(len, messages)) < MiB
            assert len({name for text in messages for name in json.loads(text)["data"]})
            found = [name for text in messages for name in json.loads(text)["data"]]
            assert found == sorted(simulator.assets)

    run(test())


def test_stark_messages_have_their_own_shape() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, "/stark/subscribe")
            assert simulator.stark_url.endswith("/stark/subscribe")
            (message,) = await publish(simulator, socket, 1)
            for name, entry in json.loads(message)["data"].items():
                assert list(entry) == [
                    "timestamp",
                    "asset_id",
                    "signature_type",
                    "trigger",
                    "price",
                    "signed_prices",
                ]
                assert entry["asset_id"] == name
                first = entry["signed_prices"][0]
                assert entry["signature_type"] == first["signature_type"] == "stark"
                assert list(first["timestamped_signature"]["signature"]) == ["r", "s"]
                asset_id = bytes.fromhex(first["external_asset_id"][2:])
                assert asset_id[:16].rstrip(b"\0").decode() == name

    run(test())


def test_names_may_be_any_text() -> None:
    names = ['a "b" \\', "Ü€😀", " ", "BTCUSD"]

    async def test() -> None:
        async with by_hand(assets=names) as simulator:
            socket = await subscriber(simulator, assets=names)
            (message,) = await publish(simulator, socket, 1)
            batch = all_good([message], simulator.signer)
            assert sorted(batch.symbols) == sorted(names)

    run(test())


# Requests.


@pytest.mark.parametrize("path", ["/evm/subscribe", "/evm/publish", "/stark/subscribe"])
def test_only_the_token_opens(path: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            for headers in ({}, {"Authorization": "Basic wrong"}):
                with pytest.raises(InvalidStatus) as refused:
                    await client(simulator, path, additional_headers=headers)
                assert refused.value.response.status_code == 401
            await (await client(simulator, path)).close()

    run(test())


def test_other_paths_are_not_found() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            for path in ("/stark/publish", "/ws", "/evm"):
                with pytest.raises(InvalidStatus) as refused:
                    await client(simulator, path)
                assert refused.value.response.status_code == 404

    run(test())


def test_subscriptions_are_answered() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await client(simulator)
            assert await ask(
                socket, {"type": "subscribe", "trace_id": "t1", "data": ["SOLUSD"]}
            ) == {"type": "subscribe", "data": ["SOLUSD"], "trace_id": "t1"}
            assert await ask(socket, {"type": "subscribe", "data": ["BTCUSD"]}) == {
                "type": "subscribe",
                "data": ["BTCUSD", "SOLUSD"],
            }
            assert await ask(socket, {"type": "unsubscribe", "data": ["SOLUSD"]}) == {
                "type": "unsubscribe",
                "data": ["BTCUSD"],
            }
            answer = await ask(socket, {"type": "subscribe", "data": ["ETHUSD", "*"]})
            assert answer["data"] == ["BTCUSD", "ETHUSD"]
            assert json.loads(await socket.recv()) == {
                "type": "subscribe",
                "error": "unknown assets: *",
            }
            (message,) = await publish(simulator, socket, 1)
            assert list(json.loads(message)["data"]) == ["BTCUSD", "ETHUSD"]
            await ask(socket, {"type": "unsubscribe", "data": ["BTCUSD", "ETHUSD"]})
            simulator.publish_now()
            assert simulator.groups == {}
            assert simulator.connections[0].n_sent == 1

    run(test())


@pytest.mark.parametrize(
    ("request_text", "kind"),
    [
        ("no JSON", "error"),
        ("[]", "error"),
        ("1", "error"),
        ("{}", "error"),
        ('{"type":"other"}', "other"),
        ('{"type":1}', "error"),
        ('{"type":"' + "x" * 200 + '"}', "error"),
        ('{"type":"subscribe"}', "subscribe"),
        ('{"type":"subscribe","data":"BTCUSD"}', "subscribe"),
        ('{"type":"subscribe","data":{"BTCUSD":1}}', "subscribe"),
        ('{"type":"subscribe","data":[1,null,["BTCUSD"],{}]}', "subscribe"),
        ('{"type":"subscribe","data":["\\ud800"]}', "subscribe"),
        ('{"type":"subscribe","data":["NOBODY"],"trace_id":7}', "subscribe"),
        ('{"type":"signed_prices","data":{}}', "signed_prices"),
        ("[" * 300 + "]" * 300, "error"),
    ],
)
def test_what_is_no_request_gets_a_reason(request_text: str, kind: str) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await client(simulator)
            answer = await ask(socket, request_text)
            assert answer["type"] == kind and answer["error"]
            assert "trace_id" not in answer
            assert simulator.connections[0].subscribed == set()

    run(test())


# Recordings, floods and limits.


def test_a_recording_is_replayed() -> None:
    frames = [b'{"type":"oracle_prices","data":{}}', (0.001, b"anything")]

    async def test() -> None:
        async with AggregatorSimulator(frames=frames) as simulator:
            socket = await subscriber(simulator)
            assert await socket.recv(decode=False) == frames[0]
            assert await socket.recv(decode=False) == b"anything"
            await simulator.replayed.wait()
            await simulator.send(b"more", to=simulator.connections[0])
            assert await socket.recv(decode=False) == b"more"

    run(test())


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_flood(compression: str | None) -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            socket = await subscriber(simulator, compression=compression)
            flooding = asyncio.create_task(
                simulator.flood(simulator.connections[0], 500, distinct=20)
            )
            messages = [await socket.recv(decode=False) for _ in range(500)]
            assert await flooding == 500
            assert messages[:20] * 25 == messages
            batch = all_good(messages[:20], simulator.signer)
            assert len(set(batch.aggregates["timestamp_ns"].tolist())) == 20

    run(test())


def test_a_limit_is_kept() -> None:
    async def test() -> None:
        async with by_hand(limit=2) as simulator:
            socket = await subscriber(simulator)
            for _ in range(5):
                simulator.publish_now()
            await simulator.stop()
            assert len(await rest(socket)) == 2

    run(test())


# Its parts.


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5], 5), ([3, 1, 2], 2), ([1, 2], 1), ([-1, -2], -2), ([4, 1, 9, 8], 6)],
)
def test_medians(values: list[int], expected: int) -> None:
    assert median(values) == expected


def test_javascripts_numbers() -> None:
    # As in Stork's documentation, whose examples went through JavaScript.
    assert js_rounded(1734390439136872448) == 1734390439136872400
    assert js_rounded(NOW_NS) == 1757543204021511000
    assert js_rounded(2**53) == 2**53


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"assets": 0}, "1 .. 65536 names"),
        ({"assets": []}, "1 .. 65536 names"),
        ({"assets": [""]}, "1 .. 65536 names"),
        ({"assets": ["A", "\ud800"]}, "surrogates"),
        ({"clock_period": 0}, "clock_period"),
        ({"delta_percent": 0}, "delta_percent"),
        ({"delta_percent": math.inf}, "delta_percent"),
        ({"n_publishers": 101}, "n_publishers"),
        ({"n_publishers": -1}, "n_publishers"),
        ({"allowed": []}, "no signer"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        AggregatorSimulator(**options)


@pytest.mark.parametrize("assets", [[1], [b"BTCUSD"], "BTCUSD"])
def test_names_of_a_wrong_type(assets: Any) -> None:
    with pytest.raises(TypeError, match=r"a str|one text"):
        AggregatorSimulator(assets=assets)


def test_headers_that_websockets_cannot_send() -> None:
    async def test() -> None:
        async with by_hand() as simulator:
            raw, head = await Raw.open(
                simulator, target="/evm/publish", X_Signature="\u00fc" * 132
            )
            assert head.startswith("HTTP/1.1 401")
            raw.close()

    run(test())
