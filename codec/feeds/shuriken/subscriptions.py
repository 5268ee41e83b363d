"""Who wants which stream, and the queues in which they get it; no socket, no loop."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from codec.feeds.shuriken.events import ShurikenEvent
from codec.feeds.shuriken.payloads import read_payload

if TYPE_CHECKING:
    from codec.errors import FeedError
    from codec.feeds.shuriken.live import Live
    from codec.feeds.shuriken.session import Asked

__all__ = [
    "Delivery",
    "Mailbox",
    "OnOverflow",
    "Outage",
    "Topic",
    "Topics",
    "total",
]

OnOverflow: TypeAlias = Literal["drop_oldest", "wait"]
_POLICIES = ("drop_oldest", "wait")
_OVERHEAD = 256  # bytes that an event takes beside its text, about
_MOST_OUTAGES = 100
_MOST_FIELDS = 100
_MOST_LEN = 1000


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which events of a subscription may have been missed.

    since_ns: unix ns, when something was last heard while it was subscribed to.
    until_ns: when it was subscribed to again. reason: what had happened.
    """

    stream: str
    filter: Mapping[str, str]
    channel: str
    since_ns: int
    until_ns: int
    reason: str


class Delivery:
    """An event on its way, for all who get it; it is decoded once, and when asked."""

    __slots__ = ("_event", "_made", "_receive_ns", "_schema_id", "_text", "_topic")

    def __init__(
        self, topic: Topic, event: str, text: str, receive_ns: int, schema_id: str
    ) -> None:
        self._topic = topic
        self._event = event
        self._text = text
        self._receive_ns = receive_ns
        self._schema_id = schema_id
        self._made: ShurikenEvent | None = None

    @property
    def size(self) -> int:
        """Bytes, about."""
        return len(self._text) + _OVERHEAD

    def make(self) -> ShurikenEvent:
        """The event. Never raises: what is no payload says so itself."""
        if self._made is None:
            topic = self._topic
            self._made = ShurikenEvent(
                stream=topic.stream,
                filter=topic.filter,
                channel=topic.channel,
                event=self._event,
                data=read_payload(topic.stream, self._text, schema_id=self._schema_id),
                raw=self._text,
                receive_ns=self._receive_ns,
            )
        return self._made


class Mailbox:
    """A queue with a bound in bytes.

    policy: "drop_oldest" forgets the oldest beyond it; "wait" takes all, and `is_full`
    asks who fills it to stop. wake: called when something has come into the empty
    queue.
    """

    __slots__ = (
        "_items",
        "dropped_len",
        "is_full",
        "limit",
        "n_dropped",
        "policy",
        "size",
        "wake",
    )

    def __init__(
        self, policy: OnOverflow, limit: int, wake: Callable[[], object]
    ) -> None:
        if policy not in _POLICIES:
            raise ValueError(f"on_overflow is 'drop_oldest' or 'wait', not {policy!r}")
        if limit <= 0:
            raise ValueError("max_queue_len is a positive number of bytes")
        self.policy = policy
        self.limit = limit
        self.wake = wake
        self.size = self.n_dropped = self.dropped_len = 0
        self.is_full = False
        self._items: deque[Delivery | Outage] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Delivery | Outage) -> bool:
        """Adds something; whether something else was given up, or it is full now."""
        items = self._items
        items.append(item)
        self.size += item.size if isinstance(item, Delivery) else _OVERHEAD
        if len(items) == 1:
            self.wake()
        if self.size <= self.limit:
            return False
        if self.policy == "wait":
            self.is_full = True
        else:
            while self.size > self.limit and len(items) > 1:
                old = items.popleft()
                size = old.size if isinstance(old, Delivery) else _OVERHEAD
                self.size -= size
                self.dropped_len += size
                self.n_dropped += 1
        return True

    def take(self) -> Delivery | Outage | None:
        """The oldest, or None. Full is over once half of the limit is free."""
        if not self._items:
            return None
        item = self._items.popleft()
        self.size -= item.size if isinstance(item, Delivery) else _OVERHEAD
        if self.is_full and self.size <= self.limit // 2:
            self.is_full = False
        return item


class Topic:
    """A stream with a filter, and all who read it.

    channel: where it was found last, empty before. is_proven: the API has resolved it
    at least once. is_rejected: it has said that it will not. problem: why nothing comes
    now, None while nothing speaks against it. last: the connection that it was last
    subscribed on, None before the first; was_refused: there, afterwards, at refused_ns.
    """

    def __init__(self, stream: str, given: Mapping[str, str]) -> None:
        self.stream = stream
        self.filter = dict(given)
        self.channel = ""
        self.mailboxes: list[Mailbox] = []
        self.is_proven = self.is_rejected = False
        self.problem: FeedError | None = None
        self.last: Live | None = None
        self.was_refused = False
        self.refused_ns = 0
        self.n_events = self.n_outages = 0
        self.outages: deque[Outage] = deque(maxlen=_MOST_OUTAGES)

    @property
    def asked(self) -> Asked:
        """What the API is asked for."""
        return self.stream, self.filter

    def __str__(self) -> str:
        if not self.filter:
            return self.stream
        return f"{self.stream} {json.dumps(self.filter, sort_keys=True)}"


class Topics:
    """All topics that are wanted, each stream and filter once, in order of asking."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}

    def __iter__(self) -> Iterator[Topic]:
        return iter(tuple(self._topics.values()))

    def __len__(self) -> int:
        return len(self._topics)

    def get(self, stream: str, given: Mapping[str, object]) -> Topic:
        """The topic of a stream and filter, new or not.

        Raises TypeError or ValueError for what is neither.
        """
        topic = Topic(_stream_of(stream), _filter_of(given))
        return self._topics.setdefault(str(topic), topic)

    def __contains__(self, topic: Topic) -> bool:
        return self._topics.get(str(topic)) is topic

    def remove(self, topic: Topic) -> None:
        """It is wanted no more."""
        if topic in self:
            del self._topics[str(topic)]

    def asked(self) -> list[Topic]:
        """Those that the API is to be asked for."""
        return [topic for topic in self if not topic.is_rejected]


def _stream_of(stream: object) -> str:
    if not isinstance(stream, str):
        raise TypeError(f"a stream's id is a str, not {type(stream).__name__}")
    if not 0 < len(stream) <= _MOST_LEN or not stream.isprintable():
        raise ValueError(f"no id of a stream: {stream[:100]!r}")
    return stream


def _filter_of(given: Mapping[str, object]) -> dict[str, str]:
    """Texts, as the API wants them; an int becomes decimal text."""
    result = {}
    if len(given) > _MOST_FIELDS:
        raise ValueError(f"a filter has at most {_MOST_FIELDS} fields")
    for name, value in given.items():
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            kind = type(value).__name__
            raise TypeError(f"a filter's {name} is a str or an int, not {kind}")
        if len(name) + len(value) > _MOST_LEN or not (name + value).isprintable():
            raise ValueError(f"a filter's {name[:100]!r} is no printable text")
        result[name] = value
    return result


def total(mailboxes: Iterable[Mailbox]) -> dict[str, int]:
    """What waits in them, and what was given up."""
    counts = {"dropped": 0, "dropped_bytes": 0, "queued": 0, "queued_bytes": 0}
    for mailbox in mailboxes:
        counts["dropped"] += mailbox.n_dropped
        counts["dropped_bytes"] += mailbox.dropped_len
        counts["queued"] += len(mailbox)
        counts["queued_bytes"] += mailbox.size
    return counts
