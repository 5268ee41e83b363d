"""A bar of bytes on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

__all__ = ["make_bar", "progress"]

_BAR_LEN = 30


@contextmanager
def progress(total_len: int | None) -> Iterator[Callable[[int], None]]:
    """Shows the bar, and gives what moves it on by a number of bytes.

    total_len: None where only reading will tell.
    """
    bar = make_bar()
    if bar is None:
        yield lambda n_bytes: None
        return
    with bar:
        task = bar.add_task("", total=total_len)
        yield lambda n_bytes: bar.advance(task, n_bytes)


def make_bar(*, binary_units: bool = False) -> Progress | None:
    """A bar of bytes, of their rate and of the time left; None without a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        BarColumn(_BAR_LEN),
        DownloadColumn(binary_units=binary_units),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
