"""Reads the addresses of signers (docs/signatures.md, "Signers")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from codec.errors import SignatureError
from codec.reference.keccak import keccak256

Signer: TypeAlias = bytes | bytearray | str
Signers: TypeAlias = "Signer | Iterable[Signer] | npt.NDArray[np.uint8]"

_ADDRESS = re.compile(r"(?:0x)?([0-9a-fA-F]{40})")


def read_signers(signers: Signers) -> frozenset[bytes]:
    """The addresses, 20 bytes each, of one signer or of several.

    signers: 20 bytes or 40 hex digits with or without `0x`, an iterable of them, or a
    uint8 array of shape (20,) or (k, 20). Raises SignatureError for what is no address
    and for no signer at all, TypeError for what is neither text nor bytes.
    """
    items: Iterable[Any]
    if isinstance(signers, bytes | bytearray | str):
        items = [signers]
    elif isinstance(signers, np.ndarray) and signers.dtype == np.uint8:
        if signers.ndim not in (1, 2) or signers.shape[-1] != 20:
            raise SignatureError(
                f"an array of signers has shape (20,) or (k, 20), not {signers.shape}"
            )
        items = [row.tobytes() for row in signers.reshape(-1, 20)]
    else:
        items = signers
    addresses = frozenset(_read_address(item, i) for i, item in enumerate(items))
    if not addresses:
        raise SignatureError("no signer is given, so no signature could be good")
    return addresses


def _read_address(signer: object, i: int) -> bytes:
    if isinstance(signer, bytes | bytearray):
        if len(signer) != 20:
            reason = f"an address has 20 bytes, not {len(signer)}"
            raise SignatureError(f"{reason} [signer {i}]")
        return bytes(signer)
    if not isinstance(signer, str):
        kind = type(signer).__name__
        raise TypeError(f"an address is bytes or hex text, not {kind} [signer {i}]")
    match = _ADDRESS.fullmatch(signer)
    if match is None:
        reason = "an address is 40 hex digits, with or without 0x"
        raise SignatureError(f"{reason} [signer {i}]")
    digits = match[1]
    if digits not in (digits.lower(), digits.upper(), _checksummed(digits)):
        reason = "the address's capital letters are no EIP-55 checksum of it"
        raise SignatureError(f"{reason} [signer {i}]")
    return bytes.fromhex(digits)


def _checksummed(digits: str) -> str:
    """The address as EIP-55 writes it: a letter is capital where the hash has 8..f."""
    digits = digits.lower()
    nibbles = keccak256(digits.encode()).hex()
    return "".join(
        digit.upper() if nibble >= "8" else digit
        for digit, nibble in zip(digits, nibbles, strict=False)
    )
