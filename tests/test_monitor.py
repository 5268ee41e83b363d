"""The checks on a stream: each rule, and the core against the reference."""

from __future__ import annotations

import gc
import threading
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import UINT16, UINT64

import codec
from codec import reference
from codec.dtypes import NOTICE_DTYPE
from codec.monitor import age_bounds, percentiles
from codec.notices import NoticeKind

GAP, BACKWARDS, FUTURE, TAXONOMY, DUPLICATE = NoticeKind
MAX = 2**64 - 1
MS = 1_000_000
T = 1_764_608_822_000 * MS


def line(
    timestamp_ns: int,
    *,
    receive_ns: int | None = None,
    taxonomy_id: int = 1,
    ids: Any = (1, 2),
) -> str:
    """A message of an archive; its receive time is 5 ms after its timestamp."""
    if receive_ns is None:
        receive_ns = min(timestamp_ns + 5 * MS, MAX)
    assets = ",".join(f'{{"id":{i},"v":"0"}}' for i in ids)
    return (
        f'{receive_ns} {{"type":"unsigned","tax":{taxonomy_id},'
        f'"ts":{timestamp_ns},"a":[{assets}]}}'
    )


def batch(api: Any, *lines: str) -> Any:
    return api.decode_lines("\n".join(lines).encode())


def notices(monitor: Any, api: Any, *lines: str) -> list[tuple[int, int, int]]:
    """Kind, row and amount of each notice."""
    found = monitor.observe(batch(api, *lines))
    assert found.dtype == NOTICE_DTYPE
    assert not found.view(np.uint8).reshape(-1, 32)[:, 29:].any()  # padding
    rows = found[["kind", "message", "amount"]].tolist()
    return [(kind, message, amount) for kind, message, amount in rows]


def ticks(*timestamps: int) -> list[str]:
    return [line(T + timestamp) for timestamp in timestamps]


def test_gap(api: Any) -> None:
    monitor = api.Monitor(period_ns=10)
    assert notices(monitor, api, *ticks(0, 10, 20, 29, 41, 50)) == []
    # Half a period and more is a tick: 1.4 are 1, 1.5 are 2, 3.4 are 3.
    assert notices(monitor, api, *ticks(64, 79, 113)) == [(GAP, 1, 1), (GAP, 2, 2)]
    assert notices(monitor, api, *ticks(113, 114, 123)) == []
    assert monitor.missing == 3
    assert monitor.counts[GAP] == 2


def test_a_gap_is_told_in_full(api: Any) -> None:
    monitor = api.Monitor(period_ns=20 * MS)
    monitor.observe(batch(api, line(T)))
    found = monitor.observe(batch(api, line(T + 100 * MS, taxonomy_id=1)))
    assert found.tolist() == [(0, T + 100 * MS, 4, 1, 0, GAP)]


def test_no_gaps_without_a_period(api: Any) -> None:
    assert notices(api.Monitor(), api, *ticks(0, 10**12, 10**15)) == []


def test_gaps_of_any_size(api: Any) -> None:
    for period in (1, 2, 3, 2**63 - 1, 2**63, MAX - 1, MAX):
        for interval in (0, 1, 2, 2**63 - 1, 2**63, 2**63 + 1, MAX - 1, MAX):
            monitor = api.Monitor(period_ns=period, ahead_ns=MAX)
            found = notices(monitor, api, line(0), line(interval))
            half_up = (Fraction(interval, period) + Fraction(1, 2)).__floor__()
            missing = max(half_up - 1, 0)
            assert found == ([(GAP, 1, missing)] if missing else [])
            assert monitor.missing == missing


def test_missing_does_not_overflow(api: Any) -> None:
    monitor = api.Monitor(period_ns=1)
    for _ in range(3):
        assert notices(monitor, api, line(0), line(MAX)) == [(GAP, 1, MAX - 1)]
        monitor.reset_clock()
    assert monitor.missing == MAX


def test_backwards(api: Any) -> None:
    monitor = api.Monitor(period_ns=10)
    assert notices(monitor, api, *ticks(100, 60, 70, 70, 65)) == [
        (BACKWARDS, 1, 40),
        (BACKWARDS, 4, 5),
    ]
    # The newest stays what it was: what came late is no beginning of a gap.
    assert notices(monitor, api, *ticks(110, 140)) == [(GAP, 1, 2)]


