"""`ShurikenFeed` against a server that answers as it should, and as it should not."""

from __future__ import annotations

import asyncio
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from live import run, until
from shuriken_server import KEY, Answer, Connection, Request, ShurikenServer, dumps

from codec.errors import FeedAuthError, FeedClosed, FeedError
from codec.feeds import ConnectionSettings, EventKind, State
from codec.feeds.shuriken import (
    ChannelState,
    Outage,
    SessionError,
    ShurikenEvent,
    ShurikenFeed,
    Subscription,
)
from codec.recording import Recorder, read

SWAPS, POOL, PERSONAL = "svm.token.swaps", "svm.token.poolInfo", "alpha.personal"
FAST = ConnectionSettings(reconnect_delays_s=(0.001, 0.01), connect_timeout_s=5.0)
SWAP = {
    "tokenMint": "A",
    "signature": "s",
    "slot": 1,
    "blockTime": 1_764_608_698,
    "isBuy": True,
    "sizeSol": "1.10",
    "sizeUsd": "2.200",
    "priceUsd": "0.00000000000000000001",
    "priceSol": "3",
    "network": "sol",
}


def feed_of(server: ShurikenServer, key: Any = KEY, **options: Any) -> ShurikenFeed:
    return ShurikenFeed(key, server.url, **({"connection": FAST} | options))


def events_of(feed: ShurikenFeed, kind: EventKind) -> list[Any]:
    return [event.data for event in feed.events if event.kind is kind]


def states(feed: ShurikenFeed) -> list[str]:
    return [str(data["state"]) for data in events_of(feed, EventKind.STATE)]


async def event_of(subscription: Any) -> ShurikenEvent:
    event = await asyncio.wait_for(anext(subscription), 10)
    assert isinstance(event, ShurikenEvent)
    return event


async def number(subscription: Any) -> int:
    """What `n` the next event has."""
    event = await event_of(subscription)
    assert isinstance(event.data, dict)
    n: int = event.data["n"]
    return n


async def send_to(
    server: ShurikenServer, subscription: Subscription, **payload: Any
) -> None:
    await server.connections[0].update(subscription.channel, **payload)


# Subscriptions


def test_two_tokens_of_one_stream_never_mix() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(SWAPS, tokenAddress="A")
            b = await feed.subscribe(SWAPS, tokenAddress="B")
            await a.ready(), await b.ready()
            assert a.channel != b.channel and len(server.of("session")) == 1
            for i in range(50):
                await send_to(server, a if i % 3 else b, n=i)
            await until(lambda: feed.stats.messages == 50)
            assert [await number(b) for _ in range(17)] == list(range(0, 50, 3))
            expected = [i for i in range(50) if i % 3]
            assert [await number(a) for _ in range(33)] == expected
            event = await asyncio.wait_for(last_of(server, a), 5)
            assert event.filter == {"tokenAddress": "A"} and event.stream == SWAPS

    run(main())


async def last_of(server: ShurikenServer, subscription: Subscription) -> ShurikenEvent:
    await send_to(server, subscription, n=-1)
    return await event_of(subscription)


def test_an_event() -> None:
    async def main() -> None:
        clock = iter(range(10**18, 10**19))
        async with (
            ShurikenServer() as server,
            feed_of(server, clock_ns=lambda: next(clock)) as feed,
        ):
            swaps = await feed.subscribe(SWAPS, tokenAddress="A")
            await swaps.ready()
            await send_to(server, swaps, **SWAP)
            event = await event_of(swaps)
            assert event.data.price_usd == Decimal("1e-20")  # type: ignore[union-attr]
            assert str(event.data.size_sol) == "1.10"  # type: ignore[union-attr]
            assert event.raw == dumps(SWAP) and event.problem is None
            assert 10**18 < event.receive_ns < 10**18 + 100
            assert (event.channel, event.event) == (swaps.channel, "update")
            await server.connections[0].send("update", swaps.channel, SWAP)
            other = await event_of(swaps)
            assert other.data == event.data
            await server.connections[0].send("update", swaps.channel, "no json")
            bad = await event_of(swaps)
            assert bad.problem and bad.data == {} and bad.raw == "no json"

    run(main())


