"""Columns into a payload, and a payload into the frame that the server sends."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codec.dtypes import VALUE_DTYPE
from codec.errors import EncodeError, ErrorCode
from codec.reference.keccak import keccak256
from codec.reference.model import INT128, UINT8, UINT16, UINT64
from codec.reference.values import as_int

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from codec.signing import Key

Integers: TypeAlias = "Sequence[int] | npt.NDArray[Any]"


def encode(
    asset_ids: Integers,
    values: Integers,
    *,
    timestamp_ns: int,
    taxonomy_id: int,
    key: Key | None,
    market_status: Integers | None = None,
) -> bytes:
    """A payload of layout 1, or of layout 2 with mask 3 where `market_status` is given.

    `values` are scaled by 10^18: ints, or an array of VALUE_DTYPE. With key=None the
    65 bytes of the signature are zero, to be signed elsewhere.
    """
    # Byte 65 of layout 1 is the taxonomy id's first and must not be 0xFF.
    last_id = 0xFEFF if market_status is None else 0xFFFF
    taxonomy_id = _in_range(taxonomy_id, (0, last_id), "taxonomy_id")
    timestamp_ns = _in_range(timestamp_ns, UINT64, "timestamp_ns")
    if isinstance(values, np.ndarray) and values.dtype == VALUE_DTYPE:
        values = as_int(values)
    for column in (asset_ids, values, market_status):
        if isinstance(column, AbstractSet | Mapping):
            raise TypeError("a column of values has an order: no set, no mapping")
    n_assets = len(asset_ids)
    _check_len(values, n_assets, "values")
    if market_status is not None:
        _check_len(market_status, n_assets, "market_status")
    columns = [
        _packed(asset_ids, 2, UINT16, "asset_ids"),
        _packed(values, 16, INT128, "values"),
    ]
    prefix = b""
    if market_status is not None:
        columns.append(_packed(market_status, 1, UINT8, "market_status"))
        prefix = b"\xff\x02\x00\x03"
    head = prefix + taxonomy_id.to_bytes(2, "big") + timestamp_ns.to_bytes(8, "big")
    body = head + b"".join(map(b"".join, zip(*columns, strict=True)))
    if key is None:
        return bytes(65) + body
    from codec.signing import sign

    return sign(keccak256(body), key) + body


def to_frame(payload: ReadableBuffer) -> bytes:
    """The signed frame, as the server sends it, around a payload (not checked)."""
    digits = memoryview(payload).tobytes().hex().encode()
    return b'{"type":"signed_ecdsa","p":"0x' + digits + b'"}'


def _check_len(column: Integers, n_assets: int, field: str) -> None:
    if len(column) != n_assets:
        reason = f"{len(column)} values for {n_assets} asset ids"
        raise EncodeError(ErrorCode.INVALID_LENGTH, field, None, reason)


def _packed(
    column: Integers, width: int, bounds: tuple[int, int], field: str
) -> list[bytes]:
    signed = bounds[0] < 0
    return [
        _in_range(number, bounds, field, i).to_bytes(width, "big", signed=signed)
        for i, number in enumerate(column)
    ]


def _in_range(
    number: Any, bounds: tuple[int, int], field: str, index: int | None = None
) -> int:
    integer = operator.index(number)
    if not bounds[0] <= integer <= bounds[1]:
        reason = f"not an integer of {bounds[0]} .. {bounds[1]}"
        raise EncodeError(ErrorCode.OUT_OF_RANGE, field, index, reason)
    return integer
