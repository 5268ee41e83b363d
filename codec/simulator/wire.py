"""The way out of a simulated server: one connection's bytes, and what may happen to
them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from picows import WSListener

from codec.simulator.faults import BOMB_LEN
from codec.simulator.frames import PING, TEXT, close_frame, fragments, frame, text_frame

if TYPE_CHECKING:
    from codec.simulator.connection import Connection
    from codec.simulator.deflate import Deflater
    from codec.simulator.server import Server

__all__ = ["Wire"]

_PATIENCE_S = 5.0  # for the client's part of an end
_FILLER = b'{"type":"half","p":"%s"}' % bytes(400).replace(b"\0", b"0")


class Wire(WSListener):
    """A connection's way out.

    index: its place in the order of arrival. n_sent, sent: messages handed over whole,
    and with `keep_sent` the messages; answers to requests do not count.
    """

    def __init__(self, server: Server[Any]) -> None:
        self.server = server
        self.index = -1
        self.deflater: Deflater | None = None
        self.sent: list[bytes] = []
        self.n_sent = 0
        self.is_open = False
        self._transport = cast("asyncio.Transport", None)
        self._is_attached = False
        self._marks: dict[str, int | None] = {}  # None: it has happened
        self._drip: deque[tuple[memoryview, bytes | None]] = deque()
        self._writable = asyncio.Event()

    def __repr__(self) -> str:
        state = "open" if self.is_open else "ended"
        return f"<{type(self).__name__} {self.index}: {state}, {self.n_sent} sent>"

    @property
    def is_muted(self) -> bool:
        """Whether messages are left out."""
        faults, limit = self.server.faults, self.server.limit
        return (
            not self.is_open
            or faults.silence
            or faults.stall == self.index
            or (limit is not None and self.n_sent >= limit)
        )

    @property
    def buffered_len(self) -> int:
        """Bytes that wait here for the client to read."""
        return self._transport.get_write_buffer_size() + sum(
            len(data) for data, _ in self._drip
        )

    def send(self, message: bytes, plain: bytes | None = None) -> bool:
        """Sends a text message, unless it is muted; plain: its frame, if there is one.

        Returns whether it was handed over.
        """
        if self.is_muted or self._is_overrun():
            return False
        self._put(self._framed(message, plain), message)
        self.check_events()
        return True

    def reply(self, answer: dict[str, Any]) -> None:
        """Sends what is no market data: it is not counted."""
        if self.is_open and not self.server.faults.silence and not self._is_overrun():
            self._put(self._framed(json.dumps(answer).encode(), None))

    def write(self, data: bytes) -> None:
        """Sends bytes, whatever they are."""
        if self.is_open:
            self._put(data)

    def ping(self, payload: bytes = b"") -> None:
        """Sends a ping."""
        self.write(frame(PING, payload))

    async def drain(self) -> bool:
        """Waits until the client has read enough; whether it is still there."""
        await self._writable.wait()
        return self.is_open

    def _framed(self, message: bytes, plain: bytes | None) -> bytes:
        payload, is_compressed = message, self.deflater is not None
        n = self.server.faults.fragment
        if self.deflater is not None:
            payload = self.deflater.compress(message)
        elif plain is not None and not n:
            return plain
        if n:
            return fragments(payload, n, is_compressed=is_compressed)
        return frame(TEXT, payload, is_compressed=is_compressed)

    def _put(self, data: bytes, message: bytes | None = None) -> None:
        """Hands bytes over, slowly where that is asked for."""
        if self.server.faults.stall == self.index:
            return
        if not self._drip and not self.server.faults.slow:
            self._transport.write(data)
            self._count(message)
            return
        if not self._drip:
            asyncio.get_running_loop().call_later(0.001, self._drop)
        self._drip.append((memoryview(data), message))

    def _drop(self) -> None:
        """One drop of the slow drip; all that is left once it is switched off."""
        n = self.server.faults.slow
        while self._drip and self.is_open:
            data, message = self._drip.popleft()
            self._transport.write(data[:n])
            if n and len(data) > n:
                self._drip.appendleft((data[n:], message))
            else:
                self._count(message)
                self.check_events()
            if n:
                break
        if self._drip and self.is_open:
            asyncio.get_running_loop().call_later(0.001, self._drop)

    def _complete(self) -> None:
        """Sends the rest of what the slow drip has begun, as what comes next would be
        taken for it."""
        if not self._drip:
            return
        data, message = self._drip[0]
        if len(data) < len(cast("bytes", data.obj)):
            del self._drip[0]
            self._transport.write(data)
            self._count(message)

    def _count(self, message: bytes | None) -> None:
        if message is not None:
            self.count_sent([message])

    def count_sent(self, messages: list[bytes]) -> None:
        """Takes note of messages that were handed over."""
        self.n_sent += len(messages)
        if self.server.keep_sent:
            self.sent += messages

    def _is_overrun(self) -> bool:
        """Whether the client reads too slowly, which ends the connection."""
        if self.buffered_len <= self.server.faults.slow_consumer:
            return False
        self.close(1013, "too slow")
        return True

    # What may happen to it.

    def mark(self, name: str) -> None:
        """Counts an event's messages from here."""
        self._marks[name] = self.n_sent

    def check_events(self) -> None:
        """Has the events happen whose number of messages has been sent."""
        for name in self.server.faults.events:
            event = self.server.faults.event(name)
            if event is None or event.after is None:
                continue
            mark = self._marks.get(name, 0)
            if self.is_open and mark is not None and self.n_sent >= mark + event.after:
                self._marks[name] = None
                self.happen(name, event.values)

    def happen(self, name: str, values: tuple[Any, ...] = ()) -> None:
        """Has an event happen: a method of the same name."""
        getattr(self, name)(*values)

    def cut(self, how: str = "flush") -> None:
        """Drops the TCP connection without a close frame.

        "flush": what was sent still reaches the client. "reset": RST, at once.
        """
        if not self._end():
            return
        if how == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self._transport.abort()
        elif self._transport.can_write_eof():
            self._transport.write_eof()  # the client's end is awaited: no RST
        else:
            self._transport.close()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Sends a close frame and awaits the client's."""
        self._complete()
        if self._end():
            self._transport.write(close_frame(code, reason))

    def half_frame(self, then: str = "stall") -> None:
        """Sends the first half of a frame; then nothing ("stall") or the end."""
        if self.is_open:
            self._complete()
            data = self._framed(_FILLER, None)
            self._transport.write(data[: len(data) // 2])
            if then == "cut":
                self.cut()
            else:
                self._end(is_final=False)

    def garbage(self) -> None:
        """Sends bytes that begin like no frame: reserved bits, an unknown opcode."""
        self.write(b"\xff" + self.server.random.randbytes(99))

    def bomb(self, n_bytes: int = BOMB_LEN) -> None:
        """Sends a compressed message of n_bytes in about a thousandth of them."""
        deflate = zlib.compressobj(9, wbits=-15)
        parts = [deflate.compress(b'{"type":"bomb","p":"')]
        block = bytes(1 << 20).replace(b"\0", b"0")
        for begin in range(0, n_bytes, len(block)):
            parts.append(deflate.compress(block[: n_bytes - begin]))
        parts += [deflate.compress(b'"}'), deflate.flush(zlib.Z_SYNC_FLUSH)[:-4]]
        self.write(frame(TEXT, b"".join(parts), is_compressed=True))
        if self.deflater is not None:
            self.deflater.reset()

    def oversize(self, n_bytes: int = BOMB_LEN) -> None:
        """Sends a message of n_bytes, uncompressed."""
        head, tail = b'{"type":"oversize","p":"', b'"}'
        filling = b"0" * (n_bytes - len(head) - len(tail))
        self.write(text_frame(head + filling + tail))

    def error_message(self, text: str = "internal error") -> None:
        """Sends an error of the server."""
        self.reply({"type": "error", "error": text})

    def _end(self, *, is_final: bool = True) -> bool:
        """Ends all output; with is_final the client has some seconds to go as well."""
        was_open, self.is_open = self.is_open, False
        self._drip.clear()
        self._writable.set()
        if was_open:
            self.server.ended(cast("Connection", self))
        if self._is_attached and is_final:
            self._expire()
        return was_open

    def _expire(self, before_len: int | None = None) -> None:
        """Drops the connection once nothing has been read from it for long enough."""
        now_len = self._transport.get_write_buffer_size()
        if before_len is not None and now_len >= before_len:
            self.abort()
        elif self._is_attached:
            loop = asyncio.get_running_loop()
            loop.call_later(_PATIENCE_S, self._expire, now_len)

    def abort(self) -> None:
        """Drops what is left of the connection."""
        self._end(is_final=False)
        if self._is_attached:
            self._transport.abort()

    def pause_writing(self) -> None:
        if self.is_open:
            self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
