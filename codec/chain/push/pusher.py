"""`Pusher`: prices in from a feed, and out to a contract as transactions."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from codec.chain.push.budget import Budget
from codec.chain.push.feed import FeedReading
from codec.chain.push.hindrances import Hindrance, Hindrances, Obstacle
from codec.chain.push.ledger import GOOD, Ledger
from codec.chain.push.sending import Result, Sending
from codec.chain.push.state import (
    AssetStatus,
    Push,
    PusherState,
    PushState,
    Status,
)
from codec.chain.push.tracking import Candidate, Tracker
from codec.chain.push.voice import Voice
from codec.chain.push.watch import FINDER as CHAIN
from codec.chain.push.watch import ChainWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from codec.batch import Batch
    from codec.chain.push.feed import FeedSource
    from codec.chain.push.rules import Rules, Trigger
    from codec.chain.submitter import Submitter
    from codec.feeds.fast import FastFeed
    from codec.taxonomy import Taxonomy

__all__ = ["Pusher"]

_AGAIN_S = (1.0, 15.0)
_SENDING, _PARTS = "sending", "parts"
_logger = logging.getLogger("codec.chain")


class Pusher:
    """Pushes a feed's signed payloads to a contract, as its assets' rules say.

    feed: a FastFeed that is not open, or a function that makes one, so that one that
    has failed for good can be made anew. submitter: an open one; it says to which
    contract, from which account, and what it may cost. rules: of the assets. taxonomy:
    names them in texts.

    One payload is out at a time; meanwhile of each asset only the newest is kept. Only
    messages count that are signed by the contract's signers, read from the chain (and
    by the feed's, where it has some). window_s: how long to wait after the first
    trigger for others, that the same payload may serve. budget: what may be spent in an
    hour; a push that may cost more than is left waits. min_balance_wei: with less the
    account does not push. dry_run: all but sending; what would be sent counts as
    pushed, and its highest cost as spent.

    What is in the way (docs/push.md) is an event, waited for, and an event again when
    it is over. look_s: between looks at balance, fee and signers. silence_s: how long
    the feed may give nothing. end_s: how long `run` waits at the end for what is out.
    clock: seconds that never go back.
    """

    def __init__(
        self,
        feed: FeedSource,
        submitter: Submitter,
        rules: Rules,
        *,
        taxonomy: Taxonomy | None = None,
        budget: Budget | None = None,
        window_s: float = 0.0,
        min_balance_wei: int | None = None,
        dry_run: bool = False,
        look_s: float = 15.0,
        silence_s: float = 30.0,
        end_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if min(look_s, silence_s) <= 0 or min(window_s, end_s) < 0:
            raise ValueError("look_s and silence_s are above 0, others not below")
        self.rules = rules
        self.events = submitter.events
        self.dry_run = dry_run
        self.budget = Budget() if budget is None else budget
        self._voice = Voice(submitter.events, taxonomy)
        self._window_s = window_s
        self._end_s = end_s
        self._clock = clock
        self._lock = Lock()  # for those who look from another thread
        self._tracker = Tracker(rules)
        self._hindrances = Hindrances(self._told)
        self._sending = Sending(
            submitter,
            self.budget,
            dry_run=dry_run,
            clock=clock,
            on_unresolved=self._unresolved,
        )
        self._watch = ChainWatch(
            submitter.rpc,
            submitter.verifier,
            submitter.wallet.address,
            hindrances=self._hindrances,
            events=self.events,
            min_balance_wei=min_balance_wei,
            look_s=look_s,
            clock=clock,
            on_change=self._try_now,
        )
        self._reading = FeedReading(
            feed,
            self._take,
            hindrances=self._hindrances,
            silence_s=silence_s,
            clock=clock,
        )
        self._state = PusherState.STARTING
        self._ledger = Ledger()
        self._triggered_s: float | None = None
        self._try_at_s = 0.0
        self._again_s = _AGAIN_S[0]
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()

    @property
    def feed(self) -> FastFeed:
        """The feed that is read now."""
        return self._reading.feed

    @property
    def unresolved(self) -> Push | None:
        """What was out when the end came, and is not known to be on the chain."""
        return self._ledger.out

    def __repr__(self) -> str:
        dry = ", dry run" if self.dry_run else ""
        return f"<Pusher: {len(self.rules)} assets, {self._state}{dry}>"

    def status(self) -> Status:
        """All of it at this moment; from any thread."""
        with self._lock:
            now_s, tracker = self._clock(), self._tracker
            assets = tuple(
                AssetStatus(
                    asset_id,
                    rule,
                    tracker.newest(asset_id),
                    tracker.confirmed(asset_id),
                    self._ledger.n_by_asset[asset_id],
                )
                for asset_id, rule in self.rules.items()
            )
            return Status(
                state=self._state,
                now_s=now_s,
                obstacles=self._hindrances.now,
                assets=assets,
                pushes=self._ledger.last,
                counts=dict(self._ledger.counts),
                balance_wei=self._watch.balance_wei,
                fee_wei=self._watch.fee_wei,
                signers=self._watch.signers or (),
                spent_wei=self.budget.spent_wei(now_s),
                total_wei=self.budget.total_wei,
                max_wei_per_hour=self.budget.max_wei_per_hour,
                n_messages=self._reading.n_messages,
                n_bad=self._watch.n_bad,
            )

    # Life.

    async def run(self) -> None:
        """Pushes until `stop`, or until the feed is closed.

        Then it waits `end_s` for what is out; `unresolved` is what it did not see the
        end of. Raises FeedError where the feed has failed and cannot be made anew.
        """
        if self._state is not PusherState.STARTING:
            raise RuntimeError("a pusher runs once")
        reading = asyncio.create_task(self._reading.run())
        others = [
            asyncio.create_task(self._kept_up(self._watch.run)),
            asyncio.create_task(self._push()),
        ]
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({reading, ending}, return_when="FIRST_COMPLETED")
        finally:
            self._ending.set()
            self._wake.set()
            for task in (reading, others[0], ending):
                task.cancel()
            self._set_state(PusherState.ENDING)
            try:
                await asyncio.wait({others[1]}, timeout=self._end_s)
            finally:
                others[1].cancel()
                await asyncio.gather(reading, *others, ending, return_exceptions=True)
                self._say_end()
        if not reading.cancelled() and (error := reading.exception()):
            raise error

    def stop(self) -> None:
        """Has `run` end; from its loop's thread."""
        self._ending.set()

    async def _kept_up(
        self, part: Callable[[], Coroutine[object, object, None]]
    ) -> None:
        """Runs a part again whenever it fails in a way that nobody foresaw."""
        while True:
            try:
                return await part()
            except Exception as error:
                self._fail(_PARTS, error)
            await asyncio.sleep(_AGAIN_S[0])

    def _fail(self, finder: str, error: Exception) -> None:
        _logger.exception("a pusher's part failed")
        what = f"{type(error).__name__}: {error}"
        self._hindrances.set(finder, {Hindrance.FAILED: what}, self._clock())

    def _say_end(self) -> None:
        if self._ledger.out is not None and self._sending.cancel():
            self._ledger.out = None  # nobody has it
        if self._ledger.out is not None:
            hashes = self._sending.hashes
            self._ledger.out = replace(
                self._ledger.out, state=PushState.UNRESOLVED, hashes=hashes
            )
            self._voice.unresolved(hashes)
        self._set_state(PusherState.ENDED)

    # In.

    def _take(self, batch: Batch) -> int:
        good = self._watch.judge(batch)
        with self._lock:
            n = self._tracker.observe(batch, good, self._clock())
        if n:
            self._voice.taxonomy_id = self._tracker.taxonomy_id
            self._wake.set()
        return n

    def _try_now(self) -> None:
        """Something has changed on the chain: what failed may go now."""
        self._try_at_s = 0.0
        self._wake.set()

    def _told(self, obstacle: Obstacle, lasted_s: float | None) -> None:
        """An obstacle has come, or gone."""
        self._voice.obstacle(obstacle, lasted_s)
        self._wake.set()

    # Out.

    async def _push(self) -> None:
        while not self._ending.is_set():
            self._wake.clear()
            try:
                await self._step()
            except Exception as error:
                self._fail(_SENDING, error)
                self._wait_again()

    async def _step(self) -> None:
        """One look at what is to be done, and that."""
        now_s = self._clock()
        if self._hindrances.found_by(CHAIN) or now_s < self._try_at_s:
            self._set_state(PusherState.WAITING)
            left_s = self._try_at_s - now_s
            await self._woken(left_s if left_s > 0 else None)
            return
        with self._lock:
            triggers = self._tracker.triggers(now_s)
            due_s = self._tracker.due_s()
        if not triggers:
            self._triggered_s = None
            self._set_state(PusherState.WATCHING)
            await self._woken(None if due_s is None else max(due_s - now_s, 0.001))
            return
        if self._triggered_s is None:
            self._triggered_s = now_s
        left_s = self._triggered_s + self._window_s - now_s
        if left_s > 0:
            self._set_state(PusherState.COLLECTING)
            await self._woken(left_s)
            return
        self._triggered_s = None
        with self._lock:
            chosen = self._tracker.choose(triggers, now_s)
        if chosen is not None:
            await self._attempt(*chosen)

    async def _woken(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _attempt(
        self, candidate: Candidate, triggers: tuple[Trigger, ...]
    ) -> None:
        """One push, from the choice to its end."""
        self._set_state(PusherState.PUSHING)
        begin_s = self._clock()
        reasons = {t.asset_id: str(t) for t in triggers}
        with self._lock:
            self._ledger.out = Push(time.time_ns(), candidate.timestamp_ns, reasons)
            self._tracker.sent(candidate)
        self._voice.chosen(reasons, candidate.timestamp_ns)
        try:
            result = await self._sending.send(candidate.payload)
        except Exception as error:
            self._fail(_PARTS, error)
            result = Result(PushState.FAILED, f"{type(error).__name__}: {error}")
        self._settle(candidate, result, self._clock() - begin_s)

    def _unresolved(self, text: str) -> None:
        """A push is out, and nobody knows for how long."""
        found = {Hindrance.UNRESOLVED: text}
        self._hindrances.set(_SENDING, found, self._clock())

    def _settle(self, candidate: Candidate, result: Result, took_s: float) -> None:
        now_s = self._clock()
        is_good = result.state in GOOD
        with self._lock:
            assert self._ledger.out is not None
            push = replace(
                self._ledger.out,
                state=result.state,
                reason=result.reason,
                hashes=result.hashes,
                cost_wei=result.cost_wei,
                took_s=took_s,
            )
            self._tracker.settled(candidate, is_confirmed=is_good)
            self._ledger.end(push)
            if not self.dry_run or is_good:
                self.budget.spend(push.cost_wei, now_s)
        self._hindrances.set(_SENDING, result.found, now_s)
        self._voice.ended(push)
        if is_good:
            self._hindrances.set(_PARTS, {}, now_s)
            self._again_s = _AGAIN_S[0]
        else:
            self._wait_again(result.free_s)
            self._watch.look()

    def _wait_again(self, free_s: float | None = None) -> None:
        """The next attempt is after a while, that grows from time to time."""
        self._try_at_s = self._clock() + self._again_s
        if free_s is not None:
            at_most = self._clock() + _AGAIN_S[1]
            self._try_at_s = max(self._try_at_s, min(free_s, at_most))
        self._again_s = min(2 * self._again_s, _AGAIN_S[1])

    def name(self, asset_id: int) -> str:
        """An asset's symbol, or its id."""
        return self._voice.name(asset_id)

    def _set_state(self, state: PusherState) -> None:
        if state is self._state:
            return
        before, self._state = self._state, state
        self._voice.state(state, before)
