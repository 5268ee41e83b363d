"""What nodes say about an account and its transactions, asked as seldom as will do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from codec.chain.answers import BadAnswer, read_hash, read_quantity
from codec.chain.sending import SendVerdict, judge
from codec.chain.siblings import Facts, Head, Receipt
from codec.errors import ChainError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from codec.chain.rpc import Rpc
    from codec.chain.siblings import Limits, Sibling

__all__ = ["Heads", "Signal", "broadcast", "look"]

_DEEPEST = 64  # blocks; full nodes give up the state of those before the last 128


async def broadcast(rpc: Rpc, sibling: Sibling) -> tuple[SendVerdict, str]:
    """Hands a transaction to every node, once; what became of it, and what they said.

    It is not repeated here: an answer that was lost must be known to have been lost.
    """
    try:
        answers = await rpc.call_all(
            "eth_sendRawTransaction", "0x" + sibling.raw.hex(), attempts=1
        )
    except ChainError as error:
        answers = [error]
    return judge(answers, sibling.hash)


async def look(rpc: Rpc, hashes: Sequence[str]) -> Facts | None:
    """What the nodes know of transactions, None where none of them answered.

    Transactions are asked for only where no node has a receipt.
    """
    try:
        found = await _ask_all(rpc, "eth_getTransactionReceipt", hashes)
        receipts = tuple(
            receipt
            for digest, row in zip(hashes, found, strict=True)
            for receipt in map(_receipt, row)
            if receipt is not None and receipt.hash == digest
        )
        known = {receipt.hash for receipt in receipts}
        if not receipts:
            found += await _ask_all(rpc, "eth_getTransactionByHash", hashes)
            rows = zip(hashes, found[len(hashes) :], strict=True)
            known = {h for h, row in rows if any(isinstance(a, dict) for a in row)}
    except ChainError:
        return None
    answers = [answer for row in found for answer in row]
    # A node of another chain knows nothing about this one, and is not missed either.
    heard = [answer for answer in answers if not isinstance(answer, WrongChainError)]
    failed = [isinstance(answer, ChainError) for answer in heard]
    if all(failed):
        return None
    return Facts(receipts, frozenset(known), not any(failed))


async def _ask_all(
    rpc: Rpc, method: str, hashes: Sequence[str]
) -> list[list[object | ChainError]]:
    """For each transaction what each node answers."""
    return list(await asyncio.gather(*(rpc.call_all(method, h) for h in hashes)))


def _receipt(answer: object) -> Receipt | None:
    """A receipt of JSON-RPC; None for none, and for one that makes no sense."""
    if not isinstance(answer, dict):
        return None
    try:
        return Receipt(
            hash="0x" + read_hash(answer["transactionHash"]).hex(),
            block_number=read_quantity(answer["blockNumber"]),
            block_hash="0x" + read_hash(answer["blockHash"]).hex(),
            is_good=read_quantity(answer["status"]) == 1,
            gas_used=read_quantity(answer["gasUsed"]),
            gas_price_wei=read_quantity(answer.get("effectiveGasPrice") or "0x0"),
        )
    except (BadAnswer, KeyError):
        return None


class Signal:
    """Wakes all who wait, as often as it is given."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def give(self) -> None:
        """Ends every `wait`."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until it is given, at most so long."""
        event = self._event
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await event.wait()


class Heads:
    """The newest block and the account there, asked for while somebody wants it."""

    def __init__(
        self,
        rpc: Rpc,
        address: str,
        limits: Limits,
        on_head: Callable[[Head], object],
    ) -> None:
        self.changed = Signal()
        self.newest: Head | None = None
        self._rpc = rpc
        self._address = address
        self._limits = limits
        self._n_users = 0
        self._on_head = on_head
        self._wanted = asyncio.Event()

    def __enter__(self) -> None:
        if not self._n_users:
            self.newest = None  # what was seen before is no news
        self._n_users += 1
        self._wanted.set()

    def __exit__(self, *_: object) -> None:
        self._n_users -= 1
        if not self._n_users:
            self._wanted.clear()

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            await self._wanted.wait()
            try:
                head = await self._ask()
            except ChainError:
                pass  # the Rpc has said so
            else:
                is_news, self.newest = head != self.newest, head
                self._on_head(head)
                if is_news:
                    self.changed.give()
            await asyncio.sleep(self._limits.poll_s)

    async def _ask(self) -> Head:
        block = await self._rpc.block("latest")
        try:
            number = read_quantity(block.get("number"))
            digest = "0x" + read_hash(block.get("hash")).hex()
            fee = block.get("baseFeePerGas")
            base_fee = None if fee is None else read_quantity(fee)
        except BadAnswer as error:
            raise ChainError(f"the newest block: {error}") from None
        nonce = await self._rpc.nonce(self._address, "latest")
        settled_nonce = nonce
        if self._limits.confirmations > 1:
            depth = min(self._limits.confirmations - 1, _DEEPEST)
            block_number = max(0, number - depth)
            settled_nonce = await self._rpc.nonce(self._address, block_number)
        return Head(number, digest, nonce, settled_nonce, base_fee)
