"""Decoders that a careful user would write without this package, for comparison.

Those named `numpy_*` use orjson, bytes.fromhex and numpy; `stdlib_tuned` the standard
library and, for the result, numpy. All give one array of UPDATE_DTYPE whose rows equal
those of `codec.decode`, except `numpy_views`, which stops earlier. Like most code of
this kind they trust their input: signed frames of layout 1, nothing checked beyond
what orjson and bytes.fromhex check by themselves.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from codec import UPDATE_DTYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

__all__ = [
    "RIVALS",
    "View",
    "numpy_joined",
    "numpy_per_message",
    "numpy_views",
    "stdlib_tuned",
    "views_equal",
    "with_lines",
]

HEAD_AT, RECORDS_AT, RECORD_LEN = 65, 75, 18
NO_STATUS = 255

HEAD_DTYPE = np.dtype([("taxonomy_id", ">u2"), ("timestamp_ns", ">u8")])
RECORD_DTYPE = np.dtype([("asset_id", ">u2"), ("hi", ">i8"), ("lo", ">u8")])

_head = Struct(">HQ").unpack_from
_records = Struct(">HqQ").iter_unpack
_row = Struct("<QqQHHB3x").pack


class View(NamedTuple):
    """One message, its records still big-endian in the payload's own memory."""

    timestamp_ns: int
    taxonomy_id: int
    records: NDArray[Any]


def numpy_per_message(frames: Iterable[bytes]) -> NDArray[Any]:
    """One np.frombuffer a message, its columns copied into one array of known size."""
    payloads = _payloads(frames)
    n_rows = sum((len(p) - RECORDS_AT) // RECORD_LEN for p in payloads)
    rows = np.empty(n_rows, UPDATE_DTYPE)
    rows["market_status"] = NO_STATUS
    values = rows["value"]
    lo, hi, asset_ids = values["lo"], values["hi"], rows["asset_id"]
    timestamps, taxonomy_ids = rows["timestamp_ns"], rows["taxonomy_id"]
    start = 0
    for payload in payloads:
        records = np.frombuffer(payload, RECORD_DTYPE, offset=RECORDS_AT)
        end = start + len(records)
        taxonomy_ids[start:end], timestamps[start:end] = _head(payload, HEAD_AT)
        asset_ids[start:end] = records["asset_id"]
        lo[start:end] = records["lo"]
        hi[start:end] = records["hi"]
        start = end
    return rows


def numpy_joined(frames: Iterable[bytes]) -> NDArray[Any]:
    """All records joined first, then one np.frombuffer and one pass a column.

    Much the faster one for small messages, where numpy's cost per call counts.
    """
    payloads = _payloads(frames)
    counts = [(len(p) - RECORDS_AT) // RECORD_LEN for p in payloads]
    heads = np.frombuffer(
        b"".join([p[HEAD_AT:RECORDS_AT] for p in payloads]), HEAD_DTYPE
    )
    records = np.frombuffer(b"".join([p[RECORDS_AT:] for p in payloads]), RECORD_DTYPE)
    rows = np.empty(len(records), UPDATE_DTYPE)
    rows["value"]["lo"] = records["lo"]
    rows["value"]["hi"] = records["hi"]
    rows["timestamp_ns"] = np.repeat(heads["timestamp_ns"], counts)
    rows["taxonomy_id"] = np.repeat(heads["taxonomy_id"], counts)
    rows["asset_id"] = records["asset_id"]
    rows["market_status"] = NO_STATUS
    return rows


def numpy_views(frames: Iterable[bytes]) -> list[View]:
    """What many would settle for: a list of views, big-endian, no common array."""
    views = []
    for payload in _payloads(frames):
        taxonomy_id, timestamp_ns = _head(payload, HEAD_AT)
        records = np.frombuffer(payload, RECORD_DTYPE, offset=RECORDS_AT)
        views.append(View(timestamp_ns, taxonomy_id, records))
    return views


def stdlib_tuned(frames: Iterable[bytes]) -> NDArray[Any]:
    """json, bytes.fromhex and struct; rows packed as bytes, an array at the end.

    Of three ways tried (this one, np.array of tuples, columns by zip) the fastest from
    four assets a message on.
    """
    rows: list[bytes] = []
    for frame in frames:
        payload = bytes.fromhex(json.loads(frame)["p"][2:])
        taxonomy_id, timestamp_ns = _head(payload, HEAD_AT)
        rows += [
            _row(lo, hi, timestamp_ns, taxonomy_id, asset_id, NO_STATUS)
            for asset_id, hi, lo in _records(payload[RECORDS_AT:])
        ]
    return np.frombuffer(b"".join(rows), UPDATE_DTYPE)


def with_lines(
    rival: Callable[[Iterable[bytes]], object],
) -> Callable[[bytes], object]:
    """The rival for a buffer of lines: it is split first."""
    return lambda lines: rival(lines.splitlines())


def views_equal(views: Sequence[View], updates: NDArray[Any]) -> bool:
    """Whether the views hold what `updates` holds."""
    counts = [len(view.records) for view in views]
    records = np.concatenate([view.records for view in views])
    timestamps = np.array([view.timestamp_ns for view in views], np.uint64)
    columns = (
        ("asset_id", records["asset_id"]),
        ("timestamp_ns", np.repeat(timestamps, counts)),
        ("taxonomy_id", np.repeat([view.taxonomy_id for view in views], counts)),
    )
    return (
        all(np.array_equal(updates[name], column) for name, column in columns)
        and np.array_equal(updates["value"]["lo"], records["lo"])
        and np.array_equal(updates["value"]["hi"], records["hi"])
    )


def _payloads(frames: Iterable[bytes]) -> list[bytes]:
    fromhex, loads = bytes.fromhex, orjson.loads
    return [fromhex(loads(frame)["p"][2:]) for frame in frames]


RIVALS: dict[str, Callable[[Iterable[bytes]], NDArray[Any]]] = {
    "numpy_joined": numpy_joined,
    "numpy_per_message": numpy_per_message,
    "stdlib_tuned": stdlib_tuned,
}
"""Those with results equal to ours."""