def test_the_wire() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            await (await feed.subscribe(PERSONAL)).ready()
            assert server.paths[0].startswith("/app/app-key?protocol=7&client=stork-")
            (subscribe,) = server.connections[0].sent("pusher:subscribe")
            (auth,) = server.of("auth")
            assert auth.form == {
                "socket_id": "0.1",
                "channel_name": "presence-" + PERSONAL,
            }
            assert subscribe == {
                "channel": "presence-" + PERSONAL,
                "auth": f"app-key:0.1:presence-{PERSONAL}",
                "channel_data": '{"user_id":"me","user_info":{"name":"A"}}',
            }

    run(main())


def test_nothing_is_connected_before_something_is_wanted() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            await asyncio.sleep(0.05)
            assert feed.state is State.DISCONNECTED and not server.requests
            a = await feed.subscribe(SWAPS, tokenAddress=5)
            await a.ready()
            assert states(feed) == ["connecting", "connected"]
            assert a.filter == {"tokenAddress": "5"}
            assert feed.subscriptions == [(SWAPS, {"tokenAddress": "5"})]
            await a.unsubscribe()
            server.connections[0].cut()
            await until(lambda: feed.state is State.DISCONNECTED)
            n = len(server.requests)
            await asyncio.sleep(0.05)
            assert len(server.requests) == n
            await (await feed.subscribe(SWAPS, tokenAddress="B")).ready()
            assert states(feed)[2:] == [
                "reconnecting",
                "disconnected",
                "connecting",
                "connected",
            ]

    run(main())


def test_users_share_a_channel_and_the_last_one_gives_it_up() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            first = await feed.subscribe(SWAPS, tokenAddress="A")
            await first.ready()
            second = await feed.subscribe(SWAPS, tokenAddress="A")
            await second.ready()
            connection = server.connections[0]
            assert len(connection.sent("pusher:subscribe")) == 1
            assert len(server.of("session")) == 1
            await send_to(server, first, n=1)
            assert await number(first) == await number(second) == 1
            await send_to(server, first, n=2)
            await until(lambda: len(second.mailbox) == 1)
            await first.unsubscribe()
            await first.unsubscribe()
            assert [await number(first)] == [2]  # it had come
            with pytest.raises(StopAsyncIteration):
                await anext(first)
            with pytest.raises(FeedClosed):
                await first.ready()
            assert second.state is ChannelState.SUBSCRIBED
            async with second:
                assert await number(second) == 2
            await until(lambda: connection.sent("pusher:unsubscribe") != [])
            assert connection.subscribed == [] and feed.stats.subscriptions == 0
            third = await feed.subscribe(SWAPS, tokenAddress="A")
            await third.ready()
            assert connection.subscribed == [third.channel]
            await send_to(server, third, n=3)
            assert await number(third) == 3
            assert feed.state is State.CONNECTED and len(server.history) == 1

    run(main())


def test_two_streams_may_have_one_channel() -> None:
    """By event, or both spellings of one stream: each gets what it asked for."""

    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            server.channel_of = lambda stream, given: "shared"
            usual = server._resolved

            def resolved(asked: dict[str, Any]) -> dict[str, Any]:
                event = "pool" if asked["stream"] == POOL else "update"
                return usual(asked) | {"event": event}

            server._resolved = resolved  # type: ignore[method-assign]
            a = await feed.subscribe("alpha.signalFeed.global")
            b = await feed.subscribe("alpha.signalFeedGlobal")
            c = await feed.subscribe(POOL)
            for each in (a, b, c):
                await each.ready()
            d = await feed.subscribe(SWAPS, tokenAddress="D")
            await d.ready()  # by a channel that is there
            connection = server.connections[0]
            assert connection.subscribed == ["shared"]
            await send_to(server, a, n=1)
            await connection.send("pool", "shared", '{"n":2}')
            await connection.send("unheard", "shared", '{"n":3}')
            assert await number(a) == await number(b) == await number(d) == 1
            assert await number(c) == 2
            await until(lambda: feed.events.counts[EventKind.UNKNOWN_MESSAGE] == 1)
            for each in (a, c, d):
                await each.unsubscribe()
            await send_to(server, b, n=4)
            assert await number(b) == 4 and connection.subscribed == ["shared"]

    run(main())


