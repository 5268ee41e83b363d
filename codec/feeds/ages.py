"""How old data was on arrival, as a histogram that grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.monitor import age_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ages"]


class Ages:
    """Receive times less timestamps, in the buckets of `codec.monitor.age_bounds`.

    histogram: uint64, a count for each bucket. Negative ages are in bucket 0.
    """

    def __init__(self) -> None:
        self._bounds = age_bounds()
        self.histogram = np.zeros(len(self._bounds), np.uint64)

    def add(
        self, received_ns: NDArray[np.uint64], timestamps_ns: NDArray[np.uint64]
    ) -> None:
        """Counts some that arrived."""
        late = received_ns > timestamps_ns
        ages = np.where(late, received_ns - timestamps_ns, np.uint64(0))
        buckets = np.searchsorted(self._bounds, ages)
        counts = np.bincount(buckets, minlength=len(self.histogram))
        self.histogram += counts.astype(np.uint64)
