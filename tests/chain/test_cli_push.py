"""`stork-codec push` as a process, between a simulator and a real node."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anvil import Anvil
from commands import TOKEN, Terminal, arguments, run, served, started, until
from pushing import MAX_AGE_NS, PUSH

from codec.simulator import Simulator

LEAVES_SCREEN = "\x1b[?1049l"
Configure = Callable[..., Path]


@pytest.fixture
def simulator(signer_key: bytes) -> Iterator[Simulator]:
    with served(key=signer_key) as simulator:
        yield simulator


@pytest.fixture
def configure(
    chain: Anvil, consumer: str, verifier: str, simulator: Simulator, tmp_path: Path
) -> Configure:
    """Writes a configuration; what is given stands at its end."""

    def configure(more: str = "", rule: str = "every_batch: true") -> Path:
        key = tmp_path / "account.key"
        key.write_text(chain.accounts[0][1].hex())
        key.chmod(0o600)
        (tmp_path / "taxonomy.json").write_text(simulator.taxonomy.to_json())
        path = tmp_path / "push.yaml"
        path.write_text(f"""\
feed:
  url: {simulator.url}
  token: {{env: STORK_TOKEN}}
  channel: 100ms
  taxonomy: taxonomy.json
chain: {{id: {chain.chain_id}, nodes: {chain.url}}}
account: {{key: {{file: account.key}}}}
target:
  address: {consumer}
  function: {PUSH}
  args: [payload, {MAX_AGE_NS}]
  verifier: {verifier}
