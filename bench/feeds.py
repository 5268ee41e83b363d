"""Ratios of a live feed: from the socket to decoded rows, against the bare library.

The sender has a process and a core of its own (bench/sender.py), and writes faster than
any of the readers reads. Times are those of one message.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

import codec
from bench import readers, rivals
from bench.readers import MODES, Spent, Stream
from bench.recovery import key_address
from bench.rows import Row
from bench.sender import Order, Sender, messages_of
from bench.timing import ratio_of
from bench.workloads import KEYS, MIB, frame_len
from codec import KnownSigner, reference

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from bench.ratios import Inputs
    from bench.readers import Reader
    from bench.timing import Budget, Ratio

__all__ = [
    "BARE",
    "FEED",
    "Compared",
    "Streams",
    "compare",
    "feed_rows",
    "rates_of",
    "run",
]

T = TypeVar("T")
BARE, FEED = "bare", "FastFeed"
"""How the two are named in `Row.of`."""

_LIMITS = {
    (4, "plain"): (0.4, 0.8),
    (4, "TLS"): (0.4, 0.8),
    (4, "deflate"): (0.8, 0.95),
    (100, "plain"): (0.4, 0.7),
    (100, "TLS"): (0.4, 0.7),
    (100, "deflate"): (0.4, 0.7),
}
_TIMEOUT_S = 120.0
_N_SIGNED = 20_000  # different messages with good signatures
_REMEMBERED = 1 << 14  # signatures after which an address is verified as a known key


def _spent(side: tuple[Reader, Stream]) -> Spent:
    reader, stream = side
    return run(reader(stream))


class Compared(NamedTuple):
    """Two readers of the same messages, in turn."""

    cpu: Ratio
    wall: Ratio
    busy: tuple[float, float]
    """The median share of the time in which each had something to do."""


def run(reading: Awaitable[T]) -> T:
    """Has something read in an event loop of its own, and never for ever."""

    async def bounded() -> T:
        async with asyncio.timeout(_TIMEOUT_S):
            return await reading

    return asyncio.run(bounded())


def compare(
    over: tuple[Reader, Stream], under: tuple[Reader, Stream], budget: Budget
) -> Compared:
    """One pair is run before, untimed."""
    measured: list[tuple[Spent, Spent]] = []
    limit_s = budget.seconds
    _spent(over), _spent(under)
    while len(measured) < budget.max_pairs and (
        len(measured) < budget.min_pairs or limit_s > 0
    ):
        pair = _spent(over), _spent(under)
        measured.append(pair)
        limit_s -= sum(
            side.wall_ns * stream.order.n_messages / 1e9
            for side, (_, stream) in zip(pair, (over, under), strict=True)
        )
    sides = list(zip(*measured, strict=True))
    cpu = ratio_of(*([side.cpu_ns for side in each] for each in sides))
    wall = ratio_of(*([side.wall_ns for side in each] for each in sides))
    above, below = (float(np.median([s.busy for s in each])) for each in sides)
    return Compared(cpu, wall, (above, below))


def feed_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row that compares a feed with another reader, in turn."""
    with Sender() as sender:
        streams = Streams(sender, inputs.scale.feed_run_s)
        for mode in MODES:
            _check(streams, mode)
        for (n_assets, mode), limits in _LIMITS.items():
            yield from _against_bare(streams, n_assets, mode, limits, inputs)
        yield from _verified(streams, inputs)
        yield from _against_others(streams, inputs)


