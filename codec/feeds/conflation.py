"""Which of the waiting messages still matter: those with an asset's newest value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.api import decode_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.batch import Batch
    from codec.known import Signers

__all__ = ["conflate"]


def conflate(
    chunks: Sequence[Buffer], *, signers: Signers | None = None
) -> tuple[bytes, int]:
    """Keeps of all lines those that hold the newest value of at least one asset.

    chunks: lines as `decode_lines` takes them, oldest first. signers: messages that
    none of them has signed hold nothing. Returns the lines that are kept, in order, and
    their number. Whole messages stay, so that signatures do; lines that cannot be
    decoded go. An asset is the pair of taxonomy id and asset id, and its newest value
    is that of the latest timestamp, of several the one that arrived last: by arrival
    alone, a connection that lags would bring old values back.
    """
    text = b"".join(chunks)
    batch = decode_lines(text, on_error="skip", payloads=False)
    lines = text.split(b"\n")
    decoded = np.ones(len(batch.messages) + len(batch.errors), bool)
    decoded[batch.errors["index"].astype(np.int64)] = False
    places = np.flatnonzero(decoded)

    def text_of(rows: NDArray[np.intp]) -> bytes:
        return b"".join(lines[i] + b"\n" for i in places[rows].tolist())

    every = np.arange(len(batch.messages))
    keep = _newest(batch, every)
    if signers is not None and not _are_good(text_of(keep), signers).all():
        # Forgeries are rare; where there are some, all messages are looked at.
        keep = _newest(batch, every[_are_good(text_of(every), signers)])
    return text_of(keep), len(keep)


def _newest(batch: Batch, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of the messages in these rows that hold an asset's newest value."""
    updates, owners = batch.updates, batch.message_index()
    chosen = np.zeros(len(batch.messages), bool)
    chosen[rows] = True
    places = np.flatnonzero(chosen[owners])
    times = updates["timestamp_ns"][places]
    if (times[1:] < times[:-1]).any():
        places = places[np.argsort(times, kind="stable")]
    assets = updates["taxonomy_id"].astype(np.uint32) << 16 | updates["asset_id"]
    # The first of each in the reversed order is the last one.
    _, first = np.unique(assets[places[::-1]], return_index=True)
    return np.unique(owners[places[len(places) - 1 - first]]).astype(np.intp)


def _are_good(text: bytes, signers: Signers) -> NDArray[np.bool_]:
    """Which of the messages in these lines are signed as they should be."""
    batch = decode_lines(text, signers=signers, on_bad_signature="mark")
    assert batch.verified is not None
    return batch.verified
