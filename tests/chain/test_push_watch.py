"""What a pusher sees of the chain beside its pushes, and what it tries again for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from codec.chain.events import ChainEvents
from codec.chain.push.hindrances import Hindrances
from codec.chain.push.watch import ChainWatch


class Chain:
    """A node and a verifier that say what they are told to."""

    def __init__(self) -> None:
        self.balance_now = 100
        self.fee_now = 1
        self.signers_now = ("0x12",)
        self.n_asked = 0

    async def balance(self, account: str) -> int:
        return self.balance_now

    async def fee_wei(self, *, refresh: bool) -> int:
        return self.fee_now

    async def signers(self, *, refresh: bool) -> tuple[str, ...]:
        self.n_asked += 1
        return self.signers_now


@pytest.mark.parametrize(
    ("change", "is_tried_again"),
    [
        ({"balance_now": 101}, True),
        ({"balance_now": 99}, False),  # else what reverts would be paid in a loop
        ({"fee_now": 2}, True),
        ({"signers_now": ("0x34",)}, True),
        ({}, False),
    ],
)
def test_what_was_spent_is_no_reason_to_try_again(
    change: dict[str, Any], is_tried_again: bool
) -> None:
    async def test() -> None:
        chain, changes = Chain(), []
        watch = ChainWatch(
            cast("Any", chain),
            cast("Any", chain),
            "0x56",
            hindrances=Hindrances(lambda *_: None),
            events=ChainEvents(),
            min_balance_wei=None,
            look_s=60.0,
            clock=asyncio.get_running_loop().time,
            on_change=lambda: changes.append(1),
        )
        task = asyncio.create_task(watch.run())
        while not chain.n_asked:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert len(changes) == 1  # what was not known is known
        for name, value in change.items():
            setattr(chain, name, value)
        watch.look()
        while chain.n_asked < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert (len(changes) == 2) is is_tried_again
        task.cancel()

    asyncio.run(test())
