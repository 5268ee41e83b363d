"""How `watch` looks: lines of styled text that fit, whatever the terminal's size."""

from __future__ import annotations

import time
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from codec.cli.lines import Column, Line, clock_text, cropped, table_lines, title_line
from codec.cli.screen import Outcome, Screen
from codec.cli.text import decimal_text, printable
from codec.feeds.stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codec.cli.board import Board, Row
    from codec.cli.sources import LiveFeed, PriceFeed
    from codec.cli.window import Window
    from codec.feeds import AggregatorStats, Event

__all__ = ["Line", "View", "ages_text", "counts_of", "states_text", "updates_of"]

_BAD, _GOOD, _NOTE, _DIM = "bold red", "green", "yellow", "dim"
_STATE_STYLES = {"connected": "bold green", "failed": _BAD}
_EVENT_STYLES = {"state": "", "asset_back": ""}
_UNSHOWN = ("acknowledged",)
_MAX_NAME_LEN = 16
_MAX_EVENTS = 6
# What feeds count that should be zero, or small; not every feed has all of it.
_ODD = (
    ("gaps", "gaps", _NOTE),
    ("bad", "bad", _BAD),
    ("bad signatures", "bad_signatures", _BAD),
    ("bad publishers", "bad_publishers", _BAD),
    ("stale", "stale", _NOTE),
    ("backwards", "backwards", _NOTE),
    ("dropped", "dropped", _NOTE),
    ("reconnects", "reconnects", _NOTE),
    ("queue", "queued", ""),
)


