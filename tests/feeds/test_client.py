"""Connections: made, kept up, given up, ended; against servers that misbehave."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import threading
import traceback
import warnings
from typing import Any

import pytest
from live import FAST, TOKEN, feed_of, message, run, timestamps, until
from raw_server import PING, PONG, Connection, RawServer, close_frame, frame
from virtual_time import VirtualLoop, run_virtual

from codec.errors import FeedAuthError, FeedClosed, FeedError, FeedProtocolError
from codec.feeds import ConnectionSettings, EventKind, FastFeed, State


async def nothing(_: Connection) -> None:
    pass


async def first_message(connection: Connection) -> None:
    await connection.send(frame(message(0)))


def answer(status: str, headers: str = "", body: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return (head + body).encode()


def states(feed: FastFeed) -> list[str]:
    return [str(e.data["state"]) for e in feed.events if e.kind is EventKind.STATE]


def reasons(feed: FastFeed) -> list[str]:
    return [
        str(e.data["reason"])
        for e in feed.events
        if e.kind is EventKind.STATE and e.data["reason"]
    ]


def test_the_request_and_the_opening() -> None:
    async def main() -> None:
        async with RawServer(first_message) as server:
            feed = feed_of(server.url, assets=range(1500), channel="100ms")
            async with feed:
                await timestamps(feed, 1)
                connection = server.connections[0]
                await connection.until(lambda c: len(c.frames) == 2)
            head, *headers = server.requests[0].split("\r\n")
            assert head == ("GET /ws?channel=100ms&message_type=signed_ecdsa HTTP/1.1")
            assert f"Authorization: Basic {TOKEN}" in headers
            (extensions,) = [h for h in headers if h.startswith("Sec-WebSocket-Ext")]
            assert "permessage-deflate; client_max_window_bits" in extensions
            texts = [body for _, body in connection.frames[:2]]
            assert texts[0].startswith(b'{"type":"subscribe","assets":[0,1,2,')
            assert texts[1].startswith(b'{"type":"subscribe","assets":[1000,')
            assert states(feed) == ["connecting", "connected", "disconnected"]

    run(main())


def test_deflate_can_be_left_out() -> None:
    async def main() -> None:
        async with RawServer(first_message) as server:
            settings = ConnectionSettings(deflate=False)
            async with feed_of(server.url, connection=settings) as feed:
                await timestamps(feed, 1)
            assert "Extensions" not in server.requests[0]

    run(main())


@pytest.mark.parametrize(
    ("reply", "kind", "text"),
    [
        (answer("401 Unauthorized", body="bad token"), FeedAuthError, "HTTP 401: bad"),
        (answer("403 Forbidden"), FeedAuthError, "refused the token"),
        (answer("404 Not Found"), FeedProtocolError, "HTTP 404"),
        (answer("302 Found", "Location: wss://elsewhere/ws\r\n"), FeedProtocolError,
         "redirects are not followed"),
        (answer("200 OK", body="<html>hello</html>"), FeedError, "200"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", FeedProtocolError, "not a websocket"),
    ],
)  # fmt: skip
def test_fatal_answers(reply: bytes, kind: type[FeedError], text: str) -> None:
    async def main() -> None:
        async with RawServer(nothing, answer=reply) as server:
            async with feed_of(server.url) as feed:
                with pytest.raises(kind, match=text):
                    await anext(feed)
                assert feed.states == (State.FAILED,)
                with pytest.raises(kind, match=text):  # and again
                    await anext(feed)
            assert len(server.requests) == 1

    run(main())


@pytest.mark.parametrize(
    ("reply", "delay_s"),
    [
        (answer("429 Too Many Requests", "Retry-After: 20\r\n"), 20),
        (answer("503 Service Unavailable", "Retry-After: 100000\r\n"), 300),
        (answer("500 Internal Server Error"), 0),
        (answer("502 Bad Gateway", body="<html>bad\x1b[31m</html>"), 0),
    ],
)
def test_answers_that_are_waited_out(reply: bytes, delay_s: float) -> None:
    async def main() -> None:
        server = RawServer(nothing, answer=reply)
        async with server, feed_of(server.url) as feed:
            await until(lambda: bool(reasons(feed)))
            (event, *_) = [e for e in feed.events if e.data.get("reason")]
            assert event.data["state"] == "reconnecting"
            assert "\x1b" not in event.text
            delay = event.data["delay_s"]
            assert isinstance(delay, float) and delay_s <= delay <= delay_s + 0.011

    run(main())


def test_a_token_that_expired_is_asked_for_again_once() -> None:
    tokens = iter(["old", "new", "newer", "newest"])
    refused = answer("401 Unauthorized")

    async def main() -> None:
        async with RawServer(nothing, answer=refused) as server:
            async with feed_of(server.url, token=lambda: next(tokens)) as feed:
                with pytest.raises(FeedAuthError):
                    await anext(feed)
            sent = [r.split("Basic ")[1].split("\r")[0] for r in server.requests]
            assert sent == ["old", "newer"]

    run(main())


def test_a_token_is_asked_for_before_every_connection() -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return f"token{asked}"

    async def cut(connection: Connection) -> None:
        await connection.send(frame(message(len(server.connections))))
        connection.cut()

    async def main() -> None:
        async with server, feed_of(server.url, token=token) as feed:
            await timestamps(feed, 3)
        assert [f"Basic token{i + 1}" in r for i, r in enumerate(server.requests)]

    server = RawServer(cut)
    run(main())
    assert asked >= 3


def test_a_token_that_never_comes_is_no_silence() -> None:
    async def token() -> str:
        await asyncio.sleep(3600)
        raise AssertionError

    async def main() -> None:
        settings = ConnectionSettings(
            connect_timeout_s=0.05, reconnect_delays_s=(0.001, 0.01)
        )
        url = "ws://127.0.0.1:9"
        async with feed_of(url, token=token, connection=settings) as feed:
            await until(lambda: len(reasons(feed)) >= 2)
            assert reasons(feed)[0] == "no token in time"

    run(main())


def test_a_server_that_is_not_there_is_waited_for() -> None:
    async def main() -> None:
        server = RawServer(first_message)
        server._socket.close()
        async with feed_of(server.url) as feed:
            await until(lambda: len(reasons(feed)) >= 2)
            server._socket = socket.create_server(("127.0.0.1", server.port))
            async with server:
                assert len(await timestamps(feed, 1)) == 1
        assert states(feed)[:2] == ["connecting", "reconnecting"]
        assert "Connect call failed" in reasons(feed)[0]

    run(main())


def test_a_connection_that_ends_in_the_handshake_is_made_again() -> None:
    """As that of clear text to a server that expects TLS."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with feed_of(url) as feed:
                await until(lambda: len(reasons(feed)) >= 3)
                assert feed.states == (State.RECONNECTING,)

    run(main())


