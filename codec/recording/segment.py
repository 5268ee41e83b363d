"""The writer of one segment: whole lines, compressed so that any part reads alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError
from codec.recording.disk import sync_file, sync_folder, write_whole
from codec.recording.index import Tally, write_index
from codec.recording.naming import PART, segment_name
from codec.recording.text import receive_times

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codec.recording.naming import Compression

__all__ = ["HEADER", "SegmentWriter", "make_compressor"]

# The first bytes of a compressed segment: a frame that zstd skips. It says that each
# frame after it holds whole lines.
_NOTE = b"stork-codec segment 1\n"
HEADER = b"\x50\x2a\x4d\x18" + len(_NOTE).to_bytes(4, "little") + _NOTE


def make_compressor(
    compression: Compression, level: int
) -> Callable[[bytes], bytes] | None:
    """Bytes to one zstd frame with its length and checksum; None for plain text."""
    if compression == "none":
        return None
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError(
            "compressed segments need the package zstandard:"
            " pip install 'stork-codec[feeds]'"
        ) from error
    return zstandard.ZstdCompressor(
        level=level, write_checksum=True, write_content_size=True
    ).compress


class SegmentWriter:
    """A segment being written, under its name with `.part` behind it.

    Nothing is buffered here. Where `append` raises, the segment is as it was before;
    where `is_broken` says that it may not be, there is only `abandon`.
    """

    def __init__(
        self,
        folder: Path,
        prefix: str,
        begin_ns: int,
        sequence: int,
        compression: Compression,
        compress: Callable[[bytes], bytes] | None,
    ) -> None:
        self._compression = compression
        self._compress = compress
        self._tally = Tally()
        self.final_path = folder / segment_name(prefix, begin_ns, sequence, compression)
        self.path = self.final_path.with_name(self.final_path.name + PART)
        self.is_broken = False
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o644)
        try:
            if compress is not None:
                self._write(HEADER)
            sync_folder(folder)
        except BaseException:
            self._drop()
            raise

    @property
    def n_messages(self) -> int:
        """Lines in it."""
        return self._tally.n_messages

    @property
    def text_len(self) -> int:
        """Bytes of the lines in it, before compression."""
        return self._tally.text_len

    @property
    def segment_len(self) -> int:
        """Bytes of the file."""
        return self._tally.segment_len

    def append(self, lines: bytes) -> int:
        """Writes whole lines, as one frame; gives how many they are."""
        times = receive_times(lines)
        data = self._compress(lines) if self._compress else lines
        offset = self.segment_len
        self._write(data)
        self._tally.add_text(lines, times, offset)
        return len(times)

    def sync(self) -> None:
        """Returns once all that was appended is on the disk."""
        try:
            sync_file(self._fd)
        except OSError:
            self.is_broken = True  # which bytes are there, nobody can tell any more
            raise

    def close(self, n_lost: int, lost_len: int) -> Path | None:
        """Writes the index and gives the segment its final name; None where it was
        empty and is removed. Where this raises, the segment stays with `.part`.

        n_lost, lost_len: messages, and their bytes, that found no place since the
        segment before this one was closed.
        """
        if not self._tally.n_messages:
            self._drop()
            return None
        try:
            self.sync()
        finally:
            self.abandon()
        write_index(
            self.final_path,
            self._tally.index(
                self.final_path.name,
                self._compression,
                n_lost=n_lost,
                lost_len=lost_len,
            ),
        )
        os.rename(self.path, self.final_path)
        sync_folder(self.final_path.parent)
        return self.final_path

    def abandon(self) -> None:
        """Closes the file and leaves it under its present name."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, data: bytes) -> None:
        try:
            write_whole(self._fd, data, self.segment_len)
        except BaseException:
            try:
                os.ftruncate(self._fd, self.segment_len)
            except OSError:
                self.is_broken = True
            raise
        self._tally.add_bytes(data)

    def _drop(self) -> None:
        self.abandon()
        self.path.unlink(missing_ok=True)
