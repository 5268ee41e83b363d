"""Payloads of the streams of Solana."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codec.simulator.shuriken_tokens import base58, decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from codec.simulator.shuriken_market import ShurikenMarket

__all__ = ["SVM_MAKERS"]

_S, _MS = 10**9, 10**6
_SOL = "So11111111111111111111111111111111111111112"
_GENESIS_S = 1_584_282_180  # blocks are counted from then on
_SLOT_NS = 400 * _MS
_SAFE = 2**53  # numbers of JSON below it are exact in all languages


def _svm_block(now_ns: int) -> dict[str, Any]:
    slot = (now_ns - _GENESIS_S * _S) // _SLOT_NS
    return {"slot": slot, "blockTime": now_ns // _S}


def _svm_swap(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    token = market.token("sol", given["tokenAddress"])
    token.step()
    sol, usd, tokens = token.swap(random)
    is_buy = random.random() < 0.5
    block = _svm_block(now_ns)
    coin, goods = (_SOL, 9, int(sol.scaleb(9))), (token.address, 6, tokens % _SAFE)
    put, got = (coin, goods) if is_buy else (goods, coin)
    return {
        "tokenMint": token.address,
        "signature": base58(random, 88),
        **block,
        "blockHeight": block["slot"] - 22_000_000,
        "transactionIndex": random.randrange(2000),
        "isBuy": is_buy,
        "sizeSol": decimal_text(sol),
        "sizeUsd": decimal_text(usd),
        "priceUsd": decimal_text(token.price_usd),
        "priceSol": decimal_text(token.price_native),
        "maker": base58(random, 44),
        "inputMint": put[0],
        "outputMint": got[0],
        "inputDecimals": put[1],
        "outputDecimals": got[1],
        "amountIn": put[2],
        "amountOut": got[2],
        "tradeSource": token.dex,
        "poolAddress": token.pool,
        "fees": {"gasLamports": 5000, "platform": "simulator"},
        "network": "sol",
    }


def _svm_pool(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    token = market.token("sol", given["tokenAddress"])
    token.step()
    return {
        "tokenAddress": token.address,
        "tokenName": token.name,
        "tokenSymbol": token.symbol,
        "tokenDecimals": token.decimals,
        "priceUsd": decimal_text(token.price_usd),
        "blockIndex": _svm_block(now_ns)["slot"],
        "timestampUpdatedMs": now_ns // _MS,
        "network": "sol",
    }


def _svm_token_balance(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    """Of a token's holders, or of a wallet's tokens."""
    return {
        "mint": given.get("tokenAddress") or base58(random, 44),
        "owner": given.get("walletAddress") or base58(random, 44),
        **_svm_block(now_ns),
        "decimals": 6,
        "preBalance": random.randrange(10**15),
        "postBalance": random.randrange(10**15),
        "network": "sol",
    }


def _svm_native_balance(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    before = random.randrange(10**9, 10**13)
    return {
        "owner": given["walletAddress"],
        **_svm_block(now_ns),
        "preBalance": before,
        "postBalance": before - random.randrange(5000, 10**9),
        "network": "sol",
    }


def _svm_distribution(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    def tokens() -> str:
        return f"{random.randrange(10**9)}.{random.randrange(10**6):06}"

    return {
        "tokenAddress": given["tokenAddress"],
        "network": "sol",
        "blockIndex": _svm_block(now_ns)["slot"],
        "stats": {
            "holderCount": random.randrange(10, 100_000),
            "developer": base58(random, 44),
            "developerBalance": tokens(),
            "top10HolderBalances": tokens(),
            "top10Holders": [base58(random, 44) for _ in range(3)],
            "sniperBalances": tokens(),
            "sniperCount": random.randrange(100),
            "insiderBalances": tokens(),
            "insiderCount": random.randrange(100),
        },
    }


def _svm_holders(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    token = market.token("sol", given["tokenAddress"])
    return {
        "tokenAddress": token.address,
        "network": "sol",
        "blockIndex": _svm_block(now_ns)["slot"],
        "stats": {
            "boughtUsd": random.randrange(10**6) / 100,
            "boughtNative": random.randrange(10**6) / 10**6,
            "boughtTokens": str(random.randrange(10**9)),
            "soldUsd": 0,
            "buysCount": random.randrange(100),
            "sellsCount": 0,
            "firstTransactionMs": now_ns // _MS - random.randrange(10**9),
            "isTokenDev": random.random() < 0.1,
            "avgBuyPriceUsd": float(token.price_usd),
        },
    }


def _svm_creation(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    block = _svm_block(now_ns)
    return {
        "tokenAddress": base58(random, 44),
        "curveAddress": base58(random, 44),
        "curveDexType": "pump",
        "creator": base58(random, 44),
        "signature": base58(random, 88),
        **block,
        "blockHeight": block["slot"] - 22_000_000,
        "blockHash": base58(random, 44),
        "transactionIndex": random.randrange(2000),
        "network": "sol",
    }


def _svm_graduation(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    fields = _svm_creation(market, random, given, now_ns)
    del fields["creator"]
    pool = {"destPoolAddress": base58(random, 44), "destPoolDexType": "raydium"}
    return fields | pool


SVM_MAKERS: Final[
    dict[str, Callable[[ShurikenMarket, Random, dict[str, str], int], dict[str, Any]]]
] = {
    "svm.token.swaps": _svm_swap,
    "svm.token.poolInfo": _svm_pool,
    "svm.token.balances": _svm_token_balance,
    "svm.token.distributionStats": _svm_distribution,
    "svm.token.holderStats": _svm_holders,
    "svm.wallet.nativeBalance": _svm_native_balance,
    "svm.wallet.tokenBalances": _svm_token_balance,
    "svm.bondingCurve.creations": _svm_creation,
    "svm.bondingCurve.graduations": _svm_graduation,
}
"""What makes the payloads: of the market, chance, a filter and the time."""
