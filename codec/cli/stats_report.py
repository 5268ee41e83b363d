"""What `stats` tells: the chosen assets in order, and all of it for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from codec.cli.text import decimal_text
from codec.errors import ErrorCode
from codec.summary import UNKNOWN_KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.summary import Extent, Flow, Summary, Trace
    from codec.taxonomy import Taxonomy

__all__ = ["PERCENTS", "AssetRow", "Report", "kind_text"]

PERCENTS = (50, 90, 99, 99.9, 100)
_UNSIGNED = 0


class AssetRow(NamedTuple):
    """An asset, its name or "", and what its values were."""

    taxonomy_id: int
    asset_id: int
    symbol: str
    extent: Extent

    @property
    def change(self) -> int:
        """The last value less the first, scaled by 10^18."""
        return self.extent.last - self.extent.first

    @property
    def percent(self) -> Fraction | None:
        """The change in percent of the first value's size; None where that is 0."""
        first = abs(self.extent.first)
        return Fraction(100 * self.change, first) if first else None


@dataclass(slots=True)
class Report:
    """A summary, and what of it is to be shown.

    channel: the one whose grid has gaps. wanted: None for all assets; a taxonomy id
    may be None, for any. top: 0 for all. is_whole: all of the input was read.
    """

    summary: Summary[Trace]
    text: str
    channel: str | None
    taxonomy: Taxonomy | None
    wanted: Sequence[tuple[int | None, int]] | None
    sort: str
    top: int
    is_whole: bool = True

    @property
    def assets(self) -> list[tuple[int, int]]:
        """Those that are wanted, the most active first."""
        assets = self.summary.assets
        if self.wanted is None:
            return assets
        wanted = set(self.wanted)
        return [a for a in assets if a in wanted or (None, a[1]) in wanted]

    def rows(self) -> list[AssetRow]:
        """The assets to be shown, in their order."""
        chosen = self.assets
        if self.sort == "updates" and self.top:
            chosen = chosen[: self.top]
        rows = [
            AssetRow(*asset, self.symbol(asset), self.summary.extent(asset))
            for asset in chosen
        ]
        if self.sort == "asset":
            rows.sort(key=lambda row: row[:2])
        elif self.sort == "symbol":
            rows.sort(key=lambda row: (not row.symbol, row.symbol, row[:2]))
        elif self.sort == "change":
            rows.sort(key=_by_change)
        return rows[: self.top or None]

    def symbol(self, asset: tuple[int, int]) -> str:
        """An asset's name, "" where it has none."""
        if self.taxonomy is None:
            return ""
        return self.taxonomy.symbol(asset[1], asset[0]) or ""

    def bad(self) -> dict[ErrorCode, int]:
        """How many messages could not be decoded, by reason, the commonest first."""
        found = {code: int(self.summary.n_errors[code]) for code in ErrorCode}
        ranked = sorted(found.items(), key=lambda item: -item[1])
        return {code: n for code, n in ranked if n}

    def as_dict(self) -> dict[str, Any]:
        """All of it; values as decimal strings, times and durations in ns."""
        flow = self.summary.flow
        result: dict[str, Any] = {
            "input": self.text,
            "is_whole": self.is_whole,
            "messages": flow.n_messages,
            "updates": flow.n_updates,
            "first_ns": flow.first_ns,
            "last_ns": flow.last_ns,
            "messages_per_s": flow.messages_per_s,
            "updates_per_s": flow.updates_per_s,
            "kinds": {kind_text(*kind): n for kind, n in flow.by_kind.items()},
            "taxonomies": {str(name): n for name, n in flow.by_taxonomy.items()},
            "n_assets": len(self.summary.assets),
            "bad": {str(code): n for code, n in self.bad().items()},
            "backwards": flow.n_backwards,
            "longest_silence": _longest_silence(flow),
            "between_timestamps_ns": _percentiles(flow.between_timestamps),
            "between_receive_times_ns": _percentiles(flow.between_receive_times),
            "latency_ns": _percentiles(flow.latency),
        }
        if self.channel is not None:
            result["gaps"] = {
                "channel": self.channel,
                "gaps": flow.n_gaps,
                "missing": flow.n_missing,
            }
        result["assets"] = [_asset_dict(row) for row in self.rows()]
        return result


def kind_text(kind: int, layout: int) -> str:
    """A kind of message for people."""
    if kind == UNKNOWN_KIND:
        return "rows of a table"
    return "unsigned" if kind == _UNSIGNED else f"signed, layout {layout}"


def _by_change(row: AssetRow) -> tuple[bool, Fraction, tuple[int, int]]:
    """Greatest percentage first; those without one at the end."""
    percent = row.percent
    return percent is None, -abs(percent or Fraction(0)), (row[0], row[1])


def _percentiles(durations: Any) -> dict[str, int]:
    found = durations.percentiles(PERCENTS)
    return {f"p{p}": ns for p, ns in zip(PERCENTS, found, strict=False)}


def _longest_silence(flow: Flow) -> dict[str, int] | None:
    if not flow.silences:
        return None
    longest = max(flow.silences, key=lambda silence: silence.length_ns)
    return {"start_ns": longest.start_ns, "end_ns": longest.end_ns}


def _asset_dict(row: AssetRow) -> dict[str, Any]:
    extent = row.extent
    return {
        "taxonomy_id": row.taxonomy_id,
        "asset_id": row.asset_id,
        "symbol": row.symbol or None,
        "updates": extent.n_updates,
        "first_ns": extent.first_ns,
        "last_ns": extent.last_ns,
        "first": decimal_text(extent.first),
        "last": decimal_text(extent.last),
        "low": decimal_text(extent.low),
        "high": decimal_text(extent.high),
        "change": decimal_text(row.change),
        "change_percent": None if row.percent is None else float(row.percent),
    }
