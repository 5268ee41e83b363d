"""Draws the pictures that README shows: decoding, verifying, live feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from bench.feeds import rates_of
from bench.known import BARE_RECOVER, BARE_VERIFY
from bench.rows import format_ratio
from bench.workloads import MIB, SIZES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.report import Rates
    from bench.rows import Row

__all__ = ["draw", "draw_feeds", "draw_known"]


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
_OURS, _LIBRARY, _PYTHON = "#0072B2", "#E69F00", "#CC79A7"
_BARS = {
    "ecdsa": ("ecdsa (plain Python)", _PYTHON),
    "cryptography": ("cryptography (OpenSSL)", _PYTHON),
    "fastecdsa": ("fastecdsa", _PYTHON),
    "coincurve": ("coincurve's PublicKey.verify", _PYTHON),
    BARE_RECOVER: ("libsecp256k1 recover, C loop", _LIBRARY),
    BARE_VERIFY: ("libsecp256k1 verify, C loop", _LIBRARY),
    "portable": ("stork-codec, portable", _OURS),
    "ifma": ("stork-codec, AVX-512 IFMA", _OURS),
}
"""Labels and colours of the bars for known signers, from above."""
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


def draw_known(times_ns: Mapping[str, float], processor: str, path: Path) -> None:
    """Writes the picture of known signers: nanoseconds a signature by what verifies.

    What was not measured (a compiler, a package, instructions missing) is left out.
    """
    bars = [(times_ns[name], *bar) for name, bar in _BARS.items() if name in times_ns]
    bars.reverse()  # the lowest bar comes first
    times_us = [ns / 1e3 for ns, _, _ in bars]
    figure = Figure(figsize=(11, 1.8 + 0.4 * len(bars)), dpi=150, layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh(
        [label for _, label, _ in bars], times_us, color=[color for *_, color in bars]
    )
    axes.bar_label(drawn, [format_ratio(time) for time in times_us], padding=4)
    axes.set(xscale="log", xlabel="microseconds a signature (log scale)")
    axes.set_xlim(min(times_us, default=1) / 3, max(times_us, default=1) * 3)
    axes.xaxis.set_major_formatter(lambda time, _: f"{time:,g}")
    axes.grid(True, axis="x", which="major", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(
        "Time to verify a signature where the signer's key is known (less is better)\n"
        f"one thread, {processor}; stork-codec with hashing, the others without",
        fontsize=13,
    )
    figure.savefig(path)


def draw_feeds(rows: Sequence[Row], processor: str, path: Path) -> None:
    """Writes the picture of live feeds: messages a CPU second, a pair of bars each."""
    rates = rates_of(rows)
    names = [
        f"{mode}\n{frames.removeprefix('frames of ').replace(' (', chr(10) + '(')}"
        for frames, mode in rates
    ]
    figure = Figure(figsize=(11, 5), dpi=150, layout="constrained")
    axes = figure.subplots()
    for i, (label, color) in enumerate(
        (
            ("picows, each frame as bytes (deflate: inflated)", _LIBRARY),
            ("stork-codec FastFeed: the same messages, decoded into rows", _OURS),
        )
    ):
        heights = [pair[i] for pair in rates.values()]
        places = [place + 0.4 * i for place in range(len(names))]
        bars = axes.bar(places, heights, 0.38, color=color, label=label)
        axes.bar_label(bars, [_short(rate) for rate in heights], padding=2, fontsize=9)
    most = max((rate for pair in rates.values() for rate in pair), default=1)
    least = min((rate for pair in rates.values() for rate in pair), default=1)
    axes.set(yscale="log", ylabel="messages a CPU second (log scale)")
    axes.set_ylim(least / 3, most * 4)
    axes.set_xticks([place + 0.2 for place in range(len(names))], names, fontsize=9)
    axes.yaxis.set_major_formatter(lambda rate, _: _rate(rate))
    axes.grid(True, axis="y", which="major", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", frameon=False)
    figure.suptitle(
        "From the socket to decoded rows, against the bare websocket library\n"
        f"one core, {processor}",
        fontsize=13,
    )
    figure.savefig(path)


def _short(rate: float) -> str:
    return f"{rate / 1e6:.3g} M" if rate >= 1e6 else f"{rate / 1e3:.3g} k"


def _rate(rate: float) -> str:
    for unit, size in (("billion", 1e9), ("million", 1e6)):
        if rate >= size:
            return f"{rate / size:g} {unit}"
    return f"{rate:,.0f}"
