"""Pusher's protocol in any order: no exception, no lost subscription, no leak."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from codec.feeds.pusher import ChannelState, Pusher
from codec.feeds.pusher_words import Lost, NeedsAuth, Subscribed

NAMES = ("a", "b", "private-c", "presence-d", "presence-e")
names = st.sampled_from(NAMES)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "socket_id",
                    "code",
                    "status",
                    "message",
                    "presence",
                    "ids",
                    "hash",
                    "user_id",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
events = st.sampled_from(
    [
        "pusher:connection_established",
        "pusher:error",
        "pusher:ping",
        "pusher:pong",
        "pusher:subscription_error",
        "pusher:what",
        "pusher_internal:subscription_succeeded",
        "pusher_internal:subscription_count",
        "pusher_internal:member_added",
        "pusher_internal:member_removed",
        "update",
    ]
) | st.text(max_size=9)


class Machine(RuleBasedStateMachine):
    """A user who wants and unwants, a server that says anything, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.pusher = Pusher()
        self.now = 0.0
        self.n_sockets = 0
        self.is_open = False
        self.wanted: dict[str, bool] = {}
        self.at_server: set[str] = set()  # what it has been asked for
        self.needs: list[NeedsAuth] = []

    def note(self, events: Any) -> Any:
        for event in events:
            if isinstance(event, NeedsAuth):
                self.needs.append(event)
            elif isinstance(event, Lost):
                self.is_open = False
                self.at_server.clear()
        for text in self.pusher.take_texts():
            message = json.loads(text)
            channel = message["data"].get("channel")
            if message["event"] == "pusher:subscribe":
                assert self.is_open and channel in self.wanted
                auth = f"1.{self.n_sockets}:{channel}" if self.wanted[channel] else None
                assert message["data"].get("auth") == auth
                self.at_server.add(channel)
            elif message["event"] == "pusher:unsubscribe":
                self.at_server.remove(channel)
            else:
                assert message["event"] in ("pusher:ping", "pusher:pong")
        return events

    def hear(self, event: str, channel: str | None = None, data: Any = None) -> Any:
        fields = {"event": event, "data": data}
        if channel is not None:
            fields["channel"] = channel
        return self.note(self.pusher.receive(json.dumps(fields).encode(), self.now))

    def authorise(self, need: NeedsAuth) -> None:
        auth = f"{need.socket_id}:{need.channel}"
        self.pusher.authorise(need.socket_id, need.channel, auth)
        self.note(())

    @initialize()
    def begin(self) -> None:
        self.open(is_greeted=True)

    # The user

    @rule(name=names, is_private=st.booleans())
    def subscribe(self, name: str, is_private: bool) -> None:
        self.wanted.setdefault(name, is_private or name.startswith("pr"))
        self.note(self.pusher.subscribe(name, is_private=is_private))

    @rule(name=names)
    def unsubscribe(self, name: str) -> None:
        was_wanted = self.wanted.pop(name, None) is not None
        assert self.pusher.unsubscribe(name) == was_wanted
        self.note(())

    @rule(name=names)
    def retry(self, name: str) -> None:
        self.note(self.pusher.retry(name))

    @precondition(lambda self: self.needs)
    @rule(data=st.data(), is_good=st.booleans(), repeat=st.booleans())
    def answer_auth(self, data: Any, is_good: bool, repeat: bool) -> None:
        """Some answer, maybe one of long ago, and twice."""
        index = data.draw(st.integers(0, len(self.needs) - 1))
        need = self.needs[index] if repeat else self.needs.pop(index)
        if is_good:
            self.authorise(need)
        else:
            self.note(self.pusher.refuse(need.socket_id, need.channel, "no", 403))

    # The connection

    @rule(is_greeted=st.sampled_from([True, True, False]))
    def open(self, is_greeted: bool) -> None:
        self.at_server.clear()
        self.is_open = True
        self.n_sockets += 1
        self.pusher.opened(self.now)
        if is_greeted:
            self.greet(120)

    @precondition(lambda self: self.wanted)
    @rule(is_followed=st.booleans())
    def close(self, is_followed: bool) -> None:
        self.at_server.clear()
        self.is_open = False
        self.pusher.closed()
        if is_followed:
            self.open(is_greeted=True)

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.0, 31.0, 121.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.note(self.pusher.tick(self.now))
        deadline = self.pusher.next_deadline
        assert deadline is None or deadline > self.now

    # The server

    @rule(idle_s=st.sampled_from([1, 30, 120, 1000]))
    def greet(self, idle_s: int) -> None:
        data = {"socket_id": f"1.{self.n_sockets}", "activity_timeout": idle_s}
        self.hear("pusher:connection_established", data=json.dumps(data))

    @rule(name=names)
    def succeed(self, name: str) -> None:
        for event in self.hear("pusher_internal:subscription_succeeded", name, "{}"):
            if isinstance(event, Subscribed):
                assert self.pusher.channels[name] is ChannelState.SUBSCRIBED

    @rule(name=names, status=st.sampled_from([None, 401, 500]))
    def refuse(self, name: str, status: int | None) -> None:
        data = {"type": "AuthError", "status": status}
        self.hear("pusher:subscription_error", name, data)

    @rule(event=events, channel=st.none() | names | st.text(max_size=3), data=values)
    def say_anything(self, event: str, channel: str | None, data: Any) -> None:
        self.hear(event, channel, data)
        self.hear(event, channel, json.dumps(data))

    @rule(text=st.binary(max_size=40) | values.map(lambda v: json.dumps(v).encode()))
    def say_nonsense(self, text: bytes) -> None:
        self.note(self.pusher.receive(text, self.now))

    # What always holds

    @invariant()
    def what_is_wanted_is_known(self) -> None:
        assert set(self.pusher.channels) == set(self.wanted)

    @invariant()
    def the_server_knows(self) -> None:
        for name, state in self.pusher.channels.items():
            if state in (ChannelState.SUBSCRIBING, ChannelState.SUBSCRIBED):
                assert name in self.at_server
        assert self.at_server <= set(self.wanted)

    @invariant()
    def deadlines_are_those_of_a_connection(self) -> None:
        assert (self.pusher.next_deadline is not None) == self.is_open

    def teardown(self) -> None:
        """From wherever it is: with a server that answers, all is subscribed to."""
        if not self.is_open:
            self.open(is_greeted=True)
        if self.pusher.socket_id is None:
            self.greet(120)
        for name, state in self.pusher.channels.items():
            if state is ChannelState.REFUSED:
                self.note(self.pusher.retry(name))
        for need in self.needs:
            self.authorise(need)
        for name in sorted(self.at_server):
            self.succeed(name)
        assert set(self.pusher.channels) == set(self.wanted) == self.at_server
        assert set(self.pusher.channels.values()) <= {ChannelState.SUBSCRIBED}
        for name in tuple(self.wanted):
            self.unsubscribe(name)
        assert not self.at_server and not self.pusher.channels


TestMachine = Machine.TestCase
