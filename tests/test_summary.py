"""`codec.summary` against plain loops over what the reference decodes."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import INT128

import codec
from codec import reference
from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE
from codec.errors import ErrorCode
from codec.monitor import age_bounds
from codec.summary import (
    Curves,
    Durations,
    Flow,
    Part,
    Silence,
    Summary,
    Trace,
    key_of,
    whole_messages,
)
from codec.summary import flow as flow_module
from codec.summary import part as part_module

BEGIN_NS = 1764608698685038908
SECOND = 10**9
ONE = 10**18

# Times near each other and far apart, in any order; a few assets, to meet again.
TIMES = st.one_of(
    st.integers(0, 2**64 - 1),
    st.integers(BEGIN_NS, BEGIN_NS + 100),
    st.integers(0, 100).map(lambda i: BEGIN_NS + i * SECOND // 10),
)
VALUES = st.one_of(INT128, st.integers(-3, 3).map(lambda v: v * ONE))


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Messages of both kinds, with receive times or not, and what is none."""
    row = b""
    if draw(st.booleans()):
        row = b"%d " % draw(st.integers(1, 2**64 - 1))
        if draw(st.booleans()):
            row = b"%d " % draw(st.integers(BEGIN_NS, BEGIN_NS + SECOND))
    if draw(st.integers(0, 9)) == 0:
        return row + draw(st.sampled_from([b"", b"{}", b'{"type":"subscribe"}']))
    assets = draw(st.lists(st.integers(0, 5), max_size=6))
    values = draw(st.lists(VALUES, min_size=len(assets), max_size=len(assets)))
    payload = codec.encode(
        assets,
        values,
        timestamp_ns=draw(TIMES),
        taxonomy_id=draw(st.sampled_from([0, 1, 7])),
        key=None,
        market_status=draw(st.sampled_from([None, [1] * len(assets)])),
    )
    return row + codec.to_frame(payload)


INPUTS = st.lists(lines(), max_size=40)


def columns_of(rows: list[bytes]) -> Part:
    text = b"".join(row + b"\n" for row in rows)
    return Part.of_batch(codec.decode_lines(text, on_error="skip"))


def expected(rows: list[bytes]) -> tuple[Any, Any, dict[tuple[int, int], Any]]:
    """The reference's messages and errors; of each asset (time, value) in order."""
    text = b"".join(row + b"\n" for row in rows)
    batch = reference.decode_lines(text, on_error="skip")
    found = defaultdict(list)
    for update, value in zip(
        batch.updates, reference.as_int(batch.updates), strict=True
    ):
        asset = int(update["taxonomy_id"]), int(update["asset_id"])
        found[asset].append((int(update["timestamp_ns"]), value))
    return batch.messages, batch.errors, found


def cuts(data: st.DataObject, rows: list[bytes]) -> list[list[bytes]]:
    at = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    bounds = [0, *at, len(rows)]
    return [rows[i:j] for i, j in pairwise(bounds)]


@given(INPUTS, st.data())
def test_extents_are_exact_however_the_input_is_cut(
    rows: list[bytes], data: st.DataObject
) -> None:
    summary = Summary(Trace(8))
    for part in cuts(data, rows):
        summary.add(columns_of(part))
    _, errors, found = expected(rows)
    ranked = sorted(found, key=lambda asset: (-len(found[asset]), asset))
    assert summary.assets == ranked
    for asset, updates in found.items():
        extent = summary.extent(asset)
        by_time = sorted(updates, key=lambda update: update[0])  # stable
        values = [value for _, value in updates]
        assert extent.n_updates == len(updates)
        assert (extent.first_ns, extent.first) == by_time[0]
        assert (extent.last_ns, extent.last) == by_time[-1]
        assert (extent.low, extent.high) == (min(values), max(values))
    for code in ErrorCode:
        n = sum(int(error["code"]) == code for error in errors)
        assert summary.n_errors[code] == n
    assert summary.n_untold == 0
    with pytest.raises(KeyError):
        summary.extent((9, 9))


