"""codec.reference against docs/messages.md, the vectors and exact arithmetic."""

from __future__ import annotations

import json
import mmap
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fault_cases import (
    FAULTS,
    LAYOUT_1,
    LAYOUT_2,
    NUMBER_TOO_LONG,
    RECORD,
    SIGNATURE,
    entry,
    signed,
    unsigned,
)
from hypothesis import given
from hypothesis import strategies as st

from codec import reference
from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE, UPDATE_DTYPE, VALUE_DTYPE
from codec.errors import DecodeError, EncodeError, ErrorCode

VECTORS = Path(__file__).parents[2] / "shared" / "vectors" / "stork_fast_payloads.json"
EXAMPLE = bytes.fromhex(  # the documentation's example
    "435766eac9298f4dcbfe8bdfe46361161d6eeca88f783e3cd215db90c0581cd1"
    "511382180840e70bfd43e5382aa4e4c2910aca251ee2c3a5e27d5343fb105556"
    "010001187d265fe630404b"
    "000100000000000000000de029bae7734fef000200000000000000000ddffc432d25cd5c"
    "000a0000000000000000b02db33d2f95811c0022000000000000009480fc8e62b51ff1ac"
)
EXAMPLE_NS = 1764608822324772939
EXAMPLE_VALUES = [
    999844999999999983,
    999795007749999964,
    12695000000000000284,
    2739412583194596209068,
]
GOOD = signed("0x" + EXAMPLE.hex())
EXTREMES = [0, 1, -1, 2**127 - 1, -(2**127), 2**64, -(2**64), 2**63, -(2**63) - 1]
KEY = bytes(31) + b"\x01"

DECODE = {
    "decode": reference.decode,
    "lines": reference.decode_lines,
    "payloads": reference.decode_payloads,
}


def fields(batch: reference.Batch) -> list[tuple[Any, ...]]:
    """The messages as tuples, without the places in the arena."""
    names = ["timestamp_ns", "taxonomy_id", "kind", "layout", "update_count"]
    return [tuple(row[name].item() for name in names) for row in batch.messages]


def same(a: reference.Batch, b: reference.Batch) -> bool:
    """Whether two batches are equal, padding included."""
    arenas = [
        None if x.payload_arena is None else x.payload_arena.tobytes() for x in (a, b)
    ]
    return (
        a.messages.tobytes() == b.messages.tobytes()
        and a.updates.tobytes() == b.updates.tobytes()
        and a.errors.tobytes() == b.errors.tobytes()
        and arenas[0] == arenas[1]
    )


def padding_of(table: np.ndarray) -> set[int]:
    """The bytes that stand in a table's padding."""
    used = np.zeros(table.dtype.itemsize, dtype=bool)
    for field, offset in table.dtype.fields.values():
        used[offset : offset + field.itemsize] = True
    rows = table.view(np.uint8).reshape(len(table), table.dtype.itemsize)
    return set(rows[:, ~used].ravel().tolist())


# Faults


@pytest.mark.parametrize(
    ("kind", "data", "code", "offset"),
    [pytest.param(*row[1:], id=row[0]) for row in FAULTS],
)
def test_fault(kind: str, data: Any, code: ErrorCode, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        DECODE[kind](data)
    assert (caught.value.code, caught.value.index) == (code, 0)
    if code is not ErrorCode.INVALID_JSON:  # the reference may put that elsewhere
        assert caught.value.offset == offset
    batch = DECODE[kind](data, on_error="skip")
    assert batch.errors.tolist() == [(0, caught.value.offset, code)]
    assert len(batch.messages) == len(batch.updates) == 0


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [
        pytest.param(data, code, offset, id=name)
        for name, kind, data, code, offset in FAULTS
        if kind == "decode" and isinstance(data, str) and "surrogate" not in name
    ],
)
def test_fault_is_the_same_for_bytes_and_lines(
    data: str, code: ErrorCode, offset: int
) -> None:
    raw = data.encode()
    expected = reference.decode(data, on_error="skip").errors.tolist()
    for message in (raw, bytearray(raw), memoryview(raw)):
        assert reference.decode(message, on_error="skip").errors.tolist() == expected
    if b"\n" not in raw:
        lines = reference.decode_lines(b"1 " + raw, on_error="skip")
        assert lines.errors.tolist() == expected


