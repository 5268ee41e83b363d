"""How messages flow: how many, of which kind, how far apart, how old; the gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from codec.summary.durations import Durations

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Flow", "Silence"]

_AHEAD_NS = 1_000_000_000  # as Monitor has it
_N_SILENCES = 64
_LOW_HALF = np.uint64(2**32 - 1)
_MOST = 2**64 - 1
_PAUSE_TIMES, _PAUSE_PART = 10, 200


class Silence(NamedTuple):
    """A time between two messages with none between them."""

    start_ns: int
    end_ns: int

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.start_ns


class Flow:
    """Takes messages in, chunk by chunk.

    period_ns: from one message to the next on a channel of a fixed rate; None: gaps
    are not looked for. n_gaps, n_missing: docs/feeds.md has the rules, with which each
    taxonomy is a stream of its own. first_ns, last_ns: the least and the greatest
    timestamp, None before the first message. by_kind: messages by (kind, layout).
    latency: receive time less timestamp, 0 where that is negative. silences: the
    longest, in order of time. between_timestamps, between_receive_times: from message
    to message; n_backwards: of the former, those below zero, which are in no histogram.
    """

    def __init__(self, period_ns: int | None = None) -> None:
        self.n_messages = self.n_updates = self.n_received = self.n_backwards = 0
        self.n_gaps = self.n_missing = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.first_receive_ns: int | None = None
        self.last_receive_ns: int | None = None
        self.by_kind: dict[tuple[int, int], int] = {}
        self.by_taxonomy: dict[int, int] = {}
        self.latency = Durations()
        self.between_timestamps = Durations()
        self.between_receive_times = Durations()
        self.silences: list[Silence] = []
        self._period_ns = period_ns
        self._newest: dict[int, int] = {}  # timestamps, by taxonomy
        self._before: int | None = None
        self._received_before: int | None = None
        self._newest_of_all: int | None = None

    @property
    def all_received(self) -> bool:
        """Whether every message has its receive time."""
        return 0 < self.n_messages == self.n_received

    @property
    def span_ns(self) -> int:
        """From the least timestamp to the greatest."""
        if self.first_ns is None or self.last_ns is None:
            return 0
        return self.last_ns - self.first_ns

    @property
    def messages_per_s(self) -> float | None:
        """The mean rate over the span; None for less than two messages or no span."""
        if not self.span_ns:
            return None
        return (self.n_messages - 1) / (self.span_ns / 1e9)

    @property
    def updates_per_s(self) -> float | None:
        """As many as a message has, times `messages_per_s`."""
        if (rate := self.messages_per_s) is None:
            return None
        return rate * self.n_updates / self.n_messages

    def pauses(self) -> list[Silence]:
        """The silences that are no usual ones: at least ten times as long as 95 of 100
        are, and a two-hundredth of the span.

        Not as half of them are: where several streams come side by side, most messages
        follow another one at once.
        """
        usual = self.between_timestamps.percentiles([95]) or [0]
        least = max(_PAUSE_TIMES * usual[0], self.span_ns // _PAUSE_PART, 1)
        return [silence for silence in self.silences if silence.length_ns >= least]

    def add(self, messages: NDArray[np.void]) -> None:
        """Takes a chunk's messages in, an array of MESSAGE_DTYPE."""
        if not len(messages):
            return
        times = np.ascontiguousarray(messages["timestamp_ns"])
        receive = np.ascontiguousarray(messages["receive_ns"])
        self.n_messages += len(times)
        self.n_updates += int(messages["update_count"].sum(dtype=np.int64))
        self._count_kinds(messages)
        low, high = int(times.min()), int(times.max())
        self.first_ns = low if self.first_ns is None else min(self.first_ns, low)
        self.last_ns = high if self.last_ns is None else max(self.last_ns, high)
        self._note_silences(times)
        self._note_intervals(times)
        self._note_received(times, receive)
        self._note_gaps(messages["taxonomy_id"], times, receive)

    def _count_kinds(self, messages: NDArray[np.void]) -> None:
        kinds = messages["kind"].astype(np.uint16) << 8 | messages["layout"]
        for kind, n in zip(*np.unique(kinds, return_counts=True), strict=True):
            key = int(kind) >> 8, int(kind) & 0xFF
            self.by_kind[key] = self.by_kind.get(key, 0) + int(n)

    def _note_received(
        self, times: NDArray[np.uint64], receive: NDArray[np.uint64]
    ) -> None:
        known = receive > 0
        times, receive = times[known], receive[known]
        if not len(receive):
            return
        self.n_received += len(receive)
        self.latency.add(np.where(receive > times, receive - times, np.uint64(0)))
        gone_by, _ = _steps(receive, self._received_before)
        self.between_receive_times.add(gone_by)
        self._received_before = int(receive[-1])
        low, high = int(receive.min()), int(receive.max())
        first, last = self.first_receive_ns, self.last_receive_ns
        self.first_receive_ns = low if first is None else min(first, low)
        self.last_receive_ns = high if last is None else max(last, high)

    def _note_intervals(self, times: NDArray[np.uint64]) -> None:
        gone_by, n_backwards = _steps(times, self._before)
        self.between_timestamps.add(gone_by)
        self.n_backwards += n_backwards
        self._before = int(times[-1])

    def _note_silences(self, times: NDArray[np.uint64]) -> None:
        newest = _newest(times, self._newest_of_all)
        self._newest_of_all = int(newest[-1])
        lengths = np.diff(newest)
        longest = np.arange(len(lengths))
        if len(lengths) > _N_SILENCES:
            longest = np.argpartition(lengths, -_N_SILENCES)[-_N_SILENCES:]
        if len(self.silences) == _N_SILENCES:
            least = min(silence.length_ns for silence in self.silences)
            longest = longest[lengths[longest] > least]
        found = [Silence(int(newest[i]), int(newest[i + 1])) for i in longest]
        if new := [silence for silence in found if silence.length_ns]:
            new = sorted([*self.silences, *new], key=lambda s: (-s.length_ns, s))
            self.silences = sorted(new[:_N_SILENCES])

    def _note_gaps(
        self,
        taxonomies: NDArray[np.uint16],
        times: NDArray[np.uint64],
        receive: NDArray[np.uint64],
    ) -> None:
        names, counts = np.unique(taxonomies, return_counts=True)
        for taxonomy, n in zip(names.tolist(), counts.tolist(), strict=True):
            self.by_taxonomy[taxonomy] = self.by_taxonomy.get(taxonomy, 0) + n
        if self._period_ns is None:
            return
        # A message from the future would hide all gaps until its time has come.
        is_ahead = times > receive
        is_ahead &= (receive > 0) & (times - receive > _AHEAD_NS)
        for taxonomy in names.tolist():
            which = (taxonomies == taxonomy) & ~is_ahead
            if which.any():
                self._note_missing(taxonomy, times[which], self._period_ns)

    def _note_missing(
        self, taxonomy: int, times: NDArray[np.uint64], period_ns: int
    ) -> None:
        newest = _newest(times, self._newest.get(taxonomy))
        whole, rest = np.divmod(np.diff(newest), np.uint64(period_ns))
        ticks = whole + (rest >= np.uint64(period_ns) - rest)
        missing = ticks[ticks > 1] - np.uint64(1)
        self.n_gaps += len(missing)
        # Halves, since the sum may be beyond 64 bits; what is told ends there.
        high, low = (missing >> np.uint64(32)).sum(), (missing & _LOW_HALF).sum()
        n_missing = self.n_missing + (int(high) << 32) + int(low)
        self.n_missing = min(n_missing, _MOST)
        self._newest[taxonomy] = int(newest[-1])


def _newest(times: NDArray[np.uint64], before: int | None) -> NDArray[np.uint64]:
    """The greatest so far: before the first, and with each."""
    first = times[:1] if before is None else np.array([before], np.uint64)
    return np.maximum.accumulate(np.concatenate((first, times)))


def _steps(
    times: NDArray[np.uint64], before: int | None
) -> tuple[NDArray[np.uint64], int]:
    """The steps from each to the next that are not below zero; how many are."""
    if before is not None:
        times = np.concatenate((np.array([before], np.uint64), times))
    forward = times[1:] >= times[:-1]
    steps = times[1:] - times[:-1]
    return steps[forward], len(steps) - int(np.count_nonzero(forward))
