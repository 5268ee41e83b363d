"""A small server for tests: the API's three requests, and a Pusher socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

KEY = "sk_agent-key-of-tests"
Answer = tuple[int, Any]
PRESENCE = ("alpha.personal", "portfolio.notifications", "automation.updates")


def dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


@dataclass
class Request:
    """What came by HTTP."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Connection:
    """A client's socket. texts: all that it has sent, read."""

    socket: ServerConnection
    socket_id: str
    texts: list[dict[str, Any]] = field(default_factory=list)
    subscribed: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.socket.close_code is None

    def sent(self, event: str) -> list[dict[str, Any]]:
        """The data of its messages of one kind."""
        return [text["data"] for text in self.texts if text["event"] == event]

    async def raw(self, text: str) -> None:
        with suppress(ConnectionClosed):
            await self.socket.send(text)

    async def send(
        self, event: str, channel: str | None = None, data: Any = None
    ) -> None:
        """data: a str goes as it is, all else as an object."""
        fields = {"event": event}
        if channel is not None:
            fields["channel"] = channel
        await self.raw(dumps(fields | {"data": {} if data is None else data}))

    async def update(self, channel: str, **payload: Any) -> None:
        """An event of a stream, its data as JSON text."""
        await self.send("update", channel, dumps(payload))

    async def close(self, code: int, reason: str = "") -> None:
        await self.socket.close(code, reason)

    def cut(self) -> None:
        self.socket.transport.abort()


