"""What a ShurikenFeed counts."""

from __future__ import annotations

from dataclasses import dataclass

from codec.feeds.stats import FeedStats

__all__ = ["ShurikenStats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShurikenStats(FeedStats):
    """The counts of a ShurikenFeed at one moment: those of FeedStats, and these.

    messages: events that belong to a subscription. dropped, queued: in all queues of
    now, where an event waits once for each who has asked for it. not_data: messages of
    the protocol and events of nobody's. subscriptions: streams with a filter that are
    wanted; subscribed: those that are subscribed to now. outages: how often one of them
    may have missed events. `batches` and `age` stay empty.
    """

    subscriptions: int = 0
    subscribed: int = 0
    outages: int = 0
