"""`stork-codec simulate` as a process, and npm's wscat as its client."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from commands import run, started
from websockets.sync.client import connect

import codec
from codec.cli import main
from codec.reference import aggregator
from codec.simulator import ShurikenFaults
from codec.simulator.faults import SWITCHES, AggregatorFaults, switches

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


AGGREGATOR_SUBSCRIBE = '{"type":"subscribe","data":["BTCUSD","ETHUSD"]}'


def read_aggregator(process: Process, n: int) -> list:
    with connect(
        process.url,
        additional_headers={"Authorization": "Basic simulator"},
        proxy=None,
        close_timeout=0.1,
    ) as client:
        client.send(AGGREGATOR_SUBSCRIBE)
        return [client.recv(timeout=30) for _ in range(n + 1)][1:]


def test_the_aggregator() -> None:
    options = ("--publishers", "2", "--period", "0.05", "--fault", "unsigned=1")
    with simulate("--aggregator", *options) as process:
        batch = aggregator.decode(read_aggregator(process, 3), signers=process.signer)
        assert batch.aggregates["verified"].tolist() == [False] * 2 + [True] * 4
        assert batch.aggregates["publisher_count"].tolist() == [2] * 6
        words = {line.split()[0]: line.split()[1] for line in process.lines}
        assert words["publish"].endswith("/evm/publish")
        assert words["stark"].endswith("/stark/subscribe")
        status, text = process.end()
        assert status == 0 and "BTCUSD" in text


def test_a_flood_of_the_aggregator() -> None:
    with simulate("--aggregator", "--flood", "--assets", "3") as process:
        messages = read_aggregator(process, 5000)
        assert len(set(messages)) > 1000
        batch = aggregator.decode(messages[:3], signers=process.signer)
        assert batch.aggregates["verified"].all() and len(batch) == 6


@pytest.mark.parametrize("options", [[], ["--tls", "--wrapped"]])
def test_shuriken(options: list[str]) -> None:
    with simulate("--shuriken", "--rate", "200", "--token", "sk_hush", *options) as one:
        words = {line.split()[0]: line.split()[1] for line in one.lines}
        found = re.search(r"--cacert (\S+)", "".join(one.lines))
        context = ssl.create_default_context(cafile=found[1]) if found else None
        with httpx.Client(verify=context or False, trust_env=False) as http:
            answer = http.post(
                f"{words['url']}/api/v2/ws/session",
                headers={"Authorization": "Bearer sk_hush"},
                json={"subscriptions": [{"stream": "alpha.signalFeed.global"}]},
            ).json()
        session = answer["data"] if options else answer
        (subscription,) = session["subscriptions"]
        with connect(words["socket"], ssl=context, proxy=None) as client:
            data = {"channel": subscription["channel"]}
            client.send(json.dumps({"event": "pusher:subscribe", "data": data}))
            events = [json.loads(client.recv(timeout=30)) for _ in range(20)]
        assert [event["event"] for event in events[2:]] == ["update"] * 18
        status, text = one.end()
        assert status == 0 and re.search(r"stopped: 1 connections, \d+ messages", text)
        assert "sk_hush" not in text and "$SHURIKEN_AGENT_KEY" in text


def test_a_flood_of_shuriken() -> None:
    with simulate("--shuriken", "--flood", "--fault", "data_object=3") as one:
        words = {line.split()[0]: line.split()[1] for line in one.lines}
        answer = httpx.post(
            f"{words['url']}/api/v2/ws/session",
            headers={"Authorization": "Bearer simulator"},
            json={"subscriptions": [{"stream": "svm.bondingCurve.creations"}]},
            trust_env=False,
        ).json()
        with connect(words["socket"], proxy=None, close_timeout=0.1) as client:
            data = {"channel": answer["subscriptions"][0]["channel"]}
            client.send(json.dumps({"event": "pusher:subscribe", "data": data}))
            texts = [client.recv(timeout=30) for _ in range(20_000)][2:]
        assert len(set(texts)) > 4000
        assert one.end()[0] == 0


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
    for name in SWITCHES | switches(AggregatorFaults) | switches(ShurikenFaults):
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
        ["--publishers", "101"],
        ["--aggregator", "--fault", "taxonomy_change"],
        ["--fault", "wrong_price"],
        ["--aggregator", "--fault", "silent_asset"],
        ["--aggregator", "--real-time-rate", "1"],
        ["--aggregator", "--taxonomy", "t.json"],
        ["--publishers", "1"],
        ["--period", "1"],
        ["--delta", "1"],
        ["--allow", "0x12"],
        ["--publish-auth", "both"],
        ["--rate", "1"],
        ["--socket-port", "1"],
        ["--aggregator", "--rate", "1"],
        ["--shuriken", "--aggregator"],
        ["--shuriken", "--assets", "1"],
        ["--shuriken", "--period", "1"],
        ["--shuriken", "--real-time-rate", "1"],
        ["--shuriken", "--fault", "wrong_key"],
        ["--shuriken", "--fault", "session_status"],
        ["--fault", "expire"],
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

    def run(
        self, process: Process, *args: str, place: str = PLACE
    ) -> tuple[list[str], str]:
        """The lines that it writes, and its errors."""
        stdin, end = os.pipe()
        # A sanitizer's library is for this package, and node would not bear it.
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        try:
            done = subprocess.run(
                [*self.command, "-c", process.url + place, *args],
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


def test_wscat_reads_the_aggregator(wscat: Wscat) -> None:
    with simulate("--aggregator", "--period", "0.1") as process:
        token = ("-H", "Authorization: Basic simulator")
        asked = ("-w", "1", "-x", AGGREGATOR_SUBSCRIBE)
        lines, _ = wscat.run(process, *token, *asked, place="")
        assert json.loads(lines[0]) == json.loads(AGGREGATOR_SUBSCRIBE)
        batch = aggregator.decode(lines[1:], signers=process.signer)
        assert len(batch) >= 6 and batch.aggregates["verified"].all()


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


@pytest.mark.parametrize("options", [(), ("--aggregator",)])
def test_the_command_that_it_names_works(options: tuple[str, ...]) -> None:
    with started("simulate", "--port", "0", *options) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("watch "):
            lines.append(process.stdout.readline())
            assert lines[-1]
        _, name, *command = shlex.split(lines[-1])
        assert name == "stork-codec"
        done = run(*command, "--seconds", "1.2")
    assert done.returncode == 0 and "all verified" in done.stdout.splitlines()[-1]
