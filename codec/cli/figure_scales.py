"""The axes of a picture: times in UTC, prices with as many digits as they need."""

from __future__ import annotations

from datetime import UTC
from math import log10
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import dates
from matplotlib.ticker import Formatter, MaxNLocator

from codec.cli.text import utc_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from codec.summary import Curve

__all__ = ["PriceFormatter", "TimeScale", "dress_prices"]

_DAY_NS = 86_400 * 10**9
# Dates are days as floats, good for a microsecond: shorter times count from the first.
_MIN_DATES_NS = 2 * 10**9
_UNITS = ((10**6, "ms"), (10**3, "us"), (1, "ns"))
_MAX_PLACES = 12


class TimeScale:
    """Times (unix ns) as places on a horizontal axis."""

    def __init__(self, first_ns: int, last_ns: int) -> None:
        self.first_ns, self.last_ns = first_ns, last_ns
        self._span_ns = last_ns - first_ns
        self._unit, self._unit_name = next(
            (unit for unit in _UNITS if self._span_ns >= 4 * unit[0]), _UNITS[-1]
        )

    def places(self, times_ns: ArrayLike) -> NDArray[np.float64]:
        """Where the times are."""
        times = np.asarray(times_ns, np.uint64)
        if self._has_dates:
            days, rest = np.divmod(times, np.uint64(_DAY_NS))
            return days + rest / _DAY_NS
        # Not before the first one, but for a pixel or so.
        return (times - np.uint64(self.first_ns)).astype(np.int64) / self._unit

    @property
    def _has_dates(self) -> bool:
        return self._span_ns >= _MIN_DATES_NS

    def dress(self, axes: Axes) -> None:
        """Limits, ticks and a label for an axis of these times."""
        left, right = self.places([self.first_ns, self.last_ns]).tolist()
        pad = (right - left) / 80 or 1.0
        axes.set_xlim(left - pad, right + pad)
        if self._has_dates:
            ticks: Any = dates  # has no types
            locator = ticks.AutoDateLocator(tz=UTC, minticks=4, maxticks=10)
            axes.xaxis.set_major_locator(locator)
            formatter = ticks.ConciseDateFormatter(
                locator,
                tz=UTC,
                # The clock with seconds where those are what the ticks tell apart.
                formats=["%Y", "%b", "%d", "%H:%M", "%H:%M", "%H:%M:%S.%f"],
                zero_formats=["", "%Y", "%b", "%b-%d", "%H:%M", "%H:%M:%S"],
                offset_formats=["", "%Y", "%Y-%m", *["%Y-%m-%d"] * 3],
            )
            axes.xaxis.set_major_formatter(formatter)
            axes.set_xlabel("UTC")
        elif self._span_ns:
            axes.set_xlabel(f"{self._unit_name} after {utc_text(self.first_ns)}")
        else:
            axes.set_xticks([left], [utc_text(self.first_ns)])


class PriceFormatter(Formatter):
    """As many decimal places as tell the ticks apart."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        ticks = np.asarray(self.axis.get_majorticklocs())  # type: ignore[union-attr]
        step = float(np.diff(ticks).min()) if len(ticks) > 1 else abs(x)
        if not step or abs(x) >= 1e15 or step < 10.0**-_MAX_PLACES:
            return f"{x:.10g}"
        if abs(x) < step / 1e6:
            x = 0.0  # and no -0
        n_places = max(0, -int(np.floor(log10(step))))
        # A step of 0.25 needs a place more than one of 0.2.
        scaled = step * 10.0**n_places
        n_places += abs(scaled - round(scaled)) > 1e-6
        return f"{x:,.{n_places}f}"


def dress_prices(axes: Axes, curve: Curve, *, n_ticks: int) -> None:
    """Limits and ticks for an axis of one asset's prices."""
    low, high = float(curve.low.min()), float(curve.high.max())
    # What a float cannot tell from a constant is none.
    if high - low <= 1e-14 * max(abs(low), abs(high)):
        half = max(abs(high) / 1000, 1e-18) if high else 1.0
        axes.set_ylim(low - half, high + half)
        n_ticks = 2
    else:
        axes.set_ylim(low - (high - low) / 12, high + (high - low) / 12)
    axes.yaxis.set_major_locator(MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(PriceFormatter())
