"""What the reader does about each fault that the simulator has a switch for.

Wherever it can be known what reached the socket, all of it must be delivered, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from following import (
    IDS,
    Reader,
    by_hand,
    event_of,
    kinds,
    odd,
    publish,
    publishing,
    reader_of,
    reasons,
    sent,
    subscribed,
)
from live import run, until

from codec.errors import FeedAuthError, FeedProtocolError
from codec.feeds import ConnectionSettings, EventKind, State
from codec.simulator.faults import SWITCHES

MiB = 1 << 20
BROKEN = "closed with code 1006: the connection broke"
CASES: dict[str, list[Callable[[], Awaitable[None]]]] = {}
# Notices the end of everything soon.
IMPATIENT = ConnectionSettings(
    reconnect_delays_s=(0.001, 0.01), ping_after_s=0.1, pong_timeout_s=0.1
)


def case(
    work: Callable[[], Awaitable[None]],
) -> Callable[[], Awaitable[None]]:
    """Registers what a switch does; the name is that of the switch, and what of it."""
    name = work.__name__.strip("_").partition("__")[0]
    CASES.setdefault(name, []).append(work)
    return work


@pytest.mark.parametrize("name", SWITCHES)
def test_switch(name: str) -> None:
    assert name in CASES, f"nothing says what the reader does about {name}"

    async def all_of_them() -> None:
        for work in CASES[name]:
            await work()

    run(all_of_them())  # type: ignore[arg-type]


def test_no_case_without_a_switch() -> None:
    assert CASES.keys() == SWITCHES.keys()


def _tells_every_gap(reader: Reader) -> None:
    """The ticks that passed between two connections, and nothing else, are events."""
    ticks = np.array(reader.timestamps, np.uint64) // 10_000_000
    steps = np.diff(ticks)
    stats = reader.feed.stats
    assert stats.missing_ticks == int((steps - 1).sum())
    assert stats.gaps == int(np.count_nonzero(steps > 1))
    assert set(kinds(reader.feed)) <= {"gap"}


# Connections that end: all that was sent before is delivered, and the next one has the
# same subscription.


@case
async def cut() -> None:
    async with by_hand() as simulator, publishing(simulator):
        async with Reader(reader_of(simulator)) as reader:
            simulator.faults.cut = 7
            await until(lambda: len(simulator.history) >= 6)
            simulator.faults.cut = None
            await subscribed(simulator)
        assert reader.messages == sent(simulator)
        assert set(reasons(reader.feed)) == {BROKEN}
        assert reader.feed.stats.reconnects == len(simulator.history) - 1
        _tells_every_gap(reader)


@case
async def cut__reset() -> None:
    async with by_hand() as simulator, publishing(simulator):
        async with Reader(reader_of(simulator)) as reader:
            simulator.faults.cut = (7, "reset")
            await until(lambda: len(simulator.history) >= 6)
            simulator.faults.cut = None
            await until(lambda: simulator.history[-1].n_sent > 8)
        # A reset discards what the kernel held: of each connection, the beginning.
        position = 0
        for connection in simulator.history:
            for message in connection.sent:
                if reader.messages[position : position + 1] != [message]:
                    break
                position += 1
        assert position == len(reader.messages)
        assert reader.messages[-8:] == simulator.history[-1].sent[-8:]


async def _close(value: Any, reason: str) -> None:
    async with by_hand() as simulator:
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
            await publish(simulator, 20)
            simulator.faults.close = value
            await until(lambda: len(simulator.history) == 2)
            await subscribed(simulator)
            await publish(simulator, 20)
            await reader.has_all_of(simulator)
            assert len(reader.messages) == 40
        assert reasons(reader.feed) == [reason]
        closed = simulator.history[0].close_code
        assert closed == int(reason.split("code ")[1].split(":")[0])
        assert kinds(reader.feed) == []


@case
async def close() -> None:
    await _close(True, "closed with code 1000")
    await _close(1012, "closed with code 1012")
    await _close((4001, "elsewhere"), "closed with code 4001: elsewhere")


@case
async def half_frame() -> None:
    """Then nothing: it is the silence that ends the connection."""
    async with by_hand() as simulator:
        async with Reader(reader_of(simulator, silence=0.2)) as reader:
            await subscribed(simulator)
            async with publishing(simulator):
                simulator.faults.half_frame = 9
                await until(lambda: len(simulator.history) == 2)
                simulator.faults.half_frame = None
                await subscribed(simulator)
            await reader.has_all_of(simulator)
        assert len(simulator.history[0].sent) == 9
        assert reasons(reader.feed)[0].startswith("no valid data for 0.")


@case
async def half_frame__cut() -> None:
    async with by_hand() as simulator, publishing(simulator):
        async with Reader(reader_of(simulator)) as reader:
            simulator.faults.half_frame = (5, "cut")
            await until(lambda: len(simulator.history) == 4)
            simulator.faults.half_frame = None
            await subscribed(simulator)
        assert reader.messages == sent(simulator)
        assert set(reasons(reader.feed)) == {BROKEN}
        _tells_every_gap(reader)


async def _refused(name: str, value: Any, code: int, reason: str, **how: Any) -> None:
    """Something ends a connection behind n messages, by our own objection."""
    settings = ConnectionSettings(
        reconnect_delays_s=(0.001, 0.01), max_message_len=MiB, **how
    )
    async with by_hand() as simulator:
        async with Reader(reader_of(simulator, connection=settings)) as reader:
            await subscribed(simulator)
            await publish(simulator, 20)
            setattr(simulator.faults, name, value)
            await until(lambda: len(simulator.history) == 2)
            await subscribed(simulator)
            await publish(simulator, 20)
            await reader.has_all_of(simulator)
            assert len(reader.messages) == 40
        assert reason in reasons(reader.feed)[0]
        assert len(reasons(reader.feed)) == 1
        assert simulator.history[0].close_code == code
        assert kinds(reader.feed) == []


@case
async def garbage() -> None:
    await _refused("garbage", True, 1002, "")


@case
async def bomb() -> None:
    await _refused("bomb", 64 * MiB, 1009, "more than 1048576 bytes")
    await _refused("bomb", 64 * MiB, 1002, "a reserved bit", deflate=False)


@case
async def oversize() -> None:
    await _refused("oversize", 64 * MiB, 1009, "")
    await _refused("oversize", MiB + 1, 1009, "", deflate=False)


@case
async def error_message() -> None:
    async with by_hand() as simulator:
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
            await publish(simulator, 3)
            simulator.faults.error_message = "market is closed"
            await publish(simulator, 3)
            await reader.has_all_of(simulator)
        (event,) = odd(reader.feed)
        assert event.kind is EventKind.SERVER_ERROR and event.connection == 0
        assert event.text == "error: market is closed"
        assert reader.feed.stats.not_data == 2  # and the acknowledgement
        assert reader.feed.stats.bad == 0 and reasons(reader.feed) == []


# Messages that are not what they should be.


@case
async def garbage_text() -> None:
    async with by_hand() as simulator:
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
            await publish(simulator, 10)
            simulator.faults.garbage_text = 12
            await publish(simulator, 22)
            await reader.has(20)
            assert reader.messages == sent(simulator)[:10] + sent(simulator)[22:]
            stats = reader.feed.stats
            assert (stats.bad, stats.not_data, stats.messages) == (12, 1, 20)
        *bad, gap = odd(reader.feed)
        assert {(event.kind, event.connection) for event in bad} == {("bad_message", 0)}
        assert len(bad) == 12
        assert gap.kind is EventKind.GAP and gap.data["amount"] == 12  # nobody saw them
        assert reasons(reader.feed) == []


async def _bad_signatures(name: str, policy: str) -> None:
    async with by_hand() as simulator:
        feed = reader_of(simulator, signers=simulator.signer, on_bad_signature=policy)
        async with Reader(feed) as reader:
            await subscribed(simulator)
            setattr(simulator.faults, name, 5)
            await publish(simulator, 15)
            good = sent(simulator)[5:]
            expected = sent(simulator) if policy == "mark" else good
            await reader.has(len(expected))
            assert reader.messages == expected
            assert feed.stats.bad_signatures == 5
            assert feed.stats.bad == 0
        assert bool(reader.raised) == (policy == "raise")
        assert feed.events.counts[EventKind.BAD_SIGNATURE] == 5
        assert set(kinds(feed)) == {"bad_signature"}


@case
async def wrong_key() -> None:
    for policy in ("raise", "mark", "drop"):
        await _bad_signatures("wrong_key", policy)


@case
async def high_s() -> None:
    for policy in ("raise", "mark", "drop"):
        await _bad_signatures("high_s", policy)


async def _noticed(name: str, value: Any, expected: list[dict[str, Any]]) -> None:
    """All messages are delivered, and these are the events."""
    async with by_hand() as simulator:
        feed = reader_of(simulator, clock_ns=lambda: simulator._time_ns())
        async with Reader(feed) as reader:
            await subscribed(simulator)
            await publish(simulator, 5)
            setattr(simulator.faults, name, value)
            await publish(simulator, 10)
            await reader.has_all_of(simulator)
        found = [
            {"kind": str(event.kind)}
            | {k: event.data[k] for k in wanted if k != "kind"}
            for event, wanted in zip(odd(feed), expected, strict=True)
        ]
        assert found == expected
        assert reasons(feed) == []


@case
async def taxonomy_change() -> None:
    await _noticed(
        "taxonomy_change",
        3,
        [
            {"kind": "taxonomy_change", "taxonomy_id": 2, "amount": 1},
            {"kind": "taxonomy_change", "taxonomy_id": 1, "amount": 2},
        ],
    )


@case
async def duplicate_asset() -> None:
    event = {"kind": "duplicate_asset", "asset_id": IDS[0], "amount": 2}
    await _noticed("duplicate_asset", 3, [event] * 3)


@case
async def backwards() -> None:
    """By ten seconds, less the tick that it is. The ticks that they stood for never
    came."""
    event = {"kind": "backwards", "amount": 9_990_000_000}
    await _noticed("backwards", 3, [event, {"kind": "gap", "amount": 3}])


@case
async def future() -> None:
    """By a minute and, as the reader's clock stands, the ticks that came before."""
    await _noticed(
        "future",
        3,
        [{"kind": "future", "amount": 60 * 10**9 + 10_000_000 * i} for i in range(5, 8)]
        + [{"kind": "gap", "amount": 3}],
    )