def test_every_code_has_a_row() -> None:
    codes = {code for _, _, _, code, _ in FAULTS}
    decoding = {code for code in ErrorCode if code < ErrorCode.UNSIGNED}
    assert codes == decoding - {ErrorCode.TOO_LARGE}
    assert len({row[0] for row in FAULTS}) == len(FAULTS)


def test_too_large_payload() -> None:
    with mmap.mmap(-1, 2**32) as pages:  # never touched, so never in memory
        view = memoryview(pages)
        try:
            with pytest.raises(DecodeError) as caught:
                reference.decode_payloads(view)
        finally:
            view.release()
    assert caught.value.code is ErrorCode.TOO_LARGE
    assert caught.value.offset == 0


def test_first_bad_message_is_raised() -> None:
    with pytest.raises(DecodeError) as caught:
        reference.decode([GOOD, b"", "{}", None])
    error = caught.value
    assert (error.code, error.index, error.offset) == (ErrorCode.EMPTY, 1, 0)
    assert error.__cause__ is None
    assert str(error) == "the message is empty [empty, message 1, byte 0]"


def test_skip_keeps_the_good_messages() -> None:
    half = unsigned('[{"id":1,"v":"1"},{"id":2,"v":"x"}]')
    batch = reference.decode([None, GOOD, half, b"", GOOD, "{}"], on_error="skip")
    assert same(
        reference.Batch(
            batch.messages, batch.updates, batch.errors[:0], batch.payload_arena
        ),
        reference.decode([GOOD, GOOD]),
    )
    assert batch.errors.dtype == ERROR_DTYPE
    assert batch.errors.tolist() == [
        (0, 0, ErrorCode.PYTHON_TYPE),
        (2, half.index('"x"'), ErrorCode.INVALID_NUMBER),
        (3, 0, ErrorCode.EMPTY),
        (5, 0, ErrorCode.NOT_DATA),
    ]


# Good messages


@pytest.mark.parametrize(
    "message",
    [
        GOOD,
        EXAMPLE.hex(),
        "0x" + EXAMPLE.hex(),
        EXAMPLE.hex().upper(),
        "0x" + EXAMPLE.hex().upper(),
        f" \t\r\n{EXAMPLE.hex()}\n\r\t ",
        f" \t\r\n{GOOD}\n\r\t ",
        f'{{"p":"{EXAMPLE.hex()}","type":"signed_ecdsa"}}',
        f'{{ "x" : [ {{ }} ] , "p" : "{EXAMPLE.hex()}" ,\n"type":"signed_ecdsa" }}',
        GOOD.replace("type", "\\u0074ype").replace("signed_", "signed\\u005f"),
        signed("".join(f"\\u{ord(c):04X}" for c in "0x" + EXAMPLE.hex())),
        GOOD[:-1] + ',"x":null,"x":"\\ud800","y":-0.0e-5,"":true,"\u20ac":"\x7f"}',
        GOOD[:-1] + ',"x":' + NUMBER_TOO_LONG + ',"a":"never read"}',
        GOOD[:-1] + ',"x":' + "[" * 63 + "]" * 63 + "}",
        GOOD[:-1] + ',"x":' + "[[]," * 62 + "[]" + "]" * 62 + "}",
        GOOD[:-1] + ',"x":[' + "{}," * 200 + '"]]}[["]}',
    ],
)
def test_one_payload_in_many_forms(message: str) -> None:
    batch = reference.decode(message)
    assert fields(batch) == [(EXAMPLE_NS, 1, 1, 1, 4)]
    assert batch.updates["asset_id"].tolist() == [1, 2, 10, 34]
    assert reference.as_int(batch.updates).tolist() == EXAMPLE_VALUES
    assert set(batch.updates["market_status"].tolist()) == {255}
    assert bytes(batch.payload(0)) == EXAMPLE
    assert same(batch, reference.decode(message.encode()))
    assert same(batch, reference.decode_payloads(EXAMPLE))


