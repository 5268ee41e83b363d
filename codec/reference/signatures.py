"""Who signed: the rules of docs/signatures.md, one signature at a time."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from codec.dtypes import SIGNER_DTYPE
from codec.errors import ErrorCode
from codec.reference.keccak import keccak256, stack_digests
from codec.reference.signers import Signers, read_signers

_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SIGNATURE_LEN = 65
_NOBODY = bytes(20)
_EIP191 = b"\x19Ethereum Signed Message:\n32"


class Decoded(Protocol):
    """A batch of this package or of the compiled core."""

    @property
    def messages(self) -> npt.NDArray[np.void]: ...
    @property
    def payload_arena(self) -> npt.NDArray[np.uint8] | None: ...


class Finding(NamedTuple):
    """What one signature says; offset: the byte of the payload that is at fault."""

    address: bytes
    status: int
    offset: int


def digests(batch: Decoded) -> npt.NDArray[np.uint8]:
    """keccak256(payload[65:]) of each message, zeros of an unsigned one: (m, 32)."""
    return stack_digests(
        keccak256(payload[_SIGNATURE_LEN:]) if payload else bytes(32)
        for payload in _payloads(batch)
    )


def recover(batch: Decoded, *, threads: int = 1) -> npt.NDArray[np.void]:
    """Who signed each message, as SIGNER_DTYPE. `threads` changes nothing here.

    Raises ValueError where signed messages were decoded with payloads=False.
    """
    check_threads(threads)
    return signer_table(find_signers(batch))


def verify(
    batch: Decoded, signers: Signers, *, threads: int = 1
) -> npt.NDArray[np.bool_]:
    """Whether each message has a good signature by one of `signers`.

    Raises as `recover` does, and SignatureError or TypeError for a bad signer.
    """
    check_threads(threads)
    addresses = read_signers(signers)
    good = [is_good(finding, addresses) for finding in find_signers(batch)]
    return np.array(good, dtype=np.bool_)


def recover_digests(
    digests: npt.NDArray[np.uint8],
    signatures: npt.NDArray[np.uint8],
    *,
    threads: int = 1,
    v_offset: int = 0,
) -> npt.NDArray[np.void]:
    """Who signed each of other digests, as SIGNER_DTYPE.

    digests: shape (n, 32). signatures: shape (n, 65), r, s and v, which is `v_offset`
    (0 .. 254) or one more.
    """
    check_threads(threads)
    v_offset = operator.index(v_offset)
    if not 0 <= v_offset <= 254:
        raise ValueError(f"v_offset is 0 .. 254, not {v_offset}")
    _check_rows(digests, "digests", 32)
    _check_rows(signatures, "signatures", _SIGNATURE_LEN)
    if len(digests) != len(signatures):
        raise ValueError(f"{len(signatures)} signatures for {len(digests)} digests")
    return signer_table(
        find_signer(digest.tobytes(), signature.tobytes(), v_offset)
        for digest, signature in zip(digests, signatures, strict=True)
    )


def eip191_digests(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What `personal_sign` of a 32-byte hash signs, of each row: (n, 32) to (n, 32)."""
    _check_rows(hashes, "hashes", 32)
    return stack_digests(keccak256(_EIP191 + row.tobytes()) for row in hashes)


def find_signers(batch: Decoded) -> Iterator[Finding]:
    """The signer of each message."""
    for payload in _payloads(batch):
        if payload:
            digest = keccak256(payload[_SIGNATURE_LEN:])
            yield find_signer(digest, payload[:_SIGNATURE_LEN])
        else:
            yield Finding(_NOBODY, ErrorCode.UNSIGNED, 0)


def find_signer(digest: bytes, signature: bytes, v_offset: int = 0) -> Finding:
    """The signer of one digest, or the first rule that the signature breaks."""
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:64], "big")
    recovery_id = signature[64] - v_offset
    if recovery_id not in (0, 1):
        return Finding(_NOBODY, ErrorCode.INVALID_V, 64)
    if not 0 < r < _N:
        return Finding(_NOBODY, ErrorCode.SCALAR_RANGE, 0)
    if not 0 < s < _N:
        return Finding(_NOBODY, ErrorCode.SCALAR_RANGE, 32)
    if s > (_N - 1) // 2:
        return Finding(_NOBODY, ErrorCode.HIGH_S, 32)
    from coincurve import PublicKey

    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery_id]), digest, hasher=None
        )
    except ValueError:  # all else that it refuses was refused above
        return Finding(_NOBODY, ErrorCode.NO_POINT, 0)
    return Finding(keccak256(key.format(compressed=False)[1:])[-20:], 0, 0)


def is_good(finding: Finding, addresses: frozenset[bytes]) -> bool:
    """Whether one of `addresses` signed."""
    return finding.status == 0 and finding.address in addresses


def signer_table(findings: Iterable[Finding]) -> npt.NDArray[np.void]:
    """An array of SIGNER_DTYPE."""
    rows = [(tuple(finding.address), finding.status) for finding in findings]
    return np.array(rows, dtype=SIGNER_DTYPE)


def check_threads(threads: int) -> None:
    """ValueError for a negative number, TypeError for what is no integer."""
    if operator.index(threads) < 0:
        raise ValueError(f"threads is 0 (all cores) or more, not {threads}")


def _payloads(batch: Decoded) -> list[bytes]:
    """The payload of each message, b"" of an unsigned one."""
    arena = batch.payload_arena
    if arena is None:
        if batch.messages["kind"].any():
            raise ValueError("the batch was decoded with payloads=False")
        return [b""] * len(batch.messages)
    starts = batch.messages["payload_offset"].tolist()
    lengths = batch.messages["payload_len"].tolist()
    return [
        arena[start : start + length].tobytes()
        for start, length in zip(starts, lengths, strict=True)
    ]


def _check_rows(rows: object, name: str, width: int) -> None:
    if not isinstance(rows, np.ndarray) or rows.dtype != np.uint8:
        raise TypeError(f"{name} must be a uint8 array of shape (n, {width})")
    if isinstance(rows, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array")
    if rows.ndim != 2 or rows.shape[1] != width:
        raise ValueError(f"{name} must have shape (n, {width}), not {rows.shape}")
