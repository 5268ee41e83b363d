"""The command line as a process: usage, exit statuses, pipes, colour, interruption."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import pytest
from fault_cases import unsigned

import codec
from codec.cli import main
from codec.cli.demo import EXAMPLE

KEY = b"\x01" * 32
EXAMPLE_PAYLOAD = bytes.fromhex(EXAMPLE[2:].decode())
VERSIONED = codec.encode(
    [1, 65535],
    [2**127 - 1, -(2**127)],
    timestamp_ns=2**64 - 1,
    taxonomy_id=0xFF01,
    key=KEY,
    market_status=[0, 9],
)
UNSIGNED = unsigned(
    '[{"id":1,"v":"999875000000000069","ms":3},{"id":70000,"v":"-5"}]',
    ts="1764608698685038908",
)
Capture = pytest.CaptureFixture[str]


def run(
    *args: str, data: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-m", "codec", *args],
        input=data,
        capture_output=True,
        env=env | environment,
        timeout=60,
        check=False,
    )


def test_version_and_help(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"stork-codec {codec.__version__}\n"
    for argv in (["--help"], ["inspect", "--help"], ["verify", "--help"]):
        assert main(argv) == 0
        assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["fly"],
        ["--fast"],
        ["inspect"],
        ["inspect", "ab", "cd"],
        ["verify"],
        ["verify", "-"],
        ["verify", "--signer", "00" * 20],
    ],
)
def test_wrong_usage_shows_the_help(argv: list[str], capsys: Capture) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: stork-codec")
    assert "show this help message" in err


def test_a_missing_package_names_its_extra(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    for argv in (
        ["inspect", "ab"],
        ["demo"],
        ["verify", "-", "--signer", "00" * 20],
    ):
        assert main(argv) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert "pip install 'stork-codec[cli]'" in err
    assert main(["--version"]) == 0


def test_a_file_name_gets_a_hint(
    capsys: Capture, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frame.json").write_bytes(EXAMPLE)
    assert main(["inspect", "frame.json"]) == 1
    assert "try - < frame.json" in capsys.readouterr().out


def test_piped_output_is_plain_and_80_columns_wide() -> None:
    for text in (EXAMPLE.decode(), VERSIONED.hex(), UNSIGNED):
        done = run("inspect", text, COLUMNS="80")
        assert done.stderr == b""
        assert done.stdout.isascii()
        assert b"\x1b" not in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert b"UTC" in done.stdout


def test_narrow_terminals_lose_nothing(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("1", "20", "40", "60"):
        monkeypatch.setenv("COLUMNS", columns)
        assert main(["inspect", EXAMPLE.decode()]) == 0
        assert main(["inspect", UNSIGNED]) == 1


def test_colour_only_where_it_is_wanted() -> None:
    colour = re.compile(rb"\x1b\[[0-9;]*(3|4|9)[0-7]")
    bad = EXAMPLE.decode()[:-2]
    assert colour.search(run("inspect", bad, FORCE_COLOR="1", TERM="xterm").stdout)
    plain = run("inspect", bad, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
    assert not colour.search(plain)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (EXAMPLE + b"\n", 0),
        (EXAMPLE[:-1], 1),
        (EXAMPLE_PAYLOAD, 0),
        (b"", 1),
        (b'{"type":"pong"}\n', 1),
    ],
)
def test_exit_status_of_the_process(data: bytes, status: int) -> None:
    done = run("inspect", "-", data=data)
    assert (done.returncode, done.stderr) == (status, b"")


def test_closed_pipe_ends_quietly() -> None:
    for n_assets in (4, 2000):
        payload = codec.encode(
            [1] * n_assets, [5] * n_assets, timestamp_ns=1, taxonomy_id=1, key=KEY
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "codec", "inspect", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(payload)
        process.stdin.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(60) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_is_said_without_a_traceback() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "codec", "inspect", EXAMPLE.decode()],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"stork-codec: ")
    assert done.stderr.count(b"\n") == 1


def test_interrupt_ends_without_a_traceback() -> None:
    script = """
import signal, sys
from codec.cli import main

class Input:
    buffer = property(lambda self: signal.raise_signal(signal.SIGINT))

sys.stdin = Input()
sys.exit(main(["inspect", "-"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")
