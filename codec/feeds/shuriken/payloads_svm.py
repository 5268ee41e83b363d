"""Payloads of the streams of Solana."""

from __future__ import annotations

from decimal import Decimal

from codec.feeds.shuriken.payloads_base import Payload

__all__ = [
    "SvmBondingCurveCreation",
    "SvmBondingCurveGraduation",
    "SvmDistribution",
    "SvmDistributionStats",
    "SvmHolder",
    "SvmHolderStats",
    "SvmNativeBalance",
    "SvmPoolInfo",
    "SvmSwap",
    "SvmSwapFees",
    "SvmTokenBalance",
]


class SvmSwapFees(Payload, frozen=True, kw_only=True):
    """What a swap cost beside its price, in lamports (10^-9 SOL)."""

    gas_lamports: int | None = None
    compute_units_consumed: int | None = None
    platform: str | None = None
    platform_fee_lamports: int | None = None
    mev_fee_lamports: int | None = None


class SvmSwap(Payload, frozen=True, kw_only=True):
    """A swap (svm.token.swaps).

    block_time: unix s. size_sol: SOL. size_usd: USD. price_usd, price_sol: of one
    token. amount_in, amount_out: base units of the input's and output's mint.
    """

    token_mint: str
    signature: str
    slot: int
    block_time: int
    block_height: int | None = None
    block_hash: str | None = None
    transaction_index: int | None = None
    is_buy: bool
    size_sol: Decimal
    size_usd: Decimal
    price_usd: Decimal
    price_sol: Decimal
    maker: str | None = None
    input_mint: str | None = None
    output_mint: str | None = None
    input_decimals: int | None = None
    output_decimals: int | None = None
    amount_in: int | None = None
    amount_out: int | None = None
    trade_source: str | None = None
    pool_address: str | None = None
    location: str | None = None
    fees: SvmSwapFees | None = None
    network: str


class SvmPoolInfo(Payload, frozen=True, kw_only=True):
    """A token and its price (svm.token.poolInfo). timestamp_updated_ms: unix ms."""

    token_address: str
    token_name: str
    token_symbol: str
    token_decimals: int
    price_usd: Decimal | None = None
    block_index: int
    timestamp_updated_ms: int
    network: str


class SvmNativeBalance(Payload, frozen=True, kw_only=True):
    """A wallet's SOL (svm.wallet.nativeBalance), in lamports; block_time: unix s."""

    owner: str
    slot: int
    block_time: int
    pre_balance: int
    post_balance: int
    network: str


class SvmTokenBalance(Payload, frozen=True, kw_only=True):
    """A wallet's tokens (svm.token.balances, svm.wallet.tokenBalances).

    pre_balance, post_balance: base units, 10^-decimals tokens. block_time: unix s.
    """

    mint: str
    owner: str
    slot: int
    block_time: int
    decimals: int
    pre_balance: int
    post_balance: int
    network: str


class SvmBondingCurveCreation(Payload, frozen=True, kw_only=True):
    """A new token on a bonding curve (svm.bondingCurve.creations)."""

    token_address: str
    curve_address: str
    curve_dex_type: str
    creator: str
    signature: str
    slot: int
    block_time: int
    block_height: int | None = None
    block_hash: str | None = None
    transaction_index: int | None = None
    network: str


class SvmBondingCurveGraduation(Payload, frozen=True, kw_only=True):
    """A token that leaves its curve for a pool (svm.bondingCurve.graduations)."""

    token_address: str
    curve_address: str
    curve_dex_type: str
    dest_pool_address: str
    dest_pool_dex_type: str
    signature: str
    slot: int
    block_time: int
    block_height: int | None = None
    block_hash: str | None = None
    transaction_index: int | None = None
    network: str


class SvmDistribution(Payload, frozen=True, kw_only=True):
    """Who holds a token, by groups."""

    holder_count: int | None = None
    developer: str | None = None
    developer_balance: Decimal | None = None
    top_10_holder_balances: Decimal | None = None
    top_10_holders: list[str] | None = None
    sniper_balances: Decimal | None = None
    sniper_count: int | None = None
    pro_trader_balances: Decimal | None = None
    pro_trader_count: int | None = None
    freshie_balances: Decimal | None = None
    freshie_count: int | None = None
    insider_balances: Decimal | None = None
    insider_count: int | None = None
    bundler_balances: Decimal | None = None
    bundler_count: int | None = None


class SvmDistributionStats(Payload, frozen=True, kw_only=True):
    """How a token is distributed (svm.token.distributionStats)."""

    token_address: str
    network: str
    block_index: int
    stats: SvmDistribution | None = None


class SvmHolder(Payload, frozen=True, kw_only=True):
    """What was bought and sold. first_transaction_ms: unix ms."""

    bought_usd: Decimal | None = None
    bought_native: Decimal | None = None
    bought_tokens: Decimal | None = None
    sold_usd: Decimal | None = None
    sold_native: Decimal | None = None
    sold_tokens: Decimal | None = None
    buys_count: int | None = None
    sells_count: int | None = None
    first_transaction_ms: int | None = None
    is_token_dev: bool | None = None
    token_balance: Decimal | None = None
    avg_buy_price_usd: Decimal | None = None
    avg_sell_price_usd: Decimal | None = None


class SvmHolderStats(Payload, frozen=True, kw_only=True):
    """What a token's holders did (svm.token.holderStats)."""

    token_address: str
    network: str
    block_index: int
    stats: SvmHolder | None = None
