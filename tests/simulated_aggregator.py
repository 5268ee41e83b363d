"""What tests of the aggregator's simulator share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from simulated import AUTHORIZATION
from websockets.asyncio.client import ClientConnection, connect

from codec.aggregator import sign_price
from codec.reference import aggregator as reference
from codec.simulator import AggregatorSimulator

KEY = b"\x21" * 32
OTHER_KEY = b"\x22" * 32
S = 10**9
NOW_NS = 1_757_543_204_021_510_845
STATUSES = ("signature", "msg_hash", "encoded_asset_id", "merkle_root", "consistency")


def by_hand(**options: Any) -> AggregatorSimulator:
    """A simulator that publishes when it is told to, and remembers."""
    defaults = {"ticks": False, "keep_sent": True, "time_ns": lambda: NOW_NS}
    return AggregatorSimulator(**defaults | options)


async def client(
    simulator: AggregatorSimulator, path: str = "/evm/subscribe", **options: Any
) -> ClientConnection:
    """The websockets package, connected."""
    defaults: dict[str, Any] = {
        "max_queue": None,
        "ping_interval": None,
        "proxy": None,
        "additional_headers": AUTHORIZATION,
    }
    if simulator.certificate is not None:
        defaults["ssl"] = simulator.client_ssl_context()
    return await connect(simulator.url_of(path), **defaults | options)


async def ask(socket: ClientConnection, request: Any) -> Any:
    """Sends a request, and reads the answer."""
    text = request if isinstance(request, str) else json.dumps(request)
    await socket.send(text)
    return json.loads(await socket.recv())


async def subscriber(
    simulator: AggregatorSimulator,
    path: str = "/evm/subscribe",
    assets: Iterable[str] = ("BTCUSD", "ETHUSD"),
    **options: Any,
) -> ClientConnection:
    """Connected and subscribed."""
    socket = await client(simulator, path, **options)
    data = sorted(assets)
    answer = await ask(socket, {"type": "subscribe", "data": data})
    assert answer == {"type": "subscribe", "data": data}
    return socket


async def publish(
    simulator: AggregatorSimulator, socket: ClientConnection, n: int
) -> list[bytes]:
    """What a client gets from n ticks, one message each."""
    for _ in range(n):
        simulator.publish_now()
    return [await socket.recv(decode=False) for _ in range(n)]


def judged(messages: Iterable[bytes], **options: Any) -> reference.AggregatorBatch:
    """The messages, with every signature judged."""
    return reference.decode(list(messages), **options)


def all_good(messages: Iterable[bytes], signer: str) -> reference.AggregatorBatch:
    """The messages, in which nothing is wrong."""
    batch = judged(messages, signers=signer)
    for name in STATUSES:
        assert not batch.aggregates[name].any(), name
    assert batch.aggregates["verified"].all() and batch.publishers["verified"].all()
    return batch


def published(
    asset: str = "BTCUSD",
    value: int = 10**18,
    timestamp_ns: int = NOW_NS,
    key: bytes = KEY,
) -> dict[str, Any]:
    """The entry of one price, as publishers send it."""
    price = sign_price(asset, value, timestamp_ns=timestamp_ns, key=key)
    return {
        "oracle_id": "tests",
        "asset_id": asset,
        "trigger": "clock",
        "signed_price": price.as_message() | {"metadata": {}},
    }


def signed_prices(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The message of several prices."""
    data = {entry["asset_id"]: entry for entry in entries}
    return {"type": "signed_prices", "data": data} | more
