"""Recordings given back at the pace at which they were received, or any other."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from codec.recording import text
from codec.recording.reading import read, read_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from codec.recording.naming import Paths
    from codec.recording.reading import OnDamage

__all__ = ["replay", "replay_async", "spaced"]

_SLEEP_S = 0.0002  # what a sleep may be late by: less is not slept for

_LATE_S = 1.0


class _Pace:
    """When each frame is due, in seconds after the first."""

    def __init__(self, speed: float, max_gap_s: float | None) -> None:
        if not speed > 0 or (max_gap_s is not None and not max_gap_s >= 0):
            raise ValueError("speed must be above 0, and max_gap_s not below")
        self._speed = speed
        self._max_gap_ns = None if max_gap_s is None else int(max_gap_s * 1e9)
        self._origin_ns: int | None = None
        self._latest_ns = 0

    def due(self, receive_ns: int) -> float:
        """A frame without a time, or from before another, is due at once."""
        if receive_ns and self._origin_ns is None:
            self._origin_ns = self._latest_ns = receive_ns
        if self._origin_ns is None:
            return 0.0
        if receive_ns > self._latest_ns:
            gap = receive_ns - self._latest_ns
            if self._max_gap_ns is not None and gap > self._max_gap_ns:
                self._origin_ns += gap - self._max_gap_ns
            self._latest_ns = receive_ns
        return (self._latest_ns - self._origin_ns) / 1e9 / self._speed


def replay(
    path: Paths,
    callback: Callable[[int, bytes], object],
    *,
    speed: float = 1.0,
    max_gap_s: float | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
) -> int:
    """Calls `callback(receive_ns, frame)` for each frame when it is due; gives how many
    there were.

    speed: 2.0 is twice as fast as it was received, math.inf as fast as possible. Frames
    are due by the time since the first one, so that delays do not add up; a callback
    that is late is caught up with. max_gap_s: no pause is taken for longer (of the
    recorded time). Other arguments and errors as in `read`.
    """
    pace = _Pace(speed, max_gap_s)
    frames = read_frames(path, start_ns=start_ns, end_ns=end_ns, on_damage=on_damage)
    begin = time.monotonic()
    n_frames = 0
    for receive_ns, frame in frames:
        wait = begin + pace.due(receive_ns) - time.monotonic()
        if wait > _SLEEP_S:
            time.sleep(wait)
        callback(receive_ns, frame)
        n_frames += 1
    return n_frames


async def replay_async(
    path: Paths,
    *,
    speed: float = 1.0,
    max_gap_s: float | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
) -> AsyncIterator[tuple[int, bytes]]:
    """Gives `(receive_ns, frame)` when it is due, as `replay` does.

    Files are read on another thread; the event loop gets its turn at least once a
    chunk of about a MiB.
    """
    pace = _Pace(speed, max_gap_s)
    chunks = read(path, start_ns=start_ns, end_ns=end_ns, on_damage=on_damage)
    begin = time.monotonic()
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        for receive_ns, frame in text.frames(chunk):
            wait = begin + pace.due(receive_ns) - time.monotonic()
            if wait > _SLEEP_S:
                await asyncio.sleep(wait)
            yield receive_ns, frame


def spaced(
    path: Paths,
    *,
    speed: float = 1.0,
    max_gap_s: float | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
    on_damage: OnDamage = "raise",
) -> Iterator[tuple[float, bytes]]:
    """Frames, each with the seconds to wait before it, for who does the waiting;
    arguments as in `replay`.

    Time begins to run when the first frame is done with. What is late is caught up
    with, unless it is late by more than a second: then the rest comes so much later.
    """
    pace = _Pace(speed, max_gap_s)
    begin: float | None = None
    for receive_ns, frame in read_frames(
        path, start_ns=start_ns, end_ns=end_ns, on_damage=on_damage
    ):
        due, now = pace.due(receive_ns), time.monotonic()
        if begin is None:
            yield 0.0, frame
            begin = time.monotonic() - due
            continue
        if now - begin - due > _LATE_S:
            begin = now - due
        yield max(begin + due - now, 0.0), frame
