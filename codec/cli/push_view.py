"""How `push` looks: lines of styled text that fit, whatever the terminal's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codec.chain.events import ChainEventKind
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.quantities import ether_text
from codec.chain.push.rules import change_of
from codec.chain.push.state import PusherState, PushState
from codec.cli.lines import (
    Column,
    Line,
    clock_text,
    cropped,
    table_lines,
    title_line,
)
from codec.cli.text import printable, short_decimal
from codec.cli.watch_view import states_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from codec.chain import ChainEvent, Pusher
    from codec.chain.push.state import AssetStatus, Push, Status

__all__ = ["PushView"]

_BAD, _GOOD, _NOTE, _DIM = "bold red", "green", "yellow", "dim"
_STATE_STYLES = {PusherState.WATCHING: _GOOD, PusherState.WAITING: _BAD}
_PUSH_STYLES = {
    PushState.CONFIRMED: _GOOD,
    PushState.DRY: _GOOD,
    PushState.OUT: "bold",
    PushState.REVERTED: _BAD,
    PushState.UNRESOLVED: _BAD,
}
_SHOWN_EVENTS = {
    ChainEventKind.NODE_FAILED: _NOTE,
    ChainEventKind.NODE_BACK: "",
    ChainEventKind.WRONG_CHAIN: _BAD,
    ChainEventKind.SEND_FAILED: _NOTE,
    ChainEventKind.REPLACED: _NOTE,
    ChainEventKind.REORGANISED: _NOTE,
    ChainEventKind.NONCE_REPAIRED: _NOTE,
    ChainEventKind.FEE_CHANGED: _NOTE,
    ChainEventKind.SIGNERS_CHANGED: _NOTE,
    ChainEventKind.WAITING: _BAD,
    ChainEventKind.RESUMED: _GOOD,
    ChainEventKind.UNRESOLVED: _BAD,
}
_MAX_NAME_LEN = 16
_MAX_PUSHES = 5
_MAX_EVENTS = 4


@dataclass(frozen=True, slots=True)
class PushView:
    """All that the screen shows, looked at whenever it is drawn. place: from where to
    where, for people."""

    pusher: Pusher
    names: Mapping[int, str]
    place: str

    def pulse(self) -> str:
        """The state in a line."""
        status = self.pusher.status()
        lines = [self._state(status), _money(status), *_obstacles(status)]
        return "  ".join("".join(text for text, _ in line) for line in lines)

    def lines(self, width: int, height: int, *, hint: str) -> list[Line]:
        """As many lines as fit, none wider than `width`."""
        status = self.pusher.status()
        head = [
            title_line(self.place, hint, width),
            self._state(status),
            _money(status),
            *_obstacles(status),
        ]
        pushes = [self._push(push) for push in reversed(status.pushes)]
        events = [_event(event) for event in self.pusher.events if _is_shown(event)]
        left = height - len(head) - 3
        n_events = max(0, min(_MAX_EVENTS, len(events), left // 4))
        n_pushes = max(0, min(_MAX_PUSHES, len(pushes), left // 3))
        n_rows = left - n_events - n_pushes - 1
        shown = status.assets[: max(n_rows, 1)]
        body = self._table(shown, status, width)
        if len(status.assets) > len(shown):
            body.append([(f"and {len(status.assets) - len(shown):,} more", _DIM)])
        lines = [*head, [], *body, [], *pushes[:n_pushes]]
        lines += events[len(events) - n_events :]
        return [cropped(line, width) for line in lines[:height]]

    def _state(self, status: Status) -> Line:
        counts = status.counts
        line: Line = [
            (str(status.state), _STATE_STYLES.get(status.state, _NOTE)),
            (f"  feed {states_text(self.pusher.feed)}", ""),
            (f"  {status.n_messages:,} messages", ""),
        ]
        if status.n_bad:
            line.append((f"  {status.n_bad:,} badly signed", _NOTE))
        for state in (PushState.CONFIRMED, PushState.DRY):
            if state in counts or (state is PushState.CONFIRMED) is not self._is_dry:
                line.append((f"  {state} {counts.get(state, 0):,}", "bold"))
        for state in (PushState.REFUSED, PushState.REVERTED, PushState.FAILED):
            if counts.get(state):
                line.append((f"  {state} {counts[state]:,}", _NOTE))
        return line

    @property
    def _is_dry(self) -> bool:
        return self.pusher.dry_run

    def _table(
        self, assets: Sequence[AssetStatus], status: Status, width: int
    ) -> list[Line]:
        columns = [
            Column("id", [(str(asset.asset_id), "") for asset in assets]),
            Column("symbol", [self._name(asset) for asset in assets], is_left=True),
            Column("value", [_value(asset) for asset in assets], least=11),
            Column("pushed", [_pushed(asset) for asset in assets], least=11),
            Column("change", [_change(asset) for asset in assets], least=8),
            Column("ago", [_ago(asset, status.now_s) for asset in assets], least=6),
            Column("pushes", [(f"{asset.n_pushes:,}", "") for asset in assets]),
            Column("rule", [(str(a.rule), _DIM) for a in assets], is_left=True),
        ]
        if not self.names:
            del columns[1]
        for title in ("", "rule", "pushes", "ago", "symbol", "pushed", "change"):
            columns = [column for column in columns if column.title != title]
            for gap in (2, 1):
                widths = [column.width for column in columns]
                if sum(widths) + gap * (len(widths) - 1) <= width:
                    return table_lines(columns, gap)
        return table_lines(columns, 1)

    def _name(self, asset: AssetStatus) -> tuple[str, str]:
        name = self.names.get(asset.asset_id, "")
        return printable(name.encode("utf-8", "replace"), _MAX_NAME_LEN), "cyan"

    def _push(self, push: Push) -> Line:
        names = [
            f"{self.pusher.name(asset_id)} {why}"
            for asset_id, why in list(push.reasons.items())[:3]
        ]
        if len(push.reasons) > 3:
            names.append(f"{len(push.reasons) - 3:,} more")
        line: Line = [
            (f"{clock_text(push.time_ns)} ", _DIM),
            (str(push.state), _PUSH_STYLES.get(push.state, _NOTE)),
            (f"  {_plain(', '.join(names))}", ""),
        ]
        if push.cost_wei:
            line.append((f"  {ether_text(push.cost_wei)}", ""))
        if push.state is not PushState.OUT:
            line.append((f"  in {push.took_s:.1f} s", _DIM))
        if push.hashes:
            line.append((f"  {push.hashes[-1]}", _DIM))
        if push.reason:
            line.append((f"  {_plain(push.reason)}", _NOTE))
        return line


def _money(status: Status) -> Line:
    line: Line = []
    if status.balance_wei is None:
        line.append(("balance unknown", _NOTE))
    else:
        is_low = any(o.kind is Hindrance.BALANCE_LOW for o in status.obstacles)
        text = f"balance {ether_text(status.balance_wei)}"
        line.append((text, _BAD if is_low else ""))
    if status.fee_wei is not None:
        line.append((f"  fee {ether_text(status.fee_wei)}", ""))
    line.append((f"  spent {ether_text(status.spent_wei)}", "bold"))
    if status.max_wei_per_hour is not None:
        line.append((f" of {ether_text(status.max_wei_per_hour)}", ""))
    line.append((" in the last hour", ""))
    if status.total_wei != status.spent_wei:
        line.append((f", {ether_text(status.total_wei)} in all", ""))
    return line


def _obstacles(status: Status) -> list[Line]:
    return [
        [
            (f"{obstacle.kind}", _BAD),
            (f" for {_seconds_text(status.now_s - obstacle.since_s)}: ", _BAD),
            (_plain(obstacle.reason), _NOTE),
        ]
        for obstacle in status.obstacles
    ]


def _value(asset: AssetStatus) -> tuple[str, str]:
    if asset.newest is None:
        return "-", _DIM
    return short_decimal(asset.newest.value), "bold"


def _pushed(asset: AssetStatus) -> tuple[str, str]:
    if asset.confirmed is None:
        return "-", _DIM
    return short_decimal(asset.confirmed.value), ""


def _change(asset: AssetStatus) -> tuple[str, str]:
    if asset.newest is None or asset.confirmed is None:
        return "-", _DIM
    change = change_of(asset.confirmed.value, asset.newest.value)
    if change is None:
        return "-", _DIM
    style = _GOOD if change > 0 else "red" if change < 0 else _DIM
    percent = float(change)
    text = f"{percent:+.3f}%" if abs(percent) < 10**4 else f"{percent:+.1e}%"
    return text, style


def _ago(asset: AssetStatus, now_s: float) -> tuple[str, str]:
    if asset.confirmed is None:
        return "-", _DIM
    return _seconds_text(now_s - asset.confirmed.received_s), ""


def _seconds_text(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _is_shown(event: ChainEvent) -> bool:
    return event.kind in _SHOWN_EVENTS


def _event(event: ChainEvent) -> Line:
    text = f"{event.kind}: {event.text}" if event.place is None else str(event)
    return [
        (f"{clock_text(event.time_ns)} ", _DIM),
        (_plain(text), _SHOWN_EVENTS[event.kind]),
    ]


def _plain(text: str) -> str:
    return printable(text.encode("utf-8", "backslashreplace"))
