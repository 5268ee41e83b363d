"""`stork-codec simulate` as a process, and npm's wscat as its client."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

import codec
from codec.cli import main
from codec.simulator.faults import SWITCHES

NPM = Path(__file__).with_name("feeds_npm")
WSCAT = NPM / "node_modules" / ".bin" / "wscat"
NO_WSCAT = f"optional: wscat is missing: npm ci --prefix tests/{NPM.name}"
SUBSCRIBE = '{"type":"subscribe","assets":[1,2]}'
PLACE = "?channel=10ms&message_type=signed_ecdsa"
Capture = pytest.CaptureFixture[str]


class Process:
    """The command, and what it has said."""

    def __init__(self, *args: str, **environment: str) -> None:
        env = {k: v for k, v in os.environ.items() if k != "STORK_TOKEN"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "codec", "simulate", "--port", "0", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env | environment,
        )
        self.lines = []
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)
            if "Ctrl-C" in line:
                break
        words = {line.split()[0]: line.split()[1] for line in self.lines}
        self.url, self.signer = words.get("url", ""), words.get("signer", "")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """The exit status and all that it has written."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, "".join(self.lines) + out + err


@contextmanager
def simulate(*args: str, **environment: str) -> Iterator[Process]:
    process = Process(*args, **environment)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.communicate()


def read(process: Process, n: int, token: str = "simulator", **options: object) -> list:
    with connect(
        process.url + PLACE,
        additional_headers={"Authorization": f"Basic {token}"},
        proxy=None,
        close_timeout=0.1,  # it does not read on for the answer
        **options,
    ) as client:
        client.send(SUBSCRIBE)
        return [client.recv(timeout=30) for _ in range(n + 1)][1:]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_told_to_end(number: int) -> None:
    with simulate() as process:
        messages = read(process, 3)
        assert codec.decode(messages).verify(process.signer).all()
        status, text = process.end(number)
        assert status == 0
        assert re.search(r"stopped: 1 connections, \d+ messages\n$", text)
        assert "Basic simulator" in text
        assert "warning" not in text


def test_tokens_are_not_shown() -> None:
    with simulate("--token", "hush-hush") as process:
        read(process, 1, "hush-hush")
        text = process.end()[1]
        assert "hush-hush" not in text and "Basic $STORK_TOKEN" in text
    with simulate(STORK_TOKEN="hush-hush") as process:
        read(process, 1, "hush-hush")
        assert "hush-hush" not in process.end()[1]


def test_tls_with_its_certificate() -> None:
    with simulate("--tls", "--assets", "2") as process:
        found = re.search(r"--ca (\S+)", "".join(process.lines))
        assert found and process.url.startswith("wss://")
        context = ssl.create_default_context(cafile=found[1])
        assert codec.decode(read(process, 2, ssl=context)).verify(process.signer).all()
        assert process.end()[0] == 0
        assert not Path(found[1]).exists()


def test_faults_and_no_deflate() -> None:
    options = ("--no-deflate", "--fault", "wrong_key=1", "--fault", "cut=5:reset")
    with simulate(*options) as process:
        messages = read(process, 2)
        assert codec.decode(messages).verify(process.signer).tolist() == [False, True]


def test_flood() -> None:
    with simulate("--flood", "--no-deflate") as process:
        messages = read(process, 20_000)
        stamps = codec.decode(messages).messages["timestamp_ns"]
        assert len(set(stamps.tolist())) == 4096
        assert process.end()[0] == 0


def test_a_host_that_is_not_loopback_is_warned_about() -> None:
    with simulate("--host", "0.0.0.0") as process:
        assert "warning: 0.0.0.0 is not loopback" in process.end()[1]
    with simulate("--host", "localhost") as process:
        assert "warning" not in process.end()[1]


def test_a_port_in_use_is_one_line() -> None:
    with simulate() as process:
        port = process.url.rpartition(":")[2].removesuffix("/ws")
        done = subprocess.run(
            [sys.executable, "-m", "codec", "simulate", "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("stork-codec: ")
        assert done.stderr.count("\n") == 1


def test_the_help_lists_every_fault(capsys: Capture) -> None:
    assert main(["simulate", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for name in SWITCHES:
        assert any(line.split()[:1] == [name] for line in lines)


@pytest.mark.parametrize(
    "args",
    [
        ["--port", "65536"],
        ["--assets", "0"],
        ["--taxonomy", "t.json", "--assets", "3"],
        ["--seed", "-1"],
        ["--fault", "nothing"],
        ["--fault", "slow"],
        ["--real-time-rate", "0"],
        ["--real-time-rate", "fast"],
    ],
)
def test_wrong_usage(args: list[str], capsys: Capture) -> None:
    assert main(["simulate", *args]) == 2
    assert args[-2] in capsys.readouterr().err.splitlines()[-1]


class Wscat:
    """The foreign client, which ends with its standard input."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not WSCAT.exists():
            pytest.skip(NO_WSCAT)
        self.command = [node, str(WSCAT), "--no-color", "-P"]

    def run(self, process: Process, *args: str) -> tuple[list[str], str]:
        """The lines that it writes, and its errors."""
        stdin, end = os.pipe()
        # A sanitizer's library is for this package, and node would not bear it.
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        try:
            done = subprocess.run(
                [*self.command, "-c", process.url + PLACE, *args],
                stdin=stdin,
                env=env,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            os.close(stdin)
            os.close(end)
        return done.stdout.splitlines(), done.stderr

    def subscribe(self, process: Process, *args: str) -> list[str]:
        token = ("-H", "Authorization: Basic simulator")
        return self.run(process, *token, "-w", "1", "-x", SUBSCRIBE, *args)[0]


@pytest.fixture
def wscat() -> Wscat:
    return Wscat()


@pytest.mark.parametrize("options", [[], ["--tls"], ["--no-deflate"]])
def test_wscat_is_served(wscat: Wscat, options: list[str]) -> None:
    with simulate(*options) as process:
        trust = re.search(r"--ca (\S+)", "".join(process.lines))
        answer, *messages = wscat.subscribe(
            process, *(("--ca", trust[1]) if trust else ())
        )
        assert json.loads(answer) == json.loads(SUBSCRIBE)
        assert len(messages) > 10
        assert codec.decode(messages).verify(process.signer).all()


def test_wscat_is_refused_without_the_token(wscat: Wscat) -> None:
    with simulate() as process:
        out, err = wscat.run(process)
        assert "401" in "".join(out) + err


def test_wscat_reads_fragments_and_pings(wscat: Wscat) -> None:
    with simulate("--fault", "fragment=3", "--fault", "close=3") as process:
        lines = wscat.subscribe(process)
        pings = [line for line in lines if "ping" in line.lower()]
        messages = [line for line in lines if "signed_ecdsa" in line]
        assert len(pings) >= 6
        assert codec.decode(messages).verify(process.signer).tolist() == [True] * 3
