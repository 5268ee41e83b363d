"""What goes wrong with Shuriken's simulator on demand, as its clients see it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from shuriken_clients import (
    OWN,
    TOKEN_A,
    TOKEN_B,
    Plain,
    body,
    bootstrap,
    post,
    simulator,
)
from simulated import run
from websockets.exceptions import ConnectionClosed, InvalidStatus

from codec.simulator import Faults, ShurikenFaults
from codec.simulator.faults import CommonFaults, events, parse_fault, switches

SESSION = "/api/v2/ws/session"
CODES = (4000, 4001, 4100, 4200, 4300)


# The API's.


def test_sessions_refused() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.session_status = (503, 2, 7)
            for _ in range(2):
                response = await post(server, SESSION, json=body(TOKEN_A))
                assert response.status_code == 503
                assert response.headers["Retry-After"] == "7"
                assert response.json()["error"]["code"] == "SIMULATED"
                assert response.json()["requestId"]
            await bootstrap(server, TOKEN_A)
            server.faults.session_status = 429
            for _ in range(3):
                response = await post(server, SESSION, json=body(TOKEN_A))
                assert response.status_code == 429
                assert "Retry-After" not in response.headers
            server.faults.session_status = None
            await bootstrap(server, TOKEN_A)

    run(test())


def test_sessions_that_are_none() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.session_html = 1
            response = await post(server, SESSION, json=body(TOKEN_A))
            assert response.status_code == 200
            assert response.headers["Content-Type"] == "text/html"
            assert response.text.startswith("<!DOCTYPE html>")
            server.faults.session_garbage = 12
            bodies = []
            for _ in range(12):
                response = await post(server, SESSION, json=body(TOKEN_A))
                assert response.status_code == 200
                bodies.append(response.content)
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    place = response.json()["connection"]
                    assert not isinstance(place["appKey"], str)
            assert bodies[:6] == bodies[6:] and len(set(bodies)) == 6
            await bootstrap(server, TOKEN_A)

    run(test())


def test_sessions_elsewhere_and_late() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.session_redirect = "http://127.0.0.1:1/x\r\nX-Y: z"
            response = await post(server, SESSION, json=body(TOKEN_A))
            assert response.status_code == 302
            assert response.headers["Location"].startswith("http://127.0.0.1:1/x")
            assert "X-Y" not in response.headers
            server.faults.session_redirect = None
            server.faults.session_delay = 150
            begin = time.monotonic()
            await bootstrap(server, TOKEN_A)
            assert time.monotonic() - begin >= 0.15
            server.faults.session_delay = 60_000
            with pytest.raises(httpx.ReadTimeout):
                await post(server, SESSION, json=body(TOKEN_A), timeout=0.2)
            begin = time.monotonic()
        assert time.monotonic() - begin < 2  # it does not wait for what is late

    run(test())


def test_a_session_with_an_app_that_has_ended() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.session_stale = 1
            async with Plain.open(server, TOKEN_A, greeted=False) as client:
                code, (message,) = await client.closed()
                assert code == message["data"]["code"] == 4001
            async with Plain.open(server, TOKEN_A) as client:
                await client.subscribe_all()

    run(test())


def test_channels_refused() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, OWN) as client:
            (channel,) = client.channels
            for status in (403, 500):
                server.faults.auth_status = (status, 1)
                response = await client.authorise(channel)
                assert response.status_code == status
                assert response.json()["error"]["message"]
            server.faults.auth_html = 1
            assert "<html>" in (await client.authorise(channel)).text
            server.faults.auth_garbage = 6
            bodies = {(await client.authorise(channel)).content for _ in range(6)}
            assert len(bodies) == 6
            server.faults.auth_delay = 150
            begin = time.monotonic()
            await client.authorise(channel)
            assert time.monotonic() - begin >= 0.15
            server.faults.auth_delay = None
            server.faults.wrong_signature = 1
            answer = await client.subscribe(channel)
            assert answer["event"] == "pusher:subscription_error"
            assert answer["data"]["status"] == 401
            await client.subscribe_all()

    run(test())


# Subscriptions.


def test_subscriptions_refused() -> None:
    async def test() -> None:
        async with (
            simulator() as server,
            Plain.open(server, TOKEN_A, TOKEN_B) as client,
        ):
            first, _ = client.channels
            server.faults.subscription_error = 2
            for _ in range(2):
                answer = await client.subscribe(first)
                assert answer["event"] == "pusher:subscription_error"
                assert answer["data"]["status"] == 403
            await client.subscribe_all()
            await client.say("pusher:unsubscribe", {"channel": first})
            server.faults.nameless_error = 1
            await client.say("pusher:subscribe", {"channel": first})
            answer = await client.next()
            assert answer["event"] == "pusher:error" and "channel" not in answer
            assert answer["data"]["code"] == 4009
            server.faults.no_answer = 1
            await client.say("pusher:subscribe", {"channel": first})
            await client.nothing()
            assert server.publish(*TOKEN_A) == 0
            await client.subscribe(first)
            assert server.publish(*TOKEN_A) == 1

    run(test())


def test_no_greeting() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.no_greeting = True
            async with Plain.open(server, TOKEN_A, greeted=False) as client:
                await client.nothing()

    run(test())


# Events.


def test_events_twice_unknown_and_as_objects() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            (channel,) = await client.subscribe_all()
            server.faults.duplicate_event = 1
            server.publish(*TOKEN_A, {"n": 1})
            first, second = await client.texts(2)
            assert first == second
            server.faults.data_object = 1
            server.publish(*TOKEN_A, '{"n":1.10}')
            (text,) = await client.texts(1)
            assert text.endswith('"data":{"n":1.10}}')
            assert json.loads(text)["channel"] == channel
            server.faults.unknown_event = 1
            server.publish(*TOKEN_A, {"n": 3})
            messages = [json.loads(text) for text in await client.texts(4)]
            names = [message["event"] for message in messages]
            assert names[-1] == "update"
            assert len(set(names)) == 4
            assert [name.partition(":")[0] for name in names[:3]] == [
                "simulator-unknown",
                "pusher",
                "pusher_internal",
            ]
            server.faults.skip_ticks = 1
            assert server.publish(*TOKEN_A, {"n": 4}) == 0
            await client.nothing()
            server.faults.burst = 2
            server.publish(*TOKEN_A, {"n": 5})
            await client.nothing()
            server.publish(*TOKEN_A, {"n": 6})
            data = [json.loads(text)["data"] for text in await client.texts(2)]
            assert data == ['{"n":5}', '{"n":6}']
            server.faults.burst = 3
            server.publish(*TOKEN_A, {"n": 7})
            server.publish_now()
            assert len(await client.texts(3)) == 3

    run(test())


def is_event(text: str) -> bool:
    """Whether a text is one, with data that is JSON."""
    try:
        message = json.loads(text)
        return bool(message["event"]) and bool(json.loads(message["data"]))
    except (ValueError, KeyError, TypeError):
        return False


def test_damaged_texts() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.subscribe_all()
            server.faults.garbage_text = 200
            for _ in range(200):
                server.publish(*TOKEN_A, {"n": 1})
            texts = await client.texts(200)
            assert len(set(texts)) == 6
            assert not any(is_event(text) for text in texts)
            assert server.publish(*TOKEN_A, {"n": 2}) == 1
            assert json.loads((await client.next())["data"]) == {"n": 2}

    run(test())


# The connection's.


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("after", [None, 3])
def test_close_codes(code: int, after: int | None) -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.subscribe_all()
            if after is None:
                server.faults.close = code, "go away"
            else:
                server.faults.close = after, code, "go away"
                for _ in range(5):
                    server.publish_now()
            got, messages = await client.closed()
            assert got == code
            assert client.socket.close_reason == "go away"
            assert len(messages) == (after or 0) + 1
            error = {"code": code, "message": "go away"}
            assert messages[-1] == {"event": "pusher:error", "data": error}

    run(test())


def test_close_codes_before_the_greeting() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.close = 4100
            async with Plain.open(server, TOKEN_A, greeted=False) as client:
                code, messages = await client.closed()
                assert code == 4100
                assert [message["event"] for message in messages] == ["pusher:error"]
            async with Plain.open(server, TOKEN_A) as client:
                await client.subscribe_all()

    run(test())


def test_codes_of_websockets_come_without_an_error() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            server.faults.close = 1012
            assert await client.closed() == (1012, [])

    run(test())


@pytest.mark.parametrize("value", [True, 4100, 2, (2, 4200)])
def test_expiry(value: Any) -> None:
    async def test() -> None:
        async with simulator() as server:
            async with (
                Plain.open(server, TOKEN_A) as client,
                Plain.open(server, TOKEN_A) as other,
            ):
                await client.subscribe_all()
                await other.subscribe_all()
                server.faults.expire = value
                for _ in range(4):
                    server.publish_now()
                code, messages = await client.closed()
                assert code == (4100 if value == 4100 else 4200)
                is_late = value == 2 or isinstance(value, tuple)
                assert len(messages) == 1 + 2 * is_late
                assert (await other.closed())[0] == code
                old = client.session
            server.faults.expire = None
            async with Plain.open(server, session=old, greeted=False) as client:
                assert (await client.closed())[0] == 4001
            async with Plain.open(server, TOKEN_A, OWN) as client:
                assert client.session["connection"] != old["connection"]
                await client.subscribe_all()
            async with Plain.open(server, session=old, greeted=False) as client:
                assert (await client.closed())[0] == 4001

    run(test())


def test_an_expired_key_leaves_open_connections() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A, OWN) as client:
            await client.subscribe(client.channels[0])
            server.expire()
            await bootstrap(server, TOKEN_A)
            server.publish_now()
            assert (await client.next())["event"] == "update"
            # It may even subscribe on: authorisation is by the socket's app.
            answer = await client.subscribe(client.channels[1])
            assert answer["event"].endswith("succeeded")

    run(test())


def test_silence() -> None:
    async def test() -> None:
        async with (
            simulator(ping_after=0.05, pong_timeout=0.05) as server,
            Plain.open(server, TOKEN_A, TOKEN_B) as client,
        ):
            await client.subscribe(client.channels[0])
            server.faults.silence = True
            await client.say("pusher:subscribe", {"channel": client.channels[1]})
            server.publish_now()
            await asyncio.sleep(0.3)  # nor is it pinged, or closed
            await client.nothing()
            server.faults.silence = False
            server.publish(*TOKEN_A, {"n": 2})
            assert (await client.next("update"))["data"] == '{"n":2}'

    run(test())


def test_pongs_withheld() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.subscribe_all()
            server.faults.withhold_pong = True
            await client.say("pusher:ping")
            waiter = await client.socket.ping()
            server.publish(*TOKEN_A, {"n": 1})
            assert (await client.next())["data"] == '{"n":1}'
            assert not waiter.done()
            server.faults.withhold_pong = False
            await client.nothing()

    run(test())


def test_errors_of_the_server() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            server.faults.error_message = True
            server.faults.error_message = "over capacity", 4100
            for text, code in (("internal error", None), ("over capacity", 4100)):
                assert await client.next() == {
                    "event": "pusher:error",
                    "data": {"code": code, "message": text},
                }
            await client.nothing()

    run(test())


@pytest.mark.parametrize("name", ["cut", "half_frame", "garbage", "oversize", "bomb"])
def test_what_all_servers_can_do(name: str) -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.subscribe_all()
            value = {"half_frame": "cut", "oversize": 3 << 20, "bomb": 3 << 20}
            setattr(server.faults, name, value.get(name, True))
            if name in ("oversize", "bomb"):
                text = await client.socket.recv()
                assert len(text) >= 3 << 20
            else:
                with pytest.raises(ConnectionClosed):
                    await client.socket.recv()
            async with Plain.open(server, TOKEN_A) as client:
                await client.subscribe_all()

    run(test())


def test_handshakes_refused() -> None:
    async def test() -> None:
        async with simulator() as server:
            server.faults.status = (503, 1)
            with pytest.raises(InvalidStatus, match="503"):
                async with Plain.open(server, TOKEN_A):
                    pass
            async with Plain.open(server, TOKEN_A) as client:
                await client.subscribe_all()

    run(test())


@pytest.mark.parametrize("fragment", [None, 3])
def test_slow_and_in_fragments(fragment: int | None) -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.subscribe_all()
            server.faults.slow = 20
            server.faults.fragment = fragment
            begin = time.monotonic()
            server.publish(*TOKEN_A, {"n": list(range(200))})
            assert (await client.next())["event"] == "update"
            assert time.monotonic() - begin > 0.01

    run(test())


# The switches.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("expire", True),
        ("expire=5", 5),
        ("expire=5:4100", (5, 4100)),
        ("close=4001", 4001),
        ("session-status=503:3:2", (503, 3, 2)),
        ("session_delay=500", 500),
        ("session_redirect=http://x/y:z", "http://x/y:z"),
        ("auth_html", True),
        ("auth_status=403", 403),
        ("unknown_event=7", 7),
        ("no_greeting", True),
    ],
)
def test_faults_of_the_command(text: str, value: object) -> None:
    name, parsed = parse_fault(text, ShurikenFaults)
    assert name == text.partition("=")[0].replace("-", "_")
    assert parsed == value
    setattr(ShurikenFaults(), name, parsed)


@pytest.mark.parametrize(
    "text",
    [
        "wrong_key",
        "taxonomy_change",
        "session_status",
        "session_redirect",
        "auth_html=x",
    ],
)
def test_faults_that_it_has_not(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        parse_fault(text, ShurikenFaults)


def test_its_switches_and_those_of_others() -> None:
    mine, common = switches(ShurikenFaults), switches(CommonFaults)
    assert set(mine) & set(switches(Faults)) == set(common)
    assert events(ShurikenFaults) == (*events(CommonFaults), "expire")
    with pytest.raises(AttributeError):
        ShurikenFaults().wrong_key = 1  # type: ignore[attr-defined]


def test_the_documentation_has_every_switch() -> None:
    path = Path(__file__).parents[1] / "docs" / "simulator.md"
    lines = path.read_text().splitlines()
    for name, text in switches(ShurikenFaults).items():
        assert f"| `{name}` | {text} |" in lines
