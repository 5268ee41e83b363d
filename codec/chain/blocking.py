"""A Submitter for scripts without asyncio: the same one, on a thread of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from codec.errors import ChainError
from codec.loopthread import LoopThread

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from codec.chain.aggregator import PriceUpdates
    from codec.chain.calldata import Payload
    from codec.chain.order import Order
    from codec.chain.submission import Outcome
    from codec.chain.submitter import Submitter

__all__ = ["BlockingSubmitter"]


class BlockingSubmitter:
    """What `with submitter as ...` gives: `send` waits for the outcome.

    What was sent is followed while the program does other things. `submitter` is the
    Submitter itself, for `events` and `pending`. Leaving closes its Rpc too, whose
    connections belong to the thread.
    """

    def __init__(self, submitter: Submitter) -> None:
        self.submitter = submitter
        self._thread: LoopThread | None = None

    def open(self) -> Self:
        """Starts the thread, and opens the Submitter on it."""
        self._thread = LoopThread("codec.chain").start(self._opened())
        return self

    def close(self) -> None:
        """Closes the Submitter and its Rpc, and ends the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                thread.call(self._closed())
            finally:
                thread.stop()

    def send(self, payload: Payload | PriceUpdates | Order[Any]) -> Outcome:
        """What became of a payload, or of what else a Submitter sends.

        Interrupted by Ctrl-C, it is not sent if it was not yet; else
        `submitter.pending` has it.
        """
        outcome: Outcome = self.call(self.submitter.send(payload))
        return outcome

    def send_many(
        self, payloads: Iterable[Payload | PriceUpdates | Order[Any]]
    ) -> list[Outcome]:
        """What became of each of them; all are under way at once."""
        outcomes: list[Outcome] = self.call(self._send_all(list(payloads)))
        return outcomes

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Waits for a coroutine on the Submitter's thread."""
        if self._thread is None:
            work.close()
            raise ChainError("the submitter is not open: use `with`")
        return self._thread.call(work)

    async def _opened(self) -> None:
        await self.submitter.rpc.__aenter__()
        await self.submitter.__aenter__()

    async def _closed(self) -> None:
        try:
            await self.submitter.aclose()
        finally:
            await self.submitter.rpc.aclose()

    async def _send_all(
        self, payloads: list[Payload | PriceUpdates | Order[Any]]
    ) -> list[Outcome]:
        # All are submitted in the given order, or none if one of them is no payload.
        orders = [self.submitter.order(payload) for payload in payloads]
        submissions = [self.submitter.submit(order) for order in orders]
        try:
            return [await submission for submission in submissions]
        except asyncio.CancelledError:
            for submission in submissions:
                submission.cancel()
            raise
