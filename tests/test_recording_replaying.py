"""Replays: spacing, speed, pauses, and both forms."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path

import pytest
from recorded import BEGIN_NS, line, lines, record

from codec.recording import replay, replay_async, spaced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty frames, 10 ms apart, in several segments."""
    record(tmp_path, [line(i) for i in range(30)], max_segment_len=600)
    assert len(list(tmp_path.glob("*.zst"))) > 2
    return tmp_path


def expected(n: int) -> list[bytes]:
    return [row.partition(b" ")[2] for row in lines(n).splitlines()]


@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0, math.inf])
def test_frames_come_when_they_are_due(folder: Path, speed: float) -> None:
    times, frames = [], []

    def take(receive_ns: int, frame: bytes) -> None:
        times.append(time.monotonic())
        frames.append(frame)

    begin = time.monotonic()
    assert replay(folder, take, speed=speed) == 30
    assert frames == expected(30)
    # No frame is early; how late they are is the machine's matter.
    assert min(t - begin - i * 0.01 / speed for i, t in enumerate(times)) > -0.001
    assert times[-1] - begin < 0.29 / speed + 10


def test_a_late_callback_is_caught_up_with(folder: Path) -> None:
    times: list[float] = []

    def take(receive_ns: int, frame: bytes) -> None:
        times.append(time.monotonic())
        if len(times) == 2:
            time.sleep(1.2)

    replay(folder, take, speed=0.25)
    # All others, 1.1 s of them, were due meanwhile and come at once.
    assert times[-1] - times[2] < 0.8


def test_pauses(tmp_path: Path) -> None:
    rows = [b"%d %d\n" % (BEGIN_NS + t * 10**9, t) for t in (0, 1000, 1001)]
    record(tmp_path, [b"no time\n", *rows, b"%d back\n" % BEGIN_NS])
    begin = time.monotonic()
    taken: list[tuple[int, bytes]] = []
    replay(tmp_path, lambda t, frame: taken.append((t, frame)), speed=10, max_gap_s=0.5)
    assert 0.09 < time.monotonic() - begin < 20
    assert [frame for _, frame in taken] == [
        b"no time",
        b"0",
        b"1000",
        b"1001",
        b"back",
    ]
    assert taken[0][0] == 0
    # Not capped unless asked for.
    waits = [wait for wait, _ in spaced(tmp_path, speed=1e6)]
    assert waits[2] == pytest.approx(0.001, abs=0.001)
    source = spaced(tmp_path, speed=2.0)
    waits = [next(source)[0] for _ in range(3)]
    assert waits[2] == pytest.approx(500, abs=10)


def test_spaced_runs_with_the_clock(folder: Path) -> None:
    source = spaced(folder)
    assert next(source) == (0.0, expected(1)[0])
    time.sleep(0.05)  # before the first is done with, no time runs
    assert 0 <= next(source)[0] <= 0.011
    time.sleep(0.05)
    assert next(source)[0] == 0.0
    time.sleep(1.2)  # far too late: the rest is moved
    assert next(source)[0] == 0.0
    time.sleep(0.001)
    assert 0 <= next(source)[0] <= 0.011
    assert [frame for _, frame in source] == expected(30)[5:]


@pytest.mark.parametrize("speed", [1.0, math.inf])
def test_the_async_form(folder: Path, speed: float) -> None:
    async def main() -> tuple[list[bytes], float]:
        begin = time.monotonic()
        frames = [frame async for _, frame in replay_async(folder, speed=speed)]
        return frames, time.monotonic() - begin

    frames, seconds = asyncio.run(main())
    assert frames == expected(30)
    assert seconds > 0.28 / speed


def test_the_event_loop_has_its_turn(tmp_path: Path) -> None:
    record(tmp_path, [lines(10_000, i) for i in range(0, 60_000, 10_000)])

    async def main() -> int:
        n_turns = 0
        is_done = False

        async def count() -> None:
            nonlocal n_turns
            while not is_done:
                n_turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(count())
        n = 0
        async for _ in replay_async(tmp_path, speed=math.inf):
            n += 1
        is_done = True
        await task
        assert n == 60_000
        return n_turns

    assert asyncio.run(main()) > 3


def test_parts_and_errors(folder: Path) -> None:
    taken: list[bytes] = []
    n = replay(
        folder,
        lambda t, frame: taken.append(frame),
        speed=math.inf,
        start_ns=BEGIN_NS + 5 * 10**7,
        end_ns=BEGIN_NS + 9 * 10**7,
    )
    assert n == 4 and taken == expected(30)[5:9]
    for wrong in ({"speed": 0.0}, {"speed": math.nan}, {"max_gap_s": -1.0}):
        with pytest.raises(ValueError, match="speed must be above 0"):
            replay(folder, lambda t, frame: None, **wrong)
