"""Texts and signatures of Pusher's protocol 7, as its servers make and judge them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from codec import jsontext

if TYPE_CHECKING:
    from random import Random

__all__ = [
    "App",
    "Member",
    "Unauthorised",
    "channel_of",
    "damaged",
    "dumps",
    "handshake_error",
    "is_channel",
    "is_private",
    "read_member",
    "unknown_events",
    "verify",
    "words",
]

_CHANNEL = re.compile(r"[A-Za-z0-9_\-=@,.;]{1,164}")
_PRIVATE = ("private-", "presence-")
_PROTOCOL = 7
_MAX_DATA_LEN = 10 << 10
_MAX_ID_LEN = 128


class Unauthorised(Exception):
    """Why a subscription is not authorised."""


class App(NamedTuple):
    """An application: the key that is in the socket's URL, the secret that signs."""

    key: str
    secret: str

    def sign(self, socket_id: str, channel: str, channel_data: str | None) -> str:
        """The `auth` of a channel."""
        text = f"{socket_id}:{channel}"
        if channel_data is not None:
            text += f":{channel_data}"
        digest = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256)
        return f"{self.key}:{digest.hexdigest()}"


class Member(NamedTuple):
    """Somebody in a presence channel."""

    user_id: str
    user_info: Any


def dumps(value: Any) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"))


def words(
    event: str, data: Any = None, channel: str | None = None, **more: Any
) -> dict[str, Any]:
    """A message; data that is a str stands as it is."""
    message: dict[str, Any] = {"event": event}
    if channel is not None:
        message["channel"] = channel
    message["data"] = {} if data is None else data
    return message | more


def is_channel(name: object) -> bool:
    """Whether a channel can have this name."""
    return isinstance(name, str) and _CHANNEL.fullmatch(name) is not None


def is_private(channel: str) -> bool:
    """Whether its name says that it takes authorisation."""
    return channel.startswith(_PRIVATE)


def handshake_error(query: dict[str, str]) -> tuple[int, str] | None:
    """What is wrong with a socket's URL, as a code and a message."""
    text = query.get("protocol")
    if not text:
        return 4008, "No protocol version supplied"
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return 4006, "Invalid version string format"
    if int(text) != _PROTOCOL:
        return 4007, f"Unsupported protocol version: {int(text)}"
    return None


def verify(
    app: App, socket_id: str, channel: str, auth: object, channel_data: object
) -> None:
    """Raises Unauthorised where `auth` is not the channel's."""
    if not isinstance(auth, str):
        raise Unauthorised("The subscription has no auth")
    if channel_data is not None and not (
        isinstance(channel_data, str) and len(channel_data) <= _MAX_DATA_LEN
    ):
        raise Unauthorised("channel_data is no text, or too long")
    data = channel_data if isinstance(channel_data, str) else None
    try:
        good = app.sign(socket_id, channel, data).encode()
        is_good = hmac.compare_digest(auth.encode(), good)
    except UnicodeEncodeError:
        is_good = False
    if not is_good:
        raise Unauthorised("Invalid signature: it is not that of the app's secret")


def read_member(channel_data: object) -> Member:
    """Whom a presence channel's `channel_data` names. Raises Unauthorised."""
    try:
        fields = jsontext.loads(channel_data) if isinstance(channel_data, str) else None
    except (ValueError, RecursionError):
        fields = None
    user_id = fields.get("user_id") if isinstance(fields, dict) else None
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not isinstance(user_id, str) or not 0 < len(user_id) <= _MAX_ID_LEN:
        raise Unauthorised("channel_data of a presence channel has a user_id")
    assert isinstance(fields, dict)
    return Member(user_id, fields.get("user_info"))


def channel_of(message: bytes) -> str | None:
    """The channel that a message is for, if it is for one."""
    try:
        fields = jsontext.loads(message)
    except (ValueError, RecursionError):
        return None
    name = fields.get("channel") if isinstance(fields, dict) else None
    return name if isinstance(name, str) else None


def unknown_events(channel: str, text: str) -> list[bytes]:
    """Events that nobody knows: one of the channel's, two of the protocol's."""
    names = ("simulator-unknown", "pusher:simulator_unknown")
    events = [words(name, text, channel) for name in names]
    events.append(words("pusher_internal:simulator_unknown", {"a": [1, None]}))
    return [dumps(event).encode() for event in events]


def damaged(message: str, random: Random) -> bytes:
    """An event as no JSON, JSON that is no event, or with data that is no JSON."""
    choices = (
        message[: len(message) // 2],
        "}{",
        "[]",
        message.replace('"event":', '"Event":', 1),
        message.replace('"data":', '"data":7,"date":', 1),
        message[:-2] + 'x"}' if message.endswith('"}') else message[:-1],
    )
    return random.choice(choices).encode()
