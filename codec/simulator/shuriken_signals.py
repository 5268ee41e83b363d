"""Payloads of the streams of signals, messages and one's own tasks."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeAlias

from codec.simulator.shuriken_tokens import Token, base58

__all__ = ["SIGNALS"]

Maker: TypeAlias = Callable[[Random, dict[str, str], Token, str, int], dict[str, Any]]

_MS = 10**6
_TASKS = ("swap", "transfer", "approval", "automation", "strategy", "claim", "cleanup")


def _id(random: Random) -> str:
    return str(random.randrange(10**17, 10**18))


def _sources(random: Random) -> dict[str, dict[str, Any]]:
    author = {"authorId": _id(random), "authorUsername": "ada"}
    return {
        "discord": {
            "messageId": _id(random),
            "guildId": _id(random),
            "channelId": _id(random),
            **author,
        },
        "telegram": {
            "messageId": _id(random),
            "chatId": f"-{_id(random)}",
            "senderId": _id(random),
            "topicId": random.randrange(100),
        },
        "x": {"tweetId": _id(random), **author, "authorVerified": True},
        "trade": {
            "walletAddress": base58(random, 44),
            "txSignature": base58(random, 88),
            "isBuy": random.random() < 0.5,
            "amountUsd": f"{random.randrange(10**6)}.{random.randrange(100):02}",
            "amountNative": f"{random.randrange(1000)}.{random.randrange(10**9):09}",
        },
    }


def _signal(
    kind: str, random: Random, given: dict[str, str], token: Token, now_ns: int
) -> dict[str, Any]:
    source = random.choice(("discord", "telegram", "x", "trade"))
    fields = {
        "type": f"{kind}SignalFeedUpdate",
        "tokenAddress": token.address,
        "network": token.network,
        "tokenMeta": {
            "address": token.address,
            "network": token.network,
            "symbol": token.symbol,
            "name": token.name,
            "decimals": token.decimals,
        },
        "latestSignal": {
            "id": f"signal-{_id(random)}",
            "timestampMs": now_ns // _MS,
            "source": {"sourceType": source, "source": _sources(random)[source]},
            "isBot": random.random() < 0.2,
            "priceUsd": float(token.price_usd),
            "priceNative": float(token.price_native),
            "marketcapUsd": float(token.market_cap_usd),
            "liquidityUsd": random.randrange(10**8) / 100,
            "poolAddress": token.pool,
            "dexName": token.dex,
        },
    }
    return fields | given


def _global(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    return _signal("global", random, {}, token, now_ns)


def _personal(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    feed = {"feedId": f"feed-of-{user_id}"}
    return _signal("personal", random, feed, token, now_ns)


def _profile(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    return _signal("profile", random, given, token, now_ns)


def _named(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    if random.random() < 0.2:
        return _feed_message(random, given["feedId"], token, now_ns)
    return _signal("named", random, given, token, now_ns)


def _message(random: Random, token: Token, now_ns: int) -> dict[str, Any]:
    data = {
        "messageId": _id(random),
        "guildId": _id(random),
        "channelId": _id(random),
        "snapshotGuildName": "the simulator's",
        "content": f"look at ${token.symbol} \N{ROCKET}",
        "timestamp": now_ns // _MS,
        "author": {"userId": _id(random), "username": "ada", "isBot": False},
        "tokens": [{"address": token.address, "chain": "solana"}],
        "isEdited": False,
        "isDeleted": False,
    }
    return {"platform": "discord", "data": data}


def _feed_message(
    random: Random, feed_id: str, token: Token, now_ns: int
) -> dict[str, Any]:
    return {
        "type": "feedMessage",
        "feedId": feed_id,
        "message": _message(random, token, now_ns),
    }


def _alpha(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    kind = random.randrange(3)
    if kind == 0:
        return _message(random, token, now_ns)
    if kind == 1:
        return _feed_message(random, f"feed-of-{user_id}", token, now_ns)
    now_ms = now_ns // _MS
    mention = {
        "messageId": _id(random),
        "platform": "telegram",
        "timestampMs": now_ms,
    }
    return {
        "type": "callReference",
        "address": token.address,
        "firstSeenAtMs": now_ms - random.randrange(10**9),
        "lastSeenAtMs": now_ms,
        "mentionCount": random.randrange(1, 100),
        "mentions": [mention],
    }


def _task(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    return _about(random.choice(_TASKS), random, user_id)


def _automation(
    random: Random, given: dict[str, str], token: Token, user_id: str, now_ns: int
) -> dict[str, Any]:
    kind = random.choice(("automation", "strategy", "swap"))
    return _about(kind, random, user_id)


def _about(kind: str, random: Random, user_id: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": kind, "userId": user_id}
    names = {"strategy": "rootTaskId", "claim": "claimId"}
    fields[names.get(kind, "taskId")] = f"task-{_id(random)}"
    if kind == "swap":
        fields["chainId"] = random.choice((1, 56, 8453))
    return fields


SIGNALS: Final[dict[str, Maker]] = {
    "alpha.signalFeedGlobal": _global,
    "alpha.signalFeedPersonal": _personal,
    "alpha.signalFeedProfile": _profile,
    "alpha.signalFeedNamed": _named,
    "alpha.personal": _alpha,
    "portfolio.notifications": _task,
    "automation.updates": _automation,
}
"""What makes the payloads: of chance, a filter, a token, a user and the time."""
