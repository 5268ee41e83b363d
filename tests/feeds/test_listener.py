"""What the listener makes of websocket frames, good and bad, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import zlib

import pytest
from live import TIMESTAMP, feed_of, message, run, timestamps, until
from raw_server import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Connection,
    Deflater,
    RawServer,
    close_frame,
    frame,
)

from codec.feeds import ConnectionSettings, EventKind, FastFeed
from codec.feeds._listener import Inbox

DEFLATE = "permessage-deflate"


def expected(n: int) -> list[int]:
    return [TIMESTAMP + 10_000_000 * i for i in range(n)]


def read(data: bytes, n: int, *, extensions: str = "", cut: int = 0) -> list[int]:
    """What a feed makes of these bytes. cut: they come in pieces of that length."""

    async def behave(connection: Connection) -> None:
        pieces = (
            [data[i : i + cut] for i in range(0, len(data), cut)] if cut else [data]
        )
        for piece in pieces:
            await connection.send(piece)
            if cut:
                await asyncio.sleep(0)

    async def main() -> list[int]:
        server = RawServer(behave, extensions=extensions)
        async with server, feed_of(server.url) as feed:
            return await timestamps(feed, n)

    return run(main())


def reason_of_end(
    data: bytes, *, extensions: str = "", **connection: object
) -> tuple[str, list[tuple[int, bytes]], FastFeed]:
    """Why a feed leaves a connection on which these bytes come, and what it sent."""

    async def behave(connection: Connection) -> None:
        await connection.send(data)

    async def main() -> tuple[str, list[tuple[int, bytes]], FastFeed]:
        settings = ConnectionSettings(reconnect_delays_s=(30, 30), **connection)  # type: ignore[arg-type]
        async with RawServer(behave, extensions=extensions) as server:
            async with feed_of(server.url, connection=settings) as feed:
                await until(lambda: "reconnecting" in feed.states)
                (event,) = [e for e in feed.events if "reconnecting" in e.text]
                await server.connections[0].ended.wait()
            return str(event.data["reason"]), server.connections[0].frames, feed

    return run(main())


def test_messages_in_one_piece() -> None:
    assert read(b"".join(frame(message(i)) for i in range(500)), 500) == expected(500)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 300, 4096])
def test_messages_in_pieces(cut: int) -> None:
    data = b"".join(frame(message(i)) for i in range(5))
    assert read(data, 5, cut=cut) == expected(5)


def test_binary_messages_are_messages_too() -> None:
    data = b"".join(frame(message(i), BINARY) for i in range(3))
    assert read(data, 3) == expected(3)


def test_fragments_with_control_frames_between_them() -> None:
    data = b""
    for i in range(20):
        text = message(i)
        cuts = sorted(random.Random(i).sample(range(len(text)), i % 5))
        parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
        for j, part in enumerate(parts):
            last = j == len(parts) - 1
            data += frame(part, TEXT if j == 0 else 0, fin=last)
            data += b"" if last else frame(b"?", PING)
    assert read(data, 20) == expected(20)


@pytest.mark.parametrize(
    ("extensions", "takeover", "bits"),
    [
        (DEFLATE, True, 15),
        (f"{DEFLATE}; server_no_context_takeover", False, 15),
        (f"{DEFLATE}; server_max_window_bits=9", True, 9),
        (f"{DEFLATE}; client_max_window_bits=10; server_max_window_bits=12", True, 12),
    ],
)
def test_compressed_messages(extensions: str, takeover: bool, bits: int) -> None:
    deflater = Deflater(takeover=takeover, bits=bits)
    data = b"".join(deflater.frame(message(i)) for i in range(100))
    assert read(data, 100, extensions=extensions) == expected(100)


def test_compressed_fragments_beside_plain_messages() -> None:
    deflater = Deflater()
    data = b""
    for i in range(30):
        if i % 3 == 0:
            data += frame(message(i))
            continue
        packed = deflater.payload(message(i))
        data += frame(packed[:50], fin=False, rsv=4) + frame(packed[50:], 0)
    assert read(data, 30, extensions=DEFLATE) == expected(30)


def test_what_was_in_the_read_before_a_violation_is_delivered() -> None:
    data = b"".join(frame(message(i)) for i in range(9)) + b"\xff\xff\xff\xff"
    assert read(data, 9) == expected(9)


def test_line_ends_inside_a_message_do_no_harm() -> None:
    text = message(0).replace(b",", b",\n").replace(b"}", b"\n}\n")
    assert text.count(b"\n") == 3
    assert read(frame(text) + frame(message(1)), 2) == expected(2)


def test_the_receive_time_is_that_of_the_read() -> None:
    async def behave(connection: Connection) -> None:
        for i in range(3):
            await connection.send(frame(message(2 * i)) + frame(message(2 * i + 1)))
            await asyncio.sleep(0.05)

    async def main() -> list[int]:
        received: list[int] = []
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            async for batch in feed:
                received += batch.messages["receive_ns"].tolist()
                if len(received) == 6:
                    return received
        raise AssertionError

    before = time.time_ns()
    received = run(main())
    after = time.time_ns()
    assert (
        before < received[0] and received == sorted(received) and received[-1] < after
    )
    assert received[0] == received[1] < received[2] == received[3] < received[4]


def test_pings_are_answered_wherever_they_stand() -> None:
    pings = [b"", b"a", b"b" * 125]

    async def behave(connection: Connection) -> None:
        await connection.send(
            frame(pings[0], PING)
            + frame(message(0))
            + frame(pings[1], PING)
            + frame(message(1))
            + frame(pings[2], PING)
        )

    async def main() -> list[bytes]:
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            assert await timestamps(feed, 2) == expected(2)
            connection = server.connections[0]
            await connection.until(lambda c: len(c.frames) >= 4)
            return [body for opcode, body in connection.frames if opcode == PONG]

    assert run(main()) == pings


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (frame(b"{}", rsv=4), 1002, "reserved bit"),
        (frame(b"{}", rsv=2), 1002, "reserved bit"),
        (frame(b"{}", rsv=1), 1002, "reserved bit"),
        (frame(b"", PING, rsv=4), 1002, "reserved bit"),
        (frame(b"x", 0), 1002, "continuation of nothing"),
        (frame(b"x", fin=False) + frame(b"y"), 1002, "fragment is missing"),
        (frame(b"x", fin=False) + frame(b"y", BINARY), 1002, "fragment is missing"),
        (frame(b"x", 3), 1002, "opcode"),
        (frame(b"", PING, fin=False), 1002, "fragmented control"),
        (b"\x81\x80abcd", 1002, "masked"),
        (frame(b"x" * 2000), 1009, "1000"),
        (b"".join(frame(b"x" * 400, 1 if i == 0 else 0, fin=False) for i in range(9)),
         1009, "more than 1000 bytes"),
        (b"\x81\x7f" + b"\xff" * 8, 1002, "length"),
        (b"\x81\x7f\x40" + b"\0" * 7, 1009, "1000"),
    ],
)  # fmt: skip
def test_violations_end_the_connection(data: bytes, code: int, text: str) -> None:
    reason, sent, _ = reason_of_end(data, max_message_len=1000)
    assert text in reason
    closes = [body[:2] for opcode, body in sent if opcode == CLOSE]
    assert closes == [code.to_bytes(2, "big")]


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (frame(b"", 0, rsv=4), 1002, "reserved bit"),
        (frame(b"x", fin=False, rsv=4) + frame(b"y", 0, rsv=4), 1002, "reserved bit"),
        (frame(b"\xff\xff\xff", rsv=4), 1007, "cannot be inflated"),
        (Deflater().frame(b"x" * 1001), 1009, "more than 1000 bytes"),
    ],
)
def test_violations_of_compression(data: bytes, code: int, text: str) -> None:
    reason, sent, _ = reason_of_end(data, extensions=DEFLATE, max_message_len=1000)
    assert text in reason
    assert [body[:2] for opcode, body in sent if opcode == CLOSE] == [
        code.to_bytes(2, "big")
    ]


def test_a_last_block_cannot_be_followed_where_messages_share_a_stream() -> None:
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = stream.compress(message()) + stream.flush(zlib.Z_FINISH)
    reason, _, feed = reason_of_end(frame(packed, rsv=4), extensions=DEFLATE)
    assert "ends the stream" in reason
    assert feed.stats.bytes == 0


def test_a_bomb_is_refused_for_little_memory() -> None:
    deflater = Deflater()
    bomb = deflater.frame(bytes(1 << 26))  # of 64 KB
    reason, _, _ = reason_of_end(bomb, extensions=DEFLATE, max_message_len=1 << 20)
    assert "more than 1048576 bytes" in reason


def test_many_messages_that_inflate_far_beyond_the_queue() -> None:
    deflater = Deflater()
    data = deflater.frame(b" " * (1 << 20)) * 1000  # a quarter of it fits a read

    async def behave(connection: Connection) -> None:
        await connection.send(data)

    async def main() -> None:
        server = RawServer(behave, extensions=DEFLATE)
        async with server, feed_of(server.url, max_queue_len=1 << 20) as feed:
            await until(lambda: any("far more" in e.text for e in feed.events))
            assert feed.stats.queued_bytes < 16 << 20
            assert (CLOSE, (1009).to_bytes(2, "big")) in server.connections[0].frames

    run(main())


def test_a_close_is_answered_and_its_reason_told() -> None:
    reason, sent, _ = reason_of_end(close_frame(1012, "back soon"))
    assert reason == "closed with code 1012: back soon"
    assert (CLOSE, (1012).to_bytes(2, "big")) in sent


def test_text_that_is_not_utf8_is_a_bad_message_and_no_more() -> None:
    async def behave(connection: Connection) -> None:
        await connection.send(frame(b'{"\xff":1}') + frame(message(0)))

    async def main() -> FastFeed:
        async with RawServer(behave) as server, feed_of(server.url) as feed:
            assert await timestamps(feed, 1) == expected(1)
            return feed

    feed = run(main())
    assert feed.stats.bad == 1
    (event,) = [e for e in feed.events if e.kind is EventKind.BAD_MESSAGE]
    assert event.data["offset"] == 2 and event.data["message"] == b'{"\xff":1}'


@pytest.mark.parametrize("policy", ["", "drop", "WAIT"])
def test_a_policy_that_is_none(policy: str) -> None:
    with pytest.raises(ValueError, match="on_overflow"):
        Inbox(policy, 1 << 20, clock_ns=time.time_ns)


@pytest.mark.parametrize(
    "first", [frame(b"?", PING), frame(b"{", fin=False) + frame(b"}", 0), b""]
)
def test_the_receive_time_is_told_whatever_comes_first(first: bytes) -> None:
    """Whatever stands before a message in what was read."""

    async def behave(connection: Connection) -> None:
        for i in range(4):
            await connection.send(
                first + frame(message(2 * i)) + frame(message(2 * i + 1))
            )
            await until(lambda: feed.stats.messages == 2 * len(ends))
            ends.append(time.time_ns())

    async def main() -> None:
        nonlocal feed
        async with RawServer(behave) as server:
            feed = feed_of(server.url)
            async with feed:
                async for batch in feed:
                    times.extend(batch.messages["receive_ns"].tolist())
                    if len(times) == 8:
                        break

    ends = [time.time_ns()]
    times: list[int] = []
    feed: FastFeed = feed_of("ws://127.0.0.1")
    run(main())
    for i in range(4):
        assert times[2 * i] == times[2 * i + 1]
        assert times[2 * i] >= ends[i]
