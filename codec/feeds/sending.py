"""What a publisher does all the time: sign what is due, and send it where it goes."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import TYPE_CHECKING

from codec.aggregator.signing import sign_price
from codec.errors import FeedClosed
from codec.feeds import stork_aggregator
from codec.feeds.events import EventKind, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from coincurve import PrivateKey

    from codec.feeds.client import Client
    from codec.feeds.events import Events
    from codec.feeds.publishing import PriceBook

__all__ = ["Sender"]

# About 2 ms of signing and 35 kB of text, after which others have their turn.
_PRICES_PER_MESSAGE = 50
_POLL_S = 0.005  # while the socket's buffer is full


class Sender:
    """Takes prices from a book, which any thread may fill, to a connection.

    It sleeps until the book says, until something is published that cannot wait so
    long, or until there is a connection; while the socket holds more than
    `max_unsent_len` bytes, what is due stays in the book.

    lock: of the book. n_messages, text_len, n_signed, sign_ns: texts sent, their bytes,
    signatures made and what they took.
    """

    def __init__(
        self,
        book: PriceBook,
        events: Events,
        *,
        key: PrivateKey,
        oracle_id: str,
        max_unsent_len: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.book = book
        self.lock = threading.Lock()
        self.n_messages = self.text_len = self.n_signed = self.sign_ns = 0
        self._events = events
        self._key = key
        self._oracle_id = oracle_id
        self._max_unsent_len = max_unsent_len
        self._clock_ns = clock_ns
        self._client: Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = self._unsent_len = 0
        self._waiter: asyncio.Future[None] | None = None
        self._is_asleep = False  # until `_wakes_s`, or until more is due
        self._wakes_s, self._n_due_seen = 0.0, 0
        self._is_held_up = False

    def start(self, client: Client) -> None:
        """From now on prices fall due, by the event loop that is running."""
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        with self.lock:
            self.book.start(self._loop.time())

    def publish(self, asset: str, value: int, timestamp_ns: int) -> None:
        """Takes a price in, from any thread. Raises FeedClosed where the event loop has
        been closed."""
        loop = self._loop
        with self.lock:
            now_s = 0.0 if loop is None else loop.time()
            self.book.publish(asset, value, timestamp_ns, now_s)
            is_news = self._is_asleep and self._has_news()
            self._is_asleep &= not is_news  # to be woken once is enough
        if loop is not None and is_news:
            try:
                loop.call_soon_threadsafe(self.wake)
            except RuntimeError:
                raise FeedClosed("the publisher is closed") from None

    def opening(self) -> Iterable[bytes]:
        """Nothing is said first; but what waits can be sent in a moment."""
        if self._loop is not None:
            self._loop.call_soon(self.wake)
        return ()

    def wake(self) -> None:
        """Has it look what there is to do; on the event loop's thread."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def unsent_len(self) -> int:
        """Bytes that the system has not taken; from other threads, when last looked."""
        if self._client is not None and threading.get_ident() == self._thread_id:
            self._unsent_len = self._client.unsent_len
        return self._unsent_len

    async def run(self) -> None:
        """Sends, until it is cancelled."""
        assert self._loop is not None and self._client is not None
        while True:
            now_s = self._loop.time()
            with self.lock:
                self.book.look(now_s)
                n_due, next_s = self.book.n_due, self.book.next_s()
            if n_due and self._can_send(self._client):
                self._send_some(self._client, now_s)
                await asyncio.sleep(0)
                continue
            if n_due and self._client.state is State.CONNECTED:
                next_s = min(next_s, now_s + _POLL_S)
            await self._sleep(self._loop, next_s, n_due)

    async def flush(self, timeout_s: float, is_over: Callable[[], bool]) -> None:
        """Waits until the system has taken all of it, or until something is over."""
        with self.lock:
            self.book.flush()
        self.wake()
        try:
            async with asyncio.timeout(timeout_s):
                while (self.book.n_waiting or self.unsent_len) and not is_over():
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            pass

    def _can_send(self, client: Client) -> bool:
        """Whether the connection takes prices; that it begins not to is an event."""
        if client.state is not State.CONNECTED:
            return False
        unsent_len = self.unsent_len
        is_held_up = unsent_len > self._max_unsent_len
        if is_held_up and not self._is_held_up:
            text = "the server is slow to take prices: only the newest ones wait"
            self._events.emit(
                EventKind.OVERFLOW, text, connection=0, unsent_bytes=unsent_len
            )
        self._is_held_up = is_held_up
        return not is_held_up

    def _send_some(self, client: Client, now_s: float) -> None:
        with self.lock:
            prices = self.book.take(_PRICES_PER_MESSAGE, now_s, self._clock_ns())
        if not prices:
            return
        start_ns = time.perf_counter_ns()
        data = {}
        for price in prices:
            signed = sign_price(
                price.asset,
                price.value,
                timestamp_ns=price.timestamp_ns,
                key=self._key,
            )
            data[price.asset] = stork_aggregator.signed_price(
                self._oracle_id, price.trigger, signed.as_message()
            )
        self.sign_ns += time.perf_counter_ns() - start_ns
        self.n_signed += len(prices)
        text = stork_aggregator.signed_prices_frame(data)
        client.send(text)
        self.n_messages += 1
        self.text_len += len(text)

    def _has_news(self) -> bool:
        """Whether it sleeps too long, if it sleeps."""
        book = self.book
        return book.n_due != self._n_due_seen or book.next_s() < self._wakes_s

    async def _sleep(
        self, loop: asyncio.AbstractEventLoop, until_s: float, n_due: int
    ) -> None:
        """Until then, or until there is something to do beyond what is due already."""
        self._waiter = loop.create_future()
        timer = loop.call_at(until_s, self.wake) if until_s < math.inf else None
        try:
            with self.lock:
                self._wakes_s, self._n_due_seen = until_s, n_due
                self._is_asleep = not self._has_news()
                if not self._is_asleep:
                    return
            await self._waiter
        finally:
            self._is_asleep, self._waiter = False, None
            if timer is not None:
                timer.cancel()
