"""The simulators' HTTP: requests with bodies, and those who mean ill."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from shuriken_clients import KEY, simulator
from simulated import run

from codec.simulator import ShurikenSimulator

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
HEAD = f"POST /api/v2/ws/session HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
BODY = '{"subscriptions":[]}'


@contextlib.asynccontextmanager
async def connected(server: ShurikenSimulator) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(server.host, server.api_port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
    """Status, head and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    n = int(head.lower().partition("content-length: ")[2].partition("\r")[0])
    return int(head.split(" ")[1]), head, await reader.readexactly(n)


def test_requests_one_after_the_other_and_all_at_once() -> None:
    async def test() -> None:
        async with simulator() as server, connected(server) as (reader, writer):
            text = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
            writer.write(text * 3)
            for _ in range(3):
                status, head, body = await answer(reader)
                assert status == 200 and "keep-alive" in head
                assert b'"subscriptions": []' in body
            for byte in text:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0)
            assert (await answer(reader))[0] == 200
            writer.write(text.replace(b"Host: x", b"Connection: close"))
            status, head, _ = await answer(reader)
            assert status == 200 and "Connection: close" in head
            assert await reader.read() == b""

    run(test())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 404),
        ("GET / HTTP/1.0\r\n\r\n", 404),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/2\r\n\r\n", 400),
        ("\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nbad\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\na : x\r\n\r\n", 400),
        ("GET http://[ HTTP/1.1\r\n\r\n", 400),
        (f"{HEAD}Content-Length: -1\r\n\r\n", 400),
        (f"{HEAD}Content-Length: x\r\n\r\n", 400),
        (f"{HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (f"{HEAD}Content-Length: 1048577\r\n\r\n", 413),
        (f"{HEAD}Content-Length: {'9' * 5000}\r\n\r\n", 413),
        (f"{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (f"GET / HTTP/1.1\r\nx: {'y' * 100_000}\r\n\r\n", 431),
        ("x" * 100_000, 431),
        ("\xff\xfe\r\n\r\n", 400),
    ],
)
def test_what_is_no_request(text: str, status: int) -> None:
    async def test() -> None:
        async with simulator() as server, connected(server) as (reader, writer):
            writer.write(text.encode("latin-1"))
            got, _, body = await answer(reader)
            assert got == status
            assert b'"code"' in body
            assert server.attempts[-1].status == status
            if status != 404:
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""

    run(test())


def test_who_goes_before_the_answer() -> None:
    async def test() -> None:
        async with simulator() as server:
            for text in ("", "GET", HEAD, f"{HEAD}Content-Length: 5\r\n\r\n1"):
                async with connected(server) as (_, writer):
                    writer.write(text.encode())
                    await asyncio.sleep(0.01)
            async with connected(server) as (_, writer):
                server.faults.session_delay = 50
                text = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n{BODY}"
                writer.write(text.encode())
                await asyncio.sleep(0.01)
                writer.transport.abort()
            await asyncio.sleep(0.1)
            assert [attempt.status for attempt in server.attempts] == [200]

    run(test())


def test_a_stop_does_not_wait_for_clients() -> None:
    async def test() -> None:
        server = simulator()
        await server.start()
        async with connected(server) as (reader, writer):
            writer.write(HEAD.encode())
            await asyncio.sleep(0.02)
            await asyncio.wait_for(server.stop(), 3)
            assert await reader.read() == b""

    run(test())
