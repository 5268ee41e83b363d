"""The public functions: decoding, encoding, and values as Python's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from operator import index
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np

from codec import _core
from codec.batch import Batch
from codec.dtypes import UPDATE_DTYPE, VALUE_DTYPE
from codec.errors import EncodeError, ErrorCode
from codec.signatures import make_judge
from codec.signing import Key, sign

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.known import Signers
    from codec.signatures import OnBadSignature

__all__ = [
    "Decoder",
    "as_float",
    "as_int",
    "decode",
    "decode_lines",
    "decode_payloads",
    "encode",
    "to_frame",
]

Payload: TypeAlias = "bytes | bytearray | memoryview"
Message: TypeAlias = "Payload | str"
OnError: TypeAlias = Literal["raise", "skip"]
Layout: TypeAlias = Literal["rows", "columns"]
Integers: TypeAlias = "Sequence[int] | NDArray[Any]"

_UINT16 = np.dtype(np.uint16)
_UINT8 = np.dtype(np.uint8)


class Decoder(_core.DecoderBase[Batch]):
    """Decodes call after call into buffers that it keeps and grows.

    The arrays of a returned Batch are views of those buffers, overwritten by the next
    call, even one that raises: `batch.copy()` keeps them. Its payloads cannot be its
    next messages either (ValueError). A Decoder serves one thread at a time; another
    one that enters meanwhile gets a RuntimeError.

    payloads: keep the raw bytes of signed messages. threads: workers for large inputs,
    0 for one on each core. signers, on_bad_signature, layout: as in `decode`.
    """

    __slots__ = ()

    def __new__(
        cls,
        *,
        payloads: bool = True,
        threads: int = 1,
        signers: Signers | None = None,
        on_bad_signature: OnBadSignature = "raise",
        layout: Layout = "rows",
    ) -> Self:
        judge = make_judge(signers, on_bad_signature, payloads)
        columnar = _is_columnar(layout)
        return super().__new__(cls, Batch, payloads, threads, False, judge, columnar)


def decode(
    messages: Message | Iterable[Message],
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    """Decodes one message, or all of an iterable (list, tuple, object array, ...).

    A message is a JSON frame, signed or unsigned, or a bare hex payload with or without
    `0x`, as bytes, bytearray, memoryview or str; docs/messages.md has the rules.

    on_error: "raise" raises DecodeError for the first bad message; "skip" decodes all
    good ones and lists the bad ones in `Batch.errors`. payloads: keep the raw bytes of
    signed messages. threads: workers for inputs above 512 KiB or 64 signatures, 0 for
    one on each core; they help where the processor is the limit (unsigned messages,
    signatures), not where one core already takes all that memory gives.

    signers: addresses, one or several, as `verify` takes them: every message is judged
    as the chain would judge it, and `Batch.verified` and `Batch.signers` are filled.
    Without them signatures are carried along, unverified. on_bad_signature: "raise"
    raises BadSignatureError for the first bad one, unsigned messages among them, once
    all is decoded; "mark" keeps them; "drop" takes them out and lists them in
    `Batch.errors`.

    layout: what the updates are decoded into, `Batch.updates` ("rows") or
    `Batch.columns` ("columns": for Arrow and for work on whole columns). A Batch makes
    the other form of them when it is asked for.

    Raises DecodeError, BadSignatureError (with code, index and offset), TypeError for
    what is no message and no iterable, SignatureError for a signer's address that is
    none, ValueError for a bad option, MemoryError.
    """
    judge = None
    if signers is not None or on_bad_signature != "raise":
        judge = make_judge(signers, on_bad_signature, payloads)
    columnar = layout != "rows" and _is_columnar(layout)
    decoder = _core.DecoderBase(Batch, payloads, threads, True, judge, columnar)
    return decoder.decode(messages, on_error=on_error)


def decode_lines(
    buffer: Buffer,
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    r"""Decodes messages that stand in one buffer, each on a line (`\n`) of its own.

    buffer: contiguous bytes (bytes, bytearray, mmap, uint8 array). A line may begin
    with `<receive time, unix ns>` and one space; it becomes `receive_ns`. An error's
    `index` is the number of the line, from 0. All else is as in `decode`.
    """
    judge = None
    if signers is not None or on_bad_signature != "raise":
        judge = make_judge(signers, on_bad_signature, payloads)
    columnar = layout != "rows" and _is_columnar(layout)
    decoder = _core.DecoderBase(Batch, payloads, threads, True, judge, columnar)
    return decoder.decode_lines(buffer, on_error=on_error)


def decode_payloads(
    payloads: Payload | Iterable[Payload],
    *,
    on_error: OnError = "raise",
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    """Decodes one raw binary payload, or all of a sequence; always keeps the payloads.

    An error's `offset` is the byte of the payload. Other arguments and errors as in
    `decode`.
    """
    judge = None
    if signers is not None or on_bad_signature != "raise":
        judge = make_judge(signers, on_bad_signature, True)
    columnar = layout != "rows" and _is_columnar(layout)
    decoder = _core.DecoderBase(Batch, True, threads, True, judge, columnar)
    return decoder.decode_payloads(payloads, on_error=on_error)


def encode(
    asset_ids: Integers,
    values: Integers,
    *,
    timestamp_ns: int,
    taxonomy_id: int,
    key: Key | None,
    market_status: Integers | None = None,
) -> bytes:
    """A payload, signed if a key is given (Stork Fast, signed message): layout 1, or
    the versioned layout 2 where `market_status` is given.

    asset_ids: uint16, shape (n,). values: the integers scaled by 10^18, int128, shape
    (n,): ints, an integer array, or an array of VALUE_DTYPE as `updates["value"]` is.
    market_status: uint8, shape (n,). timestamp_ns: uint64. taxonomy_id: uint16, in
    layout 1 below 0xFF00. key: a coincurve.PrivateKey, 32 bytes or hex; None leaves
    the signature's 65 bytes zero, for signing elsewhere.

    Raises EncodeError for a value out of range or columns of different lengths,
    TypeError for what is no integer (floats are never rounded), SignatureError for a
    bad key.
    """
    payload = _core.payload_pack(
        asset_ids, values, timestamp_ns, taxonomy_id, market_status
    )
    if payload is None:
        columns = _columns(asset_ids, values, timestamp_ns, taxonomy_id, market_status)
        payload = _core.payload_pack(*columns)
        assert payload is not None, "checked columns can be packed"
    if key is None:
        return payload
    body = payload[65:]
    return sign(_core.keccak256(body), key) + body


def to_frame(payload: Payload) -> bytes:
    """The compact JSON frame in which the server sends a payload (not checked)."""
    return _core.frame_write(payload)


def as_float(updates: NDArray[Any]) -> NDArray[np.float64]:
    """value / 10^18 as float64, correctly rounded (to nearest, ties to even).

    updates: an array of UPDATE_DTYPE or VALUE_DTYPE, any shape; the result has it too.
    """
    values = _value_field(updates)
    return _core.values_to_float(values.reshape(-1)).reshape(values.shape)


def as_int(updates: NDArray[Any]) -> NDArray[np.object_]:
    """The exact values, scaled by 10^18, as Python ints in an object array.

    updates: an array of UPDATE_DTYPE or VALUE_DTYPE, any shape; the result has it too.
    """
    values = _value_field(updates)
    return _core.values_to_int(values.reshape(-1)).reshape(values.shape)


def _is_columnar(layout: Layout) -> bool:
    if layout not in ("rows", "columns"):
        raise ValueError(f"layout is 'rows' or 'columns', not {layout!r}")
    return layout == "columns"


def _value_field(updates: NDArray[Any]) -> NDArray[Any]:
    dtype = getattr(updates, "dtype", None)
    if dtype == UPDATE_DTYPE:
        return np.asarray(updates["value"])
    if dtype == VALUE_DTYPE:
        return np.asarray(updates)
    raise TypeError(
        "an array of UPDATE_DTYPE or VALUE_DTYPE is needed,"
        f" not {dtype or type(updates).__name__}"
    )


def _columns(
    asset_ids: Integers,
    values: Integers,
    timestamp_ns: int,
    taxonomy_id: int,
    market_status: Integers | None,
) -> tuple[NDArray[Any], NDArray[Any], int, int, NDArray[Any] | None]:
    """The arguments of `encode` as `payload_pack` takes them, every range checked."""
    versioned = market_status is not None
    taxonomy_id = _scalar(taxonomy_id, "taxonomy_id", 0xFFFF if versioned else 0xFEFF)
    timestamp_ns = _scalar(timestamp_ns, "timestamp_ns", 2**64 - 1)
    n = _length(asset_ids, "asset_ids")
    for field, column in (("values", values), ("market_status", market_status)):
        if (column is not None or field == "values") and _length(column, field) != n:
            reason = f"{_length(column, field)} values for {n} asset ids"
            raise EncodeError(ErrorCode.INVALID_LENGTH, field, None, reason)
    return (
        _uints(asset_ids, "asset_ids", _UINT16),
        _values(values),
        timestamp_ns,
        taxonomy_id,
        None
        if market_status is None
        else _uints(market_status, "market_status", _UINT8),
    )


def _scalar(value: int, field: str, maximum: int) -> int:
    try:
        value = index(value)
    except TypeError:
        raise _no_integer(field, value) from None
    if not 0 <= value <= maximum:
        reason = f"{value} is not in 0 .. {maximum}"
        raise EncodeError(ErrorCode.OUT_OF_RANGE, field, None, reason)
    return value


def _length(column: Any, field: str) -> int:
    """How many values a column has; TypeError for what has no order, or gaps."""
    if isinstance(column, np.ndarray):
        if column.ndim != 1:
            raise TypeError(f"{field} must have one dimension, not {column.ndim}")
        if isinstance(column, np.ma.MaskedArray):
            raise TypeError(f"{field} must not be a masked array")
    elif isinstance(column, (AbstractSet, Mapping)) or not hasattr(column, "__len__"):
        kind = type(column).__name__
        raise TypeError(f"{field} must be a sequence or an array, not {kind}")
    return len(column)


def _uints(column: Integers, field: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A 1-D array of uint16 or uint8, every value checked."""
    if isinstance(column, np.ndarray) and column.dtype == dtype:
        return np.asarray(column)
    try:
        return _core.uints_from_ints(column, dtype)
    except OverflowError as error:
        i, number = error.args
    except TypeError as error:
        i, number = error.args
        raise _no_integer(f"{field}[{i}]", number) from None
    reason = f"{number} is not in 0 .. {np.iinfo(dtype).max}"
    raise EncodeError(ErrorCode.OUT_OF_RANGE, field, i, reason)


def _values(values: Integers) -> NDArray[Any]:
    """The values as a 1-D array of VALUE_DTYPE."""
    if isinstance(values, np.ndarray):
        if values.dtype == VALUE_DTYPE:
            return np.asarray(values)
        if values.dtype.kind in "iu":
            signed = values.dtype.kind == "i"
            wide = np.empty(len(values), VALUE_DTYPE)
            wide["lo"] = values.astype(np.int64 if signed else np.uint64).view(
                np.uint64
            )
            wide["hi"] = -(values < 0).astype(np.int64)
            return wide
    try:
        return _core.values_from_ints(values)
    except OverflowError as error:
        i, number = error.args
    except TypeError as error:
        i, number = error.args
        raise _no_integer(f"values[{i}]", number) from None
    reason = f"{number} does not fit int128"
    raise EncodeError(ErrorCode.OUT_OF_RANGE, "values", i, reason)


def _no_integer(place: str, value: object) -> TypeError:
    scaled = " scaled by 10^18" if place.startswith("values") else ""
    return TypeError(f"{place} must be an integer{scaled}, not {type(value).__name__}")
