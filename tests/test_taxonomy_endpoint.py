"""Taxonomy.load from a server: a good one, and those that do what they should not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from commands import TOKEN, served

import codec.taxonomy
from codec import Taxonomy, TaxonomyError
from codec.simulator import Simulator

LIST = b'{"taxonomy_id":1,"assets":[{"name":"BTCUSD","asset_id":3}]}'
WANTED = Taxonomy.from_ids({3: "BTCUSD"}, 1)


class Handler(BaseHTTPRequestHandler):
    """Answers with what the server's `answer` does."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        with contextlib.suppress(ConnectionError):  # the client has seen enough
            self.server.answer(self)

    def do_CONNECT(self) -> None:
        self.server.tunnels.append((self.path, self.headers.get("Authorization")))
        self.send_error(501)

    def reply(
        self, body: bytes = LIST, status: int = 200, **headers: str | None
    ) -> None:
        self.send_response(status)
        given = {
            "Content-Length": str(len(body)),
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in given.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """requests, tunnels: paths and Authorization headers."""

    answer: Callable[[Handler], None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.tunnels: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1/taxonomy"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextlib.contextmanager
def serving(answer: Callable[[Handler], None]) -> Iterator[Server]:
    with Server() as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fault(url: str, token: Any = TOKEN, **options: Any) -> str:
    """The error's text, once it is sure that nothing of it tells the token."""
    with pytest.raises(TaxonomyError) as raised:
        Taxonomy.load(url, token=token, **options)
    error: BaseException | None = raised.value
    shown = traceback.TracebackException.from_exception(
        raised.value, capture_locals=True
    )
    # The first frame is this function's, which has the token itself.
    frames = [str(frame.locals) for frame in shown.stack[1:]]
    assert TOKEN not in " ".join(frames)
    while error is not None:
        assert TOKEN not in f"{error!r} {error}"
        assert error.__context__ is None or isinstance(error.__context__, ValueError)
        error = error.__context__
    return str(raised.value)


def test_a_good_server() -> None:
    with serving(Handler.reply) as server:
        assert Taxonomy.load(server.url, token=TOKEN) == WANTED
        assert Taxonomy.load(server.url, token=lambda: "other") == WANTED
        assert Taxonomy.load(f"{server.url}?a=b") == WANTED
    headers = [header for _, header in server.requests]
    assert headers == [f"Basic {TOKEN}", "Basic other", None]
    assert server.requests[2][0] == "/v1/taxonomy?a=b"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"taxonomy_id,asset_id,symbol\n1,3,BTCUSD", {"Content_Type": "text/csv"}),
        (b"[" + LIST + b"]", {"Content_Type": "text/plain; charset=utf-8"}),
        (LIST, {"Content_Length": None}),
        (b"\xef\xbb\xbf" + LIST, {"Content_Type": None}),
        (
            b"3b\r\n" + LIST + b"\r\n0\r\n\r\n",
            {"Transfer_Encoding": "chunked", "Content_Length": None},
        ),
    ],
)
def test_other_good_answers(body: bytes, headers: dict[str, str | None]) -> None:
    def answer(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = True
        handler.reply(body, **headers)

    with serving(answer) as server:
        assert Taxonomy.load(server.url) == WANTED


def test_the_simulator() -> None:
    names = Taxonomy.from_ids({3: "BTCUSD", 500: "ETHUSD"}, 7)
    with served() as simulator:
        assert Taxonomy.load(simulator.taxonomy_url, token=TOKEN) == Taxonomy.example()
        simulator.faults.taxonomy_change = True
        changed = Taxonomy.load(simulator.taxonomy_url, token=TOKEN)
        assert changed.taxonomy_ids == (2,)
        assert "/v1/taxonomy: the token is refused (401)" in fault(
            simulator.taxonomy_url, f"{TOKEN}x"
        )
        assert "/v1/taxonomy: a token is needed (401)" in fault(
            simulator.taxonomy_url, None
        )
        assert "/v2: the server answered 404 Not Found" in fault(
            simulator.taxonomy_url.replace("v1/taxonomy", "v2")
        )
    with served(taxonomy=names, tls=True) as simulator:
        context = simulator.client_ssl_context()
        assert simulator.taxonomy_url.startswith("https://")
        found = Taxonomy.load(simulator.taxonomy_url, token=TOKEN, ssl_context=context)
        assert found == names == simulator.taxonomy
        reason = fault(simulator.taxonomy_url)
        assert "its certificate is not trusted: unable" in reason
        plain = simulator.taxonomy_url.replace("https", "http")
        assert "/v1/taxonomy: " in fault(plain)


def test_what_a_simulator_names() -> None:
    both = Taxonomy.from_ids({1: "A"}, 1) | Taxonomy.from_ids({2: "B", 9: "C"}, 4)
    simulator = Simulator(taxonomy=both, taxonomy_id=4)
    assert simulator.taxonomy == Taxonomy.from_ids({2: "B", 9: "C"}, 4)
    partly = Simulator(taxonomy=both, taxonomy_id=4, assets=[2, 11])
    assert partly.taxonomy.symbols == ("B", "SIM00011USD")
    renumbered = Simulator(taxonomy_id=9, assets=[2])
    assert renumbered.taxonomy == {(9, 2): "ETHUSD"}
    for wrong, words in (
        ({"taxonomy": both}, "one taxonomy"),
        ({"taxonomy": both, "taxonomy_id": 7}, "one taxonomy"),
        ({"taxonomy": Taxonomy({})}, "one taxonomy"),
        ({"taxonomy_id": 0xFF00}, r"0 \.\. 0xFEFF"),
        ({"taxonomy": Taxonomy({(0xFFFF, 1): "A"})}, r"0 \.\. 0xFEFF"),
    ):
        with pytest.raises(ValueError, match=words):
            Simulator(**wrong)  # type: ignore[arg-type]


def test_a_redirect_of_the_same_server_is_followed() -> None:
    def answer(handler: Handler) -> None:
        if handler.path == "/v1/taxonomy":
            handler.reply(b"", 302, Location="/elsewhere")
        else:
            handler.reply()

    with serving(answer) as server:
        assert Taxonomy.load(server.url, token=TOKEN) == WANTED
    assert server.requests == [
        ("/v1/taxonomy", f"Basic {TOKEN}"),
        ("/elsewhere", f"Basic {TOKEN}"),
    ]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_no_other_server_is_asked(status: int, token: str | None) -> None:
    with serving(Handler.reply) as other:

        def answer(handler: Handler) -> None:
            handler.reply(b"", status, Location=f"{other.url}?to={TOKEN}")

        with serving(answer) as server:
            reason = fault(server.url, token)
        assert f"it sends on to {other.url}, which is not asked" in reason
        assert other.requests == [] and len(server.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "https://127.0.0.1:{port}/v1/taxonomy",
        "http://localhost:{port}/v1/taxonomy",
        "http://127.0.0.1/v1/taxonomy",
        "http://user@127.0.0.1:{port}/v1/taxonomy",
        "http://127.0.0.1:{port}x/",
        "//example.org/",
    ],
)
def test_what_counts_as_another_server(location: str) -> None:
    def answer(handler: Handler) -> None:
        place = location.format(port=handler.server.server_port)
        handler.reply(b"", 302, Location=place)

    with serving(answer) as server:
        assert "which is not asked" in fault(server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "the token is refused (401)"),
        (403, {}, "the token is refused (403)"),
        (404, {}, "the server answered 404 Not Found"),
        (500, {}, "the server answered 500 Internal Server Error"),
        (503, {"Retry_After": "1"}, "the server answered 503 Service Unavailable"),
        (599, {}, "the server answered 599"),
        (204, {}, "the server answered 204 No Content"),
        (206, {}, "the server answered 206 Partial Content"),
        (302, {}, "it sends on without end, or nowhere (302 Found)"),
        (302, {"Location": "/v1/taxonomy"}, "it sends on without end"),
        (302, {"Location": "file:///etc/passwd"}, "302"),
        (304, {}, "it sends on without end, or nowhere (304 Not Modified)"),
        (200, {"Content_Type": "text/html; charset=utf-8"}, "this is a web page (text"),
        (200, {"Content_Length": "900"}, "it ends after 59 of 900 bytes"),
        (200, {"Transfer_Encoding": "chunked"}, "answer is"),
    ],
)
def test_other_answers(status: int, headers: dict[str, str], words: str) -> None:
    def answer(handler: Handler) -> None:
        body = b"" if status in (204, 304) else LIST
        handler.send_response(status, f"Reason {TOKEN}")
        given = {"Content-Length": str(len(body)), "X-Token": TOKEN}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in given.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    with serving(answer) as server:
        reason = fault(server.url)
        assert reason.startswith(f"{server.url}: ") and words in reason