def test_a_name_that_does_not_resolve_is_waited_for() -> None:
    async def main() -> None:
        async with feed_of("ws://no-such-host.invalid") as feed:
            await until(lambda: len(reasons(feed)) >= 2)
            assert feed.states == (State.RECONNECTING,)

    run(main())


def test_a_server_that_never_answers_the_handshake() -> None:
    async def main() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        with listening:
            settings = ConnectionSettings(
                connect_timeout_s=0.1, reconnect_delays_s=(0.001, 0.01)
            )
            url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
            async with feed_of(url, connection=settings) as feed:
                await until(lambda: len(reasons(feed)) >= 3)
                assert reasons(feed)[0] == "no connection in time"

    run(main())


def test_what_follows_a_fatal_failure_on_one_of_two_urls() -> None:
    async def main() -> None:
        refusing = RawServer(nothing, answer=answer("401 Unauthorized"))
        async with refusing, RawServer(first_message) as server:
            urls = [refusing.url, server.url]
            feed = FastFeed(urls=urls, token=TOKEN, assets=[1], connection=FAST)
            async with feed:
                assert len(await timestamps(feed, 1)) == 1
                await until(lambda: feed.states == (State.FAILED, State.CONNECTED))

    run(main())


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4321])
def test_close_codes_that_are_waited_out(code: int) -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(message(len(server.connections))))
        if len(server.connections) == 1:
            await connection.send(close_frame(code, "so long"))

    async def main() -> None:
        async with server, feed_of(server.url) as feed:
            assert len(await timestamps(feed, 2)) == 2
            assert reasons(feed) == [f"closed with code {code}: so long"]

    server = RawServer(behave)
    run(main())


