"""The fields of the aggregator's messages, and the faults that each may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeAlias

from codec.errors import ErrorCode
from codec.reference.json_nodes import Node, take_number, take_object, take_string
from codec.reference.model import INT128, UINT64, Fault

EVM, STARK, OTHER = 1, 2, 255
_LONGEST_NAME = 1024
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_DIGITS = re.compile(r"(?:0x)?([0-9a-fA-F]*)")

Handlers: TypeAlias = dict[str, Callable[[Node], None]]


def read_name(node: Node) -> str:
    """A name of an asset."""
    name = take_string(node)
    try:
        n = len(name.encode())
    except UnicodeEncodeError:
        raise Fault(ErrorCode.INVALID_UTF8, node.at) from None
    if n > _LONGEST_NAME:
        raise Fault(ErrorCode.TOO_LARGE, node.at)
    return name


def _read_integer(digits: str, at: int, bounds: tuple[int, int]) -> int:
    if not _INTEGER.fullmatch(digits):
        raise Fault(ErrorCode.INVALID_NUMBER, at)
    number = int(digits) if len(digits) <= 40 else None
    if number is None or not bounds[0] <= number <= bounds[1]:
        raise Fault(ErrorCode.OUT_OF_RANGE, at)
    return number


def read_time(node: Node) -> int:
    """A time, in ns."""
    return _read_integer(take_number(node), node.at, UINT64)


def read_price(node: Node) -> int:
    """A price, scaled by 10^18."""
    return _read_integer(take_string(node), node.at, INT128)


def read_object(
    node: Node, handlers: Handlers, needed: Iterable[str]
) -> frozenset[str]:
    """Hands every known member to its handler; the keys that were there."""
    seen = set()
    for key, key_at, value in take_object(node):
        if key not in handlers:
            continue
        if key in seen:
            raise Fault(ErrorCode.DUPLICATE_KEY, key_at)
        seen.add(key)
        handlers[key](value)
    if not seen.issuperset(needed):
        raise Fault(ErrorCode.MISSING_FIELD, node.at)
    return frozenset(seen)


class HexReader:
    """Gathers hex fields, whose faults count for evm alone, and only at the end."""

    def __init__(self) -> None:
        self.hexes: dict[str, bytes] = {}
        self._fault: Fault | None = None

    def handler(self, name: str, width: int, room: int = 32) -> Callable[[Node], None]:
        """width: bytes of an evm field; room: of any. `checksum` needs no 0x."""

        def take(node: Node) -> None:
            self.hexes[name] = _read_leniently(node, room)
            try:
                _check_strictly(node, width, name != "checksum")
            except Fault as fault:
                self._keep(fault)

        return take

    def need(self, node: Node, found: frozenset[str], names: Iterable[str]) -> None:
        """Notes what is missing in the object at `node`."""
        if not found.issuperset(names):
            self._keep(Fault(ErrorCode.MISSING_FIELD, node.at))

    def check(self, signature_type: int) -> None:
        """Raises the first fault of an evm entry."""
        if signature_type == EVM and self._fault:
            raise self._fault

    def _keep(self, fault: Fault) -> None:
        self._fault = self._fault or fault


def _check_strictly(node: Node, width: int, needs_prefix: bool) -> None:
    text = take_string(node)
    match = _DIGITS.fullmatch(text)
    if match is None or (needs_prefix and not text.startswith("0x")):
        raise Fault(ErrorCode.INVALID_HEX, node.at)
    if len(match[1]) % 2:
        raise Fault(ErrorCode.ODD_HEX, node.at)
    if len(match[1]) != 2 * width:
        raise Fault(ErrorCode.INVALID_LENGTH, node.at)


def _read_leniently(node: Node, room: int) -> bytes:
    match = _DIGITS.fullmatch(node.value) if type(node.value) is str else None
    if match is None or len(match[1]) > 2 * room:
        return bytes(room)
    return int(match[1] or "0", 16).to_bytes(room, "big")
