"""Checks that everything compared gives the same results, before it is timed."""

from __future__ import annotations

import numpy as np

import codec
from bench import rivals
from bench.workloads import SIZES, asset_columns, signed, unsigned
from codec import reference

__all__ = ["check_all", "check_rivals"]


def check_all() -> None:
    """Raises AssertionError where two results differ."""
    for n_assets in SIZES:
        check_rivals(n_assets, 1 + 2000 // n_assets)
        frames = unsigned(n_assets, 1 + 1000 // n_assets).frames
        _check_same(codec.decode(frames), reference.decode(frames))
    columns = asset_columns(100)
    for values in (columns.values, columns.ints):
        payloads = [
            module.encode(columns.ids, values, timestamp_ns=1, taxonomy_id=1, key=None)
            for module in (codec, reference)
        ]
        np.testing.assert_equal(payloads[0], payloads[1])
    np.testing.assert_array_equal(
        codec.as_float(columns.values), reference.as_float(columns.values)
    )


def check_rivals(n_assets: int, n_messages: int) -> None:
    """Every decoder on both shapes of one workload."""
    work = signed(n_assets, n_messages)
    batch = codec.decode(work.frames)
    np.testing.assert_equal(len(batch.updates), work.n_updates)
    _check_same(batch, reference.decode(work.frames))
    _check_same(codec.decode_lines(work.lines), reference.decode_lines(work.lines))
    np.testing.assert_array_equal(codec.decode_lines(work.lines).updates, batch.updates)
    for rival in rivals.RIVALS.values():
        for rows in (rival(work.frames), rivals.with_lines(rival)(work.lines)):
            np.testing.assert_array_equal(rows, batch.updates)
    if not rivals.views_equal(rivals.numpy_views(work.frames), batch.updates):
        raise AssertionError("numpy_views differs")


def _check_same(ours: codec.Batch, theirs: reference.Batch) -> None:
    np.testing.assert_array_equal(ours.updates, theirs.updates)
    np.testing.assert_array_equal(ours.messages, theirs.messages)
    if theirs.payload_arena is not None:
        np.testing.assert_array_equal(ours.payload_arena, theirs.payload_arena)
