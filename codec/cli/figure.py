"""The picture of `plot`: prices over time, the update rate, times between messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.style import context as style_context
from matplotlib.ticker import MaxNLocator

from codec.cli.figure_curves import price_line, rate_steps
from codec.cli.figure_scales import PriceFormatter, TimeScale, dress_prices
from codec.cli.figure_times import draw_times, say
from codec.cli.text import duration_text, short_decimal, utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from matplotlib.axes import Axes

    from codec.summary import Curve, Curves, Extent, Silence, Summary

__all__ = ["Drawn", "draw", "styled"]

# Okabe's and Ito's, told apart by colour-blind eyes.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = "#666666"
_HOLE = "#f0f0f0"
_WIDTH = 11.0  # inches, as are the heights
_PRICE, _STRIP, _RATE, _TIMES, _HEAD = 3.4, 1.25, 1.5, 1.9, 0.9
_MAX_MARKED = 60  # a curve of more bins has no dots
_MAX_NAMED = 6
_LEGEND_LEN = 120  # characters in a line of the legend
_RATE_UNITS = ((1, "s"), (60, "min"), (3600, "h"), (86400, "day"))
_NAMED_HOLE = 12  # one of a twelfth of the span has room for its length
_RC = {
    "text.parse_math": False,  # a symbol may have a $
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "stork-codec",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """An asset to be drawn, and what it is called."""

    name: str
    extent: Extent
    curve: Curve


def styled() -> AbstractContextManager[Any]:
    """The style in which a picture is made and saved, whatever the user's own is."""
    manager: AbstractContextManager[Any] = style_context(["default", _RC])
    return manager


def draw(
    summary: Summary[Curves], drawn: Sequence[Drawn], *, is_percent: bool = False
) -> Figure:
    """A figure of at least one asset; to be called, and saved, within `styled()`.

    Several assets have an axis each, for their magnitudes differ; is_percent: one for
    all, of the change since each one's first value.
    """
    picture = _Picture(summary, drawn)
    n_strips = 1 if is_percent else len(drawn)
    heights = [_PRICE] if n_strips == 1 else [_STRIP] * n_strips
    heights += [_RATE, _TIMES]
    figure = Figure(
        figsize=(_WIDTH, sum(heights) + _HEAD), dpi=150, layout="constrained"
    )
    *strips, rate, times = figure.subplots(
        len(heights), 1, gridspec_kw={"height_ratios": heights}
    )
    for axes in (*strips[1:], rate):
        axes.sharex(strips[0])
    if is_percent:
        picture.draw_percent(strips[0])
    else:
        for i, axes in enumerate(strips):
            picture.draw_price(axes, i)
    picture.draw_rate(rate)
    for axes in (*strips, rate):
        picture.draw_holes(axes)
    picture.name_holes(rate)
    for axes in strips:
        axes.tick_params(labelbottom=False)
    picture.scale.dress(rate)
    is_all = summary.chosen is summary.flow
    draw_times(times, summary.chosen, _GREY, is_all=is_all)
    figure.suptitle(picture.title(), fontsize=12)
    figure.align_ylabels([*strips, rate, times])
    return figure