def test_later_subscriptions_expand_the_session() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            await (await feed.subscribe(SWAPS, tokenAddress="A")).ready()
            later = [await feed.subscribe(SWAPS, tokenAddress=f"{i}") for i in range(9)]
            for each in later:
                await each.ready()
            posts = [len(post.fields["subscriptions"]) for post in server.of("session")]
            assert posts[0] == 1 and posts[-1] == 10 and len(posts) <= 3
            assert len(server.history) == 1
            assert len(server.connections[0].sent("pusher:subscribe")) == 10

    run(main())


def test_all_events() -> None:
    async def main() -> None:
        async with ShurikenServer() as server:
            feed = feed_of(server)
            async with feed:
                every = feed.events()
                a = await feed.subscribe(SWAPS, tokenAddress="A")
                b = await feed.subscribe(SWAPS, tokenAddress="B")
                await a.ready(), await b.ready()
                one = asyncio.create_task(anext(feed))
                await asyncio.sleep(0)
                await send_to(server, a, n=1)
                await send_to(server, b, n=2)
                assert [await number(every), await number(every)] == [1, 2]
                assert await number(a) == 1 and await number(b) == 2
                assert isinstance(await one, ShurikenEvent)
                await every.aclose()
                assert [event async for event in every] == []
                every = feed.events()
                await send_to(server, a, n=3)
                await until(lambda: len(every.mailbox) == 1)
            assert await number(every) == await number(a) == 3
            for ended in (every, a, b):
                assert [event async for event in ended] == []
            assert [await number(feed), await number(feed)] == [2, 3]
            with pytest.raises(StopAsyncIteration):
                await anext(feed)
            with pytest.raises(FeedClosed):
                await feed.subscribe(SWAPS)
            with pytest.raises(FeedClosed):
                await feed.__aenter__()

    run(main())


def test_a_stream_of_all_events_that_is_forgotten_costs_nothing() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(SWAPS, tokenAddress="A")
            await a.ready()
            every = feed.events()
            await send_to(server, a, n=1)
            async for _ in every:
                break
            assert len(feed._registry.everywhere()) == 1
            del every
            assert feed._registry.everywhere() == []

    run(main())


def test_one_task_reads_an_iterator() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(SWAPS, tokenAddress="A")
            task = asyncio.create_task(anext(a))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(a)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await a.ready()
            await send_to(server, a, n=1)
            assert await number(a) == 1

    run(main())


@pytest.mark.parametrize(
    ("stream", "given", "kind"),
    [
        (7, {}, TypeError),
        ("", {}, ValueError),
        ("a\nb", {}, ValueError),
        ("x" * 1001, {}, ValueError),
        (SWAPS, {"tokenAddress": 1.5}, TypeError),
        (SWAPS, {"tokenAddress": True}, TypeError),
        (SWAPS, {"tokenAddress": None}, TypeError),
        (SWAPS, {"tokenAddress": "\ud800"}, ValueError),
        (SWAPS, {str(i): "a" for i in range(101)}, ValueError),
    ],
)
def test_what_cannot_be_subscribed_to(stream: Any, given: Any, kind: Any) -> None:
    feed = ShurikenFeed(KEY)
    with pytest.raises(kind):
        asyncio.run(feed.subscribe(stream, **given))
    with pytest.raises(ValueError, match="on_overflow"):
        feed.subscribe_with(SWAPS, {}, on_overflow="conflate")  # type: ignore[arg-type]
    assert feed.subscriptions == []


@pytest.mark.parametrize(
    "options",
    [{"on_overflow": "no"}, {"max_queue_len": 0}, {"base_url": "http://a.com"}],
)
def test_arguments_that_make_no_sense(options: Any) -> None:
    with pytest.raises(ValueError, match=r"on_overflow|max_queue_len|base_url"):
        ShurikenFeed(KEY, **options)


def test_members() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            personal = await feed.subscribe(PERSONAL)
            await personal.ready()
            assert personal.members == {"me": {"name": "A"}}
            data = {"user_id": "you", "user_info": 1}
            event = "pusher_internal:member_added"
            await server.connections[0].send(event, personal.channel, data)
            await until(lambda: "you" in personal.members)
            (joined,) = events_of(feed, EventKind.MEMBER)
            assert joined["joined"] and joined["user_id"] == "you"

    run(main())