@pytest.mark.parametrize("index", range(3))
def test_vectors(index: int) -> None:
    if not VECTORS.exists():
        pytest.skip(f"optional: no recorded payloads at {VECTORS}")
    vector = json.loads(VECTORS.read_text())["payloads"][index]
    payload = bytes.fromhex(vector["hex"].removeprefix("0x"))
    batch = reference.decode(vector["hex"])
    updates = vector["updates"]
    assert fields(batch) == [
        (
            vector["timestamp_ns"],
            vector["taxonomy_id"],
            1,
            vector["layout"],
            len(updates),
        )
    ]
    assert batch.updates["asset_id"].tolist() == [u["asset_id"] for u in updates]
    assert [str(v) for v in reference.as_int(batch.updates)] == [
        u["value"] for u in updates
    ]
    assert batch.updates["market_status"].tolist() == [
        u.get("market_status", 255) for u in updates
    ]
    status = None
    if vector["layout"] == 2:
        status = batch.updates["market_status"]
    encoded = reference.encode(
        batch.updates["asset_id"],
        batch.updates["value"],
        timestamp_ns=vector["timestamp_ns"],
        taxonomy_id=vector["taxonomy_id"],
        key=None,
        market_status=status,
    )
    assert encoded[:65] == bytes(65)
    assert encoded[65:] == payload[65:]


def test_vectors_are_signed_over_keccak256_of_the_rest() -> None:
    coincurve = pytest.importorskip("coincurve")
    if not VECTORS.exists():
        pytest.skip(f"optional: no recorded payloads at {VECTORS}")
    for vector in json.loads(VECTORS.read_text())["payloads"]:
        payload = bytes.fromhex(vector["hex"].removeprefix("0x"))
        digest = reference.keccak256(payload[65:])
        key = coincurve.PublicKey.from_signature_and_message(
            payload[:65], digest, hasher=None
        )
        address = reference.keccak256(key.format(compressed=False)[1:])[-20:]
        assert "0x" + address.hex() == vector["signer"]


def test_unsigned() -> None:
    message = (
        '{"type":"unsigned","tax":65535,"ts":18446744073709551615,"a":['
        '{"id":0,"v":"0"},{"v":"-1","id":65535,"ms":0},'
        '{"ms":255,"x":{"id":3},"x":2,"id":1,"v":"\\u00312\\u0033"},'
        f'{{"id":1,"v":"{2**127 - 1}"}},{{"id":1,"v":"-{2**127}","ms":3}}]}}'
    )
    batch = reference.decode(message)
    assert fields(batch) == [(2**64 - 1, 65535, 0, 0, 5)]
    assert batch.updates["asset_id"].tolist() == [0, 65535, 1, 1, 1]
    assert reference.as_int(batch.updates).tolist() == [
        0,
        -1,
        123,
        2**127 - 1,
        -(2**127),
    ]
    assert batch.updates["market_status"].tolist() == [255, 0, 255, 255, 3]
    assert set(batch.updates["timestamp_ns"].tolist()) == {2**64 - 1}
    assert batch.messages["payload_offset"].tolist() == [0]
    assert batch.messages["payload_len"].tolist() == [0]
    assert bytes(batch.payload(0)) == b""


@pytest.mark.parametrize(
    "message",
    [
        unsigned("[]"),
        unsigned("[ ]", tax="0", ts="0"),
        unsigned("[]")[:-1] + ',"p":[0],"x":' + "[" * 63 + "]" * 63 + "}",
        entry(x="[" * 61 + "]" * 61),
        entry(y='"]}"', ms="7"),
        unsigned('[{"id":1,"v":"5"}' + ',{"id":1,"v":"5","x":{}}' * 80 + "]"),
    ],
)
def test_unsigned_good(message: str) -> None:
    batch = reference.decode(message)
    assert len(batch.messages) == 1
    assert set(reference.as_int(batch.updates)) <= {5}


