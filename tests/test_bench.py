"""The benchmarks run, and what they compare gives equal results."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench import agreement, process
from bench.context import context_rows
from bench.ratios import QUICK, Inputs, target_rows
from bench.rows import verdict
from bench.timing import Budget
from bench.workloads import MIB, SIZES, frame_len, signed_of_len

BUDGET = Budget(0.0, min_pairs=2, max_pairs=2)
TINY = replace(
    QUICK,
    lines_len=4 * MIB,
    reference_len=20_000,
    n_frames=100,
    n_calls=50,
    budget=BUDGET,
    cold_budget=BUDGET,
)


def test_compared_results_agree() -> None:
    agreement.check_all()


@pytest.mark.parametrize("n_assets", SIZES)
def test_rivals_agree_with_core(n_assets: int) -> None:
    agreement.check_rivals(n_assets, 3)


@pytest.mark.parametrize("n_assets", SIZES)
def test_workload(n_assets: int) -> None:
    work = signed_of_len(n_assets, MIB)
    assert {len(frame) for frame in work.frames} == {frame_len(n_assets)}
    assert b"".join(work.chunks(100_000)) == work.lines
    assert work == signed_of_len(n_assets, MIB)


def test_rows_are_measured() -> None:
    inputs = Inputs(TINY)
    targets = list(target_rows(inputs))
    assert all(row.verdict or row.must is None for row in targets)
    for row in (*targets, *context_rows(inputs)):
        assert math.isfinite(row.ratio.median)
        assert row.ratio.median > 0
        assert row.ratio.n_pairs == 2


def test_process_measurements_run() -> None:
    memory = process.peak_memory(MIB)
    assert memory is None or memory.peak_len >= memory.start_len > 0
    assert process.import_row(2).ratio.median > 0


def test_verdicts() -> None:
    assert verdict(0.6, 0.3, 0.6, "higher") == "aim reached"
    assert verdict(0.3, 0.3, 0.6, "higher") == "passed"
    assert verdict(0.29, 0.3, 0.6, "higher") == "MISSED"
    assert verdict(0.24, 0.5, 0.25, "lower") == "aim reached"
    assert verdict(0.25, 0.5, 0.25, "lower") == "passed"
    assert verdict(0.5, 0.5, None, "lower") == "MISSED"
    assert verdict(1.0, None, None, "lower") == ""
