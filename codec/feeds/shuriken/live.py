"""One connection: its session, its channels, and which topics they belong to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codec.backoff import Backoff
from codec.feeds.pusher import ChannelState, Pusher
from codec.feeds.shuriken.session import Resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from typing import Any, TypeVar

    from codec.feeds.pusher_words import PusherEvent
    from codec.feeds.shuriken.session import Session
    from codec.feeds.shuriken.subscriptions import Topic

    K = TypeVar("K")

__all__ = ["Live"]

_AT_A_TIME = 8  # authorisations


class Live:
    """What is known and done for one connection, until that ends.

    number: the connection's, from 1. heard_ns: unix ns, when it last brought anything.
    problems: of topics that the session did not resolve. renewed: channels for which a
    new session was got, since they were subscribed to last. retry_s: the first and the
    longest wait for what is refused for now. on_fault: called with what is raised by
    what was spawned.
    """

    def __init__(
        self,
        number: int,
        session: Session,
        opened_ns: int,
        retry_s: tuple[float, float],
        on_fault: Callable[[BaseException], object],
    ) -> None:
        self.number = number
        self.session = session
        self.pusher = Pusher()
        self.heard_ns = opened_ns
        self.problems: dict[Topic, str] = {}
        self.auth_slots = asyncio.Semaphore(_AT_A_TIME)
        self.renewing = asyncio.Lock()
        self.renewed: set[str] = set()
        self.has_ended = self.is_resolving = False
        self._resolved: dict[Topic, Resolved] = {}
        self._users: dict[str, list[Topic]] = {}
        self._routes: dict[tuple[str, str], list[Topic]] = {}
        self._retry_s = retry_s
        self._on_fault = on_fault
        self._backoffs: dict[str, Backoff] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # Channels and topics

    def adopt(self, session: Session, topics: Iterable[Topic]) -> list[PusherEvent]:
        """Takes a session in, of these topics; wants the channels of new ones.

        What is subscribed to stays as it is, also where the session has a new channel
        for it; what is not goes to that.
        """
        self.session = session
        events: list[PusherEvent] = []
        for topic, resolved in zip(topics, session.resolved, strict=True):
            if topic in self._resolved and not self._is_elsewhere(topic, resolved):
                continue
            if isinstance(resolved, str):
                self.problems[topic] = resolved
                continue
            self.problems.pop(topic, None)
            self._resolved[topic] = resolved
            topic.channel = resolved.channel
            self._users.setdefault(resolved.channel, []).append(topic)
            route = (resolved.channel, resolved.event)
            self._routes.setdefault(route, []).append(topic)
            events += self.pusher.subscribe(
                resolved.channel, is_private=resolved.is_private
            )
            events += self.pusher.retry(resolved.channel)  # others were refused
        return events

    def _is_elsewhere(self, topic: Topic, resolved: Resolved | str) -> bool:
        """Whether a topic has to move to another channel; it has left the old one."""
        known = self._resolved[topic].channel
        if isinstance(resolved, str) or resolved.channel == known:
            return False
        if self.state(topic) in (ChannelState.SUBSCRIBING, ChannelState.SUBSCRIBED):
            return False
        was_renewed = known in self.renewed
        self.release(topic)
        if was_renewed:  # lest each session be renewed for the next
            self.renewed.add(resolved.channel)
        return True

    def release(self, topic: Topic) -> None:
        """A topic is wanted no more, nor is its channel if it was the last one's."""
        self.problems.pop(topic, None)
        resolved = self._resolved.pop(topic, None)
        if resolved is None:
            return
        _remove(self._routes, (resolved.channel, resolved.event), topic)
        _remove(self._users, resolved.channel, topic)
        if resolved.channel not in self._users:
            self.pusher.unsubscribe(resolved.channel)
            self._backoffs.pop(resolved.channel, None)
            self.renewed.discard(resolved.channel)

    def unresolved(self, topics: Iterable[Topic]) -> list[Topic]:
        """Those that the session has not been asked for."""
        return [
            topic
            for topic in topics
            if topic not in self._resolved and topic not in self.problems
        ]

    def users(self, channel: str) -> Sequence[Topic]:
        """The topics of a channel."""
        return self._users.get(channel, ())

    def route(self, channel: str, event: str) -> Sequence[Topic]:
        """The topics that an event belongs to; a channel can have several events."""
        return self._routes.get((channel, event), ())

    def schema_id(self, topic: Topic) -> str:
        """What the session says of the payloads."""
        return self._resolved[topic].schema_id

    def is_private(self, channel: str) -> bool:
        """Whether a channel has to be authorised."""
        return any(self._resolved[topic].is_private for topic in self.users(channel))

    def state(self, topic: Topic) -> ChannelState:
        """How far a topic is."""
        resolved = self._resolved.get(topic)
        if resolved is None or self.has_ended:
            return ChannelState.WANTED
        return self.pusher.channels.get(resolved.channel, ChannelState.WANTED)

    # What is done for it

    def backoff(self, channel: str) -> Backoff:
        """How long a channel waits that was refused for now."""
        return self._backoffs.setdefault(channel, Backoff(*self._retry_s))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Has something done, which is cancelled when the connection ends."""
        if self.has_ended:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fault(error)

    def end(self) -> None:
        """The connection has ended."""
        self.has_ended = True
        for task in tuple(self._tasks):
            task.cancel()


def _remove(table: dict[K, list[Topic]], key: K, topic: Topic) -> None:
    table[key].remove(topic)
    if not table[key]:
        del table[key]
