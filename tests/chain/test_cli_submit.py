"""The command says what would happen, sends, and tells of what went wrong."""

from __future__ import annotations

import io
import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from anvil import Anvil
from commands import run, started
from eth_account import Account
from faulty import Faulty, no_code, other_chain, page

import codec
from codec.cli import main

Capture = pytest.CaptureFixture[str]
SECRET = "sEcReT-api-key"


class Given:
    """A node, a payload of now, a key in a file, and the command with both."""

    def __init__(self, chain: Anvil, folder: Path, signer_key: bytes) -> None:
        self.chain = chain
        self.folder = folder
        self.sender, self.key = chain.accounts[0]
        self.payload = self.signed(signer_key)
        self.path = self.write("payload.bin", self.payload)
        self.key_path = self.write("key.hex", self.key.hex().encode())

    def signed(self, key: bytes, *, age_s: int = 0) -> bytes:
        return codec.encode(
            [3, 7],
            [65_000 * 10**18, -1],
            timestamp_ns=time.time_ns() - age_s * 10**9,
            taxonomy_id=1,
            key=key,
        )

    def write(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        path.chmod(0o600)
        return str(path)

    def submit(
        self, contract: str, *more: str, payload: str = "", url: str = ""
    ) -> int:
        node = ["--rpc", url or self.chain.url, "--chain-id", str(self.chain.chain_id)]
        what = payload or self.path
        return main(["submit", what, *node, "--contract", contract, *more])

    def dry_run(self, contract: str, *more: str, **options: str) -> int:
        return self.submit(
            contract, "--from", self.sender, "--dry-run", *more, **options
        )


@pytest.fixture
def given(chain: Anvil, tmp_path: Path, signer_key: bytes) -> Given:
    return Given(chain, tmp_path, signer_key)


def test_a_dry_run_of_a_good_payload(
    given: Given, verifier: str, capsys: Capture
) -> None:
    nonce = given.chain.nonce(given.sender)
    more = ["--max-age", "10m", "--asset", "3,7", "--band", "3=64999.5..65000"]
    assert given.dry_run(verifier, *more) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.isascii()
    for words in ("129 bytes, 2 assets", "the contract's signer", "3 wei, sent along"):
        assert words.replace("129", str(len(given.payload))) in out
    assert out.rstrip().endswith("good: it would succeed")
    assert given.chain.nonce(given.sender) == nonce


def test_a_dry_run_tells_every_reason(
    given: Given, verifier: str, capsys: Capture
) -> None:
    given.write("payload.bin", given.signed(b"\5" * 32))
    more = ["--asset", "9", "--band", "3=1..2", "--band", "1/7=-1..1"]
    assert given.dry_run(verifier, *more) == 1
    out, _ = capsys.readouterr()
    for code in ("asset_missing", "outside_band", "wrong_signer"):
        assert f"bad  {code}" in out
    assert out.rstrip().endswith("bad: it should not be sent, for 3 reasons")


def test_a_dry_run_as_json(given: Given, verifier: str, capsys: Capture) -> None:
    assert given.dry_run(verifier, "--json", payload=given.payload.hex()) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["is_good"] and result["result"][1]["value"] == "-1"
    assert given.dry_run(verifier, "--json", payload=given.payload.hex()[:-2]) == 1
    result = json.loads(capsys.readouterr().out)
    codes = [finding["code"] for finding in result["findings"]]
    assert codes == ["invalid_length", "wrong_signer"]


def test_a_payload_is_sent_to_a_consumer(
    given: Given, consumer: str, verifier: str, capsys: Capture
) -> None:
    function = ["--function", "push(bytes payload, uint64 maxAgeNs)"]
    arguments = ["--arg", "payload", "--arg", str(2**62), "--key-file", given.key_path]
    options = [*function, *arguments, "--verifier", verifier]
    assert given.submit(consumer, *options) == 0
    out, err = capsys.readouterr()
    assert out.rstrip().endswith("good: confirmed") and "transaction  0x" in out
    assert "sent: nonce" in err
    assert given.chain.uses(consumer, given.payload) == 1
    assert given.key.hex() not in out + err


def test_what_a_preflight_refuses_is_not_sent(
    given: Given, consumer: str, verifier: str, signer_key: bytes, capsys: Capture
) -> None:
    given.write("payload.bin", given.signed(signer_key, age_s=600))
    abi = given.write("abi.json", json.dumps(given.chain.abis[consumer]).encode())
    nonce = given.chain.nonce(given.sender)
    options = ["--function", "push(bytes,uint64)", "--arg", "payload", "--arg", "0"]
    options += ["--verifier", verifier, "--abi", abi, "--key-file", given.key_path]
    assert given.submit(consumer, *options, "--json") == 1
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["state"], outcome["hashes"]) == ("refused", [])
    assert "TooOld(" in outcome["reason"]
    assert given.submit(consumer, *options) == 1
    assert "the call reverts: TooOld(" in capsys.readouterr().out
    assert given.chain.nonce(given.sender) == nonce


