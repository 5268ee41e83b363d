"""Members of the presence channels of Shuriken's simulator."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from shuriken_clients import KEY, NAMED, OWN, Plain, simulator
from simulated import run

KEYS = [KEY, *(f"sk_{i}" for i in range(120))]


async def join(client: Plain) -> dict[str, Any]:
    """Who is there, as the answer to a subscription says."""
    answer = await client.subscribe(client.channels[0])
    assert answer["event"] == "pusher_internal:subscription_succeeded", answer
    presence: dict[str, Any] = json.loads(answer["data"])["presence"]
    assert presence["ids"] == list(presence["hash"])
    assert presence["count"] == len(presence["ids"])
    return presence


async def member(client: Plain, event: str) -> str:
    """Whom the next message says to have come or gone."""
    message = await client.next()
    assert message["event"] == f"pusher_internal:{event}", message
    assert message["channel"] == client.channels[0]
    data: dict[str, str] = json.loads(message["data"])
    return data["user_id"]


def test_those_who_come_and_go() -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(simulator(token=KEYS))
            first, second, third = [
                await stack.enter_async_context(Plain.open(server, NAMED, key=key))
                for key in KEYS[:3]
            ]
            (one,) = (await join(first))["ids"]
            presence = await join(second)
            two = presence["ids"][1]
            assert presence["ids"] == [one, two]
            assert presence["hash"][one] == {"name": f"agent of {one}"}
            assert await member(first, "member_added") == two
            three = (await join(third))["ids"][2]
            assert await member(first, "member_added") == three
            assert await member(second, "member_added") == three
            await second.say("pusher:unsubscribe", {"channel": second.channels[0]})
            assert await member(first, "member_removed") == two
            assert await member(third, "member_removed") == two
            await third.socket.close()
            assert await member(first, "member_removed") == three
            await second.nothing()
            assert (await join(second))["ids"] == [one, two]

    run(test())


def test_a_user_with_several_connections_is_one_member() -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(simulator(token=KEYS))
            watcher, first, second = [
                await stack.enter_async_context(Plain.open(server, NAMED, key=key))
                for key in (KEY, "sk_0", "sk_0")
            ]
            await join(watcher)
            user_id = (await join(first))["ids"][1]
            assert await member(watcher, "member_added") == user_id
            assert (await join(second))["count"] == 2
            await watcher.nothing()
            await first.socket.close()
            await asyncio.sleep(0.05)
            await watcher.nothing()
            second.socket.transport.abort()
            assert await member(watcher, "member_removed") == user_id

    run(test())


def test_own_channels_have_their_users_alone() -> None:
    async def test() -> None:
        async with (
            simulator(token=KEYS) as server,
            Plain.open(server, OWN) as mine,
            Plain.open(server, OWN, key="sk_0") as other,
        ):
            assert (await join(mine))["count"] == 1
            assert (await join(other))["count"] == 1
            assert mine.channels != other.channels
            await mine.nothing()
            answer = await other.authorise(mine.channels[0])
            assert answer.status_code == 403

    run(test())


def test_a_channel_has_a_hundred_members_at_most() -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(simulator(token=KEYS))
            clients = [
                await stack.enter_async_context(Plain.open(server, NAMED, key=key))
                for key in KEYS[:101]
            ]
            for client in clients[:100]:
                await join(client)
            answer = await clients[100].subscribe(clients[100].channels[0])
            assert answer["event"] == "pusher:subscription_error"
            assert answer["data"]["type"] == "LimitReached"
            # Another connection of one who is there is no other member.
            again = await stack.enter_async_context(
                Plain.open(server, NAMED, key=KEYS[5])
            )
            assert (await join(again))["count"] == 100
            await clients[7].socket.close()
            await asyncio.sleep(0.05)
            assert (await join(clients[100]))["count"] == 100

    run(test())


def test_a_stop_with_members() -> None:
    async def test() -> None:
        async with AsyncExitStack() as stack:
            server = simulator(token=KEYS)
            await server.start()
            clients = [
                await stack.enter_async_context(Plain.open(server, NAMED, key=key))
                for key in KEYS[:5]
            ]
            for client in clients:
                await join(client)
            closing = [asyncio.create_task(client.closed()) for client in clients]
            await server.stop()
            assert {code for code, _ in await asyncio.gather(*closing)} == {1001}
            assert not server.channels

    run(test())
