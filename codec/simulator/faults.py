"""The switches for what can go wrong, each with the sentence that explains it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from codec.simulator.switches import (
    Count,
    Event,
    When,
    a_count,
    a_number,
    a_state,
    a_word,
    an_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BOMB_LEN",
    "EVENTS",
    "SWITCHES",
    "AggregatorFaults",
    "CommonFaults",
    "Event",
    "Faults",
    "StorkFaults",
    "events",
    "parse_fault",
    "switches",
]

BOMB_LEN = 64 << 20
_BUFFER_LEN = 16 << 20


@dataclass
class CommonFaults:
    """What can go wrong with every simulated server; None and False: nothing.

    Can be set at any time.

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
        metadata=an_event(
            "drop the TCP connection behind what was sent, or by RST at once ('reset')"
        ),
    )
    close: When = field(
        default=None,
        metadata=an_event(
            "close properly, with 1000, a code (from 1000 on) or (code, reason)"
        ),
    )
    half_frame: When = field(
        default=None,
        metadata=an_event(
            "send half of a frame, then nothing more ('stall') or the end ('cut')"
        ),
    )
    garbage: When = field(
        default=None, metadata=an_event("send bytes that are no websocket frame")
    )
    bomb: When = field(
        default=None,
        metadata=an_event(
            f"send a compressed frame that inflates to n bytes ({BOMB_LEN >> 20} MiB)"
        ),
    )
    oversize: When = field(
        default=None,
        metadata=an_event(f"send a message of n bytes ({BOMB_LEN >> 20} MiB)"),
    )
    error_message: When = field(
        default=None,
        metadata=an_event("send an error of the server, as JSON with this text"),
    )

    garbage_text: Count = field(
        default=None, metadata=a_count("damage messages: no JSON, no hex, cut short")
    )
    skip_ticks: Count = field(default=None, metadata=a_count("leave ticks out"))
    burst: int | None = field(
        default=None, metadata=a_number("hold n ticks back and send them at once")
    )

    silence: bool = field(
        default=False, metadata=a_state("send nothing but answers to pings")
    )
    withhold_pong: bool = field(
        default=False, metadata=a_state("leave pings unanswered")
    )
    slow: int | None = field(
        default=None, metadata=a_number("send n bytes every millisecond, no more")
    )
    fragment: int | None = field(
        default=None,
        metadata=a_number("split messages in n frames, a ping between each"),
    )
    stall: int | None = field(
        default=None,
        metadata=a_number("the connection with this index gets nothing at all"),
    )
    slow_consumer: int = field(
        default=_BUFFER_LEN,
        metadata=a_number("close (1013) a connection with more than n bytes unread"),
    )

    status: int | tuple[int, ...] | None = field(
        default=None,
        metadata=a_number(
            "refuse handshakes with an HTTP status, (status, n) the next n,"
            " (status, n, seconds) with Retry-After"
        ),
    )
    redirect: str | None = field(
        default=None, metadata=a_word("answer handshakes with 302 to this URL", "URL")
    )
    require_deflate: bool = field(
        default=False,
        metadata=a_state("refuse handshakes that do not offer permessage-deflate"),
    )

    def __post_init__(self) -> None:
        self._watch: Callable[[str], None] | None = None
        self._events = events(type(self))

    def __setattr__(self, name: str, value: Any) -> None:
        item = type(self).__dataclass_fields__.get(name)
        if item is None and name not in ("_watch", "_events"):
            raise AttributeError(f"there is no fault {name!r}")
        if item and item.metadata["kind"] == "number" and isinstance(value, bool):
            if value or item.default is not None:
                raise ValueError(f"{name} needs a number, not {value}")
            value = None
        super().__setattr__(name, value)
        watch = self.__dict__.get("_watch")
        if watch and name in self._events and value is not None:
            watch(name)

    @property
    def events(self) -> tuple[str, ...]:
        """The switches that are events, in the order in which they happen."""
        return self._events

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

    def refusal(self, name: str = "status") -> tuple[int, int | None] | None:
        """The status and Retry-After for the request at hand, which is counted."""
        value = getattr(self, name)
        if value is None:
            return None
        if isinstance(value, int):
            return value, None
        status, n, *rest = value
        setattr(self, name, (status, n - 1, *rest) if n > 1 else None)
        return status, rest[0] if rest else None


