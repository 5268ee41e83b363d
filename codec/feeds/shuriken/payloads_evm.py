"""Payloads of the streams of Ethereum and the chains like it."""

from __future__ import annotations

from decimal import Decimal

from codec.feeds.shuriken.payloads_base import Payload

__all__ = ["EvmNativeBalance", "EvmPoolInfo", "EvmSwap", "EvmTokenBalance"]


class EvmSwap(Payload, frozen=True, kw_only=True):
    """A swap (evm.token.swaps).

    timestamp: unix s. amount_native: the chain's coin. amount_usd: USD. price_native,
    price_usd: of one token. amount_in, amount_out: base units of what went in and out.
    """

    token_address: str
    tx_hash: str
    chain_id: int
    block_number: int
    block_hash: str | None = None
    tx_index: int | None = None
    timestamp: int
    is_buy: bool
    amount_native: Decimal
    amount_usd: Decimal
    price_native: Decimal
    price_usd: Decimal
    token_decimals: int
    token_in_address: str | None = None
    token_out_address: str | None = None
    amount_in: Decimal | None = None
    amount_out: Decimal | None = None
    pool_address: str | None = None
    recipient: str | None = None
    maker: str | None = None
    inferred_dex_type: str | None = None
    platform_name: str | None = None
    network: str


class EvmPoolInfo(Payload, frozen=True, kw_only=True):
    """A token, its price and its pool (evm.token.poolInfo).

    timestamp_updated_ms: unix ms. liquidity_usd, market_cap_usd: USD.
    """

    token_address: str
    chain_id: int
    token_name: str
    token_symbol: str
    token_decimals: int
    total_supply: Decimal | None = None
    price_usd: Decimal | None = None
    price_native: Decimal | None = None
    liquidity_usd: Decimal | None = None
    market_cap_usd: Decimal | None = None
    block_number: int
    timestamp_updated_ms: int
    network: str


class EvmNativeBalance(Payload, frozen=True, kw_only=True):
    """A wallet's coin (evm.wallet.nativeBalance), in base units; block_time: unix s."""

    owner: str
    chain_id: int
    block_number: int
    block_time: int
    balance: Decimal
    network: str


class EvmTokenBalance(Payload, frozen=True, kw_only=True):
    """A wallet's tokens (evm.token.balances, evm.wallet.tokenBalances).

    balance: base units, 10^-decimals tokens. block_time: unix s.
    """

    token_address: str
    owner: str
    chain_id: int
    block_number: int
    block_time: int
    balance: Decimal
    decimals: int
    network: str
