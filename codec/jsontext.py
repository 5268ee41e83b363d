"""JSON of strangers, which may nest as deep as it likes."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["is_deeper", "is_too_deep", "loads"]

# Far less than the interpreter's usual limit, and more than anything of use.
_MOST_DEEP = 200
# A text that does not end is matched as well, lest the search begin anew at each of
# the quotes in it.
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


def loads(text: str | bytes, **arguments: Any) -> Any:
    """As `json.loads`, with RecursionError for what nests more than 200 deep.

    That of the standard library relies on the interpreter's limit of recursion, which
    other packages raise beyond what the stack holds: such a text would end the process.
    """
    if is_too_deep(text):
        raise RecursionError(f"a JSON text that nests more than {_MOST_DEEP} deep")
    return json.loads(text, **arguments)


def is_too_deep(text: str | bytes) -> bool:
    """Whether `loads` would refuse a text for its depth; for other readers of JSON."""
    if isinstance(text, str):
        if text.count("[") + text.count("{") <= _MOST_DEEP:
            return False
        text = text.encode("utf-8", "surrogatepass")
    return is_deeper(text, _MOST_DEEP)


def is_deeper(text: bytes, most: int) -> bool:
    """Whether a JSON text nests more than so deep."""
    if text.count(b"[") + text.count(b"{") <= most:
        return False
    depth = 0
    for match in _BRACKETS.finditer(text):
        first = match[0][:1]
        if first == b'"':
            continue
        depth += 1 if first in b"[{" else -1
        if depth > most:
            return True
    return False
