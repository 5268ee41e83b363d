"""What the readers share: a decoded message, a fault, ranges, the bytes-like test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from codec.errors import ErrorCode

Row: TypeAlias = tuple[tuple[int, int], int, int, int, int]
UINT8 = (0, 2**8 - 1)
UINT16 = (0, 2**16 - 1)
UINT64 = (0, 2**64 - 1)
INT128 = (-(2**127), 2**127 - 1)
LOW_64 = 2**64 - 1
NO_STATUS = 255


@dataclass(slots=True)
class DecodedMessage:
    """One decoded message: `rows` are its updates, `payload` is b"" if unsigned."""

    timestamp_ns: int
    taxonomy_id: int
    layout: int
    rows: list[Row]
    payload: bytes
    receive_ns: int = 0


class Fault(Exception):
    """What is wrong with a message, and at which byte."""

    def __init__(self, code: ErrorCode, offset: int) -> None:
        super().__init__(code, offset)
        self.code = code
        self.offset = offset


def is_bytes(message: object) -> bool:
    """Whether it is a bytes-like message or payload (section 1)."""
    if isinstance(message, memoryview):
        try:
            return message.c_contiguous and message.format in ("B", "b", "c")
        except ValueError:  # released
            return False
    return isinstance(message, bytes | bytearray)
