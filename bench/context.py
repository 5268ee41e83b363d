"""Ratios without a limit, which help to read those that have one."""

from __future__ import annotations

import ctypes
import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import orjson

import codec
from bench import rivals
from bench.ratios import chunked
from bench.rows import Row
from bench.timing import Side, consume, interleave
from bench.workloads import MIB, unsigned
from codec import Decoder, _core, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from bench.ratios import Inputs
    from bench.timing import Budget, Ratio

__all__ = ["context_rows", "two_threads"]


def context_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row without a limit, in turn."""
    yield from _threads(inputs)
    yield from _cache(inputs)
    yield from _instruction_sets(inputs)
    yield from _rivals(inputs)
    yield from _unsigned(inputs)
    yield _floats(inputs)


def _threads(inputs: Inputs) -> Iterator[Row]:
    of = "one thread / two"
    copy = inputs.copy
    end = copy.source.nbytes
    half = end // 2 & ~63
    parts = copy.part(0, half), copy.part(half, end)
    yield Row(
        "two threads of memcpy, the same buffer: the limit that memory sets",
        of,
        two_threads(copy, parts, inputs.scale.budget),
    )
    text = bytes(8 * MIB)
    digest = hashlib.sha256

    def twice() -> None:
        digest(text)
        digest(text)

    yield Row(
        "two threads of SHA-256, 8 MiB each: the limit that the processor sets",
        of,
        two_threads(twice, (partial(digest, text),) * 2, inputs.scale.budget),
    )


def two_threads(
    whole: Callable[[], object],
    parts: tuple[Callable[[], object], Callable[[], object]],
    budget: Budget,
    n_calls: int = 1,
) -> Ratio:
    """`whole` by this thread / its two parts, each by a thread of its own."""
    with ThreadPoolExecutor(2) as executor:

        def both() -> None:
            for future in [executor.submit(part) for part in parts]:
                future.result()

        return interleave(Side(whole, n_calls), Side(both, n_calls), budget)


def _cache(inputs: Inputs) -> Iterator[Row]:
    yield Row(
        "chunks of 1 MiB through a `Decoder`, against memcpy of each chunk into one"
        " MiB that stays in cache too",
        "memcpy / decode",
        interleave(_chunked_copy(inputs), chunked(inputs), inputs.scale.budget),
    )
    words = inputs.copy.source[: inputs.copy.source.nbytes & ~7].view(np.uint64)
    yield Row(
        "the same, against only reading the input (numpy's `max` of its words): the"
        " limit where results stay in cache",
        "reading / decode",
        interleave(Side(words.max), chunked(inputs), inputs.scale.budget),
    )


def _chunked_copy(inputs: Inputs) -> Side:
    source, end = inputs.copy.source.ctypes.data, inputs.copy.source.nbytes
    target = np.zeros(MIB, np.uint8)
    address = target.ctypes.data
    spans = [(at, min(MIB, end - at)) for at in range(0, end, MIB)]

    def run() -> NDArray[np.uint8]:
        for at, n_bytes in spans:
            ctypes.memmove(address, source + at, n_bytes)
        return target  # keeps it alive

    return Side(run)


def _instruction_sets(inputs: Inputs) -> Iterator[Row]:
    lines, copy = inputs.large.lines, Side(inputs.copy)
    best = _core.instruction_set()
    try:
        for name in _core.instruction_sets():
            _core.use_instruction_set(name)
            for how, side in (
                (
                    "fresh result arrays (reused memory)",
                    Side(lambda: codec.decode_lines(lines)),
                ),
                ("in chunks of 1 MiB through a `Decoder`", chunked(inputs)),
            ):
                ratio = interleave(copy, side, inputs.scale.budget)
                work = f"instruction set {name}: `decode_lines`, {how}"
                yield Row(work, "memcpy / decode", ratio)
    finally:
        _core.use_instruction_set(best)


def _rivals(inputs: Inputs) -> Iterator[Row]:
    names = {
        "numpy_joined": "orjson + numpy, all messages joined",
        "numpy_per_message": "orjson + numpy, message by message",
        "stdlib_tuned": "json + struct, tuned",
    }
    budget = inputs.scale.budget
    lines = inputs.for_reference.lines
    frames = inputs.small_frames.frames
    large = Side(lambda: codec.decode_lines(lines))
    small = Side(lambda: codec.decode(frames))
    of = "rival / decode"
    for name, title in names.items():
        rival = rivals.RIVALS[name]
        over = Side(partial(rivals.with_lines(rival), lines))
        work = f"lines of 100 assets, against {title}"
        yield Row(work, of, interleave(over, large, budget))
        over = Side(partial(rival, frames))
        work = f"frames of 4 assets, against {title}"
        yield Row(work, of, interleave(over, small, budget))
    over = Side(partial(rivals.numpy_views, frames))
    yield Row(
        "frames of 4 assets, against orjson + numpy left as a list of big-endian views"
        " (less than our result)",
        of,
        interleave(over, small, budget),
    )
    over = Side(lambda: reference.decode(frames))
    yield Row(
        "frames of 4 assets, against `codec.reference`",
        "reference / decode",
        interleave(over, small, budget),
    )
    warm = Decoder()
    over = Side(lambda: warm.decode(frames))
    yield Row(
        "frames of 4 assets through a warm `Decoder`, against `orjson.loads` alone",
        "decode / orjson",
        interleave(over, consume(orjson.loads, frames), budget),
        better="lower",
    )


def _unsigned(inputs: Inputs) -> Iterator[Row]:
    budget = inputs.scale.budget
    frames = unsigned(100, inputs.scale.n_frames // 50).frames
    ours = Side(lambda: codec.decode(frames))
    work = f"unsigned, list of {len(frames):,} frames of 100 assets, against"
    yield Row(
        f"{work} `codec.reference`",
        "reference / decode",
        interleave(Side(lambda: reference.decode(frames)), ours, budget),
    )
    yield Row(
        f"{work} `orjson.loads` of the same frames alone",
        "decode / orjson",
        interleave(ours, consume(orjson.loads, frames), budget),
        better="lower",
    )


def _floats(inputs: Inputs) -> Row:
    updates = codec.decode_lines(inputs.for_reference.lines).updates
    values = updates["value"]
    n = len(updates)
    ours = Side(lambda: codec.as_float(updates), n)
    theirs = Side(lambda: values["lo"] / 1e18, n)
    return Row(
        "`as_float` (int128, correctly rounded), against numpy's `lo / 1e18` (64 bits,"
        " rounded twice), a value",
        "as_float / numpy",
        interleave(ours, theirs, inputs.scale.budget),
        better="lower",
    )
