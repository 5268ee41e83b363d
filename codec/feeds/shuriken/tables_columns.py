"""The columns of the tables of events: names, types, and where their values are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import pyarrow as pa

from codec.feeds.shuriken.payloads_base import Payload
from codec.feeds.shuriken.payloads_evm import (
    EvmNativeBalance,
    EvmPoolInfo,
    EvmSwap,
    EvmTokenBalance,
)
from codec.feeds.shuriken.payloads_svm import (
    SvmNativeBalance,
    SvmPoolInfo,
    SvmSwap,
    SvmTokenBalance,
)

__all__ = ["KINDS", "MILLISECONDS", "SECONDS", "Column", "Kind", "Table"]

Kind: TypeAlias = Literal["swaps", "pool_info", "balances"]

# What a column of times is made of.
SECONDS: Final = 1000
MILLISECONDS: Final = 1

_TIME = pa.timestamp("ms", "UTC")
# Digits before and after the point: 14 and 24 for amounts of money, 8 and 30 for prices
# (of a token that is worth 10^-13 they keep the 17 digits of a double), 20 and 18 for
# coins of 18 decimals and for the worth of all of a token, 38 and 0 for base units.
_USD = pa.decimal128(38, 24)
_PRICE = pa.decimal128(38, 30)
_COIN = pa.decimal128(38, 18)
_WORTH = pa.decimal128(38, 18)
_UNITS = pa.decimal128(38, 0)


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the attribute that fills it ("fees.platform") for each network.

    svm, evm: None where payloads of that network have no such thing. times: by what a
    number is multiplied to be milliseconds.
    """

    name: str
    type: pa.DataType
    svm: str | None
    evm: str | None
    unit: str = ""
    is_required: bool = False
    times: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of table: the payloads whose rows it has, and its columns."""

    svm: tuple[type[Payload], ...]
    evm: tuple[type[Payload], ...]
    columns: tuple[Column, ...]


def _text(
    name: str, svm: str | None, evm: str | None, is_required: bool = False
) -> Column:
    return Column(name, pa.string(), svm, evm, is_required=is_required)


def _number(name: str, svm: str | None, evm: str | None, unit: str = "") -> Column:
    return Column(name, pa.int64(), svm, evm, unit)


_CHAIN = (
    Column("network", pa.string(), "network", "network", is_required=True),
    _number("chain_id", None, "chain_id"),
)
_BLOCK_TIME = Column(
    "block_time", _TIME, "block_time", "block_time", is_required=True, times=SECONDS
)

KINDS: Final[dict[Kind, Table]] = {
    "swaps": Table(
        (SvmSwap,),
        (EvmSwap,),
        (
            Column("block_time", _TIME, "block_time", "timestamp", "", True, SECONDS),
            *_CHAIN,
            _text("token", "token_mint", "token_address", is_required=True),
            Column("is_buy", pa.bool_(), "is_buy", "is_buy", is_required=True),
            Column("amount_native", _COIN, "size_sol", "amount_native", "native coin"),
            Column("amount_usd", _USD, "size_usd", "amount_usd", "USD"),
            Column(
                "price_native",
                _PRICE,
                "price_sol",
                "price_native",
                "native coin per token",
            ),
            Column("price_usd", _PRICE, "price_usd", "price_usd", "USD per token"),
            _text("maker", "maker", "maker"),
            _text("recipient", None, "recipient"),
            _text("pool", "pool_address", "pool_address"),
            _text("transaction", "signature", "tx_hash", is_required=True),
            _number("transaction_index", "transaction_index", "tx_index"),
            _number("block", "slot", "block_number", "slot, or number of the block"),
            _number("block_height", "block_height", None),
            _text("block_hash", "block_hash", "block_hash"),
            _number("token_decimals", None, "token_decimals"),
            _text("token_in", "input_mint", "token_in_address"),
            _text("token_out", "output_mint", "token_out_address"),
            _number("decimals_in", "input_decimals", None),
            _number("decimals_out", "output_decimals", None),
            Column("amount_in", _UNITS, "amount_in", "amount_in", "base units"),
            Column("amount_out", _UNITS, "amount_out", "amount_out", "base units"),
            _text("trade_source", "trade_source", None),
            _text("dex", None, "inferred_dex_type"),
            _text("platform", "fees.platform", "platform_name"),
            _text("location", "location", None),
            Column("gas_fee", _UNITS, "fees.gas_lamports", None, "lamports"),
            Column(
                "platform_fee", _UNITS, "fees.platform_fee_lamports", None, "lamports"
            ),
            Column("mev_fee", _UNITS, "fees.mev_fee_lamports", None, "lamports"),
            _number("compute_units", "fees.compute_units_consumed", None),
        ),
    ),
    "pool_info": Table(
        (SvmPoolInfo,),
        (EvmPoolInfo,),
        (
            Column(
                "updated_time",
                _TIME,
                "timestamp_updated_ms",
                "timestamp_updated_ms",
                is_required=True,
                times=MILLISECONDS,
            ),
            *_CHAIN,
            _text("token", "token_address", "token_address", is_required=True),
            _text("name", "token_name", "token_name", is_required=True),
            _text("symbol", "token_symbol", "token_symbol", is_required=True),
            _number("decimals", "token_decimals", "token_decimals"),
            _number("block", "block_index", "block_number"),
            Column("price_usd", _PRICE, "price_usd", "price_usd", "USD per token"),
            Column(
                "price_native", _PRICE, None, "price_native", "native coin per token"
            ),
            Column("liquidity_usd", _WORTH, None, "liquidity_usd", "USD"),
            Column("market_cap_usd", _WORTH, None, "market_cap_usd", "USD"),
            Column("total_supply", _UNITS, None, "total_supply"),
        ),
    ),
    "balances": Table(
        (SvmNativeBalance, SvmTokenBalance),
        (EvmNativeBalance, EvmTokenBalance),
        (
            _BLOCK_TIME,
            *_CHAIN,
            _text("owner", "owner", "owner", is_required=True),
            _text("token", "mint", "token_address"),
            _number("decimals", "decimals", "decimals"),
            _number("block", "slot", "block_number", "slot, or number of the block"),
            Column("balance", _UNITS, "post_balance", "balance", "base units"),
            Column("balance_before", _UNITS, "pre_balance", None, "base units"),
        ),
    ),
}
