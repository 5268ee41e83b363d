"""`stork-codec publish`, as a process, to a simulated aggregator."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import traceback
from decimal import Decimal
from pathlib import Path

import pytest
from coincurve import PrivateKey
from commands import COMMAND, TOKEN, environment, served, started, until

from codec import keccak256
from codec.cli import main
from codec.cli.options import UsageError
from codec.cli.publish import _price, _publisher, register
from codec.simulator import AggregatorSimulator

KEY = "11" * 32
ID = "abcde"
Capture = pytest.CaptureFixture[str]


def publish(
    text: bytes | str, *args: object, **env: str
) -> subprocess.CompletedProcess[str]:
    """The command to its end, with a text to read."""
    return subprocess.run(
        [*COMMAND, "publish", *map(str, args)],
        input=text if isinstance(text, str) else text.decode("latin-1"),
        capture_output=True,
        text=True,
        encoding="latin-1",
        env=environment(**env),
        timeout=60,
        check=False,
    )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(f"0x{KEY}\n")
    path.chmod(0o600)
    return path


def test_prices_of_both_forms_to_the_aggregator(key_file: Path) -> None:
    text = (
        "BTCUSD 97338.123456789012345678\n\n  ETHUSD\t-1e2  \n"
        '{"asset":"SOLUSD","price":187.000000000000000001}\n'
        '{"asset":"XRPUSD","price":"2.5","more":[1]}\n'
    )
    with served(AggregatorSimulator, n_publishers=0) as simulator:
        options = ("--oracle-id", ID, "--key-file", key_file)
        done = publish(text, simulator.publish_url, *options, STORK_TOKEN=TOKEN)
        assert (done.returncode, done.stderr) == (0, "")
        sent = {}
        for message in simulator.history[0].received:
            assert message["type"] == "signed_prices"
            for asset, price in message["data"].items():
                assert price["oracle_id"] == ID
                sent[asset] = price["signed_price"]
        assert {asset: price["price"] for asset, price in sent.items()} == {
            "BTCUSD": "97338123456789012345678",
            "ETHUSD": "-100000000000000000000",
            "SOLUSD": "187000000000000000001",
            "XRPUSD": "2500000000000000000",
        }
        assert simulator.history[0].n_accepted >= 4
        assert simulator.history[0].n_refused == 0
    first, last = done.stdout.splitlines()
    address = sent["BTCUSD"]["publisher_key"].lower()
    assert first == f"publishing as {address}"
    assert "  4 prices in  " in last and "  0 unsent  0 refusals  " in last
    assert KEY not in done.stdout + done.stderr


def test_times_are_as_given() -> None:
    assert _price(b"A 1 1710191092123456789\n") == ("A", "1", 1710191092123456789)
    line = b'{"asset":"A B","price":"1","timestamp":1710191092123456789}'
    assert _price(line) == ("A B", "1", 1710191092123456789)
    assert _price(b'{"asset":"A","price":-5}') == ("A", Decimal(-5), None)
    line = b'{"price":0.1000000000000000000000001e1,"asset":"A"}'
    assert _price(line)[1] == Decimal("1.000000000000000000000001")
    assert _price(b"\xc3\xa9\xe2\x82\xac 0.5") == ("é€", "0.5", None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"BTCUSD", "ASSET PRICE"),
        (b"BTCUSD 1 2 3", "ASSET PRICE"),
        (b"BTCUSD 1 now", "unix nanoseconds"),
        (b"BTCUSD 1 -5", "unix nanoseconds"),
        (b"\xff 1", "utf-8"),
        (b"A" * 5000 + b" 1", "longer than"),
        (b"{", "no JSON object"),
        (b'{"a":' * 3000, "longer than"),
        (b'{"a":' * 300, "no JSON object"),
        (b'{"asset":"A"}', "`price`"),
        (b'{"asset":1,"price":"1"}', "`asset`"),
        (b'{"asset":"A","price":null}', "`price`"),
        (b'{"asset":"A","price":"1","timestamp":1.5}', "unix nanoseconds"),
        (b'{"asset":"A","price":"1","timestamp":"x"}', "unix nanoseconds"),
    ],
)
def test_lines_that_are_no_price(line: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("[", r"\[")):
        _price(line)


def test_bad_lines_are_told_and_the_rest_is_sent() -> None:
    bad = "BTCUSD x\nBTCUSD 1.0000000000000000001\nBTCUSD nan\nBTCUSD 1e30\nBTCUSD\n"
    done = publish(bad + "ETHUSD 5\n" + "SOLUSD 7" + " " * 5000 + "\nXRPUSD 8")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[1] for line in lines] == [
        *(f" line {n}" for n in (1, 2, 3, 4, 5, 7)),
    ]
    assert "18 decimals" in lines[1] and "int128" in lines[3]
    assert "  2 prices in  " in done.stdout and "  0 unsent  " in done.stdout


def test_not_all_of_many_bad_lines_are_shown() -> None:
    done = publish("x\n" * 1000)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 21
    assert done.stderr.splitlines()[-1] == "stork-codec: no more of them are shown"


def test_what_the_aggregator_refuses_is_told() -> None:
    done = publish("NOPE 1\n", "--seconds", "1")
    assert done.returncode == 1
    assert "NOPE: the asset is unknown" in done.stderr and " refusals " in done.stdout


def test_an_aggregator_that_refuses_the_token(key_file: Path) -> None:
    with served(AggregatorSimulator) as simulator:
        options = ("--oracle-id", ID, "--key-file", key_file, "--seconds", "30")
        done = publish("A 1\n", simulator.publish_url, *options, STORK_TOKEN="other")
    assert done.returncode == 1 and "HTTP 401" in done.stderr
    assert "other" not in done.stderr and "  0 sent  " in done.stdout


def test_the_handshake_can_be_signed(key_file: Path) -> None:
    with served(AggregatorSimulator, publish_auth="signature") as simulator:
        options = (simulator.publish_url, "--oracle-id", ID, "--key-file", key_file)
        done = publish("BTCUSD 5\n", *options, "--authenticate")
        assert (done.returncode, done.stderr) == (0, "")
        assert simulator.history[0].publisher is not None
        assert publish("BTCUSD 5\n", *options).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(number: int) -> None:
    with started("publish", "--seconds", "50", stdin=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdout.readline()
        process.stdin.write("BTCUSD 97338\n")
        process.stdin.flush()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert " prices in " in out


def test_what_comes_before_the_connection_is_kept(key_file: Path) -> None:
    with served(AggregatorSimulator, n_publishers=0) as simulator:
        simulator.faults.status = (503, 2)
        options = ("--oracle-id", ID, "--key-file", str(key_file), "--seconds", "20")
        argv = ("publish", simulator.publish_url, *options)
        with started(*argv, stdin=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write("BTCUSD 1\nBTCUSD 2\nETHUSD 3\n")
            process.stdin.flush()
            until(lambda: simulator.connections and simulator.connections[0].received)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        data = simulator.history[0].received[0]["data"]
    assert {asset: price["signed_price"]["price"] for asset, price in data.items()} == {
        "BTCUSD": "2" + "0" * 18,
        "ETHUSD": "3" + "0" * 18,
    }
    assert "  1 superseded  0 unsent" in out and process.returncode == 0
    assert err.count("HTTP 503") == 2


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["ws://a", "--oracle-id", ID], "--key-file FILE"),
        (["ws://a", "--key-env", "PUBLISHER"], "--oracle-id is needed"),
        (["ws://a", "--key-env", "PUBLISHER", "--oracle-id", "long id"], "5 char"),
        (["ftp://a", "--key-env", "PUBLISHER", "--oracle-id", ID], "ws://"),
        (["ws://a", "--key", KEY], "never an argument"),
        (["ws://a", "--private-key", KEY], "never an argument"),
        (["ws://a", "--key-file", KEY], "this is a key"),
        (["ws://a", "--key-env", KEY], "this is a key"),
        ([f"--ke={KEY}"], "ambiguous option: --ke could match"),
        (["ws://a", f"0x{KEY}"], "unrecognized arguments"),
        (["--clock", "0"], "above 0"),
    ],
)
def test_wrong_usage(
    argv: list[str], words: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLISHER", KEY)
    assert main(["publish", *argv]) == 2
    err = capsys.readouterr().err
    assert words in err and KEY not in err


@pytest.mark.parametrize(
    "argv",
    [
        ["ws://a"],
        ["ws://a", "--oracle-id", "long id"],
        ["ftp://a", "--oracle-id", ID],
        ["ws://a", "--oracle-id", ID],
    ],
)
def test_no_traceback_shows_the_key_or_the_token(
    argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLISHER", KEY)
    monkeypatch.setenv("STORK_TOKEN", TOKEN)
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args(["publish", *argv, "--key-env", "PUBLISHER"])
    with pytest.raises((UsageError, OSError)) as caught, _publisher(args):
        raise OSError  # whatever happens while it publishes
    report = traceback.TracebackException.from_exception(
        caught.value, capture_locals=True
    )
    for secret in (KEY, repr(bytes.fromhex(KEY)), TOKEN):
        assert not any(
            secret in text for frame in report.stack for text in frame.locals.values()
        )


@pytest.mark.parametrize("content", ["", "12", "zz" * 32, "00" * 32, "\xff"])
def test_a_file_without_a_key(content: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "key"
    path.write_bytes(content.encode("latin-1"))
    path.chmod(0o600)
    argv = ["publish", "ws://a", "--oracle-id", ID, "--key-file", str(path)]
    assert main(argv) == 1
    err = capsys.readouterr().err
    assert str(path) in err and "\n" not in err.strip()


def test_the_address_is_that_of_the_key(key_file: Path) -> None:
    public = PrivateKey(bytes.fromhex(KEY)).public_key.format(compressed=False)
    done = publish("BTCUSD 1\n", "--key-file", key_file)
    assert done.stdout.splitlines()[0].endswith(keccak256(public[1:])[12:].hex())
    assert json.dumps(done.stderr) == '""'
