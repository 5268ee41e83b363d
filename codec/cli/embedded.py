"""A simulated server in the same process, on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.simulator.server import Server

__all__ = ["embedded"]


@contextmanager
def embedded(server: Server[Any]) -> Iterator[None]:
    """Has a server serve as long as the `with` lasts. Raises what keeps it from it."""
    started = Event()
    ending: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    failures: list[BaseException] = []

    async def serve() -> None:
        end = asyncio.Event()
        async with server:
            ending.append((asyncio.get_running_loop(), end))
            started.set()
            await end.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)
        finally:
            started.set()

    thread = Thread(target=run, name="simulator", daemon=True)
    thread.start()
    started.wait()
    if failures:
        raise failures[0]
    try:
        yield
    finally:
        loop, end = ending[0]
        loop.call_soon_threadsafe(end.set)
        thread.join()
