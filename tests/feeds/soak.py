"""A program that floods a reader, and says as JSON how much memory that took.

The simulator has a process of its own, so that the memory is the reader's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from codec.feeds import ConnectionSettings, FastFeed, Stats
from codec.simulator import Simulator

_PAGE_LEN = 4096
_SAMPLE = 1 << 17  # messages


def rss_len() -> int:
    """This process's resident memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_LEN


async def serve(options: argparse.Namespace, parent: Connection) -> None:
    """Floods the first connection that subscribes, until the parent ends."""
    assets = range(1, options.assets + 1)
    long_ago_ns = time.time_ns() - 3600 * 10**9
    async with Simulator(
        assets=assets, ticks=False, time_ns=lambda: long_ago_ns
    ) as simulator:
        parent.send((simulator.url, simulator.signer))
        while not any(connection.subscribed for connection in simulator.connections):
            await asyncio.sleep(0.01)
        n = await simulator.flood(simulator.connections[0], options.messages)
        parent.send(n)
        await asyncio.to_thread(parent.poll, None)


async def read(options: argparse.Namespace, server: Connection) -> dict[str, Any]:
    url, signer = server.recv()
    feed = FastFeed(
        url,
        token="simulator",
        assets=range(1, options.assets + 1),
        channel="real_time",
        on_overflow=options.policy,
        max_queue_len=options.queue,
        signers=signer if options.verify else None,
        connection=ConnectionSettings(deflate=options.deflate),
    )
    samples: list[tuple[int, int]] = []
    start = time.perf_counter()
    async with feed:
        if options.stopped:
            await _watch(feed, server, samples)
        n = reached = 0
        while (stats := feed.stats) and _seen(stats) <= options.messages:
            n += len((await anext(feed)).messages)
            if n >= reached:
                samples.append((n, rss_len()))
                reached = n + _SAMPLE
        seconds = time.perf_counter() - start
        assert n == stats.messages
    warm = [size for n, size in samples if n >= options.messages // 10]
    return {
        "messages": stats.messages,
        "dropped": stats.dropped,
        "not_data": stats.not_data,
        "bad": stats.bad + stats.bad_signatures,
        "reconnects": stats.reconnects,
        "seconds": round(seconds, 2),
        "rate": round(options.messages / seconds),
        "first_rss": samples[0][1],
        "warm_rss": warm[0] if warm else samples[0][1],
        "most_rss": max(size for _, size in samples),
    }


async def _watch(
    feed: FastFeed, server: Connection, samples: list[tuple[int, int]]
) -> None:
    """Nobody reads, until the flood is over, or stands still."""
    before, since = -1, time.monotonic()
    while not server.poll() and time.monotonic() - since < 1.0:
        samples.append((0, rss_len()))
        await asyncio.sleep(0.01)
        if feed.stats.bytes != before:
            before, since = feed.stats.bytes, time.monotonic()


def _seen(stats: Stats) -> int:
    """What is accounted for; the answer to the subscription is one of them."""
    return stats.messages + stats.dropped + stats.not_data


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--assets", type=int, default=4)
    parser.add_argument("--policy", default="wait")
    parser.add_argument("--queue", type=int, default=16 << 20)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--stopped", action="store_true")
    options = parser.parse_args()
    logging.disable()  # the flood's timestamps go round and round
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=run_server, args=(options, theirs), daemon=True
    )
    server.start()
    theirs.close()
    result = asyncio.run(asyncio.wait_for(read(options, ours), 600))
    ours.close()
    server.join(10)
    print(json.dumps(result))


def run_server(options: argparse.Namespace, parent: Connection) -> None:
    asyncio.run(serve(options, parent))


if __name__ == "__main__":
    main()
