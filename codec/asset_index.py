"""Where assets stand in a list of them, for millions of rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    _Ids: TypeAlias = NDArray[np.uint16]
    _Places: TypeAlias = NDArray[np.int32]

__all__ = ["AssetIndex"]

_N_IDS = 1 << 16
# Rows that are looked up at once: what is read twice is still in the cache then.
_CHUNK_LEN = 1 << 15
# A table takes 256 KiB. With more taxonomies than these, rows are searched for.
_MAX_TABLES = 64


class AssetIndex:
    """Finds pairs of taxonomy id and asset id in a list of them.

    keys: ascending, each once. It is read only, by any number of threads.
    """

    __slots__ = ("_find",)

    def __init__(self, keys: Sequence[tuple[int, int]]) -> None:
        pairs = np.array(keys, np.uint16).reshape(-1, 2)
        known = np.unique(pairs[:, 0])
        self._find: Callable[[_Ids, _Ids, _Places], None]
        if len(known) <= _MAX_TABLES:
            self._find = _Tables(pairs, known).find
        else:
            self._find = _Sorted(pairs).find

    def find(self, taxonomy_ids: ArrayLike, asset_ids: ArrayLike) -> _Places:
        """Where each asset stands, -1 for unknown ones; see `Taxonomy.index`."""
        assets, taxonomies = _as_ids(asset_ids), _as_ids(taxonomy_ids)
        if taxonomies.ndim == 0:
            taxonomies = np.broadcast_to(taxonomies, assets.shape)
        if assets.ndim != 1 or taxonomies.shape != assets.shape:
            raise ValueError(
                "one-dimensional arrays of the same length are needed, not of the"
                f" shapes {taxonomies.shape} and {assets.shape}"
            )
        result = np.empty(len(assets), np.int32)
        for start in range(0, len(assets), _CHUNK_LEN):
            rows = slice(start, start + _CHUNK_LEN)
            self._find(taxonomies[rows], assets[rows], result[rows])
        return result


class _Tables:
    """A place for every asset id of each known taxonomy, and of an unknown one."""

    def __init__(self, pairs: _Ids, known: _Ids) -> None:
        self._starts = np.zeros(_N_IDS, np.int32)
        self._starts[known] = np.arange(1, len(known) + 1, dtype=np.int32) * _N_IDS
        self._places = np.full((len(known) + 1) * _N_IDS, -1, np.int32)
        at = self._starts[pairs[:, 0]] + pairs[:, 1]
        self._places[at] = np.arange(len(pairs), dtype=np.int32)

    def find(self, taxonomies: _Ids, assets: _Ids, result: _Places) -> None:
        # Every place is inside of the tables; "wrap" is the mode that does not check.
        first = taxonomies[0]
        if (taxonomies == first).all():
            start = int(self._starts[first])
            table = self._places[start : start + _N_IDS]
            table.take(assets, out=result, mode="wrap")
        else:
            at = self._starts.take(taxonomies, mode="wrap")
            at += assets
            self._places.take(at, out=result, mode="wrap")


class _Sorted:
    """A binary search, where tables would take too much memory."""

    def __init__(self, pairs: _Ids) -> None:
        self._keys = _joined(pairs[:, 0], pairs[:, 1])

    def find(self, taxonomies: _Ids, assets: _Ids, result: _Places) -> None:
        wanted = _joined(taxonomies, assets)
        at = np.searchsorted(self._keys, wanted)
        at[at == len(self._keys)] = 0
        result[:] = np.where(self._keys[at] == wanted, at, -1)


def _joined(taxonomies: _Ids, assets: _Ids) -> NDArray[np.uint32]:
    return taxonomies.astype(np.uint32) << np.uint32(16) | assets


def _as_ids(values: ArrayLike) -> _Ids:
    array = np.asarray(values)
    if array.dtype == np.uint16:
        return array
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"ids are integers, not {array.dtype}")
    if array.size and not 0 <= array.min() <= array.max() < _N_IDS:
        raise ValueError("ids are in 0 .. 65535")
    return array.astype(np.uint16)
