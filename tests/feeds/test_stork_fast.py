"""The protocol without a socket: URLs, requests, and messages that are no data."""

from __future__ import annotations

import json
from typing import Any, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.feeds.stork_fast import (
    MAIN_URL,
    Channel,
    Meaning,
    MessageType,
    Reply,
    asset_set,
    connection_url,
    period_ns,
    read_reply,
    subscribe_frames,
    unsubscribe_frames,
)
from codec.feeds.words import shown

CHANNELS = get_args(Channel)

# Channels and message types


@pytest.mark.parametrize(
    ("channel", "period"),
    [
        ("10ms", 10_000_000),
        ("20ms", 20_000_000),
        ("50ms", 50_000_000),
        ("100ms", 100_000_000),
        ("500ms", 500_000_000),
        ("1s", 1_000_000_000),
        ("real_time", None),
    ],
)
def test_periods(channel: str, period: int | None) -> None:
    assert period_ns(channel) == period


def test_every_channel_of_the_type_has_a_period() -> None:
    assert len(CHANNELS) == 7
    for channel in CHANNELS:
        period_ns(channel)


@pytest.mark.parametrize("channel", ["", "10", "10MS", "realtime", "real_time ", None])
def test_no_channel(channel: Any) -> None:
    with pytest.raises(ValueError, match=r"channel is one of 10ms, .*real_time, not"):
        period_ns(channel)
    with pytest.raises(ValueError, match="channel is one of"):
        connection_url(MAIN_URL, channel, "unsigned")


@pytest.mark.parametrize("message_type", ["", "signed", "SIGNED_ECDSA", None])
def test_no_message_type(message_type: Any) -> None:
    with pytest.raises(ValueError, match="message_type is 'unsigned' or"):
        connection_url(MAIN_URL, "1s", message_type)


# URLs


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("message_type", get_args(MessageType))
@pytest.mark.parametrize("market_status", [False, True])
def test_the_main_url(channel: str, message_type: str, market_status: bool) -> None:
    url = connection_url(MAIN_URL, channel, message_type, market_status=market_status)
    expected = f"{MAIN_URL}?channel={channel}&message_type={message_type}"
    assert url == expected + ("&addtl_attrs=ms" if market_status else "")


OURS = "channel=1s&message_type=unsigned"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://127.0.0.1:8080/ws", f"ws://127.0.0.1:8080/ws?{OURS}"),
        ("ws://localhost", f"ws://localhost/ws?{OURS}"),
        ("wss://localhost:1", f"wss://localhost:1/ws?{OURS}"),
        ("ws://h/", f"ws://h/?{OURS}"),
        ("ws://h/other/path", f"ws://h/other/path?{OURS}"),
        ("ws://[::1]:9/ws", f"ws://[::1]:9/ws?{OURS}"),
        ("WSS://Host.Example/Ws", f"wss://Host.Example/Ws?{OURS}"),
        ("ws://h/ws?", f"ws://h/ws?{OURS}"),
        ("ws://h/ws?a=1", f"ws://h/ws?a=1&{OURS}"),
        ("ws://h?a=1", f"ws://h/ws?a=1&{OURS}"),
        ("ws://h/ws?a=1&b=2&a=3", f"ws://h/ws?a=1&b=2&a=3&{OURS}"),
        ("ws://h/ws?empty=&x=", f"ws://h/ws?empty=&x=&{OURS}"),
        ("ws://h/ws?q=a%26b%3Dc", f"ws://h/ws?q=a%26b%3Dc&{OURS}"),
        ("ws://h/ws?q=%2B+%C3%BC", f"ws://h/ws?q=%2B+%C3%BC&{OURS}"),
        ("ws://h/ws?Channel=x", f"ws://h/ws?Channel=x&{OURS}"),
        ("ws://h/a%20b", f"ws://h/a%20b?{OURS}"),
    ],
)
def test_what_is_kept_of_a_url(url: str, expected: str) -> None:
    assert connection_url(url, "1s", "unsigned") == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h",
        "h/ws",
        "//h/ws",
        "http://h/ws",
        "https://h/ws",
        "wsss://h/ws",
        "ws:h",
        "ws:/h",
        "ws://",
        "ws:///ws",
        "ws://:80/ws",
        "ws://[::1",
        "ws://[nonsense]/ws",
        "ws://h:99999/ws",
        "ws://h:-1/ws",
        "ws://h:port/ws",
        "ws://two words/ws",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        connection_url(url, "1s", "unsigned")


