"""Stork Fast messages of a market, and the faults that are in what they say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from codec import as_int, encode, keccak256, to_frame
from codec.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from coincurve import PrivateKey
    from numpy.typing import NDArray

    from codec.signing import Key
    from codec.simulator.faults import Faults
    from codec.simulator.market import Market

__all__ = [
    "AHEAD_NS",
    "BEHIND_NS",
    "Messages",
    "N",
    "Subscription",
    "damaged",
    "next_taxonomy_id",
]

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BEHIND_NS, AHEAD_NS = 10 * 10**9, 60 * 10**9


class Subscription(NamedTuple):
    """What a connection gets; those with equal ones get the same messages."""

    channel: str
    message_type: str
    market_status: bool
    asset_ids: tuple[int, ...]


@dataclass(frozen=True)
class _Content:
    """What a message says."""

    taxonomy_id: int
    timestamp_ns: int
    asset_ids: NDArray[np.uint16]
    values: NDArray[Any]
    market_status: NDArray[np.uint8] | None


def next_taxonomy_id(taxonomy_id: int) -> int:
    """The id that `taxonomy_change` changes to, good in both layouts."""
    return (taxonomy_id + 1) % 0xFF00


def _next_taxonomy(content: _Content) -> _Content:
    return replace(content, taxonomy_id=next_taxonomy_id(content.taxonomy_id))


def _twice(content: _Content) -> _Content:
    rows = np.r_[0, np.arange(len(content.asset_ids))][: len(content.asset_ids) + 1]
    status = content.market_status
    return replace(
        content,
        asset_ids=content.asset_ids[rows],
        values=content.values[rows],
        market_status=None if status is None else status[rows],
    )


def _backwards(content: _Content) -> _Content:
    return replace(content, timestamp_ns=max(0, content.timestamp_ns - BEHIND_NS))


def _future(content: _Content) -> _Content:
    return replace(content, timestamp_ns=content.timestamp_ns + AHEAD_NS)


_CONTENT_FAULTS: dict[str, Callable[[_Content], _Content]] = {
    "taxonomy_change": _next_taxonomy,
    "duplicate_asset": _twice,
    "backwards": _backwards,
    "future": _future,
}


class Messages:
    """Makes messages from a market's values, signed or not."""

    def __init__(
        self,
        market: Market,
        faults: Faults,
        *,
        key: Key | None,
        taxonomy_id: int,
        random: Random,
    ) -> None:
        seed = random.randbytes(32)
        self.market = market
        self.taxonomy_id = taxonomy_id
        self.key: PrivateKey = private_key(keccak256(seed) if key is None else key)
        self._wrong_key = private_key(keccak256(self.key.secret))
        self._faults = faults
        self._random = random

    def make(
        self,
        subscription: Subscription,
        asset_ids: tuple[int, ...],
        timestamp_ns: int,
    ) -> bytes:
        """The message that says what the assets are at a time, faults included."""
        silent = self._faults.silent_asset
        ids = np.array([i for i in asset_ids if i != silent], np.uint16)
        rows = self.market.rows(ids)
        content = _Content(
            self.taxonomy_id,
            timestamp_ns,
            ids,
            self.market.values(rows, timestamp_ns),
            self.market.statuses[rows] if subscription.market_status else None,
        )
        for name, change in _CONTENT_FAULTS.items():
            if self._faults.take(name):
                content = change(content)
        if subscription.message_type == "unsigned":
            message = _unsigned(content)
        else:
            message = to_frame(self._payload(content))
        if self._faults.take("garbage_text"):
            message = damaged(message, self._random)
        return message

    def _payload(self, content: _Content) -> bytes:
        is_wrong = self._faults.take("wrong_key")
        payload = encode(
            content.asset_ids,
            content.values,
            timestamp_ns=content.timestamp_ns,
            taxonomy_id=content.taxonomy_id,
            key=self._wrong_key if is_wrong else self.key,
            market_status=content.market_status,
        )
        return _with_high_s(payload) if self._faults.take("high_s") else payload


def damaged(message: bytes, random: Random) -> bytes:
    """The message cut short, with a digit that is none, or no JSON at all."""
    place = random.randrange(len(message) // 2, len(message) - 2)
    return random.choice(
        (
            message[:place],
            message[:place] + b"g" + message[place + 1 :],
            b"<html>502 Bad Gateway</html>",
        )
    )


def _unsigned(content: _Content) -> bytes:
    ids, values = content.asset_ids.tolist(), as_int(content.values).tolist()
    if content.market_status is None:
        entries = [
            f'{{"id":{asset_id},"v":"{value}"}}'
            for asset_id, value in zip(ids, values, strict=True)
        ]
    else:
        statuses = content.market_status.tolist()
        entries = [
            f'{{"id":{asset_id},"v":"{value}","ms":{status}}}'
            for asset_id, value, status in zip(ids, values, statuses, strict=True)
        ]
    head = f'"tax":{content.taxonomy_id},"ts":{content.timestamp_ns}'
    return f'{{"type":"unsigned",{head},"a":[{",".join(entries)}]}}'.encode()


def _with_high_s(payload: bytes) -> bytes:
    s = N - int.from_bytes(payload[32:64], "big")
    v = payload[64] ^ 1
    return payload[:32] + s.to_bytes(32, "big") + bytes((v,)) + payload[65:]
