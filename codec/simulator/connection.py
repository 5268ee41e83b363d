"""One websocket connection of a simulated server, and what comes in on it."""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING, Any

from picows import WSMsgType

from codec import jsontext
from codec.simulator.frames import PONG, close_frame, frame
from codec.simulator.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from picows import WSFrame, WSTransport

    from codec.simulator.server import Server

__all__ = ["MAX_TEXT_LEN", "Connection"]

MAX_TEXT_LEN = 1 << 20
_MAX_REMEMBERED = 10_000
_DATA = (WSMsgType.TEXT, WSMsgType.BINARY)


class Connection(Wire):
    """A client's connection, from the answered handshake on.

    headers: of the handshake, without Authorization. received: the client's texts, as
    parsed JSON where they are JSON: the newest, 10,000 or a MiB of text at most.
    close_code: the client's.
    """

    def __init__(self, server: Server[Any], headers: Mapping[str, str]) -> None:
        super().__init__(server)
        self.headers = headers
        self.authorization_ok = True
        self.received: list[Any] = []
        self._received_lens: deque[int] = deque()
        self._received_len = 0
        self.pings_received = 0
        self.close_code: int | None = None
        self._partial: list[bytes] = []
        self._is_compressed = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport.underlying_transport
        self._is_attached = self.is_open = True
        self._writable.set()
        self.server.opened(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._is_attached = False
        self._end(is_final=False)
        self.server.gone(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self._on_close(frame.get_payload_as_bytes())
        elif frame.rsv2 or frame.rsv3:
            self.close(1002, "reserved bits")
        elif frame.msg_type == WSMsgType.PING:
            self._on_ping(frame.get_payload_as_bytes())
        elif frame.msg_type != WSMsgType.PONG:
            self._on_data(frame)

    def _on_close(self, payload: bytes) -> None:
        self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
        if self.is_open:
            self._transport.write(close_frame(0) if not payload else _echo(payload))
        self._end(is_final=False)
        self._transport.close()

    def _on_ping(self, payload: bytes) -> None:
        self.pings_received += 1
        is_due = self.is_open and not self.server.faults.withhold_pong
        if is_due and not self._is_overrun():
            self._put(frame(PONG, payload))

    def _on_data(self, frame: WSFrame) -> None:
        """Puts a message together; anything out of order ends the connection."""
        is_first = frame.msg_type in _DATA
        if is_first == bool(self._partial) or (frame.rsv1 and not is_first):
            return self.close(1002, "frames out of order")
        if frame.msg_type == WSMsgType.BINARY:
            return self.close(1003, "text is expected")
        if is_first:
            self._is_compressed = frame.rsv1
        self._partial.append(frame.get_payload_as_bytes())
        if sum(map(len, self._partial)) > MAX_TEXT_LEN:
            return self.close(1009, "message too long")
        if frame.fin:
            message, self._partial = b"".join(self._partial), []
            self._on_message(message)
        return None

    def _on_message(self, data: bytes) -> None:
        message: bytes | None = data
        if self._is_compressed:
            if self.deflater is None:
                return self.close(1002, "no compression was agreed on")
            try:
                message = self.deflater.decompress(data, MAX_TEXT_LEN)
            except zlib.error:
                return self.close(1002, "no deflate stream")
        if message is None:
            return self.close(1009, "message too long")
        try:
            text = message.decode()
        except UnicodeDecodeError:
            return self.close(1007, "text is not UTF-8")
        try:
            item = jsontext.loads(text)
        except (ValueError, RecursionError):
            item = text
        self._remember(item, len(message))
        if self.is_open:
            self.server.on_request(self, item)
        return None

    def _remember(self, item: Any, text_len: int) -> None:
        """Takes note of a text, and forgets what is too old or too much."""
        lens = self._received_lens
        self.received.append(item)
        lens.append(text_len)
        self._received_len += text_len
        n_old = 0
        while len(lens) > 1 and (
            len(lens) > _MAX_REMEMBERED or self._received_len > MAX_TEXT_LEN
        ):
            self._received_len -= lens.popleft()
            n_old += 1
        del self.received[:n_old]


def _echo(payload: bytes) -> bytes:
    """The close frame that answers one with a code."""
    return close_frame(int.from_bytes(payload[:2], "big"))
