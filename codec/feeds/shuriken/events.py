"""One event of a stream, as it is handed to who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from codec.feeds.shuriken.payloads_base import Misfit, Payload

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ShurikenEvent"]


class ShurikenEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What came on one channel.

    stream, filter: what was subscribed to, spelled as the user did. channel, event:
    what they are on the wire. data: the payload, typed; a plain dict with Decimals for
    numbers of fractions where the stream is not known; a `Misfit` where it did not fit.
    raw: the payload's JSON text as it came. receive_ns: unix ns of the read that
    brought it, 0 where it is not known.
    """

    stream: str
    filter: Mapping[str, str] = {}
    channel: str = ""
    event: str = "update"
    data: Payload | dict[str, Any]
    raw: str | bytes = b""
    receive_ns: int = 0

    @property
    def problem(self) -> str | None:
        """Why the payload is not typed although its stream is known, or None."""
        return self.data.problem if isinstance(self.data, Misfit) else None