@pytest.mark.parametrize(
    ("data", "layout", "statuses"),
    [
        (LAYOUT_1, 1, []),
        (LAYOUT_1 + RECORD, 1, [255]),
        (LAYOUT_2, 2, []),
        (LAYOUT_2 + RECORD + "09", 2, [9]),
        (LAYOUT_2.replace("ff020003", "ff020001"), 2, []),
        (LAYOUT_2.replace("ff020003", "ff020001") + RECORD * 2, 2, [255, 255]),
        (SIGNATURE + "feff" + "ff" * 8 + RECORD, 1, [255]),
        (SIGNATURE + "ff020003ffff" + "ff" * 8 + RECORD + "ff", 2, [255]),
    ],
)
def test_layouts(data: str, layout: int, statuses: list[int]) -> None:
    batch = reference.decode_payloads(bytes.fromhex(data))
    assert batch.messages["layout"].tolist() == [layout]
    assert batch.messages["kind"].tolist() == [1]
    assert batch.messages["payload_len"].tolist() == [len(data) // 2]
    assert batch.updates["market_status"].tolist() == statuses
    assert same(batch, reference.decode("0x" + data))


def test_results_of_several_messages() -> None:
    three = [GOOD, unsigned('[{"id":7,"v":"5"}]'), "0x" + EXAMPLE.hex()]
    batch = reference.decode(three)
    assert batch.messages.dtype == MESSAGE_DTYPE
    assert batch.updates.dtype == UPDATE_DTYPE
    assert batch.messages["first_update"].tolist() == [0, 4, 5]
    assert batch.messages["update_count"].tolist() == [4, 1, 4]
    assert batch.messages["payload_offset"].tolist() == [0, 0, 147]
    assert batch.messages["payload_len"].tolist() == [147, 0, 147]
    assert batch.message_index().tolist() == [0] * 4 + [1] + [2] * 4
    assert batch.message_index().dtype == np.int64
    assert bytes(batch.payload(-1)) == bytes(batch.payload(2)) == EXAMPLE
    assert len(batch.payload(-2)) == 0
    for i in (3, -4):
        with pytest.raises(IndexError):
            batch.payload(i)
    assert len(batch) == 9
    assert repr(batch) == "Batch(updates=9, messages=3, errors=0)"
    assert padding_of(batch.messages) == padding_of(batch.updates) == {0}


def test_padding_is_zero_whatever_the_memory_held() -> None:
    for n in (1, 3, 40):
        for _ in range(20):
            dirty = [np.full(size, 0xAA, np.uint8) for size in range(24, 4000, 8)]
            del dirty
            batch = reference.decode([GOOD, None] * n, on_error="skip")
            assert padding_of(batch.messages) == {0}
            assert padding_of(batch.updates) == {0}
            assert padding_of(batch.errors) == {0}


def test_without_payloads() -> None:
    batch = reference.decode([GOOD, GOOD], payloads=False)
    assert batch.payload_arena is None
    assert batch.messages["payload_offset"].tolist() == [0, 0]
    assert batch.messages["payload_len"].tolist() == [147, 147]
    with pytest.raises(ValueError, match="payloads=False"):
        batch.payload(0)
    assert batch.copy().payload_arena is None


def test_copy_shares_nothing() -> None:
    batch = reference.decode([GOOD, ""], on_error="skip")
    copy = batch.copy()
    assert same(batch, copy)
    assert not np.shares_memory(batch.updates, copy.updates)
    assert copy.payload_arena is not None and copy.payload_arena.flags.writeable
    assert not np.shares_memory(batch.payload_arena, copy.payload_arena)


@pytest.mark.parametrize("empty", [[], (), np.empty(0, object), iter([])])
def test_no_messages(empty: Any) -> None:
    batch = reference.decode(empty)
    assert (len(batch), len(batch.messages), len(batch.errors)) == (0, 0, 0)
    assert batch.payload_arena is not None and batch.payload_arena.dtype == np.uint8
    assert batch.message_index().shape == (0,)


def test_iterables() -> None:
    one = reference.decode(GOOD)
    objects = np.empty(1, object)
    objects[0] = GOOD
    raw = GOOD.encode()
    for many in ([GOOD], (raw,), objects, iter([bytearray(raw)]), {raw}):
        assert same(one, reference.decode(many))
    for form in "Bbc":
        assert same(one, reference.decode(memoryview(raw).cast(form)))
        batch = reference.decode_payloads(memoryview(EXAMPLE).cast(form))
        assert same(one, batch)
    assert same(reference.decode([]), reference.decode_payloads([]))


@pytest.mark.parametrize("function", [reference.decode, reference.decode_payloads])
def test_not_iterable(function: Any) -> None:
    for bad in (None, 5, 1.5):
        with pytest.raises(TypeError):
            function(bad)


@pytest.mark.parametrize("function", DECODE.values(), ids=DECODE)
def test_options(function: Any) -> None:
    for on_error in ("ignore", "", None, True):
        with pytest.raises(ValueError, match="on_error"):
            function(b"", on_error=on_error)
    with pytest.raises(ValueError, match="threads"):
        function(b"", threads=-1)
    for threads in (1.0, "1", None):
        with pytest.raises(TypeError):
            function(b"", threads=threads)
    expected = function(b"", on_error="skip")
    for threads in (0, 1, 7, np.int64(2)):
        assert same(function(b"", on_error="skip", threads=threads), expected)


# Lines


@pytest.mark.parametrize(
    ("prefix", "receive_ns"),
    [
        (b"", 0),
        (b"0 ", 0),
        (b"7 ", 7),
        (b"7  \t", 7),
        (b"1764608822324772999 ", 1764608822324772999),
        (b"18446744073709551615 ", 2**64 - 1),
        (b" \t", 0),
    ],
)
def test_receive_time(prefix: bytes, receive_ns: int) -> None:
    batch = reference.decode_lines(prefix + GOOD.encode() + b"\r\n")
    assert batch.messages["receive_ns"].tolist() == [receive_ns]
    assert fields(batch) == [(EXAMPLE_NS, 1, 1, 1, 4)]


def test_line_of_bare_digits_is_hex() -> None:
    payload = reference.encode([1], [1], timestamp_ns=1, taxonomy_id=1, key=None)
    batch = reference.decode_lines(payload.hex().encode())
    assert batch.messages["receive_ns"].tolist() == [0]
    assert len(batch) == 1


def test_line_numbers() -> None:
    good = GOOD.encode()
    data = b"\n" + good + b"\n\n5 " + good + b"\r\n \n" + good
    batch = reference.decode_lines(data, on_error="skip")
    assert batch.messages["receive_ns"].tolist() == [0, 5, 0]
    empty = ErrorCode.EMPTY
    assert batch.errors.tolist() == [(0, 0, empty), (2, 0, empty), (4, 0, empty)]
    with pytest.raises(DecodeError) as caught:
        reference.decode_lines(good + b"\n" + good + b"\n1 {\n")
    assert (caught.value.index, caught.value.offset) == (2, 1)


def test_line_ends() -> None:
    assert len(reference.decode_lines(b"").messages) == 0
    assert len(reference.decode_lines(b"\n", on_error="skip").errors) == 1
    assert len(reference.decode_lines(b"\n\n", on_error="skip").errors) == 2
    good = GOOD.encode()
    for data in (good, good + b"\n"):
        batch = reference.decode_lines(data)
        assert (len(batch.messages), len(batch.errors)) == (1, 0)


def test_line_buffers(tmp_path: Path) -> None:
    data = GOOD.encode() + b"\n1 " + GOOD.encode()
    expected = reference.decode_lines(data)
    array = np.frombuffer(data, np.uint8)
    buffers = [bytearray(data), memoryview(data), array, array.reshape(1, -1)]
    for buffer in buffers:
        assert same(expected, reference.decode_lines(buffer))
    path = tmp_path / "lines"
    path.write_bytes(data)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages,
    ):
        assert same(expected, reference.decode_lines(pages))
    bad = [GOOD, None, 5, [data], memoryview(data)[::2], array[::2], array.view("?")]
    bad += [np.zeros(3, np.uint16), np.zeros((2, 4), np.uint8).T, np.zeros(3)]
    for buffer in bad:
        with pytest.raises(TypeError):
            reference.decode_lines(buffer)


