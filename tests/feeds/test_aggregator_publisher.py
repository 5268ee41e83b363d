"""A publisher: what it sends, when, and what it does while nobody takes it."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
import threading
import time
import traceback
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest
from aggregating import NAMES, Reader, by_hand, event_of, feed_of, kinds
from live import FAST, TOKEN, run, until
from raw_server import TEXT, Connection, RawServer, frame
from virtual_time import VirtualLoop, run_virtual

from codec import aggregator
from codec.errors import FeedAuthError, FeedClosed, FeedError, SignatureError
from codec.feeds import AggregatorPublisher, ConnectionSettings, EventKind, State
from codec.simulator import AggregatorSimulator

KEY = bytes([7]) * 32
ADDRESS = aggregator.key_address(KEY)
ONE = 10**18


def publisher_of(url: str, **arguments: Any) -> AggregatorPublisher:
    defaults: dict[str, Any] = {
        "token": TOKEN,
        "key": KEY,
        "oracle_id": "abcde",
        "clock_period": None,
        "delta_percent": None,
        "every_update": True,
        "connection": FAST,
    }
    return AggregatorPublisher(url, **(defaults | arguments))


def received(connection: Connection) -> list[dict[str, Any]]:
    """The `data` of all that a raw server was sent."""
    texts = [body for opcode, body in connection.frames if opcode == TEXT]
    messages = [json.loads(text) for text in texts]
    assert all(message["type"] == "signed_prices" for message in messages)
    return [message["data"] for message in messages]


def prices_in(data: list[dict[str, Any]]) -> list[tuple[str, int, int, str]]:
    result = []
    for message in data:
        for name, entry in message.items():
            signed = entry["signed_price"]
            time_ns = signed["timestamped_signature"]["timestamp"]
            result.append((name, int(signed["price"]), time_ns, entry["trigger"]))
    return result


async def nothing(_: Connection) -> None:
    pass


def account(publisher: AggregatorPublisher) -> None:
    """Every price is sent, superseded, or waits."""
    stats = publisher.stats
    first = stats.sent - stats.repeated
    assert stats.published == first + stats.superseded + stats.waiting


# What is sent.


def test_what_a_price_says() -> None:
    async def main() -> None:
        async with RawServer(nothing) as server:
            async with publisher_of(server.url.removesuffix("/ws")) as publisher:
                publisher.publish("BTCUSD", "72147.681412670819", 1710191092123456789)
                await until(lambda: publisher.stats.messages == 1)
                connection = server.connections[0]
                await connection.until(lambda c: len(c.frames) == 1)
            assert server.requests[0].startswith("GET /evm/publish HTTP/1.1")
            assert f"Authorization: Basic {TOKEN}" in server.requests[0]
            (data,) = received(connection)
            signed = aggregator.sign_price(
                "BTCUSD",
                72147681412670819000000,
                timestamp_ns=1710191092123456789,
                key=KEY,
            )
            assert data == {
                "BTCUSD": {
                    "oracle_id": "abcde",
                    "asset_id": "BTCUSD",
                    "trigger": "unspecified",
                    "signed_price": {**signed.as_message(), "metadata": {}},
                }
            }
            stats = publisher.stats
            assert (stats.sent, stats.signed, stats.messages) == (1, 1, 1)
            assert stats.bytes == len(connection.frames[0][1])
            account(publisher)

    run(main())


@pytest.mark.parametrize("deflate", [True, False])
def test_to_the_server_and_back(deflate: bool) -> None:
    """Publisher, aggregator, subscriber: every value exactly."""
    values = [1, -1, 2**127 - 1, -(2**127), 0, 123456789 * ONE + 1, -5 * ONE]

    async def main() -> None:
        async with by_hand(deflate=deflate, n_publishers=0) as simulator:
            feed = feed_of(simulator.url, signers=simulator.signer, require="all")
            async with (
                Reader(feed) as reader,
                publisher_of(simulator.publish_url, authenticate=True) as publisher,
            ):
                await subscribed_reader(simulator)
                for i, value in enumerate(values):
                    publisher.publish("BTCUSD", value)
                    publisher.publish("ETHUSD", Decimal(i).scaleb(-18))
                    await accepted(simulator, 2 * (i + 1))
                    simulator.publish_now()
                    await reader.has(2 * (i + 1))
            rows = [(name, value) for name, _, value in reader.rows]
            expected = [
                row
                for i, value in enumerate(values)
                for row in (("BTCUSD", value), ("ETHUSD", i))
            ]
            assert rows == expected
            assert feed.stats.publishers == len(rows)
            assert kinds(feed) == [] == kinds(publisher)

    run(main())


async def subscribed_reader(simulator: Any) -> None:
    await until(
        lambda: any(c.subscribed == set(NAMES[:2]) for c in simulator.connections)
    )


async def accepted(simulator: Any, n: int) -> None:
    """Waits until the aggregator has taken so many prices, and refused none."""
    await until(lambda: sum(c.n_accepted for c in simulator.history) >= n)
    assert sum(c.n_accepted for c in simulator.history) == n
    assert not any(c.n_refused for c in simulator.history)


def values_of(simulator: AggregatorSimulator) -> list[int]:
    """What publishers have said of BTCUSD last."""
    prices = simulator._aggregation._book.prices("BTCUSD", 0)
    return [price.value for price in prices]


def test_many_assets_stand_in_few_messages() -> None:
    async def main() -> None:
        names = [f"ASSET{i}" for i in range(170)]
        async with by_hand(assets=names) as simulator:
            async with publisher_of(simulator.publish_url) as publisher:
                for i, name in enumerate(names):
                    publisher.publish(name, i)
                await accepted(simulator, 170)
            stats = publisher.stats
            assert (stats.sent, stats.messages) == (170, 4)
            assert 0 < stats.sign_s < 5

    run(main())


def test_floats() -> None:
    publisher = publisher_of("ws://a")
    with pytest.raises(TypeError, match="not exact"):
        publisher.publish("a", 0.1)
    assert publisher.stats.published == 0
    publisher_of("ws://a", allow_float=True).publish("a", 0.1)


@pytest.mark.parametrize(
    ("asset", "value", "time_ns"),
    [
        ("", 1, None),
        ("\ud800", 1, None),
        (5, 1, None),
        ("a", "x", None),
        ("a", None, None),
        ("a", 1, -1),
        ("a", 1, 2**64),
        ("a", 1, 1.5),
        ("a", 1, "1"),
    ],
)
def test_what_is_no_price(asset: Any, value: Any, time_ns: Any) -> None:
    publisher = publisher_of("ws://a")
    with pytest.raises((TypeError, ValueError)):
        publisher.publish(asset, value, time_ns)
    assert publisher.stats.published == 0


# When it is sent.


def test_the_clock_and_deltas() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with RawServer(nothing) as server:
            publisher = publisher_of(
                server.url,
                every_update=False,
                clock_period=0.5,
                delta_percent=1,
                clock_ns=loop.time_ns,
                connection=ConnectionSettings(ping_after_s=1000.0),
            )
            async with publisher:
                await until(lambda: publisher.state is State.CONNECTED)
                publisher.publish("a", 1000)
                await asyncio.sleep(0.1)
                publisher.publish("a", 1010)  # no more than 1 %
                await asyncio.sleep(0.1)
                publisher.publish("a", 1011)
                await asyncio.sleep(60)
                await server.connections[0].until(lambda c: len(c.frames) > 100)
                sent = prices_in(received(server.connections[0]))
            assert [row[1::2] for row in sent[:3]] == [
                (1000, "delta"),
                (1011, "delta"),
                (1011, "clock"),
            ]
            assert {row[1::2] for row in sent[3:]} == {(1011, "clock")}
            assert 119 <= len(sent) - 2 <= 121
            times = [time_ns for _, _, time_ns, _ in sent]
            steps = {b - a for a, b in itertools.pairwise(times[2:])}
            assert {round(step / 1e6) for step in steps} == {500}
            stats = publisher.stats
            assert (stats.superseded, stats.repeated) == (1, len(sent) - 2)
            account(publisher)

    run_virtual(main())


def test_withdrawn() -> None:
    async def main() -> None:
        async with RawServer(nothing) as server:
            options = {"every_update": False, "clock_period": 0.01}
            async with publisher_of(server.url, **options) as publisher:
                publisher.publish("a", 1)
                await until(lambda: publisher.stats.repeated > 3)
                assert publisher.withdraw("a") and not publisher.withdraw("a")
                n = publisher.stats.sent
                await asyncio.sleep(0.05)
                assert publisher.stats.sent == n

    run(main())


# Connections.


def test_before_anybody_listens() -> None:
    """Prices of that time wait, the newest of each asset."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as place:
            port = place.getsockname()[1]
        publisher = publisher_of(f"ws://127.0.0.1:{port}/evm/publish")
        for i in range(10):
            publisher.publish("BTCUSD", i)  # before it is open, too
        async with publisher:
            for i in range(100):
                publisher.publish("BTCUSD", 100 + i)
                publisher.publish("ETHUSD", i)
            await until(lambda: publisher.state is State.RECONNECTING)
            stats = publisher.stats
            assert (stats.sent, stats.superseded, stats.waiting) == (0, 208, 2)
            async with by_hand(port=port) as simulator:
                await accepted(simulator, 2)
                assert values_of(simulator) == [199]
            account(publisher)

    run(main())


