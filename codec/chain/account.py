"""An account's nonces and what is out with them: taken, followed, freed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from codec.chain.events import ChainEventKind
from codec.chain.fees import quote
from codec.chain.following import Draft, Follower, transfer_to_oneself
from codec.chain.nonces import Nonces
from codec.chain.siblings import End
from codec.chain.tracking import Track
from codec.chain.watching import Heads, Signal
from codec.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from codec.chain.events import ChainEvents
    from codec.chain.fees import FeePolicy, Fees
    from codec.chain.rpc import Rpc
    from codec.chain.siblings import Head, Limits
    from codec.chain.wallet import Wallet

__all__ = ["Account"]

_N_RESTART_LOOKS = 3
# More than a reorganisation takes away: somebody ought to look at that.
_MOST_RECLAIMED = 16


class Account:
    """One account: hands out its nonces, and sees to it that none holds up others.

    lock: to be held while a nonce is taken. n_coming: how many are about to take one,
    set by who does. ended: given whenever a nonce has come to its end.
    """

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        *,
        policy: FeePolicy,
        limits: Limits,
        events: ChainEvents,
    ) -> None:
        self.heads = Heads(rpc, wallet.address, limits, self._on_head)
        self.follower = Follower(
            rpc,
            wallet,
            self.heads,
            policy=policy,
            limits=limits,
            events=events,
            clock=time.monotonic,
        )
        self.lock = asyncio.Lock()
        self.n_coming = 0
        self.ended = Signal()
        self._rpc = rpc
        self._address = wallet.address
        self._policy = policy
        self._limits = limits
        self._events = events
        self._nonces = Nonces()
        self._is_counted = False
        self._is_resting = False  # no hole is filled for a while
        self._stranded_since: float | None = None
        self._drafts: dict[Track, Draft] = {}  # of what is out
        self._fillers: set[asyncio.Task[None]] = set()
        self._poller = asyncio.create_task(self.heads.run())

    async def close(self) -> None:
        """Follows nothing more. Whoever calls `follow` is waited for before."""
        tasks = [self._poller, *self._fillers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def promised_wei(self) -> int:
        """The most that what is out, and not mined, may cost."""
        return sum(
            draft.cost_wei(track.newest.fees)
            for track, draft in self._drafts.items()
            if track.receipt is None
        )

    async def take(self, draft: Draft, fees: Fees, deadline: float | None) -> Track:
        """A nonce with its first transaction, to be followed at once.

        The lock is held by the caller. deadline: of `time.monotonic`, None for that of
        the limits.
        """
        if not self._nonces.out:
            await self._count()
        return self._open(draft, fees, deadline)

    async def follow(
        self, track: Track, tell: Callable[[], None], **place: object
    ) -> Draft:
        """Until its end, or that of the Submitter; what its transactions are."""
        draft = self._drafts[track]
        try:
            await self.follower.follow(track, draft, tell, **place)
        finally:
            self._settle(track)
        return draft

    async def _count(self) -> None:
        """Learns from the chain which nonce is next, while none is out.

        A lower one than before is believed only if it stays: a node may lag behind.
        """
        count = await self._ask_count()
        for _ in range(_N_RESTART_LOOKS):
            if not self._is_counted or count >= self._nonces.next:
                break
            await asyncio.sleep(self._limits.poll_s)
            count = await self._ask_count()
        self._nonces.restart(count)
        self._is_counted = True

    async def _ask_count(self) -> int:
        """With those that wait; some nodes' count of these lags behind the mined."""
        nonce, address = self._rpc.nonce, self._address
        return max(await asyncio.gather(nonce(address, "pending"), nonce(address)))

    def _open(self, draft: Draft, fees: Fees, deadline: float | None) -> Track:
        nonce = self._nonces.take()
        now = time.monotonic()
        track = Track(nonce, self._limits, now, deadline)
        try:
            sibling = self.follower.sign(draft, nonce, fees, draft.value_wei)
        except BaseException:
            self._nonces.give_back(nonce)
            raise
        track.add(sibling, now)
        self._drafts[track] = draft
        return track

    def _settle(self, track: Track) -> None:
        """Does with the nonce what the track's end says; without one it stays out."""
        if track.end is None:
            return
        del self._drafts[track]
        if track.end is End.REFUSED:
            self._nonces.give_back(track.nonce)
            if self.heads.newest is not None:
                self._nonces.learn(self.heads.newest.nonce)
        else:
            self._nonces.finish(track.nonce)
        self.ended.give()
        self.mend()

    def _on_head(self, head: Head) -> None:
        self._nonces.learn(head.nonce)
        self._is_stranded(head)
        self.mend()

    def _is_stranded(self, head: Head) -> None:
        """Has nonces taken back that strangers used in blocks that are no more."""
        if not 0 < self._nonces.n_below(head.nonce) <= _MOST_RECLAIMED:
            self._stranded_since = None
            return
        now = time.monotonic()
        if self._stranded_since is None:
            self._stranded_since = now
        elif now - self._stranded_since >= self._limits.replace_after_s:
            self._stranded_since = None
            self._fill_by(self._reclaim())

    async def _reclaim(self) -> None:
        """Unless the strangers' transactions wait to be mined again."""
        try:
            count = await self._rpc.nonce(self._address, "pending")
        except ChainError:
            return  # it is seen again
        if self._nonces.n_below(count) <= _MOST_RECLAIMED:
            self._nonces.reclaim(count)
            self.mend()

    def _fill_by(self, work: Coroutine[Any, Any, None]) -> None:
        filler = asyncio.create_task(work)
        self._fillers.add(filler)
        filler.add_done_callback(self._fillers.discard)

    def mend(self) -> None:
        """Fills a hole before nonces that are out, if nobody is about to take it."""
        if self.follower.is_closing or self.n_coming or self.lock.locked():
            return
        if self._nonces.hole() is not None and not self._is_resting:
            self._fill_by(self._fill())

    async def _fill(self) -> None:
        async with self.lock:
            if self._nonces.hole() is None or self.n_coming:
                return
            try:
                fees = await quote(self._rpc, self._policy)
                if self._nonces.hole() is None:
                    return
                draft = transfer_to_oneself(self._address)
                track = self._open(draft, fees, None)
            except ChainError:
                self._fill_later()
                return
        text = f"nonce {track.nonce}: nobody has it, and later ones are out"
        kind = ChainEventKind.NONCE_REPAIRED
        self._events.emit(kind, text, place=track.newest.hash, nonce=track.nonce)
        try:
            await self.follower.follow(track, draft, lambda: None, nonce=track.nonce)
        finally:
            if track.end is End.REFUSED:
                self._fill_later()
            self._settle(track)

    def _fill_later(self) -> None:
        """Leaves the hole alone for a while: what failed now would fail again."""
        self._is_resting = True
        pause_s = self._limits.long_pause_s()
        asyncio.get_running_loop().call_later(pause_s, self._fill_again)

    def _fill_again(self) -> None:
        self._is_resting = False
        self.mend()
