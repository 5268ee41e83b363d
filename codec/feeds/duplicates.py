"""What came before, by another connection."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.batch import Batch

__all__ = ["Seen"]

# About two minutes of `real_time` at its fastest, in 24 MiB. A connection that falls
# further behind has been ended by the watch for silence before.
_N_KEPT = 1 << 17


class Seen:
    """The last things that came, by a digest of 128 bits of what they say.

    Of Stork Fast's messages that is their payload or, where they have none, their rows.
    """

    def __init__(self, n_kept: int = _N_KEPT) -> None:
        self._n_kept = n_kept
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def new(self, batch: Batch) -> NDArray[np.bool_]:
        """Which messages of a batch have not been seen yet: bool, shape (m,)."""
        messages = batch.messages
        return self.are_new(
            batch.payload(i) if payload_len else _content(batch, messages[i])
            for i, payload_len in enumerate(messages["payload_len"].tolist())
        )

    def are_new(self, contents: Iterable[Buffer]) -> NDArray[np.bool_]:
        """Which of these have not been seen yet: bool, one for each."""
        digests = self._digests
        result = []
        for content in contents:
            digest = blake2b(content, digest_size=16).digest()
            result.append(digest not in digests)
            digests[digest] = None
        while len(digests) > self._n_kept:
            digests.popitem(last=False)
        return np.array(result, bool)


def _content(batch: Batch, message: np.void) -> bytes:
    """All that an unsigned message says."""
    first, count = int(message["first_update"]), int(message["update_count"])
    head = f"{message['timestamp_ns']} {message['taxonomy_id']} ".encode()
    return head + batch.updates[first : first + count].tobytes()
