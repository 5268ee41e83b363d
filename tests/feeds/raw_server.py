"""A websocket server of bytes: it shakes hands, and then sends what a test wants."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(
    payload: bytes, opcode: int = TEXT, *, fin: bool = True, rsv: int = 0
) -> bytes:
    """The bytes of a frame as a server sends it. rsv: 4 is RSV1."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    n = len(payload)
    if n < 126:
        return head + bytes([n]) + payload
    if n < 1 << 16:
        return head + bytes([126]) + n.to_bytes(2, "big") + payload
    return head + bytes([127]) + n.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    return frame(code.to_bytes(2, "big") + reason.encode(), CLOSE)


class Deflater:
    """Compresses messages as permessage-deflate wants them."""

    def __init__(self, *, takeover: bool = True, bits: int = 15) -> None:
        self._takeover = takeover
        self._bits = bits
        self._stream = self._new()

    def _new(self) -> zlib._Compress:
        return zlib.compressobj(6, zlib.DEFLATED, -self._bits)

    def payload(self, text: bytes) -> bytes:
        if not self._takeover:
            self._stream = self._new()
        packed = self._stream.compress(text) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        return packed[:-4]

    def frame(self, text: bytes) -> bytes:
        return frame(self.payload(text), rsv=4)


@dataclass
class Connection:
    """One client. `frames`: (opcode, payload) of all that it has sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: str
    polite: bool = True  # answers a closing handshake
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        """Ends the connection without a closing handshake."""
        self.writer.close()

    async def until(self, condition: Callable[[Connection], bool]) -> None:
        """Waits for the client to have sent something."""
        async with asyncio.timeout(20):
            while not condition(self):
                await asyncio.sleep(0.005)

    async def _listen(self) -> None:
        try:
            while True:
                first, second = await self.reader.readexactly(2)
                n = second & 127
                if n == 126:
                    n = int.from_bytes(await self.reader.readexactly(2), "big")
                elif n == 127:
                    n = int.from_bytes(await self.reader.readexactly(8), "big")
                mask = await self.reader.readexactly(4)
                body = await self.reader.readexactly(n)
                plain = bytes(b ^ mask[i % 4] for i, b in enumerate(body))
                self.frames.append((first & 15, plain))
                if first & 15 == CLOSE and self.polite:
                    self.writer.write(frame(plain[:2], CLOSE))
                    self.writer.close()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ended.set()


Behaviour = Callable[[Connection], Awaitable[None]]


class RawServer:
    """`behave` is run for each connection; afterwards it stays open for the client to
    end. `answer`, if given, is sent instead of the handshake's."""

    def __init__(
        self,
        behave: Behaviour,
        *,
        extensions: str = "",
        answer: bytes | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        self._ssl = ssl
        self._behave = behave
        self._extensions = extensions
        self._answer = answer
        self.connections: list[Connection] = []
        self.requests: list[str] = []
        self.faults: list[Exception] = []
        self._tasks: set[asyncio.Task[None]] = set()

        # The port is known, and belongs to us, before anybody is let in.
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/ws"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, sock=self._socket, ssl=self._ssl
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self.connections:
            connection.writer.close()
        await asyncio.sleep(0)
        assert not self.faults, self.faults

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        listening = None
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            if self._answer is not None:
                writer.write(self._answer)
                await writer.drain()
                return
            writer.write(self._handshake(request))
            connection = Connection(reader, writer, request)
            self.connections.append(connection)
            listening = asyncio.create_task(connection._listen())
            await self._behave(connection)
            await connection.ended.wait()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the test has ended
        except Exception as fault:
            self.faults.append(fault)
        finally:
            if listening is not None:
                listening.cancel()
            writer.close()
            self._tasks.discard(task)

    def _handshake(self, request: str) -> bytes:
        key = next(
            line.split(": ", 1)[1]
            for line in request.split("\r\n")
            if line.lower().startswith("sec-websocket-key")
        )
        digest = hashlib.sha1(key.encode() + _GUID).digest()
        lines = [
            b"HTTP/1.1 101 Switching Protocols",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest),
        ]
        if self._extensions:
            lines.append(b"Sec-WebSocket-Extensions: " + self._extensions.encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"
