"""When messages fall due: ticks of the fixed channels, changes in real time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


__all__ = ["PERIODS_NS", "REAL_TIME", "RealTime", "Ticker"]

_MS = 10**6
PERIODS_NS = {
    f"{n}{unit}": n * scale
    for n, unit, scale in (
        (10, "ms", _MS),
        (20, "ms", _MS),
        (50, "ms", _MS),
        (100, "ms", _MS),
        (500, "ms", _MS),
        (1, "s", 1000 * _MS),
    )
}
REAL_TIME = "real_time"
# A ticker that is later than this goes on from the present; below it makes up for every
# tick that is late.
_MAX_LATE_NS = 10**9
_MAX_CHANGED = 4


class Ticker:
    """The ticks of a fixed channel, at every multiple of its period on the clock.

    publish: called with each tick's time, never with one twice.
    """

    def __init__(
        self, period_ns: int, time_ns: Callable[[], int], publish: Callable[[int], None]
    ) -> None:
        self._period_ns = period_ns
        self._time_ns = time_ns
        self._publish = publish
        self._last_ns = 0
        self._seen_ns = 0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Ticks from the next multiple on."""
        if self._handle is None:
            self._schedule(self._grid_ns() + self._period_ns)

    def stop(self) -> None:
        """Ticks no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def tick_now(self) -> None:
        """One tick at once: of the present, or the one after the last."""
        self._tick(max(self._grid_ns(), self._last_ns + self._period_ns))

    def _grid_ns(self) -> int:
        return self._time_ns() // self._period_ns * self._period_ns

    def _schedule(self, due_ns: int) -> None:
        self._seen_ns = self._time_ns()
        delay = max(0, due_ns - self._seen_ns) / 10**9
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(delay, self._on_time, due_ns)

    def _on_time(self, due_ns: int) -> None:
        now_ns = self._time_ns()
        went_back = now_ns < self._seen_ns - self._period_ns
        if went_back or now_ns - due_ns > _MAX_LATE_NS:
            due_ns = self._grid_ns()
            self._tick(due_ns)
        elif now_ns < due_ns:  # the loop was early, or the clock stands still
            due_ns -= self._period_ns
        elif due_ns > self._last_ns:
            self._tick(due_ns)
        if self._handle is not None:  # it was not stopped meanwhile
            self._schedule(due_ns + self._period_ns)

    def _tick(self, tick_ns: int) -> None:
        self._last_ns = tick_ns
        self._publish(tick_ns)


class RealTime:
    """Changes of a group's assets at random instants, a millisecond apart at least.

    publish: called with the time and those of the assets that changed.
    """

    def __init__(
        self,
        asset_ids: tuple[int, ...],
        rate: float,
        random: Random,
        time_ns: Callable[[], int],
        publish: Callable[[int, tuple[int, ...]], None],
    ) -> None:
        self._asset_ids = asset_ids
        self._rest_s = max(0.0, 1 / rate - 0.001)
        self._random = random
        self._time_ns = time_ns
        self._publish = publish
        self._last_ns = 0
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Publishes from now on."""
        delay = 0.001
        if self._rest_s:
            delay += self._random.expovariate(1 / self._rest_s)
        loop = asyncio.get_running_loop()
        self._handle = loop.call_later(delay, self._on_time)

    def stop(self) -> None:
        """Publishes no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def tick_now(self) -> None:
        """One change at once."""
        n = min(len(self._asset_ids), self._random.randint(1, _MAX_CHANGED))
        changed = tuple(sorted(self._random.sample(self._asset_ids, n)))
        self._last_ns = max(self._time_ns(), self._last_ns + _MS)
        self._publish(self._last_ns, changed)

    def _on_time(self) -> None:
        self.tick_now()
        if self._handle is not None:
            self.start()
