"""From lines to aggregates that pass: decoding, signatures, age, duplicates, clocks."""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.aggregator import Symbols, decode_lines
from codec.feeds.ages import Ages
from codec.feeds.aggregator_reports import (
    count_faults,
    report_clocks,
    report_homeless,
    report_publishers,
    report_rejected,
)
from codec.feeds.asset_clocks import AssetClocks
from codec.feeds.duplicates import Seen
from codec.feeds.events import EventKind
from codec.feeds.lookout import Lookout
from codec.feeds.reports import report_assets, report_errors, report_stale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from codec.aggregator import AggregatorBatch, Require
    from codec.feeds._listener import Lines
    from codec.feeds.events import Events
    from codec.known import Signers

__all__ = ["AggregatorIntake"]

_N_SYMBOLS = 1 << 16  # as many as `Symbols` takes
_SAME = ("symbol", "timestamp_ns", "value", "verified")  # what makes two the same
_SAME_SIGNED = ("r", "s", "v")


class AggregatorIntake:
    """Decodes chunks of lines and checks what comes out; counts, and reports to events.

    A chunk is decoded by `decode`, on any thread, and then taken in by `take` on that
    of the feed; one after the other. The attributes are the counts of `AggregatorStats`
    by the same names. symbols: the names of all of its batches.
    """

    def __init__(
        self,
        events: Events,
        *,
        require: Require,
        signers: Signers | None,
        max_age_ns: int | None,
        absent_after_ns: int,
        n_connections: int,
        threads: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.symbols = Symbols()
        self.messages = self.aggregates = self.publishers = self.batches = 0
        self.bad = self.bad_signatures = self.bad_publishers = self.not_data = 0
        self.stale = self.duplicates = self.backwards = self.decode_ns = 0
        self.faults: Counter[str] = Counter()
        self.ages = Ages()
        self._events = events
        self._require = require
        self._signers = signers
        self._threads = threads
        self._max_age_ns = max_age_ns
        self._lookout = Lookout(
            events, absent_after_ns=absent_after_ns, clock_ns=clock_ns
        )
        self._last_seen_ns = np.zeros(_N_SYMBOLS, np.uint64)
        self._clocks = AssetClocks()
        self._seen = Seen() if n_connections > 1 else None
        self._changes: list[tuple[bool, frozenset[str]]] = []

    def open(self) -> None:
        """From now on batches are read, in the event loop that is running."""
        self._lookout.open()
        self._apply_changes()

    def watch(self, assets: Iterable[str]) -> None:
        """These assets are expected from now on."""
        self._changes.append((True, frozenset(assets)))

    def forget(self, assets: Iterable[str]) -> None:
        """These are not."""
        self._changes.append((False, frozenset(assets)))

    def _apply_changes(self) -> None:
        """Where no other thread is decoding, so that names can be added."""
        changes, self._changes = self._changes, []
        for is_expected, names in changes:
            places = {name: self._place_of(name) for name in sorted(names)}
            known = [place for place in places.values() if place is not None]
            if is_expected:
                self._lookout.absence.watch(known)
                report_homeless(
                    self._events, [n for n, place in places.items() if place is None]
                )
            else:
                self._lookout.absence.forget(known)

    def _place_of(self, name: str) -> int | None:
        try:
            return self.symbols.add(name)
        except ValueError:  # no room: its messages are errors of their own
            return None

    def decode(self, lines: Lines) -> AggregatorBatch:
        """A chunk's aggregates, each checked, good or not."""
        start_ns = perf_counter_ns()
        batch = decode_lines(
            lines,
            signers=self._signers,
            on_error="skip",
            threads=self._threads,
            symbols=self.symbols,
        )
        self.decode_ns += perf_counter_ns() - start_ns
        return batch

    def take(
        self, lines: Lines, batch: AggregatorBatch, confirm: Callable[[int], object]
    ) -> list[AggregatorBatch]:
        """What of a decoded chunk is to be delivered: a batch or none.

        confirm: called with the chunk's source where there is an aggregate in it that
        passes.
        """
        if self._changes:
            self._apply_changes()
        if len(batch.errors):
            kinds = report_errors(self._events, lines, batch.errors, str)
            self.bad += kinds.pop(EventKind.BAD_MESSAGE, 0)
            self.not_data += kinds.total()
        if len(batch) == 0:
            return []
        keep = self._passed(lines, batch)
        if not keep.any():
            return []
        confirm(lines.source)
        if self._seen is not None:
            self._drop_seen(self._seen, batch, keep)
        self._check_times(batch, keep)
        if not keep.all():
            batch = batch.select(keep)
        if len(batch) == 0:
            return []
        self.batches += 1
        self.messages += len(batch.messages)
        self.aggregates += len(batch)
        self.publishers += len(batch.publishers)
        return [batch]

    def _passed(self, lines: Lines, batch: AggregatorBatch) -> NDArray[np.bool_]:
        """Which aggregates pass; the others, and bad publishers, are reported."""
        source = lines.source if lines.source >= 0 else None
        self.faults.update(count_faults(batch))
        n_bad = int(np.count_nonzero(~batch.publishers["verified"]))
        if n_bad:
            self.bad_publishers += n_bad
            report_publishers(self._events, source, batch)
        failures = batch.failures(self._require)
        n_rejected = int(np.count_nonzero(failures))
        if n_rejected:
            self.bad_signatures += n_rejected
            report_rejected(self._events, source, batch, failures)
        passed: NDArray[np.bool_] = failures == 0
        return passed

    def _drop_seen(
        self, seen: Seen, batch: AggregatorBatch, keep: NDArray[np.bool_]
    ) -> None:
        """Takes out of `keep` what another connection has brought. What does not pass
        is not noted, so that it stands in nobody's way."""
        rows = np.flatnonzero(keep)
        new = seen.are_new(_contents(batch, rows))
        self.duplicates += len(rows) - int(np.count_nonzero(new))
        keep[rows[~new]] = False

    def _check_times(self, batch: AggregatorBatch, keep: NDArray[np.bool_]) -> None:
        """Reports what is odd about times, and takes what is too old out of `keep`."""
        rows = np.flatnonzero(keep)
        if not len(rows):
            return
        aggregates = batch.aggregates[rows]
        symbols, sent_ns = aggregates["symbol"], aggregates["timestamp_ns"]
        received_ns = batch.messages["receive_ns"][aggregates["message"]]
        self.ages.add(received_ns, sent_ns)
        notices = self._clocks.observe(
            symbols.tolist(), sent_ns.tolist(), received_ns.tolist()
        )
        if notices:
            self.backwards += report_clocks(self._events, self.symbols, notices)
        self._last_seen_ns[symbols] = received_ns
        if self._lookout.is_due():
            self._check_absence(int(received_ns[-1]))
        if self._max_age_ns is not None:
            stale = report_stale(
                self._events, "aggregates", received_ns, sent_ns, self._max_age_ns
            )
            self.stale += int(np.count_nonzero(stale))
            keep[rows[stale]] = False

    def _check_absence(self, now_ns: int) -> None:
        gone, back = self._lookout.absence.check(self._last_seen_ns, now_ns)
        if gone or back:
            names = self.symbols
            report_assets(
                self._events, [names[i] for i in gone], [names[i] for i in back]
            )


def _contents(batch: AggregatorBatch, rows: NDArray[np.intp]) -> list[memoryview]:
    """What makes each aggregate the same as another one."""
    columns: list[NDArray[Any]] = [batch.aggregates[name][rows] for name in _SAME]
    columns += [batch.aggregate_signatures[name][rows] for name in _SAME_SIGNED]
    parts = [np.ascontiguousarray(column) for column in columns]
    flat = np.concatenate(
        [part.view(np.uint8).reshape(len(rows), -1) for part in parts], 1
    )
    return [row.data for row in flat]
