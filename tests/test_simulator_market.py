"""The market's random walks: exact, seeded, plausible; and the ticks' times."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from simulated import run

import codec
from codec.simulator import Market
from codec.simulator.ticks import Ticker

ONE = 10**18


def walk(market: Market, ids: list[int], n: int) -> np.ndarray:
    rows = market.rows(np.array(ids, np.uint16))
    return np.array([codec.as_int(market.values(rows, t)) for t in range(1, n + 1)])


def test_walks_are_exact_plausible_and_seeded() -> None:
    ids = [1, 2, 7, 10, 11, 65535]
    values = walk(Market(ids), ids, 2000)
    assert (values == walk(Market(ids), ids, 2000)).all()
    assert (values != walk(Market(ids, seed=1), ids, 2000)).all()
    assert 90_000 * ONE < values[:, 0].min() < values[:, 0].max() < 105_000 * ONE
    assert values[:, 2].max() < 0
    assert values[:, :2].min() > 0 and values[:, 3:].min() > 0
    steps = np.abs(np.diff(values, axis=0))
    assert (steps <= np.abs(values[:-1]) // 9000 + 4096).all()
    assert (values % 10**6 != 0).mean() > 0.99  # to the last digit


def test_an_asset_walks_alone() -> None:
    few, many = Market([2, 9]), Market(range(65536), seed=0)
    assert (walk(few, [9], 50) == walk(many, [9], 50)).all()
    many = Market(range(65536))
    assert (walk(few, [2], 50)[:, 0] == walk(many, [1, 2, 3], 50)[:, 1]).all()


def test_a_carry_between_the_words_is_exact() -> None:
    market = Market([1])
    market._values["lo"][0], market._values["hi"][0] = 5, -1
    before = codec.as_int(market._values)[0]
    seen = set()
    for value in walk(market, [1], 300)[:, 0]:
        assert abs(value - before) < 10 * ONE
        seen.add(value >= -(2**64))
        before = value
    assert seen == {True, False}


def test_the_same_time_has_the_same_values() -> None:
    market = Market(range(10))
    rows = market.rows(np.arange(10, dtype=np.uint16))
    first = market.values(rows, 5)
    assert (market.values(rows[3:], 5) == first[3:]).all()
    assert (market.values(rows, 6) != first).all()


def test_what_is_there() -> None:
    market = Market([3, 1, 3, 40_000])
    assert market.asset_ids.tolist() == [1, 3, 40_000]
    assert [i in market for i in (1, 2, 40_000, -1, 65536, "1", True, None)] == [
        True,
        False,
        True,
        *[False] * 5,
    ]
    assert [market.symbol(i) for i in (1, 40_000, 0)] == [
        "BTCUSD",
        "SIM40000USD",
        "SIM00000USD",
    ]
    assert set(Market(range(100)).statuses.tolist()) == {0, 1, 2, 3, 255}
    with pytest.raises(ValueError, match="asset ids"):
        Market([-1])


def test_a_late_ticker_leaves_nothing_out_and_a_clock_that_jumps_is_followed() -> None:
    period = 10**6
    now = [10**18]
    seen: list[int] = []

    async def test() -> None:
        ticker = Ticker(period, lambda: now[0], seen.append)
        ticker.start()
        ticker.start()
        for step_ns in (period, 50 * period, 0, 10**13, period, -(10**13), period):
            now[0] += step_ns
            await asyncio.sleep(0.1)
        ticker.stop()
        n = len(seen)
        now[0] += 10**9
        await asyncio.sleep(0.05)
        assert len(seen) == n

    run(test())
    ticks = [(stamp - 10**18) // period for stamp in seen]
    assert ticks[:51] == list(range(1, 52))
    assert ticks[51:] == [10**7 + 51, 10**7 + 52, 52, 53]