@dataclass
class StorkFaults(CommonFaults):
    """What can go wrong with messages that Stork signs."""

    wrong_key: Count = field(
        default=None, metadata=a_count("sign messages with another key")
    )
    high_s: Count = field(
        default=None,
        metadata=a_count("sign with s above n / 2, which the chain refuses"),
    )
    duplicate_asset: Count = field(
        default=None, metadata=a_count("the first asset stands twice in messages")
    )
    backwards: Count = field(
        default=None, metadata=a_count("timestamps are ten seconds behind")
    )
    future: Count = field(
        default=None, metadata=a_count("timestamps are a minute ahead")
    )


@dataclass
class Faults(StorkFaults):
    """What is to go wrong with `Simulator`; of the kinds that `CommonFaults` has."""

    taxonomy_change: Count = field(
        default=None, metadata=a_count("the taxonomy's id is the next one")
    )
    silent_asset: int | None = field(
        default=None, metadata=a_number("the asset with this id never appears")
    )


@dataclass
class AggregatorFaults(StorkFaults):
    """What is to go wrong with `AggregatorSimulator`; kinds as in `CommonFaults`."""

    wrong_publisher: Count = field(
        default=None, metadata=a_count("the first publisher's price is another's")
    )
    wrong_msg_hash: Count = field(
        default=None, metadata=a_count("msg_hash is that of something else")
    )
    wrong_merkle_root: Count = field(
        default=None, metadata=a_count("signed is the root of other publishers' prices")
    )
    wrong_asset_id: Count = field(
        default=None, metadata=a_count("signed is the encoded id of another asset")
    )
    wrong_price: Count = field(
        default=None, metadata=a_count("the price beside what is signed is another")
    )
    rounded_timestamps: Count = field(
        default=None, metadata=a_count("timestamps are rounded as JavaScript does")
    )
    unsigned: Count = field(
        default=None, metadata=a_count("stork_signed_price is left out")
    )
    silent_asset: str | None = field(
        default=None, metadata=a_word("the asset with this name never appears", "NAME")
    )


def switches(faults: type[CommonFaults]) -> dict[str, str]:
    """Every switch and its sentence."""
    return {item.name: str(item.metadata["text"]) for item in fields(faults)}


def events(faults: type[CommonFaults]) -> tuple[str, ...]:
    """The switches that are events, in the order in which they happen."""
    return tuple(
        item.name for item in fields(faults) if item.metadata["kind"] == "event"
    )


SWITCHES = switches(Faults)
"""Every switch of `Faults` and its sentence."""

EVENTS = events(CommonFaults)
"""The events that every server has."""


def parse_fault(text: str, faults: type[CommonFaults] = Faults) -> tuple[str, Any]:
    """A switch and its value from `name` or `name=value`, or `name=value:value`.

    Raises ValueError for a name that is no switch, and for a value that is none.
    """
    name, has_value, rest = text.partition("=")
    name = name.strip().replace("-", "_")
    item = faults.__dataclass_fields__.get(name)
    if item is None:
        raise ValueError(f"there is no fault {name!r}")
    kind = item.metadata["kind"]
    if not has_value:
        if kind == "number":
            raise ValueError(f"{name} needs a number: {name}=N")
        if kind == "word":
            example = item.metadata["example"]
            raise ValueError(f"{name} needs a value: {name}={example}")
        return name, True
    if kind == "word":
        return name, rest
    parts = rest.split(":", 2)
    values = tuple(int(part) if part.isdecimal() else part for part in parts)
    if kind != "event" and not all(isinstance(value, int) for value in values):
        raise ValueError(f"{name} takes a number, not {rest!r}")
    return name, values if len(values) > 1 else values[0]
