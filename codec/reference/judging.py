"""Judges the signatures of a decoded batch (docs/signatures.md, "With decoding")."""

from __future__ import annotations

import numpy as np

from codec.dtypes import ERROR_DTYPE
from codec.errors import BadSignatureError, ErrorCode
from codec.reference.batch import Batch, make_table
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
        batch = batch.select(batch.verified)
        batch.errors = errors
    return batch


def _indexes(batch: Batch) -> list[int]:
    """The position in the input of each message: those that no error has."""
    taken = set(batch.errors["index"].tolist())
    n_inputs = len(batch.messages) + len(taken)
    return [index for index in range(n_inputs) if index not in taken]
