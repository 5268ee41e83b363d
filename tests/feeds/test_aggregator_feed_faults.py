"""Every fault of the simulated aggregator: what comes before and after it is exact."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from aggregating import (
    NAMES,
    Reader,
    by_hand,
    data_sent,
    feed_of,
    kinds,
    publish,
    rows_in,
    subscribed,
)
from live import TOKEN, run, until

from codec import aggregator
from codec.errors import FeedAuthError, FeedProtocolError
from codec.feeds import AggregatorPublisher, ConnectionSettings, EventKind, State
from codec.simulator import AggregatorSimulator, Deflate

QUICK = ConnectionSettings(
    reconnect_delays_s=(0.001, 0.01),
    ping_after_s=0.2,
    pong_timeout_s=0.2,
    max_message_len=1 << 20,
)
# By which a connection ends, and is made again.
BREAKING: dict[str, dict[str, Any]] = {
    "cut": {"cut": True},
    "reset": {"cut": "reset"},
    "close": {"close": True},
    "going away": {"close": (1001, "maintenance")},
    "half a frame, cut": {"half_frame": "cut"},
    "half a frame, stalled": {"half_frame": "stall"},
    "garbage": {"garbage": True},
    "bomb": {"bomb": True},
    "oversize": {"oversize": True},
}


async def goes_on(
    simulator: AggregatorSimulator, reader: Reader, n_before: int
) -> None:
    """Another connection is there, and what it brings is delivered."""
    await until(lambda: len(simulator.history) > n_before)
    await subscribed(simulator)
    n = len(reader.rows)
    await publish(simulator, 3)
    await reader.has(n + 6)
    assert reader.rows[-6:] == rows_in(data_sent(simulator)[-3:])


@pytest.mark.parametrize("fault", BREAKING)
@pytest.mark.parametrize("deflate", [True, False])
def test_connections_that_break(fault: str, deflate: bool) -> None:
    async def main() -> None:
        async with by_hand(deflate=deflate) as simulator:
            feed = feed_of(simulator.url, connection=QUICK)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 2)
                await reader.has(4)
                for name, value in BREAKING[fault].items():
                    setattr(simulator.faults, name, value)
                await goes_on(simulator, reader, 1)
            assert feed.stats.reconnects >= 1
            assert set(kinds(feed)) <= {"bad_message", "unknown_message"}

    run(main())


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("fault", ["cut", "close", "half_frame", "garbage"])
def test_breaking_behind_every_nth_message(fault: str, after: int) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            value = (after, "cut") if fault == "half_frame" else after
            setattr(simulator.faults, fault, value)
            feed = feed_of(simulator.url, connection=QUICK)
            async with Reader(feed) as reader:
                while len(simulator.history) < 6:
                    simulator.publish_now()
                    await asyncio.sleep(0.002)
                setattr(simulator.faults, fault, None)
                n = len(simulator.history)
                for connection in list(simulator.connections):
                    connection.abort()
                await goes_on(simulator, reader, n)
            assert set(reader.rows) <= set(rows_in(data_sent(simulator)))
            assert len(set(reader.rows)) == len(reader.rows)

    run(main())


@pytest.mark.parametrize("fault", ["error_message", "duplicate_asset"])
def test_messages_that_are_wrong(fault: str) -> None:
    """A server's error, and an asset that stands twice: its first is good."""

    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                setattr(simulator.faults, fault, True)
                await publish(simulator, 6)
                await reader.has(12)
            kind = "server_error" if fault == "error_message" else "bad_message"
            assert set(kinds(feed)) == {kind}
            assert feed.stats.bad_signatures == 0

    run(main())


def test_messages_that_are_no_json() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                simulator.faults.garbage_text = 20
                await publish(simulator, 23)
                good = rows_in(data_sent(simulator)[-3:])
                await until(lambda: reader.rows[-6:] == good)
            assert reader.texts[-3:] == data_sent(simulator)[-3:]
            stats = feed.stats
            assert stats.bad + stats.not_data + stats.bad_signatures > 10

    run(main())


@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("deflate", [True, False])
def test_fragments(n: int, deflate: bool) -> None:
    async def main() -> None:
        async with by_hand(deflate=deflate) as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                simulator.faults.fragment = n
                await publish(simulator, 5)
                await reader.has(10)
            assert reader.rows == rows_in(data_sent(simulator))
            assert kinds(feed) == []

    run(main())


@pytest.mark.parametrize("takeover", [True, False])
def test_deflate_without_takeover(takeover: bool) -> None:
    async def main() -> None:
        async with by_hand(
            deflate=Deflate(server_no_context_takeover=not takeover)
        ) as simulator:
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 5)
                await reader.has(10)

    run(main())


