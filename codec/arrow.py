"""Decoded updates as Arrow tables: exact decimals, nanoseconds, symbols."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from codec import _core
from codec.addresses import checksum_address
from codec.dtypes import MESSAGE_DTYPE, SIGNER_DTYPE, UPDATE_DTYPE
from codec.errors import MissingDependencyError, RangeError

try:
    import pyarrow as pa
    import pyarrow.compute as pc
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

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

Overflow: TypeAlias = Literal["raise", "null"]

_TIME = pa.timestamp("ns", "UTC")
_VALUE = pa.decimal128(38, 18)
_WORD = pa.dictionary(pa.int32(), pa.string())
_NO_STATUS = 255
# The halves of 10^38 - 1, the greatest value of 38 digits.
_MOST_HI, _MOST_LO = divmod(10**38 - 1, 2**64)


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
        pa.field("timestamp", _TIME, nullable=may_lack),
        pa.field("taxonomy_id", pa.uint16(), nullable=False),
        pa.field("asset_id", pa.uint16(), nullable=False),
    ]
    if taxonomy:
        fields.append(pa.field("symbol", _WORD))
    fields.append(pa.field("value", _VALUE, nullable=may_lack))
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
        "taxonomy_id": _array(pa.uint16(), columns.taxonomy_id),
        "asset_id": _array(pa.uint16(), columns.asset_id),
        "value": _values(columns, overflow),
        "market_status": _statuses(columns.market_status),
    }
    if taxonomy is not None:
        places = taxonomy.index(columns.taxonomy_id, columns.asset_id)
        arrays["symbol"] = _words(places, taxonomy.symbols)
    if value_float:
        floats = _core.values_to_float(columns.value)
        arrays["value_float"] = _array(pa.float64(), floats)
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


def _array(
    dtype: pa.DataType, data: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> pa.Array:
    """An Arrow array over numpy's memory; where not `valid`, null. (pa.array would take
    it as well, but imports pandas, if that is there.)"""
    bits, n_null = None, 0
    if valid is not None:
        bits = _bits(valid)
        n_null = len(data) - int(np.count_nonzero(valid))
    buffers = [bits, pa.py_buffer(data)]
    return pa.Array.from_buffers(dtype, len(data), buffers, n_null)


def _bits(bools: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(bools, bitorder="little"))


def _bools(bools: NDArray[np.bool_]) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), len(bools), [None, _bits(bools)])


def _nulls(dtype: pa.DataType, data: NDArray[Any]) -> pa.Array:
    """Nulls only; the data stands for what is never looked at."""
    n = len(data)
    bits = pa.py_buffer(np.zeros((n + 7) // 8, np.uint8))
    return pa.Array.from_buffers(dtype, n, [bits, pa.py_buffer(data)], n)


def _times(columns: _core.Columns, overflow: Overflow) -> pa.Array:
    times = columns.timestamp_ns
    return _fitting(_TIME, times, times < 2**63 if columns.is_wide else None, overflow)


def _values(columns: _core.Columns, overflow: Overflow) -> pa.Array:
    values, fits = columns.value, None
    if columns.is_wide:
        hi = values["hi"]
        lo = values["lo"]
        # |x| of a negative x is ~x + 1, whose halves are ~hi and ~lo but for the 1.
        fits = (hi < _MOST_HI) & (hi > ~_MOST_HI)
        fits |= (hi == _MOST_HI) & (lo <= _MOST_LO)
        fits |= (hi == ~_MOST_HI) & (~lo < _MOST_LO)
    return _fitting(_VALUE, values, fits, overflow)


def _fitting(
    dtype: pa.DataType,
    data: NDArray[Any],
    fits: NDArray[np.bool_] | None,
    overflow: Overflow,
) -> pa.Array:
    if fits is None or fits.all():
        return _array(dtype, data)
    if overflow == "raise":
        i = int(np.argmin(fits))
        number = _core.values_to_int(data[i : i + 1])[0] if dtype == _VALUE else data[i]
        raise RangeError(i, f"{number} does not fit {dtype}, unless overflow='null'")
    return _array(dtype, data, fits)


def _receive_times(
    messages: NDArray[Any], n_updates: int, overflow: Overflow
) -> pa.Array:
    of_messages = messages["receive_ns"]
    if not of_messages.any():
        return _nulls(_TIME, np.zeros(n_updates, np.int64))
    times = _core.receive_times(messages, n_updates)
    fits = times < 2**63 if int(of_messages.max()) >= 2**63 else None
    if of_messages.all():
        return _fitting(_TIME, times, fits, overflow)
    _fitting(_TIME, times, fits, overflow)
    known = times != 0
    return _array(_TIME, times, known if fits is None else known & fits)


def _statuses(statuses: NDArray[np.uint8]) -> pa.Array:
    if len(statuses) and statuses.min() == _NO_STATUS:
        return _nulls(pa.uint8(), statuses)
    known = statuses != _NO_STATUS
    return _array(pa.uint8(), statuses, None if known.all() else known)


def _signers(signers: NDArray[Any], counts: NDArray[np.uint32]) -> pa.Array:
    rows = _rows(signers, "signers", SIGNER_DTYPE)
    if len(rows) != len(counts):
        raise ValueError(f"{len(rows)} signers for {len(counts)} messages")
    unique, places = np.unique(rows, return_inverse=True)
    named = unique["status"] == 0
    words = np.where(named, np.cumsum(named) - 1, -1).astype(np.int32)
    names = [checksum_address(address) for address in unique["address"][named]]
    return _words(np.repeat(words[places], counts), names)


def _verified(verified: NDArray[np.bool_], counts: NDArray[np.uint32]) -> pa.Array:
    rows = _rows(verified, "verified", np.dtype(np.bool_))
    if len(rows) != len(counts):
        raise ValueError(f"{len(rows)} verified for {len(counts)} messages")
    return _bools(np.repeat(rows, counts))


def _words(places: NDArray[np.int32], words: Sequence[str]) -> pa.Array:
    known = places >= 0
    index = _array(pa.int32(), places, None if known.all() else known)
    return pa.DictionaryArray.from_arrays(index, _strings(words))


def _strings(words: Sequence[str]) -> pa.Array:
    texts = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = pa.py_buffer(ends), pa.py_buffer(b"".join(texts))
    return pa.StringArray.from_buffers(len(texts), *buffers)
