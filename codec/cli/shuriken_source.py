"""Shuriken's streams, or simulated ones, as what the live commands read."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codec.cli.extras import require
from codec.cli.live import connection_of, place_text, token_of
from codec.cli.options import UsageError
from codec.cli.reading import Reading
from codec.cli.sources import Source
from codec.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event

    from codec.cli.background import Background
    from codec.cli.live import LiveOptions
    from codec.cli.screen import Screen
    from codec.cli.sources import LiveFeed
    from codec.feeds.shuriken import ShurikenFeed, Subscription
    from codec.recording import Recorder

__all__ = ["ShurikenSource", "open_shuriken"]

_NO_STREAMS = """\
which streams? --stream svm.token.swaps --filter tokenAddress=... (`stork-codec
streams` lists them)"""
_SIMULATED = "So11111111111111111111111111111111111111112"  # wrapped SOL
Asked = tuple[str, dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class ShurikenSource(Source):
    """Streams of Shuriken."""

    options: LiveOptions
    base_url: str
    token: str | Callable[[], str] = field(repr=False)
    streams: list[Asked]
    place: str

    @property
    def words(self) -> list[str]:
        n = len(self.streams)
        return [f"{n:,} stream{'' if n == 1 else 's'}"]

    def feed(
        self, *, on_overflow: str, recorder: Recorder | None = None
    ) -> ShurikenFeed:
        from codec.feeds.shuriken import ShurikenFeed

        try:
            return ShurikenFeed(
                self.token,
                self.base_url,
                # There is no newest value of a swap: all are of use.
                on_overflow="wait" if on_overflow == "wait" else "drop_oldest",
                recorder=recorder,
                connection=connection_of(self.options),
            )
        except (ValueError, TypeError) as error:
            raise UsageError(str(error)) from None

    def screen(self, feed: LiveFeed, place: str) -> Screen:
        from codec.cli.stream_view import StreamView

        return StreamView(feed, self.streams, place)  # type: ignore[arg-type]

    def reading(
        self, feed: Any, take: Callable[[Any], object], end: Event
    ) -> AbstractContextManager[Background]:
        return Listening(feed, self.streams, take, end)


class Listening(Reading):
    """Reads subscriptions as long as the `with` lasts; `take` gets each event."""

    def __init__(
        self,
        feed: ShurikenFeed,
        streams: list[Asked],
        take: Callable[[Any], object],
        end: Event,
    ) -> None:
        super().__init__(feed, take, end)
        self._shuriken = feed
        self._streams = streams

    async def _read(self) -> None:
        try:
            async with self._shuriken as feed, asyncio.TaskGroup() as tasks:
                for stream, given in self._streams:
                    subscription = feed.subscribe_with(stream, given)
                    tasks.create_task(self._follow(subscription))
        except* FeedError as failed:  # of each stream the same
            failure: BaseException = failed
            while isinstance(failure, BaseExceptionGroup):
                failure = failure.exceptions[0]
            raise failure from None

    async def _follow(self, subscription: Subscription) -> None:
        while True:
            try:
                async for event in subscription:
                    self._take(event)
                return
            except FeedError:
                if self._shuriken.failure is not None:
                    raise  # else one stream is refused, which is an event of the feed


@contextmanager
def open_shuriken(options: LiveOptions) -> Iterator[ShurikenSource]:
    """The streams that the options name, or simulated ones. Raises UsageError."""
    require("httpx", "shuriken")
    require("msgspec", "shuriken")
    if options.url is None:
        with _simulated(options) as source:
            yield source
        return
    token = token_of(options)
    if not options.stream:
        raise UsageError(_NO_STREAMS)
    yield ShurikenSource(
        options=options,
        base_url=options.url,
        token=token,
        streams=_checked(options.stream),
        place=place_text(options.url),
    )


@contextmanager
def _simulated(options: LiveOptions) -> Iterator[ShurikenSource]:
    from codec.cli.embedded import embedded
    from codec.simulator import ShurikenSimulator

    token = secrets.token_hex(16)
    simulator = ShurikenSimulator(token=token, seed=secrets.randbits(62))
    with embedded(simulator):
        yield ShurikenSource(
            options=options,
            base_url=simulator.base_url,
            token=token,
            streams=_checked(options.stream) or _some_streams(),
            place=f"{place_text(simulator.base_url)}, simulated",
        )


def _checked(streams: Iterable[Asked]) -> list[Asked]:
    """Each stream and filter once. Raises UsageError for what cannot be one."""
    from codec.feeds.shuriken.subscriptions import Topics

    topics = Topics()
    try:
        for stream, given in streams:
            topics.get(stream, given)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return [(topic.stream, topic.filter) for topic in topics]


def _some_streams() -> list[Asked]:
    given = {"tokenAddress": _SIMULATED}
    return [
        ("svm.token.swaps", given),
        ("svm.token.poolInfo", given),
        ("alpha.signalFeedGlobal", {}),
    ]
