"""What every feed has: connections, the queue behind them, and iteration."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeAlias, TypeVar

from codec.errors import FeedClosed
from codec.feeds._listener import Inbox
from codec.feeds.blocking import BlockingFeed
from codec.feeds.client import Client, ConnectionSettings
from codec.feeds.events import EventKind, Events, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from codec.feeds._listener import Lines
    from codec.feeds.endpoint import Endpoint
    from codec.recording import Recorder

__all__ = ["Feed", "OnOverflow", "limit_ns"]

OnOverflow: TypeAlias = Literal["wait", "drop_oldest", "conflate"]
T = TypeVar("T")

_LONGEST_S = 9e9  # 285 years, as good as for ever


def limit_ns(seconds: float) -> int:
    """A limit in nanoseconds, of whatever number of seconds above 0, infinity too."""
    return round(min(seconds, _LONGEST_S) * 1e9)


class Feed(ABC, Generic[T]):
    """One or several connections to the same stream, read as one.

    A subclass says what to send on a new connection (`_opening`), and what a chunk of
    received lines is worth (`_read`), at once or, where that takes long, by a task that
    leaves the event loop to others. Chunks are read one after the other either way.

    events: what happens beside the data. Opening is `async with`, which does not wait
    for the connection; reading is `async for`, by one task.
    """

    _clients: Sequence[Client] = ()

    def __init__(
        self,
        endpoints: Sequence[Callable[[], Awaitable[Endpoint]]],
        *,
        on_overflow: OnOverflow,
        max_queue_len: int,
        conflate: Callable[[list[Lines]], tuple[bytes, int]] | None,
        recorder: Recorder | None,
        connection: ConnectionSettings | None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.events = Events(now_ns=clock_ns)
        self._recorder = recorder
        self._inbox = Inbox(
            on_overflow,
            max_queue_len,
            clock_ns=clock_ns,
            conflate=conflate,
            tap=None if recorder is None else self._record,
        )
        self._clients = [
            Client(
                endpoint,
                self._inbox,
                source,
                self.events,
                opening=self._opening,
                silence_s=self._silence_s,
                settings=connection or ConnectionSettings(),
                on_failed=self._wake,
            )
            for source, endpoint in enumerate(endpoints)
        ]
        self._ready: deque[T | Exception] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._work: asyncio.Task[Iterable[T | Exception]] | None = None
        self._is_worked_for = False
        self._opened = self._closed = False
        self._n_dropped = 0  # of those in the inbox, that are reported

    @abstractmethod
    def _opening(self) -> Iterable[bytes]:
        """The texts to send first on a new connection."""

    @abstractmethod
    def _silence_s(self) -> float | None:
        """The longest time without valid data now; None where none is expected."""

    @abstractmethod
    def _read(
        self, lines: Lines
    ) -> Iterable[T | Exception] | asyncio.Task[Iterable[T | Exception]]:
        """What a chunk gives: things to deliver, exceptions to raise, in order.

        Or a task that gives them.
        """

    @property
    def states(self) -> tuple[State, ...]:
        """The connections' states, in the order of the URLs."""
        return tuple(client.state for client in self._clients)

    @property
    def recorder(self) -> Recorder | None:
        """What gets every chunk of lines, if anything does."""
        return self._recorder

    async def __aenter__(self) -> Self:
        self._check_unopened()
        self._opened = True
        for client in self._clients:
            client.start()
        return self

    def _check_unopened(self) -> None:
        if self._opened:
            raise FeedClosed("a feed is opened once")

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections. Iteration ends once it has given what had arrived."""
        try:
            async with asyncio.TaskGroup() as group:
                for client in self._clients:
                    group.create_task(client.close())
        finally:  # others may wait, also where this is cancelled
            self._closed = True
            self._wake()
            self.events.close()

    def __enter__(self) -> BlockingFeed[T]:
        self._blocking: BlockingFeed[T] = BlockingFeed(self)
        return self._blocking.open()

    def __exit__(self, *_: object) -> None:
        self._blocking.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._opened:
            raise FeedClosed("the feed is not open: use `async with`")
        while True:
            if self._ready:
                item = self._ready.popleft()
                if isinstance(item, Exception):
                    raise item
                return item
            if self._work is not None:
                await self._finish_work(self._work)
                continue
            lines = self._inbox.take()
            if lines is not None:
                if self._inbox.n_dropped != self._n_dropped:
                    self._report_dropped()
                result = self._read(lines)
                if isinstance(result, asyncio.Task):
                    self._work = result
                else:
                    self._ready.extend(result)
                continue
            if self._closed:
                raise StopAsyncIteration
            self._raise_failure()
            await self._wait()

    async def _finish_work(self, work: asyncio.Task[Iterable[T | Exception]]) -> None:
        """Waits for a chunk's task. Cancelled, it leaves that to the next call."""
        self._check_alone()
        self._is_worked_for = True
        try:
            await asyncio.wait([work])
        finally:
            self._is_worked_for = False
        self._work = None
        self._ready.extend(work.result())

    def _check_alone(self) -> None:
        if self._waiter is not None or self._is_worked_for:
            raise RuntimeError("another task is waiting for this feed's next batch")

    async def _wait(self) -> None:
        self._check_alone()
        self._waiter = asyncio.get_running_loop().create_future()
        self._inbox.wait(self._waiter)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _raise_failure(self) -> None:
        """Raises the first connection's failure once all have failed."""
        failures = [client.failure for client in self._clients]
        if all(client.state is State.FAILED for client in self._clients):
            failure = failures[0] or FeedClosed("the feed has failed")
            raise failure.with_traceback(None)  # it may be raised often

    def _counts(self) -> dict[str, int]:
        """Those of FeedStats that connections and the queue know."""
        clients, inbox = self._clients, self._inbox
        return {
            "bytes": sum(client.n_bytes for client in clients),
            "wire_bytes": sum(client.n_wire_bytes for client in clients),
            "reconnects": sum(max(client.n_connections - 1, 0) for client in clients),
            "dropped": inbox.n_dropped,
            "dropped_bytes": inbox.dropped_len,
            "queued": inbox.n_lines,
            "queued_bytes": inbox.size,
        }

    def _confirm(self, source: int) -> None:
        """Valid data has come by this connection; -1: by some."""
        if source >= 0:
            self._clients[source].is_valid = True
            return
        for client in self._clients:
            client.is_valid = client.state is State.CONNECTED

    def _send(self, texts: Iterable[bytes]) -> None:
        """Sends to all that are connected; the others will send their opening."""
        for text in texts:
            for client in self._clients:
                client.send(text)

    def _record(self, lines: Lines) -> None:
        assert self._recorder is not None
        self._recorder.write(lines, lines.n_lines)

    def _report_dropped(self) -> None:
        n = self._inbox.n_dropped - self._n_dropped
        self._n_dropped = self._inbox.n_dropped
        self.events.emit(
            EventKind.OVERFLOW,
            f"messages given up, as the reader is too slow: {n}",
            n=n,
            messages=n,
        )
