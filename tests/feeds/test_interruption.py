"""Cancellation at every step, Ctrl-C, several loops: nothing stays or is lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from following import (
    Reader,
    by_hand,
    publish,
    publishing,
    reader_of,
    sent,
    subscribed,
    texts,
)
from live import feed_of, message, run, until
from raw_server import CLOSE, Connection, RawServer, close_frame, frame

from codec.errors import FeedClosed
from codec.feeds import ConnectionSettings, FastFeed, State
from codec.simulator import Simulator

AT_ONCE = ConnectionSettings(reconnect_delays_s=(1e-9, 1e-9), close_timeout_s=5.0)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Any:
    """Sockets, loops and tasks that are left open are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()


async def cancelled_at_every_step(
    work: Callable[[], Awaitable[Any]],
    check: Callable[[], Awaitable[None]],
    most: int = 3000,
) -> int:
    """Cancels the work after 1, 2, 3, ... steps of the loop, until it is done before.

    check: what must be true afterwards. Returns how many steps it took.
    """
    before = asyncio.all_tasks()
    for steps in range(most):
        task = asyncio.ensure_future(work())
        for _ in range(steps):
            if task.done():
                break
            await asyncio.sleep(0)
        if task.done():
            await task
            await check()
            return steps
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await check()
        left = asyncio.all_tasks() - before
        assert not left, left
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_whole_life(tls: bool) -> None:
    """Opening, reading over a reconnection, subscribing, closing."""

    async def main() -> None:
        async with by_hand(tls=tls) as simulator:
            ssl = simulator.client_ssl_context() if tls else None
            settings = ConnectionSettings(
                ssl_context=ssl, reconnect_delays_s=(1e-9, 1e-9)
            )
            simulator.faults.cut = 2

            async def life() -> None:
                n = 0
                feed = reader_of(simulator, connection=settings, assets=[1])
                async with feed:
                    await feed.subscribe([2])
                    async for batch in feed:
                        n += len(batch.messages)
                        await feed.unsubscribe([2])
                        if n >= 3:
                            break

            async def check() -> None:
                await until(lambda: not simulator.connections)

            async with publishing(simulator, pause_s=0):
                steps = await cancelled_at_every_step(life, check)
            assert steps > 20

    run(main(), timeout_s=120)


def test_anext_loses_nothing() -> None:
    async def main() -> None:
        async with by_hand() as simulator, reader_of(simulator) as feed:
            await subscribed(simulator)
            got: list[bytes] = []
            for steps in range(400):
                if steps % 2:
                    simulator.publish_now()
                if steps == 200:
                    simulator.faults.cut = True
                    await until(lambda: len(simulator.history) == 2)
                    await subscribed(simulator)
                task = asyncio.ensure_future(anext(feed))
                for _ in range(steps % 9):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    got += texts(await task)
            await publish(simulator, 1)
            while len(got) < len(sent(simulator)):
                got += texts(await anext(feed))
            assert got == sent(simulator)

    run(main())


def test_close_ends_everything_also_when_it_is_cancelled() -> None:
    """Whoever waits for a batch or an event is told of the end."""

    async def main() -> None:
        async with by_hand() as simulator:
            feeds: list[FastFeed] = []
            waiting: list[asyncio.Task[Any]] = []

            async def opened_and_closed() -> None:
                feed = reader_of(simulator, connection=AT_ONCE)
                feeds.append(feed)
                await feed.__aenter__()
                waiting.append(asyncio.ensure_future(_read(feed)))
                waiting.append(asyncio.ensure_future(_events(feed)))
                await until(lambda: feed.states == (State.CONNECTED,))
                ready.set()
                await feed.close()

            async def _read(feed: FastFeed) -> None:
                async for _ in feed:
                    pass

            async def _events(feed: FastFeed) -> None:
                async for _ in feed.events:
                    pass

            for steps in range(60):
                ready = asyncio.Event()
                task = asyncio.ensure_future(opened_and_closed())
                await ready.wait()
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                _, pending = await asyncio.wait(waiting, timeout=5)
                assert not pending, (steps, pending)
                waiting.clear()
                await feeds.pop().close()  # as often as one likes
                await until(lambda: not simulator.connections)

    run(main())