# Slow readers


def test_drop_oldest() -> None:
    async def main() -> None:
        async with (
            ShurikenServer() as server,
            feed_of(server, max_queue_len=3000) as feed,
        ):
            slow = await feed.subscribe(SWAPS, tokenAddress="A")
            fast = feed.subscribe_with(
                SWAPS, {"tokenAddress": "A"}, max_queue_len=1 << 20
            )
            await slow.ready(), await fast.ready()
            for i in range(100):
                await send_to(server, slow, n=i)
            assert [await number(fast) for _ in range(100)] == list(range(100))
            stats = slow.stats
            assert stats.dropped + stats.queued == 100 and stats.dropped > 80
            assert stats.queued_bytes <= 3000 and fast.stats.dropped == 0
            rest = [await number(slow) for _ in range(stats.queued)]
            assert rest == list(range(100))[-len(rest) :]
            assert feed.events.counts[EventKind.OVERFLOW] == stats.dropped
            assert feed.stats.dropped == stats.dropped
            await slow.unsubscribe()
            assert feed.stats.dropped == stats.dropped

    run(main())


def test_wait() -> None:
    async def main() -> None:
        async with (
            ShurikenServer() as server,
            feed_of(server, max_queue_len=3000, on_overflow="wait") as feed,
        ):
            slow = await feed.subscribe(SWAPS, tokenAddress="A")
            await slow.ready()
            for i in range(500):
                await send_to(server, slow, n=i)
                await asyncio.sleep(0)
            await asyncio.sleep(0.05)
            assert feed.stats.messages < 500 and slow.stats.dropped == 0
            assert [await number(slow) for _ in range(500)] == list(range(500))
            for i in range(500):
                await send_to(server, slow, n=i)
                await asyncio.sleep(0)
            await slow.unsubscribe()  # nobody is waited for any more
            other = await feed.subscribe(POOL)
            await other.ready()
            assert feed.events.counts[EventKind.OVERFLOW] == 0

    run(main())


def test_pings_are_answered_although_nobody_reads() -> None:
    async def main() -> None:
        async with (
            ShurikenServer(activity_timeout=0.1) as server,
            feed_of(server) as feed,
        ):
            await (await feed.subscribe(SWAPS)).ready()
            connection = server.connections[0]
            await connection.send("pusher:ping")
            await until(lambda: connection.sent("pusher:pong") == [{}])
            await until(lambda: len(connection.sent("pusher:ping")) >= 3)
            assert connection.is_open and len(server.history) == 1

    run(main())


# Refusals


def test_a_bad_key() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server, "sk_other") as feed:
            a = await feed.subscribe(SWAPS)
            for work in (a.ready(), anext(a), anext(feed.events()), anext(feed)):
                with pytest.raises(FeedAuthError, match="a bad key"):
                    await work
            assert feed.state is State.FAILED and len(server.requests) == 1
            assert isinstance(feed.failure, FeedAuthError)
            with pytest.raises(FeedAuthError):
                await feed.catalogue()

    run(main())


def bad_session(status: int, answer: Any) -> ShurikenFeed:
    async def main() -> ShurikenFeed:
        async def on_session(_: Request) -> Answer:
            return status, answer

        async with (
            ShurikenServer(on_session=on_session) as server,
            feed_of(server) as feed,
        ):
            a = await feed.subscribe(SWAPS)
            with pytest.raises(FeedError) as caught:
                await a.ready()
            with pytest.raises(FeedError):
                await anext(a)
            assert str(caught.value) in str(list(feed.events)[-1])
        return feed

    return run(main())


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, b"{}"), (200, b"<html>"), (404, b"<html>"), (302, b""), (403, b"no")],
)
def test_a_session_that_is_none(status: int, answer: Any) -> None:
    assert bad_session(status, answer).stats.reconnects == 0


