"""The protocol of Stork's aggregator without its socket: URLs, requests, prices.

Source: the Stork Core websocket documentation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlunsplit

from codec.feeds.replies import Meaning, Reply
from codec.feeds.replies import read_reply as _read_reply
from codec.feeds.urls import websocket_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "MAIN_URL",
    "MOST_NAME_LEN",
    "Action",
    "Meaning",
    "Reply",
    "SignatureKind",
    "asset_names",
    "connection_url",
    "read_reply",
    "signed_price",
    "signed_prices_frame",
    "subscribe_frames",
    "unsubscribe_frames",
]

MAIN_URL = "wss://api.jp.stork-oracle.network"

Action: TypeAlias = Literal["subscribe", "publish"]
SignatureKind: TypeAlias = Literal["evm", "stark"]

_ACTIONS = ("subscribe", "publish")
_KINDS = ("evm", "stark")
_PATHS = {f"/{kind}/{action}" for kind in _KINDS for action in _ACTIONS}
# Of one request: well below what gateways take for a message.
_NAMES_PER_FRAME = 500
_NAMES_LEN_PER_FRAME = 16 << 10
MOST_NAME_LEN = 1024  # bytes of an asset's name, as in decoding


def connection_url(url: str, signature_type: str, action: str) -> str:
    """The URL to connect to: `/evm/subscribe` and so on where the server's has no path.

    url: `ws://` or `wss://`; another path, or parameters, that it has are kept. Raises
    ValueError for what is none, has a user's name or password in it, or has the path of
    another signature type or action.
    """
    if signature_type not in _KINDS:
        raise ValueError(f"signature_type is 'evm' or 'stark', not {signature_type!r}")
    if action not in _ACTIONS:
        raise ValueError(f"an action is 'subscribe' or 'publish', not {action!r}")
    parts = websocket_parts(url, "Stork aggregator")
    path = f"/{signature_type}/{action}"
    given = parts.path.rstrip("/")
    for other in _PATHS - {path}:
        if given.endswith(other):
            raise ValueError(f"the URL's path is {other}, and {path} is what is needed")
    return urlunsplit(parts._replace(path=given or path))


def asset_names(assets: Iterable[str]) -> set[str]:
    """Names of assets.

    Raises TypeError for what is no str, or a single str instead of several, ValueError
    for an empty one, one that is no UTF-8, or one of more than 1,024 bytes.
    """
    if isinstance(assets, str | bytes):
        raise TypeError("assets are a list of names, not a single one")
    names = set()
    for asset in assets:
        if not isinstance(asset, str):
            raise TypeError(f"an asset's name is a str, not {type(asset).__name__}")
        if not asset:
            raise ValueError("an asset's name is not empty")
        if len(asset.encode()) > MOST_NAME_LEN:  # UnicodeEncodeError is a ValueError
            raise ValueError(f"an asset's name has at most {MOST_NAME_LEN} bytes")
        names.add(asset)
    return names


def subscribe_frames(assets: Iterable[str], *, trace_id: str = "") -> Iterator[bytes]:
    """The texts that subscribe to assets, in ascending order."""
    return _request_frames("subscribe", assets, trace_id)


def unsubscribe_frames(assets: Iterable[str], *, trace_id: str = "") -> Iterator[bytes]:
    """The texts that end subscriptions."""
    return _request_frames("unsubscribe", assets, trace_id)


def _request_frames(kind: str, assets: Iterable[str], trace_id: str) -> Iterator[bytes]:
    chunk: list[str] = []
    chunk_len = 0
    for name in sorted(asset_names(assets)):
        name_len = len(json.dumps(name))
        is_full = len(chunk) == _NAMES_PER_FRAME
        if chunk and (is_full or chunk_len + name_len > _NAMES_LEN_PER_FRAME):
            yield _frame(kind, chunk, trace_id)
            chunk, chunk_len = [], 0
        chunk.append(name)
        chunk_len += name_len
    if chunk:
        yield _frame(kind, chunk, trace_id)


def signed_price(oracle_id: str, trigger: str, message: Mapping[str, Any]) -> object:
    """An asset's entry of what is published. message: the signed price's fields."""
    return {
        "oracle_id": oracle_id,
        "asset_id": message["external_asset_id"],
        "trigger": trigger,
        "signed_price": {**message, "metadata": {}},
    }


def signed_prices_frame(prices: Mapping[str, Any], *, trace_id: str = "") -> bytes:
    """The text that publishes signed prices. prices: by asset, of `signed_price`."""
    return _frame("signed_prices", prices, trace_id)


def _frame(kind: str, data: object, trace_id: str) -> bytes:
    fields = {"type": kind, "trace_id": trace_id, "data": data}
    if not trace_id:
        del fields["trace_id"]
    return json.dumps(fields, separators=(",", ":")).encode()


def read_reply(message: bytes) -> Reply:
    """Reads a message that is no data; see `codec.feeds.replies`."""
    return _read_reply(message, str)
