"""What a feed counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Age", "Stats"]


@dataclass(frozen=True, slots=True)
class Age:
    """How old messages were when they arrived: receive time less timestamp, seconds.

    Percentiles of all messages, each up to a sixteenth too high (docs/feeds.md); None
    before the first.
    """

    p50_s: float | None
    p99_s: float | None
    p999_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A feed's counts at one moment, since it was opened.

    messages, updates: delivered. bytes, wire_bytes: of received messages, and before
    inflating. batches: delivered. reconnects: connections made again. gaps: notices of
    missing ticks; missing_ticks: how many those were. bad: messages that could not be
    decoded. bad_signatures, stale, duplicates: messages taken out because of their
    signature (or marked), for their age, because another connection had brought them
    before. not_data: messages of other types. dropped, dropped_bytes: given up because
    the reader was too slow. queued, queued_bytes: waiting now. decode_s: seconds spent
    decoding and verifying. age: percentiles.
    """

    messages: int = 0
    updates: int = 0
    batches: int = 0
    bytes: int = 0
    wire_bytes: int = 0
    reconnects: int = 0
    gaps: int = 0
    missing_ticks: int = 0
    bad: int = 0
    bad_signatures: int = 0
    stale: int = 0
    duplicates: int = 0
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
