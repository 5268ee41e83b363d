"""Assets that have not been heard of, against a slow account of the same rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codec.feeds.absence import AbsenceWatch

S = 1_000_000_000
NOW = 1_764_608_698_000_000_000


def heard(times: dict[int, int]) -> NDArray[np.uint64]:
    """When each asset was last heard of."""
    result = np.zeros(1 << 16, np.uint64)
    for asset, time_ns in times.items():
        result[asset] = time_ns
    return result


class Slow:
    """The same, asset by asset."""

    def __init__(self, after_ns: int) -> None:
        self.after_ns = after_ns
        self.clock_ns = 0
        self.now_ns: int | None = None
        self.heard_ns: dict[int, int] = {}  # of those that are watched
        self.known: dict[int, int] = {}
        self.absent: set[int] = set()

    def watch(self, assets: Iterable[int]) -> None:
        for asset in assets:
            self.heard_ns.setdefault(asset, self.clock_ns)

    def forget(self, assets: Iterable[int]) -> None:
        for asset in assets:
            self.heard_ns.pop(asset, None)
            self.absent.discard(asset)

    def check(
        self, last_seen: dict[int, int], now_ns: int
    ) -> tuple[list[int], list[int]]:
        if self.now_ns is not None and now_ns > self.now_ns:
            self.clock_ns += min(now_ns - self.now_ns, self.after_ns // 2)
        self.now_ns = now_ns
        for asset, time_ns in last_seen.items():
            if self.known.get(asset, 0) != time_ns and asset in self.heard_ns:
                self.heard_ns[asset] = self.clock_ns
        self.known = dict(last_seen)
        absent = {
            asset
            for asset, heard_ns in self.heard_ns.items()
            if self.clock_ns - heard_ns > self.after_ns
        }
        gone, back = absent - self.absent, self.absent - absent
        self.absent = absent
        return sorted(gone), sorted(back)


IDS = st.sampled_from([0, 1, 2, 3, 255, 256, 65534, 65535])
SOME = st.lists(IDS, max_size=5)
STEPS = st.lists(
    st.tuples(st.just("watch"), SOME)
    | st.tuples(st.just("forget"), SOME)
    | st.tuples(st.just("hear"), SOME)
    | st.tuples(st.just("check"), st.none())
    | st.tuples(st.just("wait"), st.integers(-5, 12)),
    max_size=80,
)


@given(STEPS, st.integers(0, 10), st.sampled_from([500, NOW, 2**63, 2**64 - 1000]))
def test_against_a_slow_watch(
    steps: list[tuple[str, Any]], after_ns: int, now_ns: int
) -> None:
    watch, slow = AbsenceWatch(after_ns), Slow(after_ns)
    last_seen: dict[int, int] = {}
    for step, argument in [*steps, ("check", None)]:
        if step == "wait":
            now_ns += argument
        elif step == "hear":
            last_seen |= dict.fromkeys(argument, now_ns)
        elif step == "watch":
            watch.watch(argument)
            slow.watch(argument)
        elif step == "forget":
            watch.forget(argument)
            slow.forget(argument)
        else:
            result = watch.check(heard(last_seen), now_ns)
            assert result == slow.check(last_seen, now_ns)


class Stream:
    """Seconds that pass on a stream, with a check after each."""

    def __init__(self, watch: AbsenceWatch) -> None:
        self.watch = watch
        self.now_ns = NOW
        self.times: dict[int, int] = {}

    def jump(self, seconds: float) -> None:
        """The next receive time is so much later, without a check before."""
        self.now_ns += round(seconds * S)

    def second(self, *assets: int) -> tuple[list[int], list[int]]:
        """A second in which these come."""
        self.jump(1)
        self.times |= dict.fromkeys(assets, self.now_ns)
        return self.watch.check(heard(self.times), self.now_ns)

    def seconds(self, n: int, *assets: int) -> list[tuple[list[int], list[int]]]:
        """What happens in n of them, but nothing."""
        results = [self.second(*assets) for _ in range(n)]
        return [result for result in results if result != ([], [])]


def stream_of(*assets: int, after_s: int = 5) -> Stream:
    """A stream of watched assets, all of which have just come."""
    watch = AbsenceWatch(after_s * S)
    watch.watch(assets)
    stream = Stream(watch)
    assert stream.second(*assets) == ([], [])
    return stream


def test_an_asset_goes_and_comes_back_once() -> None:
    stream = stream_of(7, 9)
    assert stream.seconds(5, 9) == []
    assert stream.second(9) == ([7], [])
    assert stream.seconds(50, 9) == []
    assert stream.second(7, 9) == ([], [7])
    assert stream.seconds(50, 7, 9) == []


def test_an_asset_that_never_came() -> None:
    watch = AbsenceWatch(5 * S)
    watch.watch([7, 9])
    stream = Stream(watch)
    assert stream.seconds(6, 9) == []
    assert stream.second(9) == ([7], [])


def test_exactly_the_time_allowed_is_in_time() -> None:
    stream = stream_of(1, 2)
    assert stream.seconds(5, 2) == []
    assert stream.second(1, 2) == ([], [])


def test_assets_can_come_and_go_together() -> None:
    stream = stream_of(1, 2, 3)
    assert stream.seconds(5, 3) == []
    assert stream.second(3) == ([1, 2], [])
    assert stream.seconds(4, 1) == [([], [1])]
    assert stream.seconds(2, 1, 2) == [([], [2]), ([3], [])]
    assert stream.seconds(9, 1, 2) == []


def test_nothing_is_watched_at_first() -> None:
    stream = stream_of()
    assert stream.seconds(99) == []


def test_what_is_not_watched_may_be_away() -> None:
    stream = stream_of(1)
    stream.times[2] = NOW
    assert stream.seconds(99, 1) == []


def test_a_new_asset_has_its_time_from_now_on() -> None:
    stream = stream_of(1)
    assert stream.seconds(99, 1) == []
    stream.watch.watch([2])
    assert stream.seconds(5, 1) == []
    assert stream.second(1) == ([2], [])


def test_watching_again_gives_no_more_time() -> None:
    stream = stream_of(1, 2)
    for _ in range(5):
        assert stream.second(2) == ([], [])
        stream.watch.watch([1, 1])
    assert stream.second(2) == ([1], [])
    stream.watch.watch([1])
    assert stream.seconds(20, 2) == []


def test_a_forgotten_asset_neither_goes_nor_comes_back() -> None:
    stream = stream_of(1, 2, 3)
    assert stream.seconds(6, 3) == [([1, 2], [])]
    stream.watch.forget([1, 4])
    assert stream.second(1, 2, 3) == ([], [2])
    assert stream.seconds(20, 2, 3) == []
    stream.watch.watch([1])
    assert stream.seconds(5, 2, 3) == []
    assert stream.second(2, 3) == ([1], [])


def test_an_asset_that_was_heard_of_before_it_was_watched() -> None:
    stream = stream_of(1)
    stream.second(1, 2)
    assert stream.seconds(60, 1) == []
    stream.watch.watch([2])
    assert stream.seconds(5, 1) == []
    assert stream.second(1) == ([2], [])


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, iter])
def test_any_iterable(kind: Any) -> None:
    stream = stream_of(1)
    stream.watch.watch(kind([5, 65535, 0]))
    assert stream.seconds(9, 1) == [([0, 5, 65535], [])]
    stream.watch.forget(kind([5]))
    assert stream.second(0, 1, 5, 65535) == ([], [0, 65535])


def test_no_assets() -> None:
    stream = stream_of()
    stream.watch.watch([])
    stream.watch.forget([])
    assert stream.seconds(9) == []


def test_all_assets_there_can_be() -> None:
    stream = stream_of()
    stream.watch.watch(range(1 << 16))
    ((gone, back),) = stream.seconds(9)
    assert (gone, back) == (list(range(1 << 16)), [])
    assert all(type(asset) is int for asset in gone)


def test_what_is_given_is_not_changed_and_not_kept() -> None:
    watch = AbsenceWatch(5 * S)
    watch.watch([1])
    seen = heard({1: NOW})
    before = seen.copy()
    watch.check(seen, NOW)
    assert np.array_equal(seen, before)
    # The same array, filled anew, as a monitor does it.
    for i in range(1, 20):
        seen[1] = NOW + i * S
        assert watch.check(seen, NOW + i * S) == ([], [])


@pytest.mark.parametrize("silent_s", [10, 60, 3600, 10**6])
def test_a_stream_that_was_silent_as_a_whole_makes_no_asset_absent(
    silent_s: int,
) -> None:
    stream = stream_of(1, 2)
    stream.seconds(10, 1, 2)
    stream.jump(silent_s)
    assert stream.second(1) == ([], [])
    assert stream.second(1, 2) == ([], [])
    assert stream.seconds(10, 1, 2) == []


@pytest.mark.parametrize("jump_s", [60, 3600, 10**8, -1, -60, -3600, -(10**8)])
def test_a_jump_of_the_clock_makes_no_asset_absent(jump_s: int) -> None:
    stream = stream_of(1, 2)
    stream.seconds(10, 1, 2)
    stream.jump(jump_s)
    assert stream.second(1) == ([], [])
    assert stream.second(1, 2) == ([], [])
    assert stream.seconds(10, 1, 2) == []


@pytest.mark.parametrize("jump_s", [0, 60, 10**8, -60, -(10**8)])
def test_an_asset_that_stays_away_is_noticed_after_a_jump_as_well(jump_s: int) -> None:
    stream = stream_of(1, 2)
    stream.seconds(10, 1, 2)
    stream.jump(jump_s)
    assert stream.seconds(9, 1) == [([2], [])]


@pytest.mark.parametrize("after_s", [1, 2, 5, 60])
def test_an_absence_is_noticed_in_two_seconds_more_than_allowed(after_s: int) -> None:
    stream = stream_of(1, 2, after_s=after_s)
    assert stream.seconds(after_s + 2, 1) == [([2], [])]
