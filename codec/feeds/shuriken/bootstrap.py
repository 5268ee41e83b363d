"""Sessions for all that is wanted, whatever of it the API does not want."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from codec.feeds.shuriken.session import SessionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codec.feeds.shuriken.api import Api
    from codec.feeds.shuriken.session import Session
    from codec.feeds.shuriken.subscriptions import Topic, Topics

__all__ = ["Bootstrap"]


class Bootstrap:
    """Asks for sessions, one request at a time.

    A subscription that the API refuses would have it refuse all others with it, now and
    at each reconnection: those that it has never resolved are then tried apart, by
    halves, and the guilty ones are left out. So are those that it has resolved before,
    if others of them pass, until the next connection. on_rejected: is called with each;
    on_session: with each session, and the topics that it was asked for.
    """

    def __init__(
        self,
        api: Api,
        topics: Topics,
        on_rejected: Callable[[Topic, SessionError], object],
        on_session: Callable[[Sequence[Topic], Session], object],
    ) -> None:
        self._api = api
        self._topics = topics
        self._on_rejected = on_rejected
        self._on_session = on_session
        self._lock = asyncio.Lock()

    async def session(self) -> tuple[Session, list[Topic]]:
        """A session, and the topics that it was asked for.

        Raises FeedAuthError where the key is refused, else SessionError.
        """
        async with self._lock:
            while topics := self._topics.asked():
                try:
                    session = await self._ask(topics)
                except SessionError as error:
                    guilty = await self._guilty(topics, error)
                    if not guilty:
                        raise
                    for topic, refusal in guilty.items():
                        self._on_rejected(topic, refusal)
                else:
                    self._on_session(topics, session)
                    return session, topics
        raise SessionError("nothing is subscribed to any more")

    async def _ask(self, topics: Sequence[Topic]) -> Session:
        session = await self._api.bootstrap([topic.asked for topic in topics])
        for topic in topics:
            topic.is_proven = True
        return session

    def forgive(self) -> None:
        """Has what was resolved once asked for again."""
        for topic in self._topics:
            if topic.is_proven:
                topic.is_rejected = False

    async def _refusal(self, topics: Sequence[Topic]) -> SessionError | None:
        """How these are refused, if they are. Raises what is no refusal."""
        try:
            await self._ask(topics)
        except SessionError as error:
            if not error.is_refusal:
                raise
            return error
        return None

    async def _guilty(
        self, topics: list[Topic], error: SessionError
    ) -> dict[Topic, SessionError]:
        """Those of refused topics that are to be left out."""
        if not error.is_refusal:
            return {}
        known = [topic for topic in topics if topic.is_proven]
        new = [topic for topic in topics if not topic.is_proven]
        if new and (not known or await self._refusal(known) is None):
            return await self._sift(known, new, error)
        guilty = await self._sift([], topics, error)
        return guilty if len(guilty) < len(topics) else {}

    async def _sift(
        self, known: list[Topic], new: list[Topic], error: SessionError
    ) -> dict[Topic, SessionError]:
        """Which of the new ones are refused; together they were, by `error`."""
        if len(new) == 1:
            return {new[0]: error}
        guilty: dict[Topic, SessionError] = {}
        middle = len(new) // 2
        for half in (new[:middle], new[middle:]):
            refusal = await self._refusal(known + half)
            if refusal is not None:
                guilty |= await self._sift(known, half, refusal)
        return guilty
