"""Transactions that wait, taken and refused by the rules and in the words of geth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count

from strict_transactions import Refused, Transaction, check_signature
from strict_world import World

ETHER = 10**18
OVER_RPC_CAP = ETHER
LARGEST_LEN = 128 * 1024
PRICE_BUMP_PERCENT = 10
LEAST_TIP = 1
ACCOUNT_SLOTS = 1000


class Pool:
    """Waiting transactions by sender and nonce.

    has_base_fee: off for a chain before London. refuses_below_base_fee: whether a
    transaction whose highest fee is below the newest block's base fee is refused, as
    sequencers of rollups do; geth keeps it until the base fee falls.
    """

    def __init__(
        self,
        chain_id: int,
        gas_limit: int,
        has_base_fee: bool,
        refuses_below_base_fee: bool,
    ) -> None:
        self._chain_id = chain_id
        self._gas_limit = gas_limit
        self._has_base_fee = has_base_fee
        self._refuses_below_base_fee = refuses_below_base_fee
        self._waiting: dict[str, dict[int, Transaction]] = defaultdict(dict)
        self._arrivals: dict[str, int] = {}
        self._clock = count()

    def __iter__(self) -> Iterator[Transaction]:
        for by_nonce in self._waiting.values():
            yield from by_nonce.values()

    def find(self, digest: str) -> Transaction | None:
        return next((waiting for waiting in self if waiting.hash == digest), None)

    def drop(self, digest: str) -> None:
        """Forgets a transaction, as nodes do that are full or start again."""
        waiting = self.find(digest)
        assert waiting is not None, digest
        del self._waiting[waiting.sender][waiting.nonce]

    def next_nonce(self, sender: str, world: World) -> int:
        """The nonce after all that wait for nobody else."""
        nonce = world.nonce(sender)
        while nonce in self._waiting[sender]:
            nonce += 1
        return nonce

    def add(self, transaction: Transaction, world: World, base_fee: int) -> None:
        """Takes a transaction in, or raises Refused."""
        if self.find(transaction.hash) is not None:
            raise Refused("already known")
        self._check_alone(transaction, base_fee)
        self._check_with_account(transaction, world)
        self._check_replacement(transaction)
        self._waiting[transaction.sender][transaction.nonce] = transaction
        self._arrivals[transaction.hash] = next(self._clock)

    def take(
        self, world: World, base_fee: int, run: Callable[[Transaction], int]
    ) -> None:
        """Runs what fits into a block, highest tip first, each account's in order.

        run: runs one and gives the gas that it used.
        """
        left = self._gas_limit
        while ready := [
            by_nonce[world.nonce(sender)]
            for sender, by_nonce in self._waiting.items()
            if world.nonce(sender) in by_nonce
            and self._fits(by_nonce[world.nonce(sender)], world, base_fee, left)
        ]:
            best = max(ready, key=lambda t: (t.tip(base_fee), -self._arrivals[t.hash]))
            del self._waiting[best.sender][best.nonce]
            left -= run(best)
        for sender, by_nonce in self._waiting.items():
            for nonce in [n for n in by_nonce if n < world.nonce(sender)]:
                del by_nonce[nonce]

    def _fits(
        self, transaction: Transaction, world: World, base_fee: int, left: int
    ) -> bool:
        return (
            transaction.gas <= left
            and transaction.tip(base_fee) >= 0
            and transaction.cost <= world.balance(transaction.sender)
        )

    def _check_alone(self, transaction: Transaction, base_fee: int) -> None:
        if transaction.type == 2 and not self._has_base_fee:
            raise Refused(
                "transaction type not supported: type 2 rejected, pool not yet in"
                " London"
            )
        if len(transaction.raw) > LARGEST_LEN:
            raise Refused(
                f"oversized data: transaction size {len(transaction.raw)},"
                f" limit {LARGEST_LEN}"
            )
        fee = transaction.gas * transaction.max_fee
        if fee > OVER_RPC_CAP:
            raise Refused(
                f"tx fee ({fee / ETHER:.2f} ether) exceeds the configured cap"
                f" ({OVER_RPC_CAP / ETHER:.2f} ether)"
            )
        if transaction.gas > self._gas_limit:
            raise Refused("exceeds block gas limit")
        if transaction.max_tip > transaction.max_fee:
            raise Refused("max priority fee per gas higher than max fee per gas")
        check_signature(transaction, self._chain_id)
        for least, what in (
            (transaction.intrinsic_gas, "intrinsic gas too low"),
            (transaction.floor_gas, "insufficient gas for floor data gas cost"),
        ):
            if transaction.gas < least:
                raise Refused(f"{what}: gas {transaction.gas}, minimum needed {least}")
        if transaction.max_tip < LEAST_TIP:
            raise Refused(
                f"transaction underpriced: tip needed {LEAST_TIP},"
                f" tip permitted {transaction.max_tip}"
            )
        if self._refuses_below_base_fee and transaction.max_fee < base_fee:
            raise Refused(
                "max fee per gas less than block base fee: address"
                f" {transaction.sender}, maxFeePerGas: {transaction.max_fee},"
                f" baseFee: {base_fee}"
            )

    def _check_with_account(self, transaction: Transaction, world: World) -> None:
        sender, balance = transaction.sender, world.balance(transaction.sender)
        if transaction.nonce < world.nonce(sender):
            raise Refused(
                f"nonce too low: next nonce {world.nonce(sender)},"
                f" tx nonce {transaction.nonce}"
            )
        if balance < transaction.cost:
            raise Refused(
                f"insufficient funds for gas * price + value: balance {balance},"
                f" tx cost {transaction.cost}, overshot {transaction.cost - balance}"
            )
        waiting = self._waiting[sender]
        queued = sum(w.cost for n, w in waiting.items() if n != transaction.nonce)
        if balance < queued + transaction.cost:
            raise Refused(
                f"insufficient funds for gas * price + value: balance {balance},"
                f" queued cost {queued}, tx cost {transaction.cost},"
                f" overshot {queued + transaction.cost - balance}"
            )
        if transaction.nonce not in waiting and len(waiting) >= ACCOUNT_SLOTS:
            raise Refused("account limit exceeded")

    def _check_replacement(self, transaction: Transaction) -> None:
        old = self._waiting[transaction.sender].get(transaction.nonce)
        if old is None:
            return
        for new_fee, old_fee in (
            (transaction.max_fee, old.max_fee),
            (transaction.max_tip, old.max_tip),
        ):
            least = old_fee * (100 + PRICE_BUMP_PERCENT) // 100
            if new_fee <= old_fee or new_fee < least:
                raise Refused("replacement transaction underpriced")
