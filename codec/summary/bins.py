"""Values over time in a bounded number of bins, however long the time turns out to be.

A bin is a power of two of nanoseconds wide and begins at a multiple of that. When the
time outgrows the bins, they double: each pair becomes one. Times only decide how wide
the bins are, so that the result depends neither on chunks nor on the input's order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Bins", "Curve", "Curves", "Trace"]

_MAX_NS = 2**64 - 1

Planes: TypeAlias = "dict[str, NDArray[Any]]"


class Bins:
    """What the kinds of bins share: the axis of time, and planes of (place, bin).

    n_bins: at most so many; once there are more times than bins, more than half of
    them lie within the time that there was. EMPTY: each plane's dtype, and what stands
    in a bin without values.
    """

    EMPTY: ClassVar[dict[str, tuple[Any, Any]]]

    def __init__(self, n_bins: int) -> None:
        if n_bins < 2:
            raise ValueError(f"two bins at least are needed, not {n_bins}")
        self.n_bins = n_bins
        self.first_ns = self.last_ns = -1
        self._shift = 0
        self._base = 0  # the number of the first bin: its time >> shift
        self._planes = self._empty(0, n_bins)

    @property
    def width_ns(self) -> int:
        """How wide a bin is."""
        return 1 << self._shift

    def starts_ns(self) -> list[int]:
        """The time at which each bin begins, from the first that was needed to the
        last."""
        if self.first_ns < 0:
            return []
        last = (self.last_ns >> self._shift) - self._base
        return [self._base + i << self._shift for i in range(last + 1)]

    def fit(self, times_ns: NDArray[np.uint64], n_places: int) -> None:
        """Makes room for times, at least one, and for places."""
        low, high = int(times_ns.min()), int(times_ns.max())
        if self.first_ns < 0:
            self.first_ns, self.last_ns = low, high
        first, last = min(self.first_ns, low), max(self.last_ns, high)
        while (last >> self._shift) - (first >> self._shift) >= self.n_bins:
            self._double()
        self.first_ns, self.last_ns = first, last
        self._begin_at(first >> self._shift)
        self._make_room(n_places)

    def add(
        self,
        places: NDArray[np.intp],
        times_ns: NDArray[np.uint64],
        values: NDArray[np.float64],
    ) -> None:
        """Takes values in, ordered by place, then time; `fit` has made room."""
        raise NotImplementedError

    def _cells(
        self, places: NDArray[np.intp], times_ns: NDArray[np.uint64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Rows ordered by place and time, bin by bin: the first row and the last row of
        each bin, and its index in a flat plane."""
        bins = (times_ns >> np.uint64(self._shift)) - np.uint64(self._base)
        cells = places * self.n_bins + bins.astype(np.intp)
        is_start = np.ones(len(cells), bool)
        is_start[1:] = cells[1:] != cells[:-1]
        starts = np.flatnonzero(is_start)
        lasts = np.append(starts[1:], len(cells)) - 1
        return starts, lasts, cells[starts]

    def _flat(self, name: str) -> NDArray[Any]:
        return self._planes[name].reshape(-1)

    def _empty(self, n_places: int, n_bins: int) -> Planes:
        return {
            name: np.full((n_places, n_bins), value, dtype)
            for name, (dtype, value) in self.EMPTY.items()
        }

    def _make_room(self, n_places: int) -> None:
        n_old = len(next(iter(self._planes.values())))
        if n_places <= n_old:
            return
        more = self._empty(max(n_places, n_old * 3 // 2) - n_old, self.n_bins)
        self._planes = {
            name: np.concatenate((plane, more[name]))
            for name, plane in self._planes.items()
        }

    def _begin_at(self, base: int) -> None:
        """Makes an earlier bin the first one; without values, any."""
        by, self._base = self._base - base, base
        if by > 0:
            old = self._planes
            self._planes = self._empty(len(next(iter(old.values()))), self.n_bins)
            for name, plane in self._planes.items():
                plane[:, by:] = old[name][:, :-by]

    def _double(self) -> None:
        """Makes each two bins that share the next greater multiple one."""
        parity = self._base & 1
        odd_end = (parity + self.n_bins) & 1
        n_places = len(next(iter(self._planes.values())))
        front, back = self._empty(n_places, parity), self._empty(n_places, odd_end)
        wide = {
            name: np.concatenate((front[name], plane, back[name]), axis=1)
            for name, plane in self._planes.items()
        }
        left = {name: plane[:, 0::2] for name, plane in wide.items()}
        right = {name: plane[:, 1::2] for name, plane in wide.items()}
        self._planes = self._empty(n_places, self.n_bins)
        for name, plane in self._joined(left, right).items():
            self._planes[name][:, : plane.shape[1]] = plane
        self._shift += 1
        self._base >>= 1

    def _joined(self, left: Planes, right: Planes) -> Planes:
        """Neighbours as one; all times on the left are before those on the right."""
        raise NotImplementedError


class Trace(Bins):
    """The last value of each bin: 16 bytes a bin and place."""

    EMPTY: ClassVar = {"last": (np.float64, np.nan), "last_ns": (np.uint64, 0)}

    def add(
        self,
        places: NDArray[np.intp],
        times_ns: NDArray[np.uint64],
        values: NDArray[np.float64],
    ) -> None:
        _, lasts, cells = self._cells(places, times_ns)
        last, last_ns = self._flat("last"), self._flat("last_ns")
        is_newer = times_ns[lasts] >= last_ns[cells]
        last[cells[is_newer]] = values[lasts[is_newer]]
        last_ns[cells[is_newer]] = times_ns[lasts[is_newer]]

    def values(self, place: int) -> NDArray[np.float64]:
        """Bin by bin as `starts_ns` has them; NaN where there is no value."""
        found: NDArray[np.float64] = self._planes["last"][place]
        return found[: len(self.starts_ns())]

    def _joined(self, left: Planes, right: Planes) -> Planes:
        is_right = ~np.isnan(right["last"])
        return {name: np.where(is_right, right[name], left[name]) for name in left}


class Curve(NamedTuple):
    """One asset's bins that hold any value, in order; arrays of one length.

    start_ns: where the bin begins. first, last: of the bin by time, with their times.
    """

    start_ns: NDArray[np.uint64]
    n: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    first: NDArray[np.float64]
    first_ns: NDArray[np.uint64]
    last: NDArray[np.float64]
    last_ns: NDArray[np.uint64]


class Curves(Bins):
    """Count, least, greatest, first and last of each bin: 56 bytes a bin and place.

    A line through these four values of each column of pixels covers the same pixels as
    one through all values.
    """

    EMPTY: ClassVar = {
        "n": (np.int64, 0),
        "low": (np.float64, np.inf),
        "high": (np.float64, -np.inf),
        "first": (np.float64, np.nan),
        "first_ns": (np.uint64, _MAX_NS),
        "last": (np.float64, np.nan),
        "last_ns": (np.uint64, 0),
    }

    def add(
        self,
        places: NDArray[np.intp],
        times_ns: NDArray[np.uint64],
        values: NDArray[np.float64],
    ) -> None:
        starts, lasts, cells = self._cells(places, times_ns)
        flat = {name: self._flat(name) for name in self._planes}
        is_newer = times_ns[lasts] >= flat["last_ns"][cells]
        is_older = (times_ns[starts] < flat["first_ns"][cells]) | (
            flat["n"][cells] == 0
        )
        for name, rows, which in (
            ("first", starts, is_older),
            ("last", lasts, is_newer),
        ):
            flat[name][cells[which]] = values[rows[which]]
            flat[f"{name}_ns"][cells[which]] = times_ns[rows[which]]
        flat["n"][cells] += lasts - starts + 1
        low = np.minimum.reduceat(values, starts)
        high = np.maximum.reduceat(values, starts)
        flat["low"][cells] = np.minimum(flat["low"][cells], low)
        flat["high"][cells] = np.maximum(flat["high"][cells], high)

    def curve(self, place: int) -> Curve:
        """The bins of one place that hold any value."""
        planes = {name: plane[place] for name, plane in self._planes.items()}
        full = np.flatnonzero(planes["n"])
        starts = (full.astype(np.uint64) + np.uint64(self._base)) << np.uint64(
            self._shift
        )
        return Curve(starts, **{name: plane[full] for name, plane in planes.items()})

    def _joined(self, left: Planes, right: Planes) -> Planes:
        has_left, has_right = left["n"] > 0, right["n"] > 0
        joined = {
            "n": left["n"] + right["n"],
            "low": np.minimum(left["low"], right["low"]),
            "high": np.maximum(left["high"], right["high"]),
        }
        for name, is_kept in (("first", has_left), ("last", ~has_right)):
            for plane in (name, f"{name}_ns"):
                joined[plane] = np.where(is_kept, left[plane], right[plane])
        return joined
