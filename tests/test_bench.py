"""The benchmarks run, and what they compare gives equal results."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import replace
from inspect import signature
from time import sleep
from typing import TYPE_CHECKING

import numpy as np
import pytest

import codec
from bench import agreement, bare, process, readers
from bench.__main__ import _FIGURES, _ROWS
from bench.arrow import arrow_rows, python_table
from bench.bare import NoCompilerError
from bench.chain import SubmissionPath, chain_figures
from bench.cluster import cluster_rows, make_segments
from bench.context import context_rows
from bench.feeds import BARE, FEED, feed_rows, rates_of, run
from bench.known import BARE_RECOVER, BARE_VERIFY, known_rows, times_of
from bench.libraries import library_figures, library_table
from bench.paced import paced_figures
from bench.plot import draw_feeds, draw_known
from bench.ratios import QUICK, Inputs, target_rows
from bench.recovery import BareLoop, coincurve_addresses
from bench.report import markdown, with_libraries
from bench.rows import Figure, verdict
from bench.sender import Order, Sender, messages_of
from bench.signatures import hash_rows, signature_rows
from bench.state import bars_of_rivals, state_figures, state_rows
from bench.timing import Budget, Side, balanced, interleave
from bench.verification import RIVALS, BareVerify, signed_rows
from bench.workloads import (
    KEYS,
    MIB,
    SIZES,
    frame_len,
    payloads_of,
    signatures_of,
    signed,
    signed_of_len,
)
from codec import _core, tables
from codec.recording import read, read_index

if TYPE_CHECKING:
    from pathlib import Path

BUDGET = Budget(0.0, min_pairs=2, max_pairs=2)
TINY = replace(
    QUICK,
    lines_len=4 * MIB,
    reference_len=20_000,
    n_frames=100,
    n_calls=50,
    n_signatures=70,
    n_known=200,
    budget=BUDGET,
    cold_budget=BUDGET,
    signature_budget=BUDGET,
    feed_budget=BUDGET,
    feed_run_s=0.002,
    feed_paced_s=0.05,
    feed_paced_pairs=2,
    n_feed_messages=300_000,
    cluster_len=2 * MIB,
    segment_len=MIB,
    cluster_budget=BUDGET,
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


def test_tables_are_measured_and_agree() -> None:
    lines = signed(100, 5).lines
    table = codec.decode_lines(lines).to_arrow()
    python = python_table(lines)
    assert all(python[name].equals(table[name]) for name in table.column_names)
    for row in arrow_rows(Inputs(TINY)):
        assert row.ratio.median > 0 and row.ratio.n_pairs == 2


def test_chain_is_measured() -> None:
    figures = list(chain_figures(Inputs(TINY)))
    assert len(figures) == 4
    assert all(figure.median > 0 and figure.must == 3 for figure in figures)
    raw, digest = asyncio.run(SubmissionPath(6).raw_transaction())
    assert codec.keccak256(raw) == digest
    assert SubmissionPath(6).payload[75:] in raw


def test_the_report_has_a_place_for_every_table() -> None:
    places = set(signature(markdown).parameters) - {"machine", "memory", "rates"}
    assert places == {*_ROWS, *_FIGURES}


def test_signing_keys_are_recovered() -> None:
    work = signed(4, 2 * len(KEYS) + 1, KEYS)
    batch = codec.decode(work.frames)
    payloads = payloads_of(batch)
    signers = [
        codec.keccak256(key.public_key.format(compressed=False)[1:])[12:]
        for key in KEYS
    ]
    expected = [*signers, *signers, signers[0]]
    assert coincurve_addresses(payloads) == expected
    loop = BareLoop(codec.digests(batch), signatures_of(batch))
    loop.run(0, 3)
    loop.run(3, len(payloads))
    assert loop.addresses() == expected


def test_rows_without_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.c_loop.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCompilerError, match="no C compiler"):
        BareLoop(np.empty((0, 32), np.uint8), np.empty((0, 65), np.uint8))
    ratios = [row.of for row in signature_rows(Inputs(TINY))]
    assert "one thread / two" in ratios
    assert not any(of.startswith("bare") for of in ratios)
    assert "left out" in capsys.readouterr().out


def test_cluster_row_is_measured() -> None:
    (row,) = cluster_rows(Inputs(TINY))
    assert (row.of, row.must) == ("one worker / two", 1.7)
    assert row.ratio.n_pairs == 2


def test_segments_are_a_recorders(tmp_path: Path) -> None:
    n_updates = make_segments(tmp_path / "segments", 3 * MIB, MIB)
    paths = sorted((tmp_path / "segments").glob("*.zst"))
    assert len(paths) == 3
    for path in paths:
        index = read_index(path)
        assert index is not None and index.segment_len == path.stat().st_size
    chunks = [codec.decode_lines(c) for c in read(tmp_path / "segments")]
    assert sum(map(len, chunks)) == n_updates
    assert all(chunk.messages["receive_ns"].all() for chunk in chunks)


def test_feed_rows_are_measured(tmp_path: Path) -> None:
    cores = _cores()
    rows = list(feed_rows(Inputs(TINY)))
    assert _cores() == cores
    assert all(math.isfinite(row.ratio.median) for row in rows)
    limited = [row for row in rows if row.must is not None]
    assert [row.of for row in limited] == [f"{BARE} / {FEED}"] * 6
    assert {row.of for row in rows} >= {
        f"{BARE} / {FEED}, clock",
        f"{BARE} / {FEED}, verified",
        f"websockets / {FEED}",
    }
    assert len(rates_of(rows)) == 6
    draw_feeds(rows, "some processor", tmp_path / "feeds.png")
    assert (tmp_path / "feeds.png").read_bytes().startswith(b"\x89PNG")


def test_paced_figures_are_measured() -> None:
    figures = list(paced_figures(Inputs(TINY)))
    assert all(math.isfinite(figure.median) for figure in figures)
    what = " ".join(figure.label for figure in figures)
    for part in ("added latency, p50", "p99", "time of one core", "resident memory"):
        assert part in what


def test_state_is_measured() -> None:
    inputs = Inputs(TINY)
    rows, figures = list(state_rows(inputs)), list(state_figures(inputs))
    assert all(row.ratio.median > 0 for row in rows)
    assert [figure.must for figure in figures if figure.must] == [100, 100]
    assert sum("/ bars" in row.of for row in rows) == 4


def test_rivals_make_the_same_bars() -> None:
    batch = codec.decode_lines(signed(100, 50).lines)
    bars = codec.bars(batch, "1s")
    expected = [
        *(codec.as_float(bars[name]) for name in ("open", "high", "low", "close")),
        bars["count"],
    ]
    rivals = bars_of_rivals(batch)
    assert len(rivals) == 3
    for rival in rivals.values():
        found = np.asarray(rival(), np.float64)[:, -5:]
        assert found.T.tolist() == [column.tolist() for column in expected]


def test_library_figures_are_measured() -> None:
    figures = list(library_figures(Inputs(TINY)))
    assert all(figure.median > 0 for figure in figures)
    head, *rows = library_table(figures)
    assert len(head) == 1 + 9
    names = [row[0] for row in rows]
    assert names[-1] == "websockets" or "zlib-ng" in " ".join(names)
    assert all(all(row) for row in rows[:3])
    old = "a\n<!-- libraries -->\n| old |\n<!-- end -->\nb\n"
    new = with_libraries(old, figures)
    assert new.startswith("a\n<!-- libraries -->\n| thousand messages")
    assert new.endswith(" |\n<!-- end -->\nb\n")
    assert with_libraries(new, figures) == new
    with pytest.raises(ValueError, match="marks"):
        with_libraries("a", figures)


@pytest.mark.parametrize("mode", readers.MODES)
def test_a_sender_sends_what_was_ordered(mode: str) -> None:
    order = Order(4, 7, n_distinct=3)
    with Sender() as sender:
        is_tls = mode == "TLS"
        context = sender.ssl_context if is_tls else None
        url = sender.url(order, is_tls=is_tls)
        stream = readers.Stream(url, order, mode, context)
        received: list[bytes] = []
        run(readers.websockets(stream, received.append))
        batches = run(readers.batches(stream))
    expected = messages_of(order)
    assert received == [*expected, *expected, expected[0]]
    assert sum(len(batch.messages) for batch in batches) == 7


def test_figures() -> None:
    figure = Figure.from_all("work", "of", "unit", [3.0, 1.0, 2.0], must=2.5, aim=1.5)
    assert (figure.median, figure.lower_quartile, figure.n) == (2.0, 1.5, 3)
    assert figure.verdict == "passed"
    assert Figure.from_all("work", "of", "unit", [7.0]).upper_quartile == 7.0


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def test_known_rows_are_measured(tmp_path: Path) -> None:
    before = tables.verify_path()
    rows = list(known_rows(Inputs(TINY)))
    assert tables.verify_path() == before
    assert all(math.isfinite(row.ratio.median) for row in rows)
    n_paths = len(_core.verify_paths())
    assert sum(row.must is not None for row in rows) == 2 * n_paths + (n_paths > 1)
    times = times_of(rows)
    assert {BARE_RECOVER, BARE_VERIFY, "coincurve", *_core.verify_paths()} <= set(times)
    draw_known(times, "some processor", tmp_path / "known.png")
    assert (tmp_path / "known.png").read_bytes().startswith(b"\x89PNG")


def test_known_rows_without_ifma_and_a_compiler(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bare.c_loop.cache_clear()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(_core, "verify_paths", lambda: ("portable",))
    monkeypatch.setattr(tables, "_path", "portable")
    rows = list(known_rows(Inputs(TINY)))
    times = times_of(rows)
    assert "portable" in times
    assert not {BARE_RECOVER, BARE_VERIFY, "ifma"} & set(times)
    assert not any("ifma" in row.work for row in rows)
    printed = capsys.readouterr().out
    assert "left out: path ifma" in printed
    assert "left out: verification against C loops" in printed


def test_verifiers_tell_good_from_bad() -> None:
    key = KEYS[0].public_key
    batch = codec.decode(signed(4, 9, KEYS[:2]).frames)  # every other one by this key
    expected = [i % 2 == 0 for i in range(9)]
    digests, signatures = codec.digests(batch), signatures_of(batch)
    loop = BareVerify(key, digests, signatures)
    assert loop.run(0, 4) == 2
    assert loop.run(4, 9) == 3
    assert loop.verdicts.tolist() == expected
    rows = signed_rows(digests, signatures)
    for rival in RIVALS:
        try:
            judge = rival.bind(key, rows)
        except ImportError:
            continue
        assert judge() == expected, rival.package


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


def test_the_shorter_side_is_repeated() -> None:
    calls: list[str] = []
    over = Side(lambda: sleep(0.02), n_calls=3)
    under = Side(lambda: sleep(0.001), 5, lambda: calls.append("prepare"))
    long, short = balanced(over, under)
    assert long is over
    assert short.n_calls % 5 == 0
    assert 2 <= short.n_calls // 5 <= 20
    assert short.prepare is under.prepare


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
