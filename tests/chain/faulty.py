"""A server between a client and its node, which misbehaves as it is told.

    with Faulty(node.url) as faulty:
        faulty.will(cut_after(), methods={"eth_sendRawTransaction"})
        ... Rpc(faulty.url, chain_id=31337) ...
        assert faulty.methods == ["eth_chainId", "eth_sendRawTransaction", ...]

Without a node it answers from `results`, a value or a function of the parameters for
each method; what is not there is an error -32601.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

PAGE = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"
JSON = {"Content-Type": "application/json"}


@dataclass
class Exchanged:
    """A request that came; `was_passed`: the node has had it."""

    method: str
    params: list[Any]
    headers: Mapping[str, str]
    path: str
    was_passed: bool = False


@dataclass(frozen=True)
class Fault:
    """What to do instead of handing on the node's answer.

    Passes the request on unless `is_kept`; makes of the node's answer
    (None where the request was kept) another, or None: the connection is cut.
    """

    answer: Callable[[Exchanged, Any, dict[str, Any] | None], Reply | None]
    is_kept: bool = False


@dataclass
class Reply:
    """An HTTP answer; Content-Length is the body's unless the headers have another."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def cut_before() -> Fault:
    """The connection ends, and the node never sees the request."""
    return Fault(lambda *_: None, is_kept=True)


def cut_after() -> Fault:
    """The node takes the request; the connection ends without its answer."""
    return Fault(lambda *_: None)


def slow(seconds: float, *, is_kept: bool = False) -> Fault:
    """The answer comes so late. is_kept: the node never sees the request."""

    def late(_: Exchanged, __: Any, answer: dict[str, Any] | None) -> Reply | None:
        time.sleep(seconds)
        return None if answer is None else Reply(200, encoded(answer), JSON)

    return Fault(late, is_kept=is_kept)


def http(
    status: int,
    body: bytes = b"",
    *,
    passed: bool = False,
    **headers: str,
) -> Fault:
    """Another HTTP answer; passed: the node has taken the request all the same.

    Underscores in the names of headers stand for hyphens.
    """
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(lambda *_: Reply(status, body, named), is_kept=not passed)


def too_many(retry_after: str | None = None) -> Fault:
    """429, with `Retry-After: ...`."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return http(429, **headers)


def page(status: int = 200, *, passed: bool = False) -> Fault:
    """A web page."""
    return http(status, PAGE, passed=passed, Content_Type="text/html; charset=utf-8")


def body(content: bytes, *, passed: bool = False, **headers: str) -> Fault:
    """Any bytes, with status 200."""
    return http(
        200, content, passed=passed, Content_Type=JSON["Content-Type"], **headers
    )


def cut_off(*, passed: bool = False) -> Fault:
    """An answer whose body ends before the length that was promised."""
    return http(200, b'{"jsonrpc":"2.0"', passed=passed, Content_Length="500")


def huge(n_bytes: int, *, passed: bool = False) -> Fault:
    """A well-formed answer with a result of so many letters."""
    text = "a" * n_bytes

    def long(_: Exchanged, number: Any, __: Any) -> Reply:
        return Reply(200, encoded({"jsonrpc": "2.0", "id": number, "result": text}))

    return Fault(long, is_kept=not passed)


def wrong_id() -> Fault:
    """The node's answer, to another request."""

    def other(_: Exchanged, number: Any, answer: dict[str, Any] | None) -> Reply:
        return Reply(200, encoded({**(answer or {}), "id": number + 1}), JSON)

    return Fault(other)


def result(value: Any, *, passed: bool = False) -> Fault:
    """A result of our own: another chain's id, no code at an address, ..."""

    def own(_: Exchanged, number: Any, __: Any) -> Reply:
        answer = {"jsonrpc": "2.0", "id": number, "result": value}
        return Reply(200, encoded(answer), JSON)

    return Fault(own, is_kept=not passed)


