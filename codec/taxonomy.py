"""`Taxonomy`: the symbols of assets, by taxonomy id and asset id."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from codec.asset_index import AssetIndex
from codec.errors import TaxonomyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ssl import SSLContext

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from codec.asset_lists import Entry

__all__ = ["Taxonomy"]

# A list of 65,536 assets takes some 3 MB.
_MAX_LEN = 64 << 20


class Taxonomy(Mapping[tuple[int, int], str]):
    """The symbols of assets: a mapping from (taxonomy id, asset id) to symbol.

    symbols: such a mapping; both ids are in 0 .. 65535. Within one taxonomy a symbol
    stands for one asset. It is read-only and hashable, can be pickled, and serves any
    number of threads. In the order of its keys: (taxonomy id, asset id) ascending.

    Raises TaxonomyError, here and wherever a list of assets is read, for what is wrong
    with the list or contradicts itself, naming the source and the place in it.
    """

    __slots__ = ("_assets", "_index", "_symbols")

    def __init__(self, symbols: Mapping[tuple[int, int], str]) -> None:
        from codec.asset_lists import merged

        # So that one that is refused has a repr.
        self._symbols: dict[tuple[int, int], str] = {}
        if not isinstance(symbols, Mapping):
            raise TypeError(f"a mapping is needed, not {type(symbols).__name__}")
        self._set(merged(_mapped(symbols), ""))

    def _set(self, symbols: dict[tuple[int, int], str]) -> None:
        self._symbols = symbols
        self._index: AssetIndex | None = None  # made when it is first needed
        self._assets: dict[str, list[tuple[int, int]]] = {}
        for key, symbol in symbols.items():
            self._assets.setdefault(symbol, []).append(key)

    @classmethod
    def _of(cls, entries: Iterable[Entry], source: str) -> Taxonomy:
        from codec.asset_lists import merged

        symbols = merged(entries, source)
        result = cls.__new__(cls)
        result._set(symbols)
        return result

    # Where it comes from.

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str],
        *,
        token: str | Callable[[], str] | None = None,
        timeout: float = 10.0,
        ssl_context: SSLContext | None = None,
    ) -> Taxonomy:
        """From a file, or live from `https://<host>/v1/taxonomy`; JSON or CSV by what
        is in it, 64 MiB at most.

        token: Stork's, or what gives it; sent to a URL's own host, and to no other. No
        file gets it. timeout: seconds without an answer, and for all of it.
        ssl_context: whom to trust, by default those whom the system trusts.

        Raises OSError for a file that cannot be read.
        """
        try:
            if isinstance(source, str) and "://" in source:
                from codec.taxonomy_endpoint import fetch

                data, name = fetch(source, token, timeout, _MAX_LEN, ssl_context)
            else:
                name = os.fspath(source)
                with open(name, "rb") as file:
                    data = file.read(_MAX_LEN + 1)
        finally:
            del token  # no traceback that shows variables has it
        if len(data) > _MAX_LEN:
            raise TaxonomyError(
                f"{name}: over {_MAX_LEN:,} bytes, which no list of assets has"
            )
        from codec.asset_lists import read_text

        return cls._of(read_text(data, name), name)

    @classmethod
    def from_json(cls, data: object, *, name: str = "JSON") -> Taxonomy:
        """From text as `{"taxonomy_id":1,"assets":[{"name":"BTCUSD","asset_id":3}]}`,
        from what a JSON parser makes of it, or from several such objects in a list.

        name: what errors call it. Keys beyond these are passed over.
        """
        from codec.asset_lists import read_json

        return cls._of(read_json(data, name), name)

    @classmethod
    def from_csv(cls, text: str | bytes, *, name: str = "CSV") -> Taxonomy:
        """From text whose first line names the columns, taxonomy_id, asset_id and
        symbol (or name), in any order, maybe among others."""
        from codec.asset_lists import read_csv

        return cls._of(read_csv(text, name), name)

    @classmethod
    def from_ids(cls, symbols: Mapping[int, str], taxonomy_id: int) -> Taxonomy:
        """From the symbols of one taxonomy, by asset id."""
        return cls({(taxonomy_id, key): symbol for key, symbol in symbols.items()})

    @classmethod
    def example(cls) -> Taxonomy:
        """What the simulator serves: ids that are made up, not Stork's."""
        folder = os.path.dirname(os.path.abspath(__file__))
        return cls.load(os.path.join(folder, "data", "taxonomy.json"))

    def to_json(self) -> str:
        """As the endpoint gives it, an asset on each line; of several taxonomies a
        list. `from_json` reads it back."""
        import json

        objects = []
        for taxonomy_id in self.taxonomy_ids:
            assets = ",\n".join(
                json.dumps({"name": symbol, "asset_id": key[1]})
                for key, symbol in self._symbols.items()
                if key[0] == taxonomy_id
            )
            objects.append(
                f'{{"taxonomy_id": {taxonomy_id}, "assets": [\n{assets}\n]}}'
            )
        if len(objects) == 1:
            return f"{objects[0]}\n"
        return f"[{', '.join(objects)}]\n"

    # What is in it.

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols, in the order of (taxonomy id, asset id)."""
        return tuple(self._symbols.values())

    @property
    def taxonomy_ids(self) -> tuple[int, ...]:
        """All taxonomy ids, ascending."""
        return tuple(dict.fromkeys(key[0] for key in self._symbols))

    def symbol(self, asset_id: int, taxonomy_id: int | None = None) -> str | None:
        """The asset's symbol, None where it is unknown.

        Without a taxonomy id: the one on which all taxonomies that have the asset
        agree, else None.
        """
        if taxonomy_id is not None:
            return self._symbols.get((taxonomy_id, asset_id))
        found = {self._symbols.get((i, asset_id)) for i in self.taxonomy_ids} - {None}
        return found.pop() if len(found) == 1 else None

    def assets(self, symbol: str) -> tuple[tuple[int, int], ...]:
        """The (taxonomy id, asset id) of a symbol, ascending; none where it is
        unknown."""
        return tuple(self._assets.get(symbol, ()))

    def ids(
        self, symbols: str | Iterable[str], taxonomy_id: int | None = None
    ) -> frozenset[int]:
        """The asset ids of symbols, in one taxonomy or in all.

        Raises TaxonomyError that names all that are unknown, and what is like them.
        """
        wanted = [symbols] if isinstance(symbols, str) else list(symbols)
        found: set[int] = set()
        unknown = []
        for symbol in wanted:
            ids = [i for t, i in self.assets(symbol) if taxonomy_id in (None, t)]
            found.update(ids)
            if not ids:
                unknown.append(f"{symbol[:50]!r}{self._hint(symbol, taxonomy_id)}")
        if unknown:
            where = "" if taxonomy_id is None else f" of taxonomy {taxonomy_id}"
            raise TaxonomyError(f"no asset{where} is called {', '.join(unknown)}")
        return frozenset(found)

    def _hint(self, symbol: str, taxonomy_id: int | None) -> str:
        from difflib import get_close_matches

        known = {
            name.casefold(): name
            for (i, _), name in self._symbols.items()
            if taxonomy_id in (None, i)
        }
        matches = get_close_matches(symbol.casefold(), known, cutoff=0.7)
        close = [known[match] for match in matches]
        return f" (is it {' or '.join(close)}?)" if close else ""

    # Look-up by the million.

    def index(self, taxonomy_ids: ArrayLike, asset_ids: ArrayLike) -> NDArray[np.int32]:
        """Where in `symbols` each asset's stands, -1 for unknown ones.

        Both: one-dimensional and of the same length, of integers in 0 .. 65535; uint16
        of any stride is taken as it is. taxonomy_ids may be one for all.
        """
        if self._index is None:
            self._index = AssetIndex(list(self._symbols))
        return self._index.find(taxonomy_ids, asset_ids)

    # What a mapping has.

    def __getitem__(self, key: tuple[int, int]) -> str:
        return self._symbols[key]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._symbols)

    def __len__(self) -> int:
        return len(self._symbols)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Taxonomy):
            return self._symbols == other._symbols
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(frozenset(self._symbols.items()))

    def __or__(self, other: Taxonomy) -> Taxonomy:
        """Both together. Raises TaxonomyError where they contradict each other."""
        if not isinstance(other, Taxonomy):
            return NotImplemented
        from codec.asset_lists import Entry

        return self._of(
            (
                Entry(*key, symbol, place)
                for place, taxonomy in (("the left", self), ("the right", other))
                for key, symbol in taxonomy._symbols.items()
            ),
            "two taxonomies",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Taxonomy, (self._symbols,)

    def __repr__(self) -> str:
        n, ids = len(self), self.taxonomy_ids
        text = f"{n:,} asset{'' if n == 1 else 's'}"
        if len(ids) > 4:
            text += f" of {len(ids):,} taxonomies"
        elif ids:
            text += f" of taxonom{'y' if len(ids) == 1 else 'ies'} "
            text += ", ".join(map(str, ids))
        return f"<Taxonomy: {text}>"


def _mapped(symbols: Mapping[Any, Any]) -> Iterator[Entry]:
    from codec.asset_lists import checked

    for key, symbol in symbols.items():
        if not (isinstance(key, tuple) and len(key) == 2):
            raise TaxonomyError(
                f"a key is a pair of taxonomy id and asset id, not {ascii(key)[:80]}"
            )
        yield checked(*key, symbol, "", f"{key}")
