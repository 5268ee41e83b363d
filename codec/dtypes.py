"""The numpy dtypes of decoded data: the memory layout of the C structs, field by field.

tests/test_dtypes.py compares every offset with C's `offsetof`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "AGGREGATE_DTYPE",
    "AGGREGATE_SIGNATURE_DTYPE",
    "AGGREGATOR_MESSAGE_DTYPE",
    "BAR_DTYPE",
    "ERROR_DTYPE",
    "GAP_DTYPE",
    "MESSAGE_DTYPE",
    "NOTICE_DTYPE",
    "PUBLISHER_PRICE_DTYPE",
    "PUBLISHER_SIGNATURE_DTYPE",
    "SIGNER_DTYPE",
    "UPDATE_DTYPE",
    "VALUE_DTYPE",
]

VALUE_DTYPE: np.dtype[Any] = np.dtype([("lo", "<u8"), ("hi", "<i8")])
"""16 bytes: an int128 in two's complement, the integer scaled by 10^18."""

UPDATE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": ["value", "timestamp_ns", "taxonomy_id", "asset_id", "market_status"],
        "formats": [VALUE_DTYPE, "<u8", "<u2", "<u2", "u1"],
        "offsets": [0, 16, 24, 26, 28],
        "itemsize": 32,
        "aligned": True,
    }
)
"""32 bytes: one asset's value in one message."""

MESSAGE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "timestamp_ns",
            "receive_ns",
            "first_update",
            "payload_offset",
            "payload_len",
            "update_count",
            "taxonomy_id",
            "kind",
            "layout",
        ],
        "formats": ["<u8", "<u8", "<u8", "<u8", "<u4", "<u4", "<u2", "u1", "u1"],
        "offsets": [0, 8, 16, 24, 32, 36, 40, 42, 43],
        "itemsize": 48,
        "aligned": True,
    }
)
"""48 bytes: one decoded message and where its updates and its payload are."""

ERROR_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": ["index", "offset", "code"],
        "formats": ["<u8", "<u8", "<u2"],
        "offsets": [0, 8, 16],
        "itemsize": 24,
        "aligned": True,
    }
)
"""24 bytes: one message that could not be decoded (`code` is an `ErrorCode`)."""

SIGNER_DTYPE: np.dtype[Any] = np.dtype([("address", "u1", (20,)), ("status", "u1")])
"""21 bytes: who signed a message, or why that cannot be said.

status: 0, recovered, or an `ErrorCode` from UNSIGNED to NO_POINT; the address is zero
then.
"""

NOTICE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "message",
            "timestamp_ns",
            "amount",
            "taxonomy_id",
            "asset_id",
            "kind",
        ],
        "formats": ["<u8", "<u8", "<u8", "<u2", "<u2", "u1"],
        "offsets": [0, 8, 16, 24, 26, 28],
        "itemsize": 32,
        "aligned": True,
    }
)
"""32 bytes: what a Monitor noticed about a message, by its row in `messages`.

kind: a `NoticeKind`. asset_id: of DUPLICATE_ASSET, else 0. amount: docs/feeds.md says
what is counted.
"""

GAP_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": ["message", "before_ns", "after_ns", "missing"],
        "formats": ["<u8", "<u8", "<u8", "<u8"],
        "offsets": [0, 8, 16, 24],
        "itemsize": 32,
        "aligned": True,
    }
)
"""32 bytes: ticks that are missing before a message, by its row in `messages`.

before_ns: the newest timestamp before it. after_ns: its own. missing: how many ticks.
"""

BAR_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "start_ns",
            "taxonomy_id",
            "asset_id",
            "open",
            "high",
            "low",
            "close",
            "last",
            "count",
            "first_ns",
            "last_ns",
        ],
        "formats": ["<u8", "<u2", "<u2", *[VALUE_DTYPE] * 5, "<u8", "<u8", "<u8"],
        "offsets": [0, 8, 10, 16, 32, 48, 64, 80, 96, 104, 112],
        "itemsize": 120,
        "aligned": True,
    }
)
"""120 bytes: what an asset's value did in one interval (docs/resampling.md).

first_ns, last_ns: the timestamps of `open` and of `close`. count: updates, 0 in an
interval that was filled.
"""

