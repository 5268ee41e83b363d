"""Arrow IPC: files that map into memory, or a stream for another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from codec.export.notes import with_notes
from codec.export.sinks import Sink

__all__ = ["BATCH_LEN", "IpcWriter"]

BATCH_LEN = 1 << 17

if TYPE_CHECKING:
    from pyarrow import Schema, Table


class IpcWriter:
    """Record batches of BATCH_LEN rows, the last one shorter, each column zstd."""

    part_len = BATCH_LEN

    def __init__(self, file: BinaryIO, schema: Schema, *, is_stream: bool) -> None:
        options = pa.ipc.IpcWriteOptions(
            compression=pa.Codec("zstd", compression_level=1),
            emit_dictionary_deltas=is_stream,
            unify_dictionaries=not is_stream,
        )
        make = pa.ipc.new_stream if is_stream else pa.ipc.new_file
        self._sink = Sink(file)
        self._writer = make(self._sink, with_notes(schema), options=options)
        self._waiting: list[Table] = []
        self._n_waiting = 0

    def write(self, table: Table) -> None:
        """Takes a table of any length."""
        self._waiting.append(table)
        self._n_waiting += table.num_rows
        if self._n_waiting >= BATCH_LEN:
            self._write()

    def close(self) -> None:
        """Writes the last batch and the footer."""
        self._write()
        self._writer.close()

    def abandon(self) -> None:
        """Writes nothing any more."""
        self._sink.cut_off()
        self._writer.close()

    def _write(self) -> None:
        table = (
            pa.concat_tables(self._waiting).combine_chunks() if self._waiting else None
        )
        self._waiting, self._n_waiting = [], 0
        if table is not None:
            self._writer.write_table(table, BATCH_LEN)
