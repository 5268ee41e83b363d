"""What `watch` shows, whatever is read, and what is left to say at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codec.cli.lines import Line
    from codec.feeds.stats import FeedStats

__all__ = ["Outcome", "Screen"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What there was to see.

    words: how much of what came. n_verified, n_unverified: what has a signature, where
    signatures are checked.
    """

    stats: FeedStats
    words: str
    seconds: float
    n_verified: int = 0
    n_unverified: int = 0

    def __str__(self) -> str:
        text = f"{self.words} in {self.seconds:.1f} s"
        if self.n_verified or self.n_unverified:
            n_good = f"{self.n_verified:,}" if self.n_unverified else "all"
            text += f", {n_good} verified"
        return text


class Screen(ABC):
    """All that is shown of a feed. place: what is read, for people."""

    place: str

    @abstractmethod
    def take(self, item: Any) -> None:
        """Takes what the feed gives, on whatever thread."""

    @abstractmethod
    def sample(self) -> None:
        """Looks at the counts of this moment."""

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """How many rows the table has."""

    @abstractmethod
    def status(self) -> list[str]:
        """How it is now, as the words of a line."""

    @abstractmethod
    def lines(self, width: int, height: int, now_ns: int, *, hint: str) -> list[Line]:
        """As many lines as fit, none wider than `width`."""

    @abstractmethod
    def outcome(self, seconds: float) -> Outcome:
        """What there was to see."""
