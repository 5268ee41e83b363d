"""Durations in buckets: how often each came, in the buckets of `Monitor.ages`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.monitor import age_bounds, percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["Durations"]

_STEPS = 16  # buckets for each power of two
_STEPS_LOG2 = 4


class Durations:
    """A histogram of durations in ns, at most a sixteenth off.

    counts: by bucket, int64; `codec.monitor.age_bounds` has the greatest duration of
    each. most_ns: the greatest of all, exactly.
    """

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(len(age_bounds()), np.int64)
        self.most_ns = 0

    def __len__(self) -> int:
        return int(self.counts.sum())

    def add(self, durations_ns: NDArray[np.uint64]) -> None:
        """Counts durations."""
        if not len(durations_ns):
            return
        self.most_ns = max(self.most_ns, int(durations_ns.max()))
        buckets = _buckets(durations_ns)
        self.counts += np.bincount(buckets, minlength=len(self.counts))

    def percentiles(self, percents: Iterable[float]) -> list[int]:
        """As `codec.monitor.percentiles`, and none above the greatest; empty where
        nothing was counted."""
        if not len(self):
            return []
        return [min(ns, self.most_ns) for ns in percentiles(self.counts, percents)]


def _buckets(durations_ns: NDArray[np.uint64]) -> NDArray[np.intp]:
    """The bucket of each: its power of two, then the four bits behind the first.

    A duration that as a float becomes the power of two above it (from 2^53 on) counts
    16 steps of the next power less one: the last bucket of its own.
    """
    exponents = np.frexp(durations_ns.astype(np.float64))[1].astype(np.int64)
    shifts = np.maximum(exponents - (_STEPS_LOG2 + 1), 0)
    steps = (durations_ns >> shifts.astype(np.uint64)).astype(np.int64)
    return (shifts * _STEPS + steps).astype(np.intp)
