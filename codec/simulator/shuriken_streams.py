"""Shuriken's streams: what they ask for, and which channels they have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from codec.simulator.pusher_words import dumps

__all__ = ["STREAMS", "Stream", "Topic", "Unfit", "canonical", "dotted", "resolve"]

_MAX_VALUE_LEN = 200
_DOTTED = "alpha.signalFeed."

_TOKEN = (("tokenAddress", "The token's mint"),)
_WALLET = (("walletAddress", "The wallet"),)
_EVM_TOKEN = (("chainId", "The chain's id"), ("tokenAddress", "The token's contract"))


class Unfit(Exception):
    """Why a subscription cannot be: an HTTP status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(status, code, message)


@dataclass(frozen=True)
class Stream:
    """A stream. filters: names and descriptions, all needed. visibility: "public" or
    "presence". is_own: everybody has a channel of their own."""

    id: str
    filters: tuple[tuple[str, str], ...] = ()
    visibility: str = "public"
    is_own: bool = False

    def entry(self, event: str) -> dict[str, Any]:
        """As the catalogue has it."""
        return {
            "id": self.id,
            "visibility": self.visibility,
            "filters": [
                {"name": name, "required": True, "description": description}
                for name, description in self.filters
            ],
            "event": event,
            "payloadFormat": "json",
            "payloadSchemaId": self.id,
        }


STREAMS: Final[Mapping[str, Stream]] = MappingProxyType(
    {
        stream.id: stream
        for stream in (
            Stream("svm.token.swaps", _TOKEN),
            Stream("svm.token.poolInfo", _TOKEN),
            Stream("svm.token.balances", _TOKEN),
            Stream("svm.token.distributionStats", _TOKEN),
            Stream("svm.token.holderStats", _TOKEN),
            Stream("svm.wallet.nativeBalance", _WALLET),
            Stream("svm.wallet.tokenBalances", _WALLET),
            Stream("svm.bondingCurve.creations"),
            Stream("svm.bondingCurve.graduations"),
            Stream("evm.token.swaps", _EVM_TOKEN),
            Stream("evm.token.poolInfo", _EVM_TOKEN),
            Stream("evm.token.balances", _EVM_TOKEN),
            Stream("evm.wallet.nativeBalance", _WALLET),
            Stream("evm.wallet.tokenBalances", _WALLET),
            Stream("alpha.signalFeedGlobal"),
            Stream("alpha.signalFeedPersonal", (), "presence", True),
            Stream(
                "alpha.signalFeedProfile", (("profileId", "The profile"),), "presence"
            ),
            Stream("alpha.signalFeedNamed", (("feedId", "The feed"),), "presence"),
            Stream("alpha.personal", (), "presence", True),
            Stream("portfolio.notifications", (), "presence", True),
            Stream("automation.updates", (), "presence", True),
        )
    }
)
"""All of them, by their ids."""


class Topic(NamedTuple):
    """A stream with a filter: what one channel is about."""

    stream: str
    filter: tuple[tuple[str, str], ...]
    user_id: str  # empty where all share it

    def channel(self, prefix: str) -> str:
        """The name of its channel, which differs for every stream, filter and user."""
        digest = hashlib.sha256(dumps(self).encode()).hexdigest()
        return f"{prefix}{self.stream}.{digest[:20]}"


def canonical(stream: object) -> str | None:
    """A stream's id from either spelling; None where there is no such stream."""
    if not isinstance(stream, str):
        return None
    if stream.startswith(_DOTTED):
        rest = stream[len(_DOTTED) :]
        stream = f"{_DOTTED[:-1]}{rest[:1].upper()}{rest[1:]}"
    return stream if stream in STREAMS else None


def dotted(stream: str) -> str:
    """The other spelling of an id, where there is one."""
    head = _DOTTED[:-1]
    if stream.startswith(head) and len(stream) > len(head):
        rest = stream[len(head) :]
        return f"{head}.{rest[0].lower()}{rest[1:]}"
    return stream


def resolve(stream: object, given: object, user_id: str) -> Topic:
    """What a subscription is about. Raises Unfit."""
    name = canonical(stream)
    if name is None:
        shown = str(stream)[:_MAX_VALUE_LEN]
        raise Unfit(404, "STREAM_NOT_FOUND", f"Unknown stream: {shown}")
    if not isinstance(given, Mapping):
        raise Unfit(400, "INVALID_FILTER", f"{name}: filter must be an object")
    wanted = [filter_name for filter_name, _ in STREAMS[name].filters]
    for filter_name in given:
        if filter_name not in wanted:
            shown = str(filter_name)[:_MAX_VALUE_LEN]
            raise Unfit(400, "INVALID_FILTER", f"{name} has no filter {shown}")
    for filter_name in wanted:
        value = given.get(filter_name)
        if value is None:
            raise Unfit(400, "MISSING_FILTER", f"{name} needs the filter {filter_name}")
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_VALUE_LEN:
            raise Unfit(400, "INVALID_FILTER", f"{name}: {filter_name} must be a text")
    fields = tuple((filter_name, given[filter_name]) for filter_name in wanted)
    return Topic(name, fields, user_id if STREAMS[name].is_own else "")