def error(
    code: int,
    message: str,
    data: Any = None,
    *,
    status: int = 200,
    passed: bool = False,
) -> Fault:
    """An error of our own, as nodes answer with one."""
    told = {"code": code, "message": message}
    if data is not None:
        told["data"] = data

    def own(_: Exchanged, number: Any, __: Any) -> Reply:
        answer = {"jsonrpc": "2.0", "id": number, "error": told}
        return Reply(status, encoded(answer), JSON)

    return Fault(own, is_kept=not passed)


def other_chain(chain_id: int) -> Fault:
    """To be told for `methods={"eth_chainId"}`."""
    return result(hex(chain_id))


def no_code() -> Fault:
    """To be told for `methods={"eth_getCode"}`."""
    return result("0x")


def encoded(answer: Any) -> bytes:
    return json.dumps(answer).encode()


@dataclass
class _Order:
    fault: Fault
    methods: frozenset[str]
    left: float


class Faulty:
    """The server, on a port of this machine and a thread of its own."""

    def __init__(
        self,
        node_url: str | None = None,
        results: Mapping[str, Any] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.node_url = node_url
        self._scheme = "http" if tls is None else "https"
        self.results = {"eth_chainId": "0x7a69", **(results or {})}
        self.requests: list[Exchanged] = []
        self.n_connections = 0
        self._orders: list[_Order] = []
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

    @property
    def methods(self) -> list[str]:
        """What was asked, in order."""
        return [request.method for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the server: its port refuses connections."""
        self._server.shutdown()
        self.disconnect()
        self._server.server_close()
        self._thread.join()

    def will(
        self, fault: Fault, *, times: float = 1, methods: Collection[str] = ()
    ) -> None:
        """Does this to the next requests (of these methods); times: may be math.inf.

        Faults that are told one after the other come in that order.
        """
        with self._lock:
            self._orders.append(_Order(fault, frozenset(methods), times))

    def behave(self) -> None:
        """Forgets every fault that is still to come."""
        with self._lock:
            self._orders.clear()

    def disconnect(self) -> None:
        """Ends the open connections, as a node does that is restarted."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            with contextlib.suppress(OSError):  # the client was first
                each.shutdown(socket.SHUT_RDWR)

    def count(self, method: str) -> int:
        return self.methods.count(method)

    def _fault_for(self, method: str) -> Fault | None:
        with self._lock:
            for order in self._orders:
                if order.left > 0 and (not order.methods or method in order.methods):
                    order.left -= 1
                    return order.fault
        return None

    def _answer(self, asked: dict[str, Any], raw: bytes) -> dict[str, Any] | None:
        """The node's answer; None where there is no node."""
        if self.node_url is None:
            return self._own(asked)
        parts = urlsplit(self.node_url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            connection.request("POST", parts.path or "/", raw, JSON)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        except (OSError, HTTPException, ValueError):
            return None
        finally:
            connection.close()
        return answer

    def _own(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = {"jsonrpc": "2.0", "id": asked["id"]}
        method = asked["method"]
        if method not in self.results:
            return answer | {"error": {"code": -32601, "message": "no such method"}}
        value = self.results[method]
        return answer | {
            "result": value(*asked["params"]) if callable(value) else value
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], faulty: Faulty) -> None:
        self.faulty = faulty
        super().__init__(address, _Handler)

    def handle_error(self, *_: object) -> None:
        """A client that went away is no fault of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        with self.server.faulty._lock:
            self.server.faulty._sockets.add(self.connection)
            self.server.faulty.n_connections += 1

    def finish(self) -> None:
        with self.server.faulty._lock:
            self.server.faulty._sockets.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        faulty = self.server.faulty
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(raw)
        headers = dict(self.headers.items())
        request = Exchanged(asked["method"], asked["params"], headers, self.path)
        faulty.requests.append(request)
        fault = faulty._fault_for(request.method)
        answer = None
        if fault is None or not fault.is_kept:
            answer = faulty._answer(asked, raw)
            request.was_passed = answer is not None
        if fault is None:
            reply = None if answer is None else Reply(200, encoded(answer), JSON)
        else:
            reply = fault.answer(request, asked["id"], answer)
        self._send(reply)

    def _send(self, reply: Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        length = str(len(reply.body))
        for name, value in {"Content-Length": length, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        if reply.headers.get("Content-Length", length) != length:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Is quiet."""
