"""Lines to Arrow tables and Parquet files, against decoding alone and against what a
user would write with orjson, Python's integers and pyarrow."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

import codec
from bench.rows import Row
from bench.timing import Side, balanced, interleave
from bench.workloads import FIRST_NS, STEP_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ratios import Inputs

__all__ = ["arrow_rows", "python_table"]

_EXACT = Context(prec=60)
_TIME = pa.timestamp("ns", "UTC")
_RECORDS_AT, _RECORD_LEN = 75, 18


def arrow_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row about Arrow tables, in turn."""
    scale, lines = inputs.scale, inputs.large.lines
    alone = Side(lambda: codec.decode_lines(lines))
    of = "decode_lines / to Arrow"
    what = "lines of 100 assets to an Arrow table, against `decode_lines` alone:"
    for payloads, words in (
        (False, "into columns, `payloads=False`"),
        (True, "into columns, payloads kept"),
    ):
        ratio = interleave(alone, Side(lambda p=payloads: _table(lines, p)), scale.budget)
        limits = (None, None) if payloads else (0.5, 0.8)
        yield Row(f"{what} {words}", of, ratio, *limits)
    by_rows = Side(lambda: codec.decode_lines(lines, payloads=False).to_arrow())
    ratio = interleave(alone, by_rows, scale.budget)
    yield Row(f"{what} by way of rows, `payloads=False`", of, ratio, 0.5)
    received = _received(inputs.large.frames)
    ratio = interleave(
        Side(lambda: codec.decode_lines(received)),
        Side(lambda: _table(received, False)),
        scale.budget,
    )
    yield Row(f"{what} the first, with receive times", of, ratio)
    part = inputs.for_python.lines
    ratio = interleave(
        *balanced(
            Side(lambda: python_table(part)), Side(lambda: _table(part, False))
        ),
        scale.budget,
    )
    what = "lines of 100 assets to an Arrow table, against orjson, ints and pyarrow"
    yield Row(what, "Python / to Arrow", ratio)


def _table(lines: bytes, payloads: bool) -> pa.Table:
    return codec.decode_lines(lines, payloads=payloads, layout="columns").to_arrow()


def _received(frames: list[bytes]) -> bytes:
    """The frames as a recorder writes them."""
    return b"".join(
        b"%d %s\n" % (FIRST_NS + i * STEP_NS + 1234567, frame)
        for i, frame in enumerate(frames)
    )


def python_table(lines: bytes) -> pa.Table:
    """The table of `to_arrow`, by orjson, Python's integers and Decimal, and pyarrow;
    signed messages of layout 1, nothing checked, receive times if they are there."""
    columns: dict[str, list[Any]] = {name: [] for name in _TYPES}
    for line in lines.splitlines():
        head, _, frame = line.rpartition(b" ")
        payload = bytes.fromhex(orjson.loads(frame)["p"][2:])
        n = (len(payload) - _RECORDS_AT) // _RECORD_LEN
        columns["timestamp"] += [int.from_bytes(payload[67:75])] * n
        columns["taxonomy_id"] += [int.from_bytes(payload[65:67])] * n
        columns["receive_timestamp"] += [int(head) if head else None] * n
        for at in range(_RECORDS_AT, len(payload), _RECORD_LEN):
            columns["asset_id"].append(int.from_bytes(payload[at : at + 2]))
            value = int.from_bytes(payload[at + 2 : at + _RECORD_LEN], signed=True)
            columns["value"].append(Decimal(value).scaleb(-18, _EXACT))
    columns["market_status"] = [None] * len(columns["value"])
    arrays = [pa.array(columns[name], dtype) for name, dtype in _TYPES.items()]
    return pa.Table.from_arrays(arrays, names=list(_TYPES))


_TYPES = {
    "timestamp": _TIME,
    "taxonomy_id": pa.uint16(),
    "asset_id": pa.uint16(),
    "value": pa.decimal128(38, 18),
    "market_status": pa.uint8(),
    "receive_timestamp": _TIME,
}
