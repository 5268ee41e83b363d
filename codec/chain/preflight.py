"""What would become of a payload or of price updates, were they sent now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from codec.chain import order as orders
from codec.chain.aggregator import PriceUpdates
from codec.chain.calldata import Target, payload_bytes
from codec.chain.checks import Checks
from codec.chain.findings import Finding, PreflightCode
from codec.chain.order import Order
from codec.chain.payload_order import PayloadOrder, Preflight
from codec.chain.stork_core import StorkCore
from codec.chain.update_order import UpdateOrder, UpdatePreflight
from codec.chain.verifier import Verifier

if TYPE_CHECKING:
    from codec.chain.calldata import Payload
    from codec.chain.fees import FeePolicy
    from codec.chain.rpc import Rpc

__all__ = [
    "Checks",
    "Finding",
    "Preflight",
    "PreflightCode",
    "make_order",
    "preflight",
]

_NO_CHECKS = Checks()


@overload
async def preflight(
    payload: Payload,
    target: Target | str,
    rpc: Rpc,
    *,
    sender: str,
    verifier: Verifier | None = None,
    checks: Checks = ...,
    policy: FeePolicy | None = None,
    now_ns: int | None = None,
    local_only: bool = False,
) -> Preflight: ...
@overload
async def preflight(
    payload: PriceUpdates,
    target: StorkCore | str,
    rpc: Rpc,
    *,
    sender: str,
    checks: Checks = ...,
    policy: FeePolicy | None = None,
    now_ns: int | None = None,
    local_only: bool = False,
) -> UpdatePreflight: ...
async def preflight(
    payload: Payload | PriceUpdates,
    target: Target | StorkCore | str,
    rpc: Rpc,
    *,
    sender: str,
    verifier: Verifier | None = None,
    checks: Checks = _NO_CHECKS,
    policy: FeePolicy | None = None,
    now_ns: int | None = None,
    local_only: bool = False,
) -> Preflight | UpdatePreflight:
    """Whether a transaction with this payload, or updates, would do what it is for.

    What needs no node comes first: the contract's own checks, in its order, against its
    signers (read from the chain once, and again where somebody else signed: they may
    have been rotated), then the sender's `checks`. If nothing is fatal, the node is
    asked: for updates what the contract has already; fee, balance, `eth_call` with the
    fee as value, gas. A fee that was raised meanwhile is read again, once.

    target: a contract's address means its `verifyAndDeserializeSignedECDSAPayload`, for
    updates a StorkCore. sender: the address that would send. verifier: to share its
    cache among calls. policy: what gas may cost. now_ns: unix ns, for tests.
    local_only: stops before the node is asked anything but the signers.

    Raises ValueError and DecodeError for a payload whose text is none, ValueError for a
    StorkCore of another Rpc, TypeError where what is given is nothing for this target,
    NodeError, RpcError and WrongChainError where no verdict could be had.
    """
    if isinstance(target, str):
        is_core = isinstance(payload, PriceUpdates)
        target = StorkCore(rpc, target) if is_core else Target(target)
    if isinstance(target, StorkCore) and target.rpc is not rpc:
        raise ValueError("the StorkCore is one of another Rpc")
    if isinstance(target, Target) and verifier is None:
        verifier = Verifier(rpc, target.verifier_address)
    order: Order[Any] = make_order(payload, target, verifier, checks)
    found: Preflight | UpdatePreflight = await orders.preflight(
        order,
        rpc,
        sender=sender,
        policy=policy,
        now_ns=now_ns,
        local_only=local_only,
    )
    return found


def make_order(
    what: Payload | PriceUpdates,
    target: Target | StorkCore,
    verifier: Verifier | None,
    checks: Checks,
) -> PayloadOrder | UpdateOrder:
    """What is to be sent of a payload to a Target, or of updates to a StorkCore.

    Raises TypeError for one of them with the other, and what `payload_bytes` raises.
    """
    if isinstance(what, PriceUpdates):
        if not isinstance(target, StorkCore):
            raise TypeError("price updates are for a StorkCore, payloads for a Target")
        return UpdateOrder(what, target, checks)
    data = payload_bytes(what)
    if not isinstance(target, Target) or verifier is None:
        raise TypeError("a payload is for a Target, price updates for a StorkCore")
    return PayloadOrder(data, target, verifier, checks)