class _Picture:
    """Draws panel by panel."""

    def __init__(self, summary: Summary[Curves], drawn: Sequence[Drawn]) -> None:
        first_ns = min(one.extent.first_ns for one in drawn)
        last_ns = max(one.extent.last_ns for one in drawn)
        self.summary, self.drawn = summary, drawn
        self.scale = TimeScale(first_ns, last_ns)
        self.holes: list[Silence] = [
            hole
            for hole in summary.flow.pauses()
            if first_ns <= hole.start_ns and hole.end_ns <= last_ns
        ]

    def title(self) -> str:
        """What is drawn, and when that was."""
        names = [one.name for one in self.drawn]
        shown = ", ".join(names[:_MAX_NAMED])
        if len(names) > _MAX_NAMED:
            shown += f" and {len(names) - _MAX_NAMED} more"
        first, last = self.scale.first_ns, self.scale.last_ns
        n = sum(one.extent.n_updates for one in self.drawn)
        counted = f"{n:,} update{'' if n == 1 else 's'}"
        start, end = utc_text(first)[:19], utc_text(last)[:19]
        if first == last:
            return f"{shown}\n{start} UTC, {counted}"
        if start == end:
            return (
                f"{shown}\n{utc_text(first)} ({duration_text(last - first)}), {counted}"
            )
        end = end[11:] if start[:10] == end[:10] else end
        return (
            f"{shown}\n{start} to {end} UTC ({duration_text(last - first)}), {counted}"
        )

    def draw_price(self, axes: Axes, i: int) -> None:
        """One asset's prices on an axis of their own."""
        one = self.drawn[i]
        self._plot(axes, i, 0.0, 1.0)
        is_alone = len(self.drawn) == 1
        if is_alone:
            axes.set_ylabel("price")
        else:
            color = _color(i)
            axes.set_title(one.name, loc="left", color=color, weight="bold")
        axes.set_title(_from_to(one.extent), loc="right", fontsize=9, color=_GREY)
        dress_prices(axes, one.curve, n_ticks=6 if is_alone else 4)

    def draw_percent(self, axes: Axes) -> None:
        """Changes since the first value; zero has no percents: an asset that begins
        with it is drawn in those of its greatest value."""
        for i, one in enumerate(self.drawn):
            first = float(one.curve.first[0])
            size = max(abs(one.curve.low).max(), abs(one.curve.high).max())
            self._plot(axes, i, first, 100 / float(abs(first) or size or 1.0))
        axes.set_ylabel("change since the first (%)")
        axes.axhline(0, color="#999999", linewidth=0.8, zorder=1)
        axes.yaxis.set_major_formatter(PriceFormatter())
        longest = max(len(one.name) for one in self.drawn)
        n_columns = max(min(len(self.drawn), _LEGEND_LEN // (longest + 6)), 1)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns, frameon=False
        )

    def _plot(self, axes: Axes, i: int, origin: float, factor: float) -> None:
        """The line of one asset: (price - origin) * factor."""
        one, curve, places = self.drawn[i], self.drawn[i].curve, self.scale.places
        times, prices = price_line(curve, self.holes, self.scale.last_ns)
        axes.plot(
            places(times),
            (prices - origin) * factor,
            drawstyle="steps-post",
            color=_color(i),
            linewidth=1.1,
            solid_joinstyle="round",
            label=one.name,
        )
        if len(curve.n) <= _MAX_MARKED:
            known = np.append(curve.first_ns, curve.last_ns)
            dots = (np.append(curve.first, curve.last) - origin) * factor
            axes.plot(places(known), dots, "o", color=_color(i), markersize=3.5)

    def draw_rate(self, axes: Axes) -> None:
        """Updates a second, one asset above the other."""
        steps = rate_steps(
            [one.curve for one in self.drawn], self.summary.bins.width_ns, self.holes
        )
        if steps is None:
            say(axes, "all at one time: no rate")
            return
        most = float(steps.rates.sum(axis=0).max())
        seconds, unit = next(
            (u for u in _RATE_UNITS if most * u[0] >= 1), _RATE_UNITS[-1]
        )
        rates = steps.rates * seconds
        axes.set_ylabel(f"updates/{unit}")
        axes.stackplot(
            self.scale.places(steps.edges_ns),
            np.concatenate((rates, rates[:, -1:]), axis=1),
            colors=[_color(i) for i in range(len(self.drawn))],
            step="post",
            alpha=0.75,
            linewidth=0,
        )
        words = f"update rate, means of {duration_text(steps.width_ns, 3)}"
        if len(self.drawn) > 1:
            words += ", one asset above the other"
        axes.set_title(words, loc="right", fontsize=9, color=_GREY)
        axes.set_ylim(0, 1.15 * most * seconds)
        axes.yaxis.set_major_formatter(PriceFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))

    def draw_holes(self, axes: Axes) -> None:
        """Shades the times without any message."""
        for hole in self.holes:
            left, right = self.scale.places([hole.start_ns, hole.end_ns]).tolist()
            axes.axvspan(left, right, color=_HOLE, linewidth=0, zorder=0.5)

    def name_holes(self, axes: Axes) -> None:
        """Says how long the wider ones are."""
        span = self.scale.last_ns - self.scale.first_ns
        for hole in self.holes:
            if hole.length_ns > span // _NAMED_HOLE:
                middle = hole.start_ns + hole.length_ns // 2
                axes.annotate(
                    f"no messages\n{duration_text(hole.length_ns, 3)}",
                    (float(self.scale.places([middle])[0]), 0.5),
                    xycoords=("data", "axes fraction"),
                    color=_GREY,
                    fontsize=8.5,
                    ha="center",
                    va="center",
                )


def _color(i: int) -> str:
    return _COLORS[i % len(_COLORS)]


def _from_to(extent: Extent) -> str:
    """The first price and the last one, and by how much they differ."""
    last = short_decimal(extent.last, is_grouped=True)
    if extent.n_updates == 1:
        return last
    text = f"{short_decimal(extent.first, is_grouped=True)} to {last}"
    if extent.low == extent.high:
        return f"{last}, constant"
    if not extent.first:
        return text
    percent = 100 * (extent.last - extent.first) / abs(extent.first)
    shown = f"{percent:+.3g}"
    if 1000 <= abs(percent) < 1e9:
        shown = f"{percent:+,.0f}"
    return f"{text} ({shown} %)" if percent else text