def test_what_is_wrong_with_the_list_is_said_with_its_place() -> None:
    body = LIST.replace(b"3", b"70000")
    with serving(lambda handler: handler.reply(body)) as server:
        reason = fault(f"{server.url}?secret=word")
    assert reason == f"{server.url}: assets[0]: asset_id: 70000 is not in 0 .. 65535"


def test_a_body_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec.taxonomy, "_MAX_LEN", 1 << 20)
    n_written = 0

    def answer(handler: Handler) -> None:
        nonlocal n_written
        handler.send_response(200)
        handler.end_headers()
        while n_written < 1 << 30:
            n_written += handler.wfile.write(bytes(1 << 16))

    with serving(answer) as server:
        assert "over 1,048,576 bytes, which no list" in fault(server.url)
    assert n_written < 1 << 26  # what fits the sockets' buffers, not all of it


def test_a_body_that_never_comes() -> None:
    end = threading.Event()

    def silent(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        end.wait(30)

    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not end.wait(0.01):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    for answer in (lambda _: end.wait(30), silent, dripping):
        end.clear()
        with serving(answer) as server:
            begin = time.monotonic()
            reason = fault(server.url, timeout=0.2)
            assert "no answer, or not all of it, within 0.2 s" in reason
            assert time.monotonic() - begin < 20
            end.set()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "its answer is no HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", "its answer is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\n{", "is cut off"),
    ],
)
def test_what_is_no_web_server(data: bytes, words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection = listener.accept()[0]
            with connection:
                connection.recv(65536)
                connection.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        assert words in fault(f"http://127.0.0.1:{port}/v1/taxonomy")
        thread.join()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reason = fault(f"http://127.0.0.1:{port}/v1/taxonomy")
    assert reason.startswith(f"http://127.0.0.1:{port}/v1/taxonomy: Connection refused")
    assert "https://nobody.invalid/: " in fault("https://nobody.invalid/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("wss://h:1/ws", "its list of assets is at https://h:1/v1/taxonomy"),
        ("ws://u:p@h/ws", "its list of assets is at http://h/v1/taxonomy"),
        ("s3://bucket/key", "s3://bucket/key: a file or a URL as https://"),
        ("file:///etc/passwd", "a file or a URL as"),
        ("https://", "a file or a URL as"),
        ("https://u:p@h/v1", "https://h/v1: no credentials in the URL"),
        ("https://h:x/", "no URL: "),
        ("https://[h/", "no URL: "),
        ("https://h/a b", "printable ASCII"),
        ("https://h\u00e9/", "printable ASCII"),
    ],
)
def test_urls_that_make_no_sense(url: str, words: str) -> None:
    reason = fault(url)
    assert words in reason and "u:p" not in reason


