"""What the verifier contract makes of a payload's bytes, before any node is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codec.addresses import checksum_address
from codec.api import decode_payloads
from codec.chain.findings import Finding, PreflightCode
from codec.errors import DecodeError, ErrorCode
from codec.signatures import eip191_digests, keccak256, recover_digests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Reading", "read", "signer_finding"]

_SIGNATURE_LEN = 65
_ASSETS_AT = 75
_ASSET_LEN = 18
_VERSIONED = 0xFF
_FIRST_V_OVERFLOW = 229  # v + 27 no longer fits a uint8
MAX_ASSETS = 65_535
_SIGNATURE_CODES = {
    ErrorCode.INVALID_V: PreflightCode.INVALID_V,
    ErrorCode.SCALAR_RANGE: PreflightCode.SCALAR_RANGE,
    ErrorCode.HIGH_S: PreflightCode.HIGH_S,
    ErrorCode.NO_POINT: PreflightCode.NO_POINT,
}


@dataclass(frozen=True)
class Reading:
    """A payload, read without its signers being known.

    updates: UPDATE_DTYPE, as the publisher meant them; None where the bytes cannot be
    read. layout: 1 or 2, 0 where that cannot be said. signer: who signed, checksummed;
    None where nobody can be named. findings: in the order of the contract's checks.
    """

    payload: bytes
    layout: int
    updates: NDArray[np.void] | None
    taxonomy_id: int | None
    timestamp_ns: int | None
    signer: str | None
    findings: tuple[Finding, ...]

    @property
    def n_assets(self) -> int | None:
        """How many entries the payload has."""
        return None if self.updates is None else len(self.updates)

    @property
    def n_read(self) -> int:
        """How many entries the contract makes of it; 0 where it refuses its length."""
        fits = _fits(self.payload)
        return (len(self.payload) - _ASSETS_AT) // _ASSET_LEN if fits else 0

    @property
    def is_bad(self) -> bool:
        """Whether it is refused, whoever the contract's signers are."""
        return any(finding.is_fatal for finding in self.findings)


def read(payload: bytes) -> Reading:
    """Reads a raw payload as the contract does: its length, v, the signature.

    Never raises for what the bytes are. The signature is judged by the rules of
    `codec.recover` (docs/signatures.md), over whatever follows its 65 bytes.
    """
    layout, taxonomy_id, timestamp_ns, updates = _fields(payload)
    findings = [*_length_findings(payload, layout, updates)]
    signer = None
    if len(payload) >= _SIGNATURE_LEN:
        signer, fault = _recovered(payload, keccak256(payload[_SIGNATURE_LEN:]))
        if fault is not None:
            findings.append(fault)
    return Reading(
        payload, layout, updates, taxonomy_id, timestamp_ns, signer, tuple(findings)
    )


def signer_finding(reading: Reading, signers: Sequence[str]) -> Finding | None:
    """What is wrong where somebody signed, and is none of the contract's signers."""
    if reading.signer is None or reading.signer in signers:
        return None
    whose = "the contract's signer is" if len(signers) == 1 else "its signers are"
    text = (
        f"signed by {reading.signer}, or changed since; {whose}"
        f" {', '.join(signers) or 'nobody'}"
    )
    digest = np.frombuffer(keccak256(reading.payload[_SIGNATURE_LEN:]), np.uint8)
    prefixed = eip191_digests(digest.reshape(1, -1))[0].tobytes()
    if _recovered(reading.payload, prefixed)[0] in signers:
        text = (
            "signed with the prefix of EIP-191, which the contract does not put before"
            " what it hashes: sign the bare keccak256 of payload[65:]"
        )
    return Finding(PreflightCode.WRONG_SIGNER, text)


