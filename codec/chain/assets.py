"""The assets that `verifyAndDeserializeSignedECDSAPayload` returns, as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from codec.dtypes import UPDATE_DTYPE, VALUE_DTYPE
from codec.errors import ChainError, RangeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_assets"]

_WORD_LEN = 32
_ASSET_LEN = 3 * _WORD_LEN
_NO_STATUS = 255
_HIGHEST_TAXONOMY_ID = 0xFFFF


def decode_assets(
    data: bytes | bytearray | memoryview, *, taxonomy_id: int = 0
) -> NDArray[Any]:
    """The rows of UPDATE_DTYPE, shape (n,), in the answer's order.

    data: what the call returned, `(uint16, (uint64, int192))[]` in Solidity's ABI; what
    follows the array is not looked at. taxonomy_id: goes into every row, as the answer
    does not have it.

    Raises ChainError, with the byte, for what is no such array, RangeError for a value
    outside int128, which no payload can hold but the type can.
    """
    if not 0 <= taxonomy_id <= _HIGHEST_TAXONOMY_ID:
        raise ValueError(f"taxonomy_id {taxonomy_id} is not in 0 .. 65535")
    data = bytes(data)
    at = _number(data, 0, "the array's place")
    if at < _WORD_LEN:
        raise _fault(f"the array cannot begin at byte {at}", 0)
    n_assets = _number(data, at, "the number of assets")
    first = at + _WORD_LEN
    n_whole = (len(data) - first) // _ASSET_LEN
    if n_assets > n_whole:
        raise _fault(f"{n_assets} assets, but data for {n_whole}", at)
    words = np.frombuffer(data, ">u8", 12 * n_assets, first).reshape(n_assets, 12)
    words = words.astype(np.uint64)
    _check_words(words, first)
    values = _values(words[:, 8:])
    updates = np.zeros(n_assets, UPDATE_DTYPE)
    updates["value"] = values
    updates["timestamp_ns"] = words[:, 7]
    updates["taxonomy_id"] = taxonomy_id
    updates["asset_id"] = words[:, 3]
    updates["market_status"] = _NO_STATUS
    return updates


def _number(data: bytes, at: int, what: str) -> int:
    """The word at a byte."""
    if at + _WORD_LEN > len(data):
        raise _fault(f"{what} is missing: there are {len(data)} bytes", at)
    return int.from_bytes(data[at : at + _WORD_LEN], "big")


def _check_words(words: NDArray[np.uint64], first: int) -> None:
    """Each word holds a number of its type: uint16, uint64, int192.

    words: shape (n, 12), the eighths of a row. first: where they begin.
    """
    bad = np.zeros((len(words), 3), bool)
    bad[:, 0] = words[:, :3].any(axis=1) | (words[:, 3] > 0xFFFF)
    bad[:, 1] = words[:, 4:7].any(axis=1)
    bad[:, 2] = words[:, 8] != _sign_of(words[:, 9])
    if bad.any():
        i = int(bad.argmax())
        row, column = divmod(i, 3)
        kind = ("uint16", "uint64", "int192")[column]
        raise _fault(f"no {kind} [asset {row}]", first + i * _WORD_LEN)


def _values(quarters: NDArray[np.uint64]) -> NDArray[Any]:
    """The VALUE_DTYPE of int256s in shape (n, 4), highest first; RangeError."""
    wide = quarters[:, 1] != _sign_of(quarters[:, 2])
    if wide.any():
        row = int(wide.argmax())
        number = int.from_bytes(
            quarters[row].astype(">u8").tobytes(), "big", signed=True
        )
        raise RangeError(row, f"{number} does not fit int128")
    values = np.empty(len(quarters), VALUE_DTYPE)
    values["lo"] = quarters[:, 3]
    values["hi"] = quarters[:, 2].view(np.int64)
    return values


def _sign_of(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """All bits where the highest is set, none elsewhere."""
    return (words.view(np.int64) >> np.int64(63)).view(np.uint64)


def _fault(reason: str, at: int) -> ChainError:
    return ChainError(f"the answer is no list of assets: {reason} [byte {at}]")
