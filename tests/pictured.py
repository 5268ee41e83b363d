"""What tests of `stats` and `plot` share: lines of frames of known prices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import codec
from codec.recording import Recorder

BEGIN_NS = 1764608698685038908
MS = 1_000_000
ONE = 10**18
NAMES = ("BTCUSD", "ETHUSD", "$SOL$", "WTIUSD")
TAXONOMY = json.dumps(
    {
        "taxonomy_id": 1,
        "assets": [{"name": name, "asset_id": i} for i, name in enumerate(NAMES, 1)],
    }
)


def line(
    timestamp_ns: int,
    values: Mapping[int, int],
    *,
    late_ns: int | None = None,
    taxonomy_id: int = 1,
) -> bytes:
    """A line of asset id to scaled value, received so late, or at no known time."""
    payload = codec.encode(
        list(values),
        list(values.values()),
        timestamp_ns=timestamp_ns,
        taxonomy_id=taxonomy_id,
        key=None,
    )
    head = b"" if late_ns is None else b"%d " % (timestamp_ns + late_ns)
    return head + codec.to_frame(payload) + b"\n"


def ticks(
    n: int,
    *,
    assets: Sequence[int] = (1, 2, 3, 4),
    missing: Iterable[int] = (),
    late_ns: int | None = 5 * MS,
    step_ns: int = 100 * MS,
) -> bytes:
    """A message each tick but for the missing ones; asset i has i, and a little more
    with each tick; asset 4 falls, below zero."""
    gone = set(missing)
    return b"".join(
        line(
            BEGIN_NS + i * step_ns,
            {a: a * ONE + i * 10**15 * (-1000 if a == 4 else 1) for a in assets},
            late_ns=late_ns,
        )
        for i in range(n)
        if i not in gone
    )


def segments(folder: Path, text: bytes, n_segments: int = 3) -> list[Path]:
    """The lines as recorded segments."""
    rows = text.splitlines(keepends=True)
    size = -(-len(rows) // n_segments)
    longest = sum(map(len, rows[:size])) + len(rows[0]) // 2
    with Recorder(folder, max_segment_len=longest, sync_seconds=0.01) as recorder:
        for row in rows:
            assert recorder.write(row, 1)
    return sorted(folder.glob("*.zst"))
