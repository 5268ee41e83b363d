"""Which messages came before, against a slow account of the same rule."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import KEY, TIMESTAMP, message, payload

import codec
from codec.feeds.duplicates import Seen

OTHER_KEY = bytes(31) + b"\x07"
ENTRY: dict[str, Any] = {"id": 1, "v": "5"}
FIELDS: dict[str, Any] = {"type": "unsigned", "tax": 1, "ts": TIMESTAMP, "a": [ENTRY]}


def unsigned(**changes: Any) -> bytes:
    return json.dumps(FIELDS | changes).encode()


SIGNED = {
    "signed": message(),
    "another value": message(1, timestamp_ns=TIMESTAMP),
    "another time": message(timestamp_ns=TIMESTAMP + 1),
    "another taxonomy": message(taxonomy_id=2),
    "another key": message(key=OTHER_KEY),
    "no signature": message(key=None),
    "layout 2": message(market_status=[1, 1]),
    "layout 2, another status": message(market_status=[1, 0]),
    "no assets": message(assets=0),
    "no assets, another time": message(assets=0, timestamp_ns=TIMESTAMP + 1),
    "no assets, another taxonomy": message(assets=0, taxonomy_id=2),
}
UNSIGNED = {
    "unsigned": unsigned(),
    "unsigned, another value": unsigned(a=[ENTRY | {"v": "-5"}]),
    "unsigned, a value of 2^64 more": unsigned(a=[ENTRY | {"v": str(5 + 2**64)}]),
    "unsigned, another time": unsigned(ts=TIMESTAMP + 1),
    "unsigned, another taxonomy": unsigned(tax=2),
    "unsigned, another asset": unsigned(a=[ENTRY | {"id": 2}]),
    "unsigned, with a status": unsigned(a=[ENTRY | {"ms": 1}]),
    "unsigned, twice the entry": unsigned(a=[ENTRY, ENTRY]),
    "unsigned, two": unsigned(a=[ENTRY, ENTRY | {"id": 2}]),
    "unsigned, two the other way round": unsigned(a=[ENTRY | {"id": 2}, ENTRY]),
    "unsigned, no assets": unsigned(a=[]),
    "unsigned, no assets, another time": unsigned(a=[], ts=TIMESTAMP + 1),
    "unsigned, no assets, another taxonomy": unsigned(a=[], tax=2),
}
ALL = [*SIGNED.values(), *UNSIGNED.values()]


def batch_of(messages: list[bytes], first_ns: int = 0) -> codec.Batch:
    """As it is received: each at a time of its own."""
    lines = [b"%d %s\n" % (first_ns + i, text) for i, text in enumerate(messages)]
    return codec.decode_lines(b"".join(lines))


def new(seen: Seen, messages: list[bytes]) -> list[bool]:
    result = seen.new(batch_of(messages))
    assert result.dtype == bool and result.shape == (len(messages),)
    return result.tolist()


class Slow:
    """The same, with whole messages in a list."""

    def __init__(self, n_kept: int) -> None:
        self.n_kept = n_kept
        self.kept: list[object] = []

    def new(self, messages: list[bytes]) -> list[bool]:
        result = []
        for text in messages:
            result.append(text not in self.kept)
            if result[-1]:
                self.kept.append(text)
        self.kept = self.kept[-self.n_kept :]
        return result


BATCHES = st.lists(st.lists(st.sampled_from(ALL), max_size=8), max_size=12)


@given(BATCHES)
def test_against_a_slow_memory(batches: list[list[bytes]]) -> None:
    seen, slow = Seen(), Slow(1000)
    for messages in batches:
        assert new(seen, messages) == slow.new(messages)


@given(BATCHES, st.integers(1, 7))
def test_against_a_slow_memory_that_forgets(
    batches: list[list[bytes]], n_kept: int
) -> None:
    seen, slow = Seen(n_kept), Slow(n_kept)
    for messages in batches:
        assert new(seen, messages) == slow.new(messages)
        assert len(slow.kept) <= n_kept


def test_all_of_these_are_different() -> None:
    seen = Seen()
    assert new(seen, ALL) == [True] * len(ALL)
    assert new(seen, ALL) == [False] * len(ALL)
    assert len(set(ALL)) == len(ALL) == 24


@pytest.mark.parametrize("text", ALL, ids=[*SIGNED, *UNSIGNED])
def test_each_is_new_once(text: bytes) -> None:
    seen = Seen()
    assert new(seen, [text, text]) == [True, False]
    assert new(seen, [text]) == [False]


@pytest.mark.parametrize(
    "text",
    [
        payload().hex().encode(),
        b"0x" + payload().hex().upper().encode(),
        b' { "p" : "0x%s" , "type" : "signed_ecdsa" } ' % payload().hex().encode(),
        b'{"type":"signed_ecdsa","new":[1],"p":"%s"}' % payload().hex().encode(),
    ],
)
def test_a_payload_is_the_same_in_any_form(text: bytes) -> None:
    assert new(Seen(), [message(), text]) == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(dict(reversed(FIELDS.items())), indent=1).replace("\n", "\r"),
        json.dumps(FIELDS | {"seq": 5}),
        json.dumps(FIELDS | {"a": [{"v": "5", "id": 1}]}),
        json.dumps(FIELDS | {"a": [ENTRY | {"ms": 255}]}),
        json.dumps(FIELDS).replace('"5"', '"\\u0035"'),
    ],
)
def test_rows_are_the_same_in_any_form(text: str) -> None:
    assert new(Seen(), [unsigned(), text.encode()]) == [True, False]


def test_a_signature_alone_makes_the_difference() -> None:
    good = payload()
    bad = bytes([good[0] ^ 1]) + good[1:]
    frames = [codec.to_frame(each) for each in (good, bad, good, bad)]
    assert new(Seen(), frames) == [True, True, False, False]


def test_the_receive_time_does_not_count() -> None:
    seen = Seen()
    for first_ns in (0, 5, TIMESTAMP):
        result = seen.new(batch_of([message(), unsigned()], first_ns))
        assert result.all() == (first_ns == 0) and result.any() == result.all()


def test_the_oldest_are_forgotten() -> None:
    seen = Seen(3)
    texts = [message(i) for i in range(6)]
    assert new(seen, texts[:3]) == [True] * 3
    assert new(seen, texts[:3]) == [False] * 3  # the order stays
    assert new(seen, texts[3:4]) == [True]
    assert new(seen, texts[1:4]) == [False] * 3
    assert new(seen, texts[:1]) == [True]
    assert new(seen, texts[2:4]) == [False, False]
    assert new(seen, texts[1:2]) == [True]


def test_a_batch_is_compared_with_itself_whatever_its_size() -> None:
    texts = [message(i) for i in range(50)]
    assert new(Seen(3), texts + texts) == [True] * 50 + [False] * 50


def test_no_more_are_kept_than_said() -> None:
    seen = Seen(100)
    for i in range(0, 1000, 10):
        new(seen, [message(i + j) for j in range(10)])
        assert len(seen._digests) == min(i + 10, 100)


def test_two_minutes_of_the_fastest_channel_are_kept() -> None:
    """At 1,000 messages/s."""
    seen = Seen()
    first = [unsigned(a=[], ts=i) for i in range(10_000)]
    assert all(new(seen, first))
    for start in range(10_000, 120_000, 10_000):
        new(seen, [unsigned(a=[], ts=start + i) for i in range(10_000)])
    assert not any(new(seen, first))


def test_an_empty_batch() -> None:
    assert new(Seen(), []) == []


def test_what_is_left_is_what_is_new() -> None:
    seen = Seen()
    seen.new(batch_of([message(0), message(2)]))
    batch = batch_of([message(i) for i in range(4)])
    left = batch.select(seen.new(batch))
    stamps = (left.messages["timestamp_ns"] - np.uint64(TIMESTAMP)) // np.uint64(10**7)
    assert stamps.tolist() == [1, 3]
    assert left.payload(1) == payload(3, key=KEY)
