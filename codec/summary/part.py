"""`Part`: the updates of one chunk, from frames or from a table, in arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE, VALUE_DTYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow
    from numpy.typing import NDArray

    from codec._core import Columns

__all__ = ["UNKNOWN_KIND", "Part", "whole_messages"]

_MAX_RUN_LEN = 1 << 18

UNKNOWN_KIND = 255
"""`kind` and `layout` of a message of which only a table's rows are left."""


class _Decoded(Protocol):
    @property
    def columns(self) -> Columns: ...
    @property
    def messages(self) -> NDArray[np.void]: ...
    @property
    def errors(self) -> NDArray[np.void]: ...


class Part(NamedTuple):
    """Updates as arrays of one length, message by message.

    value: VALUE_DTYPE. messages: MESSAGE_DTYPE; `update_count` says how many of the
    updates are each one's. errors: ERROR_DTYPE.
    """

    timestamp_ns: NDArray[np.uint64]
    taxonomy_id: NDArray[np.uint16]
    asset_id: NDArray[np.uint16]
    value: NDArray[np.void]
    messages: NDArray[np.void]
    errors: NDArray[np.void]

    @classmethod
    def of_batch(cls, batch: _Decoded) -> Self:
        """Views of a batch's arrays."""
        columns = batch.columns
        return cls(
            columns.timestamp_ns,
            columns.taxonomy_id,
            columns.asset_id,
            columns.value,
            batch.messages,
            batch.errors,
        )

    @classmethod
    def of_table(cls, table: pyarrow.Table) -> Self:
        """Rows of a table as `to_arrow` makes them; those without a value or a time are
        left out.

        Which rows were one message is not in a table: rows next to each other that have
        their times and their taxonomy in common are taken for one.
        """
        import pyarrow as pa

        names = ["timestamp", "value", "taxonomy_id", "asset_id"]
        has_receive = "receive_timestamp" in table.column_names
        table = table.select(names + ["receive_timestamp"] * has_receive)
        for name in ("timestamp", "value"):
            column = table.column(name)
            if column.null_count:
                table = table.filter(column.is_valid())
        times = _numbers(table, "timestamp", pa.timestamp("ns", "UTC"), np.uint64)
        taxonomy_ids = _numbers(table, "taxonomy_id", pa.uint16(), np.uint16)
        receive = np.zeros(len(times), np.uint64)
        if has_receive:
            receive_type = pa.timestamp("ns", "UTC")
            receive = _numbers(table, "receive_timestamp", receive_type, np.uint64)
        values = _numbers(table, "value", pa.decimal128(38, 18), VALUE_DTYPE)
        return cls(
            times,
            taxonomy_ids,
            _numbers(table, "asset_id", pa.uint16(), np.uint16),
            values,
            _runs(times, receive, taxonomy_ids),
            np.empty(0, ERROR_DTYPE),
        )

    def only(self, keep: NDArray[np.bool_]) -> Part:
        """The chosen updates, and the messages that had any of them."""
        ends = np.cumsum(self.messages["update_count"], dtype=np.int64)
        sums = np.concatenate(([0], np.cumsum(keep)))
        counts = np.diff(sums[ends], prepend=0)
        messages = self.messages[counts > 0]
        messages["update_count"] = counts[counts > 0]
        return Part(
            self.timestamp_ns[keep],
            self.taxonomy_id[keep],
            self.asset_id[keep],
            self.value[keep],
            messages,
            self.errors,
        )


def whole_messages(
    parts: Iterable[tuple[Part, int]],
) -> Iterator[tuple[Part, int]]:
    """Rows of tables, with some number each, cut anew: no message is in two parts.

    Messages are runs of rows here, as in `of_table`. One that is longer than any true
    one is cut.
    """
    rest: Part | None = None
    for part, number in parts:
        joined = part if rest is None else _joined(rest, part)
        starts = joined.messages["first_update"]
        n = len(joined.timestamp_ns)
        at = int(starts[-1]) if len(starts) else 0
        if n - at > _MAX_RUN_LEN:
            at = n
        yield _part(joined, 0, at), number
        rest = _part(joined, at, n)
    if rest is not None:
        yield rest, 0


def _joined(first: Part, second: Part) -> Part:
    if not len(first.timestamp_ns):
        return second
    head, tail = first.messages, second.messages.copy()
    tail["first_update"] += np.uint64(len(first.timestamp_ns))
    names = ["timestamp_ns", "receive_ns", "taxonomy_id"]
    if len(head) and len(tail) and head[names][-1] == tail[names][0]:
        head = head.copy()
        head["update_count"][-1] += tail["update_count"][0]
        tail = tail[1:]
    return Part(
        np.concatenate((first.timestamp_ns, second.timestamp_ns)),
        np.concatenate((first.taxonomy_id, second.taxonomy_id)),
        np.concatenate((first.asset_id, second.asset_id)),
        np.concatenate((first.value, second.value)),
        np.concatenate((head, tail)),
        first.errors,
    )


def _part(part: Part, start: int, end: int) -> Part:
    """The messages that begin from row `start` on and before row `end`."""
    begins = part.messages["first_update"]
    messages = part.messages[(begins >= start) & (begins < end)]
    messages["first_update"] -= np.uint64(start)
    return Part(
        part.timestamp_ns[start:end],
        part.taxonomy_id[start:end],
        part.asset_id[start:end],
        part.value[start:end],
        messages,
        part.errors,
    )


def _numbers(
    table: pyarrow.Table, name: str, dtype: Any, as_dtype: Any
) -> NDArray[Any]:
    """A column's numbers, exactly; 0 where there is none."""
    import pyarrow as pa

    column = table.column(name)
    if column.type != dtype:
        column = column.cast(dtype)
    if column.null_count:
        column = column.fill_null(pa.scalar(0, pa.int64()).cast(dtype))
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # what combining gives depends on pyarrow
        array = pa.concat_arrays(array.chunks) if array.chunks else pa.array([], dtype)
    buffer = array.buffers()[1]
    if buffer is None:
        return np.empty(0, as_dtype)
    size = np.dtype(as_dtype).itemsize
    return np.frombuffer(buffer, as_dtype, len(array), array.offset * size)


def _runs(
    times: NDArray[np.uint64], receive: NDArray[np.uint64], taxonomies: NDArray[Any]
) -> NDArray[np.void]:
    is_start = np.ones(len(times), bool)
    is_start[1:] = times[1:] != times[:-1]
    is_start[1:] |= receive[1:] != receive[:-1]
    is_start[1:] |= taxonomies[1:] != taxonomies[:-1]
    starts = np.flatnonzero(is_start)
    messages = np.zeros(len(starts), MESSAGE_DTYPE)
    messages["timestamp_ns"] = times[starts]
    messages["receive_ns"] = receive[starts]
    messages["taxonomy_id"] = taxonomies[starts]
    messages["first_update"] = starts
    messages["update_count"] = np.diff(starts, append=len(times))
    messages["kind"] = messages["layout"] = UNKNOWN_KIND
    return messages