@case
async def skip_ticks() -> None:
    await _noticed("skip_ticks", 7, [{"kind": "gap", "amount": 7}])


@case
async def burst() -> None:
    await _noticed("burst", 4, [])


# States.


@case
async def silence() -> None:
    """Pings are answered, so it is the missing data that ends the connection."""
    async with by_hand() as simulator:
        feed = reader_of(simulator, silence=0.3, connection=IMPATIENT)
        async with Reader(feed) as reader, publishing(simulator):
            await until(lambda: len(reader.messages) > 10)
            simulator.faults.silence = True
            await until(lambda: len(simulator.history) == 3)
            simulator.faults.silence = False
            await until(lambda: simulator.connections[-1].n_sent > 10)
        assert reader.messages == sent(simulator)
        assert all(text.startswith("no valid data for 0.") for text in reasons(feed))
        assert simulator.history[0].pings_received > 0


@case
async def withhold_pong() -> None:
    async with by_hand() as simulator:
        feed = reader_of(simulator, silence=30.0, connection=IMPATIENT)
        async with Reader(feed) as reader:
            simulator.faults.withhold_pong = True
            async with publishing(simulator):  # what is heard is alive
                await until(lambda: len(reader.messages) > 300)
            assert reasons(feed) == []
            await until(lambda: len(simulator.history) == 2)
            assert "no answer to a ping" in reasons(feed)[0]
            simulator.faults.withhold_pong = False
            await subscribed(simulator)
            n = len(simulator.history)
            await asyncio.sleep(0.5)  # pings are answered: that is enough
            assert len(simulator.history) == n
        assert reader.messages == sent(simulator)


