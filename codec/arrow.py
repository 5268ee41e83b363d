"""Decoded updates as Arrow tables: exact decimals, nanoseconds, symbols."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from codec import _core
from codec.addresses import checksum_address
from codec.arrow_arrays import (
    TIME,
    VALUE,
    WORD,
    Overflow,
    as_array,
    as_bools,
    as_fitting,
    as_nulls,
    as_words,
    fits_decimal,
)
from codec.dtypes import MESSAGE_DTYPE, SIGNER_DTYPE, UPDATE_DTYPE
from codec.errors import MissingDependencyError

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    import pandas
    import polars
    from numpy.typing import NDArray

    from codec.taxonomy import Taxonomy

__all__ = [
    "Overflow",
    "columns_to_arrow",
    "schema",
    "table_to_pandas",
    "table_to_polars",
    "to_arrow",
]

_NO_STATUS = 255


@cache
def schema(
    *,
    messages: bool = True,
    taxonomy: bool = False,
    value_float: bool = False,
    overflow: Overflow = "raise",
    signers: bool = False,
) -> pa.Schema:
    """The columns of `to_arrow`'s tables.

    They depend on nothing but on what is given (messages, a taxonomy, signers) and
    asked for, so that tables of one job always fit one another.
    """
    may_lack = overflow == "null"
    fields = [
        pa.field("timestamp", TIME, nullable=may_lack),
        pa.field("taxonomy_id", pa.uint16(), nullable=False),
        pa.field("asset_id", pa.uint16(), nullable=False),
    ]
    if taxonomy:
        fields.append(pa.field("symbol", WORD))
    fields.append(pa.field("value", VALUE, nullable=may_lack))
    if value_float:
        fields.append(pa.field("value_float", pa.float64(), nullable=False))
    fields.append(pa.field("market_status", pa.uint8()))
    if messages:
        fields.append(pa.field("receive_timestamp", TIME))
    if signers:
        fields.append(pa.field("signer", WORD))
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
    """An Arrow table with a row for each update, in order.

    updates: ndarray[UPDATE_DTYPE], shape (n,). messages: those that the updates came
    in, all of them and in order (MESSAGE_DTYPE), for `receive_timestamp`. taxonomy: for
    `symbol`. signers, verified: a row for each message, as `Batch` has them.

    Columns: `timestamp` (timestamp[ns, UTC]), `taxonomy_id`, `asset_id` (uint16),
    `symbol` (dictionary<int32, string>; null for what the taxonomy does not have),
    `value` (decimal128(38, 18), exact), `value_float` (float64, correctly rounded, if
    it is asked for), `market_status` (uint8; null where the message has none),
    `receive_timestamp` (null where it is not known), `signer` (dictionary<int32,
    string>, the address with its checksum; null where nobody can be named),
    `verified` (bool).

    overflow: what becomes of a value of more than 38 digits, and of a time of 2^63 ns
    and more (after the year 2262), which Arrow's types cannot hold: RangeError, or
    "null". The table has memory of its own.

    Raises RangeError, TypeError for another dtype, ValueError where messages, signers
    and updates do not fit one another, MissingDependencyError without pyarrow.
    """
    return columns_to_arrow(
        _core.columns_of(_rows(updates, "updates", UPDATE_DTYPE)),
        messages,
        taxonomy,
        value_float=value_float,
        overflow=overflow,
        signers=signers,
        verified=verified,
    )


def columns_to_arrow(
    columns: _core.Columns,
    messages: NDArray[Any] | None = None,
    taxonomy: Taxonomy | None = None,
    *,
    value_float: bool = False,
    overflow: Overflow = "raise",
    signers: NDArray[Any] | None = None,
    verified: NDArray[np.bool_] | None = None,
) -> pa.Table:
    """As `to_arrow`, of `Batch.columns`, whose memory the table goes on using."""
    if overflow not in ("raise", "null"):
        raise ValueError(f"overflow is 'raise' or 'null', not {overflow!r}")
    if (signers is None) != (verified is None) or (
        messages is None and signers is not None
    ):
        raise ValueError("signers, verified and messages belong together")
    arrays = {
        "timestamp": _times(columns, overflow),
        "taxonomy_id": as_array(pa.uint16(), columns.taxonomy_id),
        "asset_id": as_array(pa.uint16(), columns.asset_id),
        "value": _values(columns, overflow),
        "market_status": _statuses(columns.market_status),
    }
    if taxonomy is not None:
        places = taxonomy.index(columns.taxonomy_id, columns.asset_id)
        arrays["symbol"] = as_words(places, taxonomy.symbols)
    if value_float:
        floats = _core.values_to_float(columns.value)
        arrays["value_float"] = as_array(pa.float64(), floats)
    if messages is not None:
        counts = _update_counts(messages, len(columns))
        arrays["receive_timestamp"] = _receive_times(messages, len(columns), overflow)
        if signers is not None and verified is not None:
            arrays["signer"] = _signers(signers, counts)
            arrays["verified"] = _verified(verified, counts)
    wanted = schema(
        messages=messages is not None,
        taxonomy=taxonomy is not None,
        value_float=value_float,
        overflow=overflow,
        signers=signers is not None,
    )
    return pa.Table.from_arrays([arrays[name] for name in wanted.names], schema=wanted)


def table_to_pandas(table: pa.Table, *, float64: bool = False) -> pandas.DataFrame:
    """As `Batch.to_pandas`; with float64 the table has `value_float`."""
    _require("pandas")
    import pandas

    if not float64:
        return table.to_pandas(types_mapper=pandas.ArrowDtype)
    floats = table["value_float"]
    if table["value"].null_count:
        floats = pc.if_else(pc.is_valid(table["value"]), floats, float("nan"))
    place = table.schema.get_field_index("value")
    table = table.set_column(place, "value", floats).drop_columns(["value_float"])
    return table.to_pandas()


def table_to_polars(table: pa.Table) -> polars.DataFrame:
    """As `Batch.to_polars`."""
    _require("polars")
    import polars

    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)
    return frame


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise MissingDependencyError(
            f"this needs the package {package}: pip install {package}"
        )


def _rows(array: Any, name: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    is_array = isinstance(array, np.ndarray) and not isinstance(
        array, np.ma.MaskedArray
    )
    if not is_array or array.dtype != dtype or array.ndim != 1:
        found = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"{name} must be a 1-D array of the codec's dtype, not {found}")
    return np.asarray(array)  # a memmap's memory without its class


def _update_counts(messages: NDArray[Any], n_updates: int) -> NDArray[np.uint32]:
    counts: NDArray[np.uint32] = _rows(messages, "messages", MESSAGE_DTYPE)[
        "update_count"
    ]
    total = int(counts.sum(dtype=np.uint64))
    if total != n_updates:
        raise ValueError(f"{n_updates} updates, but messages with {total}")
    return counts


def _times(columns: _core.Columns, overflow: Overflow) -> pa.Array:
    times = columns.timestamp_ns
    return as_fitting(TIME, times, times < 2**63 if columns.is_wide else None, overflow)


def _values(columns: _core.Columns, overflow: Overflow) -> pa.Array:
    values = columns.value
    fits = fits_decimal(values) if columns.is_wide else None
    return as_fitting(VALUE, values, fits, overflow)


def _receive_times(
    messages: NDArray[Any], n_updates: int, overflow: Overflow
) -> pa.Array:
    of_messages = messages["receive_ns"]
    if not of_messages.any():
        return as_nulls(TIME, np.zeros(n_updates, np.int64))
    times = _core.receive_times(messages, n_updates)
    fits = times < 2**63 if int(of_messages.max()) >= 2**63 else None
    if of_messages.all():
        return as_fitting(TIME, times, fits, overflow)
    as_fitting(TIME, times, fits, overflow)
    known = times != 0
    return as_array(TIME, times, known if fits is None else known & fits)


def _statuses(statuses: NDArray[np.uint8]) -> pa.Array:
    if len(statuses) and statuses.min() == _NO_STATUS:
        return as_nulls(pa.uint8(), statuses)
    known = statuses != _NO_STATUS
    return as_array(pa.uint8(), statuses, None if known.all() else known)


def _signers(signers: NDArray[Any], counts: NDArray[np.uint32]) -> pa.Array:
    rows = _rows(signers, "signers", SIGNER_DTYPE)
    if len(rows) != len(counts):
        raise ValueError(f"{len(rows)} signers for {len(counts)} messages")
    unique, places = np.unique(rows, return_inverse=True)
    named = unique["status"] == 0
    words = np.where(named, np.cumsum(named) - 1, -1).astype(np.int32)
    names = [checksum_address(address) for address in unique["address"][named]]
    return as_words(np.repeat(words[places], counts), names)


def _verified(verified: NDArray[np.bool_], counts: NDArray[np.uint32]) -> pa.Array:
    rows = _rows(verified, "verified", np.dtype(np.bool_))
    if len(rows) != len(counts):
        raise ValueError(f"{len(rows)} verified for {len(counts)} messages")
    return as_bools(np.repeat(rows, counts))
