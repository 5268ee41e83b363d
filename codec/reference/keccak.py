"""Keccak-256, of one text or of many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LOW_64 = 2**64 - 1  # a lane
_RATE = 136  # bytes absorbed between two permutations, for a 256-bit digest


def _round_constants() -> Iterator[int]:
    """The 24 constants of iota, from the shift register x^8 + x^6 + x^5 + x^4 + 1."""
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << (2**j - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        yield constant


def _rho_pi() -> Iterator[tuple[int, int]]:
    """Lane by lane along the path of rho and pi: where it goes, how far it turns."""
    x, y = 1, 0
    for t in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        yield x + 5 * y, (t + 1) * (t + 2) // 2 % 64


_IOTA = tuple(_round_constants())
_PATH = tuple(_rho_pi())


def keccak256(data: ReadableBuffer) -> bytes:
    """Keccak-256 as Ethereum uses it: padding byte 0x01, where SHA3-256 has 0x06."""
    view = memoryview(data)
    if not view.c_contiguous:
        raise BufferError("the data must be contiguous")
    message = view.tobytes()
    padded = bytearray(message + bytes(_RATE - len(message) % _RATE))
    padded[len(message)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            at = block + 8 * i
            lanes[i] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def keccak256_batch(
    items: Iterable[ReadableBuffer] | npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint8]:
    """The digest of each item, shape (n, 32).

    items: bytes-like objects, or a uint8 array of shape (n, length), one item a row.
    """
    if isinstance(items, bytes | bytearray | memoryview | str):
        raise TypeError("many items are needed; keccak256 takes a single one")
    if isinstance(items, np.ndarray) and items.dtype != np.object_:
        if items.dtype != np.uint8:
            raise TypeError(f"an array of items must be of uint8, not {items.dtype}")
        if items.ndim != 2:
            raise ValueError(
                f"an array of items has shape (n, length), not {items.shape}"
            )
        return stack_digests(keccak256(row.tobytes()) for row in items)
    return stack_digests(keccak256(item) for item in items)


def stack_digests(digests: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    """An array of shape (n, 32) that owns its memory."""
    return np.frombuffer(bytearray().join(digests), np.uint8).reshape(-1, 32)


def permute(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]; lane (x, y) stands at x + 5 y."""
    for constant in _IOTA:
        sums = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        for x in range(5):
            theta = sums[x - 1] ^ _rotate(sums[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                lanes[x + y] ^= theta
        moving = lanes[1]
        for target, turn in _PATH:
            lanes[target], moving = _rotate(moving, turn), lanes[target]
        for y in range(0, 25, 5):
            row = lanes[y : y + 5]
            for x in range(5):
                lanes[x + y] ^= ~row[(x + 1) % 5] & row[(x + 2) % 5]
        lanes[0] ^= constant
    return lanes


def _rotate(lane: int, turn: int) -> int:
    return (lane << turn | lane >> 64 - turn) & _LOW_64