def test_decoder() -> None:
    decoder = reference.Decoder()
    expected = reference.decode(GOOD)
    assert same(decoder.decode(GOOD), expected)
    assert same(decoder.decode_lines(GOOD.encode()), expected)
    assert same(decoder.decode_payloads([EXAMPLE]), expected)
    decoder = reference.Decoder(payloads=False, threads=0)
    for batch in (
        decoder.decode(GOOD, on_error="skip"),
        decoder.decode_lines(GOOD.encode(), on_error="skip"),
        decoder.decode_payloads(EXAMPLE, on_error="skip"),
    ):
        assert batch.payload_arena is None
    with pytest.raises(ValueError, match="threads"):
        reference.Decoder(threads=-1)
    with pytest.raises(ValueError, match="on_error"):
        decoder.decode_payloads([], on_error="no")


# Encoding


def encode(ids: Any = (1,), values: Any = (2,), **options: Any) -> bytes:
    settings = {"timestamp_ns": 3, "taxonomy_id": 4, "key": None} | options
    return reference.encode(ids, values, **settings)


@pytest.mark.parametrize("market_status", [None, list(range(9))])
def test_encode_extremes(market_status: list[int] | None) -> None:
    ids = [0, 65535, 1, 1, 2, 3, 4, 5, 6]
    payload = encode(ids, EXTREMES, market_status=market_status)
    batch = reference.decode_payloads(payload)
    assert reference.as_int(batch.updates).tolist() == EXTREMES
    assert batch.updates["asset_id"].tolist() == ids
    expected = market_status or [255] * 9
    assert batch.updates["market_status"].tolist() == expected
    halves = np.zeros(18, VALUE_DTYPE)[::2]
    halves[:] = batch.updates["value"]
    for values in (
        batch.updates["value"],
        halves,
        np.array(EXTREMES, object),
        tuple(EXTREMES),
        reference.as_int(batch.updates),
    ):
        assert encode(ids, values, market_status=market_status) == payload


