"""The sender's own conditions: age, clock, assets, bands."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import codec
from codec.chain.checks import Checks
from codec.chain.reading import read

NOW = 1764608822324772939
ONE = 10**18
KEY = b"\1" * 32


def found(checks: Checks, *, now_ns: int = NOW, **columns: Any) -> list[str]:
    """The findings about a payload of assets 3, 7 and again 3 in taxonomy 2."""
    fields = {"asset_ids": [3, 7, 3], "values": [ONE, -5 * ONE, 2 * ONE]} | columns
    data = codec.encode(**fields, timestamp_ns=NOW, taxonomy_id=2, key=KEY)
    findings = list(checks.findings(read(data), now_ns))
    assert all(finding.is_fatal for finding in findings)
    return [str(finding) for finding in findings]


@pytest.mark.parametrize(
    ("age_ns", "code"),
    [
        (0, None),
        (10 * 10**9, None),
        (10 * 10**9 + 1, "too_old: 10.000 s old, more than 10 s"),
        (-(10**9), None),
        (-(10**9) - 1, "ahead: 1.000 s ahead of this machine's clock, more than 1 s"),
    ],
)
def test_age_in_both_directions(age_ns: int, code: str | None) -> None:
    checks = Checks(max_age_s=10, max_ahead_s=1)
    texts = found(checks, now_ns=NOW + age_ns)
    assert len(texts) == (code is not None)
    assert code is None or texts[0].startswith(code)


def test_by_default_only_the_clock_is_checked() -> None:
    assert found(Checks(), now_ns=NOW + 10**18) == []
    assert found(Checks(), now_ns=NOW - 5 * 10**9) == []
    assert len(found(Checks(), now_ns=NOW - 5 * 10**9 - 1)) == 1
    assert found(Checks(max_ahead_s=None), now_ns=0) == []


def test_assets_have_to_be_there() -> None:
    assert found(Checks(assets=[3, (2, 7)])) == []
    assert found(Checks(assets=[3, (1, 7), 8])) == [
        "asset_missing: without assets 1/7, 8 (taxonomy 2)"
    ]
    (text,) = found(Checks(assets=range(100, 150)))
    assert text.endswith("109 and 40 more (taxonomy 2)")


@pytest.mark.parametrize(
    ("band", "texts"),
    [
        ((ONE, 2 * ONE), []),
        ((Decimal(1), Decimal(2)), []),
        ((Decimal("1.000000000000000001"), 3 * ONE), ["asset 3 is 1, outside of"]),
        ((ONE + 1, 2 * ONE - 1), ["asset 3 is 1, outside", "asset 3 is 2, outside"]),
    ],
)
def test_bands_are_exact_and_hold_for_each_value(band: Any, texts: list[str]) -> None:
    lines = found(Checks(bands={3: band}))
    assert len(lines) == len(texts)
    for line, text in zip(lines, texts, strict=True):
        assert line.startswith(f"outside_band: {text}")


def test_bands_of_other_assets_say_nothing() -> None:
    bands = {9: (0, 1), (1, 3): (0, 1), (2, 7): (Decimal(-6), Decimal("-4.5"))}
    assert found(Checks(bands=bands)) == []
    assert found(Checks(bands={(2, 7): (Decimal(-4), Decimal(0))})) == [
        "outside_band: asset 2/7 is -5, outside of -4 .. 0"
    ]


def test_values_at_the_ends_of_int128() -> None:
    ends = [2**127 - 1, -(2**127)]
    checks = Checks(bands={1: (ends[1], ends[0])})
    assert found(checks, asset_ids=[1, 1], values=ends) == []
    (text,) = found(Checks(bands={1: (0, 2**127 - 2)}), asset_ids=[1], values=ends[:1])
    assert "170141183460469231731.687303715884105727, outside of 0 .." in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"max_age_s": -1}, "max_age_s"),
        ({"max_ahead_s": float("nan")}, "max_ahead_s"),
        ({"assets": [65536]}, "65536"),
        ({"assets": ["3"]}, "'3'"),
        ({"assets": [(1, 2, 3)]}, "(1, 2, 3)"),
        ({"bands": {3: (2, 1)}}, "asset 3: no value is in 2 .. 1"),
        ({"bands": {3: (Decimal("NaN"), 1)}}, "NaN"),
        ({"bands": {3: (0.5, 1)}}, "not float"),
    ],
)
def test_what_cannot_be_a_limit(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        Checks(**arguments)
    assert words in str(caught.value)


def test_what_cannot_be_read_is_not_judged() -> None:
    checks = Checks(max_age_s=1, assets=[1], bands={1: (0, 1)})
    assert list(checks.findings(read(b"short"), NOW)) == []
