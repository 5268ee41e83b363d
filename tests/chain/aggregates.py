"""Signed prices of the aggregator for the tests, and contracts that take them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from anvil import Anvil
from coincurve import PrivateKey
from eth_abi import encode
from parties import OTHER_SIGNER_KEY, SIGNER_KEY
from signed_payloads import address_of

import codec
from codec.aggregator import AggregatorBatch, decode
from codec.aggregator.signing import (
    MEDIAN_CHECKSUM,
    encoded_asset_id,
    merkle_root,
    sign_aggregate,
    sign_price,
)
from codec.chain import PriceUpdate, PriceUpdates

PUBLISHER_KEYS = [bytes.fromhex(f"{i:02x}" * 32) for i in (0x11, 0x12, 0x13)]
SINGLE_FEE = 7
VALID_S = 3600
ROOT = bytes(range(32))


def entry(
    asset: str,
    value: int,
    timestamp_ns: int,
    *,
    key: bytes = SIGNER_KEY,
    n_publishers: int = 1,
) -> dict[str, Any]:
    """An asset's entry in a message, all of it signed."""
    published = [
        sign_price(asset, value + i, timestamp_ns=timestamp_ns, key=key_)
        for i, key_ in enumerate(PUBLISHER_KEYS[:n_publishers])
    ]
    root = merkle_root(price.msg_hash for price in published)
    signed = sign_aggregate(
        encoded_asset_id(asset),
        value,
        timestamp_ns=timestamp_ns,
        publisher_merkle_root=root,
        key=key,
    )
    return {
        "timestamp": timestamp_ns,
        "asset_id": asset,
        "signature_type": "evm",
        "trigger": "clock",
        "price": str(value),
        "stork_signed_price": signed.as_message(),
        "signed_prices": [price.as_message() for price in published],
    }


def message_of(entries: Iterable[Mapping[str, Any]]) -> str:
    """A message with entries, by their names."""
    data = {entry["asset_id"]: entry for entry in entries}
    return json.dumps({"type": "oracle_prices", "trace_id": "t", "data": data})


def batch_of(
    values: Mapping[str, int], timestamp_ns: int, **options: Any
) -> AggregatorBatch:
    """One message with these values."""
    entries = [entry(name, v, timestamp_ns, **options) for name, v in values.items()]
    return decode(message_of(entries))


def signed(
    asset: str,
    value: int,
    timestamp_ns: int,
    *,
    key: bytes = SIGNER_KEY,
    root: bytes = ROOT,
) -> PriceUpdate:
    """An update with a value that may need an int192, signed."""
    asset_id = encoded_asset_id(asset)
    words = encode(["uint256", "int256"], [timestamp_ns, value])
    body = address_of(key) + asset_id + words + root + MEDIAN_CHECKSUM
    digest = codec.keccak256(
        b"\x19Ethereum Signed Message:\n32" + codec.keccak256(body)
    )
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    return PriceUpdate(
        timestamp_ns,
        value,
        asset_id,
        root,
        MEDIAN_CHECKSUM,
        signature[:32],
        signature[32:64],
        27 + signature[64],
    )


def updates_of(values: Mapping[str, int], timestamp_ns: int) -> PriceUpdates:
    """Of these values, signed."""
    rows = [signed(name, value, timestamp_ns) for name, value in values.items()]
    return PriceUpdates.of(rows, address_of(SIGNER_KEY), list(values))


def named(n: int, sign: int = 1) -> dict[str, int]:
    """Values of so many assets, both positive and negative for `sign` -1."""
    return {f"ASSET{i}USD": sign**i * (i + 1) * 97712345678901 for i in range(n)}


def arguments(updates: PriceUpdates) -> list[Any]:
    """Of the contract's functions, as eth_abi takes them."""
    return [((it.timestamp_ns, it.value), *it[2:-1], it.v) for it in updates]


def deploy_core(chain: Anvil, key: bytes = SIGNER_KEY, fee: int = SINGLE_FEE) -> str:
    """The address of a new StorkCore."""
    return chain.deploy("StorkCore", address_of(key), VALID_S, fee)


OTHER_KEY = OTHER_SIGNER_KEY
