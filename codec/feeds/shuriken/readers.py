"""What users hold: the iterator of a subscription, and that of all events."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from codec.errors import FeedClosed
from codec.feeds.pusher import ChannelState
from codec.feeds.shuriken.subscriptions import Mailbox, Outage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codec.errors import FeedError
    from codec.feeds.shuriken.events import ShurikenEvent
    from codec.feeds.shuriken.subscriptions import OnOverflow, Topic

__all__ = ["EventStream", "Subscription", "SubscriptionStats"]


class Source(Protocol):
    """What readers know of their feed."""

    @property
    def failure(self) -> FeedError | None: ...
    @property
    def is_over(self) -> bool: ...
    def state(self, topic: Topic) -> ChannelState: ...
    def members(self, topic: Topic) -> Mapping[str, Any]: ...
    def leave(self, reader: EventStream) -> None: ...
    def room(self) -> object: ...
    async def change(self) -> None: ...


class EventStream:
    """An async iterator of events, with a queue of its own; one task reads it."""

    def __init__(self, source: Source, policy: OnOverflow, limit: int) -> None:
        self.mailbox = Mailbox(policy, limit, _waker(self))
        self._source = source
        self._waiter: asyncio.Future[None] | None = None
        self._has_left = False

    def wake(self) -> None:
        """Has whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def leave(self) -> None:
        """Wants no more; what has come is still given."""
        if not self._has_left:
            self._has_left = True
            self._source.leave(self)
            self.wake()

    async def aclose(self) -> None:
        """Ends it, as for other async iterators."""
        self.leave()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ShurikenEvent | Outage:
        while True:
            mailbox = self.mailbox
            was_full = mailbox.is_full
            item = mailbox.take()
            if was_full and not mailbox.is_full:
                self._source.room()
            if item is not None:
                return item if isinstance(item, Outage) else item.make()
            if self._has_left:
                raise StopAsyncIteration
            problem = self._problem()
            if problem is not None:
                raise problem
            if self._source.is_over:
                raise StopAsyncIteration
            await self._wait()

    def _problem(self) -> FeedError | None:
        """Why nothing more comes."""
        return self._source.failure

    async def _wait(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("another task is waiting for this iterator's next event")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


def _waker(stream: EventStream) -> Callable[[], None]:
    """Wakes it, and does not keep it: what nobody reads any more is to vanish."""
    found = weakref.ref(stream)

    def wake() -> None:
        if (reader := found()) is not None:
            reader.wake()

    return wake


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStats:
    """The counts of a subscription at one moment.

    events: of its stream and filter, all users' together. queued, queued_bytes: waiting
    in its queue; dropped, dropped_bytes: given up there. outages: how often events may
    have been missed.
    """

    events: int
    queued: int
    queued_bytes: int
    dropped: int
    dropped_bytes: int
    outages: int


class Subscription(EventStream):
    """One user's view of a stream with a filter: `async for` gives its events.

    Iterating raises FeedAuthError or FeedError where the channel is refused, once for
    each refusal, and goes on afterwards: it is tried again on the next connection. Once
    the feed has failed it raises why. It ends with `unsubscribe`, or with the feed,
    after what had come.
    """

    def __init__(
        self, source: Source, topic: Topic, policy: OnOverflow, limit: int
    ) -> None:
        super().__init__(source, policy, limit)
        self.topic = topic
        self._told: FeedError | None = None
        topic.mailboxes.append(self.mailbox)

    @property
    def stream(self) -> str:
        """The stream's id, as it was asked for."""
        return self.topic.stream

    @property
    def filter(self) -> Mapping[str, str]:
        """The filter, as it was asked for; numbers as decimal text."""
        return dict(self.topic.filter)

    @property
    def channel(self) -> str:
        """Where its events come; empty before the first session."""
        return self.topic.channel

    @property
    def state(self) -> ChannelState:
        """How far it is on the connection of now."""
        return self._source.state(self.topic)

    @property
    def members(self) -> Mapping[str, Any]:
        """Of a presence channel: who is there, by user id."""
        return self._source.members(self.topic)

    @property
    def outages(self) -> tuple[Outage, ...]:
        """The last hundred times in which events may have been missed."""
        return tuple(self.topic.outages)

    @property
    def stats(self) -> SubscriptionStats:
        """The counts of this moment."""
        mailbox = self.mailbox
        return SubscriptionStats(
            events=self.topic.n_events,
            queued=len(mailbox),
            queued_bytes=mailbox.size,
            dropped=mailbox.n_dropped,
            dropped_bytes=mailbox.dropped_len,
            outages=self.topic.n_outages,
        )

    async def ready(self) -> Self:
        """Waits until it is subscribed to.

        Raises FeedAuthError or FeedError where it is refused or the feed has failed,
        FeedClosed where it was unsubscribed from or the feed is closed.
        """
        while True:
            if self._has_left or self._source.is_over:
                raise FeedClosed("the subscription has ended")
            if self.state is ChannelState.SUBSCRIBED:
                return self
            failure = self._source.failure or self.topic.problem
            if failure is not None:
                self._told = self.topic.problem
                raise failure
            await self._source.change()

    async def unsubscribe(self) -> None:
        """Leaves; the channel is given up where nobody else has it."""
        self.leave()

    def _problem(self) -> FeedError | None:
        problem = self.topic.problem
        if problem is not None and problem is not self._told:
            self._told = problem
            return problem
        return super()._problem()

    def __repr__(self) -> str:
        return f"<Subscription: {self.topic}, {self.state}>"
