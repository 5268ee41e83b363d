"""What a transaction offers: quotes, bumps and caps."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from anvil import Anvil
from faulty import Faulty
from hypothesis import given
from hypothesis import strategies as st

from codec.chain import Rpc
from codec.chain.fees import (
    DEFAULT_TIP,
    FeePolicy,
    Fees,
    bump,
    gas_limit,
    median_tip,
    quote,
)

GWEI = 10**9
PRICES = st.integers(0, 10**14)
CAPS = st.none() | PRICES


@st.composite
def dynamic(draw: st.DrawFn) -> Fees:
    price = draw(PRICES)
    return Fees(price, draw(st.integers(0, price)))


OFFERS = dynamic() | st.builds(Fees, gas_price=PRICES)


@given(OFFERS, OFFERS, CAPS, CAPS, CAPS, st.integers(1, 10**7))
def test_a_bump_raises_both_fees_by_an_eighth_within_the_caps_or_is_none(
    fees: Fees,
    quoted: Fees,
    cap: int | None,
    tip_cap: int | None,
    cost_cap: int | None,
    gas: int,
) -> None:
    policy = FeePolicy(
        max_fee_per_gas_wei=cap,
        max_priority_fee_per_gas_wei=tip_cap,
        max_cost_wei=cost_cap,
    )
    raised = bump(fees, quoted, policy, gas=gas)
    least = max(-(-fees.per_gas * 9 // 8), fees.per_gas + 1)
    least_tip = max(-(-fees.tip_per_gas * 9 // 8), fees.tip_per_gas + 1)
    fits = (
        (cap is None or least <= cap)
        and (fees.is_legacy or tip_cap is None or least_tip <= tip_cap)
        and policy.allows_cost(least * gas)
    )
    assert (raised is not None) == fits
    if raised is None:
        return
    assert raised.is_legacy == fees.is_legacy
    assert raised.per_gas >= least
    assert raised.tip_per_gas >= least_tip
    assert raised.tip_per_gas <= raised.per_gas
    assert cap is None or raised.per_gas <= cap
    assert policy.allows_cost(raised.per_gas * gas)
    if cap is None and cost_cap is None:
        assert raised.per_gas >= quoted.per_gas


@pytest.mark.parametrize(
    ("fees", "raised"),
    [
        (Fees(8 * GWEI, GWEI), Fees(9 * GWEI, 1_125_000_000)),
        (Fees(0, 0), Fees(1, 1)),
        (Fees(7, 1), Fees(8, 2)),
        (Fees(gas_price=8 * GWEI), Fees(gas_price=9 * GWEI)),
    ],
)
def test_bumps(fees: Fees, raised: Fees) -> None:
    assert bump(fees, replace(fees), FeePolicy()) == raised


def test_a_cap_that_leaves_room_for_the_bump_holds_the_quote_down() -> None:
    policy = FeePolicy(max_fee_per_gas_wei=10 * GWEI, max_priority_fee_per_gas_wei=3)
    assert bump(Fees(8 * GWEI, 2), Fees(50 * GWEI, GWEI), policy) == Fees(10 * GWEI, 3)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"max_fee_per_gas": 1}, {"max_fee_per_gas": 1, "gas_price": 1}],
    ids=str,
)
def test_fees_are_of_one_kind(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="or gas_price"):
        Fees(**arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"max_cost_wei": -1}, "max_cost_wei: -1 is below 0"),
        ({"gas_margin": 0.9}, "gas_margin: 0.9 is not within"),
        ({"base_fee_margin": float("nan")}, "base_fee_margin: nan is not within"),
    ],
)
def test_a_policy_of_no_sense_is_refused(
    arguments: dict[str, float], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        FeePolicy(**arguments)  # type: ignore[arg-type]


def test_the_gas_limit_has_the_margin_rounded_up() -> None:
    assert gas_limit(21_000, FeePolicy()) == 25_200
    assert gas_limit(21_001, FeePolicy(gas_margin=1.5)) == 31_502
    assert gas_limit(100, FeePolicy(gas_margin=1.0)) == 100


@pytest.mark.parametrize(
    ("history", "tip"),
    [
        ({"reward": [["0x5"], ["0x1"], ["0x3"]]}, 3),
        ({"reward": [["0x0"], ["0x7"], ["0x0"]]}, 7),
        ({"reward": [["0x0"]]}, DEFAULT_TIP),
        ({"reward": [[], None, ["x"]]}, DEFAULT_TIP),
        ({"reward": None}, DEFAULT_TIP),
        (None, DEFAULT_TIP),
    ],
    ids=str,
)
def test_the_tip_is_the_median_of_blocks_that_had_any(
    history: object, tip: int
) -> None:
    assert median_tip(history) == tip


def test_fees_say_what_they_are() -> None:
    assert str(Fees(1_500_000_000, 10)) == "1.5 gwei, 0.00000001 of it as a tip"
    assert str(Fees(gas_price=2 * GWEI)) == "2 gwei"
    assert Fees(GWEI, 1, base_fee_per_gas=GWEI + 1).is_below_base_fee
    assert not Fees(gas_price=0).is_below_base_fee
    assert Fees(5, 1).fields() == {"maxFeePerGas": 5, "maxPriorityFeePerGas": 1}


def quoted(policy: FeePolicy, **results: object) -> Fees:
    async def main(url: str) -> Fees:
        async with Rpc(url, chain_id=31337) as rpc:
            return await quote(rpc, policy)

    with Faulty(results=results) as node:
        return asyncio.run(main(node.url))


@pytest.mark.parametrize(
    ("results", "fees"),
    [
        ({"eth_maxPriorityFeePerGas": "0x5"}, Fees(205, 5)),
        ({"eth_feeHistory": {"reward": [["0x7"], ["0x9"], ["0x8"]]}}, Fees(208, 8)),
        ({}, Fees(200 + DEFAULT_TIP, DEFAULT_TIP)),
    ],
    ids=["node", "history", "neither"],
)
def test_a_quote_is_twice_the_base_fee_and_a_tip(
    results: dict[str, object], fees: Fees
) -> None:
    block = {"number": "0x1", "baseFeePerGas": "0x64"}
    found = quoted(FeePolicy(), eth_getBlockByNumber=block, **results)
    assert found == fees and found.base_fee_per_gas == 100


def test_a_quote_keeps_to_the_caps() -> None:
    block = {"number": "0x1", "baseFeePerGas": "0x64"}
    policy = FeePolicy(max_fee_per_gas_wei=90, max_priority_fee_per_gas_wei=3)
    tip = {"eth_maxPriorityFeePerGas": "0x5"}
    found = quoted(policy, eth_getBlockByNumber=block, **tip)
    assert found == Fees(90, 3) and found.is_below_base_fee


def test_a_chain_without_a_base_fee_has_a_gas_price() -> None:
    block = {"number": "0x1"}
    found = quoted(FeePolicy(), eth_getBlockByNumber=block, eth_gasPrice="0x63")
    assert found == Fees(gas_price=99)
    policy = FeePolicy(max_fee_per_gas_wei=50)
    found = quoted(policy, eth_getBlockByNumber=block, eth_gasPrice="0x63")
    assert found == Fees(gas_price=50)


def test_a_real_node_takes_what_is_quoted(chain: Anvil) -> None:
    async def main() -> Fees:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            return await quote(rpc, FeePolicy())

    fees = asyncio.run(main())
    sender = chain.accounts[0][0]
    offer = {name: hex(value) for name, value in fees.fields().items()}
    digest = chain.rpc("eth_sendTransaction", {"from": sender, "to": sender, **offer})
    assert chain.rpc("eth_getTransactionReceipt", digest)["status"] == "0x1"
