"""HTTP/1.1 as small as an API needs it: requests with a body, and answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from multidict import CIMultiDict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

__all__ = ["Answer", "HttpServer", "Request"]

MAX_BODY_LEN = 1 << 20
_MAX_HEAD_LEN = 32 << 10
_PATIENCE_S = 30.0  # for a request, once it has begun or is awaited
_MAX_CONNECTIONS = 1000


@dataclass(frozen=True)
class Request:
    """What a client asks for. query: behind the path's question mark."""

    method: str
    path: str
    query: str
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Answer:
    """What it gets."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Any, **headers: str) -> Answer:
        """JSON."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(
            status,
            json.dumps(value).encode(),
            {"Content-Type": "application/json"} | named,
        )

    def encoded(self, *, is_last: bool, has_body: bool = True) -> bytes:
        """The bytes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        headers = {
            **self.headers,
            "Content-Length": str(len(self.body)),
            "Connection": "close" if is_last else "keep-alive",
        }
        lines += [f"{name}: {_one_line(text)}" for name, text in headers.items()]
        head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
        return head + self.body if has_body else head


class _Bad(Exception):
    """A request that gets an answer of HTTP's own, and the end of the connection."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class HttpServer:
    """Gives each request to `answer`. Bodies need a Content-Length, of a MiB at most.

    answer_bad: makes what is answered to requests that are none.
    """

    def __init__(
        self,
        answer: Callable[[Request], Awaitable[Answer]],
        answer_bad: Callable[[int], Answer],
    ) -> None:
        self.port = 0
        self._answer = answer
        self._answer_bad = answer_bad
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(
        self, host: str, port: int, context: ssl.SSLContext | None = None
    ) -> None:
        """Listens; `port` says where."""
        self._server = await asyncio.start_server(
            self._serve, host, port, ssl=context, limit=_MAX_HEAD_LEN
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Drops all connections and stops listening."""
        if self._server is None:
            return
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= _MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, TimeoutError, asyncio.CancelledError):
            pass  # it ends here in any case, and streams know of no cancelled task
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request and its answer; whether another may follow."""
        has_body, is_last = True, True
        try:
            async with asyncio.timeout(_PATIENCE_S):
                request = await _read(reader)
        except _Bad as bad:
            answer = self._answer_bad(bad.status)
        else:
            answer = await self._answer(request)
            has_body = request.method != "HEAD"
            is_last = request.headers.get("Connection", "").lower() == "close"
        writer.write(answer.encoded(is_last=is_last, has_body=has_body))
        async with asyncio.timeout(_PATIENCE_S):
            await writer.drain()
        return not is_last


async def _read(reader: asyncio.StreamReader) -> Request:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _Bad(431) from None
    first, *lines = head.decode("latin-1")[:-4].split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise _Bad(400)
    headers: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or not name:
            raise _Bad(400)
        headers.add(name, value.strip())
    try:
        target = urlsplit(words[1])
    except ValueError:
        raise _Bad(400) from None
    if words[2] == "HTTP/1.0":
        headers["Connection"] = "close"
    body = await _read_body(reader, headers)
    return Request(words[0], target.path, target.query, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: CIMultiDict[str]) -> bytes:
    if "Transfer-Encoding" in headers:
        raise _Bad(411)
    lens = set(headers.getall("Content-Length", ["0"]))
    text = lens.pop()
    if lens or not (text.isascii() and text.isdigit()):
        raise _Bad(400)
    if len(text) > 10 or int(text) > MAX_BODY_LEN:
        raise _Bad(413)
    return await reader.readexactly(int(text))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
