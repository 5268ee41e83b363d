"""Styled text in lines that fit a terminal: what live views are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "Line", "clock_text", "cropped", "table_lines", "title_line"]

# Pieces of a line, each with a style of rich.
Line: TypeAlias = "list[tuple[str, str]]"


@dataclass(frozen=True, slots=True)
class Column:
    """least: its width at least, so that it stays where it is while values change."""

    title: str
    cells: list[tuple[str, str]]
    is_left: bool = False
    least: int = 0

    @property
    def width(self) -> int:
        return max(self.least, len(self.title), *(len(text) for text, _ in self.cells))

    def padded(self, text: str, width: int) -> str:
        return text.ljust(width) if self.is_left else text.rjust(width)


def table_lines(columns: Sequence[Column], gap: int) -> list[Line]:
    """A title and the rows, so many spaces between columns."""
    lines: list[Line] = []
    widths = [column.width for column in columns]
    titles = tuple((column.title, "bold") for column in columns)
    for cells in (titles, *zip(*(column.cells for column in columns), strict=True)):
        line: Line = []
        for column, (text, style), wide in zip(columns, cells, widths, strict=True):
            line += [
                (" " * gap if line else "", ""),
                (column.padded(text, wide), style),
            ]
        lines.append(line)
    return lines


def title_line(place: str, hint: str, width: int) -> Line:
    """What is shown, and at the right end a hint, where there is room."""
    gap = width - len(place) - len(hint)
    if gap < 2:
        return [(place, "bold")]
    return [(place, "bold"), (" " * gap, ""), (hint, "dim")]


def clock_text(time_ns: int) -> str:
    """The time of day, UTC."""
    seconds = time_ns // 10**9 % 86400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def cropped(line: Line, width: int) -> Line:
    """As much of a line as fits."""
    result: Line = []
    for text, style in line:
        result.append((text[:width], style))
        width -= len(text)
        if width <= 0:
            break
    return result
