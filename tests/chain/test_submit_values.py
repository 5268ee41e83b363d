"""Texts of the command's options become the values that they stand for."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import codec
from codec.chain.calldata import PAYLOAD
from codec.cli.key_options import read_name, read_place
from codec.cli.options import UsageError
from codec.cli.submit import read_payload
from codec.cli.submit_values import (
    read_address,
    read_arguments,
    read_band,
    read_count,
    read_errors,
    read_ether,
    read_gwei,
    read_seconds,
    read_urls,
)

KEY = "0x" + "ab" * 32
ADDRESS = "0x3db9E960ECfCcb11969509FAB000c0c96DC51830"
DATA = codec.encode([1], [2], timestamp_ns=3, taxonomy_id=4, key=b"\1" * 32)


@pytest.mark.parametrize(
    ("function", "texts", "expected"),
    [
        ("push(bytes)", [], None),
        ("push(bytes,uint64)", ["payload", "60000"], (PAYLOAD, 60000)),
        ("push(bytes payload, int8 n)", ["payload", "-0x7f"], (PAYLOAD, -127)),
        ("f(bool,bool)", ["true", "False"], (True, False)),
        ("f(address,string)", [ADDRESS, "payload"], (ADDRESS, "payload")),
        ("f(bytes4,bytes)", ["0xdeadbeef", "00ff"], (b"\xde\xad\xbe\xef", b"\0\xff")),
        ("f(uint256[])", ['[1, "0x10"]'], ((1, 16),)),
        (
            "f((uint64,bytes),bytes32[2][])",
            ['[5, "payload"]', f'[["{KEY}", "{KEY}"]]'],
            ((5, PAYLOAD), ((b"\xab" * 32, b"\xab" * 32),)),
        ),
    ],
)
def test_arguments_of_functions(function: str, texts: list[str], expected: Any) -> None:
    assert read_arguments(function, texts, PAYLOAD) == expected


@pytest.mark.parametrize(
    ("function", "texts", "words"),
    [
        ("f(bytes,uint8)", ["payload"], "takes 2 arguments, not 1"),
        ("f(bytes", ["payload"], "--function: "),
        ("f(bytes,word)", ["payload", "1"], "--function: "),
        ("f(uint8)", ["payload"], "argument 1: no uint8: 'payload'"),
        ("f(uint8)", ["1.5"], "argument 1: no uint8"),
        ("f(bytes,bool)", ["payload", "1"], "argument 2: no bool"),
        ("f(uint8[])", ["1"], "argument 1: no uint8[]"),
        ("f(uint8[])", ["[1.5]"], "argument 1: no uint8[]"),
        ("f((uint8,bytes))", ["[1]"], "argument 1: no (uint8,bytes)"),
        ("f(bytes)", ["0x123"], "argument 1: no bytes"),
    ],
)
def test_arguments_that_do_not_fit(function: str, texts: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_arguments(function, texts, PAYLOAD)
    assert words in str(caught.value)


def test_bands() -> None:
    assert read_band("3=60000..70000") == (3, (Decimal(60000), Decimal(70000)))
    low, high = Decimal("-0.99"), Decimal("1.000000000000000001")
    assert read_band("1/3=-0.99..1.000000000000000001") == ((1, 3), (low, high))
    for text in ("3", "3=1", "3=1..", "3=2..1", "x=1..2", "65536=1..2", "3=1..nan"):
        with pytest.raises(ArgumentTypeError):
            read_band(text)


def test_amounts_and_times_are_exact() -> None:
    assert read_gwei("40") == 40 * 10**9
    assert read_gwei("0.000000001") == 1
    assert read_ether("0.1") == 10**17
    assert read_seconds("500ms") == 0.5
    assert read_seconds("2m") == 120
    assert read_count("9223372036854775807") == 2**63 - 1
    for read, text in (
        (read_gwei, "0"),
        (read_gwei, "-1"),
        (read_gwei, "0.0000000001"),
        (read_ether, "1e30"),
        (read_ether, "inf"),
        (read_seconds, "10"),
        (read_count, "0"),
        (read_count, "0x1"),
        (read_count, "9223372036854775808"),
    ):
        with pytest.raises(ArgumentTypeError):
            read(text)


@pytest.mark.parametrize("read", [read_place, read_name])
@pytest.mark.parametrize("text", [KEY, KEY[2:], KEY.upper()[2:], f" {KEY}\n"])
def test_a_key_in_the_place_of_its_place_is_not_repeated(read: Any, text: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        read(text)
    assert "this is a key" in str(caught.value)
    assert "abab" not in str(caught.value).lower()


def test_names_and_addresses() -> None:
    assert read_place("key.hex") == "key.hex"
    assert read_name("RPC_URL") == "RPC_URL"
    with pytest.raises(ArgumentTypeError) as caught:
        read_name("https://node/secret")
    assert "secret" not in str(caught.value)
    assert read_address(ADDRESS.lower()) == ADDRESS
    with pytest.raises(ArgumentTypeError):
        read_address(ADDRESS.replace("3d", "3D"))


def test_urls_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "urls"
    path.write_text("http://c\nhttp://d\n")
    monkeypatch.setenv("URLS", "http://a, http://b ")
    assert read_urls(["http://0"], "URLS", str(path)) == [
        f"http://{name}" for name in "0abcd"
    ]
    with pytest.raises(UsageError, match="NOT_THERE is not set"):
        read_urls([], "NOT_THERE", None)
    path.write_text("\n")
    with pytest.raises(UsageError, match="a node is needed"):
        read_urls([], None, str(path))
    with pytest.raises(OSError, match="none"):
        read_urls([], None, str(tmp_path / "none"))


def test_errors_of_abi_files(tmp_path: Path) -> None:
    old = {"type": "error", "name": "TooOld", "inputs": []}
    path = tmp_path / "abi.json"
    path.write_text(json.dumps([{"type": "constructor"}, old, 5]))
    assert read_errors([str(path)]) == (old,)
    path.write_text(json.dumps({"abi": [old], "bytecode": ""}))
    assert read_errors([str(path), str(path)]) == (old, old)
    for text in ("{}", "[", "5", '{"abi": 1}'):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"abi\.json"):
            read_errors([str(path)])


@pytest.mark.parametrize(
    "content",
    [
        DATA,
        b"0x" + DATA.hex().encode() + b"\n",
        DATA.hex().encode(),
        codec.to_frame(DATA),
        b"1764608822324772939 " + codec.to_frame(DATA) + b"\n" + b"{}\n",
    ],
    ids=["raw", "0x", "hex", "frame", "line of an archive"],
)
def test_payloads_of_files(content: bytes, tmp_path: Path) -> None:
    from codec.chain.calldata import payload_bytes

    path = tmp_path / "payload"
    path.write_bytes(content)
    assert payload_bytes(read_payload(str(path))) == DATA
    with pytest.raises(OSError, match="elsewhere"):
        read_payload(str(tmp_path / "elsewhere"))


def test_payloads_as_arguments() -> None:
    for text in (DATA.hex(), "0x" + DATA.hex(), codec.to_frame(DATA).decode(), ""):
        assert read_payload(text) == text