def test_tokens_that_make_no_sense() -> None:
    def failing() -> str:
        raise RuntimeError(f"no {TOKEN}")

    for token, words in (
        (failing, "the token could not be had: RuntimeError"),
        (lambda: 5, "a token is a str, not int"),
        (lambda: f"{TOKEN}\n", "printable ASCII"),
        (f"{TOKEN} {TOKEN}", "printable ASCII without spaces"),
        (f"{TOKEN}\r\nX: y", "printable ASCII without spaces"),
        ("", "printable ASCII without spaces"),
        (5, "a token is a str, not int"),
    ):
        with serving(Handler.reply) as server:
            assert words in fault(server.url, token)
        assert server.requests == []


def test_a_file_does_not_ask_for_the_token(tmp_path: Any) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(LIST)

    def asked() -> str:
        raise AssertionError

    assert Taxonomy.load(path, token=asked) == WANTED


def test_no_proxy_gets_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(handler: Handler) -> None:
        handler.reply(b"{}")

    with serving(Handler.reply) as server, serving(answer) as proxy:
        place = proxy.url.removesuffix("/v1/taxonomy")
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, place)
        monkeypatch.setenv("no_proxy", "")
        assert Taxonomy.load(server.url, token=TOKEN) == WANTED
        assert "Tunnel connection failed: 501" in fault("https://h.invalid/v1/taxonomy")
        assert proxy.requests == []  # it is asked for a tunnel, and gets no header
        assert proxy.tunnels == [("h.invalid:443", None)]


def test_an_older_kind_of_tls_is_one_line() -> None:
    with serving(Handler.reply) as server:
        context = ssl.create_default_context()
        reason = fault(server.url.replace("http", "https"), ssl_context=context)
    assert "no TLS: " in reason
