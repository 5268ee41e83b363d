"""encode and to_frame: the reference's bytes, and every range checked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import coincurve
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import INT128, UINT16, UINT64, payloads

import codec
from codec import _core, reference
from codec.errors import EncodeError, ErrorCode, SignatureError

KEY = bytes(31) + b"\x07"
PLAIN: dict[str, Any] = {"timestamp_ns": 1, "taxonomy_id": 1, "key": None}


@given(payloads())
def test_round_trip(payload: bytes) -> None:
    batch = codec.decode_payloads(payload)
    message, updates = batch.messages[0], batch.updates
    versioned = message["layout"] == 2
    arguments: dict[str, Any] = {
        "timestamp_ns": int(message["timestamp_ns"]),
        "taxonomy_id": int(message["taxonomy_id"]),
        "key": None,
        "market_status": updates["market_status"] if versioned else None,
    }
    for values in (updates["value"], codec.as_int(updates)):
        again = codec.encode(updates["asset_id"], values, **arguments)
        assert again == bytes(65) + payload[65:]
    assert reference.encode(updates["asset_id"], updates["value"], **arguments) == again
    assert codec.to_frame(payload) == reference.to_frame(payload)
    assert bytes(codec.decode(codec.to_frame(payload)).payload(0)) == payload


@given(
    st.lists(UINT16, min_size=3, max_size=3),
    st.lists(INT128, min_size=3, max_size=3),
    UINT64,
)
def test_signature(ids: list[int], values: list[int], timestamp_ns: int) -> None:
    arguments = {"timestamp_ns": timestamp_ns, "taxonomy_id": 7, "key": KEY}
    payload = codec.encode(ids, values, **arguments)
    assert payload == reference.encode(ids, values, **arguments)
    signer = coincurve.PublicKey.from_signature_and_message(
        payload[:65], reference.keccak256(payload[65:]), hasher=None
    )
    assert signer == coincurve.PrivateKey(KEY).public_key
    assert payload[64] in (0, 1)
    n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    assert int.from_bytes(payload[32:64], "big") <= n // 2


def test_keys() -> None:
    arguments = {"timestamp_ns": 1, "taxonomy_id": 1}
    signed = codec.encode([1], [2], key=KEY, **arguments)
    for key in (KEY.hex(), "0x" + KEY.hex(), coincurve.PrivateKey(KEY)):
        assert codec.encode([1], [2], key=key, **arguments) == signed
    secret = "deadbeef" * 8
    n = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
    for bad in (secret[:-1], secret + "00", "", secret[:-1] + "g", n, bytes(32), b"x"):
        with pytest.raises(SignatureError) as caught:
            codec.encode([1], [2], key=bad, **arguments)
        assert "deadbeef" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    with pytest.raises(TypeError, match="not int"):
        codec.encode([1], [2], key=7, **arguments)  # type: ignore[arg-type]


RANGES: list[tuple[Any, Any, dict[str, Any], str, int | None]] = [
    ([65536], [1], {}, "asset_ids", 0),
    ([1, -1], [1, 1], {}, "asset_ids", 1),
    (np.array([1, 70000]), [1, 1], {}, "asset_ids", 1),
    ([1, 2], [0, 2**127], {}, "values", 1),
    ([1, 2], [-(2**127) - 1, 2**200], {}, "values", 0),
    ([1], [1], {"timestamp_ns": -1}, "timestamp_ns", None),
    ([1], [1], {"timestamp_ns": 2**64}, "timestamp_ns", None),
    ([1], [1], {"taxonomy_id": 65536}, "taxonomy_id", None),
    ([1], [1], {"taxonomy_id": 0xFF00}, "taxonomy_id", None),
    ([1], [1], {"taxonomy_id": 65536, "market_status": [1]}, "taxonomy_id", None),
    ([1], [1], {"market_status": [256]}, "market_status", 0),
    ([1], [1], {"market_status": [-1]}, "market_status", 0),
]


@pytest.mark.parametrize(("ids", "values", "more", "field", "index"), RANGES)
def test_ranges(
    ids: Any, values: Any, more: dict[str, Any], field: str, index: int | None
) -> None:
    for module in (codec, reference):
        with pytest.raises(EncodeError) as caught:
            module.encode(ids, values, **PLAIN | more)
        assert (caught.value.code, caught.value.field, caught.value.index) == (
            ErrorCode.OUT_OF_RANGE,
            field,
            index,
        )
        place = field if index is None else f"{field}[{index}]"
        assert str(caught.value).endswith(f"[out_of_range, {place}]")


def test_lengths() -> None:
    for more, field in (({}, "values"), ({"market_status": [1, 2]}, "market_status")):
        values = [1] if more else [1, 2]
        for module in (codec, reference):
            with pytest.raises(EncodeError) as caught:
                module.encode([1], values, **PLAIN | more)
            assert (caught.value.code, caught.value.field) == (
                ErrorCode.INVALID_LENGTH,
                field,
            )


@pytest.mark.parametrize(
    ("ids", "values", "more"),
    [
        ([1], [1.0], {}),
        ([1], [Decimal(1)], {}),
        ([1], ["1"], {}),
        ([1.0], [1], {}),
        ([1], np.array([1.5]), {}),
        ([1], [1], {"timestamp_ns": 1.5}),
        ([1], [1], {"taxonomy_id": "1"}),
        ([1], [1], {"market_status": [1.0]}),
        (np.array([[1]]), [1], {}),
        ([1], np.array([[1]]), {}),
    ],
)
def test_integers_only(ids: Any, values: Any, more: dict[str, Any]) -> None:
    for module in (codec, reference):
        with pytest.raises(TypeError):
            module.encode(ids, values, **PLAIN | more)


@pytest.mark.parametrize(
    ("ids", "values", "more", "text"),
    [
        (
            [1, 2],
            [1, 1.5],
            {},
            "values[1] must be an integer scaled by 10^18, not float",
        ),
        (["1"], [1], {}, "asset_ids[0] must be an integer, not str"),
        ([1], [1], {"timestamp_ns": None}, "timestamp_ns must be an integer, not None"),
        (None, [1], {}, "asset_ids must be a sequence or an array, not NoneType"),
        ([1], {5: 1}, {}, "values must be a sequence or an array, not dict"),
        ({1}, [1], {}, "asset_ids must be a sequence or an array, not set"),
        (iter([1]), [1], {}, "asset_ids must be a sequence or an array, not list_iter"),
        (
            [1],
            [1],
            {"market_status": 1},
            "market_status must be a sequence or an array",
        ),
        (
            np.ma.array([1], mask=[True]),
            [1],
            {},
            "asset_ids must not be a masked array",
        ),
        (np.array([[1]]), [1], {}, "asset_ids must have one dimension, not 2"),
    ],
)
def test_wrong_types_are_named(
    ids: Any, values: Any, more: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        codec.encode(ids, values, **PLAIN | more)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        np.array([-5, 2**62], np.int64),
        np.array([-5, 7], np.int8),
        np.array([5, 2**64 - 1], np.uint64),
        np.array([5, 7], ">i4"),
        np.array([-(2**127), 2**100], object),
        (np.int16(-3), np.uint64(2**63)),
    ],
    ids=lambda values: str(getattr(values, "dtype", "scalars")),
)
def test_kinds_of_values(values: Any) -> None:
    expected = reference.encode([1, 2], [int(v) for v in values], **PLAIN)
    assert codec.encode([1, 2], values, **PLAIN) == expected
    assert codec.encode(np.array([1, 2], np.uint16), values, **PLAIN) == expected
    assert codec.encode(np.array([1, 2]), values, **PLAIN) == expected
    assert reference.encode([1, 2], values, **PLAIN) == expected


def test_strided_columns() -> None:
    ids = list(range(40))
    payload = codec.encode(ids, [10**20 + i for i in ids], **PLAIN)
    updates = codec.decode_payloads(payload).updates
    for part in (updates[::3], updates[::-1]):
        expected = codec.encode(
            part["asset_id"].tolist(), codec.as_int(part).tolist(), **PLAIN
        )
        assert codec.encode(part["asset_id"], part["value"], **PLAIN) == expected


@given(st.binary(max_size=600))
def test_keccak256(data: bytes) -> None:
    assert _core.keccak256(data) == reference.keccak256(data)


def test_to_frame_takes_any_bytes() -> None:
    for payload in (b"", b"\x00\xff", bytearray(b"ab"), memoryview(b"xyz")):
        assert codec.to_frame(payload) == reference.to_frame(payload)
    with pytest.raises(TypeError):
        codec.to_frame("00")  # type: ignore[arg-type]
