"""The Stork Fast protocol without its socket: URLs, requests, and what answers mean.

Source: the Stork Fast websocket API documentation.
"""

from __future__ import annotations

import json
from operator import index
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qsl, urlunsplit

from codec.feeds.replies import Meaning, Reply, read_reply
from codec.feeds.urls import websocket_parts
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
    parts = websocket_parts(url, "Stork Fast")
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
