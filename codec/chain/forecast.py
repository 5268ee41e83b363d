"""What would become of a transaction: what is known of it, whatever it carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codec.chain.forecast_report import as_dict, money_rows, text_of

if TYPE_CHECKING:
    from codec.chain.fees import Fees
    from codec.chain.findings import Finding
    from codec.chain.reverts import Revert

__all__ = ["Forecast"]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What would happen, and why. `str()` is a report for a terminal.

    now_ns: when it was asked for. fee_wei: the contract's; value_wei: what would be
    sent along. gas: the node's estimate; gas_limit: that with the policy's margin.
    cost_wei: the most that it can cost, fee and gas. revert: why the chain would refuse
    it. What was not asked, because something before it was fatal, is None.
    """

    sender: str
    calldata: bytes
    now_ns: int
    findings: tuple[Finding, ...] = ()
    fee_wei: int | None = None
    value_wei: int | None = None
    balance_wei: int | None = None
    gas: int | None = None
    gas_limit: int | None = None
    fees: Fees | None = None
    cost_wei: int | None = None
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
        return [*self.own_rows(), *money_rows(self)]

    def text(self) -> str:
        """The report, lines of plain ASCII."""
        return text_of(self)

    def __str__(self) -> str:
        return self.text()

    def as_dict(self) -> dict[str, Any]:
        """For JSON; whatever may exceed 2^53 (wei, ns, values) is text."""
        return as_dict(self)

    # What an heir knows beside that.

    def own_rows(self) -> list[tuple[str, str]]:
        """What would be sent, and to which contract, for the report."""
        return []

    def own_facts(self) -> dict[str, Any]:
        """The same for JSON."""
        return {}

    def answer(self) -> str:
        """What the call returned, for people; empty where it returned nothing."""
        return ""

    def answer_facts(self) -> Any:
        """The same for JSON."""
        return None
