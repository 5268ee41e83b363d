"""A bar of bytes on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["progress"]

_BAR_LEN = 30


@contextmanager
def progress(total_len: int | None) -> Iterator[Callable[[int], None]]:
    """Shows the bar, and gives what moves it on by a number of bytes.

    total_len: None where only reading will tell.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda n_bytes: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bar = Progress(
        BarColumn(_BAR_LEN),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=total_len)
        yield lambda n_bytes: bar.advance(task, n_bytes)
