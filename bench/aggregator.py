"""The aggregator's messages: parsed, hashed and verified, against json and coincurve.

Times are those of one message.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coincurve import PrivateKey, PublicKey

from bench.recovery import KECCAK_PACKAGE, key_address, new_keccak
from bench.rows import Row
from bench.timing import Side, balanced, interleave
from bench.workloads import FIRST_NS
from codec.aggregator import (
    decode_lines,
    encoded_asset_id,
    merkle_root,
    sign_aggregate,
    sign_price,
)
from codec.tables import LIBRARY, use_verify_path, verify_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ratios import Inputs

__all__ = ["aggregator_rows", "judged_by_coincurve"]

_VECTORS = Path(__file__).parents[2] / "shared" / "vectors"
_HEAD = b"\x19Ethereum Signed Message:\n32"
_N_MESSAGES, _N_MANY = 100, 8
_MANY_ASSETS, _MANY_PUBLISHERS = 25, 20
_PRICE, _STEP = 97_338_256_123_456_789_012_345, 1_000_000_007
_MS = 10**6
_KEYS = tuple(PrivateKey(bytes([i]) * 32) for i in range(1, 2 + _MANY_PUBLISHERS))


def aggregator_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row about the aggregator, in turn."""
    path = verify_path()
    real = _real_lines()
    few = real or _made_lines(_N_MESSAGES, 1, 1)
    many = _made_lines(_N_MANY, _MANY_ASSETS, _MANY_PUBLISHERS)
    whose = "real" if real else "made"
    work = f"{_N_MESSAGES} {whose} messages of one asset and one publisher"
    more = (
        f"{_N_MANY} messages of {_MANY_ASSETS} assets with {_MANY_PUBLISHERS}"
        " publishers each"
    )
    for lines in (few, many):
        _check(lines)
    try:
        use_verify_path(LIBRARY)
        yield from _by_recovery(inputs, few, work, (1.3, 2.5))
        yield _share(inputs, few, work, 0.1)
        yield from _by_recovery(inputs, many, more, (None, None))
        yield _share(inputs, many, more, None)
        if path != LIBRARY:
            use_verify_path(path)
            yield _by_known(inputs, few, work, 15)
            yield _by_known(inputs, many, more, None)
    finally:
        use_verify_path(path)


def _by_recovery(
    inputs: Inputs, lines: bytes, work: str, musts: tuple[float | None, float | None]
) -> Iterator[Row]:
    n, budget = lines.count(b"\n"), inputs.scale.signature_budget
    theirs = Side(partial(judged_by_coincurve, lines), n)
    for threads, how, must in ((1, "one thread", musts[0]), (2, "two", musts[1])):
        ours = Side(partial(decode_lines, lines, threads=threads), n)
        yield Row(
            f"{work}, every signature recovered, {how}: against json, coincurve and"
            f" the keccak256 of {KECCAK_PACKAGE}",
            "coincurve / decode_lines",
            interleave(theirs, ours, budget),
            must,
        )


def _share(inputs: Inputs, lines: bytes, work: str, must: float | None) -> Row:
    """With a v that no signature has nothing is left to recover."""
    unsigned = lines.replace(b'"v":"0x1b"', b'"v":"0x00"')
    unsigned = unsigned.replace(b'"v":"0x1c"', b'"v":"0x00"')
    n = lines.count(b"\n")
    parts = Side(partial(decode_lines, unsigned), n)
    whole = Side(partial(decode_lines, lines), n)
    ratio = interleave(*balanced(parts, whole), inputs.scale.signature_budget)
    return Row(
        f"{work}: parsing and hashing alone, against all of it with recovery",
        "parts / all",
        ratio,
        must,
        better="lower",
    )


def _by_known(inputs: Inputs, lines: bytes, work: str, must: float | None) -> Row:
    n = lines.count(b"\n")
    for _ in range(50):  # the keys are learned
        decode_lines(lines)
    theirs = Side(partial(judged_by_coincurve, lines), n)
    ours = Side(partial(decode_lines, lines), n)
    return Row(
        f"{work}, signers known by now, one thread: against the same loop",
        "coincurve / decode_lines",
        interleave(*balanced(theirs, ours), inputs.scale.signature_budget),
        must,
    )


