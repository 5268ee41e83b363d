"""What publishers and the aggregator sign, against real messages and eth_account."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from hypothesis import given
from hypothesis import strategies as st
from vectors import VECTORS

import codec
from codec import EncodeError, SignatureError
from codec.aggregator import (
    SignedPrice,
    aggregate_hash,
    authentication_hash,
    authentication_headers,
    encoded_asset_id,
    key_address,
    merkle_root,
    publisher_hash,
    sign_aggregate,
    sign_price,
)
from codec.aggregator.signing import MEDIAN_CHECKSUM

KEY = b"\x17" * 32
VALUES = st.integers(-(2**127), 2**127 - 1)
TIMES = st.integers(0, 2**64 - 1)
# Stork's own example of a publisher's signature.
KNOWN = SignedPrice(
    bytes.fromhex("99e295e85cb07c16b7bb62a44df532a7f2620237"),
    "BTCUSDMARK",
    72147681412670819000000,
    1710191092123456789,
    bytes.fromhex("14e378dcf486b15c157fb6af80fc275b895bd1cae818fc4597a6b4a1571a831e"),
    bytes.fromhex("79b4823a159988c04576ff71bc3ca168a631ac666094b0f4157e59b2892f6490"),
    0x1B,
    bytes(32),
)


def recovered(msg_hash: bytes, r: bytes, s: bytes, v: int) -> bytes:
    """Who signed a msg_hash, by the rules of the chain."""
    rows = np.frombuffer(msg_hash, np.uint8).reshape(1, 32)
    signature = np.frombuffer(r + s + bytes((v,)), np.uint8).reshape(1, 65)
    (found,) = codec.recover_digests(codec.eip191_digests(rows), signature, v_offset=27)
    assert found["status"] == 0
    return bytes(found["address"])


def ethereum(msg_hash: bytes) -> Any:
    """The signature that eth_account makes."""
    return Account.sign_message(encode_defunct(msg_hash), KEY)


def test_the_known_signature_is_good() -> None:
    msg_hash = publisher_hash(
        KNOWN.publisher, KNOWN.asset, KNOWN.timestamp_ns, KNOWN.value
    )
    assert recovered(msg_hash, KNOWN.r, KNOWN.s, KNOWN.v) == KNOWN.publisher
    # Only whole seconds are signed.
    first = KNOWN.timestamp_ns // 10**9 * 10**9
    same = {
        publisher_hash(KNOWN.publisher.hex(), KNOWN.asset, time_ns, KNOWN.value)
        for time_ns in (first, first + 10**9 - 1)
    }
    assert same == {msg_hash}
    text = KNOWN.as_message()["timestamped_signature"]
    assert text["signature"] == {
        "r": "0x14e378dcf486b15c157fb6af80fc275b895bd1cae818fc4597a6b4a1571a831e",
        "s": "0x79b4823a159988c04576ff71bc3ca168a631ac666094b0f4157e59b2892f6490",
        "v": "0x1b",
    }


@given(asset=st.text(max_size=40), value=VALUES, timestamp_ns=TIMES)
def test_prices_are_signed_as_ethereum_does(
    asset: str, value: int, timestamp_ns: int
) -> None:
    price = sign_price(asset, value, timestamp_ns=timestamp_ns, key=KEY)
    theirs = ethereum(price.msg_hash)
    assert price.r + price.s + bytes((price.v,)) == theirs.signature
    assert price.publisher == bytes.fromhex(Account.from_key(KEY).address[2:])
    assert price.publisher == key_address(KEY)
    packed = b"".join(
        (
            price.publisher,
            asset.encode(),
            (timestamp_ns // 10**9).to_bytes(32, "big"),
            (value % 2**256).to_bytes(32, "big"),
        )
    )
    assert price.msg_hash == codec.reference.keccak256(packed)


@given(asset=st.text(max_size=40), value=VALUES, timestamp_ns=TIMES)
def test_aggregates_are_signed_as_ethereum_does(
    asset: str, value: int, timestamp_ns: int
) -> None:
    root = codec.keccak256(b"root")
    asset_id = encoded_asset_id(asset)
    assert asset_id == codec.reference.keccak256(asset.encode())
    signed = sign_aggregate(
        asset_id,
        value,
        timestamp_ns=timestamp_ns,
        publisher_merkle_root=root,
        key=KEY,
    )
    theirs = ethereum(signed.msg_hash)
    assert signed.r + signed.s + bytes((signed.v,)) == theirs.signature
    packed = b"".join(
        (
            signed.public_key,
            asset_id,
            timestamp_ns.to_bytes(32, "big"),
            (value % 2**256).to_bytes(32, "big"),
            root,
            MEDIAN_CHECKSUM,
        )
    )
    assert signed.msg_hash == codec.reference.keccak256(packed)


def test_real_messages_are_reproduced() -> None:
    paths = sorted(VECTORS.glob("aggregator_oracle_prices_*.ndjson"))
    if not paths:
        pytest.skip(f"no real messages in {VECTORS}")
    lines = [line for path in paths for line in path.read_text().splitlines()]
    assert len(lines) == 100
    for line in lines:
        for asset, entry in json.loads(line)["data"].items():
            check_entry(asset, entry)


def check_entry(asset: str, entry: dict[str, Any]) -> None:
    """Every hash of an entry, its root, its signatures and its texts."""
    leaves = []
    for item in entry["signed_prices"]:
        stamped = item["timestamped_signature"]
        publisher = item["publisher_key"]
        leaf = publisher_hash(
            publisher,
            item["external_asset_id"],
            stamped["timestamp"],
            int(item["price"]),
        )
        assert stamped["msg_hash"] == f"0x{leaf.hex()}"
        price = SignedPrice(
            bytes.fromhex(publisher[2:]),
            asset,
            int(item["price"]),
            stamped["timestamp"],
            *parts(stamped),
            leaf,
        )
        assert recovered(leaf, price.r, price.s, price.v) == price.publisher
        assert price.as_message() == item
        leaves.append(leaf)
    signed = entry["stork_signed_price"]
    stamped = signed["timestamped_signature"]
    asset_id, root = encoded_asset_id(asset), merkle_root(leaves)
    assert signed["encoded_asset_id"] == f"0x{asset_id.hex()}"
    assert signed["publisher_merkle_root"] == f"0x{root.hex()}"
    assert signed["calculation_alg"]["checksum"] == MEDIAN_CHECKSUM.hex()
    ours = aggregate_hash(
        signed["public_key"],
        asset_id,
        stamped["timestamp"],
        int(signed["price"]),
        root,
        MEDIAN_CHECKSUM,
    )
    assert stamped["msg_hash"] == f"0x{ours.hex()}"
    assert recovered(ours, *parts(stamped)).hex() == signed["public_key"][2:].lower()


def parts(stamped: dict[str, Any]) -> tuple[bytes, bytes, int]:
    signature = stamped["signature"]
    r, s = (bytes.fromhex(signature[name][2:]) for name in "rs")
    return r, s, int(signature["v"], 16)


def test_an_aggregate_has_the_shape_of_real_ones() -> None:
    signed = sign_aggregate(
        encoded_asset_id("BTCUSD"),
        -(10**18),
        timestamp_ns=1757543204021510845,
        publisher_merkle_root=bytes(32),
        key=KEY,
    )
    message = signed.as_message()
    assert message["public_key"] == Account.from_key(KEY).address
    assert message["price"] == "-1000000000000000000"
    assert message["timestamped_signature"]["timestamp"] == 1757543204021510845
    paths = sorted(VECTORS.glob("aggregator_oracle_prices_*.ndjson"))
    if paths:
        (real,) = json.loads(paths[0].read_text().splitlines()[0])["data"].values()
        assert shape(message) == shape(real["stork_signed_price"])


def shape(item: Any) -> Any:
    """The keys, in their order, and the types behind them."""
    if isinstance(item, dict):
        return [(name, shape(value)) for name, value in item.items()]
    return type(item), len(item) if str(item).startswith("0x") else 0


# A root by recursion: of n leaves, the first half holds the largest power of 2.
def root_of(leaves: list[bytes], depth: int) -> bytes:
    if depth == 0:
        return leaves[0]
    half = 2 ** (depth - 1)
    left = root_of(leaves[:half], depth - 1)
    right = root_of(leaves[half:], depth - 1) if len(leaves) > half else left
    return codec.reference.keccak256(left + right)


@pytest.mark.parametrize("n", range(1, 10))
def test_roots(n: int) -> None:
    leaves = [codec.keccak256(bytes((i,))) for i in range(n)]
    assert merkle_root(leaves) == root_of(leaves, (n - 1).bit_length())
    assert merkle_root(iter(leaves)) == merkle_root(leaves)


def test_the_root_of_a_published_example() -> None:
    leaves = (
        "76dd6821034b711949c88b1b780da7892df065aee26b40c04789666a89e1abfa",
        "d45c7ed8cd2aaaa588eb7b91e70ac41fd61e343523243c524f4769c7403e6b78",
        "05777a133448c88f745988e0e300c6f199260e8f60e16eba5f42f5366ae54d80",
        "0d9024136a7339801cb27c13e30e1ad0e4712446012846510eef4cea4b082aba",
    )
    assert merkle_root(map(bytes.fromhex, leaves)).hex() == (
        "88b53be6a9df81c281153c157279be049ac7c26659cd44bc1222c13581be9656"
    )


def test_headers_say_who_it_is() -> None:
    now_ns = 1757543204009682053
    headers = authentication_headers(KEY, timestamp_ns=now_ns)
    assert list(headers) == [
        "X-Public-Key",
        "X-Timestamp",
        "X-Signature",
        "X-Signature-Type",
    ]
    address = Account.from_key(KEY).address
    assert headers["X-Public-Key"] == address
    assert headers["X-Timestamp"] == str(now_ns)
    assert headers["X-Signature-Type"] == "evm"
    as_price = sign_price(
        "STORKAUTH", 103109111114107119111114108100, timestamp_ns=now_ns, key=KEY
    )
    assert as_price.msg_hash == authentication_hash(address, now_ns)
    assert headers["X-Signature"] == (
        f"0x{as_price.r.hex()}{as_price.s.hex()}{as_price.v:x}"
    )
    assert len(headers["X-Signature"]) == 132


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("BTCUSD", 10**5000, 0), EncodeError),
        (("BTCUSD", 2**127, 0), EncodeError),
        (("BTCUSD", -(2**127) - 1, 0), EncodeError),
        (("BTCUSD", 0, 2**64), EncodeError),
        (("BTCUSD", 0, -1), EncodeError),
        (("\ud800", 0, 0), EncodeError),
        (("BTCUSD", 1.5, 0), TypeError),
        (("BTCUSD", True, 0), TypeError),
        (("BTCUSD", "1", 0), TypeError),
        (("BTCUSD", 0, 0.0), TypeError),
        ((b"BTCUSD", 0, 0), TypeError),
    ],
)
def test_what_cannot_be_signed(
    arguments: tuple[Any, Any, Any], error: type[Exception]
) -> None:
    asset, value, timestamp_ns = arguments
    with pytest.raises(error):
        sign_price(asset, value, timestamp_ns=timestamp_ns, key=KEY)


def test_what_is_no_key_address_or_word() -> None:
    with pytest.raises(SignatureError, match="32 bytes"):
        sign_price("A", 1, timestamp_ns=1, key=b"\x01")
    with pytest.raises(SignatureError, match="20 bytes"):
        publisher_hash(b"\x01", "A", 1, 1)
    with pytest.raises(EncodeError, match="needs a leaf"):
        merkle_root([])
    with pytest.raises(EncodeError, match=r"not 31.*leaves.0"):
        merkle_root([bytes(31)])
    with pytest.raises(EncodeError, match=r"not 0 .*checksum"):
        aggregate_hash(bytes(20), bytes(32), 1, 1, bytes(32), b"")
