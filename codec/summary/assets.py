"""What each asset's values were: first, last, least and greatest, exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from codec.dtypes import VALUE_DTYPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.summary.groups import Groups
    from codec.summary.part import Part

__all__ = ["Assets", "Extent"]

_MAX = np.uint64(2**64 - 1)
_EXTENT_DTYPE = np.dtype(
    [
        ("first", VALUE_DTYPE),
        ("last", VALUE_DTYPE),
        ("low", VALUE_DTYPE),
        ("high", VALUE_DTYPE),
        ("first_ns", np.uint64),
        ("last_ns", np.uint64),
        ("n_updates", np.uint64),
    ]
)


class Extent(NamedTuple):
    """An asset's values, integers scaled by 10^18.

    first, last: by time; of several with the same time the first and the last that the
    input had. first_ns, last_ns: their times.
    """

    n_updates: int
    first: int
    last: int
    low: int
    high: int
    first_ns: int
    last_ns: int


class Assets:
    """Extents by the assets' places; 88 bytes each."""

    def __init__(self) -> None:
        self._rows: NDArray[Any] = np.zeros(0, _EXTENT_DTYPE)

    @property
    def n_updates(self) -> NDArray[np.uint64]:
        """Of each asset."""
        counts: NDArray[np.uint64] = self._rows["n_updates"]
        return counts

    def add(
        self, part: Part, groups: Groups, places: NDArray[np.intp], n_places: int
    ) -> None:
        """Takes a chunk in; assets with the place -1 are left out."""
        new = _extents(part, groups)[places >= 0]
        where = places[places >= 0]
        if n_places > len(self._rows):
            # No room to spare: there are new assets in few chunks only.
            grown = np.zeros(n_places, _EXTENT_DTYPE)
            grown[: len(self._rows)] = self._rows
            self._rows = grown
        old = self._rows[where]
        is_new = old["n_updates"] == 0
        self._rows[where] = _merged(old, new)
        self._rows[where[is_new]] = new[is_new]

    def __getitem__(self, place: int) -> Extent:
        row = self._rows[place]
        return Extent(
            int(row["n_updates"]),
            _integer(row["first"]),
            _integer(row["last"]),
            _integer(row["low"]),
            _integer(row["high"]),
            int(row["first_ns"]),
            int(row["last_ns"]),
        )


def _integer(value: Any) -> int:
    return (int(value["hi"]) << 64) + int(value["lo"])


def _extents(part: Part, groups: Groups) -> NDArray[Any]:
    """Those of one chunk, a row for each asset."""
    order, starts, counts, keys = groups
    result = np.zeros(len(keys), _EXTENT_DTYPE)
    if not len(keys):
        return result
    values = part.value[order]
    times = part.timestamp_ns[order]
    ends = starts + counts - 1
    result["first"], result["last"] = values[starts], values[ends]
    result["first_ns"], result["last_ns"] = times[starts], times[ends]
    result["n_updates"] = counts
    # As int128: first by the upper half, then by the lower among those alike in it.
    hi, lo = np.ascontiguousarray(values["hi"]), np.ascontiguousarray(values["lo"])
    for name, reduce, rest in (
        ("low", np.minimum.reduceat, _MAX),
        ("high", np.maximum.reduceat, np.uint64(0)),
    ):
        top = reduce(hi, starts)
        is_top = hi == np.repeat(top, counts)
        result[name]["hi"] = top
        result[name]["lo"] = reduce(np.where(is_top, lo, rest), starts)
    return result


def _merged(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Two extents of the same assets as one; `old` came first."""
    result = old.copy()
    result["n_updates"] += new["n_updates"]
    for name, is_better in (
        ("first", new["first_ns"] < old["first_ns"]),
        ("last", new["last_ns"] >= old["last_ns"]),
    ):
        result[name][is_better] = new[name][is_better]
        result[f"{name}_ns"][is_better] = new[f"{name}_ns"][is_better]
    for name, is_better in (
        ("low", _is_less(new["low"], old["low"])),
        ("high", _is_less(old["high"], new["high"])),
    ):
        result[name][is_better] = new[name][is_better]
    return result


def _is_less(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    less: NDArray[np.bool_] = a["hi"] == b["hi"]
    less &= a["lo"] < b["lo"]
    less |= a["hi"] < b["hi"]
    return less
