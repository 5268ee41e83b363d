"""The aggregator's protocol without a socket: URLs, requests, prices, answers."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.feeds.replies import Meaning, Reply
from codec.feeds.stork_aggregator import (
    MAIN_URL,
    asset_names,
    connection_url,
    read_reply,
    signed_price,
    signed_prices_frame,
    subscribe_frames,
    unsubscribe_frames,
)
from codec.feeds.words import shown


@pytest.mark.parametrize("kind", ["evm", "stark"])
@pytest.mark.parametrize("action", ["subscribe", "publish"])
@pytest.mark.parametrize("end", ["", "/"])
def test_the_main_url(kind: str, action: str, end: str) -> None:
    expected = f"{MAIN_URL}/{kind}/{action}"
    assert connection_url(MAIN_URL + end, kind, action) == expected
    assert connection_url(expected, kind, action) == expected


def test_paths_and_parameters_are_kept() -> None:
    for url in ("ws://a:1/b/c?d=1&e=", "wss://[::1]:9/x/evm/subscribe"):
        assert connection_url(url, "evm", "subscribe") == url
    expected = "ws://a/evm/subscribe?d=1"
    assert connection_url("ws://a?d=1", "evm", "subscribe") == expected


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a", "a Stork aggregator URL is ws://"),
        ("ws://", "a Stork aggregator URL is ws://"),
        ("ws://a:0", "a Stork aggregator URL is ws://"),
        ("ws://a b", "printable ASCII"),
        ("ws://ä", "printable ASCII"),
        ("ws://me:secret@a", "no credentials"),
        ("ws://a#b", "no fragment"),
        ("ws://a/evm/publish", "path is /evm/publish, and /evm/subscribe is"),
        ("ws://a/x/stark/subscribe/", "path is /stark/subscribe"),
    ],
)
def test_no_url(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        connection_url(url, "evm", "subscribe")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("kind", "action"), [("rsa", "publish"), ("evm", "read")])
def test_no_kind_or_action(kind: str, action: str) -> None:
    with pytest.raises(ValueError, match=r"'evm' or 'stark'|'subscribe' or 'publish'"):
        connection_url(MAIN_URL, kind, action)


# Names.


def test_names_in_any_iterable() -> None:
    for names in (
        ["a", "b"],
        ("b", "a", "a"),
        {"a", "b"},
        {"a": 1, "b": 2},
        iter("ab"),
    ):
        assert asset_names(names) == {"a", "b"}
    assert asset_names([]) == set()
    assert asset_names(iter(["b", "a"])) == {"a", "b"}
    assert asset_names(np.array(["a", "b"])) == {"a", "b"}


@pytest.mark.parametrize("names", ["BTCUSD", b"BTC", [1], [None], [b"a"], 5, [["a"]]])
def test_names_of_a_wrong_type(names: Any) -> None:
    with pytest.raises(TypeError):
        asset_names(names)
    with pytest.raises(TypeError):
        list(subscribe_frames(names))


@pytest.mark.parametrize("name", ["", "\ud800", "x" * 1025, "ü" * 513])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        asset_names(["a", name])
    assert asset_names(["ü" * 512]) == {"ü" * 512}


# Requests.


def test_requests() -> None:
    assert list(subscribe_frames(["ETHUSD", "BTCUSD"])) == [
        b'{"type":"subscribe","data":["BTCUSD","ETHUSD"]}'
    ]
    assert list(unsubscribe_frames(["a"], trace_id="t1")) == [
        b'{"type":"unsubscribe","trace_id":"t1","data":["a"]}'
    ]
    assert list(subscribe_frames([])) == []


@given(st.sets(st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)))
def test_every_name_is_asked_for_once(names: set[str]) -> None:
    frames = list(subscribe_frames(names))
    asked = [json.loads(frame)["data"] for frame in frames]
    assert list(itertools.chain.from_iterable(asked)) == sorted(names)


def test_requests_stay_small() -> None:
    frames = list(subscribe_frames(f"ASSET{i}" for i in range(5000)))
    assert [len(json.loads(frame)["data"]) for frame in frames] == [500] * 10
    frames = list(subscribe_frames("x" * 1000 + str(i) for i in range(100)))
    assert max(map(len, frames)) < 17 << 10


def test_prices() -> None:
    message = {"external_asset_id": "A", "price": "5"}
    entry = signed_price("abcde", "clock", message)
    expected = {
        "oracle_id": "abcde",
        "asset_id": "A",
        "trigger": "clock",
        "signed_price": {"external_asset_id": "A", "price": "5", "metadata": {}},
    }
    assert entry == expected
    text = signed_prices_frame({"A": entry}, trace_id="t")
    assert json.loads(text) == {
        "type": "signed_prices",
        "trace_id": "t",
        "data": {"A": expected},
    }
    assert b" " not in text


# Answers.


@pytest.mark.parametrize(
    ("rest", "assets"),
    [
        ('"data":["a","b"]', ("a", "b")),
        ('"data":["a",1,null,true,["c"]]', ("a",)),
        ('"data":[]', ()),
        ('"data":{"a":1}', ()),
    ],
)
def test_acknowledgements(rest: str, assets: tuple[str, ...]) -> None:
    message = f'{{"type":"subscribe",{rest}}}'.encode()
    reply = Reply(Meaning.ACKNOWLEDGEMENT, "subscribe", shown(message), assets)
    assert read_reply(message) == reply


def test_errors_and_the_rest() -> None:
    error = read_reply(b'{"type":"signed_prices","error":"no such asset"}')
    assert error == Reply(Meaning.ERROR, "signed_prices", "no such asset")
    assert read_reply(b'{"type":"invalid"}').meaning is Meaning.UNKNOWN
    assert read_reply(b"\xff").meaning is Meaning.UNKNOWN
