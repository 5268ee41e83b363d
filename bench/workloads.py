"""Makes the messages that the benchmarks decode: seeded, the same in every run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from coincurve import PrivateKey

import codec
from codec import VALUE_DTYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from codec import Batch

__all__ = [
    "FIRST_NS",
    "KEYS",
    "MIB",
    "SIZES",
    "STEP_NS",
    "Assets",
    "Workload",
    "asset_columns",
    "frame_len",
    "payloads_of",
    "signatures_of",
    "signed",
    "signed_of_len",
    "unsigned",
]

MIB = 1 << 20
SIZES = (1, 4, 100, 1000)
"""Assets per message."""

_SEED = 20251201
_POOL_LEN = 1 << 16
KEYS = tuple(PrivateKey(bytes([i]) * 32) for i in range(1, 5))
"""Sign messages in turn, where signatures are verified."""

FIRST_NS = 1_764_600_000_000_000_000
STEP_NS = 50_000_000
_TAXONOMY_ID = 1


@dataclass(frozen=True)
class Workload:
    """Messages of one size, as a list of frames and as one buffer of lines."""

    n_assets: int
    frames: list[bytes]

    @cached_property
    def lines(self) -> bytes:
        """All frames in one buffer, each ended by a line feed."""
        return b"\n".join([*self.frames, b""])

    @property
    def n_updates(self) -> int:
        return self.n_assets * len(self.frames)

    def chunks(self, chunk_len: int) -> list[memoryview]:
        """The lines in views of whole lines, each about `chunk_len` bytes."""
        line_len = len(self.frames[0]) + 1
        step = max(chunk_len // line_len, 1) * line_len
        view = memoryview(self.lines)
        return [view[at : at + step] for at in range(0, len(view), step)]


@dataclass(frozen=True)
class Assets:
    """The arguments of `encode`: uint16 ids, and values as VALUE_DTYPE and as ints."""

    ids: NDArray[np.uint16]
    values: NDArray[Any]
    ints: list[int]


def asset_columns(n_assets: int) -> Assets:
    """One message's columns."""
    rng = np.random.default_rng([_SEED, n_assets])
    ints = _prices(rng, n_assets)
    return Assets(_asset_ids(rng, n_assets), _as_values(ints), ints)


def signed(
    n_assets: int,
    n_messages: int,
    keys: Sequence[PrivateKey | None] = (None,),
    step_ns: int = STEP_NS,
) -> Workload:
    """Frames signed by the keys in turn. Without any the signatures are zero.

    step_ns: from one timestamp to the next.
    """
    rng = np.random.default_rng([_SEED, n_assets])
    ids = _asset_ids(rng, n_assets)
    pool = _as_values(_prices(rng, _POOL_LEN))
    frames = [
        codec.to_frame(
            codec.encode(
                ids,
                pool[start : start + n_assets],
                timestamp_ns=timestamp_ns,
                taxonomy_id=_TAXONOMY_ID,
                key=key,
            )
        )
        for (timestamp_ns, start), key in zip(
            _messages(rng, n_assets, n_messages, step_ns),
            cycle(keys),
            strict=False,
        )
    ]
    return Workload(n_assets, frames)


def signed_of_len(n_assets: int, input_len: int) -> Workload:
    """As many signed frames as fill `input_len` bytes of lines."""
    return signed(n_assets, max(input_len // (frame_len(n_assets) + 1), 1))


def unsigned(n_assets: int, n_messages: int) -> Workload:
    """Unsigned frames: JSON with the values as decimal text."""
    rng = np.random.default_rng([_SEED, n_assets])
    ids = [int(asset_id) for asset_id in _asset_ids(rng, n_assets)]
    pool = _prices(rng, _POOL_LEN)
    frames = []
    for timestamp_ns, start in _messages(rng, n_assets, n_messages):
        values = pool[start : start + n_assets]
        entries = ",".join(
            f'{{"id":{asset_id},"v":"{value}"}}'
            for asset_id, value in zip(ids, values, strict=True)
        )
        head = f'{{"type":"unsigned","tax":{_TAXONOMY_ID},"ts":{timestamp_ns}'
        frames.append(f'{head},"a":[{entries}]}}'.encode())
    return Workload(n_assets, frames)


def frame_len(n_assets: int) -> int:
    """Bytes of a compact signed frame of layout 1."""
    return 32 + 2 * (75 + 18 * n_assets)


def payloads_of(batch: Batch) -> list[bytes]:
    """Each message's payload."""
    return [bytes(batch.payload(i)) for i in range(len(batch.messages))]


def signatures_of(batch: Batch) -> NDArray[np.uint8]:
    """Each message's signature: r, s and v, shape (n, 65)."""
    joined = b"".join(payload[:65] for payload in payloads_of(batch))
    return np.frombuffer(joined, np.uint8).reshape(-1, 65)


def _messages(
    rng: np.random.Generator, n_assets: int, n_messages: int, step_ns: int = STEP_NS
) -> Iterator[tuple[int, int]]:
    """Each message's timestamp, and where in the pool its values start."""
    starts = rng.integers(0, _POOL_LEN - n_assets, n_messages)
    for i, start in enumerate(starts.tolist()):
        yield FIRST_NS + i * step_ns, start


def _asset_ids(rng: np.random.Generator, n_assets: int) -> NDArray[np.uint16]:
    ids = rng.choice(1 << 16, n_assets, replace=False)
    return np.sort(ids).astype(np.uint16)


def _prices(rng: np.random.Generator, n: int) -> list[int]:
    """Prices scaled by 10^18: 18 to 24 digits, one in 16 negative."""
    leading = rng.integers(10**17, 10**18, n).tolist()
    powers = rng.integers(0, 7, n).tolist()
    trailing = rng.integers(0, 10**6, n).tolist()
    signs = np.where(rng.integers(0, 16, n) == 0, -1, 1).tolist()
    return [
        sign * (digits * 10**power + rest % 10**power)
        for sign, digits, power, rest in zip(
            signs, leading, powers, trailing, strict=True
        )
    ]


def _as_values(ints: list[int]) -> NDArray[Any]:
    halves = [(value & (1 << 64) - 1, value >> 64) for value in ints]
    return np.array(halves, VALUE_DTYPE)
