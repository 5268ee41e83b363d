"""Taxonomy.index: where the symbols of rows stand, for arrays of any kind."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxonomies import IDS, TWO, mappings

from codec import Taxonomy
from codec.dtypes import UPDATE_DTYPE


def expected(taxonomy: Taxonomy, taxonomy_ids: Any, asset_ids: Any) -> list[int]:
    places = {key: place for place, key in enumerate(taxonomy)}
    return [
        places.get((t, a), -1)
        for t, a in zip(taxonomy_ids.tolist(), asset_ids.tolist(), strict=True)
    ]


@given(
    mappings(), st.lists(st.tuples(IDS, IDS), max_size=50), st.sampled_from([1, 2, -1])
)
def test_index(
    mapping: dict[tuple[int, int], str], others: list[tuple[int, int]], step: int
) -> None:
    taxonomy = Taxonomy(mapping)
    crossed = [(t, a) for t, _ in mapping for _, a in mapping]
    rows = np.zeros(len(mapping) + len(others) + len(crossed), UPDATE_DTYPE)
    pairs = np.array([*mapping, *others, *crossed], np.uint16).reshape(-1, 2)
    rows["taxonomy_id"], rows["asset_id"] = pairs.T
    found = taxonomy.index(rows["taxonomy_id"][::step], rows["asset_id"][::step])
    assert found.dtype == np.int32
    assert found.tolist() == expected(taxonomy, *pairs[::step].T)
    for key in list(mapping)[:1]:
        one = taxonomy.index(key[0], rows["asset_id"])
        assert one.tolist() == expected(
            taxonomy, np.full(len(rows), key[0]), pairs[:, 1]
        )


@pytest.mark.parametrize("n_taxonomies", [1, 2, 64, 65, 300])
def test_index_of_many_rows(n_taxonomies: int) -> None:
    rng = np.random.default_rng(1)
    known = rng.integers(0, 65536, (n_taxonomies, 50))
    taxonomy = Taxonomy(
        {(t, int(a)): f"S{a}" for t, ids in enumerate(known) for a in ids}
    )
    rows = np.zeros(100_000, UPDATE_DTYPE)
    rows["taxonomy_id"] = rng.integers(0, n_taxonomies + 1, len(rows))
    rows["taxonomy_id"][:70_000] = 0  # two chunks and a bit of one id
    rows["asset_id"] = rng.choice(known.ravel(), len(rows))
    found = taxonomy.index(rows["taxonomy_id"], rows["asset_id"])
    assert found.tolist() == expected(taxonomy, rows["taxonomy_id"], rows["asset_id"])
    assert (found >= 0).any() and (found < 0).any()
    places = [taxonomy.symbols[i] for i in found[found >= 0][:100]]
    assert places == [f"S{a}" for a in rows["asset_id"][found >= 0][:100]]


def test_index_of_other_arrays() -> None:
    for kind in (np.int64, np.uint8, np.uint32, ">u2", list):
        ids = [3, 4, 5] if kind is list else np.array([3, 4, 5], kind)  # type: ignore[arg-type]
        assert TWO.index([1, 1, 2], ids).tolist() == [0, 1, -1]
    assert TWO.index([], []).tolist() == []
    assert Taxonomy({}).index([1], [3]).tolist() == [-1]
    for wrong in ([70_000], [-1]):
        with pytest.raises(ValueError, match=r"0 \.\. 65535"):
            TWO.index([1], wrong)
    with pytest.raises(TypeError, match="integers"):
        TWO.index([1], [1.5])
    for shape in ([1, 2], [[1]]):
        with pytest.raises(ValueError, match="same length"):
            TWO.index(shape, [3])


def test_index_from_several_threads() -> None:
    rows = np.zeros(1000, UPDATE_DTYPE)
    rows["taxonomy_id"], rows["asset_id"] = 1, np.arange(1000) % 6
    wanted = expected(TWO, rows["taxonomy_id"], rows["asset_id"])
    for _ in range(20):
        fresh, results = Taxonomy(TWO), []
        begin = threading.Barrier(4)

        def look(taxonomy: Taxonomy, results: list[Any], begin: Any) -> None:
            begin.wait()
            results.append(taxonomy.index(rows["taxonomy_id"], rows["asset_id"]))

        threads = [
            threading.Thread(target=look, args=(fresh, results, begin))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found.tolist() for found in results] == [wanted] * 4
