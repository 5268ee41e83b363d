"""Whether a connection of Shuriken's that failed is made again, and when."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from codec.errors import FeedError, FeedProtocolError
from codec.feeds.pusher_words import CloseAction, close_action
from codec.feeds.retry import ConnectionLost, HandshakeRefused, Verdict, judge
from codec.feeds.shuriken.session import SessionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.feeds.shuriken.session import Session

__all__ = ["Judge"]

_AT_ONCE_S = 1.0
_PAUSE_S = 1.0
_LONGEST_WAIT_S = 300.0


class Judge:
    """Decides what becomes of failures; remembers what the next attempt has to know.

    session: that of the last attempt. needs_tls: a server has asked for TLS.
    has_greeted: so has one, if only once.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.session: Session | None = None
        self.needs_tls = self.has_greeted = False
        self._now_s = now_s
        self._at_once_s = -math.inf

    def judge(self, failure: Exception, *, established: bool) -> Verdict:
        """What becomes of a connection that failed. The one place that decides it.

        established: there was a good connection before; one that was greeted counts.

        Of close codes it is what `close_action` says; 4200 to 4299 at once, but where
        that was done less than a second ago after the back-off. Of sessions a refused
        key is fatal, and what is lasting unless established; all else is tried again,
        as late as Retry-After says. Of handshakes none is fatal once established: the
        socket has no key that could be refused. All others are judged by
        `codec.feeds.retry.judge`.
        """
        established = established or self.has_greeted
        if isinstance(failure, HandshakeRefused) and established:
            wait_s = min(failure.retry_after_s or 0.0, _LONGEST_WAIT_S)
            return Verdict(wait_s=wait_s)
        if isinstance(failure, SessionError):
            if failure.is_lasting and not established:
                return Verdict(failure)
            return Verdict(wait_s=failure.retry_after_s or 0.0)
        if not isinstance(failure, ConnectionLost):
            return judge(failure, established=established)
        action = close_action(failure.code)
        if action is CloseAction.TLS:
            return self._over_tls(failure)
        if action is CloseAction.STOP:
            return Verdict(FeedError(f"the server wants no connection: {failure}"))
        if action is CloseAction.PAUSE:
            return Verdict(wait_s=_PAUSE_S)
        now_s = self._now_s()
        if action is CloseAction.AT_ONCE and now_s - self._at_once_s >= _AT_ONCE_S:
            self._at_once_s = now_s
            return Verdict(delay_s=0.0)
        return Verdict()

    def _over_tls(self, failure: ConnectionLost) -> Verdict:
        if self.needs_tls or self.session is None or self.session.force_tls:
            return Verdict(FeedProtocolError(f"over TLS already: {failure}"))
        self.needs_tls = True
        return Verdict(delay_s=0.0)
