"""A row of the ratio table: what is compared, its limits, and whether it kept them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bench.timing import Ratio

__all__ = ["Better", "Row", "Verdict", "format_ratio", "verdict"]

Better = Literal["higher", "lower"]
Verdict = Literal["aim reached", "passed", "MISSED", ""]


@dataclass(frozen=True)
class Row:
    """`ratio` is that of the two times named in `of`; without `must` only a context."""

    work: str
    of: str
    ratio: Ratio
    must: float | None = None
    aim: float | None = None
    better: Better = "higher"

    @property
    def verdict(self) -> Verdict:
        return verdict(self.ratio.median, self.must, self.aim, self.better)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def verdict(
    measured: float, must: float | None, aim: float | None, better: Better
) -> Verdict:
    """Limits are inclusive where higher is better and exclusive where lower is."""
    if must is None:
        return ""
    if aim is not None and _holds(measured, aim, better):
        return "aim reached"
    return "passed" if _holds(measured, must, better) else "MISSED"


def format_ratio(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _holds(measured: float, limit: float, better: Better) -> bool:
    return measured >= limit if better == "higher" else measured < limit
