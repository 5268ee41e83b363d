"""Recovery without this package: libsecp256k1 in a C loop, and coincurve in Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from coincurve import PublicKey
from coincurve._libsecp256k1 import ffi, lib

from bench.bare import c_loop, library_context, library_function

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

__all__ = [
    "KECCAK_PACKAGE",
    "BareLoop",
    "coincurve_address",
    "coincurve_addresses",
    "key_address",
    "new_keccak",
]

_SIGNATURE_LEN, _KEY_LEN = 65, 64


def _library_keccak() -> tuple[str, Callable[[bytes], Any]]:
    try:
        # Four times as fast as the other, but without wheels for macOS.
        return "safe-pysha3", import_module("sha3").keccak_256
    except ImportError:
        new = import_module("Crypto.Hash.keccak").new
        return "pycryptodome", lambda data: new(digest_bits=256, data=data)


KECCAK_PACKAGE, new_keccak = _library_keccak()
"""The keccak256 that a user would take: `new_keccak(data).digest()`."""


def key_address(key: PublicKey) -> bytes:
    """The address of a public key."""
    return bytes(new_keccak(key.format(compressed=False)[1:]).digest()[12:])


def coincurve_address(payload: bytes) -> bytes:
    """Who signed a payload, as a user of coincurve would find out."""
    digest = new_keccak(payload[65:]).digest()
    key = PublicKey.from_signature_and_message(payload[:65], digest, hasher=None)
    return key_address(key)


def coincurve_addresses(payloads: Iterable[bytes]) -> list[bytes]:
    """The same for many."""
    return [coincurve_address(payload) for payload in payloads]


class BareLoop:
    """`secp256k1_ecdsa_recover` of many, in C, by the very library that codec calls.

    Signatures are parsed and digests known before; a call does the recoveries only.
    Raises NoCompilerError where there is no working C compiler.
    """

    def __init__(self, digests: NDArray[np.uint8], signatures: NDArray[np.uint8]):
        self._function = c_loop("bare_recover", 5)
        self._context = library_context()
        self._recover = library_function("secp256k1_ecdsa_recover")
        self._digests = np.ascontiguousarray(digests)
        self._signatures = _parsed(signatures)
        self._keys = np.zeros((len(digests), _KEY_LEN), np.uint8)

    def __call__(self) -> None:
        self.run(0, len(self._keys))

    def run(self, start: int, end: int) -> None:
        """Those from `start` to `end` only."""
        n_recovered = self._function(
            self._recover,
            self._context,
            self._keys[start:].ctypes.data,
            self._signatures[start:].ctypes.data,
            self._digests[start:].ctypes.data,
            end - start,
        )
        if n_recovered != end - start:
            raise AssertionError(f"{n_recovered} of {end - start} recovered")

    def addresses(self) -> list[bytes]:
        """Of the keys that the last call found."""
        found = []
        for row in self._keys:
            key = ffi.new("secp256k1_pubkey *")
            ffi.memmove(key, row.tobytes(), _KEY_LEN)
            found.append(key_address(PublicKey(key)))
        return found


def _parsed(signatures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The library's own form of signatures r, s and v (0 or 1)."""
    parsed = np.empty((len(signatures), _SIGNATURE_LEN), np.uint8)
    struct = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    for i, signature in enumerate(signatures):
        text, v = signature[:64].tobytes(), int(signature[64])
        if v > 1 or not lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
            lib.secp256k1_context_static, struct, text, v
        ):
            raise AssertionError(f"signature {i} cannot be parsed")
        parsed[i] = np.frombuffer(ffi.buffer(struct), np.uint8)
    return parsed
