"""What a sender may ask of a payload beyond what the contract asks."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from codec.aggregator.signing import encoded_asset_id
from codec.api import as_int
from codec.chain.findings import Finding, PreflightCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from codec.chain.aggregator import PriceUpdates
    from codec.chain.reading import Reading

__all__ = ["Asset", "Band", "Checks"]

Asset: TypeAlias = "int | tuple[int, int] | str"
"""Of payloads an asset id, in whatever taxonomy, or (taxonomy id, asset id); of price
updates an asset's name."""

Band: TypeAlias = "tuple[int | Decimal, int | Decimal]"
"""Lowest and highest value: ints scaled by 10^18, or Decimals that are not scaled."""

_EXACT = Context(prec=100)
_NS = 10**9
_MAX_LISTED = 10


@dataclass(frozen=True)
class Checks:
    """The sender's own conditions; the contract has none of them. None: not checked.

    max_age_s: how old a payload, or each of price updates, may be. max_ahead_s: how far
    its timestamp may be ahead of this machine's clock. assets: those that have to be in
    it. bands: assets with the lowest and the highest value that they may have, both
    included, where they are in it; of an asset that stands twice, each value counts.

    Raises ValueError for what cannot be a limit, TypeError for a float as a limit.
    """

    max_age_s: float | None = None
    max_ahead_s: float | None = 5.0
    assets: Collection[Asset] = ()
    bands: Mapping[Asset, Band] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name in ("max_age_s", "max_ahead_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds < math.inf:
                raise ValueError(f"{name} is a number of seconds, not {seconds!r}")
        for asset in (*self.assets, *self.bands):
            _check_asset(asset)
        for asset, band in self.bands.items():
            low, high = map(_scaled, band)
            if low > high:
                raise ValueError(
                    f"asset {_name(asset)}: no value is in {band[0]} .. {band[1]}"
                )

    def must_be_of_payloads(self) -> None:
        """Raises ValueError where a check is of an asset that a payload cannot name."""
        self._must_be(of_names=False)

    def must_be_of_updates(self) -> None:
        """Raises ValueError where a check is of an asset that no update can name."""
        self._must_be(of_names=True)

    def _must_be(self, *, of_names: bool) -> None:
        for asset in (*self.assets, *self.bands):
            if isinstance(asset, str) is not of_names:
                kinds = "ids in payloads, names in price updates"
                raise ValueError(f"assets are checked by {kinds}: {asset!r}")

    def update_findings(self, updates: PriceUpdates, now_ns: int) -> Iterator[Finding]:
        """What of price updates does not hold; each is fatal."""
        for row, timestamp_ns in enumerate(updates.timestamps_ns.tolist()):
            for found in self._of_age(timestamp_ns, now_ns):
                yield Finding(found.code, f"{updates.name(row)}: {found.text}")
        ids = updates.ids
        names = [str(asset) for asset in self.assets]
        missing = [name for name in names if encoded_asset_id(name) not in ids]
        if missing:
            yield Finding(PreflightCode.ASSET_MISSING, f"without {_listed(missing)}")
        bands = {encoded_asset_id(str(asset)): asset for asset in self.bands}
        for row, value in enumerate(updates.values):
            asset = bands.get(ids[row])
            if asset is not None:
                yield from _of_band(_name(asset), self.bands[asset], value)

    def findings(self, reading: Reading, now_ns: int) -> Iterator[Finding]:
        """What of a payload does not hold; each is fatal."""
        if reading.updates is None or reading.timestamp_ns is None:
            return
        yield from self._of_age(reading.timestamp_ns, now_ns)
        if self.assets or self.bands:
            yield from self._of_assets(reading.updates, reading.taxonomy_id or 0)

    def _of_age(self, timestamp_ns: int, now_ns: int) -> Iterator[Finding]:
        age_ns = now_ns - timestamp_ns
        if self.max_age_s is not None and age_ns > self.max_age_s * _NS:
            text = f"{age_ns / _NS:,.3f} s old, more than {self.max_age_s:g} s"
            yield Finding(PreflightCode.TOO_OLD, text)
        if self.max_ahead_s is not None and -age_ns > self.max_ahead_s * _NS:
            yield Finding(
                PreflightCode.AHEAD,
                f"{-age_ns / _NS:,.3f} s ahead of this machine's clock, more than"
                f" {self.max_ahead_s:g} s: one of the two clocks is wrong",
            )

    def _of_assets(
        self, updates: NDArray[np.void], taxonomy_id: int
    ) -> Iterator[Finding]:
        ids = updates["asset_id"]

        def rows(asset: Asset) -> NDArray[np.intp]:
            wanted, asset_id = (
                asset if isinstance(asset, tuple) else (taxonomy_id, asset)
            )
            if wanted != taxonomy_id:
                return np.empty(0, np.intp)
            return np.flatnonzero(ids == asset_id)

        missing = [_name(asset) for asset in self.assets if not len(rows(asset))]
        if missing:
            text = f"without {_listed(missing)} (taxonomy {taxonomy_id})"
            yield Finding(PreflightCode.ASSET_MISSING, text)
        for asset, band in self.bands.items():
            for value in as_int(updates[rows(asset)]):
                yield from _of_band(_name(asset), band, value)


def _listed(names: list[str]) -> str:
    more = len(names) - _MAX_LISTED
    listed = ", ".join(names[:_MAX_LISTED])
    listed += f" and {more:,} more" if more > 0 else ""
    return f"asset{'' if len(names) == 1 else 's'} {listed}"


def _of_band(name: str, band: Band, value: int) -> Iterator[Finding]:
    low, high = map(_scaled, band)
    if not low <= value <= high:
        text = f"asset {name} is {_plain(value)}, outside of"
        text += f" {_plain(low)} .. {_plain(high)}"
        yield Finding(PreflightCode.OUTSIDE_BAND, text)


def _scaled(limit: int | Decimal) -> int | Decimal:
    """A limit that compares exactly with values scaled by 10^18."""
    if isinstance(limit, Decimal):
        if not limit.is_finite():
            raise ValueError(f"a limit is a number, not {limit}")
        return limit.scaleb(18, _EXACT)
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise TypeError(
            "a limit is an int scaled by 10^18 or a Decimal, not"
            f" {type(limit).__name__}"
        )
    return limit


def _check_asset(asset: Asset) -> None:
    if isinstance(asset, str) and asset and not asset.isdigit():
        return
    numbers = asset if isinstance(asset, tuple) else (0, asset)
    if len(numbers) != 2 or not all(
        isinstance(n, int) and 0 <= n <= 65535 for n in numbers
    ):
        raise ValueError(
            "an asset is an id in 0 .. 65535, (taxonomy id, asset id) or a name, not"
            f" {asset!r}"
        )


def _name(asset: Asset) -> str:
    return f"{asset[0]}/{asset[1]}" if isinstance(asset, tuple) else str(asset)


def _plain(value: int | Decimal) -> str:
    number = Decimal(value).scaleb(-18, _EXACT)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
