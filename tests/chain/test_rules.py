"""Which assets are to be pushed and why, and which payload serves them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chain.push.rules import (
    Point,
    Rule,
    Rules,
    TriggerKind,
    change_of,
    has_changed,
)
from codec.chain.push.tracking import Tracker

KEY = codec.keccak256(b"a signer")
ONE = 10**18
SECOND = 10**9


def frame(timestamp_ns: int, values: Mapping[int, int], taxonomy_id: int = 1) -> bytes:
    payload = codec.encode(
        list(values),
        list(values.values()),
        timestamp_ns=timestamp_ns,
        taxonomy_id=taxonomy_id,
        key=KEY,
    )
    return codec.to_frame(payload)


def take(tracker: Tracker, *frames: bytes, now_s: float = 0.0) -> int:
    """Has a tracker observe messages whose signatures are all good."""
    batch = codec.decode(list(frames))
    return tracker.observe(batch, np.ones(batch.n_messages, bool), now_s)


def kinds(tracker: Tracker, now_s: float) -> dict[int, str]:
    return {t.asset_id: str(t.kind) for t in tracker.triggers(now_s)}


def push(tracker: Tracker, now_s: float, *, is_confirmed: bool = True) -> int:
    """Pushes what is to be pushed; the payload's timestamp."""
    chosen = tracker.choose(tracker.triggers(now_s), now_s)
    assert chosen is not None
    tracker.sent(chosen[0])
    tracker.settled(chosen[0], is_confirmed=is_confirmed)
    return chosen[0].timestamp_ns


@pytest.mark.parametrize(
    ("before", "after", "percent", "expected"),
    [
        (200, 201, "0.5", True),
        (200, 199, "0.5", True),
        (201, 202, "0.5", False),
        (-200, -201, "0.5", True),
        (-200, -199, "0.5", True),
        (-1, 1, "200", True),
        (-1, 1, "200.1", False),
        (1, -1, "200", True),
        (0, 1, "100000", True),
        (0, -1, "100000", True),
        (0, 0, "0.1", False),
        (5, 0, "100", True),
        (5, 5, "0.0001", False),
        (10**30, 10**30 + 10**25, "0.001", True),
        (10**30, 10**30 + 10**25 - 1, "0.001", False),
        (-(2**127), 2**127 - 1, "200", False),
        (-(2**127), 2**127 - 1, "199", True),
    ],
)
def test_changes_are_compared_exactly(
    before: int, after: int, percent: str, expected: bool
) -> None:
    assert has_changed(before, after, Fraction(percent)) is expected


int128 = st.integers(-(2**127), 2**127 - 1)


@given(int128, int128, st.fractions(min_value="1e-6", max_value=1000))
def test_a_change_is_reached_where_its_percentage_is(
    before: int, after: int, percent: Fraction
) -> None:
    change = change_of(before, after)
    expected = before != after and (change is None or abs(change) >= percent)
    assert has_changed(before, after, percent) is expected
    assert has_changed(-before, -after, percent) is expected


@pytest.mark.parametrize("percent", ["0.1", 0.1, Decimal("0.1"), Fraction(1, 10)])
def test_a_percentage_is_the_decimal_as_it_is_written(percent: object) -> None:
    rule = Rule(change_percent=percent)  # type: ignore[arg-type]
    assert rule.change_percent == Fraction(1, 10) and str(rule) == "0.1%"


def test_rules_that_make_no_sense_are_refused() -> None:
    for bad in ("0", -1, "x", float("nan"), float("inf"), "1/0"):
        with pytest.raises(ValueError, match="change_percent must be above 0"):
            Rule(change_percent=bad)  # type: ignore[arg-type]
    for silence in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="max_silence_s"):
            Rule(max_silence_s=silence)
    with pytest.raises(ValueError, match="needs change_percent, max_silence_s or eve"):
        Rule()
    with pytest.raises(ValueError, match="no asset has a rule"):
        Rules({})
    with pytest.raises(ValueError, match=r"asset id .* not 65536"):
        Rules({65536: Rule(every=True)})


