"""A pusher's configuration: read exactly, or refused with all that is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from eth_account import Account

from codec import Taxonomy
from codec.chain import PAYLOAD
from codec.chain.push.config import _SECTIONS, PushConfig, load
from codec.chain.push.config_sections import _RULE_KEYS
from codec.chain.push.hindrances import Hindrance
from codec.chain.push.quantities import (
    ether_text,
    read_duration,
    read_percent,
    read_scaled,
    read_wei,
    read_wei_per_hour,
)
from codec.chain.push.state import PushState
from codec.errors import PushConfigError

DOCS = Path(__file__).parents[2] / "docs" / "push.md"
KEY = "a1" * 32
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SMALL = f"""\
feed:
  url: ws://127.0.0.1:9/ws
  token: {{env: TEST_TOKEN}}
chain:
  id: 31337
  nodes: http://127.0.0.1:8545
account:
  key: {{file: account.key}}
target:
  address: {ADDRESS}
rules:
  - assets: 1
    change: 0.5%
"""


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEST_TOKEN", "very-secret-token")
    monkeypatch.setenv("STORK_TOKEN", "very-secret-token")
    monkeypatch.setenv("SECOND_NODE_URL", "https://node.example/v2/very-secret-key")
    key = tmp_path / "account.key"
    key.write_text(KEY)
    key.chmod(0o600)
    (tmp_path / "taxonomy.json").write_text(Taxonomy.example().to_json())


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], PushConfig]:
    def read(text: str) -> PushConfig:
        path = tmp_path / "push.yaml"
        path.write_text(text, "utf-8")
        return load(path)

    return read


@pytest.fixture
def faults(read: Callable[[str], PushConfig]) -> Callable[[str], list[str]]:
    """What is wrong with a text, without the file's name."""

    def faults(text: str) -> list[str]:
        with pytest.raises(PushConfigError) as caught:
            read(text)
        assert "very-secret" not in str(caught.value) and KEY not in str(caught.value)
        return [re.sub(r"^\S*push\.yaml: ", "", fault) for fault in caught.value.faults]

    return faults


