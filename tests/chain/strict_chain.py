"""Blocks, mined when they are asked for, and what the world was after each."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from strict_pool import Pool
from strict_transactions import Refused, Transaction
from strict_world import Result, World

import codec

GAS_LIMIT = 30_000_000
ELASTICITY, CHANGE_DENOMINATOR = 2, 8
FIRST_BASE_FEE = 10**9


@dataclass
class Block:
    """A block and what became of its transactions. base_fee: 0 before London."""

    number: int
    parent_hash: str
    timestamp: int
    base_fee: int
    salt: int
    transactions: list[Transaction] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def gas_used(self) -> int:
        return sum(result.gas_used for result in self.results)

    @property
    def hash(self) -> str:
        parts = [self.parent_hash, str(self.number), str(self.salt), str(self.base_fee)]
        parts += [transaction.hash for transaction in self.transactions]
        return "0x" + codec.keccak256("/".join(parts).encode()).hex()


class Chain:
    """A chain of one miner, whose blocks can be taken back.

    balances: of its accounts at the beginning. The clock goes on by a second a block.
    """

    def __init__(
        self, chain_id: int, balances: dict[str, int], has_base_fee: bool, pool: Pool
    ) -> None:
        self.chain_id = chain_id
        self.has_base_fee = has_base_fee
        self.pool = pool
        self._balances = balances
        self._changes: list[tuple[int, str, int]] = []
        self._salt = 0
        self._forced_base_fee: int | None = None
        first_fee = FIRST_BASE_FEE if has_base_fee else 0
        self.blocks = [Block(0, "0x" + "00" * 32, int(time.time()), first_fee, 0)]
        self.world = World(balances)

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def next_base_fee(self) -> int:
        """That of the block to come, from how full the newest one is (EIP-1559)."""
        if self._forced_base_fee is not None or not self.has_base_fee:
            return self._forced_base_fee or 0
        target = GAS_LIMIT // ELASTICITY
        base_fee, over = self.head.base_fee, self.head.gas_used - target
        change = base_fee * abs(over) // target // CHANGE_DENOMINATOR
        return base_fee + max(change, 1) if over > 0 else base_fee - change

    def set_base_fee(self, wei: int) -> None:
        """Of the next block; those after it follow from it."""
        assert self.has_base_fee
        self._forced_base_fee = wei

    def set_balance(self, address: str, wei: int) -> None:
        self._changes.append((self.head.number, address, wei))
        self.world.set_balance(address, wei)

    def mine(self, *, is_empty: bool = False) -> Block:
        """The next block, with what waits and fits, or with nothing."""
        head = self.head
        block = Block(
            head.number + 1,
            head.hash,
            head.timestamp + 1,
            self.next_base_fee,
            self._salt,
        )
        if not is_empty:
            self.pool.take(self.world, block.base_fee, self._runner(block))
        self._forced_base_fee = None
        self.blocks.append(block)
        return block

    def reorg(self, depth: int, *, returns: bool = True) -> None:
        """Puts as many other, empty blocks in the place of the newest `depth`.

        returns: whether their transactions wait again, or are forgotten.
        """
        assert 0 < depth < len(self.blocks)
        dropped = self.blocks[-depth:]
        del self.blocks[-depth:]
        self._changes = [c for c in self._changes if c[0] <= self.head.number]
        self.world = self._replayed(self.head.number)
        self._salt += 1
        for _ in range(depth):
            self.mine(is_empty=True)
        for block in dropped if returns else []:
            for transaction in block.transactions:
                self._give_back(transaction)

    def world_at(self, number: int) -> World:
        """The world after a block: the newest one's itself, else one made anew."""
        return self.world if number == self.head.number else self._replayed(number)

    def _replayed(self, number: int) -> World:
        world = World(self._balances)
        for block in self.blocks[: number + 1]:
            for transaction in block.transactions:
                self._apply(world, block, transaction)
            for at, address, wei in self._changes:
                if at == block.number:
                    world.set_balance(address, wei)
        return world

    def find(self, digest: str) -> tuple[Block, int] | None:
        """The block of a mined transaction, and its place there."""
        for block in self.blocks:
            for i, transaction in enumerate(block.transactions):
                if transaction.hash == digest:
                    return block, i
        return None

    def _runner(self, block: Block) -> Callable[[Transaction], int]:
        def run(transaction: Transaction) -> int:
            result = self._apply(self.world, block, transaction)
            block.transactions.append(transaction)
            block.results.append(result)
            return result.gas_used

        return run

    @staticmethod
    def _apply(world: World, block: Block, transaction: Transaction) -> Result:
        return world.apply(transaction, block.number, block.timestamp, block.base_fee)

    def _give_back(self, transaction: Transaction) -> None:
        with suppress(Refused):
            self.pool.add(transaction, self.world, self.next_base_fee)
