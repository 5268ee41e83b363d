"""What was bad in the inputs: with its place, its reason, and what it looked like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from codec.errors import ErrorCode, MessageError
from codec.export.places import NewFile
from codec.recording.text import frames

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from codec.errors import DamageError

__all__ = [
    "HARMLESS",
    "Fault",
    "FaultList",
    "Lines",
    "fault_at",
    "faults_of",
    "line_starts",
]

HARMLESS = (ErrorCode.NOT_DATA, ErrorCode.EMPTY)
"""Lines without data, such as answers to a subscription: no fault of an archive."""

_SHOWN_LEN = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """One bad message, or one damaged place of a file.

    line: from 1. offset: byte of the message, from 0; of its payload where
    `is_of_payload`; None where there is no such byte. text_offset: where the line
    begins in the file's text; None where that is not known. file_offset: the byte of
    the file, of damage only. text: the first characters of the message.
    """

    path: str
    line: int | None
    offset: int | None
    text_offset: int | None
    code: str
    reason: str
    text: str
    is_of_payload: bool = False
    file_offset: int | None = None

    @classmethod
    def of_damage(cls, error: DamageError) -> Fault:
        """A place that cannot be read."""
        return cls(
            error.path,
            None,
            None,
            None,
            "damage",
            error.reason,
            "",
            file_offset=error.offset,
        )

    def error(self) -> MessageError:
        """The same as an exception."""
        assert self.line is not None
        return MessageError(
            self.path,
            self.line,
            self.offset,
            self.text_offset,
            self.code,
            self.reason,
            self.is_of_payload,
        )

    def as_json(self) -> str:
        """A line of a list of errors."""
        values: dict[str, Any] = {"file": self.path, "line": self.line}
        values["byte"] = self.offset
        values["byte_of"] = "payload" if self.is_of_payload else "message"
        values["line_offset"] = self.text_offset
        if self.file_offset is not None:
            values = {"file": self.path, "file_offset": self.file_offset}
        values |= {"code": self.code, "reason": self.reason}
        if self.file_offset is None:
            values["text"] = self.text
        return json.dumps(values) + "\n"


class Lines(NamedTuple):
    """Whole lines, and where they stand: in which file, the number of the first of
    them, and at which byte of the file's text they begin (None: not known)."""

    data: bytes | memoryview
    path: str
    first_line: int = 1
    text_offset: int | None = 0


def faults_of(lines: Lines, errors: NDArray[Any]) -> Iterator[Fault]:
    """The faults of lines by a batch's `errors`, without harmless ones."""
    errors = errors[~np.isin(errors["code"], HARMLESS)]
    if not len(errors):
        return
    starts = line_starts(lines.data)
    for index, offset, code in errors.tolist():
        yield fault_at(lines, starts, index, ErrorCode(code), offset)


def line_starts(data: bytes | memoryview) -> NDArray[np.int64]:
    """Where each line begins, and behind them where another would."""
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(text == ord("\n")) + 1
    if not len(ends) or ends[-1] < len(text):
        ends = np.append(ends, len(text) + 1)
    return np.concatenate([[0], ends])


def fault_at(
    lines: Lines,
    starts: NDArray[np.int64],
    index: int,
    code: ErrorCode | str,
    offset: int | None,
    reason: str = "",
) -> Fault:
    """The fault of a line by its number among them, from 0."""
    start, end = int(starts[index]), int(starts[index + 1]) - 1
    line = bytes(lines.data[start:end])
    frame = next((frame for _, frame in frames(line)), b"")
    if code == ErrorCode.INVALID_RECEIVE_TIME:
        frame = line
    if isinstance(code, ErrorCode):
        reason = code.description
        if end == len(lines.data):
            reason += "; the last line, which has no end: is the file cut short?"
    return Fault(
        lines.path,
        lines.first_line + index,
        offset,
        None if lines.text_offset is None else lines.text_offset + start,
        str(code),
        reason,
        frame[:_SHOWN_LEN].decode("utf-8", "backslashreplace"),
        isinstance(code, ErrorCode) and code >= ErrorCode.UNSIGNED,
    )


class FaultList:
    """A file with a line for each fault, which is there only if there is any.

    path: None for no file. It is removed again unless it was committed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._new: NewFile | None = None

    def add(self, fault: Fault) -> None:
        """Writes a fault down."""
        if self._path is None:
            return
        if self._new is None:
            self._new = NewFile(self._path)
        self._new.file.write(fault.as_json().encode())

    def commit(self) -> None:
        """Gives the file its name; a list that it replaces goes even without faults."""
        if self._new is not None:
            self._new.commit()
        elif self._path is not None:
            self._path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes the file unless it was committed."""
        if self._new is not None:
            self._new.discard()