def test_the_example_of_the_docs_is_good(read: Callable[[str], PushConfig]) -> None:
    found = re.search(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert found
    config = read(found[1])
    assert config.feed.urls == ("wss://fast.jp.stork-oracle.network/ws",)
    assert config.feed.token.read() == "very-secret-token"
    assert config.feed.channel == "100ms"
    assert config.chain_id == 42161
    assert config.nodes[1] == "https://node.example/v2/very-secret-key"
    assert config.target.args == (PAYLOAD, 60 * 10**9)
    assert config.target.address == ADDRESS
    names = Taxonomy.example()
    (btc,) = names.ids("BTCUSD")
    rule = config.rules[btc]
    assert (rule.change_percent, rule.max_silence_s) == (Fraction(1, 2), 600)
    assert {5, *range(10, 21)} < config.rules.keys()
    assert config.names[btc] == "BTCUSD"
    assert config.rules.taxonomy_id == names.taxonomy_ids[0]
    assert config.checks.bands[5] == (10**14, 10**24)
    assert config.policy.max_fee_per_gas_wei == 30 * 10**9
    assert config.policy.max_cost_wei == 2 * 10**15
    assert config.max_wei_per_hour == 5 * 10**16
    assert config.min_balance_wei == 10**16
    assert (config.window_s, config.metrics_port) == (0.5, 9101)
    for text in (repr(config), str(config)):
        assert "very-secret" not in text and KEY not in text


def test_the_docs_tell_of_every_key_event_and_metric() -> None:
    text = re.sub(r"```.*?```", "", DOCS.read_text(), flags=re.DOTALL)
    words = set(re.findall(r"`([^`]+)`", text))
    for section, keys in {**_SECTIONS, "rules[]": _RULE_KEYS}.items():
        assert {f"{section}.{key}" for key in keys} <= words
    assert {kind.value for kind in Hindrance} <= words
    kinds = ("triggered", "pushed", "waiting", "resumed", "unresolved")
    assert {*kinds, "fee_changed", "signers_changed"} <= words
    assert {state.value for state in PushState} - {"out", "unresolved"} <= words


def test_what_is_left_out_has_the_defaults_of_the_docs(
    read: Callable[[str], PushConfig],
) -> None:
    config = read(SMALL)
    assert config.target.function == "verifyAndDeserializeSignedECDSAPayload(bytes)"
    assert config.target.verifier_address == config.target.address == ADDRESS
    assert config.feed.channel == "real_time" and config.feed.taxonomy is None
    assert (config.window_s, config.timeout_s, config.confirmations) == (0, 10, 1)
    assert (config.replace_after_s, config.deadline_s) == (60, 600)
    assert config.checks.max_age_s is None and config.checks.max_ahead_s == 5
    assert config.max_wei_per_hour is config.min_balance_wei is None
    assert config.metrics_port is None and config.names == {}


def test_all_faults_are_told_at_once_with_their_places(
    faults: Callable[[str], list[str]],
) -> None:
    text = """\
feed:
  ulr: wss://host/ws
  token: very-secret-token
  chanel: 100ms
  channel: 15ms
chain:
  id: mainnet
  nodes:
    - https://user:very-secret@node.example
    - https://node.example/v2/very-secret-key-of-mine-0123456789
    - {env: NO_SUCH_VARIABLE}
account:
  key: {file: no-such-file}
  keystore: account.key
target:
  address: 0x5FbDB2315678afecb367f032d93F642f64180aa4
  function: push(bytes,uint64)
  args: [payload, soon]
fees:
  max_cost: 0.1
  max_fee_per_gas: 30 gwie
limits:
  spend: 0.05 ether
rules:
  - assets: [1, 70000, 9-3]
    change: 0.5
  - symbols: [BTCUSD]
    silence: 10
  - assets: 2
  - assets: 3
    every_batch: perhaps
window: -5ms
metrics:
  port: 70000
window: 5ms
"""
    assert faults(text) == [
        "line 2: feed.ulr: there is no such key; is it url?",
        "line 2: feed: url is missing",
        "line 3: feed.token: secrets are not written here: {env: NAME} or {file: PATH}",
        "line 4: feed.chanel: there is no such key; is it channel?",
        "line 5: feed.channel: one of 10ms, 20ms, 50ms, 100ms, 500ms, 1s, real_time"
        " is needed, not '15ms'",
        "line 7: chain.id: an integer in 1 .. 9223372036854775808 is needed, not"
        " 'mainnet'",
        "line 9: chain.nodes[0]: there seems to be a key in this URL; give it as"
        " {env: NAME} or {file: PATH}",
        "line 10: chain.nodes[1]: there seems to be a key in this URL; give it as"
        " {env: NAME} or {file: PATH}",
        "line 11: chain.nodes[2]: the environment's NO_SUCH_VARIABLE is not set",
        "line 13: account: either key or keystore is needed",
        "line 16: target.address: the letters' case is not the checksum of EIP-55, so"
        " a digit may be wrong: 0x5FbDB2315678afecb367f032d93F642f64180aa4",
        "line 18: target.args[1]: an integer is needed, not 'soon'",
        "line 20: fees.max_cost: '0.1' needs a unit: wei, gwei, ether",
        "line 21: fees.max_fee_per_gas: '30 gwie' has none of the units wei, gwei,"
        " ether",
        "line 23: limits.spend: an amount an hour as 0.05 ether/hour is needed, not"
        " '0.05 ether'",
        "line 25: rules[0].assets[1]: an id or a range as 10-20 is needed, not '70000'",
        "line 25: rules[0].assets[2]: an id or a range as 10-20 is needed, not '9-3'",
        "line 26: rules[0].change: '0.5' needs a %",
        "line 27: rules[1].symbols[0]: symbols need a taxonomy, a file, in the feed's"
        " part",
        "line 28: rules[1].silence: '10' needs a unit: us, ms, s, min, h, d",
        "line 29: rules[2]: change, silence or every_batch is needed",
        "line 31: rules[3].every_batch: one of true, false is needed, not 'perhaps'",
        "line 32: window: a duration from 0 to 366d is needed, not '-5ms'",
        "line 34: metrics.port: an integer in 0 .. 65535 is needed, not '70000'",
        "line 35: window: stands here twice",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("[1, 2]", "keys with values are needed: feed, chain"),
        ("feed: {", "line 1: "),
        ("feed: *nothing", "line 1: found undefined alias"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("feed: 5", "keys with values are needed: url, token"),
        ("{[a]: 1}", "a key must be a single value"),
        ("feed: {url: }", "has no value"),
        ("x: &a [*a]", "there is no such key"),
        ('"\\e[2Jx": 1', r"\x1b[2Jx: there is no such key"),
        ("rules: []", "there is no rule"),
        ("feed: {token: {env: A, file: b}}", "either env or file is needed"),
        ("feed: {token: {file: nowhere}}", "No such file or directory"),
        (f"feed: {{token: {{env: x{KEY}}}}}", "is needed, not a key"),
        ("chain: {nodes: [ftp://x]}", "a URL as https://host is needed"),
        ("chain: {nodes: ['http://[']}", "a URL as https://host is needed"),
        ("feed: {url: [wss://a/ws, http://b]}", "a URL as wss://host/ws is needed"),
        ("feed: {proxy: 'http://me:very-secret@x:1'}", "a password in this URL"),
        ("feed: {url: 'wss://me:very-secret@x/ws'}", "no user, no password"),
        ("feed: {url: 'wss://x/ws#there'}", "no fragment"),
        ("feed: {url: 'wss://hé/ws'}", "a URL as wss://host/ws is needed"),
        ("chain: {nodes: ['http://h/é']}", "a URL as https://host is needed"),
        ("feed: {proxy: x}", "a URL as http://host:port is needed"),
        ("feed: {taxonomy: https://x/v1/taxonomy}", "a file is needed"),
        ("feed: {taxonomy: account.key}", "feed.taxonomy: "),
        ("account: {keystore: account.key}", "password is missing"),
        ("account: {key: {env: TEST_TOKEN}}", "no private key"),
        ("rules: [{assets: 1, change: 1%, band: [2, 1]}]", "first number is above"),
        ("rules: [{assets: 1, change: 1%, band: 7}]", "a list of two numbers"),
        ("rules: [{change: 1%}]", "assets or symbols are missing"),
        (
            "rules: [{assets: 1, change: 1%}, {assets: 0-3, change: 1%}]",
            "rules[1]: asset 1 has a rule already",
        ),
        (
            "feed: {taxonomy: taxonomy.json}\nrules: [{symbols: BTCSUD, change: 1%}]",
            "(is it BTCUSD?)",
        ),
        (
            f"target: {{address: '{ADDRESS}', function: 'f(bytes,uint8)', args: [1]}}",
            "takes 2 arguments, not 1",
        ),
        (
            f"target: {{address: '{ADDRESS}', function: 'push(bytes,uint8)'}}",
            "takes more than a payload",
        ),
        (
            f"target: {{address: '{ADDRESS}', function: 'push(uint8)', args: [300]}}",
            "PAYLOAD stands once",
        ),
        (f"target: {{address: '{ADDRESS}', function: 'push(byte)'}}", "no type 'byte'"),
    ],
)
def test_each_fault_is_named(
    faults: Callable[[str], list[str]], text: str, expected: str
) -> None:
    assert any(expected in fault for fault in faults(text)), faults(text)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("ws://127.0.0.1:9/ws", "line 2: feed.url"),
        ("http://127.0.0.1:8545", "line 6: chain.nodes"),
        ("1\n    change", "line 12: rules[0].assets"),
    ],
)
def test_a_list_without_a_value_is_a_fault(
    faults: Callable[[str], list[str]], value: str, place: str
) -> None:
    empty = value.replace(value.partition("\n")[0], "[]")
    assert faults(SMALL.replace(value, empty)) == [f"{place}: is empty"]


