"""Gaps, clocks and absent assets: exactly the events that there is a reason for."""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import Any

import numpy as np
import pytest
from following import (
    IDS,
    PAST_NS,
    Reader,
    by_hand,
    event_of,
    kinds,
    odd,
    publish,
    reader_of,
    reasons,
    sent,
    subscribed,
)
from live import run, until
from virtual_time import VirtualLoop, run_virtual

import codec
from codec.feeds import ConnectionSettings, EventKind, State
from codec.simulator import Simulator

S = 10**9
HOUR = 3600 * S
CLEAN = ["connecting", "connected", "disconnected"]


def states(reader: Reader) -> list[str]:
    events = reader.feed.events
    return [str(e.data["state"]) for e in events if e.kind is EventKind.STATE]


def test_a_clean_stream_has_no_events() -> None:
    """Every fixed channel there is, and real_time, at their own pace for seconds."""

    async def main() -> None:
        async with Simulator() as simulator, asyncio.TaskGroup() as group:
            for channel in ("10ms", "20ms", "100ms", "real_time"):
                group.create_task(watch(simulator, channel))
            simulator.faults.fragment = 3

    async def watch(simulator: Simulator, channel: Any) -> None:
        feed = reader_of(
            simulator,
            channel=channel,
            signers=simulator.signer,
            taxonomy=1,
            absent_after=2.0,
            connection=ConnectionSettings(),
        )
        async with Reader(feed) as reader:
            await asyncio.sleep(3.5)
        assert kinds(feed) == [] and states(reader) == CLEAN
        assert feed.events.counts == {EventKind.STATE: 3, EventKind.ACKNOWLEDGED: 1}
        assert len(reader.messages) > 20 and feed.stats.missing_ticks == 0

    run(main())


def test_hours_of_a_clean_stream() -> None:
    """In virtual time: a tick a second, and pings never needed."""
    full = os.environ.get("CI") and not os.environ.get("CODEC_SANITIZE")
    hours = 24 if full else 1

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Simulator(time_ns=loop.time_ns, assets=[1, 2]) as simulator:
            feed = reader_of(
                simulator,
                assets=[1, 2],
                channel="1s",
                connection=ConnectionSettings(),
                clock_ns=loop.time_ns,
            )
            async with Reader(feed) as reader:
                await asyncio.sleep(3600 * hours)
                reader.messages.clear()
            n = 3600 * hours
            assert feed.stats.messages in (n - 1, n, n + 1)
            assert kinds(feed) == [] and states(reader) == CLEAN

    run_virtual(main())


