"""A pusher between a feed and a real node; what counts is what is on the chain."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from anvil import Anvil
from pushing import ONE, Stage, push_target, run, staged, until

import codec
from codec.chain import Budget, FeePolicy, Rule, Rules, Submitter, desk
from codec.chain.push import sending
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.metrics import serve_push_metrics
from codec.chain.push.state import PusherState, PushState
from codec.chain.push.tracking import Tracker
from codec.errors import FeedAuthError

CHANGES = Rules({1: Rule("1"), 2: Rule("1")})
EVERY = Rules({1: Rule(every=True)})


def test_what_the_rules_ask_for_comes_on_the_chain(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes, fee_wei: int
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, CHANGES, signer_key) as stage:
            first = await stage.say({1: 100 * ONE, 2: -5 * ONE, 7: 1})
            await stage.confirmed(1)
            unused = await stage.say({1: 100 * ONE + 1, 2: -5 * ONE})
            second = await stage.say({1: 101 * ONE, 2: -5 * ONE})
            await stage.confirmed(2)
            third = await stage.say({2: -6 * ONE})
            await stage.confirmed(3)
            status = stage.pusher.status()
            assert [chain.uses(consumer, p) for p in (first, second, third)] == [1] * 3
            assert chain.uses(consumer, unused) == 0
            assert chain.call(consumer, "latest", 1)[1] == 101 * ONE
            assert chain.call(consumer, "latest", 2)[1] == -6 * ONE
            assert chain.call(consumer, "latest", 7)[1] == 1
            reasons = [dict(push.reasons) for push in status.pushes]
            assert reasons == [
                {1: "first value", 2: "first value"},
                {1: "+1%"},
                {2: "-20%"},
            ]
            assert chain.balance(verifier) == 3 * fee_wei
            before = 10_000 * ONE
            assert before - chain.balance(stage.account) == status.total_wei > 0
            assert not status.obstacles and chain.nonce(stage.account) == 3
            await stage.end()
            assert stage.pusher.status().state is PusherState.ENDED
            assert stage.pusher.unresolved is None

    run(test())


def test_while_one_is_out_only_the_newest_is_kept(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key) as stage:
            chain.set_automine(False)
            try:
                await stage.say({1: 1})
                await until(lambda: chain.nonce(stage.account, "pending") == 1)
                for value in range(2, 12):
                    await stage.say({1: value})
                await until(lambda: stage.pusher.status().n_messages == 11)
                assert chain.nonce(stage.account, "pending") == 1
            finally:
                chain.set_automine(True)
            chain.mine()
            await stage.confirmed(2)
            uses = [chain.uses(consumer, payload) for payload in stage.said]
            assert uses == [1, *[0] * 9, 1]

    run(test())


def test_a_window_gathers_what_one_payload_serves(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        options = {"window_s": 1.0}
        async with staged(chain, target, CHANGES, signer_key, **options) as stage:
            await stage.say({1: 100})
            await until(lambda: stage.pusher.status().state is PusherState.COLLECTING)
            await stage.say({1: 100, 2: 200})
            await stage.confirmed(1)
            assert chain.call(consumer, "totalUses") == 1
            (push,) = stage.pusher.status().pushes
            assert set(push.reasons) == {1, 2}
            # What does not ask any more at the window's end is not pushed.
            await stage.say({1: 200, 2: 200})
            await until(lambda: stage.pusher.status().state is PusherState.COLLECTING)
            await stage.say({1: 100, 2: 200})
            await until(lambda: stage.pusher.status().state is PusherState.WATCHING)
            assert chain.call(consumer, "totalUses") == 1

    run(test())


def test_silence_is_ended_with_the_newest_value(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        offset = [0.0]
        rules = Rules({1: Rule("50", max_silence_s=1000)})
        async with staged(
            chain,
            push_target(consumer, verifier),
            rules,
            signer_key,
            clock=lambda: time.monotonic() + offset[0],
            silence_s=10**6,
        ) as stage:
            await stage.say({1: 100})
            await stage.confirmed(1)
            await stage.say({1: 101})
            await until(lambda: stage.pusher.status().n_messages == 2)
            assert stage.pusher.status().state is PusherState.WATCHING
            offset[0] = 2000
            await stage.say({1: 102})
            await stage.confirmed(2)
            assert chain.call(consumer, "latest", 1)[1] == 102
            assert stage.pusher.status().pushes[-1].reasons[1].startswith("silent for")

    run(test())


def test_a_dry_run_does_all_but_sending(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, CHANGES, signer_key, dry_run=True) as stage:
            before = chain.balance(stage.account), chain.block_number()
            await stage.say({1: 100, 2: 100})
            await until(lambda: stage.count(PushState.DRY) == 1)
            await stage.say({1: 100, 2: 102})
            await until(lambda: stage.count(PushState.DRY) == 2)
            await stage.end()
            status = stage.pusher.status()
            assert all(push.cost_wei > 0 for push in status.pushes)
            assert status.total_wei == sum(push.cost_wei for push in status.pushes)
            assert (chain.balance(stage.account), chain.block_number()) == before
            assert chain.nonce(stage.account, "pending") == 0

    run(test())


def test_a_dry_run_says_what_would_be_refused(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier, max_age_ns=0)
        async with staged(chain, target, EVERY, signer_key, dry_run=True) as stage:
            await stage.say({1: 100}, timestamp_ns=time.time_ns() - 100 * 10**9)
            await until(lambda: stage.waits_for(Hindrance.REVERTED))
            assert any("TooOld" in text for text in stage.events("waiting"))

    run(test())


def test_what_is_not_signed_by_the_contracts_signers_never_counts(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        stranger = codec.keccak256(b"a stranger")
        async with staged(chain, target, EVERY, signer_key) as stage:
            unsigned = b'{"type":"unsigned","tax":1,"ts":9,"a":[{"id":1,"v":"5"}]}'
            await stage.simulator.send(unsigned)
            await stage.say({1: 666}, key=stranger)
            good = await stage.say({1: 5})
            await stage.say({1: 667}, key=stranger)
            await stage.confirmed(1)
            await until(lambda: stage.pusher.status().n_bad == 3)
            assert chain.uses(consumer, good) == 1
            assert chain.call(consumer, "totalUses") == 1
            assert chain.nonce(stage.account, "pending") == 1

    run(test())


def test_a_raised_fee_is_paid(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes, fee_wei: int
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key, look_s=3600) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            chain.send(verifier, "setFee", 1000)
            await stage.say({1: 2})
            await stage.confirmed(2)
            assert chain.balance(verifier) == fee_wei + 1000
            assert chain.call(consumer, "totalUses") == 2

    run(test())


def test_a_fee_above_the_cap_is_waited_out(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        policy = FeePolicy(max_cost_wei=ONE)
        async with staged(chain, target, EVERY, signer_key, policy=policy) as stage:
            chain.send(verifier, "setFee", 2 * ONE)
            await stage.say({1: 1})
            await until(lambda: stage.waits_for(Hindrance.FEE_HIGH))
            await until(lambda: stage.pusher.status().state is PusherState.WAITING)
            last = await stage.say({1: 2})
            chain.send(verifier, "setFee", 5)
            await until(lambda: pushed(stage, 1) == 2)
            await until(lambda: not stage.pusher.status().obstacles)
            assert any("fee high is over" in text for text in stage.events("resumed"))
            assert any("fee was" in text for text in stage.events("fee_changed"))
            assert chain.uses(consumer, last) == 1
            n = stage.count(PushState.CONFIRMED)
            assert chain.call(consumer, "totalUses") == n

    run(test())


def test_a_rotated_signer_is_followed(
    chain: Anvil, multi_verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        new_key = codec.keccak256(b"the new signer")
        new, old = signer_of(new_key), signer_of(signer_key)
        consumer = chain.deploy("Consumer", multi_verifier)
        target = push_target(consumer, multi_verifier)
        async with staged(chain, target, EVERY, signer_key, look_s=3600) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            # The feed's first: nothing is good, until the contract takes the new one.
            last: list[bytes] = []
            while not stage.waits_for(Hindrance.SIGNER_UNKNOWN):
                last = [await stage.say({1: 2}, key=new_key)]
                await asyncio.sleep(0.05)
            (text,) = stage.events("waiting")
            assert f"signed by {new}" in text
            chain.send(multi_verifier, "setSigner", new, True)
            chain.send(multi_verifier, "setSigner", old, False)
            while stage.count(PushState.CONFIRMED) < 2:
                last.append(await stage.say({1: 3}, key=new_key))
                await asyncio.sleep(0.05)
            await until(lambda: not stage.pusher.status().obstacles)
            assert any("signer unknown is over" in t for t in stage.events("resumed"))
            assert new in stage.pusher.status().signers
            assert old not in stage.pusher.status().signers
            assert sum(chain.uses(consumer, p) for p in last) >= 1
            assert chain.call(consumer, "latest", 1)[1] == 3

    run(test())


def test_a_signer_that_the_contract_drops_is_noticed_before_anything_is_paid(
    chain: Anvil, multi_verifier: str, signer_key: bytes, other_signer_key: bytes
) -> None:
    async def test() -> None:
        consumer = chain.deploy("Consumer", multi_verifier)
        target = push_target(consumer, multi_verifier)
        async with staged(chain, target, EVERY, signer_key, look_s=3600) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            old = signer_of(signer_key)
            chain.send(multi_verifier, "setSigner", old, False)
            await stage.say({1: 2})
            await until(lambda: stage.waits_for(Hindrance.SIGNER_UNKNOWN))
            assert chain.nonce(stage.account, "pending") == 1
            good = await stage.say({1: 3}, key=other_signer_key)
            await stage.confirmed(2)
            assert chain.uses(consumer, good) == 1
            await until(lambda: not stage.pusher.status().obstacles)

    run(test())


def test_a_node_that_goes_away_is_waited_for(
    tmp_path: Path, signer_key: bytes, fee_wei: int
) -> None:
    async def test() -> None:
        with Anvil(state=tmp_path / "state.json") as node:
            verifier = node.deploy(
                "SingleSignerVerifier", signer_of(signer_key), fee_wei
            )
            consumer = node.deploy("Consumer", verifier)
            abis = node.abis
            target = push_target(consumer, verifier)
            async with staged(node, target, EVERY, signer_key) as stage:
                await stage.say({1: 1})
                await stage.confirmed(1)
                node.kill()
                await stage.say({1: 2})
                await until(lambda: stage.waits_for(Hindrance.NODE_AWAY))
                last = await stage.say({1: 3})
                node.restart()
                node.abis |= abis
                await until(lambda: pushed(stage, 1) == 3)
                await until(lambda: not stage.pusher.status().obstacles)
                assert node.uses(consumer, last) == 1
                assert node.call(consumer, "latest", 1)[1] == 3
                n = stage.count(PushState.CONFIRMED)
                assert node.call(consumer, "totalUses") == n
                assert node.nonce(stage.account, "pending") == n
                texts = stage.events("resumed")
                assert any("node away is over" in text for text in texts)

    run(test())


def test_a_node_that_goes_away_while_a_push_is_out_gets_the_same_again(
    tmp_path: Path, signer_key: bytes, fee_wei: int
) -> None:
    async def test() -> None:
        with Anvil(state=tmp_path / "state.json") as node:
            verifier = node.deploy(
                "SingleSignerVerifier", signer_of(signer_key), fee_wei
            )
            consumer = node.deploy("Consumer", verifier)
            abis = node.abis
            target = push_target(consumer, verifier)
            async with staged(node, target, EVERY, signer_key) as stage:
                node.set_automine(False)
                first = await stage.say({1: 1})
                await until(lambda: node.nonce(stage.account, "pending") == 1)
                (out,) = stage.pusher.status().pushes
                assert out.state is PushState.OUT
                node.kill()  # what was not mined is lost with it
                await until(lambda: stage.waits_for(Hindrance.NODE_AWAY))
                second = await stage.say({1: 2})
                node.restart()
                node.abis |= abis
                await until(lambda: pushed(stage, 1) == 2)
                assert [node.uses(consumer, p) for p in (first, second)] == [1, 1]
                assert node.nonce(stage.account, "pending") == 2
                await until(lambda: not stage.pusher.status().obstacles)

    run(test())


def test_a_balance_that_runs_low_is_waited_for(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key, account=3) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            chain.set_balance(stage.account, 0)
            await stage.say({1: 2})
            await until(lambda: stage.waits_for(Hindrance.BALANCE_LOW))
            last = await stage.say({1: 3})
            chain.set_balance(stage.account, ONE)
            await until(lambda: pushed(stage, 1) == 3)
            await until(lambda: not stage.pusher.status().obstacles)
            assert chain.uses(consumer, last) == 1
            n = stage.count(PushState.CONFIRMED)
            assert chain.call(consumer, "totalUses") == n

    run(test())


def test_below_the_least_balance_nothing_is_pushed(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        options = {"min_balance_wei": 20_000 * ONE}
        async with staged(chain, target, EVERY, signer_key, **options) as stage:
            await until(lambda: stage.waits_for(Hindrance.BALANCE_LOW))
            await stage.say({1: 1})
            await until(lambda: stage.pusher.status().n_messages == 1)
            await until(lambda: stage.pusher.status().state is PusherState.WAITING)
            assert "needs 20000 ether" in stage.events("waiting")[0]
            assert chain.nonce(stage.account, "pending") == 0
            chain.set_balance(stage.account, 30_000 * ONE)
            await stage.confirmed(1)

    run(test())


def test_a_spent_budget_is_waited_for(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        offset = [0.0]
        target = push_target(consumer, verifier)
        chain.send(verifier, "setFee", ONE)
        async with staged(
            chain,
            target,
            EVERY,
            signer_key,
            budget=Budget(ONE + ONE // 2),
            clock=lambda: time.monotonic() + offset[0],
            silence_s=10**6,
        ) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            await stage.say({1: 2})
            await until(lambda: stage.waits_for(Hindrance.BUDGET_SPENT))
            await stage.say({1: 3})
            await until(lambda: stage.pusher.status().n_messages == 3)
            assert chain.nonce(stage.account, "pending") == 1
            assert stage.pusher.status().spent_wei <= ONE + ONE // 2
            offset[0] = 3700.0
            await stage.say({1: 4})
            await until(lambda: pushed(stage, 1) in (3, 4))
            assert chain.call(consumer, "totalUses") == 2
            assert chain.nonce(stage.account, "pending") == 2
            assert any("budget spent is over" in t for t in stage.events("resumed"))

    run(test())


def test_a_feed_that_goes_away_is_made_anew(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key, silence_s=0.5) as stage:
            await until(lambda: stage.waits_for(Hindrance.FEED_AWAY))
            await stage.say({1: 1})
            await stage.confirmed(1)
            await until(lambda: not stage.pusher.status().obstacles)
            before = stage.pusher.feed
            stage.simulator.set_token("another")
            stage.simulator.connections[0].close(3000, "who are you?")
            await until(lambda: stage.waits_for(Hindrance.FEED_AWAY))
            stage.simulator.set_token(None)
            await until(lambda: stage.pusher.feed is not before)
            await stage.connected(2)
            last = await stage.say({1: 2})
            await stage.confirmed(2)
            assert chain.uses(consumer, last) == 1

    run(test())


def test_a_feed_that_cannot_be_made_anew_ends_it(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        options = {"is_feed_remade": False}
        async with staged(chain, target, EVERY, signer_key, **options) as stage:
            assert stage.task is not None
            stage.simulator.set_token("another")
            stage.simulator.connections[0].close(3000, "who are you?")
            with pytest.raises(FeedAuthError):
                await stage.task
            assert stage.pusher.status().state is PusherState.ENDED

    run(test())


def test_errors_that_nobody_foresaw_are_survived(
    chain: Anvil,
    consumer: str,
    verifier: str,
    signer_key: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        submit, n_calls = Submitter.submit, [0]

        def failing(self: Submitter, payload: bytes) -> object:
            n_calls[0] += 1
            if n_calls[0] == 1:
                raise RuntimeError("nobody foresaw this")
            return submit(self, payload)

        monkeypatch.setattr(Submitter, "submit", failing)
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key) as stage:
            last = await stage.say({1: 1})
            await stage.confirmed(1)
            assert stage.count(PushState.FAILED) == 1
            assert any("nobody foresaw this" in t for t in stage.events("waiting"))
            await until(lambda: not stage.pusher.status().obstacles)
            assert chain.uses(consumer, last) == 1

    run(test())


def test_errors_of_the_feed_that_nobody_foresaw_are_survived(
    chain: Anvil,
    consumer: str,
    verifier: str,
    signer_key: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        observe, n_calls = Tracker.observe, [0]

        def failing(self: Tracker, *args: Any) -> int:
            n_calls[0] += 1
            if n_calls[0] == 1:
                raise RuntimeError("nobody foresaw this")
            return observe(self, *args)

        monkeypatch.setattr(Tracker, "observe", failing)
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key) as stage:
            await stage.say({1: 1})
            await until(lambda: stage.waits_for(Hindrance.FEED_AWAY))
            await stage.connected(2)
            last = await stage.say({1: 2})
            await stage.confirmed(1)
            assert chain.uses(consumer, last) == 1
            assert any("nobody foresaw this" in t for t in stage.events("waiting"))

    run(test())


def test_a_node_that_is_too_slow_is_told(
    chain: Anvil,
    consumer: str,
    verifier: str,
    signer_key: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        preflight, pause_s = desk.preflight, [1.0]

        async def slow(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(pause_s[0])
            return await preflight(*args, **options)

        monkeypatch.setattr(desk, "preflight", slow)
        monkeypatch.setattr(sending, "_PATIENCE_S", 0.5)
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key) as stage:
            last = await stage.say({1: 1})
            await until(lambda: stage.waits_for(Hindrance.NODE_AWAY))
            pause_s[0] = 0.0
            await stage.confirmed(1)
            await until(lambda: not stage.pusher.status().obstacles)
            assert chain.uses(consumer, last) == 1

    run(test())


def test_at_the_end_it_says_what_is_out(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        chain.set_automine(False)
        try:
            async with staged(chain, target, EVERY, signer_key, end_s=0.3) as stage:
                await stage.say({1: 1})
                await until(lambda: chain.nonce(stage.account, "pending") == 1)
                await stage.end()
                push = stage.pusher.unresolved
                assert push is not None and push.state is PushState.UNRESOLVED
                (hash_,) = push.hashes
                assert hash_ in stage.events("unresolved")[0]
                assert chain.rpc("eth_getTransactionByHash", hash_) is not None
        finally:
            chain.set_automine(True)

    run(test())


def test_at_the_end_what_is_out_is_waited_for(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        chain.set_automine(False)
        try:
            async with staged(chain, target, EVERY, signer_key, end_s=60) as stage:
                payload = await stage.say({1: 1})
                await until(lambda: chain.nonce(stage.account, "pending") == 1)
                stage.pusher.stop()
                await until(lambda: stage.pusher.status().state is PusherState.ENDING)
                chain.mine()
                await stage.end()
                assert stage.pusher.unresolved is None
                assert stage.count(PushState.CONFIRMED) == 1
                assert chain.uses(consumer, payload) == 1
        finally:
            chain.set_automine(True)

    run(test())


def test_beyond_its_deadline_a_transaction_holds_the_next_back(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        chain.set_automine(False)
        try:
            async with staged(
                chain,
                target,
                EVERY,
                signer_key,
                submission={"deadline_s": 1.0, "replace_after_s": 0.3},
            ) as stage:
                first = await stage.say({1: 1})
                await until(lambda: stage.waits_for(Hindrance.UNRESOLVED))
                second = await stage.say({1: 2})
                await until(lambda: stage.pusher.status().n_messages == 2)
                assert chain.nonce(stage.account, "pending") == 1
                chain.set_automine(True)
                chain.mine()
                await stage.confirmed(2)
                uses = [chain.uses(consumer, p) for p in (first, second)]
                assert uses == [1, 1]
                status = stage.pusher.status()
                assert not status.obstacles
                paid = 10_000 * ONE - chain.balance(stage.account)
                assert status.total_wei == paid  # the dearer offers, too
        finally:
            chain.set_automine(True)

    run(test())


def test_metrics_are_served(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        async with staged(chain, target, EVERY, signer_key) as stage:
            await stage.say({1: 1})
            await stage.confirmed(1)
            with serve_push_metrics(stage.pusher, 0) as metrics:
                url = f"http://127.0.0.1:{metrics.port}/metrics"
                text = await asyncio.to_thread(fetched, url)
        assert 'stork_push_pushes_total{state="confirmed"} 1.0' in text
        assert 'stork_push_asset_pushes_total{asset="1"} 1.0' in text
        assert 'stork_push_hindrance{hindrance="node_away"} 0.0' in text
        assert 'stork_push_state{state="watching"} 1.0' in text
        assert "stork_push_fee_wei 3.0" in text
        assert re.search(r"stork_push_spent_wei_total [1-9]", text)
        assert re.search(r"stork_push_balance_wei [1-9]", text)
        assert "stork_feed_messages_total 1.0" in text

    run(test())


def pushed(stage: Stage, asset_id: int) -> int | None:
    """The value that the chain is known to have."""
    for asset in stage.pusher.status().assets:
        if asset.asset_id == asset_id and asset.confirmed is not None:
            return asset.confirmed.value
    return None


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def signer_of(key: bytes) -> str:
    payload = codec.encode([], [], timestamp_ns=0, taxonomy_id=0, key=key)
    batch = codec.decode_payloads([payload])
    return codec.checksum_address(batch.recover()[0]["address"])
