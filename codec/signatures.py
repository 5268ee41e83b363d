"""Hashes, and who signed: signatures judged as the chain judges them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from codec import _core
from codec._secp256k1 import library
from codec.integrity import cross_check as check_verdicts
from codec.known import choose, read_known_signers
from codec.rows import as_rows, as_signed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.known import Signers

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
        return _core.keccak256_rows(as_rows(items, "items", None))
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
    return _core.eip191_digests(as_rows(hashes, "hashes", 32))


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
    batch: _core.BatchBase,
    signers: Signers,
    *,
    threads: int = 1,
    cross_check: float = 0.0,
) -> NDArray[np.bool_]:
    """Whether each message was signed by one of the signers, as the chain judges it.

    signers: one or several addresses, as 20 bytes or as hex text; text in both cases
    must carry a right EIP-55 checksum. Or `KnownSigner`s, whose signatures cost about
    half a microsecond instead of 30; addresses become such, once some dozens of their
    signatures have been asked for in this process. Returns bool, shape (m,), a row for
    each of `batch.messages`; False for unsigned ones. threads as in `recover`.
    cross_check: the share of the verdicts, chosen at random, that libsecp256k1 gives a
    second time.

    Raises SignatureError for an address that is none or for no signer at all, TypeError
    for a signer that is neither text nor bytes, ValueError for a share outside 0 .. 1,
    IntegrityError for a verdict that libsecp256k1 does not share, and what `recover`
    raises.
    """
    if not 0 <= cross_check <= 1:
        raise ValueError(f"cross_check is a share, 0 .. 1, not {cross_check}")
    addresses, given = read_known_signers(signers)
    verified = _core.verify_batch(
        batch,
        b"".join(addresses),
        library(),
        threads,
        choose(addresses, given, batch),
    )
    if cross_check:
        check_verdicts(batch, verified, addresses, cross_check)
    return verified


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
    rows, signed, offset = as_signed(digests, signatures, v_offset)
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
    addresses, given = read_known_signers(signers)
    return _core.Judge(
        library(),
        b"".join(addresses),
        partial(choose, addresses, given),
        on_bad_signature == "raise",
        on_bad_signature == "drop",
    )
