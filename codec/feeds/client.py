"""The one owner of sockets: a connection that is kept up, whatever feed it carries.

What a feed says and hears is its protocol's business. Here: the handshake with its
header, TLS, proxy and compression; states and their reasons; reconnection; the watch
for silence and dead peers; the end.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from picows import (
    WSCloseCode,
    WSError,
    WSHandshakeError,
    WSMsgType,
    WSProtocolError,
    ws_connect,
)
from python_socks import ProxyError

from codec.backoff import Schedule
from codec.errors import FeedAuthError, FeedError, FeedProtocolError
from codec.feeds import deflate
from codec.feeds._listener import Listener
from codec.feeds.endpoint import Headers
from codec.feeds.events import EventKind, State
from codec.feeds.retry import (
    Backoff,
    ConnectionLost,
    HandshakeRefused,
    judge,
    retry_after_s,
)
from codec.feeds.words import shown

if TYPE_CHECKING:
    import ssl
    from collections.abc import (
        Awaitable,
        Callable,
        Iterable,
        MutableMapping,
        Sequence,
    )

    from picows import WSUpgradeRequest, WSUpgradeResponse
    from picows.url import WSParsedURL

    from codec.feeds._listener import Inbox
    from codec.feeds.endpoint import Endpoint
    from codec.feeds.events import Events
    from codec.feeds.retry import Verdict

__all__ = ["Client", "ConnectionSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """How connections are made and watched; the defaults suit Stork's servers.

    ssl_context: for `wss://`, instead of the system's certificates. proxy: URL of an
    HTTP or SOCKS proxy. deflate: offer permessage-deflate. max_message_len: bytes of
    one message, after inflating. receive_buffer_len: the kernel's, in bytes; what one
    wake-up can bring at most, and with the round trip's time a bound of the rate
    (256 KiB at 100 ms: 2.6 MB/s). connect_timeout_s: from the name's look-up to the
    handshake's answer. ping_after_s: a ping is sent where nothing has been heard for so
    long; the connection ends where nothing is heard for pong_timeout_s after it.
    close_timeout_s: how long a closing handshake may take. reconnect_delays_s: the
    first and the longest.
    """

    ssl_context: ssl.SSLContext | None = None
    proxy: str | None = None
    deflate: bool = True
    max_message_len: int = 16 << 20
    receive_buffer_len: int = 256 << 10
    connect_timeout_s: float = 10.0
    ping_after_s: float = 10.0
    pong_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    reconnect_delays_s: tuple[float, float] = (1.0, 15.0)


class _QuietLogger(logging.LoggerAdapter[logging.Logger]):
    """picows' log without its lowest level, where it writes the request's headers."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return level >= logging.DEBUG and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


_socket_log = _QuietLogger(logging.getLogger("codec.feeds.socket"), {})


