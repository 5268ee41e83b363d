"""Messages for live tests, and a feed's steps with a bound on their time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import codec
from codec.feeds import ConnectionSettings, FastFeed

T = TypeVar("T")
KEY = bytes(range(1, 33))
TIMESTAMP = 1_764_608_698_685_038_908
SIGNER = "0x6370eF2f4Db3611D657b90667De398a2Cc2a370C"
TOKEN = "c2VjcmV0LXRva2Vu"
# Reconnects at once, notices soon.
FAST = ConnectionSettings(reconnect_delays_s=(0.001, 0.01), connect_timeout_s=5.0)


def run(work: Coroutine[Any, Any, T], *, timeout_s: float = 60.0) -> T:
    """Runs a test's coroutine; whatever hangs fails."""
    return asyncio.run(asyncio.wait_for(work, timeout_s))


def payload(i: int = 0, assets: int = 2, key: Any = KEY, **changes: Any) -> bytes:
    """The payload of the i-th of a stream of messages, one each 10 ms."""
    fields: dict[str, Any] = {
        "timestamp_ns": TIMESTAMP + 10_000_000 * i,
        "taxonomy_id": 1,
        "key": key,
    }
    values = [10**18 * (asset + 1) + i for asset in range(assets)]
    return codec.encode(range(assets), values, **(fields | changes))


def message(i: int = 0, assets: int = 2, key: Any = KEY, **changes: Any) -> bytes:
    """The text of such a message."""
    return codec.to_frame(payload(i, assets, key, **changes))


def feed_of(url: str, **arguments: Any) -> FastFeed:
    """A feed with the settings of tests."""
    settings: dict[str, Any] = {
        "token": TOKEN,
        "assets": [0, 1],
        "connection": FAST,
    }
    return FastFeed(url, **(settings | arguments))


async def timestamps(feed: FastFeed, n: int) -> list[int]:
    """The timestamps of the next messages, n at least."""
    result: list[int] = []
    async for batch in feed:
        result += batch.messages["timestamp_ns"].tolist()
        if len(result) >= n:
            break
    return result


async def until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Waits for something to become true."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)
