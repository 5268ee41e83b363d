"""As many messages as a socket takes: frames prebuilt in large blocks."""

from __future__ import annotations

import asyncio
import time
from itertools import accumulate
from typing import TYPE_CHECKING

from codec.simulator.frames import TEXT, frame

if TYPE_CHECKING:
    from codec.simulator.connection import Connection

__all__ = ["flood"]

_BLOCK_LEN = 256 << 10


class _Block:
    """Frames one after the other, and the messages in them."""

    def __init__(self, frames: list[bytes], messages: list[bytes]) -> None:
        self.data = b"".join(frames)
        self.messages = messages
        self._ends = [0, *accumulate(map(len, frames))]

    def first(self, n: int) -> bytes:
        """The frames of the first n messages."""
        return self.data if n >= len(self.messages) else self.data[: self._ends[n]]


async def flood(
    connection: Connection,
    messages: list[bytes],
    n_messages: int | None,
    seconds: float | None,
) -> int:
    """Sends the messages over and over, and never more than the client reads.

    Ends after n_messages, after some seconds, or with the connection; returns how many
    were sent.
    """
    if n_messages is None and seconds is None:
        raise ValueError("a flood needs a number of messages or of seconds")
    blocks = _blocks(connection, messages)
    deadline = None if seconds is None else time.monotonic() + seconds
    n_sent = 0
    while messages and n_sent != n_messages and await connection.drain():
        is_over = deadline is not None and time.monotonic() >= deadline
        if is_over or connection.is_muted:
            break
        block = blocks[0]
        blocks.append(blocks.pop(0))
        left = len(block.messages) if n_messages is None else n_messages - n_sent
        connection.write(block.first(left))
        connection.count_sent(block.messages[:left])
        connection.check_events()
        if connection.deflater is not None:
            connection.deflater.reset()  # what follows must not refer to the block
        n_sent += min(left, len(block.messages))
        await asyncio.sleep(0)  # others have their turn
    return n_sent


def _blocks(connection: Connection, messages: list[bytes]) -> list[_Block]:
    """The messages' frames in blocks of about 256 KiB.

    Compressed ones begin a new context in every block, and refer to nothing before it:
    so a block can be sent any number of times.
    """
    deflater = connection.deflater
    blocks, frames, begin, size = [], [], 0, 0
    for i, message in enumerate(messages):
        if deflater is None:
            frames.append(frame(TEXT, message))
        else:
            if not frames:
                deflater.reset()
            data = deflater.compress(message)
            frames.append(frame(TEXT, data, is_compressed=True))
        size += len(frames[-1])
        if size >= _BLOCK_LEN or i == len(messages) - 1:
            blocks.append(_Block(frames, messages[begin : i + 1]))
            frames, begin, size = [], i + 1, 0
    return blocks
