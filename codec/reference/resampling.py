"""`bars` and `gaps`: docs/resampling.md, rule by rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from codec.dtypes import BAR_DTYPE, GAP_DTYPE
from codec.periods import channel_ns, interval_ns
from codec.reference.batch import make_table
from codec.reference.model import LOW_64, UINT64
from codec.reference.tables import Update, Updates, read_messages, read_updates

_Place: TypeAlias = tuple[int, int, int]  # start_ns, taxonomy id, asset id


@dataclass(frozen=True, slots=True)
class _Bar:
    open: int
    high: int
    low: int
    close: int
    count: int
    first_ns: int
    last_ns: int

    def carried(self) -> _Bar:
        """That of an interval without updates, after this one."""
        last = self.close
        return _Bar(last, last, last, last, 0, self.last_ns, self.last_ns)


def _bar_of(updates: list[Update]) -> _Bar:
    """Of all updates of one asset and interval, in their order."""
    first = min(updates, key=lambda update: update.timestamp_ns)
    last = max(reversed(updates), key=lambda update: update.timestamp_ns)
    values = [update.value for update in updates]
    return _Bar(
        open=first.value,
        high=max(values),
        low=min(values),
        close=last.value,
        count=len(updates),
        first_ns=first.timestamp_ns,
        last_ns=last.timestamp_ns,
    )


class Bars:
    """Bars of batch after batch, as `codec.Bars`. Holds every update."""

    def __init__(self, interval: str | int) -> None:
        self.interval_ns = interval_ns(interval)
        self.n_late = 0
        self._begin()

    def _begin(self) -> None:
        self.newest_ns = 0
        self._floor_ns = 0
        self._updates: defaultdict[_Place, list[Update]] = defaultdict(list)

    def update(self, updates: Updates) -> None:
        """Takes updates in, in any order."""
        for update in read_updates(updates):
            self.newest_ns = max(self.newest_ns, update.timestamp_ns)
            if update.timestamp_ns < self._floor_ns:
                self.n_late += 1
                continue
            start_ns = update.timestamp_ns // self.interval_ns * self.interval_ns
            place = (start_ns, update.taxonomy_id, update.asset_id)
            self._updates[place].append(update)

    def closed(self, before_ns: int | None = None) -> npt.NDArray[np.void]:
        """Takes out the bars of the intervals that end at `before_ns` or earlier."""
        end_ns = self.newest_ns if before_ns is None else before_ns
        if not UINT64[0] <= end_ns <= UINT64[1]:
            raise ValueError(f"before_ns must be a uint64, not {end_ns}")
        whole_ns = end_ns // self.interval_ns * self.interval_ns
        self._floor_ns = max(self._floor_ns, whole_ns)
        places = [place for place in self._updates if place[0] < self._floor_ns]
        return _table({place: _bar_of(self._updates.pop(place)) for place in places})

    def finish(self) -> npt.NDArray[np.void]:
        """Takes out all the rest; the next update begins anew."""
        made = _table(self.made())
        self._begin()
        return made

    def made(self) -> dict[_Place, _Bar]:
        """All bars that are there."""
        return {place: _bar_of(updates) for place, updates in self._updates.items()}


def bars(
    updates: Updates,
    interval: str | int,
    *,
    fill: bool = False,
    max_rows: int = 50_000_000,
) -> npt.NDArray[np.void]:
    """Open, high, low, close, last and count of each asset in each interval."""
    making = Bars(interval)
    making.update(updates)
    made = making.made()
    if not fill:
        return _table(made)
    starts: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for start_ns, *asset in sorted(made):
        starts[asset[0], asset[1]].append(start_ns)
    n_rows = sum(
        (times[-1] - times[0]) // making.interval_ns + 1 for times in starts.values()
    )
    if n_rows > max_rows:
        raise ValueError(f"there would be {n_rows} bars, more than {max_rows}")
    for asset_key, times in starts.items():
        for before, after in pairwise(times):
            carried = made[before, *asset_key].carried()
            for start_ns in range(
                before + making.interval_ns, after, making.interval_ns
            ):
                made[start_ns, *asset_key] = carried
    return _table(made)


def gaps(
    messages: Updates, channel: str | int = "10ms", *, ahead_ns: int = 1_000_000_000
) -> npt.NDArray[np.void]:
    """The ticks that are missing between messages, as `Monitor` finds them."""
    period_ns = channel_ns(channel)
    if not UINT64[0] <= ahead_ns <= UINT64[1]:
        raise ValueError(f"ahead_ns must be a uint64, not {ahead_ns}")
    return make_table(
        list(_gaps(read_messages(messages), period_ns, ahead_ns)), GAP_DTYPE
    )


def _gaps(
    messages: Iterable[tuple[int, int, int]], period_ns: int, ahead_ns: int
) -> Iterator[tuple[int, int, int, int]]:
    newest_ns: int | None = None
    current: int | None = None
    for row, (sent_ns, receive_ns, taxonomy_id) in enumerate(messages):
        if taxonomy_id != current:
            newest_ns, current = None, taxonomy_id
        if receive_ns and sent_ns - receive_ns > ahead_ns:
            continue
        if newest_ns is not None:
            # floor(interval / period + 1 / 2) - 1
            interval = sent_ns - newest_ns
            missing = (2 * interval + period_ns) // (2 * period_ns) - 1
            if missing > 0:
                yield row, newest_ns, sent_ns, missing
        newest_ns = sent_ns if newest_ns is None else max(newest_ns, sent_ns)


def _halves(value: int) -> tuple[int, int]:
    return value & LOW_64, value >> 64


def _table(made: dict[_Place, _Bar]) -> npt.NDArray[np.void]:
    rows = [
        (
            *place,
            _halves(bar.open),
            _halves(bar.high),
            _halves(bar.low),
            _halves(bar.close),
            _halves(bar.close),
            bar.count,
            bar.first_ns,
            bar.last_ns,
        )
        for place, bar in sorted(made.items())
    ]
    table = np.zeros(len(rows), BAR_DTYPE)  # the padding is zero
    for i, row in enumerate(rows):
        table[i] = row
    return table
