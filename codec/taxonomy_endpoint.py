"""`GET /v1/taxonomy` with a token, which no other host, error or repr gets to see."""

from __future__ import annotations

import http.client
import ssl
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
    getproxies,
)

from codec.errors import TaxonomyError
from codec.tokens import unfit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["fetch"]

_BLOCK_LEN = 64 << 10
_PORTS = {"http": 80, "https": 443}


class _FetchError(Exception):
    """Why there is no answer, for people."""


class _SameHost(HTTPRedirectHandler):
    """Follows the server to other places of its own, and nowhere else."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if _origin(urlsplit(newurl)) != _origin(urlsplit(req.full_url)):
            fp.close()
            raise _FetchError(
                f"it sends on to {_shown(urlsplit(newurl))}, which is not asked: the"
                " token is for one host"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(
    url: str,
    token: str | Callable[[], str] | None,
    timeout_s: float,
    max_len: int,
    ssl_context: ssl.SSLContext | None,
) -> tuple[bytes, str]:
    """What a URL has, at most max_len + 1 bytes of it, and its name for errors.

    Raises TaxonomyError for a URL or token that makes no sense, for every answer but
    200, and where there is none in time.
    """
    data, reason, headers = None, "", {}
    # A traceback shows the frames behind its error: those below hold the token, so what
    # they raise ends here, and another error begins.
    try:
        name = _checked(url)
        headers["Accept"] = "application/json, text/csv;q=0.9"
        if token is not None:
            headers["Authorization"] = f"Basic {_asked(token)}"
        data = _get(Request(url, headers=headers), timeout_s, max_len, ssl_context)
    except _FetchError as error:
        reason = str(error)
    except HTTPError as error:
        error.close()
        reason = _refusal(error.code, token is not None)
    except URLError as error:
        reason = _network_reason(error.reason, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        reason = _network_reason(error, timeout_s)
    finally:
        del token, headers
    if data is None:
        raise TaxonomyError(f"{name}: {reason}")
    return data, name


def _get(
    request: Request, timeout_s: float, max_len: int, context: ssl.SSLContext | None
) -> bytes:
    end = time.monotonic() + timeout_s
    # A proxy of the environment tunnels TLS; without TLS it would see the token.
    proxies = {name: url for name, url in getproxies().items() if name == "https"}
    handlers = ProxyHandler(proxies), HTTPSHandler(context=context)
    opener = build_opener(_SameHost, *handlers)
    with opener.open(request, timeout=timeout_s) as answer:
        if answer.status != HTTPStatus.OK:
            raise _FetchError(_refusal(answer.status, False))
        kind = answer.headers.get_content_type()
        if kind in ("text/html", "application/xhtml+xml"):
            raise _FetchError(f"this is a web page ({kind}), no list of assets")
        size = answer.headers.get("Content-Length", "")
        data = bytearray()
        while len(data) <= max_len:
            # Returns what there is, so that one who sends bytes singly gets no more
            # time than others.
            block = answer.read1(_BLOCK_LEN)
            data += block
            if not block:
                break
            if time.monotonic() > end:
                raise TimeoutError
    if len(data) <= max_len and size.isdigit() and len(data) < int(size):
        raise _FetchError(f"it ends after {len(data):,} of {int(size):,} bytes")
    return bytes(data[: max_len + 1])


def _checked(url: str) -> str:
    """The URL without its parameters, for errors; raises for one that is none."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise TaxonomyError("a URL is printable ASCII without spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise TaxonomyError(f"no URL: {error}") from None
    name = _shown(parts)
    if parts.scheme in ("ws", "wss"):
        secure = "s" if parts.scheme == "wss" else ""
        place = f"http{secure}://{parts.netloc.rpartition('@')[2]}/v1/taxonomy"
        raise TaxonomyError(f"{name}: its list of assets is at {place}")
    if parts.scheme not in _PORTS or not host:
        raise TaxonomyError(f"{name}: a file or a URL as https://host/v1/taxonomy")
    if parts.username is not None or parts.password is not None:
        raise TaxonomyError(f"{name}: no credentials in the URL: the token is enough")
    return name


def _shown(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _origin(parts: SplitResult) -> tuple[object, ...]:
    try:
        port = parts.port
    except ValueError:
        port = -1
    scheme = parts.scheme.lower()
    has_user = parts.username is not None
    return scheme, parts.hostname, port or _PORTS.get(scheme), has_user


def _asked(token: str | Callable[[], str]) -> str:
    """The token; a callable is asked. What it raises may tell the token, so only the
    name of the exception's type is kept."""
    reason = ""
    given: object = token
    if callable(token):
        try:
            given = token()
        except Exception as error:
            reason = f"the token could not be had: {type(error).__name__}"
    reason = reason or unfit(given)
    if reason or not isinstance(given, str):
        raise _FetchError(reason)
    return given


def _refusal(code: int, has_token: bool) -> str:
    if code in (401, 403):
        what = "the token is refused" if has_token else "a token is needed"
        return f"{what} ({code})"
    try:
        phrase = f" {HTTPStatus(code).phrase}"
    except ValueError:
        phrase = ""
    if 300 <= code < 400:
        return f"it sends on without end, or nowhere ({code}{phrase})"
    return f"the server answered {code}{phrase}"


def _network_reason(error: object, timeout_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer, or not all of it, within {timeout_s:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or error}"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer is cut off"
    if isinstance(error, http.client.HTTPException):
        return f"its answer is no HTTP ({type(error).__name__})"
    text = error.strerror if isinstance(error, OSError) else str(error)
    text = text or str(error) or type(error).__name__
    return text if text.isprintable() else ascii(text)
