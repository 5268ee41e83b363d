"""What tests of the Submitter share: a node's side, payloads, and conditions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from anvil import Anvil
from parties import SIGNER_KEY

import codec
from codec.chain import PAYLOAD, Outcome, Rpc, Submission, Submitter, Target, Wallet

HOUR_NS = 3600 * 10**9
PUSH = "push(bytes,uint64)"
LONG_S = 60.0  # for what takes a moment, on a machine that may be slow


def payloads(chain: Anvil, n: int, *, key: bytes = SIGNER_KEY) -> list[bytes]:
    """Different ones, all of the chain's present."""
    now_ns = chain.now_ns()
    return [
        codec.encode([1, 2], [i, -i], timestamp_ns=now_ns + i, taxonomy_id=1, key=key)
        for i in range(n)
    ]


def to_consumer(consumer: str, verifier: str) -> Target:
    """Calls that use a payload, and count it."""
    return Target(
        consumer, PUSH, (PAYLOAD, HOUR_NS), verifier, ("TooOld(uint64 timestampNs)",)
    )


@asynccontextmanager
async def submitting(
    chain: Anvil,
    target: Target | str,
    *,
    urls: str | Sequence[str] = "",
    account: int = 0,
    timeout_s: float = 10.0,
    **options: Any,
) -> AsyncIterator[Submitter]:
    """An open Submitter that asks the node often."""
    options.setdefault("poll_s", 0.05)
    options.setdefault("replace_after_s", LONG_S / 4)
    options.setdefault("deadline_s", LONG_S)
    wallet = Wallet.from_key(chain.accounts[account][1])
    rpc = Rpc(urls or chain.url, chain_id=chain.chain_id, timeout_s=timeout_s)
    async with rpc, Submitter(rpc, wallet, target, **options) as submitter:
        yield submitter


async def until(condition: Callable[[], Any]) -> None:
    """Waits until it holds; fails after a long time."""
    end = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


async def outcomes(submissions: Sequence[Submission]) -> list[Outcome]:
    """Of all, in order."""
    async with asyncio.timeout(2 * LONG_S):
        return [await submission for submission in submissions]


def nonces_of(chain: Anvil, account: int = 0) -> int:
    """How many transactions of the account are mined."""
    return chain.nonce(chain.accounts[account][0])
