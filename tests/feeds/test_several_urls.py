"""Several connections to one stream: each message once, by whichever came first."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from following import (
    Reader,
    by_hand,
    kinds,
    publish,
    publishing,
    reader_of,
    sent,
    subscribed,
)
from live import FAST, TOKEN, message, run, until
from raw_server import Connection, RawServer, frame

from codec.errors import FeedAuthError, FeedError
from codec.feeds import ConnectionSettings, EventKind, FastFeed, State
from codec.simulator import Simulator

WRONG_KEY = bytes(31) + b"\7"


def two(simulator: Simulator, **options: Any) -> FastFeed:
    return reader_of(simulator, urls=[simulator.url] * 2, **options)


def test_each_message_once() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            async with Reader(two(simulator)) as reader:
                await subscribed(simulator, n_connections=2)
                await publish(simulator, 500)
                first, second = simulator.history
                assert first.sent == second.sent
                await until(lambda: reader.feed.stats.duplicates == 500)
                assert reader.messages == first.sent
            stats = reader.feed.stats
            assert stats.messages == 500 and stats.not_data == 2
            assert kinds(reader.feed) == []

    run(main())


@pytest.mark.parametrize("kind", ["unsigned", "signed_ecdsa"])
@pytest.mark.parametrize("market_status", [False, True])
def test_every_kind_of_message_is_known_again(kind: Any, market_status: bool) -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = two(simulator, message_type=kind, market_status=market_status)
            async with feed:
                await subscribed(simulator, n_connections=2)
                await publish(simulator, 50)
                n = 0
                while feed.stats.messages + feed.stats.duplicates < 100:
                    n += len((await anext(feed)).messages)
                    if n == 50:
                        break
                await until(lambda: feed.stats.messages == 50)

    run(main())


def test_one_stalls() -> None:
    """It is made anew on its own silence, however much the other brings."""

    async def main() -> None:
        async with by_hand() as simulator:
            simulator.faults.stall = 0
            feed = two(simulator, silence=0.3)
            async with Reader(feed) as reader:
                await until(lambda: len(simulator.connections) == 2)
                await until(lambda: bool(simulator.connections[1].subscribed))
                async with publishing(simulator):
                    await until(lambda: len(simulator.history) == 3)
                    await subscribed(simulator, n_connections=2)
                    await until(lambda: feed.stats.duplicates > 10)
                living = simulator.history[1]
                await until(lambda: len(reader.messages) == living.n_sent)
            assert reader.messages == living.sent
            assert sum("no valid data" in event.text for event in feed.events) == 1
            assert EventKind.GAP not in [event.kind for event in feed.events]

    run(main())


def test_one_stalls_while_the_queue_is_conflated() -> None:
    """What was conflated speaks for nobody."""

    async def main() -> None:
        async with by_hand() as simulator:
            simulator.faults.stall = 0
            feed = two(
                simulator, silence=0.3, on_overflow="conflate", max_queue_len=4096
            )
            async with feed, publishing(simulator):
                async with asyncio.timeout(10):
                    while len(simulator.history) < 3:
                        await anext(feed)
                        await asyncio.sleep(0.05)  # conflated meanwhile
            assert feed.stats.dropped > 0

    run(main())


def test_one_is_cut_again_and_again() -> None:
    """Nothing is lost as long as one of them lives."""

    async def main() -> None:
        dice = random.Random(4)
        async with by_hand() as simulator:
            async with Reader(two(simulator)) as reader:
                await subscribed(simulator, n_connections=2)
                for _ in range(100):
                    await publish(simulator, dice.randint(0, 5))
                    dice.choice(simulator.connections).cut()
                    await publish(simulator, dice.randint(0, 5))
                    await subscribed(simulator, n_connections=2)
                published = sorted({m for c in simulator.history for m in c.sent})
                await until(lambda: len(reader.messages) >= len(published))
                await asyncio.sleep(0.01)
                assert sorted(reader.messages) == published
            stats = reader.feed.stats
            assert stats.reconnects == 100
            assert stats.messages + stats.duplicates == len(sent(simulator))
            assert stats.missing_ticks == 0

    run(main())


def test_one_is_refused() -> None:
    async def main() -> None:
        async with by_hand() as good, by_hand() as bad:
            bad.faults.status = 401
            feed = reader_of(good, urls=[bad.url, good.url])
            async with Reader(feed) as reader:
                await subscribed(good)
                await until(lambda: feed.states[0] is State.FAILED)
                await publish(good, 100)
                await reader.has_all_of(good)
                assert feed.states == (State.FAILED, State.CONNECTED)
                assert len(bad.attempts) == 1
                good.faults.status = 401
                good.faults.cut = True
                await until(lambda: reader.failure is not None)
            assert isinstance(reader.failure, FeedAuthError)
            assert len(reader.messages) == 100

    run(main())


@pytest.mark.parametrize("policy", ["raise", "drop"])
def test_one_brings_wrong_data(policy: Any) -> None:
    """A server that signs with another key costs its own connection, and only that."""

    async def main() -> None:
        async with by_hand() as good, by_hand(key=WRONG_KEY) as bad:
            feed = reader_of(
                good,
                urls=[bad.url, good.url],
                signers=good.signer,
                on_bad_signature=policy,
                silence=0.3,
            )
            async with Reader(feed) as reader, publishing(good), publishing(bad):
                await until(lambda: len(bad.history) == 2)
                await until(lambda: len(reader.messages) > 50)
            assert reader.messages == good.history[0].sent
            assert len(good.history) == 1
            assert bool(reader.raised) == (policy == "raise")
            assert feed.stats.bad_signatures > 50 and feed.stats.bad == 0

    run(main())


def test_one_brings_garbage() -> None:
    async def main() -> None:
        async with by_hand() as good, by_hand() as bad:
            bad.faults.garbage_text = True
            feed = reader_of(good, urls=[bad.url, good.url], silence=0.3)
            async with Reader(feed) as reader, publishing(good), publishing(bad):
                await until(lambda: len(bad.history) == 2)
                await until(lambda: len(reader.messages) > 50)
            assert reader.messages == good.history[0].sent
            bad_ones = [e for e in feed.events if e.kind is EventKind.BAD_MESSAGE]
            assert {event.connection for event in bad_ones} == {0}

    run(main())


def test_first_come_first_delivered() -> None:
    """By either, in pieces, at random: the order is that of first arrival."""

    async def main() -> None:
        dice = random.Random(1)
        turns = [(dice.randrange(2), dice.randint(1, 5)) for _ in range(150)]
        brought = [0, 0]
        expected: list[bytes] = []
        n_sent = 0

        async def behave(connection: Connection) -> None:
            await connection.ended.wait()

        async with RawServer(behave) as first, RawServer(behave) as second:
            feed = FastFeed(
                urls=[first.url, second.url], token=TOKEN, assets=[0], connection=FAST
            )
            async with Reader(feed) as reader:
                await until(lambda: len(first.connections) == 1)
                await until(lambda: len(second.connections) == 1)
                links = [first.connections[0], second.connections[0]]
                for which, n in turns:
                    start, end = brought[which], brought[which] + n
                    texts = [message(i) for i in range(start, end)]
                    expected += [text for text in texts if text not in expected]
                    brought[which] = end
                    await links[which].send(b"".join(map(frame, texts)))
                    n_sent += n
                    # All of it, before the other one brings anything.
                    async with asyncio.timeout(20):
                        while feed.stats.messages + feed.stats.duplicates < n_sent:
                            await asyncio.sleep(0.001)
            assert reader.messages == expected
            assert feed.stats.duplicates == n_sent - len(expected)

    run(main())


def test_all_end_for_good() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            simulator.faults.status = 403
            async with Reader(two(simulator)) as reader:
                await until(lambda: reader.failure is not None)
            assert isinstance(reader.failure, FeedError)
            assert len(simulator.attempts) == 2

    run(main())


def test_subscribing_reaches_all() -> None:
    async def main() -> None:
        async with by_hand(assets=range(20)) as simulator:
            settings = ConnectionSettings(reconnect_delays_s=(0.001, 0.01))
            feed = two(simulator, assets=[], connection=settings)
            async with Reader(feed):
                await until(lambda: len(simulator.connections) == 2)
                await feed.subscribe([3, 4, 5])
                await subscribed(simulator, [3, 4, 5], 2)
                simulator.connections[0].cut()
                await feed.unsubscribe([4])
                await feed.subscribe([19])
                await until(lambda: len(simulator.history) == 3)
                await subscribed(simulator, [3, 5, 19], 2)

    run(main())
