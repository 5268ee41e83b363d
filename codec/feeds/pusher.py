"""Pusher's protocol 7 as a state machine: texts and times in, events and texts out.

No socket and no clock: https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from codec.feeds.pusher_words import (
    Established,
    Lost,
    MemberAdded,
    MemberRemoved,
    Message,
    NeedsAuth,
    Odd,
    PusherEvent,
    Refused,
    ServerError,
    Subscribed,
    data_object,
    frame,
    needs_auth,
    read,
)
from codec.feeds.words import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ChannelState", "Pusher"]

_LONGEST_IDLE_S = 120.0
_SHORTEST_IDLE_S = 0.05  # a server may not have us ping without end
_PONG_S = 30.0
_GREETING_S = 30.0
_ANSWER_S = 30.0  # of a server, to a subscription
_NO_ANSWER = 408  # what that amounts to
_NAME_LEN = 1000
_MOST_MEMBERS = 10_000
_NOTHING: tuple[PusherEvent, ...] = ()


class ChannelState(StrEnum):
    """How far a channel is, as we see it."""

    WANTED = "wanted"
    AUTHORISING = "authorising"
    SUBSCRIBING = "subscribing"
    SUBSCRIBED = "subscribed"
    REFUSED = "refused"


@dataclass(slots=True)
class _Channel:
    needs_auth: bool
    state: ChannelState = ChannelState.WANTED
    is_sent: bool = False  # the server has got a subscription on this connection
    members: dict[str, Any] = field(default_factory=dict)


class Pusher:
    """A client's side of the protocol, over any number of connections.

    Tell it `opened` and `closed`; give it every text by `receive`; call `tick` at
    `next_deadline`, which each call may change; send what `take_texts` gives after each
    call. Times are seconds of any clock that never goes back. A channel that is
    subscribed to stays wanted over all connections until `unsubscribe`; one that was
    refused, or not answered for 30 s, until the next connection, or `retry`.

    n_unasked: messages of channels that are not wanted (any more).
    """

    def __init__(self) -> None:
        self.socket_id: str | None = None
        self.n_unasked = 0
        self._channels: dict[str, _Channel] = {}
        self._texts: list[bytes] = []
        self._is_open = False
        self._idle_s = _LONGEST_IDLE_S
        self._heard = 0.0
        self._pinged: float | None = None
        self._sent: list[str] = []  # subscriptions, since the time was told last
        self._unanswered: dict[str, float] = {}  # others, and since when

    @property
    def channels(self) -> dict[str, ChannelState]:
        """All that are wanted, and how far they are."""
        return {name: channel.state for name, channel in self._channels.items()}

    def members(self, channel: str) -> Mapping[str, Any]:
        """Those of a presence channel that are known, by user id."""
        known = self._channels.get(channel)
        return {} if known is None else dict(known.members)

    @property
    def next_deadline(self) -> float | None:
        """When `tick` is due; None for never."""
        if not self._is_open:
            return None
        if self.socket_id is None:
            return self._heard + _GREETING_S
        alive = self._heard + self._idle_s
        if self._pinged is not None:
            alive = self._pinged + _PONG_S
        if self._sent:
            return self._heard  # at once: it has to be told the time
        oldest = next(iter(self._unanswered.values()), alive)
        return min(alive, oldest + _ANSWER_S)

    def take_texts(self) -> list[bytes]:
        """What is to be sent now, in order."""
        texts, self._texts = self._texts, []
        return texts

    # What happens to the connection

    def opened(self, now: float) -> None:
        """A connection is there, and has said nothing yet."""
        self.closed()
        self._is_open = True
        self._heard = now

    def closed(self) -> None:
        """It is gone; what was subscribed to is wanted."""
        self._is_open = False
        self.socket_id = self._pinged = None
        self._texts.clear()
        self._sent.clear()
        self._unanswered.clear()
        for channel in self._channels.values():
            channel.state = ChannelState.WANTED
            channel.is_sent = False
            channel.members.clear()

    def tick(self, now: float) -> Sequence[PusherEvent]:
        """Time has gone on."""
        self._note_sent(now)
        deadline = self.next_deadline
        if deadline is None or now < deadline:
            return _NOTHING
        if self.socket_id is None:
            return self._lose(f"no greeting in {now - self._heard:.1f} s")
        if self._pinged is not None and now >= self._pinged + _PONG_S:
            return self._lose(f"no answer to a ping in {now - self._pinged:.1f} s")
        if self._pinged is None and now >= self._heard + self._idle_s:
            self._texts.append(frame("pusher:ping", {}))
            self._pinged = now
        asked = self._unanswered.items()
        late = [name for name, since in asked if now >= since + _ANSWER_S]
        return tuple(self._give_up(name) for name in late)

    def receive(self, text: bytes, now: float) -> Sequence[PusherEvent]:
        """A text has come. Whatever it holds, nothing is raised."""
        if not self._is_open:
            return _NOTHING
        if self.socket_id is not None:  # else it is the greeting that is waited for
            self._heard, self._pinged = now, None
        if self._sent:
            self._note_sent(now)
        result = read(text)
        if isinstance(result, Odd):
            return (result,)
        outer, data = result
        event, name = outer.event, outer.channel
        if event.startswith("pusher"):
            handle = _HANDLERS.get(event)
            if handle is not None:
                return handle(self, name, data, now)
            if event.startswith(("pusher:", "pusher_internal:")):
                return (Odd(f"unknown event {shown(event)}", shown(text), False),)
        if name is None:
            return (Odd("an event without a channel", shown(text), False),)
        if name not in self._channels:
            self.n_unasked += 1
            return _NOTHING
        if self._unanswered:
            self._unanswered.pop(name, None)  # this is an answer as well
        return (Message(name, event, data),)

    # What the user wants

    def subscribe(
        self, channel: str, *, is_private: bool = False
    ) -> Sequence[PusherEvent]:
        """Wants a channel. is_private: it is to be authorised, whatever its name.

        Raises ValueError for what is no name.
        """
        if not 0 < len(channel) <= _NAME_LEN or not channel.isprintable():
            raise ValueError(f"no name of a channel: {shown(channel)!r}")
        if channel in self._channels:
            return _NOTHING
        self._channels[channel] = _Channel(is_private or needs_auth(channel))
        return self._begin(channel)

    def unsubscribe(self, channel: str) -> bool:
        """Wants a channel no more. False where it was not wanted."""
        known = self._channels.pop(channel, None)
        self._unanswered.pop(channel, None)
        if known is not None and known.is_sent:
            self._texts.append(frame("pusher:unsubscribe", {"channel": channel}))
        return known is not None

    def retry(self, channel: str) -> Sequence[PusherEvent]:
        """Tries one again that was refused."""
        known = self._channels.get(channel)
        if known is None or known.state is not ChannelState.REFUSED:
            return _NOTHING
        known.state = ChannelState.WANTED
        return self._begin(channel)

    def authorise(
        self, socket_id: str, channel: str, auth: str, channel_data: str | None = None
    ) -> bool:
        """Subscribes with what the authorisation gave. False where that is of no use:
        it is for another connection, or nobody waits for it any more."""
        known = self._awaiting(socket_id, channel)
        if known is None:
            return False
        data = {"channel": channel, "auth": auth}
        if channel_data is not None:
            data["channel_data"] = channel_data
        self._send_subscribe(channel, known, data)
        return True

    def refuse(
        self, socket_id: str, channel: str, reason: str, status: int = 0
    ) -> Sequence[PusherEvent]:
        """There is no authorisation."""
        known = self._awaiting(socket_id, channel)
        if known is None:
            return _NOTHING
        known.state = ChannelState.REFUSED
        return (Refused(channel, reason, status),)

    def _awaiting(self, socket_id: str, channel: str) -> _Channel | None:
        known = self._channels.get(channel)
        if known is None or known.state is not ChannelState.AUTHORISING:
            return None
        return known if socket_id == self.socket_id else None

    def _begin(self, name: str) -> Sequence[PusherEvent]:
        """Goes on with a wanted channel as far as that goes now."""
        channel = self._channels[name]
        if self.socket_id is None:
            return _NOTHING
        if not channel.needs_auth:
            self._send_subscribe(name, channel, {"channel": name})
            return _NOTHING
        channel.state = ChannelState.AUTHORISING
        return (NeedsAuth(name, self.socket_id),)

    def _send_subscribe(
        self, name: str, channel: _Channel, data: dict[str, str]
    ) -> None:
        channel.state = ChannelState.SUBSCRIBING
        channel.is_sent = True
        self._sent.append(name)
        self._texts.append(frame("pusher:subscribe", data))

    def _note_sent(self, now: float) -> None:
        for name in self._sent:
            known = self._channels.get(name)
            if known is not None and known.state is ChannelState.SUBSCRIBING:
                self._unanswered.pop(name, None)
                self._unanswered[name] = now
        self._sent.clear()

    def _give_up(self, name: str) -> PusherEvent:
        """A subscription that the server does not answer."""
        del self._unanswered[name]
        self._channels[name].state = ChannelState.REFUSED
        return Refused(name, f"no answer in {_ANSWER_S:g} s", _NO_ANSWER)

    def _lose(self, reason: str, code: int = 1006) -> Sequence[PusherEvent]:
        self.closed()
        return (Lost(reason, code),)

    # What the server says: channel, data, time

    def _established(
        self, _: str | None, data: str, now: float
    ) -> Sequence[PusherEvent]:
        if self.socket_id is not None:
            return (Odd("a second greeting", shown(data), False),)
        fields = data_object(data)
        socket_id = fields.get("socket_id")
        if not (isinstance(socket_id, str) and 0 < len(socket_id) <= _NAME_LEN):
            return (Odd("a greeting without a socket_id", shown(data)),)
        self.socket_id = socket_id
        self._heard, self._pinged = now, None
        self._idle_s = _idle_s(fields.get("activity_timeout"))
        events: list[PusherEvent] = [Established(socket_id, self._idle_s)]
        for name in self._channels:
            events += self._begin(name)
        self._note_sent(now)
        return events

    def _ping(self, _: str | None, data: str, now: float) -> Sequence[PusherEvent]:
        self._texts.append(frame("pusher:pong", {}))
        return _NOTHING

    def _ignore(self, _: str | None, data: str, now: float) -> Sequence[PusherEvent]:
        return _NOTHING

    def _error(self, _: str | None, data: str, now: float) -> Sequence[PusherEvent]:
        fields = data_object(data)
        code = fields.get("code")
        code = code if type(code) is int else None
        message = fields.get("message")
        text = shown(message if isinstance(message, str) else data)
        error = ServerError(text, code)
        if self.socket_id is None and code is not None and 4000 <= code <= 4999:
            return error, *self._lose(f"{text} [{code}]", code)
        return (error,)

    def _succeeded(
        self, name: str | None, data: str, now: float
    ) -> Sequence[PusherEvent]:
        channel = self._channels.get(name or "")
        if channel is None or name is None:
            return _NOTHING  # wanted no more
        if not channel.is_sent:
            return (Odd("a subscription that nobody asked for", shown(name), False),)
        self._unanswered.pop(name, None)
        channel.members = _members(data_object(data))
        if channel.state is ChannelState.SUBSCRIBED:
            return _NOTHING
        channel.state = ChannelState.SUBSCRIBED
        return (Subscribed(name, dict(channel.members)),)

    def _refused(
        self, name: str | None, data: str, now: float
    ) -> Sequence[PusherEvent]:
        channel = self._channels.get(name or "")
        if channel is None or name is None:
            return _NOTHING
        if not channel.is_sent or channel.state is ChannelState.AUTHORISING:
            return (Odd("a refusal of what nobody asked for", shown(name), False),)
        if channel.state is ChannelState.REFUSED:
            return _NOTHING  # it is known; a server may say so as often as it likes
        # What was unsubscribed from and subscribed to again has two answers: is_sent
        # stays, so that the second may be that it succeeded.
        channel.state = ChannelState.REFUSED
        self._unanswered.pop(name, None)
        fields = data_object(data)
        status = fields.get("status")
        words = [fields.get("type"), fields.get("error"), fields.get("message")]
        reason = ": ".join(shown(word) for word in words if isinstance(word, str))
        status = status if type(status) is int else 0
        return (Refused(name, reason or shown(data), status),)

    def _added(self, name: str | None, data: str, now: float) -> Sequence[PusherEvent]:
        channel, user_id, fields = self._member(name, data)
        if channel is None or name is None:
            return _NOTHING
        if user_id not in channel.members and len(channel.members) >= _MOST_MEMBERS:
            return (Odd("more members than are kept", shown(data), False),)
        channel.members[user_id] = fields.get("user_info")
        return (MemberAdded(name, user_id, fields.get("user_info")),)

    def _removed(
        self, name: str | None, data: str, now: float
    ) -> Sequence[PusherEvent]:
        channel, user_id, _ = self._member(name, data)
        if channel is None or name is None or user_id not in channel.members:
            return _NOTHING
        del channel.members[user_id]
        return (MemberRemoved(name, user_id),)

    def _member(
        self, name: str | None, data: str
    ) -> tuple[_Channel | None, str, dict[str, Any]]:
        channel, fields = self._channels.get(name or ""), data_object(data)
        user_id = fields.get("user_id")
        if channel is None or channel.state is not ChannelState.SUBSCRIBED:
            return None, "", fields
        if not isinstance(user_id, str | int) or len(str(user_id)) > _NAME_LEN:
            return None, "", fields
        return channel, str(user_id), fields


_HANDLERS = {
    "pusher:connection_established": Pusher._established,
    "pusher:ping": Pusher._ping,
    "pusher:pong": Pusher._ignore,
    "pusher:error": Pusher._error,
    "pusher:subscription_error": Pusher._refused,
    "pusher:cache_miss": Pusher._ignore,
    "pusher_internal:subscription_count": Pusher._ignore,
    "pusher_internal:subscription_error": Pusher._refused,
    "pusher_internal:subscription_succeeded": Pusher._succeeded,
    "pusher_internal:member_added": Pusher._added,
    "pusher_internal:member_removed": Pusher._removed,
}


def _idle_s(activity_timeout: object) -> float:
    """After how long without a word a ping is sent."""
    if isinstance(activity_timeout, bool) or not isinstance(
        activity_timeout, int | float
    ):
        return _LONGEST_IDLE_S
    if not activity_timeout > 0:
        return _LONGEST_IDLE_S
    return min(max(activity_timeout, _SHORTEST_IDLE_S), _LONGEST_IDLE_S)


def _members(fields: dict[str, Any]) -> dict[str, Any]:
    presence = fields.get("presence")
    if not isinstance(presence, dict):
        return {}
    known, ids = presence.get("hash"), presence.get("ids")
    members = known if isinstance(known, dict) else {}
    for user_id in ids if isinstance(ids, list) else []:
        if isinstance(user_id, str | int):
            members.setdefault(str(user_id), None)
    return dict(list(members.items())[:_MOST_MEMBERS])
