"""Tables of updates for the tests: hypothesis strategies, and views of any stride."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from messages import INT128, UINT16, UINT64

from codec.dtypes import UPDATE_DTYPE

LOW_64 = 2**64 - 1
MAX = 2**64 - 1

Row = tuple[int, int, int, int, int]  # timestamp, taxonomy, asset, value, status


def make_updates(rows: list[Row]) -> Any:
    """An array of UPDATE_DTYPE, its padding zero."""
    table = np.zeros(len(rows), UPDATE_DTYPE)
    for i, (timestamp_ns, taxonomy_id, asset_id, value, status) in enumerate(rows):
        halves = (value & LOW_64, value >> 64)
        table[i] = (halves, timestamp_ns, taxonomy_id, asset_id, status)
    return table


def strided(table: Any, stride: int) -> Any:
    """A view with the same rows, `stride` rows apart; negative: from the end."""
    wide = np.zeros(max(len(table) * abs(stride), 1), table.dtype)
    wide["timestamp_ns"] = 7  # what must not be read
    view = wide[: len(table) * abs(stride)][::stride] if len(table) else wide[:0]
    view[:] = table
    return view


# Times close together, so that they tie and fall into the same intervals, and the ends.
_TIMES = st.integers(0, 40) | st.integers(0, 3000) | st.integers(MAX - 30, MAX) | UINT64
_ROWS = st.tuples(
    _TIMES,
    st.sampled_from([1, 1, 1, 0, 2, 65535]),
    st.integers(0, 4) | UINT16,
    st.integers(-3, 3) | INT128,
    st.sampled_from([255, 0, 1, 3]),
)


def update_tables(max_size: int = 40) -> st.SearchStrategy[Any]:
    """Updates with ties, in any order, of several taxonomies."""
    some = st.lists(_ROWS, max_size=max_size)
    return (some | some.map(sorted)).map(make_updates)


STRIDES = st.sampled_from([1, 1, 2, -1, -3])