def _check(lines: bytes) -> None:
    """Raises AssertionError where one of the ways finds anything bad."""
    for threads in (1, 2):
        batch = decode_lines(lines, threads=threads)
        if not batch.passed("all").all() or len(batch.messages) != lines.count(b"\n"):
            raise AssertionError("decode_lines does not find all of it good")
    if not judged_by_coincurve(lines):
        raise AssertionError("coincurve does not find all of it good")


# What a user would write.


def judged_by_coincurve(lines: bytes) -> bool:
    """Whether all signatures and hashes in some messages are good: by json, coincurve
    and a keccak256, with no more work than that needs."""
    return all(
        _is_good(asset, price)
        for line in lines.splitlines()
        for asset, price in json.loads(line)["data"].items()
    )


def _is_good(asset: str, price: dict[str, Any]) -> bool:
    leaves = []
    for entry in price["signed_prices"]:
        stamped = entry["timestamped_signature"]
        text = (
            bytes.fromhex(entry["publisher_key"][2:])
            + entry["external_asset_id"].encode()
            + (stamped["timestamp"] // 10**9).to_bytes(32, "big")
            + int(entry["price"]).to_bytes(32, "big", signed=True)
        )
        leaf = _signed(text, entry["publisher_key"], stamped)
        if leaf is None:
            return False
        leaves.append(leaf)
    signed = price["stork_signed_price"]
    stamped = signed["timestamped_signature"]
    text = (
        bytes.fromhex(signed["public_key"][2:])
        + bytes.fromhex(signed["encoded_asset_id"][2:])
        + stamped["timestamp"].to_bytes(32, "big")
        + int(signed["price"]).to_bytes(32, "big", signed=True)
        + bytes.fromhex(signed["publisher_merkle_root"][2:])
        + bytes.fromhex(signed["calculation_alg"]["checksum"])
    )
    return (
        _signed(text, signed["public_key"], stamped) is not None
        and new_keccak(asset.encode()).hexdigest() == signed["encoded_asset_id"][2:]
        and _root(leaves).hex() == signed["publisher_merkle_root"][2:]
    )


def _signed(text: bytes, address: str, stamped: dict[str, Any]) -> bytes | None:
    """The hash of what is signed, if the address has signed it."""
    msg_hash: bytes = new_keccak(text).digest()
    digest = new_keccak(_HEAD + msg_hash).digest()
    parts = stamped["signature"]
    signature = bytes.fromhex(parts["r"][2:] + parts["s"][2:]) + bytes(
        (int(parts["v"], 16) - 27,)
    )
    key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    is_good = key_address(key) == bytes.fromhex(address[2:])
    return msg_hash if is_good and stamped["msg_hash"][2:] == msg_hash.hex() else None


def _root(level: list[bytes]) -> bytes:
    while len(level) > 1:
        level = level + level[-1:] if len(level) % 2 else level
        level = [
            new_keccak(level[i] + level[i + 1]).digest()
            for i in range(0, len(level), 2)
        ]
    return level[0]


# Messages.


def _real_lines() -> bytes:
    paths = sorted(_VECTORS.glob("aggregator_oracle_prices_*.ndjson"))
    return b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in paths)


def _made_lines(n_messages: int, n_assets: int, n_publishers: int) -> bytes:
    """The same in form: the first key is the aggregator's, each other a publisher's."""
    lines = []
    for i in range(n_messages):
        time_ns = FIRST_NS + i * 500 * _MS
        data = {
            f"ASSET{k}USD": _made(f"ASSET{k}USD", i, n_publishers, time_ns + k)
            for k in range(n_assets)
        }
        message = {"type": "oracle_prices", "trace_id": f"{i:032x}", "data": data}
        lines.append(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    return b"".join(lines)


def _made(asset: str, i: int, n_publishers: int, time_ns: int) -> dict[str, Any]:
    prices = [
        sign_price(
            asset,
            _PRICE + (i + k) * _STEP,
            timestamp_ns=time_ns - k * _MS,
            key=_KEYS[1 + k],
        )
        for k in range(n_publishers)
    ]
    middle = prices[n_publishers // 2].value
    aggregate = sign_aggregate(
        encoded_asset_id(asset),
        middle,
        timestamp_ns=time_ns + _MS,
        publisher_merkle_root=merkle_root([price.msg_hash for price in prices]),
        key=_KEYS[0],
    )
    return {
        "timestamp": time_ns,
        "asset_id": asset,
        "signature_type": "evm",
        "trigger": "clock",
        "price": str(middle),
        "stork_signed_price": aggregate.as_message(),
        "signed_prices": [price.as_message() for price in prices],
    }
