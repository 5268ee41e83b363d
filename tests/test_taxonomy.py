"""Taxonomy: what lists of assets say, in every form, and where they are wrong."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec import Taxonomy, TaxonomyError
from codec.dtypes import UPDATE_DTYPE

ROOT = Path(__file__).parents[1]
ONE = {"taxonomy_id": 1, "assets": [{"name": "BTCUSD", "asset_id": 3}]}
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


# Look-up of rows.


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


# Single assets.


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


# What is wrong, and where.


def in_json(**asset: Any) -> str:
    good = {"name": "ETHUSD", "asset_id": 4}
    fields = {"taxonomy_id": 1, "assets": [good, asset]}
    return json.dumps(fields)


NESTED = "[" * 100_000
JSON_FAULTS = [
    ("", "line 1, column 1: no JSON: Expecting value"),
    ('{"taxonomy_id": 1,\n "assets": [}', "line 2, column 13: no JSON: Expecting"),
    ("{", "line 1, column 2: no JSON: "),
    ("5", "an object is needed, not an integer"),
    ("null", "an object is needed, not null"),
    ('["x"]', "[0]: an object is needed, not a string"),
    (b"\xff{}", "byte 0 is not UTF-8"),
    (NESTED, "no list of assets nests so deep"),
    ("{}", "taxonomy_id is missing"),
    ('[{"taxonomy_id": 1}]', "[0]: assets is missing"),
    ('{"taxonomy_id": 1, "assets": {}}', "assets: a list is needed, not an object"),
    ('{"taxonomy_id": 1, "assets": [3]}', "assets[0]: an object is needed, not an"),
    ('{"taxonomy_id": "1", "assets": []}', "taxonomy_id: an integer is needed, not a"),
    ('{"taxonomy_id": 65536, "assets": []}', "taxonomy_id: 65536 is not in 0 .. 65535"),
    (
        '{"taxonomy_id": 1, "taxonomy_id": 2, "assets": []}',
        "'taxonomy_id' stands twice",
    ),
    ('{"taxonomy_id": NaN, "assets": []}', "no JSON: NaN"),
    ('{"taxonomy_id": 1' + "0" * 5000 + ', "assets": []}', "digits"),
    ('{"taxonomy_id": 1' + "0" * 500 + ', "assets": []}', "a huge number is not in"),
    (in_json(asset_id=3), "assets[1]: name is missing"),
    (in_json(name="A"), "assets[1]: asset_id is missing"),
    (in_json(name="A", asset_id=-1), "assets[1]: asset_id: -1 is not in 0 .. 65535"),
    (in_json(name="A", asset_id=65536), "assets[1]: asset_id: 65536 is not in"),
    (in_json(name="A", asset_id=3.0), "asset_id: an integer is needed, not a number"),
    (in_json(name="A", asset_id=True), "asset_id: an integer is needed, not true or"),
    (in_json(name="A", asset_id="3"), "asset_id: an integer is needed, not a string"),
    (in_json(name=3, asset_id=3), "assets[1]: the symbol: a string is needed, not an"),
    (in_json(name="", asset_id=3), "assets[1]: the symbol is empty"),
    (in_json(name=" A", asset_id=3), "assets[1]: the symbol ' A' has white space"),
    (in_json(name="A\x1b[2J", asset_id=3), r"'A\x1b[2J' has white space around it, or"),
    (in_json(name="\ud800", asset_id=3), r"the symbol '\ud800' has"),
    (
        in_json(name="BTCUSD", asset_id=4),
        "assets[1]: asset 4 of taxonomy 1 is BTCUSD, but ETHUSD at assets[0]",
    ),
    (
        in_json(name="ETHUSD", asset_id=3),
        "assets[1]: ETHUSD is asset 3 of taxonomy 1, but asset 4 at assets[0]",
    ),
]


@pytest.mark.parametrize(("text", "words"), JSON_FAULTS)
def test_faults_of_json(text: str | bytes, words: str) -> None:
    with pytest.raises(TaxonomyError) as raised:
        Taxonomy.from_json(text, name="a.json")
    assert str(raised.value).startswith("a.json: ") and words in str(raised.value)
    assert str(raised.value).isascii()


HEAD = "taxonomy_id,asset_id,symbol\n"
CSV_FAULTS = [
    ("", "it is empty"),
    ("\n \n", "it is empty"),
    (b"\xfe", "byte 0 is not UTF-8"),
    ("<html>", "neither JSON as"),
    ("taxonomy_id;asset_id;symbol", "neither JSON as"),
    ("asset_id,symbol", "line 1: there is no column taxonomy_id"),
    ("asset_id", "no column taxonomy_id and no column symbol (or name)"),
    (
        "taxonomy_id,asset_id,name,symbol",
        "line 1: too many columns: taxonomy_id, asset",
    ),
    ("taxonomy_id,asset_id,asset_id,symbol", "line 1: too many columns"),
    (f"{HEAD}1,2", "line 2: the header has 3 columns, this has 2"),
    (f"{HEAD}1,2,A,B", "line 2: the header has 3 columns, this has 4"),
    (f"{HEAD}\n1,2,A\n1,x,B", "line 4, column asset_id: an integer is needed, not 'x'"),
    (f"{HEAD},2,A", "line 2, column taxonomy_id: an integer is needed, not ''"),
    (f"{HEAD}1,-2,A", "line 2, column asset_id: an integer is needed, not '-2'"),
    (f"{HEAD}1,\u00b2,A", "line 2, column asset_id: an integer is needed"),
    (f"{HEAD}1,{'9' * 30},A", "line 2, column asset_id: an integer is needed"),
    (f"{HEAD}1,65536,A", "line 2: asset_id: 65536 is not in 0 .. 65535"),
    (f"{HEAD}1,2,", "line 2: the symbol is empty"),
    (f'{HEAD}1,2,"A\nB"', r"line 3: the symbol 'A\nB' has white space"),
    (f'{HEAD}1,2,"A"B', "line 2: no CSV: "),
    (f'{HEAD}1,2,"A', "line 2: no CSV: unexpected end of data"),
    (f"{HEAD}1,2,{'A' * 200_000}", "line 2: no CSV: field larger than"),
    (f"{HEAD}1,2,A\n1,2,B", "line 3: asset 2 of taxonomy 1 is B, but A at line 2"),
    (f"{HEAD}1,2,A\n2,3,A\n1,3,A", "line 4: A is asset 3 of taxonomy 1, but asset 2"),
]


@pytest.mark.parametrize(("text", "words"), CSV_FAULTS)
def test_faults_of_csv(text: str | bytes, words: str) -> None:
    with pytest.raises(TaxonomyError) as raised:
        Taxonomy.from_csv(text, name="a.csv")
    assert str(raised.value).startswith("a.csv: ") and words in str(raised.value)


@pytest.mark.parametrize(
    ("symbols", "words"),
    [
        ({3: "A"}, "a key is a pair of taxonomy id and asset id, not 3"),
        ({(1, 2, 3): "A"}, "a key is a pair"),
        ({(1, 70000): "A"}, "(1, 70000): asset_id: 70000 is not in 0 .. 65535"),
        ({(-1, 0): "A"}, "(-1, 0): taxonomy_id: -1 is not in"),
        ({(1, "2"): "A"}, "(1, '2'): asset_id: an integer is needed, not a string"),
        ({(1, 2.0): "A"}, "an integer is needed, not a number with a fraction"),
        ({(1, 2): b"A"}, "(1, 2): the symbol: a string is needed, not bytes"),
        ({(1, 2): ""}, "(1, 2): the symbol is empty"),
        ({(1, 2): "A", (1, 3): "A"}, "(1, 3): A is asset 3 of taxonomy 1, but asset 2"),
    ],
)
def test_faults_of_a_dict(symbols: Any, words: str) -> None:
    with pytest.raises(TaxonomyError) as raised:
        Taxonomy(symbols)
    assert words in str(raised.value)
    assert isinstance(raised.value, codec.CodecError) and isinstance(
        raised.value, ValueError
    )


def test_what_is_no_list_at_all() -> None:
    for wrong in (None, [((1, 2), "A")], "A"):
        with pytest.raises(TypeError):
            Taxonomy(wrong)  # type: ignore[arg-type]
    ids = Taxonomy({(np.uint16(1), np.int64(3)): "A"})  # type: ignore[dict-item]
    assert ids == {(1, 3): "A"} and type(next(iter(ids))[0]) is int


# Files.


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ONE),
        f"\n  [{json.dumps(ONE)}, {json.dumps(ONE)}]",
        "\ufeff" + json.dumps(ONE | {"more": [1]}),
        "taxonomy_id,asset_id,symbol\n1,3,BTCUSD\n",
        "\ufeffNAME , Asset_ID,x,taxonomy_id\r\n\r\n BTCUSD ,3,,1\r\nBTCUSD,03,,1",
    ],
)
def test_a_file_by_what_is_in_it(content: str, tmp_path: Path) -> None:
    path = tmp_path / "assets.txt"
    path.write_bytes(content.encode())
    wanted = Taxonomy.from_ids({3: "BTCUSD"}, 1)
    assert Taxonomy.load(path) == Taxonomy.load(str(path)) == wanted


def test_faults_of_files(tmp_path: Path) -> None:
    path = tmp_path / "assets.json"
    for content, words in (
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"\x1f\x8b\x08\x00", "byte 1 is not UTF-8"),
        (b"BTCUSD 3", 'neither JSON as {"taxonomy_id":1,'),
        (b'{"taxonomy_id": 1, "assets": [{"name": "A"}]}', "assets[0]: asset_id is"),
    ):
        path.write_bytes(content)
        with pytest.raises(TaxonomyError) as raised:
            Taxonomy.load(path)
        assert str(raised.value).startswith(f"{path}: ") and words in str(raised.value)
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(TaxonomyError, match="over 67,108,864 bytes, which no"):
        Taxonomy.load(path)
    with pytest.raises(FileNotFoundError, match="missing"):
        Taxonomy.load(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        Taxonomy.load(tmp_path)


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
