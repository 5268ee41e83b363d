"""A payload of every stream, as the service would send it."""

from __future__ import annotations

from typing import Any

TOKEN = "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN"
SOL = "So11111111111111111111111111111111111111112"
WALLET = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"
POOL = "58oQChx4yWmvKdwLLZzBi4ChoCc2fqCUWBkwMihLYQo2"
SIGNATURE = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRz"
EVM_TOKEN = "0x6982508145454ce325ddbe47a25d4ec3d2311933"
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
EVM_WALLET = "0xd8da6bf26964af9d7eed9e03e53415d37aa96045"

SVM_SWAP = {
    "tokenMint": TOKEN,
    "signature": SIGNATURE,
    "slot": 371234567,
    "blockTime": 1760000000,
    "blockHeight": 349000000,
    "transactionIndex": 812,
    "isBuy": True,
    "sizeSol": "1.234567891",
    "sizeUsd": "271.60493602",
    "priceUsd": "0.00000123456789012345678901",
    "priceSol": "0.0000000056116722278338944",
    "maker": WALLET,
    "inputMint": SOL,
    "outputMint": TOKEN,
    "inputDecimals": 9,
    "outputDecimals": 6,
    "amountIn": 1234567891,
    "amountOut": 18446744073709551615,
    "tradeSource": "raydium",
    "poolAddress": POOL,
    "location": "fra",
    "fees": {
        "gasLamports": 5000,
        "computeUnitsConsumed": 81234,
        "platform": "shuriken",
        "platformFeeLamports": 12345,
        "mevFeeLamports": 0,
    },
    "network": "sol",
}
EVM_SWAP = {
    "tokenAddress": EVM_TOKEN,
    "txHash": "0x" + "ab" * 32,
    "chainId": 1,
    "blockNumber": 23500000,
    "blockHash": "0x" + "cd" * 32,
    "txIndex": 17,
    "timestamp": 1760000011,
    "isBuy": False,
    "amountNative": "0.123456789012345678",
    "amountUsd": "540.12",
    "priceNative": "0.0000000021",
    "priceUsd": "0.00000912",
    "tokenDecimals": 18,
    "tokenInAddress": EVM_TOKEN,
    "tokenOutAddress": WETH,
    "amountIn": "58788000000000000000000000",
    "amountOut": "123456789012345678",
    "poolAddress": "0xa43fe16908251ee70ef74718545e4fe6c5ccec9f",
    "recipient": EVM_WALLET,
    "maker": EVM_WALLET,
    "inferredDexType": "uniswapV2",
    "platformName": "uniswap",
    "network": "eth",
}
_CURVE = {
    "tokenAddress": TOKEN,
    "curveAddress": POOL,
    "curveDexType": "pump",
    "signature": SIGNATURE,
    "slot": 371234567,
    "blockTime": 1760000000,
    "blockHeight": 349000000,
    "blockHash": "9sHcv6xwn9YkB8nxTUGKDwPwNnmqVp5oAXxU8Fdkm4J6",
    "network": "sol",
}
_SVM_TOKEN_BALANCE = {
    "mint": TOKEN,
    "owner": WALLET,
    "slot": 371234567,
    "blockTime": 1760000000,
    "decimals": 6,
    "preBalance": 18446744073709551615,
    "postBalance": 0,
    "network": "sol",
}
_EVM_TOKEN_BALANCE = {
    "tokenAddress": EVM_TOKEN,
    "owner": EVM_WALLET,
    "chainId": 8453,
    "blockNumber": 36000000,
    "blockTime": 1760000000,
    "balance": "420690000000000000000000000000000",
    "decimals": 18,
    "network": "base",
}
AUTHOR = {"userId": "42", "username": "ada", "displayName": "Ada", "isBot": False}
DISCORD = {
    "messageId": "1",
    "guildId": "2",
    "channelId": "3",
    "snapshotGuildName": "guild",
    "content": "look at $JUP",
    "timestamp": 1760000000123,
    "author": AUTHOR,
    "tokens": [{"address": TOKEN, "chain": "solana"}],
    "isEdited": False,
    "isDeleted": False,
}
TELEGRAM = {
    "messageId": "1",
    "chatId": "-100",
    "topicId": 7,
    "topicTitle": "calls",
    "content": "hm",
    "timestamp": 1760000000123,
    "tokens": [],
    "isEdited": True,
    "isDeleted": False,
    "replyToMessageId": "0",
}
X = {
    "tweetId": "1",
    "content": "gm",
    "timestamp": 1760000000123,
    "author": {
        "userId": "42",
        "username": "ada",
        "verified": True,
        "followersCount": 1_000_000,
    },
    "tokens": [],
    "hashtags": ["a"],
    "cashtags": ["JUP"],
    "mentions": [{"username": "bob", "userId": "43"}],
    "publicMetrics": {
        "likeCount": 1,
        "retweetCount": 2,
        "replyCount": 3,
        "quoteCount": 4,
    },
    "mediaUrls": [],
    "isDeleted": False,
}
TRADE = {
    "walletAddress": WALLET,
    "txSignature": SIGNATURE,
    "isBuy": True,
    "amountUsd": "1000.10",
    "amountNative": "4.5",
}
SOURCES: dict[str, dict[str, Any]] = {
    "trade": TRADE,
    "discord": {"messageId": "1", "guildId": "2", "channelId": "3", "authorId": "4"},
    "telegram": {"messageId": "1", "chatId": "-100", "senderId": "4", "topicId": 7},
    "x": {"tweetId": "1", "authorId": "4", "authorVerified": True},
}
MESSAGES = {"discord": DISCORD, "telegram": TELEGRAM, "x": X}


