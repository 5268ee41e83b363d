"""Filters by time and by asset, over whole arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.export.options import Assets, Options

__all__ = ["AssetFilter", "in_time"]

_N_IDS = 1 << 16


def in_time(messages: NDArray[Any], options: Options) -> NDArray[np.bool_] | None:
    """Which messages are of the time asked for; None for all of them."""
    start_ns, end_ns = options.start_ns, options.end_ns
    if start_ns is None and end_ns is None:
        return None
    is_received = options.clock == "receive"
    times = messages["receive_ns" if is_received else "timestamp_ns"]
    keep = times > 0 if is_received else np.ones(len(times), np.bool_)
    if start_ns is not None:
        keep &= times >= np.uint64(start_ns)
    if end_ns is not None:
        keep &= times < np.uint64(end_ns)
    return None if keep.all() else keep


class AssetFilter:
    """Keeps the rows of some assets: a table of 65,536 answers for each taxonomy."""

    def __init__(self, assets: Assets) -> None:
        self._anywhere = np.zeros(_N_IDS, np.bool_)
        self._within: dict[int, NDArray[np.bool_]] = {}
        for asset in assets:
            taxonomy_id, asset_id = asset if isinstance(asset, tuple) else (None, asset)
            if taxonomy_id is None:
                self._anywhere[asset_id] = True
                continue
            if taxonomy_id not in self._within:
                self._within[taxonomy_id] = np.zeros(_N_IDS, np.bool_)
            self._within[taxonomy_id][asset_id] = True

    def __call__(self, table: pa.Table) -> pa.Table:
        """The rows that are wanted, in their order."""
        if not table.num_rows:
            return table
        taxonomy_ids = table["taxonomy_id"].to_numpy()
        asset_ids = table["asset_id"].to_numpy()
        keep = self._anywhere[asset_ids]
        for taxonomy_id, answers in self._within.items():
            keep |= answers[asset_ids] & (taxonomy_ids == taxonomy_id)
        return table if keep.all() else table.filter(pa.array(keep))
