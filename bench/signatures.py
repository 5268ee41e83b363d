"""Ratios of recovery and hashing, with a limit or for context.

Times are those of one message.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

import codec
from bench.bare import NoCompilerError
from bench.context import two_threads
from bench.recovery import (
    KECCAK_PACKAGE,
    BareLoop,
    coincurve_address,
    coincurve_addresses,
    key_address,
    new_keccak,
)
from bench.rows import Row
from bench.timing import Side, interleave, looped
from bench.workloads import KEYS, payloads_of, signatures_of, signed
from codec import _core, reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.ratios import Inputs
    from bench.timing import Ratio
    from bench.workloads import Workload
    from codec import Batch

__all__ = ["hash_rows", "signature_rows"]

_HASHED_ASSETS = range(4, 11)
"""Assets of the messages hashed: bodies of 82 to 190 bytes, one or two blocks."""

_HASH_SETS = {"avx512": (6, 10), "avx2": (None, None)}
"""The instruction sets that hash several inputs at once, with their limits."""


class _Signed:
    """Signed messages in all the forms in which their signers are asked for."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self.batch = codec.decode(work.frames)
        self.payloads = payloads_of(self.batch)
        self.digests = codec.digests(self.batch)
        self.signatures = signatures_of(self.batch)
        keys = [key_address(key.public_key) for key in KEYS]
        self.signers = keys[: len(self.payloads)]
        self.n = len(self.payloads)
        self.addresses = [keys[i % len(keys)] for i in range(self.n)]

    def check_all(self) -> None:
        """Raises AssertionError where one of the ways names another signer."""
        _require(coincurve_addresses(self.payloads) == self.addresses, "coincurve")
        by_rows = codec.recover_digests(self.digests, self.signatures)
        self.check(by_rows, "recover_digests")
        for threads in (1, 2):
            self.check(codec.recover(self.batch, threads=threads), "recover")
            verified = codec.verify(self.batch, self.signers, threads=threads)
            _require(bool(verified.all()), "verify")
            decoded = codec.decode_lines(
                self.work.lines, signers=self.signers, threads=threads
            )
            self.check(decoded.signers, "decode_lines")

    def check(self, signers: NDArray[np.void] | None, name: str) -> None:
        """`signers` are those of the first messages, or of all."""
        assert signers is not None
        found = [row.tobytes() for row in signers["address"]]
        _require(not signers["status"].any(), name)
        _require(found == self.addresses[: len(found)], name)


