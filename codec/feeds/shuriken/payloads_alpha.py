"""Payloads of the streams of signals and messages."""

from __future__ import annotations

from decimal import Decimal

from codec.feeds.shuriken.payloads_base import TAG, Payload

__all__ = [
    "CallReference",
    "CallReferenceMention",
    "DiscordMessage",
    "DiscordSource",
    "FeedMessage",
    "Message",
    "MessageAuthor",
    "MessageToken",
    "OtherMessage",
    "OtherSource",
    "SignalFeedUpdate",
    "SignalSource",
    "TelegramMessage",
    "TelegramSource",
    "TokenMeta",
    "TokenSignal",
    "TradeSource",
    "XAuthor",
    "XMention",
    "XMessage",
    "XPublicMetrics",
    "XSource",
]


class TokenMeta(Payload, frozen=True, kw_only=True):
    """A token. deployment_timestamp: as the service gives it."""

    address: str
    network: str
    symbol: str
    name: str
    decimals: int | None = None
    logo_url: str | None = None
    deployment_timestamp: int | None = None


class DiscordSource(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="discord"):
    """A message on Discord that gave a signal."""

    message_id: str
    guild_id: str
    channel_id: str
    author_id: str
    author_username: str | None = None
    author_avatar_url: str | None = None
    author_is_bot: bool | None = None
    author_display_name: str | None = None
    webhook_id: str | None = None
    snapshot_guild_name: str | None = None
    snapshot_channel_name: str | None = None


class TelegramSource(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="telegram"):
    """A message on Telegram that gave a signal."""

    message_id: str
    chat_id: str
    topic_id: int | None = None
    topic_title: str | None = None
    sender_id: str
    sender_username: str | None = None
    sender_avatar_url: str | None = None
    sender_is_bot: bool | None = None
    sender_display_name: str | None = None
    snapshot_chat_title: str | None = None


class XSource(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="x"):
    """A post on X that gave a signal."""

    tweet_id: str
    author_id: str
    author_username: str | None = None
    author_avatar_url: str | None = None
    author_verified: bool | None = None
    author_display_name: str | None = None


class TradeSource(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="trade"):
    """A trade that gave a signal."""

    wallet_address: str
    tx_signature: str
    is_buy: bool
    amount_usd: Decimal
    amount_native: Decimal


class OtherSource(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="other"):
    """A source of a kind that is not known: all of it is in `extra`."""


class SignalSource(Payload, frozen=True, kw_only=True):
    """Where a signal is from. source_type says what `source` is."""

    source_type: str
    source: DiscordSource | TelegramSource | XSource | TradeSource | OtherSource


class TokenSignal(Payload, frozen=True, kw_only=True):
    """A signal, and what the token was worth then. timestamp_ms: unix ms."""

    id: str
    timestamp_ms: int
    source: SignalSource
    is_bot: bool
    price_usd: Decimal
    price_native: Decimal
    marketcap_usd: Decimal
    liquidity_usd: Decimal
    liquidity_native: Decimal | None = None
    pool_address: str | None = None
    dex_name: str | None = None


class SignalFeedUpdate(Payload, frozen=True, kw_only=True):
    """A token's newest signal (alpha.signalFeedGlobal, Personal, Profile, Named).

    type: "globalSignalFeedUpdate" and its like. feed_id: of personal and named feeds.
    profile_id: of profiles.
    """

    type: str
    token_address: str
    network: str
    token_meta: TokenMeta | None = None
    latest_signal: TokenSignal | None = None
    feed_id: str | None = None
    profile_id: str | None = None


class MessageAuthor(Payload, frozen=True, kw_only=True):
    """Who wrote a message on Discord or Telegram."""

    user_id: str | None = None
    username: str | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    is_bot: bool | None = None


class MessageToken(Payload, frozen=True, kw_only=True):
    """A token that a message names."""

    address: str
    chain: str


class DiscordMessage(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="discord"):
    """A message on Discord. timestamp: unix ms."""

    message_id: str
    guild_id: str
    channel_id: str
    snapshot_guild_name: str | None = None
    snapshot_channel_name: str | None = None
    content: str
    timestamp: int
    author: MessageAuthor | None = None
    tokens: list[MessageToken]
    is_edited: bool
    is_deleted: bool
    reply_to_message_id: str | None = None


class TelegramMessage(
    Payload, frozen=True, kw_only=True, tag_field=TAG, tag="telegram"
):
    """A message on Telegram. timestamp: unix ms."""

    message_id: str
    chat_id: str
    snapshot_chat_title: str | None = None
    topic_id: int | None = None
    topic_title: str | None = None
    content: str
    timestamp: int
    author: MessageAuthor | None = None
    tokens: list[MessageToken]
    is_edited: bool
    is_deleted: bool
    reply_to_message_id: str | None = None


class XAuthor(Payload, frozen=True, kw_only=True):
    """Who wrote a post on X."""

    user_id: str
    username: str
    display_name: str | None = None
    avatar_url: str | None = None
    verified: bool
    followers_count: int


class XMention(Payload, frozen=True, kw_only=True):
    """Somebody whom a post names."""

    username: str
    user_id: str


class XPublicMetrics(Payload, frozen=True, kw_only=True):
    """What became of a post."""

    like_count: int
    retweet_count: int
    reply_count: int
    quote_count: int


class XMessage(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="x"):
    """A post on X. timestamp: unix ms."""

    tweet_id: str
    content: str
    timestamp: int
    author: XAuthor | None = None
    tokens: list[MessageToken]
    hashtags: list[str]
    cashtags: list[str]
    mentions: list[XMention]
    public_metrics: XPublicMetrics | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    media_urls: list[str]
    is_deleted: bool


class OtherMessage(Payload, frozen=True, kw_only=True, tag_field=TAG, tag="other"):
    """A message of a platform that is not known: all of it is in `extra`."""


class Message(Payload, frozen=True, kw_only=True):
    """A message (alpha.personal). platform says what `data` is."""

    platform: str
    data: DiscordMessage | TelegramMessage | XMessage | OtherMessage


class FeedMessage(Payload, frozen=True, kw_only=True):
    """A message that went into a feed (alpha.signalFeedNamed, alpha.personal)."""

    type: str
    feed_id: str
    message: Message | None = None


class CallReferenceMention(Payload, frozen=True, kw_only=True):
    """A message that names a token. timestamp_ms: unix ms."""

    message_id: str
    platform: str
    timestamp_ms: int


class CallReference(Payload, frozen=True, kw_only=True):
    """How often a token was named (alpha.personal); times are unix ms."""

    type: str
    address: str
    first_seen_at_ms: int
    last_seen_at_ms: int
    mention_count: int
    mentions: list[CallReferenceMention]
