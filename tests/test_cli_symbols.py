"""Symbols in the commands that show or take assets, with files and with servers."""

from __future__ import annotations

import re
import subprocess
from itertools import islice
from pathlib import Path

import pytest
from commands import COMMAND, TOKEN, environment, run, served

import codec
from codec import Taxonomy
from codec.cli import main
from codec.recording import read_frames

KEY = b"\x01" * 32
BOTH = Taxonomy({(1, 3): "BTCUSD", (1, 40): "ETHUSD", (7, 3): "XAUUSD"})
ONE = Taxonomy({(5, 3): "BTCUSD", (5, 40): "ETHUSD", (5, 41): "ODDUSD"})
Capture = pytest.CaptureFixture[str]


def written(folder: Path, taxonomy: Taxonomy) -> Path:
    path = folder / "taxonomy.json"
    path.write_text(taxonomy.to_json())
    return path


def watched(text: str) -> dict[int, str]:
    """The symbols in the table at the end, by id."""
    found = re.findall(r"^ *(\d+)  (\S+) +-?\d+\.\d{18} ", text, re.MULTILINE)
    return {int(asset_id): symbol for asset_id, symbol in found}


def subscribed(folder: Path) -> str:
    """The answer to the subscription, with which a recording begins."""
    return next(frame.decode() for _, frame in read_frames([str(folder)]))


# inspect


def inspect(message: str, path: Path, capsys: Capture) -> str:
    main(["inspect", "--taxonomy", str(path), "--", message])
    out, err = capsys.readouterr()
    assert err == "" and out.isascii()
    return out


