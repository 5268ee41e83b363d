"""What the aggregator's messages say, and what may be wrong with that."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from codec import keccak256
from codec.aggregator import (
    SignedPrice,
    encoded_asset_id,
    merkle_root,
    sign_aggregate,
    sign_price,
)
from codec.signing import private_key
from codec.simulator.messages import AHEAD_NS, BEHIND_NS, N, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from random import Random

    from coincurve import PrivateKey

    from codec.signing import Key
    from codec.simulator.faults import AggregatorFaults

__all__ = ["Aggregate", "AggregatorMessages", "AggregatorSubscription", "js_rounded"]

# Clients' usual limit is a MiB.
_MAX_MESSAGE_LEN = 512 << 10
_AGGREGATE_LEN, _PRICE_LEN = 1100, 650
_STARK_PRIME = 2**251 + 17 * 2**192 + 1


class AggregatorSubscription(NamedTuple):
    """What a connection gets; those with equal ones get the same messages."""

    signature_type: str
    assets: tuple[str, ...]


@dataclass(frozen=True)
class Aggregate:
    """A price of an asset, and the publishers' prices that it is of.

    texts: its entries in messages, once they are made.
    """

    asset: str
    value: int
    timestamp_ns: int
    trigger: str
    prices: list[SignedPrice]
    texts: dict[tuple[str, frozenset[str]], str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Content:
    """What an entry is made of, before it is signed."""

    asset_id: bytes
    timestamp_ns: int
    outer_ns: int
    prices: list[SignedPrice]
    root: bytes
    key: PrivateKey


def _shifted(content: _Content, by_ns: int) -> _Content:
    return replace(
        content,
        timestamp_ns=max(0, content.timestamp_ns + by_ns),
        outer_ns=max(0, content.outer_ns + by_ns),
    )


def _of_another(content: _Content) -> _Content:
    """The first publisher's price signed by somebody else in its name."""
    first = content.prices[0]
    other = sign_price(
        first.asset,
        first.value,
        timestamp_ns=first.timestamp_ns,
        key=keccak256(first.publisher),
    )
    forged = replace(first, r=other.r, s=other.s, v=other.v)
    return replace(content, prices=[forged, *content.prices[1:]])


_BEFORE: dict[str, Callable[[_Content], _Content]] = {
    "backwards": lambda content: _shifted(content, -BEHIND_NS),
    "future": lambda content: _shifted(content, AHEAD_NS),
    "wrong_key": lambda content: replace(
        content, key=private_key(keccak256(content.key.secret))
    ),
    "wrong_publisher": _of_another,
    "wrong_merkle_root": lambda content: replace(content, root=keccak256(content.root)),
    "wrong_asset_id": lambda content: replace(
        content, asset_id=keccak256(content.asset_id)
    ),
}


def _high_s(entry: dict[str, Any]) -> None:
    signature = entry["stork_signed_price"]["timestamped_signature"]["signature"]
    signature["s"] = f"0x{N - int(signature['s'], 16):064x}"
    signature["v"] = f"0x{27 + 28 - int(signature['v'], 16):x}"


def _wrong_msg_hash(entry: dict[str, Any]) -> None:
    stamped = entry["stork_signed_price"]["timestamped_signature"]
    stamped["msg_hash"] = f"0x{keccak256(stamped['msg_hash'].encode()).hex()}"


def _wrong_price(entry: dict[str, Any]) -> None:
    entry["price"] = str(int(entry["price"]) + 1)


def _rounded(item: Any) -> None:
    """Rounds the timestamps in an entry, wherever they stand."""
    for below in item if isinstance(item, list) else item.values():
        if isinstance(below, (dict, list)):
            _rounded(below)
    if isinstance(item, dict) and "timestamp" in item:
        item["timestamp"] = js_rounded(item["timestamp"])


def _unsigned(entry: dict[str, Any]) -> None:
    del entry["stork_signed_price"]


# In this order: `unsigned` leaves nothing for the others to change.
_AFTER: dict[str, Callable[[dict[str, Any]], None]] = {
    "high_s": _high_s,
    "wrong_msg_hash": _wrong_msg_hash,
    "wrong_price": _wrong_price,
    "rounded_timestamps": _rounded,
    "unsigned": _unsigned,
}
_STARK_TOO = ("backwards", "future", "wrong_price", "rounded_timestamps")


def js_rounded(number: int) -> int:
    """The number as JavaScript reads and writes it: the digits of its double."""
    return int(Decimal(repr(float(number))))