@pytest.mark.parametrize("how", ["cut", "reset", "close", "garbage", "stall"])
def test_connections_that_break(how: str) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            settings = ConnectionSettings(
                reconnect_delays_s=(0.001, 0.01), ping_after_s=0.1, pong_timeout_s=0.1
            )
            publisher = publisher_of(
                simulator.publish_url, authenticate=True, connection=settings
            )
            async with publisher:
                for i in range(6):
                    publisher.publish("BTCUSD", 1000 * (i + 1))
                    await until(
                        lambda i=i: (
                            [  # type: ignore[misc]
                                price.value
                                for price in simulator._aggregation._book.prices(
                                    "BTCUSD", 0
                                )
                            ]
                            == [1000 * (i + 1)]
                        )
                    )
                    n = len(simulator.history)
                    if how == "stall":
                        simulator.faults.withhold_pong = True
                    elif how == "reset":
                        simulator.faults.cut = "reset"
                    else:
                        setattr(simulator.faults, how, True)
                    await until(lambda n=n: len(simulator.history) > n)  # type: ignore[misc]
                    simulator.faults.withhold_pong = False
                    await until(lambda: publisher.state is State.CONNECTED)
                assert publisher.stats.reconnects >= 6
                account(publisher)
            assert {attempt.status for attempt in simulator.attempts} == {101}

    run(main())


