"""Readers of a websocket: this package's feed, the bare library, and other libraries.

Each reads all messages of an order (bench/sender.py), and says what that took of the
processor's time and of the clock's, from asking for the first message to having the
last. The socket is made the same way for all.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import repeat
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from codec.feeds import ConnectionSettings, FastFeed, State
from codec.feeds._listener import Inbox, Listener
from codec.feeds.deflate import OFFER, Deflate

if TYPE_CHECKING:
    from bench.sender import Order
    from codec import Batch
    from codec.known import Signers

__all__ = [
    "MODES",
    "Reader",
    "Spent",
    "Stream",
    "aiohttp",
    "bare",
    "bare_count",
    "batches",
    "connected",
    "cython_listener",
    "fast_feed",
    "feed_of",
    "picows_websockets",
    "start",
    "websockets",
]

MODES = ("plain", "TLS", "deflate")
_TAIL = b"\x00\x00\xff\xff"
_MAX_LEN = 16 << 20
_RECEIVE_LEN = ConnectionSettings().receive_buffer_len


@dataclass(frozen=True)
class Stream:
    """Where an order is had, and how: by one of MODES."""

    url: str
    order: Order
    mode: str
    ssl_context: ssl.SSLContext | None

    @property
    def is_deflate(self) -> bool:
        return self.mode == "deflate"


@dataclass(frozen=True)
class Spent:
    """Nanoseconds of one reading process, for one message."""

    cpu_ns: float
    wall_ns: float

    @property
    def busy(self) -> float:
        """The share of the time in which it had something to do."""
        return min(self.cpu_ns / self.wall_ns, 1.0)


Reader: TypeAlias = Callable[[Stream], Awaitable[Spent]]
Each: TypeAlias = Callable[[bytes], object] | None
"""What is done with every message."""


class Watch:
    """Takes the time from here on."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter_ns(), process_time_ns()

    def spent(self, n_messages: int) -> Spent:
        cpu = process_time_ns() - self._cpu
        wall = perf_counter_ns() - self._wall
        return Spent(cpu / n_messages, wall / n_messages)


async def opened(url: str) -> socket.socket:
    """A connected socket, as the feed's own are."""
    parts = urlsplit(url)
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_LEN)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, (parts.hostname, parts.port))
    return connection


# The bare library.


class _Bare(WSListener):
    """Takes each frame as bytes: the least that a reader in Python can do."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        frame.get_payload_as_bytes()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.ended.set_result(None)


class _BareInflating(_Bare):
    """The same, and inflates by RFC 7692, one stream for all messages."""

    def __init__(self, package: Any) -> None:
        super().__init__()
        self._inflate = package.decompressobj(-15).decompress

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.rsv1:
            self._inflate(payload + _TAIL)


async def connected(
    stream: Stream, listener: Callable[[], WSListener]
) -> tuple[WSTransport, WSListener]:
    """A connection of picows, with the settings that the feed has."""
    return await ws_connect(
        listener,
        stream.url,
        ssl_context=stream.ssl_context,
        enable_auto_pong=False,
        max_frame_size=_MAX_LEN,
        extra_headers={"Sec-WebSocket-Extensions": OFFER} if stream.is_deflate else {},
        socket_factory=lambda _: opened(stream.url),
    )


async def bare(stream: Stream, inflater: str = "zlib") -> Spent:
    """picows' listener in Python; inflater: a package like zlib."""
    package = zlib if inflater == "zlib" else import_module(inflater)
    make = partial(_BareInflating, package) if stream.is_deflate else _Bare
    transport, listener = await connected(stream, make)
    assert isinstance(listener, _Bare)
    watch = Watch()
    transport.send(WSMsgType.TEXT, b"go")
    await listener.ended
    return watch.spent(stream.order.n_messages)


class _Counting(_Bare):
    n_frames = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.n_frames += 1


async def bare_count(stream: Stream) -> int:
    """How many frames come until the connection ends."""
    transport, listener = await connected(stream, _Counting)
    assert isinstance(listener, _Counting)
    transport.send(WSMsgType.TEXT, b"go")
    await listener.ended
    return listener.n_frames


# This package.


def feed_of(stream: Stream, **options: Any) -> FastFeed:
    """A feed of no assets yet: it asks for nothing."""
    settings = ConnectionSettings(
        ssl_context=stream.ssl_context, deflate=stream.is_deflate
    )
    options.setdefault("url", stream.url)
    return FastFeed(token="bench", assets=[], connection=settings, **options)


