"""Rows of bytes: the arrays that hashes and signatures come in."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_rows", "as_signed", "payload_bytes"]


def as_rows(array: Any, name: str, width: int | None) -> NDArray[np.uint8]:
    """A 2-D array of uint8 whose rows are contiguous; width: bytes of a row.

    Raises TypeError for another dtype, ValueError for another shape.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = getattr(array, "dtype", None) or type(array).__name__
        raise TypeError(f"{name} must be an array of uint8, not {found}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array")
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        shape = f"(n, {'length' if width is None else width})"
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    if array.shape[1] and array.strides[1] != 1:
        return np.ascontiguousarray(array)
    return np.asarray(array)


def as_signed(
    digests: Any, signatures: Any, v_offset: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
    """Digests, as many signatures, and the number from which their v counts.

    Raises TypeError for another dtype, ValueError for other shapes, for unequal lengths
    and for a `v_offset` outside 0 .. 254.
    """
    offset = index(v_offset)
    if not 0 <= offset <= 254:
        raise ValueError(f"v_offset must be in 0 .. 254, not {offset}")
    rows = as_rows(digests, "digests", 32)
    signed = as_rows(signatures, "signatures", 65)
    if len(rows) != len(signed):
        raise ValueError(f"{len(rows)} digests, but {len(signed)} signatures")
    return rows, signed, offset


def payload_bytes(batch: Any, i: int) -> bytes:
    """The payload of message i of a batch that has kept them; empty where the row
    points outside of their arena.
    """
    row, arena = batch.messages[i], batch.payload_arena
    start, n = int(row["payload_offset"]), int(row["payload_len"])
    payload: bytes = arena[start : start + n].tobytes()
    return payload if len(payload) == n else b""
