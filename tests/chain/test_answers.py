"""Answers of nodes: every body is an answer or a fault with a text."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.chain import answers
from codec.chain.answers import BadAnswer, NodesError, Result, clean, read_answer
from codec.chain.endpoints import Failure
from codec.chain.exchange import Reply
from codec.chain.judging import judge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.just(7) | JSON,
        "result": JSON,
        "error": JSON
        | st.fixed_dictionaries({}, optional={"code": JSON, "message": JSON}),
    },
)
BODIES = (
    st.binary()
    | st.text().map(str.encode)
    | JSON.map(lambda value: json.dumps(value).encode())
    | ANSWERS.map(lambda value: json.dumps(value).encode())
)


def encoded(**answer: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 7, **answer}).encode()


@given(BODIES)
def test_any_body_is_an_answer_or_has_a_fault_in_few_words(body: bytes) -> None:
    words = "fine"
    try:
        answer = read_answer(body, 7)
    except BadAnswer as error:
        words = str(error)
    else:
        assert isinstance(answer, (Result, NodesError))
    assert 0 < len(words) < 200 and words.isprintable()


@given(BODIES, st.integers(0, 999), st.booleans(), st.none() | st.floats(0, 99))
def test_any_reply_is_judged(
    body: bytes, status: int, is_web_page: bool, retry_after_s: float | None
) -> None:
    outcome = judge(Reply(status, body, is_web_page, retry_after_s), 7)
    assert isinstance(outcome, (Result, NodesError, Failure))
    if isinstance(outcome, Failure):
        assert outcome.reason.isprintable() and len(outcome.reason) < 700
    else:
        assert status < 500 and not is_web_page


@given(JSON.filter(lambda value: value == value))
def test_a_result_comes_as_it_is(value: Any) -> None:
    try:
        body = json.dumps({"id": 7, "result": value}, allow_nan=False).encode()
    except ValueError:
        return  # NaN somewhere: no JSON
    assert read_answer(body, 7) == Result(value)


@given(JSON)
@pytest.mark.parametrize(
    "read",
    [
        answers.read_quantity,
        answers.read_bytes,
        answers.read_hash,
        answers.read_object,
        answers.read_object_or_none,
    ],
)
def test_a_reader_gives_its_type_or_a_fault(read: Any, value: Any) -> None:
    words = "fine"
    try:
        read(value)
    except BadAnswer as error:
        words = str(error)
    assert 0 < len(words) < 100 and words.isprintable()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "an empty answer"),
        (b" \n", "an empty answer"),
        (b"<html>", "a web page instead of JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"id": 7, "result"', "no JSON, or is cut off"),
        (b"{'id': 7}", "no JSON (character 1)"),
        (b"7", "a bare number, not an object"),
        (b"[]", "an array, not an object"),
        (encoded(), "neither a result nor an error"),
        (encoded(result=1, error={"code": 1}), "both a result and an error"),
        (encoded(error="busy"), "error is a text, not an object"),
        (encoded(error={"message": "x"}), "no code"),
        (encoded(error={"code": 1, "message": 2}), "no code, or a message"),
        (encoded(error={"code": True}), "no code"),
        (b'{"id": 8, "result": 1}', "another request"),
        (b'{"id": "7", "result": 1}', "another request"),
        (b'{"id": 7.0, "result": 1}', "another request"),
        (b'{"id": null, "result": 1}', "another request"),
        (b'{"result": 1}', "another request"),
        (b'{"id": 7, "result": 1, "result": 2}', "stands twice"),
        (b'{"id": 7, "result": {"a": 1, "a": 1}}', "stands twice"),
        (b'{"id": 7, "result": NaN}', "it has NaN"),
        (b'{"id": 7, "result": -Infinity}', "it has -Infinity"),
        (b'{"id": 7, "result": ' + b"1" * 5000 + b"}", "thousands of digits"),
        (b"[" * 65, "more than 64 deep"),
        (b'{"id":7,"result":' + b"[" * 64 + b"]" * 64 + b"}", "more than 64 deep"),
        (b'{"a":' * 10**6, "more than 64 deep"),
    ],
)
def test_what_is_wrong_is_said(body: bytes, words: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        read_answer(body, 7)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 200


def test_brackets_in_texts_and_side_by_side_are_not_deep() -> None:
    value = ["[" * 1000, '\\"[[[' * 100, *[[{}]] * 100]
    assert read_answer(encoded(result=value), 7) == Result(value)
    deepest: Any = 1
    for _ in range(63):
        deepest = [deepest]
    assert read_answer(encoded(result=deepest), 7) == Result(deepest)


def test_quotes_do_not_make_the_search_for_brackets_slow() -> None:
    for body in (b"[" * 64 + b'["' + b'\\"' * 10**6, b"[]" * 33 + b'"' * 10**6):
        before = time.process_time()
        with pytest.raises(BadAnswer):
            read_answer(body, 7)
        assert time.process_time() - before < 5  # else hours


def test_a_nodes_error() -> None:
    error = {"code": 3, "message": "execution\n reverted\x1b[31m", "data": "0x12"}
    assert read_answer(encoded(error=error), 7) == NodesError(
        3, "execution reverted?[31m", "0x12"
    )
    assert read_answer(encoded(error={"code": -1}), 7) == NodesError(
        -1, "no message", None
    )
    assert read_answer(encoded(error=None, result=0), 7) == Result(0)
    assert read_answer(b'{"id": null, "error": {"code": 5, "message": "x"}}', 7)


def test_a_nodes_long_words_are_cut() -> None:
    answer = read_answer(encoded(error={"code": 1, "message": "x" * 10**6}), 7)
    assert isinstance(answer, NodesError)
    assert len(answer.message) == 500 and answer.message.endswith("x...")
    assert clean("\ud800\u202e ok") == "?? ok"


def test_quantities_and_bytes() -> None:
    assert answers.read_quantity("0x0") == 0
    assert answers.read_quantity("0x" + "f" * 64) == 2**256 - 1
    assert answers.read_bytes("0x") == b""
    assert answers.read_bytes("0x00fF") == b"\x00\xff"
    assert answers.read_hash("0x" + "ab" * 32) == b"\xab" * 32
    assert answers.read_object_or_none(None) is None
    for bad in ("0x", "0xg", "1", "0x" + "f" * 65, "0x1\n", 1, True, None, 1.5):
        with pytest.raises(BadAnswer, match="instead of a hex number"):
            answers.read_quantity(bad)
    for bad in ("0x0", "00", "0xgg", "0x00\n", 1, []):
        with pytest.raises(BadAnswer, match="instead of bytes"):
            answers.read_bytes(bad)
    with pytest.raises(BadAnswer, match="not 31"):
        answers.read_hash("0x" + "ab" * 31)


# Which failures time may cure


def reply(status: int, body: bytes = b"", retry_after_s: float | None = None) -> Reply:
    return Reply(status, body, body.startswith(b"<"), retry_after_s)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", b"<html>", encoded(result="0x1")])
def test_statuses_that_time_may_cure(status: int, body: bytes) -> None:
    outcome = judge(reply(status, body, 3.0), 7)
    assert isinstance(outcome, Failure)
    assert not outcome.is_lasting and outcome.retry_after_s == 3.0
    assert outcome.is_busy == (status == 429)
    assert outcome.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize("status", [300, 302, 307, 400, 401, 403, 404, 405, 410, 413])
def test_statuses_that_last(status: int) -> None:
    for body in (b"", b"<html>", b"no", encoded(result="0x1")):
        outcome = judge(reply(status, body), 7)
        assert isinstance(outcome, Failure) and outcome.is_lasting
        assert outcome.reason.startswith(f"HTTP {status}")


def test_a_nodes_error_counts_with_a_client_errors_status() -> None:
    error = {"code": -32000, "message": "nonce too low"}
    for status in (200, 400, 404):
        outcome = judge(reply(status, encoded(error=error)), 7)
        assert outcome == NodesError(-32000, "nonce too low", None)
    outcome = judge(reply(500, encoded(error=error)), 7)
    assert isinstance(outcome, Failure) and "nonce too low [-32000]" in outcome.reason


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32005, "message": "x"},
        {"code": 429, "message": "x"},
        {"code": -32000, "message": "Too Many Requests, slow down"},
        {"code": -32000, "message": "daily rate limit reached"},
    ],
)
@pytest.mark.parametrize("status", [200, 403])
def test_a_nodes_error_of_too_many_requests_is_no_answer(
    error: dict[str, Any], status: int
) -> None:
    outcome = judge(reply(status, encoded(error=error), 2.0), 7)
    assert isinstance(outcome, Failure)
    assert outcome.is_busy and not outcome.is_lasting and outcome.retry_after_s == 2.0


def test_a_contract_that_speaks_of_rate_limits_has_reverted() -> None:
    for error in (
        {"code": 3, "message": "rate limit"},
        {"code": -32000, "message": "execution reverted: rate limit"},
    ):
        assert isinstance(judge(reply(200, encoded(error=error)), 7), NodesError)
