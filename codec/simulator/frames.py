"""Websocket frames as a server sends them (RFC 6455, section 5): bytes, ready to go."""

from __future__ import annotations

__all__ = [
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "close_frame",
    "fragments",
    "frame",
    "text_frame",
]

CONTINUATION, TEXT, CLOSE, PING, PONG = 0x0, 0x1, 0x8, 0x9, 0xA
_FIN, _RSV1 = 0x80, 0x40
_MAX_REASON_LEN = 123


def frame(
    opcode: int, payload: bytes, *, is_final: bool = True, is_compressed: bool = False
) -> bytes:
    """One unmasked frame."""
    first = opcode | _FIN * is_final | _RSV1 * is_compressed
    n = len(payload)
    if n < 126:
        return bytes((first, n)) + payload
    if n < 65536:
        return bytes((first, 126)) + n.to_bytes(2, "big") + payload
    return bytes((first, 127)) + n.to_bytes(8, "big") + payload


def text_frame(message: bytes) -> bytes:
    """A whole message, as it is."""
    return frame(TEXT, message)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what fits. Code 0: without a code."""
    if not code:
        return frame(CLOSE, b"")
    text = reason.encode()[:_MAX_REASON_LEN].decode(errors="ignore").encode()
    return frame(CLOSE, code.to_bytes(2, "big") + text)


def fragments(payload: bytes, n: int, *, is_compressed: bool = False) -> bytes:
    """A text message in n frames (some may be empty), a ping between each two."""
    step = -(-len(payload) // n)
    parts = []
    for i in range(n):
        part = frame(
            CONTINUATION if i else TEXT,
            payload[i * step : (i + 1) * step],
            is_final=i == n - 1,
            is_compressed=is_compressed and i == 0,
        )
        parts.append(part)
    return frame(PING, b"between").join(parts)
