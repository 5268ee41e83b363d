"""A recording's text as it comes out of its file: plain, gzip or zstd."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal, NamedTuple

from codec.recording.naming import PART

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.recording.source import Source

__all__ = ["PLAIN_LEN", "Damage", "Text", "kind_of", "line_pieces", "pieces"]

_GZIP = b"\x1f\x8b"
PLAIN_LEN = 3 << 20
_OUT_LEN = 1 << 20
_IN_LEN = 64 << 10


class Text(NamedTuple):
    """Some of the text, and where what it was made of stands in the file.

    is_plain: it is what stands there.
    """

    data: bytes
    offset: int
    end: int
    is_plain: bool = False


class Damage(NamedTuple):
    """What cannot be read. offset: its first byte in the file.

    is_at_end: nothing that can be read comes after it. is_line_start: the text goes on
    with the beginning of a line.
    """

    offset: int
    reason: str
    is_at_end: bool = False
    is_line_start: bool = False


def pieces(source: Source, name: str, begin: int = 0) -> Iterator[Text | Damage]:
    """A file's text, in order, whatever the file is by its name or its first bytes.

    begin: where to begin, a place that an index names.
    """
    from codec.recording.zstd import is_ours, zstd_pieces

    start = source.peek(64)
    if begin:
        source.seek(begin)
    kind = kind_of(start, name)
    if kind == "zstd":
        return zstd_pieces(source, is_ours(start))
    return _gzip_pieces(source) if kind == "gzip" else _plain_pieces(source)


def kind_of(start: bytes, name: str) -> Literal["plain", "gzip", "zstd"]:
    """What a file is, by its first bytes (64, fewer if it is shorter) and its name."""
    from codec.recording.zstd import is_zstd

    name = name.removesuffix(PART)
    is_gzip = start[:2] == _GZIP
    if is_zstd(start) or (start and name.endswith(".zst") and not is_gzip):
        return "zstd"
    return "gzip" if is_gzip or (start and name.endswith(".gz")) else "plain"


def _plain_pieces(source: Source) -> Iterator[Text]:
    while data := source.take_some(PLAIN_LEN):
        yield Text(data, source.offset - len(data), source.offset, is_plain=True)


def line_pieces(source: Source, begin: int, end: int | None) -> Iterator[Text]:
    """Of plain text, the lines that begin from byte `begin` on and before `end`.

    What two such calls share no line of: one up to a byte, the other from it on.
    """
    data = b""
    if begin:
        source.seek(begin - 1)
        while b"\n" not in data:
            if not (data := source.take_some()):
                return
        data = data[data.index(b"\n") + 1 :]
        if end is not None and source.offset - len(data) >= end:
            return
    while data or (data := source.take_some()):
        start = source.offset - len(data)
        if end is not None and source.offset >= end:
            line_end = data.find(b"\n", max(end - 1 - start, 0)) + 1
            if line_end:
                yield Text(data[:line_end], start, start + line_end)
                return
        yield Text(data, start, source.offset)
        data = b""


def _gzip_pieces(source: Source) -> Iterator[Text | Damage]:
    """What comes before the damage is given out; zlib finds no way behind it."""
    while start := source.peek(2):
        if not start.strip(b"\0"):
            source.take(len(start))  # padding
            continue
        if start != _GZIP:
            yield Damage(source.offset, "there is no gzip member here", True)
            return
        try:
            yield from _member(source)
        except zlib.error as error:
            yield Damage(source.offset, str(error), True)
            return
        except EOFError:
            yield Damage(source.offset, "the gzip member has no end", True)
            return


def _member(source: Source) -> Iterator[Text]:
    inflater = zlib.decompressobj(wbits=31)
    while not inflater.eof:
        data = source.peek(_IN_LEN)
        offset = source.offset
        text = inflater.decompress(data, _OUT_LEN)
        if not data and not text:
            raise EOFError
        n_left = len(inflater.unconsumed_tail) + len(inflater.unused_data)
        source.take(len(data) - n_left)
        yield Text(text, offset, source.offset)
