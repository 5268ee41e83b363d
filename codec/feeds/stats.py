"""What feeds and publishers count."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from codec.monitor import percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Age", "AggregatorStats", "FeedStats", "PublisherStats", "Stats", "age_of"]

_PERCENTILES = (50.0, 99.0, 99.9)
_NOTHING: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Age:
    """How old data was when it arrived: receive time less timestamp, seconds.

    Percentiles of all of it, each up to a sixteenth too high (docs/feeds.md); None
    before the first.
    """

    p50_s: float | None
    p99_s: float | None
    p999_s: float | None


def age_of(histogram: NDArray[np.uint64]) -> Age:
    """The percentiles of a histogram as `codec.monitor` has them."""
    if not histogram.any():
        return Age(None, None, None)
    return Age(*(ns / 1e9 for ns in percentiles(histogram, _PERCENTILES)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStats:
    """What every feed counts, since it was opened.

    messages, batches: delivered. bytes, wire_bytes: of received messages, and before
    inflating. reconnects: connections made again. bad: messages that could not be
    decoded. not_data: messages of other types. dropped, dropped_bytes: messages given
    up because the reader was too slow. queued, queued_bytes: waiting now. decode_s:
    seconds spent decoding and verifying. age: percentiles.
    """

    messages: int = 0
    batches: int = 0
    bytes: int = 0
    wire_bytes: int = 0
    reconnects: int = 0
    bad: int = 0
    not_data: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    queued: int = 0
    queued_bytes: int = 0
    decode_s: float = 0.0
    age: Age = Age(None, None, None)

    def as_dict(self) -> dict[str, int | float | None]:
        """All of it, flat: the percentiles as age_p50_s, age_p99_s, age_p999_s."""
        counts = asdict(self)
        age = counts.pop("age")
        return counts | {f"age_{name}": value for name, value in age.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats(FeedStats):
    """The counts of a FastFeed at one moment: those of FeedStats, and these.

    updates: delivered. gaps: notices of missing ticks; missing_ticks: how many those
    were. bad_signatures, stale, duplicates: messages taken out because of their
    signature (or marked), for their age, because another connection had brought them
    before.
    """

    updates: int = 0
    gaps: int = 0
    missing_ticks: int = 0
    bad_signatures: int = 0
    stale: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregatorStats(FeedStats):
    """The counts of an AggregatorFeed at one moment: those of FeedStats, and these.

    aggregates, publishers: aggregates delivered, and publishers' prices in them.
    bad_signatures, stale, duplicates: aggregates left out because they do not pass
    `require`, for their age, because another connection had brought them before.
    bad_publishers: publishers' prices whose own signature or hash is bad, in aggregates
    delivered or not. backwards: aggregates older than the newest of their asset.
    faults: how many aggregates, and publishers' prices, had which status, such as
    "signature: high_s" and "publisher msg_hash: mismatch". `bad` counts entries of
    messages, too.
    """

    aggregates: int = 0
    publishers: int = 0
    bad_signatures: int = 0
    bad_publishers: int = 0
    stale: int = 0
    duplicates: int = 0
    backwards: int = 0
    faults: Mapping[str, int] = field(default_factory=lambda: _NOTHING)

    def as_dict(self) -> dict[str, int | float | None]:
        """All of it, flat, without `faults`."""
        counts = {name: getattr(self, name) for name in _FLAT}
        age = asdict(self.age)
        return counts | {f"age_{name}": value for name, value in age.items()}


_FLAT = tuple(
    name
    for name in AggregatorStats.__dataclass_fields__
    if name not in ("age", "faults")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublisherStats:
    """The counts of a publisher at one moment, since it was opened.

    published: prices taken in. sent: prices sent; repeated: those of them that had been
    sent before, by the clock. superseded: prices that were never sent, because a newer
    one of the asset came first. waiting: assets whose newest price has not been sent.
    Always published = sent - repeated + superseded + waiting. messages, bytes: texts
    sent. signed, sign_s: signatures made, and seconds spent on them. replies, errors:
    of the server. reconnects: connections made again. unsent_bytes: handed over, and
    not yet taken by the system.
    """

    published: int = 0
    sent: int = 0
    repeated: int = 0
    superseded: int = 0
    waiting: int = 0
    messages: int = 0
    bytes: int = 0
    signed: int = 0
    sign_s: float = 0.0
    replies: int = 0
    errors: int = 0
    reconnects: int = 0
    unsent_bytes: int = 0

    def as_dict(self) -> dict[str, int | float]:
        """All of it."""
        return asdict(self)