class AggregatorMessages:
    """Makes messages from aggregates, faults included."""

    def __init__(
        self, faults: AggregatorFaults, *, key: Key | None, random: Random
    ) -> None:
        seed = random.randbytes(32)
        self.key = private_key(keccak256(seed) if key is None else key)
        self._faults = faults
        self._random = random

    def make(
        self, subscription: AggregatorSubscription, aggregates: Mapping[str, Aggregate]
    ) -> list[bytes]:
        """The messages that say what the assets of a subscription are at a time.

        One, or more where it would be longer than half a MiB.
        """
        silent = self._faults.silent_asset
        wanted = [
            aggregates[asset]
            for asset in subscription.assets
            if asset in aggregates and asset != silent
        ]
        return [
            self._message(subscription.signature_type, part) for part in _parts(wanted)
        ]

    def _message(self, signature_type: str, aggregates: list[Aggregate]) -> bytes:
        take = self._faults.take
        changes = frozenset(name for name in (*_BEFORE, *_AFTER) if take(name))
        entries = [
            f"{json.dumps(aggregate.asset)}:"
            + self._entry(signature_type, aggregate, changes)
            for aggregate in aggregates
        ]
        if take("duplicate_asset"):
            entries.insert(0, entries[0])
        trace_id = uuid.UUID(int=self._random.getrandbits(128), version=4)
        head = f'{{"type":"oracle_prices","trace_id":"{trace_id}","data":{{'
        message = f"{head}{','.join(entries)}}}}}".encode()
        return damaged(message, self._random) if take("garbage_text") else message

    def _entry(
        self, signature_type: str, aggregate: Aggregate, changes: frozenset[str]
    ) -> str:
        """The text of one asset's entry, made once for all who get it."""
        text = aggregate.texts.get((signature_type, changes))
        if text is None:
            make = self._evm if signature_type == "evm" else self._stark
            text = json.dumps(make(aggregate, changes), separators=(",", ":"))
            aggregate.texts[signature_type, changes] = text
        return text

    def _evm(self, aggregate: Aggregate, changes: Iterable[str]) -> dict[str, Any]:
        content = self._content(aggregate, changes)
        signed = sign_aggregate(
            content.asset_id,
            aggregate.value,
            timestamp_ns=content.timestamp_ns,
            publisher_merkle_root=content.root,
            key=content.key,
        )
        entry = {
            **_head(aggregate, content, "evm"),
            "stork_signed_price": signed.as_message(),
            "signed_prices": [price.as_message() for price in content.prices],
        }
        for name, change in _AFTER.items():
            if name in changes:
                change(entry)
        return entry

    def _stark(self, aggregate: Aggregate, changes: Iterable[str]) -> dict[str, Any]:
        """Signed by nobody: numbers are made up where signatures would stand."""
        known = [name for name in _STARK_TOO if name in changes]
        content = self._content(aggregate, known)
        entry = {
            **_head(aggregate, content, "stark"),
            "signed_prices": [self._stark_price(price) for price in content.prices],
        }
        for name, change in _AFTER.items():
            if name in known:
                change(entry)
        return entry

    def _content(self, aggregate: Aggregate, changes: Iterable[str]) -> _Content:
        content = _Content(
            encoded_asset_id(aggregate.asset),
            aggregate.timestamp_ns,
            max(price.timestamp_ns for price in aggregate.prices),
            aggregate.prices,
            merkle_root(price.msg_hash for price in aggregate.prices),
            self.key,
        )
        for name, change in _BEFORE.items():
            if name in changes:
                content = change(content)
        return content

    def _stark_price(self, price: SignedPrice) -> dict[str, Any]:
        key = int.from_bytes(keccak256(price.publisher)) % _STARK_PRIME
        r, s, msg_hash = (self._random.randrange(_STARK_PRIME) for _ in range(3))
        name = price.asset.encode()[:16].ljust(16, b"\0") + b"Simul"
        return {
            "publisher_key": f"0x{key:x}",
            "external_asset_id": f"0x{name.hex()}",
            "signature_type": "stark",
            "price": str(price.value),
            "timestamped_signature": {
                "signature": {"r": f"0x{r:x}", "s": f"0x{s:x}"},
                "timestamp": price.timestamp_ns,
                "msg_hash": f"0x{msg_hash:x}",
            },
        }


def _head(
    aggregate: Aggregate, content: _Content, signature_type: str
) -> dict[str, Any]:
    return {
        "timestamp": content.outer_ns,
        "asset_id": aggregate.asset,
        "signature_type": signature_type,
        "trigger": aggregate.trigger,
        "price": str(aggregate.value),
    }


def _parts(aggregates: list[Aggregate]) -> Iterator[list[Aggregate]]:
    """Aggregates that fit a message each; nothing for none."""
    part: list[Aggregate] = []
    part_len = 0
    for aggregate in aggregates:
        entry_len = _AGGREGATE_LEN + _PRICE_LEN * len(aggregate.prices)
        if part and part_len + entry_len > _MAX_MESSAGE_LEN:
            yield part
            part, part_len = [], 0
        part.append(aggregate)
        part_len += entry_len
    if part:
        yield part
