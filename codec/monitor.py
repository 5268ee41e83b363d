"""`Monitor`: checks on a stream of batches, and percentiles of what it counts."""

from __future__ import annotations

from math import ceil
from operator import index
from typing import TYPE_CHECKING, Self

import numpy as np

from codec import _core
from codec.notices import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Monitor", "NoticeKind", "age_bounds", "percentiles"]

# Bits of an age behind its first one that choose the bucket.
_STEPS_LOG2 = 4


class Monitor(_core.MonitorBase):
    """Watches a stream: gaps, clocks, taxonomies, repeated assets (docs/feeds.md).

    period_ns: the time from one message to the next on a channel of a fixed rate; None:
    gaps are not looked for. ahead_ns: how far a timestamp may be ahead of the receive
    time. taxonomy_id: the one that is expected; None: that of the first message.

    `observe` takes batch after batch. `missing`, `counts`, `ages` and `last_seen_ns`
    sum up what it has seen. A Monitor takes a megabyte, and serves one stream, and one
    thread at a time; others may look at its numbers.

    Raises ValueError for an argument out of range, TypeError for what is no integer.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        period_ns: int | None = None,
        ahead_ns: int = 1_000_000_000,
        taxonomy_id: int | None = None,
    ) -> Self:
        period = 0
        if period_ns is not None:
            period = _check("period_ns", period_ns, 1, 2**64 - 1)
        taxonomy = -1
        if taxonomy_id is not None:
            taxonomy = _check("taxonomy_id", taxonomy_id, 0, 2**16 - 1)
        ahead = _check("ahead_ns", ahead_ns, 0, 2**64 - 1)
        return super().__new__(cls, period, ahead, taxonomy)


def age_bounds() -> NDArray[np.uint64]:
    """The greatest age in each bucket of `Monitor.ages`, in ns: shape (976,).

    Ages up to 31 ns have a bucket each. Above, a bucket is at most 1/16 as wide as the
    ages in it are great.
    """
    steps = 1 << _STEPS_LOG2
    bounds = list(range(steps))
    for shift in range(64 - _STEPS_LOG2):
        bounds += [(steps + step + 1 << shift) - 1 for step in range(steps)]
    return np.array(bounds, np.uint64)


def percentiles(histogram: ArrayLike, percents: Iterable[float]) -> list[int]:
    """Ages in ns that so many percent of the messages do not exceed.

    histogram: `Monitor.ages`, or the later of two copies of it less the earlier one.
    percents: numbers from 0 to 100. Each result is the greatest age of the first bucket
    up to which, with it, there are enough: too high by at most a sixteenth.

    Raises ValueError for another shape, for negative counts (the earlier copy less the
    later one), for a number outside of 0 .. 100, and for a histogram without counts.
    """
    counts = np.asarray(histogram)
    if counts.dtype.kind not in "iu":
        raise TypeError(f"a histogram is an array of integers, not {counts.dtype}")
    bounds = age_bounds()
    if counts.shape != bounds.shape:
        raise ValueError(f"an age histogram has {len(bounds)} buckets")
    sums = np.cumsum(counts.astype(np.int64))
    if (counts.astype(np.int64) < 0).any():
        raise ValueError("a count is negative: the later copy less the earlier one")
    total = int(sums[-1])
    if total == 0:
        raise ValueError("there are no percentiles of nothing")
    ranks = [_rank(total, percent) for percent in percents]
    return [int(bounds[np.searchsorted(sums, rank)]) for rank in ranks]


def _rank(total: int, percent: float) -> int:
    """Which of so many it is, from 1; exactly by the decimals that are written."""
    from fractions import Fraction  # loads for a millisecond

    if not 0 <= percent <= 100:
        raise ValueError(f"a percentage is in 0 .. 100, not {percent}")
    return max(1, ceil(total * Fraction(str(float(percent))) / 100))


def _check(name: str, value: int, least: int, most: int) -> int:
    number = index(value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be in {least} .. {most}, not {number}")
    return number
