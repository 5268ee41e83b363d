"""`AggregatorPublisher`: prices signed and sent to Stork's aggregator."""

from __future__ import annotations

import asyncio
import time
from operator import index
from typing import TYPE_CHECKING, Self

from codec.aggregator.signing import authentication_headers, key_address
from codec.errors import FeedClosed, FeedError, SignatureError
from codec.feeds import stork_aggregator
from codec.feeds._listener import Inbox
from codec.feeds.client import Client, ConnectionSettings
from codec.feeds.endpoint import Secret, header_endpoint
from codec.feeds.events import EventKind, Events
from codec.feeds.publishing import PriceBook, scaled
from codec.feeds.reports import report_replies
from codec.feeds.sending import Sender
from codec.feeds.stats import PublisherStats
from codec.loopthread import LoopThread
from codec.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from decimal import Decimal

    from codec.feeds.endpoint import Token
    from codec.feeds.events import State
    from codec.feeds.publishing import Value
    from codec.signing import Key

__all__ = ["AggregatorPublisher"]

_ANSWERS_LEN = 1 << 20  # bytes of the server's answers that may wait
_SETTLED_S = 10.0  # a server that refuses prices says so sooner
_ORACLE_ID_LEN = 5
_MOST_TIMESTAMP = 2**64 - 1


