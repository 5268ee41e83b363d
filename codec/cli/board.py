"""The newest value of every asset, in arrays: what a live table shows."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from codec.dtypes import VALUE_DTYPE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec import Batch

__all__ = ["UNKNOWN", "Board", "Row"]

_N_IDS = 1 << 16
UNKNOWN, _BAD, _GOOD = 0, 1, 2  # of a signature


class Row(NamedTuple):
    """An asset as it is now. value, previous: scaled integers, None before the first;
    verified: None where signatures are not checked."""

    asset_id: int
    value: int | None
    previous: int | None
    timestamp_ns: int
    n_updates: int
    verified: bool | None


class Board:
    """Takes batches on one thread, and gives rows to another.

    Costs the same for one asset and for all 65,536, and makes no object for an update.
    n_verified, n_unverified: what has a signature, where it is checked.
    """

    def __init__(self) -> None:
        self.n_verified = self.n_unverified = 0
        self._values = np.zeros(_N_IDS, VALUE_DTYPE)
        self._previous = np.zeros(_N_IDS, VALUE_DTYPE)
        self._timestamps_ns = np.zeros(_N_IDS, np.uint64)
        self._counts = np.zeros(_N_IDS, np.uint64)
        self._verdicts = np.zeros(_N_IDS, np.uint8)
        self._lock = Lock()

    def add(self, batch: Batch) -> None:
        """Notes all updates of a batch."""
        updates, verified = batch.updates, batch.verified
        by_update = None
        if verified is not None:
            self._count_verdicts(verified)
            by_update = verified[batch.message_index()]
        self._note(
            updates["asset_id"], updates["value"], updates["timestamp_ns"], by_update
        )

    def _count_verdicts(self, verified: NDArray[np.bool_]) -> None:
        n_good = int(np.count_nonzero(verified))
        self.n_verified += n_good
        self.n_unverified += len(verified) - n_good

    def _note(
        self,
        ids: NDArray[np.integer[Any]],
        values: NDArray[np.void],
        timestamps_ns: NDArray[np.uint64],
        verified: NDArray[np.bool_] | None,
    ) -> None:
        """Notes rows in the order in which they came."""
        # The last row of each asset, and the one before it in the batch, if there is.
        order = np.argsort(ids, kind="stable")
        in_order = ids[order]
        is_last = np.ones(len(ids), bool)
        is_last[:-1] = in_order[1:] != in_order[:-1]
        ends = np.flatnonzero(is_last)
        counts = np.diff(ends, prepend=-1)
        last, which = order[ends], in_order[ends]
        repeated = counts > 1
        before_last = order[ends[repeated] - 1]
        with self._lock:
            self._previous[which] = np.where(
                self._counts[which] > 0, self._values[which], values[last]
            )
            self._previous[which[repeated]] = values[before_last]
            self._values[which] = values[last]
            self._timestamps_ns[which] = timestamps_ns[last]
            self._counts[which] += counts.astype(np.uint64)
            if verified is not None:
                self._verdicts[which] = np.where(verified[last], _GOOD, _BAD)

    @property
    def counts(self) -> NDArray[np.uint64]:
        """Updates of each asset, by its id; a copy."""
        with self._lock:
            return self._counts.copy()

    def rows(self, ids: Sequence[int]) -> list[Row]:
        """These assets, as they are at one moment."""
        which = np.asarray(ids, np.int64)
        with self._lock:
            columns = [
                array[which].tolist()
                for array in (
                    self._values,
                    self._previous,
                    self._timestamps_ns,
                    self._counts,
                    self._verdicts,
                )
            ]
        return [
            Row(
                asset_id,
                _integer(*value) if n else None,
                _integer(*previous) if n > 1 else None,
                timestamp_ns,
                n,
                None if verdict == UNKNOWN else verdict == _GOOD,
            )
            for asset_id, value, previous, timestamp_ns, n, verdict in zip(
                ids, *columns, strict=True
            )
        ]


def _integer(lo: int, hi: int) -> int:
    return (hi << 64) + lo
