"""A command's asyncio work on a thread of its own, until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["Background", "log_loop_faults", "until_signalled"]

_log = logging.getLogger("codec.feeds.socket")


class Background:
    """Work on a thread of its own, so that no terminal holds it up.

    work: makes the coroutine. end: set when the work has ended; `failure` says why.
    """

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        name: str,
        end: threading.Event,
    ) -> None:
        self.failure: BaseException | None = None
        self._work = work
        self._end = end
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins with the work."""
        self._thread.start()

    def stop(self, ask: Callable[[], object]) -> None:
        """Asks the work, on its thread, to end, and waits until it has."""
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(ask)
        self._thread.join()

    def check(self) -> None:
        """Raises what ended the work."""
        if self.failure is not None:
            raise self.failure

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._logged())
        except BaseException as error:
            self.failure = error
        finally:
            self._end.set()

    async def _logged(self) -> None:
        log_loop_faults()
        await self._work()


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