def test_hours_with_an_outage_each() -> None:
    """In virtual time: what is missing is told to the tick, and nothing else is."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        dice = random.Random(8)
        async with Simulator(
            time_ns=loop.time_ns, assets=[1], keep_sent=True
        ) as simulator:
            feed = reader_of(
                simulator,
                assets=[1],
                channel="1s",
                connection=ConnectionSettings(),
                clock_ns=loop.time_ns,
            )
            async with Reader(feed) as reader:
                for _ in range(20):
                    await asyncio.sleep(dice.randint(60, 120))
                    await outage(simulator, dice)
                await asyncio.sleep(60)
            assert reader.messages == sent(simulator)
            steps = np.diff(np.array(reader.timestamps, np.uint64)) // np.uint64(S)
            assert feed.stats.missing_ticks == int((steps - 1).sum()) > 0
            assert set(kinds(feed)) == {"gap"}
            assert len(reasons(feed)) >= 8

    async def outage(simulator: Simulator, dice: random.Random) -> None:
        what = dice.choice(("cut", "silence", "status", "skip_ticks"))
        if what == "skip_ticks":
            simulator.faults.skip_ticks = dice.randint(1, 4)
        elif what == "silence":
            simulator.faults.silence = True
            await asyncio.sleep(dice.randint(1, 30))
            simulator.faults.silence = False
        else:
            simulator.faults.status = (503, dice.randint(1, 3))
            simulator.faults.cut = True

    run_virtual(main())


def test_gaps_are_counted_to_the_tick() -> None:
    async def main() -> None:
        dice = random.Random(3)
        async with by_hand() as simulator:
            feed = reader_of(simulator)
            gaps = [dice.randint(1, 1000) for _ in range(15)]
            async with Reader(feed) as reader:
                await subscribed(simulator)
                for gap in gaps:
                    await publish(simulator, dice.randint(1, 9))
                    simulator.faults.skip_ticks = gap
                    await publish(simulator, gap)
                await publish(simulator, 1)
                await reader.has_all_of(simulator)
            assert [event.data["amount"] for event in odd(feed)] == gaps
            assert (feed.stats.gaps, feed.stats.missing_ticks) == (15, sum(gaps))

    run(main())


# Clocks that are set.


@pytest.mark.parametrize("jump_s", [3600, -3600, 0.7, -0.7])
def test_the_clock_of_this_machine_is_set(jump_s: float) -> None:
    """Messages from the future are a matter of the clock they are judged by."""

    async def main() -> None:
        offset_ns = 0
        async with Simulator() as simulator:
            feed = reader_of(simulator, clock_ns=lambda: time.time_ns() + offset_ns)
            async with Reader(feed) as reader:
                await until(lambda: len(reader.messages) > 10)
                counts = feed.events.counts
                offset_ns = round(jump_s * S)
                await until(lambda: counts[EventKind.CLOCK_JUMP] == 1)
                offset_ns = 0
                await until(lambda: counts[EventKind.CLOCK_JUMP] == 2)
            jumps = [e.data["jump_s"] for e in feed.events if e.kind == "clock_jump"]
            assert jumps == [
                pytest.approx(jump_s, abs=0.2),
                pytest.approx(-jump_s, abs=0.2),
            ]
            n_future = feed.events.counts[EventKind.FUTURE]
            assert (n_future > 5) == (jump_s == -3600)
            assert states(reader) == CLEAN
            # Those from the future do not count as ticks.
            assert set(kinds(feed)) <= {"clock_jump"} | (
                {"future", "gap"} if jump_s == -3600 else set()
            )
            assert feed.stats.missing_ticks == n_future

    run(main())


def test_the_clock_is_set_back_while_messages_wait() -> None:
    """Assets are watched all the same."""

    async def main() -> None:
        offset_ns = 0
        async with by_hand() as simulator:
            feed = reader_of(
                simulator,
                absent_after=0.4,
                clock_ns=lambda: time.time_ns() + offset_ns,
            )
            async with feed:
                await subscribed(simulator)
                await publish(simulator, 3)
                await anext(feed)
                await publish(simulator, 3)
                await until(lambda: feed.stats.queued >= 3)
                offset_ns = -HOUR
                reader = Reader(feed)
                reading = asyncio.create_task(reader._read())
                simulator.faults.silent_asset = 2
                async with asyncio.timeout(15):
                    while not feed.events.counts[EventKind.ASSET_ABSENT]:
                        await publish(simulator, 1, pause_s=0.01)
            await reading
            assert kinds(feed) == ["clock_jump", "asset_absent"]

    run(main())


@pytest.mark.parametrize("jump_ns", [HOUR, -HOUR])
def test_the_clock_of_the_server_is_set(jump_ns: int) -> None:
    """And set right again: events as the rules of docs/feeds.md say."""

    async def main() -> None:
        offset_ns = 0
        async with Simulator(
            keep_sent=True, time_ns=lambda: time.time_ns() + offset_ns
        ) as simulator:
            feed = reader_of(simulator)
            async with Reader(feed) as reader:
                await until(lambda: len(reader.messages) > 10)
                offset_ns = jump_ns
                await until(lambda: len(reader.messages) > 40)
                offset_ns = 0
                await until(lambda: len(reader.messages) > 70)
                simulator.faults.silence = True
                await reader.has_all_of(simulator)
            counts = feed.events.counts
            n_off, n_missing = _by_the_rules(reader.timestamps, jump_ns)
            assert feed.stats.missing_ticks == n_missing
            if jump_ns > 0:
                assert counts[EventKind.FUTURE] == n_off > 10
                assert counts[EventKind.BACKWARDS] == 0
            else:
                assert counts[EventKind.BACKWARDS] == 1 and n_off > 10
                assert counts[EventKind.FUTURE] == 0
            assert counts[EventKind.CLOCK_JUMP] == 0
            assert states(reader) == CLEAN

    run(main())


def _by_the_rules(timestamps: list[int], jump_ns: int) -> tuple[int, int]:
    """How many messages were off, and how many ticks are missing without them."""
    period_ns, start = 10_000_000, timestamps[0]
    newest, n_off, n_missing = start, 0, 0
    for timestamp in timestamps[1:]:
        if abs(timestamp - start) > HOUR // 2:
            n_off += 1
            continue
        if timestamp > newest:
            n_missing += (timestamp - newest) // period_ns - 1
            newest = timestamp
    return n_off, n_missing


# Assets that stay away.


def test_assets_that_stay_away_and_come_back() -> None:
    """In virtual time: after absent_after and at most the second between checks."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Simulator(time_ns=loop.time_ns, assets=IDS) as simulator:
            feed = reader_of(
                simulator, channel="100ms", absent_after=10.0, clock_ns=loop.time_ns
            )
            async with Reader(feed):
                await asyncio.sleep(60)
                start_ns = loop.time_ns()
                simulator.faults.silent_asset = 3
                await asyncio.sleep(60)
                simulator.faults.silent_asset = 4  # 3 is back
                await asyncio.sleep(60)
                await feed.unsubscribe([4])  # nobody waits for it any more
                simulator.faults.silent_asset = None
                await asyncio.sleep(60)
                await feed.subscribe([4])
                await asyncio.sleep(60)
            events = [(str(e.kind), e.data["assets"]) for e in odd(feed)]
            assert events[0] == ("asset_absent", (3,))
            assert sorted(events[1:]) == [("asset_absent", (4,)), ("asset_back", (3,))]
            noticed_s = (odd(feed)[0].time_ns - start_ns) / S
            assert 10 <= noticed_s <= 12.5

    run_virtual(main())


