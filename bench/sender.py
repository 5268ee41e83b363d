"""A websocket server in a process of its own that writes prebuilt frames, and no more.

It runs on a core that the readers do not use. What a connection gets stands in its URL
(`Order`); it begins with the first thing that the client sends. Blocking sockets, a
thread for each, blocks of a MiB: the least that sending can cost.
"""

from __future__ import annotations

import base64
import gc
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from hashlib import sha1
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench.workloads import FIRST_NS, KEYS, MIB, asset_columns, frame_len, signed
from codec.simulator.certificate import (
    client_context,
    make_certificate,
    server_context,
)
from codec.simulator.deflate import Deflate, Deflater
from codec.simulator.frames import CLOSE, TEXT, frame, text_frame

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Order", "Sender", "messages_of"]

_BLOCK_LEN = MIB
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 4.2.2
_SPIN_NS = 300_000  # before a message is due; sleeping is not exact enough


@dataclass(frozen=True)
class Order:
    """What a connection gets.

    n_messages of n_assets, over and over the same ones (about a MiB, or n_distinct).
    is_signed: by the first of KEYS, not with zeros. rate: messages a second; 0 for as
    many as the socket takes, all of one timestamp, so that time does not go backwards
    where they begin again. is_stamped: each has the time just before it is written as
    its timestamp. n_readers: connections that get the same messages, from when the last
    of them has asked.
    """

    n_assets: int
    n_messages: int
    n_distinct: int = 0
    is_signed: bool = False
    rate: int = 0
    is_stamped: bool = False
    n_readers: int = 1

    @property
    def query(self) -> str:
        return urlencode({name: int(value) for name, value in asdict(self).items()})

    @classmethod
    def of(cls, path: str) -> Order:
        """From a request's path, whatever else is in it."""
        given = dict(parse_qsl(urlsplit(path).query))
        numbers: dict[str, Any] = {
            name: int(given[name]) for name in cls.__dataclass_fields__ if name in given
        }
        return cls(**numbers)

    @property
    def n_different(self) -> int:
        return self.n_distinct or -(-_BLOCK_LEN // frame_len(self.n_assets))

    @cached_property
    def asset_ids(self) -> list[int]:
        return [int(asset_id) for asset_id in asset_columns(self.n_assets).ids]


def messages_of(order: Order) -> list[bytes]:
    """The different messages, in the order in which they are sent."""
    step_ns = 1_000_000_000 // order.rate if order.rate else 0
    return _messages(order.n_assets, order.n_different, order.is_signed, step_ns)


@lru_cache(maxsize=16)
def _messages(n_assets: int, n: int, is_signed: bool, step_ns: int) -> list[bytes]:
    return signed(n_assets, n, KEYS[:1] if is_signed else (None,), step_ns).frames


class _Block:
    """Frames one after the other. Compressed ones refer to nothing before the block."""

    def __init__(self, messages: list[bytes], is_compressed: bool) -> None:
        frames = [text_frame(message) for message in messages]
        if is_compressed:
            deflater = Deflater(Deflate())
            frames = [
                frame(TEXT, deflater.compress(message), is_compressed=True)
                for message in messages
            ]
        self._n = len(frames)
        self._ends = [0, *accumulate(map(len, frames))]
        self._data = memoryview(b"".join(frames))

    def send(self, connection: socket.socket, n_messages: int) -> None:
        """Sends so many, beginning again and again."""
        whole, rest = divmod(n_messages, self._n)
        for _ in range(whole):
            connection.sendall(self._data)
        connection.sendall(self._data[: self._ends[rest]])


@lru_cache(maxsize=16)
def _block(n_assets: int, n: int, is_signed: bool, is_compressed: bool) -> _Block:
    return _Block(_messages(n_assets, n, is_signed, 0), is_compressed)


class _Group:
    """Readers of one order, who are served together."""

    def __init__(self) -> None:
        self.readers: list[socket.socket] = []
        self.served = threading.Event()


class _Service:
    """What the process does: every connection in a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[Order, _Group] = {}

    def listen(self, context: ssl.SSLContext | None) -> int:
        """Accepts connections from now on; the port."""
        server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(
            target=self._accept, args=(server, context), daemon=True
        ).start()
        port: int = server.getsockname()[1]
        return port

    def _accept(self, server: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            connection, _ = server.accept()
            threading.Thread(
                target=self._serve, args=(connection, context), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        with suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection:
                order, is_compressed = _shake_hands(connection)
                if order.rate:
                    self._send_paced(connection, order)
                else:
                    block = _block(
                        order.n_assets,
                        order.n_different,
                        order.is_signed,
                        is_compressed,
                    )
                    connection.recv(1 << 16)
                    block.send(connection, order.n_messages)
                connection.sendall(frame(CLOSE, b""))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

    def _send_paced(self, connection: socket.socket, order: Order) -> None:
        """The last of the readers to come has all of them served by its thread."""
        frames = [text_frame(message) for message in messages_of(order)]
        connection.recv(1 << 16)
        with self._lock:
            group = self._groups.setdefault(order, _Group())
            group.readers.append(connection)
            is_last = len(group.readers) == order.n_readers
            if is_last:
                del self._groups[order]
        if not is_last:
            group.served.wait()
            return
        try:
            _pace(group.readers, frames, order)
        finally:
            group.served.set()


def _pace(readers: list[socket.socket], frames: list[bytes], order: Order) -> None:
    """Sends a message to all of them whenever one is due."""
    period_ns = 1_000_000_000 // order.rate
    stamped = bytearray(frames[0])
    at = stamped.index(b"%016x" % FIRST_NS)
    due_ns = time.monotonic_ns()
    for i in range(order.n_messages):
        due_ns += period_ns
        spare_ns = due_ns - time.monotonic_ns() - _SPIN_NS
        if spare_ns > 0:
            time.sleep(spare_ns / 1e9)
        while time.monotonic_ns() < due_ns:
            pass
        data: bytes | bytearray = frames[i % len(frames)]
        if order.is_stamped:
            stamped[at : at + 16] = b"%016x" % time.time_ns()
            data = stamped
        for connection in readers:
            connection.sendall(data)


def _shake_hands(connection: socket.socket) -> tuple[Order, bool]:
    """Answers a request; what it asks for, and whether compression was agreed on."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += connection.recv(1 << 16)
    head, *lines = request.decode("latin-1").split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    digest = sha1(headers["sec-websocket-key"].encode() + _GUID).digest()
    answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    ]
    offers = headers.get("sec-websocket-extensions", "")
    is_compressed = "permessage-deflate" in offers
    if is_compressed:
        answer.append("Sec-WebSocket-Extensions: permessage-deflate")
    connection.sendall("\r\n".join([*answer, "", ""]).encode())
    return Order.of(head.split(" ")[1]), is_compressed


class Sender:
    """The process, and a core of its own for it while this one keeps to another."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="stork-codec-bench-")
        self._cores: set[int] | None = None

    def __enter__(self) -> Self:
        path = make_certificate(Path(self._folder.name), "127.0.0.1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.sender", str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self._ports = json.loads(self._process.stdout.readline())
        self.ssl_context = client_context(path)
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            if len(cores) > 1:
                self._cores = set(cores)
                os.sched_setaffinity(0, {cores[0]})
                for thread in _threads(self._process.pid):
                    os.sched_setaffinity(thread, {cores[1]})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input ends it
        if self._cores is not None:
            os.sched_setaffinity(0, self._cores)
        self._folder.cleanup()

    def url(self, order: Order, *, is_tls: bool = False) -> str:
        """Where to connect to for it."""
        port = self._ports["tls" if is_tls else "plain"]
        return f"{'wss' if is_tls else 'ws'}://127.0.0.1:{port}/ws?{order.query}"


def _threads(pid: int) -> list[int]:
    return [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]


def _main(certificate: Path) -> None:
    gc.disable()
    service = _Service()
    context = server_context(certificate)
    ports = {"plain": service.listen(None), "tls": service.listen(context)}
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
