"""What a simulated server makes of frames, good and bad, byte by byte."""

from __future__ import annotations

import json
import zlib

import pytest
from simulated import Raw, run

from codec.simulator import Simulator
from codec.simulator.frames import close_frame, fragments, frame

REQUEST = b'{"type":"subscribe","assets":[1]}'
DEFLATE = "permessage-deflate"
FIN, RSV1, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 0x40, 1, 2, 8, 9, 10


def compressed(message: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    data = deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(b"\0\0\xff\xff")


def test_a_message_in_fragments_with_a_ping_between() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            raw, head = await Raw.open(simulator)
            assert head.startswith("HTTP/1.1 101")
            raw.send(TEXT, REQUEST[:10])
            raw.send(0, REQUEST[10:20])
            raw.send(FIN | PING, b"there?")
            raw.send(FIN | PONG, b"unasked")
            raw.send(FIN, REQUEST[20:])
            assert await raw.frame() == (FIN | PONG, b"there?")
            first, answer = await raw.frame()
            assert (first, json.loads(answer)) == (FIN | TEXT, json.loads(REQUEST))
            raw.close()

    run(test())


def test_a_compressed_message_in_fragments() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            raw, head = await Raw.open(simulator, Sec_WebSocket_Extensions=DEFLATE)
            assert f"Sec-WebSocket-Extensions: {DEFLATE}\r\n" in head
            data = compressed(REQUEST)
            raw.send(RSV1 | TEXT, data[:5])
            raw.send(FIN, data[5:])
            first, answer = await raw.frame()
            inflated = zlib.decompressobj(-15).decompress(answer + b"\0\0\xff\xff")
            assert first == FIN | RSV1 | TEXT
            assert json.loads(inflated) == json.loads(REQUEST)
            raw.send(FIN | TEXT, REQUEST)  # not compressed, which is allowed
            assert (await raw.frame())[0] == FIN | RSV1 | TEXT
            raw.close()

    run(test())


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(FIN | BINARY, b"x")], 1003),
        ([(FIN, b"x")], 1002),
        ([(TEXT, b"x"), (FIN | TEXT, b"x")], 1002),
        ([(FIN | 0x20 | TEXT, b"x")], 1002),
        ([(FIN | 0x10 | PING, b"x")], 1002),
        ([(FIN | TEXT, b"\xff")], 1007),
        ([(FIN | 0x3, b"x")], 1002),
        ([(FIN | TEXT, b" " * 1_048_577)], 1009),
        ([(TEXT, b" " * 600_000), (FIN, b" " * 600_000)], 1009),
        ([(FIN | RSV1 | TEXT, b"\x07")], 1002),
        ([(TEXT, b"x"), (FIN | RSV1, b"x")], 1002),
        ([(FIN | RSV1 | TEXT, compressed(b" " * 1_048_577))], 1009),
    ],
)
@pytest.mark.parametrize("offer", ["", DEFLATE])
def test_bad_frames_end_the_connection(
    frames: list[tuple[int, bytes]], code: int, offer: str
) -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            raw, _ = await Raw.open(simulator, Sec_WebSocket_Extensions=offer)
            for first, payload in frames:
                raw.send(first, payload)
            is_refused = not offer and frames[0][0] & RSV1
            assert await raw.close_code() == (1002 if is_refused else code)

    run(test())


def test_an_unmasked_frame_ends_the_connection() -> None:
    async def test() -> None:
        async with Simulator(ticks=False) as simulator:
            raw, _ = await Raw.open(simulator)
            raw.send(FIN | TEXT, REQUEST, is_masked=False)
            assert await raw.close_code() == 1002

    run(test())


@pytest.mark.parametrize(
    ("payload", "code", "answer"),
    [
        (b"", 1005, b""),
        (b"\x03\xe8", 1000, b"\x03\xe8"),
        (b"\x0f\xa1bye", 4001, b"\x0f\xa1"),
    ],
)
def test_a_closing_client_is_answered(payload: bytes, code: int, answer: bytes) -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            raw, _ = await Raw.open(simulator)
            raw.send(FIN | CLOSE, payload)
            assert await raw.frame() == (FIN | CLOSE, answer)
            assert await raw.reader.read() == b""
            assert simulator.history[0].close_code == code
            assert simulator.connections == []
            assert "ended" in repr(simulator.history[0])
            raw.close()

    run(test())


def test_a_client_that_just_goes() -> None:
    async def test() -> None:
        async with Simulator() as simulator:
            raw, _ = await Raw.open(simulator)
            (connection,) = simulator.connections
            raw.close()
            while simulator.connections:
                await simulator.send(b"x")
            assert connection.close_code is None

    run(test())


@pytest.mark.parametrize("n", [0, 125, 126, 65535, 65536])
def test_frames_by_length(n: int) -> None:
    data = frame(TEXT, bytes(n))
    sizes = {0: 2, 125: 2, 126: 4, 65535: 4, 65536: 10}
    assert len(data) == n + sizes[n]
    assert data[0] == 0x81
    assert int.from_bytes(data[2 if n > 125 else 1 : sizes[n]], "big") == n


def test_small_frames() -> None:
    assert close_frame(0) == b"\x88\x00"
    assert close_frame(1000, "ok") == b"\x88\x04\x03\xe8ok"
    assert len(close_frame(1000, "ä" * 100)) == 2 + 2 + 122
    assert fragments(b"ab", 1) == b"\x81\x02ab"
    assert (
        fragments(b"ab", 3)
        == b"\x01\x01a\x89\x07between\x00\x01b\x89\x07between\x80\x00"
    )
