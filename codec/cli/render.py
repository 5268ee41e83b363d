"""Messages as tables in the terminal, with rich: ASCII, and readable without colour."""

from __future__ import annotations

from itertools import accumulate, count, islice, zip_longest
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from codec.cli.anatomy import payload_fields, payload_layout
from codec.cli.frame import NAME_LEN
from codec.cli.text import printable, utc_text
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codec.cli.anatomy import Field
    from codec.cli.message import Fault, Message

__all__ = ["console", "message_view", "table"]

_FAULT = "bold white on red"
_OTHER = "bold black on yellow"  # a message of another type: not really a fault
_PAYLOAD_STYLES = {
    **dict.fromkeys(("r", "s", "v"), "blue"),
    **dict.fromkeys(("marker", "version", "mask", "market"), "magenta"),
    **dict.fromkeys(("taxonomy", "timestamp"), "yellow"),
    "asset id": "cyan",
    "value": "green",
}
_FRAME_STYLES = {
    **dict.fromkeys(("type", "p"), "blue"),
    **dict.fromkeys(("tax", "ts"), "yellow"),
    "id": "cyan",
    "v": "green",
    "ms": "magenta",
}
_BYTES_IN_ROW = 8
_SOURCE_LEN = 24
_EXCERPT_LEN = 64
_INLINE_LEN = 35  # so that the table of a frame fits into 80 columns
_FIELDS_IN_TABLE = 400
# Of the columns of bytes or source text, and of names.
_HEX_WIDTHS = (2 * _BYTES_IN_ROW + 1, 9)
_SOURCE_WIDTHS = (_SOURCE_LEN, NAME_LEN)


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError  # `main` knows what to do


def console() -> Console:
    """A console on the standard output of this moment."""
    return _Console(highlight=False, markup=False, emoji=False)


def table(*columns: str) -> Table:
    """An empty table without lines; a title that starts with ">" is of numbers."""
    result = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in columns:
        result.add_column(
            title.removeprefix(">"),
            justify="right" if title.startswith(">") else "left",
            overflow="fold",
        )
    return result


def message_view(
    message: Message, notes: Iterable[str] = ()
) -> Iterator[Text | Table | str]:
    """Everything about a message: what it is, its fields, the verdict."""
    fault = message.fault
    for note in notes:
        yield Text(note, "yellow")
    yield Text(_headline(message), "bold")
    if message.receive_ns is not None:
        yield f"received {utc_text(message.receive_ns)}"
    if message.frame and _shows_frame(message):
        at = fault.offset if fault else None
        rows = _Rows("source", message.data, _FRAME_STYLES, fault, at)
        yield ""
        yield from rows.tables(message.frame.fields)
    if message.payload:
        at = fault.payload_offset if fault else None
        rows = _Rows("bytes", message.payload, _PAYLOAD_STYLES, fault, at)
        yield ""
        yield from rows.tables(payload_fields(message.payload))
    yield ""
    yield from _verdict(message)


def _headline(message: Message) -> str:
    size = f"{len(message.data):,} bytes"
    if message.is_binary:
        head = f"binary payload, {size}"
    elif message.frame is None:
        head = f"hex payload, {size} of text"
    else:
        kind = message.frame.type
        head = f"frame of type {printable(_bytes(kind), 40)}" if kind else "frame"
        head += f", {size}"
    if message.payload:
        layout = payload_layout(message.payload)
        head += f"; payload: {len(message.payload):,} bytes"
        head += " read" if message.fault and message.fault.is_in_payload else ""
        head += "" if layout is None else f", layout {layout}"
    return head


def _mark(fault: Fault | None) -> str:
    """The style of what is at fault."""
    return _OTHER if fault and fault.code == ErrorCode.NOT_DATA else _FAULT


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace")


def _shows_frame(message: Message) -> bool:
    """Whether the members of a frame say more than its payload does."""
    is_signed = message.frame is not None and message.frame.type == "signed_ecdsa"
    fault = message.fault
    return not is_signed or (fault is not None and not fault.is_in_payload)


