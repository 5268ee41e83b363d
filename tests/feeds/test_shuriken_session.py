"""Sessions: what is asked, what answers mean, and who gets to see the key."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import run
from shuriken_server import CATALOGUE, KEY, Answer, Request, ShurikenServer

from codec.errors import FeedAuthError, FeedError
from codec.feeds.endpoint import Secret
from codec.feeds.shuriken import SessionError, StreamInfo
from codec.feeds.shuriken.api import Api
from codec.feeds.shuriken.session import (
    Resolved,
    error_words,
    read_auth,
    read_catalogue,
    read_session,
    resolve,
)

SWAPS = "svm.token.swaps"


def entry(stream: str, channel: str = "c", **changes: Any) -> dict[str, Any]:
    fields = {
        "stream": stream,
        "channel": channel,
        "event": "update",
        "visibility": "public",
        "payloadFormat": "json",
        "payloadSchemaId": f"{stream}.v1",
    }
    return fields | changes


def session(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    connection = {
        "provider": "pusher",
        "appKey": "key",
        "wsHost": "ws.example",
        "wsPort": 443,
        "forceTls": True,
        "authEndpoint": "/auth",
    }
    delays = {"recommendedReconnectBackoffMs": [1000, 2000]}
    return {
        "connection": connection | changes,
        "session": delays,
        "subscriptions": list(entries),
    }


def read(fields: object, *asked: tuple[str, dict[str, str]]) -> Any:
    return read_session(json.dumps(fields).encode(), asked)


# Answers


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
def test_a_session(wrapped: bool) -> None:
    fields: Any = session(
        entry(SWAPS, "a"), entry("alpha.personal", "presence-b", visibility="presence")
    )
    fields = {"data": fields, "requestId": "r"} if wrapped else fields
    result = read(fields, (SWAPS, {"tokenAddress": "A"}), ("alpha.personal", {}))
    assert result.url(client="c", version="1") == (
        "wss://ws.example:443/app/key?protocol=7&client=c&version=1"
    )
    assert result.auth_endpoint == "/auth" and result.delays_s == (1.0, 2.0)
    assert result.resolved == (
        Resolved(SWAPS, "a", "update", False, f"{SWAPS}.v1"),
        Resolved("alpha.personal", "presence-b", "update", True, "alpha.personal.v1"),
    )


def test_a_session_without_tls_and_how_it_gets_some() -> None:
    result = read(session(forceTls=False, wsPort=80, wsHost="[::1]"))
    assert result.url(client="c", version="1").startswith("ws://[::1]:80/")
    assert result.url(client="c", version="1", tls=True).startswith("wss://[::1]:80/")


@pytest.mark.parametrize(
    ("delays", "expected"),
    [
        ([1000, 2500.5], (1.0, 2.5005)),
        ([0, -5, 10**9, 10**400], (0.001, 0.001, 300.0)),
        ([], ()),
        (["1", None, True], (0.001,)),
        (None, ()),
        ({"a": 1}, ()),
        ([7] * 1000, (0.007,) * 32),
    ],
)
def test_the_recommended_delays(delays: object, expected: tuple[float, ...]) -> None:
    fields = session()
    fields["session"] = {"recommendedReconnectBackoffMs": delays}
    assert read(fields).delays_s == expected
    fields["session"] = delays
    assert read(fields).delays_s == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"appKey": None}, "appKey"),
        ({"appKey": ""}, "appKey"),
        ({"appKey": 5}, "appKey"),
        ({"wsHost": "evil.com/path"}, "wsHost"),
        ({"wsHost": "a@b"}, "wsHost"),
        ({"wsHost": "a b"}, "wsHost"),
        ({"wsHost": "::zz"}, "wsHost"),
        ({"wsHost": "a\r\nb"}, "wsHost"),
        ({"wsPort": 0}, "wsPort"),
        ({"wsPort": 65536}, "wsPort"),
        ({"wsPort": "443"}, "wsPort"),
        ({"wsPort": True}, "wsPort"),
        ({"forceTls": "yes"}, "forceTls"),
        ({"authEndpoint": 5}, "authEndpoint"),
    ],
)
def test_a_connection_that_makes_no_sense(changes: Any, reason: str) -> None:
    with pytest.raises(SessionError, match=reason) as caught:
        read(session(**changes))
    assert caught.value.is_lasting and caught.value.status == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"data":[]}',
        b'{"connection":[]}',
        b"<html>",
        b"[" * 10_000,
        json.dumps(session() | {"subscriptions": {}}).encode(),
        json.dumps(session() | {"subscriptions": [entry(SWAPS)]}).encode(),
    ],
)
def test_no_session(body: bytes) -> None:
    with pytest.raises(SessionError, match="makes no sense"):
        read_session(body, [])


@given(st.binary(max_size=50) | st.text(max_size=50).map(str.encode))
def test_no_answer_raises_anything_else(body: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [
        lambda b: read_session(b, []),
        read_auth,
        read_catalogue,
    ]
    for reader in readers:
        try:
            reader(body)
        except SessionError:
            continue
    error_words(body)


# Which channel belongs to which subscription


def channels(asked: list[tuple[str, dict[str, str]]], entries: object) -> list[str]:
    return [
        each.channel if isinstance(each, Resolved) else "-"
        for each in resolve(asked, entries)
    ]


A, B = {"tokenAddress": "A"}, {"tokenAddress": "B"}
POOL, GLOBAL = "svm.token.poolInfo", "alpha.signalFeedGlobal"


@pytest.mark.parametrize(
    ("asked", "entries", "expected"),
    [
        ([], [], []),
        ([(SWAPS, A), (SWAPS, B)], [entry(SWAPS, "a"), entry(SWAPS, "b")], ["a", "b"]),
        (
            [(SWAPS, A), (POOL, A), (SWAPS, B)],
            [entry(SWAPS, "a"), entry(POOL, "p"), entry(SWAPS, "b")],
            ["a", "p", "b"],
        ),
        # By filters, where there are some, in whatever order.
        (
            [(SWAPS, A), (SWAPS, B)],
            [entry(SWAPS, "b", filter=B), entry(SWAPS, "a", filter=A)],
            ["a", "b"],
        ),
        (
            [("evm.token.swaps", {"chainId": "1", "tokenAddress": "A"}), (SWAPS, B)],
            [
                entry(SWAPS, "b", filter=B),
                entry("evm.token.swaps", "e", filter={"chainId": 1} | A),
            ],
            ["e", "b"],
        ),
        ([(SWAPS, A), (SWAPS, B)], [entry(SWAPS, "b", filter=B)], ["-", "b"]),
        (
            [(SWAPS, A), (SWAPS, B)],
            [
                entry(SWAPS, "a", filter={"tokenAddress": "a", "chainId": 1}),
                entry(SWAPS, "b", filter={"tokenAddress": "b", "chainId": 1}),
            ],
            ["a", "b"],
        ),
        # Another order, or a part: by name, where that is only one's.
        (
            [(SWAPS, A), (POOL, A)],
            [entry(POOL, "p"), entry(SWAPS, "a")],
            ["a", "p"],
        ),
        ([(SWAPS, A), (POOL, A)], [entry(POOL, "p")], ["-", "p"]),
        # Both spellings.
        ([("alpha.signalFeed.global", {})], [entry(GLOBAL, "g")], ["g"]),
        ([(GLOBAL, {})], [entry("alpha.signalFeed.global", "g")], ["g"]),
        # One that is of no use harms no other.
        (
            [(SWAPS, A), (POOL, A), (GLOBAL, {})],
            [
                entry(SWAPS, "a", payloadFormat="protobuf"),
                entry(POOL, ""),
                entry(GLOBAL, "g"),
            ],
            ["-", "-", "g"],
        ),
    ],
)
def test_resolution(asked: Any, entries: Any, expected: list[str]) -> None:
    assert channels(asked, entries) == expected


@pytest.mark.parametrize(
    ("asked", "entries"),
    [
        ([(SWAPS, A), (SWAPS, B)], [entry(SWAPS, "a")]),
        ([(SWAPS, A)], [entry(SWAPS, "a"), entry(SWAPS, "b")]),
        ([(SWAPS, A), (SWAPS, B), (POOL, A)], [entry(POOL), entry(SWAPS)] * 1),
        (
            [(SWAPS, A), (SWAPS, B), (POOL, A)],
            [entry(POOL), entry(SWAPS, "b"), entry(SWAPS, "a")],
        ),
        # Filters in other letters, so that only the order could tell, and does not.
        (
            [(SWAPS, A), (SWAPS, B)],
            [
                entry(SWAPS, "b", filter={"tokenAddress": "b"}),
                entry(SWAPS, "a", filter={"tokenAddress": "a"}),
            ],
        ),
        ([(SWAPS, A)], [entry(POOL)]),
        ([(SWAPS, A)], [{}]),
        ([(SWAPS, A)], [7]),
        ([(SWAPS, A)], None),
    ],
)
def test_what_cannot_be_told_apart_is_not_guessed(asked: Any, entries: Any) -> None:
    with pytest.raises(SessionError, match="makes no sense"):
        resolve(asked, entries)


# Authorisations, the catalogue


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"auth": "k:s"}, ("k:s", None)),
        ({"auth": "k:s", "channel_data": "{}"}, ("k:s", "{}")),
        ({"data": {"auth": "k:s"}}, ("k:s", None)),
    ],
)
def test_an_authorisation(fields: object, expected: object) -> None:
    assert read_auth(json.dumps(fields).encode()) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"auth": ""},
        {"auth": 7},
        {"auth": "k", "channel_data": {}},
        {"auth": "\ud800"},
        {"auth": "k" * 100_000},
    ],
)
def test_no_authorisation(fields: object) -> None:
    with pytest.raises(SessionError, match="makes no sense"):
        read_auth(json.dumps(fields).encode())


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_catalogue(wrapped: bool) -> None:
    body = json.dumps({"data": CATALOGUE} if wrapped else CATALOGUE).encode()
    first, second = read_catalogue(body)
    assert first.id == SWAPS and first.filters[0].name == "tokenAddress"
    assert first.filters[0].required and first.payload_schema_id == SWAPS
    assert second == StreamInfo("alpha.personal", "presence", (), "", "", "")


# Requests


def api_of(url: str, key: Any = KEY, **options: Any) -> Api:
    return Api(url, Secret(key), timeout_s=options.pop("timeout_s", 2.0), **options)


def test_what_is_asked() -> None:
    async def main() -> None:
        async with ShurikenServer(wrapped=True) as server:
            api = api_of(server.url + "/")
            result = await api.bootstrap([(SWAPS, A), ("alpha.personal", {})])
            assert [r.channel for r in result.resolved if isinstance(r, Resolved)] == [
                "svm.token.swaps-A",
                "presence-alpha.personal",
            ]
            assert [info.id for info in await api.catalogue()] == [
                SWAPS,
                "alpha.personal",
            ]
            server.on_auth = some_auth
            assert await api.authorise("/api/v2/ws/auth", "1.2", "a b&c") == ("k", None)
            await api.close()
        post, catalogue, auth = server.requests
        assert post.method == auth.method == "POST" and catalogue.method == "GET"
        assert post.path == "/api/v2/ws/session"
        assert post.fields == {
            "subscriptions": [
                {"stream": SWAPS, "filter": A},
                {"stream": "alpha.personal", "filter": {}},
            ]
        }
        assert auth.form == {"socket_id": "1.2", "channel_name": "a b&c"}
        for request, kind in (
            (post, "application/json"),
            (auth, "application/x-www-form-urlencoded"),
        ):
            assert request.headers["content-type"] == kind
            assert request.headers["authorization"] == f"Bearer {KEY}"

    run(main())


async def some_auth(_: Request) -> Answer:
    return 200, {"auth": "k"}


def refusal(status: int, answer: Any, headers: dict[str, str] | None = None) -> Any:
    """What a bootstrap raises."""

    async def main() -> Exception:
        async def on_session(_: Request) -> Answer:
            return status, answer

        async with ShurikenServer(on_session=on_session) as server:
            server.headers = headers or {}
            api = api_of(server.url, timeout_s=0.5)
            try:
                await api.bootstrap([(SWAPS, A)])
            except FeedError as error:
                return error
            finally:
                await api.close()
            raise AssertionError("nothing was raised")

    return run(main())


ERROR = {
    "error": {"code": "INVALID_STREAM", "message": "no such stream"},
    "requestId": "req_1",
}


def test_a_refusal_in_the_apis_words() -> None:
    error = refusal(400, ERROR)
    assert isinstance(error, SessionError) and error.is_refusal
    assert (error.status, error.code) == (400, "INVALID_STREAM")
    assert error.request_id == "req_1"
    assert str(error) == (
        "POST /api/v2/ws/session: HTTP 400 Bad Request: INVALID_STREAM: no such stream"
        " (request req_1)"
    )


def test_a_bad_key() -> None:
    error = refusal(401, ERROR)
    assert isinstance(error, FeedAuthError)
    assert "refused the key" in str(error) and "req_1" in str(error)


PAGE = b"<!doctype html><title>Bad gateway</title>"


@pytest.mark.parametrize(
    ("status", "answer", "text", "is_lasting"),
    [
        (500, ERROR, "no such stream", False),
        (502, PAGE, "HTTP 502 Bad Gateway: a web page", False),
        (200, PAGE, "HTTP 200 OK: a web page", True),
        (404, PAGE, "a web page", True),
        (200, b"not json", "no JSON object: not json", True),
        (200, b'{"connection":', "no JSON object", True),
        (429, {}, "Too Many Requests", False),
        (408, b"", "Request Timeout", False),
        (302, b"", "redirects are not followed", True),
        (307, b"", "redirects are not followed", True),
        (400, b"plain\x1b[31m words", "plain\\x1b[31m words", True),
        (200, b"x" * (5 << 20), "more than 4 MiB", True),
        (200, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "cut off", False),
        (200, b"HTTP/1.1 nonsense\r\n\r\n", "no HTTP", False),
        (204, b"", "no JSON object", True),
    ],
)
def test_other_answers(status: int, answer: Any, text: str, is_lasting: bool) -> None:
    error = refusal(status, answer)
    if "cut off" in text:  # the server keeps the connection open
        assert "cut off" in str(error) or "within 0.5 s" in str(error)
        return
    assert isinstance(error, SessionError), error
    assert text in str(error) and error.is_lasting == is_lasting
    assert not error.is_refusal or status in (400, 404)


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("100000", 300.0), ("x", None)]
)
def test_retry_after(value: str, seconds: float | None) -> None:
    error = refusal(503, {}, {"Retry-After": value})
    assert error.retry_after_s == seconds and not error.is_lasting


def test_a_bomb() -> None:
    packed = gzip.compress(b" " * (64 << 20))
    error = refusal(200, packed, {"Content-Encoding": "gzip"})
    assert "more than 4 MiB" in str(error)


def test_no_answer_in_time_and_nobody_there() -> None:
    async def main() -> None:
        async def never(_: Request) -> Answer:
            await asyncio.sleep(60)
            return 200, {}

        async with ShurikenServer(on_session=never) as server:
            api = api_of(server.url, timeout_s=0.05)
            with pytest.raises(SessionError, match=r"within 0\.05 s"):
                await api.bootstrap([])
            await api.close()
        api = api_of(server.url)
        with pytest.raises(SessionError, match="Connection refused") as caught:
            await api.bootstrap([])
        assert not caught.value.is_lasting
        await api.close()

    run(main())


# The key


@pytest.mark.parametrize(
    ("base_url", "endpoint", "url"),
    [
        ("https://api.a.com", "/auth", "https://api.a.com/auth"),
        ("https://api.a.com/v9", "auth?x=1", "https://api.a.com/v9/auth?x=1"),
        ("https://api.a.com", "https://api.a.com:9/auth", "https://api.a.com:9/auth"),
        ("https://api.a.com", "https://API.a.com/auth", "https://api.a.com/auth"),
        ("https://api.a.com", "https://friend.com/x", "https://friend.com/x"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/a", "http://127.0.0.1:2/a"),
        (
            "https://api.shuriken.trade",
            "https://auth.shuriken.trade/a",
            "https://auth.shuriken.trade/a",
        ),
    ],
)
def test_where_channels_are_authorised(base_url: str, endpoint: str, url: str) -> None:
    assert api_of(base_url, auth_hosts=["Friend.com"]).auth_url(endpoint) == url


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        ("https://api.a.com", ""),
        ("https://api.a.com", "https://evil.com/auth"),
        ("https://api.a.com", "//evil.com/auth"),
        ("https://api.a.com", "https:evil.com"),
        ("https://api.a.com", "\\\\evil.com\\auth"),
        ("https://api.a.com", "/\\evil.com/auth"),
        ("https://api.a.com", "https://api.a.com@evil.com/"),
        ("https://api.a.com", "https://evil.com#@api.a.com/"),
        ("https://api.a.com", "https://evil.com?@api.a.com/"),
        ("https://api.a.com", "https://x:y@api.a.com/"),
        ("https://api.a.com", "https://api.a.com.evil.com/"),
        ("https://api.a.com", "https://a.com/"),
        ("https://api.a.com", "https://b.a.com/"),
        ("https://api.a.com", "http://api.a.com/auth"),
        ("https://api.a.com", "http://friend.com/auth"),
        ("https://api.a.com", "ftp://api.a.com/auth"),
        ("https://api.a.com", "https://api.a.com:x/auth"),
        ("https://api.a.com", "https:///auth"),
        ("https://api.a.com", "https://api.ａ.com/auth"),
        ("https://api.a.com", "/a b"),
        ("https://api.shuriken.trade", "https://notshuriken.trade/"),
        ("https://api.shuriken.trade", "https://shuriken.trade.evil.com/"),
        ("https://shuriken.trade.evil.com", "https://api.shuriken.trade/"),
    ],
)
def test_where_they_are_not(base_url: str, endpoint: str) -> None:
    api = api_of(base_url, auth_hosts=["friend.com"])
    with suppress(SessionError):  # else it is the API's own, however it was written
        assert api.auth_url(endpoint).startswith(base_url + "/")


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.shuriken.trade",
        "ftp://a.com",
        "http://a.com",
        "http://10.0.0.1",
        "https://",
        "https://user:pw@a.com",
        "https://a.com/?q=1",
        "https://a.com/#f",
        "https://a.com/a b",
        "https://a.com:port",
        7,
    ],
)
def test_no_url_of_an_api(base_url: Any) -> None:
    with pytest.raises(ValueError, match=r"URL|base_url"):
        api_of(base_url)


def test_the_key_goes_to_no_other_host(caplog: pytest.LogCaptureFixture) -> None:
    """Not by a redirect, not by the session's endpoint; and no log or error has it."""

    async def main() -> None:
        async with ShurikenServer() as thief, ShurikenServer() as server:

            async def sent_on(_: Request) -> Answer:
                return 307, {}

            server.headers = {"Location": thief.url + "/api/v2/ws/session"}
            server.on_session = server.on_auth = sent_on
            api = api_of(server.url)
            errors = []
            port = thief.url.rpartition(":")[2]
            for work in (
                api.bootstrap([(SWAPS, A)]),
                api.authorise("/api/v2/ws/auth", "1.1", "presence-a"),
                api.authorise(f"http://localhost:{port}/auth", "1.1", "presence-a"),
                api.authorise(f"//127.0.0.2:{port}/auth", "1.1", "presence-a"),
            ):
                with pytest.raises(SessionError) as caught:
                    await work
                errors.append(caught.value)
            await api.close()
            assert not thief.requests and len(server.requests) == 2
            for error in errors:
                assert KEY not in shown_with_variables(error)

    with caplog.at_level(logging.DEBUG):
        run(main())
    assert KEY not in caplog.text


