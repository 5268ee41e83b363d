"""Shuriken's API: sessions, authorisation of channels, the catalogue of streams."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from codec import jsontext
from codec.simulator.http import Answer, Request
from codec.simulator.pusher_words import dumps, is_channel
from codec.simulator.shuriken_streams import STREAMS, Unfit, dotted, resolve

if TYPE_CHECKING:
    from codec.simulator.shuriken import ShurikenSimulator
    from codec.simulator.shuriken_streams import Topic

__all__ = ["AUTH_PATH", "CATALOGUE_PATH", "SESSION_PATH", "ShurikenApi", "user_of"]

SESSION_PATH = "/api/v2/ws/session"
AUTH_PATH = "/api/v2/ws/auth"
CATALOGUE_PATH = "/api/v2/ws/streams"
_MAX_SUBSCRIPTIONS = 1000
_SOCKET_ID = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
_PAGE = b"<!DOCTYPE html><html><body><h1>Please wait</h1></body></html>"
_GARBAGE = (
    b'{"connection":{"provider":"pusher","appKey"',
    b"[]",
    b'{"data":{}}',
    b'{"connection":null,"session":{},"subscriptions":[]}',
    b'{"connection":{"appKey":7,"wsHost":"127.0.0.1","wsPort":"x"},"subscriptions":{}}',
    b"\xff\xfe",
)
_BAD_AUTH = (b'{"auth":', b"[]", b"{}", b'{"auth":7}', b'"auth"', b"\xff\xfe")


class ShurikenApi:
    """Answers requests. n_requests: how many there were."""

    def __init__(self, simulator: ShurikenSimulator) -> None:
        self._simulator = simulator
        self._faults = simulator.faults
        self._n_garbage = 0
        self.n_requests = 0

    async def answer(self, request: Request) -> Answer:
        """What a request gets, whatever it is."""
        self.n_requests += 1
        try:
            return await self._route(request)
        except Unfit as error:
            return self.refusal(error.status, error.code, error.message)

    def refusal(self, status: int, code: str, message: str, **headers: str) -> Answer:
        """An error as the API words it."""
        request_id = f"req_{self.n_requests:08}"
        error = {"code": code, "message": message}
        body = {"error": error, "requestId": request_id}
        return Answer.of(status, body, X_Request_Id=request_id, **headers)

    async def _route(self, request: Request) -> Answer:
        routes = {
            SESSION_PATH: ("POST", self._session),
            AUTH_PATH: ("POST", self._auth),
            self._simulator.catalogue_path: ("GET", self._catalogue),
        }
        if request.path not in routes:
            raise Unfit(404, "NOT_FOUND", f"There is no {request.path[:200]}")
        method, handle = routes[request.path]
        if request.method != method:
            raise Unfit(405, "METHOD_NOT_ALLOWED", f"{method} is expected")
        return await handle(request)

    def _user(self, request: Request) -> str:
        """Whose key a request has. Raises Unfit."""
        given = request.headers.get("Authorization", "")
        kind, _, key = given.partition(" ")
        tokens, data = self._simulator.tokens, key.encode(errors="replace")
        if tokens is None:
            return user_of(key)
        # All are compared, so that the time tells nothing.
        n = sum(hmac.compare_digest(data, token.encode()) for token in tokens)
        if kind.lower() != "bearer" or not n:
            raise Unfit(401, "UNAUTHORIZED", "Invalid or missing agent key")
        return user_of(key)

    # Sessions.

    async def _session(self, request: Request) -> Answer:
        faults = self._faults
        await _sleep(faults.session_delay)
        if found := self._refused("session_status"):
            return found
        if faults.session_redirect:
            return Answer(302, b"", {"Location": faults.session_redirect})
        user_id = self._user(request)
        if faults.take("session_html"):
            return Answer(200, _PAGE, {"Content-Type": "text/html"})
        if faults.take("session_garbage"):
            return self._garbage(_GARBAGE)
        subscriptions = _fields(request).get("subscriptions")
        if not isinstance(subscriptions, list):
            raise Unfit(400, "INVALID_REQUEST", "subscriptions must be a list")
        if len(subscriptions) > _MAX_SUBSCRIPTIONS:
            at_most = f"At most {_MAX_SUBSCRIPTIONS} subscriptions"
            raise Unfit(400, "TOO_MANY_SUBSCRIPTIONS", at_most)
        resolved = [_read(item, user_id) for item in subscriptions]
        return self._wrapped(
            {
                "connection": self._connection(),
                "session": {
                    "recommendedReconnectBackoffMs": self._simulator.backoff_ms
                },
                "subscriptions": [
                    self._subscription(stream, topic) for stream, topic in resolved
                ],
            }
        )

    def _connection(self) -> dict[str, Any]:
        simulator = self._simulator
        key = simulator.app.key
        if self._faults.take("session_stale"):
            key = f"ended-{key}"
        endpoint = AUTH_PATH
        if not simulator.relative_auth:
            endpoint = simulator.base_url + AUTH_PATH
        return {
            "provider": "pusher",
            "appKey": key,
            "wsHost": simulator.host,
            "wsPort": simulator.port,
            "forceTls": simulator.is_tls,
            "authEndpoint": endpoint,
        }

    def _subscription(self, stream: str, topic: Topic) -> dict[str, str]:
        """As it is answered: the stream as it was spelled."""
        simulator = self._simulator
        known = STREAMS[topic.stream]
        return {
            "stream": stream,
            "channel": simulator.open_channel(topic),
            "event": simulator.event,
            "visibility": known.visibility,
            "payloadFormat": "json",
            "payloadSchemaId": topic.stream,
        }

    # Channels.

    async def _auth(self, request: Request) -> Answer:
        faults = self._faults
        await _sleep(faults.auth_delay)
        if found := self._refused("auth_status"):
            return found
        user_id = self._user(request)
        if faults.take("auth_html"):
            return Answer(200, _PAGE, {"Content-Type": "text/html"})
        if faults.take("auth_garbage"):
            return self._garbage(_BAD_AUTH)
        socket_id, channel = _channel_asked(request)
        topic = self._simulator.topic_of(channel)
        if topic is None or topic.user_id not in ("", user_id):
            raise Unfit(403, "FORBIDDEN", "This channel is not yours")
        data = None
        if STREAMS[topic.stream].visibility == "presence":
            data = dumps(
                {"user_id": user_id, "user_info": {"name": f"agent of {user_id}"}}
            )
        app = self._simulator.app_of(socket_id)
        if faults.take("wrong_signature"):
            app = app._replace(secret=app.secret[::-1])
        answer = {"auth": app.sign(socket_id, channel, data)}
        return Answer.of(
            200, answer if data is None else answer | {"channel_data": data}
        )

    # The catalogue.

    async def _catalogue(self, request: Request) -> Answer:
        self._user(request)
        simulator = self._simulator
        entries = [stream.entry(simulator.event) for stream in STREAMS.values()]
        if simulator.dotted:
            entries = [entry | {"id": dotted(entry["id"])} for entry in entries]
        return self._wrapped({"streams": entries})

    def _wrapped(self, value: dict[str, Any]) -> Answer:
        return Answer.of(200, {"data": value} if self._simulator.wrapped else value)

    def _refused(self, name: str) -> Answer | None:
        refusal = self._faults.refusal(name)
        if refusal is None:
            return None
        status, seconds = refusal
        more = {} if seconds is None else {"Retry_After": str(seconds)}
        return self.refusal(status, "SIMULATED", "The simulator refuses", **more)

    def _garbage(self, choices: tuple[bytes, ...]) -> Answer:
        """One after the other."""
        self._n_garbage += 1
        body = choices[(self._n_garbage - 1) % len(choices)]
        return Answer(200, body, {"Content-Type": "application/json"})


def user_of(key: str) -> str:
    """The user whose agent has a key."""
    return f"user-{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:12]}"


def _read(item: Any, user_id: str) -> tuple[str, Topic]:
    """A subscription's stream, as it was spelled, and what it is about."""
    if not isinstance(item, dict):
        raise Unfit(400, "INVALID_REQUEST", "a subscription must be an object")
    given = item.get("filter")
    topic = resolve(item.get("stream"), {} if given is None else given, user_id)
    return item["stream"], topic


def _fields(request: Request) -> dict[str, Any]:
    try:
        fields = jsontext.loads(request.body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise Unfit(400, "INVALID_REQUEST", "the body must be a JSON object")
    return fields


def _channel_asked(request: Request) -> tuple[str, str]:
    """Socket and channel, of a form or of JSON."""
    if request.headers.get("Content-Type", "").startswith("application/json"):
        fields = _fields(request)
    else:
        try:
            text = request.body.decode()
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
        except ValueError:
            fields = {}
    socket_id, channel = fields.get("socket_id"), fields.get("channel_name")
    if not isinstance(socket_id, str) or not _SOCKET_ID.fullmatch(socket_id):
        raise Unfit(400, "INVALID_REQUEST", "socket_id is missing, or none")
    if not isinstance(channel, str) or not is_channel(channel):
        raise Unfit(400, "INVALID_REQUEST", "channel_name is missing, or none")
    return socket_id, channel


async def _sleep(ms: int | None) -> None:
    if ms:
        await asyncio.sleep(ms / 1000)
