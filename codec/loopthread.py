"""An event loop on a thread of its own, for those who call without asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["LoopThread"]

_N_CANCELS = 10  # of tasks that begin others while they end


class LoopThread:
    """Runs coroutines on its thread, which is a daemon's; `call` waits for one."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self, first: Coroutine[Any, Any, Any]) -> Self:
        """Starts the thread and waits for its first coroutine; what that raises ends
        the thread again."""
        self._thread.start()
        try:
            self.call(first)
        except BaseException:
            self.stop()
            raise
        return self

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What a coroutine gives. Interrupted, as by Ctrl-C, it is cancelled."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # nobody waits for it any more
            raise

    def stop(self) -> None:
        """Ends the thread; what still runs there is cancelled and waited for."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _work(self) -> None:
        try:
            self._loop.run_forever()
            # What Ctrl-C left in the middle of closing ends as well, and whoever waits.
            for _ in range(_N_CANCELS):
                if not (tasks := asyncio.all_tasks(self._loop)):
                    break
                for task in tasks:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(tasks))
        finally:
            self._loop.close()
