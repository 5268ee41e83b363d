"""The anatomy of a payload: which bytes are which field, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codec.cli.text import decimal_text, market_status_text, utc_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Field",
    "Says",
    "decimal_says",
    "payload_fields",
    "payload_layout",
    "time_says",
]

_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_MARKER_AT = 65
_VERSIONED = 0xFF


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a payload or a frame: the bytes start .. end - 1.

    text: its value for people. exact: the integer behind it, where `text` is not that.
    warning: what is odd about a value that is no fault. record: which update it belongs
    to, from 0, or None. missing: how many of its bytes are not there.
    """

    start: int
    end: int
    name: str
    meaning: str
    text: str
    exact: str = ""
    warning: str = ""
    record: int | None = None
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Says:
    """What the bytes of a field say: see `Field`."""

    text: str
    exact: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of field. size: None for all the bytes that are left."""

    name: str
    meaning: str
    size: int | None
    says: Callable[[bytes], Says]


def payload_fields(payload: bytes) -> Iterator[Field]:
    """The fields of a payload, good, damaged or cut off, as far as it can be read.

    The last field may be incomplete; where a version or a mask is unknown, the last one
    is the bytes behind it, which nobody can read.
    """
    at = 0
    for kind, record in _kinds(payload):
        if at == len(payload):
            return
        size = len(payload) - at if kind.size is None else kind.size
        data = payload[at : at + size]
        end = at + len(data)
        missing = size - len(data)
        if missing:
            says = Says(f"incomplete: {len(data)} of {size} bytes")
        else:
            says = kind.says(data)
        yield Field(
            at,
            end,
            kind.name,
            kind.meaning,
            says.text,
            says.exact,
            says.warning,
            record,
            missing,
        )
        at = end


def payload_layout(payload: bytes) -> int | None:
    """1 or 2, or None where the payload ends before the byte that tells."""
    if len(payload) <= _MARKER_AT:
        return None
    return 2 if payload[_MARKER_AT] == _VERSIONED else 1


def _kinds(payload: bytes) -> Iterator[tuple[_Kind, int | None]]:
    """The fields in the layout's order, each with its record; records never end."""
    for kind in (_R, _S, _V):
        yield kind, None
    has_status = False
    if payload_layout(payload) == 2:
        for kind in (_MARKER, _VERSION):
            yield kind, None
        if payload[66:67] != b"\x02":
            yield _UNREAD, None
        yield _MASK, None
        if payload[67:69] not in (b"\x00\x01", b"\x00\x03"):
            yield _UNREAD, None
        has_status = payload[68:69] == b"\x03"
    for kind in (_TAXONOMY, _TIMESTAMP):
        yield kind, None
    record = 0
    while True:
        yield _ASSET, record
        yield _VALUE, record
        if has_status:
            yield _STATUS, record
        record += 1


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _integer_says(data: bytes) -> Says:
    return Says(str(_number(data)))


def _scalar_says(data: bytes) -> Says:
    number = _number(data)
    if number == 0:
        return Says("0", warning="zero: there is no signature")
    if number >= _N:
        return Says("", warning="not below the order of the curve: no signature")
    return Says("")


def _s_says(data: bytes) -> Says:
    if _N // 2 < _number(data) < _N:
        return Says("", warning="above n / 2 (high s): the chain refuses it")
    return _scalar_says(data)


def _v_says(data: bytes) -> Says:
    warning = "" if data[0] < 2 else "neither 0 nor 1: the chain refuses it"
    return Says(str(data[0]), warning=warning)


def _version_says(data: bytes) -> Says:
    return Says(str(data[0]) if data[0] == 2 else f"{data[0]}: unknown")


def _mask_says(data: bytes) -> Says:
    mask = _number(data)
    names = [name for bit, name in ((1, "price"), (2, "market status")) if mask & bit]
    if mask & ~3:
        names.append("unknown")
    return Says(f"0x{mask:04x}: {', '.join(names) or 'nothing'}")


def time_says(timestamp_ns: int) -> Says:
    """What a unix time in ns says."""
    return Says(utc_text(timestamp_ns), f"{timestamp_ns} ns since 1970")


def decimal_says(value: int) -> Says:
    """What a value scaled by 10^18 says."""
    return Says(decimal_text(value), f"{value} / 10^18")


def _value_says(data: bytes) -> Says:
    return decimal_says(int.from_bytes(data, "big", signed=True))


_R = _Kind("r", "signature, first half", 32, _scalar_says)
_S = _Kind("s", "signature, second half", 32, _s_says)
_V = _Kind("v", "recovery id of the signature", 1, _v_says)
_MARKER = _Kind("marker", "of the versioned layout", 1, lambda _: Says("layout 2"))
_VERSION = _Kind("version", "of the layout", 1, _version_says)
_MASK = _Kind("mask", "attributes in each record", 2, _mask_says)
_TAXONOMY = _Kind("taxonomy", "id of the list of assets", 2, _integer_says)
_TIMESTAMP = _Kind(
    "timestamp", "of the whole message", 8, lambda data: time_says(_number(data))
)
_ASSET = _Kind("asset id", "from that list", 2, _integer_says)
_VALUE = _Kind("value", "int128, scaled by 10^18", 16, _value_says)
_STATUS = _Kind(
    "market", "market status", 1, lambda data: Says(market_status_text(data[0]))
)
_UNREAD = _Kind(
    "unread", "no known layout", None, lambda data: Says(f"{len(data)} bytes")
)
