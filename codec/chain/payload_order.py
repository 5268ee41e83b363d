"""A signed payload on its way to a contract that asks a verifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from codec.chain.calldata import (
    VERIFY_AND_DESERIALIZE,
    Target,
    decode_assets,
    selector,
)
from codec.chain.findings import Finding, PreflightCode
from codec.chain.forecast import Forecast
from codec.chain.forecast_report import number
from codec.chain.order import Order
from codec.chain.preflight_report import answer_facts, payload_facts, payload_rows
from codec.chain.reading import MAX_ASSETS, Reading, read, signer_finding
from codec.errors import ChainError, NodeError, RangeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from codec.chain.checks import Checks
    from codec.chain.reverts import Revert
    from codec.chain.verifier import Verifier

__all__ = ["PayloadOrder", "Preflight"]


@dataclass(frozen=True, kw_only=True)
class Preflight(Forecast):
    """What would happen to a payload, and why. `str()` is a report for a terminal.

    n_assets, timestamp_ns, taxonomy_id: as the publisher meant them; None where the
    payload cannot be read. layout: 1, 2, or 0 where that cannot be said. signer: who
    signed; signers: the contract's. result: UPDATE_DTYPE as
    `verifyAndDeserializeSignedECDSAPayload` returns it, the answer of
    `verifySignedECDSAPayload`, or None. The rest is as in `Forecast`.
    """

    target: Target
    payload_len: int
    n_assets: int | None
    timestamp_ns: int | None
    taxonomy_id: int | None
    layout: int
    signer: str | None
    signers: tuple[str, ...] = ()
    result: NDArray[np.void] | bool | None = field(default=None, compare=False)

    def own_rows(self) -> list[tuple[str, str]]:
        """The payload, who signed it, and what would be called."""
        return list(payload_rows(self))

    def own_facts(self) -> dict[str, Any]:
        """The same for JSON."""
        return payload_facts(self)

    def answer(self) -> str:
        """How many assets the verifier returned, or what it answered."""
        if self.result is None:
            return ""
        if isinstance(self.result, bool):
            return str(self.result).lower()
        return number(len(self.result), "asset")

    def answer_facts(self) -> Any:
        """The same for JSON, with the assets."""
        return answer_facts(self)


class PayloadOrder(Order[Preflight]):
    """A payload for a target.

    payload: its bytes. verifier: whose cache is used. checks: the sender's own.
    """

    def __init__(
        self, payload: bytes, target: Target, verifier: Verifier, checks: Checks
    ) -> None:
        checks.must_be_of_payloads()
        self.contents = payload
        self.target = target
        self.address = target.address
        self.calldata = target.calldata(payload)
        self.abi = target.abi
        self.is_silent = target.is_bare_verify
        self._verifier = verifier
        self._checks = checks
        self._reading: Reading | None = None

    async def read(self, sender: str, now_ns: int) -> Preflight:
        """By the contract's own checks, in its order, and the sender's."""
        self._reading = reading = read(self.contents)
        own = [*self._checks.findings(reading, now_ns)]
        is_bad = reading.is_bad or bool(own)
        signers, found = await self._of_signers(reading, is_bad=is_bad)
        by_contract = [*reading.findings, found, self._function_finding(reading)]
        return Preflight(
            target=self.target,
            sender=sender,
            calldata=self.calldata,
            now_ns=now_ns,
            payload_len=len(self.contents),
            n_assets=reading.n_assets,
            timestamp_ns=reading.timestamp_ns,
            taxonomy_id=reading.taxonomy_id,
            layout=reading.layout,
            signer=reading.signer,
            signers=signers,
            findings=tuple(it for it in (*by_contract, *own) if it is not None),
        )

    def _function_finding(self, reading: Reading) -> Finding | None:
        n = reading.n_read
        if n <= MAX_ASSETS or not self._is_deserializing:
            return None
        text = f"{n:,} assets: from 65,536 on the contract reverts with Panic(0x32)"
        return Finding(PreflightCode.TOO_MANY_ASSETS, text)

    @property
    def _is_deserializing(self) -> bool:
        return selector(self.target.function) == selector(VERIFY_AND_DESERIALIZE)

    async def _of_signers(
        self, reading: Reading, *, is_bad: bool
    ) -> tuple[tuple[str, ...], Finding | None]:
        """The contract's signers, and what is wrong with who signed.

        Where somebody else signed they are read again, as they may have been rotated.
        is_bad: the payload is refused anyway, whoever they are.
        """
        if reading.signer is None:
            return (), None
        try:
            signers = await self._verifier.signers()
            found = signer_finding(reading, signers)
            if found is not None and not is_bad:
                signers = await self._verifier.signers(refresh=True)
                found = signer_finding(reading, signers)
        except ChainError as error:
            if is_bad:
                return (), None
            if isinstance(error, (NodeError, RpcError, WrongChainError)):
                raise
            text = (
                f"{error}: who signed is left to eth_call. Is `verifier` another one?"
            )
            return (), Finding(PreflightCode.SIGNERS_UNKNOWN, text, is_fatal=False)
        return signers, found

    async def fee_wei(self, *, refresh: bool = False) -> int:
        """The verifier's."""
        return await self._verifier.fee_wei(refresh=refresh)

    def answered(
        self, data: bytes, result: Preflight
    ) -> tuple[dict[str, Any], Sequence[Finding]]:
        """What a verifier that is called itself returned, and whether it is any use."""
        if self.is_silent:
            is_true = any(data)
            text = (
                "the contract answers false: the transaction would be mined, would"
                " take the fee, and would do nothing"
            )
            useless = Finding(PreflightCode.USELESS_TRANSACTION, text)
            return {"result": is_true}, () if is_true else (useless,)
        if not self._is_deserializing:
            return {}, ()
        try:
            assets = decode_assets(data, taxonomy_id=result.taxonomy_id or 0)
        except (ChainError, RangeError) as error:
            text = f"what {self.address} answers is none of a verifier's: {error}"
            return {}, (Finding(PreflightCode.CALL_FAILS, text),)
        return {"result": assets}, ()

    async def refused(
        self, result: Preflight
    ) -> tuple[dict[str, Any], Sequence[Finding]]:
        """Says so where the signers are others by now than those that were known."""
        assert self._reading is not None
        try:
            signers = await self._verifier.signers(refresh=True)
        except ChainError:
            return {}, ()
        found = signer_finding(self._reading, signers)
        if found is None:
            return {"signers": signers}, ()
        text = f"the signers have changed: {found.text}"
        return {"signers": signers}, (Finding(found.code, text),)

    async def learn(self, revert: Revert) -> None:
        """Reads the verifier's fee or signers again."""
        if revert.name == "InsufficientFee":
            await self._verifier.fee_wei(refresh=True)
        elif revert.name == "InvalidSignature":
            await self._verifier.signers(refresh=True)
