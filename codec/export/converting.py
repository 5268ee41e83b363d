"""Chunks of lines into Arrow tables: decoded, judged, filtered and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.api import Decoder
from codec.errors import ErrorCode, RangeError
from codec.export.faults import HARMLESS, fault_at, faults_of, line_starts
from codec.export.selecting import AssetFilter, in_time
from codec.export.summary import Summary
from codec.monitor import Monitor
from codec.notices import NoticeKind

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from numpy.typing import NDArray

    from codec.arrow import Overflow
    from codec.batch import Batch
    from codec.export.faults import Fault, Lines
    from codec.export.options import Options

__all__ = ["Converter"]

_OVERFLOW = "a value or a time that Arrow's type cannot hold"


def _decoder(options: Options) -> Decoder:
    """Bad signatures come in one list with bad messages, so that of both the first is
    the one that ends a run."""
    if options.signers is None:  # more threads would only get in the writer's way
        return Decoder(payloads=False)
    return Decoder(
        threads=options.threads,
        signers=options.signers,
        on_bad_signature="mark" if options.on_bad_signature == "mark" else "drop",
    )


class Converter:
    """Makes tables of lines, one chunk after the other, on one thread at a time.

    on_fault: called with what is passed over. summary: what was counted so far.
    """

    def __init__(self, options: Options, on_fault: Callable[[Fault], object]) -> None:
        self.summary = Summary()
        self._options = options
        self._on_fault = on_fault
        self._schema = options.schema()
        self._decoder = _decoder(options)
        self._monitor = (
            None if options.period_ns is None else Monitor(period_ns=options.period_ns)
        )
        self._assets = None if options.assets is None else AssetFilter(options.assets)

    def table(self, lines: Lines) -> pa.Table:
        """The rows of a chunk of lines; raises MessageError for a bad one that is not
        to be passed over."""
        options = self._options
        batch = self._decoder.decode_lines(lines.data, on_error="skip")
        if batch.n_errors:
            self._report(lines, batch)
        self._count(batch)
        keep = in_time(batch.messages, options)
        part = batch if keep is None else batch.select(keep)
        try:
            table = self._converted(part, options.overflow)
        except RangeError:
            table = self._converted(part, "null")
            self._check_overflow(lines, batch, keep, table)
        if self._assets is not None:
            table = self._assets(table)
        if options.overflow == "null":
            nulls = table["value"].null_count + table["timestamp"].null_count
            self.summary.n_overflowed += nulls
        elif table.schema != self._schema:  # what did not fit was of no wanted asset
            table = table.cast(self._schema)
        self.summary.add_rows(table)
        return table

    def _converted(self, batch: Batch, overflow: Overflow) -> pa.Table:
        options = self._options
        return batch.to_arrow(
            options.taxonomy, value_float=options.value_float, overflow=overflow
        )

    def _count(self, batch: Batch) -> None:
        summary = self.summary
        summary.n_lines += batch.n_messages + batch.n_errors
        summary.n_messages += batch.n_messages
        if self._monitor is not None:
            self._monitor.observe(batch)
            summary.n_gaps = int(self._monitor.counts[NoticeKind.GAP])
            summary.n_missing = self._monitor.missing
        if batch.verified is not None:
            n_verified = int(np.count_nonzero(batch.verified))
            summary.n_unverified += batch.n_messages - n_verified
        if not batch.n_errors:
            return
        for code, n in zip(
            *np.unique(batch.errors["code"], return_counts=True), strict=True
        ):
            name = ErrorCode(code)
            (summary.passed if name in HARMLESS else summary.bad)[str(name)] += int(n)

    def _report(self, lines: Lines, batch: Batch) -> None:
        options = self._options
        for fault in faults_of(lines, batch.errors):
            policy = (
                options.on_bad_signature if fault.is_of_payload else options.on_error
            )
            if policy == "raise":
                raise fault.error()
            self._on_fault(fault)

    def _check_overflow(
        self,
        lines: Lines,
        batch: Batch,
        keep: NDArray[np.bool_] | None,
        table: pa.Table,
    ) -> None:
        """Raises for the first row of a wanted asset that has no value."""
        rows = np.arange(table.num_rows, dtype=np.int64)
        if self._assets is not None:
            table = self._assets(table.append_column("row", [rows]))
            rows = table["row"].to_numpy()
        nulls = (
            table["value"].is_null().to_numpy()
            | table["timestamp"].is_null().to_numpy()
        )
        if not nulls.any():
            return
        row = int(rows[np.argmax(nulls)])
        n_lines = batch.n_messages + batch.n_errors
        places = np.delete(np.arange(n_lines), batch.errors["index"].astype(np.int64))
        counts = batch.messages["update_count"]
        if keep is not None:
            places, counts = places[keep], counts[keep]
        message = int(np.searchsorted(np.cumsum(counts), row, side="right"))
        starts = line_starts(lines.data)
        place = int(places[message])
        fault = fault_at(lines, starts, place, "overflow", None, _OVERFLOW)
        raise fault.error()
