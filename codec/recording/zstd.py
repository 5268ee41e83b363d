"""Zstandard frames, taken apart so that one that is damaged spoils no other."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, NamedTuple

from codec.errors import MissingDependencyError
from codec.recording.pieces import Damage, Text
from codec.recording.segment import HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.recording.source import Source

__all__ = ["frame_offsets", "is_ours", "is_zstd", "zstd_pieces"]

_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPED = b"\x2a\x4d\x18"  # of a skippable frame, behind 0x50 .. 0x5f
_MAX_HEAD_LEN = 18
_MAX_BLOCK_LEN = 128 << 10
_RLE, _RESERVED = 1, 3
# A frame that says that it is no longer than this is decompressed whole, its checksum
# compared, before any of it is given out; others are given out block by block.
_MAX_WHOLE_LEN = 8 << 20
_MAX_WINDOW = 128 << 20
_OUT_LEN = 1 << 20


class _Bad(Exception):
    """What is wrong with a frame, and at which of its bytes."""

    def __init__(self, reason: str, at: int = 0) -> None:
        self.reason = reason
        self.at = at
        super().__init__(reason)


class _Cut(Exception):
    """The file ends within a frame."""


class _Head(NamedTuple):
    head_len: int
    text_len: int | None  # None: it does not say
    has_checksum: bool

    @property
    def is_small(self) -> bool:
        return self.text_len is not None and self.text_len <= _MAX_WHOLE_LEN


def is_zstd(start: bytes) -> bool:
    """Whether a file with these first bytes is made of zstd frames."""
    return start[:4] == _MAGIC or _is_skippable(start)


def is_ours(start: bytes) -> bool:
    """Whether a file with these first bytes is a segment, each of whose frames is whole
    lines; the header may be damaged a little."""
    n_other = sum(a != b for a, b in zip(start, HEADER, strict=False))
    return len(start) >= len(HEADER) and n_other <= 2


def zstd_pieces(source: Source, is_aligned: bool) -> Iterator[Text | Damage]:
    """The text of all frames; where one is damaged the next good one is looked for.

    is_aligned: each frame begins with the beginning of a line.
    """
    if source.offset == 0 and is_aligned and source.take(len(HEADER)) != HEADER:
        yield Damage(0, "the segment's header is damaged", is_line_start=True)
    while start := source.peek(_MAX_HEAD_LEN):
        try:
            if _is_skippable(start):
                _skip(source, start)
            else:
                yield from _frame(source, start)
            continue
        except _Cut:
            reason, at = "the file ends within a frame", 0
        except _Bad as bad:
            reason, at = bad.reason, bad.at
        bad_offset = source.offset
        if not _find_next(source):
            yield Damage(bad_offset, reason, is_at_end=True)
            return
        reason = f"{reason}; readable again from byte {source.offset}"
        yield Damage(bad_offset + at, reason, is_line_start=is_aligned)


def frame_offsets(file: IO[bytes], file_len: int) -> tuple[list[int], int]:
    """Where each frame of a segment of ours begins, and how long their text is.

    Found by going from header to header; only frames before the first that is no such
    one, or is damaged.
    """
    offsets: list[int] = []
    at, text_len = len(HEADER), 0
    while at < file_len:
        try:
            file.seek(at)
            start = file.read(_MAX_HEAD_LEN)
            head = _read_head(start)
            if head.text_len is None or not (head.is_small and head.has_checksum):
                break
            end = at + head.head_len
            is_last = False
            while not is_last:
                file.seek(end)
                block_len, is_last = _read_block(file.read(3), end - at)
                end += block_len
        except (_Bad, _Cut):
            break
        offsets.append(at)
        text_len += head.text_len
        at = end + 4
    return offsets, text_len


def _frame(source: Source, start: bytes) -> Iterator[Text]:
    head = _read_head(start)
    if not head.is_small:
        yield from _stream(source, head)
        return
    offset = source.offset
    frame_len = _frame_len(source, head)
    text = _decompress(source.peek(frame_len))
    source.take(frame_len)
    for i in range(0, len(text), _OUT_LEN):
        yield Text(text[i : i + _OUT_LEN], offset, source.offset)


def _stream(source: Source, head: _Head) -> Iterator[Text]:
    """A frame's text, block by block: 128 KiB at most, however it was compressed."""
    zstandard = _zstandard()
    inflater = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).decompressobj()
    try:
        inflater.decompress(source.take(head.head_len))
        is_last = False
        while not is_last:
            block_len, is_last = _block(source, 0)
            if source.fill(block_len) < block_len:
                raise _Cut
            offset = source.offset
            text = inflater.decompress(source.peek(block_len))
            source.take(block_len)
            yield Text(text, offset, source.offset)
        if head.has_checksum:
            if source.fill(4) < 4:
                raise _Cut
            inflater.decompress(source.peek(4))
            source.take(4)
    except zstandard.ZstdError as error:
        raise _Bad(_words(error)) from error


