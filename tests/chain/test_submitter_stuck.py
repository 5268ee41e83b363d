"""Transactions that nobody mines, that are thrown out, or that come too late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from anvil import Anvil
from parties import FEE, OTHER_SIGNER, OTHER_SIGNER_KEY, SIGNER, SIGNER_KEY
from submitting import (
    nonces_of,
    outcomes,
    payloads,
    submitting,
    to_consumer,
    until,
)

from codec.chain import VERIFY, ChainEventKind, FeePolicy, Submitter, Target
from codec.chain.following import transfer_to_oneself
from codec.errors import RefusedError

GWEI = 10**9
FEE_SLOT = "0x1"  # of a verifier's storage


def set_base_fee(chain: Anvil, wei: int) -> None:
    chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(wei))


def kinds(submitter: Submitter) -> list[str]:
    return [str(event.kind) for event in submitter.events]


@pytest.fixture
def own() -> Iterator[Anvil]:
    """A node of its own: a base fee that was set stays when the chain is reset."""
    with Anvil() as node:
        yield node


def test_a_stuck_transaction_is_replaced_with_an_eighth_more(own: Anvil) -> None:
    chain = own
    verifier = chain.deploy("SingleSignerVerifier", SIGNER, 3)
    consumer = chain.deploy("Consumer", verifier)

    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, replace_after_s=0.3) as submitter:
            sent = submitter.submit(payload)
            await until(lambda: len(sent.hashes) == 1 and sent.state == "pending")
            set_base_fee(chain, 50 * GWEI)
            chain.mine()  # too dear for the first offer
            await until(lambda: len(sent.hashes) >= 3)
            assert sent.track is not None
            fees = [sibling.fees for sibling in sent.track.siblings]
            for before, after in pairwise(fees):
                assert after.per_gas * 8 >= before.per_gas * 9
                assert after.tip_per_gas * 8 >= before.tip_per_gas * 9
            while not sent.outcome:
                chain.mine()
                await asyncio.sleep(0.05)
            outcome = await sent
            assert outcome.state == "confirmed"
            assert outcome.transaction_hash in outcome.hashes
            assert "replaced" in kinds(submitter)
            assert any(event.kind == "replaced" for event in sent.events)

    (payload,) = payloads(chain, 1)
    before = nonces_of(chain)
    asyncio.run(main())
    assert chain.uses(consumer, payload) == 1
    assert nonces_of(chain) == before + 1


def test_the_first_of_the_siblings_may_be_the_one_that_is_mined(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, replace_after_s=0.3) as submitter:
            sent = submitter.submit(payload)
            await until(lambda: len(sent.hashes) >= 2)
            assert sent.track is not None
            first = sent.track.siblings[0]
            # A miner who never saw the others:
            chain.rpc("anvil_dropAllTransactions")
            chain.rpc("eth_sendRawTransaction", "0x" + first.raw.hex())
            chain.mine()
            outcome = await sent
            assert outcome.state == "confirmed"
            assert outcome.transaction_hash == first.hash == outcome.hashes[0]

    (payload,) = payloads(chain, 1)
    asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_caps_hold_and_the_deadline_leaves_it_unresolved_and_watched(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        policy = FeePolicy(max_fee_per_gas_wei=4 * GWEI)
        async with submitting(
            chain, target, policy=policy, deadline_s=1.0, replace_after_s=0.2
        ) as submitter:
            sent = submitter.submit(payload)
            outcome = await sent
            assert outcome.state == "unresolved" and outcome.may_be_mined
            assert outcome.hashes and outcome.nonce is not None
            assert submitter.pending == (sent,)
            assert sent.track is not None
            assert sent.track.newest.fees.per_gas <= 4 * GWEI
            chain.mine()
            await until(lambda: sent.state == "confirmed")
            assert (await sent) is outcome  # there is one outcome
            assert not submitter.pending

    (payload,) = payloads(chain, 1)
    asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_a_reorganisation_is_noticed_and_the_same_transaction_sent_again(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, confirmations=3) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            await until(lambda: all(s.state == "pending" for s in sent))
            chain.mine()
            await until(lambda: all(s.state == "mined" for s in sent))
            hashes = [s.hashes for s in sent]
            await asyncio.to_thread(chain.reorg, 1)
            await until(lambda: submitter.events.counts[ChainEventKind.REORGANISED])
            while not all(s.outcome for s in sent):
                chain.mine()
                await asyncio.sleep(0.05)
            ended = await outcomes(sent)
            assert [str(outcome.state) for outcome in ended] == ["confirmed"] * 3
            assert [s.hashes for s in sent] == hashes

    given = payloads(chain, 3)
    asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in given] == [1] * 3


def test_a_fee_raised_after_the_preflight_reverts_and_is_known_next_time(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        target = to_consumer(consumer, verifier)
        chain.set_automine(False)
        async with submitting(chain, target) as submitter:
            sent = submitter.submit(first)
            await until(lambda: sent.state == "pending")
            raise_fee(chain, verifier)
            outcome = await sent
            assert outcome.state == "reverted"
            assert outcome.revert is not None
            assert outcome.revert.name == "InsufficientFee"
            assert outcome.fee_wei == 0 and outcome.cost_wei > 0
            assert await submitter.verifier.fee_wei() == 10  # it was read again
            chain.set_automine(True)
            assert (await submitter.send(second)).fee_wei == 10

    first, second = payloads(chain, 2)
    asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in (first, second)] == [0, 1]


def test_a_replacement_brings_the_verifiers_raised_fee(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, replace_after_s=0.5) as submitter:
            sent = submitter.submit(payload)
            await until(lambda: sent.state == "pending")
            chain.rpc("anvil_setStorageAt", verifier, FEE_SLOT, f"0x{10:064x}")
            await until(lambda: value_sent(sent.hashes[-1]) == 10)
            chain.mine()
            outcome = (await sent).raise_unless_good()
            assert outcome.fee_wei == 10 and len(outcome.hashes) > 1

    def value_sent(digest: str) -> int:
        found = chain.rpc("eth_getTransactionByHash", digest)
        return int(found["value"], 16) if found else 0

    (payload,) = payloads(chain, 1)
    asyncio.run(main())
    assert chain.uses(consumer, payload) == 1


def test_what_frees_a_nonce_carries_no_payload() -> None:
    """Or a payload that was never used would be said to be."""
    assert not transfer_to_oneself(SIGNER).has_payload


def test_a_signer_rotated_after_the_preflight_reverts_and_is_known_next_time(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target) as submitter:
            sent = submitter.submit(payload)
            await until(lambda: sent.state == "pending")
            first_of_the_block(chain, verifier, "setSigner", OTHER_SIGNER)
            outcome = await sent
            assert outcome.state == "reverted"
            assert outcome.revert is not None
            assert outcome.revert.name == "InvalidSignature"
            assert await submitter.verifier.signers() == (OTHER_SIGNER,)

    (payload,) = payloads(chain, 1)
    asyncio.run(main())


def test_a_bare_verify_that_answered_false_was_in_vain(
    chain: Anvil, verifier: str
) -> None:
    """It does not revert; the signer was rotated after the preflight."""

    async def main() -> None:
        chain.set_automine(False)
        async with submitting(chain, Target(verifier, VERIFY)) as submitter:
            sent = submitter.submit(payload)
            await until(lambda: sent.state == "pending")
            first_of_the_block(chain, verifier, "setSigner", OTHER_SIGNER)
            outcome = await sent
            assert outcome.state == "reverted" and outcome.fee_wei == FEE
            assert "took the fee, and answered false" in outcome.reason

    (payload,) = payloads(chain, 1)
    asyncio.run(main())


def raise_fee(chain: Anvil, verifier: str) -> None:
    """In the block of what waits, and before it."""
    first_of_the_block(chain, verifier, "setFee", 10)


def first_of_the_block(
    chain: Anvil, verifier: str, name: str, *arguments: object
) -> None:
    """A call of the owner's, mined before what waits."""
    call = {"from": chain.owner, "to": verifier, "gasPrice": hex(1000 * GWEI)}
    _, call["data"] = chain._encoded(verifier, name, arguments)
    chain.rpc("eth_sendTransaction", call)
    chain.mine()


def test_a_rotated_signer_is_refused_before_it_costs(
    chain: Anvil, multi_verifier: str
) -> None:
    async def main() -> None:
        async with submitting(chain, multi_verifier) as submitter:
            assert (await submitter.send(first)).state == "confirmed"
            chain.send(multi_verifier, "setSigner", SIGNER, False)
            outcome = await submitter.send(second)
            assert outcome.state == "refused" and not outcome.hashes
            with pytest.raises(RefusedError, match="signed by"):
                outcome.raise_unless_good()
            assert (await submitter.send(third)).state == "confirmed"

    first, second = payloads(chain, 2, key=SIGNER_KEY)
    (third,) = payloads(chain, 1, key=OTHER_SIGNER_KEY)
    before = nonces_of(chain)
    asyncio.run(main())
    assert nonces_of(chain) == before + 2
