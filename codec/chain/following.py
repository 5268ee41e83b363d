"""Carries out what a nonce's Track asks for, until it has its end."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codec.chain.events import ChainEventKind
from codec.chain.fees import bump, quote
from codec.chain.reverts import revert_of
from codec.chain.sending import SendVerdict
from codec.chain.siblings import Action, Sibling
from codec.chain.watching import broadcast, look
from codec.errors import ChainError, RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.chain.events import ChainEvents
    from codec.chain.fees import FeePolicy, Fees
    from codec.chain.order import Order
    from codec.chain.reverts import Revert
    from codec.chain.rpc import Rpc
    from codec.chain.siblings import Limits
    from codec.chain.tracking import Track
    from codec.chain.wallet import Wallet
    from codec.chain.watching import Heads

__all__ = ["Draft", "Follower", "transfer_to_oneself"]

TRANSFER_GAS = 21_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What the transactions of a nonce have in common, if they carry the payload.

    order: what is sent with them, None for a transfer.
    """

    to: str
    data: bytes
    gas: int
    value_wei: int
    order: Order[Any] | None = None

    @property
    def has_payload(self) -> bool:
        """Whether they are for more than to free the nonce."""
        return self.order is not None

    def cost_wei(self, fees: Fees) -> int:
        """The most that it can cost."""
        return self.gas * fees.per_gas + self.value_wei


def transfer_to_oneself(address: str) -> Draft:
    """What frees a nonce: it moves nothing, and costs the least gas there is."""
    return Draft(address, b"", TRANSFER_GAS, 0)


class Follower:
    """The hands of all Tracks of one account: signs, sends, looks, waits."""

    def __init__(
        self,
        rpc: Rpc,
        wallet: Wallet,
        heads: Heads,
        *,
        policy: FeePolicy,
        limits: Limits,
        events: ChainEvents,
        clock: Callable[[], float],
    ) -> None:
        self._rpc = rpc
        self._wallet = wallet
        self._heads = heads
        self._policy = policy
        self._limits = limits
        self._events = events
        self._clock = clock
        self.is_closing = False

    def sign(self, draft: Draft, nonce: int, fees: Fees, value_wei: int) -> Sibling:
        """A transaction, with its hash known before anybody sees it."""
        transaction = {
            "chainId": self._rpc.chain_id,
            "nonce": nonce,
            "to": draft.to,
            "value": value_wei,
            "gas": draft.gas,
            "data": draft.data,
            **fees.fields(),
        }
        if not fees.is_legacy:
            transaction["type"] = 2
        raw, digest = self._wallet.sign(transaction)
        hash_text = "0x" + digest.hex()
        return Sibling(hash_text, raw, fees, value_wei, draft.has_payload)

    async def follow(
        self, track: Track, draft: Draft, tell: Callable[[], None], **place: object
    ) -> None:
        """Until the track's end, or that of the Submitter.

        tell: is called wherever the track may have another state. place: goes into the
        data of events.
        """
        with self._heads:
            while True:
                now = self._clock()
                head = self._heads.newest
                action = track.next(head, now)
                self._note(track, place)
                tell()
                if action is Action.STOP or self.is_closing:
                    return
                if action is Action.SEND:
                    await self._send(track, place)
                elif action is Action.LOOK:
                    facts = await look(self._rpc, track.hashes)
                    track.looked(facts, head, self._clock())
                elif action is Action.WAIT:
                    await self._heads.changed.wait(track.due(now) - now)
                else:
                    await self._raise(track, draft, is_freeing=action is Action.FREE)

    async def _send(self, track: Track, place: dict[str, object]) -> None:
        sibling = track.to_send
        is_first = not sibling.is_taken
        track.sending()
        try:
            verdict, text = await broadcast(self._rpc, sibling)
        except BaseException:
            track.abandoned()
            raise
        track.sent(sibling, verdict, text, self._clock())
        if verdict is not SendVerdict.TAKEN:
            self._emit(
                ChainEventKind.SEND_FAILED,
                f"nonce {track.nonce}: {verdict}: {text}",
                sibling,
                place,
                verdict=str(verdict),
            )
        elif is_first:
            text = f"nonce {track.nonce}, {sibling.fees}"
            self._emit(ChainEventKind.SENT, text, sibling, place)

    async def _raise(self, track: Track, draft: Draft, *, is_freeing: bool) -> None:
        """Adds a dearer sibling, of the payload with the fee that is wanted by now."""
        if is_freeing or not track.newest.has_payload:
            draft = transfer_to_oneself(self._wallet.address)
        value_wei = draft.value_wei
        try:
            quoted = await quote(self._rpc, self._policy)
            if value_wei and draft.order is not None:
                fee_wei = await draft.order.fee_wei(refresh=True)
                value_wei = max(value_wei, fee_wei)
        except ChainError:
            await self._heads.changed.wait(self._limits.poll_s)
            return  # it will be asked for again
        fees = bump(
            track.newest.fees,
            quoted,
            self._policy,
            gas=draft.gas,
            value_wei=value_wei,
        )
        if fees is None:
            track.not_raised("the caps on fees forbid a higher offer", self._clock())
        else:
            sibling = self.sign(draft, track.nonce, fees, value_wei)
            track.add(sibling, self._clock())

    def _note(self, track: Track, place: dict[str, object]) -> None:
        notes, track.notes = track.notes, []
        for kind, text in notes:
            self._emit(ChainEventKind(kind), text, track.newest, place)

    def _emit(
        self,
        kind: ChainEventKind,
        text: str,
        sibling: Sibling,
        place: dict[str, object],
        **data: object,
    ) -> None:
        data |= {"hash": sibling.hash, **place}
        self._events.emit(kind, text, place=sibling.hash, n=1, level=None, **data)

    async def why(self, track: Track, draft: Draft) -> tuple[str, Revert | None] | None:
        """What was wrong with a transaction that was mined, None if nothing was.

        It is called again on the state before its block, and after it: what it was
        mined on lies between the two.
        """
        receipt, mined, order = track.receipt, track.mined, draft.order
        assert receipt is not None and mined is not None and order is not None
        if receipt.is_good and not order.is_silent:
            return None
        call = {
            "from": self._wallet.address,
            "to": draft.to,
            "value": mined.value_wei,
            "gas": draft.gas,
            "data": draft.data,
        }
        for number in (receipt.block_number - 1, receipt.block_number):
            try:
                answer = await self._rpc.eth_call(call, number)
            except RpcError as error:
                revert = revert_of(error, order.abi)
                if revert is not None and not receipt.is_good:
                    with contextlib.suppress(ChainError):
                        await order.learn(revert)
                    return f"the transaction was mined, and reverted: {revert}", revert
            except ChainError:
                return None
            else:
                if receipt.is_good and not any(answer):
                    return "the verifier took the fee, and answered false", None
        return None
