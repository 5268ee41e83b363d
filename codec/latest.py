"""`LatestTable`: the newest update of every asset, for code that asks what is now."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any, Self

from codec import _core
from codec._core import Latest
from codec.batch import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Latest", "LatestTable"]


class LatestTable(_core.LatestBase):
    """The newest update of every asset of one taxonomy, updated in place.

    taxonomy_id: the one whose assets these are, because ids mean other assets in
    others; None: that of the first update.

    `update` takes batch after batch: a later timestamp wins, and of equal ones the row
    that comes later; an older one is left out and counted in `n_late`, one of another
    taxonomy in `n_foreign`. `table[asset_id]` is a Latest, or None where there was no
    update yet; `price` and `exact` give the value alone, as float and as the integer
    scaled by 10^18. They raise IndexError for what is no uint16. `in`, `len` and
    iterating go by the ids of the known assets.

    `value`, `timestamp_ns`, `market_status` and `known` are arrays by asset id, shape
    (65536,), live and read-only: to be fetched once and kept.

    One thread at a time calls `update` and `clear`; others may read meanwhile. Look-ups
    and `snapshot` then give each asset's row whole, as it was before an update or after
    it, but different assets' rows may be of different moments. The arrays are memory
    that is being written: an asset's value may be half new there, and belong to another
    timestamp than the one beside it. A table takes two megabytes.

    Raises ValueError for a taxonomy id out of range, TypeError for what is no integer.
    """

    __slots__ = ()

    def __new__(cls, taxonomy_id: int | None = None) -> Self:
        wanted = -1
        if taxonomy_id is not None:
            wanted = index(taxonomy_id)
            if not 0 <= wanted <= 65535:
                raise ValueError(f"taxonomy_id must be in 0 .. 65535, not {wanted}")
        return super().__new__(cls, wanted)

    def snapshot(self) -> Batch:
        """The newest updates as a Batch with memory of its own, in order of asset id.

        `messages` has an unsigned one, without receive time, for each run of updates
        of one timestamp; so a table of a single message gives that message back.
        """
        return self.snapshot_as(Batch)

    def copy(self) -> Self:
        """A table of its own with the same updates and counts."""
        copy = type(self)(self.wanted)
        copy.restore(*self._state())
        return copy

    def _state(self) -> tuple[NDArray[Any], int | None, int, int]:
        updates = self.snapshot().updates
        return updates, self.taxonomy_id, self.n_late, self.n_foreign

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.wanted, self._state())

    def __repr__(self) -> str:
        text = f"{len(self)} assets"
        if self.taxonomy_id is not None:
            text += f" of taxonomy {self.taxonomy_id}"
        return f"<LatestTable: {text}>"


def _restored(
    table_type: type[LatestTable],
    wanted: int | None,
    state: tuple[NDArray[Any], int | None, int, int],
) -> LatestTable:
    table = table_type(wanted)
    table.restore(*state)
    return table