class Client:
    """One connection, made again whenever it fails, until `close` or a fatal failure.

    endpoint: gives the URL and headers, asked before each attempt; what it raises is
    judged as a failed attempt. Messages go to `inbox` as lines of `source`, states to
    `events`. opening: texts to send first on every connection. silence_s: the longest
    time without data now, None for any. on_failed: called once the client has given up,
    with `failure` set. Who reads the data sets `is_valid` where some of it is: then the
    connection is alive, and its URL is worth all patience. settled_s: where no data is
    expected, a connection that has stayed for so long counts as one with valid data.

    wanted: asked before each attempt; where nothing is wanted of a connection, it gives
    what to wait for. has_greeting: a connection counts as connected only once `greet`
    is called. is_numbered: lines have the `number` of their attempt, from 1, instead of
    `source`; some may come before `opening` is called. endpoint_timeout_s: how long
    `endpoint` may take, by default as long as connecting.
    """

    def __init__(
        self,
        endpoint: Callable[[], Awaitable[Endpoint]],
        inbox: Inbox,
        source: int,
        events: Events,
        *,
        opening: Callable[[], Iterable[bytes]],
        silence_s: Callable[[], float | None],
        settings: ConnectionSettings,
        on_failed: Callable[[], object],
        judge: Callable[..., Verdict] = judge,
        settled_s: float | None = None,
        wanted: Callable[[], Awaitable[None] | None] = lambda: None,
        has_greeting: bool = False,
        is_numbered: bool = False,
        endpoint_timeout_s: float | None = None,
    ) -> None:
        self.state = State.DISCONNECTED
        self.failure: FeedError | None = None
        self.n_connections = self.number = 0
        self.is_valid = False  # set by who reads the data, when some is valid
        self._endpoint = endpoint
        self._inbox = inbox
        self._source = source
        self._events = events
        self._opening = opening
        self._silence_s = silence_s
        self._settings = settings
        self._on_failed = on_failed
        self._judge = judge
        self._settled_s = settled_s
        self._wanted = wanted
        self._has_greeting = has_greeting
        self._is_numbered = is_numbered
        self._endpoint_timeout_s = endpoint_timeout_s or settings.connect_timeout_s
        self._backoff: Backoff | Schedule = Backoff(*settings.reconnect_delays_s)
        self._schedule: Schedule | None = None
        self._lost: asyncio.Future[ConnectionLost] | None = None
        self._established = self._renewed = False
        self._last_valid = 0.0
        self._listener: Listener | None = None
        self._past_bytes = self._past_wire_bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes of messages received, on all connections so far."""
        listener = self._listener
        return self._past_bytes + (listener.n_bytes if listener else 0)

    @property
    def n_wire_bytes(self) -> int:
        """The same before inflating."""
        listener = self._listener
        return self._past_wire_bytes + (listener.n_wire_bytes if listener else 0)

    @property
    def unsent_len(self) -> int:
        """Bytes that were sent, and that the system has not taken yet; to be asked on
        the event loop's thread."""
        if self._listener is None:
            return 0
        transport = self._listener.transport.underlying_transport
        return transport.get_write_buffer_size()

    def start(self) -> None:
        """Begins to connect; returns at once."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Ends the connection with a closing handshake; no other follows."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()  # no time for a closing handshake
            await asyncio.wait([task])
            raise
        if self.state is not State.FAILED:
            self._enter(State.DISCONNECTED, "closed")

    def send(self, text: bytes) -> bool:
        """Sends a text, if connected; before the greeting as well."""
        if self._listener is None or self._listener.closed.done():
            return False
        self._listener.transport.send(WSMsgType.TEXT, text)
        return True

    def greet(self) -> None:
        """The other side has greeted: now the connection is one (`has_greeting`)."""
        if self._listener is not None and self.state is not State.CONNECTED:
            self._enter(State.CONNECTED, "")

    def lose(self, failure: ConnectionLost) -> None:
        """Ends the connection of now, if there is one; it is judged as lost."""
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(failure)

    def use_delays(self, delays_s: Sequence[float]) -> None:
        """From now on waits so long before the first, second ... attempt again."""
        self._schedule = Schedule(delays_s).after(self._schedule)
        self._backoff = self._schedule

    def _enter(self, state: State, reason: str, delay_s: float = 0.0) -> None:
        before, self.state = self.state, state
        text = f"{state}: {reason}" if reason else str(state)
        self._events.emit(
            EventKind.STATE,
            text,
            connection=self._source,
            state=state,
            before=before,
            reason=reason,
            delay_s=delay_s,
        )

    async def _run(self) -> None:
        try:
            self.failure = await self._keep_up()
        except Exception as error:  # a fault of ours must not look like silence
            self.failure = FeedError(f"{type(error).__name__}: {error}")
            self.failure.__cause__ = error
        self._enter(State.FAILED, str(self.failure))
        self._on_failed()

    async def _keep_up(self) -> FeedError:
        """Connects again and again; returns what is fatal."""
        if not await self._hold():
            self._enter(State.CONNECTING, "")
        while True:
            endpoint: Endpoint | None = None
            try:
                endpoint = await self._ask_endpoint()
                await self._serve(await self._connect(endpoint))
            except (FeedError, HandshakeRefused, ConnectionLost, OSError) as error:
                failure: Exception = error
            verdict = self._judge(failure, established=self._established)
            if verdict.error and not await self._is_renewed(endpoint, verdict.error):
                return verdict.error
            delay_s = max(self._backoff.next(), verdict.wait_s)
            if verdict.delay_s is not None:
                delay_s = verdict.delay_s
            self._enter(State.RECONNECTING, _text_of(failure), delay_s)
            await asyncio.sleep(delay_s)
            await self._hold()

    async def _hold(self) -> bool:
        """Waits for as long as nothing is wanted of a connection; whether it was so."""
        has_waited = False
        while (waiting := self._wanted()) is not None:
            if self.state is not State.DISCONNECTED:
                self._enter(State.DISCONNECTED, "nothing is wanted of it")
            await waiting
            has_waited = True
        if has_waited:
            self._enter(State.CONNECTING, "")
        return has_waited

    async def _is_renewed(self, endpoint: Endpoint | None, error: FeedError) -> bool:
        """Whether a refused token has expired: there is another one now. Believed once
        without valid data in between."""
        if not isinstance(error, FeedAuthError) or endpoint is None or self._renewed:
            return False
        with suppress(FeedError, TimeoutError):
            self._renewed = await self._ask_endpoint() != endpoint
        return self._renewed

    async def _ask_endpoint(self) -> Endpoint:
        try:
            async with asyncio.timeout(self._endpoint_timeout_s):
                return await self._endpoint()
        except TimeoutError:
            raise TimeoutError("no token in time") from None

    async def _connect(self, endpoint: Endpoint) -> Listener:
        self.number += 1
        settings = self._settings
        closed = asyncio.get_running_loop().create_future()
        offer = {"Sec-WebSocket-Extensions": deflate.OFFER} if settings.deflate else {}
        sockets: list[socket.socket] = []

        def listener_for(_: WSUpgradeRequest, response: WSUpgradeResponse) -> Listener:
            answer = response.headers.getall("Sec-WebSocket-Extensions", [])
            agreed = deflate.accept(answer, offered=settings.deflate)
            return Listener(
                self._inbox,
                self.number if self._is_numbered else self._source,
                settings.max_message_len,
                closed,
                agreed.inflater if agreed else None,
                agreed.takeover if agreed else True,
            )

        async def connected_socket(url: WSParsedURL) -> socket.socket:
            sockets.append(await _open_socket(url.host, url.port, settings))
            return sockets[0]

        try:
            async with asyncio.timeout(settings.connect_timeout_s):
                _, listener = await ws_connect(
                    listener_for,
                    endpoint.url,
                    ssl_context=settings.ssl_context,
                    websocket_handshake_timeout=settings.connect_timeout_s,
                    logger_name=_socket_log,
                    enable_auto_pong=False,  # the listener answers, in order
                    max_frame_size=settings.max_message_len,
                    extra_headers=Headers({**endpoint.headers, **offer}),
                    max_redirects=0,  # the token would go along
                    proxy=settings.proxy,
                    socket_factory=connected_socket,
                )
        except BaseException as error:
            await _abandon(sockets)
            raise _translated(error) from None
        if not isinstance(listener, Listener):  # how picows says it
            raise OSError(
                "the connection ended in its handshake; is it wss://, or ws://?"
            )
        return listener

    async def _serve(self, listener: Listener) -> NoReturn:
        """Stays with an open connection; raises why it ended."""
        self._listener = listener
        self.n_connections += 1
        self._last_valid = asyncio.get_running_loop().time()
        self._lost = asyncio.get_running_loop().create_future()
        transport = listener.transport
        try:
            for text in self._opening():
                transport.send(WSMsgType.TEXT, text)
            if not self._has_greeting:
                self._enter(State.CONNECTED, "")
            await self._watch(listener)
            raise await _end_of(listener)
        except ConnectionLost:
            transport.disconnect(graceful=False)
            raise
        finally:
            await self._hang_up(listener)
            if self.is_valid:
                self._take_note(asyncio.get_running_loop().time())
            self._past_bytes += listener.n_bytes
            self._past_wire_bytes += listener.n_wire_bytes
            self._listener = self._lost = None

    async def _hang_up(self, listener: Listener) -> None:
        transport = listener.transport
        try:
            if not listener.closed.done():
                transport.send_close(WSCloseCode.OK)
                if not self._inbox.paused:  # else the answer would not be read
                    timeout = self._settings.close_timeout_s
                    await asyncio.wait([listener.closed], timeout=timeout)
        finally:
            transport.disconnect(graceful=False)
        with suppress(WSError, OSError):
            async with asyncio.timeout(1.0):
                await transport.wait_disconnected()

    async def _watch(self, listener: Listener) -> None:
        """Until the connection is closed; raises where it is not worth keeping."""
        settings = self._settings
        assert self._lost is not None
        loop = asyncio.get_running_loop()
        opened = heard = data_heard = loop.time()
        pinged: float | None = None
        n_frames = n_messages = 0
        while not listener.closed.done():
            silence_s = self._silence_s()
            either: list[asyncio.Future[Any]] = [listener.closed, self._lost]
            await asyncio.wait(
                either,
                timeout=self._tick_s(silence_s),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._lost.done():
                raise self._lost.result()
            now = loop.time()
            if listener.n_frames != n_frames or self._inbox.paused:
                n_frames, heard, pinged = listener.n_frames, now, None
            if listener.n_messages != n_messages or self._inbox.paused:
                n_messages, data_heard = listener.n_messages, now
            if pinged is not None and now - pinged >= settings.pong_timeout_s:
                raise ConnectionLost(
                    1006, f"no answer to a ping in {now - pinged:.1f} s", ours=True
                )
            if pinged is None and now - heard >= settings.ping_after_s:
                listener.transport.send_ping()
                pinged = now
            if self._settled_s is not None and now - opened >= self._settled_s:
                self.is_valid = True
            if self.is_valid:
                self._take_note(now)
            # What waits has not been looked at: that it came must do.
            last = data_heard if self._inbox.n_lines else self._last_valid
            if silence_s is None or self._inbox.paused:
                self._last_valid = now  # nothing is expected
            elif now - last >= silence_s:
                raise ConnectionLost(
                    1006, f"no valid data for {now - last:.1f} s", ours=True
                )

    def _take_note(self, now: float) -> None:
        """Valid data has come since this was asked last."""
        self.is_valid = False
        self._last_valid = now
        self._established = True
        self._renewed = False
        self._backoff.reset()

    def _tick_s(self, silence_s: float | None) -> float:
        settings = self._settings
        shortest = min(settings.ping_after_s, settings.pong_timeout_s)
        return max(min(shortest / 5, (silence_s or shortest) / 10), 0.005)


async def _open_socket(
    host: str, port: int, settings: ConnectionSettings
) -> socket.socket:
    """A connected socket. Every address of the host has its share of the time."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    share_s = settings.connect_timeout_s / max(len(addresses), 1)
    failure: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            # Before connecting: the window's scale is agreed in the handshake.
            connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, settings.receive_buffer_len
            )
            async with asyncio.timeout(share_s):
                await loop.sock_connect(connection, address)
        except OSError as error:  # TimeoutError is one
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


