"""What comes back by HTTP, within limits of length, or why nothing did.

URLs and headers hold keys. Of httpx' errors only what holds neither is told, and what
httpcore logs within `unlogged` is dropped: it has the headers of answers, and with them
the places to which a server sends on.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import zlib
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AnswerError",
    "Fault",
    "fault_of",
    "is_web_page",
    "phrase",
    "read_body",
    "unlogged",
]

_ours: ContextVar[bool] = ContextVar("codec's requests", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _ours.get()


for _name in ("httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_is_not_ours)


@contextmanager
def unlogged() -> Iterator[None]:
    """Requests made in here are not logged."""
    before = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(before)


class AnswerError(Exception):
    """An answer that cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request failed. is_lasting: another attempt would fail as well."""

    reason: str
    is_lasting: bool = False


def phrase(status: int) -> str:
    """`HTTP 429 Too Many Requests`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def is_web_page(body: bytes, content_type: str = "") -> bool:
    """Whether an answer is HTML."""
    kind = content_type.partition(";")[0].strip().lower()
    is_html = kind in ("text/html", "application/xhtml+xml")
    return is_html or body[:200].lstrip()[:1] == b"<"


async def read_body(response: httpx.Response, max_len: int) -> bytes:
    """The body, which may be compressed by gzip, and of at most so many bytes.

    Raises AnswerError for one that is longer, cut off, or in another encoding.
    """
    too_long = f"an answer of more than {max_len >> 20} MiB"
    size = response.headers.get("Content-Length", "")
    if size.isdecimal() and len(size) < 20 and int(size) > max_len:
        raise AnswerError(too_long)
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise AnswerError("an answer in an encoding that was not asked for")
    gzip = zlib.decompressobj(31) if encoding.endswith("gzip") else None
    body = bytearray()
    async for block in response.aiter_raw():
        # Told how much room there is, so that a small block cannot become gigabytes.
        room = max_len - len(body) + 1
        body += gzip.decompress(block, room) if gzip else block
        if len(body) > max_len:
            raise AnswerError(too_long)
    if gzip and not gzip.eof:
        raise AnswerError("its answer is cut off")
    return bytes(body)


def fault_of(error: Exception) -> Fault:
    """What a failed exchange means. Only what holds no URL is taken from the error."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted: {cause.verify_message}"
            return Fault(reason, is_lasting=True)
        if isinstance(cause, ssl.SSLError):
            return Fault(f"no TLS: {cause.reason or type(cause).__name__}")
        if isinstance(cause, socket.gaierror):
            return Fault(f"its name is not found: {cause.strerror}")
        if isinstance(cause, OSError) and cause.errno:
            return Fault(f"no connection: {os.strerror(cause.errno)}")
    if isinstance(error, zlib.error):
        return Fault("an answer whose compression is broken")
    if isinstance(error, httpx.RemoteProtocolError):
        text = str(error)
        if text.startswith("Server disconnected"):
            return Fault("the connection ended without an answer")
        if text.startswith("peer closed connection"):
            return Fault("its answer is cut off")
        return Fault("its answer is no HTTP")
    if isinstance(error, httpx.ConnectError):
        return Fault("no connection")
    if isinstance(error, httpx.NetworkError):
        return Fault("the connection was lost")
    return Fault(f"the request failed ({type(error).__name__})")


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