@case
async def slow() -> None:
    """Frames arrive in pieces of 7 bytes, and are whole."""
    async with by_hand() as simulator, Reader(reader_of(simulator)) as reader:
        await subscribed(simulator)
        simulator.faults.slow = 7
        await publish(simulator, 10)
        await until(lambda: len(reader.messages) >= 2)
        assert len(reader.messages) < 10
        simulator.faults.slow = None
        await until(lambda: len(sent(simulator)) == 10)
        await reader.has_all_of(simulator)
        assert kinds(reader.feed) == reasons(reader.feed) == []


@case
async def fragment() -> None:
    for deflate in (False, True):
        async with by_hand(deflate=deflate) as simulator:
            async with Reader(reader_of(simulator)) as reader:
                await subscribed(simulator)
                simulator.faults.fragment = 5
                await publish(simulator, 50)
                simulator.faults.fragment = None
                await publish(simulator, 50)
                await reader.has_all_of(simulator)
            assert kinds(reader.feed) == reasons(reader.feed) == []


@case
async def stall() -> None:
    """The connection gets no answer and no data: another is made."""
    async with by_hand() as simulator:
        simulator.faults.stall = 0
        async with (
            Reader(reader_of(simulator, silence=0.2)) as reader,
            publishing(simulator),
        ):
            await until(lambda: len(reader.messages) > 10)
        assert reader.messages == simulator.history[1].sent
        assert "no valid data" in reasons(reader.feed)[0]


