"""The part of a preflight that asks the node: fee, balance, the call, its gas."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from codec.chain.calldata import VERIFY_AND_DESERIALIZE, decode_assets, selector
from codec.chain.fees import gas_limit, quote
from codec.chain.findings import Finding, PreflightCode
from codec.chain.reading import signer_finding
from codec.chain.reverts import revert_of
from codec.errors import ChainError, NodeError, RangeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from codec.chain.fees import FeePolicy
    from codec.chain.preflight import Preflight
    from codec.chain.reading import Reading
    from codec.chain.reverts import Revert
    from codec.chain.rpc import Rpc
    from codec.chain.verifier import Verifier

__all__ = ["Rehearsal"]

# What nodes say of a call that runs out of something, and does not revert.
_VERDICT_WORDS = ("gas", "funds", "balance", "oversized", "too large", "stack")


class Rehearsal:
    """From what is good by itself to what the chain says of it.

    result: of the local checks of `reading`, nothing fatal among it.
    """

    def __init__(
        self,
        result: Preflight,
        reading: Reading,
        rpc: Rpc,
        verifier: Verifier,
        policy: FeePolicy,
    ) -> None:
        self.result = result
        self.reading = reading
        self.rpc = rpc
        self.verifier = verifier
        self.policy = policy

    async def run(self) -> Preflight:
        """The result with all that the node was asked for."""
        sender = self.result.sender
        fee, balance, fees = await asyncio.gather(
            self._fee(), self.rpc.balance(sender), quote(self.rpc, self.policy)
        )
        self._keep(fee_wei=fee, value_wei=fee or 0, balance_wei=balance, fees=fees)
        if self._has_value() and await self._call():
            await self._estimate()
        return self.result

    def _keep(self, **facts: Any) -> None:
        self.result = replace(self.result, **facts)

    def _find(self, code: PreflightCode, text: str, *, is_fatal: bool = True) -> None:
        finding = Finding(code, text, is_fatal)
        self._keep(findings=(*self.result.findings, finding))

    def _transaction(self) -> dict[str, Any]:
        return {
            "from": self.result.sender,
            "to": self.result.target.address,
            "value": self.result.value_wei,
            "data": self.result.calldata,
        }

    async def _fee(self) -> int | None:
        try:
            return await self.verifier.fee_wei()
        except (NodeError, RpcError, WrongChainError):
            raise
        except ChainError as error:
            text = f"{error}: no fee is sent along"
            self._find(PreflightCode.FEE_UNKNOWN, text, is_fatal=False)
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
            revert = revert_of(error, self.result.target.abi)
            if revert is not None and await self._is_fee_raised(revert):
                return self._has_value() and await self._call()
            self._refuse(error, revert)
            if revert is not None and revert.name == "InvalidSignature":
                await self._ask_who_signs()
            return False
        if self._take(data):
            return True
        if self.result.result is False:
            await self._ask_who_signs()
        return False

    async def _ask_who_signs(self) -> None:
        """Says so where the signers are others by now than those that were known."""
        try:
            signers = await self.verifier.signers(refresh=True)
        except ChainError:
            return
        self._keep(signers=signers)
        found = signer_finding(self.reading, signers)
        if found is not None:
            self._find(found.code, f"the signers have changed: {found.text}")

    async def _is_fee_raised(self, revert: Revert) -> bool:
        before = self.result.fee_wei
        if revert.name != "InsufficientFee" or self._has_found("fee_raised"):
            return False
        if before is None:
            return False
        fee = await self.verifier.fee_wei(refresh=True)
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

    def _take(self, data: bytes) -> bool:
        """Keeps what the call returned; whether it is of any use."""
        target = self.result.target
        if target.is_bare_verify:
            is_true = any(data)
            self._keep(result=is_true)
            if not is_true:
                self._find(
                    PreflightCode.USELESS_TRANSACTION,
                    "the contract answers false: the transaction would be mined, would"
                    " take the fee, and would do nothing",
                )
            return is_true
        if selector(target.function) == selector(VERIFY_AND_DESERIALIZE):
            taxonomy_id = self.result.taxonomy_id or 0
            try:
                self._keep(result=decode_assets(data, taxonomy_id=taxonomy_id))
            except (ChainError, RangeError) as error:
                text = f"what {target.address} answers is none of a verifier's: {error}"
                self._find(PreflightCode.CALL_FAILS, text)
                return False
        return True

    async def _estimate(self) -> None:
        try:
            gas = await self.rpc.estimate_gas(self._transaction())
        except RpcError as error:
            self._refuse(error, revert_of(error, self.result.target.abi))
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
