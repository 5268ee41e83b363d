"""A market of seeded random walks: exact int128 values, for any number of assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from codec import Taxonomy
from codec.dtypes import VALUE_DTYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = ["Market", "named_assets"]

# Price and market status of what symbols say; WTI has been negative before.
_NO_SCHEDULE, _REGULAR = 255, 1
_KNOWN = {
    "BTCUSD": (97_345.21, _NO_SCHEDULE),
    "ETHUSD": (3_412.77, _NO_SCHEDULE),
    "SOLUSD": (187.43, _NO_SCHEDULE),
    "XRPUSD": (2.1873, _NO_SCHEDULE),
    "BNBUSD": (655.9, _NO_SCHEDULE),
    "DOGEUSD": (0.17412, _NO_SCHEDULE),
    "WTIUSD": (-37.63, _REGULAR),
    "EURUSD": (1.08435, _REGULAR),
    "XAUUSD": (2_655.4, _REGULAR),
    "SHIBUSD": (0.000012345, _NO_SCHEDULE),
}
_ONE = 10**18
_N_IDS = 65_536
_VERSIONED = 0xFF00  # the first taxonomy id that layout 1 cannot carry
# A step is at most a ten-thousandth of the price, and always fits int64; the walk is
# drawn back to where it began, so that it stays plausible for months.
_STEP, _MAX_STEP = 1e-4, 4e18
_PULL = 1e-6
_GOLDEN = 0x9E3779B97F4A7C15


class Market:
    """The assets of a market, their statuses (which never change) and their walks.

    asset_ids: uint16, each once. seed: the same seed gives the same walks, each asset's
    independent of which others are asked for. symbols: of assets by their ids, in part
    or by default those of `Taxonomy.example()`; the others have names that are made up.
    Symbols that are known begin at a price of their kind.
    """

    def __init__(
        self,
        asset_ids: Iterable[int],
        *,
        seed: int = 0,
        symbols: Mapping[int, str] | None = None,
    ) -> None:
        ids = sorted(set(asset_ids))
        if not ids or ids[0] < 0 or ids[-1] >= _N_IDS:
            raise ValueError(f"a market needs asset ids in 0 .. {_N_IDS - 1}")
        if symbols is None:
            _, symbols = named_assets(Taxonomy.example(), None)
        self._symbols = symbols
        self.asset_ids = np.array(ids, np.uint16)
        self._rows = np.full(_N_IDS, -1, np.int32)
        self._rows[self.asset_ids] = np.arange(len(ids))
        start = (seed * _GOLDEN) & (2**64 - 1)
        self._states = _mixed(self.asset_ids.astype(np.uint64) + np.uint64(start))
        known = [_KNOWN.get(self.symbol(i)) for i in ids]
        self.statuses = np.array(
            [about[1] if about else i % 4 for i, about in zip(ids, known, strict=True)],
            np.uint8,
        )
        self._stamps = np.zeros(len(ids), np.uint64)
        prices = [
            about[0] if about else _invented(state)
            for about, state in zip(known, self._states.tolist(), strict=True)
        ]
        self._values = _scaled(prices, self._states)
        self._steps = np.minimum(np.abs(np.array(prices)) * _ONE * _STEP, _MAX_STEP)
        self._offsets = np.zeros(len(ids))

    def __contains__(self, asset_id: object) -> bool:
        return (
            type(asset_id) is int
            and 0 <= asset_id < _N_IDS
            and bool(self._rows[asset_id] >= 0)
        )

    def rows(self, asset_ids: NDArray[np.uint16]) -> NDArray[np.int32]:
        """Where the assets stand in `asset_ids`; -1 for what is not there."""
        return self._rows[asset_ids]

    def symbol(self, asset_id: int) -> str:
        """The asset's name."""
        return self._symbols.get(asset_id) or f"SIM{asset_id:05}USD"

    def values(self, rows: NDArray[np.int32], timestamp_ns: int) -> NDArray[Any]:
        """The assets' values (VALUE_DTYPE) at a time.

        Each has one step for every new timestamp that it is asked for, so at one
        timestamp all see the same values.
        """
        fresh = rows[self._stamps[rows] != np.uint64(timestamp_ns)]
        if len(fresh):
            self._stamps[fresh] = timestamp_ns
            self._step(fresh)
        return self._values[rows]

    def _step(self, rows: NDArray[np.int32]) -> None:
        self._states[rows] += np.uint64(_GOLDEN)
        noise = _mixed(self._states[rows])
        share = (noise >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1
        whole = share * self._steps[rows] - self._offsets[rows] * _PULL
        # A float has 53 bits: the last digits come from noise of their own.
        change = whole.astype(np.int64) + (noise & np.uint64(0x7FF)).astype(np.int64)
        self._offsets[rows] += change
        before = self._values["lo"][rows]
        after = before + change.view(np.uint64)
        self._values["lo"][rows] = after
        self._values["hi"][rows] += (change >> 63) + (after < before)


def named_assets(
    taxonomy: Taxonomy, taxonomy_id: int | None
) -> tuple[int, dict[int, str]]:
    """The taxonomy id of a market, by default the only one, and its assets' symbols.

    Raises ValueError where it is not clear which are meant.
    """
    known = taxonomy.taxonomy_ids
    which = known[0] if len(known) == 1 else taxonomy_id
    if which not in known:
        raise ValueError(f"a market has one taxonomy, and this is {taxonomy!r}")
    symbols = {i: symbol for (t, i), symbol in taxonomy.items() if t == which}
    if taxonomy_id is None:
        taxonomy_id = which
    if not 0 <= taxonomy_id < _VERSIONED:
        raise ValueError(f"taxonomy id {taxonomy_id}: one of 0 .. 0xFEFF is needed")
    return taxonomy_id, symbols


def _mixed(states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64's output for its state."""
    z = (states ^ (states >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _invented(state: int) -> float:
    """A price between a thousandth and ten thousand."""
    return float(10 ** ((state >> 11) * 2.0**-53 * 7 - 3))


def _scaled(prices: list[float], states: NDArray[np.uint64]) -> NDArray[Any]:
    """The prices as VALUE_DTYPE; what a float cannot say is filled with noise."""
    values = np.empty(len(prices), VALUE_DTYPE)
    for i, (price, state) in enumerate(zip(prices, states.tolist(), strict=True)):
        value = int(price * _ONE) + state % 1000
        values[i] = (value & (2**64 - 1), value >> 64)
    return values
