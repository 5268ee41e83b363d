"""Pusher's protocol by tables: what comes in, what goes out, what time does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codec.feeds.pusher import ChannelState, Pusher
from codec.feeds.pusher_words import (
    CloseAction,
    Established,
    Lost,
    MemberAdded,
    MemberRemoved,
    Message,
    NeedsAuth,
    Odd,
    Refused,
    ServerError,
    Subscribed,
    close_action,
    connection_url,
)

WANTED, AUTHORISING, SUBSCRIBING, SUBSCRIBED, REFUSED = ChannelState
SOCKET = "123.456"


def text_of(event: str, channel: str | None = None, data: Any = None) -> bytes:
    fields: dict[str, Any] = {"event": event}
    if channel is not None:
        fields["channel"] = channel
    if data is not None:
        fields["data"] = data
    return json.dumps(fields).encode()


def greeting(*, as_text: bool = True, **changes: Any) -> bytes:
    fields = {"socket_id": SOCKET, "activity_timeout": 120} | changes
    data = json.dumps(fields) if as_text else fields
    return text_of("pusher:connection_established", data=data)


def connected(*channels: str) -> Pusher:
    """A machine that was greeted at 0 s and has sent its subscriptions."""
    pusher = Pusher()
    pusher.opened(0.0)
    for channel in channels:
        pusher.subscribe(channel)
    pusher.receive(greeting(), 0.0)
    pusher.take_texts()
    return pusher


def sent(pusher: Pusher) -> list[tuple[str, Any]]:
    texts = [json.loads(text) for text in pusher.take_texts()]
    assert all(set(text) == {"event", "data"} for text in texts)
    return [(text["event"], text["data"]) for text in texts]


def succeeded(channel: str, data: Any = "{}") -> bytes:
    return text_of("pusher_internal:subscription_succeeded", channel, data)


def succeed(pusher: Pusher, channel: str, now: float) -> None:
    pusher.receive(succeeded(channel), now)
    assert pusher.channels[channel] is SUBSCRIBED


# The greeting and time


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_a_greeting(as_text: bool) -> None:
    pusher = Pusher()
    pusher.opened(5.0)
    pusher.subscribe("a")
    assert pusher.take_texts() == [] and pusher.channels == {"a": WANTED}
    events = pusher.receive(greeting(as_text=as_text), 6.0)
    assert events == [Established(SOCKET, 120)]
    assert sent(pusher) == [("pusher:subscribe", {"channel": "a"})]
    assert pusher.channels == {"a": SUBSCRIBING}
    assert pusher.next_deadline == 36.0  # an answer to the subscription
    succeed(pusher, "a", 7.0)
    assert pusher.next_deadline == 127.0


@pytest.mark.parametrize(
    ("given", "idle_s"),
    [(30, 30), (120, 120), (121, 120), (1e9, 120), (0.5, 0.5), (1e-9, 0.05)]
    + [(bad, 120) for bad in (0, -1, None, "30", True, [], 10**400)],
)
def test_the_activity_timeout(given: Any, idle_s: float) -> None:
    pusher = Pusher()
    pusher.opened(0.0)
    pusher.receive(greeting(activity_timeout=given), 0.0)
    assert pusher.next_deadline == idle_s


def test_a_ping_and_its_answer() -> None:
    pusher = connected()
    assert pusher.tick(119.9) == () and pusher.take_texts() == []
    assert pusher.tick(120.0) == ()
    assert sent(pusher) == [("pusher:ping", {})]
    assert pusher.next_deadline == 150.0
    pusher.receive(text_of("pusher:pong"), 149.9)
    assert pusher.next_deadline == 269.9


def test_any_message_is_an_answer() -> None:
    for text in (b"garbage", text_of("pusher:ping"), text_of("x", "y")):
        pusher = connected()
        pusher.tick(120.0)
        pusher.receive(text, 140.0)
        assert pusher.next_deadline == 260.0


def test_no_answer() -> None:
    pusher = connected("a")
    succeed(pusher, "a", 0.0)
    pusher.tick(120.0)
    (lost,) = pusher.tick(150.0)
    assert isinstance(lost, Lost) and lost.code == 1006 and "30.0 s" in lost.reason
    assert pusher.next_deadline is None and pusher.tick(1e9) == ()
    assert pusher.channels == {"a": WANTED}
    assert pusher.receive(succeeded("a"), 151.0) == ()


def test_no_greeting() -> None:
    pusher = Pusher()
    assert pusher.next_deadline is None and pusher.tick(1e9) == ()
    pusher.opened(1.0)
    pusher.receive(text_of("pusher:ping"), 20.0)  # is none
    assert pusher.next_deadline == 31.0
    (lost,) = pusher.tick(31.0)
    assert isinstance(lost, Lost) and "greeting" in lost.reason


def test_the_servers_ping() -> None:
    pusher = connected()
    assert pusher.receive(text_of("pusher:ping", data="{}"), 1.0) == ()
    assert sent(pusher) == [("pusher:pong", {})]


# Channels


def test_a_private_channel() -> None:
    pusher = connected()
    for channel, private in (("private-a", False), ("presence-b", False), ("c", True)):
        events = pusher.subscribe(channel, is_private=private)
        assert events == (NeedsAuth(channel, SOCKET),)
        assert pusher.channels[channel] is AUTHORISING
        assert pusher.take_texts() == []
    assert pusher.authorise(SOCKET, "private-a", "k:s")
    assert pusher.authorise(SOCKET, "presence-b", "k:t", '{"user_id":"1"}')
    assert sent(pusher) == [
        ("pusher:subscribe", {"channel": "private-a", "auth": "k:s"}),
        (
            "pusher:subscribe",
            {
                "channel": "presence-b",
                "auth": "k:t",
                "channel_data": '{"user_id":"1"}',
            },
        ),
    ]
    refused = pusher.refuse(SOCKET, "c", "no", 403)
    assert refused == (Refused("c", "no", 403),)
    assert pusher.channels == {
        "private-a": SUBSCRIBING,
        "presence-b": SUBSCRIBING,
        "c": REFUSED,
    }


def test_an_authorisation_that_comes_too_late() -> None:
    pusher = connected()
    pusher.subscribe("private-a")
    assert not pusher.authorise("other.1", "private-a", "k")
    assert pusher.refuse("other.1", "private-a", "no") == ()
    assert not pusher.authorise(SOCKET, "private-b", "k")
    pusher.unsubscribe("private-a")
    assert not pusher.authorise(SOCKET, "private-a", "k")
    assert pusher.take_texts() == []


def test_subscribed_with_members() -> None:
    pusher = connected()
    pusher.subscribe("presence-a")
    pusher.authorise(SOCKET, "presence-a", "k")
    presence = {"ids": ["1", "2"], "hash": {"1": {"name": "A"}}, "count": 2}
    data = json.dumps({"presence": presence})
    members = {"1": {"name": "A"}, "2": None}
    events = pusher.receive(succeeded("presence-a", data), 1.0)
    assert events == (Subscribed("presence-a", members),)
    added = {"user_id": 3, "user_info": {"name": "C"}}
    joined = text_of("pusher_internal:member_added", "presence-a", added)
    assert pusher.receive(joined, 1.0) == (
        MemberAdded("presence-a", "3", {"name": "C"}),
    )
    left = text_of("pusher_internal:member_removed", "presence-a", '{"user_id":"1"}')
    assert pusher.receive(left, 1.0) == (MemberRemoved("presence-a", "1"),)
    assert pusher.receive(left, 1.0) == ()
    assert pusher.members("presence-a") == {"2": None, "3": {"name": "C"}}
    pusher.closed()
    assert pusher.members("presence-a") == {} == pusher.members("nothing")


def test_members_are_bounded() -> None:
    pusher = connected("presence-a")
    pusher.authorise(SOCKET, "presence-a", "k")
    many = {"presence": {"ids": [str(i) for i in range(20_000)], "hash": {}}}
    pusher.receive(succeeded("presence-a", many), 1.0)
    assert len(pusher.members("presence-a")) == 10_000
    joined = text_of("pusher_internal:member_added", "presence-a", {"user_id": "x"})
    (odd,) = pusher.receive(joined, 1.0)
    assert isinstance(odd, Odd) and not odd.is_bad


@pytest.mark.parametrize("prefix", ["pusher:", "pusher_internal:"])
def test_a_refusal_and_another_attempt(prefix: str) -> None:
    pusher = connected("a")
    data = {"type": "AuthError", "error": "not yours", "status": 403}
    refusal = text_of(f"{prefix}subscription_error", "a", data)
    expected = Refused("a", "AuthError: not yours", 403)
    assert pusher.receive(refusal, 1.0) == (expected,)
    assert pusher.channels == {"a": REFUSED}
    assert pusher.retry("b") == () == pusher.subscribe("a")
    assert pusher.retry("a") == () and pusher.channels == {"a": SUBSCRIBING}
    assert sent(pusher) == [("pusher:subscribe", {"channel": "a"})]
    pusher.receive(succeeded("a"), 2.0)
    assert pusher.channels == {"a": SUBSCRIBED} and pusher.retry("a") == ()


def test_two_answers_to_a_subscription_that_was_renewed() -> None:
    """Unsubscribed from and subscribed to again, before the first answer came."""
    refusal = text_of("pusher:subscription_error", "a", {"error": "no"})
    pusher = connected("a")
    assert pusher.unsubscribe("a") and not pusher.unsubscribe("a")
    pusher.subscribe("a")
    assert [event for event, _ in sent(pusher)] == [
        "pusher:unsubscribe",
        "pusher:subscribe",
    ]
    pusher.receive(refusal, 1.0)
    assert pusher.channels == {"a": REFUSED}
    assert pusher.receive(succeeded("a"), 1.0) == (Subscribed("a"),)
    assert pusher.channels == {"a": SUBSCRIBED}


def test_everything_is_wanted_on_the_next_connection() -> None:
    pusher = connected("a", "private-b", "c")
    pusher.receive(succeeded("a"), 1.0)
    pusher.receive(text_of("pusher:subscription_error", "c", {}), 1.0)
    pusher.closed()
    assert set(pusher.channels.values()) == {WANTED}
    assert pusher.next_deadline is None
    pusher.unsubscribe("a")
    assert pusher.take_texts() == []
    pusher.opened(2.0)
    events = pusher.receive(greeting(socket_id="7.8"), 3.0)
    assert events == [Established("7.8", 120), NeedsAuth("private-b", "7.8")]
    assert sent(pusher) == [("pusher:subscribe", {"channel": "c"})]
    assert pusher.receive(text_of("x", "a"), 4.0) == () and pusher.n_unasked == 1


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 1001, "\ud800"])
def test_no_name_of_a_channel(name: str) -> None:
    pusher = connected()
    with pytest.raises(ValueError, match="no name of a channel"):
        pusher.subscribe(name)
    assert pusher.channels == {}


# Data


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('{"a":1}', '{"a":1}'),
        ({"a": 1}, '{"a": 1}'),
        ("words", "words"),
        (None, ""),
        ([1.5], "[1.5]"),
        ("\ud83d", "\ud83d"),
        ({"a": "\ud83d"}, '{"a": "\\ud83d"}'),
    ],
)
def test_data_of_an_event(data: Any, text: str) -> None:
    pusher = connected("a")
    assert pusher.receive(text_of("update", "a", data), 1.0) == (
        Message("a", "update", text),
    )


def test_numbers_stay_as_they_are_written() -> None:
    pusher = connected("a")
    inner = '{"p":1.10,"q":1e-30,"r":123456789012345678901234567890.5}'
    text = f'{{"event":"update","channel":"a","data":{inner}}}'.encode()
    assert pusher.receive(text, 1.0) == (Message("a", "update", inner),)


# Errors


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "object"])
def test_an_error(as_text: bool) -> None:
    data: Any = {"message": "Over\nlimit", "code": 4100}
    text = text_of("pusher:error", data=json.dumps(data) if as_text else data)
    pusher = connected("a")
    assert pusher.receive(text, 1.0) == (ServerError("Over limit", 4100),)
    assert pusher.channels == {"a": SUBSCRIBING}  # the server closes, if it means it
    pusher = Pusher()
    pusher.opened(0.0)
    error, lost = pusher.receive(text, 1.0)
    assert isinstance(lost, Lost) and lost.code == 4100
    assert isinstance(error, ServerError)


@pytest.mark.parametrize("code", [None, "4100", 4.1, True, 12, 5000])
def test_an_error_whose_code_says_nothing(code: Any) -> None:
    pusher = Pusher()
    pusher.opened(0.0)
    text = text_of("pusher:error", data={"message": 7, "code": code})
    (error,) = pusher.receive(text, 1.0)
    assert isinstance(error, ServerError)
    assert error.code == (code if type(code) is int else None)


DEEP = b"[" * 300 + b"]" * 300


@pytest.mark.parametrize(
    ("text", "is_bad"),
    [
        (b"", True),
        (b"\xff", True),
        (b"null", True),
        (b"[]", True),
        (b'{"event":1}', True),
        (b'{"channel":"a"}', True),
        (b'{"event":"update","channel":7}', True),
        (b'{"event":"update","channel":"a","data":' + DEEP + b"}", True),
        (text_of("update", "a", DEEP.decode()), True),
        (text_of("update", "a", "x").replace(b"x", b"\\u005b" * 300), True),
        (text_of("pusher:connection_established", data="[]"), False),
        (text_of("update"), False),
        (text_of("pusher:unheard"), False),
        (text_of("pusher_internal:of", "a"), False),
        (b'{"event":"update","channel":"a","data":NaN}', False),
    ],
)
def test_what_means_nothing(text: bytes, is_bad: bool) -> None:
    pusher = connected("a")
    (odd,) = pusher.receive(text, 1.0)
    if b"NaN" in text:  # the payload's own business
        assert isinstance(odd, Message)
        return
    assert isinstance(odd, Odd) and odd.is_bad == is_bad
    assert pusher.channels == {"a": SUBSCRIBING}


@pytest.mark.parametrize(
    "data", ["", "no", "[]", {}, {"socket_id": 7}, {"socket_id": ""}]
)
def test_a_greeting_that_is_none(data: Any) -> None:
    pusher = Pusher()
    pusher.opened(0.0)
    text = text_of("pusher:connection_established", data=data)
    (odd,) = pusher.receive(text, 1.0)
    assert isinstance(odd, Odd) and odd.is_bad
    assert pusher.next_deadline == 30.0


@pytest.mark.parametrize(
    "text",
    [
        text_of("pusher:pong"),
        text_of("pusher:cache_miss", "a"),
        text_of("pusher_internal:subscription_count", "a", '{"subscription_count":2}'),
        text_of("pusher:subscription_error", "b", {}),
        succeeded("b"),
        text_of("pusher_internal:member_added", "b", {"user_id": "1"}),
        text_of("pusher_internal:member_added", "a", {"user_id": "1"}),
        text_of("pusher_internal:member_added", "a", {"user_id": {}}),
        text_of("pusher_internal:member_removed"),
    ],
)
def test_what_is_of_no_interest(text: bytes) -> None:
    assert connected("a").receive(text, 1.0) == ()


def test_answers_that_nobody_asked_for() -> None:
    pusher = connected("private-a")
    for text in (
        succeeded("private-a"),
        text_of("pusher:subscription_error", "private-a", {}),
    ):
        (odd,) = pusher.receive(text, 1.0)
        assert isinstance(odd, Odd) and pusher.channels == {"private-a": AUTHORISING}


def test_success_twice() -> None:
    pusher = connected("a")
    assert pusher.receive(succeeded("a"), 1.0) == (Subscribed("a"),)
    assert pusher.receive(succeeded("a"), 1.0) == ()


# Addresses and codes


@pytest.mark.parametrize(
    ("codes", "action"),
    [
        ([4000], CloseAction.TLS),
        ([4001, 4009, 4099], CloseAction.STOP),
        ([4100, 4199], CloseAction.PAUSE),
        ([4200, 4201, 4299], CloseAction.AT_ONCE),
        ([4300, 4301, 4999], CloseAction.STOP),
        ([1000, 1001, 1002, 1003, 1004, 1006, 1011, 3999], CloseAction.BACK_OFF),
    ],
)
def test_close_codes(codes: list[int], action: CloseAction) -> None:
    assert {close_action(code) for code in codes} == {action}


@pytest.mark.parametrize(
    ("host", "tls", "url"),
    [
        ("ws.example", True, "wss://ws.example:443/app/k%2F?e"),
        ("127.0.0.1", False, "ws://127.0.0.1:443/app/k%2F?e"),
        ("::1", False, "ws://[::1]:443/app/k%2F?e"),
    ],
)
def test_the_url(host: str, tls: bool, url: str) -> None:
    given = connection_url(host, 443, "k/", tls=tls, client="c d", version="1")
    assert given == url.replace("?e", "?protocol=7&client=c+d&version=1")


def test_a_subscription_that_is_never_answered() -> None:
    pusher = connected("a")
    assert not pusher.tick(29.9)
    pusher.subscribe("b")
    assert pusher.next_deadline is not None and pusher.next_deadline <= 29.9
    pusher.tick(29.9)  # now it knows when that was
    assert pusher.next_deadline == 30.0
    (refused,) = pusher.tick(30.0)
    assert refused == Refused("a", "no answer in 30 s", 408)
    assert pusher.channels == {"a": REFUSED, "b": SUBSCRIBING}
    assert pusher.next_deadline == pytest.approx(59.9)
    pusher.take_texts()
    pusher.retry("a")
    assert sent(pusher) == [("pusher:subscribe", {"channel": "a"})]
    pusher.tick(31.0)
    assert pusher.receive(text_of("update", "b", "{}"), 40.0)  # as good as an answer
    assert pusher.next_deadline == 61.0
    (refused,) = pusher.tick(61.0)
    assert refused == Refused("a", "no answer in 30 s", 408)
    succeed(pusher, "a", 62.0)  # late, and still good
    assert pusher.next_deadline == 182.0


def test_nothing_is_awaited_of_what_is_wanted_no_more() -> None:
    pusher = connected("a", "b")
    pusher.unsubscribe("a")
    pusher.closed()
    pusher.opened(1.0)
    pusher.receive(greeting(), 1.0)
    pusher.unsubscribe("b")
    assert not pusher.tick(31.0) and pusher.next_deadline == 121.0


def test_a_refusal_is_told_once() -> None:
    pusher = connected("a")
    error = text_of("pusher:subscription_error", "a", {"status": 503})
    assert pusher.receive(error, 1.0) == (Refused("a", '{"status": 503}', 503),)
    assert not pusher.receive(error, 2.0)
    pusher.retry("a")
    assert pusher.receive(error, 3.0)


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "1e-7"])
def test_halves_of_surrogates_cost_no_digit(number: str) -> None:
    inner = '{ "a\\"b" : "\\ud83d", "n" : 7, "l": [1.10, {}] }'.replace("7", number)
    outer = (
        '{"data": 0.5, "event" : "update","x":{"data":1}, "data" :7\t,"channel":"a"}'
    )
    outer = outer.replace("7", inner)
    (message,) = connected("a").receive(outer.encode(), 1.0)
    assert message == Message("a", "update", inner)
