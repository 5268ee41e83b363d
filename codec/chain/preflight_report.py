"""A preflight's result for people, and for JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from codec.api import as_int

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.chain.preflight import Preflight

__all__ = ["as_dict", "ether", "report_rows", "text_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = Context(prec=100)
_LAYOUTS = {0: "layout unknown", 1: "first layout", 2: "versioned layout"}
_NAME_LEN = 9


def report_rows(result: Preflight) -> list[tuple[str, str]]:
    """Names, and what is known of each; what was not asked has no row."""
    return [*_payload_rows(result), *_chain_rows(result)]


def text_of(result: Preflight) -> str:
    """The rows, what was found, and the verdict."""
    lines = [f"{name:{_NAME_LEN}} {text}" for name, text in report_rows(result)]
    for finding in result.findings:
        lines.append(f"{'bad' if finding.is_fatal else 'note':{_NAME_LEN}} {finding}")
    return "\n".join([*lines, verdict(result)])


def verdict(result: Preflight) -> str:
    """One line: whether it should be sent."""
    n_fatal = sum(finding.is_fatal for finding in result.findings)
    if n_fatal:
        return f"bad: it should not be sent, for {_number(n_fatal, 'reason')}"
    if result.gas is None:
        return "good as far as can be told without the chain"
    seen = ", but see what is noted above" if result.findings else ""
    return f"good: it would succeed{seen}"


def ether(wei: int) -> str:
    """An amount in the unit that suits it, exactly."""
    if wei < 10**6:
        return f"{wei:,} wei"
    places, unit = (9, "gwei") if wei < 10**13 else (18, "ether")
    text = f"{Decimal(wei).scaleb(-places, _EXACT):,f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"


def _payload_rows(result: Preflight) -> Iterator[tuple[str, str]]:
    parts = [_number(result.payload_len, "byte"), _LAYOUTS[result.layout]]
    if result.n_assets is not None:
        parts.insert(1, _number(result.n_assets, "asset"))
        parts.append(f"taxonomy {result.taxonomy_id}")
    yield "payload", ", ".join(parts)
    if result.timestamp_ns is not None:
        yield "time", _moment(result.timestamp_ns, result.now_ns)
    if result.signer is None:
        yield "signer", "cannot be recovered"
        return
    if result.signer in result.signers:
        n = len(result.signers)
        whose = "the contract's signer" if n == 1 else f"one of its {n} signers"
    else:
        whose = "none of the contract's" if result.signers else "not compared"
    yield "signer", f"{result.signer}, {whose}"


def _chain_rows(result: Preflight) -> Iterator[tuple[str, str]]:
    target = result.target
    yield "contract", target.address
    if target.verifier_address != target.address:
        yield "verifier", target.verifier_address
    yield "call", f"{target.function}, {len(result.calldata):,} bytes of calldata"
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


def _answer(result: Preflight) -> str:
    if result.revert is not None:
        return f"reverts: {result.revert}"
    if result.result is None:
        return "" if result.gas is None else "the call passes"
    if isinstance(result.result, bool):
        return str(result.result).lower()
    return _number(len(result.result), "asset")


def _moment(timestamp_ns: int, now_ns: int) -> str:
    seconds, ns = divmod(timestamp_ns, 10**9)
    moment = f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{ns:09} UTC"
    age_ns = now_ns - timestamp_ns
    side = "ago" if age_ns >= 0 else "ahead"
    return f"{moment}, {_duration(abs(age_ns))} {side}"


def _duration(ns: int) -> str:
    if ns < 120 * 10**9:
        return f"{ns / 1e9:.3f} s"
    seconds = ns // 10**9
    for size, unit, limit in ((60, "min", 7200), (3600, "h", 172_800)):
        if seconds < limit:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds // 86400:,} d"


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def as_dict(result: Preflight) -> dict[str, Any]:
    """Everything, of types that JSON has; large numbers as text."""
    fees = result.fees
    return {
        "is_good": result.is_good,
        "findings": [
            {"code": str(found.code), "text": found.text, "is_fatal": found.is_fatal}
            for found in result.findings
        ],
        "payload_len": result.payload_len,
        "layout": result.layout or None,
        "n_assets": result.n_assets,
        "taxonomy_id": result.taxonomy_id,
        "timestamp_ns": _text(result.timestamp_ns),
        "signer": result.signer,
        "signers": list(result.signers),
        "contract": result.target.address,
        "verifier": result.target.verifier_address,
        "function": result.target.function,
        "sender": result.sender,
        "calldata": "0x" + result.calldata.hex(),
        "fee_wei": _text(result.fee_wei),
        "value_wei": _text(result.value_wei),
        "balance_wei": _text(result.balance_wei),
        "gas": result.gas,
        "gas_limit": result.gas_limit,
        "fees": None if fees is None else {k: str(v) for k, v in fees.fields().items()},
        "cost_wei": _text(result.cost_wei),
        "result": _result(result),
        "revert": None if result.revert is None else str(result.revert),
    }


def _result(result: Preflight) -> bool | list[dict[str, Any]] | None:
    updates = result.result
    if updates is None or isinstance(updates, bool):
        return updates
    return [
        {"asset_id": asset_id, "value": str(value), "timestamp_ns": str(timestamp_ns)}
        for asset_id, value, timestamp_ns in zip(
            updates["asset_id"].tolist(),
            as_int(updates),
            updates["timestamp_ns"].tolist(),
            strict=True,
        )
    ]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
