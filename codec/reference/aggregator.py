"""Messages of Stork's aggregator in plain Python: oracle of `codec.aggregator`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from codec.dtypes import (
    AGGREGATE_DTYPE,
    AGGREGATE_SIGNATURE_DTYPE,
    AGGREGATOR_MESSAGE_DTYPE,
    ERROR_DTYPE,
    PUBLISHER_PRICE_DTYPE,
    PUBLISHER_SIGNATURE_DTYPE,
)
from codec.errors import DecodeError, ErrorCode
from codec.reference.aggregator_checks import Verdict, judge_aggregate, judge_publisher
from codec.reference.aggregator_reading import Aggregate, Publisher, Signed, read_text
from codec.reference.batch import make_table
from codec.reference.decoding import (
    Message,
    OnError,
    as_many,
    check_on_error,
    split_lines,
)
from codec.reference.model import LOW_64, Fault, is_bytes
from codec.reference.signatures import check_threads
from codec.reference.signers import Signers, read_signers
from codec.reference.texts import as_text, split_receive_time

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["AggregatorBatch", "Symbols", "decode", "decode_lines"]

MOST_SYMBOLS = 65_536
MOST_SYMBOLS_LEN = 4 << 20
_MOST_BYTES = 2**32 - 1
_T = TypeVar("_T")
_BLANK = {"r": 32, "s": 32, "v": 1, "public_key": 32, "msg_hash": 32}
_BLANK_ROOTS = {"encoded_asset_id": 32, "publisher_merkle_root": 32, "checksum": 32}


class Symbols:
    """Names of assets by index, in the order in which they were first met."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._len = 0
        for name in names:
            self.add(name)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, i: int) -> str:
        return self._names[i]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def find(self, name: str) -> int | None:
        """The index of a name that is there."""
        return self._places.get(name)

    def add(self, name: str) -> int | None:
        """The index of a name, which is added where it is new; None: no room."""
        place = self._places.get(name)
        if place is not None:
            return place
        n = len(name.encode())
        if len(self) == MOST_SYMBOLS or self._len + n > MOST_SYMBOLS_LEN:
            return None
        self._len += n
        self._places[name] = len(self._names)
        self._names.append(name)
        return len(self._names) - 1

    def truncate(self, n: int) -> None:
        """Forgets all names but the first n."""
        for name in self._names[n:]:
            del self._places[name]
            self._len -= len(name.encode())
        del self._names[n:]


@dataclass(slots=True, eq=False, repr=False)
class AggregatorBatch:
    """Decoded messages; the arrays are those of `codec.aggregator`."""

    messages: npt.NDArray[np.void]
    aggregates: npt.NDArray[np.void]
    aggregate_signatures: npt.NDArray[np.void]
    publishers: npt.NDArray[np.void]
    publisher_signatures: npt.NDArray[np.void]
    errors: npt.NDArray[np.void]
    text_arena: npt.NDArray[np.uint8]
    symbols: Symbols

    def __len__(self) -> int:
        return len(self.aggregates)


def decode(
    messages: Message | Iterable[object],
    *,
    signers: Signers | None = None,
    on_error: OnError = "raise",
    threads: int = 1,
    symbols: Symbols | None = None,
) -> AggregatorBatch:
    """Decode one message, or any iterable of them. `threads` changes nothing here."""

    def read(message: object) -> tuple[int, str]:
        return 0, _as_text(message)

    check_threads(threads)
    return _decode(as_many(messages), read, signers, on_error, symbols)


def decode_lines(
    buffer: ReadableBuffer,
    *,
    signers: Signers | None = None,
    on_error: OnError = "raise",
    threads: int = 1,
    symbols: Symbols | None = None,
) -> AggregatorBatch:
    """Decode a C-contiguous buffer of lines. Options as in `decode`."""

    def read(line: bytes) -> tuple[int, str]:
        receive_ns, message = split_receive_time(line)
        return receive_ns, _as_text(message)

    check_threads(threads)
    return _decode(split_lines(buffer), read, signers, on_error, symbols)


def _as_text(message: object) -> str:
    if is_bytes(message) and memoryview(cast("bytes", message)).nbytes > _MOST_BYTES:
        raise Fault(ErrorCode.TOO_LARGE, 0)
    text = as_text(message)
    if len(text) > _MOST_BYTES // 4 and len(text.encode()) > _MOST_BYTES:
        raise Fault(ErrorCode.TOO_LARGE, 0)
    return text


