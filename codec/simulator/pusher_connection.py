"""A client's socket at a server of Pusher's, and the channels that it may be in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from codec.simulator.connection import Connection
from codec.simulator.pusher_words import App, Member, dumps, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picows import WSFrame, WSTransport

    from codec.simulator.pusher import PusherServer

__all__ = ["Channel", "PusherConnection"]

_MAX_SHOWN = 200


class Channel:
    """Who has subscribed to a channel. users: of a presence channel, by their ids."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[PusherConnection, Member | None] = {}
        self.users: dict[str, Member] = {}

    @property
    def is_presence(self) -> bool:
        """Whether members know of one another."""
        return self.name.startswith("presence-")

    def joined(self, connection: PusherConnection, member: Member | None) -> bool:
        """Takes somebody in; whether that is somebody new."""
        self.members[connection] = member
        if member is None or member.user_id in self.users:
            return False
        self.users[member.user_id] = member
        return True

    def left(self, connection: PusherConnection) -> Member | None:
        """Lets a connection go; who is there no more on any other."""
        member = self.members.pop(connection)
        if member is None or any(
            other is not None and other.user_id == member.user_id
            for other in self.members.values()
        ):
            return None
        return self.users.pop(member.user_id, None)

    def presence(self) -> dict[str, Any]:
        """What a new member is told of all."""
        users = self.users.values()
        known = {member.user_id: member.user_info for member in users}
        return {"presence": {"ids": list(known), "hash": known, "count": len(known)}}


class PusherConnection(Connection):
    """A client's socket. app: None where its key is unknown. subscribed: channels."""

    server: PusherServer

    def __init__(
        self,
        server: PusherServer,
        headers: Mapping[str, str],
        app: App | None,
        socket_id: str,
        error: tuple[int, str] | None,
    ) -> None:
        super().__init__(server, headers)
        self.app = app
        self.socket_id = socket_id
        self.error = error
        self.subscribed: set[str] = set()
        self.heard = 0.0  # the loop's time
        self.timer: asyncio.TimerHandle | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.heard = asyncio.get_running_loop().time()
        super().on_ws_frame(transport, frame)

    def tell(self, event: str, data: Any = None, channel: str | None = None) -> None:
        """Sends what is no event of a channel's."""
        self.reply(words(event, data, channel))

    def pong(self) -> None:
        """Answers a ping, also in silence."""
        faults = self.server.faults
        if self.is_open and not faults.withhold_pong and not self._is_overrun():
            text = dumps(words("pusher:pong", "{}")).encode()
            self._put(self._framed(text, None))

    def refuse(self, message: str, code: int | None = None) -> None:
        """Sends an error that names no channel."""
        self.tell("pusher:error", {"code": code, "message": message[:_MAX_SHOWN]})

    def deny(
        self, channel: str, error: str, status: int, kind: str = "AuthError"
    ) -> None:
        """Refuses a subscription."""
        data = {"type": kind, "error": error, "status": status}
        self.tell("pusher:subscription_error", data, channel)

    def error_message(
        self, text: str = "internal error", code: int | None = None
    ) -> None:
        self.refuse(text, code)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """As any connection; a code of Pusher's also stands in an error before it."""
        if 4000 <= code < 5000 and self.is_open:
            self.refuse(reason or "closed by the simulator", code)
        super().close(code, reason)

    def expire(self, code: int = 4200) -> None:
        """Ends its app key for good, and then it."""
        self.server.expire(self.app)
        self.close(code, "the session has expired")