def test_a_session_that_comes_later() -> None:
    async def main() -> None:
        answers: list[Answer] = [(500, {}), (502, b"<html>"), (429, {})]

        async def on_session(_: Request) -> Answer | None:
            return answers.pop(0) if answers else None

        async with (
            ShurikenServer(on_session=on_session) as server,
            feed_of(server) as feed,
        ):
            await (await feed.subscribe(SWAPS)).ready()
            assert states(feed) == [
                "connecting",
                "reconnecting",
                "reconnecting",
                "reconnecting",
                "connected",
            ]
            reasons = [d["reason"] for d in events_of(feed, EventKind.STATE)]
            assert "HTTP 502 Bad Gateway: a web page" in str(reasons[2])

    run(main())


def refuses(*streams: str) -> Any:
    async def on_session(request: Request) -> Answer | None:
        asked = [each["stream"] for each in request.fields["subscriptions"]]
        bad = sorted(set(asked) & set(streams))
        if not bad:
            return None
        error = {"code": "INVALID_STREAM", "message": f"no stream {bad[0]}"}
        return 400, {"error": error, "requestId": "r"}

    return on_session


def test_one_bad_stream_harms_no_other() -> None:
    """Neither when a session begins, nor when it is expanded, nor after a cut."""

    async def main() -> None:
        bad = ("no.1", "no.2", "no.3")
        async with (
            ShurikenServer(on_session=refuses(*bad)) as server,
            feed_of(server) as feed,
        ):
            names = ["a", "no.1", "b", "c", "no.2", "d", "e"]
            several = [await feed.subscribe(name) for name in names]
            for name, each in zip(names, several, strict=True):
                if name in bad:
                    with pytest.raises(SessionError, match=name) as caught:
                        await each.ready()
                    assert caught.value.code == "INVALID_STREAM"
                    assert each.state is ChannelState.REFUSED
                else:
                    await each.ready()
            late = await feed.subscribe("no.3")
            with pytest.raises(SessionError, match=r"no\.3"):
                await anext(late)
            assert len(server.history) == 1
            assert events_of(feed, EventKind.REFUSED)[-1]["stream"] == "no.3"
            await until(lambda: feed._channels.live.is_resolving is False)  # type: ignore[union-attr]
            n = len(server.of("session"))
            server.connections[0].cut()
            await until(lambda: feed.stats.reconnects == 1)
            for name, each in zip(names, several, strict=True):
                if name not in bad:
                    await each.ready()
            assert len(server.of("session")) == n + 1
            server.on_session = None  # and now there is such a stream
            again = await feed.subscribe("no.3")
            await again.ready()
            assert late.state is ChannelState.SUBSCRIBED

    run(main())


def test_only_bad_streams() -> None:
    async def main() -> None:
        async with (
            ShurikenServer(on_session=refuses("no")) as server,
            feed_of(server) as feed,
        ):
            bad = await feed.subscribe("no")
            with pytest.raises(SessionError):
                await bad.ready()
            await until(lambda: feed.state is not State.CONNECTING)
            n = len(server.requests)
            await asyncio.sleep(0.05)
            assert len(server.requests) == n
            await (await feed.subscribe("yes")).ready()

    run(main())


def test_a_stream_that_the_session_leaves_out() -> None:
    async def main() -> None:
        async def on_session(request: Request) -> Answer:
            answer = server.session_of(request.fields["subscriptions"])
            answer["subscriptions"] = [
                each for each in answer["subscriptions"] if each["stream"] != POOL
            ]
            return 200, answer

        async with (
            ShurikenServer(on_session=on_session) as server,
            feed_of(server) as feed,
        ):
            a, b = await feed.subscribe(SWAPS), await feed.subscribe(POOL)
            with pytest.raises(FeedError, match="does not resolve"):
                await b.ready()
            await a.ready()

    run(main())


def test_an_authorisation_that_is_refused() -> None:
    async def main() -> None:
        async def on_auth(_: Request) -> Answer:
            return 403, {"error": {"code": "FORBIDDEN", "message": "not yours"}}

        async with ShurikenServer(on_auth=on_auth) as server, feed_of(server) as feed:
            a, b = await feed.subscribe(SWAPS), await feed.subscribe(PERSONAL)
            for work in (b.ready(), anext(await feed.subscribe(PERSONAL))):
                with pytest.raises(FeedAuthError, match="FORBIDDEN: not yours"):
                    await work
            await a.ready()
            assert b.state is ChannelState.REFUSED
            assert feed.state is State.CONNECTED and len(server.history) == 1
            assert len(server.of("auth")) == 2  # the second in another session
            server.on_auth = None
            server.connections[0].cut()
            await until(lambda: b.state is ChannelState.SUBSCRIBED)
            await send_to(server, b, n=1)
            assert await number(b) == 1

    run(main())


