"""The switches for what can go wrong, each with the sentence that explains it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BOMB_LEN", "EVENTS", "SWITCHES", "Event", "Faults", "parse_fault"]

When: TypeAlias = "bool | int | str | tuple[Any, ...] | None"
Count: TypeAlias = "bool | int | None"

BOMB_LEN = 64 << 20
_BUFFER_LEN = 16 << 20


def _text(text: str, *, event: bool = False) -> dict[str, Any]:
    return {"text": text, "event": event}


@dataclass
class Faults:
    """What is to go wrong; None and False: nothing. Can be set at any time.

    *Events* happen to connections. `True`, or a value of the event's own, happens at
    once to all that are open (or, while none is, to the next) and switches itself off.
    A number n happens to every connection once it has got n more messages, until
    switched off; (n, value) does both.

    *Counts* change messages: n the next n, `True` all until switched off. Connections
    with equal subscriptions share a message, so it counts once.

    The rest lasts as long as it is set.
    """

    cut: When = field(
        default=None,
        metadata=_text(
            "drop the TCP connection behind what was sent, or by RST at once ('reset')",
            event=True,
        ),
    )
    close: When = field(
        default=None,
        metadata=_text(
            "close properly, with 1000, a code (from 1000 on) or (code, reason)",
            event=True,
        ),
    )
    half_frame: When = field(
        default=None,
        metadata=_text(
            "send half of a frame, then nothing more ('stall') or the end ('cut')",
            event=True,
        ),
    )
    garbage: When = field(
        default=None,
        metadata=_text("send bytes that are no websocket frame", event=True),
    )
    bomb: When = field(
        default=None,
        metadata=_text(
            f"send a compressed frame that inflates to n bytes ({BOMB_LEN >> 20} MiB)",
            event=True,
        ),
    )
    oversize: When = field(
        default=None,
        metadata=_text(f"send a message of n bytes ({BOMB_LEN >> 20} MiB)", event=True),
    )
    error_message: When = field(
        default=None,
        metadata=_text(
            "send an error of the server, as JSON with this text", event=True
        ),
    )

    garbage_text: Count = field(
        default=None, metadata=_text("damage messages: no JSON, no hex, cut short")
    )
    wrong_key: Count = field(
        default=None, metadata=_text("sign messages with another key")
    )
    high_s: Count = field(
        default=None, metadata=_text("sign with s above n / 2, which the chain refuses")
    )
    taxonomy_change: Count = field(
        default=None, metadata=_text("the taxonomy's id is the next one")
    )
    duplicate_asset: Count = field(
        default=None, metadata=_text("the first asset stands twice in messages")
    )
    backwards: Count = field(
        default=None, metadata=_text("timestamps are ten seconds behind")
    )
    future: Count = field(default=None, metadata=_text("timestamps are a minute ahead"))
    skip_ticks: Count = field(default=None, metadata=_text("leave ticks out"))
    burst: int | None = field(
        default=None, metadata=_text("hold n ticks back and send them at once")
    )

    silence: bool = field(
        default=False, metadata=_text("send nothing but answers to pings")
    )
    withhold_pong: bool = field(default=False, metadata=_text("leave pings unanswered"))
    slow: int | None = field(
        default=None, metadata=_text("send n bytes every millisecond, no more")
    )
    fragment: int | None = field(
        default=None, metadata=_text("split messages in n frames, a ping between each")
    )
    stall: int | None = field(
        default=None,
        metadata=_text("the connection with this index gets nothing at all"),
    )
    silent_asset: int | None = field(
        default=None, metadata=_text("the asset with this id never appears")
    )
    slow_consumer: int = field(
        default=_BUFFER_LEN,
        metadata=_text("close (1013) a connection with more than n bytes unread"),
    )

    status: int | tuple[int, ...] | None = field(
        default=None,
        metadata=_text(
            "refuse handshakes with an HTTP status, (status, n) the next n,"
            " (status, n, seconds) with Retry-After"
        ),
    )
    redirect: str | None = field(
        default=None, metadata=_text("answer handshakes with 302 to this URL")
    )
    require_deflate: bool = field(
        default=False,
        metadata=_text("refuse handshakes that do not offer permessage-deflate"),
    )

    def __post_init__(self) -> None:
        self._watch: Callable[[str], None] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in SWITCHES and name != "_watch":
            raise AttributeError(f"there is no fault {name!r}")
        if name in _NUMBERS and isinstance(value, bool):
            if value:
                raise ValueError(f"{name} needs a number, not True")
            value = None
        super().__setattr__(name, value)
        watch = self.__dict__.get("_watch")
        if watch and name in EVENTS and value is not None:
            watch(name)

    def watch(self, call: Callable[[str], None]) -> None:
        """Has `call` be told the name of every event that is switched on."""
        self._watch = call

    def take(self, name: str) -> bool:
        """Whether a count holds for the message at hand, which is counted."""
        n = getattr(self, name)
        if n is True or not n:
            return bool(n)
        setattr(self, name, n - 1 or None)
        return True

    def event(self, name: str) -> Event | None:
        """The event that is set under a name."""
        value = getattr(self, name)
        return None if value is None or value is False else Event.of(name, value)

    def refusal(self) -> tuple[int, int | None] | None:
        """The status and Retry-After for the handshake at hand, which is counted."""
        if self.status is None:
            return None
        if isinstance(self.status, int):
            return self.status, None
        status, n, *rest = self.status
        self.status = (status, n - 1, *rest) if n > 1 else None
        return status, rest[0] if rest else None


SWITCHES = {item.name: str(item.metadata["text"]) for item in fields(Faults)}
"""Every switch and its sentence."""

EVENTS = tuple(item.name for item in fields(Faults) if item.metadata["event"])
"""The switches that are events, in the order in which they happen."""

_NUMBERS = ("burst", "slow", "fragment", "stall", "silent_asset", "status")
_SIZES = ("bomb", "oversize")  # a number is a size there


@dataclass(frozen=True)
class Event:
    """An event: after how many messages (None: at once), and its own values."""

    after: int | None
    values: tuple[Any, ...] = ()

    @classmethod
    def of(cls, name: str, value: Any) -> Event:
        """What a switch's value says."""
        if value is True:
            return cls(None)
        values = value if isinstance(value, tuple) else (value,)
        first = values[0]
        is_value = (
            not isinstance(first, int)
            or (name == "close" and first >= 1000)
            or (name in _SIZES and len(values) == 1)
        )
        return cls(None, values) if is_value else cls(first, values[1:])


def parse_fault(text: str) -> tuple[str, Any]:
    """A switch and its value from `name` or `name=value`, or `name=value:value`.

    Raises ValueError for a name that is no switch, and for a value that is none.
    """
    name, has_value, rest = text.partition("=")
    name = name.strip().replace("-", "_")
    if name not in SWITCHES:
        raise ValueError(f"there is no fault {name!r}")
    if not has_value:
        if name in (*_NUMBERS, "slow_consumer"):
            raise ValueError(f"{name} needs a number: {name}=N")
        if name == "redirect":
            raise ValueError("redirect needs a URL: redirect=URL")
        return name, True
    if name == "redirect":
        return name, rest
    parts = rest.split(":", 2)
    values = tuple(int(part) if part.isdecimal() else part for part in parts)
    if name not in EVENTS and not all(isinstance(value, int) for value in values):
        raise ValueError(f"{name} takes a number, not {rest!r}")
    return name, values if len(values) > 1 else values[0]
