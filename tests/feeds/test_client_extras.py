"""What a client of sockets does for protocols that greet, or set the delays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from live import run, until
from raw_server import Connection, RawServer, frame

from codec.backoff import Schedule
from codec.feeds import ConnectionSettings, EventKind, State
from codec.feeds._listener import Inbox
from codec.feeds.client import Client
from codec.feeds.endpoint import Endpoint, Headers
from codec.feeds.events import Events
from codec.feeds.retry import ConnectionLost, Verdict

FAST = ConnectionSettings(reconnect_delays_s=(0.001, 0.01), deflate=False)


def inbox_of() -> Inbox:
    return Inbox("wait", 1 << 20, clock_ns=lambda: 7)


def client_of(url: str, inbox: Inbox, **options: Any) -> tuple[Client, Events]:
    events = Events(now_ns=lambda: 1)

    async def endpoint() -> Endpoint:
        return Endpoint(url, Headers({}))

    client = Client(
        options.pop("endpoint", endpoint),
        inbox,
        5,
        events,
        opening=lambda: (),
        silence_s=lambda: None,
        settings=FAST,
        on_failed=lambda: None,
        **options,
    )
    return client, events


def states(events: Events) -> list[object]:
    return [each.data["state"] for each in events if each.kind is EventKind.STATE]


async def greet(connection: Connection) -> None:
    await connection.send(frame(b"hello"))


def test_a_connection_is_one_once_it_has_greeted() -> None:
    async def main() -> None:
        inbox = inbox_of()
        async with RawServer(greet) as server:
            client, events = client_of(
                server.url, inbox, has_greeting=True, is_numbered=True
            )
            client.greet()  # there is none
            client.start()
            for number in (1, 2):
                await until(lambda: inbox.n_lines == 1)
                assert client.state is not State.CONNECTED
                lines = inbox.take()
                assert lines is not None and lines.source == client.number == number
                client.greet()
                client.greet()
                assert client.send(b"x") and client.state is State.CONNECTED
                client.lose(ConnectionLost(1006, "of no use", ours=True))
                client.lose(ConnectionLost(1006, "twice", ours=True))
                await until(lambda: client.state is State.RECONNECTING)
                assert not client.send(b"x")
            client.lose(ConnectionLost(1006, "there is none"))
            await client.close()
        assert states(events) == [
            State.CONNECTING,
            *[State.CONNECTED, State.RECONNECTING] * 2,
            State.DISCONNECTED,
        ]
        reasons = {each.data["reason"] for each in events}
        assert reasons == {"", "of no use", "closed"}

    run(main())


def test_nothing_is_tried_while_nothing_is_wanted() -> None:
    async def main() -> None:
        wanted = asyncio.Event()
        async with RawServer(greet) as server:
            client, events = client_of(
                server.url,
                inbox_of(),
                wanted=lambda: None if wanted.is_set() else wanted.wait(),
            )
            client.start()
            await asyncio.sleep(0.02)
            assert not states(events) and not server.connections
            wanted.set()
            await until(lambda: client.state is State.CONNECTED)
            wanted.clear()
            server.connections[0].cut()
            await until(lambda: client.state is State.DISCONNECTED)
            wanted.set()
            await until(lambda: client.state is State.CONNECTED)
            wanted.clear()
            server.connections[1].cut()
            await until(lambda: client.state is State.DISCONNECTED)
            await client.close()
        assert states(events)[:5] == [
            State.CONNECTING,
            State.CONNECTED,
            State.RECONNECTING,
            State.DISCONNECTED,
            State.CONNECTING,
        ]

    run(main())


def test_delays_that_others_set() -> None:
    async def main() -> None:
        verdicts = iter([Verdict(), Verdict(delay_s=0.0), Verdict(wait_s=0.03)])

        async def endpoint() -> Endpoint:
            raise OSError("nowhere")

        client, events = client_of(
            "",
            inbox_of(),
            endpoint=endpoint,
            judge=lambda failure, established: next(verdicts, Verdict()),
        )
        client.use_delays([0.01, 0.02])
        client.start()
        await until(lambda: len(states(events)) >= 3)
        client.use_delays([0.001, 0.002, 0.003, 0.004])  # goes on where that was
        await until(lambda: len(states(events)) >= 6)
        await client.close()
        delays = [float(str(each.data["delay_s"])) for each in events][1:6]
        assert 0.01 <= delays[0] <= 0.012 and delays[1] == 0.0 and delays[2] == 0.03
        assert delays[3] >= 0.004

    run(main())


def test_an_endpoint_that_takes_too_long() -> None:
    async def main() -> None:
        async def endpoint() -> Endpoint:
            await asyncio.sleep(60)
            raise AssertionError

        client, events = client_of(
            "", inbox_of(), endpoint=endpoint, endpoint_timeout_s=0.01
        )
        client.start()
        await until(lambda: State.RECONNECTING in states(events))
        await client.close()

    run(main())


def test_a_schedule() -> None:
    schedule = Schedule([1.0, 2.0, 5.0], uniform=lambda low, high: high)
    assert [schedule.next() for _ in range(4)] == [1.2, 2.4, 6.0, 6.0]
    schedule.reset()
    assert schedule.next() == 1.2
    later = Schedule([7.0, 8.0], uniform=lambda low, high: low).after(schedule)
    assert [later.next(), later.next()] == [8.0, 8.0]
    assert Schedule([7.0], uniform=lambda low, high: low).after(None).next() == 7.0
    for bad in ([], [0.0], [1.0, -1.0], [float("nan")]):
        with pytest.raises(ValueError, match="delays are positive"):
            Schedule(bad)
