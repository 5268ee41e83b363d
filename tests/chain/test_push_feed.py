"""A pusher's feed, whatever becomes of it."""

from __future__ import annotations

import asyncio
import time

import pytest
from pushing import TOKEN, run, until

import codec
from codec.chain.push import feed as push_feed
from codec.chain.push.feed import FeedReading
from codec.chain.push.hindrances import Hindrance, Hindrances
from codec.feeds import FastFeed
from codec.simulator import Simulator


def reading(source: push_feed.FeedSource, hindrances: Hindrances) -> FeedReading:
    """One that counts every message, and finds a feed silent soon."""
    return FeedReading(
        source,
        lambda batch: batch.n_messages,
        hindrances=hindrances,
        silence_s=0.2,
        clock=time.monotonic,
    )


def test_what_keeps_a_feed_from_being_made_anew_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push_feed, "_AGAIN_S", (0.01, 0.01))

    async def test() -> None:
        async with Simulator(token="another", ticks=False) as simulator:
            n_made = 0

            def make() -> FastFeed:
                nonlocal n_made
                n_made += 1
                if n_made == 2:
                    raise OSError("the certificates are being renewed")
                return FastFeed(simulator.url, token=TOKEN, assets=[1])

            read = reading(make, Hindrances(lambda *_: None))
            task = asyncio.create_task(read.run())
            await until(lambda: n_made >= 2)
            simulator.set_token(None)
            await until(
                lambda: (
                    task.done()
                    or (simulator.connections and simulator.connections[-1].subscribed)
                )
            )
            assert not task.done()
            payload = codec.encode(
                [1], [1], timestamp_ns=1, taxonomy_id=1, key=bytes(31) + b"1"
            )
            await simulator.send(codec.to_frame(payload))
            await until(lambda: read.n_messages)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())


def test_a_feed_is_away_also_where_one_of_its_connections_has_failed() -> None:
    async def test() -> None:
        async with (
            Simulator(token="another", ticks=False) as failing,
            Simulator(token=TOKEN, ticks=False) as silent,
        ):
            urls = [failing.url, silent.url]
            hindrances = Hindrances(lambda *_: None)
            feed = FastFeed(urls=urls, token=TOKEN, assets=[1])
            task = asyncio.create_task(reading(feed, hindrances).run())
            await until(lambda: "failed" in feed.states and "connected" in feed.states)
            await until(lambda: Hindrance.FEED_AWAY in hindrances, 5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(test())
