"""Calldata is what eth_abi and the contracts expect, and nothing wrong gets in."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from anvil import Anvil, artifact
from eth_abi import encode
from eth_abi.tools import get_abi_strategy
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chain import (
    PAYLOAD,
    VERIFY,
    VERIFY_AND_DESERIALIZE,
    Target,
    calldata,
    payload_bytes,
    selector,
)

ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
KEY = bytes.fromhex("5eed" * 16)
SIGNED = codec.encode([1, 2], [3, -4], timestamp_ns=5, taxonomy_id=1, key=KEY)
UNSIGNED = '{"type":"unsigned","tax":1,"ts":5,"a":[{"id":1,"v":"3"}]}'


def test_selectors() -> None:
    assert selector(VERIFY).hex() == "17e84a8d"
    assert selector(VERIFY_AND_DESERIALIZE).hex() == "3d5c76ae"
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"


@pytest.mark.parametrize(
    "written",
    [
        "transfer(address to, uint256 amount)",
        "  function transfer ( address payable to ,uint amount ) ;",
        "transfer(address,uint)",
    ],
)
def test_names_and_spaces_do_not_count(written: str) -> None:
    assert selector(written).hex() == "a9059cbb"


@pytest.mark.parametrize(
    "written",
    [
        "f((uint64,bytes[2])[],int256)",
        "f(tuple(uint64 a, bytes[2] calldata b)[] memory c, int d)",
        "f((uint64 a,bytes[2])[]c,int)",
    ],
)
def test_tuples_and_arrays(written: str) -> None:
    assert selector(written) == codec.keccak256(b"f((uint64,bytes[2])[],int256)")[:4]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "a name is expected"),
        ("transfer", r"\( is expected \[character 8 of 'transfer'\]"),
        ("f(", "no type ''"),
        ("f(,)", "no type ','"),
        ("f(bytes,)", r"no type '\)'"),
        ("f(bytes", ", or "),
        ("f(bytes a b)", r", or \) is expected \[character 10"),
        ("f(bytes))", "nothing is expected after"),
        ("f(bytes) returns (bool)", "nothing is expected after"),
        ("f(uint7)", "no type 'uint7'"),
        ("f(IERC20 token)", "a contract is an address"),
        ("f(function)", "no type 'function'"),
        ("f(uint8[0])", "no type"),
        ("1f(bytes)", "a name is expected"),
        ("f(bytes; a)", r"\[character 7 of"),
        ("f(" + "(" * 20_000, "at most 10000 characters"),
        ("f(" + "(" * 4000, r"tuples nest too deep \[character 33 "),
    ],
)
def test_what_is_no_function_is_refused(written: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        selector(written)


@pytest.mark.parametrize("function", [VERIFY, VERIFY_AND_DESERIALIZE])
@given(payload=st.binary(max_size=300))
def test_a_payload_alone(function: str, payload: bytes) -> None:
    if payload.startswith((b"{", b"0x")):
        return
    expected = selector(function) + encode(["bytes"], [payload])
    assert calldata(payload, function) == expected
    assert Target(ADDRESS, function).calldata(payload) == expected
    assert Target(ADDRESS, function, (PAYLOAD,)).calldata(payload) == expected


TYPES = [
    "uint64",
    "(address,bytes,bool)[]",
    "int192[3]",
    "string",
    "bytes32",
    "(uint8,(bytes4,bytes[2]))",
    "bytes[]",
]


@given(st.data())
def test_a_payload_among_other_arguments(data: st.DataObject) -> None:
    types = data.draw(st.lists(st.sampled_from(TYPES), max_size=4))
    values = [data.draw(get_abi_strategy(abi_type)) for abi_type in types]
    place = data.draw(st.integers(0, len(types)))
    types.insert(place, "bytes")
    function = f"f({','.join(types)})"
    args = [*values[:place], PAYLOAD, *values[place:]]
    filled = [*values[:place], SIGNED, *values[place:]]
    expected = selector(function) + encode(types, filled)
    assert calldata(SIGNED, function, args) == expected
    assert Target(ADDRESS, function, args).calldata(SIGNED) == expected


@pytest.mark.parametrize(
    ("types", "args", "filled"),
    [
        ("(uint64,bytes)", [(7, PAYLOAD)], [(7, SIGNED)]),
        ("(uint64,bytes)", [[7, PAYLOAD]], [(7, SIGNED)]),
        ("bytes[]", [[PAYLOAD]], [[SIGNED]]),
        ("bytes[2]", [["0x01", PAYLOAD]], [[b"\1", SIGNED]]),
        ("((bytes,uint8)[],int8)", [([(PAYLOAD, 1)], 2)], [([(SIGNED, 1)], 2)]),
    ],
)
def test_a_payload_within_a_tuple_or_an_array(
    types: str, args: list[Any], filled: list[Any]
) -> None:
    expected = selector(f"f({types})") + encode([types], filled)
    assert calldata(SIGNED, f"f({types})", args) == expected


def test_bytes_may_be_hex() -> None:
    assert calldata(SIGNED, "f(bytes,bytes4,bytes)", [PAYLOAD, "0x01020304", "0x"]) == (
        selector("f(bytes,bytes4,bytes)")
        + encode(["bytes", "bytes4", "bytes"], [SIGNED, b"\1\2\3\4", b""])
    )
    with pytest.raises(ValueError, match=r"bytes4 as text is 0x .*argument 2 of f"):
        calldata(SIGNED, "f(bytes,bytes4)", [PAYLOAD, "abcd"])


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        ("f(bytes,uint64)", None, "takes more than a payload"),
        ("f()", None, "takes more than a payload"),
        ("f(bytes,uint64)", [PAYLOAD], "takes 2 arguments, not 1"),
        ("f(bytes,uint64)", [b"", 1], "PAYLOAD stands once among .*, not 0x"),
        ("f(bytes,bytes)", [PAYLOAD, PAYLOAD], "not 2x"),
        ("f(bytes32)", [PAYLOAD], r"bytes, not bytes32 \[argument 1 of f\]"),
        ("f(bytes[])", [PAYLOAD], r"bytes, not bytes\[\]"),
        ("f((uint8,bytes))", [(PAYLOAD, b"")], "bytes, not uint8"),
        ("f(bytes,uint8)", [PAYLOAD, 256], r"256 is no uint8 \[argument 2 of f\]"),
        ("f(bytes,uint8)", [PAYLOAD, 1.0], "1.0 is no uint8"),
        ("f(bytes,uint8)", [PAYLOAD, True], "True is no uint8"),
        ("f(bytes,bytes4)", [PAYLOAD, b"12345"], "is no bytes4"),
        ("f(bytes,address)", [PAYLOAD, "0x12"], "'0x12' is no address"),
        ("f((uint8,bytes))", [(1, PAYLOAD, 2)], "is no "),
        ("f((uint8,bytes))", [(1,)], "not 0x"),
        ("f((bytes,uint8))", [(PAYLOAD,)], "is no "),
        ("f(bytes[2])", [[PAYLOAD]], "is no "),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    function: str, args: list[Any] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calldata(SIGNED, function, args)
    with pytest.raises(ValueError, match=message):
        Target(ADDRESS, function, args)


def test_payloads_in_every_form() -> None:
    frame = codec.to_frame(SIGNED)
    forms = [
        SIGNED,
        bytearray(SIGNED),
        memoryview(SIGNED),
        SIGNED.hex(),
        "0x" + SIGNED.hex().upper(),
        f" {SIGNED.hex()}\n",
        ("0x" + SIGNED.hex()).encode(),
        frame,
        frame.decode(),
        b'{"p":"0x' + SIGNED.hex().encode() + b'", "type" : "signed_ecdsa"}\n',
    ]
    for form in forms:
        assert payload_bytes(form) == SIGNED
        assert calldata(form) == calldata(SIGNED)
        assert Target(ADDRESS).calldata(form) == calldata(SIGNED)


@pytest.mark.parametrize("start", [b"{", b'{"', b"0x", b"0X"])
def test_bytes_that_begin_like_text_are_bytes(start: bytes) -> None:
    payload = start + SIGNED[len(start) :]
    assert payload_bytes(payload) == payload


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("", codec.ErrorCode.EMPTY, 0),
        ("0x12g4", codec.ErrorCode.INVALID_HEX, 4),
        ("0x123", codec.ErrorCode.ODD_HEX, 5),
        ("12 34", codec.ErrorCode.INVALID_HEX, 2),
        ("{", codec.ErrorCode.INVALID_JSON, 1),
        (b"{", codec.ErrorCode.INVALID_JSON, 1),
        (UNSIGNED, codec.ErrorCode.UNSIGNED, 0),
        (UNSIGNED.encode(), codec.ErrorCode.UNSIGNED, 0),
        ('{"type":"subscribe","assets":[1]}', codec.ErrorCode.NOT_DATA, None),
    ],
)
def test_text_that_is_no_payload(
    text: str | bytes, code: codec.ErrorCode, offset: int | None
) -> None:
    with pytest.raises(codec.DecodeError) as caught:
        payload_bytes(text)
    assert caught.value.code == code
    assert offset is None or caught.value.offset == offset


def test_what_is_neither_bytes_nor_text_is_no_payload() -> None:
    with pytest.raises(TypeError, match="not int"):
        payload_bytes(5)  # type: ignore[arg-type]


def test_a_target_says_who_verifies() -> None:
    other = "0x" + "22" * 20
    assert Target(ADDRESS.lower()).address == ADDRESS
    assert Target(ADDRESS).verifier_address == ADDRESS
    assert Target(ADDRESS, verifier=other).verifier_address == other
    assert Target(ADDRESS, "verifySignedECDSAPayload( bytes payload )").is_bare_verify
    assert not Target(ADDRESS).is_bare_verify


def test_a_target_with_faults_is_refused() -> None:
    with pytest.raises(codec.SignatureError, match="EIP-55"):
        Target(ADDRESS.replace("F6F4", "f6F4"))
    with pytest.raises(codec.SignatureError, match="40 hex digits"):
        Target(ADDRESS, verifier="0x12")
    with pytest.raises(TypeError, match="not bytes"):
        Target(bytes(20))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no type 'age'"):
        Target(ADDRESS, abi=["TooOld(age)"])


def test_targets_compare_hash_and_travel() -> None:
    abi = artifact("Consumer")["abi"]
    targets = [
        Target(ADDRESS, "f(bytes,uint8[])", [PAYLOAD, [1]], abi=abi) for _ in "ab"
    ]
    assert targets[0] == targets[1] and len(set(targets)) == 1
    travelled = pickle.loads(pickle.dumps(targets[0]))
    assert travelled == targets[0]
    assert travelled.calldata(SIGNED) == targets[0].calldata(SIGNED)
    assert repr(PAYLOAD) == "PAYLOAD"


def test_a_consumer_takes_it(
    chain: Anvil, consumer: str, signer_key: bytes, fee_wei: int
) -> None:
    payload = codec.encode(
        [9], [-5], timestamp_ns=chain.now_ns(), taxonomy_id=1, key=signer_key
    )
    targets = [
        Target(consumer, "push(bytes payload, uint64 age)", (PAYLOAD, 10**12)),
        Target(consumer, "pushRequest((uint64, bytes))", ((10**12, PAYLOAD),)),
    ]
    for n, target in enumerate(targets, start=1):
        transaction = {
            "from": chain.accounts[0][0],
            "to": target.address,
            "data": "0x" + target.calldata(payload).hex(),
            "value": hex(fee_wei),
        }
        chain.transact(**transaction)
        assert chain.uses(consumer, payload) == n
    assert chain.call(consumer, "latest", 9)[1] == -5
