"""From received lines to queues, whether anybody reads them or not."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING

from codec.feeds.events import EventKind
from codec.feeds.pusher_words import Message
from codec.feeds.shuriken.subscriptions import Delivery
from codec.feeds.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codec.feeds._listener import Inbox, Lines
    from codec.feeds.events import Events
    from codec.feeds.shuriken.channels import Channels
    from codec.feeds.shuriken.live import Live
    from codec.feeds.shuriken.registry import Registry
    from codec.feeds.shuriken.subscriptions import Mailbox, Outage

__all__ = ["Pump"]


class Pump:
    """Takes what has arrived, gives it to the protocol, and fills the queues.

    n_messages: events that belong to somebody; n_other: other texts. work_ns: spent on
    what has arrived.
    """

    def __init__(
        self, inbox: Inbox, registry: Registry, channels: Channels, events: Events
    ) -> None:
        self.n_messages = self.n_other = self.work_ns = 0
        self._inbox = inbox
        self._registry = registry
        self._channels = channels
        self._events = events
        self._everywhere: list[Mailbox] = []
        self._crowded: dict[Mailbox, int] = {}  # and how many it had dropped before
        self._waiter: asyncio.Future[None] | None = None

    def kick(self) -> None:
        """Has the loop look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self) -> None:
        """Reads until it is cancelled."""
        loop, channels = asyncio.get_running_loop(), self._channels
        while True:
            if self._crowded:
                self._report_crowded()
                while self._registry.is_full():
                    await self._sleep(None, for_lines=False)
            lines = self._inbox.take()
            if lines is not None:
                while lines.source > channels.n_begun:  # its handshake is not yet over
                    await self._sleep(None, for_lines=False)
                start_ns = perf_counter_ns()
                self._read(lines, loop.time())
                self.work_ns += perf_counter_ns() - start_ns
                await asyncio.sleep(0)  # those who read have their turn
                continue
            channels.tick(loop.time())
            live = channels.live
            await self._sleep(live.pusher.next_deadline if live else None)

    async def _sleep(self, until_s: float | None, *, for_lines: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = None if until_s is None else loop.call_at(until_s, self.kick)
        if for_lines:
            self._inbox.wait(self._waiter)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _read(self, lines: Lines, now_s: float) -> None:
        live = self._channels.read_by(lines.source)
        if live is None:
            return  # of an attempt that failed
        self._everywhere = self._registry.everywhere()
        receive = live.pusher.receive
        n_before = self.n_messages
        texts = bytes(lines).split(b"\n")
        for line in texts[:-1]:
            stamp, _, text = line.partition(b" ")
            live.heard_ns = int(stamp)
            for event in receive(text, now_s):
                if type(event) is Message:
                    self._deliver(live, event)
                else:
                    self._channels.handle(live, event)
        n = self.n_messages - n_before
        self.n_other += len(texts) - 1 - n
        if n:
            self._channels.confirm(live)
        self._channels.flush(live)
        self._everywhere = []

    def _deliver(self, live: Live, message: Message) -> None:
        channel, name, text = message
        topics = live.route(channel, name)
        if not topics:
            self._events.emit(
                EventKind.UNKNOWN_MESSAGE,
                f"an event {shown(name)} of nobody's on {shown(channel)}",
                connection=0,
                channel=channel,
                event=shown(name),
            )
            return
        self.n_messages += 1
        for topic in topics:
            topic.n_events += 1
            item = Delivery(topic, name, text, live.heard_ns, live.schema_id(topic))
            self.put(item, topic.mailboxes)
            self.put(item, self._everywhere)

    def put(self, item: Delivery | Outage, mailboxes: Iterable[Mailbox]) -> None:
        """Adds something to queues."""
        for mailbox in mailboxes:
            n_dropped = mailbox.n_dropped
            if mailbox.put(item):
                self._crowded.setdefault(mailbox, n_dropped)

    def _report_crowded(self) -> None:
        crowded, self._crowded = self._crowded, {}
        n = sum(mailbox.n_dropped - before for mailbox, before in crowded.items())
        if n:
            self._events.emit(
                EventKind.OVERFLOW,
                f"events given up, as their reader is too slow: {n}",
                connection=None,
                n=n,
                messages=n,
            )
