"""Stork's aggregator: its messages into numpy arrays, with every signature checked.

`decode` and `decode_lines` give an `AggregatorBatch` (docs/aggregator.md).
`codec.reference.aggregator` is the same in plain Python. `sign_price` and its like make
what publishers and the aggregator sign.
"""

from codec.aggregator.batch import AggregatorBatch, Require
from codec.aggregator.decoding import decode, decode_lines
from codec.aggregator.kinds import SignatureType, Trigger
from codec.aggregator.signing import (
    SignedAggregate,
    SignedPrice,
    aggregate_hash,
    authentication_hash,
    authentication_headers,
    encoded_asset_id,
    key_address,
    merkle_root,
    publisher_hash,
    sign_aggregate,
    sign_price,
)
from codec.aggregator.symbols import Symbols
from codec.dtypes import (
    AGGREGATE_DTYPE,
    AGGREGATE_SIGNATURE_DTYPE,
    AGGREGATOR_MESSAGE_DTYPE,
    PUBLISHER_PRICE_DTYPE,
    PUBLISHER_SIGNATURE_DTYPE,
)

__all__ = [
    "AGGREGATE_DTYPE",
    "AGGREGATE_SIGNATURE_DTYPE",
    "AGGREGATOR_MESSAGE_DTYPE",
    "PUBLISHER_PRICE_DTYPE",
    "PUBLISHER_SIGNATURE_DTYPE",
    "AggregatorBatch",
    "Require",
    "SignatureType",
    "SignedAggregate",
    "SignedPrice",
    "Symbols",
    "Trigger",
    "aggregate_hash",
    "authentication_hash",
    "authentication_headers",
    "decode",
    "decode_lines",
    "encoded_asset_id",
    "key_address",
    "merkle_root",
    "publisher_hash",
    "sign_aggregate",
    "sign_price",
]