@dataclass(frozen=True)
class View(Screen):
    """Live prices, looked at whenever they are drawn.

    place: what is read, for people. ids: the rows, in ascending order; has_ids: whether
    anybody but us knows assets by these numbers.
    """

    feed: PriceFeed
    board: Board
    window: Window
    ids: Sequence[int]
    names: Mapping[int, str]
    place: str
    is_verified: bool
    has_ids: bool = True

    def take(self, item: Any) -> None:
        self.board.add(item)

    def sample(self) -> None:
        stats = self.feed.stats
        self.window.add(
            time.monotonic(),
            stats.messages,
            updates_of(stats),
            self.feed.ages,
            self.board.counts,
        )

    @property
    def n_rows(self) -> int:
        return len(self.ids)

    def status(self) -> list[str]:
        window = self.window
        return [
            states_text(self.feed),
            f"{window.messages_per_s:,.0f} messages/s",
            f"{window.updates_per_s:,.0f} updates/s",
            ages_text(window.ages_s),
            *(f"{name} {n:,}" for name, n, _ in counts_of(self.feed.stats)),
        ]

    def outcome(self, seconds: float) -> Outcome:
        stats, board = self.feed.stats, self.board
        words = f"{stats.messages:,} messages, {updates_of(stats):,} updates"
        return Outcome(stats, words, seconds, board.n_verified, board.n_unverified)

    def lines(self, width: int, height: int, now_ns: int, *, hint: str) -> list[Line]:
        head = [title_line(self.place, hint, width), self._pulse(), self._faults()]
        n_event_lines = max(0, min(_MAX_EVENTS, height // 5 - 1))
        n_rows = height - len(head) - 3 - n_event_lines
        shown = self.ids[: max(n_rows, 1)]
        body = self._table(shown, width, now_ns)
        n_more = len(self.ids) - len(shown)
        body.append([(f"and {n_more:,} more", _DIM)] if n_more else [])
        left = height - len(head) - 1 - len(body)
        events = [_event_line(e) for e in self.feed.events if e.kind not in _UNSHOWN]
        n_events = min(left, max(n_event_lines, _MAX_EVENTS))
        lines = [*head, [], *body, *(events[-n_events:] if n_events > 0 else [])]
        return [cropped(line, width) for line in lines[:height]]

    def _pulse(self) -> Line:
        window = self.window
        return [
            *_states(self.feed),
            (f"  {window.messages_per_s:,.0f} messages/s", "bold"),
            (f"  {window.updates_per_s:,.0f} updates/s", ""),
            (f"  {ages_text(window.ages_s)}", ""),
        ]

    def _faults(self) -> Line:
        line: Line = []
        for name, n, style in counts_of(self.feed.stats):
            line += [("  " if line else "", ""), (f"{name} {n:,}", style if n else "")]
        return line

    def _table(self, ids: Sequence[int], width: int, now_ns: int) -> list[Line]:
        rows = self.board.rows(ids)
        rates = dict(zip(ids, self.window.rates(ids), strict=True))
        columns = [
            Column("id", [(str(row.asset_id), "") for row in rows]),
            Column("symbol", [self._name(row) for row in rows], is_left=True),
            Column("value", [_value(row) for row in rows]),
            Column("change", [_change(row, _exact) for row in rows], least=22),
            Column("change", [_change(row, _short) for row in rows], least=11),
            Column("%", [_change(row, _percent) for row in rows], least=7),
            Column("age", [(_age(row, now_ns), "") for row in rows], least=6),
            Column("rate/s", [(f"{rates[row.asset_id]:.1f}", "") for row in rows]),
            Column("verified", [_verified(row) for row in rows], is_left=True),
        ]
        if not self.has_ids:
            del columns[0]
        elif not self.names:
            del columns[1]
        return _fitted(columns, width)

    def _name(self, row: Row) -> tuple[str, str]:
        name = self.names.get(row.asset_id, "")
        return printable(name.encode("utf-8", "replace"), _MAX_NAME_LEN), "cyan"


def _fitted(columns: list[Column], width: int) -> list[Line]:
    """A title and the rows, of as many columns as fit, the worthiest of them."""
    changes = [column for column in columns if column.title == "change"]
    rest = [column for column in columns if column is not changes[0]]
    # The exact change where there is room for it, else the rounded one.
    candidates = [([c for c in columns if c is not changes[1]], 2), (rest, 2)]
    candidates.append((rest, 1))
    for title in ("rate/s", "change", "%", "symbol", "verified", "age"):
        rest = [column for column in rest if column.title != title]
        candidates += [(rest, 2), (rest, 1)]
    for fitting, gap in candidates:
        widths = [column.width for column in fitting]
        if sum(widths) + gap * (len(widths) - 1) <= width:
            break
    return table_lines(fitting, gap)


def states_text(feed: LiveFeed) -> str:
    """The connections' states."""
    return "".join(text for text, _ in _states(feed))


def _states(feed: LiveFeed) -> Line:
    line: Line = []
    for state in feed.states:
        style = _STATE_STYLES.get(state, _NOTE)
        line += [(", " if line else "", ""), (str(state), style)]
    return line


def ages_text(ages_s: tuple[float, float, float] | None) -> str:
    """The percentiles of the messages' ages in milliseconds."""
    if ages_s is None:
        return "age -"
    p50, p99, p999 = (f"{s * 1e3:.3g}" if s < 1 else f"{s * 1e3:.0f}" for s in ages_s)
    return f"age p50 {p50} p99 {p99} p99.9 {p999} ms"


def counts_of(stats: Stats | AggregatorStats) -> list[tuple[str, int, str]]:
    """What should be zero, or small: name, number, and the style where it is not 0."""
    counts = ((name, getattr(stats, field, None), style) for name, field, style in _ODD)
    return [(name, n, style) for name, n, style in counts if n is not None]


def updates_of(stats: Stats | AggregatorStats) -> int:
    """How many values came."""
    return stats.updates if isinstance(stats, Stats) else stats.aggregates


def _value(row: Row) -> tuple[str, str]:
    return ("-", _DIM) if row.value is None else (decimal_text(row.value), "bold")


def _change(row: Row, text: Callable[[int, int], str]) -> tuple[str, str]:
    if row.value is None or row.previous is None:
        return "-", _DIM
    change = row.value - row.previous
    style = _GOOD if change > 0 else "red" if change < 0 else _DIM
    return text(change, row.previous), style


def _exact(change: int, _: int) -> str:
    return f"{'+' if change >= 0 else ''}{decimal_text(change)}"


def _short(change: int, _: int) -> str:
    number = Decimal(change).scaleb(-18)
    return f"{number:+.3g}" if abs(number) < 1000 else f"{number:+.0f}"


def _percent(change: int, previous: int) -> str:
    if previous == 0:
        return "-"
    percent = Decimal(100 * change) / abs(previous)
    return f"{percent:+.4f}" if abs(percent) < 10**4 else f"{percent:+.1e}"


def _age(row: Row, now_ns: int) -> str:
    if row.value is None:
        return "-"
    seconds = (now_ns - row.timestamp_ns) / 1e9
    if seconds < 1:
        return f"{max(seconds, 0) * 1e3:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _verified(row: Row) -> tuple[str, str]:
    if row.verified is None:
        return "-", _DIM
    return ("yes", _GOOD) if row.verified else ("NO", _BAD)


def _event_line(event: Event) -> Line:
    clock = clock_text(event.time_ns)
    style = _EVENT_STYLES.get(event.kind, _NOTE)
    return [(f"{clock} ", _DIM), (printable(str(event).encode()), style)]
