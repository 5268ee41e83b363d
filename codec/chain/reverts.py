"""Why a call reverted: from the data of a revert to the error's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from eth_abi.abi import default_codec
from eth_abi.exceptions import DecodingError

from codec.chain.abi import Entry, Signature, entry_of, errors_of
from codec.chain.known_errors import ERRORS, MEANINGS, PANICS

if TYPE_CHECKING:
    from codec.errors import RpcError

__all__ = ["Revert", "decode_revert", "revert_of"]

_ERROR = Entry("Error", ("string",))
_PANIC = Entry("Panic", ("uint256",))
_SELECTOR_LEN = 4
_SHOWN_LEN = 300
_HEX_DATA = re.compile(r"(?:0x|Reverted 0x|Reverted )([0-9a-fA-F]*)")
_REVERTED = re.compile(r"\brevert(?:ed)?\b", re.IGNORECASE)
_REASON = re.compile(r"\brevert(?:ed)?(?:: | with reason string )(.+)", re.DOTALL)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CODE_OF_REVERT = 3
# Where nodes and what stands before them put the data of a revert, if in an object.
_KEYS = ("data", "return", "result", "output", "originalError", "error")
_DEEPEST = 4


@dataclass(frozen=True)
class Revert:
    """Why a call reverted; `str()` says it for people.

    name: the error's, "" where it is not known or there is no data. args: its
    arguments, as eth-abi decodes them. signature: `TooOld(uint64)`, None where it is
    not known. data: all that the call gave back.
    """

    name: str
    args: tuple[Any, ...]
    signature: str | None
    data: bytes

    def __str__(self) -> str:
        if self.signature is None:
            return self._unknown()
        if self.signature == _ERROR.signature:
            return f'Error: "{_printable(self.args[0])}"'
        if self.signature == _PANIC.signature:
            meaning = PANICS.get(self.args[0], "a code that Solidity does not have")
            return f"Panic({self.args[0]:#04x}): {meaning}"
        arguments = ", ".join(map(_shown, self.args))
        meaning = MEANINGS.get(self.name, "")
        return f"{self.name}({arguments})" + (f": {meaning}" if meaning else "")

    def _unknown(self) -> str:
        if not self.data:
            return "reverted without data"
        n = f"{len(self.data)} byte{'s' if len(self.data) > 1 else ''} of data"
        if len(self.data) < _SELECTOR_LEN:
            return f"reverted with {n}, 0x{self.data.hex()}"
        return f"unknown error 0x{self.data[:_SELECTOR_LEN].hex()}, {n}"


def decode_revert(data: bytes | str, abi: Sequence[Signature] = ()) -> Revert:
    """The error in a revert's data; without name where it is unknown, or lies.

    data: the bytes, or their hex with or without `0x`. abi: a contract's own errors, as
    entries of its JSON ABI (others than errors are passed over) or text,
    `TooOld(uint64 age)`; they come before those known anyway, which are the verifier's,
    Stork Core's, Solidity's and OpenZeppelin's. Raises ValueError for hex or an ABI
    that is none, never for what the data says.
    """
    data = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else data
    for entry in errors_of(abi):
        revert = _read(entry, data)
        if revert is not None:
            return revert
    known = _known().get(data[:_SELECTOR_LEN])
    revert = _read(known, data) if known is not None else None
    return Revert("", (), None, data) if revert is None else revert


def revert_of(error: RpcError, abi: Sequence[Signature] = ()) -> Revert | None:
    """The revert that a node's error reports; None where it is about something else.

    Nodes put the data of a revert as hex into the error's data, or into an object
    there, some with a word before it, and some leave it out, which is a revert without
    data, or with the reason that the message has.
    """
    says_so = _REVERTED.search(f"{error.message} {error.data}")
    if error.code != _CODE_OF_REVERT and not says_so:
        return None
    data = _data_of(error.data)
    return decode_revert(data, abi) if data else _of_message(error.message, abi)


def _read(entry: Entry, data: bytes) -> Revert | None:
    """The error, if the data is its."""
    if data[:_SELECTOR_LEN] != entry.selector:
        return None
    try:
        args = default_codec.decode(entry.types, data[_SELECTOR_LEN:])
    # A length of 2^255 bytes is beyond what Python counts; a string need not be UTF-8.
    except (DecodingError, UnicodeError, OverflowError):
        return None
    return Revert(entry.name, tuple(args), entry.signature, data)


@cache
def _known() -> dict[bytes, Entry]:
    entries = [_ERROR, _PANIC, *map(entry_of, ERRORS)]
    return {entry.selector: entry for entry in entries}


def _data_of(data: object, depth: int = 0) -> bytes | None:
    """The bytes that stand somewhere in an error's data; None where there are none."""
    if isinstance(data, str):
        match = _HEX_DATA.fullmatch(data.strip())
        is_whole = match is not None and len(match[1]) % 2 == 0
        return bytes.fromhex(match[1]) if match and is_whole else None
    if not isinstance(data, Mapping) or depth == _DEEPEST:
        return None
    # Some name the object for the transaction's hash.
    inner = [value for value in data.values() if isinstance(value, Mapping)]
    for value in [*(data.get(key) for key in _KEYS), *inner]:
        found = _data_of(value, depth + 1)
        if found is not None:
            return found
    return None


def _of_message(message: str, abi: Sequence[Signature]) -> Revert:
    """A revert of which the message is all that is known."""
    found = _REASON.search(message)
    if found is None:
        return Revert("", (), None, b"")
    reason = found[1].strip(" '\"")
    if reason.startswith("0x") and (data := _data_of(reason)):
        return decode_revert(data, abi)
    return Revert(_ERROR.name, (reason,), _ERROR.signature, b"")


def _shown(value: object) -> str:
    """An argument for people, cut where it is long."""
    if isinstance(value, bytes):
        text = "0x" + value[:_SHOWN_LEN].hex()
    elif isinstance(value, str):
        return value if _ADDRESS.fullmatch(value) else f'"{_printable(value)}"'
    elif isinstance(value, (tuple, list)):
        text = f"({', '.join(map(_shown, value[:_SHOWN_LEN]))})"
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _SHOWN_LEN else text[:_SHOWN_LEN] + "..."


def _printable(text: str) -> str:
    """A contract's text without what would command a terminal; cut where it is long."""
    shown = text[:_SHOWN_LEN] + ("..." if len(text) > _SHOWN_LEN else "")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
