"""Parses the JSON of a frame, and finds where in the text a value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

from codec.errors import ErrorCode
from codec.reference.model import Fault

Pairs: TypeAlias = tuple[tuple[str, Any], ...]
Step: TypeAlias = str | int  # a key of an object, or an index of an array
_MAX_DEPTH = 64
_PARSED_DEPTH = 200
_SKIP_SPACE = re.compile(r"[ \t\n\r]*")
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"?|NaN|Infinity', re.DOTALL)


class Number(str):
    """A JSON number as it is written; a JSON string is a plain `str`."""

    __slots__ = ()


class _ConstantFound(Exception):
    """The parser met NaN, Infinity or -Infinity."""


def _refuse_constant(name: str) -> None:
    raise _ConstantFound(name)


# Objects become tuples of (key, value): no list, and every duplicate still in it.
JSON = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_int=Number,
    parse_float=Number,
    parse_constant=_refuse_constant,
)


def parse(text: str) -> Pairs:
    """The members of the object that `text` is; too_deep and invalid_json here."""
    # The parser must see no more levels than the stack holds, whatever the limit of
    # recursion is; what comes before them may still be wrong in another way.
    try:
        return cast("Pairs", JSON.decode(text[: _end_of_level(text, _PARSED_DEPTH)]))
    except json.JSONDecodeError as exc:
        end = exc.pos
    except _ConstantFound:
        end = next(m.start() for m in _CONSTANT.finditer(text) if m[0][0] != '"')
    check_depth(text, end)
    raise Fault(ErrorCode.INVALID_JSON, byte_offset(text, end))


def check_depth(text: str, end: int | None = None) -> None:
    """Raise where a level too many opens in text[:end], a beginning of valid JSON."""
    at = _end_of_level(text, _MAX_DEPTH, end)
    if at is not None:
        raise Fault(ErrorCode.TOO_DEEP, byte_offset(text, at))


def _end_of_level(text: str, depth: int, end: int | None = None) -> int | None:
    """Where in text[:end] a level below that depth opens; None for nowhere."""
    if text.count("{") + text.count("[") <= depth:
        return None
    level = 0
    for token in _BRACKET.finditer(text, 0, len(text) if end is None else end):
        if token[0] in "{[":
            level += 1
            if level > depth:
                return token.start()
        elif token[0] in "}]":
            level -= 1
    return None


def find_value(text: str, *path: Step) -> int:
    """Where in a frame, known to be valid JSON, the value at `path` starts."""
    at = text.index("{")
    for step in path:
        at = next(value_at for key, _, value_at in members_of(text, at) if key == step)
    return at


def members_of(text: str, at: int) -> Iterator[tuple[Step, int, int]]:
    """Of the object or array at `at`: each key or index, its start, its value's."""
    is_object = text[at] == "{"
    key: Step = -1
    at = skip_space(text, at + 1)
    while text[at] not in "}]":
        key_at = at
        if is_object:
            key, at = JSON.raw_decode(text, at)
            at = skip_space(text, skip_space(text, at) + 1)
        else:
            key = cast("int", key) + 1
        yield key, key_at, at
        at = skip_space(text, JSON.raw_decode(text, at)[1])
        if text[at] == ",":
            at = skip_space(text, at + 1)


def skip_space(text: str, at: int) -> int:
    """The next character from `at` on that is no white space."""
    return cast("re.Match[str]", _SKIP_SPACE.match(text, at)).end()


def byte_offset(text: str, i: int) -> int:
    """Where the character `i` stands in the UTF-8 form of `text`."""
    return len(text[:i].encode())
