"""Ratios of verification by a known key, with a limit or for context.

Times are those of one message.
"""

from __future__ import annotations

from functools import cached_property, partial
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

import codec
from bench.bare import NoCompilerError
from bench.context import two_threads
from bench.recovery import BareLoop
from bench.rows import Row, format_ratio
from bench.timing import Side, balanced, interleave
from bench.verification import RIVALS, BareVerify, damaged, signed_rows
from bench.workloads import KEYS, MIB, payloads_of, signatures_of
from codec import KnownSigner, _core
from codec.tables import LIBRARY, use_verify_path, verify_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.ratios import Inputs
    from bench.timing import Budget, Ratio
    from codec import Batch

__all__ = ["BARE_RECOVER", "BARE_VERIFY", "known_rows", "times_of"]

BARE_VERIFY, BARE_RECOVER = "libsecp256k1 verify", "libsecp256k1 recover"
"""How the C loops are named in `Row.of`."""

_PATHS = ("ifma", "portable")
_LIMITS = {"ifma": (35, 60), "portable": (4, 7)}
"""Of verification in large batches."""
_LARGE, _N_BARE = 8192, 2048
_SMALL = {1: (None, None), 8: (None, None), 64: (10, 25), 100: (None, None)}
_SMALL |= {1024: (None, None)}
"""Messages in small batches, and the limits of the IFMA path for them."""
_WINDOW, _OTHER_WINDOWS = 13, (8, 16)
# After how many signatures a remembered signer has the tables of its second window.
_N_REMEMBERED = 1 << 14


class _Known:
    """Messages of one signer in all the forms in which they are verified."""

    def __init__(self, inputs: Inputs) -> None:
        self.budget = inputs.scale.budget
        self.limit_budget = inputs.scale.signature_budget
        self.work = inputs.known_frames
        self.whole = codec.decode(self.work.frames)
        self.frames = self.work.frames[:_LARGE]
        self.batch = codec.decode(self.frames)
        self.n = len(self.frames)
        self.key = KEYS[0].public_key
        self.signer = KnownSigner(self.key, window=_WINDOW)
        self.paths = [name for name in _PATHS if name in _core.verify_paths()]
        self.best = self.paths[0]
        self.digests = codec.digests(self.batch)
        self.signatures = signatures_of(self.batch)

    @cached_property
    def bare(self) -> BareVerify:
        return BareVerify(self.key, self.digests, self.signatures)

    def bare_side(self) -> Side:
        """The first of the C loop; NoCompilerError where it cannot be built."""
        n = min(_N_BARE, self.n)
        return Side(partial(self.bare.run, 0, n), n)

    def ours(self, path: str, signer: KnownSigner | None = None) -> Side:
        """`verify` of the large batch by a path."""
        verify = partial(codec.verify, self.batch, signer or self.signer)
        return Side(verify, self.n, partial(use_verify_path, path))

    def check(self) -> None:
        """Raises AssertionError where a way judges differently: good, then damaged."""
        windows = [KnownSigner(self.key, window=w) for w in _OTHER_WINDOWS]
        batch, is_good = damaged(payloads_of(self.batch)[:300])
        for path in (*self.paths, LIBRARY):
            use_verify_path(path)
            for signer in (self.signer, *windows):
                found = codec.verify(batch, signer)
                _require(found.tolist() == is_good, f"{path}, {signer!r}")
            if path != LIBRARY:
                for threads in (1, 2):
                    found = codec.verify(self.whole, self.signer, threads=threads)
                    _require(bool(found.all()), path)
                rows = self.digests, self.signatures
                _require(bool(self.signer.verify_digests(*rows).all()), path)
                decoded = codec.decode_lines(self.work.lines, signers=self.signer)
                _require(bool(np.all(decoded.verified)), f"decode_lines by {path}")
        try:
            _require(self.bare() == self.n, "the C loop")
            digests, signatures = codec.digests(batch), signatures_of(batch)
            bare = BareVerify(self.key, digests, signatures)
            bare()
            _require(bare.verdicts.tolist() == is_good, "the C loop, damaged")
        except NoCompilerError as exc:
            print(f"left out: verification against C loops, as {exc}")


