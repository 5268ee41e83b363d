"""What would become of a payload is known before anything is paid for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from anvil import Anvil

import codec
from codec.chain import (
    PAYLOAD,
    VERIFY,
    Checks,
    FeePolicy,
    Preflight,
    PreflightCode,
    Rpc,
    Target,
    Verifier,
    preflight,
)
from codec.errors import NodeError, WrongChainError

NOW = 1764608822324772939
ERRORS = ["TooOld(uint64 timestampNs)"]
IDS, VALUES = [3, 0, 65535], [7 * 10**18, -(2**127), 2**127 - 1]


@pytest.fixture
def payload(signer_key: bytes) -> bytes:
    return signed(signer_key)


def signed(key: bytes, **fields: Any) -> bytes:
    columns = {"asset_ids": IDS, "values": VALUES, "timestamp_ns": NOW}
    return codec.encode(**(columns | fields), taxonomy_id=1, key=key)


def judged(
    chain: Anvil, payload: Any, target: Target | str, **options: Any
) -> Preflight:
    """A preflight now, of the first account, with a Verifier of its own."""

    async def judge() -> Preflight:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            return await preflight(payload, target, rpc, **options)

    options = {"sender": chain.accounts[0][0], "now_ns": NOW} | options
    return asyncio.run(judge())


def found(result: Preflight) -> list[str]:
    return [str(finding.code) for finding in result.findings]


def test_a_good_payload(chain: Anvil, verifier: str, payload: bytes) -> None:
    result = judged(chain, payload, verifier, checks=Checks(max_age_s=1, assets=[3]))
    assert result.is_good and result.findings == () and result.reason == ""
    assert result.result is not None and not isinstance(result.result, bool)
    expected = codec.decode_payloads(payload).updates
    assert result.result.tobytes() == expected.tobytes()
    assert (result.fee_wei, result.value_wei) == (3, 3)
    assert result.balance_wei == chain.balance(chain.accounts[0][0])
    assert result.signer in result.signers and len(result.signers) == 1
    assert result.gas and result.gas_limit and result.fees and result.cost_wei
    assert result.gas < result.gas_limit
    assert result.cost_wei == 3 + result.gas_limit * result.fees.per_gas
    assert int(sent(chain, result)["gasUsed"], 16) <= result.gas


def sent(chain: Anvil, result: Preflight) -> dict[str, Any]:
    """The receipt of the transaction that was judged; it did not revert."""
    return chain.transact(
        **{"from": result.sender, "to": result.target.address},
        data="0x" + result.calldata.hex(),
        value=hex(result.value_wei or 0),
        gas=hex(result.gas_limit or 0),
    )


@pytest.mark.parametrize("form", ["hex", "frame"])
def test_payloads_as_text(
    form: str, chain: Anvil, multi_verifier: str, payload: bytes
) -> None:
    text = payload.hex() if form == "hex" else codec.to_frame(payload).decode()
    result = judged(chain, text, multi_verifier)
    assert result.is_good and len(result.signers) == 2
    assert "one of its 2 signers" in str(result)


def test_bare_verify_answers_true(chain: Anvil, verifier: str, payload: bytes) -> None:
    result = judged(chain, payload, Target(verifier, VERIFY))
    assert result.is_good and result.result is True


def test_a_transaction_that_would_do_nothing_is_fatal(
    chain: Anvil, multi_verifier: str, payload: bytes
) -> None:
    """The signer is rotated after the signers were read, which only the call shows."""

    async def judge() -> Preflight:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            verifier = Verifier(rpc, multi_verifier)
            (signer, *_) = await verifier.signers()
            target = Target(multi_verifier, VERIFY)
            options: Any = {
                "sender": chain.accounts[0][0],
                "now_ns": NOW,
                "verifier": verifier,
            }
            assert (await preflight(payload, target, rpc, **options)).is_good
            cached = Verifier(rpc, multi_verifier)
            await cached.signers()
            chain.send(multi_verifier, "setSigner", signer, False)
            result = await preflight(payload, target, rpc, **options)
            options["verifier"] = cached
            plain = await preflight(payload, multi_verifier, rpc, **options)
            assert plain.revert is not None and plain.revert.name == "InvalidSignature"
            assert found(plain) == ["reverts", "wrong_signer"]
            later = await preflight(payload, multi_verifier, rpc, **options)
            assert found(later) == ["wrong_signer"] and later.balance_wei is None
            return result

    result = asyncio.run(judge())
    assert result.result is False and not result.is_good
    assert found(result) == [PreflightCode.USELESS_TRANSACTION, "wrong_signer"]
    assert "the signers have changed: signed by" in result.findings[1].text
    assert len(result.signers) == 1
    assert "would be mined, would take the fee, and would do nothing" in result.reason
    assert result.gas is None


def test_a_signer_that_was_added_is_found(
    chain: Anvil, multi_verifier: str, signer_key: bytes
) -> None:
    newcomer = bytes.fromhex("ce" * 32)
    data = signed(newcomer)

    async def judge() -> tuple[Preflight, Preflight]:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            verifier = Verifier(rpc, multi_verifier)
            sender = chain.accounts[0][0]
            before = await preflight(
                data, multi_verifier, rpc, sender=sender, verifier=verifier, now_ns=NOW
            )
            chain.send(multi_verifier, "setSigner", before.signer, True)
            after = await preflight(
                data, multi_verifier, rpc, sender=sender, verifier=verifier, now_ns=NOW
            )
            return before, after

    before, after = asyncio.run(judge())
    assert found(before) == ["wrong_signer"] and before.balance_wei is None
    assert before.signer and before.signer in before.reason
    assert after.is_good and len(after.signers) == 3


def test_a_fee_that_was_raised_is_read_again(
    chain: Anvil, verifier: str, payload: bytes
) -> None:
    async def judge() -> Preflight:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            cached = Verifier(rpc, verifier)
            assert await cached.fee_wei() == 3
            chain.send(verifier, "setFee", 10**6)
            sender = chain.accounts[0][0]
            return await preflight(
                payload, verifier, rpc, sender=sender, verifier=cached, now_ns=NOW
            )

    result = asyncio.run(judge())
    assert result.is_good and found(result) == ["fee_raised"]
    assert (result.fee_wei, result.value_wei) == (10**6, 10**6)
    assert result.revert is None


def test_a_consumer_and_its_own_errors(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    now_ns = chain.now_ns()
    data = signed(signer_key, timestamp_ns=now_ns - 10**9)

    def push(max_age_ns: int, abi: list[str]) -> Preflight:
        args = [PAYLOAD, max_age_ns]
        function = "push(bytes payload, uint64 maxAgeNs)"
        target = Target(consumer, function, args, verifier=verifier, abi=abi)
        return judged(chain, data, target, now_ns=now_ns)

    good = push(10**12, [])
    assert good.is_good and good.result is None and "the call passes" in good.text()
    sent(chain, good)
    assert chain.uses(consumer, data) == 1
    old = push(0, ERRORS)
    assert old.revert is not None and old.revert.args == (now_ns - 10**9,)
    assert f"TooOld({now_ns - 10**9})" in old.reason
    assert "unknown error 0x" in push(0, []).reason


def test_a_consumer_whose_verifier_is_not_named(
    chain: Anvil, consumer: str, payload: bytes
) -> None:
    target = Target(consumer, "push(bytes,uint64)", [PAYLOAD, 2**63])
    result = judged(chain, payload, target)
    assert found(result) == ["signers_unknown", "fee_unknown", "reverts"]
    assert result.revert is not None and result.revert.name == "InsufficientFee"
    assert [finding.is_fatal for finding in result.findings] == [False, False, True]
    assert "Is `verifier` another one?" in str(result)


def test_what_is_bad_by_itself_costs_no_request(
    chain: Anvil, verifier: str, payload: bytes
) -> None:
    async def judge() -> list[list[str]]:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            cached = Verifier(rpc, verifier)
            await cached.signers()
            before = rpc.endpoints[0].n_requests
            results = [
                await preflight(
                    data,
                    verifier,
                    rpc,
                    sender=chain.accounts[0][0],
                    verifier=cached,
                    now_ns=NOW + 10**10,
                    checks=Checks(max_age_s=1, assets=[4], bands={3: (0, 1)}),
                )
                for data in (payload, payload[:-1], payload[:64] + b"\xff", foreign)
            ]
            local = await preflight(
                payload,
                verifier,
                rpc,
                sender=chain.accounts[0][0],
                verifier=cached,
                now_ns=NOW,
                local_only=True,
            )
            assert local.is_good and local.fee_wei is None
            assert "good as far as can be told without the chain" in str(local)
            assert rpc.endpoints[0].n_requests == before
            return [found(result) for result in results]

    foreign = signed(b"\5" * 32, asset_ids=[4], values=[1])
    assert asyncio.run(judge()) == [
        ["too_old", "asset_missing", "outside_band"],
        ["invalid_length", "wrong_signer"],
        ["invalid_length", "v_overflow"],
        ["wrong_signer", "too_old"],
    ]


def test_too_little_money(chain: Anvil, verifier: str, payload: bytes) -> None:
    sender = chain.accounts[1][0]
    chain.set_balance(sender, 2)
    poor = judged(chain, payload, verifier, sender=sender)
    assert found(poor) == ["balance_low"] and poor.result is None
    assert "the account has 2 wei, the fee alone is 3 wei" in poor.reason
    chain.set_balance(sender, 10**12)
    result = judged(chain, payload, verifier, sender=sender)
    assert found(result) == ["balance_low"] and result.result is not None
    assert f"and may need {result.cost_wei:,}" in result.reason


def test_limits_of_the_policy(chain: Anvil, verifier: str, payload: bytes) -> None:
    good = judged(chain, payload, verifier)
    assert good.cost_wei is not None
    policy = FeePolicy(max_cost_wei=good.cost_wei - 1)
    dear = judged(chain, payload, verifier, policy=policy)
    assert found(dear) == ["cost_above_limit"] and not dear.is_good
    capped = judged(chain, payload, verifier, policy=FeePolicy(max_fee_per_gas_wei=1))
    assert found(capped) == ["gas_price_capped"] and capped.is_good
    assert capped.fees is not None and capped.fees.per_gas == 1


def test_a_call_that_no_block_can_hold(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    data = signed(signer_key, asset_ids=range(900), values=range(900))
    target = Target(consumer, "push(bytes,uint64)", [PAYLOAD, 2**63], verifier=verifier)
    assert judged(chain, data, target).is_good
    limit = chain.rpc("eth_getBlockByNumber", "latest", False)["gasLimit"]
    chain.rpc("evm_setBlockGasLimit", hex(10**6))
    chain.mine()
    try:
        result = judged(chain, data, target)
    finally:
        chain.rpc("evm_setBlockGasLimit", limit)
        chain.mine()
    assert not result.is_good
    assert set(found(result)) <= {"call_fails", "reverts"}


def test_nodes_that_cannot_be_asked(
    chain: Anvil, verifier: str, payload: bytes
) -> None:
    async def judge(url: str, chain_id: int, address: str) -> None:
        async with Rpc(url, chain_id=chain_id, attempts=1) as rpc:
            await preflight(payload, address, rpc, sender=address, now_ns=NOW)

    with pytest.raises(WrongChainError, match="expected chain 1, found chain 31337"):
        asyncio.run(judge(chain.url, 1, verifier))
    with pytest.raises(WrongChainError, match="code"):
        asyncio.run(judge(chain.url, chain.chain_id, chain.accounts[2][0]))
    with pytest.raises(NodeError):
        asyncio.run(judge("http://127.0.0.1:9", 1, verifier))


def test_a_bad_payload_is_told_without_a_node(verifier: str) -> None:
    async def judge() -> Preflight:
        async with Rpc("http://127.0.0.1:9", chain_id=1, attempts=1) as rpc:
            return await preflight(
                signed(b"\5" * 32)[:-1], verifier, rpc, sender=verifier
            )

    result = asyncio.run(judge())
    assert found(result) == ["invalid_length"] and result.signers == ()
    assert "not compared" in str(result)


def test_a_contract_that_answers_otherwise(
    chain: Anvil, verifier: str, payload: bytes
) -> None:
    """Its every answer is one word, as that of a fallback may be."""
    impostor = chain.accounts[3][0]
    code = "0x600160005260206000f3"  # returns 1
    chain.rpc("anvil_setCode", impostor, code)
    result = judged(chain, payload, Target(impostor, verifier=verifier))
    assert found(result) == ["call_fails"] and result.result is None
    assert "none of a verifier's" in result.reason


def test_the_report_is_ascii_and_json(
    chain: Anvil, multi_verifier: str, signer_key: bytes
) -> None:
    good = judged(chain, signed(signer_key), multi_verifier)
    document = json.loads(json.dumps(good.as_dict()))
    assert document["is_good"] and document["findings"] == []
    assert document["timestamp_ns"] == str(NOW)
    assert document["result"][1] == {
        "asset_id": 0,
        "value": str(-(2**127)),
        "timestamp_ns": str(NOW),
    }
    assert str(good).isascii() and str(good).endswith("good: it would succeed")
    bad = judged(chain, b"short", multi_verifier)
    document = json.loads(json.dumps(bad.as_dict()))
    assert document["findings"][0]["code"] == "invalid_length"
    assert document["layout"] is None and document["fee_wei"] is None
    assert "cannot be recovered" in str(bad)
    assert str(bad).endswith("bad: it should not be sent, for 1 reason")
