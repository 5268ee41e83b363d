"""Bars and gaps: each rule, and the core against the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import UINT64
from updates import MAX, STRIDES, Row, make_updates, strided, update_tables

import codec
from codec import reference
from codec.dtypes import BAR_DTYPE, GAP_DTYPE, MESSAGE_DTYPE, UPDATE_DTYPE
from codec.notices import NoticeKind
from codec.periods import CHANNELS, interval_ns

T = 1_764_608_822_000_000_000
S = 10**9


def rows(*updates: tuple[int, int, int], taxonomy_id: int = 1) -> Any:
    """Updates of (timestamp, asset id, value)."""
    made: list[Row] = [
        (time, taxonomy_id, asset, value, 255) for time, asset, value in updates
    ]
    return make_updates(made)


def read(table: Any) -> list[tuple[int, ...]]:
    """start, asset, open, high, low, close, last and count of each bar."""
    assert table.dtype == BAR_DTYPE
    assert not table.view(np.uint8).reshape(-1, 120)[:, 12:16].any()  # padding
    names = ("open", "high", "low", "close", "last")
    columns = [codec.as_int(table[name]).tolist() for name in names]
    return list(
        zip(
            table["start_ns"].tolist(),
            table["asset_id"].tolist(),
            *columns,
            table["count"].tolist(),
            strict=True,
        )
    )


def test_bars(api: Any) -> None:
    found = api.bars(
        rows((100, 7, 5), (104, 7, 9), (103, 8, 1), (109, 7, 2), (110, 7, 3)), 10
    )
    assert read(found) == [
        (100, 7, 5, 9, 2, 2, 2, 3),
        (100, 8, 1, 1, 1, 1, 1, 1),
        (110, 7, 3, 3, 3, 3, 3, 1),
    ]
    assert found["first_ns"].tolist() == [100, 103, 110]
    assert found["last_ns"].tolist() == [109, 103, 110]


def test_bars_of_ties(api: Any) -> None:
    """The first of the earliest opens, the last of the latest closes."""
    found = api.bars(rows((5, 1, 10), (3, 1, 20), (3, 1, 21), (5, 1, 11)), 10)
    assert read(found) == [(0, 1, 20, 21, 10, 11, 11, 4)]


def test_bars_of_updates_in_disorder(api: Any) -> None:
    found = api.bars(rows((25, 1, 1), (3, 1, 2), (21, 1, 3), (9, 1, 4)), 10)
    assert read(found) == [(0, 1, 2, 4, 2, 4, 4, 2), (20, 1, 3, 3, 1, 1, 1, 2)]


def test_bars_are_sorted(api: Any) -> None:
    parts = [
        rows((t, a, 0), taxonomy_id=x) for t in (9, 3) for x in (2, 1) for a in (5, 4)
    ]
    found = api.bars(np.concatenate(parts), 5)
    names = ["start_ns", "taxonomy_id", "asset_id"]
    places = found[names].tolist()
    assert places == sorted(places) and len(places) == 8


def test_bars_at_the_ends(api: Any) -> None:
    low, high = -(2**127), 2**127 - 1
    found = api.bars(rows((0, 0, low), (MAX, 65535, high), (MAX, 0, low)), MAX)
    assert read(found) == [
        (0, 0, low, low, low, low, low, 1),
        (MAX, 0, low, low, low, low, low, 1),
        (MAX, 65535, high, high, high, high, high, 1),
    ]
    found = api.bars(rows((1, 0, low), (1, 0, high), (MAX - 1, 0, 0), (2, 0, -1)), MAX)
    assert read(found) == [(0, 0, low, high, low, 0, 0, 4)]
    found = api.bars(rows((MAX, 0, 1), (MAX - 1, 0, 2)), 1)
    assert found["start_ns"].tolist() == [MAX - 1, MAX]
    found = api.bars(rows((MAX, 0, 1)), "1d")
    assert found["start_ns"][0] == MAX // (86400 * S) * 86400 * S


def test_no_bars(api: Any) -> None:
    for fill in (False, True):
        found = api.bars(rows(), "1s", fill=fill)
        assert found.dtype == BAR_DTYPE and found.shape == (0,)


def test_filled_bars(api: Any) -> None:
    updates = rows((5, 1, 10), (38, 1, 20), (12, 2, 7), (23, 2, 8), (24, 2, 9))
    found = api.bars(updates, 10, fill=True)
    assert read(found) == [
        (0, 1, 10, 10, 10, 10, 10, 1),
        (10, 1, 10, 10, 10, 10, 10, 0),
        (10, 2, 7, 7, 7, 7, 7, 1),
        (20, 1, 10, 10, 10, 10, 10, 0),
        (20, 2, 8, 9, 8, 9, 9, 2),
        (30, 1, 20, 20, 20, 20, 20, 1),
    ]
    # Of an empty bar they say when its value was new.
    assert found["first_ns"].tolist() == [5, 5, 12, 5, 23, 38]
    assert found["last_ns"].tolist() == [5, 5, 12, 5, 24, 38]


def test_filled_bars_of_assets_apart(api: Any) -> None:
    """Nothing is filled where no asset is between two of its bars."""
    found = api.bars(rows((0, 1, 1), (2, 1, 2), (10**6, 2, 3)), 1, fill=True)
    assert found["start_ns"].tolist() == [0, 1, 2, 10**6]


def test_a_guard_against_too_many(api: Any) -> None:
    updates = rows((0, 1, 1), (T, 1, 2), (T, 2, 2))
    with pytest.raises(ValueError, match=rf"{T // S + 2} bars, more than"):
        api.bars(updates, "1s", fill=True)
    updates = np.concatenate([rows((0, a, 1), (MAX, a, 1)) for a in (1, 2, 3)])
    with pytest.raises(ValueError, match=rf"{3 * 2**64} bars"):
        api.bars(updates, 1, fill=True)
    updates = rows((0, 1, 1), (9, 1, 1))
    assert len(api.bars(updates, 1, fill=True, max_rows=10)) == 10
    with pytest.raises(ValueError, match="10 bars, more than"):
        api.bars(updates, 1, fill=True, max_rows=9)
    assert len(api.bars(updates, 1, max_rows=0)) == 2


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1ns", 1),
        ("250us", 250_000),
        ("100ms", 10**8),
        ("1s", S),
        ("1m", 60 * S),
        ("5m", 300 * S),
        ("1h", 3600 * S),
        ("1d", 86400 * S),
        ("213503d", 213503 * 86400 * S),
        (np.uint64(MAX), MAX),
        (7, 7),
    ],
)
def test_intervals(text: Any, ns: int) -> None:
    assert interval_ns(text) == ns == codec.Bars(text).interval_ns


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("", ValueError),
        ("1", ValueError),
        ("s", ValueError),
        ("0s", ValueError),
        ("-1s", ValueError),
        ("1.5s", ValueError),
        ("1 s", ValueError),
        ("1M", ValueError),
        ("1s\n", ValueError),
        ("\u0661s", ValueError),
        ("213504d", ValueError),
        (0, ValueError),
        (2**64, ValueError),
        (-1, ValueError),
        (1e9, TypeError),
        (None, TypeError),
    ],
)
def test_bad_intervals(api: Any, bad: Any, error: Any) -> None:
    with pytest.raises(error):
        api.bars(rows(), bad)


def test_rows_out_of_a_file(tmp_path: Path) -> None:
    table = rows((T, 1, 5), (T + S, 1, 6))
    np.save(tmp_path / "updates.npy", table)
    stored = np.load(tmp_path / "updates.npy", mmap_mode="r")
    assert type(stored) is np.memmap
    for each in (stored, stored.view(np.recarray)):
        assert codec.bars(each, "1s").tobytes() == codec.bars(table, "1s").tobytes()
        assert codec.LatestTable().update(each) == 2


def test_what_are_no_rows() -> None:
    masked = np.ma.MaskedArray(rows((T, 1, 5)))
    for bad in (None, [], np.zeros(1, MESSAGE_DTYPE), rows().reshape(0, 1), masked):
        with pytest.raises(TypeError, match="UPDATE_DTYPE is needed"):
            codec.bars(bad, "1s")
    for bad in (None, [], rows()):
        with pytest.raises(TypeError, match="MESSAGE_DTYPE is needed"):
            codec.gaps(bad, "1s")


INTERVALS = st.sampled_from([1, 7, 10, 1000, 2**63, MAX - 1, MAX])


@given(update_tables(), STRIDES, INTERVALS)
def test_bars_equal_reference(updates: Any, stride: int, interval: int) -> None:
    found = codec.bars(strided(updates, stride), interval)
    assert found.tobytes() == reference.bars(updates, interval).tobytes()
    assert int(found["count"].sum()) == len(updates)


@given(update_tables(), INTERVALS)
def test_filled_bars_equal_reference(updates: Any, interval: int) -> None:
    try:
        expected = reference.bars(updates, interval, fill=True, max_rows=2000)
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error).split(",")[0].split("be ")[1]):
            codec.bars(updates, interval, fill=True, max_rows=2000)
        return
    found = codec.bars(updates, interval, fill=True, max_rows=2000)
    assert found.tobytes() == expected.tobytes()


# What is done to Bars: a table taken in, or bars taken out before a time.
STEPS = st.lists(
    update_tables(15) | st.none() | st.integers(0, 60) | UINT64, max_size=6
)


@given(STEPS, INTERVALS)
def test_bars_step_by_step_equal_reference(steps: list[Any], interval: int) -> None:
    ours, theirs = codec.Bars(interval), reference.Bars(interval)
    for step in (*steps, "finish", *steps[:1]):
        if isinstance(step, np.ndarray):
            ours.update(step)
            theirs.update(step)
        elif step == "finish":
            assert ours.finish().tobytes() == theirs.finish().tobytes()
        else:
            assert ours.closed(step).tobytes() == theirs.closed(step).tobytes()
        assert (ours.newest_ns, ours.n_late) == (theirs.newest_ns, theirs.n_late)


def test_bars_of_a_stream_are_those_of_all_of_it(api: Any) -> None:
    rng = np.random.default_rng(3)
    times = T + np.sort(rng.integers(0, 30 * S, 2000))
    updates = rows(*((int(t), i % 7, i * i % 31) for i, t in enumerate(times)))
    making = api.Bars("1s")
    taken = []
    for start in range(0, 2000, 130):
        making.update(updates[start : start + 130])
        taken.append(making.closed())
    taken.append(making.finish())
    assert len(taken[3]) > 0
    assert np.concatenate(taken).tolist() == api.bars(updates, "1s").tolist()


def test_late_updates(api: Any) -> None:
    making = api.Bars(10)
    making.update(rows((5, 1, 1), (25, 1, 2)))
    assert read(making.closed(15)) == [(0, 1, 1, 1, 1, 1, 1, 1)]
    making.update(rows((9, 1, 3), (10, 1, 4)))
    assert making.n_late == 1
    assert making.newest_ns == 25
    assert [bar[:2] for bar in read(making.closed())] == [(10, 1)]
    assert len(making.closed(0)) == 0  # takes nothing back
    making.update(rows((19, 1, 5)))
    assert making.n_late == 2
    assert [bar[:2] for bar in read(making.finish())] == [(20, 1)]
    assert (making.newest_ns, making.n_late) == (0, 2)
    making.update(rows((5, 1, 1)))
    assert len(making.finish()) == 1
    for bad in (-1, 2**64):
        with pytest.raises(ValueError, match="before_ns must be"):
            making.closed(bad)


def test_many_bars_in_disorder() -> None:
    """Joined while they come, and without the GIL."""
    rng = np.random.default_rng(7)
    n = 400_000
    updates = np.zeros(n, UPDATE_DTYPE)
    updates["timestamp_ns"] = rng.integers(0, 50, n)
    updates["taxonomy_id"] = rng.integers(0, 2, n)
    updates["asset_id"] = rng.integers(0, 40, n)
    updates["value"]["hi"] = rng.integers(-(2**63), 2**63 - 1, n)
    found = codec.bars(updates, 5)
    assert len(found) == 10 * 2 * 40
    # Ties make order count: the same rows, sorted by all but it.
    order = np.argsort(updates["timestamp_ns"], kind="stable")
    assert codec.bars(updates[order], 5).tobytes() == found.tobytes()
    keys = updates["timestamp_ns"] // 5 * 100 + updates["taxonomy_id"] * 50
    keys = keys + updates["asset_id"]
    assert found["count"].tolist() == np.unique(keys, return_counts=True)[1].tolist()


def test_taxonomies_that_meet_in_a_slot() -> None:
    """Asset 40503 of taxonomy 0 and asset 0 of taxonomy 1, in turn."""
    n = 300_000
    updates = np.zeros(n, UPDATE_DTYPE)
    updates["timestamp_ns"] = np.arange(n)
    updates["taxonomy_id"] = np.arange(n) % 2
    updates["asset_id"] = np.where(np.arange(n) % 2, 0, 40503)
    updates["value"]["lo"] = np.arange(n)
    found = read(codec.bars(updates, MAX))
    assert found == [
        (0, 40503, 0, n - 2, 0, n - 2, n - 2, n // 2),
        (0, 0, 1, n - 1, 1, n - 1, n - 1, n // 2),
    ]


def test_more_updates_than_memory_would_hold() -> None:
    row = rows((5, 1, -3))
    found = codec.bars(np.broadcast_to(row, (5_000_000,)), 10)
    assert read(found) == [(0, 1, -3, -3, -3, -3, -3, 5_000_000)]


def test_bars_of_a_batch() -> None:
    frame = (
        '{"type":"unsigned","tax":1,"ts":12,"a":[{"id":1,"v":"5"},{"id":1,"v":"6"}]}'
    )
    batch = codec.decode(frame)
    assert read(codec.bars(batch, 10)) == [(10, 1, 5, 6, 5, 6, 6, 2)]
    assert read(reference.bars(reference.decode(frame), 10)) == read(
        codec.bars(batch.updates, 10)
    )


def messages(*rows: tuple[int, int, int]) -> Any:
    """Messages of (timestamp, receive time, taxonomy)."""
    table = np.zeros(len(rows), MESSAGE_DTYPE)
    for i, row in enumerate(rows):
        table[["timestamp_ns", "receive_ns", "taxonomy_id"]][i] = row
    return table


def ticks(*times: int) -> Any:
    return messages(*((T + time, 0, 1) for time in times))


def test_gaps(api: Any) -> None:
    found = api.gaps(ticks(0, 10, 20, 29, 41, 50, 64, 79, 113, 113, 123), 10)
    assert found.dtype == GAP_DTYPE
    assert found.tolist() == [(7, T + 64, T + 79, 1), (8, T + 79, T + 113, 2)]
    assert api.gaps(ticks(), 10).shape == (0,)
    # What is late is no beginning of a gap; what came before is.
    found = api.gaps(ticks(100, 60, 140), 10)
    assert found.tolist() == [(2, T + 100, T + 140, 3)]


def test_channels(api: Any) -> None:
    for name, period in CHANNELS.items():
        if period is None:
            with pytest.raises(ValueError, match="real_time has no grid"):
                api.gaps(ticks(), name)
        else:
            table = ticks(0, 3 * period)
            assert api.gaps(table, name)["missing"].tolist() == [2]
            assert api.gaps(table, period).tolist() == api.gaps(table, name).tolist()
    assert api.gaps(ticks(0, 10**8))["missing"].tolist() == [9]


@pytest.mark.parametrize(
    ("channel", "error", "match"),
    [
        ("30ms", ValueError, "channel is one of 10ms, 20ms"),
        ("", ValueError, "channel is one of"),
        (0, ValueError, "not in 1"),
        (2**64, ValueError, "not in 1"),
        (1e7, TypeError, "float"),
    ],
)
def test_bad_channels(api: Any, channel: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        api.gaps(ticks(), channel)


def test_bad_ahead(api: Any) -> None:
    for bad in (-1, 2**64):
        with pytest.raises(ValueError, match="ahead_ns must be"):
            api.gaps(ticks(), ahead_ns=bad)


STAMPS = st.integers(T, T + 200) | st.integers(T, T + 10**10) | UINT64
STREAMS = st.lists(
    st.tuples(STAMPS, STAMPS | st.just(0), st.sampled_from([1, 1, 1, 2])), max_size=25
)
PERIODS = st.sampled_from([1, 2, 3, 20, 10**7, 2**63, MAX - 1, MAX])


@given(
    STREAMS | STREAMS.map(sorted), STRIDES, PERIODS, st.sampled_from([10**9, 0, MAX])
)
def test_gaps_equal_reference_and_monitor(
    stream: list[tuple[int, int, int]], stride: int, period: int, ahead: int
) -> None:
    table = messages(*stream)
    found = codec.gaps(strided(table, stride), period, ahead_ns=ahead)
    expected = reference.gaps(table, period, ahead_ns=ahead)
    assert found.tobytes() == expected.tobytes()
    lines = [
        f'{receive} {{"type":"unsigned","tax":{tax},"ts":{sent},"a":[]}}'
        for sent, receive, tax in stream
    ]
    batch = codec.decode_lines("\n".join(lines).encode())
    monitor = codec.Monitor(period_ns=period, ahead_ns=ahead)
    notices = monitor.observe(batch)
    notices = notices[notices["kind"] == NoticeKind.GAP]
    assert found["message"].tolist() == notices["message"].tolist()
    assert found["missing"].tolist() == notices["amount"].tolist()
    assert min(sum(found["missing"].tolist()), MAX) == monitor.missing
    assert codec.gaps(batch, period, ahead_ns=ahead).tobytes() == found.tobytes()


def test_gaps_of_any_size(api: Any) -> None:
    sizes = (0, 1, 2, 3, 4, 2**63 - 1, 2**63, 2**63 + 1, MAX - 1, MAX)
    for period in (1, 2, 3, 2**63 - 1, 2**63, MAX - 1, MAX):
        for interval in sizes:
            found = api.gaps(messages((0, 0, 1), (interval, 0, 1)), period)
            missing = (2 * interval + period) // (2 * period) - 1
            expected = [(1, 0, interval, missing)] if missing > 0 else []
            assert found.tolist() == expected
