"""`Taxonomy`: the symbols of assets, by taxonomy id and asset id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Taxonomy"]


class Taxonomy:
    """Symbols of assets; an asset is a pair of taxonomy id and asset id."""

    def __init__(self, symbols: Mapping[tuple[int, int], str]) -> None:
        self._symbols = dict(sorted(symbols.items()))

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, in the order of (taxonomy id, asset id)."""
        return tuple(self._symbols.values())

    def index(
        self, taxonomy_ids: NDArray[Any], asset_ids: NDArray[Any]
    ) -> NDArray[np.int32]:
        """Where in `symbols` each asset's stands, -1 for unknown ones."""
        result = np.full(len(asset_ids), -1, np.int32)
        for place, (taxonomy_id, asset_id) in enumerate(self._symbols):
            result[(taxonomy_ids == taxonomy_id) & (asset_ids == asset_id)] = place
        return result
