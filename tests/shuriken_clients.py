"""Clients of Shuriken's simulator that others wrote: httpx, websockets, npm's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from codec.simulator import ShurikenSimulator

KEY = "sk_agent"
SWAPS = "svm.token.swaps"
Asked = tuple[str, dict[str, str]]
TOKEN_A = (SWAPS, {"tokenAddress": "A"})
TOKEN_B = (SWAPS, {"tokenAddress": "B"})
OWN = ("portfolio.notifications", {})
NAMED = ("alpha.signalFeedNamed", {"feedId": "f1"})

NPM = Path(__file__).with_name("feeds_npm")
NO_NPM = f"optional: npm's clients are missing: npm ci --prefix tests/{NPM.name}"


def simulator(**options: Any) -> ShurikenSimulator:
    """One that says nothing of itself."""
    return ShurikenSimulator(**{"token": KEY, "ticks": False} | options)


async def post(
    server: ShurikenSimulator, path: str, *, key: str | None = KEY, **options: Any
) -> httpx.Response:
    return await request(server, "POST", path, key=key, **options)


async def request(
    server: ShurikenSimulator,
    method: str,
    path: str,
    *,
    key: str | None = KEY,
    **options: Any,
) -> httpx.Response:
    headers = options.pop("headers", {})
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    verify: Any = server.client_ssl_context() if server.certificate else False
    async with httpx.AsyncClient(verify=verify, trust_env=False) as http:
        url = server.base_url + path
        return await http.request(method, url, headers=headers, **options)


async def bootstrap(
    server: ShurikenSimulator, *asked: Asked, key: str = KEY
) -> dict[str, Any]:
    """A session's answer."""
    response = await post(server, "/api/v2/ws/session", json=body(*asked), key=key)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def body(*asked: Asked) -> dict[str, Any]:
    return {
        "subscriptions": [
            {"stream": stream, "filter": given} for stream, given in asked
        ]
    }


def socket_url(session: dict[str, Any], query: str | None = None) -> str:
    """As the session says."""
    place = session["connection"]
    scheme = "wss" if place["forceTls"] else "ws"
    if query is None:
        query = "?protocol=7&client=test&version=1.0"
    host, port = place["wsHost"], place["wsPort"]
    return f"{scheme}://{host}:{port}/app/{place['appKey']}{query}"


class Plain:
    """A client without cleverness: a socket, and what comes on it."""

    def __init__(
        self,
        server: ShurikenSimulator,
        socket: ClientConnection,
        session: dict[str, Any],
        key: str,
    ) -> None:
        self.server = server
        self.socket = socket
        self.session = session
        self.key = key
        self.socket_id = ""
        self.activity_timeout: float = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        server: ShurikenSimulator,
        *asked: Asked,
        key: str = KEY,
        session: dict[str, Any] | None = None,
        query: str | None = None,
        greeted: bool = True,
    ) -> AsyncIterator[Self]:
        """Connected, and greeted unless that is not awaited."""
        session = session or await bootstrap(server, *asked, key=key)
        session = session.get("data", session)
        ssl = server.client_ssl_context() if server.certificate else None
        async with connect(
            socket_url(session, query),
            proxy=None,
            ping_interval=None,
            max_queue=None,
            max_size=None,
            close_timeout=1,
            ssl=ssl,
        ) as socket:
            client = cls(server, socket, session, key)
            if greeted:
                await client.greeting()
            yield client

    @property
    def channels(self) -> list[str]:
        return [each["channel"] for each in self.session["subscriptions"]]

    async def greeting(self) -> None:
        message = await self.next()
        assert message["event"] == "pusher:connection_established"
        data = json.loads(message["data"])
        self.socket_id = data["socket_id"]
        self.activity_timeout = data["activity_timeout"]

    async def next(self, event: str | None = None) -> dict[str, Any]:
        """The next message, or the next of an event, others passed over."""
        while True:
            text = await asyncio.wait_for(self.socket.recv(), 20)
            message: dict[str, Any] = json.loads(text)
            if event in (None, message["event"]):
                return message

    async def texts(self, n: int) -> list[str]:
        return [await self.socket.recv(decode=True) for _ in range(n)]

    async def say(self, event: str, data: Any = None) -> None:
        await self.socket.send(json.dumps({"event": event, "data": data or {}}))

    async def nothing(self) -> None:
        """All that was sent is answered, and nothing else has come."""
        await self.say("pusher:ping")
        message = await self.next()
        assert message["event"] == "pusher:pong", message

    async def authorise(self, channel: str, **form: str) -> httpx.Response:
        given = {"socket_id": self.socket_id, "channel_name": channel} | form
        return await post(self.server, "/api/v2/ws/auth", data=given, key=self.key)

    async def subscribe(self, channel: str) -> dict[str, Any]:
        """The answer to a subscription, authorised where its name asks for that."""
        data = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            data |= (await self.authorise(channel)).json()
        await self.say("pusher:subscribe", data)
        answer = await self.next()
        while not answer["event"].startswith("pusher"):  # of another channel
            answer = await self.next()
        assert answer.get("channel") == channel, answer
        return answer

    async def subscribe_all(self) -> list[str]:
        for channel in self.channels:
            answer = await self.subscribe(channel)
            assert answer["event"] == "pusher_internal:subscription_succeeded"
        return self.channels

    async def closed(self) -> tuple[int, list[dict[str, Any]]]:
        """The close code, and all that came before."""
        messages = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = await asyncio.wait_for(self.socket.recv(), 20)
                messages.append(json.loads(text))
        return self.socket.close_code or 0, messages


class Node:
    """A script of tests/feeds_npm as a process, and the JSON lines that it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, script: str, **given: Any) -> Self:
        node = shutil.which("node")
        package = "pusher-js" if script.startswith("pusher") else "@shuriken/sdk-ts"
        if node is None or not (NPM / "node_modules" / package).exists():
            pytest.skip(NO_NPM)
        more = {"NODE_NO_WARNINGS": "1"}
        if certificate := given.pop("certificate", None):
            more["NODE_EXTRA_CA_CERTS"] = str(certificate)
        # A sanitizer's library is for this package, and node would not bear it.
        hidden = ("LD_PRELOAD", "HTTP_PROXY", "http_proxy", "ALL_PROXY")
        env = {k: v for k, v in os.environ.items() if k not in hidden}
        process = await asyncio.create_subprocess_exec(
            node,
            str(NPM / script),
            json.dumps(given),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env | more,
            limit=1 << 22,
        )
        return cls(process)

    async def line(self, **wanted: Any) -> dict[str, Any]:
        """The next line that has these values; others are kept in `lines`."""
        assert self.process.stdout and self.process.stderr
        async with asyncio.timeout(30):
            while text := await self.process.stdout.readline():
                line: dict[str, Any] = json.loads(text)
                self.lines.append(line)
                if wanted.items() <= line.items():
                    return line
        errors = (await self.process.stderr.read()).decode()
        raise AssertionError(f"no {wanted} in {self.lines}: {errors}")

    async def end(self) -> int:
        """Its exit status, once it has printed all."""
        out, err = await asyncio.wait_for(self.process.communicate(), 40)
        self.lines += [json.loads(text) for text in out.splitlines()]
        assert not err, err
        return self.process.returncode or 0

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
