"""Readers that are too slow: what waits, what is given up, and how it is counted."""

from __future__ import annotations

import asyncio
import random
import tracemalloc
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
from following import (
    Reader,
    by_hand,
    kinds,
    publish,
    reader_of,
    reasons,
    sent,
    subscribed,
    texts,
)
from live import KEY, SIGNER, TIMESTAMP, TOKEN, feed_of, message, run, until
from raw_server import Connection, RawServer, frame

import codec
from codec.errors import BadSignatureError
from codec.feeds import ConnectionSettings, EventKind, FastFeed
from codec.feeds.conflation import conflate

MiB = 1 << 20
SLIM = ConnectionSettings(receive_buffer_len=16 << 10)
PLAIN = ConnectionSettings(receive_buffer_len=16 << 10, deflate=False)


def newest(messages: Iterable[bytes]) -> dict[int, tuple[int, int]]:
    """The newest value of each asset, and its time."""
    updates = codec.decode(list(messages)).updates
    updates = updates[np.argsort(updates["timestamp_ns"], kind="stable")]
    values = codec.as_int(updates).tolist()
    ids, times = updates["asset_id"].tolist(), updates["timestamp_ns"].tolist()
    return {i: (t, v) for i, t, v in zip(ids, times, values, strict=True)}


@pytest.mark.parametrize("settings", [SLIM, PLAIN], ids=["deflate", "plain"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_wait_holds_the_server_back(settings: ConnectionSettings, tls: bool) -> None:
    """It can send what socket buffers hold and the queue has room for, and no more."""

    async def main() -> None:
        n, limit = 60_000, 256 << 10
        async with by_hand(tls=tls) as simulator:
            ssl = simulator.client_ssl_context() if tls else None
            fields = {"receive_buffer_len": 16 << 10, "deflate": settings.deflate}
            feed = reader_of(
                simulator,
                max_queue_len=limit,
                connection=ConnectionSettings(ssl_context=ssl, **fields),
            )
            async with feed:
                await subscribed(simulator)
                connection = simulator.connections[0]
                flood = asyncio.create_task(simulator.flood(connection, n))
                queued = -1
                while feed.stats.queued != queued:
                    queued = feed.stats.queued
                    await asyncio.sleep(0.3)
                assert not flood.done() and connection.n_sent < n
                # One read may bring a buffer's worth beyond, several times inflated.
                assert limit < feed.stats.queued_bytes < limit + MiB
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                assert await flood == n
                await reader.has_all_of(simulator)
            await reading
            assert feed.stats.dropped == 0 and reasons(feed) == []

    run(main())


def test_a_slow_reader_loses_nothing() -> None:
    async def main() -> None:
        n = 8000
        async with by_hand() as simulator:
            feed = reader_of(simulator, max_queue_len=64 << 10, connection=SLIM)
            async with feed:
                await subscribed(simulator)
                flood = simulator.flood(simulator.connections[0], n, distinct=n)
                flooding = asyncio.create_task(flood)
                got: list[bytes] = []
                async for batch in feed:
                    got += texts(batch)
                    if len(got) >= n:
                        break
                    await asyncio.sleep(0.001)
                assert await flooding == n
            assert got == sent(simulator)
            assert feed.stats.dropped == 0 and kinds(feed) == reasons(feed) == []
            assert feed.stats.batches > 20

    run(main())


def test_drop_oldest_keeps_the_newest_and_counts_the_rest() -> None:
    async def main() -> None:
        n, limit = 30_000, 256 << 10
        async with by_hand() as simulator:
            feed = reader_of(simulator, on_overflow="drop_oldest", max_queue_len=limit)
            async with feed:
                await subscribed(simulator)
                await anext_answer(feed)
                flood = simulator.flood(simulator.connections[0], n, distinct=n)
                flooding = asyncio.create_task(flood)
                while not flooding.done():
                    assert feed.stats.queued_bytes <= limit
                    await asyncio.sleep(0)
                await until(lambda: feed.stats.dropped + feed.stats.queued == n)
                n_kept = feed.stats.queued
                assert limit // 2 < feed.stats.queued_bytes <= limit
                # Whatever reads from now on loses nothing more.
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                await publish(simulator, 10)
                await reader.has(n_kept + 10)
                assert reader.messages == sent(simulator)[-n_kept - 10 :]
            await reading
            assert feed.stats.dropped + feed.stats.messages == n + 10
            assert feed.events.counts[EventKind.OVERFLOW] == feed.stats.dropped
            (event,) = [e for e in feed.events if e.kind is EventKind.OVERFLOW]
            assert event.data["messages"] == n - n_kept

    run(main())


async def anext_answer(feed: FastFeed) -> None:
    """Has the answer to the subscription taken, that no count has it."""
    waiting = asyncio.ensure_future(anext(feed))
    await until(lambda: feed.stats.not_data == 1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("policy", ["drop_oldest", "conflate"])
def test_a_reader_that_comes_and_goes(policy: Any) -> None:
    """Every message is delivered or counted, whenever it is read."""

    async def main() -> None:
        dice = random.Random(policy)
        async with by_hand() as simulator:
            feed = reader_of(simulator, on_overflow=policy, max_queue_len=32 << 10)
            async with feed:
                await subscribed(simulator)
                await anext_answer(feed)
                n = 20_000
                flood = simulator.flood(simulator.connections[0], n, distinct=n)
                flooding = asyncio.create_task(flood)
                got: list[bytes] = []
                while feed.stats.messages + feed.stats.dropped < n:
                    batch = await anext(feed)
                    got += texts(batch)
                    await asyncio.sleep(dice.choice((0, 0, 0.002)))
                assert await flooding == n
            assert feed.stats.messages == len(got)
            assert 0 < feed.stats.dropped == n - len(got)
            rest = iter(sent(simulator))  # in order, and none of them twice
            assert all(message in rest for message in got)
            if policy == "conflate":
                assert newest(got) == newest(sent(simulator))

    run(main())


def test_conflate_delivers_the_newest_value_of_every_asset() -> None:
    async def main() -> None:
        ids = range(1, 301)
        async with by_hand(assets=ids) as simulator:
            feed = reader_of(
                simulator,
                assets=ids,
                channel="real_time",
                on_overflow="conflate",
                max_queue_len=16 << 10,
                signers=simulator.signer,
            )
            async with feed:
                await subscribed(simulator, ids)
                await anext_answer(feed)
                for _ in range(40):
                    await publish(simulator, 50)
                    assert feed.stats.queued_bytes <= 2 * (300 * 400)
                await until(lambda: feed.stats.dropped + feed.stats.queued == 2000)
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                await until(lambda: feed.stats.queued == 0)
                assert newest(reader.messages) == newest(sent(simulator))
            await reading
            assert reader.raised == [] and feed.stats.bad_signatures == 0
            assert feed.stats.messages + feed.stats.dropped == 2000
            assert 0 < feed.stats.messages < 1000

    run(main())


def test_conflate_keeps_the_newest_also_where_one_connection_lags() -> None:
    """What another connection brought long ago must not take the place of news."""

    async def ahead(connection: Connection) -> None:
        await connection.send(b"".join(frame(message(i)) for i in range(100)))

    async def behind(connection: Connection) -> None:
        await until(lambda: feed.stats.queued + feed.stats.dropped == 100)
        await connection.send(b"".join(frame(message(i)) for i in range(50)))

    async def main() -> None:
        nonlocal feed
        async with RawServer(ahead) as first, RawServer(behind) as second:
            feed = FastFeed(
                urls=[first.url, second.url],
                token=TOKEN,
                assets=[0, 1],
                on_overflow="conflate",
                max_queue_len=4096,
            )
            async with feed:
                await until(lambda: feed.stats.queued + feed.stats.dropped == 150)
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                await until(lambda: feed.stats.queued == 0)
            await reading
            assert newest(reader.messages) == newest([message(99)])
            stats = feed.stats
            assert stats.messages + stats.dropped + stats.duplicates == 150

    feed: Any = None
    run(main())


def test_conflate_does_not_let_a_forgery_take_the_place_of_a_value() -> None:
    """Messages that the signers have not signed do not count as news."""

    async def behave(connection: Connection) -> None:
        good = [message(i) for i in range(40)]
        forged = [message(i, key=bytes(31) + b"\7") for i in range(40, 80)]
        await connection.send(b"".join(map(frame, good + forged)))

    async def main() -> None:
        async with RawServer(behave) as server:
            feed = feed_of(
                server.url, on_overflow="conflate", max_queue_len=4096, signers=SIGNER
            )
            async with feed:
                await until(lambda: feed.stats.queued + feed.stats.dropped == 80)
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                await until(lambda: feed.stats.queued == 0)
            await reading
            assert newest(reader.messages) == newest([message(39)])

    run(main())


@pytest.mark.parametrize("policy", ["wait", "drop_oldest"])
def test_two_connections_that_take_turns_take_no_more_memory(policy: Any) -> None:
    async def main() -> None:
        limit = 2 * MiB
        async with by_hand(assets=[1], deflate=False) as simulator:
            feed = reader_of(
                simulator,
                urls=[simulator.url] * 2,
                assets=[1],
                on_overflow=policy,
                max_queue_len=limit,
            )
            async with feed:
                await subscribed(simulator, [1], 2)
                simulator.publish_now()
                (text,) = simulator.history[0].sent
                simulator.keep_sent = False
                tracemalloc.start()
                for _ in range(12_000):
                    for connection in simulator.connections:
                        connection.send(text)
                    await asyncio.sleep(0)
                await until(lambda: feed.stats.queued_bytes > limit - 600_000)
                queue_len = feed.stats.queued_bytes
                _, most = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                assert queue_len < limit + MiB
                assert most < 4 * limit

    run(main())


def test_conflated_messages_stay_whole() -> None:
    """Whatever else stands among them goes, but for answers."""
    good = [message(i, assets=1 + i % 3) for i in range(20)]
    lines = [b"1 " + text + b"\n" for text in good]
    answer = b'{"type":"subscribe","assets":[]}'
    lines[3:3] = [b"1 " + answer + b"\n", b"1 garbage\n", b"\n"]
    text, n = conflate([b"".join(lines[:7]), b"".join(lines[7:])])
    kept = [line.partition(b" ")[2] for line in text.splitlines()]
    assert kept.pop(0) == answer
    assert kept == [good[17], good[19]]  # of three assets, and of the first two
    assert n == 3 and newest(kept) == newest(good)
    assert codec.decode(kept).verify(SIGNER).all()
    assert conflate([b""]) == conflate([b"nothing good\n"]) == (b"", 0)


def test_conflation_goes_by_timestamps_and_then_by_arrival() -> None:
    def kept(*messages: bytes, signers: str | None = None) -> list[bytes]:
        verify = None if signers is None else partial(codec.verify, signers=signers)
        text, _ = conflate([b"".join(b"1 " + m + b"\n" for m in messages)], verify)
        return [line.partition(b" ")[2] for line in text.splitlines()]

    old, new, news = message(1), message(2), message(2, timestamp_ns=TIMESTAMP * 2)
    assert kept(new, old) == [new]
    assert kept(old, news, new) == [news]
    other = codec.to_frame(
        codec.encode([0, 1], [5, 6], timestamp_ns=TIMESTAMP, taxonomy_id=1, key=KEY)
    )
    assert kept(message(0), other) == [other]
    assert kept(other, message(0)) == [message(0)]
    forged = message(3, key=bytes(31) + b"\7")
    assert kept(new, forged, old, signers=SIGNER) == [new]
    assert kept(forged, signers=SIGNER) == []
    assert kept(message(1, assets=3), forged, signers=SIGNER) == [message(1, assets=3)]
    first_taxonomy, second_taxonomy = message(1), message(0, taxonomy_id=2)
    assert kept(first_taxonomy, second_taxonomy) == [first_taxonomy, second_taxonomy]


def test_raise_goes_on_with_what_a_forgery_came_with() -> None:
    async def behave(connection: Connection) -> None:
        forged = message(1, key=bytes(31) + b"\7")
        await connection.send(
            b"".join(map(frame, (message(0), forged, forged, message(2))))
        )

    async def main() -> None:
        server = RawServer(behave)
        async with server, feed_of(server.url, signers=SIGNER) as feed:
            with pytest.raises(BadSignatureError):
                await anext(feed)
            assert texts(await anext(feed)) == [message(0), message(2)]

    run(main())