def test_an_authorisation_that_comes_later() -> None:
    async def main() -> None:
        answers: list[Answer] = [(500, b"<html>"), (503, {})]

        async def on_auth(_: Request) -> Answer | None:
            return answers.pop(0) if answers else None

        async with ShurikenServer(on_auth=on_auth) as server, feed_of(server) as feed:
            feed._channels.retry_s = (0.001, 0.002)
            b = await feed.subscribe(PERSONAL)
            await b.ready()
            assert len(server.of("auth")) == 3 and len(server.history) == 1
            assert feed.events.counts[EventKind.SERVER_ERROR] == 2

    run(main())


@pytest.mark.parametrize("page", [(200, b"<html>"), (404, b"<html>"), (302, b"")])
def test_pages_in_place_of_an_authorisation(page: Answer) -> None:
    """Of a server in between; who waits is told once it seems to last."""

    async def main() -> None:
        answers = [page]

        async def on_auth(_: Request) -> Answer | None:
            return answers.pop(0) if answers else None

        async with ShurikenServer(on_auth=on_auth) as server, feed_of(server) as feed:
            feed._channels.retry_s = (0.001, 0.002)
            await (await feed.subscribe(PERSONAL)).ready()
            answers += [page] * 5
            b = await feed.subscribe("portfolio.notifications")
            with pytest.raises(FeedError, match="is not authorised yet"):
                await b.ready()
            await until(lambda: b.state is ChannelState.SUBSCRIBED)
            await b.ready()
            assert len(server.history) == 1

    run(main())


def test_no_new_session_for_now() -> None:
    """A channel whose session is old waits for the new one."""

    async def main() -> None:
        async def on_auth(_: Request) -> Answer | None:
            answers: list[Answer] = [(503, {}), (200, b"<html>")]

            async def on_session(_: Request) -> Answer | None:
                return answers.pop(0) if answers else None

            server.on_auth, server.on_session = None, on_session
            for connection in server.connections:
                connection.texts.clear()
            n_before.append(len(server.of("session")))
            old = {"error": {"code": "SESSION_EXPIRED", "message": "old"}}
            return 403, old

        n_before: list[int] = []
        async with ShurikenServer(on_auth=on_auth) as server, feed_of(server) as feed:
            feed._channels.retry_s = (0.001, 0.002)
            await (await feed.subscribe(PERSONAL)).ready()
            assert len(server.of("session")) == n_before[0] + 3
            assert not events_of(feed, EventKind.REFUSED)

    run(main())


def test_another_channel_in_a_new_session() -> None:
    async def main() -> None:
        def channel_of(*_: object) -> str:
            return f"presence-{len(server.of('session'))}"

        async def on_auth(request: Request) -> Answer | None:
            if request.form["channel_name"] == "presence-2":
                return None
            return 403, {"error": {"code": "SESSION_EXPIRED", "message": "old"}}

        server = ShurikenServer(on_auth=on_auth)
        server.channel_of = channel_of
        async with server, feed_of(server) as feed:
            a = await feed.subscribe(PERSONAL)
            await a.ready()
            assert a.channel == "presence-2" and len(server.history) == 1
            await send_to(server, a, n=1)
            assert await number(a) == 1
            server.on_auth = refuse_all
            server.connections[0].cut()
            with pytest.raises(FeedAuthError, match="FORBIDDEN"):
                await anext(a)
            assert len(server.of("session")) == 4  # one more, and not without end

    run(main())


async def refuse_all(_: Request) -> Answer:
    return 403, {"error": {"code": "FORBIDDEN", "message": "not yours"}}


