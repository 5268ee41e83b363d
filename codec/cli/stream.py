"""The demo's stream of signed messages: made, checked, measured and verified."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from itertools import chain
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import codec
from codec import reference

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MEMCPY",
    "REFERENCE",
    "MismatchError",
    "Rate",
    "Stream",
    "Verified",
    "check",
    "make_stream",
    "measure",
    "verify",
]

_SEED = 20251201
_START_NS = 1764608698685038908
_STEP_NS = 10_000_000
_TAXONOMY_ID = 1
_SLICE_LEN = 300  # messages for the reference
_ROUNDS = 12
_N_VERIFIED = 1000
_VERIFY_ROUNDS = 3

MEMCPY = "memcpy of the lines"
REFERENCE = "codec.reference"


class MismatchError(Exception):
    """Something came back other than it went in."""


@dataclass(frozen=True, slots=True)
class Stream:
    """What went in, and the frames made of it, one on each line.

    values: of each message, the integers scaled by 10^18. signer: the address of the
    key that signed. seconds: to encode and sign all of it.
    """

    asset_ids: list[int]
    values: list[list[int]]
    payloads: list[bytes]
    lines: bytes
    signer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rate:
    """The seconds that some work took for so many messages and updates."""

    text: str
    seconds: float
    n_messages: int
    n_updates: int
    reads_lines: bool = True

    @property
    def updates_per_s(self) -> float:
        return self.n_updates / self.seconds


@dataclass(frozen=True, slots=True)
class Verified:
    """How fast signatures are judged, and what became of good ones and of a bad one."""

    rate: Rate
    good: str
    refused: str


def make_stream(n_messages: int, n_assets: int) -> Stream:
    """A random walk in exact integers, always the same one, signed with a new key."""
    from coincurve import PrivateKey

    key = PrivateKey()
    asset_ids = list(range(1, n_assets + 1))
    values = _walk(n_messages, n_assets)
    begin = perf_counter()
    payloads = [
        codec.encode(
            asset_ids,
            row,
            timestamp_ns=_START_NS + i * _STEP_NS,
            taxonomy_id=_TAXONOMY_ID,
            key=key,
        )
        for i, row in enumerate(values)
    ]
    seconds = perf_counter() - begin
    lines = b"".join(codec.to_frame(payload) + b"\n" for payload in payloads)
    public = key.public_key.format(compressed=False)[1:]
    signer = codec.checksum_address(codec.keccak256(public)[-20:])
    return Stream(asset_ids, values, payloads, lines, signer, seconds)


def _walk(n_messages: int, n_assets: int) -> list[list[int]]:
    """Prices from 10^-6 to 10^9; the first asset walks around zero, like a rate."""
    rng = np.random.default_rng(_SEED)
    steps = rng.integers(-999, 1000, (n_messages, n_assets)).tolist()
    start = [10 ** (12 + 15 * j // n_assets) * (j + 7) // 7 for j in range(n_assets)]
    sizes = [max(price // 10**6, 1) for price in start]
    row = [0, *start[1:]]
    rows = []
    for step in steps:
        row = [v + k * d for v, k, d in zip(row, step, sizes, strict=True)]
        rows.append(row)
    return rows


def check(stream: Stream) -> str:
    """Decodes the stream in every way, compares, and says what was compared.

    Raises MismatchError where something differs, CodecError where something is refused.
    """
    n_messages, n_assets = len(stream.payloads), len(stream.asset_ids)
    batch = codec.decode_lines(stream.lines)
    _check_batch(batch, stream)
    decoder = codec.Decoder()
    for _ in range(2):  # the second time into buffers that it has kept
        warm = decoder.decode_lines(stream.lines)
        for name in ("messages", "updates", "payload_arena"):
            _same(f"Decoder's {name}", _raw(warm, name), _raw(batch, name))
    n_slice = min(_SLICE_LEN, n_messages)
    part = _slice(stream, n_slice)
    plain, core = reference.decode_lines(part), codec.decode_lines(part)
    for name in ("messages", "updates", "payload_arena"):
        _same(f"codec.reference's {name}", _raw(plain, name), _raw(core, name))
        _same(
            f"the slice's {name}",
            _raw(core, name),
            _raw(batch, name)[: len(_raw(core, name))],
        )
    return (
        f"all {n_messages * n_assets:,} values, asset ids and times and"
        f" {n_messages:,} payloads came back exactly as they went in, from"
        f" decode_lines and from a Decoder; codec.reference gives the same rows,"
        f" messages and payload bytes for the first {n_slice} messages"
    )


def _check_batch(batch: codec.Batch, stream: Stream) -> None:
    """Compares with what went in, through Python's own integers."""
    n_messages, n_assets = len(stream.payloads), len(stream.asset_ids)
    times = [_START_NS + i * _STEP_NS for i in range(n_messages)]
    messages, updates = batch.messages, batch.updates
    _same("the number of updates", len(batch), n_messages * n_assets)
    _same("the times", messages["timestamp_ns"].tolist(), times)
    _same("the counts", set(messages["update_count"].tolist()), {n_assets})
    _same("the payloads", _raw(batch, "payload_arena"), b"".join(stream.payloads))
    values = list(chain.from_iterable(stream.values))
    _same("the values", codec.as_int(updates).tolist(), values)
    _same("the asset ids", updates["asset_id"].tolist(), stream.asset_ids * n_messages)
    _same("the taxonomy ids", set(updates["taxonomy_id"].tolist()), {_TAXONOMY_ID})
    rows = np.repeat(np.array(times, np.uint64), n_assets)
    _same("the times of the updates", updates["timestamp_ns"].tobytes(), rows.tobytes())


