"""Publishers' newest prices, those of the simulator's own publishers, and medians."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec import as_int
from codec.aggregator import key_address, sign_price
from codec.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from coincurve import PrivateKey

    from codec.aggregator import SignedPrice
    from codec.simulator.market import Market

__all__ = ["Book", "Publishers", "median"]

_SPREAD = 10**5  # own publishers differ by some of these parts of a price
_FEW = 11
_AGE_NS = (10**6, 10**7)


def median(values: Iterable[int]) -> int:
    """The middle value; of two, their mean, rounded down."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) // 2


class Book:
    """The newest price of each publisher for each asset."""

    def __init__(self) -> None:
        self._prices: dict[str, dict[bytes, SignedPrice]] = {}

    def put(self, price: SignedPrice) -> None:
        """Takes a price in place of its publisher's last."""
        self._prices.setdefault(price.asset, {})[price.publisher] = price

    def last_ns(self, asset: str, publisher: bytes) -> int:
        """When the publisher's newest price is of; -1 where there is none."""
        price = self._prices.get(asset, {}).get(publisher)
        return -1 if price is None else price.timestamp_ns

    def count(self, asset: str) -> int:
        """How many publishers have a price."""
        return len(self._prices.get(asset, ()))

    def prices(self, asset: str, since_ns: int) -> list[SignedPrice]:
        """The publishers' prices, in the order in which these came first.

        What is older than since_ns is forgotten.
        """
        prices = self._prices.get(asset)
        if prices is None:
            return []
        for publisher in [
            price.publisher
            for price in prices.values()
            if price.timestamp_ns < since_ns
        ]:
            del prices[publisher]
        return list(prices.values())


class Publishers:
    """Publishers over a market, each with a key and a view of prices of its own."""

    def __init__(
        self, market: Market, keys: Sequence[PrivateKey], chance: Random
    ) -> None:
        self.market = market
        self._chance = chance
        self.keys = keys
        self.addresses = [key_address(key) for key in keys]
        self.book = Book()
        ids = market.asset_ids.tolist()
        self._rows = {market.symbol(i): row for row, i in enumerate(ids)}

    @classmethod
    def seeded(cls, market: Market, n: int, random: Random) -> Publishers:
        """n publishers with keys that chance gives."""
        keys = [
            private_key((1 + random.getrandbits(255)).to_bytes(32)) for _ in range(n)
        ]
        return cls(market, keys, random)

    def again(self) -> Publishers:
        """The same publishers, who have not published yet."""
        return Publishers(self.market, self.keys, self._chance)

    def publish(self, i: int, assets: Sequence[str], now_ns: int) -> None:
        """Publisher i signs a new price of each asset, of some milliseconds ago."""
        rows = np.array([self._rows[asset] for asset in assets], np.int32)
        values = as_int(self.market.values(rows, now_ns)).tolist()
        seen_ns = max(0, now_ns - self._chance.randrange(*_AGE_NS))
        parts = i * 7 % _FEW - _FEW // 2
        for asset, value in zip(assets, values, strict=True):
            seen = value + value * parts // _SPREAD
            self.book.put(
                sign_price(asset, seen, timestamp_ns=seen_ns, key=self.keys[i])
            )

    def catch_up(self, assets: Sequence[str], now_ns: int, period_ns: int) -> None:
        """All whose prices are a period old, or who have none, publish."""
        for i, address in enumerate(self.addresses):
            due = [
                asset
                for asset in assets
                if self.book.last_ns(asset, address) <= now_ns - period_ns
            ]
            if due:
                self.publish(i, due, now_ns)
