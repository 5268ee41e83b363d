"""A feed for scripts without asyncio: the same feed, on a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from codec.errors import FeedClosed
from codec.loopthread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from codec.feeds.feed import Feed


__all__ = ["Blocking", "BlockingFeed"]


class Openable(Protocol):
    """What can be read by a thread for others."""

    async def __aenter__(self) -> Any: ...
    async def __anext__(self) -> Any: ...
    async def close(self) -> None: ...


T = TypeVar("T")
F = TypeVar("F", bound=Openable)


class Blocking(Generic[F, T]):
    """Anything that gives T by asyncio, for callers without it.

    The feed reads on while the loop's body works, as far as its queue allows. `feed` is
    the feed itself, for `stats`, `events` and `states`.
    """

    def __init__(self, feed: F) -> None:
        self.feed = feed
        self._thread: LoopThread | None = None

    def open(self) -> Self:
        """Starts the thread, and opens the feed on it."""
        self._thread = LoopThread("codec.feeds").start(self.feed.__aenter__())
        return self

    def close(self) -> None:
        """Closes the feed and ends the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.call(self.feed.close())
            finally:
                thread.stop()

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Waits for a coroutine of the feed: `feed.call(feed.feed.subscribe([7]))`."""
        if self._thread is None:
            work.close()
            raise FeedClosed("the feed is not open: use `with`")
        return self._thread.call(work)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            result: T = self.call(self.feed.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
        return result


class BlockingFeed(Blocking[Any, T]):
    """What `with feed as ...` gives: `for batch in ...` waits for each batch."""

    feed: Feed[T]
