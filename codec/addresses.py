"""Ethereum addresses: as bytes, and as text with EIP-55's checksum."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from codec import _core
from codec.errors import SignatureError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Address", "Signers", "checksum_address", "read_signers"]

Address: TypeAlias = "bytes | bytearray | str"
"""20 bytes, or 40 hex digits with or without `0x`."""

Signers: TypeAlias = "Address | Iterable[Address] | NDArray[Any]"
"""One address or several, as an array of uint8 too: shape (20,) or (k, 20)."""

_ADDRESS_LEN = 20
_HEX = re.compile(r"[0-9a-fA-F]{40}")


def checksum_address(address: bytes | bytearray | NDArray[np.uint8]) -> str:
    """The text of a 20-byte address: `0x` and hex digits in EIP-55's case.

    address: bytes, or an `address` of SIGNER_DTYPE. Raises SignatureError for another
    length.
    """
    data = bytes(address)
    if len(data) != _ADDRESS_LEN:
        raise SignatureError(f"an address has 20 bytes, not {len(data)}")
    digits = data.hex()
    places = _core.keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if place >= "8" else digit
        for digit, place in zip(digits, places[:40], strict=True)
    )


def read_signers(signers: Signers) -> list[bytes]:
    """The addresses as 20 bytes each, sorted, every one once.

    Raises SignatureError for an address that is none and for no address at all,
    TypeError for what is neither text nor bytes.
    """
    if isinstance(signers, (str, bytes, bytearray)):
        return [_read(signers, 0)]
    if isinstance(signers, np.ndarray) and signers.dtype.kind not in "OUS":
        return sorted(set(_read_array(signers)))
    if not isinstance(signers, Iterable):
        raise TypeError(
            f"a signer is 20 bytes or hex text, not {type(signers).__name__}"
        )
    found = {_read(signer, i) for i, signer in enumerate(signers)}
    if not found:
        raise SignatureError("no signer is given, so no signature could be good")
    return sorted(found)


def _read(signer: Any, i: int) -> bytes:
    if isinstance(signer, str):
        return _read_text(signer, i)
    if not isinstance(signer, (bytes, bytearray)):
        kind = type(signer).__name__
        raise TypeError(f"a signer is 20 bytes or hex text, not {kind} [signer {i}]")
    if len(signer) != _ADDRESS_LEN:
        raise SignatureError(f"an address has 20 bytes, not {len(signer)} [signer {i}]")
    return bytes(signer)


def _read_text(text: str, i: int) -> bytes:
    digits = text.removeprefix("0x")
    if not _HEX.fullmatch(digits):
        raise SignatureError(
            f"an address has 40 hex digits, with or without 0x: {text[:50]!r}"
            f" [signer {i}]"
        )
    address = bytes.fromhex(digits)
    is_mixed = digits not in (digits.lower(), digits.upper())
    if is_mixed and checksum_address(address)[2:] != digits:
        raise SignatureError(
            "the letters' case is not the checksum of EIP-55, so a digit may be wrong:"
            f" {text} [signer {i}]"
        )
    return address


def _read_array(array: NDArray[Any]) -> list[bytes]:
    if array.dtype != np.uint8:
        raise TypeError(f"an array of signers has dtype uint8, not {array.dtype}")
    rows = array.reshape(1, -1) if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] != _ADDRESS_LEN or not len(rows):
        raise SignatureError(
            f"an array of signers has the shape (20,) or (k, 20), not {array.shape}"
        )
    return [row.tobytes() for row in rows]
