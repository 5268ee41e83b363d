"""Events as Arrow tables: exact decimals, UTC times, the same columns whatever came."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from codec.errors import MissingDependencyError, PayloadError, RangeError

try:
    import pyarrow as pa
except ImportError as error:
    raise MissingDependencyError(
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'"
    ) from error

from codec.feeds.shuriken.payloads import payload_type
from codec.feeds.shuriken.payloads_base import Misfit, Payload
from codec.feeds.shuriken.tables_columns import KINDS, Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codec.feeds.shuriken.events import ShurikenEvent

__all__ = ["Kind", "Overflow", "schema", "to_arrow"]

Overflow: TypeAlias = Literal["text", "raise", "null"]
OnError: TypeAlias = Literal["raise", "skip"]

_RECEIVED = pa.field("receive_timestamp", pa.timestamp("ns", "UTC"))
_STREAM = pa.field("stream", pa.string(), nullable=False)
_MOST = 2**63 - 1


@overload
def to_arrow(
    events: Iterable[ShurikenEvent],
    kind: Kind,
    *,
    overflow: Overflow = ...,
    on_error: OnError = ...,
) -> pa.Table: ...
@overload
def to_arrow(
    events: Iterable[ShurikenEvent],
    kind: None = ...,
    *,
    overflow: Overflow = ...,
    on_error: OnError = ...,
) -> dict[Kind, pa.Table]: ...
def to_arrow(
    events: Iterable[ShurikenEvent],
    kind: Kind | None = None,
    *,
    overflow: Overflow = "text",
    on_error: OnError = "raise",
) -> pa.Table | dict[Kind, pa.Table]:
    """Events as an Arrow table with a row for each event of one kind, in order.

    kind: "swaps", "pool_info" or "balances", of all networks; None gives a dict with a
    table for each. Events of other streams are passed over. `schema` says the columns,
    which never depend on the data; docs/shuriken.md explains them.

    overflow: what becomes of a number that a decimal128 column has no room for, as it
    has more digits before or after the point: "text" puts it whole into the column
    `<name>_text`, which is null otherwise, and leaves null in the column itself;
    "raise" is RangeError; "null" leaves null. Nothing is ever rounded. A block or a
    time beyond 64 bits is RangeError, or null with "null".

    on_error: "raise" is PayloadError for an event of these streams that did not fit its
    type (a `Misfit`); "skip" passes over it.

    Raises those, ValueError for another option, MissingDependencyError without pyarrow.
    """
    _check("overflow", overflow, ("text", "raise", "null"))
    _check("on_error", on_error, ("raise", "skip"))
    if kind is not None:
        _check("kind", kind, tuple(KINDS))
    wanted = tuple(KINDS) if kind is None else (kind,)
    rows = _sort(events, wanted, on_error)
    tables = {name: _table(rows[name], name, overflow) for name in wanted}
    return tables if kind is None else tables[kind]


@cache
def schema(kind: Kind, *, overflow: Overflow = "text") -> pa.Schema:
    """The columns of a kind of table.

    The metadata says which kind it is and what becomes of numbers without room
    ("overflow"); that of a field its "unit", and of what a `_text` column "holds".
    Raises ValueError for another kind or choice.
    """
    _check("kind", kind, tuple(KINDS))
    _check("overflow", overflow, ("text", "raise", "null"))
    fields = []
    for column in KINDS[kind].columns:
        metadata = {"unit": column.unit} if column.unit else None
        may_lack = not column.is_required or (
            overflow == "null" and pa.types.is_timestamp(column.type)
        )
        fields.append(pa.field(column.name, column.type, may_lack, metadata))
        if pa.types.is_decimal(column.type) and overflow == "text":
            holds = f"{column.name} where it does not fit {column.type}, else null"
            metadata = {"holds": holds, "unit": column.unit}
            fields.append(pa.field(f"{column.name}_text", pa.string(), True, metadata))
    return pa.schema(
        [*fields, _STREAM, _RECEIVED], metadata={"kind": kind, "overflow": overflow}
    )


def _check(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {value!r}")


class _Rows:
    """The events of one kind: their place in the input, and whether they are svm."""

    def __init__(self) -> None:
        self.events: list[ShurikenEvent] = []
        self.places: list[int] = []
        self.are_svm: list[bool] = []


def _sort(
    events: Iterable[ShurikenEvent], wanted: Sequence[Kind], on_error: OnError
) -> dict[Kind, _Rows]:
    kinds: dict[type[Payload], tuple[Kind, bool]] = {}
    for name in wanted:
        kinds |= dict.fromkeys(KINDS[name].svm, (name, True))
        kinds |= dict.fromkeys(KINDS[name].evm, (name, False))
    rows = {name: _Rows() for name in wanted}
    for place, event in enumerate(events):
        found = kinds.get(type(event.data))  # type: ignore[arg-type]
        if found is not None:
            chosen = rows[found[0]]
            chosen.events.append(event)
            chosen.places.append(place)
            chosen.are_svm.append(found[1])
            continue
        is_misfit = isinstance(event.data, Misfit) and on_error == "raise"
        if is_misfit and payload_type(event.stream) in kinds:
            raise PayloadError(event.stream, f"event {place}: {event.problem}")
    return rows


def _table(rows: _Rows, kind: Kind, overflow: Overflow) -> pa.Table:
    payloads = [event.data for event in rows.events]
    arrays = []
    for column in KINDS[kind].columns:
        values = _values(column, payloads, rows.are_svm)
        if pa.types.is_decimal(column.type):
            arrays += _decimals(column, values, rows.places, overflow)
        elif pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
            arrays.append(_integers(column, values, rows.places, overflow))
        else:
            arrays.append(pa.array(map(_whole, values), column.type, size=len(values)))
    arrays.append(pa.array([event.stream for event in rows.events], pa.string()))
    received = [event.receive_ns or None for event in rows.events]
    arrays.append(pa.array(received, pa.int64()).cast(_RECEIVED.type))
    return pa.Table.from_arrays(arrays, schema=schema(kind, overflow=overflow))


def _values(
    column: Column, payloads: Sequence[Any], are_svm: Sequence[bool]
) -> list[Any]:
    svm, evm = _getter(column.svm), _getter(column.evm)
    if all(are_svm):
        return list(map(svm, payloads))
    return [
        svm(payload) if is_svm else evm(payload)
        for payload, is_svm in zip(payloads, are_svm, strict=True)
    ]


@cache
def _getter(path: str | None) -> Callable[[Any], Any]:
    if path is None:
        return lambda payload: None
    if "." not in path:
        return _optional(path)
    part, name = path.split(".")
    get = attrgetter(name)
    return lambda payload: (
        None if (inner := getattr(payload, part)) is None else get(inner)
    )


def _optional(name: str) -> Callable[[Any], Any]:
    """Native balances have no token, which others of their table have."""
    return lambda payload: getattr(payload, name, None)


def _whole(text: Any) -> Any:
    """Halves of surrogate pairs are no UTF-8, which Arrow's texts are."""
    if isinstance(text, str) and not text.isascii():
        return text.encode("utf-8", "replace").decode()
    return text


