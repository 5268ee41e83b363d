"""What tests of a reader against the simulator share: both ends, and their accounts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

from live import FAST, until

import codec
from codec.errors import BadSignatureError
from codec.feeds import Event, EventKind, FastFeed
from codec.simulator import Simulator

IDS = range(1, 5)
# A clock that stands: by-hand ticks follow one another on the grid without a gap, and
# long in the past, so that none of them is from the future.
PAST_NS = 1_700_000_000_000_000_000
_QUIET = {EventKind.STATE, EventKind.ACKNOWLEDGED}


def by_hand(**options: Any) -> Simulator:
    """A simulator that publishes when it is told to, and remembers what it sent."""
    defaults = {
        "ticks": False,
        "keep_sent": True,
        "assets": IDS,
        "time_ns": lambda: PAST_NS,
    }
    return Simulator(**(defaults | options))


def reader_of(simulator: Simulator, **options: Any) -> FastFeed:
    """A feed of it, not yet opened, that reconnects at once."""
    defaults: dict[str, Any] = {
        "token": "simulator",
        "assets": IDS,
        "channel": "10ms",
        "connection": FAST,
    }
    if "urls" not in options:
        defaults["url"] = simulator.url
    return FastFeed(**(defaults | options))


class Reader:
    """Reads a feed until it ends, and keeps what comes.

    messages: texts, as they were sent (signed ones). raised: what iteration raised and
    went on after. failure: what ended it.
    """

    def __init__(self, feed: FastFeed) -> None:
        self.feed = feed
        self.messages: list[bytes] = []
        self.timestamps: list[int] = []
        self.raised: list[BadSignatureError] = []
        self.failure: Exception | None = None

    async def __aenter__(self) -> Self:
        await self.feed.__aenter__()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.feed.close()
        await self._task

    async def _read(self) -> None:
        while True:
            try:
                batch = await anext(self.feed)
            except BadSignatureError as error:
                self.raised.append(error)
            except StopAsyncIteration:
                return
            except Exception as error:
                self.failure = error
                return
            else:
                self.take(batch)

    def take(self, batch: codec.Batch) -> None:
        self.messages += texts(batch)
        self.timestamps += batch.messages["timestamp_ns"].tolist()

    async def has(self, n: int) -> None:
        """Waits until n messages have come; more is as wrong as fewer."""
        await until(lambda: len(self.messages) >= n or self.failure is not None)
        await asyncio.sleep(0.01)
        assert self.failure is None, self.failure
        assert len(self.messages) == n

    async def has_all_of(self, simulator: Simulator, **bounds: float) -> None:
        """Waits until all that one connection after the other was sent has come."""
        await until(lambda: len(self.messages) >= len(sent(simulator)), **bounds)
        await asyncio.sleep(0.01)
        assert self.messages == sent(simulator)


def texts(batch: codec.Batch) -> list[bytes]:
    """A batch's signed messages as they stood on the wire."""
    return [codec.to_frame(batch.payload(i)) for i in range(len(batch.messages))]


def sent(simulator: Simulator) -> list[bytes]:
    """All messages of all connections, in the order of those."""
    return list(itertools.chain.from_iterable(c.sent for c in simulator.history))


async def subscribed(
    simulator: Simulator, ids: Iterable[int] = IDS, n_connections: int = 1
) -> None:
    """Waits until so many open connections are subscribed to exactly these."""
    wanted = set(ids)
    await until(
        lambda: (
            [c.subscribed for c in simulator.connections] == [wanted] * n_connections
        )
    )


async def publish(simulator: Simulator, n: int, *, pause_s: float = 0.0) -> None:
    """Ticks, with turns for everybody else in between."""
    for _ in range(n):
        simulator.publish_now()
        await asyncio.sleep(pause_s)


@asynccontextmanager
async def publishing(
    simulator: Simulator, *, pause_s: float = 0.001
) -> AsyncIterator[None]:
    """Ticks again and again meanwhile."""

    async def work() -> None:
        while True:
            simulator.publish_now()
            await asyncio.sleep(pause_s)

    task = asyncio.create_task(work())
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def odd(feed: FastFeed) -> list[Event]:
    """The events that a clean stream has none of."""
    return [event for event in feed.events if event.kind not in _QUIET]


def kinds(feed: FastFeed) -> list[str]:
    """Their kinds."""
    return [str(event.kind) for event in odd(feed)]


def reasons(feed: FastFeed) -> list[str]:
    """Why connections ended, one after the other."""
    return [
        str(event.data["reason"])
        for event in feed.events
        if event.kind is EventKind.STATE and event.data["state"] == "reconnecting"
    ]


async def event_of(feed: FastFeed, kind: EventKind) -> Event:
    """The first event of a kind, once there is one."""
    await until(lambda: any(event.kind is kind for event in feed.events))
    return next(event for event in feed.events if event.kind is kind)


def never(condition: Callable[[], bool]) -> Callable[[], bool]:
    """For `until`: fails at once where something is not as it must be all the time."""

    def check() -> bool:
        assert condition()
        return False

    return check
