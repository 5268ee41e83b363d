"""The speeds that the project holds itself to, each as a ratio measured in one run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

import orjson

import codec
from bench.cold import KEPT_BY_CORE, at_hand, batch_len, cold
from bench.rows import Row
from bench.timing import Budget, Copy, Side, consume, interleave, looped
from bench.workloads import FIRST_NS, KEYS, MIB, asset_columns, signed, signed_of_len
from codec import Decoder, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.workloads import Workload
    from codec.api import Integers

__all__ = ["FULL", "QUICK", "Inputs", "Scale", "chunked", "target_rows"]


@dataclass(frozen=True)
class Scale:
    """How large the inputs are, and how long a row may take."""

    lines_len: int
    reference_len: int
    python_len: int
    n_frames: int
    n_calls: int
    """Calls in one timed loop, of functions that take about a microsecond."""
    n_signatures: int
    n_known: int
    """Messages by one signer, whose key is known."""
    budget: Budget
    cold_budget: Budget
    signature_budget: Budget
    feed_budget: Budget
    feed_run_s: float
    """How long the bare library reads in one run."""
    feed_paced_s: float
    """How long messages come at a fixed rate, in one run."""
    feed_paced_pairs: int
    n_feed_messages: int
    """As many as memory is watched over."""
    cluster_len: int
    """Bytes of lines in all segments."""
    segment_len: int
    cluster_budget: Budget


FULL = Scale(
    lines_len=64 * MIB,
    reference_len=64 * MIB,
    python_len=8 * MIB,
    n_frames=100_000,
    n_calls=2000,
    n_signatures=10_000,
    n_known=1 << 16,
    budget=Budget(4.0, min_pairs=9),
    cold_budget=Budget(4.0, min_pairs=9, max_pairs=15),
    signature_budget=Budget(6.0, min_pairs=9),
    feed_budget=Budget(6.0, min_pairs=9),
    feed_run_s=0.25,
    feed_paced_s=4.0,
    feed_paced_pairs=9,
    n_feed_messages=50_000_000,
    cluster_len=4096 * MIB,
    segment_len=256 * MIB,
    cluster_budget=Budget(90.0, min_pairs=3, max_pairs=5),
)
QUICK = Scale(
    lines_len=8 * MIB,
    reference_len=MIB // 2,
    python_len=MIB // 2,
    n_frames=5000,
    n_calls=200,
    n_signatures=1000,
    n_known=1500,
    budget=Budget(0.2, min_pairs=3),
    cold_budget=Budget(0.2, min_pairs=3, max_pairs=15),
    signature_budget=Budget(0.2, min_pairs=3),
    feed_budget=Budget(0.2, min_pairs=3),
    feed_run_s=0.03,
    feed_paced_s=0.5,
    feed_paced_pairs=3,
    n_feed_messages=3_000_000,
    cluster_len=128 * MIB,
    segment_len=16 * MIB,
    cluster_budget=Budget(0.2, min_pairs=3),
)


class Inputs:
    """Inputs that several rows share, made when first used."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    @cached_property
    def large(self) -> Workload:
        return signed_of_len(100, self.scale.lines_len)

    @cached_property
    def copy(self) -> Copy:
        return Copy(self.large.lines)

    @cached_property
    def for_reference(self) -> Workload:
        return signed_of_len(100, self.scale.reference_len)

    @cached_property
    def for_python(self) -> Workload:
        """For what takes a microsecond for each update."""
        return signed_of_len(100, self.scale.python_len)

    @cached_property
    def small_frames(self) -> Workload:
        return signed(4, self.scale.n_frames)

    @cached_property
    def signed_frames(self) -> Workload:
        return signed(4, self.scale.n_signatures, KEYS)

    @cached_property
    def known_frames(self) -> Workload:
        return signed(4, self.scale.n_known, KEYS[:1])