@pytest.mark.parametrize(
    "url",
    ["ws://name:secret@h/ws", "wss://secret@h/ws", "ws://@h/ws", "ws://:secret@h:1"],
)
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="use `token`") as raised:
        connection_url(url, "1s", "unsigned")
    assert "secret" not in str(raised.value)


def test_a_refused_url_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="wss://host") as raised:
        connection_url("https://h/ws?key=secret", "1s", "unsigned")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("channel=1s", "channel"),
        ("channel=", "channel"),
        ("channel", "channel"),
        ("%63hannel=10ms", "channel"),
        ("message_type=unsigned", "message_type"),
        ("addtl_attrs=ms", "addtl_attrs"),
        ("a=1&message_type=x&b=2&channel=y", "channel, message_type"),
    ],
)
@pytest.mark.parametrize("market_status", [False, True])
def test_what_the_arguments_say_the_url_does_not(
    query: str, names: str, market_status: bool
) -> None:
    with pytest.raises(ValueError, match=f"the URL's {names}: use the arguments"):
        connection_url(
            f"ws://h/ws?{query}", "1s", "unsigned", market_status=market_status
        )


PARAMETERS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
        st.text(st.characters(codec="utf-8"), max_size=8),
    ),
    max_size=5,
)


@given(PARAMETERS, st.sampled_from(CHANNELS))
def test_parameters_are_kept_whatever_they_are(
    parameters: list[tuple[str, str]], channel: str
) -> None:
    url = connection_url(f"ws://h/ws?{urlencode(parameters)}", channel, "signed_ecdsa")
    parts = urlsplit(url)
    assert parse_qsl(parts.query, keep_blank_values=True) == [
        *parameters,
        ("channel", channel),
        ("message_type", "signed_ecdsa"),
    ]
    assert url.isascii() and " " not in url


# Requests


def test_exact_requests() -> None:
    assert list(subscribe_frames([34, 1, 10, 2])) == [
        b'{"type":"subscribe","assets":[1,2,10,34]}'
    ]
    assert list(unsubscribe_frames([10, 2, 1])) == [
        b'{"type":"unsubscribe","assets":[1,2,10]}'
    ]


@pytest.mark.parametrize("frames", [subscribe_frames, unsubscribe_frames])
def test_nothing_to_ask_for_is_no_request(frames: Any) -> None:
    assert list(frames([])) == []


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(1, [1]), (999, [999]), (1000, [1000]), (1001, [1000, 1]),
     (65536, [1000] * 65 + [536])],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
def test_large_requests_are_cut(kind: str, n: int, sizes: list[int]) -> None:
    frames = {"subscribe": subscribe_frames, "unsubscribe": unsubscribe_frames}[kind]
    texts = list(frames(range(n)))
    asked = [json.loads(text) for text in texts]
    assert [len(each["assets"]) for each in asked] == sizes
    assert [asset for each in asked for asset in each["assets"]] == list(range(n))
    assert {each["type"] for each in asked} == {kind}
    assert all(set(each) == {"type", "assets"} for each in asked)
    assert max(map(len, texts)) < 8000


@given(st.lists(st.integers(0, 0xFFFF), max_size=50))
def test_ids_are_asked_for_once_and_in_order(assets: list[int]) -> None:
    asked = [json.loads(text) for text in subscribe_frames(assets)]
    assert [asset for each in asked for asset in each["assets"]] == sorted(set(assets))


