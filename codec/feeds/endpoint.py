"""Where a connection goes, and the secret that goes with it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from codec.errors import FeedError
from codec.tokens import unfit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = [
    "Endpoint",
    "Headers",
    "Secret",
    "Token",
    "header_endpoint",
    "token_endpoint",
]

Token: TypeAlias = "str | Callable[[], str | Awaitable[str]]"


class Headers(Mapping[str, str]):
    """Headers of a request, whose values no repr shows."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = dict(headers)

    def __getitem__(self, name: str) -> str:
        return self._headers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return f"<Headers: {', '.join(self._headers)}>"


class Endpoint(NamedTuple):
    """A URL, and the headers of the request for it."""

    url: str
    headers: Headers


class Secret:
    """A token, or what gives it, that no repr shows.

    Raises ValueError for a token that fits no header, TypeError for one that is none.
    """

    __slots__ = ("_token",)

    def __init__(self, token: Token) -> None:
        reason = "" if callable(token) else unfit(token)
        kind = ValueError if isinstance(token, str) else TypeError
        self._token = token
        del token  # nor does a traceback that shows variables
        if reason:
            raise kind(reason)

    async def header(self, scheme: str = "Basic") -> Headers:
        """`Authorization: <scheme> <token>`; a callable is asked each time.

        What it raises becomes a FeedError, which names the exception's type alone,
        because its text may tell the token.
        """
        headers, reason = await self._ask(scheme)
        if headers is None:
            raise FeedError(f"the token could not be had: {reason}")
        return headers

    async def _ask(self, scheme: str) -> tuple[Headers | None, str]:
        """The header, or what is wrong, without a word of the token."""
        try:
            token = self._token
            if callable(token):
                given = token()
                token = await given if inspect.isawaitable(given) else given
        except Exception as error:
            return None, type(error).__name__
        reason = unfit(token)
        if reason:
            return None, reason
        return Headers({"Authorization": f"{scheme} {token}"}), ""


def token_endpoint(url: str, secret: Secret) -> Callable[[], Awaitable[Endpoint]]:
    """What gives the URL, with the token in a header."""

    async def endpoint() -> Endpoint:
        return Endpoint(url, await secret.header())

    return endpoint


def header_endpoint(
    url: str, secret: Secret | None, headers: Callable[[], Mapping[str, str]] | None
) -> Callable[[], Awaitable[Endpoint]]:
    """What gives the URL with a token, with headers made anew each time, or both."""

    async def endpoint() -> Endpoint:
        given = Headers({}) if secret is None else await secret.header()
        if headers is not None:
            given = Headers({**headers(), **given})
        return Endpoint(url, given)

    return endpoint
