"""Runs every benchmark and writes bench/results/ (`--quick`: a small version).

The table of libraries in docs/websockets.md is written as well, by a full run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.aggregator import aggregator_rows
from bench.agreement import check_all
from bench.arrow import arrow_rows
from bench.chain import chain_figures
from bench.cluster import cluster_rows
from bench.context import context_rows
from bench.feeds import feed_rows
from bench.known import known_rows, times_of
from bench.libraries import library_figures
from bench.machine import machine, processor
from bench.paced import paced_figures
from bench.plot import draw, draw_feeds, draw_known
from bench.process import PeakMemory, import_row, peak_memory
from bench.ratios import FULL, QUICK, Inputs, target_rows
from bench.report import markdown, rates_of, with_libraries
from bench.rows import Figure, Row
from bench.shuriken import shuriken_figures
from bench.signatures import signature_rows
from bench.state import state_figures, state_rows
from bench.workloads import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T", bound=Row | Figure)
_ROWS = {
    "targets": target_rows,
    "signatures": signature_rows,
    "known": known_rows,
    "context": context_rows,
    "feeds": feed_rows,
    "arrow": arrow_rows,
    "aggregator": aggregator_rows,
    "cluster": cluster_rows,
    "state": state_rows,
}
_FIGURES = {
    "chain": chain_figures,
    "feed_figures": paced_figures,
    "libraries": library_figures,
    "shuriken": shuriken_figures,
    "state_figures": state_figures,
}
_ONLY: dict[str, tuple[Callable[[Inputs], Iterable[Row | Figure]], ...]] = {
    **{name: (rows,) for name, rows in _ROWS.items()},
    **{name: (figures,) for name, figures in _FIGURES.items()},
    "feeds": (feed_rows, paced_figures),
    "state": (state_figures, state_rows),
}
_RESULTS = Path(__file__).parent / "results"
_CHOICE = Path(__file__).parents[1] / "docs" / "websockets.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="small inputs, results/quick.tmp/"
    )
    parser.add_argument("--output", type=Path, help="folder to write to")
    parser.add_argument(
        "--only", choices=_ONLY, help="print the rows of one table, write nothing"
    )
    options = parser.parse_args()
    if options.only:
        inputs = Inputs(QUICK if options.quick else FULL)
        for rows in _ONLY[options.only]:
            for _ in _shown(rows(inputs)):
                pass
        return
    folder = options.output or (_RESULTS / "quick.tmp" if options.quick else _RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    check_all()
    report = _workloads(folder / "pytest-benchmark.json", quick=options.quick)
    tables, figures, memory = _measured(quick=options.quick)
    facts = machine()
    everything: dict[str, Any] = {**tables, **figures}
    document = {
        "machine": facts,
        **{name: [row.as_json() for row in rows] for name, rows in everything.items()},
        "peak_memory": None if memory is None else _memory_json(memory),
    }
    (folder / "ratios.json").write_text(json.dumps(document, indent=1) + "\n")
    rates = rates_of(report)
    (folder / "README.md").write_text(
        markdown(facts, memory=memory, rates=rates, **everything),
        encoding="utf-8",
    )
    if folder == _RESULTS:
        text = with_libraries(_CHOICE.read_text(), figures["libraries"])
        _CHOICE.write_text(text)
    draw(rates, processor(), folder / "speed.png")
    draw_known(times_of(tables["known"]), processor(), folder / "known.png")
    draw_feeds(tables["feeds"], processor(), folder / "feeds.png")
    print(f"written: {folder}")


def _measured(
    *, quick: bool
) -> tuple[dict[str, list[Row]], dict[str, list[Figure]], PeakMemory | None]:
    inputs = Inputs(QUICK if quick else FULL)
    tables = {name: list(_shown(rows(inputs))) for name, rows in _ROWS.items()}
    tables["targets"] += _shown([import_row(5 if quick else 25)])
    figures = {name: list(_shown(rows(inputs))) for name, rows in _FIGURES.items()}
    memory = peak_memory(64 * MIB if quick else 1024 * MIB)
    if memory is not None:
        print(
            f"peak memory {memory.peak_len / MIB:.0f} MiB,"
            f" limit {memory.limit_len / MIB:.0f} MiB"
        )
    return tables, figures, memory


def _shown(rows: Iterable[T]) -> Iterable[T]:
    """Prints each row as soon as it is measured."""
    for row in rows:
        print(f"{row.shown:>8} {row.verdict:11} {row.label}", flush=True)
        yield row


def _workloads(path: Path, *, quick: bool) -> dict[str, Any]:
    """Runs bench/test_decode.py in a process of its own."""
    options = {
        "--input-mib": 1 if quick else 16,
        "--benchmark-min-rounds": 2 if quick else 5,
        "--benchmark-max-time": 0.05 if quick else 0.5,
        "--benchmark-columns": "median,iqr,rounds",
        "--benchmark-sort": "name",
        "--benchmark-json": path,
    }
    arguments = [f"{name}={value}" for name, value in options.items()]
    tests = Path(__file__).parent / "test_decode.py"
    command = [sys.executable, "-m", "pytest", "-q", "--benchmark-disable-gc"]
    subprocess.run([*command, *arguments, str(tests)], check=True)
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def _memory_json(memory: PeakMemory) -> dict[str, Any]:
    return {**asdict(memory), "limit_len": memory.limit_len, "passed": memory.passed}


if __name__ == "__main__":
    main()
