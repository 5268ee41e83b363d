"""A node: where it is, which secrets lead there, and how it has behaved."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from codec.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from codec.errors import WrongChainError

__all__ = ["Endpoint", "EndpointState", "EndpointStatus", "Failure"]

FIRST_REST_S = 0.25
LAST_REST_S = 15.0
LONGEST_REST_S = 60.0  # whatever a node asks for in Retry-After
MOST_AT_ONCE = 32  # requests to one node
_SHORTEST_SECRET = 8  # shorter parts of a URL are words, and stand in any text


class EndpointState(StrEnum):
    """How a node stands: UNCHECKED until its first answer."""

    UNCHECKED = "unchecked"
    USABLE = "usable"
    FAILED = "failed"
    WRONG_CHAIN = "wrong_chain"


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """A node and how it stands. name: scheme://host:port. reason: of its failure."""

    name: str
    state: EndpointState
    reason: str
    n_requests: int
    n_failures: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a node gave no usable answer.

    retry_after_s: how long it wants to be left alone. is_lasting: the same call would
    fail there again. is_busy: it is well, and has too much to do. error: it is of
    another chain. is_unsent: the request did not leave for the node.
    """

    reason: str
    retry_after_s: float | None = None
    is_lasting: bool = False
    is_busy: bool = False
    error: WrongChainError | None = None
    is_unsent: bool = False


class Endpoint:
    """A node's URL, which no repr shows, and what is known of the node.

    Raises ValueError for a URL or a header that is none; it shows neither of them.

    unsure: how often there was a reason to check which chain it is of. checked_at: the
    count at which the last good check began. n_rests: how often it has failed and was
    left alone for it.
    """

    __slots__ = (
        "_backoff",
        "_secrets",
        "checked_at",
        "failure",
        "headers",
        "lock",
        "n_failures",
        "n_requests",
        "n_rests",
        "name",
        "rests_until",
        "slots",
        "unsure",
        "url",
    )

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.name = self.url = ""
        self.headers: dict[str, str] = {}
        self._secrets: set[str] = set()
        self._backoff = Backoff(FIRST_REST_S, LAST_REST_S)
        self.rests_until = 0.0
        self.failure: Failure | None = None
        self.n_requests = self.n_failures = self.n_rests = 0
        self.unsure, self.checked_at = 0, -1
        self.renew()
        reason = self._take(url, headers)
        del url, headers  # nor does a traceback that shows variables
        if reason:
            raise ValueError(reason)

    def __repr__(self) -> str:
        return f"<Endpoint {self.name}: {self.state}>"

    def renew(self) -> None:
        """Makes what belongs to an event loop, for the one that comes next."""
        self.lock = asyncio.Lock()
        self.slots = asyncio.Semaphore(MOST_AT_ONCE)

    @property
    def state(self) -> EndpointState:
        if self.failure is None:
            is_checked = self.checked_at >= 0
            return EndpointState.USABLE if is_checked else EndpointState.UNCHECKED
        if self.failure.error is not None:
            return EndpointState.WRONG_CHAIN
        return EndpointState.FAILED

    @property
    def status(self) -> EndpointStatus:
        reason = self.failure.reason if self.failure else ""
        return EndpointStatus(
            self.name, self.state, reason, self.n_requests, self.n_failures
        )

    def rest(self, failure: Failure, now: float) -> float:
        """Notes a failure; gives the seconds for which the node is left alone."""
        rest_s = self._backoff.next()
        if failure.retry_after_s is not None:
            rest_s = max(rest_s, min(failure.retry_after_s, LONGEST_REST_S))
        self.failure = failure
        self.n_rests += 1
        self.rests_until = now + rest_s
        if not failure.is_busy:
            self.unsure += 1
        return rest_s

    def recover(self) -> None:
        """Notes that the node is well again."""
        self.failure = None
        self.rests_until = 0.0
        self._backoff.reset()

    def redact(self, text: str) -> str:
        """The text without the secrets that lead to the node, nor the beginning of one
        where the text was cut."""
        secrets = sorted(self._secrets, key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, "***")
        whole = text.removesuffix("...")
        for secret in secrets:
            for n in range(len(secret) - 1, _SHORTEST_SECRET - 1, -1):
                if whole.endswith(secret[:n]):
                    return f"{whole[:-n]}***"
        return text

    def _take(self, url: str, headers: Mapping[str, str]) -> str:
        """Takes URL and headers apart; gives what is wrong with them, if anything."""
        if not isinstance(url, str) or not url.isascii() or not url.isprintable():
            return "a node's URL is printable ASCII"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "a node's URL with a host or a port that is none"
        if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
            return "a node's URL begins with http://host or https://host"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.name = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
        query = f"?{parts.query}" if parts.query else ""
        self.url = f"{self.name}{parts.path or '/'}{query}"
        self.headers = _basic(parts)
        for name, value in headers.items():
            if not f"{name}{value}".isascii() or not f"{name}{value}".isprintable():
                return f"the header {name!a} is not of printable ASCII"
            self.headers[name] = value
        self._secrets = _secrets(parts, self.headers)
        return ""


def _basic(parts: SplitResult) -> dict[str, str]:
    """The header that carries the user and password of a URL."""
    if parts.username is None:
        return {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _secrets(parts: SplitResult, headers: Mapping[str, str]) -> set[str]:
    words = {*parts.path.split("/"), parts.query, parts.path, *headers.values()}
    words |= {pair.partition("=")[2] for pair in parts.query.split("&")}
    words |= {parts.username or "", parts.password or ""}
    words |= {word for value in headers.values() for word in value.split()}
    words |= {unquote(word) for word in words}
    return {word for word in words if len(word) >= _SHORTEST_SECRET}
