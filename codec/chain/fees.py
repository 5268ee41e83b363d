"""What a transaction offers for its gas: quoted from the chain, bumped, and capped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codec.chain.answers import BadAnswer, read_quantity
from codec.errors import ChainError, NodeError, RpcError

if TYPE_CHECKING:
    from codec.chain.rpc import Rpc

__all__ = ["FeePolicy", "Fees", "bump", "gas_limit", "quote"]

DEFAULT_TIP = 10**9
# Nodes take a replacement from 10% on (geth, nethermind, erigon, besu); the blob pool's
# and some forks' rules are stricter, and rounding must never fall short.
_BUMP = 9, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """What may be offered, in wei; None stands for no cap.

    max_fee_per_gas_wei: for base fee and tip together, or as a legacy gas price.
    max_priority_fee_per_gas_wei: for the tip. max_cost_wei: for one transaction, its
    gas limit times its price plus the value it sends. gas_margin: the gas limit as a
    multiple of the estimate. base_fee_margin: the offer as a multiple of the newest
    block's base fee (2 outlasts five full blocks, each of which adds an eighth).
    """

    max_fee_per_gas_wei: int | None = None
    max_priority_fee_per_gas_wei: int | None = None
    max_cost_wei: int | None = None
    gas_margin: float = 1.2
    base_fee_margin: float = 2.0

    def __post_init__(self) -> None:
        for name in (
            "max_fee_per_gas_wei",
            "max_priority_fee_per_gas_wei",
            "max_cost_wei",
        ):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name}: {value} is below 0")
        for name in ("gas_margin", "base_fee_margin"):
            if not 1.0 <= getattr(self, name) <= 100.0:
                raise ValueError(f"{name}: {getattr(self, name)} is not within 1..100")

    def allows_cost(self, cost_wei: int) -> bool:
        """Whether a transaction may cost that much at most."""
        return self.max_cost_wei is None or cost_wei <= self.max_cost_wei


@dataclass(frozen=True, slots=True)
class Fees:
    """An offer per unit of gas, in wei: either both EIP-1559 fields, or `gas_price`.

    base_fee_per_gas: that of the block it was quoted from, None on a legacy chain.
    """

    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None
    gas_price: int | None = None
    base_fee_per_gas: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        n_dynamic = sum(
            fee is not None
            for fee in (self.max_fee_per_gas, self.max_priority_fee_per_gas)
        )
        if n_dynamic == (2 if self.gas_price is None else 0):
            return
        raise ValueError(
            "fees are max_fee_per_gas and max_priority_fee_per_gas, or gas_price"
        )

    @property
    def is_legacy(self) -> bool:
        """Whether this is a gas price."""
        return self.gas_price is not None

    @property
    def per_gas(self) -> int:
        """The most that a unit of gas may cost."""
        price = self.gas_price if self.is_legacy else self.max_fee_per_gas
        assert price is not None
        return price

    @property
    def tip_per_gas(self) -> int:
        """What is offered beyond the base fee, at most."""
        tip = self.gas_price if self.is_legacy else self.max_priority_fee_per_gas
        assert tip is not None
        return tip

    @property
    def is_below_base_fee(self) -> bool:
        """Whether no block could have taken it when it was quoted."""
        return (
            self.base_fee_per_gas is not None and self.per_gas < self.base_fee_per_gas
        )

    def fields(self) -> dict[str, int]:
        """The transaction's fields, as JSON-RPC and eth-account name them."""
        if self.is_legacy:
            return {"gasPrice": self.per_gas}
        return {
            "maxFeePerGas": self.per_gas,
            "maxPriorityFeePerGas": self.tip_per_gas,
        }

    def __str__(self) -> str:
        if self.is_legacy:
            return f"{gwei(self.per_gas)} gwei"
        return f"{gwei(self.per_gas)} gwei, {gwei(self.tip_per_gas)} of it as a tip"


