"""Tables of state: `LatestTable`, `bars` and `gaps`, against memcpy, polars, pandas."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import codec
from bench.rows import Figure, Row
from bench.timing import Copy, Side, balanced, interleave, looped, times_ns
from bench.workloads import signed
from codec import LatestTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.ratios import Inputs
    from codec import Batch

__all__ = ["bars_of_rivals", "state_figures", "state_rows"]

_INTERVAL = "1s"
_N_CACHED = 81
"""Messages of 100 assets in a batch of 253 KiB of rows: with a copy of it, in L2."""


def state_rows(inputs: Inputs) -> Iterator[Row]:
    """Ratios of times."""
    for name, batch in _batches(inputs):
        ours, copy = _update_side(batch), Side(Copy(batch.updates))
        ratio = interleave(copy, ours, inputs.scale.budget)
        work = f"`LatestTable.update`, {name}; memcpy of the rows"
        yield Row(work, "memcpy / update", ratio)
    yield from _bars(inputs)
    yield from _gaps(inputs)


def state_figures(inputs: Inputs) -> Iterator[Figure]:
    """Updates a second, and ns a look-up."""
    for name, batch in _batches(inputs):
        times = times_ns(_update_side(batch), inputs.scale.budget)
        rates = [1e3 * len(batch) / ns for ns in times]
        what, unit = "`LatestTable.update`", "million updates/s"
        limits: dict[str, Any] = {"must": 100, "aim": 200, "better": "higher"}
        yield Figure.from_all(name, what, unit, rates, **limits)
    _, batch = next(_batches(inputs))
    yield from _lookups(inputs, batch)


def _batches(inputs: Inputs) -> Iterator[tuple[str, Batch]]:
    """Decoded messages of 100 assets: as many as fit L2, and as leave all caches."""
    for place, lines in (
        ("cache (L2)", signed(100, _N_CACHED).lines),
        ("memory", inputs.large.lines),
    ):
        batch = codec.decode_lines(lines, payloads=False)
        rows = f"{len(batch):,} rows ({batch.updates.nbytes / 2**20:.3g} MiB)"
        yield f"messages of 100 assets, {rows} in {place}", batch


def _update_side(batch: Batch) -> Side:
    """A table that takes the batch; time goes on before each run, so that all count."""
    table, times = LatestTable(), batch.updates["timestamp_ns"]
    step = np.uint64(times.max() - times.min() + np.uint64(1))

    def later() -> None:
        np.add(times, step, out=times)

    assert table.update(batch) == len(batch)
    return Side(partial(table.update, batch), prepare=later)


def _lookups(inputs: Inputs, batch: Batch) -> Iterator[Figure]:
    table = LatestTable()
    table.update(batch)
    asset_id = int(batch.updates["asset_id"][50])
    array = table.timestamp_ns
    calls: dict[str, Callable[[int], object]] = {
        "`table[asset_id]`": table.__getitem__,
        "`table.price(asset_id)`, float": table.price,
        "`table.exact(asset_id)`, int": table.exact,
        "for comparison: `int(array[asset_id])` of `table.timestamp_ns`": (
            lambda asset_id: int(array[asset_id])
        ),
    }
    n = inputs.scale.n_calls
    for name, call in calls.items():
        times = times_ns(looped(call, asset_id, n), inputs.scale.budget)
        yield Figure.from_all("one look-up", name, "ns", times)


def _bars(inputs: Inputs) -> Iterator[Row]:
    batch = codec.decode_lines(inputs.large.lines, payloads=False)
    ours = Side(partial(codec.bars, batch, _INTERVAL))
    n_bars = len(codec.bars(batch, _INTERVAL))
    what = f'`bars(batch, "{_INTERVAL}")`, {len(batch):,} updates to {n_bars:,} bars'
    copy = Side(Copy(batch.updates))
    ratio = interleave(copy, ours, inputs.scale.budget)
    yield Row(f"{what}; memcpy of the rows", "memcpy / bars", ratio)
    for name, rival in bars_of_rivals(batch).items():
        sides = balanced(Side(rival), ours)
        ratio = interleave(*sides, inputs.scale.budget)
        yield Row(f"{what}; {name}", f"{name.split()[0]} / bars", ratio)


def bars_of_rivals(batch: Batch) -> dict[str, Callable[[], Any]]:
    """Open, high, low, close and count by others, from frames that are there already.

    Rows are in order of time, so that first and last in order will do.
    """
    interval = 10**9
    times = batch.updates["timestamp_ns"].astype(np.int64)
    columns = {
        "start": times,
        "asset": batch.updates["asset_id"].copy(),
        "value": codec.as_float(batch.updates),
    }
    rivals: dict[str, Callable[[], Any]] = {}
    try:
        import polars as pl

        value = pl.col("value")
        starts = pl.col("start") // interval * interval
        parts = [value.first(), value.max(), value.min(), value.last(), value.len()]
        names = ("open", "high", "low", "close", "count")
        wanted = [part.alias(name) for part, name in zip(parts, names, strict=True)]

        def by_polars(frame: pl.DataFrame) -> pl.DataFrame:
            groups = frame.group_by(starts, "asset")
            return groups.agg(*wanted).sort("start", "asset")

        floats = pl.DataFrame(columns)
        decimals = floats.with_columns(pl.Series("value", batch.to_arrow()["value"]))
        threads = f"{pl.thread_pool_size()} threads"
        rivals[f"polars ({threads}), float64"] = partial(by_polars, floats)
        rivals[f"polars ({threads}), exact decimals"] = partial(by_polars, decimals)
    except ImportError as error:
        print(f"left out: bars by polars, as {error}")
    try:
        import pandas as pd

        frame = pd.DataFrame(columns)

        def by_pandas() -> Any:
            groups = frame.groupby([frame["start"] // interval * interval, "asset"])
            return groups["value"].agg(["first", "max", "min", "last", "count"])

        rivals["pandas (one thread), float64"] = by_pandas
    except ImportError as error:
        print(f"left out: bars by pandas, as {error}")
    return rivals


def _gaps(inputs: Inputs) -> Iterator[Row]:
    messages = codec.decode_lines(signed(1, inputs.scale.n_frames).lines).messages
    copy = Side(Copy(messages))
    ours = Side(partial(codec.gaps, messages, "50ms"))
    ratio = interleave(*balanced(copy, ours), inputs.scale.budget)
    work = f"`gaps` of {len(messages):,} messages; memcpy of the rows"
    yield Row(work, "memcpy / gaps", ratio)
