"""Calls through an Rpc, and the faults that may come in the place of an answer."""

from __future__ import annotations

import asyncio
import gzip
import math
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import faulty as faults

from codec.chain import Rpc

T = TypeVar("T")
ALWAYS = math.inf
ADDRESS = "0x" + "11" * 20
OTHER = "0x" + "22" * 20
NUMBER = {"eth_blockNumber"}

# What may come, and the words for it.
FAULTS = {
    "cut before": (faults.cut_before(), "the connection ended without an answer"),
    "cut after": (faults.cut_after(), "the connection ended without an answer"),
    "429": (faults.too_many(), "HTTP 429 Too Many Requests"),
    "limit": (faults.error(-32005, "limit exceeded"), "limit exceeded [-32005]"),
    "503": (faults.http(503), "HTTP 503 Service Unavailable"),
    "page": (faults.page(), "a web page instead of JSON"),
    "page 502": (faults.page(502), "HTTP 502 Bad Gateway: a web page"),
    "empty": (faults.body(b""), "an empty answer"),
    "204": (faults.http(204), "an empty answer"),
    "array": (faults.body(b"[]"), "the answer is an array, not an object"),
    "deep": (faults.body(b"[" * 10**6), "nests more than 64 deep"),
    "twice": (faults.body(b'{"id":1,"id":2}'), "a key stands twice"),
    "nan": (faults.body(b'{"id":1,"result":NaN}'), "it has NaN"),
    "cut off": (faults.cut_off(), "its answer is cut off"),
    "id": (faults.wrong_id(), "the answer is to another request"),
    "huge": (faults.huge(17 << 20), "an answer of more than 16 MiB"),
    "number": (faults.result(5), "a bare number instead of a hex number"),
    "text": (faults.result("five"), "'five' instead of a hex number"),
    "null": (faults.result(None), "null instead of a hex number"),
    "bomb": (
        faults.body(gzip.compress(bytes(64 << 20)), Content_Encoding="gzip"),
        "an answer of more than 16 MiB",
    ),
    "no gzip": (
        faults.body(b"{}", Content_Encoding="gzip"),
        "an answer whose compression is broken",
    ),
    "half a gzip": (
        faults.body(gzip.compress(b"{}" * 99)[:-9], Content_Encoding="gzip"),
        "its answer is cut off",
    ),
    "brotli": (
        faults.body(b"{}", Content_Encoding="br"),
        "an encoding that was not asked for",
    ),
    "length": (
        faults.http(200, b"{}", Content_Length="two"),
        "its answer is no HTTP",
    ),
    "long length": (
        faults.http(200, b"{}", Content_Length="9" * 18),
        "an answer of more than 16 MiB",
    ),
}


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


def ask(
    *urls: str, work: Callable[[Rpc], Awaitable[T]] | None = None, **arguments: Any
) -> T | int:
    """What the work gives with an Rpc to these nodes: else the number of the block."""

    async def main() -> T | int:
        async with Rpc(urls, **{"chain_id": 31337, **arguments}) as rpc:
            return await (work(rpc) if work else rpc.block_number())

    return run(main())


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
