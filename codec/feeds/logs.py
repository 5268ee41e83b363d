"""Structured logs: a JSON object per line, for the events of feeds and recorders."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from codec.feeds.events import Event
from codec.recording import RecorderEvent

__all__ = ["JsonFormatter"]


class JsonFormatter(logging.Formatter):
    """Formats records as JSON objects of ASCII, one on a line.

    `time` (UTC), `level`, `logger` and `text` always; of an event also `kind`,
    `connection` (of a feed's), `place` (of a chain's) and `data`; `exception` where
    there is one. What is no JSON in the data is written as its text.

        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
        logging.getLogger("codec").addHandler(handler)
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time_text(round(record.created * 1e9)),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        event = getattr(record, "event", None)
        if isinstance(event, Event):
            fields |= {
                "time": _time_text(event.time_ns),
                "kind": event.kind,
                "connection": event.connection,
                "text": event.text,
                "data": dict(event.data),
            }
        elif isinstance(event, RecorderEvent):
            data = {
                "path": event.path,
                "reason": event.reason,
                "messages": event.n_messages,
                "bytes": event.n_bytes,
            }
            fields |= {"kind": event.kind, "text": str(event), "data": data}
        elif event is not None:  # a chain's, which is not known here
            fields |= {
                "time": _time_text(event.time_ns),
                "kind": event.kind,
                "place": event.place,
                "text": event.text,
                "data": dict(event.data),
            }
        else:
            fields["text"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)


def _time_text(time_ns: int) -> str:
    seconds, ns = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ns:09}Z"
