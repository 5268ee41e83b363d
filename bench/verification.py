"""Verification by one known key without this package: in a C loop, and in Python."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from coincurve._libsecp256k1 import ffi, lib
from coincurve.ecdsa import cdata_to_der, deserialize_compact

import codec
from bench.bare import c_loop, library_context, library_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coincurve import PublicKey
    from numpy.typing import NDArray

    from codec import Batch

__all__ = ["RIVALS", "BareVerify", "Rival", "Signed", "damaged", "signed_rows"]

_SIGNATURE_LEN = 64


class BareVerify:
    """`secp256k1_ecdsa_verify` of many, in C, by the very library that codec calls.

    Key and signatures are parsed and digests known before; a call only verifies. `v` is
    not looked at. Raises NoCompilerError where there is no working C compiler.
    """

    def __init__(
        self, key: PublicKey, digests: NDArray[np.uint8], signatures: NDArray[np.uint8]
    ) -> None:
        self._function = c_loop("bare_verify", 6)
        self._context = library_context()
        self._verify = library_function("secp256k1_ecdsa_verify")
        self._key = np.frombuffer(bytes(ffi.buffer(key.public_key)), np.uint8)
        self._digests = np.ascontiguousarray(digests)
        self._signatures = _parsed(signatures)
        self.verdicts = np.zeros(len(digests), np.bool_)
        """Which are good: those that the calls until now have looked at."""

    def __call__(self) -> int:
        return self.run(0, len(self.verdicts))

    def run(self, start: int, end: int) -> int:
        """Those from `start` to `end` only; returns how many of them are good."""
        return self._function(
            self._verify,
            self._context,
            self._key.ctypes.data,
            self.verdicts[start:].ctypes.data,
            self._signatures[start:].ctypes.data,
            self._digests[start:].ctypes.data,
            end - start,
        )


def _parsed(signatures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The library's own form of signatures r and s."""
    parsed = np.empty((len(signatures), _SIGNATURE_LEN), np.uint8)
    struct = ffi.new("secp256k1_ecdsa_signature *")
    for i, signature in enumerate(signatures):
        if not lib.secp256k1_ecdsa_signature_parse_compact(
            lib.secp256k1_context_static, struct, signature[:64].tobytes()
        ):
            raise AssertionError(f"signature {i} cannot be parsed")
        parsed[i] = np.frombuffer(ffi.buffer(struct), np.uint8)
    return parsed


class Signed(NamedTuple):
    """A digest, and r and s of its signature in the forms that libraries ask for."""

    digest: bytes
    compact: bytes
    der: bytes
    scalars: tuple[int, int]


def signed_rows(
    digests: NDArray[np.uint8], signatures: NDArray[np.uint8], n_max: int | None = None
) -> list[Signed]:
    """The first of them, or all."""
    rows = []
    for digest, signature in zip(digests[:n_max], signatures[:n_max], strict=True):
        compact = signature[:64].tobytes()
        r, s = (int.from_bytes(compact[at : at + 32]) for at in (0, 32))
        der = cdata_to_der(deserialize_compact(compact))
        rows.append(Signed(digest.tobytes(), compact, der, (r, s)))
    return rows


def damaged(payloads: Sequence[bytes]) -> tuple[Batch, list[bool]]:
    """Every other one with a bit of r, s or the body changed; and which are good."""
    changed = []
    for i, payload in enumerate(payloads):
        data = bytearray(payload)
        if i % 2:
            data[(20, 50, 85)[i // 2 % 3]] ^= 1 << i % 8
        changed.append(bytes(data))
    return codec.decode_payloads(changed), [i % 2 == 0 for i in range(len(payloads))]


class Rival(NamedTuple):
    """A library that verifies, one call a signature."""

    package: str
    call: str
    bind: Callable[[PublicKey, Sequence[Signed]], Callable[[], list[bool]]]
    """Makes what judges all of the signatures by a key; ImportError without it."""
    n_max: int
    """As many as do not take too long."""


def _coincurve(key: PublicKey, rows: Sequence[Signed]) -> Callable[[], list[bool]]:
    verify = key.verify
    return lambda: [verify(row.der, row.digest, None) for row in rows]


def _cryptography(key: PublicKey, rows: Sequence[Signed]) -> Callable[[], list[bool]]:
    ec = import_module("cryptography.hazmat.primitives.asymmetric.ec")
    utils = import_module("cryptography.hazmat.primitives.asymmetric.utils")
    hashes = import_module("cryptography.hazmat.primitives.hashes")
    invalid_error = import_module("cryptography.exceptions").InvalidSignature
    point = key.format(compressed=False)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), point)
    # A digest of 32 bytes, whichever hash it comes from.
    verify, how = theirs.verify, ec.ECDSA(utils.Prehashed(hashes.SHA256()))

    def is_good(row: Signed) -> bool:
        try:
            verify(row.der, row.digest, how)
        except invalid_error:
            return False
        return True

    return lambda: [is_good(row) for row in rows]


def _fastecdsa(key: PublicKey, rows: Sequence[Signed]) -> Callable[[], list[bool]]:
    curve = import_module("fastecdsa.curve").secp256k1
    verify = import_module("fastecdsa.ecdsa").verify
    point = import_module("fastecdsa.point").Point(*key.point(), curve)
    return lambda: [
        bool(verify(row.scalars, row.digest, point, curve, prehashed=True))
        for row in rows
    ]


def _ecdsa(key: PublicKey, rows: Sequence[Signed]) -> Callable[[], list[bool]]:
    package = import_module("ecdsa")
    point = key.format(compressed=False)[1:]
    theirs = package.VerifyingKey.from_string(point, curve=package.SECP256k1)
    verify, bad_error = theirs.verify_digest, package.BadSignatureError

    def is_good(row: Signed) -> bool:
        try:
            return bool(verify(row.compact, row.digest))
        except bad_error:
            return False

    return lambda: [is_good(row) for row in rows]


RIVALS = (
    Rival("coincurve", "coincurve's `PublicKey.verify`", _coincurve, 2000),
    Rival(
        "cryptography",
        "cryptography's `EllipticCurvePublicKey.verify`",
        _cryptography,
        500,
    ),
    Rival("fastecdsa", "fastecdsa's `ecdsa.verify`", _fastecdsa, 500),
    Rival("ecdsa", "ecdsa's `VerifyingKey.verify_digest`", _ecdsa, 50),
)
"""Python packages with wheels. `secp256k1` is left out: it wraps the library that
coincurve wraps, was as fast, and had no wheel for Python 3.14."""
