"""The anatomy of a JSON frame, whole or damaged: its members, where they stand.

What is good and what is not the core decides; this reads on as far as it goes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codec.cli.anatomy import Field, Says, decimal_says, time_says
from codec.cli.text import market_status_text, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NAME_LEN", "Frame", "Member", "read_frame"]

NAME_LEN = 9  # characters of a key that are shown

_SPACE = re.compile(r"[ \t\n\r]*")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,39}")


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object or an entry of an array: the bytes start .. end - 1.

    key: None in an array. value_at: where its value begins. value: parsed; of a string
    that is cut off, what there is of it. is_whole: not cut off.
    """

    start: int
    value_at: int
    end: int
    key: str | None
    value: Any
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Frame:
    """type: the text of `type` (bytes as latin-1), None where there is none."""

    type: str | None
    members: list[Member]
    fields: list[Field]

    def member(self, key: str) -> Member | None:
        """The first member of that name."""
        return next((m for m in self.members if m.key == key), None)


def read_frame(data: bytes) -> Frame:
    """Reads the members of a frame, to its end or to where it stops being JSON."""
    # As latin-1 every byte is one character: places in both are the same.
    text = data.decode("latin-1")
    start = _skip_space(text, 0)
    members = list(_members(text, start)) if text[start : start + 1] == "{" else []
    kinds = [m.value for m in members if m.key == "type" and type(m.value) is str]
    kind = kinds[0] if kinds else None
    fields: list[Field] = []
    for member in members:
        if member.key == "a" and kind == "unsigned" and text[member.value_at] == "[":
            for i, entry in enumerate(_members(text, member.value_at)):
                fields += _entry_fields(text, entry, i)
        else:
            fields.append(_field(text, member, _MEANINGS.get(kind or "", _OTHER)))
    return Frame(kind, members, fields)


def _members(text: str, at: int) -> Iterator[Member]:
    """What the object or array that opens at `at` holds, as far as it is JSON."""
    closing = "}" if text[at] == "{" else "]"
    at = _skip_space(text, at + 1)
    while text[at : at + 1] not in ("", closing):
        start, key = at, None
        if closing == "}":
            key, at = _parse(text, at)
            at = _skip_space(text, at)
            if type(key) is not str or text[at : at + 1] != ":":
                return
            at = _skip_space(text, at + 1)
        if at == len(text):
            return
        try:
            value, end = _JSON.raw_decode(text, at)
        except (ValueError, RecursionError):
            yield Member(start, at, len(text), key, _cut_string(text[at:]), False)
            return
        yield Member(start, at, end, key, value)
        at = _skip_space(text, end)
        if text[at : at + 1] == ",":
            at = _skip_space(text, at + 1)
        elif text[at : at + 1] != closing:
            return


def _parse(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at `at` and its end, or None and the end of the text."""
    try:
        return _JSON.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, len(text)


def _cut_string(source: str) -> str | None:
    """The text of a JSON string that lacks its end; None where it is no string."""
    if not source.startswith('"'):
        return None
    for lost in range(7):  # an escape may be cut as well: at most 6 characters
        value, _ = _parse(source[: len(source) - lost] + '"', 0)
        if type(value) is str:
            return value
    return None


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


_OTHER = {"type": "of the message"}
_MEANINGS = {
    "signed_ecdsa": {"type": "of the message", "p": "the payload"},
    "unsigned": {
        "type": "of the message",
        "tax": "taxonomy id",
        "ts": "timestamp",
        "a": "the updates",
    },
}
_ENTRY_MEANINGS = {
    "id": "asset id",
    "v": "value, scaled by 10^18",
    "ms": "market status",
}


def _entry_fields(text: str, entry: Member, record: int) -> list[Field]:
    """The fields of an entry of `a`; the entry itself where it is no object."""
    if text[entry.value_at] != "{":
        shown = _shown(text[entry.start : entry.end])
        return [Field(entry.start, entry.end, "entry", "", shown, record=record)]
    members = _members(text, entry.value_at)
    return [_field(text, member, _ENTRY_MEANINGS, record) for member in members]


def _field(
    text: str, member: Member, meanings: dict[str, str], record: int | None = None
) -> Field:
    key = member.key or ""
    if not member.is_whole:
        says = Says("cut off")
    elif key in meanings and isinstance(member.value, str):
        says = _says(key, member.value)
    else:
        says = Says(_shown(text[member.value_at : member.end]))
    return Field(
        member.start,
        member.end,
        _shown(key, NAME_LEN),
        meanings.get(key, "" if meanings is _OTHER else "ignored"),
        says.text,
        says.exact,
        record=record,
    )


def _says(key: str, value: str) -> Says:
    """What the value of a known key says."""
    if _INTEGER.fullmatch(value):
        number = int(value)
        if key == "ts" and 0 <= number < 2**64:
            return time_says(number)
        if key == "v":
            return decimal_says(number)
        if key == "ms":
            return Says(market_status_text(number))
    return Says(_shown(value))


def _shown(text: str, limit: int = 60) -> str:
    """Foreign text, its bytes read as latin-1, as short printable ASCII."""
    return printable(text.encode("latin-1", "backslashreplace"), limit)
