"""Shuriken's streams: swaps, pools, balances, signals and tasks as they happen.

Needs the extra `shuriken`: pip install 'stork-codec[shuriken]'.
"""

from __future__ import annotations

from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError as _MissingDependencyError

if not all(map(_find_spec, ("httpx", "msgspec"))):
    raise _MissingDependencyError(
        "Shuriken's streams need the packages httpx and msgspec:"
        " pip install 'stork-codec[shuriken]'"
    )

from codec.feeds.pusher import ChannelState
from codec.feeds.shuriken.blocking import BlockingShurikenFeed, BlockingSubscription
from codec.feeds.shuriken.events import ShurikenEvent
from codec.feeds.shuriken.feed import ShurikenFeed
from codec.feeds.shuriken.payloads import (
    STREAMS,
    decode_payload,
    payload_type,
    read_payload,
)
from codec.feeds.shuriken.payloads_base import Misfit, Network, Payload
from codec.feeds.shuriken.readers import (
    EventStream,
    Subscription,
    SubscriptionStats,
)
from codec.feeds.shuriken.session import FilterInfo, SessionError, StreamInfo
from codec.feeds.shuriken.stats import ShurikenStats
from codec.feeds.shuriken.subscriptions import Outage

if TYPE_CHECKING:
    from codec.feeds.shuriken.tables import schema, to_arrow

__all__ = [
    "STREAMS",
    "BlockingShurikenFeed",
    "BlockingSubscription",
    "ChannelState",
    "EventStream",
    "FilterInfo",
    "Misfit",
    "Network",
    "Outage",
    "Payload",
    "SessionError",
    "ShurikenEvent",
    "ShurikenFeed",
    "ShurikenStats",
    "StreamInfo",
    "Subscription",
    "SubscriptionStats",
    "decode_payload",
    "payload_type",
    "read_payload",
    "schema",
    "to_arrow",
]


def __getattr__(name: str) -> object:
    if name in ("schema", "to_arrow"):  # only these need pyarrow
        from codec.feeds.shuriken import tables

        return getattr(tables, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
