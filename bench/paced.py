"""A live feed at a thousand messages a second: added latency, load, and memory.

Latency is from just before the sender writes a message, whose timestamp says when, to
the consumer: the loop's body for the feed, `on_ws_frame` for the bare library, in
either case with the message at hand.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from mmap import PAGESIZE
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from picows import WSFrame, WSListener, WSMsgType, WSTransport

import codec
from bench import readers
from bench.feeds import BARE, FEED, run
from bench.rows import Figure
from bench.sender import Order, Sender
from bench.workloads import KEYS, MIB
from codec import KnownSigner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.ratios import Inputs
    from bench.readers import Stream

__all__ = ["paced_figures"]

_RATE = 1000
_N_READERS = 5
_STATM = Path("/proc/self/statm")
_N_WARM = 1_000_000  # messages before memory is looked at


def paced_figures(inputs: Inputs) -> Iterator[Figure]:
    """Every figure of a feed that is no ratio, in turn."""
    scale = inputs.scale
    with Sender() as sender:
        for n_assets in (4, 100):
            order = Order(
                n_assets, round(_RATE * scale.feed_paced_s), 1, False, _RATE, True
            )
            stream = readers.Stream(sender.url(order), order, "plain", None)
            yield from _latency(stream, scale.feed_paced_pairs)
        yield from _load(sender, round(_RATE * scale.feed_paced_s * 2))
        if _STATM.exists():
            yield _memory(sender, scale.n_feed_messages)


# Latency.


class _Stamping(WSListener):
    """Notes when it has each message."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.received: list[tuple[int, bytes]] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message = frame.get_payload_as_bytes()
        self.received.append((time_ns(), message))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.ended.set_result(None)


async def _bare_latency(stream: Stream) -> NDArray[np.int64]:
    """Nanoseconds, of each message."""
    transport, listener = await readers.connected(stream, _Stamping)
    assert isinstance(listener, _Stamping)
    transport.send(WSMsgType.TEXT, b"go")
    await listener.ended
    received = listener.received[: stream.order.n_messages]  # the last one: a close
    sent = codec.decode([message for _, message in received]).messages["timestamp_ns"]
    times = np.array([now_ns for now_ns, _ in received], np.int64)
    return times - sent.astype(np.int64)


async def _feed_latency(stream: Stream) -> NDArray[np.int64]:
    n, received = 0, []
    async with readers.feed_of(stream) as feed:
        await readers.start(feed, stream)
        async for batch in feed:
            received.append((time_ns(), batch))
            n += len(batch.messages)
            if n >= stream.order.n_messages:
                break
    return np.concatenate(
        [
            now_ns - batch.messages["timestamp_ns"].astype(np.int64)
            for now_ns, batch in received
        ]
    )


def _latency(stream: Stream, n_pairs: int) -> Iterator[Figure]:
    """Both in turn; differences of percentiles of neighbours."""
    percents = [50, 99]
    run(_bare_latency(stream))
    run(_feed_latency(stream))
    pairs = np.array(
        [
            [
                np.percentile(run(read(stream)), percents) / 1e3
                for read in (_bare_latency, _feed_latency)
            ]
            for _ in range(n_pairs)
        ]
    )
    for i, (percent, must, aim) in enumerate(((50, 20, 10), (99, 200, 50))):
        bare, feed = (np.median(pairs[:, side, i]) for side in (0, 1))
        limits = {"must": must, "aim": aim} if stream.order.n_assets == 4 else {}
        yield Figure.from_all(
            f"added latency, p{percent}: {_RATE:,} messages a second of"
            f" {stream.order.n_assets} assets ({feed:.0f} µs instead of {bare:.0f})",
            f"{FEED} - {BARE}",
            "µs",
            (pairs[:, 1, i] - pairs[:, 0, i]).tolist(),
            **limits,
        )


# Load.


class _Load(NamedTuple):
    """busy: share of one core. backlog_s, backlog: the longest that a message waited
    for its batch, and the most that were in one."""

    busy: float
    backlog_s: float
    backlog: int


async def _read_all(streams: list[Stream], signer: KnownSigner) -> _Load:
    order = streams[0].order
    n, backlog_ns, backlog = 0, 0, 0
    urls = [stream.url for stream in streams]
    feed = readers.feed_of(streams[0], url=None, urls=urls, signers=signer)

    async with feed:
        watch = await readers.start(feed, streams[0])
        async for batch in feed:
            waited_ns = time_ns() - int(batch.messages["receive_ns"][0])
            backlog_ns = max(backlog_ns, waited_ns)
            backlog = max(backlog, len(batch.messages))
            n += len(batch.messages)
            if n >= order.n_messages:
                break
        spent = watch.spent(n)
        return _Load(spent.busy, backlog_ns / 1e9, backlog)


def _load(sender: Sender, n_messages: int) -> Iterator[Figure]:
    """Five connections to the same messages, each verified; one core."""
    signer = KnownSigner(KEYS[0].public_key, window=13)
    order = Order(4, n_messages, n_messages, True, _RATE, False, _N_READERS)
    stream = readers.Stream(sender.url(order), order, "plain", None)
    loads = [run(_read_all([stream] * _N_READERS, signer)) for _ in range(3)]
    what = (
        f"{_N_READERS} connections, `real_time`, {_RATE:,} messages a second on each,"
        " every one delivered once and verified by a `KnownSigner`"
    )
    yield Figure.from_all(
        f"{what}: time of one core",
        FEED,
        "%",
        [100 * load.busy for load in loads],
        must=100,
    )
    yield Figure.from_all(
        "the same: the longest wait from a read to its batch",
        FEED,
        "ms",
        [1e3 * load.backlog_s for load in loads],
    )
    yield Figure.from_all(
        "the same: the most messages in one batch",
        FEED,
        "messages",
        [load.backlog for load in loads],
    )


# Memory.


def _memory(sender: Sender, n_messages: int) -> Figure:
    order = Order(4, n_messages)
    command = [sys.executable, "-m", "bench.paced", sender.url(order)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Figure.from_all(
        f"growth of resident memory over {n_messages / 1e6:g} million messages of 4"
        f" assets, after the first {min(_N_WARM, n_messages // 2) / 1e6:g} million",
        FEED,
        "MiB",
        [json.loads(done.stdout) / MIB],
        must=16.0,
    )


async def _growth_len(url: str) -> int:
    """Bytes by which resident memory grew, at most, while an order was read."""
    order = Order.of(url)
    stream = readers.Stream(url, order, "plain", None)
    n, first_len, most_len = 0, 0, 0
    n_warm = min(_N_WARM, order.n_messages // 2)
    async with readers.feed_of(stream) as feed:
        await readers.start(feed, stream)
        async for batch in feed:
            before, n = n // 100_000, n + len(batch.messages)
            if n >= n_warm and n // 100_000 != before:
                most_len = max(most_len, _resident_len())
                first_len = first_len or most_len
            if n >= order.n_messages:
                break
    return most_len - first_len


def _resident_len() -> int:
    return int(_STATM.read_text().split()[1]) * PAGESIZE


if __name__ == "__main__":
    print(asyncio.run(_growth_len(sys.argv[1])))