def test_the_first_value_is_pushed_and_then_what_changes_enough() -> None:
    tracker = Tracker(Rules({1: Rule("1"), 2: Rule("10")}))
    assert take(tracker, frame(1, {1: 100, 2: 100, 3: 7})) == 1
    assert kinds(tracker, 0) == {1: "first", 2: "first"}
    assert push(tracker, 0) == 1 and not tracker.triggers(1e9)
    take(tracker, frame(2, {1: 101, 2: 109}))
    (trigger,) = tracker.triggers(0)
    assert (trigger.asset_id, trigger.kind) == (1, TriggerKind.CHANGE)
    assert trigger.change_percent == 1 and str(trigger) == "+1%"
    # The payload holds 2 as well, so both are compared with it from now on.
    assert push(tracker, 0) == 2
    take(tracker, frame(3, {1: 101, 2: 111}))
    assert not tracker.triggers(0)


def test_silence_counts_from_when_the_pushed_value_was_received() -> None:
    tracker = Tracker(Rules({1: Rule(max_silence_s=10)}))
    assert tracker.due_s() is None
    take(tracker, frame(1, {1: 5}), now_s=100)
    push(tracker, 103)
    assert tracker.due_s() is None and not tracker.triggers(1000)  # nothing newer
    take(tracker, frame(2, {1: 5}), now_s=104)
    assert tracker.due_s() == 110
    assert not tracker.triggers(109.9)
    assert kinds(tracker, 110) == {1: "silence"}
    assert str(tracker.triggers(110)[0]) == "silent for 10 s"


def test_every_batch_is_pushed_once() -> None:
    tracker = Tracker(Rules({1: Rule(every=True)}))
    take(tracker, frame(1, {1: 5}))
    push(tracker, 0)
    assert not tracker.triggers(0)
    take(tracker, frame(2, {1: 5}), frame(3, {1: 5}))
    assert kinds(tracker, 0) == {1: "every"} and push(tracker, 0) == 3
    take(tracker, frame(2, {1: 9}))
    assert not tracker.triggers(0)


def test_what_is_out_counts_as_pushed_and_comes_back_where_it_fails() -> None:
    tracker = Tracker(Rules({1: Rule("1")}))
    take(tracker, frame(1, {1: 100}))
    push(tracker, 0)
    take(tracker, frame(2, {1: 110}))
    chosen = tracker.choose(tracker.triggers(0), 0)
    assert chosen is not None
    tracker.sent(chosen[0])
    take(tracker, frame(3, {1: 110}))
    assert not tracker.triggers(0)
    tracker.settled(chosen[0], is_confirmed=False)
    assert kinds(tracker, 0) == {1: "change"}
    assert tracker.confirmed(1) == Point(100, 1, 0.0)


def test_the_payload_that_serves_most_is_chosen_and_the_rest_comes_next() -> None:
    tracker = Tracker(Rules({i: Rule("1") for i in (1, 2, 3)}))
    take(tracker, frame(5, {1: 1, 2: 1}), frame(6, {3: 1}))
    chosen = tracker.choose(tracker.triggers(0), 0)
    assert chosen is not None
    assert [t.asset_id for t in chosen[1]] == [1, 2] and chosen[0].timestamp_ns == 5
    assert push(tracker, 0) == 5 and push(tracker, 0) == 6
    assert tracker.choose(tracker.triggers(0), 0) is None


def test_of_payloads_that_serve_alike_the_newest_is_chosen() -> None:
    tracker = Tracker(Rules({1: Rule("1"), 2: Rule("1")}))
    take(tracker, frame(8, {2: 1}), frame(9, {1: 1}), frame(7, {1: 3}))
    assert push(tracker, 0) == 9