class Streams:
    """Streams that are read in about the same time, whatever is in them."""

    def __init__(self, sender: Sender, run_s: float) -> None:
        self._sender = sender
        self._run_s = run_s
        self._n_messages: dict[tuple[int, str], int] = {}

    def of(self, n_assets: int, mode: str, share: float = 1.0) -> Stream:
        """As many messages as the bare library reads in this share of the time."""
        key = n_assets, mode
        if key not in self._n_messages:
            stream = self.made(Order(n_assets, 2 * MIB // frame_len(n_assets)), mode)
            run(readers.bare(stream))  # the sender makes its frames
            cpu_ns = run(readers.bare(stream)).cpu_ns
            self._n_messages[key] = round(self._run_s * 1e9 / cpu_ns)
        n_messages = max(round(self._n_messages[key] * share), 20)
        return self.made(Order(n_assets, n_messages), mode)

    def made(self, order: Order, mode: str) -> Stream:
        """A stream of this order."""
        is_tls = mode == "TLS"
        context = self._sender.ssl_context if is_tls else None
        return Stream(self._sender.url(order, is_tls=is_tls), order, mode, context)


def _check(streams: Streams, mode: str) -> None:
    """Raises AssertionError where a feed gives other rows than `codec.decode`."""
    stream = streams.made(Order(4, 5000, n_distinct=3000), mode)
    batches = run(readers.batches(stream))
    frames = messages_of(stream.order)
    expected = codec.decode([*frames, *frames][: stream.order.n_messages]).updates
    found = np.concatenate([batch.updates for batch in batches])
    np.testing.assert_array_equal(found, expected)
    n_frames = run(readers.bare_count(stream))
    np.testing.assert_equal(n_frames, stream.order.n_messages + 1)  # and a close


def _against_bare(
    streams: Streams,
    n_assets: int,
    mode: str,
    limits: tuple[float, float],
    inputs: Inputs,
) -> Iterator[Row]:
    stream = streams.of(n_assets, mode)
    pair = compare(
        (readers.bare, stream), (readers.fast_feed, stream), inputs.scale.feed_budget
    )
    rates = f"{_rate(pair.cpu.over_ns)} and {_rate(pair.cpu.under_ns)} a CPU second"
    work = f"{_frames(n_assets)}, {mode}"
    yield Row(
        f"{work}, by the reading process's CPU time ({rates})",
        f"{BARE} / {FEED}",
        pair.cpu,
        *limits,
    )
    bare, feed = (f"{share:.0%}" for share in pair.busy)
    yield Row(
        f"{work}, by the clock (busy {bare} and {feed} of the time)",
        f"{BARE} / {FEED}, clock",
        pair.wall,
    )


def _verified(streams: Streams, inputs: Inputs) -> Iterator[Row]:
    """Signatures looked at as well. By address it is a known key after a while."""
    signer = KnownSigner(KEYS[0].public_key, window=13)
    address = key_address(KEYS[0].public_key)
    plain = streams.of(4, "plain", 0.1).order
    n_distinct = min(_N_SIGNED, plain.n_messages)
    order = replace(plain, n_distinct=n_distinct, is_signed=True)
    stream = streams.made(order, "plain")
    batch = codec.decode(messages_of(order)[:1000])
    for _ in range(-(-_REMEMBERED // len(batch.messages))):
        if not codec.verify(batch, address).all():
            raise AssertionError("the sender's signatures are not good")
    for how, signers in (("a `KnownSigner`", signer), ("an address", address)):
        pair = compare(
            (readers.bare, stream),
            (partial(readers.fast_feed, signers=signers), stream),
            inputs.scale.feed_budget,
        )
        rate = _rate(pair.cpu.under_ns)
        yield Row(
            f"{_frames(4)}, plain, verified by {how} ({rate} a CPU second)",
            f"{BARE} / {FEED}, verified",
            pair.cpu,
        )


def _against_others(streams: Streams, inputs: Inputs) -> Iterator[Row]:
    """What one would write without this package, or with its decoder alone."""
    ours = readers.fast_feed, streams.of(4, "plain")
    stream = streams.of(4, "plain", 0.02)
    for library in (readers.aiohttp, readers.websockets):
        for how, each in _WAYS.items():
            try:
                theirs = partial(library, each=each), stream
                pair = compare(theirs, ours, inputs.scale.budget)
            except ImportError as exc:
                print(f"left out: feeds by {library.__name__}, as {exc}")
                break
            rate = _rate(pair.cpu.over_ns)
            yield Row(
                f"{_frames(4)}, plain: {library.__name__} with {how}, message by"
                f" message ({rate} a CPU second)",
                f"{library.__name__} / {FEED}",
                pair.cpu,
            )


_WAYS: dict[str, Callable[[bytes], object]] = {
    "`codec.decode`": codec.decode,
    "orjson and numpy": lambda message: rivals.numpy_per_message([message]),
    "json and struct": lambda message: rivals.stdlib_tuned([message]),
    "`codec.reference.decode`": reference.decode,
}


def rates_of(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[float, float]]:
    """Messages a CPU second by (frames, mode): the bare library's, the feed's."""
    rates = {}
    for row in rows:
        if row.of == f"{BARE} / {FEED}":
            frames, mode = row.work.split(", ")[:2]
            rates[frames, mode] = 1e9 / row.ratio.over_ns, 1e9 / row.ratio.under_ns
    return rates


def _frames(n_assets: int) -> str:
    return f"frames of {n_assets} assets ({frame_len(n_assets)} bytes)"


def _rate(ns: float) -> str:
    rate = 1e9 / ns
    return f"{rate / 1e6:.3g} million" if rate >= 1e6 else f"{rate:,.0f}"
