"""The live commands on a simulated aggregator."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import CONTROL, TOKEN, Terminal, run, served, started

from codec.aggregator import decode_lines
from codec.cli import main
from codec.cli.aggregator_source import AggregatorBoard
from codec.cli.live import live_options
from codec.recording import read
from codec.simulator import AggregatorSimulator

OPTIONS = ("--aggregator", "--symbol", "BTCUSD,ETHUSD")
OTHER = "0x" + "12" * 20
Capture = pytest.CaptureFixture[str]


def test_the_newest_values_to_the_last_digit() -> None:
    with served(AggregatorSimulator, keep_sent=True) as simulator:
        signer = ("--signer", simulator.signer)
        done = run("watch", simulator.url, *OPTIONS, *signer, "--seconds", "1.2")
        sent = [json.loads(message) for message in simulator.history[0].sent]
    assert (done.returncode, done.stderr) == (0, "")
    first, *_, last = done.stdout.splitlines()
    assert first.endswith("/evm/subscribe  require aggregate")
    assert last.endswith(f"{2 * len(sent)} updates in 1.2 s, all verified")
    for asset in ("BTCUSD", "ETHUSD"):
        (line,) = (x for x in done.stdout.splitlines() if x.startswith(f"{asset} "))
        digits = sent[-1]["data"][asset]["price"]
        assert f" {digits[:-18]}.{digits[-18:]} " in line and line.endswith("yes")
    assert sum(x.startswith("symbol ") for x in done.stdout.splitlines()) == 1


def test_what_does_not_pass_is_counted_and_never_shown() -> None:
    with served(AggregatorSimulator) as simulator:
        done = run(
            *("watch", simulator.url, *OPTIONS, "--signer", OTHER, "--seconds", "1.2")
        )
        assert done.returncode == 1 and "no data came" in done.stderr
        assert " 0 updates " in done.stdout.splitlines()[-1]
        assert "untrusted_signer" in done.stderr
        simulator.faults.wrong_merkle_root = True
        for require, n in (("aggregate", 1), ("all", 0), ("none", 1)):
            done = run(
                *("watch", simulator.url, *OPTIONS, "--require", require),
                *("--seconds", "1.2"),
            )
            assert (" 0 updates " in done.stdout.splitlines()[-1]) == (n == 0)


def test_in_a_terminal() -> None:
    with served(AggregatorSimulator) as simulator:
        terminal = Terminal("watch", simulator.url, *OPTIONS, "--seconds", "2")
        terminal.read_until("BTCUSD")
        terminal.read_until("bad publishers 0")
        assert terminal.status() == 0
    assert "\n id " not in CONTROL.sub("", terminal.text)
    assert TOKEN not in terminal.text


def test_without_a_url_and_with_metrics(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('aggregator = true\nsymbol = ["BTCUSD"]\nmetrics-port = 0\n')
    done = run("watch", "--config", config, "--seconds", "1.2")
    assert (done.returncode, done.stderr) == (0, "")
    assert ", simulated  require aggregate, metrics on port " in done.stdout
    assert done.stdout.splitlines()[-1].endswith("all verified")


def test_recorded_and_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    with served(AggregatorSimulator, keep_sent=True) as simulator:
        simulator.faults.high_s = 1
        done = run("record", simulator.url, *OPTIONS, "-o", folder, "--seconds", "1.6")
        sent = simulator.history[0].sent
    assert (
        done.returncode == 0
        and "among them, or on the way: 2 had a bad" in (done.stdout.splitlines()[-1])
    )
    assert {path.name[:17] for path in folder.glob("[!.]*")} == {"stork-aggregator-"}
    frames = run("replay", folder, "--format", "frames").stdout.splitlines()
    prices = [frame for frame in frames if '"oracle_prices"' in frame]
    assert [price.encode() for price in prices] == sent[: len(prices)] != []
    batch = decode_lines(b"".join(read(folder)), on_error="skip")
    assert len(batch) == 2 * len(prices) and not batch.aggregates["verified"].all()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = ("replay", folder, "--serve", port, "--aggregator", "--fast")
    with started(*argv) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(": ")[0]
        again = tmp_path / "again"
        asked = ("--aggregator", "--symbol", "BTCUSD,NEW", "-o", again)
        done = run("record", url, *asked, "--messages", len(prices) - 1)
        assert process.wait(60) == 0
    assert done.returncode == 0
    served_again = run("replay", again, "--format", "frames").stdout.splitlines()
    assert [x for x in served_again if '"oracle_prices"' in x] == prices


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["watch", "ws://a", "--aggregator"], "--symbol BTCUSD"),
        (["watch", "--aggregator", "--assets", "1"], "--assets has no meaning with"),
        (["watch", "--aggregator", "--channel", "1s"], "--channel has no meaning with"),
        (["watch", "--require", "all"], "--require has no meaning without"),
        (["watch", "ws://a/stark/subscribe", *OPTIONS], "/stark/subscribe"),
        (["record", "--aggregator"], "where to"),
        (["replay", "x", "--aggregator"], "--serve"),
        (["watch", "--aggregator", "--second-url", "ws://b"], "--second-url"),
    ],
)
def test_wrong_usage(
    argv: list[str], words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORK_TOKEN", TOKEN)
    assert main(argv) == 2
    assert words in capsys.readouterr().err


def test_a_board_of_aggregates() -> None:
    rows = np.zeros(
        4,
        [
            ("symbol", "u4"),
            ("value", [("lo", "u8"), ("hi", "i8")]),
            ("timestamp_ns", "u8"),
            ("verified", "?"),
        ],
    )
    rows["symbol"] = [3, 1, 3, 1]
    rows["value"] = [(5, 0), (2**64 - 7, -1), (6, 0), (8, 1)]
    rows["timestamp_ns"] = [1, 2, 3, 4]
    rows["verified"] = [True, True, False, True]

    class Batch:
        aggregates: Any = rows

    board = AggregatorBoard()
    board.add(Batch)  # type: ignore[arg-type]
    first, second = board.rows([1, 3])
    assert (first.value, first.previous, first.timestamp_ns) == (2**64 + 8, -7, 4)
    assert (second.value, second.previous, second.verified) == (6, 5, False)
    assert (board.n_verified, board.n_unverified) == (3, 1)


def test_the_prefix_follows_the_feed() -> None:
    from test_cli_live import parsed

    assert live_options(parsed("ws://a")).prefix == "stork-fast"
    assert live_options(parsed("ws://a", "--aggregator")).prefix == "stork-aggregator"
    given = live_options(parsed("ws://a", "--prefix", "mine", command="record"))
    assert given.prefix == "mine"