@pytest.mark.parametrize(
    ("code", "kind"),
    [(3000, FeedAuthError), (3003, FeedAuthError), (1010, FeedProtocolError)],
)
def test_close_codes_that_are_fatal(code: int, kind: type[FeedError]) -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(close_frame(code, "never"))

    async def main() -> None:
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            with pytest.raises(kind, match="never"):
                await anext(feed)

    run(main())


def test_silence_ends_a_connection_also_when_garbage_comes() -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(message(len(server.connections))))
        while len(server.connections) == 1:
            await connection.send(frame(b'{"type":"signed_ecdsa","p":"0x12"}'))
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with server, feed_of(server.url, silence=0.2) as feed:
            assert len(await timestamps(feed, 2)) == 2
            assert "no valid data for" in reasons(feed)[0]
            assert feed.stats.bad > 1

    server = RawServer(behave)
    run(main())


def test_silence_is_no_matter_without_subscriptions_or_while_reading_is_paused() -> (
    None
):
    async def main() -> None:
        async with RawServer(nothing) as server:
            async with feed_of(server.url, assets=[], silence=0.05) as feed:
                waiting = asyncio.ensure_future(anext(feed))
                await asyncio.sleep(0.5)
                assert feed.states == (State.CONNECTED,)
                await feed.subscribe([7])  # from now on there should be something
                await until(lambda: bool(reasons(feed)))
                waiting.cancel()
            assert "no valid data" in reasons(feed)[0]

    run(main())


def test_a_slow_reader_is_not_taken_for_silence() -> None:
    async def behave(connection: Connection) -> None:
        for i in range(300):
            await connection.send(frame(message(i)))
            await asyncio.sleep(0.002)

    async def main() -> None:
        server = RawServer(behave)
        async with server, feed_of(server.url, silence=0.2) as feed:
            await anext(feed)
            await asyncio.sleep(0.5)  # while messages come and wait
            await timestamps(feed, 100)
            assert reasons(feed) == []

    run(main())


def test_a_dead_peer_is_pinged_and_left() -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(message(len(server.connections))))

    async def main() -> None:
        settings = ConnectionSettings(
            ping_after_s=0.1, pong_timeout_s=0.1, reconnect_delays_s=(0.001, 0.01)
        )
        async with server, feed_of(server.url, connection=settings) as feed:
            assert len(await timestamps(feed, 2)) == 2
            assert "no answer to a ping" in reasons(feed)[0]
        assert PING in [opcode for opcode, _ in server.connections[0].frames]

    server = RawServer(behave)
    run(main())


def test_a_day_of_pings_and_nothing_else() -> None:
    """The server answers pings, a message comes every hour, in virtual time."""

    async def behave(connection: Connection) -> None:
        answered = 0
        for hour in range(25):
            await connection.send(frame(message(hour, timestamp_ns=clock())))
            end = loop().time() + 3600
            while loop().time() < end:
                await asyncio.sleep(4.0)
                pings = [b for o, b in connection.frames if o == PING]
                for body in pings[answered:]:
                    await connection.send(frame(body, PONG))
                answered = len(pings)

    def loop() -> VirtualLoop:
        result = asyncio.get_running_loop()
        assert isinstance(result, VirtualLoop)
        return result

    def clock() -> int:
        return loop().time_ns()

    async def main() -> tuple[FastFeed, int]:
        async with RawServer(behave) as server:
            settings = ConnectionSettings()
            feed = feed_of(
                server.url,
                silence=7200.0,
                connection=settings,
                clock_ns=loop().time_ns,
            )
            async with feed:
                await timestamps(feed, 25)
                assert loop().time() >= 24 * 3600
            return feed, sum(o == PING for o, _ in server.connections[0].frames)

    feed, n_pings = run_virtual(main())
    assert states(feed) == ["connecting", "connected", "disconnected"]
    assert feed.stats.messages == 25 and feed.stats.reconnects == 0
    assert 24 * 3600 / 15 < n_pings < 24 * 3600 / 9