@pytest.mark.parametrize(
    "assets",
    [
        [0, 65535],
        (0, 65535),
        {0, 65535},
        frozenset({0, 65535}),
        {0: "a", 65535: "b"},
        iter([65535, 0, 0]),
        np.array([0, 65535], np.uint16),
        np.array([65535, 0], np.int64),
        [np.uint16(65535), np.int8(0)],
    ],
    ids=lambda assets: type(assets).__name__,
)
def test_ids_in_any_iterable(assets: Any) -> None:
    ids = asset_set(assets)
    assert ids == {0, 65535}
    assert all(type(asset) is int for asset in ids)


@pytest.mark.parametrize("asset", [-1, 65536, 1 << 64, -(1 << 70), np.int64(65536)])
def test_ids_out_of_range(asset: Any) -> None:
    for check in (asset_set, lambda ids: list(subscribe_frames(ids))):
        with pytest.raises(ValueError, match=f"0 to 65535, not {asset}"):
            check([1, asset])


@pytest.mark.parametrize("asset", ["1", b"1", 1.0, None, True, False, [1], np.True_])
def test_ids_that_are_no_integers(asset: Any) -> None:
    for check in (asset_set, lambda ids: list(unsubscribe_frames(ids))):
        with pytest.raises(TypeError):
            check([1, asset])


@pytest.mark.parametrize("assets", [1, None, 1.5, "12"])
def test_what_are_no_ids_at_all(assets: Any) -> None:
    with pytest.raises(TypeError):
        asset_set(assets)


# Answers


