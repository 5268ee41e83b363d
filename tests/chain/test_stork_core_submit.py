"""Price updates through a Submitter to a contract of Stork Core, on a real node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from aggregates import (
    OTHER_KEY,
    SINGLE_FEE,
    batch_of,
    deploy_core,
    named,
    signed,
    updates_of,
)
from anvil import Anvil
from faulty import Faulty, cut_after
from parties import FEE, SIGNER, SIGNER_KEY
from signed_payloads import address_of
from submitting import nonces_of, outcomes, payloads, to_consumer, until

from codec.chain import (
    Checks,
    Finding,
    PayloadOrder,
    PreflightCode,
    PriceUpdates,
    Rpc,
    StorkCore,
    Submission,
    Submitter,
    UpdateOrder,
    UpdatePreflight,
    Verifier,
    Wallet,
    preflight,
    price_updates,
)
from codec.errors import ChainError, NodeError, RefusedError, RevertedError

T = TypeVar("T")
KEY_SLOT, FEE_SLOT = "0x1", "0x2"  # of a StorkCore's storage
OPTIONS = {"poll_s": 0.05, "replace_after_s": 15.0, "deadline_s": 60.0}


def sending(
    chain: Anvil,
    core: str,
    work: Callable[[Submitter, StorkCore], Awaitable[T]],
    kind: type[StorkCore] = StorkCore,
    url: str = "",
    **options: Any,
) -> T:
    """With an open Submitter, and the contract that it sends to."""

    async def main() -> T:
        wallet = Wallet.from_key(chain.accounts[0][1])
        async with Rpc(url or chain.url, chain_id=chain.chain_id) as rpc:
            target = kind(rpc, core)
            async with Submitter(rpc, wallet, target, **(OPTIONS | options)) as it:
                return await work(it, target)

    return asyncio.run(asyncio.wait_for(main(), 120))


def judged(
    chain: Anvil, core: str, updates: PriceUpdates, **options: Any
) -> UpdatePreflight:
    """A preflight of the first account, at the chain's time."""

    async def judge() -> UpdatePreflight:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            return await preflight(updates, core, rpc, **options)

    options = {"sender": chain.accounts[0][0], "now_ns": chain.now_ns()} | options
    return asyncio.run(judge())


def codes(result: UpdatePreflight) -> list[str]:
    return [str(finding.code) for finding in result.findings]


def set_fee(chain: Anvil, core: str, fee: int) -> None:
    """At once, without a block."""
    chain.rpc("anvil_setStorageAt", core, FEE_SLOT, f"0x{fee:064x}")


@pytest.mark.parametrize("n_assets", [1, 10, 100])
def test_updates_are_mined_and_read_back(
    chain: Anvil, core: str, n_assets: int
) -> None:
    now_ns = chain.now_ns()
    values = named(n_assets, -1)
    updates = price_updates(batch_of(values, now_ns))

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        outcome = (await submitter.send(updates)).raise_unless_good()
        assert outcome.fee_wei == n_assets * SINGLE_FEE
        assert outcome.updates is updates
        assert outcome.payload == updates.calldata()
        assert [(await asked.value(name)).value for name in values] == [
            *values.values()
        ]
        assert (await asked.stored_timestamps([*values])).tolist() == (
            [now_ns] * n_assets
        )
        again = await submitter.send(updates)
        assert again.state == "refused" and again.nonce is None
        assert "no_fresh_update: none is newer" in again.reason
        with pytest.raises(RefusedError, match="no_fresh_update"):
            again.raise_unless_good()

    before = nonces_of(chain)
    sending(chain, core, work)
    assert nonces_of(chain) == before + 1


