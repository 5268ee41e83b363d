"""A feed, a pusher and a node, in one loop: what tests of pushing share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from anvil import Anvil

import codec
from codec.chain import (
    PAYLOAD,
    FeePolicy,
    Pusher,
    Rpc,
    Rules,
    Submitter,
    Target,
    Wallet,
)
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.state import PushState
from codec.feeds import FastFeed
from codec.simulator import Simulator

TOKEN = "aHVzaC1odXNo"
ONE = 10**18
MAX_AGE_NS = 10**18  # anvil's clock runs ahead by a second a block
PUSH = "push(bytes payload, uint64 maxAgeNs)"


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a test's coroutine, and never for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(120):
            await test

    asyncio.run(bounded())


async def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        await asyncio.sleep(0.01)


def push_target(consumer: str, verifier: str, max_age_ns: int = MAX_AGE_NS) -> Target:
    """A Consumer's function, which takes a payload and an age."""
    args = (PAYLOAD, max_age_ns)
    return Target(consumer, PUSH, args, verifier, ("TooOld(uint64 timestampNs)",))


class Stage:
    """What a test plays with. account: who pays. key: signs what `say` says."""

    def __init__(
        self,
        node: Anvil,
        simulator: Simulator,
        pusher: Pusher,
        account: str,
        key: bytes,
    ) -> None:
        self.node = node
        self.simulator = simulator
        self.pusher = pusher
        self.account = account
        self.key = key
        self.said: list[bytes] = []
        self.task: asyncio.Task[None] | None = None

    async def say(
        self, values: Mapping[int, int], *, key: bytes | None = None, **other: int
    ) -> bytes:
        """Has the feed bring a signed payload of this moment."""
        payload = codec.encode(
            list(values),
            list(values.values()),
            timestamp_ns=other.get("timestamp_ns", time.time_ns()),
            taxonomy_id=other.get("taxonomy_id", 1),
            key=key or self.key,
        )
        self.said.append(payload)
        await self.simulator.send(codec.to_frame(payload))
        return payload

    async def connected(self, n: int = 1) -> None:
        """Once the feed has subscribed, so many times in all."""
        simulator = self.simulator
        await until(
            lambda: (
                len(simulator.history) >= n
                and simulator.connections
                and simulator.connections[-1].subscribed
            )
        )

    def count(self, state: PushState) -> int:
        """How many pushes have ended so."""
        return self.pusher.status().counts.get(state, 0)

    async def confirmed(self, n: int) -> None:
        """Once so many pushes are on the chain."""
        await until(lambda: self.count(PushState.CONFIRMED) >= n)

    def waits_for(self, kind: Hindrance) -> bool:
        """Whether that is in the way."""
        return kind in {obstacle.kind for obstacle in self.pusher.status().obstacles}

    def events(self, kind: str) -> list[str]:
        """The texts of all events of a kind."""
        return [event.text for event in self.pusher.events if event.kind == kind]

    async def end(self) -> None:
        """Stops the pusher, and waits for it."""
        assert self.task is not None
        self.pusher.stop()
        await self.task


@contextlib.asynccontextmanager
async def staged(
    node: Anvil,
    target: Target | str,
    rules: Rules,
    key: bytes,
    *,
    account: int = 0,
    policy: FeePolicy | None = None,
    submission: Mapping[str, Any] | None = None,
    is_feed_remade: bool = True,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A pusher that runs, fed by a simulator that says what it is told."""
    address, secret = node.accounts[account]
    async with contextlib.AsyncExitStack() as stack:
        simulator = Simulator(token=TOKEN, ticks=False)
        await stack.enter_async_context(simulator)
        rpc = await stack.enter_async_context(
            Rpc(node.url, chain_id=node.chain_id, attempts=2)
        )
        submitter = await stack.enter_async_context(
            Submitter(
                rpc,
                Wallet.from_key(secret),
                target,
                policy=policy,
                poll_s=0.05,
                **(submission or {}),
            )
        )

        def make() -> FastFeed:
            return FastFeed(simulator.url, token=TOKEN, assets=list(rules))

        feed = make if is_feed_remade else make()
        pusher = Pusher(feed, submitter, rules, **({"look_s": 0.5} | options))
        stage = Stage(node, simulator, pusher, address, key)
        stage.task = asyncio.create_task(pusher.run())
        try:
            await stage.connected()
            await until(lambda: stage.pusher.status().signers)
            yield stage
        finally:
            pusher.stop()
            await asyncio.gather(stage.task, return_exceptions=True)