def test_rules_that_overlap_are_told_once(faults: Callable[[str], list[str]]) -> None:
    text = SMALL + "  - assets: 0-65535\n    change: 1%\n" * 2
    assert faults(text) == [
        "line 14: rules[1]: asset 1 has a rule already",
        "line 16: rules[2]: asset 0 has a rule already, and 65,535 more",
    ]


def test_a_file_that_is_no_text_or_too_large(tmp_path: Path) -> None:
    path = tmp_path / "push.yaml"
    for data, expected in ((b"\xff\xfe", "is not UTF-8"), (b"#" * 2**21, "a MiB")):
        path.write_bytes(data)
        with pytest.raises(PushConfigError, match=expected):
            load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nowhere.yaml")


def test_arguments_become_what_their_types_want(
    read: Callable[[str], PushConfig],
) -> None:
    text = SMALL.replace(
        f"  address: {ADDRESS}\n",
        f"""\
  address: {ADDRESS.lower()}
  function: f((bytes,int8[]),bool,address,bytes4,string)
  args: [[payload, [-1, 2]], true, {ADDRESS}, 0x12345678, payload]
""",
    )
    args = read(text).target.args
    assert args == ((PAYLOAD, [-1, 2]), True, ADDRESS, "0x12345678", "payload")


def test_errors_come_from_signatures_and_from_a_compilers_output(
    read: Callable[[str], PushConfig], tmp_path: Path
) -> None:
    entries = [
        {"type": "error", "name": "Closed", "inputs": []},
        {"type": "function", "name": "push", "inputs": []},
    ]
    (tmp_path / "abi.json").write_text(json.dumps({"abi": entries}))
    more = "  errors: TooOld(uint64)\n  abi: abi.json\nrules:"
    assert read(SMALL.replace("rules:", more)).target.abi == (
        "TooOld(uint64)",
        entries[0],
    )


