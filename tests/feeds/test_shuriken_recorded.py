"""What a recording of Shuriken's streams says of channels and events."""

from __future__ import annotations

import pytest

from codec.feeds.shuriken.recorded import channels_of, is_event

SESSION = (
    b'{"event":"stork-codec:session","data":{"subscriptions":['
    b'{"stream":"s","filter":{"a":"1"},"channel":"c1","event":"update"},'
    b'{"stream":"s","filter":{"a":"2"},"channel":"c2","event":"update"}]}}'
)


def test_the_newest_channel_of_each_stream_and_filter() -> None:
    later = SESSION.replace(b'"c2"', b'"c9"')
    texts = [SESSION, b'{"event":"update","channel":"c1","data":"{}"}', later]
    assert channels_of(texts) == [("s", {"a": "1"}, "c1"), ("s", {"a": "2"}, "c9")]


@pytest.mark.parametrize(
    "text",
    [
        SESSION[:60],
        SESSION[:-20],
        b'{"event":"stork-codec:session","data":{"subscriptions":3}}',
        b'{"event":"stork-codec:session","data":{"subscriptions":[3,{},{"stream":1}]}}',
        b'{"event":"stork-codec:session","data":' + b"[" * 5000,
    ],
)
def test_sessions_that_are_none(text: bytes) -> None:
    assert channels_of([text]) == [] and not is_event(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"event":"update","channel":"c","data":"{}"}', True),
        (b'{"data":{"event": "pusher:ping"},"event":"update","channel":"c"}', True),
        (b'{"channel":"c","event":"update","data":"pusher_internal:x"}', True),
        (b'{"event": "pusher:pong", "data": {}}', False),
        (b'{"event":"pusher_internal:subscription_succeeded","channel":"c"}', False),
        (b'{"event":"pusher:error"', False),
        (SESSION, False),
    ],
)
def test_events_and_the_protocol(text: bytes, expected: bool) -> None:
    assert is_event(text) is expected