@pytest.mark.parametrize("status", [None, [0, 1, 2]])
@pytest.mark.parametrize(
    ("taxonomy_id", "names"),
    [(1, ["BTCUSD", "unknown", "ETHUSD"]), (7, ["XAUUSD", "unknown", "unknown"])],
)
def test_inspect_a_payload(
    taxonomy_id: int,
    names: list[str],
    status: list[int] | None,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    payload = codec.encode(
        [3, 4, 40],
        [1, 2, 3],
        timestamp_ns=1,
        taxonomy_id=taxonomy_id,
        key=KEY,
        market_status=status,
    )
    path = written(tmp_path, BOTH)
    for message in (payload.hex(), codec.to_frame(payload).decode()):
        out = inspect(message, path, capsys)
        assert re.findall(r"asset id +(\d+)  (\w+) +update \d", out) == [
            (str(asset_id), name)
            for asset_id, name in zip((3, 4, 40), names, strict=True)
        ]
    first = 75 if status is None else 79
    cut = inspect(payload[: first + 1].hex(), path, capsys)
    assert "incomplete: 1 of 2 bytes" in cut and "unknown" not in cut
    assert "BTCUSD" not in inspect(payload[:66].hex(), path, capsys)
    assert main(["inspect", payload.hex()]) == 0
    assert "BTCUSD" not in capsys.readouterr().out


def test_inspect_a_frame_whose_taxonomy_comes_last(
    tmp_path: Path, capsys: Capture
) -> None:
    path = written(tmp_path, BOTH)
    entries = '[{"id":3,"v":"5"},{"id":70000,"v":"5"},{"v":"1","id":40}]'
    out = inspect(f'{{"type":"unsigned","a":{entries},"ts":1,"tax":1}}', path, capsys)
    assert re.search(r" id +3  BTCUSD  update 0", out)
    assert re.search(r" id +40  ETHUSD", out)
    assert re.search(r" id +70000  update 1", out)
    out = inspect(f'{{"type":"unsigned","a":{entries},"ts":1}}', path, capsys)
    assert "BTCUSD" not in out and "unknown" not in out


def test_inspect_shows_symbols_as_ascii(tmp_path: Path, capsys: Capture) -> None:
    path = written(tmp_path, Taxonomy({(1, 3): "\u00e9\u202f".strip() + "USD"}))
    payload = codec.encode([3], [1], timestamp_ns=1, taxonomy_id=1, key=KEY)
    assert r"3  \xc3\xa9USD" in inspect(payload.hex(), path, capsys)


# watch, record


def test_watch_a_simulator_by_symbols(tmp_path: Path) -> None:
    done = run("watch", "--symbol", "ETHUSD,WTIUSD", "--assets", "3", "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert watched(done.stdout) == {2: "ETHUSD", 3: "SOLUSD", 7: "WTIUSD"}
    path = written(tmp_path, ONE)
    done = run("watch", "--taxonomy", path, "--channel", "10ms", "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert watched(done.stdout) == {3: "BTCUSD", 40: "ETHUSD", 41: "ODDUSD"}


def test_watch_with_the_servers_own_list() -> None:
    with served(taxonomy=ONE) as simulator:
        options = ("--channel", "10ms", "--seconds", "1")
        url = ("--taxonomy", simulator.taxonomy_url)
        done = run("watch", simulator.url, *url, *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert watched(done.stdout) == {3: "BTCUSD", 40: "ETHUSD", 41: "ODDUSD"}
        assert "taxonomy_change" not in done.stdout
        done = run("watch", simulator.url, *url, *options, "--symbol", "ODDUSD")
        assert watched(done.stdout) == {41: "ODDUSD"}


def test_a_list_with_another_taxonomy_is_an_event(tmp_path: Path) -> None:
    path = written(tmp_path, BOTH)
    with served(taxonomy=ONE) as simulator:
        options = (simulator.url, "--symbol", "ETHUSD", "--seconds", "1")
        done = run("watch", *options, "--taxonomy", path)
        assert watched(done.stdout) == {40: "ETHUSD"}
        assert "taxonomy_change" not in done.stdout  # of several none is expected
        written(tmp_path, Taxonomy({(1, 40): "ETHUSD"}))
        done = run("watch", *options, "--taxonomy", path)
        assert "taxonomy 5 instead of 1" in done.stdout


def test_record_by_symbols(tmp_path: Path) -> None:
    with served(taxonomy=ONE, tls=True) as simulator:
        config = tmp_path / "stork.toml"
        config.write_text(
            f'url = "{simulator.url}"\ntaxonomy = "{simulator.taxonomy_url}"\n'
            f'ca-file = "{simulator.certificate}"\nsymbol = ["ODDUSD"]\n'
        )
        options = ("--config", config, "--messages", "3")
        done = run("record", "-o", tmp_path / "a", *options)
        assert (done.returncode, done.stderr) == (0, "")
        assert '"assets": [41]' in subscribed(tmp_path / "a")
        more = ("--symbol", "BTCUSD", "--symbol", "ETHUSD", "--assets", "41")
        done = run("record", "-o", tmp_path / "b", *options, *more)
        assert '"assets": [3, 40, 41]' in subscribed(tmp_path / "b")


@pytest.mark.parametrize("command", [["watch"], ["record", "-o", "DIR"]])
def test_what_cannot_be_followed(command: list[str], tmp_path: Path) -> None:
    command = [str(tmp_path / "out") if word == "DIR" else word for word in command]
    path = written(tmp_path, ONE)
    bad = tmp_path / "bad.csv"
    bad.write_text("taxonomy_id,asset_id,symbol\n1,2,A\n1,2,B\n")
    with served(taxonomy=ONE) as simulator:
        url, names = simulator.url, simulator.taxonomy_url
        for options, status, words in (
            ([url, "--symbol", "BTCUSD"], 2, "--symbol BTCUSD needs a --taxonomy"),
            (["--symbol", "BTCUSDT"], 2, "called 'BTCUSDT' (is it BTCUSD?)"),
            (
                [url, "--taxonomy", path, "--symbol", "eth-usd"],
                2,
                "--symbol: no asset is called 'eth-usd' (is it ETHUSD?)",
            ),
            ([url, "--taxonomy", bad], 1, f"{bad}: line 3: asset 2 of taxonomy 1 is"),
            ([url, "--taxonomy", url], 1, f"its list of assets is at {names}"),
            ([url, "--taxonomy", f"{names}x"], 1, "the server answered 404 Not Found"),
            (
                [url, "--taxonomy", names, "--proxy", "socks5://h:1"],
                2,
                "--taxonomy goes through no --proxy",
            ),
            (["--taxonomy", written(tmp_path, ONE), "--symbol", ""], 2, "names as BTC"),
        ):
            done = run(*command, *options)
            assert done.returncode == status
            last = done.stderr.splitlines()[-1]
            assert words in last and "stork-codec" in last
            assert done.stdout == "" and TOKEN not in done.stderr
        done = run(*command, url, "--taxonomy", names, token="d3Jvbmc")
        assert done.returncode == 1 and "d3Jvbmc" not in done.stdout + done.stderr
        assert done.stderr == f"stork-codec: {names}: the token is refused (401)\n"
    several = run(*command, "--taxonomy", written(tmp_path, BOTH))
    assert several.returncode == 2 and "one taxonomy" in several.stderr
    assert not (tmp_path / "out").exists()


# simulate


def simulate(*args: object) -> tuple[str, str, list[str]]:
    """The URLs of the server and its list, and the words that `watch` is given."""
    process = subprocess.Popen(
        [*COMMAND, "simulate", "--port", "0", *map(str, args)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout
    try:
        lines = list(islice(process.stdout, 7))
        words = dict(line.split(maxsplit=1) for line in lines)
        taxonomy = Taxonomy.load(words["symbols"].strip(), token="simulator")
        done = subprocess.run(
            [*COMMAND, *words["watch"].split()[2:], "--seconds", "1"],
            capture_output=True,
            text=True,
            env=environment(STORK_TOKEN="simulator"),
            timeout=60,
            check=True,
        )
    finally:
        process.kill()
        process.communicate()
    return words["assets"].strip(), taxonomy.to_json(), done.stdout.splitlines()


def test_simulate_names_its_assets(tmp_path: Path) -> None:
    assets, text, shown = simulate()
    assert assets == "1-10" and text == Taxonomy.example().to_json()
    assert watched("\n".join(shown))[1] == "BTCUSD"
    assets, text, shown = simulate("--taxonomy", written(tmp_path, ONE))
    assert assets == "3,40-41" and text == ONE.to_json()
    assert (
        watched("\n".join(shown)).items()
        <= {
            3: "BTCUSD",
            40: "ETHUSD",
            41: "ODDUSD",
        }.items()
    )
    assert "all verified" in shown[-1]


@pytest.mark.parametrize(
    ("taxonomy", "words"),
    [
        (BOTH, "a market has one taxonomy"),
        (Taxonomy({}), "a market has one taxonomy"),
        (Taxonomy({(0xFF01, 1): "A"}), "taxonomy id 65281: one of 0 .. 0xFEFF"),
    ],
)
def test_simulate_refuses_lists(
    taxonomy: Taxonomy, words: str, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["simulate", "--taxonomy", str(written(tmp_path, taxonomy))]) == 2
    assert words in capsys.readouterr().err