def test_a_keystore_is_opened_with_its_password(
    read: Callable[[str], PushConfig],
    faults: Callable[[str], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keystore = Account.encrypt("0x" + KEY, "very-secret", "pbkdf2", 1000)
    (tmp_path / "keystore.json").write_text(json.dumps(keystore))
    monkeypatch.setenv("KEYSTORE_PASSWORD", "very-secret")
    text = SMALL.replace(
        "key: {file: account.key}",
        "{keystore: keystore.json, password: {env: KEYSTORE_PASSWORD}}",
    ).replace("account:\n  ", "account: ")
    assert read(text).wallet.address == read(SMALL).wallet.address
    monkeypatch.setenv("KEYSTORE_PASSWORD", "another very-secret")
    (fault,) = faults(text)
    assert fault.startswith("line 7: account.keystore: ") and "is wrong" in fault


def test_a_proxy_with_a_password_comes_from_elsewhere(
    read: Callable[[str], PushConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY", "http://me:very-secret@proxy:8080")
    config = read(SMALL.replace("feed:\n", "feed:\n  proxy: {env: PROXY}\n"))
    assert config.feed.proxy == "http://me:very-secret@proxy:8080"
    assert "very-secret" not in repr(config)
    config = read(SMALL.replace("feed:\n", "feed:\n  proxy: socks5://proxy:1\n"))
    assert config.feed.proxy == "socks5://proxy:1"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1.5 s", 1.5), ("10min", 600), ("2h", 7200), ("7us", 7e-6)],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("30 gwei", 30 * 10**9),
        ("0.1gwei", 10**8),
        ("0.000000000000000001 ether", 1),
        ("123456789.123456789123456789 ether", 123456789123456789123456789),
        ("21000 wei", 21000),
    ],
)
def test_amounts_are_exact(text: str, wei: int) -> None:
    assert read_wei(text) == wei
    assert read_wei_per_hour(f"{text}/hour") == read_wei_per_hour(f"{text} / h") == wei


@pytest.mark.parametrize(
    "text",
    ["0.1 wei", "-1 gwei", "1e18 wei", "1_000 wei", "", "gwei", "1 gwei x", "٣ wei"],
)
def test_no_amounts(text: str) -> None:
    with pytest.raises(ValueError, match=r"needed|number|units"):
        read_wei(text)


def test_percentages_and_values_are_exact() -> None:
    assert read_percent("0.1%") == Fraction(1, 1000) * 100
    assert read_percent("33.333333333333333333 %") == Fraction("33.333333333333333333")
    assert read_scaled("-37.63") == -37630000000000000000
    assert read_scaled("0.000000000000000001") == 1
    for bad in ("0%", "-1%", "%", "1"):
        with pytest.raises(ValueError, match="%"):
            read_percent(bad)
    for bad in ("0.0000000000000000001", "1 ether", "1" * 40, "x"):
        with pytest.raises(ValueError, match=r"number|value"):
            read_scaled(bad)


def test_amounts_for_people() -> None:
    assert ether_text(0) == "0 wei" and ether_text(3) == "3 wei"
    assert ether_text(21 * 10**12) == "21000 gwei"
    assert ether_text(5 * 10**16) == "0.05 ether"
    assert ether_text(1234567890123456789) == "1.23457 ether"
