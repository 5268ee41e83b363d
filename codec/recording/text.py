"""Lines `<receive ns> <frame>`: their receive times, and where they are cut."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["cut", "frames", "receive_times", "within"]

_N_DIGITS = 19  # of a time in ns from 2001 to 2286
_WEIGHTS = 10 ** np.arange(_N_DIGITS - 1, -1, -1, dtype=np.uint64)
_TIME = re.compile(rb"(0|[1-9][0-9]{0,19}) ")
_MAX_NS = 2**64 - 1


def receive_times(lines: bytes) -> NDArray[np.uint64]:
    """The receive time of each line, unix ns; 0 where a line has none."""
    data = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if lines and not lines.endswith(b"\n"):
        ends = np.append(ends, len(lines))
    starts = np.zeros(len(ends), np.intp)
    starts[1:] = ends[:-1] + 1
    times = np.zeros(len(ends), np.uint64)
    usual = np.flatnonzero(ends - starts > _N_DIGITS)
    heads = data[starts[usual, None] + np.arange(_N_DIGITS + 1)]
    digits = heads[:, :_N_DIGITS] - np.uint8(ord("0"))
    good = (digits < 10).all(axis=1) & (digits[:, 0] > 0) & (heads[:, -1] == ord(" "))
    times[usual[good]] = digits[good].astype(np.uint64) @ _WEIGHTS
    first = data[starts[ends > starts]]
    unusual = np.zeros(len(ends), bool)
    unusual[ends > starts] = (first >= ord("0")) & (first <= ord("9"))
    for i in np.flatnonzero(unusual & (times == 0)):
        times[i] = _split(lines[starts[i] : ends[i]])[0]
    return times


def within(lines: bytes, start_ns: int | None, end_ns: int | None) -> bytes:
    """The lines received from `start_ns` on and before `end_ns`; with a bound, none
    that has no receive time."""
    if start_ns is None and end_ns is None:
        return lines
    times = receive_times(lines)
    lo, hi = start_ns or 0, _MAX_NS if end_ns is None else end_ns
    keep = (times >= lo) & (times < hi) & (times > 0)
    if keep.all():
        return lines
    if not keep.any():
        return b""
    parts = lines.split(b"\n")
    return b"".join(parts[i] + b"\n" for i in np.flatnonzero(keep))


def frames(lines: bytes) -> Iterator[tuple[int, bytes]]:
    """The receive time (0: none) and the frame of each line."""
    end = len(lines) - lines.endswith(b"\n")
    if lines:
        yield from map(_split, lines[:end].split(b"\n"))


def cut(lines: bytes, limit: int) -> Iterator[bytes]:
    """Whole lines together, at most `limit` bytes unless one line alone is longer."""
    start = 0
    while len(lines) - start > limit:
        end = lines.rfind(b"\n", start, start + limit) + 1
        if not end:
            end = lines.index(b"\n", start) + 1
        yield lines[start:end]
        start = end
    if start < len(lines):
        yield lines[start:]


def _split(line: bytes) -> tuple[int, bytes]:
    if (found := _TIME.match(line)) and (time := int(found[1])) <= _MAX_NS:
        return time, line[found.end() :]
    return 0, line