def _same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise MismatchError(f"{what}: not what was expected")


def _raw(batch: codec.Batch | reference.Batch, name: str) -> bytes:
    array = getattr(batch, name)
    return bytes(array.tobytes())


def _slice(stream: Stream, n_messages: int) -> bytes:
    return b"".join(codec.to_frame(p) + b"\n" for p in stream.payloads[:n_messages])


def measure(stream: Stream) -> list[Rate]:
    """Times memcpy, the core and the reference in turns; the median of each."""
    lines, n_messages = stream.lines, len(stream.payloads)
    n_slice = min(_SLICE_LEN, n_messages)
    part = _slice(stream, n_slice)
    target = ctypes.create_string_buffer(len(lines))
    decoder = codec.Decoder()
    works: list[tuple[str, int, Callable[[], object]]] = [
        (MEMCPY, n_messages, lambda: ctypes.memmove(target, lines, len(lines))),
        ("warm Decoder", n_messages, lambda: decoder.decode_lines(lines)),
        ("decode_lines", n_messages, lambda: codec.decode_lines(lines)),
        (REFERENCE, n_slice, lambda: reference.decode_lines(part)),
    ]
    seconds: dict[str, list[float]] = {text: [] for text, _, _ in works}
    for i in range(_ROUNDS):
        first = i % len(works)  # who comes first finds other things in the caches
        for text, _, work in works[first:] + works[:first]:
            begin = perf_counter()
            work()
            seconds[text].append(perf_counter() - begin)
    n_assets = len(stream.asset_ids)
    rates = [Rate(text, median(seconds[text]), n, n * n_assets) for text, n, _ in works]
    n_updates = n_messages * n_assets
    return [
        *rates,
        Rate("encode and sign", stream.seconds, n_messages, n_updates, False),
    ]


def verify(stream: Stream) -> Verified:
    """Times the judging of the first signatures, on all cores; then tampers with one.

    Raises MismatchError where a good one is refused, or the bad one is not.
    """
    batch = codec.decode_payloads(stream.payloads[:_N_VERIFIED])
    n_messages = len(batch.messages)
    seconds = []
    for _ in range(_VERIFY_ROUNDS):
        begin = perf_counter()
        good = codec.verify(batch, stream.signer, threads=0)
        seconds.append(perf_counter() - begin)
        _same("the signers", good.tolist(), [True] * n_messages)
    cores = _core_count()
    where = f"{cores} core{'' if cores == 1 else 's'}"
    rate = Rate(f"verify, {where}", median(seconds), n_messages, len(batch), False)
    return Verified(
        rate,
        f"{n_messages / rate.seconds:,.0f} messages/s on {where}, all of"
        f" {n_messages:,} good",
        _refusal(stream),
    )


def _refusal(stream: Stream) -> str:
    """What is said of a payload whose last bit has been changed."""
    payload = bytearray(stream.payloads[0])
    payload[-1] ^= 1
    try:
        codec.decode_payloads(payload, signers=stream.signer)
    except codec.BadSignatureError as error:
        return f"{error.code} ({error.code.description})"
    raise MismatchError("a changed message passes as signed")


def _core_count() -> int:
    """How many workers threads=0 stands for."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
