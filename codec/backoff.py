"""How long to wait before another attempt: as we reckon, or as a server asks."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Backoff", "Schedule", "retry_after_s"]


def retry_after_s(header: str | None) -> float | None:
    """The seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), if any."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)  # the obsolete form has no zone, and means that
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


class Backoff:
    """Delays that double from `first_s` to `last_s`, each with a random part.

    A delay is drawn evenly from the half to the whole of its step, and is at least
    `first_s`, so that many readers do not come back at once.
    """

    def __init__(
        self,
        first_s: float,
        last_s: float,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 < first_s <= last_s:
            raise ValueError(
                f"delays are positive and ascend, not from {first_s} to {last_s} s"
            )
        self._first_s = first_s
        self._last_s = last_s
        self._uniform = uniform
        self._n = 0

    def next(self) -> float:
        """The seconds to wait before the next attempt."""
        # Twice `first_s` to begin with, so that already the first delay varies.
        step = min(self._first_s * 2.0 ** min(self._n + 1, 32), self._last_s)
        self._n += 1
        return max(self._uniform(step / 2, step), self._first_s)

    def reset(self) -> None:
        """Begins anew: valid data has come."""
        self._n = 0


class Schedule:
    """Delays that somebody else has set, the last of them for good.

    Each is lengthened by up to a fifth, so that many readers do not come back at once.
    Raises ValueError for no delay, or one that is not above 0.
    """

    def __init__(
        self,
        delays_s: Sequence[float],
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not delays_s or not min(delays_s) > 0:
            raise ValueError(f"delays are positive seconds, not {delays_s}")
        self._delays_s = tuple(delays_s)
        self._uniform = uniform
        self._n = 0

    def next(self) -> float:
        """The seconds to wait before the next attempt."""
        delay_s = self._delays_s[min(self._n, len(self._delays_s) - 1)]
        self._n += 1
        return self._uniform(delay_s, 1.2 * delay_s)

    def reset(self) -> None:
        """Begins anew: valid data has come."""
        self._n = 0

    def after(self, other: Schedule | None) -> Schedule:
        """This one, as far on as another was."""
        self._n = 0 if other is None else other._n
        return self
