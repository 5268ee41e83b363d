"""What a switch can be: an event, a count, a number, a state or a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = [
    "Count",
    "Event",
    "When",
    "a_count",
    "a_number",
    "a_state",
    "a_word",
    "an_event",
]

When: TypeAlias = "bool | int | str | tuple[Any, ...] | None"
Count: TypeAlias = "bool | int | None"

_SIZES = ("bomb", "oversize")  # a number is a size there
_CODES = ("close", "expire")  # a number from 1000 on is a code there


def an_event(text: str) -> dict[str, str]:
    """Metadata of a field: something that happens to connections."""
    return {"text": text, "kind": "event"}


def a_count(text: str) -> dict[str, str]:
    """Something that is wrong with so many."""
    return {"text": text, "kind": "count"}


def a_number(text: str) -> dict[str, str]:
    """Something that takes a number, or several."""
    return {"text": text, "kind": "number"}


def a_state(text: str) -> dict[str, str]:
    """Something that lasts as long as it is set."""
    return {"text": text, "kind": "state"}


def a_word(text: str, example: str) -> dict[str, str]:
    """Something that takes a text."""
    return {"text": text, "kind": "word", "example": example}


@dataclass(frozen=True)
class Event:
    """An event: after how many messages (None: at once), and its own values."""

    after: int | None
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, value: Any) -> Event:
        """What a switch's value says."""
        if value is True:
            return cls(None)
        values = value if isinstance(value, tuple) else (value,)
        first = values[0]
        is_value = (
            not isinstance(first, int)
            or (name in _CODES and first >= 1000)
            or (name in _SIZES and len(values) == 1)
        )
        return cls(None, values) if is_value else cls(first, values[1:])