def target_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row that has a limit, in turn."""
    yield from _against_memcpy(inputs)
    yield _against_reference(inputs)
    yield from _against_orjson(inputs)
    yield from _threads(inputs)
    yield from _encode(inputs)


def _against_memcpy(inputs: Inputs) -> Iterator[Row]:
    scale, lines, copy = inputs.scale, inputs.large.lines, Side(inputs.copy)
    work = (
        f"`decode_lines`, {_mib(scale.lines_len)}, 100 assets a message, fresh result"
        " arrays (in memory reused from an earlier result that was released)"
    )
    of = "memcpy / decode"
    fresh = Side(lambda: codec.decode_lines(lines))
    yield Row(work, of, interleave(copy, fresh, scale.budget), 0.3, 0.6)
    yield from _new_memory(inputs)
    decoder = Decoder()
    ratio = interleave(copy, Side(lambda: decoder.decode_lines(lines)), scale.budget)
    yield Row("the same through a warm `Decoder`, payloads kept", of, ratio, 0.55, 0.9)
    ratio = interleave(copy, chunked(inputs), scale.budget)
    work = "the same in chunks of 1 MiB through a `Decoder` (results stay in cache)"
    yield Row(work, of, ratio, 0.8, 1.2)


def _new_memory(inputs: Inputs) -> Iterator[Row]:
    lines, budget = inputs.large.lines, inputs.scale.cold_budget
    copy, copies = inputs.copy, list[object]()
    result_len = batch_len(codec.decode_lines(lines))
    new_copy = Side(lambda: copies.append(copy.source.copy()))
    work = "the same, every result kept alive (in memory new to the process), pages"
    for pages, limits in (
        ("as they come: here they may have to come from the host", (None, None)),
        ("that the system has at hand", (0.3, 0.6)),
    ):
        for over, of in (
            (Side(copy), "memcpy / decode"),
            (new_copy, "memcpy to new memory / decode"),
        ):
            if limits[0] is not None:
                copied = copy.source.nbytes if over is new_copy else 0
                at_hand(2 * KEPT_BY_CORE + budget.max_pairs * (result_len + copied))
            ratio = cold(over, lambda: codec.decode_lines(lines), result_len, budget)
            copies.clear()
            must, aim = limits if over is not new_copy else (None, None)
            yield Row(f"{work} {pages}", of, ratio, must, aim)


def chunked(inputs: Inputs) -> Side:
    """All chunks of 1 MiB, one by one, through one Decoder."""
    chunks = inputs.large.chunks(MIB)
    decoder = Decoder()

    def run() -> None:
        for chunk in chunks:
            decoder.decode_lines(chunk)

    return Side(run)


def _against_reference(inputs: Inputs) -> Row:
    scale, lines = inputs.scale, inputs.for_reference.lines
    ratio = interleave(
        Side(lambda: reference.decode_lines(lines)),
        Side(lambda: codec.decode_lines(lines)),
        scale.budget,
    )
    work = (
        f"`decode_lines`, {_mib(scale.reference_len)}, 100 assets a message,"
        " against `codec.reference`"
    )
    return Row(work, "reference / decode", ratio, 150, 400)


def _against_orjson(inputs: Inputs) -> Iterator[Row]:
    scale, frames = inputs.scale, inputs.small_frames.frames
    ratio = interleave(
        Side(lambda: codec.decode(frames)), consume(orjson.loads, frames), scale.budget
    )
    work = (
        f"`decode`, list of {len(frames):,} frames of 4 assets ({len(frames[0])}"
        " bytes), against `orjson.loads` of the same frames alone"
    )
    yield Row(work, "decode / orjson", ratio, 0.5, 0.25, "lower")
    parse = looped(orjson.loads, frames[0], scale.n_calls)
    work = "`decode` of one such frame to a Batch, against `orjson.loads` of it"
    for how, function in (
        ("`codec.decode`", codec.decode),
        ("warm `Decoder`", Decoder().decode),
    ):
        one = looped(function, frames[0], scale.n_calls)
        ratio = interleave(one, parse, scale.budget)
        yield Row(f"{work}: {how}", "decode / orjson", ratio, 6, 3, "lower")


def _threads(inputs: Inputs) -> Iterator[Row]:
    scale, lines = inputs.scale, inputs.large.lines
    what = f"two threads, {_mib(scale.lines_len)} buffer"
    one, two = Decoder(threads=1), Decoder(threads=2)
    for how, over, under in (
        (
            "`decode_lines`, fresh result arrays (reused memory)",
            Side(lambda: codec.decode_lines(lines)),
            Side(lambda: codec.decode_lines(lines, threads=2)),
        ),
        (
            "warm `Decoder`",
            Side(lambda: one.decode_lines(lines)),
            Side(lambda: two.decode_lines(lines)),
        ),
    ):
        ratio = interleave(over, under, scale.budget)
        yield Row(f"{what}: {how}", "one thread / two", ratio, 1.6, 1.9)


def _encoding(ids: Integers, values: Integers, n_calls: int) -> tuple[Side, Side]:
    """The reference's `encode` and ours of the same columns, without signing."""

    def side(encode: Callable[..., bytes], n: int) -> Side:
        def run() -> None:
            for _ in repeat(None, n):
                encode(ids, values, timestamp_ns=FIRST_NS, taxonomy_id=1, key=None)

        return Side(run, n)

    return side(reference.encode, max(n_calls // 50, 1)), side(codec.encode, n_calls)


def _encode(inputs: Inputs) -> Iterator[Row]:
    columns, scale = asset_columns(100), inputs.scale
    work, of = "`encode` without signing, 100 assets from", "reference / encode"
    over, under = _encoding(columns.ids, columns.values, scale.n_calls)
    ratio = interleave(over, under, scale.budget)
    yield Row(f"{work} arrays", of, ratio, 50, 150)
    over, under = _encoding(columns.ids.tolist(), columns.ints, scale.n_calls)
    ratio = interleave(over, under, scale.budget)
    yield Row(f"{work} lists of Python ints", of, ratio)


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / MIB:.3g} MiB"
