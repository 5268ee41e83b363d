"""The part of a preflight that asks the node: fee, balance, the call, its gas."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codec.chain.fees import gas_limit, quote
from codec.chain.findings import Finding, PreflightCode
from codec.chain.forecast import Forecast
from codec.chain.reverts import revert_of
from codec.errors import ChainError, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codec.chain.fees import FeePolicy
    from codec.chain.order import Order
    from codec.chain.reverts import Revert
    from codec.chain.rpc import Rpc

__all__ = ["Rehearsal"]

F = TypeVar("F", bound=Forecast)

# What nodes say of a call that runs out of something, and does not revert.
_VERDICT_WORDS = ("gas", "funds", "balance", "oversized", "too large", "stack")


class Rehearsal(Generic[F]):
    """From what is good by itself to what the chain says of it.

    result: of the local checks of `order`, nothing fatal among it.
    """

    def __init__(self, result: F, order: Order[F], rpc: Rpc, policy: FeePolicy) -> None:
        self.result = result
        self.order = order
        self.rpc = rpc
        self.policy = policy

    async def run(self) -> F:
        """The result with all that the node was asked for."""
        sender = self.result.sender
        fee, balance, fees, found = await asyncio.gather(
            self._fee(),
            self.rpc.balance(sender),
            quote(self.rpc, self.policy),
            self.order.compare(),
        )
        self._keep(fee_wei=fee, value_wei=fee or 0, balance_wei=balance, fees=fees)
        self._learn(*found)
        if self.result.is_good and self._has_value() and await self._call():
            await self._estimate()
        return self.result

    def _keep(self, **facts: Any) -> None:
        self.result = replace(self.result, **facts)

    def _learn(self, facts: dict[str, Any], findings: Sequence[Finding]) -> None:
        self._keep(**facts, findings=(*self.result.findings, *findings))

    def _find(self, code: PreflightCode, text: str, *, is_fatal: bool = True) -> None:
        self._learn({}, [Finding(code, text, is_fatal)])

    def _transaction(self) -> dict[str, Any]:
        return {
            "from": self.result.sender,
            "to": self.order.address,
            "value": self.result.value_wei,
            "data": self.result.calldata,
        }

    async def _fee(self) -> int | None:
        try:
            return await self.order.fee_wei()
        except (NodeError, RpcError, WrongChainError):
            raise
        except ChainError as error:
            text = f"{error}: no fee is sent along"
            is_fatal = self.order.must_have_fee
            self._find(PreflightCode.FEE_UNKNOWN, text, is_fatal=is_fatal)
            return None

    def _has_value(self) -> bool:
        """Whether the account has what is sent along, without which no node calls."""
        value, balance = self.result.value_wei or 0, self.result.balance_wei or 0
        if balance < value:
            text = f"the account has {balance:,} wei, the fee alone is {value:,} wei"
            self._find(PreflightCode.BALANCE_LOW, text)
        return balance >= value

    async def _call(self) -> bool:
        """Whether the call passes; once more where the fee was raised meanwhile."""
        try:
            data = await self.rpc.eth_call(self._transaction(), "latest")
        except RpcError as error:
            revert = revert_of(error, self.order.abi)
            if revert is not None and await self._is_fee_raised(revert):
                return self._has_value() and await self._call()
            self._refuse(error, revert)
            if revert is not None and revert.name == "InvalidSignature":
                self._learn(*await self.order.refused(self.result))
            return False
        self._learn(*self.order.answered(data, self.result))
        if self._has_found(PreflightCode.USELESS_TRANSACTION):
            self._learn(*await self.order.refused(self.result))
        return self.result.is_good

    async def _is_fee_raised(self, revert: Revert) -> bool:
        before = self.result.fee_wei
        if revert.name != "InsufficientFee" or self._has_found("fee_raised"):
            return False
        if before is None:
            return False
        fee = await self.order.fee_wei(refresh=True)
        if fee <= before:
            return False
        text = f"the fee is {fee:,} wei now, it was {before:,}"
        self._find(PreflightCode.FEE_RAISED, text, is_fatal=False)
        self._keep(fee_wei=fee, value_wei=fee)
        return True

    def _has_found(self, code: str) -> bool:
        return any(finding.code == code for finding in self.result.findings)

    def _refuse(self, error: RpcError, revert: Revert | None) -> None:
        if revert is not None:
            self._keep(revert=revert)
            self._find(PreflightCode.REVERTS, f"the call reverts: {revert}")
        elif any(word in error.message.lower() for word in _VERDICT_WORDS):
            self._find(PreflightCode.CALL_FAILS, f"the node says: {error.message}")
        else:
            raise error

    async def _estimate(self) -> None:
        try:
            gas = await self.rpc.estimate_gas(self._transaction())
        except RpcError as error:
            self._refuse(error, revert_of(error, self.order.abi))
            return
        fees, policy = self.result.fees, self.policy
        assert fees is not None and self.result.value_wei is not None
        limit = gas_limit(gas, policy)
        cost = self.result.value_wei + limit * fees.per_gas
        self._keep(gas=gas, gas_limit=limit, cost_wei=cost)
        balance = self.result.balance_wei or 0
        if balance < cost:
            text = f"the account has {balance:,} wei, and may need {cost:,}"
            self._find(PreflightCode.BALANCE_LOW, text)
        if not policy.allows_cost(cost):
            text = f"it may cost {cost:,} wei, more than {policy.max_cost_wei:,}"
            self._find(PreflightCode.COST_ABOVE_LIMIT, text)
        if fees.is_below_base_fee:
            self._find(
                PreflightCode.GAS_PRICE_CAPPED,
                f"{fees.per_gas:,} wei a unit of gas, the cap, are below the base fee,"
                f" {fees.base_fee_per_gas:,}: no block takes it before that falls",
                is_fatal=False,
            )