def known_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row about known signers, in turn."""
    before = verify_path()
    try:
        work = _Known(inputs)
        for name in _PATHS:
            if name not in work.paths:
                print(f"left out: path {name}, which this machine does not have")
        work.check()
        yield from _against_bare(work)
        yield from _small_batches(work)
        yield from _two_threads(work)
        yield from _with_decoding(work)
        yield from _windows(work)
        yield from _ways(work)
        yield from _rivals(work)
    finally:
        use_verify_path(before)


def times_of(rows: Sequence[Row]) -> dict[str, float]:
    """Nanoseconds a signature by what verifies, of those that the picture shows."""
    wanted = {BARE_VERIFY, BARE_RECOVER, *_PATHS, *(rival.package for rival in RIVALS)}
    times: dict[str, float] = {}
    for row in rows:
        over, _, under = row.of.partition(" / ")
        for name, ns in ((over, row.ratio.over_ns), (under, row.ratio.under_ns)):
            if name in wanted:
                times.setdefault(name, ns)
    return times


def _against_bare(work: _Known) -> Iterator[Row]:
    try:
        bare = work.bare_side()
        recover = BareLoop(work.digests, work.signatures)
    except NoCompilerError:
        return
    for path in work.paths:
        what = (
            f"`verify` of {work.n:,} messages of 4 assets, digests included, path"
            f" `{path}`, window {_WINDOW}{_tables(work, _WINDOW)}, against"
            " `secp256k1_ecdsa_verify` of coincurve's library in a C loop"
        )
        ratio = _compare(bare, work.ours(path), work.limit_budget)
        yield Row(what, f"{BARE_VERIFY} / {path}", ratio, *_LIMITS[path])
    ratio = _compare(Side(recover, work.n), work.ours(work.best), work.budget)
    what = (
        f"the same, path `{work.best}`, against `secp256k1_ecdsa_recover` in a C loop"
    )
    yield Row(what, f"{BARE_RECOVER} / {work.best}", ratio)


def _small_batches(work: _Known) -> Iterator[Row]:
    n = min(_N_BARE, work.n)
    try:
        bare = work.bare_side()
    except NoCompilerError:
        return
    for path in work.paths:
        for batch_len, limits in _SMALL.items():
            starts = range(0, n, batch_len)
            parts = [work.frames[at : min(at + batch_len, n)] for at in starts]
            ours = _each(work, path, [codec.decode(part) for part in parts])
            must, aim = limits if path == "ifma" else (None, None)
            budget = work.budget if must is None else work.limit_budget
            what = f"the same in batches of {batch_len:,}, path `{path}`"
            yield Row(
                what,
                f"{BARE_VERIFY} / batches",
                _compare(bare, ours, budget),
                must,
                aim,
            )


def _each(work: _Known, path: str, batches: list[Batch]) -> Side:
    """A call of `verify` for each batch."""
    verify, signer = codec.verify, work.signer

    def run() -> None:
        for batch in batches:
            verify(batch, signer)

    n = sum(len(batch.messages) for batch in batches)
    return Side(run, n, partial(use_verify_path, path))


def _two_threads(work: _Known) -> Iterator[Row]:
    n, of = len(work.whole.messages), "one thread / two"
    for path in work.paths:
        prepare = partial(use_verify_path, path)
        one, two = (
            Side(
                partial(codec.verify, work.whole, work.signer, threads=threads),
                n,
                prepare,
            )
            for threads in (1, 2)
        )
        ratio = interleave(one, two, work.limit_budget)
        what = f"two threads, `verify` of {n:,} messages, path `{path}`"
        yield Row(f"{what} ({_rate(ratio.under_ns)})", of, ratio, 1.9)
    try:
        bare, half = work.bare, work.n // 2
    except NoCompilerError:
        return
    parts = partial(bare.run, 0, half), partial(bare.run, half, work.n)
    what = "two threads of the C loop: the limit that the processor sets"
    yield Row(what, of, two_threads(bare, parts, work.budget, work.n))


def _with_decoding(work: _Known) -> Iterator[Row]:
    lines, n = work.work.lines, len(work.whole.messages)
    for threads, how in ((1, "one thread"), (2, "two threads")):
        alone = Side(partial(codec.decode_lines, lines, threads=threads), n)
        for path in work.paths:
            verified = Side(
                partial(
                    codec.decode_lines, lines, signers=work.signer, threads=threads
                ),
                n,
                partial(use_verify_path, path),
            )
            ratio = _compare(verified, alone, work.budget)
            what = (
                f"`decode_lines(lines, signers=KnownSigner(...))`, {n:,} messages of 4"
                f" assets decoded, hashed and verified, path `{path}`, {how}:"
                f" **{_rate(ratio.over_ns)}**; against `decode_lines` alone"
            )
            yield Row(what, "verified / decoded", ratio, better="lower")


def _windows(work: _Known) -> Iterator[Row]:
    try:
        bare = work.bare_side()
    except NoCompilerError:
        return
    for window in _OTHER_WINDOWS:
        signer = KnownSigner(work.key, window=window)
        tables = _tables(work, window)
        for path in work.paths:
            ratio = _compare(bare, work.ours(path, signer), work.budget)
            what = f"batches of {work.n:,}, path `{path}`, window {window}{tables}"
            yield Row(what, f"{BARE_VERIFY} / window {window}", ratio)


def _tables(work: _Known, window: int) -> str:
    """Size and building time of a table, in brackets."""
    key, times = work.signer.public_key[1:], []
    for _ in range(3):
        start = perf_counter_ns()
        points = _core.Points(key, window)
        times.append(perf_counter_ns() - start)
    size = f"{points.nbytes / MIB:.3g} MiB"
    return f" (a table of {size}, built in {format_ratio(median(times) / 1e6)} ms)"


def _ways(work: _Known) -> Iterator[Row]:
    """The same verdicts by other calls or paths."""
    budget, best, path = work.budget, work.ours(work.best), work.best
    if len(work.paths) > 1:
        slow, fast = work.paths[1], path
        ratio = _compare(work.ours(slow), best, budget)
        yield Row(f"path `{slow}`, against `{fast}`", f"{slow} / {fast}", ratio)
    ratio = _compare(work.ours(LIBRARY), best, budget)
    what = f"`verify` by recovery (path `{LIBRARY}`), against `{path}`"
    yield Row(what, f"recovery / {path}", ratio)
    use = partial(use_verify_path, path)
    verify = partial(codec.verify, work.batch, work.signer.address)
    use()
    for _ in range(-(-_N_REMEMBERED // work.n)):
        _require(bool(verify().all()), "verify with an address")
    ratio = interleave(Side(verify, work.n, use), best, budget)
    what = "`verify` with a plain address, once remembered, against its `KnownSigner`"
    yield Row(what, "address / KnownSigner", ratio, better="lower")
    rows = work.digests, work.signatures
    known_digests = Side(partial(work.signer.verify_digests, *rows), work.n, use)
    ratio = interleave(known_digests, best, budget)
    what = "`KnownSigner.verify_digests` (digests known), against `verify`"
    yield Row(what, "verify_digests / verify", ratio, better="lower")


def _rivals(work: _Known) -> Iterator[Row]:
    """Other libraries: each starts from digests and the form of signature it wants."""
    signed = signed_rows(work.digests, work.signatures, RIVALS[0].n_max)
    batch, is_good = damaged(payloads_of(work.batch)[:24])
    bad = signed_rows(codec.digests(batch), signatures_of(batch))
    for rival in RIVALS:
        rows = signed[: rival.n_max]
        try:
            theirs = rival.bind(work.key, rows)
        except ImportError as exc:
            print(f"left out: verification against {rival.package}, as {exc}")
            continue
        _require(all(theirs()), rival.package)
        _require(rival.bind(work.key, bad)() == is_good, f"{rival.package}, damaged")
        ratio = _compare(Side(theirs, len(rows)), work.ours(work.best), work.budget)
        what = (
            f"`verify`, path `{work.best}`, against a Python loop of {rival.call}"
            " (digests known)"
        )
        yield Row(what, f"{rival.package} / {work.best}", ratio)


def _compare(over: Side, under: Side, budget: Budget) -> Ratio:
    """Of two that may differ a hundredfold."""
    return interleave(*balanced(over, under), budget)


def _rate(ns: float) -> str:
    return f"{1e3 / ns:.3g} million messages a second"


def _require(is_equal: bool, name: str) -> None:
    if not is_equal:
        raise AssertionError(f"{name} gives another result")
