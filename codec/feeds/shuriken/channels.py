"""Channels of one connection after the other: authorised, subscribed to, refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codec.backoff import Backoff
from codec.errors import FeedAuthError, FeedError
from codec.feeds.events import EventKind
from codec.feeds.pusher import ChannelState
from codec.feeds.pusher_words import (
    Established,
    Lost,
    MemberAdded,
    MemberRemoved,
    NeedsAuth,
    Odd,
    Refused,
    ServerError,
    Subscribed,
)
from codec.feeds.retry import ConnectionLost
from codec.feeds.shuriken.live import Live
from codec.feeds.shuriken.session import SessionError
from codec.feeds.shuriken.subscriptions import Outage
from codec.feeds.words import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codec.feeds.client import Client
    from codec.feeds.events import Events
    from codec.feeds.pusher_words import PusherEvent
    from codec.feeds.shuriken.api import Api
    from codec.feeds.shuriken.bootstrap import Bootstrap
    from codec.feeds.shuriken.registry import Registry
    from codec.feeds.shuriken.session import Session
    from codec.feeds.shuriken.subscriptions import Topic

__all__ = ["Channels"]

_WAIT = (408, 425, 429)  # refusals that time may cure
_MOST_ODD = 4  # answers of other servers, until who waits is told
_UNAUTHORISED = (401, 403)  # that another session may


class Channels:
    """Keeps the protocol going on the connection of now, for all topics.

    live: that connection, None while there is none. n_begun: the number of the last
    one. n_bad: messages that were malformed. n_outages: counts. retry_s: the first and
    the longest wait before what was refused for now is tried again. on_outage: is
    called with each outage and its topic.
    """

    def __init__(
        self,
        registry: Registry,
        client: Client,
        events: Events,
        api: Api,
        bootstrap: Bootstrap,
        *,
        on_outage: Callable[[Outage, Topic], object],
        on_begun: Callable[[], object],
        on_sent: Callable[[], object],
        clock_ns: Callable[[], int],
    ) -> None:
        self.live: Live | None = None
        self.n_begun = self.n_bad = self.n_outages = 0
        self.retry_s = (1.0, 60.0)
        self._registry = registry
        self._client = client
        self._events = events
        self._api = api
        self._bootstrap = bootstrap
        self._on_outage = on_outage
        self._on_begun = on_begun
        self._on_sent = on_sent
        self._clock_ns = clock_ns
        self._lives: dict[int, Live] = {}  # those whose lines may not all be read
        self._reason = ""  # why the connection before ended

    # Connections

    def begin(self, session: Session, topics: Sequence[Topic]) -> None:
        """A connection is there, and this is its session."""
        live = Live(
            self._client.number,
            session,
            self._clock_ns(),
            self.retry_s,
            lambda error: self._lose(f"{type(error).__name__}: {error}"),
        )
        self._lives[live.number] = self.live = live
        self.n_begun = live.number
        live.pusher.opened(asyncio.get_running_loop().time())
        self._adopt(live, session, topics)
        self._on_begun()

    def end(self, reason: str) -> None:
        """It is gone; what it brought is still read."""
        if self.live is not None:
            self.live.end()
            self.live, self._reason = None, reason

    def read_by(self, number: int) -> Live | None:
        """Whose lines are read now; those before it are done with."""
        for old in [old for old in self._lives if old < number]:
            del self._lives[old]
        return self._lives.get(number)

    def tick(self, now_s: float) -> None:
        """All that had arrived was read."""
        live = self.live
        if live is None:
            self._lives.clear()
            return
        self._lives = {live.number: live}
        self._react(live, live.pusher.tick(now_s))

    def confirm(self, live: Live) -> None:
        """A connection is a good one."""
        if live is self.live:
            self._client.is_valid = True

    def flush(self, live: Live) -> None:
        """Sends what the protocol has to say."""
        texts = live.pusher.take_texts()
        if live is self.live:
            for text in texts:
                self._client.send(text)
            if texts:
                self._on_sent()

    def state(self, topic: Topic) -> ChannelState:
        """How far a topic is."""
        return ChannelState.WANTED if self.live is None else self.live.state(topic)

    def members(self, topic: Topic) -> Mapping[str, Any]:
        """Who is in a topic's channel."""
        return {} if self.live is None else self.live.pusher.members(topic.channel)

    def release(self, topic: Topic) -> None:
        """A topic is wanted no more."""
        for live in self._lives.values():
            live.release(topic)
            self.flush(live)

    # What the protocol says

    def _react(self, live: Live, events: Iterable[PusherEvent]) -> None:
        for event in events:
            self.handle(live, event)
        self.flush(live)

    def handle(self, live: Live, event: PusherEvent) -> None:
        """Does what follows from an event that is no data."""
        match event:
            case Established():
                if live is self.live:
                    self._client.greet()
                    self.resolve_new()
                    self._tell_problems(live)
            case NeedsAuth():
                live.spawn(self._authorise(live, event))
            case Subscribed():
                self._on_subscribed(live, event)
            case Refused():
                self._on_refused(live, event)
            case MemberAdded() | MemberRemoved():
                self._on_member(event)
            case ServerError():
                code = "" if event.code is None else f" [{event.code}]"
                self._say(EventKind.SERVER_ERROR, event.message + code, code=event.code)
            case Odd(is_bad=True):
                self.n_bad += 1
                self._say(EventKind.BAD_MESSAGE, event.reason, message=event.text)
            case Odd():
                self._say(EventKind.UNKNOWN_MESSAGE, event.reason, message=event.text)
            case Lost() if live is self.live:
                lost = ConnectionLost(event.code, event.reason, ours=True)
                self._client.lose(lost)

    def _say(self, kind: EventKind, text: str, **data: Any) -> None:
        self._events.emit(kind, text, connection=0, **data)

    def _on_subscribed(self, live: Live, event: Subscribed) -> None:
        self.confirm(live)
        live.backoff(event.channel).reset()
        live.renewed.discard(event.channel)
        self._say(
            EventKind.ACKNOWLEDGED,
            f"subscribed to {event.channel}",
            channel=event.channel,
            members=len(event.members),
        )
        for topic in live.users(event.channel):
            self._on_topic(live, topic)

    def _on_topic(self, live: Live, topic: Topic) -> None:
        """A topic is subscribed to."""
        before, topic.last = topic.last, live
        if before is not None and (before is not live or topic.was_refused):
            reason = "refused meanwhile" if before is live else self._reason
            self._tell_outage(topic, topic.refused_ns or before.heard_ns, reason)
        topic.was_refused, topic.refused_ns = False, 0
        self._registry.subscribed(topic)

    def _tell_outage(self, topic: Topic, since_ns: int, reason: str) -> None:
        now_ns = self._clock_ns()
        outage = Outage(
            topic.stream, topic.filter, topic.channel, since_ns, now_ns, reason
        )
        self.n_outages += 1
        topic.n_outages += 1
        topic.outages.append(outage)
        seconds = max(now_ns - since_ns, 0) / 1e9
        self._say(
            EventKind.OUTAGE,
            f"{topic}: events of {seconds:.3f} s may be missing: {reason}",
            stream=topic.stream,
            filter=topic.filter,
            channel=topic.channel,
            since_ns=since_ns,
            until_ns=now_ns,
            reason=reason,
        )
        self._on_outage(outage, topic)

    def _on_member(self, event: MemberAdded | MemberRemoved) -> None:
        has_joined = isinstance(event, MemberAdded)
        verb = "joined" if has_joined else "left"
        self._say(
            EventKind.MEMBER,
            f"{shown(event.user_id)} has {verb} {shown(event.channel)}",
            channel=event.channel,
            user_id=event.user_id,
            joined=has_joined,
        )

    def _on_refused(self, live: Live, event: Refused) -> None:
        """The server refuses a channel: for now, for an old session, or for good."""
        channel, status = event.channel, event.status
        for topic in live.users(channel):
            if topic.last is live and not topic.was_refused:
                topic.was_refused, topic.refused_ns = True, live.heard_ns
        text = f"{shown(channel)} is refused: {event.reason}"
        if status in _WAIT or status >= 500:
            self._say(EventKind.SERVER_ERROR, text, code=status)
            live.spawn(self._try_again(live, channel, live.backoff(channel).next()))
        elif (
            status in _UNAUTHORISED
            and live.is_private(channel)
            and channel not in live.renewed
        ):
            live.renewed.add(channel)
            self._say(EventKind.SERVER_ERROR, text, code=status)
            live.spawn(self._try_again(live, channel, 0.0, live.session))
        else:
            self._refuse(live, channel, text, status)

    def _refuse(self, live: Live, channel: str, text: str, status: int) -> None:
        error = FeedAuthError(text) if status in _UNAUTHORISED else FeedError(text)
        for topic in live.users(channel):
            self._registry.refused(topic, error)

    def _tell_problems(self, live: Live) -> None:
        for topic, problem in live.problems.items():
            if topic.problem is None:
                self._registry.refused(topic, FeedError(f"{topic}: {problem}"))

    # What takes time

    async def _try_again(
        self, live: Live, channel: str, delay_s: float, used: Session | None = None
    ) -> None:
        """Subscribes again. used: a session that is not to be used any more."""
        await asyncio.sleep(delay_s)
        if used is None or await self._renew(live, used):
            self._react(live, live.pusher.retry(channel))

    async def _renew(self, live: Live, used: Session) -> bool:
        """Another session than the one that was of no use; False where the connection
        ends instead."""
        backoff = Backoff(*self.retry_s)
        async with live.renewing:
            while live.session is used:  # else somebody else got it
                try:
                    self._adopt(live, *await self._bootstrap.session())
                except FeedAuthError as error:
                    self._give_up(error)
                    return False
                except FeedError as error:
                    text = f"no new session: {error}"
                    if _is_refusal(error) or not self._registry.topics.asked():
                        self._say(EventKind.SERVER_ERROR, text)
                        break
                    await self._wait(backoff, error, text)
        return True

    def _give_up(self, error: FeedAuthError) -> None:
        """The key is refused: the next attempt to connect hears the same, and ends."""
        self._lose(str(error))

    def _lose(self, reason: str) -> None:
        self._client.lose(ConnectionLost(1006, reason, ours=True))

    def _adopt(self, live: Live, session: Session, topics: Sequence[Topic]) -> None:
        """Takes a session in; some topics may be wanted no more by now."""
        events = live.adopt(session, topics)
        for topic in topics:
            if topic not in self._registry.topics:
                live.release(topic)
        self._react(live, events)
        if live.pusher.socket_id is not None:
            self._tell_problems(live)
        for topic in topics:
            if live.state(topic) is ChannelState.SUBSCRIBED and topic.last is not live:
                self._on_topic(live, topic)  # by a channel that others had already

    def resolve_new(self) -> None:
        """There may be topics that the session does not know."""
        live = self.live
        if live is None or live.pusher.socket_id is None or live.is_resolving:
            return
        if live.unresolved(self._registry.topics.asked()):
            live.is_resolving = True
            live.spawn(self._resolve(live))

    async def _resolve(self, live: Live) -> None:
        """Expands the session until it knows every topic."""
        backoff = Backoff(*self.retry_s)
        try:
            while live.unresolved(self._registry.topics.asked()):
                try:
                    self._adopt(live, *await self._bootstrap.session())
                except FeedAuthError as error:
                    self._give_up(error)
                    return
                except FeedError as error:
                    text = f"the session cannot be expanded: {error}"
                    if self._registry.topics.asked():
                        await self._wait(backoff, error, text)
        finally:
            live.is_resolving = False

    async def _wait(self, backoff: Backoff, error: FeedError, text: str) -> None:
        """Reports what failed for now, and waits as long as it is to be waited."""
        delay_s = backoff.next()
        if isinstance(error, SessionError):
            delay_s = max(delay_s, error.retry_after_s or 0.0)
        self._say(EventKind.SERVER_ERROR, text, delay_s=delay_s)
        await asyncio.sleep(delay_s)

    async def _authorise(self, live: Live, need: NeedsAuth) -> None:
        """Gets a channel authorised, by another session if need be."""
        channel, n_odd = need.channel, 0
        while channel in live.pusher.channels:
            session = live.session
            try:
                async with live.auth_slots:
                    auth, data = await self._api.authorise(
                        session.auth_endpoint, need.socket_id, channel
                    )
            except FeedError as error:
                status = _status_of(error)
                if status in _UNAUTHORISED and channel not in live.renewed:
                    live.renewed.add(channel)
                    if not await self._renew(live, session):
                        return
                elif status in _UNAUTHORISED or self._is_final(session, error):
                    live.pusher.refuse(need.socket_id, channel, str(error), status)
                    text = f"{shown(channel)} is not authorised: {error}"
                    self._refuse(live, channel, text, status)
                    return
                else:
                    text = f"{shown(channel)} is not authorised yet: {error}"
                    n_odd += _is_lasting(error)
                    if n_odd == _MOST_ODD and _is_lasting(error):
                        self._refuse(live, channel, text, status)
                    await self._wait(live.backoff(channel), error, text)
            else:
                live.pusher.authorise(need.socket_id, channel, auth, data)
                self.flush(live)
                return

    def _is_final(self, session: Session, error: FeedError) -> bool:
        """Whether it is the API that refuses, or the key is not for the endpoint; what
        else is lasting may be of a server in between."""
        try:
            self._api.auth_url(session.auth_endpoint)
        except FeedError:
            return True
        return _is_refusal(error)


def _status_of(error: FeedError) -> int:
    if isinstance(error, FeedAuthError):
        return 401
    return error.status if isinstance(error, SessionError) else 0


def _is_refusal(error: FeedError) -> bool:
    return isinstance(error, SessionError) and error.is_refusal


def _is_lasting(error: FeedError) -> bool:
    return isinstance(error, SessionError) and error.is_lasting
