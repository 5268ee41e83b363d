"""What a node answered: the bytes of an HTTP body into a result, or what is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from codec.jsontext import is_deeper
from codec.webanswers import is_web_page

__all__ = [
    "BadAnswer",
    "NodesError",
    "Result",
    "clean",
    "read_answer",
    "read_bytes",
    "read_hash",
    "read_object",
    "read_object_or_none",
    "read_quantity",
]

_MOST_DEEP = 64
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x[0-9a-fA-F]*")  # a group in it would take 60 times the text
_LONGEST_TEXT = 500
_KINDS = {
    bool: "a boolean",
    dict: "an object",
    float: "a bare number",
    int: "a bare number",
    list: "an array",
    str: "a text",
    type(None): "null",
}


class BadAnswer(Exception):
    """An answer that makes no sense. Its text is for people, and short."""


@dataclass(frozen=True, slots=True)
class Result:
    """The `result` of an answer."""

    value: Any


@dataclass(frozen=True, slots=True)
class NodesError:
    """The `error` of an answer; the message is cut to a line."""

    code: int
    message: str
    data: Any


def read_answer(body: bytes, request_id: int) -> Result | NodesError:
    """What a JSON-RPC answer to the request of that id says.

    Raises BadAnswer, and nothing else, for what is none: no JSON object, another id
    (an error may have none), both a result and an error, or neither of them.
    """
    answer = _object(body)
    error = answer.get("error")
    number = answer.get("id")
    if number is None and error is not None:
        number = request_id  # the node could not tell which request it was
    if type(number) is not int or number != request_id:
        raise BadAnswer("the answer is to another request: its id is not the one sent")
    if error is None:
        if "result" not in answer:
            raise BadAnswer("the answer has neither a result nor an error")
        return Result(answer["result"])
    if answer.get("result") is not None:
        raise BadAnswer("the answer has both a result and an error")
    if not isinstance(error, dict):
        raise BadAnswer(f"the answer's error is {_kind(error)}, not an object")
    code, message = error.get("code"), error.get("message", "")
    if type(code) is not int or not isinstance(message, str):
        raise BadAnswer("the answer's error has no code, or a message that is no text")
    return NodesError(code, clean(message) or "no message", error.get("data"))


def clean(text: str, longest: int = _LONGEST_TEXT) -> str:
    """A foreign text as one line of printable characters, cut to so many."""
    line = " ".join(text[: 4 * longest].split())
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line if len(line) <= longest else line[: longest - 3] + "..."


def read_quantity(value: object) -> int:
    """The int of `0x10`: at most 64 hex digits."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise BadAnswer(f"{_shown(value)} instead of a hex number as 0x10")
    return int(value, 16)


def read_bytes(value: object) -> bytes:
    """The bytes of `0x0010`."""
    if not isinstance(value, str) or len(value) % 2 or not _DATA.fullmatch(value):
        raise BadAnswer(f"{_shown(value)} instead of bytes as 0x0010")
    return bytes.fromhex(value[2:])


def read_hash(value: object) -> bytes:
    """The 32 bytes of a hash."""
    data = read_bytes(value)
    if len(data) != 32:
        raise BadAnswer(f"a hash has 32 bytes, not {len(data)}")
    return data


def read_object(value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise BadAnswer(f"{_kind(value)} instead of an object")
    return value


def read_object_or_none(value: object) -> dict[str, Any] | None:
    """A JSON object, or None: the node knows none."""
    return None if value is None else read_object(value)


def _object(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise BadAnswer("an empty answer")
    if is_web_page(body):
        raise BadAnswer("a web page instead of JSON")
    if is_deeper(body, _MOST_DEEP):
        raise BadAnswer(f"an answer that nests more than {_MOST_DEEP} deep")
    try:
        answer = json.loads(
            body.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        reason = "an answer that is not UTF-8"
    except json.JSONDecodeError as error:
        ended = error.pos >= len(error.doc.rstrip())
        reason = f"an answer that is no JSON{', or is cut off' if ended else ''}"
        reason += f" (character {error.pos})"
    except (ValueError, RecursionError):
        reason = "an answer that is no JSON for us: a number of thousands of digits"
    else:
        if isinstance(answer, dict):
            return answer
        reason = f"the answer is {_kind(answer)}, not an object"
    raise BadAnswer(reason)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadAnswer("an answer in which a key stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise BadAnswer(f"an answer that is no JSON: it has {name}")


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "something else")


def _shown(value: object) -> str:
    return repr(clean(value, 40)) if isinstance(value, str) else _kind(value)