def test_encode_layouts() -> None:
    assert encode() == bytes.fromhex(
        "00" * 65 + "0004" + "0000000000000003" + "0001" + "00" * 15 + "02"
    )
    assert encode(market_status=[5]) == bytes.fromhex(
        "00" * 65
        + "ff020003"
        + "0004"
        + "0000000000000003"
        + "0001"
        + "00" * 15
        + "0205"
    )
    assert len(encode([], [])) == 75
    assert len(encode([], [], market_status=[])) == 79
    for dtype in (np.uint16, ">u2", np.int64, object):
        status = np.array([5], np.uint8)
        assert encode(np.array([1], dtype), np.array([2], "i8")) == encode()
        assert encode(market_status=status) == encode(market_status=b"\x05")


@pytest.mark.parametrize(
    ("arguments", "code", "field", "index"),
    [
        ({"taxonomy_id": -1}, "OUT_OF_RANGE", "taxonomy_id", None),
        ({"taxonomy_id": 0xFF00}, "OUT_OF_RANGE", "taxonomy_id", None),
        ({"taxonomy_id": 0x10000}, "OUT_OF_RANGE", "taxonomy_id", None),
        (
            {"taxonomy_id": 0x10000, "market_status": [1]},
            "OUT_OF_RANGE",
            "taxonomy_id",
            None,
        ),
        (
            {"taxonomy_id": -1, "timestamp_ns": -1, "values": []},
            "OUT_OF_RANGE",
            "taxonomy_id",
            None,
        ),
        ({"timestamp_ns": -1, "values": []}, "OUT_OF_RANGE", "timestamp_ns", None),
        ({"timestamp_ns": 2**64}, "OUT_OF_RANGE", "timestamp_ns", None),
        ({"values": [], "market_status": []}, "INVALID_LENGTH", "values", None),
        ({"values": [1, 2], "ids": [-1]}, "INVALID_LENGTH", "values", None),
        ({"market_status": []}, "INVALID_LENGTH", "market_status", None),
        (
            {"market_status": [1, 2], "ids": [-1]},
            "INVALID_LENGTH",
            "market_status",
            None,
        ),
        ({"ids": [1, -1], "values": [2**127, 1]}, "OUT_OF_RANGE", "asset_ids", 1),
        ({"ids": [65536]}, "OUT_OF_RANGE", "asset_ids", 0),
        (
            {"ids": [1, 1], "values": [0, 2**127], "market_status": [-1, 0]},
            "OUT_OF_RANGE",
            "values",
            1,
        ),
        ({"values": [-(2**127) - 1]}, "OUT_OF_RANGE", "values", 0),
        ({"market_status": [256]}, "OUT_OF_RANGE", "market_status", 0),
        ({"market_status": [-1]}, "OUT_OF_RANGE", "market_status", 0),
    ],
)
def test_encode_refuses(
    arguments: dict[str, Any], code: str, field: str, index: int | None
) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(**arguments)
    error = caught.value
    assert (error.code, error.field, error.index) == (ErrorCode[code], field, index)