def _integers(
    column: Column, values: list[Any], places: list[int], overflow: Overflow
) -> pa.Array:
    if column.times != 1:
        values = [None if value is None else value * column.times for value in values]
    try:
        return pa.array(values, pa.int64()).cast(column.type)
    except (OverflowError, pa.ArrowInvalid):
        for row, value in enumerate(values):
            if value is not None and not -_MOST <= value <= _MOST:
                if overflow != "null":
                    reason = f"{column.name} has no room for {_brief(value)}"
                    raise RangeError(places[row], reason) from None
                values[row] = None
    return pa.array(values, pa.int64()).cast(column.type)


def _decimals(
    column: Column, values: list[Any], places: list[int], overflow: Overflow
) -> list[pa.Array]:
    """The column, and with "text" the one of what it has no room for."""
    texts: list[str | None] = []
    try:
        numbers = pa.array(values, column.type)
    except (ValueError, OverflowError):  # pyarrow's own are ValueErrors
        fitting = [_fit(value, column.type) for value in values]
        for row, (value, fit) in enumerate(zip(values, fitting, strict=True)):
            is_left = value is not None and fit is None
            if is_left and overflow == "raise":
                reason = (
                    f"{column.name} ({column.type}) has no room for {_brief(value)}"
                )
                raise RangeError(places[row], reason) from None
            texts.append(_plain(value) if is_left else None)
        numbers = pa.array(fitting, column.type)
    if overflow != "text":
        return [numbers]
    return [numbers, pa.array(texts or [None] * len(values), pa.string())]


def _fit(value: Decimal | int | None, kind: pa.DataType) -> Decimal | None:
    """The same number in no more digits than it needs, None where that is too many.

    Without arithmetic, which the caller's decimal context would round.
    """
    if value is None:
        return None
    sign, digits, exponent = Decimal(value).as_tuple()
    assert isinstance(exponent, int)  # others are refused when payloads are read
    while len(digits) > 1 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    if digits == (0,):
        exponent = 0
    if exponent < -kind.scale or len(digits) + exponent > kind.precision - kind.scale:
        return None
    return Decimal((sign, digits, exponent))


def _plain(value: Decimal | int) -> str:
    return format(Decimal(value), "f")


def _brief(value: Decimal | int) -> str:
    text = str(Decimal(value))
    return text if len(text) <= 60 else f"{text[:60]}..."