async def start(feed: FastFeed, stream: Stream) -> Watch:
    """Asks for the messages once all connections are there."""
    while set(feed.states) != {State.CONNECTED}:
        await asyncio.sleep(0.001)
    watch = Watch()
    await feed.subscribe(stream.order.asset_ids)
    return watch


async def fast_feed(stream: Stream, signers: Signers | None = None) -> Spent:
    """From the socket to decoded rows: `async for batch in feed`."""
    n, n_messages = 0, stream.order.n_messages
    async with feed_of(stream, signers=signers) as feed:
        watch = await start(feed, stream)
        async for batch in feed:
            n += len(batch.messages)
            if n >= n_messages:
                break
        return watch.spent(n)


async def batches(stream: Stream) -> list[Batch]:
    """What a feed gives."""
    result: list[Batch] = []
    n_messages = stream.order.n_messages
    async with feed_of(stream) as feed:
        await start(feed, stream)
        async for batch in feed:
            result.append(batch)
            n_messages -= len(batch.messages)
            if n_messages <= 0:
                break
    return result


async def cython_listener(stream: Stream) -> Spent:
    """Our listener alone: chunks of lines are taken, and nothing is decoded."""
    loop = asyncio.get_running_loop()
    closed = loop.create_future()
    inbox = Inbox("wait", _MAX_LEN, clock_ns=perf_counter_ns)
    inflater = Deflate.inflater if stream.is_deflate else None

    def make() -> Listener:
        return Listener(inbox, 0, _MAX_LEN, closed, inflater)

    transport, _ = await connected(stream, make)
    n, n_messages = 0, stream.order.n_messages
    watch = Watch()
    transport.send(WSMsgType.TEXT, b"go")
    while n < n_messages:
        lines = inbox.take()
        if lines is None:
            waiter = loop.create_future()
            inbox.wait(waiter)
            await waiter
        else:
            n += lines.n_lines
    spent = watch.spent(n)
    transport.disconnect(graceful=False)
    await closed
    return spent


# Other libraries, taking each message as they give it.


async def picows_websockets(stream: Stream, each: Each = None) -> Spent:
    """picows' face of the package websockets."""
    module = import_module("picows.websockets.asyncio.client")
    return await _by_websockets(module, stream, each, logger=None)


async def websockets(stream: Stream, each: Each = None) -> Spent:
    """The package websockets."""
    return await _by_websockets(
        import_module("websockets.asyncio.client"), stream, each
    )


async def _by_websockets(
    module: Any, stream: Stream, each: Each, **options: Any
) -> Spent:
    n_messages = stream.order.n_messages
    if stream.ssl_context is not None:
        options |= {"ssl": stream.ssl_context, "server_hostname": "127.0.0.1"}
    async with module.connect(
        stream.url,
        sock=await opened(stream.url),
        compression="deflate" if stream.is_deflate else None,
        max_size=_MAX_LEN,
        proxy=None,
        close_timeout=0.1,
        **options,
    ) as connection:
        receive = connection.recv
        watch = Watch()
        await connection.send("go")
        for _ in repeat(None, n_messages):
            message = await receive(decode=False)
            if each is not None:
                each(message)
        return watch.spent(n_messages)


async def aiohttp(stream: Stream, each: Each = None) -> Spent:
    """The package aiohttp, where it is there; else ImportError."""
    package = import_module("aiohttp")
    n_messages = stream.order.n_messages

    def new_socket(address: Any) -> socket.socket:
        family, kind, protocol, _, _ = address
        connection = socket.socket(family, kind, protocol)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_LEN)
        return connection

    connector = package.TCPConnector(
        ssl=stream.ssl_context or True, socket_factory=new_socket
    )
    async with (
        package.ClientSession(connector=connector) as session,
        session.ws_connect(
            stream.url,
            compress=15 * stream.is_deflate,
            max_msg_size=_MAX_LEN,
            decode_text=False,
        ) as connection,
    ):
        receive = connection.receive
        watch = Watch()
        await connection.send_str("go")
        for _ in repeat(None, n_messages):
            message = await receive()
            if each is not None:
                each(message.data)
        return watch.spent(n_messages)
