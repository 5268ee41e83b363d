"""Settings and fixtures that the tests share."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from evm import Evm
from hypothesis import HealthCheck, settings
from vectors import VECTORS

import codec
from codec import _core, reference

# A shell that runs the suite in the background lets it ignore Ctrl-C, and what the
# tests start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_LIMIT = sys.getrecursionlimit()


def pytest_collection_finish() -> None:
    """What eth-account brings raises the limit beyond what the stack holds."""
    sys.setrecursionlimit(_LIMIT)


settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    # A sanitizer wants every path, and takes several times as long for each.
    max_examples=60 if os.environ.get("CODEC_SANITIZE") else 200,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def payload_vectors() -> list[dict[str, Any]]:
    """Real payloads, with what they decode to."""
    path = VECTORS / "stork_fast_payloads.json"
    if not path.exists():
        pytest.skip(f"optional: no recorded payloads at {path}")
    vectors: list[dict[str, Any]] = json.loads(path.read_text())["payloads"]
    return vectors


@pytest.fixture(scope="session")
def evm() -> Evm:
    """A chain of this process, for the contracts of tests/contracts."""
    return Evm()


@pytest.fixture(params=_core.instruction_sets())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs the test with each instruction set that this machine has."""
    before = _core.instruction_set()
    _core.use_instruction_set(request.param)
    yield request.param
    _core.use_instruction_set(before)


@pytest.fixture(params=[codec, reference], ids=["core", "reference"])
def api(request: pytest.FixtureRequest) -> Any:
    """The compiled functions, then those in plain Python."""
    return request.param
