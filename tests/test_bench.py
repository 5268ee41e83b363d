"""The benchmarks run, and what they compare gives equal results."""

from __future__ import annotations

import math
from dataclasses import replace
from time import sleep

import numpy as np
import pytest

import codec
from bench import agreement, process, recovery
from bench.context import context_rows
from bench.ratios import QUICK, Inputs, target_rows
from bench.recovery import BareLoop, NoCompilerError, coincurve_addresses
from bench.rows import verdict
from bench.signatures import hash_rows, signature_rows
from bench.timing import Budget, Side, interleave
from bench.workloads import KEYS, MIB, SIZES, frame_len, signed, signed_of_len
from codec import _core

BUDGET = Budget(0.0, min_pairs=2, max_pairs=2)
TINY = replace(
    QUICK,
    lines_len=4 * MIB,
    reference_len=20_000,
    n_frames=100,
    n_calls=50,
    n_signatures=70,
    budget=BUDGET,
    cold_budget=BUDGET,
    signature_budget=BUDGET,
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
    for row in (*targets, *signature_rows(inputs), *context_rows(inputs)):
        assert math.isfinite(row.ratio.median)
        assert row.ratio.median > 0
        assert row.ratio.n_pairs == 2


def test_signing_keys_are_recovered() -> None:
    work = signed(4, 2 * len(KEYS) + 1, KEYS)
    batch = codec.decode(work.frames)
    payloads = [bytes(batch.payload(i)) for i in range(len(work.frames))]
    signatures = np.frombuffer(b"".join(p[:65] for p in payloads), np.uint8)
    signers = [
        codec.keccak256(key.public_key.format(compressed=False)[1:])[12:]
        for key in KEYS
    ]
    expected = [*signers, *signers, signers[0]]
    assert coincurve_addresses(payloads) == expected
    loop = BareLoop(codec.digests(batch), signatures.reshape(-1, 65))
    loop.run(0, 3)
    loop.run(3, len(payloads))
    assert loop.addresses() == expected


def test_rows_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recovery._bare_recover.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCompilerError, match="no C compiler"):
        BareLoop(np.empty((0, 32), np.uint8), np.empty((0, 65), np.uint8))
    ratios = [row.of for row in signature_rows(Inputs(TINY))]
    assert "one thread / two" in ratios
    assert not any(of.startswith("bare") for of in ratios)
    assert "left out" in capsys.readouterr().out


def test_hashing_leaves_the_instruction_set_alone() -> None:
    best = _core.instruction_set()
    n_rows = len(list(hash_rows(Inputs(TINY))))
    assert n_rows == 1 + len({"avx512", "avx2"} & set(_core.instruction_sets()))
    assert _core.instruction_set() == best


def test_preparing_is_not_timed() -> None:
    calls: list[str] = []

    def prepare() -> None:
        calls.append("prepare")
        sleep(0.02)

    over = Side(lambda: calls.append("run"), prepare=prepare)
    ratio = interleave(over, Side(lambda: sleep(0.002)), BUDGET)
    assert calls == ["prepare", "run"] * 3
    assert ratio.median < 1


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
