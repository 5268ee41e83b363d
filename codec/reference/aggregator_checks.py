"""Judges what was read of a message by docs/aggregator.md, "Checks"."""

from __future__ import annotations

from dataclasses import dataclass

from codec.errors import ErrorCode
from codec.reference.aggregator_fields import EVM
from codec.reference.aggregator_reading import Aggregate, Publisher, Signed
from codec.reference.keccak import keccak256
from codec.reference.signatures import find_signer

_EIP191 = b"\x19Ethereum Signed Message:\n32"
_V_OFFSET = 27


@dataclass(slots=True)
class Verdict:
    """The statuses of one signed thing, and what was calculated for them."""

    signer: bytes = bytes(20)
    signature: int = 0
    msg_hash: int = 0
    encoded_asset_id: int = 0
    merkle_root: int = 0
    consistency: int = 0
    leaf: bytes = bytes(32)
    digest: bytes = bytes(32)


def judge_publisher(publisher: Publisher) -> Verdict:
    """`leaf` is the hash that is signed, before it is wrapped."""
    if publisher.signature_type != EVM:
        code = ErrorCode.UNSUPPORTED_SIGNATURE_TYPE
        return Verdict(signature=code, msg_hash=code)
    signed = publisher.signed
    parts = (
        signed.hexes["public_key"][12:],
        publisher.name.encode(),
        (signed.timestamp_ns // 10**9).to_bytes(32, "big"),
        signed.value.to_bytes(32, "big", signed=True),
    )
    return _judge_signature(signed, keccak256(b"".join(parts)))


def judge_aggregate(
    aggregate: Aggregate, publishers: list[Verdict], trusted: frozenset[bytes] | None
) -> Verdict:
    """publishers: the verdicts of its own. trusted: the signers to accept, or all."""
    signed = aggregate.signed
    is_same = aggregate.asset_id == aggregate.name
    if signed is not None:
        is_same = is_same and aggregate.value == signed.value
    consistency = 0 if is_same else ErrorCode.MISMATCH
    if signed is None or aggregate.signature_type != EVM:
        code = ErrorCode.UNSUPPORTED_SIGNATURE_TYPE
        if signed is None:
            code = ErrorCode.UNSIGNED
        return Verdict(bytes(20), code, code, code, code, consistency)
    verdict = _judge_signature(signed, _aggregate_hash(signed))
    if verdict.signature == 0 and trusted is not None and verdict.signer not in trusted:
        verdict.signature = ErrorCode.UNTRUSTED_SIGNER
    verdict.consistency = consistency
    if keccak256(aggregate.name.encode()) != signed.hexes["encoded_asset_id"]:
        verdict.encoded_asset_id = ErrorCode.MISMATCH
    verdict.merkle_root = _judge_root(aggregate, signed, publishers)
    return verdict


def merkle_root(leaves: list[bytes]) -> bytes:
    """The root of a binary keccak tree; an odd level repeats its last."""
    level = leaves
    while len(level) > 1:
        level = level + level[-1:] * (len(level) % 2)
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [keccak256(left + right) for left, right in pairs]
    return level[0]


def _aggregate_hash(signed: Signed) -> bytes:
    hexes = signed.hexes
    parts = (
        hexes["public_key"][12:],
        hexes["encoded_asset_id"],
        signed.timestamp_ns.to_bytes(32, "big"),
        signed.value.to_bytes(32, "big", signed=True),
        hexes["publisher_merkle_root"],
        hexes["checksum"],
    )
    return keccak256(b"".join(parts))


def _judge_signature(signed: Signed, msg_hash: bytes) -> Verdict:
    hexes = signed.hexes
    digest = keccak256(_EIP191 + msg_hash)
    finding = find_signer(digest, hexes["r"] + hexes["s"] + hexes["v"], _V_OFFSET)
    status = finding.status
    claimed = hexes["public_key"][12:]
    if status == 0 and finding.address != claimed:
        status = ErrorCode.WRONG_SIGNER
    hash_status = 0
    if "msg_hash" not in hexes:
        hash_status = ErrorCode.MISSING_FIELD
    elif hexes["msg_hash"] != msg_hash:
        hash_status = ErrorCode.MISMATCH
    return Verdict(claimed, status, hash_status, leaf=msg_hash, digest=digest)


def _judge_root(aggregate: Aggregate, signed: Signed, publishers: list[Verdict]) -> int:
    if aggregate.bad_publishers or not publishers:
        return ErrorCode.MISSING_FIELD
    if any(p.signature_type != EVM for p in aggregate.publishers):
        return ErrorCode.UNSUPPORTED_SIGNATURE_TYPE
    root = merkle_root([verdict.leaf for verdict in publishers])
    return 0 if root == signed.hexes["publisher_merkle_root"] else ErrorCode.MISMATCH
