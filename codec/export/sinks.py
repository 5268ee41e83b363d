"""What pyarrow writes into: an open file, until it is of no use any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

    from typing_extensions import Buffer

__all__ = ["Sink"]


class Sink:
    """Passes on what is written, and keeps the file open when it is closed itself.

    pyarrow's writers write their last words even when they are given up, and complain
    where they cannot: after `cut_off` all is taken and nothing written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO | None = file
        self._at = 0
        self.closed = False

    def cut_off(self) -> None:
        """Writes nothing from now on."""
        self._file = None

    def write(self, data: Buffer) -> int:
        n = memoryview(data).nbytes
        if self._file is not None:
            self._file.write(data)
        self._at += n
        return n

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