def test_future(api: Any) -> None:
    monitor = api.Monitor(ahead_ns=10)
    assert notices(
        monitor,
        api,
        line(T, receive_ns=T - 10),
        line(T, receive_ns=T - 11),
        line(T, receive_ns=0),
        line(T, receive_ns=T + 10**18),
    ) == [(FUTURE, 1, 11)]
    monitor = api.Monitor(ahead_ns=MAX)
    assert notices(monitor, api, line(MAX, receive_ns=1)) == []
    monitor = api.Monitor(ahead_ns=0)
    assert notices(monitor, api, line(MAX, receive_ns=1)) == [(FUTURE, 0, MAX - 1)]
    assert notices(monitor, api, line(MAX, receive_ns=MAX)) == []
    assert notices(api.Monitor(), api, line(T, receive_ns=T - 1000 * MS)) == []
    assert notices(api.Monitor(), api, line(T, receive_ns=T - 1000 * MS - 1)) != []


def test_the_future_spoils_no_clock(api: Any) -> None:
    monitor = api.Monitor(period_ns=10)
    far = line(T + 10**12, receive_ns=T)
    assert notices(monitor, api, *ticks(0, 10), far, *ticks(20, 50)) == [
        (FUTURE, 2, 10**12),
        (GAP, 4, 2),
    ]
    assert notices(api.Monitor(period_ns=10), api, far, *ticks(0)) == [
        (FUTURE, 0, 10**12)
    ]


def test_taxonomy_change(api: Any) -> None:
    lines = [line(T, taxonomy_id=i) for i in (3, 3, 7, 3, 3)]
    assert notices(api.Monitor(), api, *lines) == [(TAXONOMY, 2, 3), (TAXONOMY, 3, 7)]
    assert notices(api.Monitor(taxonomy_id=3), api, *lines[:2]) == []
    for expected in (0, 65535):
        monitor = api.Monitor(taxonomy_id=expected)
        assert notices(monitor, api, *lines[:2]) == [(TAXONOMY, 0, expected)]


def test_a_change_of_taxonomy_restarts_the_clock(api: Any) -> None:
    monitor = api.Monitor(period_ns=10)
    assert notices(
        monitor,
        api,
        line(T),
        line(T + 1000, taxonomy_id=2),
        line(T + 500),
        line(T + 530),
    ) == [(TAXONOMY, 1, 1), (TAXONOMY, 2, 2), (GAP, 3, 2)]
    far = line(T + 10**12, receive_ns=T, taxonomy_id=9)
    assert notices(monitor, api, far, line(T, taxonomy_id=9)) == [
        (FUTURE, 0, 10**12),
        (TAXONOMY, 0, 1),
    ]


def test_duplicate_asset(api: Any) -> None:
    monitor = api.Monitor()
    lines = [
        line(T, ids=[5, 6, 5, 7, 6, 5]),
        line(T, ids=[5, 6, 7]),
        line(T, ids=[]),
        line(T, ids=[65535, 65535, 0, 0, 0]),
    ]
    found = monitor.observe(batch(api, *lines))
    assert found["asset_id"].tolist() == [5, 6, 65535, 0]
    assert found["amount"].tolist() == [3, 2, 2, 3]
    assert found["message"].tolist() == [0, 0, 3, 3]
    assert set(found["kind"].tolist()) == {DUPLICATE}
    assert notices(monitor, api, lines[1]) == []


def test_duplicates_are_no_flood(api: Any) -> None:
    monitor = api.Monitor()
    ids = [*range(100)] * 3
    found = monitor.observe(batch(api, line(T, ids=ids), line(T, ids=[1, 1])))
    assert found["asset_id"].tolist() == [*range(16), 1]
    assert found["amount"].tolist() == [3] * 16 + [2]
    assert monitor.counts.tolist() == [0, 0, 0, 0, 0, 101]


