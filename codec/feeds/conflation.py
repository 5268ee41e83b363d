"""Which of the waiting messages still matter: those with an asset's newest value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from codec.api import decode_lines
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.batch import Batch

__all__ = ["N_ANSWERS", "conflate", "newest_rows"]

# Answers of the server that are kept, the last ones.
N_ANSWERS = 100


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
    if text and not text.endswith(b"\n"):
        text += b"\n"
    batch = decode_lines(text, on_error="skip", payloads=False)
    bounds = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    bounds = np.concatenate(([0], bounds))
    is_data = np.ones(len(bounds) - 1, bool)
    is_data[batch.errors["index"].astype(np.int64)] = False
    places = np.flatnonzero(is_data)  # of the messages among the lines

    def lines(chosen: NDArray[np.intp]) -> bytes:
        return b"".join(text[bounds[i] : bounds[i + 1]] for i in chosen.tolist())

    trusted = np.ones(batch.n_messages, bool)
    newest = _newest(batch, trusted)
    if verify is not None:
        trusted[newest] = verify(decode_lines(lines(places[newest])))
        if not trusted.all():  # rare: then all of them are looked at
            trusted[~newest] = verify(decode_lines(lines(places[~newest])))
            newest = _newest(batch, trusted)
    answers = batch.errors["index"][batch.errors["code"] == ErrorCode.NOT_DATA]
    keep = np.union1d(places[newest], answers[-N_ANSWERS:].astype(np.intp))
    return lines(keep), len(keep)


def _newest(batch: Batch, trusted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which messages, of those that are trusted, hold an asset's newest value."""
    result = np.zeros(batch.n_messages, bool)
    owner = batch.message_index()
    rows = np.flatnonzero(trusted[owner])
    updates = batch.updates[rows]
    assets = updates["taxonomy_id"].astype(np.uint32) << 16 | updates["asset_id"]
    result[owner[rows[newest_rows(assets, updates["timestamp_ns"])]]] = True
    return result


def newest_rows(assets: NDArray[Any], timestamps_ns: NDArray[Any]) -> NDArray[np.intp]:
    """The row of each asset with its newest value; of equal times the last one."""
    # By asset, then time; a stable sort leaves equal ones as they arrived.
    order = np.lexsort((timestamps_ns, assets))
    in_order = assets[order]
    is_last = np.ones(len(order), bool)
    is_last[:-1] = in_order[1:] != in_order[:-1]
    newest: NDArray[np.intp] = order[is_last]
    return newest
