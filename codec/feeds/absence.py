"""Which subscribed assets have not been heard of for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["AbsenceWatch"]


class AbsenceWatch:
    """Watches assets by a clock that only goes while the stream does.

    It goes by the stream's receive times, but by half of the time allowed at most
    between two checks: neither a jump of the machine's clock nor a stream that is
    silent as a whole (the connection's business) makes an asset absent.
    """

    def __init__(self, after_ns: int) -> None:
        self._after_ns = after_ns
        self._watched = np.zeros(1 << 16, bool)
        self._absent = np.zeros(1 << 16, bool)
        self._seen_ns = np.zeros(1 << 16, np.uint64)  # receive times, as last checked
        self._heard_ns = np.zeros(1 << 16, np.int64)  # when they changed, by our clock
        self._clock_ns = 0
        self._now_ns: int | None = None

    def watch(self, assets: Iterable[int]) -> None:
        """Watches these from now on."""
        ids = np.fromiter(assets, np.int64)
        self._heard_ns[ids[~self._watched[ids]]] = self._clock_ns
        self._watched[ids] = True

    def forget(self, assets: Iterable[int]) -> None:
        """Watches these no more."""
        ids = np.fromiter(assets, np.int64)
        self._watched[ids] = self._absent[ids] = False

    def check(
        self, last_seen_ns: NDArray[np.uint64], now_ns: int
    ) -> tuple[list[int], list[int]]:
        """The assets that are newly absent, and those that are newly back.

        last_seen_ns: for each asset id, when it was last heard of. now_ns: the newest
        receive time.
        """
        if self._now_ns is not None:
            step_ns = min(max(now_ns - self._now_ns, 0), self._after_ns // 2)
            self._clock_ns += step_ns
        self._now_ns = now_ns
        heard = last_seen_ns != self._seen_ns
        self._seen_ns[heard] = last_seen_ns[heard]
        self._heard_ns[heard] = self._clock_ns
        absent = self._watched & (self._heard_ns < self._clock_ns - self._after_ns)
        gone = np.flatnonzero(absent & ~self._absent)
        back = np.flatnonzero(self._absent & ~absent)
        self._absent = absent
        return gone.tolist(), back.tolist()
