"""One message as the inspector sees it: what it is, the core's verdict, its payload."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codec import Batch, DecodeError, ErrorCode, decode, decode_lines, decode_payloads
from codec.cli.frame import Frame, read_frame

__all__ = [
    "RECEIVE_TIME",
    "Fault",
    "Message",
    "is_binary",
    "read_message",
    "split_lines",
]

_SPACE = b" \t\r\n"
RECEIVE_TIME = re.compile(rb"([0-9]{1,20}) ")
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]*)")
_TEXT_CODES = (ErrorCode.INVALID_UTF8, ErrorCode.INVALID_JSON, ErrorCode.TOO_DEEP)
_PAYLOAD_CODES = (
    ErrorCode.INVALID_HEX,
    ErrorCode.ODD_HEX,
    ErrorCode.INVALID_LENGTH,
    ErrorCode.UNKNOWN_VERSION,
    ErrorCode.UNKNOWN_MASK,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """code, and the byte of the message; payload_offset: of the payload, or None."""

    code: ErrorCode
    offset: int
    payload_offset: int | None

    @property
    def is_in_payload(self) -> bool:
        """Whether it is a fault of the payload, not of the text around it."""
        return self.code in _PAYLOAD_CODES


@dataclass(frozen=True, slots=True)
class Message:
    """data: without a receive time before it. batch: None where there is a fault.

    payload: as much of it as could be read; None where the message has none (of which
    anything is known). frame: None where the message is a bare payload.
    """

    data: bytes
    is_binary: bool
    receive_ns: int | None
    batch: Batch | None
    fault: Fault | None
    frame: Frame | None
    payload: bytes | None


def read_message(data: bytes, *, binary: bool = False) -> Message:
    """Looks at a JSON frame or hex payload as text, a receive time before it or not.

    binary: it is a raw payload instead.
    """
    if binary:
        batch, error = _judge(data, binary=True)
        fault = None if error is None else Fault(error.code, error.offset, error.offset)
        return Message(data, True, None, batch, fault, None, data)
    batch, error = _judge(data)
    prefix = RECEIVE_TIME.match(data)
    receive_ns = int(prefix[1]) if prefix else None
    if prefix:
        data = data[prefix.end() :]
    frame = None
    if data.lstrip(_SPACE).startswith(b"{"):
        is_cut = error is not None and error.code in _TEXT_CODES
        frame = read_frame(data[: error.offset] if error and is_cut else data)
    payload, payload_offset = _payload(data, frame, error)
    fault = None if error is None else Fault(error.code, error.offset, payload_offset)
    return Message(data, False, receive_ns, batch, fault, frame, payload)


def is_binary(data: bytes) -> bool:
    """Whether bytes from a file are a raw payload rather than text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        readable = sum(0x20 <= byte < 0x7F or byte in _SPACE for byte in data)
        return readable < 0.9 * len(data)
    return any(character < " " and character not in "\t\r\n" for character in text)


def split_lines(data: bytes) -> tuple[bytes, int]:
    """The first message of a text, and how many lines that are not blank it has.

    A frame may be laid out over several lines: it counts as one.
    """
    lines = [line for line in data.split(b"\n") if line.strip(_SPACE)]
    if not lines:
        return data, 0
    first = lines[0]
    if len(lines) == 1:
        return first if RECEIVE_TIME.match(first) else data, 1
    _, error = _judge(first)
    if error is not None and error.code == ErrorCode.INVALID_JSON:
        is_open = not first[error.offset :].strip(_SPACE)
        _, whole = _judge(data) if is_open else (None, error)
        is_one = whole is None or whole.code != ErrorCode.INVALID_JSON
        if is_open and (is_one or lines[1][:1] in (b" ", b"\t", b'"', b"}")):
            return data, 1
    return first, len(lines)


def _judge(
    data: bytes, *, binary: bool = False
) -> tuple[Batch | None, DecodeError | None]:
    try:
        if binary:
            return decode_payloads(data), None
        return (decode_lines if RECEIVE_TIME.match(data) else decode)(data), None
    except DecodeError as error:
        return None, error


def _payload(
    data: bytes, frame: Frame | None, error: DecodeError | None
) -> tuple[bytes | None, int | None]:
    """The payload as far as it can be read, and the byte of it that is at fault."""
    is_open = False  # the message ends, or stops being text, inside the payload
    if frame is None:
        body = data.strip(_SPACE).decode("latin-1")
    else:
        p = frame.member("p")
        if p is None or type(p.value) is not str or frame.type == "unsigned":
            return None, None
        body, is_open = p.value, not p.is_whole
    match = _HEX.match(body)
    digits = match[1] if match else ""
    payload = bytes.fromhex(digits[: len(digits) // 2 * 2])
    if error is None:
        return payload, None
    if error.code in (ErrorCode.UNKNOWN_VERSION, ErrorCode.UNKNOWN_MASK):
        _, inner = _judge(payload, binary=True)
        return payload, inner.offset if inner else None
    is_all_hex = match is not None and match.end() == len(body)
    if error.code in _PAYLOAD_CODES or (is_open and is_all_hex):
        return payload, len(payload)
    return payload or None, None
