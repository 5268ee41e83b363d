"""Tables of frames in, tables of updates out: what Dask, Ray and Spark map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from codec import _core
from codec.batch import Batch
from codec.errors import MissingDependencyError, RangeError
from codec.signatures import make_judge

try:
    import pyarrow as pa
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from codec.api import OnError
    from codec.arrow import Overflow
    from codec.known import Signers
    from codec.signatures import OnBadSignature
    from codec.taxonomy import Taxonomy

__all__ = ["decode_frames"]

_RECEIVE = "receive_ns"


def decode_frames(
    frames: Any,
    *,
    frame_column: str = "frame",
    receive_column: str | None = _RECEIVE,
    taxonomy: Taxonomy | None = None,
    value_float: bool = False,
    overflow: Overflow = "raise",
    on_error: OnError = "raise",
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
) -> pa.Table:
    """Decodes a column of frames into a table with a row for each update.

    frames: a pyarrow Table or RecordBatch, or what gives one by the Arrow PyCapsule
    interface. frame_column: its column of frames (string or binary of any kind), each a
    message as `decode` takes it; a null is no message, and an error. receive_column:
    when each was received, as integers (unix ns) or timestamps, null or 0 where nobody
    knows; `receive_ns` may be missing, None looks at no column. Other columns are left
    out. The table has the columns of `codec.arrow.schema`: those of messages always,
    of signers where they are given. Other arguments as in `decode` and `to_arrow`.

    The function and its arguments can be pickled, for `functools.partial`.

    Raises DecodeError and BadSignatureError with the row as `index`, RangeError,
    ValueError for a missing column or a negative time, TypeError for a column of
    another type, MissingDependencyError.
    """
    table = _table(frames)
    column = _column(table, frame_column)
    receive = None
    if receive_column == _RECEIVE and _RECEIVE not in table.column_names:
        receive_column = None
    if receive_column is not None:
        receive = _receive_ns(_column(table, receive_column), receive_column)
    judge = make_judge(signers, on_bad_signature, True)
    decoder = _core.DecoderBase(Batch, judge is not None, 1, True, judge, True)
    chunks = tuple(_buffers(chunk) for chunk in _chunks(column, frame_column))
    batch = _core.column_decode(decoder, chunks, on_error=on_error)
    rows = _good_rows(batch, len(column))
    if receive is not None:
        batch.messages["receive_ns"] = receive if rows is None else receive[rows]
    try:
        return batch.to_arrow(taxonomy, value_float=value_float, overflow=overflow)
    except RangeError as error:
        row = int(batch.message_index()[error.index])
        row = row if rows is None else int(np.flatnonzero(rows)[row])
        reason = f"{error.reason}, in row {row} of the frames"
        raise RangeError(error.index, reason) from error


def _table(frames: Any) -> pa.Table:
    if isinstance(frames, pa.Table):
        return frames
    if isinstance(frames, pa.RecordBatch):
        return pa.Table.from_batches([frames])
    if hasattr(frames, "__arrow_c_stream__"):
        return pa.table(frames)
    raise TypeError(
        f"frames must be a pyarrow Table or RecordBatch, not {type(frames).__name__}"
    )


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    places = table.schema.get_all_field_indices(name)
    if len(places) != 1:
        raise ValueError(
            f"there {'are several columns' if places else 'is no column'} {name!r}"
            f" among {', '.join(map(repr, table.column_names))}"
        )
    return table.column(places[0])


def _chunks(column: pa.ChunkedArray, name: str) -> list[pa.Array]:
    """The chunks that have rows, as string, binary, or their large kinds."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        column = column.cast(pa.large_binary())
    elif not (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    ):
        raise TypeError(f"frames are strings or binary; the column {name!r} is {kind}")
    return [chunk for chunk in column.chunks if len(chunk)]


def _buffers(
    chunk: pa.Array,
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_] | None]:
    """A chunk's bytes, its offsets, and which rows are none, without its memory copied
    (32-bit offsets are widened)."""
    is_large = pa.types.is_large_binary(chunk.type) or pa.types.is_large_string(
        chunk.type
    )
    _, offsets, data = chunk.buffers()
    offset_type = np.dtype(np.int64 if is_large else np.int32)
    start = chunk.offset * offset_type.itemsize
    places = np.frombuffer(offsets, offset_type, len(chunk) + 1, start)
    text = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    valid = None
    if chunk.null_count:
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
    return text, places.astype(np.int64), valid


def _receive_ns(column: pa.ChunkedArray, name: str) -> NDArray[np.uint64]:
    """Unix ns of each row, 0 where it is null."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Arrow's times with a zone count from the same moment as those without.
        column = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
    elif not pa.types.is_integer(kind):
        raise TypeError(
            f"receive times are integers or timestamps; the column {name!r} is {kind}"
        )
    times: NDArray[Any] = column.fill_null(0).to_numpy()
    if len(times) and times.min() < 0:
        row = int(np.flatnonzero(times < 0)[0])
        raise ValueError(f"the receive time in row {row} of {name!r} is before 1970")
    return times.astype(np.uint64)


def _good_rows(batch: Batch, n: int) -> NDArray[np.bool_] | None:
    """Which rows became messages; None for all."""
    if not batch.n_errors:
        return None
    good = np.ones(n, bool)
    good[batch.errors["index"].astype(np.intp)] = False
    return good
