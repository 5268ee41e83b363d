"""Every decoder on every workload, side by side in pytest-benchmark's table.

Results are compared with ours before anything is timed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import codec
from bench import rivals
from bench.cold import KEPT_BY_CORE, at_hand, batch_len
from bench.timing import Copy
from bench.workloads import SIZES, Workload, signed_of_len
from codec import Decoder, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_benchmark.fixture import BenchmarkFixture

SHAPES = ("lines", "frames")
CONTENDERS = (
    "memcpy",
    "core_warm",
    "core_fresh",
    "core_new_memory",
    *rivals.RIVALS,
    "numpy_views",
    "reference",
)
_N_NEW = 9


@cache
def workload(n_assets: int, input_len: int) -> Workload:
    return signed_of_len(n_assets, input_len)


@pytest.mark.parametrize("contender", CONTENDERS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_assets", SIZES)
def test_decode(
    benchmark: BenchmarkFixture,
    n_assets: int,
    shape: str,
    contender: str,
    input_len: int,
) -> None:
    work = workload(n_assets, input_len)
    benchmark.group = f"{n_assets} assets a message, {shape}"
    benchmark.extra_info.update(
        n_assets=n_assets,
        shape=shape,
        contender=contender,
        n_updates=work.n_updates,
        input_len=len(work.lines),
    )
    run = runner(contender, shape, work)
    if contender == "core_new_memory":
        new_memory(benchmark, run)
        return
    check(contender, run(), work)
    benchmark(run)


def runner(contender: str, shape: str, work: Workload) -> Callable[[], object]:
    """The contender with the workload's input in that shape."""
    as_lines = shape == "lines"
    if contender == "memcpy":
        return Copy(work.lines)
    if contender in ("reference", "core_warm"):
        decoder = reference.Decoder() if contender == "reference" else Decoder()
        if as_lines:
            return lambda: decoder.decode_lines(work.lines)
        return lambda: decoder.decode(work.frames)
    if contender.startswith("core"):
        if as_lines:
            return lambda: codec.decode_lines(work.lines)
        return lambda: codec.decode(work.frames)
    rival = {**rivals.RIVALS, "numpy_views": rivals.numpy_views}[contender]
    if as_lines:
        whole = rivals.with_lines(rival)
        return lambda: whole(work.lines)
    return lambda: rival(work.frames)


def check(contender: str, result: Any, work: Workload) -> None:
    updates = codec.decode(work.frames).updates
    assert len(updates) == work.n_updates
    if contender == "memcpy":
        return
    if contender == "numpy_views":
        assert rivals.views_equal(result, updates)
        return
    rows = result if isinstance(result, np.ndarray) else result.updates
    assert np.array_equal(rows, updates)


def new_memory(benchmark: BenchmarkFixture, run: Callable[[], object]) -> None:
    """Keeps every result, so that each is written into new memory: bench/cold.py."""
    first: Any = run()
    result_len = batch_len(first)
    n_kept = KEPT_BY_CORE // result_len + 1
    at_hand(2 * KEPT_BY_CORE + _N_NEW * result_len)
    kept = [first, *(run() for _ in range(n_kept))]
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: kept.append(run()), rounds=_N_NEW
    )
