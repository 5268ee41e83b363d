"""A feed's counts for Prometheus, on an HTTP port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from codec.errors import MissingDependencyError
from codec.feeds.events import EventKind, State
from codec.feeds.stats import AggregatorStats
from codec.monitor import age_bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from numpy.typing import NDArray
    from prometheus_client import Metric

    from codec.feeds.aggregator import AggregatorFeed
    from codec.feeds.fast import FastFeed
    from codec.recording import RecorderStats

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "metrics need the package prometheus_client: pip install 'stork-codec[feeds]'"
    ) from error

__all__ = ["FeedCollector", "Metrics", "serve_metrics"]

# Counters from a feed's stats, of those that it has: name, field, help.
_COUNTERS = (
    ("messages", "messages", "Messages delivered."),
    ("updates", "updates", "Updates delivered."),
    ("aggregates", "aggregates", "Aggregates delivered."),
    ("publisher_prices", "publishers", "Publishers' prices delivered."),
    ("batches", "batches", "Batches delivered."),
    ("bytes", "bytes", "Bytes of messages received."),
    ("wire_bytes", "wire_bytes", "The same before inflating."),
    ("reconnects", "reconnects", "Connections made again."),
    ("gaps", "gaps", "Notices of missing ticks."),
    ("missing_ticks", "missing_ticks", "Ticks of a fixed channel that never came."),
    ("bad_messages", "bad", "Messages that could not be decoded."),
    ("bad_signatures", "bad_signatures", "Messages or aggregates that are not good."),
    ("bad_publisher_prices", "bad_publishers", "Publishers' prices that are not good."),
    ("backwards", "backwards", "Aggregates older than the newest of their asset."),
    ("stale_messages", "stale", "Messages or aggregates taken out for their age."),
    ("duplicates", "duplicates", "What another connection had brought."),
    ("other_messages", "not_data", "Messages that are no data."),
    ("dropped_messages", "dropped", "Messages given up: the reader was too slow."),
    ("dropped_bytes", "dropped_bytes", "Bytes of them."),
    ("decode_seconds", "decode_s", "Time spent decoding and verifying."),
)
_GAUGES = (
    ("queue_messages", "queued", "Messages waiting to be read."),
    ("queue_bytes", "queued_bytes", "Bytes of them."),
)
_RECORDER_COUNTERS = (
    ("messages", "n_written", "Messages written into segments."),
    ("bytes", "written_len", "Bytes of lines written, uncompressed."),
    ("lost_messages", "n_lost", "Messages lost: queue full, or disk refusing."),
    ("lost_bytes", "lost_len", "Bytes of them."),
    ("segments_closed", "n_segments_closed", "Segments closed with their index."),
)
# The histogram's bounds are the first at or above these of `age_bounds`, so that its
# counts are exact.
_BOUNDS_S = tuple(
    digit * 10.0**power for power in range(-5, 2) for digit in (1.0, 2.5, 5.0)
)


class Metrics:
    """A feed's metrics on a port, until `close`; also a context manager.

    port: the one it got, where 0 was asked for.
    """

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self.port: int = server.server_port
        self._server = server
        self._thread = thread

    def close(self) -> None:
        """Frees the port. Does nothing the second time."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_metrics(
    feed: FastFeed | AggregatorFeed, port: int, address: str = "127.0.0.1"
) -> Metrics:
    """Serves the counts of a feed, and of its recorder, at `http://address:port/`.

    In Prometheus' text format, by a thread of its own; docs/feeds.md lists the names.
    port: 0 finds one. Raises OSError where the port cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(FeedCollector(lambda: feed))
    server, thread = start_http_server(port, addr=address, registry=registry)
    return Metrics(server, thread)


class FeedCollector:
    """Reads a feed's counts when it is asked, from any thread.

    feed: gives the feed of that moment.
    """

    def __init__(self, feed: Callable[[], FastFeed | AggregatorFeed]) -> None:
        self._feed = feed
        bounds = age_bounds()
        at = np.searchsorted(bounds, [round(s * 1e9) for s in _BOUNDS_S])
        self._ends = at + 1
        self._labels = [repr(int(bounds[i]) / 1e9) for i in at]
        below = np.concatenate(([0], bounds[:-1].astype(np.float64) + 1))
        self._middles_s = (below + bounds.astype(np.float64)) / 2e9

    def collect(self) -> Iterator[Metric]:
        feed = self._feed()
        stats = feed.stats
        for name, field, text in _COUNTERS:
            if hasattr(stats, field):
                value = getattr(stats, field)
                yield CounterMetricFamily(f"stork_feed_{name}", text, value)
        if isinstance(stats, AggregatorStats):
            yield _faults(stats.faults)
        for name, field, text in _GAUGES:
            yield GaugeMetricFamily(f"stork_feed_{name}", text, getattr(stats, field))
        yield GaugeMetricFamily(
            "stork_feed_assets", "Assets subscribed to.", len(feed.assets)
        )
        yield _states(feed)
        events = CounterMetricFamily(
            "stork_feed_events", "Events by their kind.", labels=["kind"]
        )
        for kind in EventKind:
            events.add_metric([kind], feed.events.counts[kind])
        yield events
        yield self._age(feed.ages)
        if feed.recorder is not None:
            yield from _recorder_metrics(feed.recorder.stats)

    def _age(self, histogram: NDArray[np.uint64]) -> Metric:
        sums = np.concatenate(([0], np.cumsum(histogram)))
        counts = [int(n) for n in sums[self._ends]]
        buckets = list(zip(self._labels, counts, strict=True))
        return HistogramMetricFamily(
            "stork_feed_age_seconds",
            "Receive time less timestamp; the sum is right to a thirty-second.",
            [*buckets, ("+Inf", int(sums[-1]))],
            float(histogram @ self._middles_s),
        )


def _faults(counts: Mapping[str, int]) -> Metric:
    result = CounterMetricFamily(
        "stork_feed_faults",
        "What aggregates and publishers' prices lack, whether delivered or not.",
        labels=["status", "code"],
    )
    for name, n in counts.items():
        result.add_metric(name.split(": "), n)
    return result


def _states(feed: FastFeed | AggregatorFeed) -> Metric:
    result = GaugeMetricFamily(
        "stork_feed_connection_state",
        "1 for the state that a connection is in.",
        labels=["connection", "state"],
    )
    for index, current in enumerate(feed.states):
        for state in State:
            result.add_metric([str(index), state], float(state is current))
    return result


def _recorder_metrics(stats: RecorderStats) -> Iterator[Metric]:
    for name, field, text in _RECORDER_COUNTERS:
        yield CounterMetricFamily(f"stork_recorder_{name}", text, getattr(stats, field))
    gauges = (
        ("queue_bytes", "Bytes of lines on their way to the disk.", stats.queue_len),
        (
            "last_sync_timestamp_seconds",
            "When the last fsync ended, unix time; 0 before the first.",
            stats.last_sync_ns / 1e9,
        ),
        ("failing", "1 while the disk refuses.", float(stats.failure is not None)),
    )
    for name, text, value in gauges:
        yield GaugeMetricFamily(f"stork_recorder_{name}", text, value)
