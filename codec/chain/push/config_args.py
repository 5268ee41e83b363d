"""A function's arguments from a configuration: texts into what its types want."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from eth_abi.grammar import TupleType, parse

from codec.chain.abi import read_signature
from codec.chain.calldata import PAYLOAD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eth_abi.grammar import ABIType

    from codec.chain.push.config_reading import Place

__all__ = ["PAYLOAD_WORD", "read_args"]

PAYLOAD_WORD = "payload"
_INTEGER = re.compile(r"-?[0-9]{1,78}")
_BOOLEANS = {"true": True, "false": False}


def read_args(function: str, places: Sequence[Place]) -> tuple[object, ...]:
    """The arguments, `payload` standing for the payload where bytes are wanted.

    What does not fit its type is a fault of its place. Raises ValueError for another
    number of arguments than the function takes.
    """
    types = read_signature(function).types
    if len(types) != len(places):
        raise ValueError(f"{function} takes {len(types)} arguments, not {len(places)}")
    pairs = zip(places, types, strict=True)
    return tuple(_read(place, parse(abi_type)) for place, abi_type in pairs)


def _read(place: Place, abi_type: ABIType) -> object:
    if abi_type.is_array:
        return [_read(item, abi_type.item_type) for item in place.items()]
    if isinstance(abi_type, TupleType):
        items = place.items() if place.is_list else []
        if len(items) != len(abi_type.components):
            place.fault(f"a list of {len(abi_type.components)} values is needed")
            return ()
        pairs = zip(items, abi_type.components, strict=True)
        return tuple(_read(item, inner) for item, inner in pairs)
    written = abi_type.to_type_str()  # type: ignore[no-untyped-call]
    return place.read(lambda text: _value(text, written))


def _value(text: str, written: str) -> Any:
    if written == "bytes" and text == PAYLOAD_WORD:
        return PAYLOAD
    if written == "bool":
        if text not in _BOOLEANS:
            raise ValueError(f"true or false is needed, not {text[:50]!r}")
        return _BOOLEANS[text]
    if written.startswith(("int", "uint")):
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"an integer is needed, not {text[:50]!r}")
        return int(text)
    return text
