"""What files say about themselves: who wrote them, and what their columns mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import codec

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KEY", "with_notes"]

KEY = b"stork_codec"
_COLUMNS = {
    "timestamp": "of the message, unix ns",
    "taxonomy_id": "an asset is a taxonomy id and an asset id",
    "asset_id": "an asset is a taxonomy id and an asset id",
    "symbol": "by the taxonomy that was given; null where it has none",
    "value": "exact: the integer that was signed, divided by 10^18",
    "value_float": "value, correctly rounded",
    "market_status": "0 closed, 1 regular, 2 extended, 3 after hours, null none",
    "receive_timestamp": "when the message was received, unix ns; null if unknown",
    "signer": "who signed the message; null where that cannot be said",
    "verified": "whether one of the signers asked for signed the message",
}


def with_notes(schema: pa.Schema) -> pa.Schema:
    """The schema with the version of this package and a note on each column."""
    columns = {name: _COLUMNS[name] for name in schema.names if name in _COLUMNS}
    notes = {"version": codec.__version__, "columns": columns}
    return schema.with_metadata({KEY: json.dumps(notes).encode()})