def test_an_asset_that_never_came() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Simulator(time_ns=loop.time_ns, assets=IDS) as simulator:
            feed = reader_of(
                simulator,
                assets=[*IDS, 77, 78],
                channel="100ms",
                absent_after=10.0,
                clock_ns=loop.time_ns,
            )
            async with Reader(feed):
                await asyncio.sleep(9)
                assert kinds(feed) == ["server_error"]
                await asyncio.sleep(60)
            assert kinds(feed) == ["server_error", "asset_absent"]
            assert odd(feed)[1].data["assets"] == (77, 78)

    run_virtual(main())


def test_an_outage_makes_no_asset_absent() -> None:
    """A stream that is silent as a whole is its connection's business."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Simulator(time_ns=loop.time_ns, assets=IDS) as simulator:
            feed = reader_of(
                simulator,
                channel="100ms",
                connection=ConnectionSettings(),
                clock_ns=loop.time_ns,
            )
            async with Reader(feed):
                await asyncio.sleep(20)
                simulator.faults.status = 503
                simulator.faults.cut = True
                await asyncio.sleep(300)
                assert feed.states == (State.RECONNECTING,)
                simulator.faults.status = None
                await asyncio.sleep(20)
            assert kinds(feed) == ["gap"]

    run_virtual(main())


def test_repeated_assets_and_other_taxonomies_are_delivered_as_they_are() -> None:
    async def main() -> None:
        async with by_hand() as simulator:
            feed = reader_of(simulator, clock_ns=lambda: PAST_NS)
            async with Reader(feed) as reader:
                await subscribed(simulator)
                simulator.faults.duplicate_asset = 2
                simulator.faults.taxonomy_change = 1
                await publish(simulator, 3)
                await reader.has_all_of(simulator)
                await event_of(feed, EventKind.DUPLICATE_ASSET)
            batch = codec.decode(reader.messages)
            assert batch.messages["update_count"].tolist() == [5, 5, 4]
            assert batch.messages["taxonomy_id"].tolist() == [2, 1, 1]
            assert kinds(feed) == [
                "duplicate_asset",
                "taxonomy_change",
                "duplicate_asset",
            ]

    run(main())
