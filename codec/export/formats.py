"""The formats of outputs: their names, their suffixes and what writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from codec.errors import ExportError
from codec.export.ipc import IpcWriter
from codec.export.parquet import ParquetWriter
from codec.export.texts import CsvWriter, NdjsonWriter

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

__all__ = ["FORMATS", "Writer", "format_of", "make_writer", "stem_of", "suffix_of"]

FORMATS = ("parquet", "arrow", "ndjson", "csv")
_SUFFIXES = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_COMPRESSIBLE = ("ndjson", "csv")


class Writer(Protocol):
    """Writes tables of one schema, in the order in which they come.

    part_len: how many rows at a time suit it best.
    """

    part_len: int

    def write(self, table: pa.Table) -> None:
        """Takes a table of any length."""

    def close(self) -> None:
        """Writes what is still to come; the file stays open."""

    def abandon(self) -> None:
        """Writes nothing any more; what is in the file is of no use."""


def _split(path: Path) -> tuple[str, str | None, str | None]:
    """The name without its suffixes, its format and its compression."""
    name = path.name
    compression = next((end for end in _COMPRESSIONS if name.endswith(end)), None)
    inner = name.removesuffix(compression or "")
    suffix = next((end for end in _SUFFIXES if inner.endswith(end)), None)
    if suffix is None:
        return name, None, None
    return inner.removesuffix(suffix), _SUFFIXES[suffix], compression


def format_of(path: Path) -> str | None:
    """The format that a file's name stands for; None for none."""
    return _split(path)[1]


def stem_of(path: Path) -> str:
    """A file's name without the suffixes that stand for a format."""
    return _split(path)[0]


def suffix_of(name: str) -> str:
    """How names of files of a format end."""
    return f".{name}"


def make_writer(
    file: BinaryIO, schema: pa.Schema, name: str, path: Path, *, is_stream: bool = False
) -> Writer:
    """A writer of a format into an open file; the path's suffix says how it is
    compressed. is_stream: the file cannot be sought. Raises ExportError where a format
    does not allow that."""
    compression = _COMPRESSIONS.get(_split(path)[2] or "")
    if compression is not None and name not in _COMPRESSIBLE:
        raise ExportError(f"{path}: {name} is compressed inside already")
    if name == "parquet":
        if is_stream:
            raise ExportError("Parquet cannot be written to standard output")
        return ParquetWriter(file, schema)
    if name == "arrow":
        return IpcWriter(file, schema, is_stream=is_stream)
    kind = NdjsonWriter if name == "ndjson" else CsvWriter
    return kind(file, schema, compression)
