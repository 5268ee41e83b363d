"""Which nonces of an account are out, which came back, and which one is next."""

from __future__ import annotations

import heapq

__all__ = ["Nonces"]


class Nonces:
    """Hands out an account's nonces, each to one holder at a time.

    A nonce is out from `take` until `finish` (the chain has it) or `give_back` (nobody
    ever got a transaction with it). One that came back is the next to be handed out, so
    that no transaction waits for one that will never come.
    """

    def __init__(self, count: int = 0) -> None:
        self._next = count
        self._free: list[int] = []
        self._out: set[int] = set()

    @property
    def out(self) -> frozenset[int]:
        """Those that are out."""
        return frozenset(self._out)

    @property
    def next(self) -> int:
        """The one that `take` would give."""
        return self._free[0] if self._free else self._next

    def take(self) -> int:
        """The lowest that is free."""
        nonce = heapq.heappop(self._free) if self._free else self._next
        self._next = max(self._next, nonce + 1)
        self._out.add(nonce)
        return nonce

    def give_back(self, nonce: int) -> None:
        """It was never used, and nobody has a transaction with it."""
        self._out.remove(nonce)
        heapq.heappush(self._free, nonce)
        while self._free and self._next - 1 in self._free:
            self._next -= 1
            self._free.remove(self._next)
        heapq.heapify(self._free)

    def finish(self, nonce: int) -> None:
        """It was used, by whomever."""
        self._out.remove(nonce)

    def learn(self, count: int) -> bool:
        """Leaves out what the chain says is used up: `count` is its next one.

        Whether others used any that were not out.
        """
        foreign = [nonce for nonce in self._free if nonce < count]
        is_foreign = bool(foreign) or count > self._next
        self._free = [nonce for nonce in self._free if nonce >= count]
        heapq.heapify(self._free)
        self._next = max(self._next, count)
        return is_foreign

    def restart(self, count: int) -> None:
        """Begins anew at a count of the chain, which may be lower; none may be out."""
        assert not self._out
        self._next = count
        self._free = []

    def n_below(self, count: int) -> int:
        """How many the chain, at that count, still wants before any that is known.

        They are somebody else's that wait, or were used in blocks that are no more.
        """
        return max(min(self._out | set(self._free)) - count, 0) if self._out else 0

    def reclaim(self, count: int) -> None:
        """Takes them back: nobody has them."""
        self._free = [*range(count, count + self.n_below(count)), *self._free]
        heapq.heapify(self._free)

    def hole(self) -> int | None:
        """The lowest free one that a higher one waits for, which is out."""
        if self._free and self._out and self._free[0] < max(self._out):
            return self._free[0]
        return None
