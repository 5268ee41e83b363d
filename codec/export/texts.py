"""NDJSON and CSV: exact decimals as text, times as whole nanoseconds."""

from __future__ import annotations

import gzip
import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from codec.errors import MissingDependencyError
from codec.export.sinks import Sink

__all__ = ["CsvWriter", "NdjsonWriter"]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow import Array, ChunkedArray, Schema, Table

_PART_LEN = 1 << 16  # rows that are text at the same time
_GZIP_LEVEL = 6


class NdjsonWriter:
    """A JSON object for each row; null where there is no value."""

    part_len = _PART_LEN

    def __init__(self, file: BinaryIO, schema: Schema, compression: str | None) -> None:
        self._sink = Sink(file)
        self._out = _compressed(self._sink, compression)
        names = [_text_name(field) for field in schema]
        self._heads = [
            f"{',' if i else '{'}{json.dumps(name)}:" for i, name in enumerate(names)
        ]

    def write(self, table: Table) -> None:
        """Takes a table of any length."""
        for part in _parts(table):
            texts: list[Any] = []
            for head, column in zip(self._heads, part.columns, strict=True):
                texts += [pa.scalar(head), _json_text(column)]
            texts += [pa.scalar("}\n"), pa.scalar("")]
            lines = pc.binary_join_element_wise(*texts)
            for chunk in lines.chunks:
                self._out.write(_data(chunk))

    def close(self) -> None:
        """Ends the compressed text, if it is one."""
        self._out.close()

    def abandon(self) -> None:
        """Writes nothing any more."""
        self._sink.cut_off()
        self._out.close()


class CsvWriter:
    """A line of titles, then one for each row; nothing where there is no value."""

    part_len = _PART_LEN

    def __init__(self, file: BinaryIO, schema: Schema, compression: str | None) -> None:
        self._sink = Sink(file)
        self._out = _compressed(self._sink, compression)
        self._options = csv.WriteOptions(include_header=False, quoting_style="needed")
        names = ",".join(_text_name(field) for field in schema)
        self._out.write(f"{names}\n".encode())

    def write(self, table: Table) -> None:
        """Takes a table of any length."""
        for part in _parts(table):
            columns = [_csv_column(column) for column in part.columns]
            out = io.BytesIO()
            csv.write_csv(pa.table(columns, part.column_names), out, self._options)
            self._out.write(out.getbuffer())

    def close(self) -> None:
        """Ends the compressed text, if it is one."""
        self._out.close()

    def abandon(self) -> None:
        """Writes nothing any more."""
        self._sink.cut_off()
        self._out.close()


def _text_name(field: pa.Field) -> str:
    """A column's name, with its unit where the type does not say it any more."""
    name: str = field.name
    return f"{name}_ns" if pa.types.is_timestamp(field.type) else name


def _parts(table: Table) -> Iterator[Table]:
    for start in range(0, table.num_rows, _PART_LEN):
        yield table.slice(start, _PART_LEN)


def _csv_column(column: ChunkedArray) -> ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64())
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string())
    return column


def _json_text(column: ChunkedArray) -> ChunkedArray:
    """Each value as it stands in JSON; decimals are strings, since JSON's numbers are
    floats to most who read them."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array([_quoted(chunk) for chunk in column.chunks])
        text = column.cast(pa.string())
    else:
        text = column.cast(pa.string())
        if pa.types.is_decimal(column.type):
            text = pc.binary_join_element_wise('"', text, '"', "")
    return text.fill_null("null") if text.null_count else text


def _quoted(chunk: Array) -> Array:
    words = [json.dumps(word) for word in chunk.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(chunk.indices, pa.array(words, pa.string()))


def _data(texts: Array) -> memoryview:
    """The bytes of an array's strings, one behind the other."""
    if not len(texts):
        return memoryview(b"")
    _, offsets, data = texts.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]


def _compressed(file: Sink, compression: str | None) -> Any:
    if compression is None:
        return file
    out = cast("BinaryIO", file)
    if compression == "gzip":
        return gzip.GzipFile(
            fileobj=cast("BinaryIO", file), mode="wb", compresslevel=_GZIP_LEVEL
        )
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError(
            "this needs the package zstandard: pip install 'stork-codec[arrow]'"
        ) from error
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    return compressor.stream_writer(out, closefd=False)
