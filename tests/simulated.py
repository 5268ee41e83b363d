"""What the simulator's tests share: clients that others wrote, and raw sockets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import codec
from codec.simulator import Simulator

T = TypeVar("T")
AUTHORIZATION = {"Authorization": "Basic simulator"}


def run(test: Coroutine[Any, Any, T]) -> T:
    """Runs a test's coroutine, and never for ever."""

    async def bounded() -> T:
        async with asyncio.timeout(60):
            return await test

    return asyncio.run(bounded())


def url(
    simulator: Simulator,
    channel: str = "10ms",
    kind: str = "signed_ecdsa",
    more: str = "",
) -> str:
    return f"{simulator.url}?channel={channel}&message_type={kind}{more}"


async def client(simulator: Simulator, *place: str, **options: Any) -> ClientConnection:
    """The websockets package, connected."""
    headers = options.pop("additional_headers", AUTHORIZATION)
    defaults = {"max_queue": None, "ping_interval": None, "proxy": None}
    if simulator.certificate is not None:
        defaults["ssl"] = simulator.client_ssl_context()
    return await connect(
        url(simulator, *place), additional_headers=headers, **defaults | options
    )


async def subscribe(socket: ClientConnection, ids: Iterable[int]) -> None:
    """Subscribes and reads the answer."""
    await socket.send(json.dumps({"type": "subscribe", "assets": list(ids)}))
    answer = json.loads(await socket.recv())
    assert answer == {"type": "subscribe", "assets": list(ids)}


async def subscriber(
    simulator: Simulator, *place: str, ids: Iterable[int] = (1, 2), **options: Any
) -> ClientConnection:
    """Connected and subscribed."""
    socket = await client(simulator, *place, **options)
    await subscribe(socket, ids)
    return socket


async def receive(socket: ClientConnection, n: int) -> list[bytes]:
    return [await socket.recv(decode=False) for _ in range(n)]


async def rest(socket: ClientConnection) -> list[bytes]:
    """All that comes until the connection ends, whichever way."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(await socket.recv(decode=False))
    return messages


def decode(messages: Iterable[bytes], simulator: Simulator) -> codec.Batch:
    """The messages decoded, every signature good."""
    batch = codec.decode(list(messages))
    assert batch.verify(simulator.signer).all()
    return batch


class Raw:
    """A websocket client that reads and writes bytes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(
        cls, simulator: Simulator, *place: str, target: str = "", **headers: str
    ) -> tuple[Raw, str]:
        """A connection and the head of the answer to its handshake."""
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
        target = target or url(simulator, *place).partition(str(simulator.port))[2]
        lines = {
            "Host": "localhost",
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
            **AUTHORIZATION,
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer), answer.decode()

    def send(self, first: int, payload: bytes = b"", *, is_masked: bool = True) -> None:
        """A frame by its first byte; the mask is of zeros."""
        n = len(payload)
        mask = 0x80 * is_masked
        if n < 126:
            head = bytes((first, mask | n))
        elif n < 65536:
            head = bytes((first, mask | 126)) + n.to_bytes(2, "big")
        else:
            head = bytes((first, mask | 127)) + n.to_bytes(8, "big")
        self.writer.write(head + bytes(4) * is_masked + payload)

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: its first byte and its payload."""
        first, n = await self.reader.readexactly(2)
        if n > 125:
            n = int.from_bytes(await self.reader.readexactly(2 if n == 126 else 8))
        return first, await self.reader.readexactly(n)

    async def close_code(self) -> int:
        """The code of the close frame that comes, and the end behind it."""
        while (frame := await self.frame())[0] != 0x88:
            pass
        self.send(0x88, frame[1][:2])
        assert await self.reader.read() == b""
        self.close()
        return int.from_bytes(frame[1][:2], "big")

    def close(self) -> None:
        self.writer.close()
