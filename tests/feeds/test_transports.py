"""Compression, TLS, large messages, and servers that others wrote."""

from __future__ import annotations

import json
import random
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from following import (
    Reader,
    by_hand,
    publish,
    reader_of,
    reasons,
    subscribed,
)
from live import feed_of, message, run, until
from raw_server import Connection, RawServer, frame
from websockets.asyncio.server import ServerConnection, serve

from codec.errors import FeedError
from codec.feeds import ConnectionSettings
from codec.simulator import Deflate
from codec.simulator.certificate import (
    client_context,
    make_certificate,
    server_context,
)

MiB = 1 << 20


# The simulator.


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("offered", [False, True], ids=["not offered", "offered"])
@pytest.mark.parametrize(
    "deflate",
    [
        False,
        True,
        Deflate(server_no_context_takeover=True),
        Deflate(client_no_context_takeover=True, server_max_window_bits=9),
    ],
    ids=["off", "on", "no takeover", "small window"],
)
def test_all_that_is_sent_arrives(tls: bool, offered: bool, deflate: Any) -> None:
    async def main() -> None:
        async with by_hand(tls=tls, deflate=deflate) as simulator:
            settings = ConnectionSettings(
                ssl_context=simulator.client_ssl_context() if tls else None,
                deflate=offered,
            )
            feed = reader_of(simulator, connection=settings)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                await publish(simulator, 100)
                simulator.faults.fragment = 3
                await publish(simulator, 50)
                simulator.faults.fragment = None
                await simulator.flood(simulator.connections[0], 5000, distinct=500)
                await reader.has_all_of(simulator)
            stats = feed.stats
            assert stats.bytes > sum(map(len, reader.messages))  # and the answer
            is_packed = stats.wire_bytes < 0.8 * stats.bytes
            assert is_packed == bool(offered and deflate)
            assert stats.wire_bytes <= stats.bytes

    run(main())


def test_a_certificate_that_is_not_trusted_is_fatal() -> None:
    async def main() -> None:
        async with by_hand(tls=True) as simulator:
            async with Reader(reader_of(simulator)) as reader:
                await until(lambda: reader.failure is not None)
            assert type(reader.failure) is FeedError
            text = str(reader.failure)
            assert text.startswith("the server's certificate is not trusted: unable")
            assert simulator.attempts == []

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is no loopback there")
def test_a_certificate_of_another_host_is_fatal(tmp_path: Path) -> None:
    async def main() -> None:
        certificate = make_certificate(tmp_path, "fast.example")
        async with foreign(nothing, certificate, host="127.0.0.2") as url:
            settings = ConnectionSettings(ssl_context=client_context(certificate))
            async with Reader(feed_of(url, connection=settings)) as reader:
                await until(lambda: reader.failure is not None)
            text = str(reader.failure)
            assert type(reader.failure) is FeedError
            assert (
                text == "the server's certificate is not trusted: IP address mismatch"
            )

    run(main())


def test_clear_text_where_tls_is_expected_is_no_loop() -> None:
    """And the token is not sent."""

    async def main() -> None:
        async with by_hand() as simulator:
            url = simulator.url.replace("ws://", "wss://")
            settings = ConnectionSettings(
                reconnect_delays_s=(0.001, 0.01), connect_timeout_s=0.3
            )
            feed = reader_of(simulator, url=url, connection=settings)
            async with feed:
                await until(lambda: len(reasons(feed)) >= 2)
            assert simulator.attempts == []

    run(main())


# Too much.


async def _peak_len(behave: Callable[[Connection], Awaitable[None]]) -> tuple[int, str]:
    """The most memory that a feed takes for what is refused, and the reason."""
    settings = ConnectionSettings(max_message_len=MiB, reconnect_delays_s=(30, 30))
    server = RawServer(behave, extensions="permessage-deflate")
    async with server, feed_of(server.url, connection=settings) as feed:
        tracemalloc.start()
        try:
            await until(lambda: bool(reasons(feed)))
            return tracemalloc.get_traced_memory()[1], reasons(feed)[0]
        finally:
            tracemalloc.stop()


