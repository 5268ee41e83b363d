"""Price updates on their way to a contract of Stork Core."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from codec.chain.aggregator import UPDATE
from codec.chain.findings import Finding, PreflightCode
from codec.chain.forecast import Forecast
from codec.chain.forecast_report import moment, number, number_text
from codec.chain.order import Order
from codec.chain.stork_core import kept
from codec.errors import ChainError, ErrorCode, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from numpy.typing import NDArray

    from codec.chain.aggregator import PriceUpdates
    from codec.chain.checks import Checks
    from codec.chain.reverts import Revert
    from codec.chain.stork_core import StorkCore

__all__ = ["UpdateOrder", "UpdatePreflight"]

_MAX_LISTED = 5
_SIGNATURE_CODES = {
    ErrorCode.INVALID_V: PreflightCode.INVALID_V,
    ErrorCode.SCALAR_RANGE: PreflightCode.SCALAR_RANGE,
    ErrorCode.HIGH_S: PreflightCode.HIGH_S,
    ErrorCode.NO_POINT: PreflightCode.NO_POINT,
    ErrorCode.WRONG_SIGNER: PreflightCode.WRONG_SIGNER,
}


@dataclass(frozen=True, kw_only=True)
class UpdatePreflight(Forecast):
    """What would happen to price updates, and why. `str()` is a report for a terminal.

    contract: the address of Stork Core's. oldest_ns, newest_ns: timestamps among the
    updates, None where there are none. signers: who is said to have signed. n_stale:
    how many are not newer than what the contract has; None where it was not asked. The
    rest is as in `Forecast`.
    """

    updates: PriceUpdates = field(compare=False)
    contract: str
    n_updates: int
    oldest_ns: int | None
    newest_ns: int | None
    signers: tuple[str, ...]
    n_stale: int | None = None

    def own_rows(self) -> list[tuple[str, str]]:
        """The updates, who signed them, and what would be called."""
        updates = number(self.n_updates, "update")
        if self.n_stale:
            updates += f", {self.n_stale:,} of them stale"
        rows = [("updates", updates)]
        if self.oldest_ns is not None and self.newest_ns is not None:
            rows.append(("oldest", moment(self.oldest_ns, self.now_ns)))
            rows.append(("newest", moment(self.newest_ns, self.now_ns)))
        rows += [("signer", signer) for signer in self.signers]
        name = UPDATE.partition("(")[0]
        rows.append(("contract", self.contract))
        rows.append(("call", f"{name}, {len(self.calldata):,} bytes of calldata"))
        return rows

    def own_facts(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "n_updates": self.n_updates,
            "n_stale": self.n_stale,
            "symbols": list(self.updates.symbols),
            "oldest_ns": number_text(self.oldest_ns),
            "newest_ns": number_text(self.newest_ns),
            "signers": list(self.signers),
            "contract": self.contract,
            "function": UPDATE,
        }


class UpdateOrder(Order[UpdatePreflight]):
    """Price updates for a contract of Stork Core. checks: the sender's own."""

    must_have_fee = True

    def __init__(self, updates: PriceUpdates, core: StorkCore, checks: Checks) -> None:
        checks.must_be_of_updates()
        self.updates = updates
        self.core = core
        self.address = core.address
        self.contents = self.calldata = updates.calldata()
        self._checks = checks

    async def read(self, sender: str, now_ns: int) -> UpdatePreflight:
        """By signatures, the contract's keys, and the sender's checks."""
        updates = self.updates
        times = updates.timestamps_ns
        findings = [
            *self._signature_findings(),
            *self._checks.update_findings(updates, now_ns),
        ]
        is_bad = any(finding.is_fatal for finding in findings)
        findings[:0] = [it async for it in self._key_findings(is_bad=is_bad)]
        if not len(updates):
            text = "there are no updates"
            findings.append(Finding(PreflightCode.NO_FRESH_UPDATE, text))
        return UpdatePreflight(
            updates=updates,
            contract=self.address,
            sender=sender,
            calldata=self.calldata,
            now_ns=now_ns,
            n_updates=len(updates),
            oldest_ns=int(times.min()) if len(times) else None,
            newest_ns=int(times.max()) if len(times) else None,
            signers=updates.signers,
            findings=tuple(findings),
        )

    def _signature_findings(self) -> Iterator[Finding]:
        """A finding for each kind of fault, with the updates that have it."""
        statuses = self.updates.statuses()
        for code in np.unique(statuses[statuses != 0]):
            status = ErrorCode(int(code))
            text = {
                ErrorCode.INVALID_V: "v is neither 27 nor 28",
                ErrorCode.WRONG_SIGNER: "signed by another key than it names, or"
                " changed since",
            }.get(status, status.description)
            named = self._named(np.flatnonzero(statuses == code))
            yield Finding(_SIGNATURE_CODES[status], f"{text}: {named}")

    async def _key_findings(self, *, is_bad: bool) -> AsyncIterator[Finding]:
        """The keys that are none of the contract's.

        They are asked for again, as they may have been rotated. is_bad: the updates are
        refused anyway, whether the contract says it or not.
        """
        for key in self.updates.signers:
            try:
                is_good = await self.core.is_signer(key)
                if not is_good and not is_bad:
                    is_good = await self.core.is_signer(key, refresh=True)
            except ChainError as error:
                if is_bad:
                    return
                if isinstance(error, (NodeError, RpcError, WrongChainError)):
                    raise
                text = f"{error}: who signed is left to eth_call"
                yield Finding(PreflightCode.SIGNERS_UNKNOWN, text, is_fatal=False)
                return
            if not is_good:
                text = f"signed by {key}, which is no key of the contract's"
                yield Finding(PreflightCode.WRONG_SIGNER, text)

    def _named(self, rows: NDArray[np.intp]) -> str:
        """Updates for people; not more than a few."""
        listed = [f"update {i}, {self.updates.name(i)}" for i in rows[:_MAX_LISTED]]
        more = f"; and {len(rows) - _MAX_LISTED:,} more"
        return "; ".join(listed) + (more if len(rows) > _MAX_LISTED else "")

    async def fee_wei(self, *, refresh: bool = False) -> int:
        """The contract's for all of the updates; it is never kept."""
        return await self.core.update_fee_wei(self.updates)

    async def compare(self) -> tuple[dict[str, Any], Sequence[Finding]]:
        """Which updates are not newer than what the contract has."""
        try:
            stored = await self.core.stored_timestamps(self.updates.ids)
        except (NodeError, RpcError, WrongChainError):
            raise
        except ChainError:
            return {}, ()  # what it does not say is left to the call
        stale = np.flatnonzero(~kept(self.updates, stored))
        facts = {"n_stale": len(stale)}
        if not len(stale):
            return facts, ()
        if len(stale) == len(self.updates):
            text = "none is newer than what the contract has"
            code = PreflightCode.NO_FRESH_UPDATE
        else:
            text = "not newer than what the contract has, which passes over it"
            code = PreflightCode.STALE_UPDATE
        text = f"{text}: {self._named(stale)}"
        is_fatal = code is PreflightCode.NO_FRESH_UPDATE
        return facts, (Finding(code, text, is_fatal),)

    async def refused(
        self, result: UpdatePreflight
    ) -> tuple[dict[str, Any], Sequence[Finding]]:
        """Says so where a key is the contract's no more."""
        await self._forget()
        return {}, [it async for it in self._key_findings(is_bad=True)]

    async def learn(self, revert: Revert) -> None:
        """Reads the contract's keys again."""
        if revert.name == "InvalidSignature":
            await self._forget()

    async def _forget(self) -> None:
        with contextlib.suppress(ChainError):
            for key in self.updates.signers:
                await self.core.is_signer(key, refresh=True)