@pytest.mark.parametrize("auth", ["token", "signature", "both", "either"])
def test_who_may_publish(auth: Any) -> None:
    async def main() -> None:
        async with by_hand(publish_auth=auth, allowed=ADDRESS) as simulator:
            options: dict[str, Any] = {"authenticate": auth != "token"}
            if auth == "signature":
                options["token"] = None
            async with publisher_of(simulator.publish_url, **options) as publisher:
                publisher.publish("BTCUSD", 1)
                await accepted(simulator, 1)
                assert publisher.failure is None

    run(main())


def test_headers_are_made_anew_for_each_connection() -> None:
    async def cut_first(connection: Connection) -> None:
        if len(server.connections) < 4:
            connection.cut()

    async def main() -> None:
        nonlocal server
        server = RawServer(cut_first)
        async with server, publisher_of(server.url, authenticate=True, token=None):
            await until(lambda: len(server.connections) == 4)
        heads = [request.split("\r\n") for request in server.requests]
        times = [next(h for h in head if h.startswith("X-Timestamp")) for head in heads]
        assert len(set(times)) == 4
        signatures = {next(h for h in head if "X-Signature:" in h) for head in heads}
        keys = {next(h for h in head if "X-Public-Key" in h).lower() for head in heads}
        # The second is what is signed.
        assert len(signatures) <= 4 and keys == {f"x-public-key: 0x{ADDRESS.hex()}"}
        assert not any("Authorization" in request for request in server.requests)

    server: RawServer
    run(main())


