"""`to_arrow`: columns of Python's own objects, which pyarrow converts."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from codec.errors import RangeError
from codec.reference.keccak import keccak256
from codec.reference.values import as_float, as_int

Overflow: TypeAlias = Literal["raise", "null"]

_EXACT = Context(prec=60)
_TIME = pa.timestamp("ns", "UTC")
_WORD = pa.dictionary(pa.int32(), pa.string())
_VALUE = pa.decimal128(38, 18)


def to_arrow(
    updates: npt.NDArray[np.void],
    messages: npt.NDArray[np.void] | None = None,
    taxonomy: Any = None,
    *,
    value_float: bool = False,
    overflow: Overflow = "raise",
    signers: npt.NDArray[np.void] | None = None,
    verified: npt.NDArray[np.bool_] | None = None,
) -> pa.Table:
    """An Arrow table with a row for each update."""
    if overflow not in ("raise", "null"):
        raise ValueError(f"overflow is 'raise' or 'null', not {overflow!r}")
    keep = overflow == "null"
    ids = list(
        zip(updates["taxonomy_id"].tolist(), updates["asset_id"].tolist(), strict=True)
    )
    columns: list[tuple[str, pa.Array, bool]] = []

    def add(name: str, items: list[Any], dtype: Any, nullable: bool = True) -> None:
        columns.append((name, pa.array(items, dtype), nullable))

    add("timestamp", _fitting(updates["timestamp_ns"], 2**63, keep), _TIME, keep)
    add("taxonomy_id", [taxonomy_id for taxonomy_id, _ in ids], pa.uint16(), False)
    add("asset_id", [asset_id for _, asset_id in ids], pa.uint16(), False)
    if taxonomy is not None:
        symbols = [taxonomy.symbol(asset_id, tax) for tax, asset_id in ids]
        add("symbol", symbols, _WORD)
    numbers = _fitting(as_int(updates), 10**38, keep)
    add("value", [_decimal(number) for number in numbers], _VALUE, keep)
    if value_float:
        add("value_float", as_float(updates).tolist(), pa.float64(), False)
    statuses = updates["market_status"].tolist()
    add("market_status", [s if s != 255 else None for s in statuses], pa.uint8())
    if messages is not None:
        counts = messages["update_count"].tolist()
        if sum(counts) != len(updates):
            raise ValueError(f"{len(updates)} updates, but messages with {sum(counts)}")
        times = _repeated(messages["receive_ns"].tolist(), counts)
        received = [time or None for time in _fitting(times, 2**63, keep)]
        add("receive_timestamp", received, _TIME)
        if signers is not None and verified is not None:
            names = [None if status else _name(a.tolist()) for a, status in signers]
            add("signer", _repeated(names, counts), _WORD)
            add("verified", _repeated(verified.tolist(), counts), pa.bool_(), False)
    schema = pa.schema(
        [pa.field(name, array.type, nullable) for name, array, nullable in columns]
    )
    return pa.Table.from_arrays([array for _, array, _ in columns], schema=schema)


def _repeated(items: list[Any], counts: list[int]) -> list[Any]:
    return [item for item, n in zip(items, counts, strict=True) for _ in range(n)]


def _fitting(numbers: Iterable[int], end: int, keep: bool) -> list[int | None]:
    """None, or RangeError, for what is not between -end and end."""
    found: list[int | None] = []
    for i, number in enumerate(map(int, numbers)):
        fits = -end < number < end
        if not fits and not keep:
            raise RangeError(i, f"{number} is too large")
        found.append(number if fits else None)
    return found


def _decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number).scaleb(-18, _EXACT)


def _name(address: list[int]) -> str:
    """The address in hex, letters raised where its hash has a digit of 8 or more."""
    digits = bytes(address).hex()
    places = keccak256(digits.encode()).hex()
    pairs = zip(digits, places, strict=False)
    return "0x" + "".join(d.upper() if p >= "8" else d for d, p in pairs)