def test_silence_and_a_dead_peer() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = feed_of(simulator.url, silence=0.2, connection=QUICK)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                simulator.faults.silence = True
                await until(lambda: len(simulator.history) == 2)
                simulator.faults.silence = False
                await goes_on(simulator, reader, 1)
                simulator.faults.withhold_pong = True
                await until(lambda: len(simulator.history) == 3)
                simulator.faults.withhold_pong = False
                await goes_on(simulator, reader, 2)
            reasons = " ".join(str(event.data.get("reason")) for event in feed.events)
            assert "no valid data" in reasons

    run(main())


@pytest.mark.parametrize("status", [429, 500, 503])
def test_servers_that_are_busy(status: int) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            simulator.faults.status = (status, 3)
            feed = feed_of(simulator.url)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 1)
                await reader.has(2)
            statuses = [attempt.status for attempt in simulator.attempts]
            assert statuses == [status] * 3 + [101]

    run(main())


@pytest.mark.parametrize(
    ("switch", "options", "kind"),
    [
        ({}, {"token": "another"}, FeedAuthError),
        ({"status": 404}, {}, FeedProtocolError),
        ({"redirect": "ws://elsewhere"}, {}, FeedProtocolError),
        (
            {"require_deflate": True},
            {"connection": ConnectionSettings(deflate=False)},
            FeedProtocolError,
        ),
    ],
)
def test_servers_that_refuse(
    switch: dict[str, Any], options: dict[str, Any], kind: type[Exception]
) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            for name, value in switch.items():
                setattr(simulator.faults, name, value)
            async with Reader(feed_of(simulator.url, **options)) as reader:
                await until(lambda: reader.failure is not None)
            assert isinstance(reader.failure, kind)
            assert reader.feed.states == (State.FAILED,)

    run(main())


def test_over_tls() -> None:
    async def main() -> None:
        async with by_hand(tls=True) as simulator:
            settings = ConnectionSettings(ssl_context=simulator.client_ssl_context())
            feed = feed_of(simulator.url, connection=settings)
            publisher = AggregatorPublisher(
                simulator.publish_url,
                key=bytes([9]) * 32,
                oracle_id="abcde",
                authenticate=True,
                connection=settings,
            )
            async with Reader(feed) as reader, publisher:
                await until(lambda: len(simulator.connections) == 2)
                publisher.publish("BTCUSD", "1.5")
                await until(lambda: simulator.history[1].n_accepted == 1)
                simulator.publish_now()
                await until(lambda: len(reader.rows) >= 1)
                assert publisher.stats.unsent_bytes == 0
            assert ("BTCUSD", 15 * 10**17) in [(n, v) for n, _, v in reader.rows]

    run(main())


def test_random_faults_from_publisher_to_subscriber() -> None:
    """Whatever breaks: only what was signed is delivered, and at last the newest."""
    chance = random.Random(7)
    choices = ["cut", "close", "garbage", "garbage_text", "wrong_key", "high_s"]
    choices += ["wrong_msg_hash", "wrong_price", "duplicate_asset", "unsigned"]

    async def main() -> None:
        options: dict[str, Any] = {"ticks": True, "clock_period": 0.01}
        async with by_hand(n_publishers=0, **options) as simulator:
            feed = feed_of(
                urls=[simulator.url] * 2,
                signers=simulator.signer,
                require="all",
                connection=QUICK,
            )
            publisher = AggregatorPublisher(
                simulator.publish_url,
                token=TOKEN,
                key=bytes([9]) * 32,
                oracle_id="abcde",
                every_update=True,
                clock_period=0.05,
                connection=QUICK,
            )
            published: set[tuple[str, int]] = set()
            async with Reader(feed) as reader, publisher:
                for i in range(150):
                    name = NAMES[i % 2]
                    published.add((name, i))
                    publisher.publish(name, i)
                    if i % 5 == 0:
                        fault = chance.choice(choices)
                        is_event = fault in ("cut", "close", "garbage")
                        setattr(simulator.faults, fault, True if is_event else 2)
                    await asyncio.sleep(0.01)
                for name in choices:
                    setattr(simulator.faults, name, None)
                last = {("BTCUSD", 148), ("ETHUSD", 149)}
                await until(lambda: {(n, v) for n, _, v in reader.rows[-10:]} == last)
            assert reader.failure is None
            assert {(name, value) for name, _, value in reader.rows} <= published
            assert len(set(reader.rows)) == len(reader.rows)
            stats = publisher.stats
            first = stats.sent - stats.repeated
            assert stats.published == first + stats.superseded + stats.waiting
            assert feed.events.counts[EventKind.BAD_SIGNATURE] > 0
            for text in reader.texts:
                assert aggregator.decode(text, on_error="skip").passed("all").any()

    run(main(), timeout_s=120)