def signature_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row about signatures, in turn."""
    work = _Signed(inputs.signed_frames)
    work.check_all()
    yield from _against_bare(work, inputs)
    yield _two_threads_row(work, inputs)
    yield from _against_coincurve(work, inputs)
    yield from _around_recover(work, inputs)
    yield from hash_rows(inputs)


def _against_bare(work: _Signed, inputs: Inputs) -> Iterator[Row]:
    budget, n = inputs.scale.signature_budget, work.n
    try:
        bare = BareLoop(work.digests, work.signatures)
    except NoCompilerError as exc:
        print(f"left out: recovery against a C loop, as {exc}")
        return
    bare()
    _require(bare.addresses() == work.addresses, "the C loop")
    loop = Side(bare, n)
    ratio = interleave(loop, Side(lambda: codec.recover(work.batch), n), budget)
    what = (
        f"`recover` of {n:,} messages of 4 assets, against `secp256k1_ecdsa_recover`"
        " of the same library in a C loop"
    )
    yield Row(what, "bare / recover", ratio, 0.95, 0.98)
    by_rows = Side(lambda: codec.recover_digests(work.digests, work.signatures), n)
    ratio = interleave(loop, by_rows, budget)
    yield Row("the same, `recover_digests`", "bare / recover_digests", ratio)
    parts = partial(bare.run, 0, n // 2), partial(bare.run, n // 2, n)
    ratio = two_threads(bare, parts, budget, n)
    what = "two threads of that C loop: the limit that the processor sets"
    yield Row(what, "one thread / two", ratio)


def _two_threads_row(work: _Signed, inputs: Inputs) -> Row:
    n = work.n
    one = Side(lambda: codec.recover(work.batch), n)
    two = Side(lambda: codec.recover(work.batch, threads=2), n)
    ratio = interleave(one, two, inputs.scale.signature_budget)
    what = f"`recover` of {n:,} messages of 4 assets, two threads"
    return Row(what, "one thread / two", ratio, 1.9, 1.97)


def _against_coincurve(work: _Signed, inputs: Inputs) -> Iterator[Row]:
    scale, n, of = inputs.scale, work.n, "coincurve / recover"
    loop = Side(lambda: coincurve_addresses(work.payloads), n)
    what = (
        "`recover`, against a loop of coincurve's `from_signature_and_message` and the"
        f" keccak256 of {KECCAK_PACKAGE}"
    )
    for threads, how, must in ((1, "one thread", 1.1), (2, "two threads", 2.1)):
        ours = Side(partial(codec.recover, work.batch, threads=threads), n)
        ratio = interleave(loop, ours, scale.signature_budget)
        yield Row(f"{what}: {how}", of, ratio, must)
    batch = codec.decode(work.work.frames[0])
    n_calls = max(scale.n_calls // 10, 2)
    ratio = interleave(
        looped(coincurve_address, work.payloads[0], n_calls),
        looped(codec.recover, batch, n_calls),
        scale.budget,
    )
    yield Row("the same of one message, in one call", of, ratio)


def _around_recover(work: _Signed, inputs: Inputs) -> Iterator[Row]:
    budget, n = inputs.scale.signature_budget, work.n
    signers, lines, frames = work.signers, work.work.lines, work.work.frames
    one = Side(lambda: codec.recover(work.batch), n)
    verify = Side(lambda: codec.verify(work.batch, signers), n)
    ratio = interleave(verify, one, budget)
    what = f"`verify` with {len(signers)} signers, against `recover`"
    yield Row(what, "verify / recover", ratio, better="lower")
    for threads, how in ((1, "one thread"), (2, "two threads")):
        decode = partial(codec.decode_lines, lines, signers=signers, threads=threads)
        ratio = interleave(Side(decode, n), one, budget)
        rate = f"{1e9 / ratio.over_ns:,.0f} messages a second"
        what = f"`decode_lines(lines, signers=...)`, {how} ({rate})"
        yield Row(
            f"{what}, against `recover`", "decode / recover", ratio, None, None, "lower"
        )
    part = reference.decode(frames[: max(n // 50, 1)])
    work.check(reference.recover(part), "reference.recover")
    slow = Side(lambda: reference.recover(part), len(part.messages))
    ratio = interleave(slow, one, budget)
    yield Row("`recover`, against `codec.reference`", "reference / recover", ratio)


def hash_rows(inputs: Inputs) -> Iterator[Row]:
    """keccak256 of the signed part of messages of several sizes."""
    frames = _mixed_frames(inputs.scale.n_signatures)
    batch = codec.decode(frames)
    bodies = [payload[65:] for payload in payloads_of(batch)]
    expected = b"".join(new_keccak(body).digest() for body in bodies)
    best = _core.instruction_set()
    sizes = f"{min(map(len, bodies))} to {max(map(len, bodies))} bytes"
    try:
        for name, (must, aim) in _HASH_SETS.items():
            if name in _core.instruction_sets():
                ratio = _against_scalar(name, batch, expected, inputs)
                work = f"`digests` of {len(bodies):,} messages, {sizes} hashed: {name}"
                yield Row(work, f"scalar / {name}", ratio, must, aim)
    finally:
        _core.use_instruction_set(best)
    _require(codec.keccak256_batch(bodies).tobytes() == expected, "keccak256_batch")
    n, budget = len(bodies), inputs.scale.budget
    library = Side(lambda: [new_keccak(body).digest() for body in bodies], n)
    ours = Side(lambda: codec.keccak256_batch(bodies), n)
    yield Row(
        f"`keccak256_batch` of a list of these inputs, against {KECCAK_PACKAGE}",
        "library / keccak256_batch",
        interleave(library, ours, budget),
    )


def _against_scalar(name: str, batch: Batch, expected: bytes, inputs: Inputs) -> Ratio:
    """`digests` by the scalar kernels / by those of an instruction set."""
    sides = []
    for kernels in ("scalar", name):
        use = partial(_core.use_instruction_set, kernels)
        use()
        _require(codec.digests(batch).tobytes() == expected, f"digests by {kernels}")
        sides.append(Side(lambda: codec.digests(batch), len(batch.messages), use))
    over, under = sides
    return interleave(over, under, inputs.scale.budget)


def _mixed_frames(n: int) -> list[bytes]:
    """Frames of all the sizes hashed, in an order that does not change."""
    n_each = -(-n // len(_HASHED_ASSETS))
    works = [signed(n_assets, n_each).frames for n_assets in _HASHED_ASSETS]
    frames = [frame for several in works for frame in several]
    order = np.random.default_rng(0).permutation(len(frames))
    return [frames[i] for i in order[:n]]


def _require(is_equal: bool, name: str) -> None:
    if not is_equal:
        raise AssertionError(f"{name} gives another result")
