"""Judges the signatures of a decoded batch (docs/signatures.md, "With decoding")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from codec.dtypes import ERROR_DTYPE
from codec.errors import BadSignatureError, ErrorCode
from codec.reference.batch import Batch, copy_table, make_table
from codec.reference.signatures import find_signers, is_good, signer_table


def judge(batch: Batch, addresses: frozenset[bytes], on_bad_signature: str) -> Batch:
    """The batch with `verified` and `signers`; the bad raised, marked or dropped."""
    findings = list(find_signers(batch))
    good = [is_good(finding, addresses) for finding in findings]
    bad = [
        (index, finding.offset, finding.status or ErrorCode.WRONG_SIGNER)
        for index, finding, ok in zip(_indexes(batch), findings, good, strict=True)
        if not ok
    ]
    if bad and on_bad_signature == "raise":
        index, offset, code = bad[0]
        raise BadSignatureError(code, index, offset)
    batch.verified = np.array(good, dtype=np.bool_)
    batch.signers = signer_table(findings)
    if on_bad_signature == "drop":
        errors = make_table(sorted(batch.errors.tolist() + bad), ERROR_DTYPE)
        return _keep(batch, batch.verified, batch.signers, errors)
    return batch


def _indexes(batch: Batch) -> list[int]:
    """The position in the input of each message: those that no error has."""
    taken = set(batch.errors["index"].tolist())
    n_inputs = len(batch.messages) + len(taken)
    return [index for index in range(n_inputs) if index not in taken]


def _keep(
    batch: Batch,
    keep: npt.NDArray[np.bool_],
    signers: npt.NDArray[np.void],
    errors: npt.NDArray[np.void],
) -> Batch:
    """The messages to keep, all of them signed, as if they alone had been decoded."""
    messages = copy_table(batch.messages, keep)
    for first, count in (
        ("first_update", "update_count"),
        ("payload_offset", "payload_len"),
    ):
        counts = messages[count].astype(np.uint64)
        messages[first] = np.cumsum(counts) - counts
    arena = bytearray().join(batch.payload(i) for i in np.flatnonzero(keep).tolist())
    return Batch(
        messages,
        copy_table(batch.updates, keep[batch.message_index()]),
        errors,
        np.frombuffer(arena, np.uint8),
        np.ones(len(messages), dtype=np.bool_),
        signers[keep],
    )
