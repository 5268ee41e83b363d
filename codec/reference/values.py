"""Values as Python's own numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dtypes import UPDATE_DTYPE, VALUE_DTYPE

_ONE = 10**18  # a value is scaled by this


def as_float(updates: npt.NDArray[np.void]) -> npt.NDArray[np.float64]:
    """Value / 10^18, correctly rounded, of an array of UPDATE_DTYPE or VALUE_DTYPE."""
    numbers = as_int(updates)
    # Python's int / int is correctly rounded.
    floats = np.array([n / _ONE for n in numbers.ravel()], dtype=np.float64)
    return floats.reshape(numbers.shape)


def as_int(updates: npt.NDArray[np.void]) -> npt.NDArray[np.object_]:
    """The exact integers, scaled by 10^18, of an array of UPDATE_DTYPE or VALUE_DTYPE.

    Other dtypes are a TypeError.
    """
    values = np.asarray(updates)
    if values.dtype == UPDATE_DTYPE:
        values = values["value"]
    elif values.dtype != VALUE_DTYPE:
        raise TypeError(f"takes UPDATE_DTYPE or VALUE_DTYPE, not {values.dtype}")
    high = values["hi"].ravel().tolist()
    low = values["lo"].ravel().tolist()
    numbers = np.empty(values.size, dtype=np.object_)
    numbers[:] = [h << 64 | n for h, n in zip(high, low, strict=True)]
    return numbers.reshape(values.shape)
