"""What a contract is called with, and what it returns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from eth_abi.abi import default_codec
from eth_abi.exceptions import EncodingError
from eth_abi.grammar import TupleType
from eth_abi.grammar import parse as parse_type

from codec.addresses import checksum_address, read_signers
from codec.api import decode
from codec.chain.abi import Entry, Signature, errors_of, read_signature
from codec.chain.assets import decode_assets
from codec.errors import DecodeError, ErrorCode

if TYPE_CHECKING:
    from eth_abi.grammar import ABIType

__all__ = [
    "PAYLOAD",
    "VERIFY",
    "VERIFY_AND_DESERIALIZE",
    "Payload",
    "Target",
    "calldata",
    "decode_assets",
    "payload_bytes",
    "selector",
]

Payload: TypeAlias = "bytes | bytearray | memoryview | str"
"""A signed payload's bytes, its hex, or the whole JSON message that brings it."""


class _Place(Enum):
    PAYLOAD = "PAYLOAD"

    def __repr__(self) -> str:
        return self.value


PAYLOAD: Final = _Place.PAYLOAD
"""Stands for the payload among a function's arguments."""

VERIFY: Final = "verifySignedECDSAPayload(bytes)"
VERIFY_AND_DESERIALIZE: Final = "verifyAndDeserializeSignedECDSAPayload(bytes)"

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_HEX_DIGITS = re.compile(r"[0-9a-fA-F]*")


def payload_bytes(payload: Payload) -> bytes:
    """The bytes that go on chain.

    payload: the bytes themselves (not checked); hex with or without `0x` (as bytes with
    it); or a JSON message of type signed_ecdsa, as text or bytes. Raises DecodeError
    (a ValueError) for text that is neither and for an unsigned message, TypeError for
    another type.
    """
    if isinstance(payload, str):
        text = payload.strip()
        return _of_message(text) if text.startswith("{") else _of_hex(text)
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise TypeError(f"a payload is bytes or str, not {type(payload).__name__}")
    data = bytes(payload)
    # Bytes may begin like text by chance, but a signature's 64 are not text throughout.
    if data.startswith(b"{") and _is_text(data):
        return _of_message(data)
    if data.startswith(b"0x") and _is_text(data) and _HEX.fullmatch(data[2:].decode()):
        return bytes.fromhex(data[2:].decode())
    return data


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _of_message(message: str | bytes) -> bytes:
    batch = decode(message)
    if not batch.messages["kind"][0]:
        raise DecodeError(ErrorCode.UNSIGNED, 0, 0)
    return bytes(batch.payload(0))


def _of_hex(text: str) -> bytes:
    start = 2 if text[:2] in ("0x", "0X") else 0
    digits = _HEX_DIGITS.match(text, start)
    assert digits is not None
    if not text:
        raise DecodeError(ErrorCode.EMPTY, 0, 0)
    if digits.end() < len(text):
        raise DecodeError(ErrorCode.INVALID_HEX, 0, digits.end())
    if (len(text) - start) % 2:
        raise DecodeError(ErrorCode.ODD_HEX, 0, len(text))
    return bytes.fromhex(text[start:])


def selector(function: str) -> bytes:
    """The first four bytes of a function's calldata: `transfer(address,uint256)`.

    Arguments' names and spaces are allowed and do not count, `uint` is `uint256`.
    Raises ValueError for what is no function's signature.
    """
    return read_signature(function).selector


def calldata(
    payload: Payload,
    function: str = VERIFY_AND_DESERIALIZE,
    args: Sequence[object] | None = None,
) -> bytes:
    """The data of a transaction that calls a function with a payload.

    args: the function's arguments, PAYLOAD standing exactly once for the payload, also
    within tuples and arrays (both are lists or tuples); None for a function whose only
    argument is it. Bytes may be given as text, `0x` and hex. Raises ValueError for
    arguments that are not the function's, DecodeError as `payload_bytes` does.
    """
    return _encode(read_signature(function), payload_bytes(payload), args)