def test_more_rows_than_ids(api: Any) -> None:
    n = 70_000
    payload = codec.encode(
        np.arange(n, dtype=np.uint16),
        np.zeros(n, np.int64),
        timestamp_ns=T,
        taxonomy_id=1,
        key=None,
    )
    monitor = api.Monitor()
    for _ in range(2):
        found = monitor.observe(api.decode_payloads([payload]))
        assert found["asset_id"].tolist() == list(range(16))
        assert found["amount"].tolist() == [2] * 16
    assert monitor.counts[DUPLICATE] == 2 * (n - 65536)


def test_last_seen(api: Any) -> None:
    monitor = api.Monitor()
    seen = monitor.last_seen_ns
    assert seen.shape == (65536,) and not seen.any()
    monitor.observe(
        batch(
            api,
            line(T, receive_ns=T + 3, ids=[0, 1, 65535]),
            line(T + 1, receive_ns=0, ids=[1]),
            line(T, receive_ns=T + 2, ids=[2]),
        )
    )
    assert np.flatnonzero(seen).tolist() == [0, 1, 2, 65535]
    assert seen[[0, 1, 2, 65535]].tolist() == [T + 3, T + 1, T + 2, T + 3]
    monitor.observe(batch(api, line(T, receive_ns=7, ids=[1])))
    assert seen[1] == 7  # the last, whatever its time


def test_ages(api: Any) -> None:
    monitor = api.Monitor(ahead_ns=MAX)
    ages, bounds = monitor.ages, age_bounds()
    expected = np.zeros(976, np.uint64)
    low = [bound for bound in bounds.tolist() if bound < 10**6]
    for age in {*low, *(bound + 1 for bound in low), *(2**i for i in range(64))}:
        monitor.observe(batch(api, line(1, receive_ns=age + 1)))
        expected[np.searchsorted(bounds, np.uint64(age))] += 1
    assert ages.tolist() == expected.tolist()
    before = ages.copy()
    monitor.observe(batch(api, line(9, receive_ns=0)))
    assert ages.tolist() == before.tolist()
    monitor.observe(batch(api, line(9, receive_ns=5), line(9, receive_ns=9)))
    assert (ages - before).tolist() == [2] + [0] * 975


def test_age_bounds() -> None:
    bounds = age_bounds().tolist()
    assert len(bounds) == 976 and bounds[-1] == MAX
    assert bounds[:32] == list(range(32))
    for below, bound in pairwise(bounds):
        width = bound - below
        assert width >= 1
        assert width == 1 or Fraction(width, below + 1) <= Fraction(1, 16)


def test_reset_clock(api: Any) -> None:
    monitor = api.Monitor(period_ns=10)
    monitor.observe(batch(api, *ticks(1000)))
    monitor.reset_clock()
    assert notices(monitor, api, *ticks(0, 20)) == [(GAP, 1, 1)]
    monitor.reset_clock()
    found = notices(monitor, api, line(T + 9000, taxonomy_id=2))
    assert found == [(TAXONOMY, 0, 1)]


def test_arrays_are_live_and_read_only(api: Any) -> None:
    monitor = api.Monitor()
    views = (monitor.ages, monitor.last_seen_ns, monitor.counts)
    monitor.observe(batch(api, line(T, ids=[3, 3])))
    for view in views:
        assert view.dtype == np.uint64 and view.any()
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1


def test_arrays_keep_their_memory() -> None:
    monitor = codec.Monitor()
    views = (monitor.ages, monitor.last_seen_ns, monitor.counts)
    monitor.observe(batch(codec, line(T, ids=[3, 3])))
    del monitor
    gc.collect()
    assert [int(view.astype(bool).sum()) for view in views] == [1, 1, 1]
    with pytest.raises(ValueError, match="WRITEABLE"):
        views[0].flags.writeable = True


