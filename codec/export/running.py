"""Inputs through a converter into a writer, in bounded memory."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from codec.errors import DamageError, ExportError
from codec.export.converting import Converter
from codec.export.faults import Fault, Lines
from codec.export.inputs import chunks
from codec.recording.naming import is_unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from codec.export.formats import Writer
    from codec.export.inputs import Input
    from codec.export.options import Options
    from codec.export.summary import Summary

__all__ = ["Behind", "Run"]


class Run:
    """Reads inputs, one after the other, and counts.

    on_fault: called with what is passed over. on_note: with words for people.
    on_progress: with the bytes of the files that have been read so far.
    """

    def __init__(
        self,
        options: Options,
        *,
        on_note: Callable[[str], object],
        on_progress: Callable[[int], object],
    ) -> None:
        self.on_fault: Callable[[Fault], object] = lambda fault: None
        self._options = options
        self._on_note = on_note
        self._on_progress = on_progress
        self._converter = Converter(options, lambda fault: self.on_fault(fault))
        self._begin = time.perf_counter()

    @property
    def summary(self) -> Summary:
        """What was counted so far."""
        summary = self._converter.summary
        summary.seconds = time.perf_counter() - self._begin
        return summary

    def tables(self, source: Input) -> Iterator[pa.Table]:
        """The rows of an input."""
        summary = self._converter.summary
        before = summary.read_len
        n_before = summary.n_lines
        for data, text_offset, file_offset, n_passed_over in chunks(
            source, self._options, self._report
        ):
            line = n_passed_over + summary.n_lines - n_before + 1
            lines = Lines(data, source.name, line, text_offset)
            table = self._converter.table(lines)
            summary.read_len = before + file_offset
            self._on_progress(summary.read_len)
            if table.num_rows:
                yield table
        if source.size is not None:
            summary.read_len = before + source.size
        self._on_progress(summary.read_len)
        summary.n_inputs += 1

    def write(self, sources: Sequence[Input], writer: Writer) -> None:
        """All rows of some inputs; raises ExportError where they hold not a byte."""
        before = self.summary.n_lines
        with Behind(writer, is_direct=self._options.threads == 1) as behind:
            for source in sources:
                for table in self.tables(source):
                    behind.write(table)
            if self.summary.n_lines == before and not any(s.size for s in sources):
                raise ExportError(f"{sources[0].name}: there is nothing in it")
            behind.close()

    def pass_over(self, source: Input) -> None:
        """Counts an input that was done before."""
        self._converter.summary.n_done += 1
        self._converter.summary.read_len += source.size or 0
        self._on_progress(self._converter.summary.read_len)

    def _report(self, error: DamageError) -> None:
        if error.is_at_end and is_unfinished(error.path):
            self._on_note(f"unfinished, {error}")
            return
        if self._options.on_error == "raise":
            raise error
        self._converter.summary.n_damaged += 1
        self.on_fault(Fault.of_damage(error))


class Behind:
    """Hands tables to a writer on a thread of its own, many rows at a time.

    While one is written the next is gathered, no more. is_direct: on this thread.
    """

    def __init__(self, writer: Writer, *, is_direct: bool) -> None:
        self._writer = writer
        self._pool = None if is_direct else ThreadPoolExecutor(1, "writing")
        self._written: Future[None] | None = None
        self._waiting: list[pa.Table] = []
        self._n_waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if kind is not None:
            self._writer.abandon()

    def write(self, table: pa.Table) -> None:
        """Takes a table; raises what went wrong with the ones before it."""
        self._waiting.append(table)
        self._n_waiting += table.num_rows
        if self._n_waiting >= self._writer.part_len:
            self._hand_over()

    def close(self) -> None:
        """Returns once all is written and the writer is closed."""
        if self._waiting:
            self._hand_over()
        if self._written is not None:
            self._written.result()
        self._writer.close()

    def _hand_over(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._waiting, self._n_waiting = [], 0
        if self._pool is None:
            self._writer.write(table)
            return
        if self._written is not None:
            self._written.result()
        self._written = self._pool.submit(self._writer.write, table)
