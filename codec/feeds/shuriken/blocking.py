"""A ShurikenFeed for scripts without asyncio: the same feed, on a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from codec.feeds.blocking import Blocking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.feeds.shuriken.events import ShurikenEvent
    from codec.feeds.shuriken.feed import ShurikenFeed
    from codec.feeds.shuriken.readers import Subscription
    from codec.feeds.shuriken.subscriptions import Outage

__all__ = ["BlockingShurikenFeed", "BlockingSubscription"]


class BlockingSubscription:
    """What `subscribe` of a blocking feed gives: `for event in ...` waits for each.

    subscription: the subscription itself, for `stats`, `state` and `channel`.
    """

    def __init__(self, feed: BlockingShurikenFeed, subscription: Subscription) -> None:
        self.subscription = subscription
        self._feed = feed

    def ready(self) -> Self:
        """Waits until it is subscribed to; raises as `Subscription.ready`."""
        self._feed.call(self.subscription.ready())
        return self

    def unsubscribe(self) -> None:
        """Leaves; iterating ends after what had come."""
        self._feed.call(self.subscription.unsubscribe())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unsubscribe()

    def __iter__(self) -> Iterator[ShurikenEvent | Outage]:
        return self

    def __next__(self) -> ShurikenEvent | Outage:
        try:
            result: ShurikenEvent | Outage
            result = self._feed.call(self.subscription.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None
        return result


class BlockingShurikenFeed(Blocking[Any, "ShurikenEvent | Outage"]):
    """What `with feed as ...` gives: `for event in ...` waits for each event of all
    subscriptions, `subscribe` gives one to iterate over by itself."""

    feed: ShurikenFeed

    def subscribe(self, stream: str, /, **given: str | int) -> BlockingSubscription:
        """As `ShurikenFeed.subscribe`."""
        subscription = self.call(self.feed.subscribe(stream, **given))
        return BlockingSubscription(self, subscription)
