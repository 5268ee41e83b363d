"""Returned assets become rows exactly where eth_abi reads them as well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from anvil import Anvil
from eth_abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chain import calldata, decode_assets

ASSETS = "(uint16,(uint64,int192))[]"
VALUES = st.one_of(
    st.integers(-(2**127), 2**127 - 1),
    st.sampled_from([-(2**127), -1, 0, 1, 2**63, 2**64, -(2**64), 2**127 - 1]),
)
ROWS = st.tuples(
    st.integers(0, 2**16 - 1), st.tuples(st.integers(0, 2**64 - 1), VALUES)
)
INTERESTING = st.sampled_from([0, 1, 0x20, 0x7F, 0x80, 0xFF])


def encoded(rows: list[Any]) -> bytes:
    return encode([ASSETS], [rows])


def as_rows(updates: Any) -> list[Any]:
    return list(
        zip(
            updates["asset_id"].tolist(),
            zip(
                updates["timestamp_ns"].tolist(),
                codec.as_int(updates).tolist(),
                strict=True,
            ),
            strict=True,
        )
    )


@given(st.lists(ROWS, max_size=20), st.integers(0, 2**16 - 1))
def test_rows_come_back(rows: list[Any], taxonomy_id: int) -> None:
    updates = decode_assets(encoded(rows), taxonomy_id=taxonomy_id)
    assert updates.dtype == codec.UPDATE_DTYPE
    assert as_rows(updates) == rows
    assert np.all(updates["taxonomy_id"] == taxonomy_id)
    assert np.all(updates["market_status"] == 255)


def by_eth_abi(data: bytes) -> list[Any] | None:
    try:
        return list(decode([ASSETS], data)[0])
    except (DecodingError, OverflowError):
        return None


@given(st.data())
def test_damaged_data_is_judged_as_by_eth_abi(data: st.DataObject) -> None:
    good = bytearray(encoded(data.draw(st.lists(ROWS, max_size=4))))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(INTERESTING)
    damaged = bytes(
        good[: data.draw(st.integers(0, len(good)))]
        if data.draw(st.booleans())
        else good
    ) + data.draw(st.binary(max_size=40))
    expected = by_eth_abi(damaged)
    if expected is None:
        with pytest.raises(codec.ChainError, match=r"\[byte \d+\]"):
            decode_assets(damaged)
    elif any(not -(2**127) <= value < 2**127 for _, (_, value) in expected):
        with pytest.raises(codec.RangeError, match="does not fit int128"):
            decode_assets(damaged)
    else:
        assert as_rows(decode_assets(damaged)) == expected


@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    if by_eth_abi(data) is None:
        with pytest.raises(codec.ChainError, match=r"\[byte \d+\]"):
            decode_assets(data)


def word(value: int) -> bytes:
    return (value % 2**256).to_bytes(32, "big")


TWO = encoded([(1, (2, 3)), (4, (5, -6))])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"the array's place is missing: there are 0 bytes \[byte 0\]"),
        (TWO[:31], r"the array's place is missing: there are 31 bytes \[byte 0\]"),
        (TWO[:63], r"the number of assets is missing: .* 63 bytes \[byte 32\]"),
        (TWO[:-1], r"2 assets, but data for 1 \[byte 32\]"),
        (word(32) + word(2**256 - 1), r"but data for 0 \[byte 32\]"),
        (word(32) + word(2**60), r"but data for 0 \[byte 32\]"),
        (word(2**256 - 1) + TWO[32:], "the number of assets is missing"),
        (word(0) + TWO[32:], r"the array cannot begin at byte 0 \[byte 0\]"),
        (TWO[:160] + word(65536) + TWO[192:], r"no uint16 \[asset 1\] \[byte 160\]"),
        (TWO[:96] + word(2**64) + TWO[128:], r"no uint64 \[asset 0\] \[byte 96\]"),
        (TWO[:128] + word(2**191) + TWO[160:], r"no int192 \[asset 0\] \[byte 128\]"),
        (TWO[:-32] + word(-(2**191) - 1), r"no int192 \[asset 1\] \[byte 224\]"),
    ],
)
def test_a_fault_names_its_byte(data: bytes, message: str) -> None:
    with pytest.raises(codec.ChainError, match=message):
        decode_assets(data)


@pytest.mark.parametrize("value", [2**127, -(2**127) - 1, 2**191 - 1, -(2**191)])
def test_a_value_beyond_int128_names_its_row(value: int) -> None:
    with pytest.raises(codec.RangeError, match=rf"{value} does not fit int128") as e:
        decode_assets(encoded([(1, (2, 3)), (4, (5, value))]))
    assert e.value.index == 1


def test_the_taxonomy_has_16_bits() -> None:
    with pytest.raises(ValueError, match="65536"):
        decode_assets(TWO, taxonomy_id=65536)


@pytest.mark.parametrize("n_assets", [0, 1, 2000])
def test_a_contract_returns_what_the_payload_holds(
    anvil: Anvil, verifier: str, signer_key: bytes, fee_wei: int, n_assets: int
) -> None:
    values = [(-1) ** i * (2**127 - 1 - i) for i in range(n_assets)]
    payload = codec.encode(
        range(n_assets), values, timestamp_ns=2**64 - 1, taxonomy_id=7, key=signer_key
    )
    call = {
        "to": verifier,
        "data": "0x" + calldata(payload).hex(),
        "value": hex(fee_wei),
    }
    answer = bytes.fromhex(anvil.rpc("eth_call", call, "latest")[2:])
    updates = decode_assets(answer, taxonomy_id=7)
    assert np.array_equal(updates, codec.decode_payloads(payload).updates)
