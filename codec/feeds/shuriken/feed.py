"""`ShurikenFeed`: streams of swaps, pools, balances and signals, each by itself."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Self

from codec.errors import FeedClosed, FeedError
from codec.feeds._listener import Inbox
from codec.feeds.client import Client, ConnectionSettings
from codec.feeds.endpoint import Endpoint, Headers, Secret
from codec.feeds.events import EventKind, Events, State
from codec.feeds.pusher import ChannelState
from codec.feeds.shuriken.api import Api
from codec.feeds.shuriken.blocking import BlockingShurikenFeed
from codec.feeds.shuriken.bootstrap import Bootstrap
from codec.feeds.shuriken.channels import Channels
from codec.feeds.shuriken.pump import Pump
from codec.feeds.shuriken.recorded import session_line
from codec.feeds.shuriken.registry import Registry
from codec.feeds.shuriken.stats import ShurikenStats
from codec.feeds.shuriken.subscriptions import total
from codec.feeds.shuriken.verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codec.feeds._listener import Lines
    from codec.feeds.endpoint import Token
    from codec.feeds.events import Event
    from codec.feeds.shuriken.events import ShurikenEvent
    from codec.feeds.shuriken.readers import EventStream, Subscription
    from codec.feeds.shuriken.session import Session, StreamInfo
    from codec.feeds.shuriken.subscriptions import OnOverflow, Outage, Topic
    from codec.recording import Recorder

__all__ = ["FeedEvents", "ShurikenFeed"]

_CLIENT = "stork-codec"
_BOOTSTRAP_S = 300.0  # all requests of one; each has a limit of its own
_INBOX_LEN = 16 << 20


class FeedEvents(Events):
    """What happens on a feed beside its data, as on every feed; and, called, the data:
    `feed.events()` gives the events of all subscriptions.
    """

    def __init__(
        self, stream: Callable[[], EventStream], *, now_ns: Callable[[], int]
    ) -> None:
        super().__init__(now_ns=now_ns)
        self._stream = stream

    def __call__(self) -> EventStream:
        """An async iterator of the events of all subscriptions, from now on."""
        return self._stream()


class ShurikenFeed:
    """Shuriken's streams over one connection: `async with` opens it, and each
    `subscribe` gives an async iterator of its own.

    The connection is made once something is subscribed to, and made again whenever it
    fails, until `close`: with a new session and all subscriptions. What happens
    meanwhile is in `events`, counts are in `stats`. For scripts without asyncio, plain
    `with` gives a `BlockingShurikenFeed`.

    api_key: the agent's; or a callable, asked before every request, that gives it (at
    once or awaited). base_url: the API's. on_overflow: what happens when events come
    faster than an iterator asks for them, and `max_queue_len` bytes wait in its queue:
    "drop_oldest" forgets the oldest, counts and reports them; "wait" stops reading from
    the socket, for all subscriptions, and leaves pings unanswered. deliver_outages:
    iterators give an `Outage` as well, where events may be missing. auth_hosts: names
    of other hosts than the API's that may see the key, if a session has them authorise
    channels. timeout_s: for each request. recorder: gets every chunk of received lines,
    and a line for each session (docs/shuriken.md). connection: how connections are
    made; `ping_after_s` is not used, as the protocol has pings of its own. clock_ns:
    the clock of `receive_ns`, unix ns.

    Raises ValueError or TypeError for arguments that make no sense.
    """

    def __init__(
        self,
        api_key: Token,
        base_url: str = "https://api.shuriken.trade",
        *,
        on_overflow: OnOverflow = "drop_oldest",
        max_queue_len: int = 16 << 20,
        deliver_outages: bool = False,
        auth_hosts: Iterable[str] = (),
        catalogue_path: str = "/api/v2/ws/streams",
        timeout_s: float = 10.0,
        recorder: Recorder | None = None,
        connection: ConnectionSettings | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            secret = Secret(api_key)
        finally:
            del api_key  # no traceback that shows variables has it
        settings = connection or ConnectionSettings()
        self.events = FeedEvents(self._open_stream, now_ns=clock_ns)
        self._registry = Registry(
            self.events,
            on_overflow,
            max_queue_len,
            failure=lambda: self.failure,
            on_room=lambda: self._pump.kick(),
        )
        self._api = Api(
            base_url,
            secret,
            timeout_s=timeout_s,
            auth_hosts=auth_hosts,
            catalogue_path=catalogue_path,
            ssl_context=settings.ssl_context,
            proxy=settings.proxy,
        )
        topics = self._registry.topics
        self._bootstrap = Bootstrap(
            self._api, topics, self._registry.rejected, self._record_session
        )
        self._judge = Judge(lambda: asyncio.get_running_loop().time())
        self._recorder = recorder
        self._clock_ns = clock_ns
        inbox = Inbox(
            "wait",
            _INBOX_LEN,
            clock_ns=clock_ns,
            tap=None if recorder is None else self._record,
        )
        self._client = Client(
            self._endpoint,
            inbox,
            0,
            self.events,
            opening=self._opening,
            silence_s=lambda: None,
            settings=replace(settings, ping_after_s=math.inf),
            on_failed=self._registry.wake_all,
            judge=self._judge.judge,
            wanted=lambda: None if topics.asked() else self._registry.change(),
            has_greeting=True,
            is_numbered=True,
            endpoint_timeout_s=_BOOTSTRAP_S,
        )
        self._deliver_outages = deliver_outages
        self._channels = Channels(
            self._registry,
            self._client,
            self.events,
            self._api,
            self._bootstrap,
            on_outage=self._on_outage,
            on_begun=lambda: self._pump.kick(),
            on_sent=lambda: self._pump.kick(),
            clock_ns=clock_ns,
        )
        self._registry.channels = self._channels
        self._pump = Pump(inbox, self._registry, self._channels, self.events)
        self.events.listen(self._on_event)
        self._asked: list[Topic] = []  # of the session that is connected to
        self._pump_task: asyncio.Task[None] | None = None
        self._failure: FeedError | None = None
        self._own_stream: EventStream | None = None
        self._opened = False

    # What users do

    async def subscribe(self, stream: str, /, **given: str | int) -> Subscription:
        """A subscription to a stream, at once; `ready()` of it waits for the channel.

        given: the filter, as the catalogue names the stream's fields: `tokenAddress=`
        and so on; ints become decimal text. Those who ask for the same stream and
        filter share a channel.

        Raises TypeError or ValueError for what cannot be one, FeedClosed once the feed
        is closed.
        """
        return self.subscribe_with(stream, given)

    def subscribe_with(
        self,
        stream: str,
        given: Mapping[str, object],
        *,
        on_overflow: OnOverflow | None = None,
        max_queue_len: int | None = None,
    ) -> Subscription:
        """As `subscribe`, with another queue than the feed's."""
        return self._registry.subscribe(stream, given, on_overflow, max_queue_len)

    async def catalogue(self) -> list[StreamInfo]:
        """All streams that there are, with their filters.

        Raises FeedAuthError where the key is refused, else SessionError.
        """
        return await self._api.catalogue()

    @property
    def subscriptions(self) -> list[tuple[str, dict[str, str]]]:
        """Streams and filters that are wanted now."""
        return [(topic.stream, dict(topic.filter)) for topic in self._registry.topics]

    @property
    def state(self) -> State:
        """The connection's state; it is connected once the server has greeted."""
        return self._client.state

    @property
    def states(self) -> tuple[State, ...]:
        """The same, as other feeds have it."""
        return (self._client.state,)

    @property
    def failure(self) -> FeedError | None:
        """Why nothing more will come; None while something may."""
        return self._failure or self._client.failure

    @property
    def recorder(self) -> Recorder | None:
        """What gets every chunk of lines, if anything does."""
        return self._recorder

    @property
    def stats(self) -> ShurikenStats:
        """The counts of this moment."""
        client, pump, registry = self._client, self._pump, self._registry
        counts = total(registry.mailboxes())
        reached = [registry.state(topic) for topic in registry.topics]
        return ShurikenStats(
            messages=pump.n_messages,
            bytes=client.n_bytes,
            wire_bytes=client.n_wire_bytes,
            reconnects=max(client.n_connections - 1, 0),
            bad=self._channels.n_bad,
            not_data=pump.n_other,
            dropped=counts["dropped"] + registry.n_dropped,
            dropped_bytes=counts["dropped_bytes"] + registry.dropped_len,
            queued=counts["queued"],
            queued_bytes=counts["queued_bytes"],
            decode_s=pump.work_ns / 1e9,
            subscriptions=len(reached),
            subscribed=reached.count(ChannelState.SUBSCRIBED),
            outages=self._channels.n_outages,
        )

    def __repr__(self) -> str:
        if not hasattr(self, "_opened"):
            return "<ShurikenFeed>"  # one whose arguments were refused
        n = len(self._registry.topics)
        return f"<ShurikenFeed: {n} subscriptions, {self.state}>"

    # Opening, closing, iterating over everything

    async def __aenter__(self) -> Self:
        if self._opened or self._registry.is_over:
            raise FeedClosed("a feed is opened once")
        self._opened = True
        self._client.start()
        loop = asyncio.get_running_loop()
        self._pump_task = loop.create_task(self._guarded_pump())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection. Iterators end once they have given what had come."""
        if self._registry.is_over:
            return
        self._registry.is_over = True
        try:
            await self._client.close()
        finally:
            if self._pump_task is not None:
                self._pump_task.cancel()
                await asyncio.gather(self._pump_task, return_exceptions=True)
            self._channels.end("closed")
            self._registry.wake_all()
            self.events.close()
            await self._api.close()

    def __enter__(self) -> BlockingShurikenFeed:
        self._blocking = BlockingShurikenFeed(self)
        return self._blocking.open()

    def __exit__(self, *_: object) -> None:
        self._blocking.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ShurikenEvent | Outage:
        """The next event of any subscription, since this was called first."""
        if self._own_stream is None:
            self._own_stream = self._open_stream()
        return await self._own_stream.__anext__()

    def _open_stream(self) -> EventStream:
        return self._registry.open_stream()

    # The connection

    async def _endpoint(self) -> Endpoint:
        self._bootstrap.forgive()
        session, self._asked = await self._bootstrap.session()
        self._judge.session = session
        if session.delays_s:
            self._client.use_delays(session.delays_s)
        tls = self._judge.needs_tls
        url = session.url(client=_CLIENT, version=_own_version(), tls=tls)
        return Endpoint(url, Headers({}))

    def _opening(self) -> Iterable[bytes]:
        """Nothing: the server greets first."""
        assert self._judge.session is not None
        self._channels.begin(self._judge.session, self._asked)
        return ()

    def _on_event(self, event: Event) -> None:
        if event.kind is EventKind.STATE:
            if event.data["state"] is State.CONNECTED:
                self._judge.has_greeted = True
            elif event.data["state"] is not State.CONNECTING:
                self._channels.end(str(event.data["reason"]))
            self._registry.changed()

    def _on_outage(self, outage: Outage, topic: Topic) -> None:
        if self._deliver_outages:
            self._pump.put(outage, topic.mailboxes)
            self._pump.put(outage, self._registry.everywhere())

    def _record_session(self, topics: Sequence[Topic], session: Session) -> None:
        if self._recorder is not None:
            self._recorder.write(session_line(self._clock_ns(), topics, session), 1)

    def _record(self, lines: Lines) -> None:
        assert self._recorder is not None
        self._recorder.write(lines, lines.n_lines)

    async def _guarded_pump(self) -> None:
        """A fault of ours must not look like a quiet server."""
        try:
            await self._pump.run()
        except Exception as error:
            self._failure = FeedError(f"{type(error).__name__}: {error}")
            self._failure.__cause__ = error
            self._registry.wake_all()


def _own_version() -> str:
    try:
        return _version("stork-codec")
    except PackageNotFoundError:
        return "0"
