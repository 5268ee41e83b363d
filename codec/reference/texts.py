"""Reads a text message or a line of them (docs/messages.md, sections 1 to 3)."""

from __future__ import annotations

import re
from typing import cast

from codec.errors import ErrorCode
from codec.reference.frames import read_frame
from codec.reference.json_text import byte_offset
from codec.reference.model import UINT64, DecodedMessage, Fault, is_bytes
from codec.reference.payloads import read_hex

_SPACE = " \t\n\r"
_RECEIVE_TIME = re.compile(rb"([0-9]{1,20}) ")


def read_line(line: bytes) -> DecodedMessage:
    """Read a line (section 2); faults count bytes behind the receive time."""
    receive_ns, rest = split_receive_time(line)
    message = read_message(rest)
    message.receive_ns = receive_ns
    return message


def split_receive_time(line: bytes) -> tuple[int, bytes]:
    """The receive time of a line, 0 where it has none, and the message behind it."""
    prefix = _RECEIVE_TIME.match(line)
    if prefix is None:
        return 0, line
    digits = prefix[1]
    receive_ns = int(digits)
    if receive_ns > UINT64[1] or (digits[:1] == b"0" and digits != b"0"):
        raise Fault(ErrorCode.INVALID_RECEIVE_TIME, 0)
    return receive_ns, line[prefix.end() :]


def read_message(message: object) -> DecodedMessage:
    """Read a frame or a bare hex payload (sections 1 and 3)."""
    text = as_text(message)
    body = text.strip(_SPACE)
    if not body:
        raise Fault(ErrorCode.EMPTY, 0)
    if body[0] == "{":
        return read_frame(text)
    try:
        return read_hex(body)
    except Fault as fault:  # all before the fault is ASCII: characters are bytes
        raise Fault(fault.code, text.index(body[0]) + fault.offset) from None


def as_text(message: object) -> str:
    """A text message of any type that is taken (section 1; 3.1)."""
    if isinstance(message, str):
        try:
            if not message.isascii():
                message.encode()
        except UnicodeEncodeError as exc:
            offset = byte_offset(message, exc.start)
            raise Fault(ErrorCode.INVALID_UTF8, offset) from None
        return message
    if is_bytes(message):
        try:
            return str(cast("bytes", message), "utf-8")
        except UnicodeDecodeError as exc:
            raise Fault(ErrorCode.INVALID_UTF8, exc.start) from None
    raise Fault(ErrorCode.PYTHON_TYPE, 0)
