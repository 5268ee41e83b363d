"""Which of the waiting messages still matter: those with an asset's newest value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.api import decode_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Buffer

__all__ = ["conflate"]


def conflate(chunks: Sequence[Buffer]) -> tuple[bytes, int]:
    """Keeps of all lines those that hold the last value of at least one asset.

    chunks: whole lines as `decode_lines` takes them, oldest first. Returns the lines
    that are kept, in order, and their number. Whole messages stay, so that signatures
    do; lines that cannot be decoded go. An asset is the pair of taxonomy id and asset
    id, and its last value is that which arrived last.
    """
    text = b"".join(chunks)
    batch = decode_lines(text, on_error="skip", payloads=False)
    updates = batch.updates
    assets = updates["taxonomy_id"].astype(np.uint32) << 16 | updates["asset_id"]
    # The first of each in the reversed order is the last one.
    _, first = np.unique(assets[::-1], return_index=True)
    last = len(assets) - 1 - first
    keep = np.unique(batch.message_index()[last])
    lines = text.split(b"\n")
    decoded = np.ones(len(batch.messages) + len(batch.errors), bool)
    decoded[batch.errors["index"].astype(np.int64)] = False
    places = np.flatnonzero(decoded)[keep].tolist()
    return b"".join(lines[i] + b"\n" for i in places), len(places)
