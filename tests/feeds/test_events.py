"""Events: kept, listened to, waited for, logged, and not too many of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import FrozenInstanceError
from itertools import count
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.feeds import events as module
from codec.feeds.events import Event, EventKind, Events, State

T = TypeVar("T")
GAP, STALE, STATE = EventKind.GAP, EventKind.STALE, EventKind.STATE
OTHERS = [kind for kind in EventKind if kind not in (STATE, EventKind.OUTAGE)]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def new_events(**arguments: Any) -> Events:
    """Events whose times are 1, 2, 3, ..."""
    times = count(1)
    return Events(now_ns=lambda: next(times), **arguments)


def emit(events: Events, *texts: object, kind: EventKind = GAP) -> None:
    for text in texts:
        events.emit(kind, str(text))


def emit_states(events: Events, *texts: object) -> None:
    """Events that are never suppressed."""
    for text in texts:
        events.emit(STATE, str(text), state=State.CONNECTED)


def texts_of(events: Events) -> list[str]:
    return [event.text for event in events]


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 30))


# One event


def test_what_an_event_holds() -> None:
    events = new_events()
    events.emit(GAP, "three ticks", connection=1, amount=3, taxonomy_id=5)
    (event,) = events
    assert isinstance(event, Event)
    assert (event.kind, event.time_ns, event.connection) == (GAP, 1, 1)
    assert event.data == {"amount": 3, "taxonomy_id": 5}
    assert {event: "hashable"}
    assert str(event) == "gap: three ticks [connection 1]"


def test_an_event_of_the_whole_feed() -> None:
    events = new_events()
    events.emit(STALE, "too old")
    (event,) = events
    assert event.connection is None and event.data == {}
    assert str(event) == "stale: too old"
    events.emit(STALE, "again", connection=0)
    assert str(list(events)[1]) == "stale: again [connection 0]"


def test_an_event_does_not_change() -> None:
    event = Event(GAP, 1, None, "x")
    with pytest.raises(FrozenInstanceError):
        event.text = "y"  # type: ignore[misc]


def test_kinds_and_states_are_their_names() -> None:
    for kind in EventKind:
        assert str(kind) == kind.name.lower() == f"{kind}"
    for state in State:
        assert str(state) == state.name.lower() == f"{state}"


def test_the_clock_is_asked_for_each_event() -> None:
    events = new_events()
    emit(events, *"abc")
    assert [event.time_ns for event in events] == [1, 2, 3]


# Those that are kept


@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 17])
def test_the_last_ones_are_kept(n: int) -> None:
    events = new_events(capacity=5)
    emit_states(events, *range(n))
    assert texts_of(events) == [str(i) for i in range(n)][-5:]
    assert len(events) == min(n, 5)


def test_a_thousand_are_kept_unless_said_otherwise() -> None:
    events = new_events()
    emit_states(events, *range(1500))
    assert texts_of(events) == [str(i) for i in range(500, 1500)]
    assert events.counts == {STATE: 1500}


def test_events_that_come_while_iterating_do_no_harm() -> None:
    events = new_events()
    emit_states(events, *range(10))
    seen = []
    for event in events:
        seen.append(event.text)
        emit_states(events, "new")
    assert seen == [str(i) for i in range(10)]


# Counting and limiting


def test_of_one_kind_some_are_let_through_in_a_second(clock: Clock) -> None:
    events = new_events(per_second=3)
    emit(events, *range(10))
    assert texts_of(events) == ["0", "1", "2"]
    assert events.counts == {GAP: 10}
    clock.now_s += 0.999
    emit(events, 10)
    assert len(events) == 3
    clock.now_s += 0.001
    emit(events, 11, 12, 13, 14)
    assert texts_of(events)[3:] == ["11", "12", "13"]
    suppressed = [event.data.get("suppressed") for event in events]
    assert suppressed == [None, None, None, 8, None, None]
    assert events.counts == {GAP: 15}
    clock.now_s += 5
    emit(events, 15)
    assert list(events)[-1].data == {"suppressed": 1}


def test_kinds_do_not_limit_one_another() -> None:
    events = new_events(per_second=2)
    for kind in OTHERS:
        emit(events, *range(3), kind=kind)
    assert Counter(event.kind for event in events) == dict.fromkeys(OTHERS, 2)
    assert events.counts == dict.fromkeys(OTHERS, 3)


def test_outages_are_never_suppressed() -> None:
    events = new_events(per_second=1)
    emit(events, *range(50), kind=EventKind.OUTAGE)
    assert len(events) == events.counts[EventKind.OUTAGE] == 50


def test_states_are_never_suppressed() -> None:
    events = new_events(per_second=1)
    emit_states(events, *range(50))
    assert len(events) == 50
    assert all("suppressed" not in event.data for event in events)


def test_an_event_stands_for_several(clock: Clock) -> None:
    events = new_events(per_second=1)
    for n in (5, 7, 11):
        events.emit(STALE, "x", n=n, messages=n)
    assert events.counts == {STALE: 23}
    clock.now_s += 1
    events.emit(STALE, "y", n=2, messages=2)
    assert list(events)[1].data == {"messages": 2, "suppressed": 18}
    assert events.counts == {STALE: 25}


def test_what_has_not_happened_counts_nothing() -> None:
    events = new_events()
    assert events.counts[GAP] == 0 and len(events) == 0 and list(events) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0.1, 0.5, 1, 3]),  # seconds that pass before
        st.sampled_from([GAP, STALE, STATE]),
        st.integers(1, 9),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 4), st.integers(1, 6))
def test_the_limit_against_a_slow_one(
    steps: list[tuple[float, EventKind, int]], per_second: int, capacity: int
) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", clock)
        events = new_events(per_second=per_second, capacity=capacity)
        kept: list[tuple[EventKind, str, int]] = []
        windows: dict[EventKind, list[float]] = defaultdict(list)
        suppressed: Counter[EventKind] = Counter()
        counts: Counter[EventKind] = Counter()
        for i, (pause_s, kind, n) in enumerate(steps):
            clock.now_s += pause_s
            events.emit(kind, str(i), n=n, state=State.CONNECTING)
            counts[kind] += n
            if windows[kind] and clock.now_s - windows[kind][0] >= 1:
                windows[kind] = []
            windows[kind].append(clock.now_s)
            if kind is STATE or len(windows[kind]) <= per_second:
                kept.append((kind, str(i), suppressed.pop(kind, 0)))
            else:
                suppressed[kind] += n
        assert events.counts == counts
        assert [
            (event.kind, event.text, event.data.get("suppressed", 0))
            for event in events
        ] == kept[-capacity:]


# Listening


def test_listeners_are_called_in_order_with_each_event() -> None:
    events = new_events()
    emit(events, "before")
    heard: list[tuple[str, str]] = []
    events.listen(lambda event: heard.append(("one", event.text)))
    events.listen(lambda event: heard.append(("two", event.text)))
    emit(events, "a", "b")
    assert heard == [("one", "a"), ("two", "a"), ("one", "b"), ("two", "b")]


def test_listeners_hear_nothing_that_is_suppressed() -> None:
    events = new_events(per_second=2)
    heard: list[Event] = []
    events.listen(heard.append)
    emit(events, *range(9))
    assert heard == list(events) and len(heard) == 2


def test_a_listener_sees_the_event_among_those_that_are_kept() -> None:
    events = new_events()
    heard: list[list[str]] = []
    events.listen(lambda _: heard.append(texts_of(events)))
    emit(events, "a", "b")
    assert heard == [["a"], ["a", "b"]]


def test_a_listener_that_emits() -> None:
    events = new_events()

    def answer(event: Event) -> None:
        if event.kind is GAP:
            events.emit(STALE, f"after {event.text}")

    events.listen(answer)
    emit(events, "a", "b")
    assert texts_of(events) == ["a", "after a", "b", "after b"]


def test_a_listener_that_listens_hears_from_the_next_event_on() -> None:
    events = new_events()
    heard: list[str] = []
    once = iter([True])

    def listen(_: Event) -> None:
        if next(once, False):
            events.listen(lambda event: heard.append(event.text))

    events.listen(listen)
    emit(events, "a", "b")
    assert heard == ["b"]


def test_a_listener_that_raises_harms_neither_the_feed_nor_the_others() -> None:
    events = new_events()
    heard: list[Event] = []

    def fail(_: Event) -> None:
        raise RuntimeError("the listener's own fault")

    events.listen(fail)
    events.listen(heard.append)
    emit(events, "a")
    assert len(heard) == 1


# Waiting


async def collect(events: Events, n: int | None = None) -> list[str]:
    result: list[str] = []
    async for event in events:
        result.append(event.text)
        if len(result) == n:
            break
    return result


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_two_readers_get_every_new_event() -> None:
    async def main() -> None:
        events = new_events()
        emit_states(events, "old")
        readers = [asyncio.create_task(collect(events)) for _ in range(2)]
        await settle()
        emit_states(events, "a")
        await settle()
        emit_states(events, "b", "c")
        await settle()
        emit_states(events, "d")
        events.close()
        assert [await reader for reader in readers] == [["a", "b", "c", "d"]] * 2

    run(main())


def test_a_reader_that_comes_later_gets_what_is_new_then() -> None:
    async def main() -> None:
        events = new_events()
        first = asyncio.create_task(collect(events))
        await settle()
        emit_states(events, "a")
        await settle()
        second = asyncio.create_task(collect(events))
        await settle()
        emit_states(events, "b")
        events.close()
        assert (await first, await second) == (["a", "b"], ["b"])

    run(main())


def test_a_reader_that_leaves_disturbs_no_other() -> None:
    async def main() -> None:
        events = new_events()
        one = asyncio.create_task(collect(events, 1))
        cancelled = asyncio.create_task(collect(events))
        stays = asyncio.create_task(collect(events))
        await settle()
        cancelled.cancel()
        emit_states(events, "a")
        assert await one == ["a"]
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        emit_states(events, "b")
        events.close()
        assert await stays == ["a", "b"]

    run(main())


@pytest.mark.parametrize("n", [4, 5, 6, 20])
def test_a_slow_reader_misses_what_is_no_longer_kept(n: int) -> None:
    async def main() -> None:
        events = new_events(capacity=5)
        reader = asyncio.create_task(collect(events))
        await settle()
        emit_states(events, *range(n))
        events.close()
        assert await reader == [str(i) for i in range(n)][-5:]

    run(main())


def test_events_that_come_while_a_reader_is_busy_come_next() -> None:
    async def main() -> None:
        events = new_events()
        seen: list[str] = []

        async def read() -> None:
            async for event in events:
                seen.append(event.text)
                if event.text in "ab":
                    emit_states(events, event.text + "+")
                await asyncio.sleep(0)

        reader = asyncio.create_task(read())
        await settle()
        emit_states(events, "a", "b")
        await settle()
        events.close()
        await reader
        assert seen == ["a", "b", "a+", "b+"]

    run(main())


def test_the_same_reader_may_begin_anew() -> None:
    async def main() -> None:
        events = new_events()
        for text in "abc":
            reader = asyncio.create_task(collect(events, 1))
            await settle()
            emit_states(events, text)
            assert await reader == [text]

    run(main())


def test_suppressed_events_wake_nobody() -> None:
    async def main() -> None:
        events = new_events(per_second=1)
        reader = asyncio.create_task(collect(events))
        await settle()
        emit(events, "a", "b", "c")
        await settle()
        assert not reader.done()
        events.close()
        assert await reader == ["a"]

    run(main())


def test_closing_ends_every_reader_once_it_has_read() -> None:
    async def main() -> None:
        events = new_events()
        readers = [asyncio.create_task(collect(events)) for _ in range(3)]
        await settle()
        events.close()
        events.close()
        assert await asyncio.gather(*readers) == [[], [], []]
        emit_states(events, "after")
        assert await collect(events) == []
        assert texts_of(events) == ["after"]

    run(main())


def test_what_came_before_the_end_is_read_by_a_busy_reader_as_well() -> None:
    async def main() -> None:
        events = new_events()
        seen: list[str] = []

        async def read() -> None:
            async for event in events:
                seen.append(event.text)
                if event.text == "a":
                    emit_states(events, "b")
                    events.close()

        reader = asyncio.create_task(read())
        await settle()
        emit_states(events, "a")
        await reader
        assert seen == ["a", "b"]

    run(main())


def test_readers_that_give_up_leave_nothing_behind() -> None:
    async def main() -> None:
        events = new_events()
        for _ in range(100):
            reader = asyncio.create_task(collect(events))
            await settle()
            reader.cancel()
            await asyncio.wait([reader])
        assert len(events._waiters) <= 1

    run(main())


# Logging

LEVELS: list[tuple[EventKind, dict[str, object], int]] = [
    (STATE, {"state": State.DISCONNECTED}, logging.INFO),
    (STATE, {"state": State.CONNECTING}, logging.INFO),
    (STATE, {"state": State.CONNECTED}, logging.INFO),
    (STATE, {"state": State.RECONNECTING}, logging.WARNING),
    (STATE, {"state": State.FAILED}, logging.ERROR),
    (EventKind.ACKNOWLEDGED, {}, logging.DEBUG),
    (EventKind.SERVER_ERROR, {}, logging.ERROR),
    (EventKind.UNKNOWN_MESSAGE, {}, logging.WARNING),
    (EventKind.BAD_MESSAGE, {}, logging.WARNING),
    (EventKind.BAD_SIGNATURE, {}, logging.WARNING),
    (EventKind.BAD_PUBLISHER, {}, logging.WARNING),
    (EventKind.STALE, {}, logging.WARNING),
    (EventKind.OVERFLOW, {}, logging.WARNING),
    (EventKind.GAP, {}, logging.WARNING),
    (EventKind.BACKWARDS, {}, logging.WARNING),
    (EventKind.FUTURE, {}, logging.WARNING),
    (EventKind.TAXONOMY_CHANGE, {}, logging.WARNING),
    (EventKind.DUPLICATE_ASSET, {}, logging.WARNING),
    (EventKind.ASSET_ABSENT, {}, logging.WARNING),
    (EventKind.ASSET_BACK, {}, logging.INFO),
    (EventKind.CLOCK_JUMP, {}, logging.WARNING),
    (EventKind.REFUSED, {}, logging.ERROR),
    (EventKind.OUTAGE, {}, logging.WARNING),
    (EventKind.MEMBER, {}, logging.DEBUG),
]


def test_the_table_of_levels_is_whole() -> None:
    assert {kind for kind, _, _ in LEVELS} == set(EventKind)
    assert [data["state"] for kind, data, _ in LEVELS if kind is STATE] == list(State)


@pytest.mark.parametrize(
    ("kind", "data", "level"),
    LEVELS,
    ids=[f"{kind} {data.get('state', '')}".strip() for kind, data, _ in LEVELS],
)
def test_levels(
    kind: EventKind,
    data: dict[str, object],
    level: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = new_events()
    with caplog.at_level(logging.DEBUG, "codec.feeds"):
        events.emit(kind, "a text with % in it", connection=2, **data)
    (record,) = caplog.records
    (event,) = events
    assert (record.name, record.levelno) == ("codec.feeds", level)
    assert record.getMessage() == f"{kind}: a text with % in it [connection 2]"
    assert SimpleNamespace(**vars(record)).event is event


def test_what_is_suppressed_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    events = new_events(per_second=2)
    with caplog.at_level(logging.DEBUG, "codec.feeds"):
        emit(events, *range(9))
    assert [record.getMessage() for record in caplog.records] == ["gap: 0", "gap: 1"]
