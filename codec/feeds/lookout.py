"""What is looked at now and then: absent assets, and a clock that was set."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from codec.feeds.absence import AbsenceWatch
from codec.feeds.events import EventKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.feeds.events import Events

__all__ = ["Lookout"]

_NS = 1_000_000_000
_CLOCK_JUMP_NS = _NS // 2


class Lookout:
    """Says when it is time to look: every second, or four times in `absent_after_ns`.

    absence: which assets stay away. clock_ns: the machine's clock, unix ns.
    """

    def __init__(
        self, events: Events, *, absent_after_ns: int, clock_ns: Callable[[], int]
    ) -> None:
        self.absence = AbsenceWatch(absent_after_ns)
        self._events = events
        self._every_s = min(1.0, absent_after_ns / 4 / _NS)
        self._next_s = -inf
        self._clock_ns = clock_ns
        self._clock_offset_ns: int | None = None

    def open(self) -> None:
        """From now on time is that of the event loop that is running."""
        self._loop_time = asyncio.get_running_loop().time

    def is_due(self) -> bool:
        """Whether it is time to look; the clock has been looked at then."""
        now_s = self._loop_time()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._every_s
        self._check_clock(now_s)
        return True

    def _check_clock(self, now_s: float) -> None:
        """Reports a clock that was set: it went otherwise than the monotonic one."""
        offset_ns = self._clock_ns() - round(now_s * _NS)
        before_ns, self._clock_offset_ns = self._clock_offset_ns, offset_ns
        if before_ns is None or abs(offset_ns - before_ns) < _CLOCK_JUMP_NS:
            return
        jump_s = (offset_ns - before_ns) / _NS
        self._events.emit(
            EventKind.CLOCK_JUMP, f"the clock jumped by {jump_s:+.3f} s", jump_s=jump_s
        )
