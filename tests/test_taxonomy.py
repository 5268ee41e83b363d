"""Taxonomy: what lists of assets say in every form, and the list that ships."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxonomies import TWO, csv_of, mappings

import codec
from codec import Taxonomy, TaxonomyError

ROOT = Path(__file__).parents[1]
ONE = {"taxonomy_id": 1, "assets": [{"name": "BTCUSD", "asset_id": 3}]}


@given(mappings())
def test_every_form_says_the_same(mapping: dict[tuple[int, int], str]) -> None:
    taxonomy = Taxonomy(mapping)
    assert dict(taxonomy) == mapping and len(taxonomy) == len(mapping)
    assert list(taxonomy) == sorted(mapping)
    assert taxonomy.symbols == tuple(mapping[key] for key in sorted(mapping))
    for same in (
        Taxonomy(taxonomy),
        Taxonomy.from_json(taxonomy.to_json()),
        Taxonomy.from_json(taxonomy.to_json().encode()),
        Taxonomy.from_json(json.loads(taxonomy.to_json())),
        Taxonomy.from_csv(csv_of(mapping)),
        pickle.loads(pickle.dumps(taxonomy)),
        copy.deepcopy(taxonomy),
        taxonomy | taxonomy,
    ):
        assert same == taxonomy and hash(same) == hash(taxonomy)
        assert same.symbols == taxonomy.symbols
    assert taxonomy == mapping
    for (taxonomy_id, asset_id), symbol in mapping.items():
        assert taxonomy.symbol(asset_id, taxonomy_id) == symbol
        assert (taxonomy_id, asset_id) in taxonomy.assets(symbol)
        assert taxonomy.ids(symbol, taxonomy_id) == {asset_id}


@given(mappings(), st.data())
def test_parts_make_the_whole(
    mapping: dict[tuple[int, int], str], data: st.DataObject
) -> None:
    keys = data.draw(st.sets(st.sampled_from(sorted(mapping)))) if mapping else set()
    part = Taxonomy({key: mapping[key] for key in keys})
    rest = Taxonomy({key: mapping[key] for key in mapping if key not in keys})
    assert part | rest == rest | part == Taxonomy(mapping)


@given(mappings().filter(bool), st.data())
def test_every_clash_is_found(
    mapping: dict[tuple[int, int], str], data: st.DataObject
) -> None:
    taxonomy_id, asset_id = key = data.draw(st.sampled_from(sorted(mapping)))
    symbol = mapping[key]
    for other in ({key: f"{symbol}2"}, {(taxonomy_id, asset_id ^ 1): symbol}):
        both = Taxonomy(mapping), Taxonomy(other)
        texts = [taxonomy.to_json() for taxonomy in both]
        with pytest.raises(TaxonomyError, match="two taxonomies: the right: "):
            both[0] | both[1]
        with pytest.raises(TaxonomyError, match=r"JSON: \[\d+\]\.assets\[0\]: "):
            Taxonomy.from_json([*_objects(texts[0]), *_objects(texts[1])])
        more = "\n".join(csv_of(other).splitlines()[1:])
        with pytest.raises(TaxonomyError, match=r"CSV: line \d+: .*, but "):
            Taxonomy.from_csv(csv_of(mapping) + more)


def _objects(text: str) -> list[Any]:
    parsed = json.loads(text)
    return parsed if isinstance(parsed, list) else [parsed]


def test_questions() -> None:
    assert TWO.symbols == ("BTCUSD", "ETHUSD", "XAUUSD", "BTCUSD")
    assert TWO.taxonomy_ids == (1, 2)
    assert TWO.symbol(3, 1) == "BTCUSD" and TWO.symbol(3, 2) == "XAUUSD"
    assert TWO.symbol(3) is None  # they do not agree
    assert TWO.symbol(4) == "ETHUSD" and TWO.symbol(np.uint16(9)) == "BTCUSD"  # type: ignore[arg-type]
    assert TWO.symbol(5) is None and TWO.symbol(3, 7) is None
    assert TWO.assets("BTCUSD") == ((1, 3), (2, 9)) and TWO.assets("btcusd") == ()
    assert TWO.ids(["BTCUSD", "ETHUSD"]) == {3, 4, 9} and TWO.ids([]) == frozenset()
    assert TWO.ids("BTCUSD", taxonomy_id=2) == {9}
    assert (1, 3) in TWO and (3, 1) not in TWO and TWO.get((5, 5)) is None
    with pytest.raises(KeyError):
        TWO[5, 5]


@pytest.mark.parametrize(
    ("symbols", "taxonomy_id", "words"),
    [
        (["XAUSD", "ETHUSD", "?"], None, "called 'XAUSD' (is it XAUUSD?), '?'"),
        (["ethusd"], None, "called 'ethusd' (is it ETHUSD"),
        (["ETHUSD"], 2, "no asset of taxonomy 2 is called 'ETHUSD'"),
        (["XAUUSD"], 9, "no asset of taxonomy 9 is called 'XAUUSD'"),
    ],
)
def test_unknown_symbols(
    symbols: list[str], taxonomy_id: int | None, words: str
) -> None:
    with pytest.raises(TaxonomyError) as raised:
        TWO.ids(symbols, taxonomy_id)
    assert words in str(raised.value)


def test_repr_and_what_cannot_be_changed() -> None:
    assert repr(TWO) == "<Taxonomy: 4 assets of taxonomies 1, 2>"
    assert repr(Taxonomy.from_json(ONE)) == "<Taxonomy: 1 asset of taxonomy 1>"
    assert repr(Taxonomy({})) == "<Taxonomy: 0 assets>"
    many = Taxonomy({(i, 1): "A" for i in range(2000)})
    assert repr(many) == "<Taxonomy: 2,000 assets of 2,000 taxonomies>"
    for name in ("symbols", "other"):
        with pytest.raises(AttributeError):
            setattr(TWO, name, ())
    with pytest.raises(TypeError):
        TWO[1, 3] = "X"  # type: ignore[index]
    with pytest.raises(TypeError):
        TWO | {(5, 5): "X"}
    assert TWO != {} and TWO != 5 and {TWO: 1}[Taxonomy(dict(TWO))] == 1
    source = {(1, 1): "A"}
    taxonomy = Taxonomy(source)
    source[1, 2] = "B"
    assert len(taxonomy) == 1


def test_the_example() -> None:
    example = Taxonomy.example()
    assert example.ids(["BTCUSD", "ETHUSD"]) == {1, 2} and len(example) == 10
    path = Path(codec.__file__).parent / "data" / "taxonomy.json"
    assert path.read_text() == example.to_json()  # so to_json stays as people read it


@pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="needs the source tree")
def test_the_example_ships(tmp_path: Path) -> None:
    commands = (
        ["egg_info", "--egg-base", tmp_path],
        ["build_py", "--build-lib", tmp_path / "wheel"],
        ["sdist", "--dist-dir", tmp_path, "--formats", "tar"],
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "setup.py", "--quiet"]
        + [str(word) for command in commands for word in command],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = (ROOT / "codec" / "data" / "taxonomy.json").read_bytes()
    assert (tmp_path / "wheel" / "codec" / "data" / "taxonomy.json").read_bytes() == (
        wanted
    )
    with tarfile.open(next(tmp_path.glob("*.tar"))) as sdist:
        names = sdist.getnames()
    assert any(name.endswith("/codec/data/taxonomy.json") for name in names)


def test_import_is_light() -> None:
    code = (
        "import sys, codec; print([m for m in ('csv', 'json', 'difflib', 'ssl',"
        " 'http.client', 'urllib.request', 'codec.asset_lists') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_examples_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "taxonomy.md").read_text()
    names: dict[str, object] = {}
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 3
    for example in examples:
        exec(compile(example, "docs/taxonomy.md", "exec"), names)
        expected = re.findall(r"^# (.*)$", example, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == expected
