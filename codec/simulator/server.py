"""The part of a simulated server that knows no protocol but HTTP and websocket."""

from __future__ import annotations

import asyncio
import hmac
import logging
import random
import ssl
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    NamedTuple,
    Self,
    TypedDict,
    TypeVar,
)
from urllib.parse import parse_qsl, urlsplit

from multidict import CIMultiDict
from picows import (
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from codec.simulator.certificate import (
    client_context,
    make_certificate,
    server_context,
)
from codec.simulator.connection import MAX_TEXT_LEN, Connection
from codec.simulator.deflate import Deflate, negotiate
from codec.simulator.faults import CommonFaults

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from picows import WSUpgradeRequest

__all__ = ["Attempt", "Refused", "Server", "ServerOptions"]

F = TypeVar("F", bound=CommonFaults)

_MAX_REMEMBERED = 10_000
_PATIENCE_S = 1.0


class Refused(Exception):
    """A request that gets an HTTP status and a reason, not what it asked for."""

    def __init__(self, status: int, reason: str, **headers: str) -> None:
        self.status = status
        self.reason = reason
        self.headers = {k.replace("_", "-"): v for k, v in headers.items()}
        super().__init__(status, reason)


class Attempt(NamedTuple):
    """A request that came in: when (`time.monotonic`), where to, and what it got."""

    time: float
    path: str
    status: int


class ServerOptions(TypedDict, total=False):
    """Where a server listens, and how it speaks; all may be left out."""

    host: str
    port: int
    token: str | None
    seed: int
    tls: bool
    deflate: bool | Deflate
    limit: int | None
    keep_sent: bool


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """A logger that never takes what picows says below DEBUG: whole headers."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return level >= logging.DEBUG and super().isEnabledFor(level)


class Server(Generic[F]):
    """A websocket server with switches for faults; what it serves, a subclass says.

    connections: the open ones, in order of arrival. history: all there ever were (the
    newest 10,000). attempts: all requests, likewise.
    """

    paths: tuple[str, ...] = ("/ws",)

    def __init__(
        self,
        faults: F,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        seed: int = 0,
        tls: bool = False,
        deflate: bool | Deflate = True,
        limit: int | None = None,
        keep_sent: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.limit = limit
        self.keep_sent = keep_sent
        self.random = random.Random(f"wire {seed}")
        self._faults = faults
        self._faults.watch(self._on_event)
        self.connections: list[Connection] = []
        self.history: list[Connection] = []
        self.attempts: list[Attempt] = []
        self.certificate: Path | None = None
        self._token = token
        self._is_tls = tls
        self._deflate = Deflate() if deflate is True else deflate or None
        self._attached: set[Connection] = set()
        self._n_opened = 0
        self._server: asyncio.Server | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ssl_context: ssl.SSLContext | None = None

    # What a subclass says.

    def accept(
        self, path: str, query: list[tuple[str, str]], headers: Mapping[str, str]
    ) -> Connection:
        """The connection for a handshake on such a path; raises Refused."""
        raise NotImplementedError

    def is_socket(self, path: str) -> bool:
        """Whether a path is for websockets; others are for `fetch`."""
        return path in self.paths

    def authorize(self, path: str, headers: Mapping[str, str]) -> None:
        """Raises Refused where the token is not as it should be."""
        if self._token is None:
            return
        given = headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, f"Basic {self._token}".encode()):
            reason = "a good Authorization header (Basic, then the token) is needed"
            raise Refused(401, reason, WWW_Authenticate="Basic")

    def fetch(self, path: str) -> bytes:
        """The JSON that a path has; raises Refused."""
        raise Refused(404, f"there is no {path}")

    def on_request(self, connection: Connection, item: Any) -> None:
        """A client's text: parsed JSON, or the text itself where it is none."""

    def opened(self, connection: Connection) -> None:
        """A connection has got its handshake's answer."""
        connection.index = self._n_opened
        self._n_opened += 1
        self._attached.add(connection)
        self.connections.append(connection)
        self.history.append(connection)
        del self.history[:-_MAX_REMEMBERED]
        connection.check_events()
        for name in self.faults.events:
            event = self.faults.event(name)
            if event and event.after is None:
                self._on_event(name)

    def ended(self, connection: Connection) -> None:
        """A connection gets nothing more."""
        self.connections.remove(connection)

    def gone(self, connection: Connection) -> None:
        """A connection's socket is closed."""
        self._attached.discard(connection)

    # Life.

    @property
    def faults(self) -> F:
        """The switches; set them, not this."""
        return self._faults

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return self.url_of(self.paths[0])

    def url_of(self, path: str) -> str:
        """The websocket URL of a path."""
        scheme = "wss" if self._is_tls else "ws"
        return f"{scheme}://{self._bracketed}:{self.port}{path}"

    @property
    def _bracketed(self) -> str:
        """The host as it stands in URLs."""
        return f"[{self.host}]" if ":" in self.host else self.host

    def set_token(self, token: str | None) -> None:
        """What new clients must have from now on; None: anything will do."""
        self._token = token

    def client_ssl_context(self) -> ssl.SSLContext:
        """A client's context that trusts this server's certificate."""
        if self.certificate is None:
            raise ValueError("this server has no certificate: start it with tls=True")
        return client_context(self.certificate)

    async def start(self) -> None:
        """Listens; a port of 0 is replaced by the one that was free."""
        self._ssl_context = None
        if self._is_tls:
            self._folder = tempfile.TemporaryDirectory(prefix="stork-codec-")
            self.certificate = make_certificate(Path(self._folder.name), self.host)
            self._ssl_context = server_context(self.certificate)
        self._server = await ws_create_server(
            self._answer,
            self.host,
            self.port,
            ssl=self._ssl_context,
            enable_auto_pong=False,
            max_frame_size=2 * MAX_TEXT_LEN,  # the connection looks for itself
            logger_name=_Quiet(logging.getLogger("codec.simulator"), {}),
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes all connections (1001) and stops listening."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.close(1001, "the simulator stops")
        deadline = time.monotonic() + _PATIENCE_S
        while self._attached:
            if time.monotonic() > deadline:
                for connection in list(self._attached):
                    connection.abort()
            await asyncio.sleep(0.002)
        await self._server.wait_closed()
        self._server = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # Requests.

    def _answer(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        """What picows sends for a request, and who takes the connection."""
        target = urlsplit(request.path.decode("latin-1"))
        connection = None
        try:
            connection, response = self._respond(target.path, target.query, request)
        except Refused as refusal:
            response = WSUpgradeResponse.create_ok_response(
                f"{refusal.reason}\n".encode(), refusal.headers
            )
            response.status = HTTPStatus(refusal.status)
        self.note(target.path, int(response.status))
        return WSUpgradeResponseWithListener(response, connection)

    def note(self, path: str, status: int) -> None:
        """Remembers a request and what it got."""
        self.attempts.append(Attempt(time.monotonic(), path, status))
        del self.attempts[:-_MAX_REMEMBERED]

    def _respond(
        self, path: str, query: str, request: WSUpgradeRequest
    ) -> tuple[Connection | None, WSUpgradeResponse]:
        if not self.is_socket(path):
            self.authorize(path, request.headers)
            body = self.fetch(path)
            kind = {"Content-Type": "application/json"}
            return None, WSUpgradeResponse.create_ok_response(body, kind)
        self._refuse_by_fault()
        self.authorize(path, request.headers)
        headers = CIMultiDict(request.headers)
        headers.popall("Authorization", None)
        pairs = parse_qsl(query, keep_blank_values=True)
        connection = self.accept(path, pairs, headers)
        answer = self._extensions(connection, request)
        if "upgrade" in request.headers.get("Connection", "").lower():
            request.headers["Connection"] = "Upgrade"  # picows knows no list there
        return connection, WSUpgradeResponse.create_101_response(answer)

    def _refuse_by_fault(self) -> None:
        refusal = self.faults.refusal()
        if refusal is not None:
            status, seconds = refusal
            more = {} if seconds is None else {"Retry_After": str(seconds)}
            raise Refused(status, HTTPStatus(status).phrase, **more)
        if self.faults.redirect:
            raise Refused(302, "elsewhere", Location=self.faults.redirect)

    def _extensions(
        self, connection: Connection, request: WSUpgradeRequest
    ) -> dict[str, str]:
        """Negotiates permessage-deflate; the header that says so."""
        offers = ",".join(request.headers.getall("Sec-WebSocket-Extensions", []))
        found = negotiate(offers, self._deflate) if self._deflate else None
        if found is None:
            if self.faults.require_deflate:
                raise Refused(400, "permessage-deflate must be offered")
            return {}
        answer, connection.deflater = found
        return {"Sec-WebSocket-Extensions": answer}

    def _on_event(self, name: str) -> None:
        """An event was switched on: it happens, or is awaited from here."""
        event = self.faults.event(name)
        if event is None:
            return
        connections = list(self.connections)
        if event.after is not None:
            for connection in connections:
                connection.mark(name)
                connection.check_events()
        elif connections:
            setattr(self.faults, name, None)
            for connection in connections:
                connection.happen(name, event.values)
