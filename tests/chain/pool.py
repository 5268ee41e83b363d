"""A pool and a chain as the protocol sees them, without I/O, and a desk before them."""

from __future__ import annotations

from dataclasses import dataclass, field

from codec.chain.fees import FeePolicy, Fees, bump
from codec.chain.nonces import Nonces
from codec.chain.sending import SendVerdict
from codec.chain.siblings import Action, End, Facts, Head, Limits, Receipt, Sibling
from codec.chain.tracking import Track

LIMITS = Limits(confirmations=3, replace_after_s=60, deadline_s=600)
OFFER = Fees(100, 100)


@dataclass(frozen=True)
class Transaction:
    """Of our account; payload: None for a transfer to oneself, -1 for a stranger's."""

    nonce: int
    payload: int | None
    hash: str
    price: int


@dataclass
class Pool:
    """Takes, drops, replaces and mines transactions by geth's rules."""

    blocks: list[list[Transaction]] = field(default_factory=lambda: [[], [], []])
    waiting: dict[int, Transaction] = field(default_factory=dict)
    seen: set[Transaction] = field(default_factory=set)
    n_forks: int = 0
    height: int = 2  # the greatest so far

    @property
    def mined(self) -> list[Transaction]:
        return [transaction for block in self.blocks for transaction in block]

    def take(self, sent: Transaction) -> SendVerdict:
        if sent in self.mined or sent in self.waiting.values():
            self.seen.add(sent)
            return SendVerdict.TAKEN
        if sent.nonce < len(self.mined):
            return SendVerdict.NONCE_TOO_LOW
        other = self.waiting.get(sent.nonce)
        if other is not None and sent.price * 10 < other.price * 11:
            return SendVerdict.REPLACEMENT_UNDERPRICED
        self.waiting[sent.nonce] = sent
        self.seen.add(sent)
        return SendVerdict.TAKEN

    def mine(self, most: int = 100) -> None:
        block: list[Transaction] = []
        while len(block) < most:
            taken = self.waiting.pop(len(self.mined) + len(block), None)
            if taken is None:
                break
            block.append(taken)
        self.blocks.append(block)
        self.height = max(self.height, len(self.blocks) - 1)

    def mine_stranger(self) -> None:
        """Somebody else with the key is first."""
        nonce = len(self.mined)
        self.waiting.pop(nonce, None)
        self.blocks.append([Transaction(nonce, -1, f"stranger {nonce}", 0)])
        self.height = max(self.height, len(self.blocks) - 1)

    def reorganise(self, *, are_kept: bool) -> None:
        """Takes the newest block away, if nothing in it counts as confirmed."""
        if len(self.blocks) - 1 <= self.height - LIMITS.confirmations + 1:
            return
        self.n_forks += 1
        for transaction in self.blocks.pop():
            if are_kept and transaction.payload != -1:
                self.waiting[transaction.nonce] = transaction

    def head(self) -> Head:
        number = len(self.blocks) - 1
        settled = self.blocks[: max(number - LIMITS.confirmations + 1, 0) + 1]
        return Head(
            number,
            self._hash(number),
            len(self.mined),
            sum(len(block) for block in settled),
        )

    def look(self, hashes: tuple[str, ...]) -> Facts:
        receipts = tuple(
            Receipt(transaction.hash, number, self._hash(number), True, 21_000, 1)
            for number, block in enumerate(self.blocks)
            for transaction in block
            if transaction.hash in hashes
        )
        waiting = {each.hash for each in self.waiting.values()}
        known = waiting | {receipt.hash for receipt in receipts}
        return Facts(receipts, frozenset(known & set(hashes)))

    def _hash(self, number: int) -> str:
        return f"{number}:{self.n_forks}:{[t.hash for t in self.blocks[number]]}"


@dataclass
class Desk:
    """The rules of `codec.chain.desk` about nonces, over a pool."""

    pool: Pool = field(default_factory=Pool)
    nonces: Nonces = field(default_factory=Nonces)
    now: float = 0.0
    head: Head | None = None
    tracks: dict[Track, int | None] = field(default_factory=dict)
    outcomes: dict[int, list[str]] = field(default_factory=dict)
    made: dict[str, Transaction] = field(default_factory=dict)

    def open(self, payload: int | None) -> None:
        track = Track(self.nonces.take(), LIMITS, self.now)
        self.tracks[track] = payload
        if payload is not None:
            self.outcomes[payload] = []
        self._add(track, OFFER, has_payload=payload is not None)

    def _add(self, track: Track, fees: Fees, *, has_payload: bool) -> None:
        payload = self.tracks[track] if has_payload else None
        name = f"{track.nonce}, payload {payload}, {len(self.made)}"
        made = Transaction(track.nonce, payload, name, fees.per_gas)
        self.made[name] = made
        sibling = Sibling(name, b"", fees, has_payload=has_payload)
        track.add(sibling, self.now)

    def step(self, track: Track, verdict: SendVerdict | None, *, arrives: bool) -> bool:
        """One action; whether there was any. verdict: None for the pool's own."""
        action = track.next(self.head, self.now)
        payload = self.tracks[track]
        if track.is_overdue and payload is not None and not self.outcomes[payload]:
            self.outcomes[payload].append("unresolved")
        if action is Action.STOP:
            self._settle(track)
        elif action is Action.SEND:
            sibling = track.to_send
            track.sending()
            said = self.pool.take(self.made[sibling.hash]) if arrives else None
            track.sent(sibling, verdict or said or SendVerdict.UNCLEAR, "", self.now)
        elif action is Action.LOOK:
            facts = self.pool.look(track.hashes) if arrives else None
            track.looked(facts, self.head, self.now)
        elif action in (Action.RAISE, Action.FREE):
            is_free = action is Action.FREE or not track.newest.has_payload
            fees = bump(track.newest.fees, OFFER, FeePolicy(max_fee_per_gas_wei=10**5))
            if fees is None:
                track.not_raised("the caps", self.now)
            else:
                self._add(track, fees, has_payload=not is_free)
        return action is not Action.WAIT

    def refresh(self) -> None:
        self.head = self.pool.head()
        self.nonces.learn(self.head.nonce)

    def mend(self) -> None:
        count = len(self.pool.mined)
        while count in self.pool.waiting:
            count += 1
        self.nonces.reclaim(count)
        if self.nonces.hole() is not None:
            self.open(None)

    def _settle(self, track: Track) -> None:
        payload = self.tracks.pop(track)
        if payload is not None and not self.outcomes[payload]:
            self.outcomes[payload].append(str(track.end))
        if track.end is End.REFUSED:
            self.nonces.give_back(track.nonce)
            if self.head is not None:
                self.nonces.learn(self.head.nonce)
        else:
            self.nonces.finish(track.nonce)
