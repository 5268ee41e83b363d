"""How long to wait before another attempt: as we reckon, or as a server asks."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Backoff", "retry_after_s"]


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
