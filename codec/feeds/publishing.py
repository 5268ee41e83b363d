"""Which prices are to be published, and when; without sockets, clocks and keys.

As Stork's own publisher agent has it: by the clock the newest price of every asset, and
in between each that has changed by more than a share of what was sent last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from operator import index
from typing import Literal, TypeAlias

__all__ = ["Price", "PriceBook", "Trigger", "Value", "scaled"]

Value: TypeAlias = "int | Decimal | str | float"
Trigger: TypeAlias = Literal["clock", "delta", "unspecified"]

_DECIMALS = 18
_MOST_DIGITS = 60  # far more than int128 needs; longer texts are not multiplied out
_LEAST, _MOST = -(2**127), 2**127 - 1
_LEAST_PERIOD_S = 1e-6  # shorter ones are lost in the floats of a clock


def scaled(value: Value, *, allow_float: bool = False) -> int:
    """A price as the int scaled by 10^18 that is signed.

    value: an int is scaled already; a Decimal or decimal text is the price itself,
    exactly; a float, where allowed, is what its shortest text says. Raises TypeError
    for anything else, ValueError for what is no number, has more than 18 decimals, or
    does not fit int128.
    """
    if isinstance(value, float):
        if not allow_float:
            raise TypeError(
                "a float is not exact: pass an int scaled by 10^18, a Decimal or a str"
                " (or allow_float=True)"
            )
        number = _times_10_18(Decimal(repr(float(value))))
    elif isinstance(value, Decimal):
        number = _times_10_18(value)
    elif isinstance(value, str):
        number = _times_10_18(_decimal(value))
    elif isinstance(value, bool):
        raise TypeError("a price is a number, not a bool")
    else:
        number = index(value)
    if not _LEAST <= number <= _MOST:
        raise ValueError("a price is within int128 once scaled by 10^18")
    return number


def _decimal(text: str) -> Decimal:
    is_plain = text.isascii() and "_" not in text and text == text.strip()
    try:
        return Decimal(text if is_plain else "")
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {text[:50]!r}") from None


def _times_10_18(value: Decimal) -> int:
    if not value.is_finite():
        raise ValueError(f"a price is a finite number, not {value}")
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if not any(digits):
        return 0
    if value.adjusted() > _MOST_DIGITS:
        raise ValueError("a price is within int128 once scaled by 10^18")
    shift = exponent + _DECIMALS
    whole: int = int("".join(map(str, digits)))
    if shift < 0:
        whole, rest = divmod(whole, 10 ** min(-shift, len(digits) + 1))
        if rest:
            raise ValueError("a price has at most 18 decimals")
        return -whole if sign else whole
    whole *= 10**shift
    return -whole if sign else whole


@dataclass(frozen=True, slots=True)
class Price:
    """A price that is to be signed and sent. value: scaled by 10^18."""

    asset: str
    value: int
    timestamp_ns: int
    trigger: Trigger


@dataclass(slots=True)
class _Newest:
    """The newest price of an asset."""

    value: int
    timestamp_ns: int
    published_s: float
    is_sent: bool = False
    last_sent: int | None = None  # the value that was sent last
    last_sent_ns: int = -1  # and the greatest time


class PriceBook:
    """The newest price of every asset, and which of them are due.

    clock_period_s: every so often all of them are due; None for never. delta_percent:
    a price is due that has changed by more than that since one of its asset was sent,
    or is its first; None for never. delta_period_s: how often that is looked at.
    every_update: each price is due at once, and deltas do not matter. max_age_s: the
    clock repeats no price that was published longer ago. Times are seconds of any clock
    that only goes forward.

    n_published, n_sent, n_repeated, n_superseded are counts as in `PublisherStats`.
    Raises ValueError for settings by which nothing would ever be due.
    """

    def __init__(
        self,
        *,
        clock_period_s: float | None,
        delta_percent: float | Decimal | str | None,
        delta_period_s: float,
        every_update: bool = False,
        max_age_s: float | None = None,
    ) -> None:
        periods = [clock_period_s, delta_period_s, max_age_s]
        if not all(p is None or _LEAST_PERIOD_S <= p < math.inf for p in periods):
            raise ValueError("periods are seconds, a microsecond or more")
        if clock_period_s is None and delta_percent is None and not every_update:
            raise ValueError("without a clock, deltas or every update nothing is sent")
        self._share = None if delta_percent is None else _share(delta_percent)
        self._clock_period_s = clock_period_s
        self._delta_period_s = delta_period_s
        self._every_update = every_update
        self._max_age_s = max_age_s
        self._newest: dict[str, _Newest] = {}
        self._due: dict[str, Trigger] = {}  # in the order in which they fell due
        self._changed: dict[str, None] = {}  # published since deltas were looked at
        self._clock_s = self._delta_s = math.inf  # when to look next
        self.n_published = self.n_sent = self.n_repeated = self.n_superseded = 0
        self.n_waiting = 0

    @property
    def n_due(self) -> int:
        """How many assets' prices are to be sent."""
        return len(self._due)

    def start(self, now_s: float) -> None:
        """Begins to look; what was published before counts as published now."""
        if self._clock_period_s is not None:
            self._clock_s = now_s + self._clock_period_s
        if self._share is not None and not self._every_update:
            self._delta_s = now_s + self._delta_period_s
        for newest in self._newest.values():
            newest.published_s = now_s

    def publish(self, asset: str, value: int, timestamp_ns: int, now_s: float) -> None:
        """Takes a price in, the newest of its asset from now on."""
        self.n_published += 1
        newest = self._newest.get(asset)
        if newest is None:
            self._newest[asset] = _Newest(value, timestamp_ns, now_s)
            self.n_waiting += 1
        else:
            if newest.is_sent:
                self.n_waiting += 1
            else:
                self.n_superseded += 1
            newest.value, newest.timestamp_ns = value, timestamp_ns
            newest.published_s, newest.is_sent = now_s, False
        if self._every_update:
            self._due.setdefault(asset, "unspecified")
        else:
            self._changed[asset] = None

    def withdraw(self, asset: str) -> bool:
        """Forgets an asset, so that nothing repeats it; whether there was one."""
        newest = self._newest.pop(asset, None)
        if newest is not None and not newest.is_sent:
            self.n_waiting -= 1
            self.n_superseded += 1
        self._due.pop(asset, None)
        self._changed.pop(asset, None)
        return newest is not None

    def look(self, now_s: float) -> None:
        """Finds what has fallen due."""
        if now_s >= self._delta_s:
            self._delta_s = _next(self._delta_s, self._delta_period_s, now_s)
            for asset in self._changed:
                if self._has_changed(self._newest[asset]):
                    self._due.setdefault(asset, "delta")
            self._changed.clear()
        if now_s >= self._clock_s:
            assert self._clock_period_s is not None
            self._clock_s = _next(self._clock_s, self._clock_period_s, now_s)
            for asset, newest in self._newest.items():
                if not (newest.is_sent and self._is_old(newest, now_s)):
                    self._due[asset] = "clock"

    def next_s(self) -> float:
        """When to look again; infinity where nothing will come of it."""
        clock_s = self._clock_s if self._newest else math.inf
        return min(clock_s, self._delta_s if self._changed else math.inf)

    def flush(self) -> None:
        """Makes every price due that has not been sent."""
        for asset, newest in self._newest.items():
            if not newest.is_sent:
                self._due.setdefault(asset, "unspecified")

    def take(self, most: int, now_s: float, now_ns: int) -> list[Price]:
        """The next prices that are due, which count as sent.

        One that the clock sends has the time of sending, `now_ns`: it says what the
        price is now. Others have their own, unless one of their asset went out with the
        same or a later one, by the clock: a server would not take it. What is older
        than `max_age_s` always has its own.
        """
        prices = []
        for asset in list(self._due)[:most]:
            trigger = self._due.pop(asset)
            newest = self._newest[asset]
            is_old = self._is_old(newest, now_s)
            if newest.is_sent and is_old:
                continue
            self.n_sent += 1
            if newest.is_sent:
                self.n_repeated += 1
            else:
                self.n_waiting -= 1
            is_late = newest.timestamp_ns <= newest.last_sent_ns < now_ns
            is_now = (trigger == "clock" or is_late) and not is_old
            time_ns = now_ns if is_now else newest.timestamp_ns
            newest.is_sent, newest.last_sent = True, newest.value
            newest.last_sent_ns = max(newest.last_sent_ns, time_ns)
            prices.append(Price(asset, newest.value, time_ns, trigger))
        return prices

    def _has_changed(self, newest: _Newest) -> bool:
        last = newest.last_sent
        if last is None:
            return True
        assert self._share is not None
        change = abs(newest.value - last) * self._share.denominator
        return change > abs(last) * self._share.numerator

    def _is_old(self, newest: _Newest, now_s: float) -> bool:
        max_age_s = self._max_age_s
        return max_age_s is not None and now_s - newest.published_s > max_age_s


def _share(percent: float | Decimal | str) -> Fraction:
    """The share, exactly by the decimals that are written."""
    try:
        share = Fraction(str(percent)) / 100
    except (ValueError, ZeroDivisionError):
        raise ValueError("delta_percent is a number") from None
    if share < 0:
        raise ValueError("delta_percent is not negative")
    return share


def _next(at_s: float, period_s: float, now_s: float) -> float:
    """The next time of a grid after now; those that were missed are left out."""
    n = math.floor((now_s - at_s) / period_s) + 1
    next_s = at_s + period_s * n
    return next_s if next_s > now_s else at_s + period_s * (n + 1)  # rounded down
