"""`Choice`: which updates are those of chosen assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from codec.summary.part import Part

__all__ = ["Choice"]

_N_IDS = 1 << 16


class Choice:
    """Assets as (taxonomy id, asset id); None for the former: in every taxonomy."""

    def __init__(self, assets: Iterable[tuple[int | None, int]]) -> None:
        self._tables: dict[int | None, NDArray[np.bool_]] = {}
        for taxonomy_id, asset_id in assets:
            if taxonomy_id not in self._tables:
                self._tables[taxonomy_id] = np.zeros(_N_IDS, bool)
            self._tables[taxonomy_id][asset_id] = True

    def __contains__(self, asset: tuple[int, int]) -> bool:
        tables = (self._tables.get(name) for name in (asset[0], None))
        return any(table is not None and table[asset[1]] for table in tables)

    def rows(self, part: Part) -> NDArray[np.bool_]:
        """Which updates are chosen."""
        keep = np.zeros(len(part.asset_id), bool)
        for taxonomy_id, table in self._tables.items():
            found = table[part.asset_id]
            if taxonomy_id is not None:
                found &= part.taxonomy_id == taxonomy_id
            keep |= found
        return keep
