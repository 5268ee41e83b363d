"""Arrow arrays over the memory of numpy's: what tables of any kind are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from codec import _core
from codec.errors import MissingDependencyError, RangeError

try:
    import pyarrow as pa
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "TIME",
    "VALUE",
    "WORD",
    "Overflow",
    "as_array",
    "as_bools",
    "as_fitting",
    "as_nulls",
    "as_strings",
    "as_words",
    "fits_decimal",
]

Overflow: TypeAlias = Literal["raise", "null"]

TIME = pa.timestamp("ns", "UTC")
VALUE = pa.decimal128(38, 18)
WORD = pa.dictionary(pa.int32(), pa.string())
# The halves of 10^38 - 1, the greatest value of 38 digits.
_MOST_HI, _MOST_LO = divmod(10**38 - 1, 2**64)


def as_array(
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


def as_bools(bools: NDArray[np.bool_]) -> pa.Array:
    """Bools, without nulls."""
    return pa.Array.from_buffers(pa.bool_(), len(bools), [None, _bits(bools)])


def as_nulls(dtype: pa.DataType, data: NDArray[Any]) -> pa.Array:
    """Nulls only; the data stands for what is never looked at."""
    n = len(data)
    bits = pa.py_buffer(np.zeros((n + 7) // 8, np.uint8))
    return pa.Array.from_buffers(dtype, n, [bits, pa.py_buffer(data)], n)


def fits_decimal(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of an array of VALUE_DTYPE have at most 38 digits."""
    hi = values["hi"]
    lo = values["lo"]
    # |x| of a negative x is ~x + 1, whose halves are ~hi and ~lo but for the 1.
    fits: NDArray[np.bool_] = (hi < _MOST_HI) & (hi > ~_MOST_HI)
    fits |= (hi == _MOST_HI) & (lo <= _MOST_LO)
    fits |= (hi == ~_MOST_HI) & (~lo < _MOST_LO)
    return fits


def as_fitting(
    dtype: pa.DataType,
    data: NDArray[Any],
    fits: NDArray[np.bool_] | None,
    overflow: Overflow,
) -> pa.Array:
    """An array of which those that do not fit are null, or RangeError."""
    if fits is None or fits.all():
        return as_array(dtype, data)
    if overflow == "raise":
        i = int(np.argmin(fits))
        number = _core.values_to_int(data[i : i + 1])[0] if dtype == VALUE else data[i]
        raise RangeError(i, f"{number} does not fit {dtype}, unless overflow='null'")
    return as_array(dtype, data, fits)


def as_words(places: NDArray[np.int32], words: Sequence[str]) -> pa.Array:
    """A dictionary's words by their places; null where a place is negative."""
    known = places >= 0
    index = as_array(pa.int32(), places, None if known.all() else known)
    return pa.DictionaryArray.from_arrays(index, as_strings(words))


def as_strings(words: Sequence[str]) -> pa.Array:
    """Strings, without nulls."""
    texts = [word.encode() for word in words]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = pa.py_buffer(ends), pa.py_buffer(b"".join(texts))
    return pa.StringArray.from_buffers(len(texts), *buffers)