async def _abandon(sockets: list[socket.socket]) -> None:
    """Ends a handshake half-way: picows closes a socket once that has ended."""
    for connection in sockets:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        for _ in range(100):
            if connection.fileno() < 0:
                return
            await asyncio.sleep(0.01)
        connection.close()


async def _end_of(listener: Listener) -> ConnectionLost:
    """Why a closed connection ended."""
    try:
        await listener.transport.wait_disconnected()
        error: Exception | None = None
    except (WSError, OSError) as ended:
        error = ended
    if listener.failure is not None:
        return ConnectionLost(*listener.failure, ours=True)
    if listener.close is not None:
        return ConnectionLost(*listener.close)
    if isinstance(error, WSProtocolError):
        return ConnectionLost(int(error.code), str(error.args[1]), ours=True)
    return ConnectionLost(1006, _text_of(error) if error else "the connection broke")


def _translated(error: BaseException) -> BaseException:
    """picows' refusals in our terms; no reference to the request stays."""
    if isinstance(error, WSHandshakeError):
        response = error.response
        if response is not None and response.status != 101:
            return HandshakeRefused(
                int(response.status),
                shown(error.raw_body or b""),
                retry_after_s(response.headers.get("Retry-After")),
            )
        return FeedProtocolError(f"not a websocket's answer: {error}")
    if isinstance(error, ProxyError):
        return OSError(f"the proxy: {error}")
    if isinstance(error, WSError):
        return FeedProtocolError(_text_of(error))
    if isinstance(error, TimeoutError) and not str(error):
        return TimeoutError("no connection in time")
    return error


def _text_of(error: BaseException) -> str:
    return shown(str(error)) or type(error).__name__
