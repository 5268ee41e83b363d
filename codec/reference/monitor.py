"""`Monitor`: the checks of docs/feeds.md, message by message and rule by rule."""

from __future__ import annotations

import operator
from collections import Counter
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.dtypes import NOTICE_DTYPE
from codec.notices import NoticeKind
from codec.reference.batch import make_table
from codec.reference.model import UINT16, UINT64

_MAX_DUPLICATES = 16
_N_AGES = 976


class Decoded(Protocol):
    """A batch of this package or of the compiled core."""

    @property
    def messages(self) -> npt.NDArray[np.void]: ...
    @property
    def updates(self) -> npt.NDArray[np.void]: ...


class Monitor:
    """Watches a stream, as `codec.Monitor` does."""

    def __init__(
        self,
        *,
        period_ns: int | None = None,
        ahead_ns: int = 1_000_000_000,
        taxonomy_id: int | None = None,
    ) -> None:
        if period_ns is not None:
            _check("period_ns", period_ns, (1, UINT64[1]))
        if taxonomy_id is not None:
            _check("taxonomy_id", taxonomy_id, UINT16)
        _check("ahead_ns", ahead_ns, UINT64)
        self._period_ns = period_ns
        self._ahead_ns = ahead_ns
        self._taxonomy_id = taxonomy_id
        self._newest_ns: int | None = None
        self._previous_ns: int | None = None
        self._missing = 0
        self._counts = np.zeros(len(NoticeKind) + 1, np.uint64)
        self._ages = np.zeros(_N_AGES, np.uint64)
        self._last_seen_ns = np.zeros(UINT16[1] + 1, np.uint64)

    @property
    def missing(self) -> int:
        """How many ticks were missing, in total (at most 2^64 - 1)."""
        return min(self._missing, UINT64[1])

    @property
    def counts(self) -> npt.NDArray[np.uint64]:
        """How much was noticed, by `NoticeKind`, listed or not."""
        return _read_only(self._counts)

    @property
    def ages(self) -> npt.NDArray[np.uint64]:
        """Histogram of receive_ns - timestamp_ns."""
        return _read_only(self._ages)

    @property
    def last_seen_ns(self) -> npt.NDArray[np.uint64]:
        """By asset id, when the last message with it came."""
        return _read_only(self._last_seen_ns)

    def reset_clock(self) -> None:
        """Forgets the timestamps."""
        self._newest_ns = self._previous_ns = None

    def observe(self, batch: Decoded) -> npt.NDArray[np.void]:
        """The notices of a batch's messages, in their order."""
        notices: list[tuple[int, ...]] = []
        ids, start = batch.updates["asset_id"].tolist(), 0
        for i, row in enumerate(batch.messages):
            n_ids = int(row["update_count"])
            message = _Message(
                timestamp_ns=int(row["timestamp_ns"]),
                receive_ns=int(row["receive_ns"]),
                taxonomy_id=int(row["taxonomy_id"]),
                ids=ids[start : start + n_ids],
            )
            start += n_ids
            notices += [
                (i, message.timestamp_ns, amount, message.taxonomy_id, asset_id, kind)
                for kind, amount, asset_id in self._observe_one(message)
            ]
        return make_table(notices, NOTICE_DTYPE)

    def _observe_one(self, message: _Message) -> list[_Finding]:
        before, self._taxonomy_id = self._taxonomy_id, message.taxonomy_id
        changes = []
        if before is not None and before != message.taxonomy_id:
            changes.append(_Finding(NoticeKind.TAXONOMY_CHANGE, before))
            self.reset_clock()
        self._note_age(message)
        ahead_ns = message.timestamp_ns - message.receive_ns
        if message.receive_ns and ahead_ns > self._ahead_ns:
            found = [_Finding(NoticeKind.FUTURE, ahead_ns)]
        else:
            found = self._observe_clock(message.timestamp_ns)
        found += changes
        for kind, _, _ in found:
            self._counts[kind] += 1
        return found + self._observe_assets(message)

    def _observe_clock(self, timestamp_ns: int) -> list[_Finding]:
        newest_ns, previous_ns = self._newest_ns, self._previous_ns
        self._previous_ns = timestamp_ns
        if newest_ns is None or previous_ns is None:
            self._newest_ns = timestamp_ns
            return []
        self._newest_ns = max(newest_ns, timestamp_ns)
        if timestamp_ns < previous_ns:
            return [_Finding(NoticeKind.BACKWARDS, previous_ns - timestamp_ns)]
        if self._period_ns is None:
            return []
        # floor(interval / period + 1 / 2) - 1
        interval_ns = timestamp_ns - newest_ns
        missing = (2 * interval_ns + self._period_ns) // (2 * self._period_ns) - 1
        if missing < 1:
            return []
        self._missing += missing
        return [_Finding(NoticeKind.GAP, missing)]

    def _observe_assets(self, message: _Message) -> list[_Finding]:
        self._last_seen_ns[message.ids] = message.receive_ns or message.timestamp_ns
        times: Counter[int] = Counter()
        repeated = []  # in the order of their second rows
        for asset_id in message.ids:
            times[asset_id] += 1
            if times[asset_id] == 2:
                repeated.append(asset_id)
        self._counts[NoticeKind.DUPLICATE_ASSET] += len(repeated)
        return [
            _Finding(NoticeKind.DUPLICATE_ASSET, times[asset_id], asset_id)
            for asset_id in repeated[:_MAX_DUPLICATES]
        ]

    def _note_age(self, message: _Message) -> None:
        if not message.receive_ns:
            return
        age_ns = max(message.receive_ns - message.timestamp_ns, 0)
        # Its first five bits say which of the sixteen buckets of its power of two.
        shift = max(age_ns.bit_length() - 5, 0)
        self._ages[16 * shift + (age_ns >> shift)] += 1


class _Message(NamedTuple):
    timestamp_ns: int
    receive_ns: int
    taxonomy_id: int
    ids: list[int]


class _Finding(NamedTuple):
    kind: NoticeKind
    amount: int
    asset_id: int = 0


def _read_only(array: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    view = array.view()
    view.flags.writeable = False
    return view


def _check(name: str, value: int, bounds: tuple[int, int]) -> None:
    if not bounds[0] <= operator.index(value) <= bounds[1]:
        raise ValueError(f"{name} must be in {bounds[0]} .. {bounds[1]}, not {value}")
