"""A feed on another event loop than asyncio's own."""

from __future__ import annotations

import asyncio

import pytest
from live import TIMESTAMP, feed_of, message, timestamps
from raw_server import Connection, Deflater, RawServer

uvloop = pytest.importorskip("uvloop", reason="optional: uvloop is not installed")


def test_uvloop() -> None:
    deflater = Deflater()

    async def behave(connection: Connection) -> None:
        for i in range(100):
            await connection.send(deflater.frame(message(i)))

    async def main() -> None:
        server = RawServer(behave, extensions="permessage-deflate")
        async with server, feed_of(server.url) as feed:
            got = await timestamps(feed, 100)
            assert got == [TIMESTAMP + 10_000_000 * i for i in range(100)]
            waiting = asyncio.ensure_future(anext(feed))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
