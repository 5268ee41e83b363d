"""Shuriken's simulator: its API, its socket, and a market of its own for them."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from codec.simulator.http import Answer, HttpServer, Request
from codec.simulator.pusher import PusherServer
from codec.simulator.pusher_words import channel_of, dumps
from codec.simulator.shuriken_api import CATALOGUE_PATH, ShurikenApi, user_of
from codec.simulator.shuriken_market import ShurikenMarket
from codec.simulator.shuriken_streams import (
    STREAMS,
    Topic,
    Unfit,
    canonical,
    resolve,
)
from codec.simulator.ticks import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from codec.simulator.connection import Connection
    from codec.simulator.deflate import Deflate
    from codec.simulator.pusher_connection import Channel, PusherConnection

__all__ = ["ShurikenSimulator"]

_TICK_NS = 20 * 10**6
_MAX_TOPICS = 100_000
_MAX_RATE = 10_000


class ShurikenSimulator(PusherServer):
    """Shuriken on loopback: sessions, channels of 21 streams, and events on them.

    `base_url` is the API's, for clients; `url` the socket's, which sessions tell them.

    host, tls, deflate, limit, keep_sent, seed: as `Simulator` has them. port: the
    socket's; api_port: the API's. token: the agent key that clients must have, or
    several, of different users; None: anything will do. rate: events a second on each
    channel; rates: of single streams. ticks: False leaves events to `publish`,
    `publish_now` and `flood`. event: what events are called. wrapped: answers stand in
    {"data": ...}. dotted: the catalogue has `alpha.signalFeed.global` and the like.
    relative_auth: the authorisation endpoint is told as a path. prefixed: channels of
    presence streams have names that say so; their visibility always does. backoff_ms:
    recommended to clients. activity_timeout, ping_after, pong_timeout: seconds, as
    `PusherServer` has them. catalogue_path: where the catalogue is. time_ns: the clock
    of payloads. frames: texts, or (delay in s, text), sent once in place of the
    market's, each to those who have subscribed to its channel, as soon as there are
    any. channels: names of channels by streams and filters, for recordings whose
    channels are not this simulator's.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_port: int = 0,
        token: str | Iterable[str] | None = "simulator",
        seed: int = 0,
        rate: float = 10.0,
        rates: Mapping[str, float] | None = None,
        ticks: bool = True,
        event: str = "update",
        wrapped: bool = False,
        dotted: bool = False,
        relative_auth: bool = False,
        prefixed: bool = True,
        backoff_ms: Sequence[int] = (500, 1000, 2000, 5000),
        activity_timeout: float = 120,
        ping_after: float | None = None,
        pong_timeout: float = 30,
        catalogue_path: str = CATALOGUE_PATH,
        tls: bool = False,
        deflate: bool | Deflate = True,
        time_ns: Callable[[], int] = time.time_ns,
        limit: int | None = None,
        keep_sent: bool = False,
        frames: Iterable[bytes | tuple[float, bytes]] | None = None,
        channels: Iterable[tuple[str, Mapping[str, str], str]] = (),
    ) -> None:
        super().__init__(
            frames,
            activity_timeout=activity_timeout,
            ping_after=ping_after,
            pong_timeout=pong_timeout,
            host=host,
            port=port,
            seed=seed,
            tls=tls,
            deflate=deflate,
            limit=limit,
            keep_sent=keep_sent,
        )
        self.api_port = api_port
        self.event = event
        self.wrapped = wrapped
        self.dotted = dotted
        self.relative_auth = relative_auth
        self.prefixed = prefixed
        self.backoff_ms = list(backoff_ms)
        self.catalogue_path = catalogue_path
        self.market = ShurikenMarket(seed, time_ns)
        self.api = ShurikenApi(self)
        self.set_token(token)
        self._rate = _checked_rate(rate)
        self._rates = {_id(name): _checked_rate(r) for name, r in (rates or {}).items()}
        self._topics: dict[str, Topic] = {}
        self._named = {
            _topic(stream, given, ""): name for stream, given, name in channels
        }
        self._due: dict[str, float] = {}  # events of each channel, as far as they are
        self._chance = Random(f"shuriken {seed}")
        self._is_ticking = ticks and frames is None
        self._ticker = Ticker(_TICK_NS, time_ns, self._on_tick)
        self._http = HttpServer(self._answer_api, self._answer_bad)

    # Where it is.

    @property
    def base_url(self) -> str:
        """The API's, without a path."""
        return (
            f"{'https' if self.is_tls else 'http'}://{self._bracketed}:{self.api_port}"
        )

    @property
    def url(self) -> str:
        """The socket's of now: sessions tell clients the parts of it."""
        query = urlencode({"protocol": 7, "client": "client", "version": "1.0"})
        return self.url_of(f"/app/{self.app.key}?{query}")

    @property
    def is_tls(self) -> bool:
        """Whether both have certificates."""
        return self._is_tls

    @property
    def tokens(self) -> frozenset[str] | None:
        """The keys that are good; None: all are."""
        return self._tokens

    def set_token(self, token: str | Iterable[str] | None) -> None:
        """What requests must have from now on."""
        tokens = [token] if isinstance(token, str) else token
        self._tokens = None if tokens is None else frozenset(tokens)

    async def start(self) -> None:
        await super().start()
        try:
            await self._http.start(self.host, self.api_port, self._ssl_context)
        except OSError:
            await super().stop()
            raise
        self.api_port = self._http.port

    async def stop(self) -> None:
        self._ticker.stop()
        await self._http.stop()
        await super().stop()

    async def _answer_api(self, request: Request) -> Answer:
        answer = await self.api.answer(request)
        self.note(request.path, answer.status)
        return answer

    def _answer_bad(self, status: int) -> Answer:
        self.note("", status)
        return self.api.refusal(status, "BAD_REQUEST", "The request makes no sense")

    # Channels.

    def open_channel(self, topic: Topic) -> str:
        """The channel of a topic, which is authorised and gets events from now on."""
        name = self.channel(topic)
        self._topics.pop(name, None)  # the newest stand last
        self._topics[name] = topic
        if len(self._topics) > _MAX_TOPICS:
            self._forget()
        return name

    def channel(self, topic: Topic) -> str:
        """The name of a topic's channel."""
        visibility = STREAMS[topic.stream].visibility
        prefix = "presence-" if visibility == "presence" and self.prefixed else ""
        shared = topic._replace(user_id="")
        return self._named.get(shared) or topic.channel(prefix)

    def topic_of(self, channel: str) -> Topic | None:
        """What a channel that some session has is about."""
        return self._topics.get(channel)

    def takes_auth(self, channel: str) -> bool:
        topic = self._topics.get(channel)
        is_presence = topic and STREAMS[topic.stream].visibility == "presence"
        return bool(is_presence) or super().takes_auth(channel)

    def _forget(self) -> None:
        """Drops the older half of the channels, but for those that somebody is in."""
        for name in list(self._topics)[: _MAX_TOPICS // 2]:
            if name not in self.channels:
                del self._topics[name]

    def joined(self, channel: Channel) -> None:
        if self._is_ticking and channel.name in self._topics:
            self._due.setdefault(channel.name, self._chance.random())
            self._ticker.start()

    # Events.

    def readers(self, message: bytes) -> list[Connection] | None:
        """As others, but for channels that nobody has asked for: they are passed over
        while somebody reads others."""
        found = super().readers(message)
        is_asked_for = channel_of(message) in self._topics
        if found or is_asked_for or not any(c.subscribed for c in self.connections):
            return found
        return None

    def publish(
        self,
        stream: str,
        given: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | str | None = None,
        *,
        event: str | None = None,
        token: str | None = None,
    ) -> int:
        """Sends an event to all who have subscribed to a stream with a filter; how
        many those are.

        data: the payload, a str is JSON and goes as it is; by default the market's next
        one. event: by default what all are called. token: of the user whose channel is
        meant, where everybody has one of their own; by default all users' are.

        Raises ValueError for what is no stream or filter of one.
        """
        n = 0
        for topic in self._of(stream, given or {}, token):
            if data is None:
                text = self.market.event(topic)
            else:
                text = data if isinstance(data, str) else dumps(data)
            n += self.emit(self.channel(topic), event or self.event, text)
        return n

    def publish_now(self) -> None:
        """One event of the market on every channel, at once. Completes a burst."""
        names = [name for name in self.channels if name in self._topics]
        for name in names:
            self._next(name)
        while self._held and names and self.faults.burst:
            self._next(names[0])
        self._release()

    def prebuilt(self, connection: PusherConnection, n: int) -> list[bytes]:
        """Events of its channels in turn."""
        names = sorted(name for name in connection.subscribed if name in self._topics)
        messages = []
        for i in range(n if names else 0):
            name = names[i % len(names)]
            text = self.market.event(self._topics[name])
            messages.append(self.message(name, self.event, text))
        return messages

    def _of(
        self, stream: str, given: Mapping[str, str], token: str | None
    ) -> list[Topic]:
        topic = _topic(stream, given, "" if token is None else user_of(token))
        if not STREAMS[topic.stream].is_own or token is not None:
            return [topic]
        return [
            each
            for each in list(self._topics.values())
            if each.stream == topic.stream and each.filter == topic.filter
        ]

    def _next(self, name: str) -> None:
        self.emit(name, self.event, self.market.event(self._topics[name]))

    def _on_tick(self, now_ns: int) -> None:
        """The events that have fallen due since the last tick."""
        for name in list(self._due):
            topic = self._topics.get(name)
            if topic is None or name not in self.channels:
                del self._due[name]
                continue
            rate = self._rates.get(topic.stream, self._rate)
            # Somewhat irregular, and in the long run exact.
            due = self._due[name] + rate * _TICK_NS / 1e9
            while due >= 1 and name in self.channels:
                self._next(name)
                due -= 1 + self._chance.uniform(-0.5, 0.5)
            self._due[name] = due
        if not self._due:
            self._ticker.stop()


def _topic(stream: str, given: Mapping[str, str], user_id: str) -> Topic:
    try:
        return resolve(stream, given, user_id)
    except Unfit as error:
        raise ValueError(error.message) from None


def _id(stream: str) -> str:
    name = canonical(stream)
    if name is None:
        raise ValueError(f"there is no stream {stream!r}")
    return name


def _checked_rate(rate: float) -> float:
    if not 0 <= rate <= _MAX_RATE:
        raise ValueError(f"rates are 0 .. {_MAX_RATE} events a second, not {rate}")
    return rate
