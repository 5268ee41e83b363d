"""What a feed of the aggregator delivers: exact values, checked signatures, times."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aggregating import (
    KEY,
    NAMES,
    SIGNER,
    TIME_NS,
    Reader,
    by_hand,
    data_sent,
    entry,
    event_of,
    feed_of,
    kinds,
    message,
    odd,
    prices,
    publish,
    rows_in,
    rows_of,
    subscribed,
)
from live import TOKEN, run, until
from raw_server import Connection, Deflater, RawServer, frame
from vectors import VECTORS

from codec import aggregator
from codec.aggregator import AggregatorBatch
from codec.errors import ErrorCode, FeedAuthError, FeedClosed, SignatureError
from codec.feeds import AggregatorFeed, EventKind, State
from codec.recording import Recorder, read


@pytest.mark.parametrize("deflate", [True, False])
@pytest.mark.parametrize("require", ["aggregate", "all", "none"])
def test_rows_are_those_that_were_sent(deflate: bool, require: Any) -> None:
    async def main() -> None:
        async with by_hand(deflate=deflate) as simulator:
            feed = feed_of(simulator.url, require=require, signers=simulator.signer)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 20)
                await reader.has(40)
            assert reader.texts == data_sent(simulator)
            assert reader.rows == rows_in(data_sent(simulator))
            stats = feed.stats
            assert stats.aggregates == 40 and stats.messages == 20
            assert stats.publishers == 40 * 3
            n_answer = stats.bytes - sum(map(len, data_sent(simulator)))
            assert 0 < n_answer < 100
            assert (stats.wire_bytes < stats.bytes) == deflate
            assert kinds(feed) == [] and not stats.faults
            assert list(feed.symbols) == list(NAMES[:2])

    run(main())


def test_as_arrow() -> None:
    async def main() -> None:
        async with by_hand() as simulator, feed_of(simulator.url) as feed:
            await subscribed(simulator)
            await publish(simulator, 1)
            batch = await anext(feed)
            table = batch.to_arrow()
            rows = rows_in(data_sent(simulator))
            values = [int(v.scaleb(18)) for v in table["value"].to_pylist()]
            assert values == [value for _, _, value in rows]
            assert table["symbol"].to_pylist() == [name for name, _, _ in rows]
            assert all(batch.messages["receive_ns"] > 0)

    run(main())


# What does not pass.


FAULTS = {
    "wrong_key": ("signature", ErrorCode.WRONG_SIGNER),
    "high_s": ("signature", ErrorCode.HIGH_S),
    "wrong_msg_hash": ("msg_hash", ErrorCode.MISMATCH),
    "wrong_asset_id": ("encoded_asset_id", ErrorCode.MISMATCH),
    "wrong_price": ("consistency", ErrorCode.MISMATCH),
    "unsigned": ("signature", ErrorCode.UNSIGNED),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_aggregates_among_good_ones(fault: str) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, signers=simulator.signer)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                for i in range(10):
                    setattr(simulator.faults, fault, 1 if i in (3, 4) else None)
                    simulator.publish_now()
                await reader.has(16)
            sent = data_sent(simulator)
            assert reader.texts == [sent[i] for i in (0, 1, 2, 5, 6, 7, 8, 9)]
            stats = feed.stats
            assert stats.bad_signatures == 4 and stats.bad == 0
            status, code = FAULTS[fault]
            if fault == "wrong_key":  # of another key, that it claims as well
                code = ErrorCode.UNTRUSTED_SIGNER
            assert stats.faults[f"{status}: {code}"] == 4
            assert feed.events.counts[EventKind.BAD_SIGNATURE] == 4
            event = event_of(feed, EventKind.BAD_SIGNATURE)
            assert event.data["status"] == status and event.data["code"] is code
            assert set(event.data["assets"]) <= set(NAMES[:2])  # type: ignore[call-overload]

    run(main())


@pytest.mark.parametrize("fault", ["wrong_publisher", "wrong_merkle_root"])
@pytest.mark.parametrize("require", ["aggregate", "all"])
def test_what_only_all_requires(fault: str, require: Any) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, require=require)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                setattr(simulator.faults, fault, 2)
                await publish(simulator, 5)
                await reader.has(10 if require == "aggregate" else 6)
                await until(lambda: feed.stats.queued == 0)
            stats = feed.stats
            assert stats.bad_signatures == (0 if require == "aggregate" else 4)
            is_of_publisher = fault == "wrong_publisher"
            assert stats.bad_publishers == 4 * is_of_publisher
            if is_of_publisher:
                assert stats.faults == {"publisher signature: wrong_signer": 4}
                event = event_of(feed, EventKind.BAD_PUBLISHER)
                address = str(event.data["publisher"])
                assert address in [each.lower() for each in simulator.publishers]
            else:
                assert stats.faults == {"merkle_root: mismatch": 4}

    run(main())


def test_one_bad_aggregate_loses_no_other() -> None:
    entries = {name: entry(name, n) for n, name in enumerate("abcdef")}
    entries["c"]["stork_signed_price"]["price"] = "7"
    entries["d"] = entry("d", key=bytes(31) + b"\7")
    entries["e"]["price"] = None
    good = [(name, TIME_NS, "abcdef".index(name)) for name in "abf"]

    async def behave(connection: Connection) -> None:
        await connection.send(frame(message(entries)))

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url, assets=["abcdef"], signers=SIGNER)
            async with Reader(feed) as reader:
                await reader.has(3)
            assert reader.rows == good
            stats = feed.stats
            assert (stats.bad, stats.bad_signatures) == (1, 2)
            assert sorted(set(kinds(feed))) == ["bad_message", "bad_signature"]

    run(main())


def test_timestamps_as_javascript_rounds_them() -> None:
    """The aggregate's nanoseconds are signed, of the publishers' only the seconds."""

    async def main() -> None:
        async with by_hand(clock_period=0.0010000015) as simulator:
            feed = feed_of(simulator.url, require="none")
            async with feed:
                await subscribed(simulator)
                simulator.faults.rounded_timestamps = True
                await publish(simulator, 1)
                batch = await anext(feed)
            signatures = batch.aggregates["signature"].tolist()
            assert signatures == [ErrorCode.WRONG_SIGNER] * 2
            assert not batch.aggregates["verified"].any()
            assert batch.publishers["verified"].all()
            assert feed.stats.bad_publishers == 0

    run(main())


def test_only_bad_aggregates_are_silence() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, signers="0x" + "11" * 20, silence=0.2)
            async with Reader(feed) as reader:
                while len(simulator.history) < 2:
                    simulator.publish_now()
                    await asyncio.sleep(0.005)
            assert reader.rows == [] and feed.stats.bad_signatures > 0
            reasons = [str(event.data.get("reason")) for event in feed.events]
            assert any("no valid data" in reason for reason in reasons)

    run(main())


def test_stark_prices_come_unchecked() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(
                f"ws://127.0.0.1:{simulator.port}",
                signature_type="stark",
                require="none",
            )
            async with feed:
                await subscribed(simulator)
                await publish(simulator, 1)
                batch = await anext(feed)
            assert len(batch) == 2
            assert set(batch.aggregates["signature_type"].tolist()) == {
                aggregator.SignatureType.STARK
            }
            assert not batch.aggregates["verified"].any()

    run(main())


# Times.


def test_max_age() -> None:
    async def main() -> None:
        now_ns = TIME_NS
        async with by_hand(time_ns=lambda: now_ns) as simulator:
            feed = feed_of(simulator.url, max_age=5.0, clock_ns=lambda: now_ns)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 2)
                simulator.faults.backwards = 3
                await publish(simulator, 4)
                await reader.has(6)
            stats = feed.stats
            assert stats.stale == 6 == feed.events.counts[EventKind.STALE]
            assert stats.backwards == 6 == feed.events.counts[EventKind.BACKWARDS]
            event = event_of(feed, EventKind.BACKWARDS)
            assert event.data["asset"] in NAMES
            assert int(str(event.data["amount"])) > 9_000_000_000
            assert stats.age.p999_s is not None and 9 < stats.age.p999_s < 11

    run(main())


def test_prices_from_the_future() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                simulator.faults.future = 1
                await publish(simulator, 3)
                await reader.has(6)
            assert kinds(feed) == ["future", "future"]  # and none backwards

    run(main())


def test_an_asset_that_stays_away_and_comes_back() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, absent_after=0.2)
            async with Reader(feed):
                await subscribed(simulator)
                simulator.faults.silent_asset = "ETHUSD"

                async def until_event(kind: EventKind) -> None:
                    async with asyncio.timeout(20):
                        while not feed.events.counts[kind]:
                            await publish(simulator, 1)
                            await asyncio.sleep(0.01)

                await until_event(EventKind.ASSET_ABSENT)
                simulator.faults.silent_asset = None
                await until_event(EventKind.ASSET_BACK)
            found = [(str(event.kind), event.data["assets"]) for event in odd(feed)]
            assert found == [
                ("asset_absent", ("ETHUSD",)),
                ("asset_back", ("ETHUSD",)),
            ]

    run(main())


def test_a_clock_that_jumps() -> None:
    async def main() -> None:
        jump_ns = 0
        async with by_hand() as simulator:
            feed = feed_of(
                simulator.url,
                absent_after=0.4,
                clock_ns=lambda: simulator._time_ns() + jump_ns,
            )
            async with Reader(feed):
                await subscribed(simulator)
                for _ in range(2):
                    await publish(simulator, 1)
                    await asyncio.sleep(0.15)
                jump_ns = 3_600 * 10**9
                await publish(simulator, 1)
                await until(lambda: feed.events.counts[EventKind.CLOCK_JUMP] == 1)
            event = event_of(feed, EventKind.CLOCK_JUMP)
            assert event.data["jump_s"] == pytest.approx(3600, abs=0.5)

    run(main())


# Subscriptions.


def test_subscribing_at_run_time() -> None:
    async def main() -> None:
        names = [f"ASSET{i}" for i in range(1200)]
        async with by_hand(assets=names, n_publishers=1) as simulator:
            feed = feed_of(simulator.url, assets=[])
            await feed.subscribe(["ASSET7"])
            async with Reader(feed) as reader:
                await subscribed(simulator, ["ASSET7"])
                await feed.subscribe(names)
                await subscribed(simulator, names)
                await feed.unsubscribe(names[1:])
                await subscribed(simulator, names[:1])
                n = len(simulator.connections[0].received)
                await feed.subscribe(names[:1])  # nothing new: nothing is sent
                await feed.unsubscribe(names[5:6])
                for wrong in (["x", 1], [""], "BTCUSD", ["\ud800"], ["x" * 1025]):
                    with pytest.raises((TypeError, ValueError)):
                        await feed.subscribe(wrong)  # type: ignore[arg-type]
                assert feed.assets == {"ASSET0"}
                await publish(simulator, 1)
                await reader.has(1)
                assert len(simulator.connections[0].received) == n
            assert feed.events.counts[EventKind.ACKNOWLEDGED] > 4

    run(main())


def test_an_asset_that_the_server_does_not_know() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, assets=["BTCUSD", "NOSUCH"])
            async with Reader(feed) as reader:
                await subscribed(simulator, ["BTCUSD"])
                await publish(simulator, 1)
                await reader.has(1)
            event = event_of(feed, EventKind.SERVER_ERROR)
            assert "unknown assets: NOSUCH" in event.text
            assert kinds(feed) == ["server_error"]

    run(main())


def test_cut_at_every_point_without_losing_a_subscription() -> None:
    """The connection breaks behind the n-th message, whichever that is."""

    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                names = set(NAMES[:2])
                for i in range(12):
                    await subscribed(simulator, names)
                    if i == 4:
                        await feed.subscribe(["SOLUSD"])
                        names = set(NAMES)
                    if i == 8:
                        await feed.unsubscribe(["BTCUSD"])
                        names.remove("BTCUSD")
                    n = len(simulator.history)
                    await publish(simulator, i % 3)
                    simulator.faults.cut = ("reset",) if i % 2 else True
                    await until(lambda n=n: len(simulator.history) == n + 1)  # type: ignore[misc]
                await subscribed(simulator, names)
                await publish(simulator, 1)
                await until(lambda: len(reader.rows) > 0)
                await until(lambda: feed.stats.queued == 0)
                last = {name for name, _, _ in reader.rows[-2:]}
                assert last == {"ETHUSD", "SOLUSD"}
            assert feed.stats.reconnects == 12

    run(main())


def test_at_every_byte_of_a_message() -> None:
    whole = frame(prices(0))
    places = [*range(0, len(whole), 97), len(whole) - 1]

    async def behave(connection: Connection) -> None:
        await connection.until(lambda c: len(c.frames) == 1)
        n = len(server.connections)
        if n <= len(places):
            await connection.send(whole[: places[n - 1]])
            connection.cut()
        else:
            await connection.send(whole)

    async def main() -> None:
        nonlocal server
        server = RawServer(behave)
        async with server:
            feed = feed_of(server.url)
            async with Reader(feed) as reader:
                await reader.has(2)
            texts = [body for c in server.connections for _, body in c.frames[:1]]
            asked = b'{"type":"subscribe","data":["BTCUSD","ETHUSD"]}'
            assert texts == [asked] * (len(places) + 1)

    server: RawServer
    run(main())


# Several connections.


def test_two_connections_deliver_each_aggregate_once() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(urls=[simulator.url] * 2)
            async with Reader(feed) as reader:
                await subscribed(simulator, n_connections=2)
                await publish(simulator, 10)
                simulator.connections[0].abort()
                await publish(simulator, 10)
                await reader.has(40)
                await subscribed(simulator, n_connections=2)
                await publish(simulator, 10)
                await reader.has(60)
            assert len(set(reader.rows)) == 60
            assert 30 <= feed.stats.duplicates <= 60
            assert feed.stats.reconnects == 1

    run(main())


def test_a_forged_copy_that_comes_first_is_in_nobodys_way() -> None:
    good = entry()
    forged = json.loads(json.dumps(good))
    forged["stork_signed_price"]["price"] = forged["price"] = "5"
    damaged = json.loads(json.dumps(good))
    damaged["stork_signed_price"]["calculation_alg"]["checksum"] = "00" * 32
    turns = [frame(message({"BTCUSD": each})) for each in (forged, damaged)]

    async def behave(connection: Connection) -> None:
        if connection is server.connections[0]:
            await connection.send(b"".join(turns))
            await asyncio.sleep(0.05)
        else:
            await asyncio.sleep(0.05)
            await connection.send(frame(message({"BTCUSD": good})) * 2)

    async def main() -> None:
        nonlocal server
        server = RawServer(behave)
        async with server:
            feed = feed_of(urls=[server.url] * 2, signers=SIGNER)
            async with Reader(feed) as reader:
                await reader.has(1)
            assert reader.rows == [("BTCUSD", TIME_NS, 10**18)]
            assert feed.stats.duplicates == 1
            assert feed.stats.bad_signatures == 2

    server: RawServer
    run(main())


# Hostile servers.


def nested(depth: int) -> bytes:
    return b'{"type":"oracle_prices","data":' + b'{"a":' * depth + b"1" + b"}" * depth


HOSTILE = {
    "wrong type of data": b'{"type":"oracle_prices","data":[1,2]}',
    "no type": b'{"data":{}}',
    "a type twice": b'{"type":"oracle_prices","type":"oracle_prices","data":{}}',
    "numbers for entries": message(dict.fromkeys(map(str, range(50_000)), 1)),
    "a huge map": b'{"type":"oracle_prices","data":{%s}}'
    % b",".join(b'"%d":{}' % i for i in range(200_000)),
    "deep": nested(100_000),
    "deep and closed": nested(100_000) + b"}",
    "brackets": b"[" * 1_000_000,
    "a name twice": b'{"type":"oracle_prices","data":{"a":{},"a":{}}}',
    "no JSON": b"\xff" * 100_000,
    "numbers": b'{"type":"oracle_prices","data":{"a":%s}}' % (b"9" * 1_000_000),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_messages(what: str) -> None:
    """One clear event for each message, or one for each of a few entries; the good
    message behind it comes."""

    async def behave(connection: Connection) -> None:
        await connection.send(frame(HOSTILE[what]) + frame(prices(0)))

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url)
            async with Reader(feed) as reader:
                await reader.has(2)
            assert reader.rows == rows_in([prices(0)])
            events = odd(feed)
            assert 1 <= len(events) <= 2
            assert all(len(event.text) < 300 for event in events)
            assert len(feed.symbols) <= 3

    run(main())


def flood_of_names(n: int) -> Callable[[Connection], Awaitable[None]]:
    """Sends so many names, and then two prices."""
    names = [f"N{i}" for i in range(n)]
    price = {
        "timestamp": 1,
        "asset_id": "x",
        "signature_type": "evm",
        "price": "1",
    }

    async def behave(connection: Connection) -> None:
        for start in range(0, len(names), 5000):
            part = dict.fromkeys(names[start : start + 5000], price)
            await connection.send(frame(message(part)))
        await connection.send(frame(prices(0)))

    return behave


def test_an_asset_that_there_is_no_room_for() -> None:
    async def main() -> None:
        async with RawServer(flood_of_names(65_534)) as server:
            feed = feed_of(server.url)
            async with Reader(feed) as reader:
                await reader.has(2)
                assert len(feed.symbols) == 65_536
                await feed.subscribe(["N1", "LATE"])
                await server.connections[0].send(frame(prices(1, ["BTCUSD", "LATE"])))
                await reader.has(3)
            event = event_of(feed, EventKind.ASSET_ABSENT)
            assert event.data["assets"] == ("LATE",)
            assert "no room" in event.text and "LATE" in event.text

    run(main(), timeout_s=120)


def test_a_flood_of_names_leaves_room_for_those_asked_for() -> None:
    """More names than the table holds; those that are subscribed to stand in it."""

    async def main() -> None:
        async with RawServer(flood_of_names(70_000)) as server:
            feed = feed_of(server.url)
            async with Reader(feed) as reader:
                await reader.has(2)
            assert len(feed.symbols) <= 65_536
            assert feed.stats.bad_signatures > 60_000  # they have no signature
            assert len(feed.events) < 200

    run(main(), timeout_s=120)


# Large messages: a worker thread checks them.


def large(i: int, n: int = 120) -> bytes:
    names = [f"ASSET{k}" for k in range(n)]
    return prices(i, names, publishers=[KEY])


def test_a_large_message_does_not_hold_the_loop_up() -> None:
    texts = [large(i) for i in range(3)] + [prices(3)]
    deflater = Deflater()
    assert len(texts[0]) > 2 * (64 << 10)

    async def behave(connection: Connection) -> None:
        for text in texts:
            await connection.send(deflater.frame(text))

    async def main() -> None:
        server = RawServer(behave, extensions="permessage-deflate")
        async with server:
            feed = feed_of(server.url)
            names: list[str] = []
            decode = feed._intake.decode

            def watched(lines: Any) -> AggregatorBatch:
                names.append(threading.current_thread().name)
                return decode(lines)

            feed._intake.decode = watched  # type: ignore[method-assign]
            async with Reader(feed) as reader:
                await reader.has(3 * 120 + 2)
            assert reader.rows == rows_in(texts)  # in order
            assert any(name.startswith("codec.feeds.checks") for name in names)

    run(main())


def test_a_reader_that_is_cancelled_loses_no_large_message() -> None:
    texts = [large(0), large(1)]

    async def behave(connection: Connection) -> None:
        await connection.send(b"".join(map(frame, texts)))

    async def main() -> None:
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            decode = feed._intake.decode

            def slowly(lines: Any) -> AggregatorBatch:
                time.sleep(0.02)  # on the worker's thread
                return decode(lines)

            feed._intake.decode = slowly  # type: ignore[method-assign]
            rows: list[tuple[str, int, int]] = []
            n_cancelled = 0
            while len(rows) < 240:
                try:
                    async with asyncio.timeout(0.002):
                        rows += rows_of(await anext(feed))
                except TimeoutError:
                    n_cancelled += 1
            assert rows == rows_in(texts) and n_cancelled > 1
            waiting = asyncio.ensure_future(anext(feed))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(feed)
            waiting.cancel()

    run(main())


def test_closing_while_a_large_message_is_checked() -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(large(0)) * 3)

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url)
            async with feed:
                await until(lambda: feed.stats.queued == 3)
                waiting = asyncio.ensure_future(anext(feed))
                await asyncio.sleep(0)
            rows = rows_of(await waiting)
            async for batch in feed:  # what had arrived comes
                rows += rows_of(batch)
            assert rows == rows_in([large(0)]) * 3

    run(main())


def test_closing_just_before_a_large_message_is_checked() -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(large(0)) * 3)

    async def main(n_turns: int) -> None:
        async with RawServer(behave) as server:
            feed = feed_of(server.url)
            async with feed:
                await until(lambda: feed.stats.queued == 3)
                for client in feed._clients:
                    await client.close()  # so that the feed's end is near
                closing = asyncio.ensure_future(feed.close())
                for _ in range(n_turns):
                    await asyncio.sleep(0)
                rows = [row async for batch in feed for row in rows_of(batch)]
                await closing
            assert rows == rows_in([large(0)]) * 3

    for n_turns in range(8):
        run(main(n_turns))


# The rest of what feeds have.


def test_without_asyncio() -> None:
    async def serve(stop: asyncio.Event, ready: Any) -> None:
        async with by_hand(ticks=True, clock_period=0.01) as simulator:
            ready(simulator.url)
            await stop.wait()

    urls: list[str] = []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(serve(stop, urls.append),)
    )
    thread.start()
    while not urls:
        time.sleep(0.001)
    with feed_of(urls[0]) as live:
        for i, batch in enumerate(live):
            assert isinstance(batch, AggregatorBatch) and len(batch) >= 1
            if i == 0:
                live.call(live.feed.subscribe(["SOLUSD"]))
            if "SOLUSD" in [batch.symbol(k) for k in range(len(batch))]:
                break
    assert live.feed.states == (State.DISCONNECTED,)
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_a_recorder_gets_every_line(tmp_path: Path) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            with Recorder(tmp_path) as recorder:
                signers = simulator.signer
                feed = feed_of(simulator.url, recorder=recorder, signers=signers)
                async with Reader(feed) as reader:
                    await subscribed(simulator)
                    simulator.faults.wrong_key = 2
                    await publish(simulator, 6)
                    await reader.has(8)
            lines = b"".join(bytes(chunk) for chunk in read(tmp_path))
            batch = aggregator.decode_lines(lines, signers=signers, on_error="skip")
            texts = [bytes(batch.text(i)) for i in range(len(batch.messages))]
            assert texts == data_sent(simulator)
            assert int(batch.passed("aggregate").sum()) == 8

    run(main())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"assets": "BTCUSD"}, TypeError),
        ({"assets": [1]}, TypeError),
        ({"assets": [""]}, ValueError),
        ({"require": "some"}, ValueError),
        ({"signers": "0x1234"}, SignatureError),
        ({"signature_type": "rsa"}, ValueError),
        ({"signature_type": "stark"}, ValueError),
        ({"signature_type": "stark", "url": "ws://a/evm/subscribe"}, ValueError),
        ({"url": "ws://a/evm/publish"}, ValueError),
        ({"url": "https://a"}, ValueError),
        ({"url": "ws://me:secret@a"}, ValueError),
        ({"urls": []}, ValueError),
        ({"token": "two words"}, ValueError),
        ({"token": None}, TypeError),
        ({"max_age": 0}, ValueError),
        ({"silence": -1.0}, ValueError),
        ({"silence": math.nan}, ValueError),
        ({"absent_after": math.nan}, ValueError),
        ({"max_age": math.nan}, ValueError),
        ({"threads": -1}, ValueError),
        ({"on_overflow": "explode"}, ValueError),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    fine: dict[str, Any] = {"token": TOKEN, "assets": ["a"]}
    if "urls" not in arguments:
        fine["url"] = "ws://a"
    with pytest.raises(error) as caught:
        AggregatorFeed(**(fine | arguments))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("seconds", [1e10, 1e300, math.inf])
def test_limits_that_are_as_good_as_none(seconds: float) -> None:
    async def main() -> None:
        limits = dict.fromkeys(("max_age", "silence", "absent_after"), seconds)
        async with by_hand() as simulator, feed_of(simulator.url, **limits) as feed:
            await subscribed(simulator)
            simulator.publish_now()
            assert len(await anext(feed)) == 2
            assert feed.stats.stale == 0

    run(main())


def test_a_failure_that_is_raised_often_does_not_grow() -> None:
    async def main() -> None:
        async with (
            by_hand() as simulator,
            feed_of(simulator.url, token="other") as feed,
        ):
            depths = set()
            for _ in range(5):
                with pytest.raises(FeedAuthError) as caught:
                    await anext(feed)
                depths.add(len(caught.traceback))
            assert len(depths) == 1

    run(main())


def test_what_a_feed_looks_like() -> None:
    feed = feed_of("ws://127.0.0.1:1")
    assert repr(feed) == "<AggregatorFeed: 2 assets, disconnected>"
    assert repr(AggregatorFeed.__new__(AggregatorFeed)) == "<AggregatorFeed>"
    flat = feed.stats.as_dict()
    assert flat["aggregates"] == 0 and flat["age_p50_s"] is None
    assert "faults" not in flat

    async def main() -> None:
        with pytest.raises(FeedClosed):
            await anext(feed)

    run(main())


def test_real_messages() -> None:
    paths = sorted(VECTORS.glob("aggregator_oracle_prices_*.ndjson"))
    if not paths:
        pytest.skip("the real messages are not there")
    texts = [line for path in paths for line in path.read_bytes().splitlines()]

    async def behave(connection: Connection) -> None:
        await connection.send(b"".join(map(frame, texts)))

    async def main() -> None:
        async with RawServer(behave) as server:
            names = ["POSITIVE_ASSET_1", "NEGATIVE_ASSET_1"]
            feed = feed_of(
                server.url,
                assets=names,
                require="all",
                signers="0xC4A02e7D370402F4afC36032076B05e74FF81786",
            )
            async with Reader(feed) as reader:
                await reader.has(100)
            assert reader.rows == rows_in(texts)
            assert kinds(feed) == []

    run(main())