class _Rows:
    """Builds the table of fields of `data`: hex digits, or the source text of a frame.

    at: the byte of `data` where the fault stands, if it stands there.
    """

    def __init__(
        self,
        title: str,
        data: bytes,
        styles: dict[str, str],
        fault: Fault | None,
        at: int | None,
    ) -> None:
        self._data = data
        self._is_hex = title == "bytes"
        self._styles = styles
        self._fault = fault
        self._at = at
        self._mark = _mark(fault)
        self._record: int | None = None
        self._table = self._new_table()

    def tables(self, fields: Iterable[Field]) -> Iterator[Table]:
        """A row for each field, and one for a fault between them, in tables.

        A long message gets several, so that it shows at once and takes little memory.
        """
        remaining = iter(fields)
        is_marked = self._fault is None or self._at is None
        while chunk := list(islice(remaining, _FIELDS_IN_TABLE)):
            for field in chunk:
                if not is_marked and self._at is not None and self._at < field.end:
                    if self._at < field.start:
                        self._add_fault()
                    is_marked = True
                self._add(field)
            yield self._table
            self._table = self._new_table(show_header=False)
        if not is_marked:
            self._add_fault()
            yield self._table

    def _new_table(self, *, show_header: bool = True) -> Table:
        """A table whose columns are as wide as in the others of this message."""
        result = table(
            ">offset", "bytes" if self._is_hex else "source", "field", "value"
        )
        result.show_header = show_header
        offset_len = max(len(f">{len(self._data)}"), len("offset"))
        widths = _HEX_WIDTHS if self._is_hex else _SOURCE_WIDTHS
        for i, width in enumerate((offset_len, *widths)):
            result.columns[i].width = width
        return result

    def _add(self, field: Field) -> None:
        style = self._styles.get(field.name, "")
        is_bad = self._at is not None and field.start <= self._at < field.end
        is_new = field.record not in (None, self._record)
        self._record = field.record
        values = _value_lines(field, style, is_new)
        offset = Text.assemble((f"{field.start}", "dim"))
        if is_bad and self._fault:
            values.append(Text.assemble((f"<< {self._fault.code}", self._mark)))
            offset = Text.assemble((f">{field.start}", self._mark))
        columns = [offset], self._shown(field, style), [Text(field.name, style)], values
        for row in zip_longest(*columns):
            self._table.add_row(*row)

    def _add_fault(self) -> None:
        fault, at = self._fault, self._at
        if fault is not None and at is not None:
            byte = self._data[at : at + 1]
            shown = byte.hex() or "--" if self._is_hex else printable(byte) or "(end)"
            row = (f">{at}", shown, "", f"<< {fault.code}")
            self._table.add_row(*(Text.assemble((cell, self._mark)) for cell in row))

    def _shown(self, field: Field, style: str) -> list[Text]:
        """The bytes of a field, eight to a line, or its source text."""
        if not self._is_hex:
            return [self._source(field, style)]
        lines = []
        for start in range(field.start, field.end, _BYTES_IN_ROW):
            line = Text()
            for i in range(start, min(start + _BYTES_IN_ROW, field.end)):
                line.append(" " if i == start + _BYTES_IN_ROW // 2 else "")
                line.append(
                    f"{self._data[i]:02x}", self._mark if i == self._at else style
                )
            lines.append(line)
        return lines

    def _source(self, field: Field, style: str) -> Text:
        """The source text of a field, without its middle where it is long."""
        source = self._data[field.start : field.end]
        if self._at is None or len(source) > _SOURCE_LEN:
            return Text(printable(source, _SOURCE_LEN), style)
        marked = (self._mark if field.start + i == self._at else style for i in count())
        shown = (printable(bytes([byte])) for byte in source)
        return Text.assemble(*zip(shown, marked, strict=False))


def _value_lines(field: Field, style: str, is_new: bool) -> list[Text]:
    """What a field says; is_new: it is the first of its record."""
    lines = [Text.assemble((field.text, style))] if field.text else []
    if is_new and lines:
        lines[0].append(f"  update {field.record}", "dim")
    if field.exact:
        lines.append(Text(field.exact))
    if field.meaning and not field.record:  # of later records it is known
        if len(lines) == 1 and len(lines[0]) + len(field.meaning) <= _INLINE_LEN:
            lines[0].append(f"  {field.meaning}", "dim")
        else:
            lines.append(Text(field.meaning, "dim"))
    if field.warning:
        lines.append(Text(field.warning, "bold yellow"))
    return lines


def _verdict(message: Message) -> list[Text]:
    fault = message.fault
    if fault is None:
        n = 0 if message.batch is None else len(message.batch)
        return [Text(f"good: {n:,} update{'' if n == 1 else 's'}", "bold green")]
    word, style = "bad: ", "bold red"
    if fault.code == ErrorCode.NOT_DATA:  # a good message, but none with prices
        word, style = "", "bold yellow"
    place = f"at byte {fault.offset:,} of the message"
    if fault.payload_offset is not None and not message.is_binary:
        place += f", byte {fault.payload_offset:,} of its payload"
    lines = [
        Text(f"{word}{fault.code}: {fault.code.description}", style),
        Text(place),
    ]
    if message.is_binary:
        return lines
    return lines + _excerpt(message.data, fault.offset, _mark(fault))


def _excerpt(data: bytes, at: int, style: str) -> list[Text]:
    """The text around a byte, and a mark below it."""
    half = _EXCERPT_LEN // 2
    before = _fitting([printable(bytes([b])) for b in data[:at][-half:]][::-1], half)
    after = _fitting([printable(bytes([b])) for b in data[at + 1 :][:half]], half)
    bad = printable(data[at : at + 1]) or " "
    lead = "".join(before[::-1])
    line = Text.assemble("  ", lead, (bad, style), "".join(after), no_wrap=True)
    return [line, Text(" " * (2 + len(lead)) + "^" * len(bad), "bold")]


def _fitting(pieces: list[str], width: int) -> list[str]:
    """The first pieces that fit into so many characters."""
    ends = accumulate(len(piece) for piece in pieces)
    return [piece for piece, end in zip(pieces, ends, strict=True) if end <= width]
