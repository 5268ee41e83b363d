"""Who reads what: all iterators of a feed, and the topics that they want."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from codec.errors import FeedClosed
from codec.feeds.events import EventKind
from codec.feeds.pusher import ChannelState
from codec.feeds.shuriken.readers import EventStream, Subscription
from codec.feeds.shuriken.subscriptions import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codec.errors import FeedError
    from codec.feeds.events import Events
    from codec.feeds.shuriken.channels import Channels
    from codec.feeds.shuriken.session import SessionError
    from codec.feeds.shuriken.subscriptions import Mailbox, OnOverflow, Topic

__all__ = ["Registry"]


class Registry:
    """The readers of a feed: what they are told, and what is told of them.

    topics: what is wanted. failure: gives why nothing more comes. is_over: the feed is
    closed. on_room: called when a full queue has room, or is nobody's any more.
    channels: set by the feed, and told of topics that come and go. n_dropped,
    dropped_len: given up in queues of those who have left.
    """

    channels: Channels

    def __init__(
        self,
        events: Events,
        policy: OnOverflow,
        limit: int,
        *,
        failure: Callable[[], FeedError | None],
        on_room: Callable[[], object],
    ) -> None:
        self.topics = Topics()
        self.is_over = False
        self.n_dropped = self.dropped_len = 0
        self.room = on_room
        self._events = events
        self._policy = policy
        self._limit = limit
        self._failure = failure
        self._streams: weakref.WeakSet[EventStream] = weakref.WeakSet()
        self._changes: list[asyncio.Future[None]] = []
        EventStream(self, policy, limit)  # its errors, now

    # Readers

    def open_stream(self) -> EventStream:
        """An iterator of all events from now on, for as long as somebody has it."""
        stream = EventStream(self, self._policy, self._limit)
        self._streams.add(stream)
        # One that is forgotten holds nobody up.
        weakref.finalize(stream, self.room).atexit = False
        return stream

    def subscribe(
        self,
        stream: str,
        given: Mapping[str, object],
        policy: OnOverflow | None,
        limit: int | None,
    ) -> Subscription:
        """An iterator of one topic's events. Raises as `ShurikenFeed.subscribe`."""
        if self.is_over:
            raise FeedClosed("the feed is closed")
        topic = self.topics.get(stream, given)
        try:
            subscription = Subscription(
                self,
                topic,
                policy or self._policy,
                self._limit if limit is None else limit,
            )
        finally:
            if not topic.mailboxes:
                self.topics.remove(topic)
        if topic.is_rejected:  # somebody wants it to be tried again
            topic.is_rejected, topic.problem = False, None
        self.channels.resolve_new()
        self.changed()
        return subscription

    def leave(self, reader: EventStream) -> None:
        """A reader wants no more."""
        self.n_dropped += reader.mailbox.n_dropped
        self.dropped_len += reader.mailbox.dropped_len
        self._streams.discard(reader)
        if isinstance(reader, Subscription):
            topic = reader.topic
            topic.mailboxes.remove(reader.mailbox)
            if not topic.mailboxes:
                self.topics.remove(topic)
                self.channels.release(topic)
        self.room()
        self.changed()

    @property
    def failure(self) -> FeedError | None:
        """Why nothing more comes, None while something may."""
        return self._failure()

    def state(self, topic: Topic) -> ChannelState:
        """How far a topic is."""
        if topic.is_rejected:
            return ChannelState.REFUSED
        return self.channels.state(topic)

    def members(self, topic: Topic) -> Mapping[str, Any]:
        """Who is in a topic's channel."""
        return self.channels.members(topic)

    # Queues

    def everywhere(self) -> list[Mailbox]:
        """The queues of those who want all events."""
        return [stream.mailbox for stream in self._streams]

    def mailboxes(self) -> list[Mailbox]:
        """All queues."""
        own = [mailbox for topic in self.topics for mailbox in topic.mailboxes]
        return own + self.everywhere()

    def is_full(self) -> bool:
        """Whether somebody has to read before more is taken in."""
        return any(mailbox.is_full for mailbox in self.mailboxes())

    # Changes

    async def change(self) -> None:
        """Waits until something may have changed for a subscription."""
        waiter = asyncio.get_running_loop().create_future()
        self._changes.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._changes:
                self._changes.remove(waiter)

    def changed(self) -> None:
        """Something may have."""
        changes, self._changes = self._changes, []
        for waiter in changes:
            if not waiter.done():
                waiter.set_result(None)

    def wake_all(self) -> None:
        """Has every reader look again."""
        for mailbox in self.mailboxes():
            mailbox.wake()
        self.changed()

    def refused(self, topic: Topic, error: FeedError) -> None:
        """Nothing comes of a topic for now."""
        topic.problem = error
        self._events.emit(
            EventKind.REFUSED,
            f"{topic}: {error}",
            connection=0,
            stream=topic.stream,
            filter=topic.filter,
            channel=topic.channel,
        )
        for mailbox in topic.mailboxes:
            mailbox.wake()
        self.changed()

    def rejected(self, topic: Topic, error: SessionError) -> None:
        """The API does not want a topic; it is not asked for it again."""
        topic.is_rejected = True
        self.refused(topic, error)

    def subscribed(self, topic: Topic) -> None:
        """A topic's channel is subscribed to."""
        topic.problem = None
        self.changed()
