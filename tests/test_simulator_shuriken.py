"""Shuriken's simulator: its API, the protocol on its socket, and what comes there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from shuriken_clients import (
    KEY,
    NAMED,
    OWN,
    SWAPS,
    TOKEN_A,
    TOKEN_B,
    Plain,
    body,
    bootstrap,
    post,
    request,
    simulator,
)
from simulated import run

from codec.feeds.shuriken import Misfit, Payload, decode_payload
from codec.simulator import ShurikenSimulator
from codec.simulator.shuriken_streams import STREAMS, Topic, dotted

SESSION = "/api/v2/ws/session"
AUTH = "/api/v2/ws/auth"
STREAMS_PATH = "/api/v2/ws/streams"
ALL = [
    (stream.id, {name: "8453" for name, _ in stream.filters})
    for stream in STREAMS.values()
]


# The API.


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_session(wrapped: bool) -> None:
    async def test() -> None:
        async with simulator(wrapped=wrapped, backoff_ms=[1, 2]) as server:
            answer = await bootstrap(server, TOKEN_A, OWN)
            if wrapped:
                assert list(answer) == ["data"]
                answer = answer["data"]
            place = answer["connection"]
            url = urlsplit(server.url)
            assert place["provider"] == "pusher"
            assert url.path == f"/app/{place['appKey']}"
            assert (place["wsHost"], place["wsPort"]) == (url.hostname, url.port)
            assert place["forceTls"] is False
            assert place["authEndpoint"] == server.base_url + AUTH
            assert answer["session"] == {"recommendedReconnectBackoffMs": [1, 2]}
            swaps, own = answer["subscriptions"]
            assert swaps.pop("channel").startswith("svm.token.swaps.")
            assert swaps == {
                "stream": SWAPS,
                "event": "update",
                "visibility": "public",
                "payloadFormat": "json",
                "payloadSchemaId": SWAPS,
            }
            assert own["channel"].startswith("presence-portfolio.notifications.")
            assert own["visibility"] == "presence"

    run(test())


def test_channels_differ_by_stream_filter_and_user() -> None:
    async def test() -> None:
        async with simulator(token=[KEY, "sk_other"]) as server:
            pool = ("svm.token.poolInfo", {"tokenAddress": "A"})
            asked = (TOKEN_A, TOKEN_B, pool, TOKEN_A, OWN, NAMED)
            mine, others = [
                [
                    each["channel"]
                    for each in (await bootstrap(server, *asked, key=key))[
                        "subscriptions"
                    ]
                ]
                for key in (KEY, "sk_other")
            ]
            assert mine[0] == mine[3] and len(set(mine)) == 5
            same = [a == b for a, b in zip(mine, others, strict=True)]
            assert same == [True, True, True, True, False, True]

    run(test())


def test_both_spellings() -> None:
    async def test() -> None:
        async with simulator() as server:
            for name, stream in STREAMS.items():
                given = dict.fromkeys([each for each, _ in stream.filters], "1")
                answer = await bootstrap(server, (name, given), (dotted(name), given))
                one, other = answer["subscriptions"]
                assert (one["stream"], other["stream"]) == (name, dotted(name))
                assert one["channel"] == other["channel"]
                assert one["payloadSchemaId"] == other["payloadSchemaId"] == name
        assert dotted("alpha.signalFeedGlobal") == "alpha.signalFeed.global"
        assert dotted("alpha.personal") == "alpha.personal"

    run(test())


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"stream": "nothing"}, 404, "STREAM_NOT_FOUND"),
        ({"stream": 7}, 404, "STREAM_NOT_FOUND"),
        ({"stream": "alpha.signalFeed."}, 404, "STREAM_NOT_FOUND"),
        ({}, 404, "STREAM_NOT_FOUND"),
        ({"stream": SWAPS}, 400, "MISSING_FILTER"),
        ({"stream": SWAPS, "filter": None}, 400, "MISSING_FILTER"),
        ({"stream": SWAPS, "filter": []}, 400, "INVALID_FILTER"),
        ({"stream": SWAPS, "filter": {"tokenAddress": 7}}, 400, "INVALID_FILTER"),
        ({"stream": SWAPS, "filter": {"tokenAddress": ""}}, 400, "INVALID_FILTER"),
        (
            {"stream": SWAPS, "filter": {"tokenAddress": "A", "x": "1"}},
            400,
            "INVALID_FILTER",
        ),
        (7, 400, "INVALID_REQUEST"),
    ],
)
def test_what_cannot_be_subscribed_to(given: Any, status: int, code: str) -> None:
    async def test() -> None:
        async with simulator() as server:
            asked = body(TOKEN_A)["subscriptions"]
            response = await post(
                server, SESSION, json={"subscriptions": [*asked, given]}
            )
            assert response.status_code == status
            answer = response.json()
            assert answer["error"]["code"] == code and answer["error"]["message"]
            assert answer["requestId"] == response.headers["X-Request-Id"]

    run(test())


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b'{"subscriptions":{}}', b"\xff", b"[" * 9999],
)
def test_what_is_no_request_for_a_session(content: bytes) -> None:
    async def test() -> None:
        async with simulator() as server:
            response = await post(server, SESSION, content=content)
            assert response.status_code == 400
            assert response.json()["error"]["code"] == "INVALID_REQUEST"

    run(test())


@pytest.mark.parametrize("key", [None, "wrong", f"{KEY}x"])
def test_a_bad_key(key: str | None) -> None:
    async def test() -> None:
        async with simulator() as server:
            for method, path in (
                ("POST", SESSION),
                ("POST", AUTH),
                ("GET", STREAMS_PATH),
            ):
                response = await request(server, method, path, key=key)
                assert response.status_code == 401
                assert response.json()["error"]["code"] == "UNAUTHORIZED"
            server.set_token(None)
            response = await post(server, SESSION, json=body(TOKEN_A), key=key)
            assert response.status_code == 200
            server.set_token(["a", "b"])
            assert (await bootstrap(server, TOKEN_A, key="b"))["connection"]
            statuses = [attempt.status for attempt in server.attempts]
            assert statuses == [401, 401, 401, 200, 200]

    run(test())


def test_paths_and_methods() -> None:
    async def test() -> None:
        async with simulator() as server:
            for method, path, status in (
                ("GET", "/", 404),
                ("GET", SESSION, 405),
                ("POST", STREAMS_PATH, 405),
                ("DELETE", AUTH, 405),
                ("GET", "/app/x", 404),
            ):
                response = await request(server, method, path)
                assert response.status_code == status
                assert response.json()["error"]["code"]

    run(test())


@pytest.mark.parametrize("is_dotted", [False, True])
def test_the_catalogue(is_dotted: bool) -> None:
    async def test() -> None:
        async with simulator(dotted=is_dotted, wrapped=is_dotted) as server:
            answer = (await request(server, "GET", STREAMS_PATH)).json()
            streams = (answer["data"] if is_dotted else answer)["streams"]
            assert len(streams) == 21
            ids = [entry["id"] for entry in streams]
            assert ("alpha.signalFeed.global" in ids) == is_dotted
            assert ("alpha.signalFeedGlobal" in ids) != is_dotted
            (swaps,) = [entry for entry in streams if entry["id"] == "evm.token.swaps"]
            assert [each["name"] for each in swaps["filters"]] == [
                "chainId",
                "tokenAddress",
            ]
            assert all(each["required"] for each in swaps["filters"])
            presence = {
                entry["payloadSchemaId"]
                for entry in streams
                if entry["visibility"] == "presence"
            }
            assert presence == {
                "alpha.signalFeedPersonal",
                "alpha.signalFeedProfile",
                "alpha.signalFeedNamed",
                "alpha.personal",
                "portfolio.notifications",
                "automation.updates",
            }
            # What it says can be subscribed to.
            asked = [
                (entry["id"], {each["name"]: "1" for each in entry["filters"]})
                for entry in streams
            ]
            await bootstrap(server, *asked)

    run(test())


def test_the_authorisation_of_channels() -> None:
    async def test() -> None:
        async with (
            simulator(token=[KEY, "sk_other"]) as server,
            Plain.open(server, OWN) as client,
        ):
            (channel,) = client.channels
            app = server.app
            for response in (
                await client.authorise(channel),
                await post(
                    server,
                    AUTH,
                    json={"socket_id": client.socket_id, "channel_name": channel},
                ),
            ):
                answer = response.json()
                text = f"{client.socket_id}:{channel}:{answer['channel_data']}"
                digest = hmac.new(app.secret.encode(), text.encode(), hashlib.sha256)
                assert answer["auth"] == f"{app.key}:{digest.hexdigest()}"
                assert json.loads(answer["channel_data"])["user_id"]
            foreign = await post(
                server,
                AUTH,
                key="sk_other",
                data={"socket_id": client.socket_id, "channel_name": channel},
            )
            assert foreign.status_code == 403
            assert (await client.authorise("presence-else")).status_code == 403
            for form in (
                {"socket_id": "7"},
                {"socket_id": ""},
                {"channel_name": "a b"},
                {"channel_name": "é"},
            ):
                assert (await client.authorise(channel, **form)).status_code == 400
            for content in (b"", b"\xff", b"a=" * 500, b"{"):
                response = await post(server, AUTH, content=content)
                assert response.status_code == 400

    run(test())


# The socket.


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", 4008),
        ("?client=x", 4008),
        ("?protocol=x", 4006),
        ("?protocol=-1", 4006),
        ("?protocol=6", 4007),
        ("?protocol=8", 4007),
    ],
)
def test_protocols_that_it_does_not_speak(query: str, code: int) -> None:
    async def test() -> None:
        async with simulator() as server:
            async with Plain.open(server, TOKEN_A, query=query, greeted=False) as one:
                status, (message,) = await one.closed()
            assert status == code
            assert message["event"] == "pusher:error"
            assert message["data"]["code"] == code and message["data"]["message"]

    run(test())


def test_an_unknown_app() -> None:
    async def test() -> None:
        async with simulator() as server:
            session = await bootstrap(server, TOKEN_A)
            session["connection"]["appKey"] = "nobody"
            async with Plain.open(server, session=session, greeted=False) as client:
                status, (message,) = await client.closed()
            assert (status, message["data"]["code"]) == (4001, 4001)

    run(test())


def test_subscribing_and_what_is_wrong_with_it() -> None:
    async def test() -> None:
        async with (
            simulator(activity_timeout=33) as server,
            Plain.open(server, TOKEN_A, TOKEN_B) as client,
        ):
            assert client.activity_timeout == 33
            first, second = client.channels
            assert await client.subscribe(first) == {
                "event": "pusher_internal:subscription_succeeded",
                "channel": first,
                "data": "{}",
            }
            assert server.publish(*TOKEN_A, {"n": 1}) == 1
            assert server.publish(*TOKEN_B, {"n": 1}) == 0
            message = await client.next()
            assert message == {"event": "update", "channel": first, "data": '{"n":1}'}
            for event, data, words in (
                ("pusher:subscribe", {"channel": first}, "Existing subscription"),
                ("pusher:subscribe", {"channel": "a b"}, "Invalid channel"),
                ("pusher:subscribe", {"channel": "a" * 165}, "Invalid channel"),
                ("pusher:subscribe", {"channel": 7}, "Invalid channel"),
                ("pusher:subscribe", {}, "Invalid channel"),
                ("pusher:subscribe", [first], "Invalid channel"),
                ("pusher:unsubscribe", {"channel": second}, "No current subscription"),
                ("pusher:unsubscribe", {"channel": [7]}, "No current subscription"),
                ("client-hello", {}, "Client events are not enabled"),
                ("pusher:what", {}, "Unknown event"),
            ):
                await client.say(event, data)
                message = await client.next()
                assert message["event"] == "pusher:error", message
                assert message["data"]["code"] is None
                assert words in message["data"]["message"]
            for text in ("}", "7", "[]", "{}", '{"event":7}', "[" * 5000):
                await client.socket.send(text)
                message = await client.next()
                assert "Invalid message" in message["data"]["message"]
            await client.say("pusher:unsubscribe", {"channel": first})
            await client.nothing()
            assert server.publish(*TOKEN_A, {"n": 2}) == 0
            assert (await client.subscribe(first))["event"].endswith("succeeded")
            # Any other name will do as well: nothing comes there.
            assert (await client.subscribe("anything"))["event"].endswith("succeeded")

    run(test())


@pytest.mark.parametrize(
    "change",
    [
        {"auth": None},
        {"auth": 7},
        {"auth": ""},
        {"auth": "é"},
        {"auth": "nobody:" + "0" * 64},
        {"channel_data": '{"user_id":"somebody else"}'},
        {"channel_data": None},
        {"channel_data": 7},
        {"channel_data": "x" * 20_000},
    ],
)
def test_signatures_are_verified(change: dict[str, Any]) -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, OWN) as client:
            (channel,) = client.channels
            good = (await client.authorise(channel)).json() | {"channel": channel}
            await client.say("pusher:subscribe", good | change)
            message = await client.next()
            assert message["event"] == "pusher:subscription_error"
            assert message["channel"] == channel
            assert message["data"]["type"] == "AuthError"
            assert message["data"]["status"] == 401
            await client.say("pusher:subscribe", good)
            assert (await client.next())["event"].endswith("succeeded")

    run(test())


def test_a_signature_is_of_one_socket_and_one_channel() -> None:
    async def test() -> None:
        async with (
            simulator() as server,
            Plain.open(server, OWN, NAMED) as one,
            Plain.open(server, OWN) as other,
        ):
            own, named = one.channels
            good = (await one.authorise(own)).json()
            await one.say("pusher:subscribe", good | {"channel": named})
            assert (await one.next())["event"] == "pusher:subscription_error"
            await other.say("pusher:subscribe", good | {"channel": own})
            assert (await other.next())["event"] == "pusher:subscription_error"

    run(test())


def test_signed_channel_data_must_name_a_user() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, OWN) as client:
            for data in ("{}", "7", "{", '{"user_id":""}', '{"user_id":true}', None):
                auth = server.app.sign(client.socket_id, "presence-x", data)
                given = {"channel": "presence-x", "auth": auth}
                if data is not None:
                    given["channel_data"] = data
                await client.say("pusher:subscribe", given)
                message = await client.next()
                assert message["event"] == "pusher:subscription_error"
                assert "user_id" in message["data"]["error"]
            data = '{"user_id":7}'  # as a number it is as good
            auth = server.app.sign(client.socket_id, "presence-x", data)
            given = {"channel": "presence-x", "auth": auth, "channel_data": data}
            await client.say("pusher:subscribe", given)
            assert json.loads((await client.next())["data"])["presence"]["ids"] == ["7"]

    run(test())


def test_private_channels() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.say("pusher:subscribe", {"channel": "private-x"})
            assert (await client.next())["data"]["status"] == 401
            auth = server.app.sign(client.socket_id, "private-x", None)
            given = {"channel": "private-x", "auth": auth}
            await client.say("pusher:subscribe", given)
            assert (await client.next())["event"].endswith("succeeded")

    run(test())


def test_presence_streams_whose_channels_do_not_say_so() -> None:
    async def test() -> None:
        async with (
            simulator(prefixed=False) as server,
            Plain.open(server, OWN) as client,
        ):
            (resolved,) = client.session["subscriptions"]
            channel = resolved["channel"]
            assert resolved["visibility"] == "presence"
            assert channel.startswith("portfolio.")
            await client.say("pusher:subscribe", {"channel": channel})
            assert (await client.next())["event"] == "pusher:subscription_error"
            answer = (await client.authorise(channel)).json()
            await client.say("pusher:subscribe", answer | {"channel": channel})
            assert (await client.next())["event"].endswith("succeeded")

    run(test())


def test_pings() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            for data in ({}, "{}", 7):
                await client.say("pusher:ping", data)
                assert await client.next() == {"event": "pusher:pong", "data": "{}"}
            await client.say("pusher:pong")
            await client.nothing()

    run(test())


def test_who_says_nothing_is_pinged_and_then_closed() -> None:
    async def test() -> None:
        async with (
            simulator(ping_after=0.2, pong_timeout=0.3) as server,
            Plain.open(server, TOKEN_A) as client,
            Plain.open(server, TOKEN_A) as other,
        ):
            await client.subscribe_all()
            begin = time.monotonic()
            for _ in range(3):
                server.publish_now()  # what is sent is no sign of life
                await client.next("pusher:ping")
                await client.say("pusher:pong")
            await client.next("pusher:ping")
            code, messages = await client.closed()
            assert time.monotonic() - begin >= 4 * 0.2 + 0.3 - 0.05
            assert code == 4201
            assert messages[-1]["data"]["code"] == 4201
            assert (await other.closed())[0] == 4201
            assert server.connections == []

    run(test())


# Events.


@pytest.mark.parametrize(("stream", "given"), ALL, ids=[name for name, _ in ALL])
def test_payloads_are_what_their_streams_promise(
    stream: str, given: dict[str, str]
) -> None:
    server = simulator(seed=7)
    topic = Topic(stream, tuple(given.items()), "user-1")
    for _ in range(100):
        text = server.market.event(topic)
        payload = decode_payload(stream, text)
        assert isinstance(payload, Payload), text
        assert not isinstance(payload, Misfit)
        assert "extra" not in repr(payload), payload
        for value in json.loads(text).values():
            assert not isinstance(value, int) or abs(value) < 2**53


def test_amounts_are_exact() -> None:
    server = simulator()
    for stream, size, usd in (
        (SWAPS, "size_sol", "size_usd"),
        ("evm.token.swaps", "amount_native", "amount_usd"),
    ):
        given = (("chainId", "8453"), ("tokenAddress", "A"))
        topic = Topic(stream, given if stream != SWAPS else given[1:], "")
        coin = server.market.token("sol" if stream == SWAPS else "8453", "A").coin_usd
        prices = set()
        for _ in range(50):
            payload = decode_payload(stream, server.market.event(topic))
            assert getattr(payload, usd) == getattr(payload, size) * coin
            prices.add(payload.price_usd)  # type: ignore[union-attr]
        assert len(prices) == 50
        assert max(prices) < 2 * min(prices)


def test_the_same_seed_gives_the_same_events() -> None:
    def texts(seed: int) -> list[str]:
        server = simulator(seed=seed, time_ns=lambda: 1_760_000_000 * 10**9)
        topics = [Topic(name, tuple(given.items()), "u") for name, given in ALL]
        return [server.market.event(topic) for topic in topics for _ in range(5)]

    assert texts(1) == texts(1)
    assert texts(1) != texts(2)


def test_events_come_at_their_rates() -> None:
    async def test() -> None:
        async with (
            simulator(ticks=True, rate=0, rates={SWAPS: 200}, keep_sent=True) as server,
            Plain.open(server, TOKEN_A, TOKEN_B, OWN) as client,
        ):
            await client.subscribe_all()
            begin = time.monotonic()
            counts: dict[str, int] = {}
            for _ in range(300):
                message = await client.next()
                name = message["channel"]
                counts[name] = counts.get(name, 0) + 1
            assert 0.5 < time.monotonic() - begin < 3
            first, second, own = client.channels
            assert own not in counts
            assert abs(counts[first] - counts[second]) < 60
            payloads = {first: "A", second: "B"}
            (connection,) = server.connections
            for text in connection.sent:
                message = json.loads(text)
                data = json.loads(message["data"])
                assert data["tokenMint"] == payloads[message["channel"]]

    run(test())


def test_publishing() -> None:
    async def test() -> None:
        async with (
            simulator(token=[KEY, "sk_other"], event="signal") as server,
            Plain.open(server, TOKEN_A, OWN) as one,
            Plain.open(server, TOKEN_A, OWN, key="sk_other") as other,
        ):
            await one.subscribe_all()
            await other.subscribe_all()
            assert server.publish(*TOKEN_A) == 2
            for client in (one, other):
                message = await client.next()
                assert message["event"] == "signal"
                assert json.loads(message["data"])["tokenMint"] == "A"
            exact = '{"n":1.10,"big":123456789012345678901234567890}'
            server.publish(SWAPS, {"tokenAddress": "A"}, exact, event="other")
            message = await one.next()
            assert (message["event"], message["data"]) == ("other", exact)
            await other.next()
            assert server.publish(*OWN, {"n": 1}) == 2
            assert server.publish(*OWN, {"n": 2}, token=KEY) == 1
            assert server.publish(*OWN, {"n": 3}, token="nobody's") == 0
            assert [json.loads((await one.next())["data"])["n"] for _ in "ab"] == [1, 2]
            assert json.loads((await other.next())["data"])["n"] == 1
            await other.nothing()
            for wrong in (("nothing",), (SWAPS,), (SWAPS, {"x": "y"})):
                with pytest.raises(ValueError, match=r"Unknown stream|needs|no filter"):
                    server.publish(*wrong)

    run(test())


def test_a_replay_waits_for_its_channels() -> None:
    async def test() -> None:
        def text(channel: str, n: int) -> bytes:
            data = {"event": "update", "channel": channel, "data": f'{{"n":{n}}}'}
            return json.dumps(data).encode()

        frames = [text("one", 1), (0.01, text("two", 2)), text("one", 3), b'{"n":4}']
        channels = [(*TOKEN_A, "one"), (*TOKEN_B, "two")]
        async with (
            simulator(frames=frames, channels=channels, keep_sent=True) as server,
            Plain.open(server, TOKEN_A, TOKEN_B) as client,
        ):
            assert client.channels == ["one", "two"]
            await client.subscribe("one")
            assert await client.texts(1) == [frames[0].decode()]
            await asyncio.sleep(0.1)
            await client.nothing()
            await client.subscribe("two")
            assert await client.texts(3) == [
                frames[1][1].decode(),
                frames[2].decode(),
                '{"n":4}',
            ]
            assert server.replayed.is_set()
            assert server.connections[0].sent == [
                each[1] if isinstance(each, tuple) else each for each in frames
            ]

    run(test())


@pytest.mark.parametrize("deflate", [False, True])
def test_a_flood(deflate: bool) -> None:
    async def test() -> None:
        async with (
            simulator(deflate=deflate) as server,
            Plain.open(server, TOKEN_A, OWN) as client,
        ):
            await client.subscribe_all()
            (connection,) = server.connections
            n = 20_000
            flooding = asyncio.create_task(server.flood(connection, n, distinct=1000))
            texts = await client.texts(n)
            assert await flooding == n == connection.n_sent
            assert texts[:1000] == texts[1000:2000] and len(set(texts)) == 1000
            for i, text in enumerate(texts[:1000]):
                message = json.loads(text)
                assert message["channel"] == sorted(client.channels)[i % 2]
                assert json.loads(message["data"])

    run(test())


# Life, and those who mean ill.


def test_tls() -> None:
    async def test() -> None:
        async with simulator(tls=True) as server:
            assert server.base_url.startswith("https://")
            async with Plain.open(server, TOKEN_A, OWN) as client:
                assert client.session["connection"]["forceTls"] is True
                await client.subscribe_all()
                server.publish_now()
                await client.texts(2)

    run(test())


def test_arguments_and_ports() -> None:
    async def test() -> None:
        async with simulator() as server:
            for ports in (
                {"port": server.port},
                {"api_port": server.api_port},
            ):
                other = simulator(**ports)
                with pytest.raises(OSError, match="address already in use"):
                    await other.start()
                await other.stop()
        async with simulator(host="::1") as server:
            await bootstrap(server, TOKEN_A)
            assert server.base_url.startswith("http://[::1]:")
        await server.stop()

    run(test())
    for wrong in (
        {"rate": -1},
        {"rate": float("nan")},
        {"rates": {"nothing": 1}},
        {"rates": {SWAPS: 1e9}},
        {"activity_timeout": 0},
        {"pong_timeout": -1},
        {"channels": [("nothing", {}, "x")]},
    ):
        with pytest.raises(ValueError, match=r"rates|stream|timeouts"):
            ShurikenSimulator(**wrong)  # type: ignore[arg-type]


def test_floods_of_subscriptions_are_bounded() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            for i in range(1500):
                await client.say("pusher:subscribe", {"channel": f"c{i}"})
            answers = [await client.next() for _ in range(1500)]
            good = [each["event"].endswith("succeeded") for each in answers]
            assert good == [True] * 1000 + [False] * 500
            assert answers[-1]["data"]["type"] == "LimitReached"
            assert len(server.channels) == 1000
            await client.socket.close()
            while server.channels:
                await asyncio.sleep(0.01)
            response = await post(server, SESSION, json=body(*[TOKEN_A] * 1001))
            assert response.status_code == 400
            for i in range(3):
                asked = [(SWAPS, {"tokenAddress": f"{i} {j}"}) for j in range(1000)]
                await bootstrap(server, *asked)

    run(test())


def test_texts_that_are_too_long_end_the_connection() -> None:
    async def test() -> None:
        async with simulator() as server, Plain.open(server, TOKEN_A) as client:
            await client.socket.send('{"event":"' + "x" * (1 << 20) + '"}')
            assert (await client.closed())[0] == 1009
            assert len(server.history) == 1

    run(test())


def test_who_does_not_read_answers_is_closed() -> None:
    async def test() -> None:
        async with simulator(deflate=False) as server:
            server.faults.slow_consumer = 100_000
            async with Plain.open(server, TOKEN_A) as client:
                connection = server.connections[0]
                client.socket.transport.pause_reading()
                while connection.is_open:
                    for _ in range(500):
                        await client.say("pusher:ping")
                    await asyncio.sleep(0)
                client.socket.transport.resume_reading()
                assert (await client.closed())[0] == 1013

    run(test())
