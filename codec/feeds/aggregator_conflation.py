"""Which of an aggregator's waiting messages still matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from codec.aggregator import decode
from codec.aggregator.decoding import read_lines
from codec.errors import ErrorCode
from codec.feeds.conflation import N_ANSWERS, newest_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from typing_extensions import Buffer

    from codec.aggregator import AggregatorBatch, Require
    from codec.known import Signers

__all__ = ["conflate"]


def conflate(
    chunks: Sequence[Buffer],
    *,
    require: Require,
    signers: Signers | None = None,
    threads: int = 1,
) -> tuple[bytes, int]:
    """Keeps of all lines those that hold the newest value of at least one asset.

    chunks: whole lines, oldest first. Aggregates that do not pass `require` make no
    value old. Returns the lines that are kept, and their number: of the server's
    answers the last hundred, then messages, in order.

    The newest is the one with the greatest timestamp, of equal ones that which arrived
    last. Whole messages stay, for their signatures and their publishers. What cannot be
    decoded goes.
    """
    text = b"\n".join(bytes(chunk).rstrip(b"\n") for chunk in chunks)
    batch = read_lines(text, on_error="skip")
    everything = np.arange(len(batch.messages))
    kept = _newest(batch, np.ones(len(batch), bool))
    passed = _verdicts(batch, kept, require, signers, threads)
    if not passed.all():  # rare: then all of them are checked
        passed = _verdicts(batch, everything, require, signers, threads)
        kept = _newest(batch, passed)
    lines = _answers(text, batch) + [_line(batch, i) for i in kept.tolist()]
    return b"".join(lines), len(lines)


def _newest(batch: AggregatorBatch, trusted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The messages that hold the newest trusted value of some asset, in order."""
    aggregates = batch.aggregates[trusted]
    newest = newest_rows(aggregates["symbol"], aggregates["timestamp_ns"])
    messages: NDArray[np.intp] = np.unique(aggregates["message"][newest])
    return messages


def _verdicts(
    batch: AggregatorBatch,
    messages: NDArray[np.intp],
    require: Require,
    signers: Signers | None,
    threads: int,
) -> NDArray[np.bool_]:
    """Whether each aggregate of these messages passes, in order."""
    if require == "none":
        return np.ones(int(batch.messages["aggregate_count"][messages].sum()), bool)
    # With names of its own: another thread may be using those of the feed.
    checked = decode(
        [batch.text(i) for i in messages.tolist()],
        signers=signers,
        on_error="skip",
        threads=threads,
    )
    return checked.passed(require)


def _line(batch: AggregatorBatch, message: int) -> bytes:
    receive_ns = int(batch.messages[message]["receive_ns"])
    return b"%d %b\n" % (receive_ns, bytes(batch.text(message)))


def _answers(text: bytes, batch: AggregatorBatch) -> list[bytes]:
    codes: NDArray[np.uint16] = batch.errors["code"]
    places = batch.errors["index"][codes == ErrorCode.NOT_DATA][-N_ANSWERS:]
    if not len(places):
        return []
    lines = text.split(b"\n")
    return [lines[i] + b"\n" for i in places.tolist()]