def signal(kind: str, source: str = "trade", **rest: Any) -> dict[str, Any]:
    """An update of a signal feed."""
    return {
        "type": f"{kind}SignalFeedUpdate",
        "tokenAddress": TOKEN,
        "network": "sol",
        "tokenMeta": {
            "address": TOKEN,
            "network": "sol",
            "symbol": "JUP",
            "name": "Jupiter",
            "decimals": 6,
        },
        "latestSignal": {
            "id": "s1",
            "timestampMs": 1760000000123,
            "source": {"sourceType": source, "source": SOURCES[source]},
            "isBot": False,
            "priceUsd": 0.1,
            "priceNative": 1e-7,
            "marketcapUsd": 123456789.12,
            "liquidityUsd": 0,
            "dexName": "raydium",
        },
        **rest,
    }


PAYLOADS: dict[str, dict[str, Any]] = {
    "svm.token.swaps": SVM_SWAP,
    "svm.token.poolInfo": {
        "tokenAddress": TOKEN,
        "tokenName": "Jupiter",
        "tokenSymbol": "JUP",
        "tokenDecimals": 6,
        "priceUsd": "0.4321",
        "blockIndex": 371234567,
        "timestampUpdatedMs": 1760000000123,
        "network": "sol",
    },
    "svm.token.balances": _SVM_TOKEN_BALANCE,
    "svm.token.distributionStats": {
        "tokenAddress": TOKEN,
        "network": "sol",
        "blockIndex": 371234567,
        "stats": {
            "holderCount": 1234,
            "developer": WALLET,
            "developerBalance": "1000000.000001",
            "top10HolderBalances": "123456789.5",
            "top10Holders": [WALLET, POOL],
            "sniperBalances": "0",
            "sniperCount": 0,
        },
    },
    "svm.token.holderStats": {
        "tokenAddress": TOKEN,
        "network": "sol",
        "blockIndex": 371234567,
        "stats": {
            "boughtUsd": 12.34,
            "boughtNative": 0.1,
            "boughtTokens": "100.5",
            "soldUsd": 0,
            "buysCount": 3,
            "sellsCount": 0,
            "firstTransactionMs": 1760000000123,
            "isTokenDev": False,
            "avgBuyPriceUsd": 1.2e-7,
        },
    },
    "svm.wallet.nativeBalance": {
        "owner": WALLET,
        "slot": 371234567,
        "blockTime": 1760000000,
        "preBalance": 2000000000,
        "postBalance": 1999995000,
        "network": "sol",
    },
    "svm.wallet.tokenBalances": _SVM_TOKEN_BALANCE,
    "svm.bondingCurve.creations": {**_CURVE, "creator": WALLET},
    "svm.bondingCurve.graduations": {
        **_CURVE,
        "destPoolAddress": POOL,
        "destPoolDexType": "raydium",
        "transactionIndex": 3,
    },
    "evm.token.swaps": EVM_SWAP,
    "evm.token.poolInfo": {
        "tokenAddress": EVM_TOKEN,
        "chainId": 1,
        "tokenName": "Pepe",
        "tokenSymbol": "PEPE",
        "tokenDecimals": 18,
        "totalSupply": "420690000000000000000000000000000",
        "priceUsd": "0.00000912",
        "priceNative": "0.0000000021",
        "liquidityUsd": "31234567.89",
        "marketCapUsd": "3836692800.5",
        "blockNumber": 23500000,
        "timestampUpdatedMs": 1760000011123,
        "network": "eth",
    },
    "evm.token.balances": _EVM_TOKEN_BALANCE,
    "evm.wallet.nativeBalance": {
        "owner": EVM_WALLET,
        "chainId": 1,
        "blockNumber": 23500000,
        "blockTime": 1760000000,
        "balance": "5000000000000000000",
        "network": "eth",
    },
    "evm.wallet.tokenBalances": _EVM_TOKEN_BALANCE,
    "alpha.signalFeedGlobal": signal("global"),
    "alpha.signalFeedPersonal": signal("personal", "discord", feedId="f1"),
    "alpha.signalFeedProfile": signal("profile", "telegram", profileId="p1"),
    "alpha.signalFeedNamed": signal("named", "x", feedId="f1"),
    "alpha.personal": {"platform": "discord", "data": DISCORD},
    "portfolio.notifications": {
        "type": "swap",
        "taskId": "t1",
        "userId": "u1",
        "chainId": 8453,
    },
    "automation.updates": {"type": "strategy", "rootTaskId": "t1", "userId": "u1"},
}