def test_standard_input(
    given: Given, verifier: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = b"1764608822324772939 " + codec.to_frame(given.payload) + b"\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert given.dry_run(verifier, payload="-") == 0
    assert "good: it would succeed" in capsys.readouterr().out


def test_limits_on_what_it_may_cost(
    given: Given, verifier: str, capsys: Capture
) -> None:
    options = ["--key-file", given.key_path, "--max-cost-ether", "0.000000001"]
    assert given.submit(verifier, *options) == 1
    assert "cost_above_limit" in capsys.readouterr().out
    assert given.dry_run(verifier, "--max-fee-gwei", "0.000000001") == 0
    assert "gas_price_capped" in capsys.readouterr().out


def test_keys_from_the_environment_and_a_keystore(
    given: Given, verifier: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDER_KEY", "0x" + given.key.hex())
    monkeypatch.setenv("NODES", given.chain.url)
    keystore = Account.encrypt(given.key, "pass", kdf="pbkdf2", iterations=1)
    store = given.write("keystore.json", json.dumps(keystore).encode())
    password = given.write("password", b"pass\n")
    node = ["--rpc-env", "NODES", "--chain-id", str(given.chain.chain_id)]
    for source in (
        ["--key-env", "SENDER_KEY"],
        ["--keystore", store, "--password-file", password],
    ):
        options = [*node, "--contract", verifier, *source, "--dry-run"]
        assert main(["submit", given.path, *options]) == 0
        assert f"from       {given.sender}" in capsys.readouterr().out
    password = given.write("wrong", b"word")
    store_options = ["--keystore", store, "--password-file", password]
    assert given.submit(verifier, *store_options) == 1
    assert "the password is wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", ["--key", "--private-key", "--key-file", "--key-env"]
)
@pytest.mark.parametrize("is_joined", [False, True])
def test_a_key_as_an_argument_is_refused_and_not_repeated(
    option: str, is_joined: bool, given: Given, verifier: str, capsys: Capture
) -> None:
    key = given.key.hex()
    argument = [f"{option}={key}"] if is_joined else [option, key]
    assert given.submit(verifier, *argument) == 2
    out, err = capsys.readouterr()
    assert key not in out + err and "every user of this" in err.replace("\n", " ")


def test_faults_of_usage(given: Given, verifier: str, capsys: Capture) -> None:
    key = ["--key-file", given.key_path]
    for options, words in (
        ([], "a key is needed, or --dry-run"),
        (["--dry-run"], "--dry-run needs an account"),
        (["--keystore", given.path], "--keystore needs --password-file"),
        (["--password-file", given.path, *key], "--password-file is for --keystore"),
        ([*key, "--function", "f(bytes,uint8)"], "takes more than a payload"),
        ([*key, "--function", "f(uint8)", "--arg", "1"], "PAYLOAD stands once"),
        ([*key, "--arg", "1", "--arg", "2"], "takes 1 arguments, not 2"),
        ([*key, "--max-age", "10"], "an interval is a whole number"),
        ([*key, "--from", given.sender], "not allowed with argument"),
        (["--contract", verifier[:-1], *key], "40 hex digits"),
    ):
        assert given.submit(verifier, *options) == 2, options
        assert words in capsys.readouterr().err
    url = f"ftp://node/{SECRET}"
    assert given.submit(verifier, *key, url=url) == 2
    assert SECRET not in capsys.readouterr().err


def test_payloads_that_cannot_be_read(
    given: Given, verifier: str, capsys: Capture
) -> None:
    unsigned = '{"type":"unsigned","tax":1,"ts":2,"a":[]}'
    for payload, words in (
        ("0x12345g", "not a hexadecimal digit"),
        ("0x123", "an odd number of hexadecimal digits"),
        ("nothing.bin", "No such file or directory: 'nothing.bin'"),
        (unsigned, "the message carries no signature"),
        ('{"type":"signed_ecdsa"}', "a field is missing"),
    ):
        assert given.dry_run(verifier, payload=payload) == 1
        out, err = capsys.readouterr()
        assert out == "" and words in err and err.count("\n") == 1


def test_key_files_without_a_key(given: Given, verifier: str, capsys: Capture) -> None:
    for name, data in (("short", b"12ab"), ("binary", b"\xff\xfe"), ("none", None)):
        path = str(given.folder / name)
        if data is not None:
            given.write(name, data)
        assert given.submit(verifier, "--key-file", path) == 1
        out, err = capsys.readouterr()
        assert out == "" and err.startswith(f"stork-codec: {path}: ")
        assert "12ab" not in err


def test_nodes_that_fail(
    given: Given, verifier: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[Any, str, str]] = [
        (other_chain(5), "eth_chainId", "expected chain 31337, found chain 5"),
        (no_code(), "eth_getCode", f"expected code at {verifier}, found none"),
        (page(), "eth_call", "a web page instead of JSON (5 attempts)"),
    ]
    for fault, method, words in cases:
        with Faulty(given.chain.url) as node:
            node.will(fault, times=math.inf, methods=[method])
            url = f"{node.url}/{SECRET}?key={SECRET}"
            assert given.dry_run(verifier, url=url) == 1, words
            out, err = capsys.readouterr()
            assert out == "" and words in err and SECRET not in err, err
    monkeypatch.setenv("NODES", f"http://127.0.0.1:9/{SECRET} {given.chain.url}")
    options = ["--chain-id", "31337", "--contract", verifier, "--from", given.sender]
    command = ["submit", given.path, "--rpc-env", "NODES", *options, "--dry-run"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert "good: it would succeed" in out
    assert "node_failed" in err and SECRET not in err


def test_a_process_of_its_own(given: Given, verifier: str) -> None:
    node = ["--rpc", given.chain.url, "--chain-id", str(given.chain.chain_id)]
    options = ["--contract", verifier, "--key-file", given.key_path]
    done = run("submit", given.path, *node, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("good: confirmed")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_an_interrupt_tells_what_may_be_mined_yet(given: Given, verifier: str) -> None:
    node = ["--rpc", given.chain.url, "--chain-id", str(given.chain.chain_id)]
    options = ["--contract", verifier, "--key-file", given.key_path, "--json"]
    given.chain.set_automine(False)
    with started("submit", given.path, *node, *options) as process:
        assert process.stderr is not None
        assert any(": pending" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err
    outcome = json.loads(out)
    assert outcome["state"] == "unresolved" and outcome["may_be_mined"]
    (digest,) = outcome["hashes"]
    given.chain.mine()
    receipt = given.chain.rpc("eth_getTransactionReceipt", digest)
    assert receipt["status"] == "0x1"


def test_a_missing_package_is_named(given: Given, verifier: str) -> None:
    code = (
        "import sys, importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'httpx' else found(n, *a)\n"
        "from codec.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["--rpc", given.chain.url, "--chain-id", "1", "--contract", verifier]
    done = subprocess.run(
        [sys.executable, "-c", code, "submit", given.path, *options],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("pip install 'stork-codec[chain]'\n")