def test_refused() -> None:
    async def main() -> None:
        async with by_hand(allowed=bytes(19) + b"\1") as simulator:
            publisher = publisher_of(simulator.publish_url, authenticate=True)
            async with publisher:
                await until(lambda: publisher.failure is not None)
                assert publisher.state is State.FAILED
                with pytest.raises(FeedAuthError, match="HTTP 403"):
                    publisher.publish("BTCUSD", 1)
            with pytest.raises(FeedClosed):
                publisher.publish("BTCUSD", 1)

    run(main())


def test_a_server_that_takes_nothing() -> None:
    """The socket fills up; beyond that only the newest price of each asset waits."""
    names = [f"ASSET{i}" for i in range(300)]

    async def behave(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await release.wait()
        connection.writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def main() -> None:
        nonlocal release
        release = asyncio.Event()
        async with RawServer(behave) as server:
            publisher = publisher_of(server.url, max_unsent_len=50_000)
            async with publisher:
                await until(lambda: publisher.state is State.CONNECTED)
                async with asyncio.timeout(60):
                    i = 0
                    counts = publisher.events.counts
                    n_superseded = 0
                    while publisher.stats.superseded < n_superseded + 3000:
                        i += 1
                        for name in names:
                            publisher.publish(name, i)
                        await asyncio.sleep(0.001)
                        if not counts[EventKind.OVERFLOW]:
                            n_superseded = publisher.stats.superseded
                stats = publisher.stats
                assert stats.unsent_bytes < 50_000 + 50 * 1000
                assert publisher.events.counts[EventKind.OVERFLOW] == 1
                account(publisher)
                release.set()
                await until(lambda: publisher.stats.waiting == 0)
                connection = server.connections[0]
                await connection.until(
                    lambda c: len(prices_in(received(c))) == publisher.stats.sent
                )
                newest = {name: v for name, v, _, _ in prices_in(received(connection))}
                assert newest == dict.fromkeys(names, i)

    release: asyncio.Event
    run(main(), timeout_s=120)


# What the server says.


def test_prices_that_the_server_refuses() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            async with publisher_of(simulator.publish_url) as publisher:
                publisher.publish("NOSUCH", 1)
                publisher.publish("BTCUSD", 1, 5)  # long ago
                await until(lambda: publisher.stats.errors == 1)
            event = event_of(publisher, EventKind.SERVER_ERROR)
            assert "2 prices refused" in event.text and "NOSUCH" in event.text
            assert publisher.stats.replies == 1 and event.connection == 0

    run(main())


async def far_away(server_port: int) -> asyncio.Server:
    """A way to a server that takes 50 ms, and as much back."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(0.05)
                writer.write(data)
        writer.close()

    async def connect(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there = await asyncio.open_connection("127.0.0.1", server_port)
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    return await asyncio.start_server(connect, "127.0.0.1", 0)


def test_prices_that_a_server_far_away_refuses_at_the_end() -> None:
    """What it says of the last prices comes after they were sent."""

    async def main() -> None:
        async with by_hand() as simulator:
            server_port = urlsplit(simulator.publish_url).port
            assert server_port is not None
            between = await far_away(server_port)
            host, port = between.sockets[0].getsockname()
            async with publisher_of(f"ws://{host}:{port}") as publisher:
                await until(lambda: publisher.state is State.CONNECTED)
                publisher.publish("NOSUCH", 1)
            assert publisher.stats.errors == 1
            assert "NOSUCH" in event_of(publisher, EventKind.SERVER_ERROR).text
            between.close()

    run(main())


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff" * 1000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"{}",
        b"\n\n\n",
        b"1" * 10**6,
    ],
)
def test_answers_of_a_hostile_server(answer: bytes) -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(answer) * 5)

    async def main() -> None:
        server = RawServer(behave)
        async with server, publisher_of(server.url) as publisher:
            publisher.publish("a", 1)
            await until(lambda: publisher.stats.replies >= 5)
            assert publisher.stats.errors == 0
            assert set(kinds(publisher)) == {"unknown_message"}
            await until(lambda: publisher.stats.sent == 1)

    run(main())


def test_a_flood_of_answers() -> None:
    text = frame(b'{"type":"signed_prices","error":"x"}')

    async def behave(connection: Connection) -> None:
        for _ in range(20):
            await connection.send(text * 2000)

    async def main() -> None:
        server = RawServer(behave)
        async with server, publisher_of(server.url) as publisher:
            await until(lambda: publisher.stats.replies > 1000)
            publisher.publish("a", 1)
            await until(lambda: publisher.stats.sent == 1)
            assert publisher._inbox.size <= 2 << 20
            assert len(publisher.events) < 200

    run(main())


# The end.


def test_what_was_never_sent_goes_out_before_the_end() -> None:
    async def main() -> None:
        async with RawServer(nothing) as server:
            options = {"every_update": False, "clock_period": 100.0}
            async with publisher_of(server.url, **options) as publisher:
                publisher.publish("a", 1)
                publisher.publish("b", 2)
            assert [row[:2] for row in prices_in(received(server.connections[0]))] == [
                ("a", 1),
                ("b", 2),
            ]
            with pytest.raises(FeedClosed):
                await publisher.__aenter__()
            await publisher.close()

    run(main())


def test_the_end_waits_for_nobody_for_long() -> None:
    async def main() -> None:
        settings = ConnectionSettings(close_timeout_s=0.05)
        start = time.monotonic()
        publisher = publisher_of("ws://127.0.0.1:1/evm/publish", connection=settings)
        async with publisher:
            publisher.publish("a", 1)
        assert 0.04 < time.monotonic() - start < 5
        other = publisher_of("ws://127.0.0.1:1/evm/publish")
        await other.__aenter__()
        other.publish("a", 1)
        start = time.monotonic()
        await other.__aexit__(KeyError, KeyError(), None)
        assert time.monotonic() - start < 1  # 2 s where it had been waited for

    run(main())


def test_cancelled_while_closing() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        publisher = publisher_of("ws://127.0.0.1:1/evm/publish")
        await publisher.__aenter__()
        publisher.publish("a", 1)
        closing = asyncio.create_task(publisher.close())
        await asyncio.sleep(0.01)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert publisher.state is State.DISCONNECTED
        assert asyncio.all_tasks() == before

    run(main())


def test_cancelled_twice_while_closing() -> None:
    async def main() -> None:
        settings = ConnectionSettings(close_timeout_s=30)
        before = asyncio.all_tasks()
        publisher = publisher_of("ws://127.0.0.1:1/evm/publish", connection=settings)
        await publisher.__aenter__()
        publisher.publish("a", 1)
        closing = asyncio.create_task(publisher.close())
        for _ in range(2):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert publisher.state is not State.CONNECTED
        await until(lambda: asyncio.all_tasks() == before)

    run(main())


def test_a_failure_that_is_raised_often_does_not_grow() -> None:
    async def main() -> None:
        async with (
            by_hand() as simulator,
            publisher_of(simulator.publish_url, token="other") as publisher,
        ):
            await until(lambda: publisher.failure is not None)
            depths = set()
            for _ in range(5):
                with pytest.raises(FeedAuthError) as caught:
                    publisher.publish("BTCUSD", 1)
                depths.add(len(caught.traceback))
            assert len(depths) == 1

    run(main())


def test_a_fault_of_ours_is_no_silence() -> None:
    async def main() -> None:
        async with RawServer(nothing) as server, publisher_of(server.url) as publisher:
            publisher._sender._send_some = None  # type: ignore[method-assign, assignment]
            publisher.publish("a", 1)
            await until(lambda: publisher.failure is not None)
            with pytest.raises(FeedError, match="TypeError"):
                publisher.publish("a", 1)

    run(main())


# Without asyncio.


def test_from_several_threads() -> None:
    n_threads, n_each = 4, 300
    got: list[Any] = []
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with by_hand(assets=[f"T{i}" for i in range(n_threads)]) as simulator:
            got.append(simulator)
            ready.set()
            await asyncio.to_thread(done.wait, 60)
            book = simulator._aggregation._book
            got.append([book.prices(f"T{i}", 0)[0].value for i in range(n_threads)])

    server = threading.Thread(target=lambda: run(serve()))
    server.start()
    assert ready.wait(20)
    with publisher_of(got[0].publish_url) as publisher:

        def work(i: int) -> None:
            for k in range(n_each):
                publisher.publish(f"T{i}", k)
                if k % 50 == 0:
                    time.sleep(0.001)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(n_threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 20
        while publisher.stats.waiting and time.monotonic() < deadline:
            time.sleep(0.005)
    time.sleep(0.1)
    done.set()
    server.join()
    assert got[1] == [n_each - 1] * n_threads
    stats = publisher.stats
    assert stats.published == n_threads * n_each and stats.waiting == 0
    account(publisher)
    with pytest.raises(FeedClosed):
        publisher.publish("T0", 1)


def test_a_thread_that_publishes_wakes_the_sender() -> None:
    """Also where it sleeps for ever."""

    async def main() -> None:
        server = RawServer(nothing)
        async with server, publisher_of(server.url) as publisher:
            await until(lambda: publisher.state is State.CONNECTED)
            for i in range(200):
                await asyncio.to_thread(publisher.publish, "a", i)
                await until(
                    lambda i=i: publisher.stats.sent == i + 1,  # type: ignore[misc]
                    timeout_s=2.0,
                )

    run(main())


# Secrets and arguments.


def test_nobody_sees_the_key(caplog: pytest.LogCaptureFixture) -> None:
    secret = "8b558d5fc31eb64bb51d44b4b28658180e96764d5d5ac68e6d124f86f576d9de"
    shown: list[str] = []
    for wrong in (
        {"oracle_id": "abc"},
        {"key": secret + "00"},
        {"key": "0x" + secret[:-1] + "g"},
        {"token": "no token at all"},
        {"url": "ws://a/evm/subscribe"},
    ):
        fine: dict[str, Any] = {"url": "ws://a", "key": secret, "oracle_id": "abcde"}
        with pytest.raises((ValueError, SignatureError)) as caught:
            AggregatorPublisher(**(fine | wrong))
        frames = traceback.walk_tb(caught.value.__traceback__)
        ours = [
            each for each in frames if "/codec/feeds/" in each[0].f_code.co_filename
        ]
        shown.append(str(caught.value))
        shown += [repr(frame.f_locals) for frame, _ in ours]

    async def main() -> None:
        async with RawServer(nothing) as server:
            publisher = publisher_of(server.url, key=secret, authenticate=True)
            shown.append(repr(publisher))
            async with publisher:
                publisher.publish("a", 1)
                await until(lambda: publisher.stats.sent == 1)
                shown.extend(map(str, publisher.events))
                shown.append(repr(vars(publisher)))
                shown.append(repr(vars(publisher._sender)))

    with caplog.at_level(logging.DEBUG):
        run(main())
    for text in [*shown, caplog.text]:
        assert secret not in text
        assert bytes.fromhex(secret).hex(" ") not in text
        assert repr(bytes.fromhex(secret))[2:-1] not in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"oracle_id": "abc"}, ValueError),
        ({"oracle_id": "abcdef"}, ValueError),
        ({"oracle_id": None}, ValueError),
        ({"oracle_id": "abcd\ud800"}, ValueError),
        ({"key": b"1"}, SignatureError),
        ({"key": 5}, TypeError),
        ({"token": ""}, ValueError),
        ({"url": "https://a"}, ValueError),
        ({"url": "ws://a/stark/publish"}, ValueError),
        ({"clock_period": 0}, ValueError),
        ({"delta_percent": -1}, ValueError),
        ({"every_update": False}, ValueError),
        ({"max_age": 0.0}, ValueError),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        publisher_of(**({"url": "ws://a"} | arguments))


def test_what_a_publisher_looks_like() -> None:
    publisher = publisher_of("ws://a")
    expected = f"<AggregatorPublisher 0x{ADDRESS.hex()}: disconnected>"
    assert repr(publisher) == expected and publisher.address == ADDRESS
    empty = AggregatorPublisher.__new__(AggregatorPublisher)
    assert repr(empty) == "<AggregatorPublisher>"
    assert set(publisher.stats.as_dict()) >= {"published", "sent", "superseded"}
