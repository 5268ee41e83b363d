"""Keys: read from where they are kept, used, and never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

import codec
from codec import ChainError, KeySourceError
from codec.chain import Wallet

KEY = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
ADDRESS = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
PASSWORD = "correct horse battery"
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TRANSACTION = {
    "type": 2,
    "chainId": 31337,
    "nonce": 0,
    "to": "0x" + "11" * 20,
    "value": 3,
    "gas": 100_000,
    "maxFeePerGas": 10**9,
    "maxPriorityFeePerGas": 1,
    "data": b"\x01\x02",
}


@pytest.fixture(scope="module")
def keystore() -> str:
    return json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=2))


def write(path: Path, text: str | bytes) -> Path:
    """A file that its owner alone can read."""
    path.touch(0o600)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def is_shown(error: BaseException) -> bool:
    """Whether a traceback with variables shows the key, a half of it, or the password.

    The frames of the tests themselves are left out.
    """
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert error.__cause__ is error.__context__ is None
    frames = [f for f in shown.stack if Path(f.filename).name != Path(__file__).name]
    text = repr(error) + "".join(f"{frame.locals}" for frame in frames)
    return any(secret in text for secret in secrets_of(KEY))


def secrets_of(key: bytes) -> list[str]:
    digits = key.hex()
    return [
        digits[:32],
        digits[32:],
        digits.upper()[:32],
        str(int(digits, 16)),
        repr(key)[2:30],
        PASSWORD,
    ]


# Where keys are kept


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        "0x" + KEY.hex(),
        "0X" + KEY.hex().upper(),
        f"  0x{KEY.hex()}\r\n\n",
    ],
)
def test_a_file_and_a_variable_with_digits(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "key", text)
    monkeypatch.setenv("PUSH_KEY", text)
    for wallet in (
        Wallet.from_file(path),
        Wallet.from_file(str(path)),
        Wallet.from_env("PUSH_KEY"),
    ):
        assert wallet.address == ADDRESS


def test_a_keystore(
    keystore: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "UTC--2026-01-01T00-00-00.0Z--2c7536e3", keystore)
    secret = write(tmp_path / "password", PASSWORD + "\n")
    monkeypatch.setenv("PUSH_PASSWORD", PASSWORD)
    for make in (Wallet.from_keystore, Wallet.from_file):
        assert make(path, password_file=secret).address == ADDRESS
        assert make(path, password_env="PUSH_PASSWORD").address == ADDRESS


def test_a_keystore_of_another_program(tmp_path: Path) -> None:
    """The example of the Web3 Secret Storage definition, with scrypt."""
    text = json.dumps(
        {
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
                "ciphertext": "d172bf743a674da9cdad04534d56926e"
                "f8358534d458fffccd4e6ad2fbde479c",
                "kdf": "scrypt",
                "kdfparams": {
                    "dklen": 32,
                    "n": 262144,
                    "p": 8,
                    "r": 1,
                    "salt": "ab0c7876052600dd703518d6fc3fe898"
                    "4592145b591fc8fb5c6d43190334ba19",
                },
                "mac": "2103ac29920d71da29f15d75b4a16dbe"
                "95cfd7ff8faea1056c33131d846e3097",
            },
            "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
            "version": 3,
        }
    )
    path = write(tmp_path / "keystore", text)
    secret = write(tmp_path / "password", "testpassword")
    wallet = Wallet.from_keystore(path, password_file=secret)
    assert wallet.address == "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"


def test_a_file_that_others_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "key", KEY.hex())
    for mode, n in ((0o600, 0), (0o400, 0), (0o640, 1), (0o604, 2)):
        path.chmod(mode)
        Wallet.from_file(path)
        assert len(caplog.records) == n
    record = caplog.records[-1]
    assert (record.name, record.levelno) == ("codec.keyfiles", logging.WARNING)
    assert str(path) in record.message and KEY.hex()[:32] not in caplog.text


# Where no key is


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY.hex()[:-1],
        KEY.hex() + "0",
        KEY.hex()[:-1] + "g",
        f"{KEY.hex()} {KEY.hex()}",
        "00" * 32,
        f"{N:064x}",
        "ff" * 32,
        b"\xff" + KEY,
        KEY.hex() * 2000,
        "[]",
    ],
)
def test_a_file_without_a_key(text: str | bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "key", text)
    with pytest.raises(KeySourceError) as caught:
        Wallet.from_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert not is_shown(caught.value)


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, "a\0b"):
        for make in (Wallet.from_file, Wallet.from_keystore):
            with pytest.raises(KeySourceError):
                make(path)
    with pytest.raises(KeySourceError, match=r"none: No such file or directory$"):
        Wallet.from_file(tmp_path / "none")


def test_a_variable_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setenv("BROKEN", KEY.hex()[:-1])
    for name, words in (
        ("NOT_SET", "it is not set, or empty"),
        ("EMPTY", "it is not set, or empty"),
        ("BROKEN", "no private key"),
    ):
        with pytest.raises(KeySourceError, match=f"{name}: {words}") as caught:
            Wallet.from_env(name)
        assert not is_shown(caught.value)


@pytest.mark.parametrize("key", [KEY.hex(), "0x" + KEY.hex()])
def test_a_key_in_the_place_of_a_name_is_not_shown(key: str, tmp_path: Path) -> None:
    path = write(tmp_path / "keystore", "{}")
    for make in (
        lambda: Wallet.from_env(key),
        lambda: Wallet.from_file(key),
        lambda: Wallet.from_keystore(key),
        lambda: Wallet.from_keystore(path, password_env=key),
        lambda: Wallet.from_keystore(path, password_file=key),
    ):
        with pytest.raises(KeySourceError, match="a key instead of a name") as caught:
            make()
        assert KEY.hex()[:32] not in f"{caught.value!r}"


def broken(keystore: str, *path: str, value: Any) -> str:
    """A keystore with another value at a place."""
    found = json.loads(keystore)
    inner = found
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return json.dumps(found)


def test_keystores_that_open_nothing(keystore: str, tmp_path: Path) -> None:
    secret = write(tmp_path / "password", PASSWORD)
    path = tmp_path / "keystore"
    for text, words in (
        ("{", "it is no JSON object"),
        ("{}", "no keystore that we know"),
        ('{"a":' * 9000, "it is no JSON object"),
        (broken(keystore, "version", value=9), "no keystore that we know"),
        (broken(keystore, "crypto", value=None), "no keystore that we know"),
        (broken(keystore, "crypto", "kdf", value="x"), "no keystore that we know"),
        (broken(keystore, "crypto", "mac", value="00"), "the password is wrong"),
        (broken(keystore, "crypto", "mac", value=5), "no keystore that we know"),
    ):
        with pytest.raises(KeySourceError, match=words) as caught:
            Wallet.from_file(write(path, text), password_file=secret)
        assert not is_shown(caught.value)


def test_passwords_that_open_nothing(
    keystore: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "keystore", keystore)
    secret = write(tmp_path / "password", PASSWORD + "!")
    monkeypatch.setenv("WRONG", PASSWORD + " ")
    for arguments, words in (
        ({}, "needs a password"),
        ({"password_file": secret, "password_env": "WRONG"}, "needs a password"),
        ({"password_file": secret}, "the password is wrong"),
        ({"password_env": "WRONG"}, "the password is wrong"),
        ({"password_env": "NOT_SET"}, "variable NOT_SET: it is not set"),
        ({"password_file": tmp_path / "none"}, "none: No such file"),
    ):
        with pytest.raises(KeySourceError, match=words) as caught:
            Wallet.from_keystore(path, **arguments)
        assert not is_shown(caught.value)


def test_bytes_that_are_no_key() -> None:
    assert Wallet.from_key(KEY).address == ADDRESS
    for key in (b"", KEY[:-1], KEY + b"\0", bytes(32), N.to_bytes(32, "big")):
        with pytest.raises(KeySourceError) as caught:
            Wallet.from_key(key)
        assert not is_shown(caught.value)
    with pytest.raises(KeySourceError):
        Wallet.from_key(KEY.hex())  # type: ignore[arg-type]


# Signing


def test_what_is_signed() -> None:
    wallet = Wallet.from_key(KEY)
    raw, digest = wallet.sign(TRANSACTION)
    signed = Account.from_key(KEY).sign_transaction(TRANSACTION)
    assert (raw, digest) == (bytes(signed.raw_transaction), bytes(signed.hash))
    assert digest == codec.keccak256(raw)
    assert Account.recover_transaction(raw) == ADDRESS
    legacy = {k: v for k, v in TRANSACTION.items() if not k.startswith("max")}
    legacy |= {"gasPrice": 10**9}
    del legacy["type"]
    raw, _ = wallet.sign(legacy)
    assert Account.recover_transaction(raw) == ADDRESS
    assert wallet.sign({**TRANSACTION, "from": ADDRESS})[1] == digest


@pytest.mark.parametrize(
    "change",
    [
        {"chainId": None},
        {"chainId": 0},
        {"chainId": True},
        {"chainId": "0x1"},
        {"gas": "much"},
        {"value": -1},
        {"color": "red"},
        {"to": "0x12"},
        {"from": "0x" + "22" * 20},
        {"data": "x" * 10**6},
    ],
)
def test_what_cannot_be_signed(change: dict[str, Any]) -> None:
    with pytest.raises(
        ChainError, match="the transaction cannot be signed: "
    ) as caught:
        Wallet.from_key(KEY).sign({**TRANSACTION, **change})
    assert not is_shown(caught.value)
    assert len(str(caught.value)) < 600


def test_a_transaction_for_any_chain_is_not_signed() -> None:
    without = {k: v for k, v in TRANSACTION.items() if k != "chainId"}
    with pytest.raises(ChainError, match="it has no chainId"):
        Wallet.from_key(KEY).sign(without)


# Keeping it


def test_a_wallet_shows_its_address_alone() -> None:
    wallet = Wallet.from_key(KEY)
    assert repr(wallet) == str(wallet) == f"{wallet}" == f"<Wallet {ADDRESS}>"
    assert not hasattr(wallet, "__dict__")
    shown = repr({name: getattr(wallet, name) for name in dir(wallet)})
    assert not any(secret in shown for secret in secrets_of(KEY))


def test_a_wallet_is_neither_pickled_nor_copied() -> None:
    wallet = Wallet.from_key(KEY)
    for way in (copy.copy, copy.deepcopy, pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            way(wallet)
        assert not is_shown(caught.value)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="it holds a key"):
            pickle.dumps(wallet, protocol)
    with pytest.raises(TypeError, match="is made by"):
        Wallet()


def test_nothing_is_logged(
    keystore: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = write(tmp_path / "keystore", keystore)
    secret = write(tmp_path / "password", PASSWORD)
    Wallet.from_file(path, password_file=secret).sign(TRANSACTION)
    assert not any(secret in caplog.text for secret in secrets_of(KEY))


def test_importing_what_signs_leaves_the_limit_of_recursion_alone() -> None:
    code = (
        "import sys; from codec.chain import Wallet; limit = sys.getrecursionlimit();"
        "Wallet.from_key(b'1' * 32); print(limit == sys.getrecursionlimit())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
