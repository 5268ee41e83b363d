"""How `watch` shows Shuriken's streams: a row for each, and the newest events."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codec.cli.lines import Column, Line, clock_text, cropped, table_lines, title_line
from codec.cli.screen import Outcome, Screen
from codec.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codec.feeds.shuriken import ShurikenEvent, ShurikenFeed

__all__ = ["StreamView", "summary"]

_DIM, _NOTE, _GOOD, _BAD = "dim", "yellow", "green", "bold red"
_STATE_STYLES = {"connected": "bold green", "failed": _BAD}
_SPAN_S = 5.0
_MAX_EVENTS = 6  # of the connection
_MAX_NEWEST = 200
_MAX_FILTER_LEN = 28
_ODD = (
    ("bad", "bad", _BAD),
    ("outages", "outages", _NOTE),
    ("dropped", "dropped", _NOTE),
    ("reconnects", "reconnects", _NOTE),
    ("queue", "queued", ""),
)


@dataclass(slots=True)
class _Row:
    """A stream as it is now."""

    name: str
    given: str
    n_events: int = 0
    last_ns: int = 0
    newest: str = ""


class StreamView(Screen):
    """Events of streams, taken on one thread and shown by another."""

    def __init__(
        self,
        feed: ShurikenFeed,
        streams: Sequence[tuple[str, Mapping[str, str]]],
        place: str,
    ) -> None:
        self.place = place
        self._feed = feed
        self._lock = threading.Lock()
        self._rows = {
            _key(stream, given): _Row(stream, _filter_text(given))
            for stream, given in streams
        }
        self._newest: deque[Line] = deque(maxlen=_MAX_NEWEST)
        self._samples: deque[tuple[float, list[int]]] = deque()
        self._rates = [0.0] * len(self._rows)

    def take(self, item: ShurikenEvent) -> None:
        row = self._rows[_key(item.stream, item.filter)]
        text = summary(item)
        line = [
            (f"{clock_text(item.receive_ns)} ", _DIM),
            (f"{row.name} ", "cyan"),
            (text, _BAD if item.problem else ""),
        ]
        with self._lock:
            row.n_events += 1
            row.last_ns = item.receive_ns
            row.newest = text
            self._newest.append(line)

    def sample(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            counts = [row.n_events for row in self._rows.values()]
        samples = self._samples
        samples.append((now_s, counts))
        while now_s - samples[0][0] > _SPAN_S:
            samples.popleft()
        before_s, before = samples[0]
        span_s = max(now_s - before_s, 1e-9)
        if len(samples) > 1:
            self._rates = [
                (n - m) / span_s for n, m in zip(counts, before, strict=True)
            ]

    @property
    def n_rows(self) -> int:
        return len(self._rows) + min(len(self._newest), 10)

    def status(self) -> list[str]:
        return [
            str(self._feed.state),
            f"{sum(self._rates):,.0f} events/s",
            *(f"{name} {n:,}" for name, n, _ in self._counts()),
        ]

    def outcome(self, seconds: float) -> Outcome:
        stats = self._feed.stats
        return Outcome(stats, f"{stats.messages:,} events", seconds)

    def lines(self, width: int, height: int, now_ns: int, *, hint: str) -> list[Line]:
        state = str(self._feed.state)
        pulse: Line = [
            (state, _STATE_STYLES.get(state, _NOTE)),
            (f"  {sum(self._rates):,.0f} events/s", "bold"),
        ]
        for name, n, style in self._counts():
            pulse += [("  ", ""), (f"{name} {n:,}", style if n else "")]
        with self._lock:
            table = self._table(now_ns)
            newest = list(self._newest)
        happened = [
            _event_line(event)
            for event in self._feed.events
            if event.kind != "acknowledged"
        ]
        lines = [title_line(self.place, hint, width), pulse, [], *table, []]
        left = height - len(lines)
        n_happened = min(_MAX_EVENTS, len(happened), max(left // 3, 0))
        n_newest = max(left - n_happened - 1, 0)
        lines += newest[-n_newest:] if n_newest else []
        if n_happened:
            lines += [[], *happened[-n_happened:]]
        return [cropped(line, width) for line in lines[:height]]

    def _table(self, now_ns: int) -> list[Line]:
        rows = list(self._rows.values())
        columns = [
            Column("stream", [(row.name, "cyan") for row in rows], is_left=True),
            Column("filter", [(row.given, "") for row in rows], is_left=True),
            Column("events", [(f"{row.n_events:,}", "bold") for row in rows]),
            Column("rate/s", [(f"{rate:,.1f}", "") for rate in self._rates]),
            Column("age", [(_age(row.last_ns, now_ns), "") for row in rows], least=6),
            Column("newest", [(row.newest, "") for row in rows], is_left=True),
        ]
        return table_lines(columns, 2)

    def _counts(self) -> list[tuple[str, int, str]]:
        stats = self._feed.stats
        return [(name, getattr(stats, field), style) for name, field, style in _ODD]


def summary(event: ShurikenEvent) -> str:
    """What an event says, in a line, exact."""
    if event.problem:
        return printable(event.problem.encode())
    data: Any = event.data
    is_buy = getattr(data, "is_buy", None)
    if is_buy is None:
        raw = event.raw if isinstance(event.raw, bytes) else event.raw.encode()
        return printable(raw, 200)
    size = getattr(data, "size_usd", None)
    if size is None:
        size = getattr(data, "amount_usd", None)
    side = "buy " if is_buy else "sell"
    return f"{side} {size} USD at {data.price_usd} USD"


def _key(stream: str, given: Mapping[str, str]) -> tuple[str, tuple[Any, ...]]:
    return stream, tuple(sorted(given.items()))


def _filter_text(given: Mapping[str, str]) -> str:
    text = " ".join(f"{name}={value}" for name, value in given.items())
    return printable(text.encode(), _MAX_FILTER_LEN)


def _age(last_ns: int, now_ns: int) -> str:
    if not last_ns:
        return "-"
    seconds = max(now_ns - last_ns, 0) / 1e9
    return f"{seconds * 1e3:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"


def _event_line(event: Any) -> Line:
    style = "" if event.kind == "state" else _NOTE
    clock = (f"{clock_text(event.time_ns)} ", _DIM)
    return [clock, (printable(str(event).encode()), style)]