def begins(message: bytes) -> str:
    return shown(message)


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize(
    ("rest", "assets"),
    [
        ('"assets":[1,2,10,34]', (1, 2, 10, 34)),
        ('"assets":[]', ()),
        ('"data":[1,2]', (1, 2)),
        ('"assets":[3],"data":[1,2]', (3,)),
        ('"status":"ok"', ()),
        ('"assets":null', ()),
        ('"assets":"1,2"', ()),
        ('"assets":{"1":2}', ()),
        ('"assets":[1,true,2.5,"3",null,[4],5]', (1, 5)),
        ('"assets":[7],"error":null', (7,)),
        ('"assets":[7],"error":false', (7,)),
        ('"assets":[7],"error":""', (7,)),
    ],
)
def test_acknowledgements(kind: str, rest: str, assets: tuple[int, ...]) -> None:
    message = f'{{"type":"{kind}",{rest}}}'.encode()
    reply = Reply(Meaning.ACKNOWLEDGEMENT, kind, begins(message), assets)
    assert read_reply(message) == reply


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (b'{"type":"error","error":"no such asset"}', "error", "no such asset"),
        (b'{"type":"error","message":"too many"}', "error", "too many"),
        (b'{"type":"error","error":"a","message":"b"}', "error", "a"),
        (b'{"error":"bad token"}', "", "bad token"),
        (b'{"type":"subscribe","error":"unknown id"}', "subscribe", "unknown id"),
        (b'{"type":"whatever","error":"x"}', "whatever", "x"),
        (b'{"type":5,"error":"x"}', "", "x"),
        (b' \t{ "error" : "x" }\r\n', "", "x"),
        (b'{"error":"\\u00fc"}', "", "ü"),
        ('{"error":"ü"}'.encode(), "", "ü"),
        (b'{"type":"error"}', "error", None),
        (b'{"type":"error","code":5}', "error", None),
        (b'{"type":"error","error":{"code":5}}', "error", None),
        (b'{"type":"error","message":["x"]}', "error", None),
        (b'{"error":{"code":5,"reason":"x"}}', "", None),
        (b'{"error":404}', "", None),
        (b'{"error":true}', "", None),
    ],
)
def test_errors(message: bytes, kind: str, text: str | None) -> None:
    expected = begins(message) if text is None else text
    assert read_reply(message) == Reply(Meaning.ERROR, kind, expected)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (b'{"type":"heartbeat"}', "heartbeat"),
        (b'{"type":"Subscribe","assets":[1]}', "Subscribe"),
        (b'{"type":"status","message":"all is well"}', "status"),
        (b'{"type":null}', ""),
        (b'{"type":["error"]}', ""),
        (b'{"type":{}}', ""),
        (b'{"message":"x"}', ""),
        (b"{}", ""),
        (b"", ""),
        (b"null", ""),
        (b"[1,2]", ""),
        (b'"error"', ""),
        (b"NaN", ""),
        (b"{", ""),
        (b'{"type":"error"', ""),
        (b'{"error":"x"}}', ""),
        (b'{"error":"\x01"}', ""),
        (b"<html>502</html>", ""),
        (b"\xff\xfe\x00", ""),
        (b'{"\xff":1}', ""),
        (b'{"error":"\xff"}', ""),
        (b"\x00" * 50, ""),
        (b"1" * 5000, ""),
        (b'{"error":' + b"1" * 5000 + b"}", ""),
        (b'{"type":"error","n":' + b"9" * 10_000 + b"}", ""),
    ],
)
def test_unknown_messages(message: bytes, kind: str) -> None:
    assert read_reply(message) == Reply(Meaning.UNKNOWN, kind, begins(message))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"error":[', b"[{}, [", b"[[]"])
@pytest.mark.parametrize("n", [100, 1000, 5000, 60_000, 1_000_000])
def test_deep_nesting(opening: bytes, n: int) -> None:
    message = (opening * n)[:n]
    assert read_reply(message) == Reply(Meaning.UNKNOWN, "", begins(message))
    closed = b'{"a":' + b"[" * (n // 2) + b"]" * (n // 2) + b',"error":"x"}'
    assert read_reply(closed).meaning in (Meaning.ERROR, Meaning.UNKNOWN)


def test_a_huge_message_is_not_read() -> None:
    padded = b'{"error":"x","pad":"%s"}'
    assert read_reply(padded % (b" " * 60_000)).meaning is Meaning.ERROR
    huge = padded % (b" " * 50_000_000)
    assert read_reply(huge) == Reply(Meaning.UNKNOWN, "", begins(huge))


@pytest.mark.parametrize(
    "message",
    [
        b'{"error":"' + b"x" * 60_000 + b'"}',
        b'{"type":"error","message":"' + b"x" * 60_000 + b'"}',
        b'{"type":"' + b"x" * 60_000 + b'"}',
        b'{"type":"' + b"x" * 60_000 + b'","error":"y"}',
        b'{"type":"subscribe","assets":[' + b"1," * 9000 + b"1]}",
        b"x" * 60_000,
        b"\xff" * 60_000,
    ],
    ids=["error", "message", "type", "type and error", "assets", "text", "no UTF-8"],
)
def test_texts_are_short(message: bytes) -> None:
    reply = read_reply(message)
    assert len(reply.text) <= 800 and len(reply.type) <= 200


@pytest.mark.parametrize(
    "message",
    [
        b'{"error":"\\ud800"}',
        b'{"type":"\\udfff"}',
        b'{"type":"\\udc80","error":"x"}',
        b"\xed\xa0\x80",
    ],
)
def test_texts_can_be_written(message: bytes) -> None:
    reply = read_reply(message)
    (reply.type + reply.text).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "error", "message", "assets", "data"])
            | st.text(max_size=3),
            inner | st.sampled_from(["subscribe", "unsubscribe", "error"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


def check_reply(message: bytes) -> None:
    reply = read_reply(message)
    assert isinstance(reply.meaning, Meaning)
    assert isinstance(reply.type, str) and isinstance(reply.text, str)
    assert all(type(asset) is int for asset in reply.assets)
    assert reply.meaning is Meaning.ACKNOWLEDGEMENT or reply.assets == ()


@given(st.binary(max_size=300))
def test_no_bytes_raise(message: bytes) -> None:
    check_reply(message)


@given(JSON, st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-8-sig"]))
def test_no_json_raises(value: Any, encoding: str) -> None:
    check_reply(json.dumps(value).encode(encoding))


@given(JSON, st.data())
def test_no_damaged_json_raises(value: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check_reply(bytes(text))
