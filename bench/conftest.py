"""Options of the benchmarks, and what pytest-benchmark writes about the machine."""

from __future__ import annotations

from typing import Any

import pytest

from bench.workloads import MIB


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--input-mib", type=float, default=16, help="size of each workload, in MiB"
    )


@pytest.fixture(scope="session")
def input_len(request: pytest.FixtureRequest) -> int:
    return int(float(request.config.getoption("--input-mib")) * MIB)


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    """Leaves out names that are of no use elsewhere, and every single time."""
    for name in ("node", "release"):
        output_json["machine_info"].pop(name, None)
    output_json["machine_info"].get("cpu", {}).pop("flags", None)
    output_json.pop("commit_info", None)
    for benchmark in output_json["benchmarks"]:
        benchmark["stats"].pop("data", None)
