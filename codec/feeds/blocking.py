"""A feed for scripts without asyncio: the same feed, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from codec.errors import FeedClosed

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from codec.feeds.feed import Feed

__all__ = ["BlockingFeed"]

T = TypeVar("T")


class BlockingFeed(Generic[T]):
    """What `with feed as ...` gives: `for batch in ...` waits for each batch.

    The feed reads on while the loop's body works, as far as its queue allows. `feed` is
    the feed itself, for `stats`, `events` and `states`.
    """

    def __init__(self, feed: Feed[T]) -> None:
        self.feed = feed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> Self:
        """Starts the thread, and opens the feed on it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=_work, args=(self._loop,), name="codec.feeds", daemon=True
        )
        self._thread.start()
        try:
            self.call(self.feed.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def close(self) -> None:
        """Closes the feed and ends the thread."""
        if self._loop is not None:
            self.call(self.feed.close())
            self._end()

    def _end(self) -> None:
        loop, self._loop = self._loop, None
        assert loop is not None and self._thread is not None
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Waits for a coroutine of the feed: `feed.call(feed.feed.subscribe([7]))`."""
        if self._loop is None:
            work.close()
            raise FeedClosed("the feed is not open: use `with`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C here: nobody waits for it any more
            raise

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            result: T = self.call(self.feed.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
        return result


def _work(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
