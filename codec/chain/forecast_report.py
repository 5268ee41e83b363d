"""A forecast for people, and for JSON: what does not depend on what would be sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.chain.forecast import Forecast

__all__ = [
    "as_dict",
    "ether",
    "moment",
    "money_rows",
    "number",
    "number_text",
    "text_of",
    "verdict",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=100)
_NAME_LEN = 9


def text_of(result: Forecast) -> str:
    """The rows, what was found, and the verdict."""
    lines = [f"{name:{_NAME_LEN}} {text}" for name, text in result.rows()]
    for finding in result.findings:
        lines.append(f"{'bad' if finding.is_fatal else 'note':{_NAME_LEN}} {finding}")
    return "\n".join([*lines, verdict(result)])


def verdict(result: Forecast) -> str:
    """One line: whether it should be sent."""
    n_fatal = sum(finding.is_fatal for finding in result.findings)
    if n_fatal:
        return f"bad: it should not be sent, for {number(n_fatal, 'reason')}"
    if result.gas is None:
        return "good as far as can be told without the chain"
    seen = ", but see what is noted above" if result.findings else ""
    return f"good: it would succeed{seen}"


def money_rows(result: Forecast) -> Iterator[tuple[str, str]]:
    """Who would send it, what comes back, and what it costs."""
    yield "from", result.sender
    if result.balance_wei is not None:
        yield "balance", ether(result.balance_wei)
    if result.fee_wei is not None:
        yield "fee", f"{ether(result.fee_wei)}, sent along"
    answer = _answer(result)
    if answer:
        yield "answer", answer
    if result.gas is not None and result.gas_limit is not None:
        yield "gas", f"{result.gas:,}, at most {result.gas_limit:,}"
        yield "gas price", f"at most {result.fees}"
    if result.cost_wei is not None:
        yield "cost", f"at most {ether(result.cost_wei)}, fee and gas"


def _answer(result: Forecast) -> str:
    if result.revert is not None:
        return f"reverts: {result.revert}"
    return result.answer() or ("" if result.gas is None else "the call passes")


def as_dict(result: Forecast) -> dict[str, Any]:
    """Everything, of types that JSON has; large numbers as text."""
    fees = result.fees
    return {
        "is_good": result.is_good,
        "findings": [
            {"code": str(found.code), "text": found.text, "is_fatal": found.is_fatal}
            for found in result.findings
        ],
        **result.own_facts(),
        "sender": result.sender,
        "calldata": "0x" + result.calldata.hex(),
        "fee_wei": number_text(result.fee_wei),
        "value_wei": number_text(result.value_wei),
        "balance_wei": number_text(result.balance_wei),
        "gas": result.gas,
        "gas_limit": result.gas_limit,
        "fees": None if fees is None else {k: str(v) for k, v in fees.fields().items()},
        "cost_wei": number_text(result.cost_wei),
        "result": result.answer_facts(),
        "revert": None if result.revert is None else str(result.revert),
    }


def ether(wei: int) -> str:
    """An amount in the unit that suits it, exactly."""
    if wei < 10**6:
        return f"{wei:,} wei"
    places, unit = (9, "gwei") if wei < 10**13 else (18, "ether")
    text = f"{Decimal(wei).scaleb(-places, _EXACT):,f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


def moment(timestamp_ns: int, now_ns: int) -> str:
    """A time, and how long ago that was."""
    seconds, ns = divmod(timestamp_ns, 10**9)
    text = f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{ns:09} UTC"
    age_ns = now_ns - timestamp_ns
    side = "ago" if age_ns >= 0 else "ahead"
    return f"{text}, {_duration(abs(age_ns))} {side}"


def _duration(ns: int) -> str:
    if ns < 120 * 10**9:
        return f"{ns / 1e9:.3f} s"
    seconds = ns // 10**9
    for size, unit, limit in ((60, "min", 7200), (3600, "h", 172_800)):
        if seconds < limit:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds // 86400:,} d"


def number(n: int, noun: str) -> str:
    """So many of something."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def number_text(n: int | None) -> str | None:
    """A number that may exceed what JSON's readers hold."""
    return None if n is None else str(n)
