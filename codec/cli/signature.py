"""The signature of one message: what it signs, who signed, and whether that is good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codec import BadSignatureError, ErrorCode, checksum_address, decode_payloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec import Batch

__all__ = ["Signature", "find_fault", "read_signature"]


@dataclass(frozen=True, slots=True)
class Signature:
    """digest, signer: as text; None where there is none, or nobody can be named.

    fault: why the signature is bad. asked: the signers that it was compared with.
    """

    digest: str | None
    signer: str | None
    fault: BadSignatureError | None
    asked: tuple[str, ...]


def read_signature(batch: Batch, signers: Sequence[bytes] = ()) -> Signature:
    """The signature of the only message of a batch.

    Without signers the one who did sign is as good as any.
    """
    asked = tuple(checksum_address(signer) for signer in signers)
    if not batch.messages["kind"][0]:
        fault = BadSignatureError(ErrorCode.UNSIGNED, 0, 0)
        return Signature(None, None, fault, asked)
    found = batch.recover()[0]
    return Signature(
        batch.digests()[0].tobytes().hex(),
        None if found["status"] else checksum_address(found["address"]),
        find_fault(batch.payload(0), signers or [found["address"].tobytes()]),
        asked,
    )


def find_fault(
    payload: memoryview, signers: Sequence[bytes]
) -> BadSignatureError | None:
    """Why none of the signers has validly signed a payload, and at which byte."""
    try:
        decode_payloads(payload, signers=signers)
    except BadSignatureError as error:
        return error
    return None