def test_encode_taxonomy_limits() -> None:
    assert encode(taxonomy_id=0xFEFF)[65:67] == b"\xfe\xff"
    assert encode(taxonomy_id=0xFFFF, market_status=[1])[69:71] == b"\xff\xff"


@pytest.mark.parametrize("bad", [1.0, "1", Decimal(1), Fraction(1), None, b"1"])
def test_encode_takes_integers_only(bad: Any) -> None:
    for arguments in (
        {"taxonomy_id": bad},
        {"timestamp_ns": bad},
        {"ids": [bad]},
        {"values": [bad]},
        {"market_status": [bad]},
    ):
        with pytest.raises(TypeError):
            encode(**arguments)


def test_encode_takes_one_dimension_of_integers() -> None:
    for column in (np.ones(1), np.ones((1, 1), int), np.zeros((1, 1), VALUE_DTYPE)):
        with pytest.raises(TypeError):
            encode(values=column)
    with pytest.raises(TypeError):
        encode(5)


def test_encode_signs() -> None:
    coincurve = pytest.importorskip("coincurve")
    payload = encode(key=KEY)
    assert payload[65:] == encode()[65:]
    assert payload == encode(key=KEY.hex()) == encode(key=coincurve.PrivateKey(KEY))
    public = coincurve.PublicKey.from_signature_and_message(
        payload[:65], reference.keccak256(payload[65:]), hasher=None
    )
    address = reference.keccak256(public.format(compressed=False)[1:])[-20:]
    assert address.hex() == "7e5f4552091a69125d5dfcb7b8c2659029395bdf"


def test_to_frame() -> None:
    for payload in (EXAMPLE, bytearray(EXAMPLE), memoryview(EXAMPLE)):
        assert reference.to_frame(payload) == GOOD.encode()
    assert reference.to_frame(b"") == b'{"type":"signed_ecdsa","p":"0x"}'
    for bad in ("ab", 5, None):
        with pytest.raises(TypeError):
            reference.to_frame(bad)  # type: ignore[arg-type]


int128 = st.integers(-(2**127), 2**127 - 1) | st.sampled_from(EXTREMES)
uint16 = st.integers(0, 0xFFFF)


