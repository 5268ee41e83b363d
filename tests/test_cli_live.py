"""Options of the live commands: flags, environment, file, and the token's secrecy."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

import pytest
from commands import TOKEN, arguments, run, served, started, until

from codec import Taxonomy
from codec.cli import main
from codec.cli.config import add_live_options
from codec.cli.fast_source import open_fast
from codec.cli.live import live_options
from codec.cli.options import UsageError, read_assets

URL = "ws://127.0.0.1:1/ws"
SIGNER = "0x3db9E960ECfCcb11969509FAB000c0c96DC51830"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORK_TOKEN", raising=False)


def parsed(*argv: str, command: str = "watch") -> Namespace:
    parser = ArgumentParser()
    add_live_options(parser, command)
    return parser.parse_args(argv)


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_assets() -> None:
    assert read_assets("1,2, 10-12") == {1, 2, 10, 11, 12}
    assert read_assets("0-65535") == frozenset(range(65536))
    for wrong in ("", "1,", "a", "-1", "3-2", "65536", "1-65536", "1-2-3", "²"):
        with pytest.raises(ArgumentTypeError):
            read_assets(wrong)


def test_every_option_from_flags_and_from_the_file(tmp_path: Path) -> None:
    flags = parsed(
        *(URL, "--second-url", URL, "--second-url", URL, "--assets", "1,2"),
        *(
            "--assets",
            "9-10",
            "--symbol",
            "A,B",
            "--symbol",
            "C",
            "--channel",
            "10ms",
            "--unsigned",
            "--market-status",
        ),
        *("--signer", SIGNER, "--on-bad-signature", "drop", "--max-age", "1.5"),
        *("--on-overflow", "wait", "--taxonomy", "t.json", "--token-file", "t"),
        *("--proxy", "socks5://p:1", "--ca-file", "ca.pem", "--no-deflate"),
        *("--metrics-port", "9100", "--log-format", "json", "--log-level", "info"),
        *("--log-file", "log"),
    )
    text = f"""
        url = "{URL}"
        second-url = ["{URL}", "{URL}"]
        assets = ["1,2", 9, 10]
        symbol = ["A", "B, C"]
        channel = "10ms"
        unsigned = true
        market-status = true
        signer = "{SIGNER}"
        on-bad-signature = "drop"
        max-age = 1.5
        on-overflow = "wait"
        taxonomy = "t.json"
        token-file = "t"
        proxy = "socks5://p:1"
        ca-file = "ca.pem"
        no-deflate = true
        metrics-port = 9100
        log-format = "json"
        log-level = "info"
        log-file = "log"
    """
    config = written(tmp_path / "c.toml", text)
    expected = live_options(flags)
    found = live_options(parsed("--config", config))
    for name in ("taxonomy", "token_file", "ca_file", "log_file"):
        assert getattr(found, name) == str(tmp_path / getattr(expected, name))
        object.__setattr__(found, name, getattr(expected, name))
    assert found == expected
    assert found.assets == {1, 2, 9, 10} and found.symbol == ["A", "B", "C"]
    assert found.signer[0].hex() in SIGNER.lower()


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    text = f'url = "{URL}"\nassets = "1-5"\nchannel = "1s"\nsigner = "{SIGNER}"\n'
    config = written(tmp_path / "c.toml", text)
    other = "0x" + "12" * 20
    options = live_options(
        parsed("ws://b", "--config", config, "--assets", "7", "--signer", other)
    )
    assert (options.url, options.assets) == ("ws://b", {7})
    assert options.channel == "1s" and options.signer == [b"\x12" * 20]


def token_of(*argv: str) -> str:
    with open_fast(live_options(parsed(URL, "--assets", "1", *argv))) as source:
        return source.token if isinstance(source.token, str) else source.token()


def test_the_tokens_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "token", "from-flag\n")
    written(tmp_path / "other", "from-the-configs-file")
    plain = written(tmp_path / "plain.toml", 'token = "from-config"')
    named = written(tmp_path / "named.toml", 'token-file = "other"')
    assert token_of("--config", plain) == "from-config"
    assert token_of("--config", named) == "from-the-configs-file"
    assert token_of("--config", plain, "--token-file", file) == "from-flag"
    monkeypatch.setenv("STORK_TOKEN", "from-environment")
    assert token_of() == "from-environment"
    assert token_of("--config", plain) == "from-environment"
    assert token_of("--config", named) == "from-environment"
    assert token_of("--config", named, "--token-file", file) == "from-flag"


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    file = written(tmp_path / "token", "one")
    options = live_options(parsed(URL, "--assets", "1", "--token-file", file))
    with open_fast(options) as source:
        written(tmp_path / "token", "two")
        assert callable(source.token) and source.token() == "two"


@pytest.mark.parametrize("content", ["", "two words", "two\nlines", "\xff", "é"])
def test_a_token_file_without_a_token(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode("latin-1" if content == "\xff" else "utf-8"))
    with pytest.raises(UsageError, match="does not hold a token") as raised:
        token_of("--token-file", str(path))
    assert "two" not in str(raised.value).removeprefix(str(path))


def test_no_repr_has_the_token(tmp_path: Path) -> None:
    config = written(tmp_path / "c.toml", f'url = "{URL}"\ntoken = "{TOKEN}"\n')
    options = live_options(parsed("--config", config, "--assets", "1"))
    with open_fast(options) as source:
        feed = source.feed(on_overflow="wait")
        assert TOKEN not in f"{options!r} {source!r} {feed!r}"


def test_all_that_is_wrong_with_a_file_at_once(tmp_path: Path) -> None:
    text = """
        market_status = true
        chanel = "10ms"
        unsigned = "yes"
        assets = [1, "x", true]
        max-age = "3"
        metrics-port = 70000
        log-level = "loud"
        signer = "0x12"
        token = ["aHVzaC1odXNo"]
        token-file = "x"
        proxy = 3
        [table]
    """
    config = written(tmp_path / "c.toml", text)
    with pytest.raises(UsageError) as raised:
        live_options(parsed("--config", config))
    first, *problems = str(raised.value).splitlines()
    assert first == f"{config}:"
    assert [line.split()[0].rstrip(":,") for line in problems] == [
        *("market_status", "chanel", "unsigned", "assets", "max-age"),
        *("metrics-port", "log-level", "signer", "token", "proxy", "table", "token"),
    ]
    whole = str(raised.value)
    assert "is it market-status?" in whole and "is it channel?" in whole
    assert "true or false is needed, not a string" in whole
    assert "a string is needed, not a list" in whole
    assert "one of debug, info, warning, error is needed" in whole
    assert TOKEN not in whole


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "is no TOML"),
        ("\xff", "is no TOML"),
        ('url = "http://x"\nassets = 1\ntoken = "t"', "ws://host"),
        ('url = "ws://u:p@x"\nassets = 1\ntoken = "t"', "no credentials"),
        ('url = "ws://x?channel=1s"\nassets = 1\ntoken = "t"', "the URL's channel"),
        ('url = "ws://x"\ntoken = "t"', "which assets"),
        ('url = "ws://x"\nassets = 1', "a token is needed"),
        ('url = "ws://x"\nassets = 1\ntoken = "t t"', "without spaces"),
        ('second-url = "ws://x"', "--second-url needs a URL"),
        (f'unsigned = true\nsigner = "{SIGNER}"', "no signers"),
    ],
)
def test_what_makes_no_sense(
    text: str, words: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(text.encode("latin-1"))
    for command in (["watch"], ["record", "-o", str(tmp_path / "out")]):
        assert main([*command, "--config", str(path)]) == 2
        out, err = capsys.readouterr()
        assert out == "" and words in err and err.startswith("stork-codec: ")
        assert "Traceback" not in err and "u:p" not in err
    assert not (tmp_path / "out").exists()


def test_files_that_are_missing_or_hold_something_else(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORK_TOKEN", TOKEN)
    missing = str(tmp_path / "missing")
    wrong = written(tmp_path / "wrong", "{}")
    base = ["watch", URL, "--assets", "1"]
    for option, status, words in (
        (["--config", missing], 1, "No such file"),
        (["--token-file", missing], 1, "No such file"),
        (["--taxonomy", missing], 1, "No such file"),
        (["--ca-file", missing], 1, "No such file"),
        (["--log-file", str(tmp_path)], 1, "directory"),
        (["--taxonomy", wrong], 1, "wrong: taxonomy_id is missing"),
        (["--ca-file", wrong], 2, "no certificates"),
    ):
        assert main([*base, *option]) == status
        err = capsys.readouterr().err
        assert words in err and err.count("\n") == 1 and TOKEN not in err


@pytest.mark.parametrize(
    "argv",
    [
        ["--channel", "5ms"],
        ["--assets", "x"],
        ["--max-age", "0"],
        ["--max-age", "nan"],
        ["--metrics-port", "-1"],
        ["--signer", "0x12"],
        ["--seconds", "0"],
    ],
)
def test_wrong_usage(argv: list[str], capsys: Capture) -> None:
    for command in (["watch"], ["record", "-o", "x"]):
        assert main([*command, *argv]) == 2
        assert "usage: stork-codec" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["--token", TOKEN], [f"--token={TOKEN}"]])
def test_a_missing_token_is_explained(argv: list[str], capsys: Capture) -> None:
    assert main(["watch", URL, "--assets", "1", *argv]) == 2
    err = capsys.readouterr().err
    for words in ("STORK_TOKEN", "--token-file", "--config", "never as an argument"):
        assert words in err
    assert TOKEN not in err


def test_an_options_file_serves_both_commands(tmp_path: Path) -> None:
    text = 'prefix = "x"\nsegment-mb = 5\nplain = true\non-overflow = "wait"\n'
    config = written(tmp_path / "c.toml", f'{text}output = "here"\n')
    for command in ("watch", "record"):
        options = live_options(parsed("--config", config, command=command))
        assert options.prefix == "x" and options.segment_mb == 5 and options.plain
        assert options.output == str(tmp_path / "here")


def test_names_and_taxonomy_from_a_file(tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "taxonomy_id": 7,
        "assets": [{"name": "BTCUSD", "asset_id": 3}, {"name": "E", "asset_id": 9}],
    }
    path = written(tmp_path / "t.json", json.dumps(fields))
    token = written(tmp_path / "token", "t")
    argv = [URL, "--taxonomy", path, "--token-file", token]
    with open_fast(live_options(parsed(*argv))) as source:
        assert source.names == {3: "BTCUSD", 9: "E"}
        assert source.taxonomy == Taxonomy.from_json(fields)
        assert source.assets == {3, 9}
    with open_fast(live_options(parsed(*argv, "--assets", "5"))) as source:
        assert source.assets == {5}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("command", [["watch"], ["record", "-o", "DIR"]])
def test_nobody_sees_the_token(command: list[str], tmp_path: Path) -> None:
    command = [str(tmp_path / "out") if word == "DIR" else word for word in command]
    log = tmp_path / "log"
    with served() as simulator:
        simulator.faults.status = (503, 1)
        options = ("--assets", "1", "--log-level", "debug", "--log-file", log)
        with started(*command, simulator.url, *options) as process:
            until(lambda: simulator.connections and simulator.connections[0].n_sent)
            assert TOKEN not in arguments(process.pid)
            process.terminate()
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert "503" in log.read_text()
    assert TOKEN not in out + err + log.read_text()


@pytest.mark.parametrize("command", [["watch"], ["record", "-o", "DIR"]])
def test_a_refused_token_is_one_line(command: list[str], tmp_path: Path) -> None:
    command = [str(tmp_path) if word == "DIR" else word for word in command]
    with served() as simulator:
        done = run(*command, simulator.url, "--assets", "1", token="d3Jvbmc")
    assert done.returncode == 1
    assert done.stderr.startswith("stork-codec: the server refused the token: HTTP 401")
    assert done.stderr.count("\n") == 1 and "d3Jvbmc" not in done.stdout + done.stderr


def test_tls_with_a_certificate_of_ones_own() -> None:
    with served(tls=True) as simulator:
        options = (simulator.url, "--assets", "1", "--seconds", "1")
        done = run("watch", *options, "--ca-file", simulator.certificate)
        assert done.returncode == 0 and "connected" in done.stdout
        done = run("watch", *options)
        assert done.returncode == 1 and "certificate is not trusted" in done.stderr


def test_structured_logs_and_another_connection(tmp_path: Path) -> None:
    with served() as simulator:
        options = ("--assets", "1", "--seconds", "1.5", "--log-format", "json")
        more = ("--second-url", simulator.url, "--log-level", "debug")
        done = run("watch", simulator.url, *options, *more)
    assert done.returncode == 0
    events = [json.loads(line) for line in done.stderr.splitlines()]
    connected = [
        event["connection"]
        for event in events
        if event.get("data", {}).get("state") == "connected"
    ]
    assert sorted(connected) == [0, 1]
    assert "connected, connected" in done.stdout
