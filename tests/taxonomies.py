"""Lists of assets that the tests share."""

from __future__ import annotations

import csv
import io

from hypothesis import strategies as st

from codec import Taxonomy

TWO = Taxonomy({(2, 3): "XAUUSD", (1, 3): "BTCUSD", (1, 4): "ETHUSD", (2, 9): "BTCUSD"})
IDS = st.integers(0, 65535)
SYMBOLS = st.text(min_size=1, max_size=12).filter(
    lambda text: text.isprintable() and text == text.strip()
)


@st.composite
def mappings(draw: st.DrawFn) -> dict[tuple[int, int], str]:
    """Symbols that contradict nothing: within a taxonomy each once."""
    result = {}
    for taxonomy_id in draw(st.lists(IDS, max_size=4, unique=True)):
        symbols = draw(st.lists(SYMBOLS, max_size=6, unique=True))
        ids = draw(st.lists(IDS, min_size=6, max_size=6, unique=True))
        for asset_id, symbol in zip(ids, symbols, strict=False):
            result[taxonomy_id, asset_id] = symbol
    return result


def csv_of(mapping: dict[tuple[int, int], str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["note", "symbol", "asset_id", "taxonomy_id"])
    for (taxonomy_id, asset_id), symbol in mapping.items():
        writer.writerow(["a, b", symbol, asset_id, taxonomy_id])
    return out.getvalue()
