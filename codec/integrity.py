"""Holds verification by known keys to libsecp256k1: once, at length, and in passing."""

from __future__ import annotations

import random
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from codec import _core
from codec._secp256k1 import library
from codec.errors import IntegrityError
from codec.rows import payload_bytes
from codec.tables import generator_points, verify_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["cross_check", "ensure_checked", "self_test"]

_WINDOWS = (5, 8, 13)
_SIGNATURE_LEN = 65
_checked: set[str] = set()


def ensure_checked(path: str) -> None:
    """Tries a path when it is first used in this process."""
    if path not in _checked:
        _check_path(path)
        _checked.add(path)


def cross_check(
    batch: _core.BatchBase,
    verified: NDArray[np.bool_],
    addresses: Sequence[bytes],
    share: float,
) -> None:
    """Holds a share of a batch's verdicts, chosen at random, to libsecp256k1's.

    Raises IntegrityError for the first that differs.
    """
    n = len(verified)
    chosen = random.sample(range(n), min(n, ceil(n * share)))
    found = {i: payload_bytes(batch, i) for i in chosen if batch.messages["kind"][i]}
    # Rows are the user's memory, and may point anywhere by now.
    signed = [i for i, payload in found.items() if len(payload) >= _SIGNATURE_LEN]
    for i in set(chosen) - set(signed):
        _hold(bool(verified[i]), False, i)
    payloads = [found[i] for i in signed]
    digests = _core.keccak256_batch(tuple(payload[65:] for payload in payloads))
    joined = b"".join(payload[:65] for payload in payloads)
    signatures = np.frombuffer(joined, np.uint8).reshape(-1, 65)
    expected = _core.verify_digests(
        digests, signatures, 0, b"".join(addresses), library(), 1
    )
    for i, is_good in zip(signed, expected.tolist(), strict=True):
        _hold(bool(verified[i]), is_good, i)


def _hold(found: bool, expected: bool, i: int) -> None:
    if found != expected:
        raise IntegrityError(
            f"verification by {verify_path()} says {found} of message {i}, libsecp256k1"
            f" {expected}: do not trust this machine's verdicts"
        )


def _check_path(path: str) -> None:
    """64 signatures, half of them damaged, by a path.

    Raises IntegrityError where it judges any as libsecp256k1 does not, which has been
    tried on known answers itself.
    """
    _check_signatures(path, 64, window=5, seed=0)


def _check_signatures(path: str, n: int, *, window: int, seed: int) -> int:
    """Holds n signatures by a random key, half of them damaged, to libsecp256k1.

    Returns how many are good.
    """
    secret = _core.keccak256(b"stork-codec self-test %d" % seed)
    key, digests, signatures = _make_signatures(secret, n)
    address = _core.keccak256(key)[12:]
    entry = address, generator_points(window), _core.Points(key, window)
    known = _core.KnownKeys(path, (entry,))
    expected = _core.verify_digests(digests, signatures, 0, address, library(), 1)
    # A few, one batch, and so many that the way for large batches is taken.
    for rows in (slice(0, 5), slice(0, n), np.arange(max(3 * n, 256)) % n):
        found = _core.verify_digests(
            digests[rows], signatures[rows], 0, address, library(), 1, known
        )
        if not np.array_equal(found, expected[rows]):
            raise IntegrityError(
                f"verification by {path} with windows of {window} bits differs from"
                " libsecp256k1: set STORK_CODEC_VERIFY=libsecp256k1"
            )
    return int(expected.sum())


def _make_signatures(
    secret: bytes, n: int
) -> tuple[bytes, NDArray[np.uint8], NDArray[np.uint8]]:
    """x and y of a key, and n signatures, every other one with a bit changed."""
    from coincurve import PrivateKey

    key = PrivateKey(secret)
    rng = random.Random(secret)
    texts = [rng.randbytes(32) for _ in range(n)]
    signed = [key.sign_recoverable(text, hasher=None) for text in texts]
    digests = np.frombuffer(b"".join(texts), np.uint8).reshape(n, 32).copy()
    signatures = np.frombuffer(b"".join(signed), np.uint8).reshape(n, 65).copy()
    for i in range(0, n, 2):
        at = rng.randrange(97 * 8)
        row, byte = (digests, at // 8) if at < 256 else (signatures, at // 8 - 32)
        row[i, byte] ^= 1 << at % 8
    return key.public_key.format(compressed=False)[1:], digests, signatures


def self_test(n: int = 10_000) -> dict[str, int]:
    """Holds every way to verify on this machine to libsecp256k1, at length.

    n: signatures for each way and window, by ten keys, half of them damaged. Returns
    how many were compared, by way. Raises IntegrityError where any verdict differs.
    """
    compared = {}
    for path in _core.verify_paths():
        compared[path] = 0
        for i in range(10):
            for window in _WINDOWS:
                _check_signatures(path, max(n // 10, 1), window=window, seed=i)
                compared[path] += max(n // 10, 1)
    return compared
