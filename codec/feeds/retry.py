"""Whether a failed connection is tried again, and when."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from codec.backoff import Backoff, retry_after_s
from codec.errors import FeedAuthError, FeedError, FeedProtocolError

__all__ = [
    "Backoff",
    "ConnectionLost",
    "HandshakeRefused",
    "Verdict",
    "judge",
    "retry_after_s",
]

_UNAUTHORIZED = {401, 403}
_WAIT = {408, 425, 429}  # of the client errors, those that time may cure
_LONGEST_WAIT_S = 300.0  # whatever a server asks for in Retry-After


class HandshakeRefused(Exception):
    """The server answered the handshake with another HTTP status than 101."""

    def __init__(
        self, status: int, reason: str = "", retry_after_s: float | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(status, reason)

    def __str__(self) -> str:
        return f"HTTP {self.status}" + (f": {self.reason}" if self.reason else "")


class ConnectionLost(Exception):
    """An open connection ended: by the close code of RFC 6455, 1006 where none came."""

    def __init__(self, code: int, reason: str = "", *, ours: bool = False) -> None:
        self.code = code
        self.reason = reason
        self.ours = ours  # we ended it
        super().__init__(code, reason)

    def __str__(self) -> str:
        if self.ours:
            return self.reason
        return f"closed with code {self.code}" + (
            f": {self.reason}" if self.reason else ""
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """error: what to raise, None to try again: after the back-off, and in `wait_s`
    seconds at the soonest; or in `delay_s` seconds, whatever the back-off says."""

    error: FeedError | None = None
    wait_s: float = 0.0
    delay_s: float | None = None


def judge(failure: Exception, *, established: bool) -> Verdict:
    """Decides what becomes of a connection that failed. The one place that does.

    established: valid data has come by this URL before, so that what looks like a wrong
    setting is more likely to be an outage.

    Fatal: HTTP 401 and 403, close codes 3000 and 3003 (credentials); close code 1010
    (an extension was not offered). Fatal unless established: other HTTP statuses below
    500 (redirects among them: they are not followed, since the token would go along), a
    certificate that is not trusted, an answer that is no websocket's, a token callable
    that raises. All else waits: HTTP 408, 425, 429 and 5xx (as long as Retry-After
    says, at most five minutes), names that do not resolve, proxies that refuse, refused
    and broken connections, timeouts, silence, every other close code.
    """
    if isinstance(failure, HandshakeRefused):
        return _judge_status(failure, established=established)
    if isinstance(failure, ConnectionLost):
        if failure.code in (3000, 3003) and not failure.ours:
            return Verdict(FeedAuthError(f"the server refused the token: {failure}"))
        if failure.code == 1010 and not failure.ours:
            return Verdict(FeedProtocolError(f"an extension is missing: {failure}"))
        return Verdict()
    if isinstance(failure, FeedAuthError):
        return Verdict(failure)
    if established:
        return Verdict()
    if isinstance(failure, ssl.SSLCertVerificationError):
        reason = failure.verify_message
        return Verdict(FeedError(f"the server's certificate is not trusted: {reason}"))
    if isinstance(failure, FeedError):
        return Verdict(failure)
    return Verdict()


def _judge_status(refused: HandshakeRefused, *, established: bool) -> Verdict:
    status = refused.status
    if status in _UNAUTHORIZED:
        return Verdict(FeedAuthError(f"the server refused the token: {refused}"))
    if status in _WAIT or status >= 500 or established:
        return Verdict(wait_s=min(refused.retry_after_s or 0.0, _LONGEST_WAIT_S))
    if 300 <= status < 400:
        return Verdict(FeedProtocolError(f"redirects are not followed: {refused}"))
    return Verdict(FeedProtocolError(f"the server refused the connection: {refused}"))
