"""Private keys and recoverable signatures, through coincurve.

A key is read here and nowhere else; none ever stands in a text, a repr or a cause.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from codec.errors import SignatureError

if TYPE_CHECKING:
    from coincurve import PrivateKey

__all__ = ["Key", "private_key", "sign"]

Key: TypeAlias = "PrivateKey | bytes | str"
"""A coincurve.PrivateKey, 32 bytes, or 64 hex digits with or without `0x`."""

_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def private_key(key: Key) -> PrivateKey:
    """The key as coincurve's object.

    Raises SignatureError for a string or bytes that are no private key of secp256k1,
    TypeError for another type. Neither shows any part of the key.
    """
    from coincurve import PrivateKey

    if isinstance(key, PrivateKey):
        return key
    if isinstance(key, str):
        secret = _from_hex(key)
    elif isinstance(key, bytes):
        secret = key
    else:
        raise TypeError(
            "a private key is a coincurve.PrivateKey, bytes or hex text,"
            f" not {type(key).__name__}"
        )
    if len(secret) != 32:
        raise SignatureError(f"a private key has 32 bytes, not {len(secret)}")
    if not 0 < int.from_bytes(secret, "big") < _N:
        raise SignatureError("the private key is outside 1 .. n - 1")
    return PrivateKey(secret)


def sign(digest: bytes, key: Key) -> bytes:
    """The recoverable signature r, s, v (65 bytes, low s, v 0 or 1) of a digest."""
    return private_key(key).sign_recoverable(digest, hasher=None)


def _from_hex(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) * 2 != len(digits) or not secret:
        raise SignatureError("the private key's text is not hexadecimal")
    return secret
