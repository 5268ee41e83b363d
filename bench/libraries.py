"""Websocket libraries and inflating packages: messages a CPU second of the reader.

All of them read the same messages in turn, from a sender that outruns them
(bench/sender.py). Nothing is decoded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import readers
from bench.feeds import Streams, run
from bench.readers import MODES
from bench.rows import Figure
from bench.sender import Sender
from bench.workloads import frame_len

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.ratios import Inputs
    from bench.readers import Reader

__all__ = ["SIZES", "library_figures", "library_table"]

SIZES = (4, 100, 1000)
"""Assets a message."""

_READERS: dict[str, Reader] = {
    "picows, our listener in Cython (chunks of lines)": readers.cython_listener,
    "picows, a listener in Python (bytes)": readers.bare,
    "`picows.websockets`": readers.picows_websockets,
    "aiohttp": readers.aiohttp,
    "websockets": readers.websockets,
}
_INFLATERS: dict[str, Reader] = {
    f"picows, a listener in Python, {package}": partial(readers.bare, inflater=module)
    for package, module in (("zlib-ng", "zlib_ng.zlib_ng"), ("isal", "isal.isal_zlib"))
}
_UNIT = "thousand messages a CPU second"
# Slower readers have fewer messages to read, so that all take about as long.
_SHARES: dict[Reader, float] = {readers.aiohttp: 0.3, readers.websockets: 0.1}


def library_figures(inputs: Inputs) -> Iterator[Figure]:
    """A figure for each reader, size and mode."""
    scale = inputs.scale
    with Sender() as sender:
        streams = Streams(sender, scale.feed_run_s)
        for n_assets in SIZES:
            for mode in MODES:
                contenders = _READERS | (_INFLATERS if mode == "deflate" else {})
                rates = _rates(
                    streams, n_assets, mode, contenders, scale.feed_paced_pairs
                )
                for name, measured in rates.items():
                    yield Figure.from_all(
                        _work(n_assets, mode), name, _UNIT, measured, better="higher"
                    )


def _rates(
    streams: Streams,
    n_assets: int,
    mode: str,
    contenders: Mapping[str, Reader],
    n_rounds: int,
) -> dict[str, list[float]]:
    """Of every reader that is there, in every round; a first one is not counted."""
    rates: dict[str, list[float]] = {}
    missing: set[str] = set()
    for i in range(n_rounds + 1):
        for name, reader in contenders.items():
            if name in missing:
                continue
            stream = streams.of(n_assets, mode, _SHARES.get(reader, 1.0))
            try:
                spent = run(reader(stream))
            except ImportError as exc:
                print(f"left out: {name}, as {exc}")
                missing.add(name)
                continue
            if i > 0:
                rates.setdefault(name, []).append(1e6 / spent.cpu_ns)
    return rates


def _work(n_assets: int, mode: str) -> str:
    return f"{frame_len(n_assets):,} bytes, {mode}"


def library_table(figures: Sequence[Figure]) -> list[list[str]]:
    """Rows of a table, its head first: readers by size and mode."""
    works = list(dict.fromkeys(figure.work for figure in figures))
    names = list(dict.fromkeys(figure.of for figure in figures))
    cells = {(figure.of, figure.work): _rounded(figure.median) for figure in figures}
    rows = [[name, *(cells.get((name, work), "") for work in works)] for name in names]
    return [["thousand messages a CPU second", *works], *rows]


def _rounded(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
