"""Lists of assets as others write them: JSON as Stork's endpoint gives it, and CSV."""

from __future__ import annotations

import csv
import io
import json
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from codec import jsontext
from codec.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Entry", "checked", "merged", "read_csv", "read_json", "read_text"]

_FORMS = (
    'neither JSON as {"taxonomy_id":1,"assets":[{"name":"BTCUSD","asset_id":3}, ...]}'
    " nor CSV with the columns taxonomy_id, asset_id and symbol"
)
_KINDS: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number with a fraction",
    int: "an integer",
    list: "a list",
    str: "a string",
    type(None): "null",
}
_SYMBOL_COLUMNS = ("symbol", "name")


class Entry(NamedTuple):
    """What one place of a source says."""

    taxonomy_id: int
    asset_id: int
    symbol: str
    place: str


class _RepeatedKeyError(ValueError):
    pass


def read_text(data: bytes, source: str) -> Iterable[Entry]:
    """The entries of a file, JSON or CSV by what is in it.

    source: what errors call it, here and in all of this module.
    """
    text = _decoded(data, source)
    start = text.lstrip()[:1]
    if not start:
        raise TaxonomyError(f"{source}: it is empty")
    return read_json(text, source) if start in "{[" else read_csv(text, source)


def read_json(data: object, source: str) -> Iterator[Entry]:
    """The entries of a text, or of what a parser has made of it: an object, or several
    of them in a list."""
    if isinstance(data, (bytes, bytearray)):
        data = _decoded(data, source)
    if isinstance(data, str):
        data = _parsed(data, source)
    if isinstance(data, list):
        for i, item in enumerate(data):
            yield from _listed(item, source, f"[{i}]")
    else:
        yield from _listed(data, source, "")


def read_csv(data: str | bytes, source: str) -> Iterator[Entry]:
    """The entries of a text whose first line names the columns, in any order."""
    text = data if isinstance(data, str) else _decoded(data, source)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    try:
        for row in rows:
            if not any(field.strip() for field in row):
                continue
            place = f"line {rows.line_num}"
            if not columns:
                columns = _columns(row, source, place)
                continue
            if len(row) != len(columns):
                n = len(columns)
                _fail(source, place, f"the header has {n} columns, this has {len(row)}")
            yield _row(dict(zip(columns, row, strict=True)), source, place)
    except csv.Error as error:
        _fail(source, f"line {rows.line_num}", f"no CSV: {error}")
    if not columns:
        raise TaxonomyError(f"{source}: it is empty")


def checked(
    taxonomy_id: object, asset_id: object, symbol: object, source: str, place: str
) -> Entry:
    """An entry, once everything in it has been looked at."""
    return Entry(
        _id(taxonomy_id, source, place, "taxonomy_id"),
        _id(asset_id, source, place, "asset_id"),
        _symbol(symbol, source, place),
        place,
    )


def merged(entries: Iterable[Entry], source: str) -> dict[tuple[int, int], str]:
    """All of them together, by their ids.

    The same thing may be said twice. Raises TaxonomyError for an asset with two
    symbols, and for a symbol of two assets of a taxonomy.
    """
    by_id: dict[tuple[int, int], Entry] = {}
    by_symbol: dict[tuple[int, str], Entry] = {}
    for entry in entries:
        taxonomy_id, asset_id, symbol, place = entry
        other = by_id.setdefault((taxonomy_id, asset_id), entry)
        if other.symbol != symbol:
            what = f"asset {asset_id} of taxonomy {taxonomy_id} is {symbol}"
            _fail(source, place, f"{what}, but {other.symbol} at {other.place}")
        other = by_symbol.setdefault((taxonomy_id, symbol), entry)
        if other.asset_id != asset_id:
            what = f"{symbol} is asset {asset_id} of taxonomy {taxonomy_id}"
            _fail(source, place, f"{what}, but asset {other.asset_id} at {other.place}")
    return {key: by_id[key].symbol for key in sorted(by_id)}


