"""Writes the measured figures as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.libraries import library_table
from bench.rows import Figure, Row, format_ratio
from bench.workloads import MIB, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.process import PeakMemory

__all__ = ["TITLES", "Rates", "markdown", "rates_of", "with_libraries"]

TITLES = {
    "memcpy": "memcpy of the input",
    "core_warm": "core, warm `Decoder`",
    "core_fresh": "core, fresh result (memory reused)",
    "core_new_memory": "core, fresh result (memory new to the process)",
    "numpy_joined": "orjson + numpy, all messages joined",
    "numpy_per_message": "orjson + numpy, message by message",
    "numpy_views": "orjson + numpy, views only (less than our result)",
    "stdlib_tuned": "json + struct, tuned",
    "reference": "`codec.reference`",
}

_RATIO_NOTES = """\
Each row times two things in turn, A B A B ..., in one process, and gives the median of
the ratios of all pairs, with their quartiles: what slows the machine down slows both.
Releasing the result belongs to the time. `must` and `aim` are the project's limits; the
verdict is that of the median. One thread, the best instruction set, and payloads kept,
unless the row says otherwise. "memcpy" copies the whole input into memory that has been
written before, unless the row says otherwise.
"""

_FRESH_NOTES = """\
Fresh result arrays come in several kinds. The core keeps the memory of released results
(up to 256 MiB) for later ones: that is the first row. Where every result stays alive
the system has to find and zero new pages. What that costs depends on where it has them:
in a virtual machine they may have to come from the host first (bench/cold.py). Memory
copied to new memory pays the same, for 1 byte where decoding writes 1.4.
"""

_SIGNATURE_NOTES = """\
Measured in the same way; the times are those of one message. The C loop starts from
parsed signatures and known digests and ends with keys in the library's own form:
`recover` also hashes the message, judges and parses the signature, and hashes the key.
"""

_KNOWN_NOTES = """\
Verification where the signer's public key is known (`KnownSigner`), measured in the
same way; the times are those of one message. `verify` is compared with what
libsecp256k1, the fastest of the usual libraries, takes for the same signatures in a C
loop that has digests, parsed signatures and a parsed key before it starts, while
`verify` reads payloads and hashes them. The other libraries start from digests and
from signatures in the form that they ask for. In each pair the faster side is repeated
until it takes about as long as the other. One thread, and the tables are there before,
unless the row says otherwise.
"""

_FEED_NOTES = """\
From the socket to decoded rows (`FastFeed`, `async for batch in feed`), against a
listener of the bare library, picows, in Python, that takes each frame as bytes and no
more (with deflate: and inflates it by zlib). Both have the same socket settings and
read the same messages in turn. A process of its own on the other core sends prebuilt
frames. The times are those of one message, so a ratio is one of message rates. What
counts is the CPU time of the reading process: by the clock it comes to the same as long
as the reader is busy all the time, and where it is not, the sender was the limit.
"""

_FIGURE_NOTES = """\
Latency is from just before a message is written to when the consumer has it, which is
the loop's body for the feed, `on_ws_frame` for the bare library: percentiles of runs in
turn, and their differences.
"""

_STATE_NOTES = """\
`LatestTable` and bars from decoded batches; memcpy, polars and pandas in turn with
them. polars and pandas have their columns ready before the time begins, and rows in
order of time; bars are exact, and sort out rows in any order.
"""

_ARROW_NOTES = """\
Lines of 100 assets to Arrow tables and to Parquet, on one thread, pyarrow's among them,
files in memory. What they are compared with where Python is named: orjson, one
`int.from_bytes` and one Decimal a value, lists, pyarrow's arrays of them, its Parquet
with zstd; the times there are those of one update.
"""

_AGGREGATOR_NOTES = """\
`codec.aggregator.decode_lines`: parsed, every hash made anew and compared, Merkle roots
rebuilt, every signature checked; against a loop that does the same by json, coincurve
and a keccak256 library. The times are those of one message. Real messages where they
are at hand, else messages of the same form.
"""

_SHURIKEN_NOTES = """\
A simulator in a process of its own floods one connection with prebuilt swaps.
"""

_LIBRARY_NOTES = """\
What [docs/websockets.md](../../docs/websockets.md) chooses from. Readers in turn, each
message taken as bytes, nothing decoded; medians.
"""

_CLUSTER_NOTES = """\
The job of `stork-codec decode --dask` on this machine: from segments on the disk to
Parquet files on the disk, synchronised. Both clusters are there all the time; each
worker has one thread, pyarrow's and those of linear algebra among them.
"""

_CHAIN_NOTES = """\
What a submission adds on this machine: `preflight` with a node that answers at once,
and the signature of the transaction.
"""

_RATE_NOTES = """\
Million updates a second, and behind it the speed as a ratio to memcpy of the same input
(medians of pytest-benchmark; these are not measured in turn, so the ratios above are
the better ones). Inputs of {input_len:.3g} MiB. Every result is checked against ours.
"""


_LIBRARIES = "<!-- libraries -->\n", "<!-- end -->\n"


def with_libraries(text: str, libraries: Sequence[Figure]) -> str:
    """A document with the table of libraries between its two marks."""
    head, mark, rest = text.partition(_LIBRARIES[0])
    _, end, tail = rest.partition(_LIBRARIES[1])
    if not end:
        raise ValueError("the marks of the table are not there")
    table = _table(*_head_and_rows(library_table(libraries)))
    return head + mark + table + end + tail


@dataclass(frozen=True)
class Rates:
    """Updates a second by (shape, contender, assets per message)."""

    input_len: int
    updates: dict[tuple[str, str, int], float]

    def of(self, shape: str, contender: str) -> list[float]:
        """One for each of SIZES."""
        return [self.updates[shape, contender, n] for n in SIZES]


def rates_of(report: dict[str, Any]) -> Rates:
    """From the JSON that pytest-benchmark writes."""
    updates = {}
    input_len = 0
    for benchmark in report["benchmarks"]:
        info = benchmark["extra_info"]
        key = info["shape"], info["contender"], info["n_assets"]
        updates[key] = info["n_updates"] / benchmark["stats"]["median"]
        input_len = max(input_len, info["input_len"])
    return Rates(input_len, updates)


def markdown(
    machine: dict[str, str],
    *,
    targets: Sequence[Row],
    signatures: Sequence[Row],
    known: Sequence[Row],
    context: Sequence[Row],
    feeds: Sequence[Row],
    feed_figures: Sequence[Figure],
    libraries: Sequence[Figure],
    arrow: Sequence[Row],
    state: Sequence[Row],
    state_figures: Sequence[Figure],
    cluster: Sequence[Row],
    chain: Sequence[Figure],
    aggregator: Sequence[Row],
    shuriken: Sequence[Figure],
    memory: PeakMemory | None,
    rates: Rates,
) -> str:
    """The whole report."""
    parts = [
        "# Measured speed and memory\n\nWritten by `python -m bench`.\n",
        _table(("", ""), ((name, fact) for name, fact in machine.items())),
        "![Updates a second by assets per message](speed.png)\n",
        f"## Ratios with a limit\n\n{_RATIO_NOTES}",
        _ratio_table(targets, with_limits=True),
        _FRESH_NOTES,
        f"## Peak memory\n\n{_memory_text(memory)}",
        f"## Signatures\n\n{_SIGNATURE_NOTES}",
        _ratio_table(signatures, with_limits=True),
        f"## Known signers\n\n{_KNOWN_NOTES}",
        "![Microseconds a signature](known.png)\n",
        _ratio_table(known, with_limits=True),
        f"## Live feeds\n\n{_FEED_NOTES}",
        "![Messages a CPU second](feeds.png)\n",
        _ratio_table(feeds, with_limits=True),
        f"### Latency, load, memory\n\n{_FIGURE_NOTES}",
        _figure_table(feed_figures),
        f"### Websocket libraries\n\n{_LIBRARY_NOTES}",
        _table(*_head_and_rows(library_table(libraries))),
        f"## Tables and files\n\n{_ARROW_NOTES}",
        _ratio_table(arrow, with_limits=True),
        f"## Newest values and bars\n\n{_STATE_NOTES}",
        _figure_table(state_figures),
        _ratio_table(state, with_limits=False),
        f"## Stork's aggregator\n\n{_AGGREGATOR_NOTES}",
        _ratio_table(aggregator, with_limits=True),
        f"## Shuriken's streams\n\n{_SHURIKEN_NOTES}",
        _figure_table(shuriken),
        f"## On a cluster\n\n{_CLUSTER_NOTES}",
        _ratio_table(cluster, with_limits=True),
        f"## On chain\n\n{_CHAIN_NOTES}",
        _figure_table(chain),
        "## Ratios for context\n",
        _ratio_table(context, with_limits=False),
        "## Updates a second\n\n" + _RATE_NOTES.format(input_len=rates.input_len / MIB),
    ]
    for shape, title in (
        ("lines", "One buffer of lines"),
        ("frames", "List of frames"),
    ):
        parts += [f"### {title}\n", _rate_table(rates, shape)]
    return "\n".join(parts)


def _ratio_table(rows: Sequence[Row], *, with_limits: bool) -> str:
    head = ["work", "ratio of times", "median", "quartiles", "pairs", "times"]
    if with_limits:
        head[2:2] = ["must", "aim"]
        head.append("verdict")
    return _table(head, (_ratio_cells(row, with_limits) for row in rows))


def _ratio_cells(row: Row, with_limits: bool) -> list[str]:
    ratio = row.ratio
    cells = [
        row.work,
        row.of,
        f"**{format_ratio(ratio.median)}**",
        f"{format_ratio(ratio.lower_quartile)} to {format_ratio(ratio.upper_quartile)}",
        str(ratio.n_pairs),
        f"{_time(ratio.over_ns)} / {_time(ratio.under_ns)}",
    ]
    if with_limits:
        sign = "≥" if row.better == "higher" else "<"
        limits = (row.must, row.aim)
        cells[2:2] = ["" if x is None else f"{sign} {x:g}" for x in limits]
        cells.append(row.verdict)
    return cells


def _figure_table(figures: Sequence[Figure]) -> str:
    head = ["what", "of", "unit", "must", "aim", "median", "quartiles", "runs"]
    rows = []
    for figure in figures:
        sign = "≥" if figure.better == "higher" else "<"
        rows.append(
            [
                figure.work,
                figure.of,
                figure.unit,
                *("" if x is None else f"{sign} {x:g}" for x in figure.limits),
                f"**{figure.shown}**",
                f"{format_ratio(figure.lower_quartile)} to"
                f" {format_ratio(figure.upper_quartile)}",
                str(figure.n),
                figure.verdict,
            ]
        )
    return _table([*head, "verdict"], rows)


def _head_and_rows(table: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    return table[0], table[1:]


def _memory_text(memory: PeakMemory | None) -> str:
    if memory is None:
        return "Not measured: no `/proc/self/status`, or no room on the disk.\n"
    verdict = "passed" if memory.passed else "MISSED"
    return (
        "A process maps a file of lines and decodes it with `decode_lines`: peak"
        f" resident memory **{memory.peak_len / MIB:,.0f} MiB**, of which"
        f" {memory.start_len / MIB:,.0f} MiB were there before the call. Limit: input"
        f" {memory.input_len / MIB:,.0f} + output {memory.output_len / MIB:,.0f} + 64 ="
        f" {memory.limit_len / MIB:,.0f} MiB: **{verdict}**.\n"
    )


def _rate_table(rates: Rates, shape: str) -> str:
    limits = rates.of(shape, "memcpy")
    rows = []
    for contender, title in TITLES.items():
        cells = [
            f"{format_ratio(rate / 1e6)} ({rate / limit:.3f})"
            for rate, limit in zip(rates.of(shape, contender), limits, strict=True)
        ]
        rows.append([title, *cells])
    return _table(["assets a message", *map(str, SIZES)], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _time(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"