def test_a_preflight_says_what_would_happen(chain: Anvil, core: str) -> None:
    now_ns = chain.now_ns()
    updates = updates_of({"BTCUSD": 5, "ETHUSD": -6}, now_ns)
    result = judged(chain, core, updates, now_ns=now_ns + 10**9)
    assert result.is_good and not result.findings and result.n_stale == 0
    assert result.value_wei == result.fee_wei == 2 * SINGLE_FEE
    assert result.calldata == updates.calldata()
    assert result.gas_limit is not None and result.cost_wei is not None
    *rows, verdict = str(result).splitlines()
    told = {row[:9].strip(): row[10:] for row in rows}
    assert told["updates"] == "2 updates"
    assert told["oldest"] == told["newest"]
    assert told["newest"].endswith(" UTC, 1.000 s ago")
    assert told["signer"] == SIGNER and told["contract"] == core
    assert told["call"] == "updateTemporalNumericValuesV1, 580 bytes of calldata"
    assert told["from"] == chain.accounts[0][0]
    assert told["fee"] == "14 wei, sent along"
    assert told["answer"] == "the call passes"
    assert verdict == "good: it would succeed"
    facts = json.loads(json.dumps(result.as_dict()))
    assert facts["symbols"] == ["BTCUSD", "ETHUSD"] and facts["signers"] == [SIGNER]
    assert facts["oldest_ns"] == facts["newest_ns"] == str(now_ns)
    assert facts["contract"] == core and facts["fee_wei"] == "14"
    local = judged(chain, core, updates, local_only=True)
    assert local.is_good and local.n_stale is None and local.gas is None


def test_nothing_at_all_is_refused(chain: Anvil, core: str) -> None:
    result = judged(chain, core, PriceUpdates.of([], SIGNER))
    assert codes(result) == ["no_fresh_update"] and result.fee_wei is None
    assert result.oldest_ns is None and "0 updates" in str(result)


def test_stale_ones_among_fresh_ones(chain: Anvil, core: str) -> None:
    now_ns = chain.now_ns()

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        (await submitter.send(updates_of({"A": 1, "B": 2}, now_ns))).raise_unless_good()
        mixed = PriceUpdates.of(
            [
                signed("A", 10, now_ns),  # as old as what is there
                signed("B", 20, now_ns - 1),
                signed("C", 30, now_ns),
                signed("C", 31, now_ns),  # not newer than the one before
                signed("C", 32, now_ns + 1),
            ],
            SIGNER,
            ["A", "B", "C", "C", "C"],
        )
        fresh = await asked.fresh(mixed)
        assert fresh.values == [30, 32]
        result = await submitter.preflight(mixed)
        assert result.is_good and isinstance(result, UpdatePreflight)
        assert result.n_stale == 3
        (found,) = result.findings
        assert found == Finding(
            PreflightCode.STALE_UPDATE,
            "not newer than what the contract has, which passes over it:"
            " update 0, A; update 1, B; update 3, C",
            False,
        )
        assert "5 updates, 3 of them stale" in str(result)
        outcome = (await submitter.send(mixed)).raise_unless_good()
        assert outcome.fee_wei == 5 * SINGLE_FEE
        assert (await asked.value("A")).value == 1
        assert (await asked.value("B")).value == 2
        assert await asked.value("C") == (now_ns + 1, 32)

    sending(chain, core, work)


def test_what_is_badly_signed_is_refused(chain: Anvil, core: str) -> None:
    now_ns = chain.now_ns()
    good = signed("BTCUSD", 5, now_ns)
    for change, code in (
        ({"value": 6}, "wrong_signer"),
        ({"v": 29}, "invalid_v"),
        ({"r": bytes(32)}, "scalar_range"),
        ({"s": b"\xf0" * 32}, "high_s"),
        ({"r": (5).to_bytes(32, "big")}, "no_point"),
    ):
        rows = [good, good._replace(**change)]
        result = judged(chain, core, PriceUpdates.of(rows, SIGNER, ["A", "B"]))
        assert codes(result) == [code] and result.gas is None
        assert result.reason.endswith(": update 1, B")
    many = PriceUpdates.of([good._replace(v=0)] * 8, SIGNER)
    assert judged(chain, core, many).reason.endswith("...; and 3 more")
    other = PriceUpdates.of([signed("A", 1, 1, key=OTHER_KEY)], address_of(OTHER_KEY))
    result = judged(chain, core, other)
    assert codes(result) == ["wrong_signer"]
    assert "which is no key of the contract's" in result.reason


