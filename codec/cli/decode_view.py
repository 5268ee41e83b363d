"""What `stork-codec decode` shows: a bar while it reads, and a summary."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING, Self

from codec.cli.progress import make_bar
from codec.cli.text import printable, utc_text

if TYPE_CHECKING:
    from codec.export import Summary

__all__ = ["Progress", "note", "report"]

_EVERY_S = 0.1
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def note(words: str) -> None:
    """Says something on standard error."""
    text = printable(os.fsencode(words))
    print(f"stork-codec: {text}", file=sys.stderr)


class Progress:
    """A bar on standard error, where that is a terminal, over all inputs' bytes."""

    def __init__(self, total_len: int | None) -> None:
        self._total = total_len
        self._next = 0.0
        self._bar = make_bar(binary_units=True)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, n_bytes: int, total_len: int | None = None) -> None:
        """Moves the bar to what has been read, of a total that was not known before."""
        if self._bar is not None and monotonic() >= self._next:
            self._next = monotonic() + _EVERY_S
            total = self._total if total_len is None else total_len
            self._bar.update(self._task, completed=n_bytes, total=total)


def report(summary: Summary) -> None:
    """The summary, on standard error."""
    for line in _lines(summary):
        print(line, file=sys.stderr)


def _lines(summary: Summary) -> list[str]:
    done = f"; {summary.n_done:,} done before" if summary.n_done else ""
    lines = [
        f"{_number(summary.n_messages, 'message')} in"
        f" {_number(summary.n_inputs, 'input')} ({_size(summary.read_len)}){done}",
        f"{_number(summary.n_updates, 'update')}"
        f" of {_number(summary.n_assets, 'asset')}",
    ]
    if summary.first_ns is not None and summary.last_ns is not None:
        lines.append(f"{utc_text(summary.first_ns)} to {utc_text(summary.last_ns)}")
    lines += _bad_lines(summary)
    if summary.n_missing is not None and summary.n_gaps is not None:
        gaps = _number(summary.n_gaps, "gap")
        missing = _number(summary.n_missing, "message")
        lines.append(f"{gaps}, {missing} missing" if summary.n_gaps else "no gaps")
    rate = summary.n_updates / max(summary.seconds, 1e-9)
    files = f"{_number(summary.n_files, 'file')}, {_size(summary.written_len)}, "
    files = files if summary.n_files else ""
    lines.append(f"{files}{summary.seconds:.2f} s: {rate:,.0f} updates/s")
    return lines


def _bad_lines(summary: Summary) -> list[str]:
    lines = []
    if summary.passed:
        lines.append(f"without data: {_by_code(summary.passed)}")
    lines.append(f"bad: {_by_code(summary.bad)}" if summary.bad else "none bad")
    if summary.n_damaged:
        lines.append(f"damaged: {_number(summary.n_damaged, 'place')}")
    if summary.n_unverified:
        lines.append(f"signature bad, kept: {_number(summary.n_unverified, 'message')}")
    if summary.n_overflowed:
        lines.append(f"beyond 38 digits, now null: {summary.n_overflowed:,}")
    return lines


def _by_code(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {code}" for code, n in sorted(counts.items()))


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _size(n: float) -> str:
    for unit in _UNITS[:-1]:
        if n < 1024:
            return f"{n:,.0f} {unit}" if unit == "B" else f"{n:,.1f} {unit}"
        n /= 1024
    return f"{n:,.1f} {_UNITS[-1]}"
