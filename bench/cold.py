"""Times results in memory that the process has not used before: page faults included.

What a new page costs depends on the system. One that it has at hand costs a fault and
the zeroing. In a virtual machine a page may first have to come from the host, which can
cost ten times as much, and pages that lie free for seconds may be taken back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.timing import Side, interleave
from bench.workloads import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.timing import Budget, Ratio
    from codec import Batch

__all__ = ["KEPT_BY_CORE", "at_hand", "batch_len", "cold"]

KEPT_BY_CORE = 320 * MIB
"""More than the core keeps of released memory: results beyond it are new memory."""


def batch_len(batch: Batch) -> int:
    """Bytes of a batch's arrays."""
    arena = batch.payload_arena
    arena_len = 0 if arena is None else arena.nbytes
    return int(batch.updates.nbytes + batch.messages.nbytes + arena_len)


def at_hand(n_bytes: int) -> None:
    """Touches this much memory and gives it back: now the system has it at hand."""
    np.empty(n_bytes, np.uint8).fill(1)


def cold(
    copy: Side, make: Callable[[], object], result_len: int, budget: Budget
) -> Ratio:
    """`copy` / `make`, where no result of `make` (`result_len` bytes) is released."""
    kept: list[object] = []
    for _ in range(KEPT_BY_CORE // result_len + 1):
        kept.append(make())
    return interleave(copy, Side(lambda: kept.append(make())), budget)