def test_a_refused_channel_that_somebody_else_wants() -> None:
    """By another topic with the same channel."""

    async def main() -> None:
        n = 0

        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            nonlocal n
            n += 1
            if n == 1:
                error = {"type": "x", "status": 400}
                event = "pusher:subscription_error"
                await connection.send(event, data["channel"], error)
            return n > 1

        server = ShurikenServer(on_subscribe=on_subscribe)
        server.channel_of = lambda *_: "alpha"
        async with server, feed_of(server) as feed:
            a = await feed.subscribe("alpha.signalFeed.global")
            with pytest.raises(FeedError, match="is refused"):
                await a.ready()
            b = await feed.subscribe("alpha.signalFeedGlobal")
            await b.ready()
            await a.ready()
            assert n == 2

    run(main())


def test_a_stream_that_is_refused_later() -> None:
    """What the API gave before, and gives no more, holds up no other."""

    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a, b, c = [await feed.subscribe(name) for name in "abc"]
            for each in (a, b, c):
                await each.ready()
            server.on_session = refuses("b")
            d = await feed.subscribe("d")
            await d.ready()
            server.connections[0].cut()
            await until(lambda: feed.stats.reconnects == 1)
            for each in (a, c, d):
                await each.ready()
            with pytest.raises(SessionError, match="no stream b"):
                await anext(b)
            server.on_session = refuses("a", "b", "c", "d")  # not about one of them
            server.connections[-1].cut()
            await until(lambda: feed.state is State.RECONNECTING)
            await asyncio.sleep(0.05)
            server.on_session = None
            for each in (a, c, d, b):
                await until(lambda: each.state is ChannelState.SUBSCRIBED)  # noqa: B023

    run(main())


def test_an_endpoint_on_another_host_gets_nothing() -> None:
    async def main() -> None:
        async with ShurikenServer() as thief:
            port = thief.url.rpartition(":")[2]
            endpoint = f"http://localhost:{port}/api/v2/ws/auth"
            async with (
                ShurikenServer(auth_endpoint=endpoint) as server,
                feed_of(server) as feed,
            ):
                b = await feed.subscribe(PERSONAL)
                with pytest.raises(FeedError, match="on another host, localhost"):
                    await b.ready()
                assert thief.requests == []
                allowed = feed_of(server, auth_hosts=["localhost"])
                thief.history = server.history
                async with allowed:
                    await (await allowed.subscribe(PERSONAL)).ready()
                assert len(thief.requests) == 1

    run(main())


@pytest.mark.parametrize(
    ("error", "n_tries"), [({"status": 403}, 1), ({"type": "x", "error": "y"}, 1)]
)
def test_a_subscription_that_is_refused(error: Any, n_tries: int) -> None:
    async def main() -> None:
        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            channel = data["channel"]
            if channel != POOL:
                return True
            await connection.send("pusher:subscription_error", channel, error)
            return False

        async with (
            ShurikenServer(on_subscribe=on_subscribe) as server,
            feed_of(server) as feed,
        ):
            a, b = await feed.subscribe(SWAPS), await feed.subscribe(POOL)
            with pytest.raises(FeedError, match=f"{POOL} is refused"):
                await b.ready()
            await a.ready()
            asked = [d["channel"] for d in sent_subscriptions(server)]
            assert asked.count(POOL) == n_tries

    run(main())


def sent_subscriptions(server: ShurikenServer) -> list[Any]:
    return [d for c in server.history for d in c.sent("pusher:subscribe")]


@pytest.mark.parametrize(
    ("stream", "status"), [(SWAPS, 503), (SWAPS, 429), (PERSONAL, 401), (PERSONAL, 403)]
)
def test_a_subscription_that_is_refused_for_now(stream: str, status: int) -> None:
    async def main() -> None:
        n = 0

        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            nonlocal n
            n += 1
            error = {"type": "Error", "status": status}
            if n == 1:
                event = "pusher:subscription_error"
                await connection.send(event, data["channel"], error)
            return n > 1

        async with (
            ShurikenServer(on_subscribe=on_subscribe) as server,
            feed_of(server) as feed,
        ):
            feed._channels.retry_s = (0.001, 0.002)
            await (await feed.subscribe(stream)).ready()
            assert n == 2 and len(server.history) == 1
            # A session that expired is the likely reason.
            assert len(server.of("session")) == (2 if status < 429 else 1)

    run(main())


# What is odd