def _fail(source: str, place: str, reason: str) -> NoReturn:
    raise TaxonomyError(": ".join(part for part in (source, place, reason) if part))


def _decoded(data: bytes | bytearray, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{source}: byte {error.start} is not UTF-8") from None


def _parsed(text: str, source: str) -> object:
    try:
        return jsontext.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        reason = f"no JSON: {error.msg}"
    except RecursionError:
        place, reason = "", "no list of assets nests so deep"
    except ValueError as error:  # of the hooks, or a number of thousands of digits
        place, reason = "", f"{error}"
    _fail(source, place, reason)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedKeyError(f"the key {twice[:50]!r} stands twice in an object")
    return result


def _constant(name: str) -> NoReturn:
    raise ValueError(f"no JSON: {name}")


def _listed(item: object, source: str, place: str) -> Iterator[Entry]:
    """The entries of one object of the endpoint's form."""
    fields = _fields(item, source, place)
    dot = f"{place}." if place else ""
    taxonomy_id = _member(fields, "taxonomy_id", source, place)
    assets = _member(fields, "assets", source, place)
    _id(taxonomy_id, source, place, "taxonomy_id")
    if not isinstance(assets, list):
        _fail(source, f"{dot}assets", f"a list is needed, not {_kind(assets)}")
    for i, asset in enumerate(assets):
        at = f"{dot}assets[{i}]"
        asset = _fields(asset, source, at)
        asset_id = _member(asset, "asset_id", source, at)
        yield checked(
            taxonomy_id, asset_id, _member(asset, "name", source, at), source, at
        )


def _fields(item: object, source: str, place: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        _fail(source, place, f"an object is needed, not {_kind(item)}")
    return item


def _member(fields: dict[str, Any], name: str, source: str, place: str) -> Any:
    if name not in fields:
        _fail(source, place, f"{name} is missing")
    return fields[name]


def _columns(row: list[str], source: str, place: str) -> list[str]:
    """The columns' names, once those that are needed stand there once each."""
    names = [field.strip().lower() for field in row]
    ids = ("taxonomy_id", "asset_id")
    found = [name for name in names if name in (*ids, *_SYMBOL_COLUMNS)]
    if not found:
        raise TaxonomyError(f"{source}: {_FORMS}")
    missing = [name for name in ids if name not in found]
    symbols = [name for name in found if name in _SYMBOL_COLUMNS]
    if not symbols:
        missing.append("symbol (or name)")
    if missing:
        _fail(source, place, f"there is no column {' and no column '.join(missing)}")
    if len(symbols) > 1 or len(found) > 3:
        _fail(source, place, f"too many columns: {', '.join(found)}")
    return ["symbol" if name in symbols else name for name in names]


def _row(fields: Mapping[str, str], source: str, place: str) -> Entry:
    taxonomy_id, asset_id = (
        _number(fields[name].strip(), source, f"{place}, column {name}")
        for name in ("taxonomy_id", "asset_id")
    )
    symbol = fields["symbol"].strip()
    return checked(taxonomy_id, asset_id, symbol, source, place)


def _number(text: str, source: str, place: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        _fail(source, place, f"an integer is needed, not {text[:50]!r}")
    return int(text)


def _id(value: object, source: str, place: str, name: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = index(value)  # type: ignore[arg-type]
    except TypeError:
        _fail(source, place, f"{name}: an integer is needed, not {_kind(value)}")
    if not 0 <= number <= 65535:
        shown = number if abs(number) < 10**20 else "a huge number"
        _fail(source, place, f"{name}: {shown} is not in 0 .. 65535")
    return number


def _symbol(value: object, source: str, place: str) -> str:
    if not isinstance(value, str):
        _fail(source, place, f"the symbol: a string is needed, not {_kind(value)}")
    if not value:
        _fail(source, place, "the symbol is empty")
    if not value.isprintable() or value != value.strip():
        reason = "has white space around it, or what cannot be printed"
        _fail(source, place, f"the symbol {value[:50]!a} {reason}")
    return value


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)
