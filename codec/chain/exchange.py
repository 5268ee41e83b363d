"""One HTTP request to a node and its answer, within limits of time and length.

A node's URL often holds a key. httpx's transport is therefore used without httpx's
client, which logs every URL, and what httpcore logs of these requests is dropped: it
has the headers of answers, and with them the places to which a node sends on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import zlib
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from codec.backoff import retry_after_s
from codec.chain.answers import is_web_page
from codec.chain.endpoints import Failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from codec.chain.endpoints import Endpoint

__all__ = ["Exchange", "Reply", "phrase"]

# 65,535 assets, the most that a verifier returns, are 12.6 MB of hex.
MAX_ANSWER_LEN = 16 << 20
_KEPT_CONNECTIONS = 32
_KEPT_S = 30.0
_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "Content-Type": "application/json",
    "User-Agent": "stork-codec",
}
_TOO_LONG = f"an answer of more than {MAX_ANSWER_LEN >> 20} MiB"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came by HTTP. is_web_page: HTML, by its type or its beginning."""

    status: int
    body: bytes
    is_web_page: bool
    retry_after_s: float | None


_ours: ContextVar[bool] = ContextVar("codec.chain's requests", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_is_not_ours)


class _Stopped(Exception):
    """Why there is no answer."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure)


class Exchange:
    """The connections to nodes. No redirects, no proxies of the environment."""

    def __init__(self, timeout_s: float, ssl_context: ssl.SSLContext) -> None:
        self._timeout_s = timeout_s
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context,
            trust_env=False,
            limits=httpx.Limits(
                max_connections=None,
                max_keepalive_connections=_KEPT_CONNECTIONS,
                keepalive_expiry=_KEPT_S,
            ),
        )

    async def close(self) -> None:
        await self._transport.aclose()

    async def post(
        self,
        endpoint: Endpoint,
        content: bytes,
        on_connect: Callable[[], Awaitable[Failure | None]] | None = None,
    ) -> Reply | Failure:
        """The answer to a request, or why there is none; never an exception.

        on_connect: is awaited where a connection was made for this request, before the
        request is sent; a Failure that it gives is given, and nothing is sent.
        """
        # What httpx raises holds the URL, so that it ends here.
        before = _ours.set(True)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(endpoint, content, on_connect)
        except _Stopped as stopped:
            return stopped.failure
        except TimeoutError:
            limit = f"{self._timeout_s:g} s"
            return Failure(f"no answer, or not all of it, within {limit}")
        except Exception as error:
            is_unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            return replace(_failure(error), is_unsent=is_unsent)
        finally:
            _ours.reset(before)

    async def _post(
        self,
        endpoint: Endpoint,
        content: bytes,
        on_connect: Callable[[], Awaitable[Failure | None]] | None,
    ) -> Reply:
        is_new = False

        async def trace(name: str, _: Any) -> None:
            nonlocal is_new
            if name == "connection.connect_tcp.complete":
                is_new = True
            elif is_new and name.endswith(".send_request_headers.started"):
                is_new = False
                failure = await on_connect() if on_connect else None
                if failure:
                    raise _Stopped(failure)

        request = httpx.Request(
            "POST",
            endpoint.url,
            headers=_HEADERS | endpoint.headers,
            content=content,
            extensions={"trace": trace},
        )
        response = await self._transport.handle_async_request(request)
        try:
            body = await _body(response)
        finally:
            await response.aclose()
        header = response.headers.get("Retry-After")
        return Reply(
            response.status_code,
            body,
            is_web_page(body, response.headers.get("Content-Type", "")),
            retry_after_s(header),
        )


def phrase(status: int) -> str:
    """`HTTP 429 Too Many Requests`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


async def _body(response: httpx.Response) -> bytes:
    """The body, which may be compressed; raises _Stopped for one that is too long."""
    size = response.headers.get("Content-Length", "")
    if size.isdecimal() and len(size) < 20 and int(size) > MAX_ANSWER_LEN:
        raise _Stopped(Failure(_TOO_LONG))
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise _Stopped(Failure("an answer in an encoding that was not asked for"))
    gzip = zlib.decompressobj(31) if encoding.endswith("gzip") else None
    body = bytearray()
    async for block in response.aiter_raw():
        # Told how much room there is, so that a small block cannot become gigabytes.
        room = MAX_ANSWER_LEN - len(body) + 1
        body += gzip.decompress(block, room) if gzip else block
        if len(body) > MAX_ANSWER_LEN:
            raise _Stopped(Failure(_TOO_LONG))
    if gzip and not gzip.eof:
        raise _Stopped(Failure("its answer is cut off"))
    return bytes(body)


def _failure(error: Exception) -> Failure:
    """What a failed exchange means. Only what holds no URL is taken from the error."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {cause.verify_message}"
            return Failure(reason, is_lasting=True)
        if isinstance(cause, ssl.SSLError):
            return Failure(f"no TLS: {cause.reason or type(cause).__name__}")
        if isinstance(cause, socket.gaierror):
            return Failure(f"its name is not found: {cause.strerror}")
        if isinstance(cause, OSError) and cause.errno:
            return Failure(f"no connection: {os.strerror(cause.errno)}")
    if isinstance(error, zlib.error):
        return Failure("an answer whose compression is broken")
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        if text.startswith("Server disconnected"):
            return Failure("the connection ended without an answer")
        if text.startswith("peer closed connection"):
            return Failure("its answer is cut off")
        return Failure("its answer is no HTTP")
    if isinstance(error, httpx.ConnectError):
        return Failure("no connection")
    if isinstance(error, httpx.NetworkError):
        return Failure("the connection was lost")
    return Failure(f"the request failed ({type(error).__name__})")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and those behind it, at most twenty."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < 20:
        cause = waiting.pop(0)
        if cause is None or cause in found:
            continue
        found.append(cause)
        if isinstance(cause, BaseExceptionGroup):
            waiting.extend(cause.exceptions)
        waiting.append(cause.__cause__ or cause.__context__)
    return found
