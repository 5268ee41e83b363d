"""What is wrong with a list of assets, and where it is said to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import codec
from codec import Taxonomy, TaxonomyError

ONE = {"taxonomy_id": 1, "assets": [{"name": "BTCUSD", "asset_id": 3}]}


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
