"""What Pusher's protocol 7 says: its messages, taken apart and put together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote, urlencode

import msgspec

from codec import jsontext
from codec.feeds.words import shown

__all__ = [
    "CloseAction",
    "Established",
    "Lost",
    "MemberAdded",
    "MemberRemoved",
    "Message",
    "NeedsAuth",
    "Odd",
    "PusherEvent",
    "Refused",
    "ServerError",
    "Subscribed",
    "close_action",
    "connection_url",
    "data_object",
    "frame",
    "needs_auth",
    "read",
]

PROTOCOL = 7
_NOTHING: Mapping[str, Any] = {}


class Message(NamedTuple):
    """An event of a channel. data: JSON text, as it was sent: what is inside where the
    server sent a string, empty where it sent none."""

    channel: str
    event: str
    data: str


@dataclass(frozen=True, slots=True)
class Established:
    """The server has greeted; channels can be subscribed to."""

    socket_id: str
    activity_timeout_s: float


@dataclass(frozen=True, slots=True)
class NeedsAuth:
    """Somebody has to get a channel authorised, and to say `authorise` or `refuse`."""

    channel: str
    socket_id: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A channel is subscribed to. members: of a presence channel, by user id."""

    channel: str
    members: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Refused:
    """A channel was refused. status: HTTP's, 0 where none was told."""

    channel: str
    reason: str
    status: int = 0


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """Somebody has joined a presence channel."""

    channel: str
    user_id: str
    info: Any


@dataclass(frozen=True, slots=True)
class MemberRemoved:
    """Somebody has left it."""

    channel: str
    user_id: str


@dataclass(frozen=True, slots=True)
class ServerError:
    """`pusher:error`. code: None where it has none."""

    message: str
    code: int | None


@dataclass(frozen=True, slots=True)
class Odd:
    """A message that means nothing here. is_bad: it is malformed, not just unknown."""

    reason: str
    text: str
    is_bad: bool = True


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no use any more. code: as if it had been closed with it."""

    reason: str
    code: int = 1006


PusherEvent: TypeAlias = (
    Message
    | Established
    | NeedsAuth
    | Subscribed
    | Refused
    | MemberAdded
    | MemberRemoved
    | ServerError
    | Odd
    | Lost
)


class CloseAction(StrEnum):
    """What to do after a connection was closed."""

    TLS = "again at once, over TLS"
    STOP = "not again"
    PAUSE = "again after a second or more"
    AT_ONCE = "again at once"
    BACK_OFF = "again after the back-off"


def close_action(code: int) -> CloseAction:
    """What the protocol says about a close code. The one place that does.

    4000: the application wants TLS. 4001 to 4099: the connection would be refused
    again, as it is. 4100 to 4199: again after 1 s or more. 4200 to 4299: again at once.
    4300 and above: unknown, and not again. 1002 to 1004 (protocol error, unsupported
    data, too large) and all else, 1006 for no code among it: again after the back-off.
    """
    if code == 4000:
        return CloseAction.TLS
    if 4001 <= code <= 4099 or code >= 4300:
        return CloseAction.STOP
    if 4100 <= code <= 4199:
        return CloseAction.PAUSE
    if 4200 <= code <= 4299:
        return CloseAction.AT_ONCE
    return CloseAction.BACK_OFF


def connection_url(
    host: str, port: int, key: str, *, tls: bool, client: str, version: str
) -> str:
    """The URL of an application's socket."""
    scheme = "wss" if tls else "ws"
    place = f"[{host}]" if ":" in host else host
    query = urlencode({"protocol": PROTOCOL, "client": client, "version": version})
    return f"{scheme}://{place}:{port}/app/{quote(key, safe='')}?{query}"


def needs_auth(channel: str) -> bool:
    """Whether a channel's name says that it has to be authorised."""
    return channel.startswith(("private-", "presence-"))


class Outer(msgspec.Struct):
    """A message before its data is looked at."""

    event: str
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(Outer).decode
_decode_text = msgspec.json.Decoder(str).decode
_value = json.JSONDecoder().raw_decode


def read(text: bytes) -> tuple[Outer, str] | Odd:
    """A message and the JSON text of its data, or what is wrong with it.

    Numbers in the data stay as they were written.
    """
    if jsontext.is_too_deep(text):
        return Odd("a message that nests too deep", shown(text))
    try:
        outer = _decode(text)
        raw = bytes(outer.data)  # a string, or anything else, as it stood there
        data = _decode_text(raw) if raw.startswith(b'"') else str(raw, "utf-8")
    except (ValueError, RecursionError) as error:  # msgspec's are ValueErrors
        leniently = _read_leniently(text)
        if leniently is None:
            return Odd(f"not a message: {shown(str(error))}", shown(text))
        outer, data = leniently
    if jsontext.is_too_deep(data):
        return Odd("data that nests too deep", shown(text))
    return outer, data


def _read_leniently(text: bytes) -> tuple[Outer, str] | None:
    """The same where a string has half of a surrogate pair, which msgspec refuses."""
    try:
        fields = jsontext.loads(text)
        outer = msgspec.convert({**fields, "data": msgspec.Raw()}, Outer)
        data = fields.get("data", "")
        return outer, data if isinstance(data, str) else _value_text(text, "data")
    except (ValueError, TypeError, RecursionError):
        return None


def _value_text(text: bytes, name: str) -> str:
    """The text of a value in an object that `loads` reads, as it stands there."""
    words = text.decode(json.detect_encoding(text), "surrogatepass")
    found = ""
    end = words.index("{")
    while (end := _blank(words, end + 1)) < len(words) and words[end] == '"':
        key, end = _value(words, end)
        begin = _blank(words, _blank(words, end) + 1)
        _, end = _value(words, begin)
        if key == name:
            found = words[begin:end]
        end = _blank(words, end)
    return found


def _blank(words: str, begin: int) -> int:
    while words[begin : begin + 1] in (" ", "\t", "\n", "\r"):
        begin += 1
    return begin


def data_object(data: str) -> dict[str, Any]:
    """The object that data is; an empty one where it is anything else."""
    try:
        value = jsontext.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def frame(event: str, data: Mapping[str, Any]) -> bytes:
    """A message of ours."""
    return msgspec.json.encode({"event": event, "data": data})
