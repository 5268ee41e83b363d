"""Feeds through proxies: real ones, that know what they must."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Self

from live import TOKEN, feed_of, message, run, timestamps, until
from raw_server import Connection, RawServer, frame

from codec.feeds import ConnectionSettings, EventKind, FastFeed


class Proxy(ABC):
    """Accepts connections, asks `target` where to, and carries bytes both ways."""

    scheme: str

    def __init__(self) -> None:
        self.seen = b""  # of what came before the tunnel

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @abstractmethod
    async def target(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        """Shakes hands; the address to connect to, or None where it refuses."""

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(asyncio.CancelledError, ConnectionError):
            address = await self.target(reader, writer)
            if address is not None:
                there, back = await asyncio.open_connection(*address)
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
        writer.close()


async def _pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        to.write(data)
    to.close()


class HttpProxy(Proxy):
    scheme = "http"

    def __init__(self, status: str = "200 Connection established") -> None:
        super().__init__()
        self.status = status

    async def target(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        request = await reader.readuntil(b"\r\n\r\n")
        self.seen += request
        writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if not self.status.startswith("200"):
            return None
        host, port = request.decode().split()[1].rsplit(":", 1)
        return host, int(port)


class SocksProxy(Proxy):
    """SOCKS 5 without a password (RFC 1928)."""

    scheme = "socks5"

    async def target(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        _, n_methods = await reader.readexactly(2)
        await reader.readexactly(n_methods)
        writer.write(b"\x05\x00")
        _, command, _, kind = await reader.readexactly(4)
        assert command == 1
        if kind == 1:
            host = socket.inet_ntoa(await reader.readexactly(4))
        else:
            (n,) = await reader.readexactly(1)
            host = (await reader.readexactly(n)).decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.seen += f"{host}:{port}".encode()
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return host, port


async def first_message(connection: Connection) -> None:
    await connection.send(frame(message(0)))


def through(proxy: Proxy) -> None:
    async def main() -> None:
        async with proxy, RawServer(first_message) as server:
            settings = ConnectionSettings(proxy=proxy.url)
            async with feed_of(server.url, connection=settings) as feed:
                assert len(await timestamps(feed, 1)) == 1
            assert f"127.0.0.1:{server.port}".encode() in proxy.seen
            assert TOKEN.encode() not in proxy.seen

    run(main())


def test_through_an_http_proxy() -> None:
    through(HttpProxy())


def test_through_a_socks_proxy() -> None:
    through(SocksProxy())


def reasons(feed: FastFeed) -> list[str]:
    events = [e for e in feed.events if e.kind is EventKind.STATE]
    return [str(e.data["reason"]) for e in events if e.data["reason"]]


def test_a_proxy_that_refuses_is_waited_for() -> None:
    async def main() -> None:
        async with HttpProxy("502 Bad Gateway") as proxy:
            settings = ConnectionSettings(
                proxy=proxy.url, reconnect_delays_s=(0.001, 0.01)
            )
            async with feed_of("ws://127.0.0.1:9/ws", connection=settings) as feed:
                await until(lambda: len(reasons(feed)) >= 2)
                assert "proxy" in reasons(feed)[0] and "502" in reasons(feed)[0]

    run(main())


def test_a_proxy_that_is_not_there_is_waited_for() -> None:
    async def main() -> None:
        for scheme in ("http", "socks5"):
            settings = ConnectionSettings(
                proxy=f"{scheme}://127.0.0.1:9", reconnect_delays_s=(0.001, 0.01)
            )
            async with feed_of("ws://127.0.0.1:9/ws", connection=settings) as feed:
                await until(lambda feed=feed: len(reasons(feed)) >= 2)

    run(main())
