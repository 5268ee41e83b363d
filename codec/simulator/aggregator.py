"""The aggregator's simulator: its protocol, for publishers and subscribers."""

from __future__ import annotations

import random
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from codec import checksum_address
from codec.addresses import read_signers
from codec.aggregator import key_address
from codec.simulator.aggregates import AggregatorMessages, AggregatorSubscription
from codec.simulator.aggregation import PRESENT_NS, Aggregation, asset_names
from codec.simulator.faults import AggregatorFaults
from codec.simulator.feed import FeedServer, Group, Subscriber
from codec.simulator.publications import Unfit, authenticated, judge, read_prices
from codec.simulator.server import Refused
from codec.simulator.ticks import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from codec.addresses import Signers
    from codec.signing import Key
    from codec.simulator.aggregates import Aggregate
    from codec.simulator.connection import Connection
    from codec.simulator.deflate import Deflate
    from codec.simulator.server import Server

__all__ = ["AggregatorConnection", "AggregatorSimulator", "PublishAuth"]

PublishAuth: TypeAlias = Literal["either", "token", "signature", "both"]
"""What publishers must have: the token, signed headers, either or both of them."""

_MAX_SHOWN = 10
_MAX_TEXT = 128
_MIN_PREBUILT, _N_PREBUILT = 16, 4096  # messages and aggregates of a flood


class AggregatorConnection(Subscriber[AggregatorSubscription]):
    """A client of the aggregator: one that subscribes, or one that publishes.

    signature_type: "evm" or "stark". publishes: it came to publish. publisher: the
    address that its handshake was signed by. n_accepted, n_refused: its prices.
    """

    def __init__(
        self, server: Server[Any], headers: Mapping[str, str], path: str
    ) -> None:
        super().__init__(server, headers)
        _, self.signature_type, what = path.split("/")
        self.publishes = what == "publish"
        self.publisher: bytes | None = None
        self.subscribed: set[str] = set()
        self.n_accepted = 0
        self.n_refused = 0

    @property
    def subscription(self) -> AggregatorSubscription:
        return AggregatorSubscription(
            self.signature_type, tuple(sorted(self.subscribed))
        )


