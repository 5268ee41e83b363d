"""What became of an archive's lines: how many are good, and the first that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.addresses import checksum_address
from codec.cli.signature import find_fault
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from codec import Batch

__all__ = ["HARMLESS", "N_FAILURES", "Failure", "Tally"]

HARMLESS = (ErrorCode.NOT_DATA, ErrorCode.EMPTY)
"""Lines without prices or a signature to check: not what fails an archive."""

N_FAILURES = 5
_N_CODES = max(ErrorCode) + 1
_VERIFIED = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A line that fails, from 1; offset: byte of the message or of its payload.

    signer: who signed it, where that can be said.
    """

    line: int
    code: ErrorCode
    offset: int
    signer: str | None = None


class Tally:
    """Counts lines, batch by batch.

    failures: the first N_FAILURES. signers: who is good; the batches were judged by
    them.
    """

    def __init__(self, signers: Sequence[bytes]) -> None:
        self.failures: list[Failure] = []
        self._signers = signers
        self._counts: NDArray[np.int64] = np.zeros(_N_CODES, np.int64)

    def add(self, batch: Batch) -> None:
        """Counts a batch of the next lines, decoded with "skip" and "mark"."""
        codes = _codes(batch)
        counts = np.bincount(codes, minlength=_N_CODES)
        counts += np.bincount(batch.errors["code"], minlength=_N_CODES)
        found: list[Failure] = []
        if len(self.failures) < N_FAILURES and _n_failed(counts):
            found = self._failures(batch, codes)
        self._counts += counts  # all at once: Ctrl-C never finds half a batch
        self.failures = [*self.failures, *found][:N_FAILURES]

    def _failures(self, batch: Batch, codes: NDArray[np.uint8]) -> list[Failure]:
        """The first failures of the next batch, in the order of lines."""
        first = self.n_lines + 1
        errors = batch.errors
        lines = np.delete(np.arange(len(codes) + len(errors)), _indices(errors))
        rows = np.flatnonzero(codes)[:N_FAILURES].tolist()
        found = [self._failure(batch, i, codes[i], first + int(lines[i])) for i in rows]
        malformed = errors[~np.isin(errors["code"], HARMLESS)][:N_FAILURES]
        found += [
            Failure(first + index, ErrorCode(code), offset)
            for index, offset, code in malformed.tolist()
        ]
        return sorted(found, key=lambda failure: failure.line)

    def _failure(self, batch: Batch, i: int, status: int, line: int) -> Failure:
        code = ErrorCode(status)
        if code == ErrorCode.UNSIGNED:
            return Failure(line, code, 0)
        fault = find_fault(batch.payload(i), self._signers)
        assert fault is not None and fault.code == code, "judged twice, alike"
        assert batch.signers is not None
        address = batch.signers["address"][i]
        is_known = code == ErrorCode.WRONG_SIGNER
        signer = checksum_address(address) if is_known else None
        return Failure(line, code, fault.offset, signer)

    @property
    def n_lines(self) -> int:
        """All lines, blank ones among them."""
        return int(self._counts.sum())

    @property
    def n_messages(self) -> int:
        """All lines that are not blank."""
        return self.n_lines - self.count(ErrorCode.EMPTY)

    @property
    def n_verified(self) -> int:
        """Messages that one of the signers has signed."""
        return int(self._counts[_VERIFIED])

    @property
    def n_signed(self) -> int:
        """Messages that carry a signature, good or bad."""
        return self.n_verified + int(self._counts[ErrorCode.INVALID_V :].sum())

    @property
    def n_failed(self) -> int:
        """Lines that fail the archive."""
        return _n_failed(self._counts)

    def count(self, code: ErrorCode) -> int:
        """Lines to which something happened."""
        return int(self._counts[code])


def _codes(batch: Batch) -> NDArray[np.uint8]:
    """Of each message 0, verified, or why it is not."""
    assert batch.signers is not None and batch.verified is not None
    status = batch.signers["status"]
    wrong = np.where(status == 0, np.uint8(ErrorCode.WRONG_SIGNER), status)
    return np.where(batch.verified, np.uint8(_VERIFIED), wrong)


def _n_failed(counts: NDArray[Any]) -> int:
    return int(counts[1:].sum() - counts[list(HARMLESS)].sum())


def _indices(errors: NDArray[np.void]) -> NDArray[np.int64]:
    indices: NDArray[np.int64] = errors["index"].astype(np.int64)
    return indices