def test_the_key_may_change(chain: Anvil) -> None:
    """Before a preflight, after one, and between its steps."""
    core = deploy_core(chain)
    ours, theirs = address_of(SIGNER_KEY), address_of(OTHER_KEY)

    class Rotating(StorkCore):
        async def update_fee_wei(self, updates: PriceUpdates) -> int:
            fee = await super().update_fee_wei(updates)
            chain.send(core, "updateStorkPublicKey", ours)
            return fee

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        old = PriceUpdates.of([signed("A", 1, 1)], SIGNER)
        new = PriceUpdates.of([signed("A", 1, 2, key=OTHER_KEY)], theirs)
        assert (await submitter.preflight(old)).is_good
        chain.send(core, "updateStorkPublicKey", theirs)
        assert (await submitter.preflight(new)).is_good
        changing = Rotating(submitter.rpc, core)
        result = await submitter.preflight(UpdateOrder(new, changing, Checks()))
        found = [str(finding.code) for finding in result.findings]
        assert found == ["reverts", "wrong_signer"]
        assert result.revert is not None and result.revert.name == "InvalidSignature"

    sending(chain, core, work)


def test_a_revert_has_the_keys_read_again(chain: Anvil) -> None:
    core = deploy_core(chain)
    theirs = address_of(OTHER_KEY)

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        chain.set_automine(False)
        submission = submitter.submit(updates_of({"A": 1}, chain.now_ns()))
        await until(lambda: submission.state == "pending")
        chain.rpc("anvil_setStorageAt", core, KEY_SLOT, "0x" + theirs.hex().zfill(64))
        chain.mine()
        outcome = await submission
        assert outcome.state == "reverted" and outcome.nonce is not None
        assert outcome.revert is not None and outcome.revert.name == "InvalidSignature"
        assert await asked.is_signer(theirs) and not await asked.is_signer(SIGNER)

    sending(chain, core, work)


def test_what_is_bad_anyway_needs_no_node(chain: Anvil, verifier: str) -> None:
    bad = signed("A", 1, 1)._replace(v=29)
    result = judged(chain, verifier, PriceUpdates.of([bad], SIGNER))
    assert codes(result) == ["invalid_v"]

    class Away(StorkCore):
        async def is_signer(self, *_: object, **__: object) -> bool:
            raise NodeError("node", "away", "eth_call")

    async def judge(updates: PriceUpdates) -> UpdatePreflight:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            away = Away(rpc, verifier)
            return await preflight(updates, away, rpc, sender=chain.accounts[0][0])

    assert codes(asyncio.run(judge(PriceUpdates.of([bad], SIGNER)))) == ["invalid_v"]
    with pytest.raises(NodeError, match="away"):
        asyncio.run(judge(updates_of({"A": 1}, chain.now_ns())))


def test_a_node_that_is_away_is_no_verdict(chain: Anvil, core: str) -> None:
    """Not even where only what the contract has could not be asked for."""

    class Away(StorkCore):
        n_asked = 0

        async def stored_timestamps(self, assets: Any) -> Any:
            self.n_asked += 1
            if self.n_asked == 1:
                raise NodeError("node", "away", "eth_call")
            return await super().stored_timestamps(assets)

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        updates = updates_of({"A": 1}, chain.now_ns())
        with pytest.raises(NodeError, match="away"):
            await submitter.preflight(updates)
        assert (await submitter.preflight(updates)).n_stale == 0  # type: ignore[attr-defined]

    sending(chain, core, work, Away)


def test_a_fee_that_is_raised_is_read_again(chain: Anvil) -> None:
    core = deploy_core(chain)

    class Raising(StorkCore):
        n_asked = 0

        async def update_fee_wei(self, updates: PriceUpdates) -> int:
            fee = await super().update_fee_wei(updates)
            self.n_asked += 1
            if self.n_asked == 1:
                set_fee(chain, core, 2 * SINGLE_FEE)
            return fee

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        updates = updates_of(named(3), chain.now_ns())
        outcome = (await submitter.send(updates)).raise_unless_good()
        assert outcome.fee_wei == 6 * SINGLE_FEE
        assert outcome.preflight is not None
        assert [str(it.code) for it in outcome.preflight.findings] == ["fee_raised"]

    sending(chain, core, work, Raising)


def test_a_replacement_brings_the_raised_fee(chain: Anvil) -> None:
    core = deploy_core(chain)

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        chain.set_automine(False)
        submission = submitter.submit(updates_of(named(2), chain.now_ns()))
        await until(lambda: submission.state == "pending")
        set_fee(chain, core, 10 * SINGLE_FEE)
        await until(lambda: value_sent(submission) == 20 * SINGLE_FEE)
        chain.mine()
        outcome = (await submission).raise_unless_good()
        assert outcome.fee_wei == 20 * SINGLE_FEE
        assert outcome.transaction_hash in submission.hashes[1:]

    def value_sent(submission: Submission) -> int:
        """Of the newest transaction, once the node has it."""
        sent = chain.rpc("eth_getTransactionByHash", submission.hashes[-1])
        return int(sent["value"], 16) if sent else 0

    sending(chain, core, work, replace_after_s=0.5)


