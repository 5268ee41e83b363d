"""A thousand forced reconnections, while the subscription changes all the time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from following import Reader, by_hand, publish, reader_of, reasons, sent
from live import run, until

from codec.feeds import ConnectionSettings, FastFeed
from codec.simulator import Simulator

ALL = range(1, 51)
ENDS: tuple[tuple[str, Any], ...] = (
    ("cut", True),
    ("close", True),
    ("close", 1012),
    ("half_frame", "cut"),
    ("garbage", True),
    ("bomb", 2 << 20),
)


class Meddler:
    """Subscribes and unsubscribes at random moments; rests when it is asked to."""

    def __init__(self, feed: FastFeed, dice: random.Random) -> None:
        self.n = 0
        self._feed = feed
        self._dice = dice
        self._may = asyncio.Event()
        self._may.set()

    async def work(self) -> None:
        while True:
            await self._may.wait()
            some = self._dice.sample(ALL, self._dice.randint(1, 4))
            if self._dice.random() < 0.5:
                await self._feed.subscribe(some)
            elif not self._feed.assets <= set(some):  # something is left to come
                await self._feed.unsubscribe(some)
            self.n += 1
            await asyncio.sleep(self._dice.choice((0, 0, 0.001, 0.003)))

    def rest(self) -> None:
        self._may.clear()

    def go_on(self) -> None:
        self._may.set()


async def live_and_end(
    simulator: Simulator, feed: FastFeed, meddler: Meddler, dice: random.Random
) -> None:
    """One connection: its subscription is right, messages come, it is ended."""
    await until(lambda: len(simulator.connections) == 1)
    meddler.rest()
    connection = simulator.connections[0]
    await until(lambda: connection.subscribed == feed.assets)
    meddler.go_on()
    await publish(simulator, dice.randint(0, 4), pause_s=dice.choice((0, 0.001)))
    name, value = dice.choice(ENDS)
    setattr(simulator.faults, name, value)
    await until(lambda: not connection.is_open)


@pytest.mark.parametrize(
    ("n", "options"),
    [(1000, {}), (100, {"tls": True}), (100, {"deflate": False})],
    ids=["deflate", "tls", "plain"],
)
def test_nothing_is_lost_or_comes_twice(n: int, options: dict[str, Any]) -> None:
    async def main() -> None:
        dice = random.Random(n)
        async with by_hand(assets=ALL, **options) as simulator:
            settings = ConnectionSettings(
                reconnect_delays_s=(1e-4, 0.002),
                max_message_len=1 << 20,
                ssl_context=simulator.client_ssl_context()
                if "tls" in options
                else None,
            )
            feed = reader_of(simulator, connection=settings)
            async with Reader(feed) as reader:
                meddler = Meddler(feed, dice)
                meddling = asyncio.create_task(meddler.work())
                for _ in range(n):
                    await live_and_end(simulator, feed, meddler, dice)
                await live_and_end(simulator, feed, meddler, dice)
                meddling.cancel()
                await until(lambda: len(simulator.history) > n + 1)
                assert simulator.connections[0].sent == []
                await reader.has_all_of(simulator)
            assert feed.stats.reconnects == n + 1
            assert feed.stats.messages == len(sent(simulator)) > n
            assert feed.stats.bad == 0
            assert meddler.n > n
            assert len(set(reasons(feed))) >= 5

    run(main(), timeout_s=120)


def test_resets_lose_no_more_than_the_kernel_held() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            settings = ConnectionSettings(reconnect_delays_s=(1e-4, 0.002))
            feed = reader_of(simulator, connection=settings)
            async with Reader(feed) as reader:
                for i in range(100):
                    await until(
                        lambda: any(c.subscribed for c in simulator.connections)
                    )
                    await publish(simulator, 3)
                    await until(lambda: reader.messages[-3:] == sent(simulator)[-3:])
                    await publish(simulator, i % 3)
                    simulator.faults.cut = "reset"
                await until(lambda: len(simulator.history) == 101)
            rest = iter(reader.messages)
            n_lost = sum(
                message not in rest
                for connection in simulator.history
                for message in connection.sent[:3]
            )
            assert n_lost == 0
            assert len(set(reader.messages)) == len(reader.messages)

    run(main())
