"""Spending in a rolling hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.chain.push.budget import Budget


def test_what_was_spent_comes_back_after_an_hour() -> None:
    budget = Budget(100)
    budget.spend(60, 0.0)
    budget.spend(30, 1000.0)
    assert budget.left_wei(1000.0) == 10
    assert budget.allows(10, 1000.0) and not budget.allows(11, 1000.0)
    assert budget.free_s(11, 1000.0) == 3600.0
    assert budget.left_wei(3599.9) == 10 and budget.left_wei(3600.0) == 70
    assert budget.spent_wei(4600.0) == 0 and budget.total_wei == 90


def test_what_is_beyond_the_limit_is_counted_too() -> None:
    budget = Budget(100)
    budget.spend(150, 5.0)
    assert budget.left_wei(5.0) == 0 and not budget.allows(1, 5.0)
    assert budget.free_s(100, 5.0) == 3605.0


def test_more_than_an_hour_allows_never_comes() -> None:
    assert Budget(100).free_s(101, 0.0) is None
    assert Budget(0).free_s(1, 0.0) is None
    assert not Budget(0).allows(1, 0.0)


def test_without_a_limit_everything_is_allowed_and_counted() -> None:
    budget = Budget()
    budget.spend(10**30, 1.0)
    assert budget.left_wei(1.0) is None and budget.allows(10**40, 1.0)
    assert budget.spent_wei(1.0) == 10**30


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="not below 0"):
        Budget(-1)


def test_sums_are_kept_by_the_second() -> None:
    budget = Budget(10**9)
    for i in range(100_000):
        budget.spend(1, i / 20)
    assert budget.spent_wei(5000.0) >= 3600 * 20
    assert len(budget._spent) <= 3602


spends = st.lists(st.tuples(st.integers(0, 50), st.floats(0, 3000)), max_size=20)


@given(spends, st.integers(0, 100))
def test_the_limit_holds_in_every_hour(
    steps: list[tuple[int, float]], cost: int
) -> None:
    budget, now, spent = Budget(100), 0.0, []
    for wei, after in steps:
        now += after
        if budget.allows(wei, now):
            budget.spend(wei, now)
            spent.append((now, wei))
        assert sum(w for t, w in spent if now - t < 3600) <= 100
    free = budget.free_s(cost, now)
    assert free is not None and budget.allows(cost, free)
