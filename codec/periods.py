"""Channels and intervals by name: how many ns each of them is."""

from __future__ import annotations

import re
from operator import index

__all__ = ["CHANNELS", "FIXED_CHANNELS", "channel_ns", "interval_ns"]

CHANNELS: dict[str, int | None] = {
    "10ms": 10_000_000,
    "20ms": 20_000_000,
    "50ms": 50_000_000,
    "100ms": 100_000_000,
    "500ms": 500_000_000,
    "1s": 1_000_000_000,
    "real_time": None,
}
"""The time between two messages of each channel; None: no fixed one."""

FIXED_CHANNELS = tuple(name for name, period_ns in CHANNELS.items() if period_ns)

_UNITS_NS = {
    "ns": 1,
    "us": 1000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_INTERVAL = re.compile(rf"([0-9]{{1,20}})({'|'.join(_UNITS_NS)})")


def channel_ns(channel: str | int) -> int:
    """The period of a channel that has one, or the period itself, checked.

    Raises ValueError for `real_time`, for what is no channel, and for a number outside
    of 1 .. 2^64 - 1; TypeError for anything else.
    """
    if not isinstance(channel, str):
        return _in_range(index(channel), f"a period of {channel} ns")
    if channel not in CHANNELS:
        names = ", ".join(FIXED_CHANNELS)
        raise ValueError(f"channel is one of {names}, or ns, not {channel!r}")
    period = CHANNELS[channel]
    if period is None:
        raise ValueError(
            f"the channel {channel} has no grid: a message comes when something has"
            " changed, so that none can be missing"
        )
    return period


def interval_ns(interval: str | int) -> int:
    """The length of an interval in ns: a number of ns, or text such as `100ms`, `5m`.

    Raises ValueError for other text and for what is not in 1 .. 2^64 - 1 ns, TypeError
    for anything else.
    """
    if not isinstance(interval, str):
        return _in_range(index(interval), f"an interval of {interval} ns")
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(
            f"an interval is a whole number and one of {', '.join(_UNITS_NS)}, as"
            f" 100ms, 1s, 5m or 1d; not {interval!r}"
        )
    return _in_range(int(match[1]) * _UNITS_NS[match[2]], f"an interval of {interval}")


def _in_range(ns: int, what: str) -> int:
    if not 1 <= ns <= 2**64 - 1:
        raise ValueError(f"{what} is not in 1 .. 2^64 - 1 ns")
    return ns
