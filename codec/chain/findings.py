"""What a preflight may find, by codes that programs can go by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "PreflightCode"]


class PreflightCode(StrEnum):
    """docs/chain.md says of each when it is found, and what then follows."""

    # The payload, as the contract judges it.
    INVALID_LENGTH = "invalid_length"
    VERSIONED_LAYOUT = "versioned_layout"
    V_OVERFLOW = "v_overflow"
    INVALID_V = "invalid_v"
    SCALAR_RANGE = "scalar_range"
    HIGH_S = "high_s"
    NO_POINT = "no_point"
    READ_OTHERWISE = "read_otherwise"
    WRONG_SIGNER = "wrong_signer"
    TOO_MANY_ASSETS = "too_many_assets"
    # The payload, as the sender's own checks judge it.
    TOO_OLD = "too_old"
    AHEAD = "ahead"
    ASSET_MISSING = "asset_missing"
    OUTSIDE_BAND = "outside_band"
    # Price updates, as the contract's state judges them.
    STALE_UPDATE = "stale_update"
    NO_FRESH_UPDATE = "no_fresh_update"
    # The chain.
    SIGNERS_UNKNOWN = "signers_unknown"
    FEE_UNKNOWN = "fee_unknown"
    FEE_RAISED = "fee_raised"
    GAS_PRICE_CAPPED = "gas_price_capped"
    BALANCE_LOW = "balance_low"
    COST_ABOVE_LIMIT = "cost_above_limit"
    REVERTS = "reverts"
    CALL_FAILS = "call_fails"
    USELESS_TRANSACTION = "useless_transaction"
    # Taken by the chain, and still odd.
    NO_ASSETS = "no_assets"


@dataclass(frozen=True, slots=True)
class Finding:
    """text: one line for people. is_fatal: a transaction should not be sent."""

    code: PreflightCode
    text: str
    is_fatal: bool = True

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"
