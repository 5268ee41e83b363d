"""Messages as tables in the terminal, with rich: ASCII, and readable without colour."""

from __future__ import annotations

from itertools import count, islice, zip_longest
from typing import TYPE_CHECKING

from rich.text import Text

from codec.cli.anatomy import payload_fields, payload_layout
from codec.cli.frame import NAME_LEN
from codec.cli.symbols import with_symbols
from codec.cli.terminal import mark_style, table
from codec.cli.text import printable, utc_text
from codec.cli.verdict import message_verdict, signature_table
from codec.errors import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table

    from codec.cli.anatomy import Field
    from codec.cli.message import Message
    from codec.cli.signature import Signature
    from codec.taxonomy import Taxonomy

__all__ = ["message_view"]

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
_INLINE_LEN = 35  # so that the table of a frame fits into 80 columns
_FIELDS_IN_TABLE = 400
# Of the columns of bytes or source text, and of names.
_HEX_WIDTHS = (2 * _BYTES_IN_ROW + 1, 9)
_SOURCE_WIDTHS = (_SOURCE_LEN, NAME_LEN)


def message_view(
    message: Message,
    notes: Iterable[str] = (),
    signature: Signature | None = None,
    taxonomy: Taxonomy | None = None,
) -> Iterator[Text | Table | str]:
    """Everything about a message: what it is, its fields, the verdicts.

    taxonomy: the symbols stand beside the asset ids.
    """
    fault = message.fault
    for note in notes:
        yield Text(note, "yellow")
    yield Text(_headline(message), "bold")
    if message.receive_ns is not None:
        yield f"received {utc_text(message.receive_ns)}"
    if message.frame and _shows_frame(message):
        place = (fault.code, fault.offset) if fault else None
        rows = _Rows("source", message.data, _FRAME_STYLES, place)
        yield ""
        yield from rows.tables(with_symbols(message.frame.fields, taxonomy))
    if message.payload:
        place = _payload_fault(message, signature)
        rows = _Rows("bytes", message.payload, _PAYLOAD_STYLES, place)
        yield ""
        yield from rows.tables(with_symbols(payload_fields(message.payload), taxonomy))
    yield ""
    yield from message_verdict(message)
    if signature is not None:
        yield ""
        yield signature_table(signature)


def _payload_fault(
    message: Message, signature: Signature | None
) -> tuple[ErrorCode, int] | None:
    """What is wrong with a payload or its signature, and the byte of it to mark."""
    fault = message.fault
    if fault is not None:
        at = fault.payload_offset
        return None if at is None else (fault.code, at)
    bad = signature.fault if signature else None
    # A wrong signer is not wrong at any byte.
    if bad is None or bad.code == ErrorCode.WRONG_SIGNER:
        return None
    return bad.code, bad.offset


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


def _bytes(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace")


def _shows_frame(message: Message) -> bool:
    """Whether the members of a frame say more than its payload does."""
    is_signed = message.frame is not None and message.frame.type == "signed_ecdsa"
    fault = message.fault
    return not is_signed or (fault is not None and not fault.is_in_payload)


class _Rows:
    """Builds the table of fields of `data`: hex digits, or the source text of a frame.

    place: what is wrong, and the byte of `data` where it stands.
    """

    def __init__(
        self,
        title: str,
        data: bytes,
        styles: dict[str, str],
        place: tuple[ErrorCode, int] | None,
    ) -> None:
        self._data = data
        self._is_hex = title == "bytes"
        self._styles = styles
        self._code = place[0] if place else None
        self._at = place[1] if place else None
        self._mark = mark_style(self._code)
        self._record: int | None = None
        self._table = self._new_table()

    def tables(self, fields: Iterable[Field]) -> Iterator[Table]:
        """A row for each field, and one for a fault between them, in tables.

        A long message gets several, so that it shows at once and takes little memory.
        """
        remaining = iter(fields)
        is_marked = self._at is None
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
        if is_bad:
            values.append(Text.assemble((f"<< {self._code}", self._mark)))
            offset = Text.assemble((f">{field.start}", self._mark))
        columns = [offset], self._shown(field, style), [Text(field.name, style)], values
        for row in zip_longest(*columns):
            self._table.add_row(*row)

    def _add_fault(self) -> None:
        at = self._at
        if at is not None:
            byte = self._data[at : at + 1]
            shown = byte.hex() or "--" if self._is_hex else printable(byte) or "(end)"
            row = (f">{at}", shown, "", f"<< {self._code}")
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
