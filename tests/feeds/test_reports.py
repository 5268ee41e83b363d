"""What is wrong with received data, and the events that tell it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import TIMESTAMP, message, payload

import codec
from codec.dtypes import ERROR_DTYPE, NOTICE_DTYPE
from codec.errors import ErrorCode
from codec.feeds.events import Event, EventKind, Events
from codec.feeds.reports import report_assets, report_errors, report_notices
from codec.monitor import Monitor, NoticeKind

E = ErrorCode
SIGNER = codec.KnownSigner(payload()).address
OTHER_KEY = bytes(31) + b"\x07"
OF_SIGNATURES = [code for code in E if code >= E.UNSIGNED]


class Chunk(bytes):
    """Lines of a connection, as reports read them."""

    source = 0


def chunk_of(*messages: bytes, source: int = 0) -> Any:
    lines = Chunk(b"".join(b"%d %s\n" % (7 + i, m) for i, m in enumerate(messages)))
    lines.source = source
    return lines


def new_events() -> Events:
    times = count(1)
    return Events(per_second=10_000, now_ns=lambda: next(times))


def errors_of(*errors: tuple[int, int, int]) -> Any:
    """Rows of index, offset and code."""
    return np.array(list(errors), ERROR_DTYPE)


def reported(*messages: bytes, source: int = 0, **options: Any) -> list[Event]:
    """The events of messages that are really decoded."""
    lines = chunk_of(*messages, source=source)
    events = new_events()
    batch = codec.decode_lines(lines, on_error="skip", **options)
    report_errors(events, lines, batch.errors)
    return list(events)


# Messages that cannot be decoded

PLAIN = [code for code in E if code not in (E.NOT_DATA, *OF_SIGNATURES)]


@pytest.mark.parametrize("code", PLAIN, ids=str)
def test_bad_messages(code: ErrorCode) -> None:
    events = new_events()
    report_errors(events, chunk_of(b"some text"), errors_of((0, 5, code)))
    (event,) = events
    assert event.kind is EventKind.BAD_MESSAGE
    assert event.connection == 0
    assert event.text == f"{code.description} [{code.name.lower()}, byte 5]"
    assert event.data == {"code": code, "offset": 5, "message": b"some text"}
    assert type(event.data["code"]) is ErrorCode


@pytest.mark.parametrize("code", OF_SIGNATURES, ids=str)
def test_bad_signatures(code: ErrorCode) -> None:
    events = new_events()
    report_errors(events, chunk_of(message()), errors_of((0, 64, code)))
    (event,) = events
    assert event.kind is EventKind.BAD_SIGNATURE
    assert event.text == f"{code.description} [{code.name.lower()}, byte 64]"
    assert event.data == {
        "code": code,
        "offset": 64,
        "message": message()[:100],
    }


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        (b"", E.EMPTY, 0),
        (b'{"\xff":1}', E.INVALID_UTF8, 2),
        (b'{"type":"unsigned",', E.INVALID_JSON, 19),
        (b'{"a":' * 70, E.TOO_DEEP, 320),
        (b'{"type":"unsigned","tax":1,"tax":1}', E.DUPLICATE_KEY, 27),
        (b'{"type":"unsigned","tax":1}', E.MISSING_FIELD, 0),
        (b'{"type":"signed_ecdsa"}', E.MISSING_FIELD, 0),
        (b'{"type":5}', E.WRONG_TYPE, 8),
        (b'{"type":"unsigned","tax":1.5,"ts":1,"a":[]}', E.INVALID_NUMBER, 25),
        (b'{"type":"unsigned","tax":65536,"ts":1,"a":[]}', E.OUT_OF_RANGE, 25),
        (b"0xg0", E.INVALID_HEX, 2),
        (b"abc", E.ODD_HEX, 2),
        (b"00", E.INVALID_LENGTH, 2),
        (b"00" * 65 + b"ff03", E.UNKNOWN_VERSION, 132),
        (b"00" * 65 + b"ff020004", E.UNKNOWN_MASK, 134),
    ],
    ids=lambda value: str(value) if isinstance(value, ErrorCode) else "",
)
def test_faults_of_real_messages(text: bytes, code: ErrorCode, offset: int) -> None:
    (event,) = reported(message(), text, message(1))
    assert event.kind is EventKind.BAD_MESSAGE
    assert event.data == {"code": code, "offset": offset, "message": text[:100]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (message(key=OTHER_KEY), E.WRONG_SIGNER),
        (message(key=None), E.SCALAR_RANGE),
        (codec.to_frame(payload()[:64] + b"\x1b" + payload()[65:]), E.INVALID_V),
        (b'{"type":"unsigned","tax":1,"ts":1,"a":[]}', E.UNSIGNED),
    ],
    ids=lambda value: str(value) if isinstance(value, ErrorCode) else "",
)
def test_signatures_of_real_messages(text: bytes, code: ErrorCode) -> None:
    options = {"signers": SIGNER, "on_bad_signature": "drop"}
    (event,) = reported(message(), text, source=1, **options)
    assert (event.kind, event.connection) == (EventKind.BAD_SIGNATURE, 1)
    assert event.data["code"] is code and event.data["message"] == text[:100]


@pytest.mark.parametrize(("source", "connection"), [(0, 0), (3, 3), (-1, None)])
def test_connections(source: int, connection: int | None) -> None:
    for text in (b"bad", b"{}", b'{"type":"error"}'):
        (event,) = reported(text, source=source)
        assert event.connection == connection


def test_each_fault_is_told_of_its_own_line() -> None:
    texts = [message(), b"x one", b"", message(1), b"{}", message(2), b"two"]
    events = reported(*texts)
    assert [event.data.get("message") for event in events] == [
        b"x one",
        b"",
        None,
        b"two",
    ]


def test_a_long_message_is_told_by_its_beginning() -> None:
    (event,) = reported(b"x" * 100_000)
    assert event.data["message"] == b"x" * 100 and len(event.text) < 200


def test_nothing_wrong() -> None:
    assert reported(message(), message(1)) == []


# Messages that are no data


@pytest.mark.parametrize(
    ("text", "kind", "words", "assets"),
    [
        (
            b'{"type":"subscribe","assets":[1,2]}',
            EventKind.ACKNOWLEDGED,
            'subscribe: {"type":"subscribe","assets":[1,2]}',
            (1, 2),
        ),
        (
            b'{"type":"unsubscribe","assets":[3]}',
            EventKind.ACKNOWLEDGED,
            'unsubscribe: {"type":"unsubscribe","assets":[3]}',
            (3,),
        ),
        (
            b'{"type":"error","error":"no such asset"}',
            EventKind.SERVER_ERROR,
            "error: no such asset",
            (),
        ),
        (b'{"error":"no token"}', EventKind.SERVER_ERROR, "no token", ()),
        (
            b'{"type":"subscribe","error":"too many"}',
            EventKind.SERVER_ERROR,
            "subscribe: too many",
            (),
        ),
        (
            b'{"type":"hello","version":1}',
            EventKind.UNKNOWN_MESSAGE,
            'hello: {"type":"hello","version":1}',
            (),
        ),
        (b"{}", EventKind.UNKNOWN_MESSAGE, "{}", ()),
        # Fields are missing, but it says that it is an error.
        (
            b'{"type":"signed_ecdsa","error":"not permitted"}',
            EventKind.SERVER_ERROR,
            "signed_ecdsa: not permitted",
            (),
        ),
        (
            b'{"type":"unsigned","tax":1,"error":"x y"}',
            EventKind.SERVER_ERROR,
            "unsigned: x y",
            (),
        ),
    ],
)
def test_messages_that_are_no_data(
    text: bytes, kind: EventKind, words: str, assets: tuple[int, ...]
) -> None:
    (event,) = reported(message(), text, source=2)
    assert (event.kind, event.text, event.connection) == (kind, words, 2)
    assert event.data == {"type": json.loads(text).get("type", ""), "assets": assets}


# Many of them


@pytest.mark.parametrize("n", [31, 32])
def test_so_many_are_told_one_by_one(n: int) -> None:
    assert len(reported(*[b"bad"] * n)) == n


def test_the_rest_of_a_chunk_is_told_in_one() -> None:
    events = new_events()
    lines = chunk_of(*[b"bad"] * 1000)
    report_errors(events, lines, codec.decode_lines(lines, on_error="skip").errors)
    *single, last = events
    assert len(single) == 32
    assert all("message" in event.data for event in single)
    assert (last.kind, last.text) == (
        EventKind.BAD_MESSAGE,
        "and 968 more in the same chunk",
    )
    assert last.data == {"messages": 968}
    assert events.counts == {EventKind.BAD_MESSAGE: 1000}


def test_the_rest_is_of_the_same_connection() -> None:
    assert {event.connection for event in reported(*[b"bad"] * 40, source=1)} == {1}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (message(key=OTHER_KEY), EventKind.BAD_SIGNATURE),
        (b'{"type":"hello"}', EventKind.UNKNOWN_MESSAGE),
        (b'{"type":"subscribe"}', EventKind.ACKNOWLEDGED),
        (b'{"error":"x"}', EventKind.SERVER_ERROR),
    ],
)
def test_the_rest_is_no_more_than_it_is(text: bytes, kind: EventKind) -> None:
    """Only what cannot be decoded is counted as a bad message."""
    events = new_events()
    lines = chunk_of(*[text] * 100)
    batch = codec.decode_lines(
        lines, on_error="skip", signers=SIGNER, on_bad_signature="drop"
    )
    report_errors(events, lines, batch.errors)
    assert events.counts[EventKind.BAD_MESSAGE] == 0
    assert events.counts[kind] >= 32


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"{}", message()])))
def test_every_fault_is_counted_once(texts: list[bytes]) -> None:
    lines = chunk_of(*(text.replace(b"\n", b"\r") for text in texts))
    errors = codec.decode_lines(lines, on_error="skip").errors
    events = new_events()
    report_errors(events, lines, errors)
    assert events.counts.total() == len(errors)


# Notices


def notices_of(*notices: tuple[int, ...]) -> Any:
    """Rows of kind, taxonomy id, asset id, message, timestamp and amount."""
    rows = np.zeros(len(notices), NOTICE_DTYPE)
    names = ["kind", "taxonomy_id", "asset_id", "message", "timestamp_ns", "amount"]
    for row, notice in zip(rows, notices, strict=True):
        for name, value in zip(names, notice, strict=True):
            row[name] = value
    return rows


NOTICES = [
    (NoticeKind.GAP, EventKind.GAP, "ticks missing: 17"),
    (NoticeKind.BACKWARDS, EventKind.BACKWARDS, "time went back by 17 ns"),
    (NoticeKind.FUTURE, EventKind.FUTURE, "a message is from 17 ns in the future"),
    (
        NoticeKind.TAXONOMY_CHANGE,
        EventKind.TAXONOMY_CHANGE,
        "taxonomy 3 instead of 17",
    ),
    (
        NoticeKind.DUPLICATE_ASSET,
        EventKind.DUPLICATE_ASSET,
        "asset 4 stands 17 times in a message",
    ),
]


def test_every_kind_of_notice_is_in_the_table() -> None:
    assert [kind for kind, _, _ in NOTICES] == list(NoticeKind)


@pytest.mark.parametrize(("notice", "kind", "text"), NOTICES)
def test_notices(notice: NoticeKind, kind: EventKind, text: str) -> None:
    events = new_events()
    row = (notice, 3, 4, 5, TIMESTAMP, 17)
    n_gaps = report_notices(events, notices_of(row))
    assert n_gaps == (kind is EventKind.GAP)
    (event,) = events
    assert (event.kind, event.text) == (kind, text)
    expected = {"taxonomy_id": 3, "asset_id": 4, "message": 5, "amount": 17}
    assert event.data == expected | {"timestamp_ns": TIMESTAMP}
    assert all(type(value) is int for value in event.data.values())


def test_notices_keep_their_order_and_gaps_are_counted() -> None:
    events = new_events()
    kinds = [3, 1, 1, 2, 5, 1, 4]
    rows = notices_of(*((kind, 1, 2, i, TIMESTAMP, i) for i, kind in enumerate(kinds)))
    assert report_notices(events, rows) == 3
    assert [event.data["message"] for event in events] == list(range(7))
    assert events.counts[EventKind.GAP] == 3


def test_no_notices() -> None:
    events = new_events()
    assert report_notices(events, notices_of()) == 0
    assert list(events) == []


def test_the_largest_numbers() -> None:
    events = new_events()
    most = 2**64 - 1
    report_notices(events, notices_of((2, 65535, 65535, most, most, most)))
    (event,) = events
    assert event.data["amount"] == event.data["timestamp_ns"] == most


def lines_of(*messages: bytes) -> bytes:
    stamps = range(TIMESTAMP, TIMESTAMP + 10 * len(messages), 10)
    return b"".join(
        b"%d %s\n" % (stamp, text) for stamp, text in zip(stamps, messages, strict=True)
    )


@pytest.mark.parametrize(
    ("second", "kind", "amount"),
    [
        ({"i": 4}, EventKind.GAP, 3),
        ({"i": -2}, EventKind.BACKWARDS, 20_000_000),
        ({"i": 1, "taxonomy_id": 9}, EventKind.TAXONOMY_CHANGE, 1),
    ],
)
def test_what_a_monitor_notices(
    second: dict[str, int], kind: EventKind, amount: int
) -> None:
    start = TIMESTAMP // 10_000_000 * 10_000_000
    i = second.pop("i")
    texts = [
        message(timestamp_ns=start),
        message(timestamp_ns=start + 10_000_000 * i, **second),
    ]
    monitor = Monitor(period_ns=10_000_000)
    events = new_events()
    batch = codec.decode_lines(lines_of(*texts))
    report_notices(events, monitor.observe(batch))
    (event,) = [event for event in events if event.kind is kind]
    assert event.data["amount"] == amount and event.data["message"] == 1


# Assets


@pytest.mark.parametrize(
    ("assets", "words"),
    [
        ([7], "asset 7"),
        ([7, 9], "assets 7, 9"),
        (list(range(10)), "assets 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (list(range(11)), "assets 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 1 more"),
        (list(range(65536)), "assets 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 65526 more"),
    ],
)
def test_assets_that_stay_away_and_come_back(assets: list[int], words: str) -> None:
    events = new_events()
    report_assets(events, assets, [])
    report_assets(events, [], assets)
    gone, back = events
    assert (gone.kind, gone.text) == (
        EventKind.ASSET_ABSENT,
        f"no value of {words} for too long",
    )
    assert (back.kind, back.text) == (EventKind.ASSET_BACK, f"{words} came back")
    assert gone.data == back.data == {"assets": tuple(assets)}
    assert gone.connection is None


def test_assets_of_both_kinds_and_of_none() -> None:
    events = new_events()
    report_assets(events, [], [])
    assert list(events) == []
    report_assets(events, [1], [2])
    assert [event.kind for event in events] == [
        EventKind.ASSET_ABSENT,
        EventKind.ASSET_BACK,
    ]
