"""Publishers' prices into aggregates: whose prices count, and when one has moved."""

from __future__ import annotations

import random
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING

from codec import Taxonomy
from codec.simulator.aggregates import Aggregate
from codec.simulator.book import Book, Publishers, median
from codec.simulator.market import Market

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codec.aggregator import SignedPrice

__all__ = ["PRESENT_NS", "Aggregation", "asset_names"]

_S = 10**9
PRESENT_NS = 60 * _S  # older prices do not count
_AHEAD_NS = 10 * _S
_EARLY_NS = 10**6  # aggregates are so much before their tick at most
_MAX_PUBLISHERS = 100  # of one asset
_MAX_ASSETS = 65_536


class Aggregation:
    """The aggregator without its connections.

    assets: the names that it knows. seed, n_publishers: of its own publishers, who
    publish what nobody else does. allowed: the addresses that may publish, None: all.
    delta_percent: how much a value has to change for `moved`; None: nothing ever has.
    """

    def __init__(
        self,
        assets: Sequence[str],
        *,
        seed: int,
        period_ns: int,
        n_publishers: int,
        allowed: frozenset[bytes] | None,
        delta_percent: float | None,
    ) -> None:
        if not 0 <= n_publishers <= _MAX_PUBLISHERS:
            raise ValueError(f"n_publishers must be in 0 .. {_MAX_PUBLISHERS}")
        if delta_percent is not None and not 0 < delta_percent < inf:
            raise ValueError(
                f"delta_percent must be a number above 0, not {delta_percent}"
            )
        self.assets = frozenset(assets)
        self.allowed = allowed
        market = Market(range(len(assets)), seed=seed, symbols=dict(enumerate(assets)))
        chance = random.Random(f"publishers {seed}")
        self.own = Publishers.seeded(market, n_publishers, chance)
        self._book = Book()
        self._period_ns = period_ns
        # As it is written: floats would be wrong where it is met exactly.
        self._share = None if delta_percent is None else _share(delta_percent)
        self._chance = random.Random(f"times {seed}")
        self._sent: dict[str, tuple[int, int]] = {}  # newest aggregates: value, time

    def take(
        self, price: SignedPrice, publisher: bytes | None, now_ns: int
    ) -> str | None:
        """Takes a price whose signature is good, or says why not.

        publisher: who the connection that it came on belongs to, where that is known.
        """
        last_ns = self._book.last_ns(price.asset, price.publisher)
        if price.asset not in self.assets:
            return "the asset is unknown"
        if self.allowed is not None and price.publisher not in self.allowed:
            return "publisher_key may not publish"
        if publisher not in (None, price.publisher):
            return "publisher_key is not that of the handshake"
        if price.timestamp_ns < now_ns - PRESENT_NS:
            return "timestamp is too old"
        if price.timestamp_ns > now_ns + _AHEAD_NS:
            return "timestamp is in the future"
        if price.timestamp_ns <= last_ns:
            return "timestamp is not after the last"
        if last_ns < 0 and self._book.count(price.asset) >= _MAX_PUBLISHERS:
            return "the asset has too many publishers"
        self._book.put(price)
        return None

    def turn(self, i: int, assets: Iterable[str], now_ns: int) -> list[str]:
        """Has one of the own publishers publish; which assets it has published."""
        due = self._unpublished(assets, now_ns)
        if due:
            self.own.publish(i, due, now_ns)
        return due

    def all(self, assets: Iterable[str], now_ns: int) -> dict[str, Aggregate]:
        """The aggregates of a clock update, after which own prices are of the last
        period."""
        self.own.catch_up(self._unpublished(assets, now_ns), now_ns, self._period_ns)
        found = {asset: self._prices(asset, now_ns) for asset in assets}
        return self._made(found, now_ns, "clock")

    def moved(self, assets: Iterable[str], now_ns: int) -> dict[str, Aggregate]:
        """The aggregates of a delta update: of those assets that have moved enough."""
        if self._share is None:
            return {}
        found = {}
        for asset in assets:
            prices = self._prices(asset, now_ns)
            if asset in self._sent and prices:
                before, _ = self._sent[asset]
                change = abs(median(price.value for price in prices) - before)
                if change and change >= abs(before) * self._share:
                    found[asset] = prices
        return self._made(found, now_ns, "delta")

    def series(
        self, assets: Sequence[str], n: int, begin_ns: int
    ) -> Iterable[dict[str, Aggregate]]:
        """n clock updates a millisecond apart, of the own publishers, who take turns;
        nobody else sees them."""
        own = self.own.again()
        own.catch_up(assets, begin_ns, 1)
        for i in range(n if own.keys else 0):
            now_ns = begin_ns + i * _EARLY_NS
            own.publish(i % len(own.keys), assets, now_ns)
            made_ns = now_ns - self._chance.randrange(_EARLY_NS)
            yield {
                asset: _aggregate(asset, own.book.prices(asset, 0), made_ns, "clock")
                for asset in assets
            }

    def _unpublished(self, assets: Iterable[str], now_ns: int) -> list[str]:
        """Those that only the own publishers have prices of."""
        since_ns = now_ns - PRESENT_NS
        return [asset for asset in assets if not self._book.prices(asset, since_ns)]

    def _prices(self, asset: str, now_ns: int) -> list[SignedPrice]:
        since_ns = now_ns - PRESENT_NS
        theirs = self._book.prices(asset, since_ns)
        return theirs or self.own.book.prices(asset, since_ns)

    def _made(
        self, prices: dict[str, list[SignedPrice]], now_ns: int, trigger: str
    ) -> dict[str, Aggregate]:
        made_ns = max(0, now_ns - self._chance.randrange(_EARLY_NS))
        made = {}
        for asset, some in prices.items():
            if not some:
                continue
            # After its prices, and after the last.
            newest_ns = max(price.timestamp_ns for price in some)
            _, last_ns = self._sent.get(asset, (0, -1))
            timestamp_ns = max(made_ns, newest_ns, last_ns + 1)
            made[asset] = _aggregate(asset, some, timestamp_ns, trigger)
            self._sent[asset] = made[asset].value, timestamp_ns
        return made


def _checked(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"an asset's name is a str, not {type(name).__name__}")
    name.encode()  # UnicodeEncodeError is a ValueError
    return name


def _share(percent: float) -> Fraction:
    return Fraction(str(percent)) / 100


def _aggregate(
    asset: str, prices: list[SignedPrice], timestamp_ns: int, trigger: str
) -> Aggregate:
    value = median(price.value for price in prices)
    return Aggregate(asset, value, timestamp_ns, trigger, prices)


def asset_names(assets: Iterable[str] | int | None) -> list[str]:
    """The names of a market's assets, by default those of `Taxonomy.example()`.

    assets: the names; or how many, of the example's first, then made up.
    """
    example = [symbol for _, symbol in sorted(Taxonomy.example().items())]
    if isinstance(assets, str):
        raise TypeError("assets are several names, not one text")
    if assets is None:
        names = example
    elif isinstance(assets, int):
        made_up = (f"SIM{i:05}USD" for i in range(1, assets + 1))
        names = [*example, *made_up][: max(0, assets)]
    else:
        names = sorted({_checked(name) for name in assets})
    if not 0 < len(names) <= _MAX_ASSETS or not all(names):
        raise ValueError(f"an aggregator needs 1 .. {_MAX_ASSETS} names of assets")
    return names
