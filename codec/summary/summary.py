"""`Summary`: all that is said about an input, taken in chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from codec import _core
from codec.errors import ErrorCode
from codec.summary.assets import Assets
from codec.summary.bins import Bins
from codec.summary.flow import Flow
from codec.summary.groups import Places, asset_of, group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.summary.assets import Extent
    from codec.summary.part import Part

__all__ = ["MAX_ASSETS", "Summary"]

MAX_ASSETS = 1 << 16
"""So many assets have an extent each; the updates of further ones are counted only."""

_AnyBins = TypeVar("_AnyBins", bound=Bins)


class Summary(Generic[_AnyBins]):
    """One pass over an input, in memory that does not depend on its length.

    bins: the assets' values over time. n_binned: how many assets have them, those that
    come first. period_ns: as in Flow.

    flow: of all messages. chosen: of those with chosen assets; `flow` itself where
    there is no choice. n_errors: by ErrorCode. n_untold: updates of chosen assets that
    found no place.
    """

    def __init__(
        self,
        bins: _AnyBins,
        *,
        n_binned: int = MAX_ASSETS,
        period_ns: int | None = None,
        is_choosing: bool = False,
    ) -> None:
        self.bins = bins
        self.flow = Flow(period_ns)
        self.chosen = Flow() if is_choosing else self.flow
        self.n_errors: NDArray[np.int64] = np.zeros(max(ErrorCode) + 1, np.int64)
        self.n_untold = 0
        self._n_binned = n_binned
        self._places = Places(MAX_ASSETS)
        self._extents = Assets()

    def add(self, part: Part, keep: NDArray[np.bool_] | None = None) -> None:
        """Takes a chunk in. keep: the updates that are chosen, where there is a choice.

        Ctrl-C in the middle leaves a part of the chunk in.
        """
        self.flow.add(part.messages)
        codes = part.errors["code"]
        self.n_errors += np.bincount(codes, minlength=len(self.n_errors))
        if keep is not None:
            part = part.only(keep)
        if self.chosen is not self.flow:
            self.chosen.add(part.messages)
        if len(part.timestamp_ns):
            self._add_updates(part)

    def _add_updates(self, part: Part) -> None:
        groups = group(part)
        places = self._places.take(groups.keys)
        self.n_untold += int(groups.counts[places < 0].sum())
        self._extents.add(part, groups, places, len(self._places))
        by_row = np.repeat(places, groups.counts)
        order = groups.order
        is_binned = (by_row >= 0) & (by_row < self._n_binned)
        if not is_binned.all():
            by_row, order = by_row[is_binned], order[is_binned]
        if len(order):
            times = part.timestamp_ns[order]
            self.bins.fit(times, min(len(self._places), self._n_binned))
            values = _core.values_to_float(part.value[order])
            self.bins.add(by_row, times, values)

    @property
    def assets(self) -> list[tuple[int, int]]:
        """(taxonomy id, asset id) of those that have an extent, the most active first;
        of several as active as each other the lowest ids first."""
        keys = self._places.keys
        order = np.lexsort((keys, -self._extents.n_updates.astype(np.int64)))
        return [asset_of(key) for key in keys[order].tolist()]

    def extent(self, asset: tuple[int, int]) -> Extent:
        """What the asset's values were. Raises KeyError where there were none."""
        return self._extents[self._place(asset)]

    def place(self, asset: tuple[int, int]) -> int | None:
        """The asset's place in `bins`; None where it has none there.

        Raises KeyError where it had no updates.
        """
        place = self._place(asset)
        return place if place < self._n_binned else None

    def _place(self, asset: tuple[int, int]) -> int:
        place = self._places.find(asset)
        if place is None:
            raise KeyError(asset)
        return place
