"""Metrics over HTTP, read with Prometheus' own parser."""

from __future__ import annotations

import asyncio
import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest
from live import FAST, TOKEN, run, until
from prometheus_client.parser import text_string_to_metric_families

from codec.feeds import FastFeed
from codec.feeds.metrics import serve_metrics
from codec.recording import Recorder
from codec.simulator import Simulator

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def fetch(port: int) -> tuple[Samples, dict[str, str]]:
    """All samples by name and labels, and the families' types."""
    client = HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", "/metrics")
    text = client.getresponse().read().decode()
    client.close()
    assert TOKEN not in text
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    return samples, {family.name: family.type for family in families}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


async def read_some(feed: FastFeed, n: int) -> None:
    async for _ in feed:
        if feed.stats.messages >= n:
            return


def test_all_that_a_feed_counts(tmp_path: Path) -> None:
    async def test() -> None:
        async with Simulator(token=TOKEN) as simulator:
            simulator.faults.garbage_text = 2
            simulator.faults.wrong_key = 3
            with Recorder(tmp_path) as recorder:
                feed = FastFeed(
                    urls=[simulator.url, simulator.url],
                    token=TOKEN,
                    assets=[1, 2],
                    channel="10ms",
                    signers=simulator.signer,
                    on_bad_signature="drop",
                    connection=FAST,
                    recorder=recorder,
                )
                async with feed:
                    with serve_metrics(feed, 0) as metrics:
                        await read_some(feed, 20)
                        await until(lambda: recorder.stats.n_synced > 0)
                        samples, types = await asyncio.to_thread(fetch, metrics.port)
                stats = feed.stats
        _check_samples(samples, stats.messages)
        assert types["stork_feed_messages"] == "counter"
        assert types["stork_feed_queue_bytes"] == "gauge"
        assert types["stork_feed_age_seconds"] == "histogram"
        assert value(samples, "stork_recorder_messages_total") > 0
        assert value(samples, "stork_recorder_lost_messages_total") == 0
        assert value(samples, "stork_recorder_failing") == 0
        assert value(samples, "stork_recorder_last_sync_timestamp_seconds") > 1e9

    run(test())


def _check_samples(samples: Samples, n_messages: int) -> None:
    assert value(samples, "stork_feed_messages_total") == n_messages
    assert value(samples, "stork_feed_updates_total") == 2 * n_messages
    assert value(samples, "stork_feed_bytes_total") > 500 * n_messages
    assert value(samples, "stork_feed_reconnects_total") == 0
    assert value(samples, "stork_feed_bad_messages_total") >= 2
    assert value(samples, "stork_feed_bad_signatures_total") >= 1
    assert value(samples, "stork_feed_duplicates_total") > 0
    assert value(samples, "stork_feed_decode_seconds_total") > 0
    assert value(samples, "stork_feed_assets") == 2
    for state, is_it in (("connected", 1), ("failed", 0), ("reconnecting", 0)):
        name = "stork_feed_connection_state"
        assert value(samples, name, connection="0", state=state) == is_it
    assert value(samples, "stork_feed_events_total", kind="acknowledged") == 2
    assert value(samples, "stork_feed_events_total", kind="clock_jump") == 0
    bounds = [
        (float(dict(labels)["le"]), n)
        for (name, labels), n in samples.items()
        if name == "stork_feed_age_seconds_bucket"
    ]
    assert sorted(bounds) == bounds and bounds[-1][0] == float("inf")
    assert bounds[-1][1] == value(samples, "stork_feed_age_seconds_count")
    assert [n for _, n in bounds] == sorted(n for _, n in bounds)
    for bound, _ in bounds[:-1]:
        nominal = float(f"{bound:.0e}")
        assert bound == pytest.approx(nominal, rel=0.2)
    assert value(samples, "stork_feed_age_seconds_sum") > 0


def test_before_anything_has_come_and_after_closing() -> None:
    feed = FastFeed("ws://127.0.0.1:1", token=TOKEN, assets=[])
    metrics = serve_metrics(feed, 0)
    samples, _ = fetch(metrics.port)
    assert value(samples, "stork_feed_messages_total") == 0
    assert value(samples, "stork_feed_age_seconds_count") == 0
    assert not any(name.startswith("stork_recorder") for name, _ in samples)
    metrics.close()
    with pytest.raises(ConnectionRefusedError):
        fetch(metrics.port)


def test_a_port_in_use() -> None:
    feed = FastFeed("ws://127.0.0.1:1", token=TOKEN, assets=[])
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        serve_metrics(feed, taken.getsockname()[1])
