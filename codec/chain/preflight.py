"""What would become of a payload, were it sent now: known before anything is paid."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codec.chain.calldata import (
    VERIFY_AND_DESERIALIZE,
    Target,
    payload_bytes,
    selector,
)
from codec.chain.checks import Checks
from codec.chain.fees import FeePolicy
from codec.chain.findings import Finding, PreflightCode
from codec.chain.preflight_report import as_dict, report_rows, text_of
from codec.chain.reading import MAX_ASSETS, Reading, read, signer_finding
from codec.chain.rehearsal import Rehearsal
from codec.chain.verifier import Verifier
from codec.errors import ChainError, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from codec.chain.calldata import Payload
    from codec.chain.fees import Fees
    from codec.chain.reverts import Revert
    from codec.chain.rpc import Rpc

__all__ = ["Checks", "Finding", "Preflight", "PreflightCode", "preflight"]

_NO_CHECKS = Checks()
_NO_POLICY = FeePolicy()


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What would happen, and why. `str()` is a report for a terminal.

    n_assets, timestamp_ns, taxonomy_id: as the publisher meant them; None where the
    payload cannot be read. layout: 1, 2, or 0 where that cannot be said. signer: who
    signed; signers: the contract's. fee_wei: the verifier's; value_wei: what would be
    sent along. gas: the node's estimate; gas_limit: that with the policy's margin.
    cost_wei: the most that it can cost, fee and gas. result: UPDATE_DTYPE as
    `verifyAndDeserializeSignedECDSAPayload` returns it, the answer of
    `verifySignedECDSAPayload`, or None. revert: why the chain would refuse it. What was
    not asked, because something before it was fatal, is None.
    """

    target: Target
    sender: str
    calldata: bytes
    now_ns: int
    payload_len: int
    n_assets: int | None
    timestamp_ns: int | None
    taxonomy_id: int | None
    layout: int
    signer: str | None
    signers: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    fee_wei: int | None = None
    value_wei: int | None = None
    balance_wei: int | None = None
    gas: int | None = None
    gas_limit: int | None = None
    fees: Fees | None = None
    cost_wei: int | None = None
    result: NDArray[np.void] | bool | None = field(default=None, compare=False)
    revert: Revert | None = None

    @property
    def is_good(self) -> bool:
        """Whether it should be sent: nothing that was found is fatal."""
        return not any(finding.is_fatal for finding in self.findings)

    @property
    def reason(self) -> str:
        """The first fatal finding as a line, or an empty text."""
        return next((str(finding) for finding in self.findings if finding.is_fatal), "")

    def rows(self) -> list[tuple[str, str]]:
        """The report without its verdict: names and what is known of each."""
        return report_rows(self)

    def text(self) -> str:
        """The report, lines of plain ASCII."""
        return text_of(self)

    def __str__(self) -> str:
        return self.text()

    def as_dict(self) -> dict[str, Any]:
        """For JSON; whatever may exceed 2^53 (wei, ns, values) is text."""
        return as_dict(self)


async def preflight(
    payload: Payload,
    target: Target | str,
    rpc: Rpc,
    *,
    sender: str,
    verifier: Verifier | None = None,
    checks: Checks = _NO_CHECKS,
    policy: FeePolicy | None = None,
    now_ns: int | None = None,
    local_only: bool = False,
) -> Preflight:
    """Whether a transaction with this payload would do what it is for.

    What needs no node comes first: the contract's own checks, in its order, against its
    signers (read from the chain once, and again where somebody else signed: they may
    have been rotated), then the sender's `checks`. If nothing is fatal, the node is
    asked: fee, balance, `eth_call` with the fee as value, gas. A fee that was raised
    meanwhile is read again, once.

    target: a contract's address means its `verifyAndDeserializeSignedECDSAPayload`.
    sender: the address that would send. verifier: to share its cache among calls.
    policy: what gas may cost. now_ns: unix ns, for tests. local_only: stops before the
    node is asked anything but the signers.

    Raises ValueError and DecodeError for a payload whose text is none, NodeError,
    RpcError and WrongChainError where no verdict could be had.
    """
    target = Target(target) if isinstance(target, str) else target
    verifier = verifier or Verifier(rpc, target.verifier_address)
    rpc.watch_code(target.address)
    now_ns = time.time_ns() if now_ns is None else now_ns
    reading = read(payload_bytes(payload))
    own = [*checks.findings(reading, now_ns)]
    is_bad = reading.is_bad or bool(own)
    signers, found = await _of_signers(reading, verifier, is_bad=is_bad)
    by_contract = [*reading.findings, found, _function_finding(reading, target)]
    findings = [finding for finding in (*by_contract, *own) if finding is not None]
    result = Preflight(
        target=target,
        sender=sender,
        calldata=target.calldata(reading.payload),
        now_ns=now_ns,
        payload_len=len(reading.payload),
        n_assets=reading.n_assets,
        timestamp_ns=reading.timestamp_ns,
        taxonomy_id=reading.taxonomy_id,
        layout=reading.layout,
        signer=reading.signer,
        signers=signers,
        findings=tuple(findings),
    )
    if local_only or not result.is_good:
        return result
    policy = policy or _NO_POLICY
    return await Rehearsal(result, reading, rpc, verifier, policy).run()


def _function_finding(reading: Reading, target: Target) -> Finding | None:
    n = reading.n_read
    if n <= MAX_ASSETS or selector(target.function) != selector(VERIFY_AND_DESERIALIZE):
        return None
    text = f"{n:,} assets: from 65,536 on the contract reverts with Panic(0x32)"
    return Finding(PreflightCode.TOO_MANY_ASSETS, text)


async def _of_signers(
    reading: Reading, verifier: Verifier, *, is_bad: bool
) -> tuple[tuple[str, ...], Finding | None]:
    """The contract's signers, and what is wrong with who signed.

    is_bad: the payload is refused anyway, whoever they are and whether they are known.
    """
    if reading.signer is None:
        return (), None
    try:
        signers = await verifier.signers()
        found = signer_finding(reading, signers)
        if found is not None and not is_bad:
            signers = await verifier.signers(refresh=True)
            found = signer_finding(reading, signers)
    except ChainError as error:
        if is_bad:
            return (), None
        if isinstance(error, (NodeError, RpcError, WrongChainError)):
            raise
        text = f"{error}: who signed is left to eth_call. Is `verifier` another one?"
        return (), Finding(PreflightCode.SIGNERS_UNKNOWN, text, is_fatal=False)
    return signers, found