def test_nonsense_is_told_and_nothing_is_lost() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(SWAPS)
            await a.ready()
            connection = server.connections[0]
            for text in ("", "nonsense", "[]", "[" * 5000, '{"event":1}'):
                await connection.raw(text)
            await connection.send("pusher:unheard")
            await connection.send("pusher:error", data={"message": "m", "code": 4301})
            await connection.send("update", "of.nobody", "{}")
            await send_to(server, a, n=1)
            assert await number(a) == 1
            assert feed.stats.bad == 5 and feed.stats.messages == 1
            assert feed.events.counts[EventKind.BAD_MESSAGE] == 5
            assert events_of(feed, EventKind.SERVER_ERROR)[0]["code"] == 4301
            assert len(server.history) == 1

    run(main())


def test_the_catalogue() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            first, _ = await feed.catalogue()
            assert first.id == SWAPS and first.filters[0].name == "tokenAddress"

    run(main())


def test_no_log_repr_or_event_has_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            b = await feed.subscribe(PERSONAL)
            await b.ready()
            server.connections[0].cut()
            await until(lambda: feed.stats.reconnects == 1)
            await b.ready()
            texts = [repr(feed), repr(b), str(feed.stats), str(list(feed.events))]
            texts += [repr(value) for value in vars(feed).values()]
            texts += [repr(value) for value in vars(feed._api).values()]
            assert not any(KEY in text for text in texts)

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("websockets").setLevel(logging.INFO)
        run(main())
    assert KEY not in caplog.text and "connected" in caplog.text


# Faces


def test_without_asyncio() -> None:
    import threading

    ready, stop = threading.Event(), threading.Event()
    found: list[ShurikenServer] = []

    async def serve() -> None:
        async with ShurikenServer() as server:
            found.append(server)
            ready.set()
            n = 0
            while not stop.is_set():
                for connection in server.connections:
                    for channel in tuple(connection.subscribed):
                        await connection.update(channel, n=n)
                n += 1
                await asyncio.sleep(0.005)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        with feed_of(found[0]) as live:
            with live.subscribe(SWAPS, tokenAddress="A") as a:
                a.ready()
                first, second = next(a), next(a)
                assert isinstance(first, ShurikenEvent)
                assert isinstance(second, ShurikenEvent)
                assert second.data["n"] == first.data["n"] + 1  # type: ignore[index]
                assert next(live) is not None
                assert live.feed.stats.messages > 1
            for _ in a:  # what had come
                continue
            assert live.feed.subscriptions == []
    finally:
        stop.set()
        thread.join()


def test_what_is_recorded(tmp_path: Path) -> None:
    async def main() -> list[ShurikenEvent]:
        with Recorder(tmp_path, prefix="shuriken") as recorder:
            async with (
                ShurikenServer() as server,
                feed_of(server, recorder=recorder) as feed,
            ):
                a = await feed.subscribe(SWAPS, tokenAddress="A")
                await a.ready()
                for i in range(10):
                    await send_to(server, a, n=i)
                assert feed.recorder is recorder
                return [await event_of(a) for _ in range(10)]

    events = run(main())
    lines = b"".join(read(tmp_path)).splitlines()
    texts = [line.partition(b" ") for line in lines]
    messages = [(int(t), json.loads(text)) for t, _, text in texts]
    data = [(t, m) for t, m in messages if m["event"] == "update"]
    assert [(e.receive_ns, e.raw) for e in events] == [(t, m["data"]) for t, m in data]
    assert len(lines) == 13  # the session, the greeting and the success


def test_an_outage_stands_where_events_are_missing() -> None:
    async def main() -> None:
        async with (
            ShurikenServer() as server,
            feed_of(server, deliver_outages=True) as feed,
        ):
            a = await feed.subscribe(SWAPS, tokenAddress="A")
            await a.ready()
            every = feed.events()
            await send_to(server, a, n=1)
            await until(lambda: len(a.mailbox) == 1)
            server.connections[0].cut()
            await until(lambda: a.stats.outages == 1)
            await send_to(server, a, n=2)
            await until(lambda: len(a.mailbox) == 3)
            for stream in (a, every):
                assert await number(stream) == 1
                outage = await anext(stream)
                assert isinstance(outage, Outage)
                assert outage.filter == {"tokenAddress": "A"}
                assert await number(stream) == 2

    run(main())
