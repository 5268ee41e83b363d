"""What a recording of Shuriken's streams holds beside what came through the socket.

Events name channels, and only a session says which stream and filter a channel is. So
every session is a line of its own: `{"event":"stork-codec:session","data":{...}}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from codec import jsontext

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codec.feeds.shuriken.session import Session
    from codec.feeds.shuriken.subscriptions import Topic

__all__ = ["channels_of", "is_event", "session_line"]

_EVENT = "stork-codec:session"
_MARK = f'{{"event":"{_EVENT}"'.encode()
_PROTOCOL = ("pusher:", "pusher_internal:")


def session_line(receive_ns: int, topics: Sequence[Topic], session: Session) -> bytes:
    """The line of a session: the channel of each stream and filter. Holds no secret."""
    subscriptions = [
        {
            "stream": topic.stream,
            "filter": topic.filter,
            "channel": found.channel,
            "event": found.event,
            "payloadSchemaId": found.schema_id,
        }
        for topic, found in zip(topics, session.resolved, strict=True)
        if not isinstance(found, str)
    ]
    item = {"event": _EVENT, "data": {"subscriptions": subscriptions}}
    text = json.dumps(item, separators=(",", ":"))
    return b"%d %s\n" % (receive_ns, text.encode())


def channels_of(texts: Iterable[bytes]) -> list[tuple[str, dict[str, str], str]]:
    """Stream, filter and channel of all that the sessions among some texts say; the
    newest channel of each."""
    found: dict[str, tuple[str, dict[str, str], str]] = {}
    for text in texts:
        if not text.startswith(_MARK):
            continue
        for entry in _subscriptions(text):
            stream, given, channel = (
                entry.get(name) for name in ("stream", "filter", "channel")
            )
            if isinstance(stream, str) and isinstance(channel, str) and channel:
                if not isinstance(given, dict):
                    given = {}
                key = json.dumps([stream, given], sort_keys=True)
                found[key] = (stream, given, channel)
    return list(found.values())


def is_event(text: bytes) -> bool:
    """Whether a recorded text is an event of a channel, not of the protocol."""
    if text.startswith(_MARK):
        return False
    if b"pusher" not in text:
        return True
    try:
        event = jsontext.loads(text)["event"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return False
    return isinstance(event, str) and not event.startswith(_PROTOCOL)


def _subscriptions(text: bytes) -> list[dict[str, Any]]:
    try:
        entries = jsontext.loads(text)["data"]["subscriptions"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    if not isinstance(entries, list):
        return []
    return [entry for entry in entries if isinstance(entry, dict)]