def _bomb(n: int) -> bytes:
    """Deflated zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    parts = [packer.compress(bytes(MiB)) for _ in range(n // MiB)]
    return b"".join(parts) + packer.flush(zlib.Z_SYNC_FLUSH)[:-4]


def test_a_bomb_takes_no_memory() -> None:
    """A thousandth of what it wants to be."""
    bomb = _bomb(512 * MiB)
    assert len(bomb) < MiB

    async def behave(connection: Connection) -> None:
        await connection.send(frame(bomb, rsv=4))

    async def in_fragments(connection: Connection) -> None:
        await connection.send(frame(bomb[:1000], rsv=4, fin=False))
        await connection.send(frame(bomb[1000:9000], 0, fin=False))
        await connection.send(frame(bomb[9000:], 0))

    for way in (behave, in_fragments):
        peak, reason = run(_peak_len(way))
        assert peak < 8 * MiB
        assert reason == "a message of more than 1048576 bytes"


def test_an_oversized_message_takes_no_memory() -> None:
    """What it says of its size is enough; in fragments, their sum."""
    block = bytes(64 << 10)

    async def behave(connection: Connection) -> None:
        await connection.send(bytes([0x81, 127]) + (1 << 40).to_bytes(8, "big"))
        while not connection.writer.is_closing():
            await connection.send(block)

    async def in_fragments(connection: Connection) -> None:
        await connection.send(frame(block, fin=False))
        while not connection.writer.is_closing():
            await connection.send(frame(block, 0, fin=False))

    for way in (behave, in_fragments):
        peak, _ = run(_peak_len(way))
        assert peak < 8 * MiB


# The websockets package.


async def nothing(_: ServerConnection) -> None:
    pass


@asynccontextmanager
async def foreign(
    behave: Callable[[ServerConnection], Awaitable[None]],
    certificate: Path | None = None,
    host: str = "127.0.0.1",
    **options: Any,
) -> AsyncIterator[str]:
    """A server of the websockets package, and its URL."""
    context = None if certificate is None else server_context(certificate)
    async with serve(behave, host, 0, ssl=context, **options) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'ws' if context is None else 'wss'}://{host}:{port}"


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_foreign_server(tmp_path: Path, compression: Any, tls: bool) -> None:
    """Many messages, whole and in fragments, pings among them, closed properly."""
    texts = [message(i, assets=1 + i % 40).decode() for i in range(3000)]
    dice = random.Random(5)
    pongs = 0

    async def behave(connection: ServerConnection) -> None:
        nonlocal pongs
        request = json.loads(await connection.recv())
        assert request == {"type": "subscribe", "assets": [0, 1]}
        for i, text in enumerate(texts):
            if i % 3:
                await connection.send(text)
            else:
                at = sorted(dice.sample(range(len(text)), 2))
                parts = [text[: at[0]], text[at[0] : at[1]], text[at[1] :]]
                await connection.send(parts)
            if i % 100 == 0:
                answer = await connection.ping(dice.randbytes(dice.randint(0, 125)))
                await answer
                pongs += 1
        await connection.close(1012, "restart")

    async def main() -> None:
        certificate = make_certificate(tmp_path, "127.0.0.1") if tls else None
        server = foreign(behave, certificate, compression=compression)
        async with server as url:
            settings = ConnectionSettings(
                ssl_context=client_context(certificate) if certificate else None,
                reconnect_delays_s=(30, 30),
            )
            async with Reader(feed_of(url, connection=settings)) as reader:
                await until(lambda: bool(reasons(reader.feed)))
                await reader.has(3000)
            assert [text.decode() for text in reader.messages] == texts
            assert pongs == 30
            assert reasons(reader.feed) == ["closed with code 1012: restart"]
            stats = reader.feed.stats
            assert (stats.wire_bytes < stats.bytes) == (compression is not None)

    run(main())


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1013, 4999])
def test_a_foreign_server_closes_and_is_found_again(code: int) -> None:
    closed: list[int | None] = []

    async def behave(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(message(len(closed)).decode())
        await connection.close(code)
        closed.append(connection.close_code)

    async def main() -> None:
        async with foreign(behave) as url, Reader(feed_of(url)) as reader:
            await until(lambda: len(reader.messages) >= 3)
        assert reader.messages[:3] == [message(i) for i in range(3)]
        assert closed[:2] == [code, code]

    run(main())


def test_a_foreign_server_sees_a_proper_end() -> None:
    ends: list[int | None] = []

    async def behave(connection: ServerConnection) -> None:
        await connection.wait_closed()
        ends.append(connection.close_code)

    async def main() -> None:
        async with foreign(behave) as url:
            async with feed_of(url) as feed:
                await until(lambda: "connected" in feed.states)
            await until(lambda: len(ends) == 1)
        assert ends == [1000]

    run(main())
