"""How `stats` looks: what the input is like, and a table of assets that fits."""

from __future__ import annotations

import os
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rich.text import Text

from codec.cli.sparkline import columns, ramp, sparkline
from codec.cli.stats_report import PERCENTS, AssetRow, kind_text
from codec.cli.tally import HARMLESS
from codec.cli.terminal import BAD, NOTE, console, table
from codec.cli.text import (
    decimal_text,
    duration_text,
    printable,
    short_decimal,
    utc_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from rich.console import Console
    from rich.table import Table

    from codec.cli.stats_report import Report
    from codec.errors import ErrorCode
    from codec.summary import Flow, Summary, Trace

__all__ = ["show"]

_UNLIMITED = 10_000  # columns, where there is no terminal
_CURVE_LENS = (32, 16, 9)
_MAX_NAME_LEN = 20
_GAP = 2


def show(report: Report) -> None:
    """Prints a report to standard output."""
    out = console()
    width = out.width if out.is_terminal or "COLUMNS" in os.environ else _UNLIMITED
    out.width = width
    out.print(Text(printable(os.fsencode(report.text)), "bold"), soft_wrap=True)
    if not report.is_whole:
        out.print(Text("ended early: this is what was read", NOTE))
    out.print()
    for name, text in _facts(report):
        out.print(Text.assemble((f"{name:10}", "bold"), text))
    rows = report.rows()
    if report.summary.flow.n_messages:
        _print(out, _durations(report.summary.flow))
    if rows:
        fitted = _fitted(report, rows, width)
        _print(out, fitted.table)
        for note in _notes(report, len(rows), fitted.is_rounded):
            out.print(Text(note, "dim"))


def _print(out: Console, shown: Table) -> None:
    """Prints a table below an empty line, without blanks at the end of its lines where
    they only fill a file."""
    if not shown.row_count:
        return
    out.print()
    if out.is_terminal:
        out.print(shown)
        return
    with out.capture() as capture:
        out.print(shown)
    for line in capture.get().splitlines():
        out.print(Text(line.rstrip()), soft_wrap=True)


def _notes(report: Report, n_rows: int, is_rounded: bool) -> Iterator[str]:
    if n_more := len(report.assets) - n_rows:
        yield f"and {n_more:,} more assets: --top"
    if is_rounded:
        yield "values are rounded to fit: a pipe or --json has all digits"
    if n_untold := report.summary.n_untold:
        yield f"{n_untold:,} updates of further assets are only counted"


def _facts(report: Report) -> Iterator[tuple[str, Text]]:
    """What there is to say about the input as a whole."""
    flow = report.summary.flow
    if flow.first_ns is not None and flow.last_ns is not None:
        span = duration_text(flow.span_ns)
        yield "from", Text(utc_text(flow.first_ns))
        yield "to", Text.assemble(utc_text(flow.last_ns), (f"  {span}", "bold"))
    kinds = ", ".join(
        f"{n:,} {kind_text(*kind)}" for kind, n in sorted(flow.by_kind.items())
    )
    yield "messages", _counted(flow.n_messages, flow.messages_per_s, kinds)
    yield "updates", _counted(flow.n_updates, flow.updates_per_s, "")
    yield "assets", _assets_text(report)
    if bad := report.bad():
        yield "bad", _bad_text(bad)
    if report.channel is not None:
        yield "gaps", _gaps_text(flow, report.channel)
    if flow.silences:
        longest = max(flow.silences, key=lambda silence: silence.length_ns)
        style = NOTE if longest in flow.pauses() else ""
        length = duration_text(longest.length_ns)
        text = f"{length} at most, from {utc_text(longest.start_ns)}"
        yield "silence", Text(text, style)
    if flow.n_backwards:
        yield "backwards", Text(f"{flow.n_backwards:,} timestamps", NOTE)


def _durations(flow: Flow) -> Table:
    """Percentiles, one line for each kind of duration that is known."""
    titles = ["most" if p == 100 else f"p{p:g}" for p in PERCENTS]
    result = table("", *(f">{title}" for title in titles), "")
    received = "" if flow.all_received else f"{flow.n_received:,} messages"
    for name, durations, words in (
        ("between timestamps", flow.between_timestamps, ""),
        ("between receive times", flow.between_receive_times, received),
        ("receive time less timestamp", flow.latency, received),
    ):
        found = durations.percentiles(PERCENTS)
        if found:
            texts = [duration_text(ns, 3) for ns in found]
            result.add_row(Text(name, "bold"), *texts, Text(words, "dim"))
    return result


def _assets_text(report: Report) -> Text:
    names = sorted(report.summary.flow.by_taxonomy)
    if not names:
        return Text("0")
    shown = ", ".join(map(str, names[:8])) + (", ..." if len(names) > 8 else "")
    noun = "taxonomy" if len(names) == 1 else "taxonomies"
    n = f"{len(report.summary.assets):,}"
    return Text.assemble((n, "bold"), (f"  {noun} {shown}", "dim"))


def _counted(n: int, per_s: float | None, words: str) -> Text:
    rate = "" if per_s is None else f"  {_rate_text(per_s)}/s"
    return Text.assemble((f"{n:,}", "bold"), rate, (f"  {words}" * bool(words), "dim"))


def _rate_text(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 1000 else f"{per_s:.3g}"


def _bad_text(bad: Mapping[ErrorCode, int]) -> Text:
    total = sum(n for code, n in bad.items() if code not in HARMLESS)
    words = ", ".join(f"{code} {n:,}" for code, n in bad.items())
    return Text.assemble((f"{total:,}", BAD if total else ""), f"  {words}")


def _gaps_text(flow: Flow, channel: str) -> Text:
    if not flow.n_gaps:
        return Text(f"none on the {channel} channel", "green")
    messages = "message" if flow.n_missing == 1 else "messages"
    gaps = "gap" if flow.n_gaps == 1 else "gaps"
    return Text(
        f"{flow.n_missing:,} {messages} missing in {flow.n_gaps:,} {gaps}"
        f" on the {channel} channel",
        NOTE,
    )


class _Fitted(NamedTuple):
    table: Table
    is_rounded: bool


class _Column(NamedTuple):
    """A title, with ">" before it for numbers, and its cells."""

    title: str
    cells: list[Text]

    @property
    def width(self) -> int:
        title_len = len(self.title.removeprefix(">"))
        return max(title_len, *(cell.cell_len for cell in self.cells))


def _fitted(report: Report, rows: list[AssetRow], width: int) -> _Fitted:
    """As much as fits: values in full, else rounded, else fewer of them."""
    several = len({row.taxonomy_id for row in rows}) > 1
    head = [_Column(">asset", [_id_text(row, several) for row in rows])]
    if any(row.symbol for row in rows):
        head.append(_Column("symbol", [_name(row) for row in rows]))
    counts = _Column(">updates", [Text(f"{row.extent.n_updates:,}") for row in rows])
    percent = _Column(">change", [_percent(row) for row in rows])
    chosen = [*head, percent]
    is_rounded = False
    for columns_, rounded, curve_len in _layouts(rows):
        tried = [*head, counts, *columns_, percent]
        if sum(column.width + _GAP for column in tried) + curve_len <= width:
            curves = _curves(report, rows, curve_len)
            chosen, is_rounded = [*tried, _Column("over time", curves)], rounded
            break
    result = table(*(column.title for column in chosen))
    for cells in zip(*(column.cells for column in chosen), strict=True):
        result.add_row(*cells)
    for column in result.columns:
        column.no_wrap = True
    return _Fitted(result, is_rounded)


def _layouts(rows: list[AssetRow]) -> Iterator[tuple[list[_Column], bool, int]]:
    """Columns of values, whether they are rounded, and the length of the sparkline; the
    best first."""
    values = {
        name: [getattr(row.extent, name) for row in rows]
        for name in ("first", "last", "low", "high")
    }
    exact = [_Column(f">{name}", _exact(row)) for name, row in values.items()]
    short = [
        _Column(f">{name}", [Text(short_decimal(value)) for value in row])
        for name, row in values.items()
    ]
    for some, is_rounded in (
        (exact, False),
        (short, True),
        (short[1:], True),
        (short[1:2], True),
    ):
        for curve_len in _CURVE_LENS:
            yield some, is_rounded, curve_len


def _id_text(row: AssetRow, with_taxonomy: bool) -> Text:
    taxonomy = f"{row.taxonomy_id}/" if with_taxonomy else ""
    return Text(f"{taxonomy}{row.asset_id}")


def _name(row: AssetRow) -> Text:
    data = row.symbol.encode("utf-8", "replace")
    return Text(printable(data, _MAX_NAME_LEN), "cyan")


def _exact(values: Sequence[int]) -> list[Text]:
    """All digits; as many decimal places for all as the longest needs."""
    texts = [decimal_text(value) for value in values]
    n_zeros = min(len(text) - len(text.rstrip("0")) for text in texts)
    n_cut = 19 if n_zeros >= 18 else n_zeros  # the point, too
    return [Text(text[: len(text) - n_cut]) for text in texts]


def _percent(row: AssetRow) -> Text:
    style = "green" if row.change > 0 else "red" if row.change < 0 else "dim"
    if row.percent is None:
        return Text("-" if row.change else "0 %", style)
    percent = float(row.percent)
    shown = f"{percent:+.2f}" if abs(percent) < 1e5 else f"{percent:+.1e}"
    if 0 < abs(percent) < 0.095:
        shown = f"{percent:+.2g}" if abs(percent) >= 1e-4 else f"{percent:+.0e}"
    return Text(f"{shown} %" if row.change else "0 %", style)


def _curves(report: Report, rows: list[AssetRow], width: int) -> list[Text]:
    characters = ramp(sys.stdout.encoding)
    bins = report.summary.bins
    is_pause = _pauses(report.summary)
    result = []
    for row in rows:
        place = report.summary.place((row.taxonomy_id, row.asset_id))
        heights = np.empty(0)
        if place is not None:
            heights = columns(bins.values(place), is_pause, width)
        style = "green" if row.change > 0 else "red" if row.change < 0 else "dim"
        result.append(Text(sparkline(heights, characters), style))
    return result


def _pauses(summary: Summary[Trace]) -> NDArray[np.bool_]:
    """Which bins lie within a pause."""
    starts = summary.bins.starts_ns()
    result = np.zeros(len(starts), bool)
    for pause in summary.flow.pauses():
        # From the first bin after its beginning to the last before its end.
        first = bisect_right(starts, pause.start_ns)
        result[first : bisect_right(starts, pause.end_ns) - 1] = True
    return result
