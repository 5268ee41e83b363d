"""Draws the picture that README shows: updates a second by assets per message."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from bench.workloads import MIB, SIZES

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.report import Rates

__all__ = ["draw"]


class _Style(NamedTuple):
    """How one line looks. Colours: Okabe and Ito's, told apart by colour-blind eyes."""

    label: str
    contenders: tuple[str, ...]
    """The best of them is drawn."""
    color: str
    marker: str
    line: str = "-"
    marker_size: int = 7
    fill: str = "full"


_STYLES = (
    _Style("memcpy of the input", ("memcpy",), "#000000", "", "--"),
    _Style(
        "stork-codec, fresh result (memory reused)",
        ("core_fresh",),
        "#56B4E9",
        "s",
        marker_size=11,
        fill="none",
    ),
    _Style("stork-codec, warm Decoder", ("core_warm",), "#0072B2", "o"),
    _Style(
        "stork-codec, fresh result in new memory",
        ("core_new_memory",),
        "#009E73",
        "P",
        ":",
    ),
    _Style(
        "orjson + numpy (the better of two)",
        ("numpy_joined", "numpy_per_message"),
        "#E69F00",
        "^",
    ),
    _Style("json + struct, tuned", ("stdlib_tuned",), "#CC79A7", "D"),
    _Style("codec.reference (plain Python)", ("reference",), "#D55E00", "v"),
)
_PANELS = (("lines", "one buffer of lines"), ("frames", "list of frames"))


def draw(rates: Rates, processor: str, path: Path) -> None:
    """Writes the picture as a PNG file."""
    figure = Figure(figsize=(11, 6), dpi=150, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (shape, title) in zip(panels, _PANELS, strict=True):
        for style in _STYLES:
            columns = zip(*(rates.of(shape, c) for c in style.contenders), strict=True)
            axes.plot(
                SIZES,
                [max(column) for column in columns],
                color=style.color,
                marker=style.marker,
                linestyle=style.line,
                linewidth=2,
                markersize=style.marker_size,
                fillstyle=style.fill,
                label=style.label,
            )
        _dress(axes, title)
    panels[0].set_ylabel("updates a second (log scale)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, fontsize=10, frameon=False
    )
    figure.suptitle(
        "Speed of decoding signed price messages into exact int128 rows\n"
        f"one thread, {rates.input_len / MIB:.3g} MiB of input, {processor}",
        fontsize=13,
    )
    figure.savefig(path)


def _dress(axes: Axes, title: str) -> None:
    axes.set(xscale="log", yscale="log", title=title, xlabel="assets per message")
    axes.set_xticks(SIZES, [f"{n:,}" for n in SIZES])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda rate, _: _rate(rate))
    axes.grid(True, which="major", color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)


def _rate(rate: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if rate >= size:
            return f"{rate / size:g} {unit}"
    return f"{rate:,.0f}"
