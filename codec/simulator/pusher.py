"""A server of Pusher's protocol 7: channels, their members, and what goes to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from codec.simulator.feed import ReplayServer
from codec.simulator.frames import text_frame
from codec.simulator.pusher_connection import Channel, PusherConnection
from codec.simulator.pusher_words import (
    App,
    Member,
    Unauthorised,
    channel_of,
    damaged,
    dumps,
    handshake_error,
    is_channel,
    is_private,
    read_member,
    unknown_events,
    verify,
)
from codec.simulator.shuriken_faults import ShurikenFaults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Unpack

    from codec.simulator.connection import Connection
    from codec.simulator.server import ServerOptions

__all__ = ["PusherServer"]

_PREFIX = "/app/"
_MAX_CHANNELS = 1000  # of a connection
_MAX_MEMBERS = 100  # of a presence channel


class PusherServer(ReplayServer[ShurikenFaults]):
    """Sockets at /app/{key}, which subscribe to channels of any name.

    activity_timeout: seconds that clients are told. ping_after, pong_timeout: seconds
    without a word from a client after which it is sent a ping, and then closed (4201).
    """

    connections: list[PusherConnection]  # type: ignore[assignment]
    history: list[PusherConnection]  # type: ignore[assignment]

    def __init__(
        self,
        frames: Iterable[bytes | tuple[float, bytes]] | None = None,
        *,
        activity_timeout: float = 120,
        ping_after: float | None = None,
        pong_timeout: float = 30,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(ShurikenFaults(), frames, **options)
        self.activity_timeout = activity_timeout
        self.ping_after = activity_timeout if ping_after is None else ping_after
        self.pong_timeout = pong_timeout
        if not min(activity_timeout, self.ping_after, pong_timeout) > 0:
            raise ValueError("timeouts are above 0 s")
        self.channels: dict[str, Channel] = {}
        self._apps: dict[str, App] = {}
        self._n_apps = 0
        self._held: list[tuple[str, bytes]] = []

    # Apps.

    @property
    def app(self) -> App:
        """The one that new sessions are told; a new one where the last has expired."""
        if not self._apps:
            self._n_apps += 1
            digits = self.random.randbytes(20).hex()
            app = App(f"app{self._n_apps}-{digits[:12]}", digits)
            self._apps[app.key] = app
        return next(iter(self._apps.values()))

    def expire(self, app: App | None = None) -> None:
        """Ends an app's key, by default that of now. Open connections stay."""
        if app is None or app.key in self._apps:
            self._apps.clear()

    def app_of(self, socket_id: str) -> App:
        """The app that a socket is of; that of now where there is no such socket."""
        for connection in self.connections:
            if connection.socket_id == socket_id and connection.app is not None:
                return connection.app
        return self.app

    # Handshakes.

    def is_socket(self, path: str) -> bool:
        return path.startswith(_PREFIX)

    def authorize(self, path: str, headers: Mapping[str, str]) -> None:
        """The key in the path is all that it takes."""

    def accept(
        self, path: str, query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> PusherConnection:
        app = self._apps.get(unquote(path.removeprefix(_PREFIX)))
        error = handshake_error(dict(query))
        if app is None:
            error = 4001, "Application does not exist"
        socket_id = (
            f"{self.random.randrange(1, 10**6)}.{self.random.randrange(1, 10**9)}"
        )
        return PusherConnection(self, headers, app, socket_id, error)

    def opened(self, connection: Connection) -> None:
        assert isinstance(connection, PusherConnection)
        loop = asyncio.get_running_loop()
        connection.heard = loop.time()
        super().opened(connection)  # an event may have it end
        if connection.error is not None:
            code, message = connection.error
            return connection.close(code, message)
        if not self.faults.no_greeting:
            data = {
                "socket_id": connection.socket_id,
                "activity_timeout": self.activity_timeout,
            }
            connection.tell("pusher:connection_established", dumps(data))
        if connection.is_open:
            connection.timer = loop.call_later(
                self.ping_after, self._look_after, connection
            )
        return None

    def ended(self, connection: Connection) -> None:
        super().ended(connection)
        assert isinstance(connection, PusherConnection)
        if connection.timer is not None:
            connection.timer.cancel()
        for name in list(connection.subscribed):
            self._leave(connection, name)

    def _look_after(
        self, connection: PusherConnection, pinged: float | None = None
    ) -> None:
        """Pings a connection that says nothing, and ends one that does not answer."""
        loop = asyncio.get_running_loop()
        if pinged is not None and connection.heard < pinged:
            return connection.close(4201, "Pong reply not received in time")
        left = connection.heard + self.ping_after - loop.time()
        pinged = None
        if left <= 0 and not self.faults.silence:
            connection.tell("pusher:ping", "{}")
            left, pinged = self.pong_timeout, loop.time()
        elif left <= 0:
            left = self.ping_after
        connection.timer = loop.call_later(left, self._look_after, connection, pinged)
        return None

    # Requests.

    def on_request(self, connection: Connection, item: Any) -> None:
        assert isinstance(connection, PusherConnection)
        request = item if isinstance(item, dict) else {}
        event, data = request.get("event"), request.get("data")
        fields = data if isinstance(data, dict) else {}
        if event == "pusher:ping":
            connection.pong()
        elif event == "pusher:subscribe":
            self._subscribe(connection, fields)
        elif event == "pusher:unsubscribe":
            self._unsubscribe(connection, fields.get("channel"))
        elif not isinstance(event, str):
            connection.refuse("Invalid message: JSON with an event is expected")
        elif event.startswith("client-"):
            connection.refuse("Client events are not enabled for this app")
        elif event != "pusher:pong":
            connection.refuse(f"Unknown event: {event}")

    def _subscribe(self, connection: PusherConnection, data: dict[str, Any]) -> None:
        name = data.get("channel")
        if not is_channel(name):
            return connection.refuse(f"Invalid channel name: {str(name)[:50]}")
        assert isinstance(name, str)
        if name in connection.subscribed:
            return connection.refuse(f"Existing subscription to channel {name}")
        if self.faults.take("no_answer"):
            return None
        if self.faults.take("nameless_error"):
            return connection.refuse("The connection is unauthorized", 4009)
        if self.faults.take("subscription_error"):
            return connection.deny(name, "The simulator refuses it", 403)
        if len(connection.subscribed) >= _MAX_CHANNELS:
            return connection.deny(name, "Too many channels", 403, "LimitReached")
        try:
            member = self._authorised(connection, name, data)
        except Unauthorised as error:
            return connection.deny(name, str(error), 401)
        return self._join(connection, name, member)

    def _authorised(
        self, connection: PusherConnection, name: str, data: dict[str, Any]
    ) -> Member | None:
        """Who subscribes, where that is to be known. Raises Unauthorised."""
        channel_data = data.get("channel_data")
        if self.takes_auth(name):
            assert connection.app is not None
            auth = data.get("auth")
            verify(connection.app, connection.socket_id, name, auth, channel_data)
        if name.startswith("presence-"):
            return read_member(channel_data)
        return None

    def takes_auth(self, channel: str) -> bool:
        """Whether a channel takes authorisation."""
        return is_private(channel)

    def _join(
        self, connection: PusherConnection, name: str, member: Member | None
    ) -> None:
        channel = self.channels.get(name) or Channel(name)
        is_known = member is None or member.user_id in channel.users
        if not is_known and len(channel.users) >= _MAX_MEMBERS:
            return connection.deny(name, "Too many members", 403, "LimitReached")
        self.channels[name] = channel
        others = list(channel.members)
        is_new = channel.joined(connection, member)
        connection.subscribed.add(name)
        data = dumps(channel.presence() if channel.is_presence else {})
        connection.tell("pusher_internal:subscription_succeeded", data, name)
        if is_new and member is not None:
            for other in others:
                text = dumps(member._asdict())
                other.tell("pusher_internal:member_added", text, name)
        self.joined(channel)
        self.subscribed()
        return None

    def _unsubscribe(self, connection: PusherConnection, name: object) -> None:
        if isinstance(name, str) and name in connection.subscribed:
            self._leave(connection, name)
        else:
            shown = str(name)[:50]
            connection.refuse(f"No current subscription to channel {shown}")

    def _leave(self, connection: PusherConnection, name: str) -> None:
        channel = self.channels[name]
        connection.subscribed.discard(name)
        member = channel.left(connection)
        if not channel.members:
            del self.channels[name]
        if member is not None:
            for other in list(channel.members):
                text = dumps({"user_id": member.user_id})
                other.tell("pusher_internal:member_removed", text, name)

    def joined(self, channel: Channel) -> None:
        """Somebody has subscribed to a channel."""

    # Events.

    def emit(self, name: str, event: str, text: str) -> int:
        """Sends all who have subscribed to a channel an event, text: JSON; how many.

        Faults of events happen to it.
        """
        faults = self.faults
        channel = self.channels.get(name)
        if channel is None or faults.take("skip_ticks"):
            return 0
        n = len(channel.members)
        if faults.take("unknown_event"):
            self._held += [(name, message) for message in unknown_events(name, text)]
        message = self.message(name, event, text)
        self._held += [(name, message)] * (1 + faults.take("duplicate_event"))
        if faults.take("burst") and faults.burst:
            return n
        self._release()
        return n

    def message(self, name: str, event: str, text: str) -> bytes:
        """An event as it is sent."""
        faults = self.faults
        if faults.take("data_object"):
            head = dumps({"event": event, "channel": name})
            message = f'{head[:-1]},"data":{text}}}'
        else:
            message = dumps({"event": event, "channel": name, "data": text})
        if faults.take("garbage_text"):
            return damaged(message, self.random)
        return message.encode()

    def readers(self, message: bytes) -> list[Connection] | None:
        """Those who have subscribed to its channel, or to any where it has none."""
        name = channel_of(message)
        if name is None:
            return [each for each in self.connections if each.subscribed]
        channel = self.channels.get(name)
        return list(channel.members) if channel is not None else []

    def _release(self) -> None:
        """Sends what was held back."""
        held, self._held = self._held, []
        for name, message in held:
            plain = text_frame(message)
            channel = self.channels.get(name)
            for connection in list(channel.members) if channel is not None else ():
                connection.send(message, plain)