@given(
    rows=st.lists(st.tuples(uint16, int128, st.integers(0, 255))),
    timestamp_ns=st.integers(0, 2**64 - 1),
    taxonomy_id=st.integers(0, 0xFEFF),
    versioned=st.booleans(),
)
def test_round_trip(
    rows: list[tuple[int, int, int]],
    timestamp_ns: int,
    taxonomy_id: int,
    versioned: bool,
) -> None:
    ids, values, status = ([row[i] for row in rows] for i in range(3))
    payload = reference.encode(
        ids,
        values,
        timestamp_ns=timestamp_ns,
        taxonomy_id=taxonomy_id,
        key=None,
        market_status=status if versioned else None,
    )
    batch = reference.decode_payloads(payload)
    assert fields(batch) == [
        (timestamp_ns, taxonomy_id, 1, 2 if versioned else 1, len(rows))
    ]
    assert batch.updates["asset_id"].tolist() == ids
    assert reference.as_int(batch.updates).tolist() == values
    expected = status if versioned else [255] * len(rows)
    assert batch.updates["market_status"].tolist() == expected
    assert set(batch.updates["timestamp_ns"].tolist()) <= {timestamp_ns}
    assert set(batch.updates["taxonomy_id"].tolist()) <= {taxonomy_id}
    assert bytes(batch.payload(0)) == payload
    frame = reference.to_frame(payload)
    assert same(batch, reference.decode(frame))
    assert same(batch, reference.decode_lines(frame + b"\n"))
    entries = [
        {"id": i, "v": str(v)} | ({"ms": s} if versioned else {}) for i, v, s in rows
    ]
    message = {"type": "unsigned", "tax": taxonomy_id, "ts": timestamp_ns, "a": entries}
    assert (
        reference.decode(json.dumps(message)).updates.tobytes()
        == batch.updates.tobytes()
    )


@given(st.binary() | st.text() | st.text('{}[]":,\\u0123dex \n'))
def test_any_input_gives_a_batch_or_a_fault(data: bytes | str) -> None:
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    for batch in (
        reference.decode(data, on_error="skip"),
        reference.decode_payloads([raw], on_error="skip"),
    ):
        assert len(batch.messages) + len(batch.errors) == 1
        assert all(0 <= row["offset"] <= len(raw) for row in batch.errors)
    reference.decode_lines(raw, on_error="skip")


# Values


@given(st.lists(int128))
def test_as_float_is_correctly_rounded(values: list[int]) -> None:
    payload = encode([1] * len(values), values)
    updates = reference.decode_payloads(payload).updates
    floats = reference.as_float(updates)
    assert floats.dtype == np.float64
    for number, value in zip(floats.tolist(), values, strict=True):
        exact = Fraction(value, 10**18)
        gap = abs(Fraction(number) - exact)
        for neighbour in np.nextafter(number, [-np.inf, np.inf]).tolist():
            other = abs(Fraction(neighbour) - exact)
            assert gap < other or (gap == other and number == float(exact))


def test_values_of_any_shape() -> None:
    payload = encode([1] * 9, EXTREMES)
    updates = reference.decode_payloads(payload).updates
    for array in (updates, updates["value"]):
        assert reference.as_int(array[::-2]).tolist() == EXTREMES[::-2]
        square = array.reshape(3, 3).T
        assert reference.as_int(square).shape == (3, 3)
        assert reference.as_int(square)[0].tolist() == EXTREMES[::3]
        assert reference.as_float(square)[0, 1] == EXTREMES[3] / 10**18
        assert reference.as_int(array[3]).item() == 2**127 - 1
        assert reference.as_float(array[:0]).shape == (0,)
        assert reference.as_int(array[:0]).dtype == object
    for bad in (np.zeros(3), np.zeros(3, MESSAGE_DTYPE), [1, 2], updates["asset_id"]):
        for function in (reference.as_float, reference.as_int):
            with pytest.raises(TypeError):
                function(bad)  # type: ignore[arg-type]
