"""Curves as lines, rates as steps, and the pauses that interrupt both; no drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec.summary import Curve, Silence

__all__ = ["RateSteps", "price_line", "rate_steps"]

_MAX_NS = 2**64 - 1
_MAX_STEPS = 160
_N_IN_STEP = 10  # messages, so that one more or less makes no tooth


def price_line(
    curve: Curve, holes: Sequence[Silence], end_ns: int
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Times, ascending, and prices, each of which holds until the next time.

    Four points a bin: its first, least, greatest and last value, so that no spike is
    lost. NaN where a hole begins; the last price holds until `end_ns`.
    """
    middle = curve.first_ns + (curve.last_ns - curve.first_ns) // np.uint64(2)
    times = np.stack((curve.first_ns, middle, middle, curve.last_ns), axis=1)
    prices = np.stack((curve.first, curve.low, curve.high, curve.last), axis=1)
    is_needed = np.ones(times.shape, bool)
    is_needed[:, 1:3] = (curve.n > 2)[:, None]
    is_needed[:, 3] = curve.n > 1
    times = np.append(times[is_needed], np.uint64(end_ns))
    prices = np.append(prices[is_needed], prices[-1, 3])
    ends = np.array([hole.end_ns for hole in holes], np.uint64)
    at = np.searchsorted(times, ends)
    for hole, place in zip(reversed(holes), reversed(at.tolist()), strict=True):
        if place:
            times = np.insert(times, place, [hole.start_ns, hole.start_ns])
            prices = np.insert(prices, place, [prices[place - 1], np.nan])
    return times, prices


class RateSteps(NamedTuple):
    """Updates a second of several assets: shape (assets, steps), between the edges.

    width_ns: about how long a step is.
    """

    edges_ns: NDArray[np.uint64]
    rates: NDArray[np.float64]
    width_ns: int


def rate_steps(
    curves: Sequence[Curve], width_ns: int, holes: Sequence[Silence]
) -> RateSteps | None:
    """The rates of assets over their time; None where that is a single moment.

    width_ns: of the curves' bins. Steps begin with an update where they have any, so
    that regular updates have one rate and no teeth, and end where a hole begins.
    """
    first_ns = min(int(curve.first_ns[0]) for curve in curves)
    last_ns = max(int(curve.last_ns[-1]) for curve in curves)
    if first_ns == last_ns:
        return None
    starts, begins, counts = _joined(curves)
    n = max(int(row.sum()) for row in counts)
    paused_ns = sum(hole.length_ns for hole in holes)
    usual_ns = (last_ns - first_ns - paused_ns) // max(n - 1 - len(holes), 1)
    n_bins = (last_ns - first_ns) // width_ns + 1
    size = -(-n_bins // min(max(n // _N_IN_STEP, 1), _MAX_STEPS, n_bins))
    step_ns = min(size * width_ns, _MAX_NS)
    # The last update counts for the time until the next one would have come.
    edges = _edges(begins, starts // np.uint64(step_ns), step_ns)
    edges = _around(edges, holes, step_ns // 2, usual_ns)
    end_ns = min(max(last_ns + usual_ns, last_ns + 1), _MAX_NS)
    while len(edges) > 1 and end_ns - edges[-1] < step_ns // 2:
        edges.pop()  # a short last step would be all noise
    edges_ns = np.array([*edges, end_ns], np.uint64)
    rows = np.searchsorted(edges_ns[1:-1], begins, side="right")
    sums = np.zeros((len(curves), len(edges)))
    for total, row in zip(sums, counts, strict=True):
        np.add.at(total, rows, row)
    return RateSteps(edges_ns, sums / (np.diff(edges_ns) / 1e9), step_ns)


def _joined(
    curves: Sequence[Curve],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], list[NDArray[np.int64]]]:
    """The bins that any curve has: where they and their first updates begin, and how
    many updates each curve has there."""
    starts = np.unique(np.concatenate([curve.start_ns for curve in curves]))
    begins = np.full(len(starts), 2**64 - 1, np.uint64)
    counts = []
    for curve in curves:
        at = np.searchsorted(starts, curve.start_ns)
        begins[at] = np.minimum(begins[at], curve.first_ns)
        row = np.zeros(len(starts), np.int64)
        row[at] = curve.n
        counts.append(row)
    return starts, begins, counts


def _edges(
    begins: NDArray[np.uint64], steps: NDArray[np.uint64], step_ns: int
) -> list[int]:
    """Where each step begins: with its first update, or where it would have to."""
    which, firsts = np.unique(steps, return_index=True)
    found = dict(zip(which.tolist(), begins[firsts].tolist(), strict=True))
    first, last = int(which[0]), int(which[-1])
    return [found.get(step, step * step_ns) for step in range(first, last + 1)]


def _around(
    edges: list[int], holes: Sequence[Silence], near_ns: int, usual_ns: int
) -> list[int]:
    """Edges where holes begin and end, and no others in them or near by."""
    first = edges[0]
    for hole in holes:
        start, end = min(hole.start_ns + usual_ns, hole.end_ns), hole.end_ns
        far = [e for e in edges if not start - near_ns < e < end + near_ns]
        edges = [*far, *(edge for edge in (start, end) if edge > first)]
    return sorted({first, *edges})
