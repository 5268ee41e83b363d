"""How much may be spent in an hour, and when there will be enough again."""

from __future__ import annotations

from collections import deque
from threading import Lock

__all__ = ["HOUR_S", "Budget"]

HOUR_S = 3600.0
_GRAIN_S = 1.0


class Budget:
    """What was spent in the last hour, at every moment, against a limit in wei.

    Times are passed in, in seconds of a clock that never goes back; any thread may ask.
    What is spent
    counts for an hour, or up to a second longer: sums are kept by the second, so that
    there are never more than some thousand. max_wei_per_hour: None for no limit.
    Raises ValueError for a negative one.
    """

    def __init__(self, max_wei_per_hour: int | None = None) -> None:
        if max_wei_per_hour is not None and max_wei_per_hour < 0:
            raise ValueError(f"a limit in wei is not below 0: {max_wei_per_hour}")
        self.max_wei_per_hour = max_wei_per_hour
        self.total_wei = 0
        self._spent: deque[tuple[float, float, int]] = deque()  # from, to, wei
        self._sum_wei = 0
        self._lock = Lock()

    def spend(self, wei: int, now_s: float) -> None:
        """Notes that so much was spent; also beyond the limit."""
        if wei <= 0:
            return
        with self._lock:
            self._forget(now_s)
            self.total_wei += wei
            self._sum_wei += wei
            if self._spent and now_s - self._spent[-1][0] < _GRAIN_S:
                begin_s, _, before = self._spent.pop()
                self._spent.append((begin_s, now_s, before + wei))
            else:
                self._spent.append((now_s, now_s, wei))

    def spent_wei(self, now_s: float) -> int:
        """In the hour before now."""
        with self._lock:
            self._forget(now_s)
            return self._sum_wei

    def left_wei(self, now_s: float) -> int | None:
        """What may still be spent now, not below 0; None without a limit."""
        if self.max_wei_per_hour is None:
            return None
        return max(0, self.max_wei_per_hour - self.spent_wei(now_s))

    def allows(self, wei: int, now_s: float) -> bool:
        """Whether so much may be spent now."""
        left = self.left_wei(now_s)
        return left is None or wei <= left

    def free_s(self, wei: int, now_s: float) -> float | None:
        """When so much may be spent, if nothing else is; None for never."""
        if self.allows(wei, now_s):
            return now_s
        assert self.max_wei_per_hour is not None
        with self._lock:
            sum_wei, spent = self._sum_wei, tuple(self._spent)
        for _, end_s, part in spent:
            sum_wei -= part
            if sum_wei + wei <= self.max_wei_per_hour:
                return end_s + HOUR_S
        return None

    def __repr__(self) -> str:
        limit = self.max_wei_per_hour
        return f"<Budget: {'no limit' if limit is None else f'{limit} wei an hour'}>"

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0][1] + HOUR_S <= now_s:
            self._sum_wei -= self._spent.popleft()[2]
