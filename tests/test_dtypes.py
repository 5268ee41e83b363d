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
    "AGGREGATOR_MESSAGE_DTYPE": 32,
    "AGGREGATE_DTYPE": 80,
    "AGGREGATE_SIGNATURE_DTYPE": 257,
    "PUBLISHER_PRICE_DTYPE": 64,
    "PUBLISHER_SIGNATURE_DTYPE": 193,
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
    packed = ("VALUE_DTYPE", "SIGNER_DTYPE")
    packed += ("AGGREGATE_SIGNATURE_DTYPE", "PUBLISHER_SIGNATURE_DTYPE")
    assert dtype.isalignedstruct or name in packed