def test_delays_grow_and_begin_anew_only_with_valid_data() -> None:
    """A server that takes connections and cuts them; in virtual time."""

    async def behave(connection: Connection) -> None:
        if len(server.connections) % 10 == 0:
            await connection.send(frame(message(len(server.connections))))
            await asyncio.sleep(0.5)
        connection.cut()

    async def main() -> list[float]:
        async with server:
            feed = feed_of(server.url, connection=ConnectionSettings())
            async with feed:
                await timestamps(feed, 3)
                events = [e for e in feed.events if e.data.get("delay_s")]
                return [float(str(e.data["delay_s"])) for e in events]

    server = RawServer(behave)
    delays = run_virtual(main())
    assert all(1.0 <= delay <= 15.0 for delay in delays), delays
    for start in (0, 9, 19):  # the tenth connection brings data, and ends
        round_ = delays[start : start + 9]
        assert round_[0] <= 2.0 and round_[1] <= 4.0 and round_[2] <= 8.0, delays
        assert min(round_[4:]) >= 7.5, delays
    assert len(set(delays)) == len(delays)


def test_closing_shakes_hands_and_ends_iteration_after_what_had_arrived() -> None:
    async def behave(connection: Connection) -> None:
        for i in range(5):
            await connection.send(frame(message(i)))
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with RawServer(behave) as server:
            async with feed_of(server.url) as feed:
                await until(lambda: feed.stats.queued == 5)
                await feed.close()
                got = [batch async for batch in feed]
                assert sum(len(batch.messages) for batch in got) == 5
                assert feed.states == (State.DISCONNECTED,)
            connection = server.connections[0]
            await connection.ended.wait()
            assert connection.frames[-1] == (8, (1000).to_bytes(2, "big"))

    run(main())


def test_a_peer_that_does_not_shake_hands_is_left_after_a_while() -> None:
    async def behave(connection: Connection) -> None:
        connection.polite = False
        await connection.send(frame(message(0)))

    async def main() -> None:
        settings = ConnectionSettings(close_timeout_s=0.1)
        async with RawServer(behave) as server:
            async with feed_of(server.url, connection=settings) as feed:
                await timestamps(feed, 1)
            await server.connections[0].ended.wait()

    run(main(), timeout_s=20)


def test_misuse() -> None:
    async def main() -> None:
        async with RawServer(nothing) as server:
            feed = feed_of(server.url)
            with pytest.raises(FeedClosed, match="not open"):
                await anext(feed)
            async with feed:
                waiting = asyncio.ensure_future(anext(feed))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match="another task"):
                    await anext(feed)
                await feed.close()
                with pytest.raises(StopAsyncIteration):
                    await waiting
            with pytest.raises(FeedClosed, match="opened once"):
                await feed.__aenter__()

    run(main())


def test_cancelled_at_every_step_nothing_is_left() -> None:
    """A feed's task is cancelled after 1, 2, 3, ... steps of the event loop; every time
    all tasks and sockets are gone afterwards."""

    async def behave(connection: Connection) -> None:
        for i in range(3):
            await connection.send(frame(message(i)))
            await asyncio.sleep(0)
        connection.cut()

    async def read(url: str) -> int:
        n = 0
        at_once = ConnectionSettings(reconnect_delays_s=(1e-9, 1e-9))
        async with feed_of(url, connection=at_once) as feed:
            async for batch in feed:
                n += len(batch.messages)
                if n >= 9:
                    break
        return n

    async def main() -> int:
        before = asyncio.all_tasks()
        async with server:
            for steps in range(1, 2000):
                task = asyncio.ensure_future(read(server.url))
                for _ in range(steps):
                    await asyncio.sleep(0)
                if task.done():
                    assert task.result() >= 9
                    return steps
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                others = asyncio.all_tasks() - before
                names = [t.get_coro().__qualname__ for t in others]  # type: ignore[union-attr]
                assert all("_serve" in n or "_listen" in n for n in names), names
        raise AssertionError("it never came to an end")

    server = RawServer(behave)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = run(main(), timeout_s=240)
        gc.collect()
    assert steps > 20