class AggregatorSimulator(FeedServer[AggregatorFaults, AggregatorSubscription]):
    """Stork's aggregator, with publishers of its own while nobody else publishes.

    host, port, token, tls, deflate, time_ns, limit, keep_sent, frames: as `Simulator`
    has them. assets: the names that it knows, by default those of `Taxonomy.example()`;
    or how many. key: signs the aggregates; made from the seed by default. seed: of the
    walks, of the publishers' keys and of all else that is random. clock_period: seconds
    after which an asset's aggregate is sent anew. delta_percent: how much it changes to
    be sent at once; None: never. n_publishers: its own. allowed: addresses that may
    publish, None: all. publish_auth: what they must have. ticks: False leaves clock
    updates to `publish_now`.
    """

    paths = ("/evm/subscribe", "/evm/publish", "/stark/subscribe")
    connections: list[AggregatorConnection]  # type: ignore[assignment]
    history: list[AggregatorConnection]  # type: ignore[assignment]

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        assets: Iterable[str] | int | None = None,
        token: str | None = "simulator",
        key: Key | None = None,
        seed: int = 0,
        tls: bool = False,
        deflate: bool | Deflate = True,
        time_ns: Callable[[], int] = time.time_ns,
        limit: int | None = None,
        clock_period: float = 0.5,
        delta_percent: float | None = 0.1,
        n_publishers: int = 3,
        allowed: Signers | None = None,
        publish_auth: PublishAuth = "either",
        ticks: bool = True,
        keep_sent: bool = False,
        frames: Iterable[bytes | tuple[float, bytes]] | None = None,
    ) -> None:
        super().__init__(
            AggregatorFaults(),
            frames,
            host=host,
            port=port,
            token=token,
            seed=seed,
            tls=tls,
            deflate=deflate,
            limit=limit,
            keep_sent=keep_sent,
        )
        if not clock_period >= 0.001:
            raise ValueError(f"clock_period must be 0.001 or more, not {clock_period}")
        self._period_ns = int(clock_period * 10**9)
        self._aggregation = Aggregation(
            asset_names(assets),
            seed=seed,
            period_ns=self._period_ns,
            n_publishers=n_publishers,
            allowed=None if allowed is None else frozenset(read_signers(allowed)),
            delta_percent=delta_percent,
        )
        self._messages = AggregatorMessages(
            self.faults, key=key, random=random.Random(f"aggregator {seed}")
        )
        self._publish_auth = publish_auth
        self._time_ns = time_ns
        self._clock = Ticker(self._period_ns, time_ns, self._on_clock)
        # Own publishers take turns, so that signing does not hold all else up.
        self._turn_ns = max(10**6, self._period_ns // max(1, n_publishers))
        self._turns = Ticker(self._turn_ns, time_ns, self._on_turn)
        self._is_ticking = ticks and frames is None
        self._wanted: dict[str, None] = {}  # sorted

    @property
    def assets(self) -> frozenset[str]:
        """The names that it knows."""
        return self._aggregation.assets

    @property
    def signer(self) -> str:
        """The address that signs the aggregates."""
        return checksum_address(key_address(self._messages.key))

    @property
    def publishers(self) -> list[str]:
        """The addresses of its own publishers."""
        return [
            checksum_address(address) for address in self._aggregation.own.addresses
        ]

    @property
    def publish_url(self) -> str:
        """Where publishers connect to; `url` is for subscribers."""
        return self.url_of("/evm/publish")

    @property
    def stark_url(self) -> str:
        """Where subscribers get stark-typed messages, which nobody has signed."""
        return self.url_of("/stark/subscribe")

    async def stop(self) -> None:
        await super().stop()
        self._stop_ticking()

    # Publishing.

    def tick_now(self) -> None:
        self._clock.tick_now()

    def prebuilt(
        self, connection: Subscriber[AggregatorSubscription], n: int
    ) -> list[bytes]:
        subscription = connection.subscription
        assets = subscription.assets
        n = min(n, max(_MIN_PREBUILT, _N_PREBUILT // max(1, len(assets))))
        series = self._aggregation.series(assets, n, self._time_ns())
        return [
            message
            for aggregates in series
            for message in self._messages.make(subscription, aggregates)
        ]

    def founded(self, group: Group[AggregatorSubscription]) -> None:
        self._regard()
        if self._is_ticking:
            self._clock.start()
            if self._aggregation.own.keys:
                self._turns.start()

    def dropped(self, group: Group[AggregatorSubscription]) -> None:
        self._regard()
        if not self.groups:
            self._stop_ticking()

    def _regard(self) -> None:
        """Takes note of the assets that somebody gets."""
        names = {asset for subscription in self.groups for asset in subscription.assets}
        self._wanted = dict.fromkeys(sorted(names))

    def _stop_ticking(self) -> None:
        self._clock.stop()
        self._turns.stop()

    def _on_turn(self, now_ns: int) -> None:
        """The next of the own publishers publishes."""
        i = now_ns // self._turn_ns % len(self._aggregation.own.keys)
        published = self._aggregation.turn(i, self._wanted, now_ns)
        self._send(self._aggregation.moved(published, now_ns))

    def _on_clock(self, now_ns: int) -> None:
        self._send(self._aggregation.all(self._wanted, now_ns))

    def _send(self, aggregates: dict[str, Aggregate]) -> None:
        """One update of some assets to all who get any of them."""
        groups = [
            group
            for group in self.groups.values()
            if not aggregates.keys().isdisjoint(group.subscription.assets)
        ]
        self.publish(groups, lambda of: self._messages.make(of, aggregates))

    # Requests.

    def authorize(self, path: str, headers: Mapping[str, str]) -> None:
        """Subscribers need the token, publishers what `publish_auth` says."""
        if path != "/evm/publish":
            return super().authorize(path, headers)
        is_signed = "X-Signature" in headers
        if is_signed:
            try:
                publisher = authenticated(headers, self._time_ns(), PRESENT_NS)
            except Unfit as reason:
                raise Refused(401, str(reason)) from None
            allowed = self._aggregation.allowed
            if allowed is not None and publisher not in allowed:
                raise Refused(403, "this publisher may not publish")
        elif self._publish_auth in ("signature", "both"):
            raise Refused(401, "signed headers are needed")
        if self._publish_auth in ("token", "both") or not is_signed:
            super().authorize(path, headers)
        return None

    def accept(
        self, path: str, query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> AggregatorConnection:
        connection = AggregatorConnection(self, headers, path)
        if connection.publishes and "X-Signature" in headers:
            connection.publisher = read_signers(headers["X-Public-Key"].lower())[0]
        return connection

    def on_request(self, connection: Connection, item: Any) -> None:
        assert isinstance(connection, AggregatorConnection)
        request = item if isinstance(item, dict) else {}
        kind = request.get("type")
        try:
            if connection.publishes:
                self._take(connection, request)
            elif kind in ("subscribe", "unsubscribe"):
                self._resubscribe(connection, request)
            else:
                raise Unfit(
                    'expected {"type":"subscribe" or "unsubscribe","data":[asset, ...]}'
                )
        except Unfit as reason:
            known = isinstance(kind, str) and len(kind) <= _MAX_TEXT
            answer = {"type": kind if known else "error", "error": str(reason)}
            connection.reply(answer | _trace(request))

    def _resubscribe(
        self, connection: AggregatorConnection, request: dict[str, Any]
    ) -> None:
        """Subscribes or unsubscribes, says to what it is subscribed now, and refuses
        names that are unknown."""
        kind, data = request["type"], request.get("data")
        if not isinstance(data, list):
            raise Unfit(f'expected {{"type":"{kind}","data":[asset, ...]}}')
        is_known = [
            isinstance(name, str) and (self.is_replay or name in self.assets)
            for name in data
        ]
        known = {name for name, good in zip(data, is_known, strict=True) if good}
        unknown = [name for name, good in zip(data, is_known, strict=True) if not good]
        if known or not unknown:
            before = connection.subscribed
            now = before | known if kind == "subscribe" else before - known
            connection.reply({"type": kind, "data": sorted(now)} | _trace(request))
            self.regroup(connection, now)
        if unknown:
            shown = ", ".join(str(name)[:_MAX_TEXT] for name in unknown[:_MAX_SHOWN])
            raise Unfit(f"unknown assets: {shown}")

    def _take(self, connection: AggregatorConnection, request: dict[str, Any]) -> None:
        """Takes prices that are good, and says why others are not."""
        if request.get("type") != "signed_prices":
            raise Unfit('expected {"type":"signed_prices","data":{asset: price, ...}}')
        prices, reasons = read_prices(request.get("data"))
        now_ns = self._time_ns()
        good = []
        for price, reason in zip(prices, judge(prices), strict=True):
            why = reason or self._aggregation.take(price, connection.publisher, now_ns)
            if why:
                reasons[price.asset] = why
            else:
                good.append(price.asset)
        connection.n_accepted += len(good)
        connection.n_refused += len(reasons)
        wanted = [asset for asset in good if asset in self._wanted]
        self._send(self._aggregation.moved(wanted, now_ns))
        if reasons:
            shown = "; ".join(
                f"{name[:_MAX_TEXT]}: {reason}"
                for name, reason in islice(reasons.items(), _MAX_SHOWN)
            )
            raise Unfit(f"{len(reasons)} prices refused: {shown}")


def _trace(request: dict[str, Any]) -> dict[str, str]:
    """The trace_id of a request, for its answer."""
    trace_id = request.get("trace_id")
    if isinstance(trace_id, str) and len(trace_id) <= _MAX_TEXT:
        return {"trace_id": trace_id}
    return {}