@given(INPUTS, st.data(), st.integers(2, 9))
def test_curves_are_exact_however_the_input_is_cut(
    rows: list[bytes], data: st.DataObject, n_bins: int
) -> None:
    curves, trace = Summary(Curves(n_bins)), Summary(Trace(n_bins))
    for part in cuts(data, rows):
        curves.add(columns_of(part))
        trace.add(columns_of(part))
    _, _, found = expected(rows)
    times = [time for updates in found.values() for time, _ in updates]
    if not times:
        assert curves.bins.first_ns == -1
        return
    assert (curves.bins.first_ns, curves.bins.last_ns) == (min(times), max(times))
    shift = curves.bins.width_ns.bit_length() - 1
    assert (max(times) >> shift) - (min(times) >> shift) < n_bins
    assert shift == 0 or (max(times) >> shift - 1) - (min(times) >> shift - 1) >= n_bins
    for asset, updates in found.items():
        bins = defaultdict(list)
        for time, value in sorted(updates, key=lambda update: update[0]):
            bins[time >> shift].append((time, value / ONE))
        curve = curves.bins.curve(curves.place(asset))
        assert curve.start_ns.tolist() == [number << shift for number in sorted(bins)]
        for i, number in enumerate(sorted(bins)):
            values = [value for _, value in bins[number]]
            assert curve.n[i] == len(values)
            assert (curve.low[i], curve.high[i]) == (min(values), max(values))
            assert (curve.first_ns[i], curve.first[i]) == bins[number][0]
            assert (curve.last_ns[i], curve.last[i]) == bins[number][-1]
        last = trace.bins.values(trace.place(asset))
        starts = trace.bins.starts_ns()
        assert starts[0] <= min(times) and max(times) < starts[-1] + (1 << shift)
        shown = {s >> shift: v for s, v in zip(starts, last, strict=True) if v == v}
        assert shown == {number: bins[number][-1][1] for number in bins}


@given(INPUTS, st.data(), st.sampled_from([1, 7, 10_000_000, SECOND]))
def test_the_flow_of_messages(
    rows: list[bytes], data: st.DataObject, period_ns: int
) -> None:
    summary = Summary(Trace(8), period_ns=period_ns)
    for part in cuts(data, rows):
        summary.add(columns_of(part))
    flow = summary.flow
    messages, _, _ = expected(rows)
    times = [int(message["timestamp_ns"]) for message in messages]
    receive = [int(m["receive_ns"]) for m in messages if m["receive_ns"]]
    assert flow.n_messages == len(times) == sum(flow.by_kind.values())
    assert flow.n_updates == sum(int(m["update_count"]) for m in messages)
    assert flow.n_received == len(receive)
    assert flow.all_received == (len(times) == len(receive) > 0)
    assert flow.first_ns == min(times, default=None)
    assert flow.last_ns == max(times, default=None)
    assert flow.first_receive_ns == min(receive, default=None)
    assert flow.last_receive_ns == max(receive, default=None)
    for (kind, layout), n in flow.by_kind.items():
        assert n == sum((m["kind"], m["layout"]) == (kind, layout) for m in messages)
    assert set(flow.by_taxonomy) == {int(m["taxonomy_id"]) for m in messages}
    steps = [b - a for a, b in pairwise(times)]
    assert_counted(flow.between_timestamps, [step for step in steps if step >= 0])
    assert flow.n_backwards == sum(step < 0 for step in steps)
    steps = [b - a for a, b in pairwise(receive)]
    assert_counted(flow.between_receive_times, [step for step in steps if step >= 0])
    known = [m for m in messages if m["receive_ns"]]
    ages = [int(m["receive_ns"]) - int(m["timestamp_ns"]) for m in known]
    assert_counted(flow.latency, [max(age, 0) for age in ages])
    if flow.span_ns:
        rate = (len(times) - 1) / (flow.span_ns / 1e9)
        assert math.isclose(flow.messages_per_s or 0, rate)


@given(INPUTS, st.data(), st.sampled_from([1, 7, 10_000_000, SECOND]))
def test_gaps_are_those_of_a_monitor_for_each_taxonomy(
    rows: list[bytes], data: st.DataObject, period_ns: int
) -> None:
    summary = Summary(Trace(8), period_ns=period_ns)
    for part in cuts(data, rows):
        summary.add(columns_of(part))
    batch = codec.decode_lines(b"\n".join(rows), on_error="skip")
    n_gaps = n_missing = 0
    for taxonomy in set(batch.messages["taxonomy_id"].tolist()):
        monitor = codec.Monitor(period_ns=period_ns)
        monitor.observe(batch.select(batch.messages["taxonomy_id"] == taxonomy))
        n_gaps += int(monitor.counts[codec.NoticeKind.GAP])
        n_missing += monitor.missing
    assert summary.flow.n_gaps == n_gaps
    assert summary.flow.n_missing == min(n_missing, 2**64 - 1)


def test_gaps_of_all_of_time() -> None:
    rows = [
        codec.to_frame(
            codec.encode([1], [1], timestamp_ns=time, taxonomy_id=taxonomy, key=None)
        )
        for taxonomy in (1, 2)
        for time in (0, 2**64 - 1)
    ]
    batch = codec.decode(rows)
    summary = Summary(Trace(8), period_ns=1)
    summary.add(Part.of_batch(batch))
    assert (summary.flow.n_gaps, summary.flow.n_missing) == (2, 2**64 - 1)