class ShurikenServer:
    """Answers as the API and Pusher do, but where a test says otherwise.

    on_session, on_auth: give (status, body) instead of the usual answer, or None; may
    wait. on_subscribe: whether a subscription is to be answered as usual. wrapped: the
    session's answer stands in {"data": ...}.
    """

    def __init__(self, **options: Any) -> None:
        self.backoff_ms: Any = [1, 2, 5]
        self.activity_timeout: float = 120
        self.force_tls = False
        self.wrapped = False
        self.greets = True
        self.pongs = True
        self.auth_endpoint: str | None = "/api/v2/ws/auth"
        self.headers: dict[str, str] = {}
        self.on_session: Callable[[Request], Awaitable[Answer | None]] | None = None
        self.on_auth: Callable[[Request], Awaitable[Answer | None]] | None = None
        self.on_subscribe: (
            Callable[[Connection, dict[str, Any]], Awaitable[bool]] | None
        ) = None
        self.channel_of = channel_of
        self.requests: list[Request] = []
        self.paths: list[str] = []  # of sockets
        self.history: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        for name, value in options.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    @property
    def connections(self) -> list[Connection]:
        return [connection for connection in self.history if connection.is_open]

    def of(self, path: str) -> list[Request]:
        """The requests of a path's end."""
        return [request for request in self.requests if request.path.endswith(path)]

    async def __aenter__(self) -> Self:
        self._sockets = await serve(
            self._socket, "127.0.0.1", 0, ping_interval=None, close_timeout=1
        )
        self.port = next(iter(self._sockets.sockets)).getsockname()[1]
        self._http = await asyncio.start_server(self._request, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._http.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._http.close()
        self._sockets.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sockets.wait_closed()

    # HTTP

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.rstrip().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {}
                for line in lines:
                    name, _, value = line.partition(": ")
                    headers[name.lower()] = value
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(method, path, headers, body)
                self.requests.append(request)
                status, answer = await self._answer(request)
                writer.write(self._encoded(status, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    def _encoded(self, status: int, answer: Any) -> bytes:
        if isinstance(answer, bytes) and answer.startswith(b"HTTP/"):
            return answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    async def _answer(self, request: Request) -> Answer:
        hook = None
        if request.path.endswith("/ws/session"):
            hook, usual = self.on_session, self._session
        elif request.path.endswith("/ws/auth"):
            hook, usual = self.on_auth, self._auth
        elif request.path.endswith("/ws/streams"):
            usual = _catalogue
        else:
            return 404, {"error": {"code": "not_found", "message": "no such path"}}
        if hook is not None and (answer := await hook(request)) is not None:
            return answer
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"error": {"code": "unauthorized", "message": "a bad key"}}
        return 200, usual(request)

    def _session(self, request: Request) -> Any:
        answer = self.session_of(request.fields["subscriptions"])
        return {"data": answer} if self.wrapped else answer

    def session_of(self, asked: list[dict[str, Any]]) -> dict[str, Any]:
        """The usual answer."""
        connection = {
            "provider": "pusher",
            "appKey": "app-key",
            "wsHost": "127.0.0.1",
            "wsPort": self.port,
            "forceTls": self.force_tls,
            "authEndpoint": self.auth_endpoint,
        }
        return {
            "connection": connection,
            "session": {"recommendedReconnectBackoffMs": self.backoff_ms},
            "subscriptions": [self._resolved(each) for each in asked],
        }

    def _resolved(self, asked: dict[str, Any]) -> dict[str, Any]:
        channel = self.channel_of(asked["stream"], asked["filter"])
        return {
            "stream": asked["stream"],
            "channel": channel,
            "event": "update",
            "visibility": "presence" if channel.startswith("presence-") else "public",
            "payloadFormat": "json",
            "payloadSchemaId": asked["stream"],
        }

    def _auth(self, request: Request) -> Any:
        form = request.form
        assert form["socket_id"] in [c.socket_id for c in self.history]
        data = dumps({"user_id": "me", "user_info": {"name": "A"}})
        auth = f"app-key:{form['socket_id']}:{form['channel_name']}"
        return {"auth": auth, "channel_data": data}

    # Pusher

    async def _socket(self, socket: ServerConnection) -> None:
        connection = Connection(socket, f"{len(self.history)}.1")
        self.history.append(connection)
        assert socket.request is not None
        self.paths.append(socket.request.path)
        if self.greets:
            greeting = {
                "socket_id": connection.socket_id,
                "activity_timeout": self.activity_timeout,
            }
            await connection.send("pusher:connection_established", data=dumps(greeting))
        with suppress(ConnectionClosed):
            async for text in socket:
                await self._heard(connection, json.loads(text))

    async def _heard(self, connection: Connection, text: dict[str, Any]) -> None:
        connection.texts.append(text)
        data = text["data"]
        if text["event"] == "pusher:ping" and self.pongs:
            await connection.send("pusher:pong")
        elif text["event"] == "pusher:subscribe":
            hook = self.on_subscribe
            if hook is None or await hook(connection, data):
                await self.accept(connection, data)
        elif text["event"] == "pusher:unsubscribe":
            with suppress(ValueError):
                connection.subscribed.remove(data["channel"])

    async def accept(self, connection: Connection, data: dict[str, Any]) -> None:
        """What follows a subscription that is in order."""
        channel = data["channel"]
        presence: Any = {}
        if channel.startswith("presence-"):
            expected = f"app-key:{connection.socket_id}:{channel}"
            if data.get("auth") != expected:
                error = {"type": "AuthError", "error": "bad auth", "status": 401}
                await connection.send("pusher:subscription_error", channel, error)
                return
            user = json.loads(data["channel_data"])
            members = {user["user_id"]: user["user_info"]}
            presence = {"presence": {"ids": ["me"], "hash": members, "count": 1}}
        connection.subscribed.append(channel)
        await connection.send(
            "pusher_internal:subscription_succeeded", channel, dumps(presence)
        )


def _catalogue(_: Request) -> Any:
    return CATALOGUE


def channel_of(stream: str, given: dict[str, str]) -> str:
    """A channel for a stream and its filter."""
    values = "".join(f"-{value}" for value in given.values())
    prefix = "presence-" if stream in PRESENCE else ""
    return f"{prefix}{stream}{values}"


CATALOGUE = {
    "streams": [
        {
            "id": "svm.token.swaps",
            "visibility": "public",
            "filters": [
                {"name": "tokenAddress", "required": True, "description": "the mint"}
            ],
            "event": "update",
            "payloadFormat": "json",
            "payloadSchemaId": "svm.token.swaps",
        },
        {"id": "alpha.personal", "visibility": "presence", "filters": []},
    ]
}
