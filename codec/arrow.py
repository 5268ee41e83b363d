"""Decoded updates as Arrow tables: exact decimals, nanoseconds, symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from codec import _core
from codec.addresses import checksum_address
from codec.errors import MissingDependencyError

try:
    import pyarrow as pa
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.taxonomy import Taxonomy

__all__ = ["Overflow", "schema", "to_arrow"]

Overflow: TypeAlias = Literal["raise", "null"]

_TIME = pa.timestamp("ns", "UTC")
_VALUE = pa.decimal128(38, 18)
_WORD = pa.dictionary(pa.int32(), pa.string())
_NO_STATUS = 255
_LIMIT_HI, _LIMIT_LO = divmod(10**38 - 1, 2**64)


def schema(
    *,
    messages: bool = True,
    taxonomy: bool = False,
    value_float: bool = False,
    signers: bool = False,
) -> pa.Schema:
    """The schema of `to_arrow`'s tables, which depends on nothing but what is asked
    for: whether messages, a taxonomy and signers are given, and floats wanted."""
    fields = [
        pa.field("timestamp", _TIME),
        pa.field("taxonomy_id", pa.uint16(), nullable=False),
        pa.field("asset_id", pa.uint16(), nullable=False),
    ]
    if taxonomy:
        fields.append(pa.field("symbol", _WORD))
    fields.append(pa.field("value", _VALUE))
    if value_float:
        fields.append(pa.field("value_float", pa.float64(), nullable=False))
    fields.append(pa.field("market_status", pa.uint8()))
    if messages:
        fields.append(pa.field("receive_timestamp", _TIME))
    if signers:
        fields.append(pa.field("signer", _WORD))
        fields.append(pa.field("verified", pa.bool_(), nullable=False))
    return pa.schema(fields)


def to_arrow(
    updates: NDArray[Any],
    messages: NDArray[Any] | None = None,
    taxonomy: Taxonomy | None = None,
    *,
    value_float: bool = False,
    overflow: Overflow = "raise",
    signers: NDArray[Any] | None = None,
    verified: NDArray[np.bool_] | None = None,
) -> pa.Table:
    """An Arrow table with a row for each update; `schema` has its columns."""
    if overflow not in ("raise", "null"):
        raise ValueError(f"overflow is 'raise' or 'null', not {overflow!r}")
    n = len(updates)
    columns = {
        "timestamp": _times(np.ascontiguousarray(updates["timestamp_ns"])),
        "taxonomy_id": pa.array(np.ascontiguousarray(updates["taxonomy_id"])),
        "asset_id": pa.array(np.ascontiguousarray(updates["asset_id"])),
        "value": _values(np.ascontiguousarray(updates["value"]), overflow),
        "market_status": _statuses(np.ascontiguousarray(updates["market_status"])),
    }
    if value_float:
        columns["value_float"] = pa.array(_core.values_to_float(updates["value"]))
    if taxonomy is not None:
        index = taxonomy.index(updates["taxonomy_id"], updates["asset_id"])
        columns["symbol"] = _words(index, taxonomy.symbols)
    if messages is not None:
        counts = messages["update_count"]
        if int(counts.sum()) != n:
            raise ValueError(f"{n} updates, but messages with {int(counts.sum())}")
        columns["receive_timestamp"] = _times(
            np.repeat(messages["receive_ns"], counts), zero_is_null=True
        )
        if signers is not None:
            assert verified is not None
            columns["verified"] = pa.array(np.repeat(verified, counts))
            addresses, inverse = np.unique(signers, return_inverse=True)
            known = np.where(addresses["status"] == 0, np.arange(len(addresses)), -1)
            index = known[inverse].astype(np.int32)
            names = [checksum_address(address) for address in addresses["address"]]
            columns["signer"] = _words(np.repeat(index, counts), names)
    wanted = schema(
        messages=messages is not None,
        taxonomy=taxonomy is not None,
        value_float=value_float,
        signers=signers is not None,
    )
    return pa.table([columns[name] for name in wanted.names], schema=wanted)


def _bits(valid: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def _array(dtype: pa.DataType, data: NDArray[Any], valid: Any = None) -> pa.Array:
    bits = None if valid is None or valid.all() else _bits(valid)
    return pa.Array.from_buffers(dtype, len(data), [bits, pa.py_buffer(data)])


def _times(ns: NDArray[np.uint64], *, zero_is_null: bool = False) -> pa.Array:
    return _array(_TIME, ns, ns != 0 if zero_is_null else None)


def _values(values: NDArray[Any], overflow: Overflow) -> pa.Array:
    return _array(_VALUE, values)


def _statuses(statuses: NDArray[np.uint8]) -> pa.Array:
    return _array(pa.uint8(), statuses, statuses != _NO_STATUS)


def _words(index: NDArray[np.int32], words: Any) -> pa.Array:
    found = _array(pa.int32(), index, index >= 0)
    return pa.DictionaryArray.from_arrays(found, pa.array(words, pa.string()))