class AggregatorPublisher:
    """Signs prices and sends them: `async with` opens it, `publish` takes prices in.

    Plain `with` does the same for scripts without asyncio, on a thread of its own.
    Whatever happens to the connection, `publish` never waits: the newest price of each
    asset is kept and sent as soon as that is possible; one that was never sent when a
    newer one came is counted as superseded. What happens is in `events`, counts are in
    `stats`.

    url: the server's, `wss://host`; `/evm/publish` is added where it has no path.
    token: as in FastFeed, if the server wants one. key: the publisher's, which signs
    prices: a coincurve.PrivateKey, 32 bytes or hex. authenticate: sign the handshake
    with it as well, anew for each connection. oracle_id: five characters, Stork's name
    of the publisher.

    clock_period: every so many seconds the newest price of every asset is sent, with
    the time of sending; None for never. delta_percent, delta_period: every so many
    seconds prices are sent that differ by more than that from the last one sent of
    their asset, or are its first, with their own time; None for never. every_update:
    each price is sent at once, instead of deltas. max_age: seconds after which a price
    that was not renewed is repeated no more; None for never. allow_float: take floats,
    as the decimals that their shortest text says. max_unsent_len: bytes; while more
    than that waits in the socket, prices wait as well. connection: how connections are
    made. clock_ns: the clock of timestamps, unix ns.

    Raises ValueError or TypeError for arguments that make no sense, SignatureError for
    what is no private key; no error shows any of the key.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        key: Key,
        oracle_id: str,
        authenticate: bool = False,
        clock_period: float | None = 0.5,
        delta_percent: float | Decimal | str | None = 0.1,
        delta_period: float = 0.01,
        every_update: bool = False,
        max_age: float | None = None,
        allow_float: bool = False,
        max_unsent_len: int = 256 << 10,
        connection: ConnectionSettings | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        try:
            secret = None if token is None else Secret(token)
            self._key = private_key(key)
        except (SignatureError, TypeError) as error:
            raise error.with_traceback(None) from None  # without the frames inside
        finally:
            del key, token  # no traceback that shows variables has them
        if not (isinstance(oracle_id, str) and len(oracle_id) == _ORACLE_ID_LEN):
            raise ValueError(f"an oracle_id has {_ORACLE_ID_LEN} characters")
        oracle_id.encode()  # UnicodeEncodeError is a ValueError
        self.address = key_address(self._key)
        self.events = Events(now_ns=clock_ns)
        book = PriceBook(
            clock_period_s=clock_period,
            delta_percent=delta_percent,
            delta_period_s=delta_period,
            every_update=every_update,
            max_age_s=max_age,
        )
        self._sender = Sender(
            book,
            self.events,
            key=self._key,
            oracle_id=oracle_id,
            max_unsent_len=max_unsent_len,
            clock_ns=clock_ns,
        )
        self._allow_float = allow_float
        self._clock_ns = clock_ns
        self._settings = connection or ConnectionSettings()
        self._inbox = Inbox("drop_oldest", _ANSWERS_LEN, clock_ns=clock_ns)
        self._client = Client(
            header_endpoint(
                stork_aggregator.connection_url(url, "evm", "publish"),
                secret,
                self._authentication if authenticate else None,
            ),
            self._inbox,
            0,
            self.events,
            opening=self._sender.opening,
            silence_s=lambda: None,
            settings=self._settings,
            on_failed=self._sender.wake,
            settled_s=_SETTLED_S,
        )
        self._failure: FeedError | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: LoopThread | None = None
        self._opened = self._closed = False
        self._n_replies = self._n_errors = 0

    def publish(
        self, asset: str, value: Value, timestamp_ns: int | None = None
    ) -> None:
        """Takes a price in, from any thread; never waits.

        value: an int scaled by 10^18, or the price as a Decimal or decimal text with at
        most 18 decimals. timestamp_ns: unix ns, by default now.

        Raises TypeError or ValueError for what is no price, asset or time, FeedClosed
        once the publisher is closed, and what ended its connection once nothing more
        can be sent.
        """
        number = scaled(value, allow_float=self._allow_float)
        (name,) = stork_aggregator.asset_names([asset])
        time_ns = self._clock_ns() if timestamp_ns is None else index(timestamp_ns)
        if not 0 <= time_ns <= _MOST_TIMESTAMP:
            raise ValueError("a timestamp is unix nanoseconds, 0 to 2^64 - 1")
        if self._closed:
            raise FeedClosed("the publisher is closed")
        if (failure := self.failure) is not None:
            # Raised often, it would else keep the frames of every time.
            raise failure.with_traceback(None)
        self._sender.publish(name, number, time_ns)

    def withdraw(self, asset: str) -> bool:
        """Sends nothing more of an asset until it is published again; from any thread.

        Whether there was anything of it.
        """
        with self._sender.lock:
            return self._sender.book.withdraw(asset)

    @property
    def state(self) -> State:
        """The connection's state."""
        return self._client.state

    @property
    def failure(self) -> FeedError | None:
        """Why nothing more can be sent; None while that can be."""
        return self._failure or self._client.failure

    @property
    def stats(self) -> PublisherStats:
        """The counts of this moment."""
        sender = self._sender
        book = sender.book
        with sender.lock:
            return PublisherStats(
                published=book.n_published,
                sent=book.n_sent,
                repeated=book.n_repeated,
                superseded=book.n_superseded,
                waiting=book.n_waiting,
                messages=sender.n_messages,
                bytes=sender.text_len,
                signed=sender.n_signed,
                sign_s=sender.sign_ns / 1e9,
                replies=self._n_replies,
                errors=self._n_errors,
                reconnects=max(self._client.n_connections - 1, 0),
                unsent_bytes=sender.unsent_len,
            )

    def __repr__(self) -> str:
        if not hasattr(self, "_client"):
            return "<AggregatorPublisher>"  # one whose arguments were refused
        return f"<AggregatorPublisher 0x{self.address.hex()}: {self.state}>"

    async def __aenter__(self) -> Self:
        if self._opened or self._closed:
            raise FeedClosed("a publisher is opened once")
        self._opened = True
        self._sender.start(self._client)
        self._client.start()
        for work in (self._sender.run, self._hear):
            self._tasks.append(asyncio.create_task(self._guarded(work)))
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        await self.close(flush=kind is None)

    async def close(self, *, flush: bool = True) -> None:
        """Ends the connection. flush: prices that were never sent go out before, where
        that takes no longer than the connection's `close_timeout_s`."""
        was_closed, self._closed = self._closed, True
        if was_closed or not self._opened:
            return
        try:
            if flush:
                timeout_s = self._settings.close_timeout_s
                await self._sender.flush(timeout_s, lambda: self.failure is not None)
        finally:
            sending, hearing = self._tasks
            sending.cancel()
            try:
                await self._client.close()
            finally:  # the last answers have come meanwhile
                hearing.cancel()
                while self._hear_some():
                    pass
                self.events.close()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    def __enter__(self) -> Self:
        self._thread = LoopThread("codec.feeds.publisher").start(self.__aenter__())
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        thread, self._thread = self._thread, None
        assert thread is not None
        try:
            thread.call(self.close(flush=kind is None))
        finally:
            thread.stop()

    def _authentication(self) -> dict[str, str]:
        return authentication_headers(self._key, timestamp_ns=self._clock_ns())

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """A fault of ours must not look like a quiet server."""
        try:
            await work()
        except Exception as error:
            self._failure = FeedError(f"{type(error).__name__}: {error}")
            self._failure.__cause__ = error

    async def _hear(self) -> None:
        """Reports what the server says, as it comes."""
        while True:
            if not self._hear_some():
                waiter = asyncio.get_running_loop().create_future()
                self._inbox.wait(waiter)
                await waiter
            await asyncio.sleep(0)

    def _hear_some(self) -> bool:
        """Reports some of what has come, if anything has."""
        lines = self._inbox.take()
        if lines is None:
            return False
        kinds = report_replies(self.events, lines, str)
        self._n_replies += kinds.total()
        self._n_errors += kinds[EventKind.SERVER_ERROR]
        return True
