"""What reverted is named, whoever's error it is and wherever the node puts it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from anvil import Anvil, NodeRefused
from eth_abi import encode
from evm import CONTRACTS
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chain import PAYLOAD, Revert, calldata, decode_revert, revert_of
from codec.chain.abi import Signature, read_signature
from codec.chain.known_errors import ERRORS, MEANINGS, PANICS
from codec.errors import RpcError

ACCOUNT = "0x" + "a1" * 20
CONSUMER_ABI = [
    {"type": "constructor", "inputs": [{"name": "verifier", "type": "address"}]},
    {"type": "error", "name": "TooOld", "inputs": [{"name": "ns", "type": "uint64"}]},
]


def data_of(signature: str, *args: Any) -> bytes:
    entry = read_signature(signature)
    return entry.selector + encode(entry.types, args)


def panic(code: int) -> bytes:
    return data_of("Panic(uint256)", code)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            bytes.fromhex("025dbdd4"),
            "InsufficientFee(): the value sent is below the verifier's fee",
        ),
        (
            bytes.fromhex("8baa579f"),
            "InvalidSignature(): no signer of the verifier signed the payload",
        ),
        (
            bytes.fromhex("7c6953f9"),
            "InvalidPayload(): the payload's length fits no whole number of assets",
        ),
        (panic(0x11), "Panic(0x11): arithmetic overflow"),
        (panic(0x32), "Panic(0x32): an index beyond the array's end"),
        (panic(1), "Panic(0x01): an assertion failed"),
        (panic(0xABC), "Panic(0xabc): a code that Solidity does not have"),
        (data_of("Error(string)", "too late"), 'Error: "too late"'),
        (data_of("Error(string)", ""), 'Error: ""'),
        (data_of("Error(string)", "a\n\x1b[2J\u202e"), r'Error: "a\n\x1b[2J\u202e"'),
        (data_of("Error(string)", "x" * 400), f'Error: "{"x" * 300}..."'),
        (
            data_of("OwnableUnauthorizedAccount(address)", ACCOUNT),
            f"OwnableUnauthorizedAccount({ACCOUNT}): only the contract's owner may do"
            " this",
        ),
        (
            data_of("ERC20InsufficientBalance(address,uint256,uint256)", ACCOUNT, 1, 2),
            f"ERC20InsufficientBalance({ACCOUNT}, 1, 2)",
        ),
        (
            data_of("ECDSAInvalidSignatureS(bytes32)", b"\xff" * 32),
            f"ECDSAInvalidSignatureS(0x{'ff' * 32}): s is above n / 2",
        ),
        (b"", "reverted without data"),
        (b"\x12", "reverted with 1 byte of data, 0x12"),
        (b"\x12\x34\x56", "reverted with 3 bytes of data, 0x123456"),
        (
            b"\x12\x34\x56\x78" + bytes(32),
            "unknown error 0x12345678, 36 bytes of data",
        ),
    ],
)
def test_errors_that_everybody_has(data: bytes, text: str) -> None:
    for form in (data, data.hex(), "0x" + data.hex()):
        revert = decode_revert(form)
        assert str(revert) == text
        assert revert.data == data


@pytest.mark.parametrize(
    "abi",
    [
        CONSUMER_ABI,
        ["TooOld(uint64 timestampNs)"],
        ["Other()", "error TooOld(uint64);"],
        [{"name": "TooOld", "inputs": [{"type": "uint64"}]}],
    ],
    ids=["compiled", "text", "with keyword", "bare entry"],
)
def test_a_contracts_own_errors(abi: list[Signature]) -> None:
    data = data_of("TooOld(uint64)", 5)
    assert decode_revert(data, abi) == Revert("TooOld", (5,), "TooOld(uint64)", data)
    assert str(decode_revert(data, abi)) == "TooOld(5)"
    assert str(decode_revert(data)).startswith("unknown error 0x")


def test_arguments_are_shown_for_people() -> None:
    signature = "Odd((bool,string)[] list, bytes data, int8 small, string text)"
    arguments = [[(True, "a\x07")], b"\1\2", -3, "0x\x1b"]
    revert = decode_revert(data_of(signature, *arguments), [signature])
    assert str(revert) == r'Odd(((true, "a\x07")), 0x0102, -3, "0x\x1b")'
    long = decode_revert(data_of(signature, [], bytes(1000), 0, ""), [signature])
    assert len(str(long)) < 400


def test_a_contracts_own_error_comes_first() -> None:
    revert = decode_revert(data_of("InvalidPayload()"), ["InvalidPayload()"])
    assert revert.signature == "InvalidPayload()"


@pytest.mark.parametrize(
    "data",
    [
        data_of("Error(string)", "text")[:-1],
        data_of("Error(string)", "text")[:36],
        read_signature("Error(string)").selector,
        data_of("Error(string)", "").replace(b"\x20", b"\xff", 1),
        read_signature("Error(string)").selector + b"\xff" * 64,
        read_signature("Error(string)").selector
        + (32).to_bytes(32, "big")
        + (2**63 - 1).to_bytes(32, "big"),
        read_signature("Error(string)").selector
        + encode(["bytes"], [b"\xff\xfe not UTF-8"]),
        panic(0x11)[:-1],
        data_of("OwnableInvalidOwner(address)", ACCOUNT).replace(b"\0", b"\1", 1),
    ],
)
def test_data_that_lies_is_not_decoded(data: bytes) -> None:
    revert = decode_revert(data)
    assert revert == Revert("", (), None, data)
    assert str(revert).startswith("unknown error 0x")


@given(st.binary(max_size=200), st.sampled_from([*ERRORS, "Error(string)", "A(bytes)"]))
def test_no_data_raises(noise: bytes, signature: str) -> None:
    data = read_signature(signature).selector + noise
    for given_data in (noise, data):
        revert = decode_revert(given_data, ["A(bytes)", *CONSUMER_ABI])
        assert revert.data == given_data
        assert str(revert)


def test_what_is_no_abi_is_refused() -> None:
    bad: list[Any] = ["TooOld(age)", {"type": "error"}, {"name": "1", "inputs": []}]
    bad += [{"name": "A", "inputs": [{"type": "tuple"}]}, {"name": "A", "inputs": 5}]
    for entry in bad:
        with pytest.raises(ValueError, match=r"JSON ABI|no type|no name"):
            decode_revert(b"", [entry])


def test_openzeppelins_errors_are_as_its_sources_have_them() -> None:
    sources = CONTRACTS / "node_modules/@openzeppelin/contracts"
    if not sources.exists():
        pytest.skip("optional: no OpenZeppelin (npm ci --prefix tests/contracts)")
    declared = set()
    for path in sources.rglob("*.sol"):
        for error in re.findall(r"^\s*error (\w+\([^)]*\));", path.read_text(), re.M):
            # Its enums and aliases are of no interest here.
            if not re.search(r"\b(IGovernor|ProposalState|Type)\b", error):
                try:
                    declared.add(read_signature(error).signature)
                except ValueError:
                    assert "." in error or re.search(r"[A-Z]\w+ ", error), error
    ours = {read_signature(error).signature for error in ERRORS}
    storks = {"InsufficientFee()", "InvalidSignature()", "InvalidPayload()"}
    storks |= {"NoFreshUpdate()", "NotFound()", "StaleValue()"}
    assert storks <= ours and ours - storks <= declared
    assert set(MEANINGS) <= {signature.partition("(")[0] for signature in ours}
    assert len(ours) == len(ERRORS) == len(set(map(selector_of, ERRORS)))
    assert 0x11 in PANICS and 0x32 in PANICS


def selector_of(signature: str) -> bytes:
    return read_signature(signature).selector


FEE = "0x025dbdd4"


def error(code: int, message: str, data: object = None) -> RpcError:
    return RpcError(code, message, data, "eth_call", "http://127.0.0.1:8545")


@pytest.mark.parametrize(
    ("code", "message", "data"),
    [
        (3, "execution reverted", FEE),
        (3, "execution reverted: custom error 0x025dbdd4", FEE),
        (-32000, "Execution reverted", FEE),
        (-32015, "VM execution error.", "Reverted 0x025dbdd4"),
        (-32015, "revert: 0x025dbdd4", None),
        (-32603, "VM Exception while processing transaction: reverted", {"data": FEE}),
        (-32603, "Error: VM reverted", {"message": "reverted", "data": FEE}),
        (
            -32603,
            "Internal error: reverted",
            {"originalError": {"code": 3, "data": FEE}},
        ),
        (-32000, "revert", {"0x" + "12" * 32: {"error": "revert", "return": FEE}}),
        (-32000, "execution reverted: 0x025dbdd4", None),
    ],
)
def test_nodes_put_the_data_in_different_places(
    code: int, message: str, data: object
) -> None:
    revert = revert_of(error(code, message, data))
    assert revert is not None and revert.name == "InsufficientFee"


@pytest.mark.parametrize(
    ("code", "message", "data", "text"),
    [
        (-32000, "execution reverted", None, "reverted without data"),
        (3, "execution reverted", "0x", "reverted without data"),
        (-32015, "VM execution error.", "Reverted 0x", "reverted without data"),
        (-32015, "VM execution error.", "Reverted", "reverted without data"),
        (-32000, "execution reverted: too late", None, 'Error: "too late"'),
        (
            -32603,
            "VM Exception while processing transaction: reverted with reason string"
            " 'too late'",
            None,
            'Error: "too late"',
        ),
        (3, "execution reverted", {"a": {"b": {"c": {"d": {"data": FEE}}}}}, "reve"),
        (3, "execution reverted", 5, "reverted without data"),
    ],
)
def test_reverts_without_data(code: int, message: str, data: Any, text: str) -> None:
    revert = revert_of(error(code, message, data))
    assert revert is not None and str(revert).startswith(text)


@pytest.mark.parametrize(
    ("code", "message", "data"),
    [
        (-32000, "insufficient funds for gas * price + value", None),
        (-32000, "insufficient funds", "0x"),
        (-32000, "out of gas", None),
        (-32000, "invalid opcode: INVALID", FEE),
        (-32015, "VM execution error.", "Bad instruction fe"),
        (-32601, "the method eth_call does not exist", None),
    ],
)
def test_other_errors_are_no_reverts(code: int, message: str, data: object) -> None:
    assert revert_of(error(code, message, data)) is None


def test_what_a_contract_says_on_chain(
    chain: Anvil, verifier: str, consumer: str, signer_key: bytes, fee_wei: int
) -> None:
    payload = codec.encode([1], [2], timestamp_ns=3, taxonomy_id=1, key=signer_key)
    push = calldata(payload, "push(bytes,uint64)", (PAYLOAD, 1))
    cases = [
        (verifier, calldata(payload), 0, "InsufficientFee"),
        (verifier, calldata(payload[:-1]), fee_wei, "InvalidPayload"),
        (verifier, calldata(bytes(75)), fee_wei, "InvalidSignature"),
        (verifier, calldata(b"\xff" * 75), fee_wei, "Panic"),
        (verifier, b"\x12\x34\x56\x78", 0, ""),
        (consumer, push, 0, "InsufficientFee"),
        (consumer, push, fee_wei, "TooOld"),
        (consumer, push[:4], fee_wei, ""),
    ]
    for address, data, wei, name in cases:
        call = {"to": address, "data": "0x" + data.hex(), "value": hex(wei)}
        for method in ("eth_call", "eth_estimateGas"):
            with pytest.raises(NodeRefused) as caught:
                chain.rpc(method, call, "latest")
            node = caught.value
            revert = revert_of(
                RpcError(node.code, node.message, node.data, method, chain.url),
                CONSUMER_ABI,
            )
            assert revert is not None and revert.name == name
            assert name != "TooOld" or revert.args == (3,)
