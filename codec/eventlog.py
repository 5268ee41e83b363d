"""A log of things that happened: kept, listened to, waited for, and not too many."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import logging
    from collections.abc import AsyncIterator, Callable, Iterator

__all__ = ["EventLog"]

K = TypeVar("K")
E = TypeVar("E")


class EventLog(Generic[K, E]):
    """The last events of a source, and each new one as it comes.

    K is what kinds are, E what events are; a subclass has the function that makes and
    adds them. Iterating gives those that are kept, oldest first; `async for` gives new
    ones until the log is closed, and misses those that are kept no more; `listen`
    registers a function that is called with each. `counts` counts all of a kind, also
    those that `_admit` did not let through.

    capacity: how many are kept. per_second: how many of one kind are let through in a
    second. monotonic: the seconds by which that is judged.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        capacity: int = 1000,
        per_second: int = 20,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[K] = Counter()
        self._logger = logger
        self._kept: deque[E] = deque(maxlen=capacity)
        self._n = 0  # how many there have ever been
        self._listeners: list[Callable[[E], object]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._closed = False
        self._per_second = per_second
        self._monotonic = monotonic
        self._windows: dict[K, tuple[float, int]] = {}
        self._suppressed: Counter[K] = Counter()

    def __iter__(self) -> Iterator[E]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    async def __aiter__(self) -> AsyncIterator[E]:
        seen = self._n
        while True:
            new = min(self._n - seen, len(self._kept))
            seen = self._n
            for event in tuple(self._kept)[len(self._kept) - new :]:
                yield event
            if self._closed and seen == self._n:
                return
            if seen == self._n:
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.append(waiter)
                try:
                    await waiter
                finally:
                    if waiter in self._waiters:
                        self._waiters.remove(waiter)

    def listen(self, function: Callable[[E], object]) -> None:
        """Has the function called with every new event, from the source's thread.

        What it raises is logged, and goes no further.
        """
        self._listeners.append(function)

    def unlisten(self, function: Callable[[E], object]) -> None:
        """Has it called no more. Raises ValueError where it was not."""
        self._listeners.remove(function)

    def close(self) -> None:
        """Ends every `async for`."""
        self._closed = True
        self._wake()

    def _admit(self, kind: K, n: int, *, limited: bool = True) -> int | None:
        """Counts an event that stands for `n`, and says whether to add it.

        None: there have been too many of its kind in this second. Else how many were
        suppressed since the last one that was let through.
        """
        self.counts[kind] += n
        if not limited:
            return 0
        if not self._let_through(kind):
            self._suppressed[kind] += n
            return None
        return self._suppressed.pop(kind, 0)

    def _add(self, event: E, level: int) -> None:
        """Keeps an event, logs it, and tells those who listen and wait."""
        self._kept.append(event)
        self._n += 1
        self._logger.log(level, "%s", event, extra={"event": event})
        self._wake()
        for function in tuple(self._listeners):
            try:
                function(event)
            except Exception:
                self._logger.exception("a listener failed at %s", event)

    def _let_through(self, kind: K) -> bool:
        now = self._monotonic()
        start, n = self._windows.get(kind, (now, 0))
        if now - start >= 1.0:
            start, n = now, 0
        self._windows[kind] = start, n + 1
        return n < self._per_second

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
