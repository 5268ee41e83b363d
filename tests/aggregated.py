"""Messages of the aggregator: real ones, and signed ones of our own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from coincurve import PrivateKey
from vectors import VECTORS

from codec import keccak256
from codec.errors import ErrorCode

ARRAYS = (
    "messages",
    "aggregates",
    "aggregate_signatures",
    "publishers",
    "publisher_signatures",
    "errors",
    "text_arena",
)
SIGNER = "0xC4A02e7D370402F4afC36032076B05e74FF81786"
PUBLISHER = "0x99e295e85cb07C16B7BB62A44dF532A7F2620237"
CHECKSUM = "9be7e9f9ed459417d96112a7467bd0b27575a2c7847195c68f805b70ce1795ba"
TIME_NS = 1757543080509034593
STARK_KEY = "0x418d3fd8219a2cf32a00d458f61802d17f01c5bcde5a4f82008ee4a7c8e9a06"
KEY, PUBLISHER_KEYS = 7, tuple(range(100, 120))


def real_lines() -> list[bytes]:
    """The real messages; the test is skipped where there are none."""
    paths = sorted(VECTORS.glob("aggregator_oracle_prices_*.ndjson"))
    if not paths:
        pytest.skip(f"optional: no recorded messages in {VECTORS}")
    return [line for path in paths for line in path.read_bytes().splitlines()]


def address(key: int) -> bytes:
    """Of a private key."""
    public = PrivateKey.from_int(key).public_key.format(compressed=False)
    return keccak256(public[1:])[12:]


def sign(key: int, msg_hash: bytes) -> dict[str, str]:
    """r, s and v of a hash, wrapped by EIP-191."""
    digest = keccak256(b"\x19Ethereum Signed Message:\n32" + msg_hash)
    raw = PrivateKey.from_int(key).sign_recoverable(digest, hasher=None)
    v = raw[64] + 27
    return {"r": f"0x{raw[:32].hex()}", "s": f"0x{raw[32:64].hex()}", "v": f"0x{v:x}"}


def uint(number: int) -> bytes:
    """uint256, or int256."""
    return (number % 2**256).to_bytes(32, "big")


def timestamped(key: int, msg_hash: bytes, timestamp_ns: int) -> dict[str, Any]:
    """A signature with its time and its hash."""
    return {
        "signature": sign(key, msg_hash),
        "timestamp": timestamp_ns,
        "msg_hash": f"0x{msg_hash.hex()}",
    }


def publisher_price(
    asset: str, price: int, timestamp_ns: int = TIME_NS, key: int = PUBLISHER_KEYS[0]
) -> dict[str, Any]:
    """One of `signed_prices`."""
    parts = (address(key), asset.encode(), uint(timestamp_ns // 10**9), uint(price))
    return {
        "publisher_key": f"0x{address(key).hex()}",
        "external_asset_id": asset,
        "signature_type": "evm",
        "price": str(price),
        "timestamped_signature": timestamped(
            key, keccak256(b"".join(parts)), timestamp_ns
        ),
    }


def tree_root(leaves: list[bytes]) -> bytes:
    """By recursion over positions."""
    if len(leaves) == 1:
        return leaves[0]
    pairs = [leaves[i : i + 2] for i in range(0, len(leaves), 2)]
    return tree_root([keccak256(pair[0] + pair[-1]) for pair in pairs])


def aggregate(
    asset: str,
    price: int = 5 * 10**18,
    timestamp_ns: int = TIME_NS,
    *,
    publishers: Iterable[dict[str, Any]] | int = 1,
    key: int = KEY,
    trigger: str = "clock",
) -> dict[str, Any]:
    """An entry of `data`; publishers: as they are, or how many."""
    if isinstance(publishers, int):
        publishers = [
            publisher_price(asset, price + i, timestamp_ns, PUBLISHER_KEYS[i])
            for i in range(publishers)
        ]
    prices = list(publishers)
    hashes = [p["timestamped_signature"]["msg_hash"] for p in prices]
    root = tree_root([bytes.fromhex(h[2:]) for h in hashes] or [bytes(32)])
    encoded = keccak256(asset.encode())
    parts = (address(key), encoded, uint(timestamp_ns), uint(price), root)
    msg_hash = keccak256(b"".join(parts) + bytes.fromhex(CHECKSUM))
    return {
        "timestamp": timestamp_ns - 1000,
        "asset_id": asset,
        "signature_type": "evm",
        "trigger": trigger,
        "price": str(price),
        "stork_signed_price": {
            "public_key": f"0x{address(key).hex()}",
            "encoded_asset_id": f"0x{encoded.hex()}",
            "price": str(price),
            "timestamped_signature": timestamped(key, msg_hash, timestamp_ns),
            "publisher_merkle_root": f"0x{root.hex()}",
            "calculation_alg": {
                "type": "median",
                "version": "v1",
                "checksum": CHECKSUM,
            },
        },
        "signed_prices": prices,
    }


def stark_price(asset: str, price: int) -> dict[str, Any]:
    """One of `signed_prices` with a signature that nobody checks here."""
    return {
        "publisher_key": STARK_KEY,
        "external_asset_id": asset,
        "signature_type": "stark",
        "price": str(price),
        "timestamped_signature": {
            "signature": {"r": "0x4a1", "s": f"0x{'7' * 63}"},
            "timestamp": TIME_NS,
            "msg_hash": "0x12",
        },
    }


def message(*entries: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A message of entries, by their `asset_id`."""
    data = {entry["asset_id"]: entry for entry in entries}
    return {"type": "oracle_prices", "trace_id": "t-1", "data": data} | others


def text(*entries: dict[str, Any], **others: Any) -> str:
    """The same as compact JSON."""
    return json.dumps(
        message(*entries, **others), separators=(",", ":"), ensure_ascii=False
    )


def state(batch: Any) -> dict[str, Any]:
    """All that a batch says, to be compared; JSON faults without their offset, which
    the reference may put elsewhere."""
    errors = batch.errors.copy()
    errors["offset"][errors["code"] == ErrorCode.INVALID_JSON] = 0
    found: dict[str, Any] = {n: getattr(batch, n).tobytes() for n in ARRAYS}
    found["errors"] = errors.tolist()
    found |= {f"{name} dtype": getattr(batch, name).dtype for name in ARRAYS}
    return found | {"symbols": list(batch.symbols)}


def statuses(row: np.void) -> dict[str, int]:
    """Those of an aggregate, or of a publisher, that are not good."""
    names = (
        "signature",
        "msg_hash",
        "encoded_asset_id",
        "merkle_root",
        "consistency",
    )
    assert row.dtype.names is not None
    return {n: int(row[n]) for n in names if n in row.dtype.names and row[n]}