def test_the_token_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs of any level, reprs, errors or tracebacks with their variables."""
    caplog.set_level(1)
    texts: list[str] = []

    def shown(error: BaseException) -> None:
        texts.append(repr(error))
        full = traceback.TracebackException.from_exception(error, capture_locals=True)
        texts.extend(full.format())

    async def behave(connection: Connection) -> None:
        await connection.send(frame(message(0)) + frame(b"garbage") + b"\xff\xff")

    async def main() -> None:
        replies = [answer("401 Unauthorized"), answer("200 OK"), b"what?\r\n\r\n", None]
        for reply in replies:
            async with RawServer(behave, answer=reply) as server:
                feed = feed_of(server.url)
                async with feed:
                    try:
                        await timestamps(feed, 1)
                    except FeedError as error:
                        shown(error)
                    texts.append(repr(feed))
                    texts.extend(map(repr, feed.events))
                    texts.append(repr(feed.__dict__))
                    for client in feed._clients:
                        texts.append(repr(client.__dict__))
                        assert client._task is not None
                        texts.append(repr(client._task))
                assert TOKEN in server.requests[0]

    run(main())
    texts.append(caplog.text)
    assert any("connected" in text for text in texts)
    assert TOKEN not in "\n".join(texts)


@pytest.mark.parametrize(
    "arguments",
    [
        {"channel": "2s"},
        {"urls": ["ws://h"]},
        {"silence": 0},
        {"assets": [-1]},
        {"signers": "0x12"},
        {"on_overflow": "stop"},
        {"taxonomy": 65536},
        {"message_type": "unsigned", "signers": []},
        {"token": f"{TOKEN} "},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_refused_arguments_do_not_show_the_token(arguments: dict[str, Any]) -> None:
    arguments = {"token": TOKEN, "assets": [1]} | arguments
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        FastFeed("ws://h", **arguments)
    del arguments
    frame = caught.value.__traceback__
    assert frame is not None
    inside = traceback.TracebackException(  # without this function's own variables
        type(caught.value), caught.value, frame.tb_next, capture_locals=True
    )
    assert TOKEN not in "".join(inside.format())


def test_logging_goes_through_the_standard_library(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "codec.feeds")

    async def main() -> None:
        async with RawServer(first_message) as server, feed_of(server.url) as feed:
            await timestamps(feed, 1)

    run(main())
    records = [r for r in caplog.records if r.name == "codec.feeds"]
    assert [r.event.data["state"] for r in records] == states_of_a_short_life()  # type: ignore[attr-defined]


def states_of_a_short_life() -> list[str]:
    return ["connecting", "connected", "disconnected"]


def test_plain_with_reads_on_a_thread_of_its_own() -> None:
    async def behave(connection: Connection) -> None:
        for i in range(20):
            await connection.send(frame(message(i)))

    started, done = threading.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        async with RawServer(behave) as server:
            urls.append(server.url)
            started.set()
            while not done.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: run(serve()))
    thread.start()
    try:
        assert started.wait(10)
        n = 0
        with feed_of(urls[0]) as feed:
            for batch in feed:
                n += len(batch.messages)
                if n == 20:
                    break
            feed.call(feed.feed.subscribe([9]))
            assert feed.feed.assets == {0, 1, 9}
            assert feed.feed.stats.messages == 20
        assert "codec.feeds" not in [t.name for t in threading.enumerate()]
        with pytest.raises(FeedClosed):
            next(feed)
    finally:
        done.set()
        thread.join()


def test_plain_with_raises_what_is_fatal() -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer("403 Forbidden"))

    thread = threading.Thread(target=refuse)
    thread.start()
    url = f"ws://127.0.0.1:{listening.getsockname()[1]}"
    with (
        listening,
        feed_of(url) as feed,
        pytest.raises(FeedAuthError, match="HTTP 403"),
    ):
        next(feed)
    thread.join()
