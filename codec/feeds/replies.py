"""What messages mean that are no data: acknowledgements, errors, anything else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from codec import jsontext
from codec.feeds.words import shown

__all__ = ["Meaning", "Reply", "read_reply"]

_REPLY_MAX = 64 << 10  # bytes of an answer that are looked at


class Meaning(Enum):
    """What a message that is no data means."""

    ACKNOWLEDGEMENT = "acknowledgement"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """A message that is no data. text: what it says; assets: those that it names."""

    meaning: Meaning
    type: str
    text: str
    assets: tuple[int | str, ...] = ()


def read_reply(message: bytes, asset_type: type[int | str] = int) -> Reply:
    """Reads a message that the codec calls `not_data`, or cannot decode at all.

    An acknowledgement repeats the request's type. An error has that type, or a field
    `error`. Everything else is unknown, and its text is its beginning. asset_type: what
    assets are in this protocol.
    """
    beginning = shown(message)
    try:
        fields = jsontext.loads(message) if len(message) <= _REPLY_MAX else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Reply(Meaning.UNKNOWN, "", beginning)
    kind = fields.get("type")
    kind = shown(kind) if isinstance(kind, str) else ""
    error = fields.get("error") or (kind == "error" and fields.get("message"))
    if kind == "error" or error:
        text = shown(error) if isinstance(error, str) else beginning
        return Reply(Meaning.ERROR, kind, text)
    if kind in ("subscribe", "unsubscribe"):
        assets = _assets_of(fields, asset_type)
        return Reply(Meaning.ACKNOWLEDGEMENT, kind, beginning, assets)
    return Reply(Meaning.UNKNOWN, kind, beginning)


def _assets_of(
    fields: dict[str, object], asset_type: type[int | str]
) -> tuple[int | str, ...]:
    assets = fields.get("assets", fields.get("data"))
    if not isinstance(assets, list):
        return ()
    return tuple(asset for asset in assets if type(asset) is asset_type)