def test_an_older_payload_takes_nothing_back() -> None:
    tracker = Tracker(Rules({1: Rule("1"), 2: Rule("1")}))
    take(tracker, frame(5, {1: 100, 2: 100}))
    push(tracker, 0)
    take(tracker, frame(6, {1: 200, 2: 100}), frame(7, {2: 200}))
    assert push(tracker, 0) == 7
    assert push(tracker, 0) == 6  # all there is for 1; it says what 2 was before
    assert tracker.confirmed(2) == Point(200, 7, 0.0)
    assert not tracker.triggers(0)


def test_of_an_asset_that_stands_twice_the_last_counts() -> None:
    tracker = Tracker(Rules({1: Rule("1")}))
    payload = codec.encode([1, 1], [5, 6], timestamp_ns=1, taxonomy_id=1, key=KEY)
    take(tracker, codec.to_frame(payload))
    assert tracker.newest(1) == Point(6, 1, 0.0)


def test_negative_values_and_the_extremes_are_kept_exactly() -> None:
    tracker = Tracker(Rules({1: Rule("1"), 2: Rule("1"), 3: Rule("1")}))
    values = {1: -(2**127), 2: 2**127 - 1, 3: -1}
    take(tracker, frame(1, values))
    assert {i: getattr(tracker.newest(i), "value", None) for i in values} == values


def test_unsigned_and_badly_signed_messages_never_count() -> None:
    tracker = Tracker(Rules({1: Rule(every=True)}))
    unsigned = b'{"type":"unsigned","tax":1,"ts":9,"a":[{"id":1,"v":"5"}]}'
    assert take(tracker, unsigned) == 0
    batch = codec.decode([frame(1, {1: 5}), frame(2, {1: 6})])
    assert tracker.observe(batch, np.array([True, False]), 0) == 1
    assert tracker.newest(1) == Point(5, 1, 0.0)
    assert tracker.observe(batch, np.zeros(2, bool), 0) == 0


def test_another_taxonomy_never_counts() -> None:
    for rules in (Rules({1: Rule("1")}), Rules({1: Rule("1")}, taxonomy_id=1)):
        tracker = Tracker(rules)
        assert take(tracker, frame(1, {1: 5}), frame(2, {1: 6}, taxonomy_id=2)) == 1
        assert tracker.newest(1) == Point(5, 1, 0.0)
        assert (tracker.taxonomy_id, tracker.n_foreign) == (1, 1)


def test_timestamps_far_ahead_never_count() -> None:
    tracker = Tracker(Rules({1: Rule("1")}))
    late, early = frame(6 * SECOND, {1: 5}), frame(5 * SECOND, {1: 6})
    lines = b"".join(b"1 %s\n" % message for message in (late, early))
    batch = codec.decode_lines(lines)
    assert tracker.observe(batch, np.ones(2, bool), 0) == 1
    assert tracker.newest(1) == Point(6, 5 * SECOND, 0.0) and tracker.n_ahead == 1


def test_many_messages_keep_no_more_than_one_payload_an_asset() -> None:
    tracker = Tracker(Rules({1: Rule("1"), 2: Rule("1")}))
    for i in range(50):
        take(tracker, *(frame(i * 20 + k + 1, {1 + k % 2: ONE}) for k in range(20)))
    assert len(tracker._newest) == 2 and len(tracker._out) == 0
    assert tracker.newest(2) == Point(ONE, 1000, 0.0)


def test_many_assets_in_payloads_of_their_own_do_not_make_the_choice_endless() -> None:
    ids = range(1, 30_001)
    tracker = Tracker(Rules({i: Rule("1") for i in ids}))
    take(tracker, *(frame(i, {i: ONE}) for i in ids))
    triggers = tracker.triggers(0)
    chosen = tracker.choose(triggers, 0)
    assert chosen is not None and chosen[0].timestamp_ns == 30_000
