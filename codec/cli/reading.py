"""Reading a feed on a thread of its own, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codec import Batch
    from codec.feeds import FastFeed

__all__ = ["Reading", "log_loop_faults", "until_signalled"]

_log = logging.getLogger("codec.feeds.socket")


class Reading:
    """Reads a feed as long as the `with` lasts, so that no terminal holds it up.

    take: called with each batch, on the reading thread. end: set when the feed has
    ended by itself; `failure` says why.
    """

    def __init__(
        self, feed: FastFeed, take: Callable[[Batch], object], end: threading.Event
    ) -> None:
        self.failure: BaseException | None = None
        self._feed = feed
        self._take = take
        self._end = end
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the feed; what had arrived is still taken."""
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._close)
        self._thread.join()

    def check(self) -> None:
        """Raises what ended the feed."""
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._read())
        except BaseException as error:
            self.failure = error
        finally:
            self._end.set()

    async def _read(self) -> None:
        log_loop_faults()
        async with self._feed:
            async for batch in self._feed:
                self._take(batch)

    def _close(self) -> None:
        self._closing = asyncio.ensure_future(self._feed.close())


def log_loop_faults() -> None:
    """Has the running loop's faults, such as a failed TLS handshake, in the log, in a
    line each: who connects hears of them anyway."""

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        message = str(context.get("message", "")).partition("\n")[0]
        _log.info("%s (%s)", message, type(context.get("exception")).__name__)

    asyncio.get_running_loop().set_exception_handler(note)


@contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and SIGHUP set, each unless it is ignored."""
    end = threading.Event()
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    before = {
        number: handler
        for number in numbers
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, lambda *_: end.set())
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