rules:
  - symbols: [BTCUSD, ETHUSD]
    {rule}
{more}""")
        return path

    return configure


@contextlib.contextmanager
def pushing(path: Path, *more: object, **options: Any) -> Iterator[Any]:
    with started("push", path, "--every", "0.2", *more, **options) as process:
        yield process


def test_a_good_configuration_is_only_checked(
    configure: Configure, chain: Anvil, consumer: str
) -> None:
    done = run("push", configure(), "--check")
    assert (done.returncode, done.stderr) == (0, "")
    account = chain.accounts[0][0]
    expected = f"is good: 2 assets to {consumer} on chain 31337, from {account}\n"
    assert done.stdout.endswith(expected)
    assert chain.nonce(account) == 0


def test_all_that_is_wrong_with_a_configuration_is_told(configure: Configure) -> None:
    path = configure("windou: 5\nlimits: {spend: 1}\n", rule="chnge: 1%")
    for more in (["--check"], ["--dry-run"], []):
        done = run("push", path, *more)
        assert done.returncode == 2 and done.stdout == ""
        lines = done.stderr.splitlines()
        assert lines[0] == "stork-codec: 4 faults in the configuration:"
        assert [re.sub(r"^ *\S+: line \d+: ", "", line) for line in lines[1:]] == [
            "rules[0]: change, silence or every_batch is needed",
            "rules[0].chnge: there is no such key; is it change?",
            "windou: there is no such key; is it window?",
            "limits.spend: an amount an hour as 0.05 ether/hour is needed, not '1'",
        ]


def test_no_configuration(tmp_path: Path) -> None:
    done = run("push", tmp_path / "nowhere.yaml", "--check")
    assert done.returncode == 1 and "No such file" in done.stderr
    done = run("push", tmp_path / "nowhere.yaml", "--check", "--dry-run")
    assert done.returncode == 2 and "not allowed with" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_pushes_until_it_is_told_to_end(
    configure: Configure, chain: Anvil, consumer: str, number: int
) -> None:
    account, key = chain.accounts[0]
    with pushing(configure("limits: {spend: 1 ether/hour}\n")) as process:
        until(lambda: chain.call(consumer, "totalUses") >= 3)
        assert key.hex() not in arguments(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    n = chain.call(consumer, "totalUses")
    assert chain.nonce(account) == chain.nonce(account, "pending") == n
    found = re.findall(r"^ended .*  confirmed ([\d,]+)", out, re.MULTILINE)
    assert found == [str(n)]
    assert " of 1 ether in the last hour" in out
    assert re.search(r"^ *1 +BTCUSD +[\d.]+ +[\d.]+ ", out, re.MULTILINE)
    assert "info pushed: confirmed: BTCUSD, ETHUSD" in err
    assert "Traceback" not in err
    assert out.isascii() and "\x1b" not in out
    for secret in (TOKEN, key.hex()):
        assert secret not in out + err


def test_a_dry_run_sends_nothing(
    configure: Configure, chain: Anvil, consumer: str
) -> None:
    account = chain.accounts[0][0]
    with pushing(configure(), "--dry-run", "--log-format", "json") as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("DRY RUN  2 assets to 0x")
        for line in process.stderr:
            event = json.loads(line)
            if event.get("kind") == "pushed":
                break
        assert event["data"]["state"] == "dry" and event["data"]["cost_wei"] > 0
        assert event["data"]["assets"] == [1, 2] and event["logger"] == "codec.chain"
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"^ended .*  dry [1-9]", out, re.MULTILINE)
    assert chain.nonce(account, "pending") == chain.call(consumer, "totalUses") == 0


def test_metrics_are_read_over_http(configure: Configure) -> None:
    with pushing(configure("metrics: {port: 0}\n")) as process:
        assert process.stdout
        found = re.search(r"metrics on port (\d+)", process.stdout.readline())
        assert found
        url = f"http://127.0.0.1:{found[1]}/metrics"
        wanted = re.compile(r'push_pushes_total\{state="confirmed"\} [1-9]')
        until(lambda: wanted.search(fetched(url)))
        text = fetched(url)
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.search(r"stork_feed_messages_total [1-9]", text)
    assert 'stork_push_asset_pushes_total{asset="2"}' in text


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_what_is_in_the_way_is_said_and_waited_for(
    configure: Configure, chain: Anvil, consumer: str
) -> None:
    account = chain.accounts[0][0]
    chain.set_balance(account, 0)
    with pushing(configure()) as process:
        assert process.stdout
        for line in process.stdout:
            if "balance low for " in line:
                break
        assert "  waiting  feed connected" in line
        chain.set_balance(account, 10**18)
        until(lambda: chain.call(consumer, "totalUses") >= 1)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "warning waiting: balance low: " in err
    assert "info resumed: balance low is over, after " in err


def test_what_was_not_resolved_at_the_end_is_told(
    configure: Configure, chain: Anvil
) -> None:
    account = chain.accounts[0][0]
    chain.set_automine(False)
    try:
        with pushing(configure()) as process:
            until(lambda: chain.nonce(account, "pending") == 1)
            process.terminate()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        found = re.search(r"was not resolved, and may be mined yet: (0x\w{64})$", err)
        assert found
        assert chain.rpc("eth_getTransactionByHash", found[1])["nonce"] == "0x0"
    finally:
        chain.set_automine(True)
        chain.mine()


def test_what_was_not_resolved_is_told_also_where_nobody_reads_the_lines(
    configure: Configure, chain: Anvil
) -> None:
    account = chain.accounts[0][0]
    chain.set_automine(False)
    try:
        with pushing(configure()) as process:
            until(lambda: chain.nonce(account, "pending") == 1)
            assert process.stdout and process.stderr
            process.stdout.close()
            err = process.stderr.read()
            assert process.wait(60) != 0
        assert re.search(r"was not resolved, and may be mined yet: 0x\w{64}$", err)
    finally:
        chain.set_automine(True)
        chain.mine()


def test_where_metrics_cannot_be_served_nothing_is_pushed(
    configure: Configure, chain: Anvil
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("push", configure(f"metrics: {{port: {port}}}\n"))
    assert done.returncode == 1 and "Address already in use" in done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert chain.nonce(chain.accounts[0][0], "pending") == 0


def test_in_a_terminal(configure: Configure) -> None:
    terminal = Terminal("push", configure(), columns=80, rows=24)
    terminal.read_until("BTCUSD every batch")
    terminal.read_until("Ctrl-C ends")
    terminal.resize(120, 40)
    terminal.read_until("confirmed 3")
    terminal.signal(signal.SIGINT)
    assert terminal.status() == 0
    screen, _, after = terminal.text.rpartition(LEAVES_SCREEN)
    assert "\x1b[?1049h" in screen and TOKEN not in terminal.text
    assert re.search(r"ended  feed disconnected .*  confirmed \d", after)
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize("size", [(1, 1), (20, 3), (40, 8)])
def test_in_a_small_terminal(configure: Configure, size: tuple[int, int]) -> None:
    path = configure()
    terminal = Terminal("push", path, "--dry-run", columns=size[0], rows=size[1])
    terminal.read_until("D")
    terminal.signal(signal.SIGTERM)
    assert terminal.status() == 0
    assert "Traceback" not in terminal.text


def test_a_node_of_another_chain_is_told(configure: Configure, chain: Anvil) -> None:
    path = configure()
    path.write_text(path.read_text().replace("id: 31337", "id: 1"))
    with pushing(path) as process:
        assert process.stdout
        for line in process.stdout:
            if "wrong chain for " in line:
                break
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert chain.nonce(chain.accounts[0][0], "pending") == 0


def test_the_chain_alone_needs_no_feed() -> None:
    code = (
        "import sys; sys.modules['picows'] = None; import codec.chain;"
        "print(codec.chain.Submitter.__name__); codec.chain.Pusher"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == "Submitter\n"
    assert "pip install 'stork-codec[feeds]'" in done.stderr


def test_without_the_chain_extra() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None; sys.modules['httpx'] = None;"
        "from codec.cli import main; sys.exit(main(['push', 'x.yaml']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'stork-codec[chain]'" in done.stderr
