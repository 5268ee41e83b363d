"""Which assets a command is to take: --taxonomy, --asset and --symbol."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

import pytest
from commands import TOKEN, served

import codec
from codec import Taxonomy, TaxonomyError
from codec.cli.options import (
    UsageError,
    add_assets,
    add_taxonomy,
    load_taxonomy,
    wanted_assets,
)

TWO = Taxonomy({(1, 3): "BTCUSD", (1, 4): "ETHUSD", (2, 3): "XAUUSD", (2, 9): "BTCUSD"})
Capture = pytest.CaptureFixture[str]


def parsed(*argv: str) -> Namespace:
    parser = ArgumentParser()
    add_taxonomy(parser)
    add_assets(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], None),
        (["--asset", "3"], [(None, 3)]),
        (["--asset", "9,4-5", "--asset", "4"], [(None, 4), (None, 5), (None, 9)]),
        (["--symbol", "BTCUSD"], [(1, 3), (2, 9)]),
        (["--symbol", "XAUUSD, ETHUSD"], [(1, 4), (2, 3)]),
        (
            ["--symbol", "XAUUSD", "--asset", "7", "--symbol", "ETHUSD"],
            [(None, 7), (1, 4), (2, 3)],
        ),
    ],
)
def test_wanted_assets(
    argv: list[str], expected: list[tuple[int | None, int]] | None
) -> None:
    assert wanted_assets(parsed(*argv), TWO) == expected


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("BTCUSDT", "no asset is called 'BTCUSDT' (is it BTCUSD?)"),
        ("xauusd", "no asset is called 'xauusd' (is it XAUUSD?)"),
        ("ETHUSD,?,EHTUSD", "'?', 'EHTUSD' (is it ETHUSD"),
    ],
)
def test_unknown_symbols(names: str, words: str) -> None:
    with pytest.raises(UsageError, match="--symbol: no asset is called") as raised:
        wanted_assets(parsed("--symbol", names), TWO)
    assert words in str(raised.value)


def test_a_symbol_needs_a_taxonomy() -> None:
    with pytest.raises(UsageError, match="--symbol BTCUSD needs a --taxonomy"):
        wanted_assets(parsed("--symbol", "BTCUSD"), None)
    assert wanted_assets(parsed("--asset", "3"), None) == [(None, 3)]


@pytest.mark.parametrize(
    "argv", [["--symbol", ""], ["--symbol", "A,,B"], ["--asset", "x"], ["--asset", ""]]
)
def test_wrong_usage(argv: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        parsed(*argv)
    assert "needed, not" in capsys.readouterr().err


def test_a_taxonomy_from_a_file_and_from_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_taxonomy(parsed()) is None
    path = tmp_path / "t.json"
    path.write_text(TWO.to_json())
    assert load_taxonomy(parsed("--taxonomy", str(path))) == TWO
    with pytest.raises(FileNotFoundError):
        load_taxonomy(parsed("--taxonomy", str(tmp_path / "missing")))
    with served(assets=range(1, 4)) as simulator:
        url = f"http://127.0.0.1:{simulator.port}/v1/taxonomy"
        monkeypatch.delenv("STORK_TOKEN", raising=False)
        with pytest.raises(TaxonomyError, match="a token is needed"):
            load_taxonomy(parsed("--taxonomy", url))
        monkeypatch.setenv("STORK_TOKEN", TOKEN)
        found = load_taxonomy(parsed("--taxonomy", url))
    assert found == codec.Taxonomy.from_ids(
        {1: "BTCUSD", 2: "ETHUSD", 3: "SOLUSD"}, taxonomy_id=1
    )
