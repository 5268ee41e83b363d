"""From lines to checked batches: decoding, signatures, age, duplicates, gaps."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from codec import _core
from codec.batch import Batch
from codec.errors import BadSignatureError, ErrorCode
from codec.feeds.duplicates import Seen
from codec.feeds.events import EventKind
from codec.feeds.lookout import Lookout
from codec.feeds.reports import (
    report_assets,
    report_errors,
    report_notices,
    report_stale,
)
from codec.feeds.stats import age_of
from codec.monitor import Monitor
from codec.signatures import make_judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from codec.feeds._listener import Lines
    from codec.feeds.events import Events
    from codec.feeds.stats import Age
    from codec.known import Signers
    from codec.signatures import OnBadSignature

__all__ = ["Intake"]


class Intake:
    """Decodes chunks of lines and checks what comes out; counts, and reports to events.

    The attributes are the counts of `Stats` by the same names.
    """

    def __init__(
        self,
        events: Events,
        *,
        signers: Signers | None,
        on_bad_signature: OnBadSignature,
        max_age_ns: int | None,
        period_ns: int | None,
        taxonomy_id: int | None,
        absent_after_ns: int,
        n_connections: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.messages = self.updates = self.batches = self.decode_ns = 0
        self.gaps = self.bad = self.bad_signatures = self.stale = 0
        self.duplicates = self.not_data = 0
        self._events = events
        self._raises = signers is not None and on_bad_signature == "raise"
        policy: OnBadSignature = "drop" if self._raises else on_bad_signature
        self._judge = make_judge(signers, policy, True)
        self._max_age_ns = max_age_ns
        self._monitor = Monitor(period_ns=period_ns, taxonomy_id=taxonomy_id)
        self._lookout = Lookout(
            events, absent_after_ns=absent_after_ns, clock_ns=clock_ns
        )
        self._seen = Seen() if n_connections > 1 else None

    @property
    def missing_ticks(self) -> int:
        """Ticks of a fixed channel that never came."""
        return self._monitor.missing

    @property
    def age(self) -> Age:
        """Percentiles of the messages' ages on arrival."""
        return age_of(self.ages)

    @property
    def ages(self) -> NDArray[np.uint64]:
        """The histogram behind them, as it is now."""
        return self._monitor.ages.copy()

    def open(self) -> None:
        """From now on batches are read, in the event loop that is running."""
        self._lookout.open()

    def watch(self, assets: Iterable[int]) -> None:
        """These assets are expected from now on."""
        self._lookout.absence.watch(assets)

    def forget(self, assets: Iterable[int]) -> None:
        """These are not."""
        self._lookout.absence.forget(assets)

    def read(
        self, lines: Lines, confirm: Callable[[int], object]
    ) -> list[Batch | Exception]:
        """What a chunk gives: a batch or none; before it, an exception to raise.

        confirm: called with the chunk's source where there is valid data in it.
        """
        start_ns = perf_counter_ns()
        decoder = _core.DecoderBase(Batch, True, 1, True, self._judge)
        batch = decoder.decode_lines(lines, on_error="skip")
        self.decode_ns += perf_counter_ns() - start_ns
        result: list[Batch | Exception] = []
        if batch.n_errors:
            result += self._take_errors(lines, batch)
        if batch.n_messages == 0:
            return result
        if batch.verified is None or batch.verified.any():
            confirm(lines.source)
        batch = self._checked(batch)
        if batch.n_messages:
            self.batches += 1
            self.messages += batch.n_messages
            self.updates += len(batch)
            result.append(batch)
        return result

    def _take_errors(self, lines: Lines, batch: Batch) -> list[Exception]:
        kinds = report_errors(self._events, lines, batch.errors)
        n_signatures = kinds.pop(EventKind.BAD_SIGNATURE, 0)
        self.bad_signatures += n_signatures
        self.bad += kinds.pop(EventKind.BAD_MESSAGE, 0)
        self.not_data += kinds.total()
        if not (self._raises and n_signatures):
            return []
        of_signatures = batch.errors["code"] >= ErrorCode.UNSIGNED
        first = batch.errors[np.argmax(of_signatures)]
        return [
            BadSignatureError(
                int(first["code"]), int(first["index"]), int(first["offset"])
            )
        ]

    def _checked(self, batch: Batch) -> Batch:
        """The batch without what is stale or came before; the rest is reported."""
        if self._seen is not None:
            new = self._seen.new(batch)
            if not new.all():
                self.duplicates += len(new) - int(np.count_nonzero(new))
                batch = batch.select(new)
        if batch.verified is not None and not batch.verified.all():
            n_bad = int(np.count_nonzero(~batch.verified))
            self.bad_signatures += n_bad
            self._events.emit(
                EventKind.BAD_SIGNATURE, f"bad signatures, marked: {n_bad}", n=n_bad
            )
        notices = self._monitor.observe(batch)
        if len(notices):
            self.gaps += report_notices(self._events, notices)
        if batch.n_messages and self._lookout.is_due():
            self._check_absence(int(batch.messages["receive_ns"][-1]))
        if self._max_age_ns is not None:
            batch = self._fresh(batch, self._max_age_ns)
        return batch

    def _fresh(self, batch: Batch, max_age_ns: int) -> Batch:
        messages = batch.messages
        received, sent = messages["receive_ns"], messages["timestamp_ns"]
        stale = report_stale(self._events, "messages", received, sent, max_age_ns)
        n_stale = int(np.count_nonzero(stale))
        self.stale += n_stale
        return batch.select(~stale) if n_stale else batch

    def _check_absence(self, now_ns: int) -> None:
        absence = self._lookout.absence
        gone, back = absence.check(self._monitor.last_seen_ns, now_ns)
        report_assets(self._events, gone, back)