def shown_with_variables(error: BaseException) -> str:
    """A traceback as those show it that print variables."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [frame for frame in frames.stack if "/codec/" in frame.filename]
    assert ours
    return f"{error}{error.__dict__}{[frame.locals for frame in ours]}"


def test_a_server_that_repeats_the_request_repeats_no_key() -> None:
    for status in (400, 401, 500):
        error = refusal(status, {"error": {"message": f"you sent Bearer {KEY}"}})
        assert "[the key]" in str(error) and KEY not in shown_with_variables(error)


def test_an_answer_that_is_none_repeats_no_key() -> None:
    error = refusal(200, f"x-debug: Bearer {KEY}".encode())
    assert "[the key]" in str(error) and KEY not in shown_with_variables(error)


def test_a_request_that_is_given_up_shows_no_key() -> None:
    async def main() -> BaseException:
        async def on_session(_: Request) -> Answer:
            await asyncio.sleep(10)
            raise AssertionError

        async with ShurikenServer(on_session=on_session) as server:
            api = api_of(server.url)
            task = asyncio.ensure_future(api.bootstrap([]))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            await api.close()
            return caught.value

    assert KEY not in shown_with_variables(run(main()))


def test_a_key_that_is_renewed() -> None:
    async def main() -> None:
        keys = ["old", KEY]

        async def key() -> str:
            return keys.pop(0) if len(keys) > 1 else keys[0]

        async with ShurikenServer() as server:
            api = api_of(server.url, key)
            await api.bootstrap([])
            assert [r.headers["authorization"] for r in server.requests] == [
                "Bearer old",
                f"Bearer {KEY}",
            ]
            keys[:] = ["bad"]
            with pytest.raises(FeedAuthError):
                await api.bootstrap([])
            assert len(server.requests) == 3
            await api.close()

    run(main())


@pytest.mark.parametrize("key", ["", "a b", "ä", 7, None])
def test_no_key(key: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        Secret(key)
    assert not key or str(key) not in str(caught.value)
