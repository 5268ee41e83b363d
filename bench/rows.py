"""Rows of the tables: what was compared or measured, and whether it kept its limits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.timing import Ratio

__all__ = ["Better", "Figure", "Row", "Verdict", "format_ratio", "verdict"]

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

    @property
    def label(self) -> str:
        return f"{self.of}: {self.work}"

    @property
    def shown(self) -> str:
        return format_ratio(self.ratio.median)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


@dataclass(frozen=True)
class Figure:
    """What is no ratio: the median of n measurements in a unit, with quartiles.

    work, of: what was measured, and about whom.
    """

    work: str
    of: str
    unit: str
    median: float
    lower_quartile: float
    upper_quartile: float
    n: int
    must: float | None = None
    aim: float | None = None
    better: Better = "lower"

    @classmethod
    def from_all(
        cls, work: str, of: str, unit: str, measured: Sequence[float], **limits: Any
    ) -> Self:
        """Of all that was measured."""
        lower = middle = upper = measured[0]
        if len(measured) > 1:
            lower, middle, upper = quantiles(measured, n=4, method="inclusive")
        return cls(work, of, unit, middle, lower, upper, len(measured), **limits)

    @property
    def verdict(self) -> Verdict:
        return verdict(self.median, self.must, self.aim, self.better)

    @property
    def limits(self) -> tuple[float | None, float | None]:
        return self.must, self.aim

    @property
    def label(self) -> str:
        return f"{self.of}, {self.unit}: {self.work}"

    @property
    def shown(self) -> str:
        return format_ratio(self.median)

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
    if abs(value) < 1e-3:
        return f"{value:.3g}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def _holds(measured: float, limit: float, better: Better) -> bool:
    return measured >= limit if better == "higher" else measured < limit