def gwei(wei: int) -> str:
    """Wei as gwei, exactly: 1500000000 is "1.5"."""
    whole, rest = divmod(wei, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def gas_limit(estimate: int, policy: FeePolicy) -> int:
    """The gas limit for an estimate: with the policy's margin, rounded up."""
    return -int(-estimate * policy.gas_margin // 1)


async def quote(rpc: Rpc, policy: FeePolicy) -> Fees:
    """What to offer now, within the policy's caps.

    A cap may hold the offer below the base fee (`is_below_base_fee`): such a
    transaction waits until the base fee falls.
    """
    block = await rpc.block("latest")
    base_fee = _quantity(block.get("baseFeePerGas"))
    if base_fee is None:
        price = _quantity(await rpc.call("eth_gasPrice"))
        if price is None:
            raise ChainError("the node answers eth_gasPrice without a number")
        return Fees(gas_price=_capped(price, policy.max_fee_per_gas_wei))
    tip = _capped(await _tip(rpc), policy.max_priority_fee_per_gas_wei)
    offer = int(base_fee * policy.base_fee_margin) + tip
    offer = _capped(offer, policy.max_fee_per_gas_wei)
    return Fees(offer, min(tip, offer), base_fee_per_gas=base_fee)


async def _tip(rpc: Rpc) -> int:
    """The node's own suggestion, or the median of recent blocks, or 1 gwei."""
    try:
        tip = _quantity(await rpc.call("eth_maxPriorityFeePerGas"))
        if tip is not None:
            return tip
    except (RpcError, NodeError):
        pass
    try:
        history = await rpc.call("eth_feeHistory", "0xa", "latest", [50])
        return median_tip(history)
    except (RpcError, NodeError):
        return DEFAULT_TIP


def median_tip(history: object) -> int:
    """The median of an eth_feeHistory answer's tips at its first percentile.

    Blocks without transactions, whose tip says nothing, are left out.
    """
    rewards = history.get("reward") if isinstance(history, dict) else None
    tips = sorted(
        tip
        for row in (rewards if isinstance(rewards, list) else ())
        if isinstance(row, list) and row and (tip := _quantity(row[0]))
    )
    return tips[len(tips) // 2] if tips else DEFAULT_TIP


def bump(
    fees: Fees,
    quoted: Fees,
    policy: FeePolicy,
    *,
    gas: int | None = None,
    value_wei: int = 0,
) -> Fees | None:
    """The offer of a replacement: each fee, the tip as well, raised by an eighth.

    It is of the same kind as `fees`, and offers what is `quoted` now if that is more.
    None where a cap of the policy forbids it (that on the cost where `gas` is given).
    """
    price = _raised(fees.per_gas)
    cap = policy.max_fee_per_gas_wei
    if cap is not None and price > cap:
        return None
    cost_cap = policy.max_cost_wei
    if gas and cost_cap is not None:
        affordable = max(cost_cap - value_wei, 0) // gas
        if price > affordable:
            return None
        cap = affordable if cap is None else min(cap, affordable)
    price = max(price, _capped(quoted.per_gas, cap))
    if fees.is_legacy:
        return Fees(gas_price=price, base_fee_per_gas=quoted.base_fee_per_gas)
    tip = _raised(fees.tip_per_gas)
    tip_cap = policy.max_priority_fee_per_gas_wei
    if tip_cap is not None and tip > tip_cap:
        return None
    if not quoted.is_legacy:
        tip = max(tip, _capped(quoted.tip_per_gas, tip_cap))
    return Fees(price, min(tip, price), base_fee_per_gas=quoted.base_fee_per_gas)


def _raised(price: int) -> int:
    numerator, denominator = _BUMP
    return max(-(-price * numerator // denominator), price + 1)


def _capped(price: int, cap: int | None) -> int:
    return price if cap is None else min(price, cap)


def _quantity(value: object) -> int | None:
    """A quantity of JSON-RPC, or None for anything else."""
    try:
        return read_quantity(value)
    except BadAnswer:
        return None
