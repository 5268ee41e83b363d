"""Parquet that every reader takes, written as fast as pyarrow can."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from codec.export.notes import with_notes
from codec.export.sinks import Sink

__all__ = ["ROW_GROUP_LEN", "ParquetWriter"]

ROW_GROUP_LEN = 1 << 20

# docs/decode.md has the measurements. BYTE_STREAM_SPLIT halves what times take, and is
# faster than dictionaries, which are of no use for numbers here; but times that many
# rows share are better left to zstd. For decimals DuckDB does not read it, and polars
# does not read DELTA_BYTE_ARRAY: PLAIN is what is left. The levels of zstd for it take
# two thirds of the time of level 1; how small they make it depends on the digits.
_SPLIT = "BYTE_STREAM_SPLIT"
_ENCODINGS = {
    "timestamp": _SPLIT,
    "taxonomy_id": "PLAIN",
    "asset_id": _SPLIT,
    "value": "PLAIN",
    "value_float": _SPLIT,
    "market_status": "PLAIN",
    "receive_timestamp": _SPLIT,
}
_LEVEL = 1
_VALUE_LEVELS = (-3, -4, -5)
_SAMPLE_LEN = 17_000  # values: more than 256 KiB, beyond which zstd's levels are others
_BATCH_LEN = 1 << 16
_DICTIONARIES = ("symbol", "signer")
_TIMES = ("timestamp", "receive_timestamp")
_SHARED_BY = 8  # rows that have a time in common, on average
_LOOKED_AT_LEN = 1 << 16
_VALUE_LEN = 16  # bytes of a decimal128


class ParquetWriter:
    """Row groups of ROW_GROUP_LEN rows, the last one shorter."""

    part_len = ROW_GROUP_LEN

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._schema = schema
        self._sink = Sink(file)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._n_waiting = 0

    def write(self, table: pa.Table) -> None:
        """Takes a table of any length; keeps it until a row group is full."""
        self._waiting.append(table)
        self._n_waiting += table.num_rows
        while self._n_waiting >= ROW_GROUP_LEN:
            self._write_group()

    def close(self) -> None:
        """Writes the last row group and the footer."""
        if self._n_waiting:
            self._write_group()
        if self._writer is None:
            self._writer = self._begin(self._schema.empty_table())
        self._writer.close()

    def abandon(self) -> None:
        """Writes nothing any more."""
        self._sink.cut_off()
        if self._writer is not None:
            self._writer.close()

    def _write_group(self) -> None:
        whole = pa.concat_tables(self._waiting)
        group, rest = whole.slice(0, ROW_GROUP_LEN), whole.slice(ROW_GROUP_LEN)
        self._waiting = [rest] if rest.num_rows else []
        self._n_waiting = rest.num_rows
        if self._writer is None:
            self._writer = self._begin(group)
        self._writer.write_table(group.unify_dictionaries(), ROW_GROUP_LEN)

    def _begin(self, group: pa.Table) -> pq.ParquetWriter:
        """The writer for tables such as the first group."""
        return pq.ParquetWriter(
            self._sink, with_notes(self._schema), **_options(group), version="2.6"
        )


def _shares_times(table: pa.Table) -> bool:
    """Whether many rows in succession have one time, as of messages of many assets."""
    times = table["timestamp"].slice(0, _LOOKED_AT_LEN).combine_chunks()
    return len(pc.run_end_encode(times).values) * _SHARED_BY <= len(times)


def _value_level(table: pa.Table) -> int:
    """The level that makes the first values smallest, which as a rule takes least time,
    too: what is found to be the same need not be written."""
    values = table["value"].slice(0, _SAMPLE_LEN).combine_chunks()
    count, offset = _VALUE_LEN * len(values), _VALUE_LEN * values.offset
    data = np.frombuffer(values.buffers()[1], np.uint8, count, offset)
    as_written = data.reshape(-1, _VALUE_LEN)[:, ::-1].tobytes()
    codecs = {level: pa.Codec("zstd", level) for level in _VALUE_LEVELS}
    return min(codecs, key=lambda level: len(codecs[level].compress(as_written)))


def _options(group: pa.Table) -> dict[str, Any]:
    names, encodings = group.column_names, dict(_ENCODINGS)
    if _shares_times(group):
        encodings |= dict.fromkeys(_TIMES, "PLAIN")
    value_level = _value_level(group)
    return {
        "compression": "zstd",
        "compression_level": {
            name: value_level if name == "value" else _LEVEL for name in names
        },
        "use_dictionary": [name for name in names if name in _DICTIONARIES],
        "column_encoding": {
            name: encodings[name] for name in names if name in encodings
        },
        "write_batch_size": _BATCH_LEN,
        "max_rows_per_page": ROW_GROUP_LEN,
        "write_statistics": True,
    }
