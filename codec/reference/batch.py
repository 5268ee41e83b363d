"""`Batch`: what one decoding call gives, and how its tables are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from codec.reference import signatures
from codec.reference.signers import Signers

if TYPE_CHECKING:
    import pyarrow

    from codec.reference.arrow import Overflow


@dataclass(frozen=True, slots=True)
class Columns:
    """Updates as arrays, a value of each for every update, in order."""

    value: npt.NDArray[np.void]
    timestamp_ns: npt.NDArray[np.uint64]
    taxonomy_id: npt.NDArray[np.uint16]
    asset_id: npt.NDArray[np.uint16]
    market_status: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.value)


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """Decoded messages. Owns its arrays; their dtypes are those of codec.dtypes.

    `verified` (bool) and `signers` (SIGNER_DTYPE) have a row for each message where the
    batch was decoded with `signers`; otherwise they are None.
    """

    messages: npt.NDArray[np.void]
    updates: npt.NDArray[np.void]
    errors: npt.NDArray[np.void]
    payload_arena: npt.NDArray[np.uint8] | None
    verified: npt.NDArray[np.bool_] | None = None
    signers: npt.NDArray[np.void] | None = None

    @property
    def columns(self) -> Columns:
        """The updates as columns."""
        names = [field.name for field in fields(Columns)]
        return Columns(*(self.updates[name].copy() for name in names))

    def to_arrow(
        self,
        taxonomy: object = None,
        *,
        value_float: bool = False,
        overflow: Overflow = "raise",
    ) -> pyarrow.Table:
        """As the function `to_arrow`."""
        from codec.reference.arrow import to_arrow

        return to_arrow(
            self.updates,
            self.messages,
            taxonomy,
            value_float=value_float,
            overflow=overflow,
            signers=self.signers,
            verified=self.verified,
        )

    @property
    def n_messages(self) -> int:
        """How many messages there are."""
        return len(self.messages)

    @property
    def n_errors(self) -> int:
        """How many errors there are."""
        return len(self.errors)

    def payload(self, i: int) -> memoryview:
        """The raw payload of row `i` of `messages`; empty for an unsigned message."""
        if self.payload_arena is None:
            raise ValueError("the batch was decoded with payloads=False")
        row = self.messages[i]
        start = int(row["payload_offset"])
        return self.payload_arena.data[start : start + int(row["payload_len"])]

    def message_index(self) -> npt.NDArray[np.int64]:
        """The row in `messages` of each update."""
        rows = np.arange(len(self.messages), dtype=np.int64)
        return np.repeat(rows, self.messages["update_count"])

    def digests(self) -> npt.NDArray[np.uint8]:
        """As the function `digests`."""
        return signatures.digests(self)

    def recover(self, *, threads: int = 1) -> npt.NDArray[np.void]:
        """As the function `recover`."""
        return signatures.recover(self, threads=threads)

    def verify(self, signers: Signers, *, threads: int = 1) -> npt.NDArray[np.bool_]:
        """As the function `verify`."""
        return signatures.verify(self, signers, threads=threads)

    def copy(self) -> Batch:
        """A batch with arrays of its own."""
        return Batch(
            copy_table(self.messages),
            copy_table(self.updates),
            copy_table(self.errors),
            None if self.payload_arena is None else self.payload_arena.copy(),
            None if self.verified is None else self.verified.copy(),
            None if self.signers is None else self.signers.copy(),
        )

    def select(self, keep: npt.ArrayLike) -> Batch:
        """The chosen messages, as if they alone had been decoded; all the errors.

        keep: one bool a message. TypeError for what are no bools, ValueError for
        another number of them.
        """
        mask = _read_mask(keep, len(self.messages))
        messages = copy_table(self.messages, mask)
        messages["first_update"] = _starts(messages["update_count"])
        arena = None
        if self.payload_arena is not None:
            starts = _starts(messages["payload_len"])
            messages["payload_offset"] = np.where(messages["kind"], starts, 0)
            kept = (self.payload(i) for i in np.flatnonzero(mask).tolist())
            arena = np.frombuffer(bytearray().join(kept), np.uint8)
        return Batch(
            messages,
            copy_table(self.updates, mask[self.message_index()]),
            copy_table(self.errors),
            arena,
            None if self.verified is None else self.verified[mask],
            None if self.signers is None else self.signers[mask],
        )

    def __len__(self) -> int:
        return len(self.updates)

    def __repr__(self) -> str:
        return (
            f"Batch(updates={len(self.updates)}, messages={len(self.messages)},"
            f" errors={len(self.errors)})"
        )


def make_table(rows: Sequence[object], dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
    """An array of records with zeros in the padding, which np.array leaves as it was.

    All of it stands behind the last field.
    """
    table = np.array(rows, dtype=dtype)
    fields: Mapping[str, Any] = dtype.fields or {}
    end = max(offset + field.itemsize for field, offset in fields.values())
    _bytes_of(table)[:, end:] = 0
    return table


def copy_table(
    table: npt.NDArray[np.void], keep: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.void]:
    """A copy, or one of the rows to keep, with the padding that numpy would leave out.

    keep: one bool a row.
    """
    rows = _bytes_of(table)
    copy = rows.copy() if keep is None else rows[keep]
    return copy.reshape(-1).view(table.dtype)


def _read_mask(keep: npt.ArrayLike, n: int) -> npt.NDArray[np.bool_]:
    if isinstance(keep, np.ma.MaskedArray):
        raise TypeError("keep must not be a masked array")
    mask = np.array(keep)
    if mask.dtype != np.bool_ and mask.size:
        raise TypeError(f"keep must be bools, one for each message, not {mask.dtype}")
    if mask.shape != (n,):
        raise ValueError(
            f"keep must have the shape ({n},), a bool for each message,"
            f" not {mask.shape}"
        )
    return mask.astype(np.bool_)


def _starts(counts: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    """Where each of so many begins, one behind the other."""
    wide = counts.astype(np.uint64)
    return np.cumsum(wide) - wide


def _bytes_of(table: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """The same memory, row by row."""
    return table.view(np.uint8).reshape(len(table), table.dtype.itemsize)
