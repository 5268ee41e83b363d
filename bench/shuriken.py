"""Shuriken's swaps from a simulator in a process of its own to a typed iterator.

What counts is the CPU time of the reading process, since the sender has another core.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from typing import TYPE_CHECKING, Any

from bench.rows import Figure
from codec.feeds.shuriken import STREAMS, ShurikenFeed
from codec.simulator import ShurikenSimulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from bench.ratios import Inputs

__all__ = ["shuriken_figures"]

_KEY, _STREAM = "key", "svm.token.swaps"
_GIVEN = {"tokenAddress": "So11111111111111111111111111111111111111112"}
_MUST = 50_000
_N_TEXTS = 2000


def shuriken_figures(inputs: Inputs) -> Iterator[Figure]:
    """Events a second of CPU, and what `json.loads` alone makes of the same texts."""
    scale = inputs.scale
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(there,), daemon=True
    )
    process.start()
    url = here.recv()
    seconds = max(scale.feed_run_s * 4, 0.2)
    try:
        rates, alone = [], []
        for _ in range(scale.feed_paced_pairs):
            rate, texts = asyncio.run(_read(url, seconds))
            rates.append(rate)
            alone.append(_parsed(texts))
    finally:
        here.send(None)
        process.join()
    unit = "events a CPU second"
    yield Figure.from_all(
        "swaps of 0.9 kB from the socket to the iterator, each typed, decimals exact",
        "ShurikenFeed",
        unit,
        rates,
        must=_MUST,
        better="higher",
    )
    yield Figure.from_all(
        "the same texts parsed, and the payload that stands in them as text; no more",
        "json.loads",
        unit,
        alone,
        better="higher",
    )


async def _read(url: str, seconds: float) -> tuple[float, list[bytes]]:
    """Events a second of CPU, and some of the texts that they came in."""
    async with ShurikenFeed(_KEY, url, on_overflow="wait") as feed:
        swaps = await feed.subscribe(_STREAM, **_GIVEN)
        first: Any = await anext(swaps)
        if not isinstance(first.data, STREAMS[_STREAM]):
            raise AssertionError(f"no swap: {first.problem}")
        texts = []
        n, begin_s, until_s = 0, time.process_time(), time.monotonic() + seconds
        async for event in swaps:
            n += 1
            if n <= _N_TEXTS:
                texts.append(event)
            elif n % 100 == 0 and time.monotonic() >= until_s:
                break
        rate = n / (time.process_time() - begin_s)
    return rate, [_text(event) for event in texts]


def _text(event: Any) -> bytes:
    """The message that an event came in."""
    raw = event.raw if isinstance(event.raw, str) else event.raw.decode()
    fields = {"event": event.event, "channel": event.channel, "data": raw}
    return json.dumps(fields, separators=(",", ":")).encode()


def _parsed(texts: list[bytes]) -> float:
    begin_s = time.process_time()
    n = 0
    while (took_s := time.process_time() - begin_s) < 0.1:
        for text in texts:
            json.loads(json.loads(text)["data"])
        n += len(texts)
    return n / took_s


def _serve(pipe: Connection) -> None:
    asyncio.run(_flood(pipe))


async def _flood(pipe: Connection) -> None:
    """Floods every connection that has subscribed, until it is told to end."""
    simulator = ShurikenSimulator(token=_KEY, ticks=False)
    async with simulator, asyncio.TaskGroup() as tasks:
        pipe.send(simulator.base_url)
        flooded: set[Any] = set()
        while not pipe.poll():
            for connection in list(simulator.connections):
                if connection.subscribed and connection not in flooded:
                    flooded.add(connection)
                    tasks.create_task(simulator.flood(connection, seconds=3600))
            await asyncio.sleep(0.02)
        for connection in list(simulator.connections):
            connection.abort()
