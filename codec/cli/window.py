"""Rates and latencies of the last seconds, from a feed's counts since its beginning."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from codec.monitor import percentiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Window"]

_SPAN_S = 5.0
_STEP_S = 0.45


class _Sample(NamedTuple):
    time_s: float
    n_messages: int
    n_updates: int
    ages: NDArray[np.uint64]
    counts: NDArray[np.uint64]


class Window:
    """Samples of a feed's counts, up to five seconds back.

    messages_per_s, updates_per_s: over that time. ages_s: the 50th, 99th and 99.9th
    percentile of the messages that came in it, None where there were none.
    """

    def __init__(self) -> None:
        self.messages_per_s = self.updates_per_s = 0.0
        self.ages_s: tuple[float, float, float] | None = None
        self._samples: deque[_Sample] = deque()
        self._rates: NDArray[np.float64] = np.zeros(1 << 16)

    def add(
        self,
        time_s: float,
        n_messages: int,
        n_updates: int,
        ages: NDArray[np.uint64],
        counts: NDArray[np.uint64],
    ) -> None:
        """Takes the counts of this moment; `counts` are updates by asset id."""
        new = _Sample(time_s, n_messages, n_updates, ages, counts)
        samples = self._samples
        while len(samples) > 1 and time_s - samples[1].time_s >= _SPAN_S:
            samples.popleft()
        if samples and time_s > samples[0].time_s:
            old = samples[0]
            span = time_s - old.time_s
            self.messages_per_s = (n_messages - old.n_messages) / span
            self.updates_per_s = (n_updates - old.n_updates) / span
            self._rates = (counts - old.counts) / span
            came = ages - old.ages
            self.ages_s = None
            if came.any():
                p50, p99, p999 = percentiles(came, (50, 99, 99.9))
                self.ages_s = (p50 / 1e9, p99 / 1e9, p999 / 1e9)
        if not samples or time_s - samples[-1].time_s >= _STEP_S:
            samples.append(new)

    def rates(self, ids: Sequence[int]) -> list[float]:
        """Updates a second of these assets."""
        rates: list[float] = self._rates[list(ids)].tolist()
        return rates
