"""The terminal: a console, tables without lines, and the styles of what is at fault."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console
from rich.table import Table

from codec.errors import ErrorCode

__all__ = ["BAD", "GOOD", "NOTE", "console", "mark_style", "table"]

GOOD = "bold green"
BAD = "bold red"
NOTE = "bold yellow"
_FAULT = "bold white on red"
_OTHER = "bold black on yellow"  # a message of another type: not really a fault


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


def mark_style(code: ErrorCode | None) -> str:
    """The style of the byte that is at fault."""
    return _OTHER if code == ErrorCode.NOT_DATA else _FAULT
