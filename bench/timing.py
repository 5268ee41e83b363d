"""Times two pieces of work in turn, A B A B ..., and gives the ratio of each pair.

The machine may be shared: what slows one side of a pair is likely to slow the other as
well, so the median of the pairs' ratios is steadier than a ratio of two medians.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from statistics import median, quantiles
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

__all__ = [
    "Budget",
    "Copy",
    "Ratio",
    "Side",
    "balanced",
    "consume",
    "interleave",
    "looped",
    "no_gc",
    "ratio_of",
    "times_ns",
]


@dataclass(frozen=True)
class Side:
    """One of two things compared. `n_calls`: how often one `run` does it.

    `run` is timed with the release of its result, `prepare` before it is not timed.
    """

    run: Callable[[], object]
    n_calls: int = 1
    prepare: Callable[[], object] | None = None


@dataclass(frozen=True)
class Budget:
    """Pairs are measured until `seconds` have passed, within the two bounds."""

    seconds: float
    min_pairs: int = 5
    max_pairs: int = 500


@dataclass(frozen=True)
class Ratio:
    """Time of one side divided by the time of the other, over all pairs."""

    median: float
    lower_quartile: float
    upper_quartile: float
    n_pairs: int
    over_ns: float
    """Median time of one call of the side above the line."""
    under_ns: float
    """The same of the side below it."""


@contextmanager
def no_gc() -> Iterator[None]:
    """Collects garbage, then lets none be collected."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def interleave(over: Side, under: Side, budget: Budget) -> Ratio:
    """The ratio `over` / `under`; one pair is run before, untimed."""
    over_ns: list[int] = []
    under_ns: list[int] = []
    with no_gc():
        _time_ns(over)
        _time_ns(under)
        end = perf_counter_ns() + int(budget.seconds * 1e9)
        while len(over_ns) < budget.max_pairs and (
            len(over_ns) < budget.min_pairs or perf_counter_ns() < end
        ):
            over_ns.append(_time_ns(over))
            under_ns.append(_time_ns(under))
    return ratio_of(
        [ns / over.n_calls for ns in over_ns], [ns / under.n_calls for ns in under_ns]
    )


def times_ns(side: Side, budget: Budget) -> list[float]:
    """Times of one call; one run is done before, untimed."""
    times: list[float] = []
    with no_gc():
        _time_ns(side)
        end = perf_counter_ns() + int(budget.seconds * 1e9)
        while len(times) < budget.max_pairs and (
            len(times) < budget.min_pairs or perf_counter_ns() < end
        ):
            times.append(_time_ns(side) / side.n_calls)
    return times


def balanced(over: Side, under: Side) -> tuple[Side, Side]:
    """Both, the shorter one repeated until it takes about as long as the other.

    For sides that differ much: while others use the processor, what takes a millisecond
    often escapes them and what takes fifty does not, so that the ratio of such a pair
    would be too large.
    """
    times = []
    for side in (over, under):
        _time_ns(side)
        times.append(min(_time_ns(side) for _ in range(3)))
    over_ns, under_ns = times
    return (
        _repeated(over, round(under_ns / max(over_ns, 1))),
        _repeated(under, round(over_ns / max(under_ns, 1))),
    )


def _repeated(side: Side, n: int) -> Side:
    if n <= 1:
        return side

    def run() -> None:
        for _ in repeat(None, n):
            side.run()

    return Side(run, side.n_calls * n, side.prepare)


def _time_ns(side: Side) -> int:
    if side.prepare is not None:
        side.prepare()
    run = side.run
    start = perf_counter_ns()
    run()
    return perf_counter_ns() - start


def ratio_of(over_ns: list[float], under_ns: list[float]) -> Ratio:
    """The ratio from the times of all pairs (two at least)."""
    ratios = [a / b for a, b in zip(over_ns, under_ns, strict=True)]
    lower, middle, upper = quantiles(ratios, n=4, method="inclusive")
    return Ratio(middle, lower, upper, len(ratios), median(over_ns), median(under_ns))


def looped(function: Callable[[Any], object], argument: object, n: int) -> Side:
    """`n` calls with one argument, in a loop that is the same for every function."""

    def run() -> None:
        for _ in repeat(None, n):
            function(argument)

    return Side(run, n)


def consume(function: Callable[[Any], object], arguments: list[Any]) -> Side:
    """A call for each argument, by the loop that costs least; results are dropped."""

    def run() -> None:
        for _ in map(function, arguments):
            pass

    return Side(run)


class Copy:
    """memcpy of a buffer into memory that has been written before: the limit."""

    def __init__(self, source: bytes | NDArray[Any]) -> None:
        self.source = np.frombuffer(source, np.uint8)
        self.target = self.source.copy()
        self._arguments = (
            self.target.ctypes.data,
            self.source.ctypes.data,
            self.source.nbytes,
        )

    def __call__(self) -> None:
        ctypes.memmove(*self._arguments)

    def part(self, start: int, end: int) -> Callable[[], object]:
        """A copy of the bytes from `start` to `end` only."""
        target, source, _ = self._arguments
        return lambda: ctypes.memmove(target + start, source + start, end - start)
