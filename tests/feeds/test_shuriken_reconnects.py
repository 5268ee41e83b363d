"""Connections that end at any moment: no subscription is lost, every gap is told."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live import run, until
from shuriken_server import KEY, Answer, Connection, Request, ShurikenServer, dumps
from soak import rss_len
from virtual_time import VirtualLoop, run_virtual

from codec.errors import FeedAuthError, FeedError, FeedProtocolError
from codec.feeds import ConnectionSettings, EventKind, State
from codec.feeds.retry import ConnectionLost, HandshakeRefused
from codec.feeds.shuriken import ChannelState, SessionError, ShurikenFeed, Subscription
from codec.feeds.shuriken.session import Session
from codec.feeds.shuriken.verdicts import Judge

FAST = ConnectionSettings(reconnect_delays_s=(0.001, 0.01), connect_timeout_s=5.0)
PUBLIC, PRESENCE = "svm.token.swaps", "alpha.personal"
SUBSCRIBED = ChannelState.SUBSCRIBED


def feed_of(server: ShurikenServer, **options: Any) -> ShurikenFeed:
    return ShurikenFeed(KEY, server.url, **({"connection": FAST} | options))


async def three(feed: ShurikenFeed) -> list[Subscription]:
    """Two tokens of one stream, and a presence channel."""
    return [
        await feed.subscribe(PUBLIC, tokenAddress="A"),
        await feed.subscribe(PUBLIC, tokenAddress="B"),
        await feed.subscribe(PRESENCE),
    ]


async def all_ready(subscriptions: list[Subscription]) -> None:
    await until(lambda: all(each.state is SUBSCRIBED for each in subscriptions))


async def check_delivery(
    server: ShurikenServer, subscriptions: list[Subscription]
) -> None:
    """Each gets what is sent to it, and only that."""
    (connection,) = server.connections
    for n, each in enumerate(subscriptions):
        await connection.update(each.channel, n=n)
    for n, each in enumerate(subscriptions):
        event = await asyncio.wait_for(anext(each), 10)
        assert event.raw == f'{{"n":{n}}}'  # type: ignore[union-attr]
        assert len(each.mailbox) == 0


def outages(feed: ShurikenFeed) -> list[Any]:
    return [event.data for event in feed.events if event.kind is EventKind.OUTAGE]


def delays(feed: ShurikenFeed) -> list[float]:
    """Those before the attempts."""
    return [
        float(str(event.data["delay_s"]))
        for event in feed.events
        if event.kind is EventKind.STATE and event.data["state"] is State.RECONNECTING
    ]


# When it ends


def test_during_subscribing() -> None:
    async def main() -> None:
        n = 0

        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            nonlocal n
            n += 1
            if n in (1, 3, 6, 8):
                connection.cut()
            return n not in (1, 3, 6, 8)

        server = ShurikenServer(on_subscribe=on_subscribe)
        async with server, feed_of(server) as feed:
            subscriptions = await three(feed)
            await all_ready(subscriptions)
            assert feed.stats.reconnects >= 3
            await check_delivery(server, subscriptions)

    run(main())


def test_during_authorising() -> None:
    async def main() -> None:
        n = 0

        async def on_auth(request: Request) -> Answer | None:
            nonlocal n
            n += 1
            if n <= 3:  # the answer is for a connection that is gone
                server.connections[-1].cut()
                seen = n
                await until(lambda: len(server.history) > seen)
            return None

        server = ShurikenServer(on_auth=on_auth)
        async with server, feed_of(server) as feed:
            subscriptions = await three(feed)
            await all_ready(subscriptions)
            assert feed.stats.reconnects >= 3
            (last,) = server.connections[-1].sent("pusher:subscribe")[-1:]
            assert f":{last['channel']}" in last["auth"] or "auth" not in last
            await check_delivery(server, subscriptions)

    run(main())


def test_during_data() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            subscriptions = await three(feed)
            for n in range(20):
                await all_ready(subscriptions)
                await check_delivery(server, subscriptions)
                before = feed.events.counts[EventKind.OUTAGE]
                heard_ns = feed._channels.live.heard_ns  # type: ignore[union-attr]
                server.connections[0].cut()
                await until(lambda n=n: feed.stats.reconnects == n + 1)  # type: ignore[misc]
                await all_ready(subscriptions)
                count = feed.events.counts[EventKind.OUTAGE]
                assert count == before + 3 == feed.stats.outages
                for outage in outages(feed)[-3:]:
                    assert heard_ns == outage["since_ns"] < outage["until_ns"]
                    assert "broke" in outage["reason"]
            for each in subscriptions:
                assert len(each.outages) == each.stats.outages == 20
                assert each.outages[0].channel == each.channel

    run(main())


def test_during_the_expansion_of_a_session() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            first = await feed.subscribe(PUBLIC, tokenAddress="A")
            await first.ready()

            async def on_session(_: Request) -> Answer | None:
                server.on_session = None
                server.connections[0].cut()
                await asyncio.sleep(0.02)
                return None

            server.on_session = on_session
            second = await feed.subscribe(PUBLIC, tokenAddress="B")
            await second.ready()
            await all_ready([first, second])
            await check_delivery(server, [first, second])
            assert len(first.outages) == 1 and not second.outages

    run(main())


def test_channels_that_are_others_in_the_next_session() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            usual = server.channel_of
            server.channel_of = lambda stream, given: (
                f"{usual(stream, given)}.{len(server.history)}"
            )
            subscriptions = await three(feed)
            await all_ready(subscriptions)
            old = [each.channel for each in subscriptions]
            server.connections[0].cut()
            await until(lambda: feed.stats.reconnects == 1)
            await all_ready(subscriptions)
            assert all(
                a != each.channel for a, each in zip(old, subscriptions, strict=True)
            )
            await check_delivery(server, subscriptions)

    run(main())


def test_any_moment_while_users_come_and_go() -> None:
    """A server that cuts, refuses for now and delays, and users who change their mind:
    in the end each has what it wants, and the server no more than that."""

    async def main() -> None:
        dice = random.Random(7)
        is_rough = True

        async def on_auth(_: Request) -> Answer | None:
            await asyncio.sleep(dice.choice([0, 0.001, 0.005]))
            return (503, {}) if is_rough and dice.random() < 0.2 else None

        async def on_session(_: Request) -> Answer | None:
            await asyncio.sleep(dice.choice([0, 0.001]))
            return (500, b"<html>") if is_rough and dice.random() < 0.1 else None

        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            if is_rough and dice.random() < 0.05:
                connection.cut()
                return False
            return True

        server = ShurikenServer(
            on_auth=on_auth,
            on_session=on_session,
            on_subscribe=on_subscribe,
            backoff_ms=[1, 2],
        )
        async with server, feed_of(server) as feed:
            feed._channels.retry_s = (0.001, 0.004)
            held: list[Subscription] = []
            for i in range(600):
                if held and dice.random() < 0.45:
                    await held.pop(dice.randrange(len(held))).unsubscribe()
                elif dice.random() < 0.3:
                    held.append(await feed.subscribe(PRESENCE, of=dice.randrange(4)))
                else:
                    token = str(dice.randrange(12))
                    held.append(await feed.subscribe(PUBLIC, tokenAddress=token))
                if i % 40 == 39:
                    await until(lambda: len(server.connections) > 0)
                    await server.connections[-1].close(dice.choice([4200, 1001, 1012]))
                await asyncio.sleep(dice.choice([0, 0, 0.001]))
            is_rough = False
            held.append(await feed.subscribe(PUBLIC, tokenAddress="last"))
            await all_ready(held)
            wanted = {each.channel for each in held}
            await until(lambda: set(server.connections[-1].subscribed) == wanted)
            assert len(server.connections[-1].subscribed) == len(wanted)
            assert feed.stats.subscribed == feed.stats.subscriptions == len(wanted)
            assert feed.stats.reconnects > 10
            for each in held:
                await each.unsubscribe()
            await until(lambda: server.connections[-1].subscribed == [])
            live = feed._channels.live
            assert live is not None and not live.pusher.channels
            assert not live._users and not live._routes and not live._resolved

    run(main(), timeout_s=120)


# How long it waits


def test_the_recommended_delays() -> None:
    async def main() -> None:
        server = ShurikenServer(backoff_ms=[20, 40, 80])
        async with server, feed_of(server) as feed:
            await (await feed.subscribe(PUBLIC)).ready()
            port, server.port = server.port, 1  # nobody is there
            server.connections[0].cut()
            await until(lambda: len(delays(feed)) >= 5)
            server.port = port
            await until(lambda: feed.state is State.CONNECTED)
            for delay, ms in zip(delays(feed), [20, 40, 80, 80, 80], strict=False):
                assert ms / 1000 <= delay <= 1.2 * ms / 1000
            await until(lambda: feed.stats.subscribed == 1)
            server.connections[0].cut()
            await until(lambda: feed.stats.reconnects == 2)
            assert delays(feed)[-1] <= 0.024  # anew, as there was a good connection

    run(main())


CLOSES: list[tuple[int, Callable[[float], bool]]] = [
    (4100, lambda delay: 1.0 <= delay < 1.1),
    (4199, lambda delay: 1.0 <= delay < 1.1),
    (4200, lambda delay: delay == 0.0),
    (4299, lambda delay: delay == 0.0),
    (1001, lambda delay: 0.05 <= delay <= 0.06),
    (1002, lambda delay: 0.05 <= delay <= 0.06),
    (3999, lambda delay: 0.05 <= delay <= 0.06),
]


@pytest.mark.parametrize(("code", "is_right"), CLOSES)
def test_close_codes(code: int, is_right: Callable[[float], bool]) -> None:
    async def main() -> None:
        server = ShurikenServer(backoff_ms=[50])
        async with server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()
            await server.connections[0].close(code, "words")
            await until(lambda: feed.stats.reconnects == 1)
            await all_ready([a])
            assert is_right(delays(feed)[0]), delays(feed)
            assert f"closed with code {code}: words" in a.outages[0].reason
            assert len(server.of("session")) == 2

    run(main())


def test_at_once_is_not_without_end() -> None:
    async def main() -> None:
        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            await connection.close(4200)
            return False

        server = ShurikenServer(backoff_ms=[50], on_subscribe=on_subscribe)
        async with server, feed_of(server) as feed:
            await feed.subscribe(PUBLIC)
            await until(lambda: len(delays(feed)) == 4)
            assert delays(feed)[0] == 0.0 and min(delays(feed)[1:]) >= 0.05

    run(main())


@pytest.mark.parametrize("code", [4001, 4009, 4099, 4300, 4301, 4999])
@pytest.mark.parametrize("is_early", [False, True])
def test_codes_that_end_it(code: int, is_early: bool) -> None:
    async def main() -> None:
        server = ShurikenServer(greets=not is_early)
        async with server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            if is_early:  # as older servers say it
                await until(lambda: len(server.connections) == 1)
                error = {"message": "words", "code": code}
                await server.connections[0].send("pusher:error", data=error)
            else:
                await a.ready()
                await server.connections[0].close(code, "words")
            with pytest.raises(FeedError, match=r"wants no connection.*words"):
                await anext(a)
            assert feed.state is State.FAILED and len(server.history) == 1
            with pytest.raises(FeedError):
                await a.ready()

    run(main())


def test_a_server_that_wants_tls() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()
            await server.connections[0].close(4000)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(a), 0.3)  # this server has none
            assert delays(feed)[0] == 0.0 and len(server.history) == 1
            assert feed.state is State.RECONNECTING

    run(main())


def session(*, tls: bool = False) -> Session:
    return Session("k", "h", 1, tls, "", (), ())


@pytest.mark.parametrize(
    ("failure", "established", "kind"),
    [
        (FeedAuthError("x"), True, FeedAuthError),
        (SessionError("x", is_lasting=True), False, SessionError),
        (SessionError("x", is_lasting=True), True, None),
        (SessionError("x"), False, None),
        (OSError("x"), False, None),
        (HandshakeRefused(503), False, None),
        (HandshakeRefused(404), False, FeedProtocolError),
        (HandshakeRefused(403), True, None),
        (HandshakeRefused(404), True, None),
        (ConnectionLost(1006), False, None),
        (ConnectionLost(4001), True, FeedError),
    ],
)
def test_verdicts(failure: Any, established: bool, kind: Any) -> None:
    verdict = Judge(lambda: 0.0).judge(failure, established=established)
    assert (verdict.error is None) if kind is None else isinstance(verdict.error, kind)


def test_verdicts_about_tls_and_time() -> None:
    judge = Judge(lambda: 0.0)
    judge.session = session()
    assert judge.judge(ConnectionLost(4000), established=True).delay_s == 0.0
    assert judge.needs_tls
    for again in (judge, Judge(lambda: 0.0)):
        again.session = session(tls=True)
        verdict = again.judge(ConnectionLost(4000), established=True)
        assert isinstance(verdict.error, FeedProtocolError)
    waits = SessionError("x", status=503, retry_after_s=7.0)
    assert judge.judge(waits, established=False).wait_s == 7.0
    assert judge.session.url(client="c", version="1").startswith("wss://")


# Silence, and what a day is


def test_a_server_that_does_not_answer_pings() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = ShurikenServer(pongs=False, activity_timeout=60)
        async with server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()
            start = loop.time()
            await until(lambda: feed.stats.reconnects == 1, timeout_s=1000)
            assert 90 <= loop.time() - start < 91
            await all_ready([a])
            assert "no answer to a ping in 30.0 s" in a.outages[0].reason

    run_virtual(main())


def test_a_server_that_does_not_greet() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with ShurikenServer(greets=False) as server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            start = loop.time()
            await until(lambda: len(server.history) == 1)
            server.greets = True
            await until(lambda: a.state is SUBSCRIBED, timeout_s=1000)
            assert 30 <= loop.time() - start < 32
            events = [each for each in feed.events if each.kind is EventKind.STATE]
            states = [event.data["state"] for event in events]
            assert states == [State.CONNECTING, State.RECONNECTING, State.CONNECTED]

    run_virtual(main())


def test_a_day_of_pings() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        server = ShurikenServer(activity_timeout=120)
        async with server, feed_of(server, clock_ns=loop.time_ns) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()
            for _ in range(24):
                await asyncio.sleep(3600)
                await server.connections[0].send("pusher:ping")
            await asyncio.sleep(1)
            (connection,) = server.history
            pings, pongs = (connection.sent(f"pusher:p{x}ng") for x in "io")
            assert len(pongs) == 24 and 700 <= len(pings) <= 720
            assert feed.stats.reconnects == 0 and a.state is SUBSCRIBED
            await connection.update(a.channel, n=1)
            assert (await anext(a)).raw == '{"n":1}'  # type: ignore[union-attr]

    run_virtual(main())


# Sessions that expire


def test_a_session_that_has_expired() -> None:
    """Authorisations are refused until there is another session."""

    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()
            server.auth_endpoint = "/new/api/v2/ws/auth"

            async def on_auth(request: Request) -> Answer | None:
                expired = {"error": {"code": "SESSION_EXPIRED", "message": "old"}}
                is_new = request.path == "/new/api/v2/ws/auth"
                return None if is_new else (401, expired)

            server.on_auth = on_auth
            feed._channels.live.session = session_with(  # type: ignore[union-attr]
                feed, "/api/v2/ws/auth"
            )
            subscriptions = [await feed.subscribe(PRESENCE, of=i) for i in range(5)]
            await all_ready(subscriptions)
            assert len(server.history) == 1 and feed.state is State.CONNECTED

    run(main())


def session_with(feed: ShurikenFeed, endpoint: str) -> Session:
    live = feed._channels.live
    assert live is not None
    used = live.session
    fields = [getattr(used, name) for name in Session.__slots__]
    fields[Session.__slots__.index("auth_endpoint")] = endpoint
    return Session(*fields)


def test_a_key_that_is_withdrawn() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await a.ready()

            async def refuse(_: Request) -> Answer:
                return 401, {"error": {"code": "unauthorized", "message": "revoked"}}

            server.on_session = server.on_auth = refuse
            b = await feed.subscribe(PRESENCE)
            for each in (a, b):
                with pytest.raises(FeedAuthError, match="revoked"):
                    await anext(each)
            assert feed.state is State.FAILED

    run(main())


# Memory


async def flood(connection: Connection, channel: str, n: int) -> None:
    """The same event again and again, which is the cheapest for the server."""
    payload = dumps({"n": 1, "words": "x" * 300})
    text = dumps({"event": "update", "channel": channel, "data": payload})
    for i in range(n):
        await connection.raw(text)
        if i % 100 == 0:
            await asyncio.sleep(0)


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read from Linux' /proc"
)
@pytest.mark.skipif(
    "CODEC_SANITIZE" in os.environ, reason="a sanitizer keeps memory that was freed"
)
def test_memory_stays_as_it_is(is_read: bool) -> None:
    """A million events in CI, else fewer; what is not read is given up."""
    n_rounds = 50 if os.environ.get("CI") and is_read else 4
    per_round = 20_000

    async def main() -> None:
        async with ShurikenServer() as server:
            settings = ConnectionSettings(deflate=False)
            feed = feed_of(server, max_queue_len=1 << 20, connection=settings)
            async with feed:
                a = await feed.subscribe(PUBLIC)
                await a.ready()
                sizes, n = [], 0
                for _ in range(n_rounds):
                    n += per_round
                    sending = flood(server.connections[0], a.channel, per_round)
                    task = asyncio.create_task(sending)
                    while a.stats.events < n:
                        if is_read:
                            await anext(a)
                        else:
                            await asyncio.sleep(0.01)
                    await task
                    while is_read and len(a.mailbox):
                        await anext(a)
                    sizes.append(rss_len())
                assert max(sizes[1:]) - sizes[0] < 8 << 20, sizes
                stats = a.stats
                assert stats.queued_bytes <= 1 << 20
                assert is_read or stats.dropped + stats.queued == n

    run(main(), timeout_s=900)


def test_a_subscription_that_is_never_answered() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        n = 0

        async def on_subscribe(connection: Connection, data: dict[str, Any]) -> bool:
            nonlocal n
            n += 1
            return n > 1

        server = ShurikenServer(on_subscribe=on_subscribe)
        async with server, feed_of(server) as feed:
            start = loop.time()
            a = await feed.subscribe(PUBLIC)
            await until(lambda: a.state is SUBSCRIBED, timeout_s=1000)
            assert 31 <= loop.time() - start < 33
            assert n == 2 and len(server.history) == 1
            await check_delivery(server, [a])

    run_virtual(main())


def test_a_load_balancers_page_between_two_connections() -> None:
    """Greeted is good enough: nothing has to be subscribed to yet."""

    async def main() -> None:
        async def on_subscribe(*_: object) -> bool:
            return False

        server = ShurikenServer(on_subscribe=on_subscribe)
        async with server, feed_of(server) as feed:
            a = await feed.subscribe(PUBLIC)
            await until(lambda: bool(server.connections))
            await until(lambda: bool(server.connections[0].sent("pusher:subscribe")))
            answers: list[Answer] = [(200, b"<html>"), (404, b"<html>"), (302, b"")]

            async def on_session(_: Request) -> Answer | None:
                return answers.pop(0) if answers else None

            server.on_session, server.on_subscribe = on_session, None
            server.connections[0].cut()
            await all_ready([a])
            assert not answers

    run(main())


def test_a_fault_of_ours_is_no_silence() -> None:
    async def main() -> None:
        async with ShurikenServer() as server, feed_of(server) as feed:
            usual = feed._api.authorise

            async def broken(*_: str) -> tuple[str, str | None]:
                feed._api.authorise = usual  # type: ignore[method-assign]
                raise RuntimeError("of ours")

            feed._api.authorise = broken  # type: ignore[method-assign]
            a = await feed.subscribe(PRESENCE)
            await a.ready()
            assert len(server.history) == 2
            assert any("RuntimeError: of ours" in str(each) for each in feed.events)

    run(main())
