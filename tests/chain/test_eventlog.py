"""Events of the chain; tests/feeds/test_events.py shows the log that they share."""

from __future__ import annotations

import asyncio
import logging
from itertools import count

import pytest

from codec.chain import ChainEvent, ChainEventKind, ChainEvents

FAILED, STATE = ChainEventKind.NODE_FAILED, ChainEventKind.STATE


class Clock:
    """Seconds that pass when they are told to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def new_events(clock: Clock | None = None) -> ChainEvents:
    """Events whose times are 1, 2, 3, ..., two of a kind in a second."""
    times = count(1)
    return ChainEvents(
        per_second=2, now_ns=lambda: next(times), monotonic=clock or Clock()
    )


def test_what_an_event_holds() -> None:
    events = new_events()
    events.emit(FAILED, "no connection", place="http://node:1", rest_s=0.5)
    events.emit(STATE, "pending", state="pending")
    first, second = events
    assert isinstance(first, ChainEvent)
    assert (first.kind, first.time_ns, first.place) == (FAILED, 1, "http://node:1")
    assert first.data == {"rest_s": 0.5}
    assert str(first) == "node_failed: no connection [http://node:1]"
    assert str(second) == "state: pending"


def test_kinds_are_their_names() -> None:
    for kind in ChainEventKind:
        assert str(kind) == kind.name.lower()


def test_failures_of_nodes_are_limited_and_nothing_else_is() -> None:
    clock = Clock()
    events = new_events(clock)
    for i in range(5):
        events.emit(FAILED, str(i))
    for kind in set(ChainEventKind) - {FAILED}:
        for _ in range(5):
            events.emit(kind, "x")
    assert events.counts == dict.fromkeys(ChainEventKind, 5)
    kinds = [event.kind for event in events]
    assert kinds.count(FAILED) == 2
    assert {kinds.count(kind) for kind in ChainEventKind} == {2, 5}
    clock.now_s += 1
    events.emit(FAILED, "later")
    assert list(events)[-1].data == {"suppressed": 3}


def test_events_are_logged_at_their_kinds_level_or_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = new_events()
    with caplog.at_level(logging.DEBUG, "codec.chain"):
        events.emit(FAILED, "a")
        events.emit(ChainEventKind.WRONG_CHAIN, "b")
        events.emit(STATE, "c")
        events.emit(STATE, "d", level=logging.ERROR)
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "node_failed: a"),
        ("ERROR", "wrong_chain: b"),
        ("INFO", "state: c"),
        ("ERROR", "state: d"),
    ]


def test_a_listener_and_a_reader_get_each_event() -> None:
    async def main() -> None:
        events = new_events()
        heard: list[str] = []
        events.listen(lambda event: heard.append(event.text))

        async def read() -> list[str]:
            return [event.text async for event in events]

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        events.emit(STATE, "a")
        events.emit(STATE, "b")
        events.close()
        assert await reader == heard == ["a", "b"]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_who_listens_no_more_is_not_called() -> None:
    events, heard = new_events(), list[ChainEvent]()
    events.listen(heard.append)
    events.emit(STATE, "first")
    events.unlisten(heard.append)
    events.emit(STATE, "second")
    assert [event.text for event in heard] == ["first"]
    with pytest.raises(ValueError, match="not in list"):
        events.unlisten(heard.append)