def _encode(entry: Entry, payload: bytes, args: Sequence[object] | None) -> bytes:
    if args is None:
        if entry.types != ("bytes",):
            raise ValueError(
                f"{entry.signature} takes more than a payload: give its arguments,"
                " PAYLOAD among them"
            )
        args = (PAYLOAD,)
    if len(args) != len(entry.types):
        raise ValueError(
            f"{entry.signature} takes {len(entry.types)} arguments, not {len(args)}"
        )
    n_places = sum(map(_count_places, args))
    if n_places != 1:
        raise ValueError(f"PAYLOAD stands once among the arguments, not {n_places}x")
    filled = [
        _fill(argument, _parsed(abi_type), payload, f"argument {i} of {entry.name}")
        for i, (argument, abi_type) in enumerate(
            zip(args, entry.types, strict=True), start=1
        )
    ]
    try:
        return entry.selector + default_codec.encode(entry.types, filled)
    except EncodingError:
        raise _misfit(entry, filled) from None


def _count_places(argument: object) -> int:
    if isinstance(argument, (list, tuple)):
        return sum(map(_count_places, argument))
    return int(argument is PAYLOAD)


@lru_cache(maxsize=1024)
def _parsed(abi_type: str) -> ABIType:
    parsed: ABIType = parse_type(abi_type)
    return parsed


def _fill(argument: Any, abi_type: ABIType, payload: bytes, place: str) -> Any:
    """The argument with the payload in its place, and bytes instead of hex."""
    written: str = abi_type.to_type_str()  # type: ignore[no-untyped-call]
    if argument is PAYLOAD:
        if written != "bytes":
            raise ValueError(f"the payload is bytes, not {written} [{place}]")
        return payload
    if isinstance(argument, (list, tuple)):
        if abi_type.is_array:
            inner = abi_type.item_type
            return [_fill(part, inner, payload, place) for part in argument]
        if isinstance(abi_type, TupleType):
            parts = zip(argument, abi_type.components, strict=False)
            filled = [_fill(part, inner, payload, place) for part, inner in parts]
            return (*filled, *argument[len(filled) :])
    is_bytes = written.startswith("bytes") and not abi_type.is_array
    if is_bytes and isinstance(argument, str):
        if not argument.startswith("0x") or not _HEX.fullmatch(argument, 2):
            raise ValueError(f"{written} as text is 0x and hex digits [{place}]")
        return bytes.fromhex(argument[2:])
    return argument


def _misfit(entry: Entry, filled: list[Any]) -> ValueError:
    """Which of the arguments is not of its type."""
    pairs = zip(filled, entry.types, strict=True)
    for i, (argument, abi_type) in enumerate(pairs, start=1):
        if not default_codec.is_encodable(abi_type, argument):
            return ValueError(
                f"{argument!r:.100} is no {abi_type} [argument {i} of {entry.name}]"
            )
    return ValueError(f"these are no arguments of {entry.signature}")


@dataclass(frozen=True)
class Target:
    """A function of a contract to which payloads are sent.

    address: the contract's. function: its signature. args: as in `calldata`. verifier:
    the address of the verifier that it asks; None where that is the contract itself.
    abi: the contract's own errors, as entries of a JSON ABI or text, `TooOld(uint64)`.

    Raises ValueError for a function or arguments that do not fit it, SignatureError (a
    ValueError too) for an address that is none.
    """

    address: str
    function: str = VERIFY_AND_DESERIALIZE
    args: Sequence[object] | None = field(default=None, hash=False)
    verifier: str | None = None
    abi: Sequence[Signature] = field(default=(), hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", _checksummed(self.address))
        if self.verifier is not None:
            object.__setattr__(self, "verifier", _checksummed(self.verifier))
        if self.args is not None:
            object.__setattr__(self, "args", tuple(self.args))
        object.__setattr__(self, "abi", tuple(self.abi))
        errors_of(self.abi)
        _encode(self._entry, b"", self.args)

    @cached_property
    def _entry(self) -> Entry:
        return read_signature(self.function)

    @property
    def verifier_address(self) -> str:
        """The address of the contract that judges the signature and takes the fee."""
        return self.address if self.verifier is None else self.verifier

    @property
    def is_bare_verify(self) -> bool:
        """Whether a bad signature would not revert, but be answered with false."""
        return self._entry.signature == VERIFY

    def calldata(self, payload: Payload) -> bytes:
        """The data of a transaction that brings the payload."""
        return _encode(self._entry, payload_bytes(payload), self.args)


def _checksummed(address: str) -> str:
    if not isinstance(address, str):
        raise TypeError(f"an address is text, not {type(address).__name__}")
    return checksum_address(read_signers(address)[0])
