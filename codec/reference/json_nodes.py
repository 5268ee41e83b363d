"""JSON values together with the places where they stand."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, cast

from codec.errors import ErrorCode
from codec.reference.json_text import JSON, Number, skip_space
from codec.reference.model import Fault


class Node(NamedTuple):
    """A JSON value, and the character where it starts.

    value: a list of Members for an object, a tuple of Nodes for an array, a Number,
    str, bool or None.
    """

    at: int
    value: Any


class Member(NamedTuple):
    """A key of an object, the character of its quote, and its value."""

    key: str
    key_at: int
    node: Node


Members: TypeAlias = list[Member]


def locate(text: str, at: int) -> tuple[Node, int]:
    """The value that starts there, of valid JSON, and the character behind it."""
    if text[at] not in "{[":
        value, end = JSON.raw_decode(text, at)
        return Node(at, value), end
    is_object = text[at] == "{"
    items: list[Any] = []
    i = skip_space(text, at + 1)
    while text[i] not in "}]":
        if is_object:
            key, end = JSON.raw_decode(text, i)
            node, after = locate(text, skip_space(text, skip_space(text, end) + 1))
            items.append(Member(key, i, node))
        else:
            node, after = locate(text, i)
            items.append(node)
        i = skip_space(text, after)
        if text[i] == ",":
            i = skip_space(text, i + 1)
    return Node(at, items if is_object else tuple(items)), i + 1


def take_object(node: Node) -> Members:
    """The members of an object; wrong_type where it is none."""
    return cast("Members", _take(node, list))


def take_array(node: Node) -> tuple[Node, ...]:
    """The items of an array; wrong_type where it is none."""
    return cast("tuple[Node, ...]", _take(node, tuple))


def take_string(node: Node) -> str:
    """A string; wrong_type where it is none."""
    return cast("str", _take(node, str))


def take_number(node: Node) -> str:
    """A number as it is written; wrong_type where it is none."""
    return cast("str", _take(node, Number))


def _take(node: Node, kind: type) -> object:
    if type(node.value) is not kind:
        raise Fault(ErrorCode.WRONG_TYPE, node.at)
    return node.value