@case
async def silent_asset() -> None:
    async with by_hand() as simulator:
        feed = reader_of(simulator, absent_after=0.4)
        async with Reader(feed) as reader, publishing(simulator, pause_s=0.01):
            simulator.faults.silent_asset = 3
            gone = await event_of(feed, EventKind.ASSET_ABSENT)
            assert gone.data["assets"] == (3,)
            assert feed.states == (State.CONNECTED,)
            simulator.faults.silent_asset = None
            back = await event_of(feed, EventKind.ASSET_BACK)
            assert back.data["assets"] == (3,)
        assert kinds(feed) == ["asset_absent", "asset_back"]
        assert reader.messages == sent(simulator)


@case
async def slow_consumer() -> None:
    """A reader that does not read is closed by the server, and comes back."""
    settings = ConnectionSettings(
        reconnect_delays_s=(0.001, 0.01), receive_buffer_len=4096, deflate=False
    )
    async with by_hand() as simulator:
        feed = reader_of(simulator, connection=settings, max_queue_len=8192)
        simulator.faults.slow_consumer = 10_000
        async with feed:
            await subscribed(simulator)
            while simulator.connections:
                await publish(simulator, 1)
            assert feed.stats.queued > 0
            reader = Reader(feed)
            reading = asyncio.create_task(reader._read())
            await until(lambda: len(simulator.history) == 2)
            await subscribed(simulator)
            await publish(simulator, 5)
            await reader.has_all_of(simulator)
        await reading
        assert reasons(feed)[0] == "closed with code 1013: too slow"


@case
async def status() -> None:
    async with by_hand() as simulator:
        simulator.faults.status = 401
        async with Reader(reader_of(simulator)) as reader:
            await until(lambda: reader.failure is not None)
        assert isinstance(reader.failure, FeedAuthError)
        assert len(simulator.attempts) == 1

        simulator.faults.status = (503, 3)
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
            await publish(simulator, 5)
            await reader.has_all_of(simulator)
        assert reasons(reader.feed) == ["HTTP 503: Service Unavailable"] * 3

        simulator.faults.status = (429, 1, 1)
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
        assert reasons(reader.feed) == ["HTTP 429: Too Many Requests"]
        refused, accepted = simulator.attempts[-2:]
        assert accepted.time - refused.time >= 1.0


@case
async def redirect() -> None:
    async with by_hand() as elsewhere, by_hand() as simulator:
        simulator.faults.redirect = elsewhere.url
        async with Reader(reader_of(simulator)) as reader:
            await until(lambda: reader.failure is not None)
        assert isinstance(reader.failure, FeedProtocolError)
        assert "redirects are not followed" in str(reader.failure)
        assert elsewhere.attempts == []


@case
async def require_deflate() -> None:
    async with by_hand() as simulator:
        simulator.faults.require_deflate = True
        async with Reader(reader_of(simulator)) as reader:
            await subscribed(simulator)
            await publish(simulator, 20)
            await reader.has_all_of(simulator)
            stats = reader.feed.stats
            assert 0 < stats.wire_bytes < stats.bytes
        without = ConnectionSettings(deflate=False)
        async with Reader(reader_of(simulator, connection=without)) as reader:
            await until(lambda: reader.failure is not None)
        assert isinstance(reader.failure, FeedProtocolError)
        assert "permessage-deflate must be offered" in str(reader.failure)
