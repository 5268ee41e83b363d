"""Reads binary and hex payloads (docs/messages.md, sections 5 and 6)."""

from __future__ import annotations

import re
from typing import cast

from codec.errors import ErrorCode
from codec.reference.model import (
    LOW_64,
    NO_STATUS,
    DecodedMessage,
    Fault,
    Row,
    is_bytes,
)

_VERSIONED = 0xFF  # at byte 65: layout 2
_MAX_PAYLOAD_LEN = 2**32 - 1
_NO_HEX_DIGIT = re.compile(r"[^0-9a-fA-F]")


def read_payload_object(payload: object) -> DecodedMessage:
    """Read what a caller gave as a binary payload (sections 1 and 5)."""
    if not is_bytes(payload):
        raise Fault(ErrorCode.PYTHON_TYPE, 0)
    if memoryview(cast("bytes", payload)).nbytes > _MAX_PAYLOAD_LEN:  # before a copy
        raise Fault(ErrorCode.TOO_LARGE, 0)
    return read_payload(bytes(cast("bytes", payload)))


def read_hex(text: str) -> DecodedMessage:
    """Read a hex payload (section 6); faults count characters of `text`."""
    start = 2 if text.startswith("0x") else 0
    digits = text[start:]
    try:
        payload = bytes.fromhex(digits)
    except ValueError:
        payload = b""
    if 2 * len(payload) != len(digits):  # bytes.fromhex skips white space
        other = _NO_HEX_DIGIT.search(digits)
        if other is not None:
            raise Fault(ErrorCode.INVALID_HEX, start + other.start())
        raise Fault(ErrorCode.ODD_HEX, len(text) - 1)
    try:
        return read_payload(payload)
    except Fault as fault:
        raise Fault(fault.code, start + 2 * fault.offset) from None


def read_payload(payload: bytes) -> DecodedMessage:
    """Read a binary payload (section 5); faults count its bytes."""
    length = len(payload)
    if length > _MAX_PAYLOAD_LEN:
        raise Fault(ErrorCode.TOO_LARGE, 0)
    if length < 66:
        raise Fault(ErrorCode.INVALID_LENGTH, length)
    if payload[65] != _VERSIONED:
        layout, start, size = 1, 75, 18
    else:
        mask = int.from_bytes(payload[67:69], "big")
        layout, start, size = 2, 79, 19 if mask & 2 else 18
        if length > 66 and payload[66] != 2:
            raise Fault(ErrorCode.UNKNOWN_VERSION, 66)
        if length > 68 and mask not in (1, 3):
            raise Fault(ErrorCode.UNKNOWN_MASK, 67)
    if length < start or (length - start) % size:
        raise Fault(ErrorCode.INVALID_LENGTH, length)
    taxonomy_id = int.from_bytes(payload[start - 10 : start - 8], "big")
    timestamp_ns = int.from_bytes(payload[start - 8 : start], "big")
    rows: list[Row] = []
    for at in range(start, length, size):
        asset_id = int.from_bytes(payload[at : at + 2], "big")
        value = int.from_bytes(payload[at + 2 : at + 18], "big", signed=True)
        status = payload[at + 18] if size == 19 else NO_STATUS
        halves = (value & LOW_64, value >> 64)
        rows.append((halves, timestamp_ns, taxonomy_id, asset_id, status))
    return DecodedMessage(timestamp_ns, taxonomy_id, layout, rows, payload)
