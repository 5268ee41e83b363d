"""Memory that does not grow, whatever comes and however it is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOAK = Path(__file__).with_name("soak.py")
MiB = 1 << 20
# 50,000,000 takes most of a minute.
N = int(os.environ.get("STORK_SOAK_MESSAGES", 2_000_000))

pytestmark = [
    pytest.mark.skipif(
        not Path("/proc/self/statm").exists(), reason="memory is read from Linux' /proc"
    ),
    pytest.mark.skipif(
        "CODEC_SANITIZE" in os.environ, reason="a sanitizer keeps memory that was freed"
    ),
]


def soak(*arguments: object) -> dict[str, Any]:
    """What the program says."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", SOAK, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    print(result)
    assert result["bad"] == result["reconnects"] == 0
    return result


@pytest.mark.parametrize(
    ("n", "more"),
    [
        (N, []),
        (N // 4, ["--verify"]),
        (N // 10, ["--deflate"]),
        (N // 50, ["--assets", 100]),
    ],
    ids=["plain", "verified", "deflate", "100 assets"],
)
def test_memory_stays_as_it_is(n: int, more: list[object]) -> None:
    result = soak("--messages", n, *more)
    assert result["messages"] == n and result["dropped"] == 0
    assert result["most_rss"] - result["warm_rss"] < 16 * MiB


@pytest.mark.parametrize("policy", ["wait", "drop_oldest", "conflate"])
def test_memory_is_bounded_while_nobody_reads(policy: str) -> None:
    """The queue's bytes, and what conflating them takes for a moment."""
    n = 500_000
    result = soak("--messages", n, "--policy", policy, "--stopped")
    seen = result["messages"] + result["dropped"] + result["not_data"]
    assert seen == n + 1  # the answer to the subscription
    assert (result["dropped"] > 0) == (policy != "wait")
    allowed = {"wait": 3, "drop_oldest": 3, "conflate": 6}[policy] * 16 * MiB
    assert result["most_rss"] - result["first_rss"] < allowed
