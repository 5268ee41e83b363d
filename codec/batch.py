"""`Batch`: what one decoding call gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec import signatures
from codec._core import BatchBase, Columns

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from numpy.typing import NDArray

    from codec.arrow import Overflow
    from codec.known import Signers
    from codec.taxonomy import Taxonomy

__all__ = ["Batch", "Columns"]


class Batch(BatchBase):
    """Decoded messages and their updates, as arrays; `len()` is the number of updates.

    updates: ndarray[UPDATE_DTYPE], one row per asset and message, in message order:
        value (lo uint64, hi int64: int128 scaled by 10^18), timestamp_ns (uint64, unix
        ns), taxonomy_id, asset_id (uint16), market_status (uint8: 0 closed, 1 regular,
        2 extended, 3 after hours, 255 none).
    columns: the same updates as `Columns`: an array for each field, read-only. Of
        these two the one that was not decoded (`layout`) is made, once, as a copy,
        when it is first asked for.
    messages: ndarray[MESSAGE_DTYPE], one row per decoded message, in input order:
        timestamp_ns, receive_ns (0: unknown), first_update, payload_offset (uint64),
        payload_len, update_count (uint32), taxonomy_id (uint16), kind (uint8: 0
        unsigned, 1 signed), layout (uint8: 0 unsigned, 1, 2).
    errors: ndarray[ERROR_DTYPE], the messages that could not be decoded, or were
        dropped for their signature, in input order (index, offset uint64, code uint16:
        an ErrorCode); empty unless `on_error="skip"` or `on_bad_signature="drop"`.
    n_messages, n_errors: how many rows `messages` and `errors` have.
    payload_arena: ndarray[uint8], the raw bytes of all signed payloads one behind the
        other (`payload_offset` and `payload_len` of a message say where), or None where
        `payloads=False`.
    verified, signers: ndarray[bool] and ndarray[SIGNER_DTYPE], a row for each of
        `messages`: whether one of the signers that the decoder was given signed it, and
        who signed. None where it was given none. They always own their memory.

    The arrays of a `Decoder`'s batch are views of its buffers, overwritten by its next
    call, even one that raises; `copy()` keeps them, and `select(keep)` those of the
    chosen messages, with all that is theirs. All others own their memory.
    """

    __slots__ = ()

    def payload(self, i: int) -> memoryview:
        """The raw payload of message `i` (negative: from the end), read-only, no copy.

        Empty for an unsigned message. Raises IndexError where there is no such message,
        ValueError where payloads were not kept.
        """
        arena = self.payload_arena
        if arena is None:
            raise ValueError("the batch was decoded with payloads=False")
        message = self.messages[i]
        start = int(message["payload_offset"])
        end = start + int(message["payload_len"])
        return arena[start:end].data.toreadonly()

    def message_index(self) -> NDArray[np.int64]:
        """For each update, the row of its message in `messages`: int64, shape (n,)."""
        counts = self.messages["update_count"]
        return np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    def digests(self) -> NDArray[np.uint8]:
        """What each signature signs: `codec.digests` of this batch."""
        return signatures.digests(self)

    def recover(self, *, threads: int = 1) -> NDArray[np.void]:
        """Who signed each message: `codec.recover` of this batch."""
        return signatures.recover(self, threads=threads)

    def verify(
        self, signers: Signers, *, threads: int = 1, cross_check: float = 0.0
    ) -> NDArray[np.bool_]:
        """Which messages the signers signed: `codec.verify` of this batch."""
        return signatures.verify(
            self, signers, threads=threads, cross_check=cross_check
        )

    def to_arrow(
        self,
        taxonomy: Taxonomy | None = None,
        *,
        value_float: bool = False,
        overflow: Overflow = "raise",
    ) -> pyarrow.Table:
        """An Arrow table with a row for each update, as `codec.to_arrow` gives it, with
        `receive_timestamp`, and `signer` and `verified` where signers were given.

        It has memory of its own, or this batch's, if that is decoded into columns.
        """
        from codec.arrow import columns_to_arrow

        return columns_to_arrow(
            self.own_columns(),
            self.messages,
            taxonomy,
            value_float=value_float,
            overflow=overflow,
            signers=self.signers,
            verified=self.verified,
        )

    def to_pandas(
        self,
        taxonomy: Taxonomy | None = None,
        *,
        float64: bool = False,
        overflow: Overflow = "raise",
    ) -> pandas.DataFrame:
        """A pandas DataFrame with the columns of `to_arrow`, of Arrow's types.

        float64: numpy's types instead, and `value` as float64, correctly rounded;
        NaN where `overflow="null"` makes a value null. Columns of integers with nulls,
        as `market_status`, become float64, too.
        """
        from codec.arrow import table_to_pandas

        table = self.to_arrow(taxonomy, value_float=float64, overflow=overflow)
        return table_to_pandas(table, float64=float64)

    def to_polars(
        self, taxonomy: Taxonomy | None = None, *, overflow: Overflow = "raise"
    ) -> polars.DataFrame:
        """A polars DataFrame with the columns of `to_arrow`; `value` is Decimal."""
        from codec.arrow import table_to_polars

        return table_to_polars(self.to_arrow(taxonomy, overflow=overflow))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's PyCapsule interface: the table of `to_arrow()`, so that polars,
        DuckDB, pyarrow and others take a Batch as it is."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        text = f"{len(self.messages)} messages, {len(self)} updates"
        if len(self.errors):
            text += f", {len(self.errors)} errors"
        return f"<Batch: {text}>"
