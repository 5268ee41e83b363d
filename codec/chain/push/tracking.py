"""What a feed has brought of the assets with rules, what of it was pushed, and what is
to be pushed next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codec.chain.push.rules import Point, Rules, Trigger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from codec.batch import Batch

__all__ = ["Candidate", "Tracker"]

_SIGNED = 1
_MAX_AHEAD_NS = 5 * 10**9


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A signed payload, and what it says of the assets that have rules."""

    payload: bytes
    timestamp_ns: int
    received_s: float
    values: Mapping[int, int]

    def point(self, asset_id: int) -> Point:
        """Its value of one of those assets."""
        return Point(self.values[asset_id], self.timestamp_ns, self.received_s)


class Tracker:
    """Takes batches in, and says what is to be pushed; no I/O, and no clock of its own.

    Of each asset the newest payload that holds it is kept, by timestamp, of equal ones
    the one that came last; so memory is bounded by the number of rules. Messages that
    are unsigned or not good, of another taxonomy (`n_foreign`), or whose timestamp is
    more than `max_ahead_ns` after they were received (`n_ahead`) never count.
    """

    def __init__(self, rules: Rules, *, max_ahead_ns: int = _MAX_AHEAD_NS) -> None:
        self.rules = rules
        self.taxonomy_id = rules.taxonomy_id
        self.n_foreign = self.n_ahead = 0
        self._max_ahead_ns = np.uint64(max_ahead_ns)
        self._is_ruled = np.zeros(1 << 16, bool)
        self._is_ruled[list(rules)] = True
        self._newest: dict[int, Candidate] = {}
        self._confirmed: dict[int, Point] = {}
        self._out: dict[int, Point] = {}

    def observe(self, batch: Batch, good: NDArray[np.bool_], now_s: float) -> int:
        """Takes a batch in. good: of each message, whether its signature is.

        Returns how many messages count.
        """
        counts = self._counting(batch, good)
        if not counts.any():
            return 0
        updates, owner = batch.updates, batch.message_index()
        rows = np.flatnonzero(counts[owner] & self._is_ruled[updates["asset_id"]])
        ids, times = updates["asset_id"][rows], updates["timestamp_ns"][rows]
        order = np.lexsort((times, ids))  # stable: equal ones stay as they came
        is_last = np.ones(len(order), bool)
        is_last[:-1] = np.diff(ids[order]) != 0
        made: dict[int, Candidate] = {}
        for row in rows[order[is_last]].tolist():
            asset_id, message = int(updates["asset_id"][row]), int(owner[row])
            known = self._newest.get(asset_id)
            time_ns = int(updates["timestamp_ns"][row])
            if known is not None and time_ns < known.timestamp_ns:
                continue
            if message not in made:
                made[message] = self._candidate(batch, message, now_s)
            self._newest[asset_id] = made[message]
        return int(np.count_nonzero(counts))

    def _counting(self, batch: Batch, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which messages count at all."""
        messages = batch.messages
        counts: NDArray[np.bool_] = good & (messages["kind"] == _SIGNED)
        if self.taxonomy_id is None and counts.any():
            self.taxonomy_id = int(messages["taxonomy_id"][np.argmax(counts)])
        if self.taxonomy_id is not None:
            is_ours = messages["taxonomy_id"] == self.taxonomy_id
            self.n_foreign += int(np.count_nonzero(counts & ~is_ours))
            counts &= is_ours
        sent, received = messages["timestamp_ns"], messages["receive_ns"]
        is_ahead = (received > 0) & (sent > received)
        is_ahead &= sent - np.minimum(sent, received) > self._max_ahead_ns
        self.n_ahead += int(np.count_nonzero(counts & is_ahead))
        return counts & ~is_ahead

    def _candidate(self, batch: Batch, message: int, now_s: float) -> Candidate:
        about = batch.messages[message]
        start = int(about["first_update"])
        updates = batch.updates[start : start + int(about["update_count"])]
        updates = updates[self._is_ruled[updates["asset_id"]]]
        values = {
            asset_id: (hi << 64) + lo
            for asset_id, (lo, hi) in zip(
                updates["asset_id"].tolist(), updates["value"].tolist(), strict=True
            )
        }
        return Candidate(
            bytes(batch.payload(message)), int(about["timestamp_ns"]), now_s, values
        )

    # What is to be pushed.

    def triggers(self, now_s: float) -> tuple[Trigger, ...]:
        """The assets that are to be pushed now, by id."""
        found = []
        for asset_id in self.rules:
            candidate = self._newest.get(asset_id)
            if candidate is None:
                continue
            newest = candidate.point(asset_id)
            trigger = self.rules.judge(asset_id, newest, self.pushed(asset_id), now_s)
            if trigger is not None:
                found.append(trigger)
        return tuple(found)

    def due_s(self) -> float | None:
        """When the next silence will have lasted too long, if no batch comes; None
        where nothing waits for that."""
        times = []
        for asset_id, candidate in self._newest.items():
            pushed = self.pushed(asset_id)
            silence_s = self.rules[asset_id].max_silence_s
            if pushed is None or silence_s is None:
                continue
            if candidate.timestamp_ns > pushed.timestamp_ns:
                times.append(pushed.received_s + silence_s)
        return min(times, default=None)

    def choose(
        self, triggers: Iterable[Trigger], now_s: float
    ) -> tuple[Candidate, tuple[Trigger, ...]] | None:
        """The payload to push, and the triggers that it serves; None without triggers.

        Of the payloads that are some triggered asset's newest it is that which serves
        most of them, of equal ones the newest. It serves an asset whose value in it
        would be pushed by the rules as well; those that it does not serve come next.
        """
        asking = {trigger.asset_id: trigger for trigger in triggers}
        candidates = {id(c): c for i in asking if (c := self._newest.get(i))}
        best: tuple[int, int] = (0, 0)
        chosen = None
        for candidate in candidates.values():
            served = tuple(
                asking[i]
                for i in sorted(candidate.values.keys() & asking.keys())
                if self._serves(candidate, i, now_s)
            )
            rank = len(served), candidate.timestamp_ns
            if chosen is None or rank > best:
                best, chosen = rank, (candidate, served)
        return chosen

    def _serves(self, candidate: Candidate, asset_id: int, now_s: float) -> bool:
        point, pushed = candidate.point(asset_id), self.pushed(asset_id)
        return self.rules.judge(asset_id, point, pushed, now_s) is not None

    def _is_newer(self, candidate: Candidate, asset_id: int) -> bool:
        pushed = self.pushed(asset_id)
        return pushed is None or candidate.timestamp_ns > pushed.timestamp_ns

    # What becomes of it.

    def sent(self, candidate: Candidate) -> None:
        """A payload is out: until it is settled its values count as pushed."""
        for asset_id in candidate.values:
            if self._is_newer(candidate, asset_id):
                self._out[asset_id] = candidate.point(asset_id)

    def settled(self, candidate: Candidate, *, is_confirmed: bool) -> None:
        """A payload is on the chain, or will never be."""
        for asset_id in candidate.values:
            self._out.pop(asset_id, None)
            if is_confirmed and self._is_newer(candidate, asset_id):
                self._confirmed[asset_id] = candidate.point(asset_id)

    def newest(self, asset_id: int) -> Point | None:
        """The newest value of an asset with a rule."""
        candidate = self._newest.get(asset_id)
        return None if candidate is None else candidate.point(asset_id)

    def confirmed(self, asset_id: int) -> Point | None:
        """What the chain is known to have of it."""
        return self._confirmed.get(asset_id)

    def pushed(self, asset_id: int) -> Point | None:
        """What was pushed last: what is out, else what is confirmed."""
        return self._out.get(asset_id) or self._confirmed.get(asset_id)
