"""`bars` of updates, in intervals of time, and `gaps` between messages."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Self

from codec import _core
from codec.periods import channel_ns, interval_ns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.batch import Batch

__all__ = ["Bars", "bars", "gaps"]


def bars(
    updates: Batch | NDArray[Any],
    interval: str | int,
    *,
    fill: bool = False,
    max_rows: int = 50_000_000,
) -> NDArray[Any]:
    """Open, high, low, close, last and count of each asset in each interval, exact.

    updates: a Batch, or a 1-D array of UPDATE_DTYPE, in any order. interval: text such
    as `100ms`, `1s`, `5m`, `1h`, `1d`, or ns. Intervals start at multiples of it since
    1970 (UTC), and hold what is at their start or after, and before their end.

    Returns ndarray[BAR_DTYPE], sorted by start_ns, taxonomy_id, asset_id. open is the
    value with the earliest timestamp (the first of equal ones), close that with the
    latest (the last of equal ones), last the newest value at the interval's end, which
    is the close. Intervals without an update have no row; with `fill` those between an
    asset's first bar and its last have one, of count 0, whose values are all the last
    one before it. docs/resampling.md has more.

    Raises ValueError for a bad interval, and where `fill` would give more than
    `max_rows` rows (of 120 bytes), before they are made; TypeError, MemoryError.
    """
    length_ns = interval_ns(interval)
    limit = index(max_rows)
    making = _core.BarsBase(length_ns)
    making.update(updates)
    made = making.take(None)
    return _core.fill_bars(made, length_ns, limit) if fill else made


class Bars(_core.BarsBase):
    """Bars of more updates than fit memory: `update` with each batch, `closed` between.

    interval: as in `bars`. What is held are the bars that have not been taken yet, not
    the updates. One thread at a time.
    """

    __slots__ = ()

    def __new__(cls, interval: str | int) -> Self:
        return super().__new__(cls, interval_ns(interval))

    def closed(self, before_ns: int | None = None) -> NDArray[Any]:
        """Takes out the bars of the intervals that end at `before_ns` or earlier.

        before_ns: unix ns; None: the newest timestamp so far. Updates that come later
        for those intervals are left out, and counted in `n_late`: where some may come
        late, or with a timestamp from the future, say until when they are waited for.

        Returns ndarray[BAR_DTYPE], sorted as those of `bars`.
        """
        end_ns = self.newest_ns if before_ns is None else index(before_ns)
        if not 0 <= end_ns <= 2**64 - 1:
            raise ValueError(f"before_ns must be in 0 .. 2^64 - 1, not {end_ns}")
        return self.take(end_ns)

    def finish(self) -> NDArray[Any]:
        """Takes out all the rest; the next update begins anew."""
        return self.take(None)


def gaps(
    messages: Batch | NDArray[Any],
    channel: str | int = "10ms",
    *,
    ahead_ns: int = 1_000_000_000,
) -> NDArray[Any]:
    """The ticks that are missing between the messages of one stream, in their order.

    messages: a Batch, or a 1-D array of MESSAGE_DTYPE. channel: 10ms, 20ms, 50ms,
    100ms, 500ms, 1s, or the time between two messages in ns. ahead_ns: how far a
    timestamp may be ahead of the receive time, if there is one, to be believed.

    Returns ndarray[GAP_DTYPE], a row for each gap: message (the row of the message
    after it), before_ns (the newest timestamp before it), after_ns, missing (how many
    ticks). The rules are those of Monitor (docs/feeds.md, "Checks"), and the sum of
    `missing` is what a Monitor counts.

    Raises ValueError for `real_time`, which has no grid, and for what is no channel or
    out of range; TypeError.
    """
    period_ns = channel_ns(channel)
    ahead = index(ahead_ns)
    if not 0 <= ahead <= 2**64 - 1:
        raise ValueError(f"ahead_ns must be in 0 .. 2^64 - 1, not {ahead}")
    return _core.find_gaps(messages, period_ns, ahead)
