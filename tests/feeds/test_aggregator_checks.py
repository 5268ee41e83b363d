"""Clocks, ages, counts and events of aggregates; metrics and logs."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

import numpy as np
import pytest
from aggregating import (
    KEY,
    NAMES,
    SIGNER,
    Reader,
    by_hand,
    entry,
    feed_of,
    message,
    prices,
    subscribed,
)
from hypothesis import given
from hypothesis import strategies as st
from live import FAST, TOKEN, run, until
from raw_server import Connection, RawServer, frame
from test_metrics import fetch, value
from virtual_time import VirtualLoop, run_virtual

from codec import aggregator
from codec.feeds import AggregatorFeed, ConnectionSettings, EventKind, Events
from codec.feeds.ages import Ages
from codec.feeds.aggregator_reports import (
    count_faults,
    report_clocks,
    report_publishers,
    report_rejected,
)
from codec.feeds.asset_clocks import AssetClocks, Notice
from codec.feeds.logs import JsonFormatter
from codec.feeds.metrics import serve_metrics
from codec.monitor import age_bounds

S = 10**9


# Clocks.


def test_clocks() -> None:
    clocks = AssetClocks()
    assert clocks.observe([1, 2, 1], [5, 3, 5], [9, 9, 9]) == []
    assert clocks.observe([1, 2], [4, 3], [9, 9]) == [Notice(0, 1, 1, False)]
    assert clocks.observe([1], [3 * S], [S]) == [Notice(0, 1, 2 * S, True)]
    assert clocks.observe([1], [2 * S], [S]) == []  # by a second exactly
    assert clocks.observe([1, 1], [9 * S, 2 * S], [0, S]) == [
        Notice(1, 1, 7 * S, False)
    ]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 5)))
    )
)
def test_clocks_however_they_are_cut(chunks: list[list[tuple[int, int, int]]]) -> None:
    clocks, newest = AssetClocks(), dict.fromkeys(range(4), 0)
    for chunk in chunks:
        expected = []
        for row, (asset, time_s, now_s) in enumerate(chunk):
            if now_s and time_s > now_s + 1:
                expected.append(Notice(row, asset, (time_s - now_s) * S, True))
            elif time_s < newest[asset]:
                gone_s = newest[asset] - time_s
                expected.append(Notice(row, asset, gone_s * S, False))
            else:
                newest[asset] = time_s
        columns = [[row[i] for row in chunk] for i in range(3)]
        assert expected == clocks.observe(
            columns[0], [t * S for t in columns[1]], [t * S for t in columns[2]]
        )


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))))
def test_ages(pairs: list[tuple[int, int]]) -> None:
    ages, bounds = Ages(), age_bounds().tolist()
    expected = [0] * len(bounds)
    for received, sent in pairs:
        age = max(received - sent, 0)
        expected[next(i for i, bound in enumerate(bounds) if age <= bound)] += 1
    half = len(pairs) // 2
    for part in (pairs[:half], pairs[half:]):
        columns = [np.array([pair[i] for pair in part], np.uint64) for i in (0, 1)]
        ages.add(*columns)
    assert ages.histogram.tolist() == expected


# Events.


def new_events() -> Events:
    return Events(now_ns=lambda: 5, per_second=10**6)


def batch_of(n: int, change: Any) -> aggregator.AggregatorBatch:
    entries = {f"A{i}": entry(f"A{i}") for i in range(n)}
    for each in entries.values():
        change(each)
    return aggregator.decode(message(entries))


def wrong_hash(each: dict[str, Any]) -> None:
    stamped = each["stork_signed_price"]["timestamped_signature"]
    stamped["msg_hash"] = "0x" + "11" * 32


def wrong_publisher(each: dict[str, Any]) -> None:
    each["signed_prices"][1]["price"] = "8"


def test_those_that_are_left_out_are_told_together() -> None:
    batch, events = batch_of(50, wrong_hash), new_events()
    assert count_faults(batch) == {"msg_hash: mismatch": 50}
    report_rejected(events, 1, batch, batch.failures("aggregate"))
    (event,) = events
    names = tuple(f"A{i}" for i in range(10))
    assert event.kind is EventKind.BAD_SIGNATURE and event.connection == 1
    assert event.data["assets"] == names and event.data["aggregates"] == 50
    assert event.data["status"] == "msg_hash"
    assert "A9 and others, 50 in all: " in event.text
    assert events.counts[EventKind.BAD_SIGNATURE] == 50


def test_publishers_are_told_once_for_each() -> None:
    batch, events = batch_of(50, wrong_publisher), new_events()
    assert count_faults(batch)["publisher signature: wrong_signer"] == 50
    report_publishers(events, None, batch)
    (event,) = events
    address = batch.publishers[1]["publisher"].tobytes()
    assert event.data["publisher"] == f"0x{address.hex()}"
    assert event.data["prices"] == 50 == events.counts[EventKind.BAD_PUBLISHER]
    report_rejected(events, None, batch, batch.failures("all"))
    assert list(events)[-1].data["status"] in ("merkle_root", "publisher")


def test_many_publishers_are_not_told_one_by_one() -> None:
    batch, events = batch_of(1, wrong_publisher), new_events()
    row = batch.publishers[1]
    batch.publishers = np.repeat(batch.publishers[1:2], 100)
    batch.publishers["publisher"][:, 0] = np.arange(100)
    assert not row["verified"]
    report_publishers(events, None, batch)
    assert len(events) == 33
    assert list(events)[-1].text == "and 68 more prices in the same chunk"
    assert events.counts[EventKind.BAD_PUBLISHER] == 100


def test_clocks_are_told() -> None:
    events, symbols = new_events(), aggregator.Symbols(["A\x1b[1m", "B"])
    notices = [Notice(0, 0, 5, False), Notice(1, 1, 6, True)] * 30
    assert report_clocks(events, symbols, notices) == 30
    assert len(events) == 34
    assert events.counts[EventKind.BACKWARDS] == events.counts[EventKind.FUTURE] == 30
    first, second, *_ = events
    assert first.text == "the time of A\\x1b[1m went back by 5 ns"
    assert first.data == {"asset": "A\x1b[1m", "amount": 5}
    assert second.text == "B is from 6 ns in the future"


# Metrics and logs.


def test_metrics(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = AggregatorFeed(
                urls=[simulator.url] * 2,
                token=TOKEN,
                assets=NAMES[:2],
                connection=FAST,
                signers=simulator.signer,
            )
            async with Reader(feed) as reader:
                await subscribed(simulator, n_connections=2)
                simulator.faults.high_s = 1
                simulator.faults.wrong_publisher = 2
                for _ in range(6):
                    simulator.publish_now()
                    await asyncio.sleep(0.002)
                await reader.has(10)
                await until(lambda: feed.stats.duplicates == 10)
                with serve_metrics(feed, 0) as metrics:
                    samples, types = await asyncio.to_thread(fetch, metrics.port)
            assert types["stork_feed_aggregates"] == "counter"
            assert "stork_feed_updates" not in types
            for name, expected in {
                "aggregates": 10,
                "publisher_prices": 30,
                "bad_signatures": 4,
                "duplicates": 10,
                "backwards": 0,
            }.items():
                assert value(samples, f"stork_feed_{name}_total") == expected
            labels = {"status": "signature", "code": "high_s"}
            assert value(samples, "stork_feed_faults_total", **labels) == 4
            labels = {"status": "publisher signature", "code": "wrong_signer"}
            assert value(samples, "stork_feed_faults_total", **labels) == 8
            assert value(samples, "stork_feed_age_seconds_count") == 10
            assert value(samples, "stork_feed_assets") == 2
            kind = "bad_publisher"
            assert value(samples, "stork_feed_events_total", kind=kind) == 8

    with caplog.at_level(logging.DEBUG, "codec.feeds"):
        run(main())
    lines = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
    (bad, *_) = [line for line in lines if line.get("kind") == "bad_signature"]
    assert set(bad["data"]["assets"]) <= set(NAMES)
    assert TOKEN not in caplog.text


def test_metrics_before_anything_has_come() -> None:
    with serve_metrics(feed_of("ws://127.0.0.1:1"), 0) as metrics:
        samples, _ = fetch(metrics.port)
    assert value(samples, "stork_feed_aggregates_total") == 0


# Time by the event loop's clock.


def at_once(connection: Connection) -> None:
    """Real time, in which small messages would wait for another, does not go on."""
    place = connection.writer.get_extra_info("socket")
    place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@pytest.mark.parametrize("n_assets", [2, 120])  # the second one by a worker's thread
def test_a_minute_of_silence(n_assets: int) -> None:
    """Only what passes counts: forged prices come all the while."""
    names = [f"ASSET{i}" for i in range(n_assets)]
    good = prices(0, names, publishers=[KEY])
    forged = prices(1, names, publishers=[KEY], key=bytes(31) + b"\7")

    async def behave(connection: Connection) -> None:
        at_once(connection)
        await connection.send(frame(good))
        for _ in range(30):
            await asyncio.sleep(5)
            await connection.send(frame(forged))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with RawServer(behave) as server:
            settings = ConnectionSettings(ping_after_s=1000.0)
            feed = feed_of(
                server.url,
                assets=names,
                signers=SIGNER,
                connection=settings,
                clock_ns=loop.time_ns,
            )
            async with Reader(feed):
                start_s = loop.time()
                while len(server.connections) < 4:
                    await asyncio.sleep(1)
                # The first after a minute, with a delay of 1 to 2 s, and so on.
                assert 180 <= loop.time() - start_s <= 215
            assert feed.stats.aggregates >= 3 * n_assets
            assert feed.stats.bad_signatures >= 30 * n_assets

    run_virtual(main())


def test_an_asset_is_missed_after_minutes() -> None:
    async def behave(connection: Connection) -> None:
        at_once(connection)
        for i in range(200):
            names = NAMES[:2] if i < 30 or i > 150 else NAMES[:1]
            time_ns = loop_time_ns()
            entries = {name: entry(name, timestamp_ns=time_ns) for name in names}
            await connection.send(frame(message(entries)))
            await asyncio.sleep(1)

    def loop_time_ns() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return loop.time_ns()

    async def main() -> None:
        async with RawServer(behave) as server:
            settings = ConnectionSettings(ping_after_s=1000.0)
            feed = feed_of(server.url, connection=settings, clock_ns=loop_time_ns)
            start_ns = loop_time_ns()
            async with Reader(feed):
                while not feed.events.counts[EventKind.ASSET_BACK]:
                    await asyncio.sleep(1)
            found = [event for event in feed.events if "asset" in event.kind]
            assert [event.data["assets"] for event in found] == [("ETHUSD",)] * 2
            gone_s, back_s = ((event.time_ns - start_ns) / 1e9 for event in found)
            assert 88 <= gone_s <= 94 and 150 <= back_s <= 154

    run_virtual(main())
