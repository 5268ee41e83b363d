"""Which prices fall due, against an account of the same rules that looks at all."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from codec.feeds.publishing import Price, PriceBook, scaled

ONE = 10**18


# Values.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (-(2**127), -(2**127)),
        (2**127 - 1, 2**127 - 1),
        (np.int64(-7), -7),
        ("1", ONE),
        ("-1.5", -15 * 10**17),
        ("+.5", 5 * 10**17),
        ("1e3", 1000 * ONE),
        ("0.000000000000000001", 1),
        ("1.0000000000000000000000", ONE),
        ("0" * 3000 + "7", 7 * ONE),
        ("0e999999", 0),
        ("-0", 0),
        ("170141183460469231731.687303715884105727", 2**127 - 1),
        (Decimal("72147.681412670819"), 72147681412670819000000),
        (Decimal("1E-18"), 1),
        (Decimal("1.7E+20"), 17 * 10**37),
    ],
)
def test_values(value: Any, expected: int) -> None:
    assert scaled(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        2**127,
        -(2**127) - 1,
        "170141183460469231731.687303715884105728",
        "1e21",
        "1e999999999",
        Decimal("1e400000"),
        "0.0000000000000000001",
        "1.0000000000000000001",
        "1e-19",
        "1e-999999999",
        Decimal("1e-400000"),
        "",
        "x",
        "1,5",
        " 1",
        "1_000",
        "٣",
        "nan",
        "inf",
        "-Infinity",
        "0x10",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        "9" * 5000,
    ],
)
def test_no_values(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        scaled(value)


@pytest.mark.parametrize("value", [1.5, np.float64(1.5), True, None, b"1", [1], 1j])
def test_values_of_a_wrong_type(value: Any) -> None:
    with pytest.raises(TypeError):
        scaled(value)


def test_floats_where_they_are_allowed() -> None:
    assert scaled(0.1, allow_float=True) == 10**17
    assert scaled(np.float64(64000.12), allow_float=True) == 6400012 * 10**16
    for value in (math.nan, math.inf, 1e-19, 1e300):
        with pytest.raises(ValueError, match=r"number|decimals|int128"):
            scaled(value, allow_float=True)


@given(st.integers(-(2**127), 2**127 - 1))
def test_any_value_as_text(value: int) -> None:
    text = f"{Decimal(value).scaleb(-18, None):f}" if abs(value) < 10**27 else None
    if text is not None:
        assert scaled(text) == scaled(Decimal(text)) == value
    sign, digits = ("-" if value < 0 else ""), f"{abs(value):019}"
    assert scaled(f"{sign}{digits[:-18]}.{digits[-18:]}") == value


# What falls due.


def book(**options: Any) -> PriceBook:
    defaults: dict[str, Any] = {
        "clock_period_s": 0.5,
        "delta_percent": 0.1,
        "delta_period_s": 0.01,
    }
    result = PriceBook(**(defaults | options))
    result.start(0.0)
    return result


def taken(prices: PriceBook, now_s: float) -> list[tuple[str, int, int, str]]:
    """What is sent at a time, in ns of the same clock."""
    prices.look(now_s)
    found = prices.take(1000, now_s, round(now_s * 1e9))
    return [(p.asset, p.value, p.timestamp_ns, p.trigger) for p in found]


def test_the_clock_repeats_and_says_now() -> None:
    prices = book(delta_percent=None)
    prices.publish("a", 100, 7, 0.1)
    assert taken(prices, 0.4) == []
    assert taken(prices, 0.5) == [("a", 100, 500_000_000, "clock")]
    assert taken(prices, 0.6) == []
    assert taken(prices, 1.7) == [("a", 100, 1_700_000_000, "clock")]  # once
    assert prices.next_s() == pytest.approx(2.0)  # the grid stays
    assert (prices.n_sent, prices.n_repeated, prices.n_superseded) == (2, 1, 0)


def test_deltas() -> None:
    prices = book(clock_period_s=None, delta_percent="0.1")
    prices.publish("a", 1000, 1, 0.0)
    assert taken(prices, 0.005) == []
    assert taken(prices, 0.01) == [("a", 1000, 1, "delta")]  # the first of its asset
    prices.publish("a", 1001, 2, 0.01)  # by a thousandth exactly: not more
    assert taken(prices, 0.02) == [] and prices.n_waiting == 1
    prices.publish("a", 1002, 3, 0.02)
    prices.publish("a", 998, 4, 0.02)
    assert taken(prices, 0.03) == [("a", 998, 4, "delta")]
    assert prices.n_superseded == 2
    assert prices.next_s() == math.inf  # nothing is to be looked at


def test_deltas_of_zero_and_below() -> None:
    prices = book(clock_period_s=None)
    sent = []
    for i, value in enumerate([0, 0, 1, -1, -1000, -1001, -1002, 0]):
        prices.publish("a", value, i, 0.0)
        sent += taken(prices, 0.01 * (i + 1) + 0.001)
    assert [value for _, value, _, _ in sent] == [0, 1, -1, -1000, -1002, 0]


def test_every_update() -> None:
    prices = book(every_update=True, delta_percent=None, clock_period_s=None)
    prices.publish("a", 1, 1, 0.0)
    prices.publish("b", 2, 2, 0.0)
    prices.publish("a", 3, 3, 0.0)
    expected = [("a", 3, 3, "unspecified"), ("b", 2, 2, "unspecified")]
    assert taken(prices, 0.0) == expected
    assert prices.n_superseded == 1


def test_times_of_an_asset_never_go_back() -> None:
    """A server takes no price that is as old as the last: it gets the present."""
    prices = book(clock_period_s=1.0, every_update=True)
    prices.publish("a", 1, 5, 0.0)
    assert taken(prices, 1.0) == [("a", 1, 10**9, "clock")]
    prices.publish("a", 2, 6, 1.5)
    assert taken(prices, 1.5) == [("a", 2, 1_500_000_000, "unspecified")]
    prices.publish("a", 3, 1_600_000_000, 1.7)
    assert taken(prices, 1.7) == [("a", 3, 1_600_000_000, "unspecified")]


def test_what_was_not_renewed_is_repeated_no_more() -> None:
    prices = book(delta_percent=None, max_age_s=0.7)
    prices.publish("a", 1, 1, 0.0)
    assert len(taken(prices, 0.5)) == 1
    assert taken(prices, 1.0) == []
    prices.publish("a", 2, 1_100_000_000, 1.1)
    # Never sent, so it goes out, but not as if it were of now.
    assert taken(prices, 2.0) == [("a", 2, 1_100_000_000, "clock")]
    assert taken(prices, 2.5) == []
    prices.publish("a", 3, 2_600_000_000, 2.6)
    assert taken(prices, 3.0) == [("a", 3, 3_000_000_000, "clock")]


def test_what_is_too_old_never_looks_as_if_it_were_of_now() -> None:
    """Also where its own time is before the last that was sent, by the clock."""
    prices = book(delta_percent=None, max_age_s=5)
    prices.publish("a", 1, 1, 0.0)
    assert taken(prices, 0.5) == [("a", 1, 500_000_000, "clock")]
    prices.publish("a", 2, 499_000_000, 0.6)
    prices.look(1.0)  # and then there was no connection
    assert taken(prices, 100.0) == [("a", 2, 499_000_000, "clock")]
    prices.publish("a", 3, 499_500_000, 100.1)
    assert taken(prices, 100.5) == [("a", 3, 100_500_000_000, "clock")]


@given(
    st.floats(0, 1e7),
    st.sampled_from([1e-6, 1e-3, 0.01, 0.1, 0.3, 1 / 3, 0.5, 60.0]),
    st.integers(0, 10**6),
    st.sampled_from([-1e-9, 0.0, 1e-9, 1e-3]),
)
@settings(max_examples=500)
def test_the_next_time_is_after_now(
    begin_s: float, period_s: float, n: int, off_s: float
) -> None:
    """Also where now is on the grid to the last bit of a float."""
    prices = PriceBook(
        clock_period_s=period_s, delta_percent=None, delta_period_s=period_s
    )
    prices.start(begin_s)
    prices.publish("a", 1, 1, begin_s)
    now_s = max(prices.next_s() + period_s * n + off_s, prices.next_s())
    prices.look(now_s)
    assert prices.n_due == 1
    assert now_s < prices.next_s() <= now_s + period_s * (1 + 1e-6) + 1e-8


def test_withdrawn() -> None:
    prices = book()
    prices.publish("a", 1, 1, 0.0)
    prices.look(0.01)
    assert prices.withdraw("a") and not prices.withdraw("a")
    assert taken(prices, 1.0) == [] and prices.n_superseded == 1
    assert (prices.n_published, prices.n_waiting) == (1, 0)


def test_flush() -> None:
    prices = book(clock_period_s=None, delta_percent=5)
    prices.publish("a", 100, 1, 0.0)
    assert len(taken(prices, 0.01)) == 1
    prices.publish("a", 101, 2, 0.02)
    prices.flush()
    assert taken(prices, 0.02) == [("a", 101, 2, "unspecified")]
    prices.flush()
    assert taken(prices, 0.03) == []


def test_some_at_a_time() -> None:
    prices = book()
    for i in range(10):
        prices.publish(str(i), i, i, 0.0)
    prices.look(0.01)
    assert [p.asset for p in prices.take(4, 0.01, 0)] == ["0", "1", "2", "3"]
    prices.publish("5", 50, 50, 0.01)
    assert prices.take(3, 0.01, 0)[1] == Price("5", 50, 50, "delta")
    assert prices.n_due == 3


@pytest.mark.parametrize(
    "options",
    [
        {"clock_period_s": 0},
        {"clock_period_s": -1.0},
        {"clock_period_s": math.inf},
        {"clock_period_s": math.nan},
        {"clock_period_s": 1e-320},
        {"delta_period_s": 0},
        {"delta_period_s": 1e-12},
        {"delta_percent": -1},
        {"delta_percent": "x"},
        {"delta_percent": math.nan},
        {"max_age_s": 0},
        {"clock_period_s": None, "delta_percent": None},
    ],
)
def test_settings_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        book(**options)


class Published(RuleBasedStateMachine):
    """Prices come, time goes on, the connection takes some or none."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.prices = book(clock_period_s=0.5, delta_percent="0.25")
        self.newest: dict[str, tuple[int, int]] = {}
        self.unsent: set[str] = set()
        self.last: dict[str, int] = {}
        self.last_ns: dict[str, int] = {}
        self.n_published = self.n_sent = self.n_first = 0

    @rule(asset=st.sampled_from("abc"), value=st.integers(-2000, 2000))
    def publish(self, asset: str, value: int) -> None:
        self.n_published += 1
        time_ns = round(self.now_s * 1e9) + self.n_published
        self.prices.publish(asset, value, time_ns, self.now_s)
        self.newest[asset] = value, time_ns
        self.unsent.add(asset)

    @rule(step_s=st.sampled_from([0.001, 0.01, 0.1, 1.0, 7.0]))
    def wait(self, step_s: float) -> None:
        self.now_s += step_s
        self.prices.look(self.now_s)

    @rule(most=st.integers(0, 3))
    def take(self, most: int) -> None:
        now_ns = round(self.now_s * 1e9) + self.n_published + 1
        for price in self.prices.take(most, self.now_s, now_ns):
            value, time_ns = self.newest[price.asset]
            assert price.value == value
            assert price.timestamp_ns in (time_ns, now_ns)
            assert price.timestamp_ns >= self.last_ns.get(price.asset, -1)
            self.n_sent += 1
            self.n_first += price.asset in self.unsent
            self.unsent.discard(price.asset)
            self.last[price.asset] = value
            self.last_ns[price.asset] = price.timestamp_ns

    @rule(asset=st.sampled_from("abc"))
    def withdraw(self, asset: str) -> None:
        assert self.prices.withdraw(asset) == (asset in self.newest)
        self.newest.pop(asset, None)
        self.last.pop(asset, None)
        self.last_ns.pop(asset, None)
        self.unsent.discard(asset)

    @invariant()
    def nothing_is_lost_from_the_account(self) -> None:
        prices = self.prices
        assert prices.n_published == self.n_published
        assert prices.n_sent == self.n_sent
        assert prices.n_sent - prices.n_repeated == self.n_first
        assert prices.n_waiting == len(self.unsent)
        first = prices.n_sent - prices.n_repeated
        accounted = first + prices.n_superseded + prices.n_waiting
        assert accounted == prices.n_published

    @invariant()
    def whatever_has_changed_enough_is_due(self) -> None:
        """After a look at deltas, all that differs from the last sent is due."""
        if self.prices.next_s() < self.now_s + 0.02 and self.prices._changed:
            return
        for asset in self.unsent:
            last, value = self.last.get(asset), self.newest[asset][0]
            if last is None or abs(value - last) * 400 > abs(last):
                assert asset in self.prices._due


TestPublished = Published.TestCase
TestPublished.settings = settings(max_examples=60, stateful_step_count=40)
