"""`Symbols`: names of assets by number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from codec import _core

__all__ = ["Symbols"]


class Symbols:
    """Names of assets by index, in the order in which they were first met.

    A name that is there stays, under its index. At most 65,536 names of 4 MiB in all,
    each of at most 1024 bytes of UTF-8. Any thread may look names up, while one call
    that adds names runs: another one raises RuntimeError.

    names: those to begin with.
    """

    __slots__ = ("_table",)

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._table = _core.SymbolTable()
        for name in names:
            self.add(name)

    def add(self, name: str) -> int:
        """The index of a name, which is added where it is new.

        Raises ValueError for a name that is too long, or where there is no room left.
        """
        return self._table.add(name)

    def find(self, name: str) -> int | None:
        """The index of a name, None where it is not there."""
        return self._table.find(name)

    def __len__(self) -> int:
        return len(self._table.names)

    def __getitem__(self, i: int) -> str:
        return self._table.names[i]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __repr__(self) -> str:
        return f"<Symbols: {len(self)} names>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Symbols, (list(self),)
