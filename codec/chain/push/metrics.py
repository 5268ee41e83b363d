"""A pusher's counts for Prometheus, and its feed's, on an HTTP port of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.chain.push.hindrances import Hindrance
from codec.chain.push.state import PusherState, PushState
from codec.errors import MissingDependencyError
from codec.feeds.metrics import FeedCollector, Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from codec.chain.push.pusher import Pusher
    from codec.chain.push.state import Status

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "metrics need the package prometheus_client: pip install 'stork-codec[chain]'"
    ) from error

__all__ = ["serve_push_metrics"]

_PREFIX = "stork_push"


def serve_push_metrics(
    pusher: Pusher, port: int, address: str = "127.0.0.1"
) -> Metrics:
    """Serves the counts of a pusher, and of its feed, at `http://address:port/`.

    In Prometheus' text format, by a thread of its own; docs/push.md lists the names.
    port: 0 finds one. Raises OSError where the port cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(pusher))
    registry.register(FeedCollector(lambda: pusher.feed))
    server, thread = start_http_server(port, addr=address, registry=registry)
    return Metrics(server, thread)


class _Collector:
    """Reads a pusher's counts when it is asked, from any thread."""

    def __init__(self, pusher: Pusher) -> None:
        self._pusher = pusher

    def collect(self) -> Iterator[Metric]:
        status = self._pusher.status()
        yield from _counters(status)
        yield from _gauges(status)
        yield from _by_asset(status)
        yield _one_of("state", "1 for the state it is in.", PusherState, {status.state})
        kinds = {obstacle.kind for obstacle in status.obstacles}
        yield _one_of("hindrance", "1 for what is in the way.", Hindrance, kinds)


def _counters(status: Status) -> Iterator[Metric]:
    pushes = CounterMetricFamily(
        f"{_PREFIX}_pushes", "Pushes by what became of them.", labels=["state"]
    )
    for state in PushState:
        pushes.add_metric([state], status.counts.get(state, 0))
    yield pushes
    for name, text, value in (
        ("spent_wei", "Fee and gas.", status.total_wei),
        ("messages", "Messages that count.", status.n_messages),
        ("bad_messages", "Messages unsigned or badly signed.", status.n_bad),
    ):
        yield CounterMetricFamily(f"{_PREFIX}_{name}", text, value)


def _gauges(status: Status) -> Iterator[Metric]:
    for name, text, value in (
        ("spent_hour_wei", "Fee and gas in the last hour.", status.spent_wei),
        ("budget_wei", "What may be spent in an hour.", status.max_wei_per_hour),
        ("balance_wei", "The account's balance.", status.balance_wei),
        ("fee_wei", "The verifier's fee.", status.fee_wei),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", text, value)


def _by_asset(status: Status) -> Iterator[Metric]:
    pushes = CounterMetricFamily(
        f"{_PREFIX}_asset_pushes",
        "Confirmed pushes that the asset asked for.",
        labels=["asset"],
    )
    ages = GaugeMetricFamily(
        f"{_PREFIX}_confirmed_age_seconds",
        "Since the value on the chain was received.",
        labels=["asset"],
    )
    for asset in status.assets:
        label = [str(asset.asset_id)]
        pushes.add_metric(label, asset.n_pushes)
        if asset.confirmed is not None:
            ages.add_metric(label, status.now_s - asset.confirmed.received_s)
    yield pushes
    yield ages


def _one_of(
    name: str,
    text: str,
    kinds: type[PusherState | Hindrance],
    current: set[PusherState] | set[Hindrance],
) -> Metric:
    family = GaugeMetricFamily(f"{_PREFIX}_{name}", text, labels=[name])
    for kind in kinds:
        family.add_metric([kind.value], float(kind in current))
    return family