AGGREGATOR_MESSAGE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "receive_ns",
            "text_offset",
            "text_len",
            "first_aggregate",
            "aggregate_count",
        ],
        "formats": ["<u8", "<u8", "<u4", "<u4", "<u4"],
        "offsets": [0, 8, 16, 20, 24],
        "itemsize": 32,
        "aligned": True,
    }
)
"""32 bytes: one message of Stork's aggregator, where its text and its aggregates are.

receive_ns: unix ns, 0 where it is not known.
"""

AGGREGATE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "value",
            "timestamp_ns",
            "outer_timestamp_ns",
            "message",
            "symbol",
            "first_publisher",
            "publisher_count",
            "signer",
            "trigger",
            "signature_type",
            "signature",
            "msg_hash",
            "encoded_asset_id",
            "merkle_root",
            "consistency",
            "verified",
        ],
        "formats": [
            *[VALUE_DTYPE, "<u8", "<u8", "<u4", "<u4", "<u4", "<u4", ("u1", (20,))],
            *["u1"] * 7,
            "?",
        ],
        "offsets": [0, 16, 24, 32, 36, 40, 44, 48, 68, 69, 70, 71, 72, 73, 74, 75],
        "itemsize": 80,
        "aligned": True,
    }
)
"""80 bytes: the aggregated price of one asset (docs/aggregator.md).

value, timestamp_ns: what is signed, or stands outside where nothing is. message: row of
its message. symbol: index of its name. signer: the address it claims, zero for none.
trigger: a `Trigger`. signature_type: a `SignatureType`. signature, msg_hash,
encoded_asset_id, merkle_root, consistency: 0, good, or an `ErrorCode`. verified: all of
them but merkle_root are good.
"""

_32_BYTES = ("u1", (32,))

AGGREGATE_SIGNATURE_DTYPE: np.dtype[Any] = np.dtype(
    [
        ("r", *_32_BYTES),
        ("s", *_32_BYTES),
        ("v", "u1"),
        ("public_key", *_32_BYTES),
        ("msg_hash", *_32_BYTES),
        ("encoded_asset_id", *_32_BYTES),
        ("publisher_merkle_root", *_32_BYTES),
        ("checksum", *_32_BYTES),
        ("digest", *_32_BYTES),
    ]
)
"""257 bytes: the signature of an aggregate, row for row beside AGGREGATE_DTYPE.

digest: what is signed, calculated here; all else as the message has it, filled up with
zeros on the left (public_key is an address for evm), zeros where it is absent.
"""

PUBLISHER_PRICE_DTYPE: np.dtype[Any] = np.dtype(
    {
        "names": [
            "value",
            "timestamp_ns",
            "aggregate",
            "symbol",
            "publisher",
            "signature_type",
            "signature",
            "msg_hash",
            "verified",
        ],
        "formats": [
            *[VALUE_DTYPE, "<u8", "<u4", "<u4", ("u1", (20,))],
            *["u1", "u1", "u1", "?"],
        ],
        "offsets": [0, 16, 24, 28, 32, 52, 53, 54, 55],
        "itemsize": 64,
        "aligned": True,
    }
)
"""64 bytes: one publisher's price that an aggregate was made of.

aggregate: its row. symbol: index of its external_asset_id. publisher: the address it
claims, zero where it is not evm. signature, msg_hash: 0, good, or an `ErrorCode`.
verified: both are good.
"""

PUBLISHER_SIGNATURE_DTYPE: np.dtype[Any] = np.dtype(
    [
        ("r", *_32_BYTES),
        ("s", *_32_BYTES),
        ("v", "u1"),
        ("public_key", *_32_BYTES),
        ("msg_hash", *_32_BYTES),
        ("leaf", *_32_BYTES),
        ("digest", *_32_BYTES),
    ]
)
"""193 bytes: a publisher's signature, row for row beside PUBLISHER_PRICE_DTYPE.

leaf: the message's hash, calculated here, a leaf of the Merkle tree. digest: what is
signed. All else as in AGGREGATE_SIGNATURE_DTYPE.
"""
