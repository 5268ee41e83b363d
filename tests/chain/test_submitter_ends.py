"""What is refused, lost, cancelled or left behind; and the face without asyncio."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest
from anvil import Anvil
from faulty import Fault, Faulty, Reply, encoded, slow
from submitting import (
    LONG_S,
    nonces_of,
    outcomes,
    payloads,
    submitting,
    to_consumer,
    until,
)

from codec.chain import VERIFY, ChainEventKind, Rpc, Submitter, Target, Verifier, Wallet
from codec.errors import ChainError

GWEI = 10**9


def test_a_bare_verify_with_a_bad_signature_is_not_sent(
    chain: Anvil, verifier: str
) -> None:
    async def main() -> None:
        async with submitting(chain, Target(verifier, VERIFY)) as submitter:
            ended = await outcomes([submitter.submit(p) for p in (bad, good)])
            assert [str(outcome.state) for outcome in ended] == ["refused", "confirmed"]
            assert "wrong_signer" in ended[0].reason

    bad, good = payloads(chain, 2)
    bad = bad[:-1] + bytes([bad[-1] ^ 1])
    before = nonces_of(chain)
    asyncio.run(main())
    assert nonces_of(chain) == before + 1


def test_nothing_is_sent_where_the_verifier_is_not(chain: Anvil, consumer: str) -> None:
    async def main() -> None:
        target = to_consumer(consumer, "0x" + "77" * 20)
        async with submitting(chain, target) as submitter:
            outcome = await submitter.send(payload)
            assert outcome.state == "refused" and outcome.nonce is None
            assert "0x7777" in outcome.reason and "code" in outcome.reason

    (payload,) = payloads(chain, 1)
    asyncio.run(main())


def test_a_stranger_with_the_nonce_makes_it_lost_and_the_others_go_on(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            await until(lambda: all(s.state == "pending" for s in sent))
            first = min(sent, key=lambda s: s.nonce or 0)
            chain.rpc(
                "eth_sendTransaction",
                {
                    "from": submitter.wallet.address,
                    "to": chain.owner,
                    "nonce": hex(first.nonce or 0),
                    "gasPrice": hex(1000 * GWEI),
                },
            )
            chain.mine()
            ended = await outcomes(sent)
            lost = [s for s, o in zip(sent, ended, strict=True) if o.state == "lost"]
            assert lost == [first]
            assert [str(o.state) for o in ended].count("confirmed") == 2
            assert chain.uses(consumer, first.payload) == 0

    given = payloads(chain, 3)
    asyncio.run(main())
    assert sum(chain.uses(consumer, payload) for payload in given) == 2


def test_funds_that_end_amid_sends_leave_no_hole(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        async with submitting(chain, to_consumer(consumer, verifier)) as submitter:
            once = await submitter.send(given[0])
            chain.set_balance(submitter.wallet.address, 5 * once.cost_wei)
            ended = await outcomes([submitter.submit(p) for p in given[1:]])
            states = [str(outcome.state) for outcome in ended]
            assert set(states) == {"confirmed", "refused"}
            used = [chain.uses(consumer, payload) for payload in given[1:]]
            assert used == [int(state == "confirmed") for state in states]
            chain.set_balance(submitter.wallet.address, 10**18)
            assert (await submitter.send(last)).state == "confirmed"

    *given, last = payloads(chain, 14)
    asyncio.run(main())
    assert chain.uses(consumer, last) == 1


def test_a_nonce_that_came_back_is_filled_where_nobody_takes_it(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    is_second_out = threading.Event()

    def refuse(_: object, number: object, __: object) -> Reply:
        is_second_out.wait(LONG_S)
        told = {"code": -32000, "message": "intrinsic gas too low"}
        return Reply(200, encoded({"jsonrpc": "2.0", "id": number, "error": told}))

    async def main() -> None:
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, urls=faulty.url) as submitter:
            faulty.will(Fault(refuse, is_kept=True), methods={"eth_sendRawTransaction"})
            one = submitter.submit(first)
            await until(lambda: one.nonce is not None)
            two = submitter.submit(second)
            await until(lambda: two.state == "pending")
            is_second_out.set()
            ended = await outcomes([one, two])
            assert [str(outcome.state) for outcome in ended] == ["refused", "confirmed"]
            assert ended[0].nonce == before and ended[1].nonce == before + 1
            assert submitter.events.counts[ChainEventKind.NONCE_REPAIRED] == 1

    first, second = payloads(chain, 2)
    before = nonces_of(chain)
    with Faulty(chain.url) as faulty:
        asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in (first, second)] == [0, 1]
    assert nonces_of(chain) == before + 2


def test_what_was_not_sent_can_be_cancelled_and_what_was_cannot(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, max_pending=1) as submitter:
            first, second = (submitter.submit(payload) for payload in given[:2])
            third = asyncio.create_task(submitter.send(given[2]))
            await until(lambda: first.state == "pending")
            third.cancel()
            assert second.cancel()
            assert not first.cancel()
            assert (await second).state == "cancelled"
            with pytest.raises(asyncio.CancelledError):
                await third
            chain.mine()
            assert (await first).state == "confirmed"

    given = payloads(chain, 3)
    asyncio.run(main())
    assert [chain.uses(consumer, payload) for payload in given] == [1, 0, 0]


def test_closing_says_what_becomes_of_each(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    async def main() -> None:
        chain.set_automine(False)
        target = to_consumer(consumer, verifier)
        async with submitting(chain, target, max_pending=2) as submitter:
            sent = [submitter.submit(payload) for payload in given]
            await until(lambda: [s.state for s in sent].count("pending") == 2)  # type: ignore[arg-type]
            await submitter.aclose()
            ended = await outcomes(sent)
            assert (
                sorted(str(o.state) for o in ended)
                == ["cancelled"] * 2 + ["unresolved"] * 2
            )
            left = {s.payload for s in submitter.pending}
            assert left == {o.payload for o in ended if o.may_be_mined}
            with pytest.raises(ChainError, match="not open"):
                submitter.submit(given[0])
        chain.mine()
        assert [chain.uses(consumer, o.payload) for o in ended] == [
            int(o.may_be_mined) for o in ended
        ]

    given = payloads(chain, 4)
    asyncio.run(main())


def blocking(chain: Anvil, url: str, target: Target) -> Submitter:
    rpc = Rpc(url, chain_id=chain.chain_id)
    wallet = Wallet.from_key(chain.accounts[0][1])
    return Submitter(rpc, wallet, target, poll_s=0.05)


def test_the_face_without_asyncio_sends_one_and_many(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    one, *many = payloads(chain, 6)
    submitter = blocking(chain, chain.url, to_consumer(consumer, verifier))
    with submitter as sync:
        assert sync.send(one).raise_unless_good().is_good
        ended = sync.send_many(many)
    assert [outcome.payload for outcome in ended] == many
    assert [chain.uses(consumer, payload) for payload in (one, *many)] == [1] * 6
    with pytest.raises(ChainError, match="not open"):
        sync.send(one)


def test_ctrl_c_ends_the_waiting_and_leaving_closes_all(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    def interrupt() -> None:
        end = time.monotonic() + LONG_S
        while not faulty.count("eth_sendRawTransaction") and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    (payload,) = payloads(chain, 1)
    with Faulty(chain.url) as faulty:
        faulty.will(slow(0.5), methods={"eth_sendRawTransaction"})
        submitter = blocking(chain, faulty.url, to_consumer(consumer, verifier))
        chain.set_automine(False)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), submitter as sync:
            sync.send(payload)
        thread.join()
    (left,) = submitter.pending
    outcome = left.outcome
    assert outcome is not None and outcome.state == "unresolved" and outcome.hashes
    chain.mine()
    assert chain.uses(consumer, payload) == 1


def test_what_has_its_outcome_is_pending_no_more(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    """Nor is it for a moment, in which somebody may look."""

    async def main() -> None:
        async with submitting(chain, to_consumer(consumer, verifier)) as submitter:
            left = []
            submitter.events.listen(
                lambda event: asyncio.get_running_loop().call_soon(
                    lambda: left.extend(s for s in submitter.pending if s.outcome)
                )
            )
            ended = await outcomes([submitter.submit(p) for p in (bad, *good)])
            assert [str(o.state) for o in ended] == ["refused"] + ["confirmed"] * 4
            assert not left and not submitter.pending

    bad, *good = payloads(chain, 5)
    bad = bad[:-1] + bytes([bad[-1] ^ 1])
    asyncio.run(main())


def test_ctrl_c_while_leaving_loses_nothing_that_was_sent(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    def interrupt() -> None:
        end = time.monotonic() + LONG_S
        while not faulty.count("eth_sendRawTransaction") and time.monotonic() < end:
            time.sleep(0.01)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    (payload,) = payloads(chain, 1)
    with Faulty(chain.url) as faulty:
        faulty.will(slow(4.0), methods={"eth_sendRawTransaction"})
        submitter = blocking(chain, faulty.url, to_consumer(consumer, verifier))
        chain.set_automine(False)
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt), submitter as sync:
            sync.send(payload)
        (left,) = submitter.pending
        outcome = left.outcome
        assert outcome is not None and outcome.state == "unresolved" and outcome.hashes
        thread.join()


def test_a_submitter_can_be_opened_again_without_asyncio(
    chain: Anvil, consumer: str, verifier: str
) -> None:
    """On another loop, with what is kept about the verifier."""
    given = payloads(chain, 12)
    submitter = blocking(chain, chain.url, to_consumer(consumer, verifier))
    submitter.verifier = Verifier(submitter.rpc, verifier, refresh_s=1e-6)
    for some in (given[:6], given[6:]):
        with submitter as sync:
            assert {str(o.state) for o in sync.send_many(some)} == {"confirmed"}
    assert [chain.uses(consumer, payload) for payload in given] == [1] * 12
