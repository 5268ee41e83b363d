"""The anatomy of payloads, and the texts in which it is told."""

from __future__ import annotations

import pytest
from fault_cases import SIGNATURE

import codec
from codec.cli.anatomy import Field, payload_fields
from codec.cli.demo import EXAMPLE
from codec.cli.text import decimal_text, market_status_text, printable, utc_text

KEY = b"\x01" * 32
EXAMPLE_PAYLOAD = bytes.fromhex(EXAMPLE[2:].decode())
EXAMPLE_VALUES = [
    "0.999844999999999983",
    "0.999795007749999964",
    "12.695000000000000284",
    "2739.412583194596209068",
]
EXTREMES = [2**127 - 1, -(2**127), 0, -1]
VERSIONED = codec.encode(
    [1, 65535, 7, 7],
    EXTREMES,
    timestamp_ns=2**64 - 1,
    taxonomy_id=0xFF01,
    key=KEY,
    market_status=[0, 3, 9, 255],
)


def named(fields: list[Field], name: str) -> list[Field]:
    return [field for field in fields if field.name == name]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.000000000000000000"),
        (1, "0.000000000000000001"),
        (-1, "-0.000000000000000001"),
        (-(10**18), "-1.000000000000000000"),
        (2739412583194596209068, "2739.412583194596209068"),
        (2**127 - 1, "170141183460469231731.687303715884105727"),
        (-(2**127), "-170141183460469231731.687303715884105728"),
    ],
)
def test_decimal_is_exact(value: int, text: str) -> None:
    assert decimal_text(value) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01 00:00:00.000000000 UTC"),
        (1764608822324772939, "2025-12-01 17:07:02.324772939 UTC"),
        (2**64 - 1, "2554-07-21 23:34:33.709551615 UTC"),
        (10**20 - 1, "5138-11-16 09:46:39.999999999 UTC"),
    ],
)
def test_time_has_nanoseconds(ns: int, text: str) -> None:
    assert utc_text(ns) == text


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (0, "closed"),
        (1, "regular"),
        (2, "extended"),
        (3, "after hours"),
        (4, "unknown"),
        (254, "unknown"),
        (255, "no schedule"),
    ],
)
def test_market_status_names(status: int, name: str) -> None:
    assert market_status_text(status) == f"{status} ({name})"


def test_printable_is_ascii_of_the_length_asked_for() -> None:
    assert printable(b"a\x1b[31m\xff\n") == "a\\x1b[31m\\xff\\x0a"
    assert printable(b"abcdefghij", 9) == "abc...hij"
    assert printable(b"abcdefghij", 10) == "abcdefghij"


def test_anatomy_of_the_documentation_example() -> None:
    fields = list(payload_fields(EXAMPLE_PAYLOAD))
    assert [(f.start, f.end, f.name) for f in fields[:6]] == [
        (0, 32, "r"),
        (32, 64, "s"),
        (64, 65, "v"),
        (65, 67, "taxonomy"),
        (67, 75, "timestamp"),
        (75, 77, "asset id"),
    ]
    assert fields[2].text == "1"
    assert fields[4].text == "2025-12-01 17:07:02.324772939 UTC"
    assert fields[4].exact == "1764608822324772939 ns since 1970"
    assert [f.text for f in named(fields, "asset id")] == ["1", "2", "10", "34"]
    assert [f.text for f in named(fields, "value")] == EXAMPLE_VALUES
    assert [f.record for f in named(fields, "value")] == [0, 1, 2, 3]
    assert not any(f.warning or f.missing for f in fields)


def test_anatomy_of_the_versioned_layout() -> None:
    fields = list(payload_fields(VERSIONED))
    assert [(f.start, f.end, f.name, f.text) for f in fields[3:8]] == [
        (65, 66, "marker", "layout 2"),
        (66, 67, "version", "2"),
        (67, 69, "mask", "0x0003: price, market status"),
        (69, 71, "taxonomy", "65281"),
        (71, 79, "timestamp", "2554-07-21 23:34:33.709551615 UTC"),
    ]
    assert [f.exact for f in named(fields, "value")] == [
        f"{value} / 10^18" for value in EXTREMES
    ]
    assert [f.text for f in named(fields, "market")] == [
        "0 (closed)",
        "3 (after hours)",
        "9 (unknown)",
        "255 (no schedule)",
    ]


def test_versioned_layout_without_market_status() -> None:
    payload = bytes.fromhex(SIGNATURE + "ff020001" + "0001" + "00" * 8)
    record = b"\x00\x05" + bytes(16)
    fields = list(payload_fields(payload + 2 * record))
    assert [f.name for f in fields[8:]] == ["asset id", "value"] * 2
    assert fields[5].text == "0x0001: price"


@pytest.mark.parametrize("payload", [EXAMPLE_PAYLOAD, VERSIONED])
def test_anatomy_at_every_length(payload: bytes) -> None:
    """The fields lie side by side; only the last is cut, and no whole one changes."""
    whole = {field.start: field for field in payload_fields(payload)}
    for length in range(len(payload) + 1):
        fields = list(payload_fields(payload[:length]))
        ends = [0, *(field.end for field in fields)]
        assert [field.start for field in fields] == ends[:-1]
        assert ends[-1] == length
        for field in fields:
            if field.missing:
                assert field is fields[-1]
                assert field.text.startswith("incomplete: ")
                assert field.end + field.missing == whole[field.start].end
            else:
                assert field == whole[field.start]


@pytest.mark.parametrize("body", ["ff03", "ff00", "ff0200ff", "ff020002", "ff020004"])
def test_what_no_layout_covers_is_left_unread(body: str) -> None:
    payload = bytes.fromhex(SIGNATURE + body) + bytes(30)
    *_, last = payload_fields(payload)
    assert (last.name, last.end, last.text) == ("unread", len(payload), "30 bytes")


@pytest.mark.parametrize("v", [0, 1, 2, 27, 28, 255])
def test_recovery_id_other_than_0_and_1_is_pointed_out(v: int) -> None:
    payload = EXAMPLE_PAYLOAD[:64] + bytes([v]) + EXAMPLE_PAYLOAD[65:]
    (field,) = named(list(payload_fields(payload)), "v")
    assert field.text == str(v)
    assert bool(field.warning) == (v > 1)


def test_signatures_that_cannot_be_good_are_pointed_out() -> None:
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    for number, in_r, in_s in (
        (0, "zero", "zero"),
        (1, "", ""),
        (n // 2, "", ""),
        (n // 2 + 1, "", "high s"),
        (n - 1, "", "high s"),
        (n, "order", "order"),
        (2**256 - 1, "order", "order"),
    ):
        r, s = payload_fields(number.to_bytes(32, "big") * 2)
        assert in_r in r.warning
        assert in_s in s.warning
        assert bool(in_r) == bool(r.warning)
        assert bool(in_s) == bool(s.warning)


def test_anatomy_says_what_the_core_decodes() -> None:
    for payload in (EXAMPLE_PAYLOAD, VERSIONED):
        updates = codec.decode_payloads(payload).updates
        fields = list(payload_fields(payload))
        values = [f"{value} / 10^18" for value in codec.as_int(updates)]
        assert [f.exact for f in named(fields, "value")] == values
        ids = [str(asset_id) for asset_id in updates["asset_id"]]
        assert [f.text for f in named(fields, "asset id")] == ids
