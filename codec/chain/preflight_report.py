"""A payload's preflight for people, and for JSON: the payload, and its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codec.api import as_int
from codec.chain.forecast_report import ether, moment, number, number_text, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.chain.preflight import Preflight

__all__ = ["answer_facts", "ether", "payload_facts", "payload_rows", "verdict"]

_LAYOUTS = {0: "layout unknown", 1: "first layout", 2: "versioned layout"}


def payload_rows(result: Preflight) -> Iterator[tuple[str, str]]:
    """The payload, who signed it, and what would be called."""
    parts = [number(result.payload_len, "byte"), _LAYOUTS[result.layout]]
    if result.n_assets is not None:
        parts.insert(1, number(result.n_assets, "asset"))
        parts.append(f"taxonomy {result.taxonomy_id}")
    yield "payload", ", ".join(parts)
    if result.timestamp_ns is not None:
        yield "time", moment(result.timestamp_ns, result.now_ns)
    yield "signer", _signer(result)
    target = result.target
    yield "contract", target.address
    if target.verifier_address != target.address:
        yield "verifier", target.verifier_address
    yield "call", f"{target.function}, {len(result.calldata):,} bytes of calldata"


def _signer(result: Preflight) -> str:
    if result.signer is None:
        return "cannot be recovered"
    if result.signer in result.signers:
        n = len(result.signers)
        whose = "the contract's signer" if n == 1 else f"one of its {n} signers"
    else:
        whose = "none of the contract's" if result.signers else "not compared"
    return f"{result.signer}, {whose}"


def payload_facts(result: Preflight) -> dict[str, Any]:
    """The same of types that JSON has."""
    return {
        "payload_len": result.payload_len,
        "layout": result.layout or None,
        "n_assets": result.n_assets,
        "taxonomy_id": result.taxonomy_id,
        "timestamp_ns": number_text(result.timestamp_ns),
        "signer": result.signer,
        "signers": list(result.signers),
        "contract": result.target.address,
        "verifier": result.target.verifier_address,
        "function": result.target.function,
    }


def answer_facts(result: Preflight) -> bool | list[dict[str, Any]] | None:
    """What the call returned."""
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
