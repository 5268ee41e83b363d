"""Archives of lines, read as chunks of whole lines: from a file, a pipe, a device."""

from __future__ import annotations

import errno
import os
import stat
from time import monotonic
from typing import TYPE_CHECKING

from codec.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO

__all__ = [
    "CompressedError",
    "LineTooLongError",
    "chunks",
    "open_archive",
    "remaining_len",
]

# A chunk of small messages takes a core a quarter of a second to verify.
CHUNK_LEN = 2 << 20
MAX_LINE_LEN = 64 << 20
_PATIENCE_S = 0.25
# gzip, a zstd frame, a frame that zstd skips (with which recordings begin)
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18")
_STDIN = 0


class LineTooLongError(CodecError):
    """A line that would take too much memory."""


class CompressedError(CodecError):
    """An archive that is no text yet."""


def open_archive(name: str) -> FileIO:
    """Opens a file, or standard input for "-", to be read to its end.

    Not mapped into memory: a mapped file that is cut short meanwhile ends the process,
    a pipe has no map, and next to a signature's 30 us a read costs nothing.
    """
    if name == "-":
        return open(_STDIN, "rb", buffering=0, closefd=False)
    return open(name, "rb", buffering=0)


def remaining_len(file: FileIO) -> int | None:
    """How many bytes there are still to be read; None where only reading will tell."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return None
    return max(status.st_size - file.tell(), 0)


def chunks(file: FileIO) -> Iterator[bytes]:
    """All that there is to read, whole lines together; the last may lack its end.

    Raises LineTooLongError, CompressedError.
    """
    rest = b""
    is_first = True
    while block := _read(file):
        if is_first and block.startswith(_COMPRESSED):
            raise CompressedError(
                "this is compressed: stork-codec replay PATH | stork-codec verify -"
            )
        is_first = False
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
        if len(rest) > MAX_LINE_LEN:
            raise LineTooLongError(
                f"a line does not end within {MAX_LINE_LEN:,} bytes:"
                " is this an archive with each message on a line?"
            )
    if rest:
        yield rest


def _read(file: FileIO) -> bytes:
    """A chunk, less of it where it comes slowly; nothing only at the end."""
    parts: list[bytes] = []
    n_left = CHUNK_LEN
    until = monotonic() + _PATIENCE_S
    while n_left and (not parts or monotonic() < until):
        part = file.read(n_left)
        if part is None:
            raise BlockingIOError(errno.EAGAIN, "the input does not wait for its data")
        if not part:
            break
        parts.append(part)
        n_left -= len(part)
    return b"".join(parts)
