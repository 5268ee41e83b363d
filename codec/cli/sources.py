"""What the live commands read, whichever feed it comes by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from codec.cli.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from threading import Event

    from codec.cli.background import Background
    from codec.cli.board import Board
    from codec.cli.live import LiveOptions
    from codec.cli.screen import Screen
    from codec.feeds import AggregatorFeed, FastFeed
    from codec.feeds.shuriken import ShurikenFeed
    from codec.recording import Recorder

__all__ = ["LiveFeed", "PriceFeed", "PriceSource", "Source", "open_source"]

PriceFeed: TypeAlias = "FastFeed | AggregatorFeed"
LiveFeed: TypeAlias = "PriceFeed | ShurikenFeed"


class Source(ABC):
    """A place to connect to, and what to ask for there. place: for people."""

    place: str

    @property
    @abstractmethod
    def words(self) -> list[str]:
        """What is asked for, for people."""

    @abstractmethod
    def feed(self, *, on_overflow: str, recorder: Recorder | None = None) -> LiveFeed:
        """The feed, not yet open. Raises UsageError for options that make no sense."""

    @abstractmethod
    def screen(self, feed: LiveFeed, place: str) -> Screen:
        """What shows the feed. place: what is read, for people."""

    @abstractmethod
    def reading(
        self, feed: LiveFeed, take: Callable[[Any], object], end: Event
    ) -> AbstractContextManager[Background]:
        """Reads the feed as long as the `with` lasts, on a thread of its own; it calls
        `take` with what comes, and sets `end` when the feed has ended by itself."""


class PriceSource(Source):
    """A place of prices. has_ids: whether assets are known by numbers."""

    has_ids = True

    @property
    @abstractmethod
    def is_verified(self) -> bool:
        """Whether signatures are checked."""

    @property
    @abstractmethod
    def ids(self) -> Sequence[int]:
        """The rows of a board, in the order in which they are shown."""

    @property
    @abstractmethod
    def names(self) -> Mapping[int, str]:
        """Their symbols, as far as they are known."""

    @abstractmethod
    def board(self) -> Board:
        """What keeps the newest values of the feed's batches."""

    def screen(self, feed: Any, place: str) -> Screen:
        from codec.cli.watch_view import View
        from codec.cli.window import Window

        return View(
            feed,
            self.board(),
            Window(),
            self.ids,
            self.names,
            place,
            is_verified=self.is_verified,
            has_ids=self.has_ids,
        )

    def reading(
        self, feed: Any, take: Callable[[Any], object], end: Event
    ) -> AbstractContextManager[Background]:
        return Reading(feed, take, end)


@contextmanager
def open_source(options: LiveOptions) -> Iterator[Source]:
    """The place that the options name; where they name none, a simulator, that runs
    until the end of the `with`.

    Raises UsageError where something is missing or makes no sense.
    """
    opened: AbstractContextManager[Source]
    if options.aggregator:
        from codec.cli.aggregator_source import open_aggregator

        opened = open_aggregator(options)
    elif options.shuriken:
        from codec.cli.shuriken_source import open_shuriken

        opened = open_shuriken(options)
    else:
        from codec.cli.fast_source import open_fast

        opened = open_fast(options)
    with opened as source:
        yield source
