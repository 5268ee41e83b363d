"""Reads signed and unsigned JSON frames (docs/messages.md, section 4)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from codec.errors import ErrorCode
from codec.reference.json_text import (
    Number,
    Pairs,
    Step,
    byte_offset,
    check_depth,
    find_value,
    members_of,
    parse,
)
from codec.reference.model import (
    INT128,
    LOW_64,
    NO_STATUS,
    UINT8,
    UINT16,
    UINT64,
    DecodedMessage,
    Fault,
    Row,
)
from codec.reference.payloads import read_hex

_ABSENT = object()
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
# One character of a JSON string as it stands in the source, or the closing quote.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[^\\]", re.DOTALL
)
_FRAME_KEYS = frozenset(("type", "p", "tax", "ts", "a"))
_ENTRY_KEYS = frozenset(("id", "v", "ms"))


def read_frame(text: str) -> DecodedMessage:
    """Read a signed or unsigned frame (section 4)."""
    pairs = parse(text)
    fields = _as_dict(pairs, _FRAME_KEYS, text)
    kind = fields.get("type", _ABSENT)
    if kind is _ABSENT:
        raise _frame_fault(ErrorCode.NOT_DATA, text)
    if type(kind) is not str:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "type")
    if kind == "signed_ecdsa":
        message = _read_signed(fields, text)
        has_unknown = len(pairs) > 2
    elif kind == "unsigned":
        message, has_unknown = _read_unsigned(fields, text)
        has_unknown = has_unknown or len(pairs) > 4
    else:
        raise _frame_fault(ErrorCode.NOT_DATA, text, "type")
    if has_unknown:  # all that was looked at is flat
        check_depth(text)
    return message


def _as_dict(
    pairs: Pairs, known: frozenset[str], text: str, *path: Step
) -> dict[str, Any]:
    """The object at `path`, in which no key of `known` may stand twice."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen = set()
        for n, (key, _) in enumerate(pairs):
            if key in seen:
                check_depth(text)
                members = members_of(text, find_value(text, *path))
                _, key_at, _ = next(islice(members, n, None))
                raise Fault(ErrorCode.DUPLICATE_KEY, byte_offset(text, key_at))
            if key in known:
                seen.add(key)
    return fields


def _read_signed(fields: dict[str, Any], text: str) -> DecodedMessage:
    digits = fields.get("p", _ABSENT)
    if digits is _ABSENT:
        raise _frame_fault(ErrorCode.MISSING_FIELD, text)
    if type(digits) is not str:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "p")
    try:
        return read_hex(digits)
    except Fault as fault:
        check_depth(text)
        characters = _CHARACTER.finditer(text, find_value(text, "p") + 1)
        at = next(islice(characters, fault.offset, None)).start()
        raise Fault(fault.code, byte_offset(text, at)) from None


def _read_unsigned(fields: dict[str, Any], text: str) -> tuple[DecodedMessage, bool]:
    """The message, and whether an entry of `a` has unknown keys."""
    tax = fields.get("tax", _ABSENT)
    taxonomy_id = _integer(tax, Number, UINT16, text, "tax")
    ts = fields.get("ts", _ABSENT)
    timestamp_ns = _integer(ts, Number, UINT64, text, "ts")
    entries = fields.get("a", _ABSENT)
    if entries is _ABSENT:
        raise _frame_fault(ErrorCode.MISSING_FIELD, text)
    if type(entries) is not list:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "a")
    rows: list[Row] = []
    has_unknown = False
    for n, pairs in enumerate(entries):
        if type(pairs) is not tuple:
            raise _frame_fault(ErrorCode.WRONG_TYPE, text, "a", n)
        entry = _as_dict(pairs, _ENTRY_KEYS, text, "a", n)
        number = entry.get("id", _ABSENT)
        asset_id = _integer(number, Number, UINT16, text, "a", n, "id")
        number = entry.get("v", _ABSENT)
        value = _integer(number, str, INT128, text, "a", n, "v")
        status = NO_STATUS
        if "ms" in entry:
            status = _integer(entry["ms"], Number, UINT8, text, "a", n, "ms")
        if len(entry) > 2 + ("ms" in entry):
            has_unknown = True
        halves = (value & LOW_64, value >> 64)
        rows.append((halves, timestamp_ns, taxonomy_id, asset_id, status))
    return DecodedMessage(timestamp_ns, taxonomy_id, 0, rows, b""), has_unknown


def _integer(
    value: Any, kind: type[str], bounds: tuple[int, int], text: str, *path: Step
) -> int:
    """The integer that `value`, which stands at `path`, is the text of."""
    if type(value) is not kind:
        if value is _ABSENT:
            raise _frame_fault(ErrorCode.MISSING_FIELD, text, *path[:-1])
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, *path)
    if not _INTEGER.fullmatch(value):
        raise _frame_fault(ErrorCode.INVALID_NUMBER, text, *path)
    # An int128 has at most 40 characters; int() refuses more than 4300 digits.
    number = int(value) if len(value) <= 40 else None
    if number is None or not bounds[0] <= number <= bounds[1]:
        raise _frame_fault(ErrorCode.OUT_OF_RANGE, text, *path)
    return number


def _frame_fault(code: ErrorCode, text: str, *path: Step) -> Fault:
    """The fault at the value that `path` leads to; too_deep goes before all others."""
    check_depth(text)
    return Fault(code, byte_offset(text, find_value(text, *path)))
