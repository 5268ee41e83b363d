"""Aggregates, and publishers' prices, as Arrow tables."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.addresses import checksum_address
from codec.aggregator.kinds import SignatureType, Trigger
from codec.arrow_arrays import (
    TIME,
    VALUE,
    WORD,
    Overflow,
    as_array,
    as_bools,
    as_fitting,
    as_words,
    fits_decimal,
)
from codec.errors import ErrorCode, MissingDependencyError

try:
    import pyarrow as pa
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    from enum import IntEnum

    from numpy.typing import NDArray

    from codec.aggregator.batch import AggregatorBatch

__all__ = ["aggregates_to_arrow", "publishers_to_arrow", "schema"]

_STATUSES = ("signature", "msg_hash", "encoded_asset_id", "merkle_root", "consistency")
_CODES = (ErrorCode.MISSING_FIELD, *(c for c in ErrorCode if c >= ErrorCode.UNSIGNED))
_STATUS_WORDS = {0: "good"} | {int(code): str(code) for code in _CODES}


@cache
def schema(*, publishers: bool = False, overflow: Overflow = "raise") -> pa.Schema:
    """The columns of a batch's tables, which depend on nothing in the data."""
    may_lack = overflow == "null"
    times = ["timestamp"] if publishers else ["timestamp", "outer_timestamp"]
    fields = [pa.field(name, TIME, nullable=may_lack) for name in times]
    fields.append(pa.field("symbol", WORD, nullable=False))
    fields.append(pa.field("value", VALUE, nullable=may_lack))
    if not publishers:
        fields.append(pa.field("trigger", WORD, nullable=False))
    fields.append(pa.field("publisher" if publishers else "signer", WORD))
    words = ("signature", "msg_hash") if publishers else _STATUSES
    fields += [pa.field(n, WORD, nullable=False) for n in ("signature_type", *words)]
    fields.append(pa.field("verified", pa.bool_(), nullable=False))
    if publishers:
        fields.append(pa.field("aggregate", pa.uint32(), nullable=False))
    else:
        fields.append(pa.field("receive_timestamp", TIME))
        fields.append(pa.field("message", pa.uint32(), nullable=False))
    return pa.schema(fields)


def aggregates_to_arrow(batch: AggregatorBatch, overflow: Overflow) -> pa.Table:
    """As `AggregatorBatch.to_arrow`."""
    rows = batch.aggregates
    arrays = _common(batch, rows, _STATUSES, overflow)
    arrays["outer_timestamp"] = _times(rows["outer_timestamp_ns"], overflow)
    arrays["trigger"] = _words(rows["trigger"], _enum_words(Trigger))
    arrays["signer"] = _addresses(rows["signer"])
    arrays["message"] = as_array(pa.uint32(), np.ascontiguousarray(rows["message"]))
    received = batch.messages["receive_ns"][rows["message"]]
    fits = _fitting_times(received, overflow)
    arrays["receive_timestamp"] = as_array(TIME, received, (received != 0) & fits)
    return _table(arrays, schema(overflow=overflow))


def publishers_to_arrow(batch: AggregatorBatch, overflow: Overflow) -> pa.Table:
    """As `AggregatorBatch.to_arrow(publishers=True)`."""
    rows = batch.publishers
    arrays = _common(batch, rows, ("signature", "msg_hash"), overflow)
    arrays["publisher"] = _addresses(rows["publisher"])
    arrays["aggregate"] = as_array(pa.uint32(), np.ascontiguousarray(rows["aggregate"]))
    return _table(arrays, schema(publishers=True, overflow=overflow))


def _common(
    batch: AggregatorBatch,
    rows: NDArray[Any],
    statuses: tuple[str, ...],
    overflow: Overflow,
) -> dict[str, pa.Array]:
    if overflow not in ("raise", "null"):
        raise ValueError(f"overflow is 'raise' or 'null', not {overflow!r}")
    values = np.ascontiguousarray(rows["value"])
    arrays = {
        "timestamp": _times(rows["timestamp_ns"], overflow),
        "symbol": as_words(rows["symbol"].astype(np.int32), list(batch.symbols)),
        "value": as_fitting(VALUE, values, fits_decimal(values), overflow),
        "signature_type": _words(rows["signature_type"], _enum_words(SignatureType)),
        "verified": as_bools(np.ascontiguousarray(rows["verified"])),
    }
    return arrays | {name: _words(rows[name], _STATUS_WORDS) for name in statuses}


def _table(arrays: dict[str, pa.Array], wanted: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays([arrays[name] for name in wanted.names], schema=wanted)


def _fitting_times(times: NDArray[np.uint64], overflow: Overflow) -> NDArray[np.bool_]:
    fits: NDArray[np.bool_] = times < 2**63
    as_fitting(TIME, times, fits, overflow)  # which raises
    return fits


def _times(times: NDArray[np.uint64], overflow: Overflow) -> pa.Array:
    return as_fitting(TIME, np.ascontiguousarray(times), times < 2**63, overflow)


def _enum_words(kinds: type[IntEnum]) -> dict[int, str]:
    return {int(kind): str(kind) for kind in kinds}


def _words(codes: NDArray[np.uint8], words: dict[int, str]) -> pa.Array:
    """Small numbers in words; all of the words are in the dictionary, used or not."""
    places = np.zeros(256, np.int32)
    places[list(words)] = np.arange(len(words))
    return as_words(places[codes], list(words.values()))


def _addresses(addresses: NDArray[np.uint8]) -> pa.Array:
    """With EIP-55's checksum, in the order of the bytes; null for zeros."""
    texts = np.ascontiguousarray(addresses).view("V20")[:, 0]
    unique, places = np.unique(texts, return_inverse=True)
    names = [bytes(address) for address in unique]
    has_none = bool(names) and not any(names[0])
    words = [checksum_address(address) for address in names[has_none:]]
    return as_words(places.astype(np.int32) - has_none, words)
