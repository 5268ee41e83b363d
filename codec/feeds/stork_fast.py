"""The Stork Fast protocol without its socket: URLs, requests, and what answers mean.

Source: the Stork Fast websocket API documentation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from operator import index
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from codec import jsontext
from codec.feeds.words import shown
from codec.periods import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAIN_URL",
    "Channel",
    "Meaning",
    "MessageType",
    "Reply",
    "asset_set",
    "connection_url",
    "period_ns",
    "read_reply",
    "subscribe_frames",
    "unsubscribe_frames",
]

MAIN_URL = "wss://fast.jp.stork-oracle.network/ws"

Channel: TypeAlias = Literal[
    "10ms", "20ms", "50ms", "100ms", "500ms", "1s", "real_time"
]
MessageType: TypeAlias = Literal["unsigned", "signed_ecdsa"]

_MESSAGE_TYPES = ("unsigned", "signed_ecdsa")
# Asset ids in one request: about 6 kB, well below what gateways take for a message.
_IDS_PER_FRAME = 1000
_REPLY_MAX = 64 << 10  # bytes of an answer that are looked at


def period_ns(channel: str) -> int | None:
    """The time between two messages of a fixed channel; None for `real_time`.

    Raises ValueError for a channel that does not exist.
    """
    if channel not in CHANNELS:
        raise ValueError(f"channel is one of {', '.join(CHANNELS)}, not {channel!r}")
    return CHANNELS[channel]


def connection_url(
    url: str, channel: str, message_type: str, *, market_status: bool = False
) -> str:
    """The URL to connect to: the server's, with the parameters of the stream.

    url: `ws://` or `wss://`; `/ws` where it has no path. Other parameters that it has
    are kept. Raises ValueError for what is none, has a user's name or password in it,
    or says itself what the arguments say.
    """
    period_ns(channel)
    if message_type not in _MESSAGE_TYPES:
        raise ValueError(
            f"message_type is 'unsigned' or 'signed_ecdsa', not {message_type!r}"
        )
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("a URL is printable ASCII without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not _is_host(parts.netloc):
        raise ValueError("a Stork Fast URL is ws://host... or wss://host...")
    if "@" in parts.netloc:
        raise ValueError("a URL carries no credentials: use `token`")
    if parts.fragment:
        raise ValueError("a websocket's URL has no fragment (#...)")
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    twice = sorted(names & {"channel", "message_type", "addtl_attrs"})
    if twice:
        raise ValueError(f"the URL's {', '.join(twice)}: use the arguments instead")
    query = f"channel={channel}&message_type={message_type}"
    if market_status:
        query += "&addtl_attrs=ms"
    if parts.query:
        query = f"{parts.query}&{query}"
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/ws", query, ""))


def _is_host(netloc: str) -> bool:
    parts = urlsplit(f"//{netloc}")
    try:
        return bool(parts.hostname) and parts.port != 0 and not set(netloc) & set(" \\")
    except ValueError:  # of the port
        return False


def asset_set(assets: Iterable[int]) -> set[int]:
    """Asset ids. Raises TypeError for what is no integer, ValueError for no uint16."""
    ids = set()
    for asset in assets:
        if isinstance(asset, bool):
            raise TypeError("an asset id is an integer, not a bool")
        number = index(asset)
        if not 0 <= number <= 0xFFFF:
            raise ValueError(f"an asset id is 0 to 65535, not {number}")
        ids.add(number)
    return ids


def subscribe_frames(assets: Iterable[int]) -> Iterator[bytes]:
    """The texts that subscribe to assets, in ascending order."""
    return _request_frames("subscribe", assets)


def unsubscribe_frames(assets: Iterable[int]) -> Iterator[bytes]:
    """The texts that end subscriptions."""
    return _request_frames("unsubscribe", assets)


def _request_frames(kind: str, assets: Iterable[int]) -> Iterator[bytes]:
    ids = sorted(asset_set(assets))
    for start in range(0, len(ids), _IDS_PER_FRAME):
        request = {"type": kind, "assets": ids[start : start + _IDS_PER_FRAME]}
        yield json.dumps(request, separators=(",", ":")).encode()


class Meaning(Enum):
    """What a message that is no data means."""

    ACKNOWLEDGEMENT = "acknowledgement"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that is no data. text: what it says; assets: those that it names."""

    meaning: Meaning
    type: str
    text: str
    assets: tuple[int, ...] = ()


def read_reply(message: bytes) -> Reply:
    """Reads a message that the codec calls `not_data`, or cannot decode at all.

    An acknowledgement repeats the request's type. An error has that type, or a field
    `error`. Everything else is unknown, and its text is its beginning.
    """
    beginning = shown(message)
    try:
        fields = jsontext.loads(message) if len(message) <= _REPLY_MAX else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Reply(Meaning.UNKNOWN, "", beginning)
    kind = fields.get("type")
    kind = shown(kind) if isinstance(kind, str) else ""
    error = fields.get("error") or (kind == "error" and fields.get("message"))
    if kind == "error" or error:
        text = shown(error) if isinstance(error, str) else beginning
        return Reply(Meaning.ERROR, kind, text)
    if kind in ("subscribe", "unsubscribe"):
        return Reply(Meaning.ACKNOWLEDGEMENT, kind, beginning, _assets_of(fields))
    return Reply(Meaning.UNKNOWN, kind, beginning)


def _assets_of(fields: dict[str, object]) -> tuple[int, ...]:
    assets = fields.get("assets", fields.get("data"))
    if not isinstance(assets, list):
        return ()
    return tuple(asset for asset in assets if type(asset) is int)
