"""permessage-deflate as a server negotiates and does it (RFC 7692), by zlib."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

__all__ = ["Deflate", "Deflater", "negotiate"]

_NAME = "permessage-deflate"
_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_WINDOWS = ("server_max_window_bits", "client_max_window_bits")
_TAIL = b"\x00\x00\xff\xff"  # what every message ends with, and none carries
_MIN_BITS = 9  # raw deflate with 8 is what zlib cannot do


@dataclass(frozen=True)
class Deflate:
    """What a server asks of its clients on top of what they offer."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15


class Deflater:
    """Both directions of one connection, as negotiated."""

    def __init__(self, agreed: Deflate) -> None:
        self.agreed = agreed
        self._in = zlib.decompressobj(-15)
        self.reset()

    def reset(self) -> None:
        """Starts a new context: what follows refers to nothing before it."""
        bits = self.agreed.server_max_window_bits
        self._out = zlib.compressobj(wbits=-bits)

    def compress(self, message: bytes) -> bytes:
        """The payload of the message's frame, which needs RSV1."""
        if self.agreed.server_no_context_takeover:
            self.reset()
        data = self._out.compress(message) + self._out.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(_TAIL)

    def decompress(self, payload: bytes, max_len: int) -> bytes | None:
        """A client's message; None where it is longer than max_len.

        Raises zlib.error for what is no deflate stream.
        """
        if self.agreed.client_no_context_takeover:
            self._in = zlib.decompressobj(-15)
        message = self._in.decompress(payload + _TAIL, max_len + 1)
        return None if len(message) > max_len else message


def negotiate(offers: str, wanted: Deflate) -> tuple[str, Deflater] | None:
    """The answer to a Sec-WebSocket-Extensions header, by its first good offer."""
    for offer in offers.split(","):
        parameters = _parameters(offer)
        if parameters is None:
            continue
        asked = parameters.get("server_max_window_bits") or 15
        server_bits = min(asked, wanted.server_max_window_bits)
        if server_bits < _MIN_BITS:
            continue
        client_bits = 15
        if "client_max_window_bits" in parameters:
            may = parameters["client_max_window_bits"] or 15
            client_bits = min(may, wanted.client_max_window_bits)
        agreed = Deflate(
            wanted.server_no_context_takeover or _FLAGS[0] in parameters,
            wanted.client_no_context_takeover or _FLAGS[1] in parameters,
            server_bits,
            client_bits,
        )
        return _answer(agreed), Deflater(agreed)
    return None


def _parameters(offer: str) -> dict[str, int | None] | None:
    """An offer's parameters; None for another extension, or parameters it has not."""
    name, *items = (item.strip() for item in offer.split(";"))
    if name != _NAME:
        return None
    found: dict[str, int | None] = {}
    for item in items:
        key, has_value, value = (part.strip() for part in item.partition("="))
        value = value.removeprefix('"').removesuffix('"')
        if key in found or key not in _FLAGS + _WINDOWS:
            return None
        if key in _FLAGS and has_value:
            return None
        if has_value and value not in map(str, range(8, 16)):
            return None
        if key == "server_max_window_bits" and not has_value:
            return None
        found[key] = int(value) if has_value else None
    return found


def _answer(agreed: Deflate) -> str:
    parts = [_NAME, *(key for key in _FLAGS if getattr(agreed, key))]
    for key in _WINDOWS:
        if getattr(agreed, key) < 15:
            parts.append(f"{key}={getattr(agreed, key)}")
    return "; ".join(parts)
