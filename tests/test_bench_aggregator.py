"""The measurement of the aggregator's feed, small."""

from __future__ import annotations

import pytest

pytest.importorskip("websockets", reason="optional: websockets is not installed")

from bench.aggregator_feed import Load, measure


@pytest.mark.parametrize("deflate", [True, False])
def test_all_of_it_arrives(deflate: bool) -> None:
    load = Load(seconds=1, n_publishers=3, n_assets=20, deflate=deflate)
    figures = measure(load)
    assert (figures.n_aggregates, figures.n_signatures) == (40, 160)
    assert figures.dropped == figures.bad == 0
    assert 0 < figures.cpu_share < 5
