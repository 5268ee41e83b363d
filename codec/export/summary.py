"""What a run has read and written, counted as it goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from codec._core import mark_ids

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Summary"]

_ADDED = (
    "n_lines",
    "n_messages",
    "n_updates",
    "n_unverified",
    "n_damaged",
    "n_overflowed",
)


@dataclass(slots=True)
class Summary:
    """Counts of a run; `as_dict` is made of what JSON knows.

    n_inputs: files read. n_done: files that an earlier run had done. read_len: their
    bytes, as they are on the disk. n_lines: all lines. n_messages: those that were
    decoded, before any filter. n_updates: rows written. first_ns, last_ns: the lowest
    and the highest timestamp among those, None without any. bad: messages listed or
    dropped, by code. passed: lines that hold no data (empty, or messages of another
    type), by code. n_unverified: messages kept although their signature is bad.
    n_damaged: places where an input could not be read. n_gaps, n_missing: gaps between
    the messages, before any filter, and how many are missing; None where the channel is
    not known. n_overflowed: values beyond 38
    digits that became null. n_files, written_len: outputs and their bytes.
    """

    n_inputs: int = 0
    n_done: int = 0
    read_len: int = 0
    n_lines: int = 0
    n_messages: int = 0
    n_updates: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    bad: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    n_unverified: int = 0
    n_damaged: int = 0
    n_gaps: int | None = None
    n_missing: int | None = None
    n_overflowed: int = 0
    n_files: int = 0
    written_len: int = 0
    seconds: float = 0.0
    _seen: dict[int, NDArray[np.bool_]] = field(default_factory=dict, repr=False)

    @property
    def n_assets(self) -> int:
        """Different pairs of taxonomy id and asset id among the rows."""
        return sum(int(np.count_nonzero(seen)) for seen in self._seen.values())

    @property
    def n_bad(self) -> int:
        """Messages that are not in the output because they are bad."""
        return sum(self.bad.values())

    def add_rows(self, table: pa.Table) -> None:
        """Counts a table of rows."""
        self.n_updates += table.num_rows
        if not table.num_rows:
            return
        span = pc.min_max(table["timestamp"])
        self._extend(span["min"].value, span["max"].value)
        for taxonomy_ids, asset_ids in zip(
            table["taxonomy_id"].chunks, table["asset_id"].chunks, strict=True
        ):
            self._see(taxonomy_ids.to_numpy(), asset_ids.to_numpy())

    def add(self, part: Summary) -> None:
        """Counts what another run counted of other lines; not inputs, outputs, gaps."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(part, name))
        self.bad.update(part.bad)
        self.passed.update(part.passed)
        self._extend(part.first_ns, part.last_ns)
        for taxonomy_id, seen in part._seen.items():
            self._seen_of(taxonomy_id)[seen] = True

    def _extend(self, first_ns: int | None, last_ns: int | None) -> None:
        """Makes the span hold another, which may be none."""
        if first_ns is None or last_ns is None:
            return
        if self.first_ns is not None and self.last_ns is not None:
            first_ns, last_ns = min(first_ns, self.first_ns), max(last_ns, self.last_ns)
        self.first_ns, self.last_ns = first_ns, last_ns

    def _see(self, taxonomy_ids: NDArray[Any], asset_ids: NDArray[Any]) -> None:
        if not len(taxonomy_ids):
            return
        first = int(taxonomy_ids[0])
        if (taxonomy_ids == first).all():
            mark_ids(self._seen_of(first), asset_ids)
            return
        for taxonomy_id in np.unique(taxonomy_ids).tolist():
            mark_ids(self._seen_of(taxonomy_id), asset_ids[taxonomy_ids == taxonomy_id])

    def _seen_of(self, taxonomy_id: int) -> NDArray[np.bool_]:
        if taxonomy_id not in self._seen:
            self._seen[taxonomy_id] = np.zeros(1 << 16, np.bool_)
        return self._seen[taxonomy_id]

    def as_dict(self) -> dict[str, Any]:
        """All of it, under these names."""
        names = [name for name in self.__slots__ if not name.startswith("_")]
        values = {name: getattr(self, name) for name in names}
        values |= {"bad": dict(self.bad), "passed": dict(self.passed)}
        values["n_assets"] = self.n_assets
        return values
