"""What a pusher knows of the chain beside its pushes: balance, fee, signers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from codec.addresses import checksum_address
from codec.chain.events import ChainEventKind
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.quantities import ether_text
from codec.errors import ChainError, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from codec.batch import Batch
    from codec.chain.events import ChainEvents
    from codec.chain.push.hindrances import Hindrances
    from codec.chain.rpc import Rpc
    from codec.chain.verifier import Verifier

__all__ = ["ChainWatch", "hindrance_of"]

FINDER, SIGNATURES = "chain", "signatures"
_SOON_S = 2.0  # while something is in the way
_SIGNED = 1
_PATIENCE_S = 1.0


def hindrance_of(error: ChainError) -> Hindrance:
    """What an error of the chain's means for who wants to push."""
    if isinstance(error, WrongChainError):
        return Hindrance.WRONG_CHAIN
    return Hindrance.NODE_AWAY if isinstance(error, NodeError) else Hindrance.FAILED


class ChainWatch:
    """Asks for the account's balance, the verifier's fee and its signers every so
    often, and at once when `look` is called.

    on_change: called where there is more balance than before, where fee or signers are
    others, and where they are known again.
    balance_wei, fee_wei: None until they are known; signers: None until then, empty
    where the contract does not say.
    """

    def __init__(
        self,
        rpc: Rpc,
        verifier: Verifier,
        account: str,
        *,
        hindrances: Hindrances,
        events: ChainEvents,
        min_balance_wei: int | None,
        look_s: float,
        clock: Callable[[], float],
        on_change: Callable[[], object],
    ) -> None:
        self.balance_wei: int | None = None
        self.fee_wei: int | None = None
        self.signers: tuple[str, ...] | None = None
        self.n_bad = 0
        self._rpc = rpc
        self._verifier = verifier
        self._account = account
        self._hindrances = hindrances
        self._events = events
        self._min_balance_wei = min_balance_wei
        self._look_s = look_s
        self._clock = clock
        self._on_change = on_change
        self._wanted = asyncio.Event()
        self._last_look_s = self._last_good_s = clock()

    def look(self) -> None:
        """Has it ask now."""
        self._wanted.set()

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            self._wanted.clear()
            balance_wei = self.balance_wei
            before = self.fee_wei, self.signers
            was_away = bool(self._hindrances.found_by(FINDER))
            found = await self._ask()
            self._last_look_s = self._clock()
            self._hindrances.set(FINDER, found, self._last_look_s)
            # Less than before is what was spent, on what may have failed.
            has_more = (self.balance_wei or 0) > (balance_wei or 0)
            is_other = before != (self.fee_wei, self.signers)
            if has_more or is_other or (was_away and not found):
                self._on_change()
            soon = self._hindrances or self.signers is None
            wait_s = min(self._look_s, _SOON_S) if soon else self._look_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _ask(self) -> dict[Hindrance, str]:
        """What is in the way, as far as the chain can say."""
        try:
            balance = await self._rpc.balance(self._account)
            await self._ask_verifier()
        except ChainError as error:
            return {hindrance_of(error): str(error)}
        self.balance_wei = balance
        least = self._min_balance_wei
        if least is None or balance >= least:
            return {}
        text = f"{self._account} has {ether_text(balance)}, needs {ether_text(least)}"
        return {Hindrance.BALANCE_LOW: text}

    async def _ask_verifier(self) -> None:
        """The fee and the signers, as far as the contract says them."""
        fee = 0
        signers: tuple[str, ...] = ()
        try:
            fee = await self._verifier.fee_wei(refresh=True)
            signers = await self._verifier.signers(refresh=True)
        except (NodeError, WrongChainError, RpcError):
            raise
        except ChainError:
            pass  # it is no verifier that could be asked
        if self.fee_wei not in (None, fee):
            text = f"the fee was {self.fee_wei:,} wei, and is {fee:,} wei"
            self._events.emit(
                ChainEventKind.FEE_CHANGED, text, before=self.fee_wei, after=fee
            )
        if self.signers not in (None, signers):
            text = f"the signers are now {', '.join(signers) or 'not told'}"
            self._events.emit(
                ChainEventKind.SIGNERS_CHANGED,
                text,
                before=self.signers,
                after=signers,
            )
        self.fee_wei, self.signers = fee, signers

    # Whose signature counts.

    def judge(self, batch: Batch) -> NDArray[np.bool_]:
        """Of each message, whether its signature is good: by one of the contract's
        signers, and where the feed has signers of its own also by those.

        While the contract's are not known, the feed's decide; without either none is.
        """
        good: NDArray[np.bool_] | None = batch.verified
        if self.signers:
            by_contract = batch.verify(self.signers)
            good = by_contract if good is None else good & by_contract
        if good is None:
            good = np.zeros(batch.n_messages, bool)
        good = good & (batch.messages["kind"] == _SIGNED)
        self._note(batch, good)
        return good

    def _note(self, batch: Batch, good: NDArray[np.bool_]) -> None:
        """Counts what is bad, and asks who signs now where nothing is good any more."""
        now_s = self._clock()
        self.n_bad += batch.n_messages - int(np.count_nonzero(good))
        if good.any():
            self._last_good_s = now_s
            if self._hindrances.found_by(SIGNATURES):
                self._hindrances.set(SIGNATURES, {}, now_s)
            return
        if self.signers is None:
            return
        if now_s - self._last_look_s >= _PATIENCE_S:
            self.look()
        if now_s - self._last_good_s >= _PATIENCE_S:
            found = {Hindrance.SIGNER_UNKNOWN: self._bad_text(batch)}
            self._hindrances.set(SIGNATURES, found, now_s)

    def _bad_text(self, batch: Batch) -> str:
        if not (batch.messages["kind"] == _SIGNED).any():
            return "messages are not signed"
        if not self.signers:
            return "the contract does not say who its signers are: tell the feed's"
        signed = batch.select(batch.messages["kind"] == _SIGNED)
        signer = signed.recover()[-1]
        by = "nobody" if signer["status"] else checksum_address(signer["address"])
        return f"messages are signed by {by}; the contract takes {self.signers[0]}" + (
            f" and {len(self.signers) - 1} more" if len(self.signers) > 1 else ""
        )
