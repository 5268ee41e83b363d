"""A file's bytes in order, as many at a time as its reader wants to see together."""

from __future__ import annotations

from errno import EAGAIN
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import IO

__all__ = ["Source"]

_READ_LEN = 256 << 10


class Source:
    """A window that moves forward over a file, which need not be seekable.

    offset: where the window begins in the file. end: where the file is taken to end,
    None for its own end.
    """

    def __init__(self, file: IO[bytes], end: int | None = None) -> None:
        self._file = file
        self._end = end
        self._data = b""
        self._at = 0
        self._is_whole = False
        self.offset = 0

    def seek(self, offset: int) -> None:
        """Goes to a byte of a seekable file."""
        self._file.seek(offset)
        self._data, self._at, self._is_whole, self.offset = b"", 0, False, offset

    def fill(self, n: int, read_len: int = _READ_LEN) -> int:
        """Reads until there are n bytes, `read_len` or more at a time, and gives how
        many there are; fewer than n only at the file's end."""
        while len(self._data) - self._at < n and not self._is_whole:
            want = max(n - (len(self._data) - self._at), read_len)
            if self._end is not None:
                read_to = self.offset + len(self._data) - self._at
                want = min(want, self._end - read_to)
            more = self._file.read(want) if want > 0 else b""
            if more is None:
                raise BlockingIOError(EAGAIN, "the input does not wait for its data")
            if more:
                self._data = self._data[self._at :] + more
                self._at = 0
            else:
                self._is_whole = True
        return len(self._data) - self._at

    def peek(self, n: int, start: int = 0) -> bytes:
        """Up to n bytes, from byte `start` of the window; fewer at the file's end."""
        self.fill(start + n)
        return self._data[self._at + start : self._at + start + n]

    def find(self, wanted: bytes, start: int) -> int:
        """Where in the window, from `start` on, those bytes stand; -1 for not yet."""
        found = self._data.find(wanted, self._at + start)
        return found - self._at if found >= 0 else -1

    def take(self, n: int) -> bytes:
        """The next n bytes, fewer at the file's end; they leave the window."""
        data = self.peek(n)
        self._at += len(data)
        self.offset += len(data)
        return data

    def take_some(self, read_len: int = _READ_LEN) -> bytes:
        """What is there, or what one read of that length gives; nothing only at the
        file's end."""
        return self.take(self.fill(1, read_len))

    def give_back(self, n: int) -> bool:
        """Makes the last n bytes that were taken come again; False where they cannot
        be read again. It is meant for few bytes of many: the window must be empty."""
        if len(self._data) > self._at or not self._file.seekable():
            return False
        self.seek(self.offset - n)
        return True