def test_nothing_to_tell_is_one_array() -> None:
    monitor = codec.Monitor()
    first = monitor.observe(batch(codec, line(T)))
    assert first is monitor.observe(batch(codec, line(T)))
    assert first.dtype == NOTICE_DTYPE and not first.flags.writeable
    told = monitor.observe(batch(codec, line(T - 1)))
    assert told.flags.owndata and told.flags.writeable


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"period_ns": 0}, ValueError, "period_ns must be in 1 .. "),
        ({"period_ns": 2**64}, ValueError, "period_ns"),
        ({"period_ns": 1e7}, TypeError, "float"),
        ({"ahead_ns": -1}, ValueError, "ahead_ns must be in 0 .. "),
        ({"ahead_ns": None}, TypeError, "NoneType"),
        ({"taxonomy_id": 65536}, ValueError, "taxonomy_id must be in 0 .. 65535"),
        ({"taxonomy_id": -1}, ValueError, "taxonomy_id"),
    ],
)
def test_bad_options(api: Any, options: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        api.Monitor(**options)


def test_what_is_no_batch() -> None:
    monitor = codec.Monitor()
    for what in (None, b"", batch(reference, line(T))):
        with pytest.raises(TypeError):
            monitor.observe(what)


def test_kinds_describe_themselves() -> None:
    assert str(NoticeKind.TAXONOMY_CHANGE) == "taxonomy_change"
    assert len({kind.description for kind in NoticeKind}) == len(NoticeKind)
    assert len(codec.Monitor().counts) == max(NoticeKind) + 1


PERIOD = 20


@st.composite
def streams(draw: st.DrawFn) -> list[str]:
    """Messages mostly on a grid, with all that can happen to one."""
    now, lines = T, []
    usual = st.sampled_from([0, PERIOD - 1, PERIOD, PERIOD, PERIOD + 1])
    unusual = st.sampled_from([-55, -1, 29, 30, 31, 50, 10**6]) | st.integers(-99, 999)
    for _ in range(draw(st.integers(0, 12))):
        now += draw(usual | unusual)
        timestamp = draw(st.just(now) | st.just(now) | UINT64)
        receive = draw(
            st.just(now + 3) | st.just(0) | st.just(now - 7) | st.just(now - 8) | UINT64
        )
        some_ids = st.lists(
            st.integers(0, 20) | UINT16, max_size=draw(st.integers(0, 60))
        )
        lines.append(
            line(
                timestamp,
                receive_ns=receive,
                taxonomy_id=draw(st.sampled_from([1, 1, 1, 1, 2, 65535])),
                ids=draw(some_ids),
            )
        )
    return lines


def same(monitor: Any, oracle: Any) -> None:
    assert monitor.missing == oracle.missing
    for name in ("counts", "ages", "last_seen_ns"):
        ours, theirs = getattr(monitor, name), getattr(oracle, name)
        assert ours.tobytes() == theirs.tobytes(), name


@settings(max_examples=100)  # arrays of 65,536 are compared each time
@given(
    streams(),
    st.fixed_dictionaries(
        {"ahead_ns": st.sampled_from([7, 0, MAX])},
        optional={
            "period_ns": st.sampled_from([PERIOD, PERIOD, 1, 3, MAX]),
            "taxonomy_id": st.sampled_from([1, 2]),
        },
    ),
    st.data(),
)
def test_core_equals_reference(lines: list[str], options: Any, data: Any) -> None:
    monitor, oracle = codec.Monitor(**options), reference.Monitor(**options)
    while lines:
        n = data.draw(st.integers(0, len(lines)) | st.just(1))
        part, lines = batch(codec, *lines[:n]), lines[n:]
        found = monitor.observe(part)
        assert found.tobytes() == oracle.observe(part).tobytes()
        most = len(part.messages) * (2 + 16)
        assert len(found) <= most
        if data.draw(st.integers(0, 9)) == 0:
            monitor.reset_clock()
            oracle.reset_clock()
    same(monitor, oracle)


@given(streams(), st.lists(st.integers(0, 12), max_size=4))
def test_where_batches_end_does_not_matter(lines: list[str], cuts: list[int]) -> None:
    whole = codec.Monitor(period_ns=PERIOD, ahead_ns=7)
    parts = codec.Monitor(period_ns=PERIOD, ahead_ns=7)
    expected = whole.observe(batch(codec, *lines))
    found = []
    places = [0, *sorted(cuts), len(lines)]
    for start, end in pairwise(places):
        for row in parts.observe(batch(codec, *lines[start:end])).tolist():
            found.append((row[0] + min(start, len(lines)), *row[1:]))
    assert found == expected.tolist()
    same(parts, whole)


def test_rows_that_their_owner_has_changed() -> None:
    """No more updates are read than there are."""
    for count in (0, 1, 5, 2**31, 2**32 - 1):
        some = batch(codec, *ticks(0, 1, 2))
        some.messages["update_count"] = count
        some.messages["first_update"] = 2**63
        monitor = codec.Monitor()
        found = monitor.observe(some)
        assert set(found["kind"].tolist()) <= {DUPLICATE}
        assert set(np.flatnonzero(monitor.last_seen_ns).tolist()) <= {1, 2}


def test_large_batches_and_many_notices() -> None:
    """Without the GIL, and with more notices than the buffer has had room for."""
    lines = [line(T + 7 * (i * i % 31) * PERIOD, ids=[1, 1]) for i in range(5000)]
    large = batch(codec, *lines)
    monitor = codec.Monitor(period_ns=PERIOD)
    oracle = reference.Monitor(period_ns=PERIOD)
    for _ in range(2):
        found = monitor.observe(large)
        assert len(found) > 7000
        assert found.tobytes() == oracle.observe(large).tobytes()
    same(monitor, oracle)


def test_one_thread_at_a_time() -> None:
    """Of several threads some are refused, and what the others saw adds up."""
    large = batch(codec, *(line(T, ids=range(50)) for _ in range(4000)))
    monitor = codec.Monitor()
    refused: list[RuntimeError] = []
    n_seen = [0] * 3

    def work(i: int) -> None:
        for _ in range(30):
            try:
                monitor.observe(large)
                n_seen[i] += 1
            except RuntimeError as error:
                refused.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(n_seen) + len(refused) == 90
    assert monitor.ages.sum() == sum(n_seen) * 4000
    assert {str(error) for error in refused} <= {
        "this Monitor is in the middle of another call"
    }


def test_an_oracle_for_both_kinds_of_batch() -> None:
    lines = ticks(0, 100, 50)
    first, second = (reference.Monitor(period_ns=10) for _ in range(2))
    found = first.observe(batch(codec, *lines))
    assert found.tobytes() == second.observe(batch(reference, *lines)).tobytes()


def histogram(*ages: int) -> np.ndarray:
    monitor = codec.Monitor(ahead_ns=MAX)
    monitor.observe(batch(codec, *(line(1, receive_ns=1 + age) for age in ages)))
    return monitor.ages.copy()


def test_percentiles() -> None:
    counts = histogram(*range(20))
    assert percentiles(counts, [0, 5, 5.1, 50, 95, 95.1, 100]) == [
        0,
        0,
        1,
        9,
        18,
        19,
        19,
    ]
    assert percentiles(histogram(1000), [50]) == [1023]
    thousand = np.zeros(976, np.uint64)
    thousand[:2] = 999, 1
    assert percentiles(thousand, [99.9, np.float64(99.9), 99.91]) == [0, 0, 1]
    later = counts + histogram(5, 5, 5)
    assert percentiles(later - counts, [1, 99]) == [5, 5]
    assert percentiles(counts, []) == []


@given(st.lists(st.integers(0, 2**63), min_size=1, max_size=30), st.integers(0, 100))
def test_percentiles_are_close(ages: list[int], percent: int) -> None:
    (bound,) = percentiles(histogram(*ages), [percent])
    rank = max(-(-len(ages) * percent // 100), 1)
    age = sorted(ages)[rank - 1]
    assert age <= bound <= age + age // 16


def test_bad_histograms() -> None:
    good = histogram(1, 2)
    for bad, error, match in (
        (good[1:], ValueError, "976 buckets"),
        (good.astype(float), TypeError, "float64"),
        (good - histogram(3), ValueError, "negative"),
        (good - good, ValueError, "nothing"),
    ):
        with pytest.raises(error, match=match):
            percentiles(bad, [50])
    for percent in (-1, 101, float("nan")):
        with pytest.raises(ValueError, match=r"in 0 \.\. 100"):
            percentiles(good, [percent])
