"""`AggregatorBatch`: what one decoding call gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow
    from numpy.typing import NDArray

    from codec.aggregator.symbols import Symbols
    from codec.arrow_arrays import Overflow

__all__ = ["AggregatorBatch", "Require"]

Require: TypeAlias = Literal["aggregate", "all", "none"]
"""What an aggregate must show: its own signature and what belongs to it; the Merkle
root and every publisher's signature too; nothing."""

_STATUSES = ("signature", "msg_hash", "encoded_asset_id", "consistency")


class AggregatorBatch:
    """Decoded messages of the aggregator; `len()` is the number of aggregates.

    messages: ndarray[AGGREGATOR_MESSAGE_DTYPE], a row for each message that was read.
    aggregates: ndarray[AGGREGATE_DTYPE], one price of one asset in each row, in order.
    aggregate_signatures: ndarray[AGGREGATE_SIGNATURE_DTYPE], row for row beside them.
    publishers: ndarray[PUBLISHER_PRICE_DTYPE], the prices that aggregates were made of,
        those of each one behind the other (`first_publisher`, `publisher_count`).
    publisher_signatures: ndarray[PUBLISHER_SIGNATURE_DTYPE], row for row beside them.
    errors: ndarray[ERROR_DTYPE], messages that could not be read, and entries that were
        left out of theirs (index of the message in the input, offset, code); empty
        unless `on_error="skip"`.
    text_arena: ndarray[uint8], the texts of `messages` one behind the other.
    symbols: `Symbols`, the names that `symbol` counts in.

    Batches come from `decode`, `decode_lines` and `select`. All own their memory.
    """

    __slots__ = (
        "aggregate_signatures",
        "aggregates",
        "errors",
        "messages",
        "publisher_signatures",
        "publishers",
        "symbols",
        "text_arena",
    )

    def __init__(
        self,
        messages: NDArray[Any],
        aggregates: NDArray[Any],
        aggregate_signatures: NDArray[Any],
        publishers: NDArray[Any],
        publisher_signatures: NDArray[Any],
        errors: NDArray[Any],
        text_arena: NDArray[np.uint8],
        symbols: Symbols,
    ) -> None:
        self.messages = messages
        self.aggregates = aggregates
        self.aggregate_signatures = aggregate_signatures
        self.publishers = publishers
        self.publisher_signatures = publisher_signatures
        self.errors = errors
        self.text_arena = text_arena
        self.symbols = symbols

    def __len__(self) -> int:
        return len(self.aggregates)

    def text(self, i: int) -> memoryview:
        """The text of message `i` (negative: from the end) as it came, read-only.

        Raises IndexError where there is no such message.
        """
        message = self.messages[i]
        start = int(message["text_offset"])
        end = start + int(message["text_len"])
        return self.text_arena[start:end].data.toreadonly()

    def symbol(self, i: int) -> str:
        """The name of the asset of aggregate `i`."""
        return self.symbols[int(self.aggregates[i]["symbol"])]

    def publishers_of(self, i: int) -> slice:
        """Which rows of `publishers` belong to aggregate `i`."""
        row = self.aggregates[i]
        start = int(row["first_publisher"])
        return slice(start, start + int(row["publisher_count"]))

    def failures(self, require: Require = "aggregate") -> NDArray[np.uint8]:
        """What each aggregate lacks: 0, or the `ErrorCode` of the first status that is
        not good. Returns uint8, shape (n,).

        The order is that of "signature", "msg_hash", "encoded_asset_id", "consistency";
        with "all" then "merkle_root", and "signature" and "msg_hash" of its publishers.
        Raises ValueError for another word than those of `Require`.
        """
        if require not in ("aggregate", "all", "none"):
            raise ValueError(
                f"require is 'aggregate', 'all' or 'none', not {require!r}"
            )
        found = np.zeros(len(self), np.uint8)
        if require == "none":
            return found
        if require == "all":
            self._fill_publisher_failures(found)
            _fill(found, self.aggregates, ("merkle_root",))
        _fill(found, self.aggregates, _STATUSES)
        return found

    def _fill_publisher_failures(self, found: NDArray[np.uint8]) -> None:
        bad = np.flatnonzero(~self.publishers["verified"])[::-1]  # the first one stays
        if not len(bad):
            return
        rows = self.publishers[bad]
        codes = np.where(rows["signature"] != 0, rows["signature"], rows["msg_hash"])
        found[rows["aggregate"]] = codes

    def passed(self, require: Require = "aggregate") -> NDArray[np.bool_]:
        """Whether each aggregate shows what is required: bool, shape (n,).

        "aggregate": `verified`. "all": `verified`, a good `merkle_root`, and all of its
        publishers `verified`. "none": True.
        """
        passed: NDArray[np.bool_] = self.failures(require) == 0
        if require != "none":  # what was not checked has no failures either
            passed &= self.aggregates["verified"]
        return passed

    def select(self, keep: NDArray[np.bool_]) -> AggregatorBatch:
        """A batch of the chosen aggregates only, with their publishers and messages.

        keep: bools, one for each aggregate. `errors` stay as they are, and so does
        `text_arena`, which both batches use.
        Raises TypeError for what are no bools and for a masked array, ValueError for
        another number of them.
        """
        if isinstance(keep, np.ma.MaskedArray):
            raise TypeError("keep must not be a masked array")
        mask = np.asarray(keep)
        if mask.dtype != np.bool_:
            raise TypeError(f"keep must be bools, not {mask.dtype}")
        if mask.shape != (len(self),):
            raise ValueError(f"keep must have the shape ({len(self)},)")
        aggregates = _chosen(self.aggregates, mask)
        kept = mask[self.publishers["aggregate"]]
        publishers = _chosen(self.publishers, kept)
        publishers["aggregate"] = _places(mask)[publishers["aggregate"]]
        counts = aggregates["publisher_count"]
        aggregates["first_publisher"] = np.cumsum(counts) - counts
        per_message = np.bincount(aggregates["message"], minlength=len(self.messages))
        has_any = per_message > 0
        messages = _chosen(self.messages, has_any)
        messages["aggregate_count"] = per_message[has_any]
        messages["first_aggregate"] = (
            np.cumsum(messages["aggregate_count"]) - messages["aggregate_count"]
        )
        aggregates["message"] = _places(has_any)[aggregates["message"]]
        return AggregatorBatch(
            messages,
            aggregates,
            _chosen(self.aggregate_signatures, mask),
            publishers,
            _chosen(self.publisher_signatures, kept),
            _chosen(self.errors, np.ones(len(self.errors), np.bool_)),
            self.text_arena,
            self.symbols,
        )

    def to_arrow(
        self, *, publishers: bool = False, overflow: Overflow = "raise"
    ) -> pyarrow.Table:
        """An Arrow table with a row for each aggregate, or for each publisher's price.

        Columns: `timestamp` (timestamp[ns, UTC], what is signed), `outer_timestamp`,
        `symbol` (dictionary<int32, string>, as are all words), `value` (decimal128(38,
        18), exact), `trigger`, `signer` (its address with a checksum; null for none),
        `signature_type`, the statuses `signature` to `consistency` ("good", or as
        `ErrorCode` is spelled), `verified` (bool), `receive_timestamp` (null where it
        is not known), `message` (uint32, its row). Of publishers: `timestamp`,
        `symbol`, `value`, `publisher`, `signature_type`, `signature`, `msg_hash`,
        `verified`, `aggregate` (uint32, its row). overflow: as in `codec.to_arrow`.

        Raises RangeError, MissingDependencyError without pyarrow.
        """
        from codec.aggregator import tables

        if publishers:
            return tables.publishers_to_arrow(self, overflow)
        return tables.aggregates_to_arrow(self, overflow)

    def to_pandas(
        self, *, publishers: bool = False, overflow: Overflow = "raise"
    ) -> pandas.DataFrame:
        """A pandas DataFrame with the columns of `to_arrow`, of Arrow's types."""
        from codec.arrow import table_to_pandas

        return table_to_pandas(self.to_arrow(publishers=publishers, overflow=overflow))

    def to_polars(
        self, *, publishers: bool = False, overflow: Overflow = "raise"
    ) -> polars.DataFrame:
        """A polars DataFrame with the columns of `to_arrow`; `value` is Decimal."""
        from codec.arrow import table_to_polars

        return table_to_polars(self.to_arrow(publishers=publishers, overflow=overflow))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Arrow's PyCapsule interface: the table of `to_arrow()`."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        counts = f"{len(self.messages)} messages, {len(self)} aggregates"
        counts += f", {int(np.count_nonzero(self.aggregates['verified']))} verified"
        counts += f", {len(self.publishers)} publishers"
        if len(self.errors):
            counts += f", {len(self.errors)} errors"
        return f"<AggregatorBatch: {counts}>"


def _fill(found: NDArray[np.uint8], rows: NDArray[Any], names: tuple[str, ...]) -> None:
    """Statuses that are not good, the first one last so that it stays."""
    for name in reversed(names):
        np.copyto(found, rows[name], where=rows[name] != 0)


def _chosen(rows: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """A copy of some rows, with the padding that numpy would leave out."""
    return rows.view(f"V{rows.itemsize}")[mask].view(rows.dtype)


def _places(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """What the index of each chosen row becomes."""
    places: NDArray[np.uint32] = (np.cumsum(mask) - 1).astype(np.uint32)
    return places
