"""What every simulated feed does: shared messages, replays, bursts, floods."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from codec.simulator import flood as _flood
from codec.simulator.connection import Connection
from codec.simulator.faults import CommonFaults
from codec.simulator.frames import text_frame
from codec.simulator.server import Server, ServerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Unpack

__all__ = ["FeedServer", "Group", "ReplayServer", "Subscriber"]

F = TypeVar("F", bound=CommonFaults)
S = TypeVar("S", bound="Hashable")


class Subscriber(Connection, Generic[S]):
    """A client of a feed: the ids or names that it has subscribed to."""

    subscribed: set[Any]

    @property
    def subscription(self) -> S:
        """What it gets; connections with equal ones get the same messages."""
        raise NotImplementedError


class Group(Generic[S]):
    """Connections with the same subscription, which get the same messages."""

    def __init__(self, subscription: S) -> None:
        self.subscription = subscription
        self.members: list[Connection] = []

    def deliver(self, message: bytes) -> None:
        """Sends every member the message."""
        plain = text_frame(message)
        for connection in list(self.members):
            connection.send(message, plain)


class ReplayServer(Server[F], Generic[F]):
    """A server that sends a recording if it has one, and floods.

    frames: messages, or (delay in s, message), sent once to all who have subscribed,
    while there are any; `replayed` is set at their end.
    """

    n_prebuilt = 4096  # different messages of a flood

    def __init__(
        self,
        faults: F,
        frames: Iterable[bytes | tuple[float, bytes]] | None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(faults, **options)
        self.replayed = asyncio.Event()
        self._frames = frames
        self._someone = asyncio.Event()
        self._replay_task: asyncio.Task[None] | None = None

    @property
    def is_replay(self) -> bool:
        """Whether it serves a recording, whose assets nobody knows before its end."""
        return self._frames is not None

    # What a subclass says.

    def readers(self, message: bytes) -> list[Connection] | None:
        """Who gets a recorded message; while there is nobody, it waits. None: it is
        passed over."""
        raise NotImplementedError

    def prebuilt(self, connection: Any, n: int) -> list[bytes]:
        """At most n messages of a connection's subscription, for a flood."""
        raise NotImplementedError

    def subscribed(self) -> None:
        """Somebody has subscribed, who may be waited for."""
        self._someone.set()

    # Life.

    async def start(self) -> None:
        await super().start()
        if self._frames is not None:
            self._replay_task = asyncio.create_task(self._replay(self._frames))

    async def stop(self) -> None:
        if self._replay_task is not None:
            self._replay_task.cancel()
            await asyncio.gather(self._replay_task, return_exceptions=True)
        await super().stop()

    async def send(self, message: bytes, *, to: Connection | None = None) -> None:
        """Sends one connection, or all, a message, and waits until there is room."""
        for connection in [to] if to is not None else list(self.connections):
            connection.send(message)
            await connection.drain()

    async def flood(
        self,
        connection: Any,
        n_messages: int | None = None,
        *,
        seconds: float | None = None,
        distinct: int | None = None,
    ) -> int:
        """Writes prebuilt messages of its subscription as fast as the client reads.

        They are `distinct` ones, a millisecond apart, again and again, until n_messages
        were sent or the seconds are over. Returns how many were sent.
        """
        n = self.n_prebuilt if distinct is None else distinct
        if n_messages is not None:
            n = min(n, n_messages)
        messages = self.prebuilt(connection, n)
        return await _flood.flood(connection, messages, n_messages, seconds)

    async def _replay(self, frames: Iterable[bytes | tuple[float, bytes]]) -> None:
        for item in frames:
            delay, message = (0.0, item) if isinstance(item, bytes) else item
            await asyncio.sleep(delay)
            while (readers := self.readers(message)) == []:
                self._someone.clear()
                await self._someone.wait()
            for connection in readers or ():
                connection.send(message)
            for connection in readers or ():
                await connection.drain()
        self.replayed.set()


class FeedServer(ReplayServer[F], Generic[F, S]):
    """A server of messages that fall due, or of a recording.

    frames: as in ReplayServer.
    """

    connections: list[Subscriber[S]]  # type: ignore[assignment]

    def __init__(
        self,
        faults: F,
        frames: Iterable[bytes | tuple[float, bytes]] | None,
        **options: Unpack[ServerOptions],
    ) -> None:
        super().__init__(faults, frames, **options)
        self.groups: dict[S, Group[S]] = {}
        self._held: list[tuple[Group[S], bytes]] = []

    # What a subclass says.

    def tick_now(self) -> None:
        """One tick on all connections at once, of the present or after the last."""
        raise NotImplementedError

    def founded(self, group: Group[S]) -> None:
        """There is a new group."""

    def dropped(self, group: Group[S]) -> None:
        """Nobody is left in a group."""

    # Publishing.

    def ended(self, connection: Connection) -> None:
        super().ended(connection)
        assert isinstance(connection, Subscriber)
        self.regroup(connection, set())

    def publish_now(self) -> None:
        """One tick on all connections at once, of the present or after the last.

        Completes a burst.
        """
        self.tick_now()
        while self._held and self.groups:
            self.tick_now()

    def publish(
        self, groups: list[Group[S]], make: Callable[[S], Iterable[bytes]]
    ) -> None:
        """One tick of some groups: the messages that `make` makes for each."""
        if not groups or self.faults.take("skip_ticks"):
            return
        for group in groups:
            self._held += [(group, message) for message in make(group.subscription)]
        if self.faults.take("burst") and self.faults.burst:
            return
        held, self._held = self._held, []
        for group, message in held:
            group.deliver(message)

    def readers(self, message: bytes) -> list[Connection]:
        return [member for group in self.groups.values() for member in group.members]

    def regroup(self, connection: Subscriber[S], subscribed: set[Any]) -> None:
        """Moves a connection to the group of its new subscription."""
        old = self.groups.get(connection.subscription)
        if old is not None and connection in old.members:
            old.members.remove(connection)
            if not old.members:
                del self.groups[old.subscription]
                self.dropped(old)
        if connection.is_open:
            connection.subscribed = subscribed
        if subscribed and connection.is_open:
            self.subscribed()
            subscription = connection.subscription
            if subscription not in self.groups:
                self.groups[subscription] = Group(subscription)
                self.founded(self.groups[subscription])
            self.groups[subscription].members.append(connection)