def test_answers_that_are_lost_cost_nothing(
    chain: Anvil, core: str, short_rests: None
) -> None:
    """Of every kind of request, one after the other: the updates are mined once."""
    at_ns = chain.now_ns()

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        for i, method in enumerate(
            ("eth_call", "eth_estimateGas", "eth_getBalance", "eth_sendRawTransaction")
        ):
            faulty.will(cut_after(), methods={method})
            outcome = await submitter.send(updates_of({"A": i}, at_ns + i))
            outcome.raise_unless_good()
            assert await asked.value("A") == (at_ns + i, i)

    before = nonces_of(chain)
    with Faulty(chain.url) as faulty:
        sending(chain, core, work, url=faulty.url)
    assert nonces_of(chain) == before + 4


def test_who_comes_second_reverts_and_says_why(chain: Anvil, core: str) -> None:
    """Both were good when they were sent."""

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        chain.set_automine(False)
        updates = updates_of({"A": 1}, chain.now_ns())
        first, second = submitter.submit(updates), submitter.submit(updates)
        await until(lambda: {first.state, second.state} == {"pending"})
        chain.mine()
        ended = await outcomes([first, second])
        assert sorted(it.state for it in ended) == ["confirmed", "reverted"]
        (bad,) = [it for it in ended if not it.is_good]
        assert bad.revert is not None and bad.revert.name == "NoFreshUpdate"
        assert "no update is newer than what the contract has" in bad.reason
        assert bad.fee_wei == 0 < bad.cost_wei
        with pytest.raises(RevertedError, match="NoFreshUpdate"):
            bad.raise_unless_good()

    sending(chain, core, work)


def test_checks_of_updates(chain: Anvil, core: str) -> None:
    now_ns = chain.now_ns()
    rows = [signed("OLD", 5, now_ns - 20 * 10**9), signed("NEW", 7, now_ns)]
    updates = PriceUpdates.of(rows, SIGNER, ["OLD", "NEW"])

    def found(**checks: Any) -> list[str]:
        result = judged(chain, core, updates, checks=Checks(**checks), now_ns=now_ns)
        return [str(finding) for finding in result.findings]

    assert found(max_age_s=20) == []
    assert found(max_age_s=10) == ["too_old: OLD: 20.000 s old, more than 10 s"]
    assert found(assets=["NEW", "GONE"]) == ["asset_missing: without asset GONE"]
    assert found(bands={"NEW": (7, 7), "GONE": (0, 0)}) == []
    (text,) = found(bands={"NEW": (Decimal(1), Decimal(2))})
    assert text.startswith("outside_band: asset NEW is 0.000000000000000007, outside")
    bare = PriceUpdates.of(rows, SIGNER)  # the id counts, not what it is called
    checks = Checks(bands={"NEW": (0, 1)}, assets=["OLD"])
    assert codes(judged(chain, core, bare, checks=checks)) == ["outside_band"]
    ahead = updates_of({"A": 1}, now_ns + 60 * 10**9)
    assert codes(judged(chain, core, ahead, now_ns=now_ns, checks=Checks())) == [
        "ahead"
    ]
    for wrong in (Checks(assets=[1]), Checks(bands={(1, 2): (0, 1)})):
        with pytest.raises(ValueError, match="ids in payloads, names in price upd"):
            judged(chain, core, updates, checks=wrong)


def test_too_little_money(chain: Anvil, core: str) -> None:
    chain.set_balance(chain.accounts[0][0], SINGLE_FEE - 1)
    result = judged(chain, core, updates_of({"A": 1}, chain.now_ns()))
    assert codes(result) == ["balance_low"]


def test_what_is_no_stork_core_gets_nothing(
    chain: Anvil, verifier: str, consumer: str
) -> None:
    updates = updates_of({"A": 1}, chain.now_ns())
    for address in (verifier, consumer):
        result = judged(chain, address, updates)
        assert codes(result) == ["signers_unknown", "fee_unknown"]
        assert not result.is_good


