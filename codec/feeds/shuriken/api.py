"""The three requests of the API, with a key that no other host, error or repr sees."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urljoin

import httpx

from codec.backoff import retry_after_s
from codec.errors import FeedAuthError, FeedError
from codec.feeds.endpoint import Headers
from codec.feeds.shuriken.session import (
    SessionError,
    error_words,
    read_auth,
    read_catalogue,
    read_session,
)
from codec.feeds.words import shown
from codec.webanswers import (
    AnswerError,
    fault_of,
    is_web_page,
    phrase,
    read_body,
    unlogged,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codec.feeds.endpoint import Secret
    from codec.feeds.shuriken.session import Asked, Session, StreamInfo

__all__ = ["Api"]

T = TypeVar("T")

_SESSION = "/api/v2/ws/session"
_OWN_DOMAIN = "shuriken.trade"
_MOST_LEN = 4 << 20  # bytes of an answer
_WAIT = (408, 425, 429)  # of the client errors, those that time may cure
_LONGEST_WAIT_S = 300.0
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class _Reply:
    """told: the body without the key, for errors."""

    status: int
    body: bytes = field(repr=False)
    told: bytes
    is_web_page: bool
    retry_after_s: float | None


class Api:
    """The API at a URL. Each request asks for the key, and ends within `timeout_s`.

    The key goes to the API's own host, and nowhere else: redirects are not followed,
    and an authorisation endpoint on another host is refused. Exceptions are hosts that
    `auth_hosts` names, and, of the real API, those of its own domain. Without TLS it
    goes to this machine alone.

    Raises ValueError for a URL that makes no sense or would show the key.
    """

    def __init__(
        self,
        base_url: str,
        secret: Secret,
        *,
        timeout_s: float = 10.0,
        auth_hosts: Iterable[str] = (),
        catalogue_path: str = "/api/v2/ws/streams",
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        self._base = _checked(base_url)
        self._base_url = str(self._base).rstrip("/")
        self._secret = secret
        self._timeout_s = timeout_s
        self._auth_hosts = frozenset(host.lower() for host in auth_hosts)
        self._catalogue_path = catalogue_path
        is_local = self._base.scheme == "http"
        if ssl_context is None and is_local:
            ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # read no files
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context or httpx.create_ssl_context(trust_env=False),
            trust_env=False,
            proxy=None if is_local else proxy,
        )

    async def close(self) -> None:
        """Ends the connections."""
        await self._transport.aclose()

    async def bootstrap(self, asked: Sequence[Asked]) -> Session:
        """A session for these subscriptions, all of them.

        Raises FeedAuthError where the key is refused, else SessionError.
        """
        content = json.dumps(
            {
                "subscriptions": [
                    {"stream": stream, "filter": dict(given)} for stream, given in asked
                ]
            }
        )
        url = self._base_url + _SESSION
        reply = await self._ask("POST", url, content.encode(), _JSON)
        return _read(reply, f"POST {_SESSION}", lambda body: read_session(body, asked))

    async def authorise(
        self, endpoint: str, socket_id: str, channel: str
    ) -> tuple[str, str | None]:
        """`auth` and `channel_data` of a channel. endpoint: as the session has it.

        Raises FeedAuthError where the key is refused (401), else SessionError.
        """
        url = self.auth_url(endpoint)
        form = urlencode({"socket_id": socket_id, "channel_name": channel})
        reply = await self._ask("POST", url, form.encode(), _FORM)
        return _read(reply, f"POST {shown(httpx.URL(url).path)}", read_auth)

    async def catalogue(self) -> list[StreamInfo]:
        """All streams that there are. Raises as `bootstrap`."""
        reply = await self._ask("GET", self._base_url + self._catalogue_path, b"", "")
        return _read(reply, f"GET {self._catalogue_path}", read_catalogue)

    def auth_url(self, endpoint: str) -> str:
        """An authorisation endpoint's URL, relative to the API's own.

        Raises SessionError for one that the key is not for.
        """
        if not endpoint or not _is_plain(endpoint):
            raise _lasting("the session names no authorisation endpoint")
        try:
            # Read by whom it will be requested by, so that both mean the same host.
            url = httpx.URL(urljoin(self._base_url + "/", endpoint))
        except (httpx.InvalidURL, ValueError):
            raise _lasting("the authorisation endpoint is no URL") from None
        if url.scheme not in ("http", "https") or url.userinfo or not url.host:
            raise _lasting("the authorisation endpoint is no URL for the key")
        host = url.host.lower()
        if not self._is_ours(host):
            raise _lasting(
                f"the authorisation endpoint is on another host, {shown(host)}: the key"
                " is not sent there unless `auth_hosts` has it"
            )
        if url.scheme == "http" and not _is_local(host):
            raise _lasting("the authorisation endpoint has no TLS, and would show it")
        return str(url)

    def _is_ours(self, host: str) -> bool:
        own = self._base.host.lower()
        if host == own or host in self._auth_hosts:
            return True
        domain = f".{_OWN_DOMAIN}"
        return own.endswith(domain) and host.endswith(domain)

    async def _ask(
        self, method: str, url: str, content: bytes, content_type: str
    ) -> _Reply:
        """A reply; a refused key is asked for again, as it may be another now."""
        headers = await self._secret.header("Bearer")
        reply = await self._exchange(method, url, content, content_type, headers)
        if reply.status == 401:
            renewed = await self._secret.header("Bearer")
            if dict(renewed) != dict(headers):
                reply = await self._exchange(
                    method, url, content, content_type, renewed
                )
        return reply

    async def _exchange(
        self, method: str, url: str, content: bytes, content_type: str, key: Headers
    ) -> _Reply:
        # What httpx raises holds the request, so that it ends here.
        reply, fault = None, ""
        is_lasting = False
        try:
            with unlogged():
                async with asyncio.timeout(self._timeout_s):
                    reply = await self._send(method, url, content, content_type, key)
        except TimeoutError:
            fault = f"no answer, or not all of it, within {self._timeout_s:g} s"
        except AnswerError as error:
            fault, is_lasting = str(error), True
        except Exception as error:
            known = fault_of(error)
            fault, is_lasting = known.reason, known.is_lasting
        if reply is None:
            path = shown(httpx.URL(url).path)
            raise SessionError(f"{method} {path}: {fault}", is_lasting=is_lasting)
        return reply

    async def _send(
        self, method: str, url: str, content: bytes, content_type: str, key: Headers
    ) -> _Reply:
        kind = {"Content-Type": content_type} if content_type else {}
        headers = Headers(
            {
                "Accept": _JSON,
                "Accept-Encoding": "gzip",
                "User-Agent": "stork-codec",
                **kind,
                **key,
            }
        )
        request = httpx.Request(method, url, headers=headers, content=content)
        response = await self._transport.handle_async_request(request)
        try:
            body = await read_body(response, _MOST_LEN)
        finally:
            await response.aclose()
        return _Reply(
            response.status_code,
            body,
            _without(key, body),
            is_web_page(body, response.headers.get("Content-Type", "")),
            retry_after_s(response.headers.get("Retry-After")),
        )


def _without(key: Headers, body: bytes) -> bytes:
    """A body without the key: a page for developers may repeat the request."""
    for value in key.values():
        body = body.replace(value.split(" ", 1)[1].encode(), b"[the key]")
    return body


def _read(reply: _Reply, name: str, read: Callable[[bytes], T]) -> T:
    """What a good reply holds. Raises what else it means."""
    if not 200 <= reply.status < 300 or reply.is_web_page:
        raise _refusal(reply, name)
    with suppress(SessionError):
        return read(reply.body)
    return read(reply.told)  # that has the same fault, and no key to tell


def _refusal(reply: _Reply, name: str) -> FeedError:
    status = reply.status
    code, message, request_id = error_words(reply.told)
    if reply.is_web_page:
        message = "a web page"
    words = [phrase(status), code, message or shown(reply.told)]
    if 300 <= status < 400:
        words[-1] = "redirects are not followed, because the key would go along"
    text = f"{name}: " + ": ".join(word for word in words if word)
    if request_id:
        text += f" (request {request_id})"
    if status == 401:
        return FeedAuthError(f"the API refused the key: {text}")
    wait_s = reply.retry_after_s
    return SessionError(
        text,
        status=status,
        code=code,
        request_id=request_id,
        is_lasting=status < 500 and status not in _WAIT,
        retry_after_s=None if wait_s is None else min(wait_s, _LONGEST_WAIT_S),
    )


def _checked(base_url: str) -> httpx.URL:
    if not isinstance(base_url, str) or not _is_plain(base_url):
        raise ValueError("a URL is printable ASCII without spaces")
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url is no URL: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("base_url is https://host..., or http:// on this machine")
    if url.userinfo or url.query or url.fragment:
        raise ValueError("base_url is a host and a path, and has no credentials")
    if url.scheme == "http" and not _is_local(url.host):
        raise ValueError("base_url is https://host...: without TLS, the key is shown")
    return url


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and not set(text) & set(' \\"<>')


def _is_local(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _lasting(reason: str) -> FeedError:
    return SessionError(reason, is_lasting=True)
