"""Agreement on permessage-deflate (RFC 7692), seen from a client that only inflates."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codec.errors import FeedProtocolError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OFFER", "Deflate", "accept"]

# What this client compresses is nothing, so that any window will do.
OFFER = "permessage-deflate; client_max_window_bits"


@dataclass(frozen=True, slots=True)
class Deflate:
    """What was agreed. takeover: one stream over all of the server's messages."""

    takeover: bool

    @staticmethod
    def inflater() -> Any:
        """A new inflating object; the largest window reads what smaller ones wrote."""
        return zlib.decompressobj(-zlib.MAX_WBITS)


def accept(headers: Sequence[str], *, offered: bool) -> Deflate | None:
    """Reads the `Sec-WebSocket-Extensions` headers of the server's answer.

    None where it takes no extension. Raises FeedProtocolError for anything that was not
    offered or that RFC 7692 does not allow in an answer.
    """
    extensions = [part.strip() for part in ",".join(headers).split(",") if part.strip()]
    if not extensions:
        return None
    if len(extensions) > 1:
        raise FeedProtocolError(f"the server chose several extensions: {extensions}")
    name, *parameters = (part.strip() for part in extensions[0].split(";"))
    if name.lower() != "permessage-deflate" or not offered:
        raise FeedProtocolError(f"the server chose an extension unasked: {name!r}")
    seen: dict[str, str | None] = {}
    for parameter in parameters:
        key, equals, text = (part.strip() for part in parameter.partition("="))
        if key.lower() in seen:
            raise FeedProtocolError(f"a parameter stands twice: {parameter!r}")
        if len(text) > 1 and text[0] == text[-1] == '"':
            text = text[1:-1]
        seen[key.lower()] = text if equals else None
    for key, value in seen.items():
        if not _is_allowed(key, value):
            raise FeedProtocolError(f"not a parameter of permessage-deflate: {key!r}")
    return Deflate(takeover="server_no_context_takeover" not in seen)


def _is_allowed(key: str, value: str | None) -> bool:
    if key in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if key in ("server_max_window_bits", "client_max_window_bits"):
        return value is not None and value in map(str, range(8, 16))
    return False
