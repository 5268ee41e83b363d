"""Feeds of assets that can be subscribed to, and left, while they run."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from codec.feeds.feed import Feed, limit_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AssetFeed", "limits_ns"]

T = TypeVar("T")
A = TypeVar("A")


def limits_ns(
    silence: float, absent_after: float | None, max_age: float | None
) -> tuple[int, int | None]:
    """What `absent_after`, by default `silence`, and `max_age` are in nanoseconds.

    Raises ValueError for what are no positive seconds.
    """
    absent_after = silence if absent_after is None else absent_after
    limits = (silence, absent_after, 1 if max_age is None else max_age)
    if not all(seconds > 0 for seconds in limits):
        raise ValueError("silence, absent_after and max_age are positive seconds")
    return limit_ns(absent_after), None if max_age is None else limit_ns(max_age)


class _Intake(Protocol):
    """What reads the chunks of such a feed."""

    def open(self) -> None: ...
    def watch(self, assets: Any) -> None: ...
    def forget(self, assets: Any) -> None: ...


R = TypeVar("R", bound=_Intake)


class AssetFeed(Feed[T], Generic[T, A, R]):
    """A feed whose subscription is a set of assets, `_assets`.

    A subclass sets it, `_silence` and `_intake`, and says how its protocol asks.
    """

    _assets: set[A]
    _silence: float
    _intake: R

    @abstractmethod
    def _read_assets(self, assets: Iterable[A]) -> set[A]:
        """Raises TypeError or ValueError for what is none."""

    @abstractmethod
    def _subscribing(self, assets: set[A]) -> Iterable[bytes]:
        """The texts that subscribe to assets."""

    @abstractmethod
    def _unsubscribing(self, assets: set[A]) -> Iterable[bytes]:
        """The texts that end subscriptions."""

    @property
    def assets(self) -> frozenset[A]:
        """What is subscribed to, or will be once a connection is there."""
        return frozenset(self._assets)

    async def subscribe(self, assets: Iterable[A]) -> None:
        """Adds assets, on every connection of now and later.

        Raises TypeError or ValueError for what is no asset, and changes nothing.
        """
        new = self._read_assets(assets) - self._assets
        self._assets |= new
        self._intake.watch(new)
        self._send(self._subscribing(new))

    async def unsubscribe(self, assets: Iterable[A]) -> None:
        """Takes assets away; messages that are under way may still hold them."""
        old = self._read_assets(assets) & self._assets
        self._assets -= old
        self._intake.forget(old)
        self._send(self._unsubscribing(old))

    def __repr__(self) -> str:
        name = type(self).__name__
        if not hasattr(self, "_assets"):
            return f"<{name}>"  # one whose arguments were refused
        return f"<{name}: {len(self._assets)} assets, {', '.join(self.states)}>"

    async def __aenter__(self) -> Self:
        self._check_unopened()
        self._intake.open()
        return await super().__aenter__()

    def _opening(self) -> Iterable[bytes]:
        return self._subscribing(self._assets)

    def _silence_s(self) -> float | None:
        return self._silence if self._assets else None
