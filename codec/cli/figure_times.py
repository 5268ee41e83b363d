"""The panel of `plot` that shows how far apart messages are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from codec.cli.text import duration_text
from codec.monitor import age_bounds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from codec.summary import Durations, Flow

__all__ = ["draw_times", "say"]

_MIN_BARS, _MAX_BARS = 10, 72
_LOG_RATIO = 30  # of the greatest count to the least
_MIN_FACTOR = 6.0  # between the ends of the axis
_HALF = ("data", "axes fraction")
_FINE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)  # ticks in a decade
_GREY = "#666666"


def draw_times(axes: Axes, flow: Flow, color: str, *, is_all: bool) -> None:
    """Draws the histogram of one kind of interval, and names it.

    is_all: the flow is of all messages, not only of those with the drawn assets.
    """
    is_received = flow.all_received
    what = "receive times" if is_received else "timestamps"
    durations = flow.between_receive_times if is_received else flow.between_timestamps
    whose = "all messages" if is_all else "messages with these assets"
    title = f"time from one message to the next, by {what}, {whose}"
    axes.set_title(title, loc="right", fontsize=9, color=_GREY)
    bars = _bars(durations)
    if bars is None:
        n_zero = len(durations)
        words = "one message only: no time between" if not n_zero else "all at once"
        axes.set_xticks([])
        say(axes, words)
        return
    counts, edges = bars
    is_log = counts.max() > _LOG_RATIO * counts[counts > 0].min()
    axes.set_xscale("log")
    if is_log:
        axes.set_yscale("log")
    axes.stairs(
        counts, edges, fill=True, color=color, alpha=0.75, baseline=0.5 * is_log
    )
    axes.set_ylim(0.5 if is_log else 0, counts.max() * (3 if is_log else 1.2))
    axes.set_ylabel("messages (log)" if is_log else "messages")
    _dress(axes, edges, is_log)
    _mark(axes, durations)


def say(axes: Axes, words: str) -> None:
    """Words instead of a curve."""
    axes.set_yticks([])
    axes.grid(False)
    axes.text(
        0.5,
        0.5,
        words,
        transform=axes.transAxes,
        color=_GREY,
        ha="center",
        va="center",
    )


def _bars(
    durations: Durations,
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Counts and the edges between them, in ns, above zero; None for nothing."""
    counts = durations.counts[1:]
    edges = age_bounds().astype(np.float64) + 1  # of the buckets after the first
    full = np.flatnonzero(counts)
    if not len(full):
        return None
    first, last = int(full[0]), int(full[-1])
    size = 1
    n_bars = min(max(int(4 * counts.sum() ** 0.5), _MIN_BARS), _MAX_BARS)
    while (last // size) - (first // size) >= n_bars:
        size *= 2
    starts = np.arange(first // size * size, last + 1, size)
    ends = np.minimum(starts + size, len(counts))
    sums = np.concatenate(([0], np.cumsum(counts)))
    return sums[ends] - sums[starts], np.append(edges[starts], edges[ends[-1]])


def _dress(axes: Axes, edges: NDArray[np.float64], is_log: bool) -> None:
    low, high = float(edges[0]), float(edges[-1])
    pad = max((high / low) ** 0.05, 1.06, np.sqrt(_MIN_FACTOR * low / high))
    axes.set_xlim(low / pad, high * pad)
    decades = np.log10(high / low) + 2 * np.log10(pad)
    subs = (1.0,) if decades > 4 else (1.0, 3.0) if decades > 2 else _FINE
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=14))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: _tick(ns)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:,.0f}"))
    if is_log:
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _tick(ns: float) -> str:
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= size:
            return f"{ns / size:,g} {unit}"
    return f"{ns:g} ns"


def _mark(axes: Axes, durations: Durations) -> None:
    """Lines where half of the intervals end, and 99 of 100."""
    p50, p99 = durations.percentiles([50, 99])
    words = [f"p50 {duration_text(p50, 3)}", f"p99 {duration_text(p99, 3)}"]
    for ns, name, side in ((p50, "p50 ", "right"), (p99, " p99", "left")):
        if ns:
            axes.axvline(ns, color="#333333", linewidth=0.9, linestyle=(0, (4, 3)))
            axes.annotate(
                *(name, (ns, 0.97)), xycoords=_HALF, ha=side, va="top", fontsize=8.5
            )
    words.append(f"most {duration_text(durations.most_ns, 3)}")
    if n_zero := int(durations.counts[0]):
        words.append(f"{n_zero:,} of 0 ns not shown")
    axes.set_title("   ".join(words), loc="left", fontsize=9, color=_GREY)
