"""Payloads of the streams of Ethereum and the chains like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from codec.simulator.shuriken_tokens import CHAINS, decimal_text, hex_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from codec.simulator.shuriken_market import ShurikenMarket

__all__ = ["EVM_MAKERS"]

_S, _MS = 10**9, 10**6
_BLOCK_NS = 12 * _S


def _evm_block(chain_id: str, now_ns: int) -> dict[str, Any]:
    number = int(chain_id) if chain_id.isdecimal() and len(chain_id) < 16 else 1
    return {"chainId": number, "blockNumber": now_ns // _BLOCK_NS - 123_000_000}


def _evm_swap(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    token = market.token(given["chainId"], given["tokenAddress"])
    token.step()
    coins, usd, tokens = token.swap(random)
    is_buy = random.random() < 0.5
    wrapped = f"0x{'c0' * 20}"
    goods = (token.address, str(tokens))
    coin = (wrapped, str(int(coins.scaleb(18))))
    put, got = (coin, goods) if is_buy else (goods, coin)
    maker = hex_text(random, 20)
    return {
        "tokenAddress": token.address,
        "txHash": hex_text(random, 32),
        **_evm_block(given["chainId"], now_ns),
        "blockHash": hex_text(random, 32),
        "txIndex": random.randrange(400),
        "timestamp": now_ns // _S,
        "isBuy": is_buy,
        "amountNative": decimal_text(coins),
        "amountUsd": decimal_text(usd),
        "priceNative": decimal_text(token.price_native),
        "priceUsd": decimal_text(token.price_usd),
        "tokenDecimals": token.decimals,
        "tokenInAddress": put[0],
        "tokenOutAddress": got[0],
        "amountIn": put[1],
        "amountOut": got[1],
        "poolAddress": token.pool,
        "recipient": maker,
        "maker": maker,
        "inferredDexType": token.dex,
        "network": token.network,
    }


def _evm_pool(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    token = market.token(given["chainId"], given["tokenAddress"])
    token.step()
    return {
        "tokenAddress": token.address,
        **_evm_block(given["chainId"], now_ns),
        "tokenName": token.name,
        "tokenSymbol": token.symbol,
        "tokenDecimals": token.decimals,
        "totalSupply": str(token.supply * 10**token.decimals),
        "priceUsd": decimal_text(token.price_usd),
        "priceNative": decimal_text(token.price_native),
        "liquidityUsd": f"{random.randrange(10**6)}.{random.randrange(100):02}",
        "marketCapUsd": decimal_text(token.market_cap_usd),
        "timestampUpdatedMs": now_ns // _MS,
        "network": token.network,
    }


def _evm_token_balance(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    """Of a token's holders, or of a wallet's tokens."""
    chain_id = given.get("chainId") or random.choice(("1", "8453", "56"))
    return {
        "tokenAddress": given.get("tokenAddress") or hex_text(random, 20),
        "owner": given.get("walletAddress") or hex_text(random, 20),
        **_evm_block(chain_id, now_ns),
        "blockTime": now_ns // _S,
        "balance": str(random.randrange(10**30)),
        "decimals": 18,
        "network": CHAINS.get(chain_id, CHAINS["1"])[0],
    }


def _evm_native_balance(
    market: ShurikenMarket, random: Random, given: dict[str, str], now_ns: int
) -> dict[str, Any]:
    fields = _evm_token_balance(market, random, given, now_ns)
    del fields["tokenAddress"], fields["decimals"]
    return fields


EVM_MAKERS: Final[
    dict[str, Callable[[ShurikenMarket, Random, dict[str, str], int], dict[str, Any]]]
] = {
    "evm.token.swaps": _evm_swap,
    "evm.token.poolInfo": _evm_pool,
    "evm.token.balances": _evm_token_balance,
    "evm.wallet.nativeBalance": _evm_native_balance,
    "evm.wallet.tokenBalances": _evm_token_balance,
}
"""What makes the payloads: of the market, chance, a filter and the time."""
