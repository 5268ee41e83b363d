"""What a reader of the aggregator needs, with every signature checked.

    python -m bench.aggregator_feed [--seconds 20] [--per-message 10] [--deflate]

20 publishers of 200 assets, all of them twice a second: 8,400 signatures a second, made
before by a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coincurve import PrivateKey
from websockets.asyncio.server import ServerConnection, serve

from codec.aggregator import (
    encoded_asset_id,
    merkle_root,
    sign_aggregate,
    sign_price,
)
from codec.feeds import AggregatorFeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

__all__ = ["Figures", "Load", "measure"]

_KEY = PrivateKey(bytes(range(1, 33)))


@dataclass(frozen=True)
class Load:
    """What is sent: every asset's price by every publisher, so often a second."""

    seconds: float = 20.0
    n_publishers: int = 20
    n_assets: int = 200
    per_second: int = 2
    per_message: int = 10
    deflate: bool = False

    @property
    def names(self) -> list[str]:
        return [f"ASSET{i}USD" for i in range(self.n_assets)]

    @property
    def n_rounds(self) -> int:
        return round(self.seconds * self.per_second)


@dataclass(frozen=True)
class Figures:
    """What came of it.

    cpu_share: of one core, by all threads of the reader. pause_s: the longest that the
    event loop was held up. dropped, bad: what was not delivered.
    """

    seconds: float
    n_aggregates: int
    n_signatures: int
    cpu_share: float
    pause_s: float
    dropped: int
    bad: int

    def __str__(self) -> str:
        return (
            f"{self.n_aggregates} aggregates in {self.seconds:.1f} s,"
            f" {self.n_signatures / self.seconds:,.0f} signatures a second:"
            f" {100 * self.cpu_share:.1f} % of one core,"
            f" the loop held up for at most {1000 * self.pause_s:.1f} ms,"
            f" {self.dropped} dropped, {self.bad} bad"
        )


def measure(load: Load) -> Figures:
    """Runs the sender in a process of its own, and the reader in this one."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    sender = context.Process(target=_send, args=(load, there), daemon=True)
    sender.start()
    try:
        return asyncio.run(_read(load, here.recv()))
    finally:
        sender.join(5)
        sender.kill()


def _round(load: Load, number: int, time_ns: int) -> Iterator[str]:
    """The messages of one round."""
    keys = [PrivateKey(bytes([i + 1]) * 32) for i in range(load.n_publishers)]
    names = load.names
    for start in range(0, len(names), load.per_message):
        entries = {
            name: _entry(name, 10**18 * (place + 1) + number, time_ns, keys)
            for place, name in enumerate(names[start : start + load.per_message], start)
        }
        message = {"type": "oracle_prices", "trace_id": "t", "data": entries}
        yield json.dumps(message, separators=(",", ":"))


def _entry(
    name: str, value: int, time_ns: int, keys: list[PrivateKey]
) -> dict[str, Any]:
    prices = [
        sign_price(name, value + i, timestamp_ns=time_ns - i, key=key)
        for i, key in enumerate(keys)
    ]
    signed = sign_aggregate(
        encoded_asset_id(name),
        value,
        timestamp_ns=time_ns,
        publisher_merkle_root=merkle_root([price.msg_hash for price in prices]),
        key=_KEY,
    )
    return {
        "timestamp": time_ns,
        "asset_id": name,
        "signature_type": "evm",
        "trigger": "clock",
        "price": str(value),
        "stork_signed_price": signed.as_message(),
        "signed_prices": [price.as_message() for price in prices],
    }


def _send(load: Load, pipe: Connection) -> None:
    now_ns, period_ns = time.time_ns(), 10**9 // load.per_second
    rounds = [
        list(_round(load, i, now_ns + i * period_ns)) for i in range(load.n_rounds)
    ]

    gone = asyncio.Event()

    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        begin = time.monotonic()
        for i, texts in enumerate(rounds):
            for k, text in enumerate(texts):
                due = begin + (i + k / len(texts)) / load.per_second
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                await socket.send(text)
        await socket.wait_closed()
        gone.set()

    async def main() -> None:
        compression = "deflate" if load.deflate else None
        async with serve(handle, "127.0.0.1", 0, compression=compression) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            await gone.wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(main())


async def _read(load: Load, port: int) -> Figures:
    pause_s = 0.0

    async def pulse() -> None:
        nonlocal pause_s
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            pause_s = max(pause_s, time.monotonic() - before - 0.005)

    feed = AggregatorFeed(
        f"ws://127.0.0.1:{port}", token="t", assets=load.names, require="all"
    )
    n_aggregates = n_signatures = 0
    async with feed:
        pulsing = asyncio.create_task(pulse())
        begin, cpu = time.monotonic(), time.process_time()
        async for batch in feed:
            n_aggregates += len(batch)
            n_signatures += len(batch) + len(batch.publishers)
            if n_aggregates >= load.n_rounds * load.n_assets:
                break
        seconds = time.monotonic() - begin
        cpu = time.process_time() - cpu
        pulsing.cancel()
        stats = feed.stats
    return Figures(
        seconds,
        n_aggregates,
        n_signatures,
        cpu / seconds,
        pause_s,
        stats.dropped,
        stats.bad + stats.bad_signatures + stats.bad_publishers,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    parser.add_argument("--per-message", type=int, default=Load.per_message)
    parser.add_argument("--deflate", action="store_true")
    options = parser.parse_args()
    load = Load(
        seconds=options.seconds,
        per_message=options.per_message,
        deflate=options.deflate,
    )
    print(measure(load))


if __name__ == "__main__":
    main()
