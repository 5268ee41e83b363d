"""A pusher's feed, read for as long as it is needed, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeAlias

from codec.chain.push.hindrances import Hindrance
from codec.errors import BadSignatureError, FeedError
from codec.feeds.events import State
from codec.feeds.fast import FastFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.batch import Batch
    from codec.chain.push.hindrances import Hindrances

__all__ = ["FeedReading", "FeedSource"]

FeedSource: TypeAlias = "FastFeed | Callable[[], FastFeed]"
"""A feed that is not open yet; or what makes a new one, whenever one has failed."""

FINDER = "feed"
_AGAIN_S = (1.0, 60.0)
_LOOK_S = 0.25
_logger = logging.getLogger("codec.chain")


class FeedReading:
    """Reads a feed, hands its batches on, and notes where none come.

    take: called with each batch; gives how many of its messages count. silence_s:
    without one that counts for so long the feed is away. feed: the one that is read.
    """

    def __init__(
        self,
        source: FeedSource,
        take: Callable[[Batch], int],
        *,
        hindrances: Hindrances,
        silence_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.feed = source if isinstance(source, FastFeed) else source()
        self.n_messages = 0
        self._make = None if isinstance(source, FastFeed) else source
        self._take = take
        self._hindrances = hindrances
        self._silence_s = silence_s
        self._clock = clock
        self._heard_s = clock()

    async def run(self) -> None:
        """Reads until the feed is closed. Raises what ended one that cannot be made
        anew."""
        self._heard_s = self._clock()
        minding = asyncio.create_task(self._mind())
        try:
            again_s, is_failed = _AGAIN_S[0], False
            while True:
                n_before = self.n_messages
                try:
                    if is_failed:
                        assert self._make is not None
                        self.feed = self._make()
                    return await self._read()
                except FeedError as error:
                    self._failed(error, str(error))
                except Exception as error:
                    _logger.exception("a pusher's feed failed")
                    self._failed(error, f"{type(error).__name__}: {error}")
                if self.n_messages > n_before:
                    again_s = _AGAIN_S[0]
                await asyncio.sleep(again_s)
                again_s = min(2 * again_s, _AGAIN_S[1])
                is_failed = True
        finally:
            minding.cancel()
            await asyncio.gather(minding, return_exceptions=True)

    def _failed(self, error: Exception, reason: str) -> None:
        """Notes a failure; raises it where there is no other feed."""
        if self._make is None:
            raise error
        found = {Hindrance.FEED_AWAY: reason}
        self._hindrances.set(FINDER, found, self._clock())

    async def _read(self) -> None:
        async with self.feed as feed:
            while True:
                try:
                    batch = await anext(feed)
                except StopAsyncIteration:
                    return
                except BadSignatureError:
                    continue  # the good ones come next
                n = self._take(batch)
                if n:
                    self.n_messages += n
                    self._heard_s = self._clock()
                    self._hindrances.set(FINDER, {}, self._heard_s)

    async def _mind(self) -> None:
        """Notes a feed that is silent, or not connected."""
        while True:
            await asyncio.sleep(min(_LOOK_S, self._silence_s / 4))
            now_s = self._clock()
            silent_s = now_s - self._heard_s
            has_failed = set(self.feed.states) == {State.FAILED}  # which was told
            if silent_s < self._silence_s or has_failed:
                continue
            states = ", ".join(self.feed.states)
            text = f"nothing that counts for {silent_s:.0f} s ({states})"
            self._hindrances.set(FINDER, {Hindrance.FEED_AWAY: text}, now_s)
