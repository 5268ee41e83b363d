"""Shuriken's simulator read by npm's pusher-js and @shuriken/sdk-ts, and by ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from shuriken_clients import (
    KEY,
    NAMED,
    OWN,
    TOKEN_A,
    TOKEN_B,
    Asked,
    Node,
    bootstrap,
    simulator,
)
from simulated import run

from codec.feeds.shuriken import Payload, ShurikenFeed
from codec.simulator import ShurikenSimulator
from codec.simulator.shuriken_streams import STREAMS


@contextlib.asynccontextmanager
async def started(script: str, **given: Any) -> AsyncIterator[Node]:
    node = await Node.start(script, **given)
    try:
        yield node
    finally:
        node.kill()
        await node.process.wait()


async def pusher_js(
    server: ShurikenSimulator, *asked: Asked, key: str = KEY, **more: Any
) -> dict[str, Any]:
    """What the script is to do."""
    session = await bootstrap(server, *asked, key=key)
    place = session["connection"]
    return {
        "key": place["appKey"],
        "host": place["wsHost"],
        "port": place["wsPort"],
        "tls": place["forceTls"],
        "auth": place["authEndpoint"],
        "token": key,
        "channels": [each["channel"] for each in session["subscriptions"]],
        "events": ["update"],
        "n": 1,
        "certificate": server.certificate and str(server.certificate),
    } | more


@pytest.mark.parametrize("tls", [False, True])
def test_pusher_js_receives_what_is_sent(tls: bool) -> None:
    async def test() -> None:
        async with simulator(tls=tls, keep_sent=True) as server:
            given = await pusher_js(server, TOKEN_A, TOKEN_B, OWN, n=30)
            async with started("pusher.cjs", **given) as node:
                for _ in given["channels"]:
                    await node.line(event="subscribed")
                server.faults.data_object = 7
                for _ in range(10):
                    server.publish_now()
                assert await node.end() == 0
                (connection,) = server.history
                sent = [json.loads(text) for text in connection.sent]
                received = [
                    each for each in node.lines if each.get("event") == "update"
                ]
                assert len(received) == 30
                assert {each["channel"] for each in received} == set(given["channels"])
                assert received == [read(each) for each in sent]
                # It has left all channels before it went.
                assert not server.channels and not connection.subscribed

    run(test())


def read(message: dict[str, Any]) -> dict[str, Any]:
    """A message with data as the text says it."""
    data = message["data"]
    return message | {"data": json.loads(data) if isinstance(data, str) else data}


def test_members_as_pusher_js_sees_them() -> None:
    async def test() -> None:
        async with simulator(token=[KEY, "sk_other"]) as server:
            given = await pusher_js(server, NAMED, events=["removed"])
            async with started("pusher.cjs", **given) as first:
                subscribed = await first.line(event="subscribed")
                me = subscribed["data"]["me"]
                assert list(subscribed["data"]["members"]) == [me]
                other = await pusher_js(
                    server, NAMED, key="sk_other", events=["update"]
                )
                async with started("pusher.cjs", **other) as second:
                    answer = await second.line(event="subscribed")
                    added = await first.line(event="added")
                    server.publish(*NAMED)
                    assert await second.end() == 0
                removed = await first.line(event="removed")
                assert await first.end() == 0
                you = answer["data"]["me"]
                assert list(answer["data"]["members"]) == [me, you]
                assert added["data"]["id"] == removed["data"]["id"] == you
                assert added["data"]["info"] == {"name": f"agent of {you}"}

    run(test())


def test_what_pusher_js_makes_of_refusals() -> None:
    async def test() -> None:
        async with simulator() as server:
            given = await pusher_js(server, OWN, events=["refused"], n=1)
            server.faults.auth_status = (403, 1)
            async with started("pusher.cjs", **given) as node:
                refused = await node.line(event="refused")
                assert refused["data"]["status"] == 403
                assert await node.end() == 0
            server.faults.wrong_signature = 1
            async with started("pusher.cjs", **given) as node:
                refused = await node.line(event="refused")
                assert refused["data"]["status"] == 401
                assert await node.end() == 0
            server.expire()
            async with started("pusher.cjs", **given) as node:
                error = await node.line(
                    error={"code": 4001, "message": "Application does not exist"}
                )
                assert error
                await node.line(state="disconnected")

    run(test())


@pytest.mark.parametrize("whose", ["pusher:ping", "pusher:pong"])
def test_pusher_js_and_pings(whose: str) -> None:
    """It pings, or answers those of the server."""

    async def test() -> None:
        ping_after = 60 if whose == "pusher:ping" else 0.3
        async with simulator(ping_after=ping_after, pong_timeout=0.5) as server:
            given = await pusher_js(server, TOKEN_A, activity=500, pong=400)
            async with started("pusher.cjs", **given) as node:
                await node.line(event="subscribed")
                (connection,) = server.connections
                await asyncio.sleep(1.5)
                said = [each["event"] for each in connection.received]
                assert said.count(whose) >= 2 and connection.is_open
                server.publish_now()
                assert await node.end() == 0

    run(test())


def test_pusher_js_connects_anew_without_pongs() -> None:
    async def test() -> None:
        async with simulator() as server:
            given = await pusher_js(server, TOKEN_A, activity=300, pong=300)
            server.faults.withhold_pong = True
            async with started("pusher.cjs", **given) as node:
                while len(server.history) < 2:
                    await asyncio.sleep(0.02)
                server.faults.withhold_pong = False
                while not (server.connections and server.connections[-1].subscribed):
                    await asyncio.sleep(0.02)
                server.publish_now()
                assert await node.end() == 0

    run(test())


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_sdk_receives_what_is_sent_and_what_ours_does(wrapped: bool) -> None:
    asked: list[Asked] = [
        (stream.id, {name: "8453" for name, _ in stream.filters})
        for stream in STREAMS.values()
    ]

    async def test() -> None:
        async with simulator(wrapped=wrapped, keep_sent=True) as server:
            node = Node.start(
                "shuriken.mjs",
                url=server.base_url,
                key=KEY,
                streams=asked,
                n=3 * len(asked),
            )
            async with contextlib.AsyncExitStack() as stack:
                sdk = await node
                stack.callback(sdk.kill)
                feed = await stack.enter_async_context(
                    ShurikenFeed(KEY, server.base_url)
                )
                ours = [await feed.subscribe(name, **given) for name, given in asked]
                for each in ours:
                    await each.ready()
                while len(server.channels) < len(asked) or not all(
                    len(channel.members) == 2 for channel in server.channels.values()
                ):
                    await asyncio.sleep(0.02)
                for _ in range(3):
                    server.publish_now()
                assert await sdk.end() == 0
                theirs = [each for each in sdk.lines if "payload" in each]
                assert len(theirs) == 3 * len(asked)
                for (stream, _), subscription in zip(asked, ours, strict=True):
                    payloads = [
                        each["payload"] for each in theirs if each["stream"] == stream
                    ]
                    events = [await anext(subscription) for _ in range(3)]
                    raws = [json.loads(event.raw) for event in events]
                    assert [
                        json.loads(raw) if isinstance(raw, str) else raw for raw in raws
                    ] == payloads
                    assert all(isinstance(event.data, Payload) for event in events)
            first, second = server.history
            assert first.sent == second.sent

    run(test())


def test_what_the_sdk_makes_of_refusals() -> None:
    async def test() -> None:
        async with simulator() as server:
            given = {"url": server.base_url, "streams": [], "n": 1}
            async with started("shuriken.mjs", key="sk_wrong", **given) as node:
                line = await node.line(error="ShurikenAuthError")
                assert "unauthorized" in line["message"]
                assert await node.end() == 1
            server.faults.session_status = 503
            async with started("shuriken.mjs", key=KEY, **given) as node:
                line = await node.line(error="ShurikenSessionError")
                assert "503" in line["message"] and "requestId" in line["message"]
                assert await node.end() == 1

    run(test())
