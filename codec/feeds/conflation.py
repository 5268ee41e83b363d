"""Which of the waiting messages still matter: those with an asset's newest value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.api import decode_lines
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.batch import Batch

__all__ = ["conflate"]

# Answers of the server that are kept, the last ones.
_N_ANSWERS = 100


def conflate(
    chunks: Sequence[Buffer],
    verify: Callable[[Batch], NDArray[np.bool_]] | None = None,
) -> tuple[bytes, int]:
    """Keeps of all lines those that hold the newest value of at least one asset.

    chunks: whole lines as `decode_lines` takes them, oldest first. verify: says of each
    message whether its signature is good; others make no value old. Returns the lines
    that are kept, in order, and their number.

    An asset is the pair of taxonomy id and asset id; its newest value is that with the
    greatest timestamp, of equal ones that which arrived last. Whole messages stay, so
    that signatures do. Lines that cannot be decoded go, but for the last hundred that
    are no data: a server's errors and acknowledgements.
    """
    text = b"".join(chunks)
    batch = decode_lines(text, on_error="skip")
    trusted = np.ones(len(batch.messages), bool)
    newest = _newest(batch, trusted)
    if verify is not None:
        chosen = np.flatnonzero(newest)
        trusted[chosen] = verify(batch.select(newest))
        if not trusted.all():
            rest = ~newest
            trusted[rest] = verify(batch.select(rest))
            newest = _newest(batch, trusted)
    n_lines = len(batch.messages) + len(batch.errors)
    keep = np.zeros(n_lines, bool)
    decoded = np.ones(n_lines, bool)
    places = batch.errors["index"].astype(np.int64)
    decoded[places] = False
    keep[decoded] = newest
    keep[places[batch.errors["code"] == ErrorCode.NOT_DATA][-_N_ANSWERS:]] = True
    lines = text.split(b"\n")
    kept = [lines[i] for i in np.flatnonzero(keep).tolist()]
    return b"".join(line + b"\n" for line in kept), len(kept)


def _newest(batch: Batch, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which messages, of those that are trusted, hold an asset's newest value."""
    result = np.zeros(len(batch.messages), bool)
    owner = batch.message_index()
    rows = np.flatnonzero(trusted[owner])
    updates = batch.updates[rows]
    assets = updates["taxonomy_id"].astype(np.uint32) << 16 | updates["asset_id"]
    # By asset, then time; a stable sort leaves equal ones as they arrived.
    order = np.lexsort((updates["timestamp_ns"], assets))
    in_order = assets[order]
    is_last = np.ones(len(order), bool)
    is_last[:-1] = in_order[1:] != in_order[:-1]
    result[owner[rows[order[is_last]]]] = True
    return result
