"""What a Submitter sends: a call to a contract that can say whether it is any good."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codec.chain.fees import FeePolicy
from codec.chain.forecast import Forecast
from codec.chain.rehearsal import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.chain.abi import Signature
    from codec.chain.findings import Finding
    from codec.chain.reverts import Revert
    from codec.chain.rpc import Rpc

__all__ = ["Order", "preflight"]

F = TypeVar("F", bound=Forecast)
_NO_POLICY = FeePolicy()


class Order(ABC, Generic[F]):
    """A call that is to be sent once, whatever it carries.

    address: the contract that is called. calldata: what with. contents: the bytes that
    it is about. abi: the contract's own errors. is_silent: whether the call, where it
    does nothing, does not revert, but answers with zeros. must_have_fee: whether a
    contract that does not say its fee is none that could be meant.
    """

    address: str
    calldata: bytes
    contents: bytes
    abi: Sequence[Signature] = ()
    is_silent = False
    must_have_fee = False

    @property
    def watched(self) -> tuple[str, ...]:
        """The contracts that have to be there, and stay as they are."""
        return (self.address,)

    @abstractmethod
    async def read(self, sender: str, now_ns: int) -> F:
        """What can be said of it before the chain is asked about the call."""

    @abstractmethod
    async def fee_wei(self, *, refresh: bool = False) -> int:
        """What has to be sent along. refresh: as it is now.

        Raises ChainError where the contract does not say.
        """

    async def compare(self) -> tuple[dict[str, Any], Sequence[Finding]]:
        """What the chain's state says of it, beside the call: facts, and findings."""
        return {}, ()

    def answered(
        self, data: bytes, result: F
    ) -> tuple[dict[str, Any], Sequence[Finding]]:
        """What the call's answer says of it: facts, and findings."""
        return {}, ()

    async def refused(self, result: F) -> tuple[dict[str, Any], Sequence[Finding]]:
        """What has changed, where the call is refused for a bad signature."""
        return {}, ()

    @abstractmethod
    async def learn(self, revert: Revert) -> None:
        """Has the next preflight know what a mined transaction's revert tells.

        Raises ChainError where that could not be asked for.
        """


async def preflight(
    order: Order[F],
    rpc: Rpc,
    *,
    sender: str,
    policy: FeePolicy | None = None,
    now_ns: int | None = None,
    local_only: bool = False,
) -> F:
    """Whether a transaction with the order would do what it is for.

    What needs no node comes first. If nothing of it is fatal, the node is asked: what
    the order wants to know, fee, balance, `eth_call` with the fee as value, gas.
    Arguments and errors as those of `codec.chain.preflight`.
    """
    for address in order.watched:
        rpc.watch_code(address)
    now_ns = time.time_ns() if now_ns is None else now_ns
    result = await order.read(sender, now_ns)
    if local_only or not result.is_good:
        return result
    return await Rehearsal(result, order, rpc, policy or _NO_POLICY).run()