def test_iteration_ends_with_the_connections_not_before() -> None:
    """What comes until the server has answered the end is delivered, whether somebody
    is waiting at the time or not."""

    async def behave(connection: Connection) -> None:
        connection.polite = False
        await connection.send(frame(message(0)))
        await connection.until(lambda c: bool(c.frames) and c.frames[-1][0] == CLOSE)
        await connection.send(frame(message(1)) + close_frame(1000))
        connection.cut()

    async def main(is_waiting: bool) -> None:
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            got = texts(await anext(feed))
            if is_waiting:
                reader = Reader(feed)
                reading = asyncio.ensure_future(reader._read())
                await asyncio.sleep(0)
                await feed.close()
                await reading
                got += reader.messages
            else:
                closing = asyncio.ensure_future(feed.close())
                await asyncio.sleep(0)
                async for batch in feed:
                    got += texts(batch)
                await closing
            assert got == [message(0), message(1)]

    run(main(True))
    run(main(False))


def test_asyncio_debug_mode_has_nothing_to_say(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        async with by_hand() as simulator, publishing(simulator):
            simulator.faults.cut = 5
            simulator.faults.fragment = 2
            async with Reader(reader_of(simulator)) as reader:
                await until(lambda: len(simulator.history) == 5)
            assert reader.messages == sent(simulator)

    asyncio.run(main(), debug=True)
    gc.collect()
    assert [r for r in caplog.records if r.name == "asyncio" and r.levelno > 20] == []


# Threads.


class Server:
    """A simulator on a thread of its own."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Simulator:
        self._thread.start()
        assert self._started.wait(20)
        return self._simulator

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        async with Simulator(**self._options) as self._simulator:
            self._started.set()
            await self._done.wait()


def test_two_loops_in_two_threads() -> None:
    async def read(simulator: Simulator, n: int) -> int:
        async with reader_of(simulator, signers=simulator.signer) as feed:
            n_messages = 0
            async for batch in feed:
                n_messages += len(batch.messages)
                if n_messages >= n:
                    break
            return n_messages

    results: list[int] = []
    with Server() as simulator:
        threads = [
            threading.Thread(
                target=lambda: results.append(asyncio.run(read(simulator, 50)))
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(results) == 2 and min(results) >= 50


def test_a_blocking_feed_reads_all() -> None:
    with Server(keep_sent=True) as simulator:
        got: list[bytes] = []
        with reader_of(simulator) as feed:
            for batch in feed:
                got += texts(batch)
                if len(got) >= 50:
                    break
        assert got == simulator.history[0].sent[: len(got)]


def test_a_blocking_feed_is_opened_once_and_leaves_no_thread() -> None:
    with Server() as simulator:
        feed = reader_of(simulator)
        with feed as reading:
            next(reading)
        with pytest.raises(FeedClosed, match="opened once"), feed:
            pass
        assert "codec.feeds" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("is_busy", [False, True], ids=["waiting", "reading"])
def test_ctrl_c_ends_a_blocking_feed(is_busy: bool) -> None:
    """With a traceback of the caller's line, a closing handshake, and no complaint."""
    program = textwrap.dedent(
        """
        import sys
        from codec.feeds import FastFeed

        feed = FastFeed(sys.argv[1], token="simulator", assets=[1], channel="10ms")
        with feed as batches:
            print("ready", flush=True)
            for batch in batches:
                pass
        """
    )
    with Server(ticks=is_busy) as simulator:
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program, simulator.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(2000):
                if any(connection.subscribed for connection in simulator.connections):
                    break
                threading.Event().wait(0.01)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=30)
        assert process.returncode in (-signal.SIGINT, 130)
        assert error.rstrip().endswith("KeyboardInterrupt")
        assert error.count("Traceback") == 1 and "Warning" not in error
        assert simulator.history[0].close_code == 1000
