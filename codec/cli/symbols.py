"""Symbols beside the asset ids of a message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from codec.cli.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from codec.cli.anatomy import Field
    from codec.taxonomy import Taxonomy

__all__ = ["with_symbols"]

_TAXONOMY_NAMES = ("taxonomy", "tax")  # of fields in a payload and in a frame
_ASSET_NAMES = ("asset id", "id")
_MAX_LEN = 24


def with_symbols(fields: Iterable[Field], taxonomy: Taxonomy | None) -> Iterator[Field]:
    """The fields, each asset id with its symbol, where a taxonomy is given.

    A list is looked through for the taxonomy id first: a frame may have it at its end.
    """
    if taxonomy is None:
        yield from fields
        return
    taxonomy_id = _taxonomy_id(fields) if isinstance(fields, list) else None
    for field in fields:
        if field.name in _TAXONOMY_NAMES and taxonomy_id is None:
            taxonomy_id = _number(field)
        asset_id = _number(field) if field.name in _ASSET_NAMES else None
        if field.record is None or asset_id is None or taxonomy_id is None:
            yield field
            continue
        symbol = taxonomy.symbol(asset_id, taxonomy_id)
        shown = "unknown" if symbol is None else _shown(symbol)
        yield replace(field, text=f"{field.text}  {shown}")


def _taxonomy_id(fields: Iterable[Field]) -> int | None:
    """The first one that a frame says."""
    found = (_number(field) for field in fields if field.name in _TAXONOMY_NAMES)
    return next((number for number in found if number is not None), None)


def _number(field: Field) -> int | None:
    """An id, or None where it is none."""
    text = field.text
    is_short = text.isascii() and text.isdigit() and len(text) < 6
    return int(text) if is_short and int(text) < 65536 else None


def _shown(symbol: str) -> str:
    return printable(symbol.encode("utf-8"), _MAX_LEN)
