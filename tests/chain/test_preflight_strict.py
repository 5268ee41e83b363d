"""A preflight on a node with geth's rules and geth's words, and on a legacy chain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from parties import FEE, SIGNER, SIGNER_KEY
from strict_node import StrictNode

import codec
from codec.chain import PAYLOAD, Preflight, Rpc, Target, preflight

NOW = 1764608822324772939


@pytest.fixture(params=[True, False], ids=["base fee", "legacy"])
def node(request: pytest.FixtureRequest) -> Iterator[StrictNode]:
    with StrictNode(has_base_fee=request.param, is_automining=True) as strict:
        yield strict


def signed(n_assets: int = 2) -> bytes:
    return codec.encode(
        range(n_assets),
        range(n_assets),
        timestamp_ns=NOW,
        taxonomy_id=1,
        key=SIGNER_KEY,
    )


def judged(node: StrictNode, target: Target | str, **options: Any) -> Preflight:
    async def judge() -> Preflight:
        async with Rpc(node.url, chain_id=node.chain_id) as rpc:
            return await preflight(signed(), target, rpc, **options)

    options = {"sender": node.accounts[0][0], "now_ns": NOW} | options
    return asyncio.run(judge())


def found(result: Preflight) -> list[str]:
    return [str(finding.code) for finding in result.findings]


def test_a_good_payload(node: StrictNode) -> None:
    verifier = node.deploy("SingleSignerVerifier", SIGNER, FEE)
    result = judged(node, verifier)
    assert result.is_good and result.findings == (), result
    assert result.fees is not None and result.gas is not None and result.gas_limit
    assert result.fees.is_legacy == (not node.chain.has_base_fee)
    assert result.cost_wei == FEE + result.gas_limit * result.fees.per_gas
    assert f"at most {result.fees}" in str(result)


def test_a_revert_has_its_name(node: StrictNode) -> None:
    verifier = node.deploy("SingleSignerVerifier", SIGNER, FEE)
    consumer = node.deploy("Consumer", verifier)
    target = Target(
        consumer,
        "push(bytes,uint64)",
        [PAYLOAD, 0],
        verifier=verifier,
        abi=["TooOld(uint64 timestampNs)"],
    )
    result = judged(node, target)
    assert found(result) == ["reverts"]
    assert result.reason == f"reverts: the call reverts: TooOld({NOW})"


def test_too_little_money(node: StrictNode) -> None:
    verifier = node.deploy("SingleSignerVerifier", SIGNER, FEE)
    sender = "0x" + "ab" * 20
    assert found(judged(node, verifier, sender=sender)) == ["balance_low"]
    node.set_balance(sender, FEE)
    result = judged(node, verifier, sender=sender)
    assert found(result) == ["balance_low"] and result.result is not None
