"""The simulator: Stork Fast's protocol on a server of loopback."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

from codec import Taxonomy, checksum_address, keccak256
from codec.simulator.faults import Faults
from codec.simulator.feed import FeedServer, Group, Subscriber
from codec.simulator.market import Market, named_assets
from codec.simulator.messages import Messages, Subscription, next_taxonomy_id
from codec.simulator.server import Refused
from codec.simulator.ticks import PERIODS_NS, REAL_TIME, RealTime, Ticker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from codec.signing import Key
    from codec.simulator.connection import Connection
    from codec.simulator.deflate import Deflate
    from codec.simulator.server import Server

__all__ = ["Simulator", "SimulatorConnection"]

_CHANNELS = (*PERIODS_NS, REAL_TIME)
_MAX_ID = 0xFFFF
_TAXONOMY_PATH = "/v1/taxonomy"
_MESSAGE_TYPES = ("unsigned", "signed_ecdsa")


class SimulatorConnection(Subscriber[Subscription]):
    """A client of the simulator: what it asked for in its URL, and has subscribed to.

    market_status: it gets the versioned layout (`addtl_attrs=ms`).
    """

    def __init__(
        self,
        server: Server[Any],
        headers: Mapping[str, str],
        channel: str,
        message_type: str,
        market_status: bool,
    ) -> None:
        super().__init__(server, headers)
        self.channel = channel
        self.message_type = message_type
        self.market_status = market_status
        self.subscribed: set[int] = set()

    @property
    def subscription(self) -> Subscription:
        """What it gets."""
        ids = tuple(sorted(self.subscribed))
        return Subscription(self.channel, self.message_type, self.market_status, ids)


class Simulator(FeedServer[Faults, Subscription]):
    """A Stork Fast server with a market, or a recording, of its own.

    host, port: where it listens; a port of 0 finds one. taxonomy: names the assets, by
    default `Taxonomy.example()`. assets: the market's ids, by default those of the
    taxonomy. taxonomy_id: by default the only one that the taxonomy has. token: what
    clients must have; None: anything will do. key: signs the messages; made from the
    seed by default. seed: of the walks and all else that is random. tls: with
    a certificate made at the start. deflate: negotiate permessage-deflate, or the
    `Deflate` to ask for. time_ns: the clock of ticks and timestamps. limit: how many
    messages a connection gets. real_time_rate: messages a second on `real_time`, 1,000
    at most. ticks: False leaves publishing to `publish_now`. keep_sent: connections
    keep the messages that were sent to them. frames: messages, or (delay in s,
    message), sent once in place of the market's, to all who have subscribed, while
    there are any; `replayed` is set at their end.
    """

    connections: list[SimulatorConnection]  # type: ignore[assignment]
    history: list[SimulatorConnection]  # type: ignore[assignment]

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        taxonomy: Taxonomy | None = None,
        assets: Iterable[int] | None = None,
        token: str | None = "simulator",
        key: Key | None = None,
        seed: int = 0,
        taxonomy_id: int | None = None,
        tls: bool = False,
        deflate: bool | Deflate = True,
        time_ns: Callable[[], int] = time.time_ns,
        limit: int | None = None,
        real_time_rate: float = 100.0,
        ticks: bool = True,
        keep_sent: bool = False,
        frames: Iterable[bytes | tuple[float, bytes]] | None = None,
    ) -> None:
        super().__init__(
            Faults(),
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
        if not real_time_rate > 0:
            raise ValueError(f"real_time_rate must be above 0, not {real_time_rate}")
        taxonomy_id, symbols = named_assets(
            Taxonomy.example() if taxonomy is None else taxonomy, taxonomy_id
        )
        self.market = Market(
            symbols if assets is None else assets, seed=seed, symbols=symbols
        )
        self._messages = Messages(
            self.market,
            self.faults,
            key=key,
            taxonomy_id=taxonomy_id,
            random=random.Random(f"messages {seed}"),
        )
        self._seed = seed
        self._time_ns = time_ns
        self._rate = real_time_rate
        self._is_ticking = ticks and frames is None
        self._tickers: dict[str | Subscription, Ticker | RealTime] = {}

    @property
    def signer(self) -> str:
        """The address that signs."""
        public = self._messages.key.public_key.format(compressed=False)
        return checksum_address(keccak256(public[1:])[12:])

    @property
    def taxonomy_url(self) -> str:
        """Where clients get the symbols."""
        return f"http{self.url.removeprefix('ws').removesuffix('/ws')}{_TAXONOMY_PATH}"

    @property
    def taxonomy(self) -> Taxonomy:
        """What `GET /v1/taxonomy` says now."""
        taxonomy_id = self._messages.taxonomy_id
        if self.faults.taxonomy_change:
            taxonomy_id = next_taxonomy_id(taxonomy_id)
        ids = self.market.asset_ids.tolist()
        names = {i: self.market.symbol(i) for i in ids}
        return Taxonomy.from_ids(names, taxonomy_id)

    async def stop(self) -> None:
        await super().stop()
        for ticker in self._tickers.values():
            ticker.stop()

    # Publishing.

    def tick_now(self) -> None:
        for ticker in list(self._tickers.values()):
            ticker.tick_now()

    def prebuilt(self, connection: Subscriber[Subscription], n: int) -> list[bytes]:
        begin_ns, subscription = self._time_ns(), connection.subscription
        make, ids = self._messages.make, subscription.asset_ids
        return [make(subscription, ids, begin_ns + i * 10**6) for i in range(n)]

    def _tick(self, tick_ns: int, groups: list[Group[Subscription]]) -> None:
        self.publish(
            groups, lambda of: [self._messages.make(of, of.asset_ids, tick_ns)]
        )

    # Requests.

    def accept(
        self, path: str, query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> SimulatorConnection:
        given = dict(query)
        if len(given) != len(query):
            raise Refused(400, "a parameter stands twice")
        channel, kind = given.get("channel", ""), given.get("message_type", "")
        if channel not in _CHANNELS:
            raise Refused(400, f"channel must be one of {', '.join(_CHANNELS)}")
        if kind not in _MESSAGE_TYPES:
            raise Refused(
                400, f"message_type must be one of {', '.join(_MESSAGE_TYPES)}"
            )
        attributes = given.get("addtl_attrs", "ms")
        if attributes != "ms":
            raise Refused(400, "addtl_attrs can be ms, and nothing else")
        return SimulatorConnection(self, headers, channel, kind, "addtl_attrs" in given)

    def fetch(self, path: str) -> bytes:
        if path != _TAXONOMY_PATH:
            return super().fetch(path)
        return self.taxonomy.to_json().encode()

    def _has(self, asset_id: object) -> bool:
        if self.is_replay:
            return type(asset_id) is int and 0 <= asset_id <= _MAX_ID
        return asset_id in self.market

    def on_request(self, connection: Connection, item: Any) -> None:
        """Subscribes or unsubscribes, and says so; ids that it has not are refused."""
        assert isinstance(connection, SimulatorConnection)
        kind = item.get("type") if isinstance(item, dict) else None
        ids = item.get("assets") if kind in ("subscribe", "unsubscribe") else None
        if not isinstance(ids, list):
            reason = 'expected {"type":"subscribe" or "unsubscribe","assets":[id, ...]}'
            return connection.error_message(reason)
        unknown = [i for i in ids if not self._has(i)]
        known = [i for i in ids if self._has(i)]
        if unknown:
            shown = json.dumps(unknown[:10])
            connection.error_message(f"unknown asset ids: {shown}")
        if known or not unknown:
            connection.reply({"type": kind, "assets": known})
        if kind == "subscribe":
            self.regroup(connection, connection.subscribed | set(known))
        else:
            self.regroup(connection, connection.subscribed - set(known))
        return None

    def founded(self, group: Group[Subscription]) -> None:
        """What makes a new group tick."""
        if self.is_replay:
            return
        subscription = group.subscription
        channel = subscription.channel
        ticker: Ticker | RealTime | None
        if channel == REAL_TIME:
            ticker = self._tickers[subscription] = RealTime(
                subscription.asset_ids,
                self._rate,
                random.Random(f"real time {self._seed} {subscription}"),
                self._time_ns,
                lambda now_ns, changed: self.publish(
                    [group], lambda of: [self._messages.make(of, changed, now_ns)]
                ),
            )
        elif (ticker := self._tickers.get(channel)) is None:
            ticker = self._tickers[channel] = Ticker(
                PERIODS_NS[channel],
                self._time_ns,
                lambda now_ns: self._tick(now_ns, self._of(channel)),
            )
        if self._is_ticking:
            ticker.start()

    def dropped(self, group: Group[Subscription]) -> None:
        ticker = self._tickers.pop(group.subscription, None)
        channel = group.subscription.channel
        if ticker is None and not self._of(channel):
            ticker = self._tickers.get(channel)  # kept, as it knows its last tick
        if ticker is not None:
            ticker.stop()

    def _of(self, channel: str) -> list[Group[Subscription]]:
        groups = self.groups.values()
        return [group for group in groups if group.subscription.channel == channel]