@dataclass(slots=True)
class _Rows:
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    aggregates: list[tuple[Any, ...]] = field(default_factory=list)
    aggregate_signatures: list[tuple[Any, ...]] = field(default_factory=list)
    publishers: list[tuple[Any, ...]] = field(default_factory=list)
    publisher_signatures: list[tuple[Any, ...]] = field(default_factory=list)
    errors: list[tuple[int, ...]] = field(default_factory=list)
    arena: bytearray = field(default_factory=bytearray)


def _decode(
    items: Iterable[_T],
    read: Callable[[_T], tuple[int, str]],
    signers: Signers | None,
    on_error: str,
    symbols: Symbols | None,
) -> AggregatorBatch:
    trusted = None if signers is None else read_signers(signers)
    is_raising = check_on_error(on_error) == "raise"
    if symbols is None:
        symbols = Symbols()
    n_symbols = len(symbols)
    rows = _Rows()
    for index, item in enumerate(items):
        try:
            receive_ns, text = read(item)
            aggregates, faults = read_text(text, symbols)
        except Fault as fault:
            faults = [fault]
        else:
            _append(rows, receive_ns, text, aggregates, trusted)
        rows.errors += [(index, fault.offset, fault.code) for fault in faults]
        if faults and is_raising:
            symbols.truncate(n_symbols)
            raise DecodeError(faults[0].code, index, faults[0].offset)
    return AggregatorBatch(
        make_table(rows.messages, AGGREGATOR_MESSAGE_DTYPE),
        make_table(rows.aggregates, AGGREGATE_DTYPE),
        make_table(rows.aggregate_signatures, AGGREGATE_SIGNATURE_DTYPE),
        make_table(rows.publishers, PUBLISHER_PRICE_DTYPE),
        make_table(rows.publisher_signatures, PUBLISHER_SIGNATURE_DTYPE),
        make_table(rows.errors, ERROR_DTYPE),
        np.frombuffer(rows.arena, np.uint8),
        symbols,
    )


def _append(
    rows: _Rows,
    receive_ns: int,
    text: str,
    aggregates: list[Aggregate],
    trusted: frozenset[bytes] | None,
) -> None:
    data = text.encode()
    first = len(rows.aggregates)
    row = len(rows.messages)
    rows.messages.append(
        (receive_ns, len(rows.arena), len(data), first, len(aggregates))
    )
    rows.arena += data
    for aggregate in aggregates:
        verdicts = [judge_publisher(p) for p in aggregate.publishers]
        verdict = judge_aggregate(aggregate, verdicts, trusted)
        first_publisher = len(rows.publishers)
        for publisher, found in zip(aggregate.publishers, verdicts, strict=True):
            rows.publishers.append(
                _publisher_row(publisher, found, len(rows.aggregates))
            )
            rows.publisher_signatures.append(
                (
                    *_hexes(publisher.signed, _BLANK),
                    tuple(found.leaf),
                    tuple(found.digest),
                )
            )
        rows.aggregates.append(_aggregate_row(aggregate, verdict, row, first_publisher))
        blank = {**_BLANK, **_BLANK_ROOTS}
        signed = aggregate.signed or Signed()
        rows.aggregate_signatures.append(
            (*_hexes(signed, blank), tuple(verdict.digest))
        )


def _hexes(signed: Signed, widths: dict[str, int]) -> list[Any]:
    found = {name: signed.hexes.get(name, bytes(n)) for name, n in widths.items()}
    return [found[name][0] if name == "v" else tuple(found[name]) for name in widths]


def _halves(value: int) -> tuple[int, int]:
    return value & LOW_64, value >> 64


def _publisher_row(publisher: Publisher, verdict: Verdict, row: int) -> tuple[Any, ...]:
    return (
        _halves(publisher.signed.value),
        publisher.signed.timestamp_ns,
        row,
        publisher.symbol,
        tuple(verdict.signer),
        publisher.signature_type,
        verdict.signature,
        verdict.msg_hash,
        not (verdict.signature or verdict.msg_hash),
    )


def _aggregate_row(
    aggregate: Aggregate, verdict: Verdict, message: int, first_publisher: int
) -> tuple[Any, ...]:
    signed = aggregate.signed
    statuses = (verdict.signature, verdict.msg_hash, verdict.encoded_asset_id)
    return (
        _halves(aggregate.value if signed is None else signed.value),
        aggregate.timestamp_ns if signed is None else signed.timestamp_ns,
        aggregate.timestamp_ns,
        message,
        aggregate.symbol,
        first_publisher,
        len(aggregate.publishers),
        tuple(verdict.signer),
        aggregate.trigger,
        aggregate.signature_type,
        *statuses,
        verdict.merkle_root,
        verdict.consistency,
        not any((*statuses, verdict.consistency)),
    )
