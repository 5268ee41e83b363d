"""Hashes, and who signed: signatures judged as the chain judges them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from codec import _core
from codec._secp256k1 import library
from codec.addresses import read_signers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.addresses import Signers

__all__ = [
    "OnBadSignature",
    "digests",
    "eip191_digests",
    "keccak256",
    "keccak256_batch",
    "make_judge",
    "recover",
    "recover_digests",
    "verify",
]

OnBadSignature: TypeAlias = Literal["raise", "mark", "drop"]


def keccak256(data: Buffer) -> bytes:
    """keccak256 (32 bytes) of contiguous bytes, as Ethereum uses it (not SHA3-256)."""
    return _core.keccak256(data)


def keccak256_batch(items: Iterable[Buffer] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """keccak256 of many inputs, eight at a time where the machine has AVX-512.

    items: an iterable of bytes-like objects, or a uint8 array of shape (n, length) with
    an input in each row. Returns uint8, shape (n, 32).

    Raises TypeError for a single input (`keccak256` takes that) or another dtype,
    ValueError for an array of another shape.
    """
    if isinstance(items, np.ndarray) and items.dtype != object:
        return _core.keccak256_rows(_rows(items, "items", None))
    if isinstance(items, (bytes, bytearray, memoryview, str)) or not isinstance(
        items, Iterable
    ):
        raise TypeError(
            "an iterable of bytes-like objects or a 2-D uint8 array is needed, not"
            f" {type(items).__name__}"
        )
    return _core.keccak256_batch(tuple(items))


def eip191_digests(hashes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    r"""keccak256("\x19Ethereum Signed Message:\n32" ‖ hash) of each row (EIP-191).

    hashes: uint8, shape (n, 32); the result too. Raises TypeError for another dtype,
    ValueError for another shape.
    """
    return _core.eip191_digests(_rows(hashes, "hashes", 32))


def digests(batch: _core.BatchBase) -> NDArray[np.uint8]:
    """What the signature of each message signs: keccak256(payload[65:]).

    Returns uint8, shape (m, 32), a row for each of `batch.messages`; zeros for an
    unsigned one. Raises ValueError where the payloads of signed messages were not kept.
    """
    return _core.batch_digests(batch)


def recover(batch: _core.BatchBase, *, threads: int = 1) -> NDArray[np.void]:
    """Who signed each message, judged as the verifier contract judges it.

    Returns ndarray[SIGNER_DTYPE], shape (m,), a row for each of `batch.messages`:
    `address` (20 bytes) and `status`, 0 or the `ErrorCode` that says why nobody can be
    named (the address is zero then). docs/signatures.md has the rules. A recovery takes
    about 30 us; threads: workers, 0 for one on each core.

    Raises ValueError where the payloads of signed messages were not kept,
    IntegrityError where coincurve's libsecp256k1 fails the check of its first use.
    """
    return _core.recover_batch(batch, library(), threads)


def verify(
    batch: _core.BatchBase, signers: Signers, *, threads: int = 1
) -> NDArray[np.bool_]:
    """Whether each message was signed by one of the signers, as the chain judges it.

    signers: one address or several, as 20 bytes or as hex text; text in both cases must
    carry a right EIP-55 checksum. Returns bool, shape (m,), a row for each of
    `batch.messages`; False for unsigned ones. threads as in `recover`.

    Raises SignatureError for an address that is none or for no signer at all, TypeError
    for a signer that is neither text nor bytes, and what `recover` raises.
    """
    addresses = b"".join(read_signers(signers))
    return _core.verify_batch(batch, addresses, library(), threads)


def recover_digests(
    digests: NDArray[np.uint8],
    signatures: NDArray[np.uint8],
    *,
    threads: int = 1,
    v_offset: int = 0,
) -> NDArray[np.void]:
    """Who signed each digest, by the rules that `recover` goes by.

    digests: uint8, shape (n, 32). signatures: uint8, shape (n, 65): r, s and v, which
    is `v_offset` or `v_offset + 1` (27 for Ethereum's usual form). Returns
    ndarray[SIGNER_DTYPE], shape (n,).

    Raises TypeError for another dtype, ValueError for other shapes, for unequal lengths
    and for a `v_offset` outside 0 .. 254, IntegrityError as `recover`.
    """
    offset = index(v_offset)
    if not 0 <= offset <= 254:
        raise ValueError(f"v_offset must be in 0 .. 254, not {offset}")
    rows = _rows(digests, "digests", 32)
    signed = _rows(signatures, "signatures", 65)
    if len(rows) != len(signed):
        raise ValueError(f"{len(rows)} digests, but {len(signed)} signatures")
    return _core.recover_digests(rows, signed, offset, library(), threads)


def make_judge(
    signers: Signers | None, on_bad_signature: OnBadSignature, payloads: bool
) -> _core.Judge | None:
    """What a decoder needs to verify; None where no signers are given."""
    if on_bad_signature not in ("raise", "mark", "drop"):
        raise ValueError(
            f"on_bad_signature is 'raise', 'mark' or 'drop', not {on_bad_signature!r}"
        )
    if signers is None:
        return None
    if not payloads:
        raise ValueError("signers need the payloads, which payloads=False leaves out")
    addresses = b"".join(read_signers(signers))
    is_raising, is_dropping = on_bad_signature == "raise", on_bad_signature == "drop"
    return _core.Judge(library(), addresses, is_raising, is_dropping)


def _rows(array: Any, name: str, width: int | None) -> NDArray[np.uint8]:
    """A 2-D array of uint8 whose rows are contiguous."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = getattr(array, "dtype", None) or type(array).__name__
        raise TypeError(f"{name} must be an array of uint8, not {found}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array")
    if array.ndim != 2 or (width is not None and array.shape[1] != width):
        shape = f"(n, {'length' if width is None else width})"
        raise ValueError(f"{name} must have the shape {shape}, not {array.shape}")
    if array.shape[1] and array.strides[1] != 1:
        return np.ascontiguousarray(array)
    return np.asarray(array)
