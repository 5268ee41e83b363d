"""Reading a feed beside a command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from codec.cli.background import Background

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from codec.cli.sources import LiveFeed

__all__ = ["Reading"]


class Reading(Background):
    """Reads a feed as long as the `with` lasts.

    take: called with each batch, on the reading thread. end: set when the feed has
    ended by itself.
    """

    def __init__(
        self, feed: LiveFeed, take: Callable[[Any], object], end: threading.Event
    ) -> None:
        super().__init__(self._read, "reading", end)
        self._feed = feed
        self._take = take

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the feed; what had arrived is still taken."""
        self.stop(self._close)

    async def _read(self) -> None:
        async with self._feed:
            async for batch in self._feed:
                self._take(batch)

    def _close(self) -> None:
        self._closing = asyncio.ensure_future(self._feed.close())
