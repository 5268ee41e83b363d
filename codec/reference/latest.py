"""`LatestTable`: the newest update of every asset, in a dict."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE, UPDATE_DTYPE, VALUE_DTYPE
from codec.reference.batch import Batch, make_table
from codec.reference.model import LOW_64, NO_STATUS, UINT16
from codec.reference.tables import Update, Updates, read_updates

_N_ASSETS = UINT16[1] + 1


class Latest(NamedTuple):
    """An asset's newest update."""

    taxonomy_id: int
    asset_id: int
    timestamp_ns: int
    value: int
    market_status: int | None

    @property
    def price(self) -> float:
        """Value / 10^18, correctly rounded."""
        return self.value / 10**18


class LatestTable:
    """The newest update of every asset of one taxonomy, as `codec.LatestTable`.

    Its arrays are copies.
    """

    def __init__(self, taxonomy_id: int | None = None) -> None:
        if taxonomy_id is not None:
            taxonomy_id = operator.index(taxonomy_id)
            if not UINT16[0] <= taxonomy_id <= UINT16[1]:
                raise ValueError(f"taxonomy_id must be a uint16, not {taxonomy_id}")
        self._wanted = taxonomy_id
        self.clear()

    def clear(self) -> None:
        """Forgets all updates and counts, and the taxonomy unless it was given."""
        self.taxonomy_id = self._wanted
        self.n_late = 0
        self.n_foreign = 0
        self._rows: dict[int, Update] = {}

    def update(self, updates: Updates) -> int:
        """Takes updates in; how many became their asset's row."""
        n_taken = 0
        for update in read_updates(updates):
            if self.taxonomy_id is None:
                self.taxonomy_id = update.taxonomy_id
            row = self._rows.get(update.asset_id)
            if update.taxonomy_id != self.taxonomy_id:
                self.n_foreign += 1
            elif row is not None and update.timestamp_ns < row.timestamp_ns:
                self.n_late += 1
            else:
                self._rows[update.asset_id] = update
                n_taken += 1
        return n_taken

    def __getitem__(self, asset_id: int) -> Latest | None:
        row = self._row(asset_id)
        if row is None:
            return None
        status = None if row.market_status == NO_STATUS else row.market_status
        return Latest(
            row.taxonomy_id, row.asset_id, row.timestamp_ns, row.value, status
        )

    def price(self, asset_id: int) -> float | None:
        """The value / 10^18 as float; None for an unknown asset."""
        row = self._row(asset_id)
        return None if row is None else row.value / 10**18

    def exact(self, asset_id: int) -> int | None:
        """The value scaled by 10^18; None for an unknown asset."""
        row = self._row(asset_id)
        return None if row is None else row.value

    def _row(self, asset_id: int) -> Update | None:
        if not UINT16[0] <= operator.index(asset_id) <= UINT16[1]:
            raise IndexError(f"an asset id is in 0 .. 65535, not {asset_id}")
        return self._rows.get(asset_id)

    def __contains__(self, asset_id: int) -> bool:
        return operator.index(asset_id) in self._rows

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def value(self) -> npt.NDArray[np.void]:
        """By asset id: VALUE_DTYPE."""
        array = np.zeros(_N_ASSETS, VALUE_DTYPE)
        for asset_id, row in self._rows.items():
            array[asset_id] = (row.value & LOW_64, row.value >> 64)
        return array

    @property
    def timestamp_ns(self) -> npt.NDArray[np.uint64]:
        """By asset id: uint64."""
        array = np.zeros(_N_ASSETS, np.uint64)
        for asset_id, row in self._rows.items():
            array[asset_id] = row.timestamp_ns
        return array

    @property
    def market_status(self) -> npt.NDArray[np.uint8]:
        """By asset id: uint8, 255 for none."""
        array = np.full(_N_ASSETS, NO_STATUS, np.uint8)
        for asset_id, row in self._rows.items():
            array[asset_id] = row.market_status
        return array

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """By asset id, whether there was an update."""
        array = np.zeros(_N_ASSETS, np.bool_)
        array[list(self._rows)] = True
        return array

    def snapshot(self) -> Batch:
        """The rows in order of asset id; a message for each run of one timestamp."""
        messages: list[list[int]] = []
        rows = [self._rows[asset_id] for asset_id in self]
        for i, row in enumerate(rows):
            if not messages or messages[-1][0] != row.timestamp_ns:
                messages.append([row.timestamp_ns, 0, i, 0, 0, 0, row.taxonomy_id])
            messages[-1][5] += 1
        return Batch(
            make_table([(*message, 0, 0) for message in messages], MESSAGE_DTYPE),
            make_table([row.as_row() for row in rows], UPDATE_DTYPE),
            np.empty(0, ERROR_DTYPE),
            np.empty(0, np.uint8),
        )

    def copy(self) -> LatestTable:
        """A table of its own."""
        copy = LatestTable(self._wanted)
        copy.taxonomy_id = self.taxonomy_id
        copy.n_late, copy.n_foreign = self.n_late, self.n_foreign
        copy._rows = dict(self._rows)
        return copy
