"""One HTTP request to a node and its answer, within limits of time and length.

A node's URL often holds a key. httpx's transport is therefore used without httpx's
client, which logs every URL.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from codec.backoff import retry_after_s
from codec.chain.endpoints import Failure
from codec.webanswers import AnswerError, fault_of, is_web_page, read_body, unlogged

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from codec.chain.endpoints import Endpoint

__all__ = ["Exchange", "Reply"]

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


@dataclass(frozen=True, slots=True)
class Reply:
    """What came by HTTP. is_web_page: HTML, by its type or its beginning."""

    status: int
    body: bytes
    is_web_page: bool
    retry_after_s: float | None


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
        try:
            with unlogged():
                async with asyncio.timeout(self._timeout_s):
                    return await self._post(endpoint, content, on_connect)
        except _Stopped as stopped:
            return stopped.failure
        except AnswerError as error:
            return Failure(str(error))
        except TimeoutError:
            limit = f"{self._timeout_s:g} s"
            return Failure(f"no answer, or not all of it, within {limit}")
        except Exception as error:
            is_unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            fault = fault_of(error)
            return Failure(
                fault.reason, is_lasting=fault.is_lasting, is_unsent=is_unsent
            )

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
            body = await read_body(response, MAX_ANSWER_LEN)
        finally:
            await response.aclose()
        header = response.headers.get("Retry-After")
        return Reply(
            response.status_code,
            body,
            is_web_page(body, response.headers.get("Content-Type", "")),
            retry_after_s(header),
        )
