"""JSON logs: every event a line that parses, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from codec.feeds import EventKind, Events
from codec.feeds.logs import JsonFormatter
from codec.recording import EventKind as RecorderEventKind
from codec.recording import RecorderEvent


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("codec")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_events_of_a_feed(out: io.StringIO) -> None:
    events = Events(now_ns=lambda: 1_764_608_698_685_038_908)
    events.emit(EventKind.GAP, "3 ticks are missing", amount=3)
    events.emit(
        EventKind.BAD_MESSAGE,
        'it says "\x1b[2J\n\u00e9"',
        connection=1,
        message=b'{"\xff\n',
        what=EventKind.GAP,
        other={1, 2}.__class__,
    )
    text = out.getvalue()
    assert text.isascii() and text.count("\n") == 2 and "\x1b" not in text
    first, second = map(json.loads, text.splitlines())
    assert first == {
        "time": "2025-12-01T17:04:58.685038908Z",
        "level": "warning",
        "logger": "codec.feeds",
        "kind": "gap",
        "connection": None,
        "text": "3 ticks are missing",
        "data": {"amount": 3},
    }
    assert second["connection"] == 1
    assert second["text"] == 'it says "\x1b[2J\n\u00e9"'
    assert second["data"]["message"] == '{"\\xff\n'
    assert second["data"]["what"] == "gap"
    assert second["data"]["other"] == "<class 'set'>"


def test_events_of_a_recorder(out: io.StringIO) -> None:
    event = RecorderEvent(RecorderEventKind.LOST, None, "disk full", 5, 700)
    log = logging.getLogger("codec.recording")
    log.error("%s", event, extra={"event": event})
    fields = json.loads(out.getvalue())
    assert fields["kind"] == "lost" and fields["level"] == "error"
    assert fields["data"] == {
        "path": None,
        "reason": "disk full",
        "messages": 5,
        "bytes": 700,
    }


def test_other_records_and_exceptions(out: io.StringIO) -> None:
    log = logging.getLogger("codec.anything")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("it %s", "failed")
    (line,) = out.getvalue().splitlines()
    fields = json.loads(line)
    assert fields["text"] == "it failed" and "kind" not in fields
    assert fields["exception"].endswith("ValueError: two\nlines")
    assert fields["time"].endswith("Z")
