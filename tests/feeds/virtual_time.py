"""An event loop whose time runs as fast as nothing happens: hours in seconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_START_NS = 1_764_608_698_000_000_000


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Looks for what is ready; where nothing is, time goes on to the next timer."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        # Loopback delivers within a send: what is not ready now waits for a timer.
        ready: list[Any] = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """At once: time would run away from a thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def time(self) -> float:
        return self.selector.now_s

    def time_ns(self) -> int:
        """A wall clock that agrees with it."""
        return _START_NS + round(self.selector.now_s * 1e9)


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in a loop of that kind."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