@given(INPUTS, st.data(), st.integers(1, 5))
def test_the_longest_silences(
    rows: list[bytes], data: st.DataObject, n_kept: int
) -> None:
    summary = Summary(Trace(8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow_module, "_N_SILENCES", n_kept)
        for part in cuts(data, rows):
            summary.add(columns_of(part))
    newest: list[int] = []
    for message in expected(rows)[0]:
        newest.append(max([int(message["timestamp_ns"]), *newest[-1:]]))
    found = {Silence(a, b) for a, b in pairwise(newest) if a < b}
    longest = sorted((s.length_ns for s in found), reverse=True)[:n_kept]
    kept = summary.flow.silences
    assert sorted((s.length_ns for s in kept), reverse=True) == longest
    assert set(kept) <= found and kept == sorted(kept)


def assert_counted(durations: Durations, ages: list[int]) -> None:
    bounds = age_bounds().tolist()
    buckets = [next(i for i, b in enumerate(bounds) if age <= b) for age in ages]
    assert durations.counts.tolist() == np.bincount(buckets, minlength=976).tolist()
    assert len(durations) == len(ages)
    if ages:
        assert durations.most_ns == max(ages)
        assert durations.percentiles([100]) == [max(ages)]
        middle = sorted(ages)[(len(ages) - 1) // 2]
        assert middle <= durations.percentiles([50])[0] <= middle * 17 // 16


def test_what_is_usual_and_what_is_a_pause() -> None:
    def flow_of(*times_s: float) -> Flow:
        messages = np.zeros(len(times_s), MESSAGE_DTYPE)
        messages["timestamp_ns"] = np.array(times_s) * SECOND + BEGIN_NS
        flow = Flow()
        flow.add(messages)
        return flow

    def pauses(*times_s: float) -> list[int]:
        return [round(p.length_ns / SECOND) for p in flow_of(*times_s).pauses()]

    for times_s in ((), (1,), (1, 1), (1, 2), (1, 2, 99)):
        assert pauses(*times_s) == []
    ticks = np.arange(100) / 10
    assert pauses(*ticks, *(ticks + 60), *(ticks + 200)) == [50, 130]
    assert pauses(*ticks, *(ticks + 10.8)) == []  # not ten times as long
    many = np.arange(3000) / 10
    assert pauses(*many, *(many + 302)) == []  # not long beside the whole
    assert pauses(*many, *(many + 306)) == [6]
    # Streams side by side: most messages come with another one.
    assert pauses(*sorted([*ticks] * 5)) == []
    assert pauses(*sorted([*ticks, *(ticks + 1e-6), *(ticks + 2e-6)])) == []
    assert pauses(*ticks, *(ticks + 86400)) == [86390]


def test_every_bucket_begins_and_ends_where_it_should() -> None:
    bounds = age_bounds()
    durations = Durations()
    durations.add(bounds)
    durations.add(bounds[:-1] + np.uint64(1))
    durations.add(np.array([0], np.uint64))
    assert durations.counts.tolist() == [2] * 976
    assert durations.percentiles([0, 100]) == [0, 2**64 - 1]
    assert Durations().percentiles([50]) == []


@given(INPUTS, st.sets(st.integers(0, 5), max_size=3), st.data())
def test_chosen_assets(
    rows: list[bytes], wanted: set[int], data: st.DataObject
) -> None:
    summary = Summary(Curves(8), is_choosing=True)
    for part in cuts(data, rows):
        columns = columns_of(part)
        summary.add(columns, np.isin(columns.asset_id, list(wanted)))
    messages, _, found = expected(rows)
    chosen = {asset: u for asset, u in found.items() if asset[1] in wanted}
    assert set(summary.assets) == set(chosen)
    assert summary.chosen.n_updates == sum(map(len, chosen.values()))
    assert summary.flow.n_messages == len(messages)
    batch = codec.decode_lines(b"\n".join(rows), on_error="skip")
    mine = batch.message_index()[np.isin(batch.updates["asset_id"], list(wanted))]
    assert summary.chosen.n_messages == len(set(mine.tolist()))


@given(INPUTS, st.data())
def test_a_table_says_the_same_as_its_frames(
    rows: list[bytes], data: st.DataObject
) -> None:
    rows = [row for row in rows if small_enough(row)]
    batches, tables = Summary(Curves(8)), Summary(Curves(8))
    for part in cuts(data, rows):
        text = b"".join(row + b"\n" for row in part)
        batch = codec.decode_lines(text, on_error="skip")
        batches.add(Part.of_batch(batch))
        tables.add(Part.of_table(batch.to_arrow()))
    assert tables.assets == batches.assets
    for asset in batches.assets:
        assert tables.extent(asset) == batches.extent(asset)
        one, other = (s.bins.curve(s.place(asset)) for s in (tables, batches))
        assert all(map(np.array_equal, one, other))
    assert tables.flow.n_updates == batches.flow.n_updates
    assert tables.flow.n_messages <= batches.flow.n_messages


def small_enough(row: bytes) -> bool:
    """Whether Arrow's types hold all values and times of a line."""
    batch = codec.decode_lines(row, on_error="skip")
    times = [*batch.messages["timestamp_ns"].tolist()]
    times += batch.messages["receive_ns"].tolist()
    values = codec.as_int(batch.updates).tolist()
    return max(times, default=0) < 2**63 and all(abs(v) < 10**38 for v in values)


def test_messages_of_a_table_are_runs_of_rows_with_the_same_times() -> None:
    pa = pytest.importorskip("pyarrow")
    rows = [
        b"%d " % (BEGIN_NS + i * SECOND + 5)
        + codec.to_frame(
            codec.encode(
                [1, 2, 3],
                [i, -i, ONE],
                timestamp_ns=BEGIN_NS + i * SECOND,
                taxonomy_id=1,
                key=None,
            )
        )
        for i in range(4)
    ]
    table = codec.decode_lines(b"\n".join(rows)).to_arrow()
    table = pa.concat_tables([table.slice(0, 5), table.slice(5)])
    columns = Part.of_table(table)
    assert columns.messages["update_count"].tolist() == [3, 3, 3, 3]
    assert columns.messages["first_update"].tolist() == [0, 3, 6, 9]
    assert columns.messages["kind"].tolist() == [255] * 4
    assert columns.messages["receive_ns"].tolist() == [
        BEGIN_NS + i * SECOND + 5 for i in range(4)
    ]
    nulls = pa.array([True, False] * 6)
    value = pa.compute.if_else(nulls, None, table["value"])
    table = table.set_column(table.column_names.index("value"), "value", value)
    columns = Part.of_table(table.drop_columns("receive_timestamp"))
    assert columns.asset_id.tolist() == [2, 1, 3, 2, 1, 3]
    assert columns.messages["update_count"].tolist() == [1, 2, 1, 2]
    assert columns.messages["receive_ns"].tolist() == [0] * 4
    narrow = table.set_column(2, "asset_id", table["asset_id"].cast(pa.int64()))
    assert Part.of_table(narrow).asset_id.dtype == np.uint16
    empty = Part.of_table(table.slice(0, 0))
    assert len(empty.timestamp_ns) == len(empty.messages) == 0
    Summary(Trace(2)).add(empty)


def test_messages_of_tables_are_put_together_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow")
    rows = [
        codec.encode(
            range(n), range(n), timestamp_ns=BEGIN_NS + n, taxonomy_id=1, key=None
        ).hex()
        for n in (3, 1, 7, 4)
    ]
    table = codec.decode(rows).to_arrow()
    whole = Part.of_table(table)
    for size in range(1, 16):
        parts = [
            (Part.of_table(table.slice(at, size)), size) for at in range(0, 15, size)
        ]
        found = list(whole_messages(parts))
        assert [number for _, number in found] == [size] * len(parts) + [0]
        columns = [part for part, _ in found]
        for i in range(4):
            joined = np.concatenate([part[i] for part in columns])
            assert np.array_equal(joined, whole[i])
        counts = [c for part in columns for c in part.messages["update_count"].tolist()]
        assert counts == [3, 1, 7, 4]
        for part in columns:
            messages = part.messages
            times = part.timestamp_ns[messages["first_update"]]
            assert np.array_equal(times, messages["timestamp_ns"])
    assert list(whole_messages([])) == []
    monkeypatch.setattr(part_module, "_MAX_RUN_LEN", 2)
    parts = [(Part.of_table(table.slice(at, 3)), 0) for at in range(0, 15, 3)]
    found = list(whole_messages(parts))
    assert sum(len(part.timestamp_ns) for part, _ in found) == 15


def test_too_many_assets_are_counted_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("codec.summary.summary.MAX_ASSETS", 3)
    summary = Summary(Curves(4), n_binned=2)
    for start in (10, 11, 12, 5):
        payload = codec.encode(
            [start, start + 1, start + 2],
            [1, 2, 3],
            timestamp_ns=BEGIN_NS,
            taxonomy_id=0,
            key=None,
        )
        summary.add(Part.of_batch(codec.decode(payload.hex())))
    assert summary.assets == [(0, 12), (0, 11), (0, 10)]
    assert summary.n_untold == 1 + 2 + 3
    assert summary.flow.n_updates == 12
    assert [summary.place((0, i)) for i in (10, 11, 12)] == [0, 1, None]


def test_keys_and_bounds() -> None:
    assert key_of(65535, 65535) == 2**32 - 1
    with pytest.raises(ValueError, match="two bins"):
        Curves(1)
    columns = columns_of([])
    assert columns.errors.dtype == ERROR_DTYPE
    summary = Summary(Trace(4))
    summary.add(columns)
    assert summary.assets == [] and summary.flow.messages_per_s is None