def _read_head(start: bytes) -> _Head:
    """Raises _Bad for no frame, _Cut where the file ends within the header."""
    zstandard = _zstandard()
    if start[:4] != _MAGIC:
        if len(start) < 4 and (_MAGIC.startswith(start) or _may_be_skippable(start)):
            raise _Cut
        raise _Bad("there is no zstd frame here")
    if len(start) < 5 or len(start) < zstandard.frame_header_size(start):
        raise _Cut
    try:
        known = zstandard.get_frame_parameters(start)
    except zstandard.ZstdError as error:
        raise _Bad(_words(error)) from error
    if known.window_size > _MAX_WINDOW:
        raise _Bad(f"a window of {known.window_size:,} bytes takes too much memory")
    text_len: int | None = known.content_size
    if text_len == zstandard.CONTENTSIZE_UNKNOWN:
        text_len = None
    head_len = zstandard.frame_header_size(start)
    return _Head(head_len, text_len, bool(known.has_checksum))


def _frame_len(source: Source, head: _Head) -> int:
    """Bytes of a whole small frame, found by going from block to block."""
    assert head.text_len is not None
    # A block is stored as it is where it does not shrink; flushing makes many of them.
    limit = 2 * head.text_len + (64 << 10)
    at = head.head_len
    is_last = False
    while not is_last:
        block_len, is_last = _block(source, at)
        at += block_len
        if at > limit:
            raise _Bad("the frame's blocks are longer than its text", at)
    at += 4 * head.has_checksum
    if source.fill(at) < at:
        raise _Cut
    return at


def _block(source: Source, at: int) -> tuple[int, bool]:
    """The bytes of a block, its own header among them, and whether it is the last."""
    return _read_block(source.peek(3, at), at)


def _read_block(start: bytes, at: int) -> tuple[int, bool]:
    if len(start) < 3:
        raise _Cut
    word = int.from_bytes(start, "little")
    is_last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
    if kind == _RESERVED or size > _MAX_BLOCK_LEN:
        raise _Bad("there is no zstd block here", at)
    return 3 + (1 if kind == _RLE else size), is_last


def _decompress(frame: bytes) -> bytes:
    zstandard = _zstandard()
    try:
        text: bytes = zstandard.ZstdDecompressor().decompress(frame)
    except zstandard.ZstdError as error:
        raise _Bad(_words(error)) from error
    return text


def _skip(source: Source, start: bytes) -> None:
    if len(start) < 8:
        raise _Cut
    n_left = 8 + int.from_bytes(start[4:8], "little")
    if n_left > _MAX_WHOLE_LEN:
        raise _Bad(f"a skippable frame of {n_left:,} bytes")
    if source.fill(n_left) < n_left:
        raise _Cut
    source.take(n_left)


def _find_next(source: Source) -> bool:
    """Moves on to the next frame that can be read; False where there is none.

    A frame that says how long it is has to be whole and good; of others the beginning
    must do.
    """
    at = 1
    while True:
        found = source.find(_MAGIC, at)
        if found < 0:
            n = source.fill(0)
            source.take(max(n - 3, 0))
            if source.fill(4) < 4:
                return False
            at = 0
            continue
        source.take(found)
        if _is_good(source):
            return True
        at = 1


def _is_good(source: Source) -> bool:
    try:
        head = _read_head(source.peek(_MAX_HEAD_LEN))
        if not head.is_small:
            _block(source, head.head_len)
            return True
        _decompress(source.peek(_frame_len(source, head)))
    except (_Bad, _Cut):
        return False
    return True


def _is_skippable(start: bytes) -> bool:
    return len(start) >= 4 and start[0] >> 4 == 5 and start[1:4] == _SKIPPED


def _may_be_skippable(start: bytes) -> bool:
    return start[0] >> 4 == 5 and _SKIPPED.startswith(start[1:])


def _words(error: Exception) -> str:
    text = str(error)
    return "the frame's checksum does not fit" if "checksum" in text else text


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError(
            "reading compressed recordings needs the package zstandard:"
            " pip install 'stork-codec[feeds]'"
        ) from error
    return zstandard