def _recovered(payload: bytes, digest: bytes) -> tuple[str | None, Finding | None]:
    """Who signed a digest by the payload's signature, or why nobody did."""
    (found,) = recover_digests(
        np.frombuffer(digest, np.uint8).reshape(1, -1),
        np.frombuffer(payload, np.uint8, _SIGNATURE_LEN).reshape(1, -1),
    )
    if not found["status"]:
        return checksum_address(found["address"]), None
    status = ErrorCode(int(found["status"]))
    v = payload[_SIGNATURE_LEN - 1]
    if status == ErrorCode.INVALID_V and v >= _FIRST_V_OVERFLOW:
        text = f"the recovery id v is {v}: v + 27 overflows, which is Panic(0x11)"
        return None, Finding(PreflightCode.V_OVERFLOW, text)
    text = status.description
    if status == ErrorCode.INVALID_V:
        text = f"the recovery id v is {v}, neither 0 nor 1"
        if v in (27, 28):
            text += f": subtract 27, the contract adds it (v {v - 27})"
    return None, Finding(_SIGNATURE_CODES[status], text)


def _fields(
    payload: bytes,
) -> tuple[int, int | None, int | None, NDArray[np.void] | None]:
    """Layout, taxonomy id, timestamp and updates.

    A payload that is none of ours, because byte 65 marks a version that does not exist,
    is to the contract one with a high taxonomy id, if its length fits.
    """
    is_patched = False
    try:
        batch = decode_payloads(payload)
    except DecodeError:
        if not _fits(payload) or payload[_SIGNATURE_LEN] != _VERSIONED:
            return _unread_layout(payload), None, None, None
        head, tail = payload[:_SIGNATURE_LEN], payload[_SIGNATURE_LEN + 1 :]
        batch = decode_payloads(b"".join((head, b"\0", tail)))
        is_patched = True
    message, updates = batch.messages[0], batch.updates
    taxonomy_id = int(message["taxonomy_id"])
    if is_patched:
        taxonomy_id |= _VERSIONED << 8
        updates["taxonomy_id"] = taxonomy_id
    return int(message["layout"]), taxonomy_id, int(message["timestamp_ns"]), updates


def _unread_layout(payload: bytes) -> int:
    if len(payload) <= _SIGNATURE_LEN or payload[_SIGNATURE_LEN] != _VERSIONED:
        return 0
    return 2 if payload[_SIGNATURE_LEN + 1 : _SIGNATURE_LEN + 2] == b"\x02" else 0


def _fits(payload: bytes) -> bool:
    length = len(payload)
    return length >= _ASSETS_AT and (length - _ASSETS_AT) % _ASSET_LEN == 0


def _length_findings(
    payload: bytes, layout: int, updates: NDArray[np.void] | None
) -> Iterator[Finding]:
    length = len(payload)
    if layout == 2:
        yield from _versioned_findings(payload)
    elif not _fits(payload):
        text = f"a length of {length:,} is not 75 + 18 N: the contract reverts with"
        yield Finding(PreflightCode.INVALID_LENGTH, f"{text} InvalidPayload()")
    elif payload[_SIGNATURE_LEN] == _VERSIONED:
        second = payload[_SIGNATURE_LEN + 1]
        text = (
            f"bytes 0xFF 0x{second:02X} mark a versioned layout that cannot be read;"
            " to the contract they are the taxonomy id of the first layout"
        )
        yield Finding(PreflightCode.READ_OTHERWISE, text)
    elif updates is not None and not len(updates):
        text = "the payload has no assets"
        yield Finding(PreflightCode.NO_ASSETS, text, is_fatal=False)


def _versioned_findings(payload: bytes) -> Iterator[Finding]:
    """The contract does not look at the marker: it judges by length alone."""
    length = len(payload)
    if not _fits(payload):
        yield Finding(
            PreflightCode.VERSIONED_LAYOUT,
            "versioned layout (0xFF 0x02): the contract knows only the first layout;"
            f" {length:,} bytes are not its 75 + 18 N, so that it reverts with"
            " InvalidPayload(). The length fits by chance alone, with market status and"
            " N mod 18 = 14 assets: subscribe without addtl_attrs",
        )
        return
    n = (length - _ASSETS_AT) // _ASSET_LEN
    yield Finding(
        PreflightCode.READ_OTHERWISE,
        "versioned layout (0xFF 0x02), whose length happens to fit the first layout:"
        f" the contract takes it, and reads {n:,} assets out of it that were never"
        " published",
    )
