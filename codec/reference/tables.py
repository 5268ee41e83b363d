"""Tables of decoded rows as Python numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from codec.dtypes import MESSAGE_DTYPE, UPDATE_DTYPE
from codec.reference.model import LOW_64
from codec.reference.values import as_int


class Decoded(Protocol):
    """A batch of this package or of the compiled core."""

    @property
    def messages(self) -> npt.NDArray[np.void]: ...
    @property
    def updates(self) -> npt.NDArray[np.void]: ...


Updates: TypeAlias = "Decoded | npt.NDArray[np.void]"


class Update(NamedTuple):
    """One row of UPDATE_DTYPE."""

    value: int
    timestamp_ns: int
    taxonomy_id: int
    asset_id: int
    market_status: int

    def as_row(self) -> tuple[Any, ...]:
        """As numpy takes it."""
        return ((self.value & LOW_64, self.value >> 64), *self[1:])


def read_updates(updates: Updates) -> Iterator[Update]:
    """The rows of a batch or of an array of UPDATE_DTYPE, in order."""
    table = updates if isinstance(updates, np.ndarray) else updates.updates
    check(table, UPDATE_DTYPE)
    names = ("timestamp_ns", "taxonomy_id", "asset_id", "market_status")
    columns = (table[name].tolist() for name in names)
    return map(Update, as_int(table).tolist(), *columns)


def read_messages(messages: Updates) -> Iterator[tuple[int, int, int]]:
    """timestamp_ns, receive_ns and taxonomy_id of each message."""
    table = messages if isinstance(messages, np.ndarray) else messages.messages
    check(table, MESSAGE_DTYPE)
    names = ("timestamp_ns", "receive_ns", "taxonomy_id")
    return zip(*(table[name].tolist() for name in names), strict=True)


def check(table: npt.NDArray[np.void], dtype: np.dtype[Any]) -> None:
    """TypeError for anything else than a 1-D array of the dtype."""
    if table.dtype != dtype or table.ndim != 1:
        raise TypeError(f"a 1-D array of {dtype} is needed, not {table.dtype}")
