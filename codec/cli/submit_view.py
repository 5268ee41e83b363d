"""What `stork-codec submit` shows: a preflight, what happens meanwhile, the outcome."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.text import Text

from codec.chain.preflight_report import ether, verdict
from codec.cli.terminal import BAD, GOOD, NOTE, console, table
from codec.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.chain import Forecast, Outcome

__all__ = ["log_on_stderr", "outcome_dict", "show_outcome", "show_preflight"]


def show_preflight(result: Forecast) -> None:
    """What is known, what was found, and the verdict."""
    out = console()
    facts = table("", "")
    facts.show_header = False
    for name, text in result.rows():
        facts.add_row(name, Text(text))
    out.print(facts)
    if result.findings:
        found = table("", "")
        found.show_header = False
        for finding in result.findings:
            word = Text("bad", BAD) if finding.is_fatal else Text("note", NOTE)
            found.add_row(
                word, Text.assemble((finding.code, "bold"), "\n", finding.text)
            )
        out.print()
        out.print(found)
    out.print()
    out.print(Text(verdict(result), GOOD if result.is_good else BAD))


@contextmanager
def log_on_stderr(level: int) -> Iterator[None]:
    """What happens meanwhile, from a level of `logging` on: lines on standard error."""
    logger, handler = logging.getLogger("codec.chain"), logging.StreamHandler()
    handler.setFormatter(_Formatter())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class _Formatter(logging.Formatter):
    """Nothing in the text that a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(record.getMessage().encode("utf-8", "backslashreplace"))


def show_outcome(outcome: Outcome) -> None:
    """What became of the payload; the preflight, where that refused it."""
    if outcome.preflight is not None and not outcome.preflight.is_good:
        show_preflight(outcome.preflight)
        return
    out = console()
    facts = table("", "")
    facts.show_header = False
    for name, text in _rows(outcome):
        facts.add_row(name, Text(text))
    if facts.row_count:
        out.print(facts)
        out.print()
    line = f"{outcome.state}: {outcome.reason}" if outcome.reason else outcome.state
    if outcome.is_good:
        out.print(Text(f"good: {line}", GOOD))
        return
    out.print(Text(f"bad: {line}", BAD))
    if outcome.may_be_mined:
        out.print("it may be mined yet: send nothing in its place before that is known")


def _rows(outcome: Outcome) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if outcome.transaction_hash is not None:
        rows.append(("transaction", outcome.transaction_hash))
    others = [one for one in outcome.hashes if one != outcome.transaction_hash]
    rows += [("sent as well" if rows else "sent", other) for other in others]
    if outcome.nonce is not None:
        rows.append(("nonce", f"{outcome.nonce:,}"))
    if outcome.block_number is not None:
        rows.append(("block", f"{outcome.block_number:,}"))
    if outcome.gas_used is not None:
        rows.append(("gas", f"{outcome.gas_used:,}"))
        rows.append(("fee", ether(outcome.fee_wei)))
        rows.append(("cost", f"{ether(outcome.cost_wei)}, fee and gas"))
    if outcome.revert is not None:
        rows.append(("reverted", str(outcome.revert)))
    return rows


def outcome_dict(outcome: Outcome) -> dict[str, Any]:
    """Everything, of types that JSON has; large numbers as text."""
    price = outcome.effective_gas_price_wei
    return {
        "state": str(outcome.state),
        "is_good": outcome.is_good,
        "may_be_mined": outcome.may_be_mined,
        "reason": outcome.reason,
        "transaction_hash": outcome.transaction_hash,
        "hashes": list(outcome.hashes),
        "nonce": outcome.nonce,
        "block_number": outcome.block_number,
        "block_hash": outcome.block_hash,
        "gas_used": outcome.gas_used,
        "effective_gas_price_wei": None if price is None else str(price),
        "fee_wei": str(outcome.fee_wei),
        "cost_wei": str(outcome.cost_wei),
        "revert": None if outcome.revert is None else str(outcome.revert),
        "preflight": None if outcome.preflight is None else outcome.preflight.as_dict(),
    }
