"""Where a connection goes, and the secret that goes with it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from codec.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["Endpoint", "Headers", "Token", "token_endpoint"]

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


def token_endpoint(url: str, token: Token) -> Callable[[], Awaitable[Endpoint]]:
    """What gives the URL with `Authorization: Basic <token>`.

    A token that is a callable is asked each time. What it raises becomes a FeedError,
    which names the exception's type alone, because its text may tell the token.

    Raises ValueError for a token that fits no header, TypeError for one that is none.
    """
    if not callable(token):
        _check(token)

    async def endpoint() -> Endpoint:
        text = token
        if callable(text):
            try:
                given = text()
                text = await given if inspect.isawaitable(given) else given
                _check(text)
            except Exception as error:
                raise FeedError(
                    f"the token could not be had: {type(error).__name__}"
                ) from None
        return Endpoint(url, Headers({"Authorization": f"Basic {text}"}))

    return endpoint


def _check(token: object) -> None:
    if not isinstance(token, str):
        raise TypeError(f"a token is a str, not {type(token).__name__}")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("a token is printable ASCII without spaces")
