"""What tests of the aggregator's feed share: messages, both ends, their accounts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

import numpy as np
from live import FAST, TOKEN, until

from codec import as_int
from codec.aggregator import (
    AggregatorBatch,
    encoded_asset_id,
    merkle_root,
    sign_aggregate,
    sign_price,
)
from codec.feeds import AggregatorFeed, Event, EventKind
from codec.simulator import AggregatorSimulator

KEY = bytes(range(1, 33))
SIGNER = "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"
PUBLISHERS = [bytes([n]) * 32 for n in range(1, 6)]
TIME_NS = 1_700_000_000_000_000_000
NAMES = ("BTCUSD", "ETHUSD", "SOLUSD")
_QUIET = {EventKind.STATE, EventKind.ACKNOWLEDGED}


def entry(
    asset: str = "BTCUSD",
    value: int = 10**18,
    *,
    timestamp_ns: int = TIME_NS,
    key: bytes = KEY,
    publishers: Iterable[bytes] = PUBLISHERS[:2],
) -> dict[str, Any]:
    """An asset's entry of a message, all of it good."""
    prices = [
        sign_price(asset, value, timestamp_ns=timestamp_ns - 10**6, key=each)
        for each in publishers
    ]
    leaves = [price.msg_hash for price in prices]
    signed = sign_aggregate(
        encoded_asset_id(asset),
        value,
        timestamp_ns=timestamp_ns,
        publisher_merkle_root=merkle_root(leaves) if leaves else bytes(32),
        key=key,
    )
    return {
        "timestamp": timestamp_ns - 10**6,
        "asset_id": asset,
        "signature_type": "evm",
        "trigger": "clock",
        "price": str(value),
        "stork_signed_price": signed.as_message(),
        "signed_prices": [price.as_message() for price in prices],
    }


def message(entries: Mapping[str, Any]) -> bytes:
    """The text of a message with these entries."""
    return json.dumps(
        {"type": "oracle_prices", "trace_id": "t", "data": entries},
        separators=(",", ":"),
    ).encode()


def prices(i: int = 0, assets: Iterable[str] = NAMES[:2], **changes: Any) -> bytes:
    """The i-th of a stream of messages, one each 10 ms."""
    time_ns = TIME_NS + 10_000_000 * i
    return message(
        {
            name: entry(name, 10**18 * n + i, timestamp_ns=time_ns, **changes)
            for n, name in enumerate(assets, 1)
        }
    )


def feed_of(url: str = "", **arguments: Any) -> AggregatorFeed:
    """A feed with the settings of tests."""
    settings: dict[str, Any] = {
        "token": TOKEN,
        "assets": NAMES[:2],
        "connection": FAST,
    }
    if url:
        settings["url"] = url
    return AggregatorFeed(**(settings | arguments))


def by_hand(**options: Any) -> AggregatorSimulator:
    """A simulator that publishes when it is told to, and remembers what it sent."""
    defaults: dict[str, Any] = {
        "ticks": False,
        "keep_sent": True,
        "assets": NAMES,
        "token": TOKEN,
        "delta_percent": None,
        "clock_period": 0.001,
    }
    return AggregatorSimulator(**(defaults | options))


class Reader:
    """Reads a feed until it ends, and keeps what comes. rows: (asset, timestamp_ns,
    value) of each aggregate. failure: what ended it."""

    def __init__(self, feed: AggregatorFeed) -> None:
        self.feed = feed
        self.rows: list[tuple[str, int, int]] = []
        self.texts: list[bytes] = []
        self.failure: Exception | None = None

    async def __aenter__(self) -> Self:
        await self.feed.__aenter__()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feed.close()
        await self._task

    async def _read(self) -> None:
        try:
            async for batch in self.feed:
                self.rows += rows_of(batch)
                self.texts += [bytes(batch.text(i)) for i in range(len(batch.messages))]
        except Exception as error:
            self.failure = error

    async def has(self, n: int) -> None:
        """Waits until n aggregates have come; more is as wrong as fewer."""
        await until(lambda: len(self.rows) >= n or self.failure is not None)
        await asyncio.sleep(0.01)
        assert self.failure is None, self.failure
        assert len(self.rows) == n


def rows_of(batch: AggregatorBatch) -> list[tuple[str, int, int]]:
    names = [batch.symbol(i) for i in range(len(batch))]
    times = batch.aggregates["timestamp_ns"].tolist()
    return list(
        zip(
            names, times, as_int(batch.aggregates["value"].copy()).tolist(), strict=True
        )
    )


def rows_in(texts: Iterable[bytes]) -> list[tuple[str, int, int]]:
    """The same of messages, as Python's JSON reads them."""
    result = []
    for text in texts:
        for name, item in json.loads(text).get("data", {}).items():
            signed = item["stork_signed_price"]
            time_ns = signed["timestamped_signature"]["timestamp"]
            result.append((name, time_ns, int(signed["price"])))
    return result


def data_sent(simulator: AggregatorSimulator) -> list[bytes]:
    """All data of all connections, in the order of those."""
    return [
        text
        for connection in simulator.history
        for text in connection.sent
        if b'"oracle_prices"' in text[:40]
    ]


async def subscribed(
    simulator: AggregatorSimulator,
    names: Iterable[str] = NAMES[:2],
    n_connections: int = 1,
) -> None:
    """Waits until so many open connections are subscribed to exactly these."""
    wanted = [set(names)] * n_connections
    await until(lambda: [c.subscribed for c in simulator.connections] == wanted)


async def publish(simulator: AggregatorSimulator, n: int) -> None:
    """Ticks, each of a time of its own."""
    for _ in range(n):
        simulator.publish_now()
        await asyncio.sleep(0.001)


def odd(feed: Any) -> list[Event]:
    """The events that a clean stream has none of."""
    return [event for event in feed.events if event.kind not in _QUIET]


def kinds(feed: Any) -> list[str]:
    return [str(event.kind) for event in odd(feed)]


def event_of(feed: Any, kind: EventKind) -> Event:
    return next(event for event in feed.events if event.kind is kind)


def ticking(step_ns: int = 10_000_000) -> Callable[[], int]:
    """A clock that goes on by a step each time that it is read."""
    times = iter(range(TIME_NS, 2**63, step_ns))
    return lambda: next(times)


def total(batches: Iterable[AggregatorBatch]) -> np.ndarray[Any, Any]:
    return np.concatenate([batch.aggregates for batch in batches])
