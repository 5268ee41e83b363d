"""Sparklines: a curve in one line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BLOCKS", "PLAIN", "columns", "ramp", "sparkline"]

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.,-~+*#"  # for outputs that have no other characters


def ramp(encoding: str | None) -> str:
    """The characters for an output of that encoding, from low to high."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return PLAIN
    return BLOCKS


def columns(
    values: NDArray[np.float64], is_pause: NDArray[np.bool_], width: int
) -> NDArray[np.float64]:
    """Bins as `width` columns at most, each with the last value that stands by then.

    A value stays what it is until the next one; but there is NaN before the first, and
    where all of a column is a pause.
    """
    if not len(values):
        return values
    latest = np.maximum.accumulate(
        np.where(np.isnan(values), -1, np.arange(len(values)))
    )
    held = np.where(latest >= 0, values[latest], np.nan)
    n = min(width, len(values))
    ends = (np.arange(1, n + 1) * len(values) + n - 1) // n
    result = held[ends - 1]
    n_awake = np.concatenate(([0], np.cumsum(~is_pause)))
    result[np.diff(n_awake[ends], prepend=0) == 0] = np.nan
    return result


def sparkline(heights: NDArray[np.float64], characters: str) -> str:
    """A character for each height; a blank for NaN, the middle where all are alike."""
    known = ~np.isnan(heights)
    if not known.any():
        return " " * len(heights)
    low, high = heights[known].min(), heights[known].max()
    n = len(characters)
    levels = np.full(len(heights), n // 2 - 1)
    if high > low:
        # Halves first: the difference of two floats can be too great for one.
        share = (heights[known] / 2 - low / 2) / (high / 2 - low / 2)
        levels[known] = np.minimum((share * n).astype(int), n - 1)
    return "".join(
        characters[level] if is_known else " "
        for level, is_known in zip(levels.tolist(), known.tolist(), strict=True)
    )