def test_one_account_for_payloads_and_updates(
    chain: Anvil, core: str, verifier: str, consumer: str
) -> None:
    """Nonces without a gap, whatever they carry."""
    target = to_consumer(consumer, verifier)
    given = payloads(chain, 6)

    async def work(submitter: Submitter, asked: StorkCore) -> None:
        checks = Checks(max_age_s=3600, assets=[1])
        shared = Verifier(submitter.rpc, verifier)
        at_ns = chain.now_ns()
        sent = []
        for i, payload in enumerate(given):
            sent.append(submitter.submit(PayloadOrder(payload, target, shared, checks)))
            sent.append(submitter.submit(updates_of({f"A{i}": i + 1}, at_ns)))
        ended = await outcomes(sent)
        assert {str(it.state) for it in ended} == {"confirmed"}
        assert sorted(it.nonce or 0 for it in ended) == list(
            range(before, before + len(ended))
        )
        assert [it.fee_wei for it in ended] == [FEE, SINGLE_FEE] * len(given)
        assert [(await asked.value(f"A{i}")).value for i in range(6)] == [*range(1, 7)]

    before = nonces_of(chain)
    sending(chain, core, work)
    assert [chain.uses(consumer, payload) for payload in given] == [1] * len(given)


def test_what_is_for_another_target(
    chain: Anvil, core: str, verifier: str, consumer: str
) -> None:
    (payload,) = payloads(chain, 1)
    updates = updates_of({"A": 1}, 1)
    target = to_consumer(consumer, verifier)
    wallet = Wallet.from_key(chain.accounts[0][1])
    rpc = Rpc(chain.url, chain_id=chain.chain_id)
    asked = StorkCore(rpc, core)
    with pytest.raises(TypeError, match="a payload is for a Target"):
        Submitter(rpc, wallet, asked).submit(payload)
    with pytest.raises(TypeError, match="price updates are for a StorkCore"):
        Submitter(rpc, wallet, target).submit(updates)
    with pytest.raises(ChainError, match="verifies by itself"):
        _ = Submitter(rpc, wallet, asked).verifier
    with pytest.raises(ChainError, match="not open"):
        Submitter(rpc, wallet, asked).submit(updates)
    with pytest.raises(ValueError, match="names in price updates: 1"):
        Submitter(rpc, wallet, asked, checks=Checks(assets=[1]))
    with pytest.raises(ValueError, match="names in price updates: 'A'"):
        Submitter(rpc, wallet, target, checks=Checks(assets=["A"]))
    with pytest.raises(ValueError, match="names in price updates: 'A'"):
        PayloadOrder(payload, target, Verifier(rpc, verifier), Checks(assets=["A"]))
    another = Rpc(chain.url, chain_id=chain.chain_id)
    with pytest.raises(ValueError, match="another Rpc"):
        Submitter(another, wallet, asked)
    order = UpdateOrder(updates, asked, Checks())
    with pytest.raises(ValueError, match="another Rpc"):
        Submitter(another, wallet, target).submit(order)
    with pytest.raises(ValueError, match="another Rpc"):
        asyncio.run(preflight(updates, asked, another, sender=wallet.address))


def test_without_asyncio(chain: Anvil, core: str) -> None:
    wallet = Wallet.from_key(chain.accounts[0][1])
    rpc = Rpc(chain.url, chain_id=chain.chain_id)
    asked = StorkCore(rpc, core, refresh_s=0)  # they wait for each other's answers
    submitter = Submitter(rpc, wallet, asked, poll_s=0.05)
    now_ns = chain.now_ns()
    for at_ns in (now_ns, now_ns + 1):  # opened twice, on another loop
        with submitter as sync:
            given = [updates_of({f"A{i}": i}, at_ns) for i in range(4)]
            ended = sync.send_many(given)
            assert {str(it.state) for it in ended} == {"confirmed"}
            assert [it.updates for it in ended] == given
    before = nonces_of(chain)
    with submitter as sync:
        newer = updates_of({"A0": 9}, now_ns + 2)
        with pytest.raises(TypeError, match="a payload is for a Target"):
            sync.send_many([newer, b"\1" * 75])  # all of them, or none
        assert sync.call(asked.value("A0")).timestamp_ns == now_ns + 1
        assert not submitter.pending
    assert nonces_of(chain) == before
