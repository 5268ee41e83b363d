"""Live feeds: signed prices as they come, over connections that are kept up.

Needs the extra `feeds`: pip install 'stork-codec[feeds]'.
"""

from importlib.util import find_spec as _find_spec

from codec.errors import MissingDependencyError as _MissingDependencyError

if _find_spec("picows") is None:
    raise _MissingDependencyError(
        "live feeds need the package picows: pip install 'stork-codec[feeds]'"
    )

from codec.feeds.aggregator import AggregatorFeed
from codec.feeds.blocking import BlockingFeed
from codec.feeds.client import ConnectionSettings
from codec.feeds.events import Event, EventKind, Events, State
from codec.feeds.fast import FastFeed
from codec.feeds.feed import Feed
from codec.feeds.publisher import AggregatorPublisher
from codec.feeds.stats import Age, AggregatorStats, FeedStats, PublisherStats, Stats

__all__ = [
    "Age",
    "AggregatorFeed",
    "AggregatorPublisher",
    "AggregatorStats",
    "BlockingFeed",
    "ConnectionSettings",
    "Event",
    "EventKind",
    "Events",
    "FastFeed",
    "Feed",
    "FeedStats",
    "PublisherStats",
    "State",
    "Stats",
]
