"""The numpy dtypes are the memory of the C structs."""

from __future__ import annotations

import numpy as np
import pytest

from codec import _core, dtypes

SIZES = {
    "VALUE_DTYPE": 16,
    "UPDATE_DTYPE": 32,
    "MESSAGE_DTYPE": 48,
    "ERROR_DTYPE": 24,
    "SIGNER_DTYPE": 21,
    "NOTICE_DTYPE": 32,
    "GAP_DTYPE": 32,
    "BAR_DTYPE": 120,
}


@pytest.mark.parametrize("name", SIZES)
def test_layout_equals_c(name: str) -> None:
    dtype: np.dtype[np.void] = getattr(dtypes, name)
    assert dtype.fields is not None and dtype.names is not None
    offsets = [dtype.fields[field][1] for field in dtype.names]
    assert [*offsets, dtype.itemsize] == _core.struct_offsets()[name]
    assert dtype.itemsize == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
def test_fields_are_little_endian_and_aligned(name: str) -> None:
    dtype: np.dtype[np.void] = getattr(dtypes, name)
    assert dtype.newbyteorder("<") == dtype
    assert dtype.isalignedstruct or name in ("VALUE_DTYPE", "SIGNER_DTYPE")
