"""An EVM in this process, and calls to the contracts of tests/contracts by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

# How much is judged: under a sanitizer the short way has to do.
FULL = bool(os.environ.get("CI")) and not os.environ.get("CODEC_SANITIZE")

CONTRACTS = Path(__file__).parent / "contracts"
NO_EVM = "optional: no pyrevm (.venv/bin/python -m pip install --group evm)"
NO_CONTRACTS = "optional: no Solidity compiler (npm ci --prefix tests/contracts)"

ACCOUNT = "0x" + "a1" * 20
ECRECOVER = "0x" + "00" * 19 + "01"

VERIFY = bytes.fromhex("17e84a8d")
VERIFY_AND_DESERIALIZE = bytes.fromhex("3d5c76ae")
VERIFICATION_FEE = bytes.fromhex("7e7ce368")
SIGNER_ADDRESS = bytes.fromhex("5b7633d0")
VERSION = bytes.fromhex("54fd4d50")

REVERTS = {
    "025dbdd4": "InsufficientFee",
    "8baa579f": "InvalidSignature",
    "7c6953f9": "InvalidPayload",
    "4e487b71" + f"{0x11:064x}": "Panic(0x11)",
    "4e487b71" + f"{0x32:064x}": "Panic(0x32)",
}
_REVERT = re.compile(r"Revert \{ gas_used: \d+, output: 0x([0-9a-f]*) \}")


class Asset(NamedTuple):
    """One entry of what `verifyAndDeserializeSignedECDSAPayload` returns."""

    asset_id: int
    timestamp_ns: int
    value: int


class Reverted(Exception):
    """A call that reverted; the text is the error's name, or its data in hex."""


class Evm:
    """A chain with one account, which has all the ether that it wants."""

    def __init__(self) -> None:
        pyrevm = pytest.importorskip("pyrevm", reason=NO_EVM)
        self._evm = pyrevm.EVM()
        self._evm.set_balance(ACCOUNT, 10**30)

    def deploy(self, contract: str, *arguments: int | bytes) -> str:
        """The address of a new contract; an argument is a number or an address."""
        compile_contracts()
        text = (CONTRACTS / "build" / f"{contract}.json").read_text()
        code = bytes.fromhex(json.loads(text)["bytecode"])
        address: str = self._evm.deploy(ACCOUNT, code + b"".join(map(_word, arguments)))
        return address

    def call(
        self, to: str, data: bytes, *, value: int = 0, is_static: bool = True
    ) -> bytes:
        """What a call returns, or Reverted. A static one keeps nothing."""
        try:
            answer: bytes = self._evm.message_call(
                ACCOUNT, to, data, value=value, is_static=is_static
            )
        except RuntimeError as error:
            revert = _REVERT.fullmatch(str(error))
            if revert is None:
                raise
            raise Reverted(REVERTS.get(revert[1], revert[1])) from None
        return answer

    def balance(self, address: str) -> int:
        """In wei."""
        return int(self._evm.get_balance(address))

    def ecrecover(self, digest: bytes, signature: bytes) -> bytes | None:
        """The address that the precompile gives for r, s, v (65 bytes); v 27 or 28."""
        data = digest + _word(signature[64]) + signature[:64]
        return self.call(ECRECOVER, data)[12:] or None


class Verifier:
    """A deployed contract with the interface IFastVerifier."""

    def __init__(self, evm: Evm, address: str) -> None:
        self.evm = evm
        self.address = address

    def verify(self, payload: bytes, **options: Any) -> str:
        """ "true", "false", or the name of the error with which it reverted."""
        try:
            answer = self.evm.call(
                self.address, VERIFY + encode_bytes(payload), **options
            )
        except Reverted as reverted:
            return str(reverted)
        return {_word(0): "false", _word(1): "true"}[answer]

    def assets(self, payload: bytes, **options: Any) -> list[Asset] | str:
        """What verifyAndDeserialize returns, or the name of its error."""
        data = VERIFY_AND_DESERIALIZE + encode_bytes(payload)
        try:
            answer = self.evm.call(self.address, data, **options)
        except Reverted as reverted:
            return str(reverted)
        at, n_assets, *words = _words(answer)
        assert at == 32 and len(words) == 3 * n_assets
        rows = zip(words[0::3], words[1::3], words[2::3], strict=True)
        return [Asset(i, ns, v - 2**256 if v >> 255 else v) for i, ns, v in rows]


def encode_bytes(data: bytes) -> bytes:
    """The arguments of a function of one `bytes` (Solidity's ABI)."""
    return _word(32) + _word(len(data)) + data + bytes(-len(data) % 32)


def decode_string(answer: bytes) -> str:
    """A returned `string`."""
    at, length = _words(answer[:64])
    assert at == 32 and len(answer) == 64 + length + -length % 32
    return answer[64 : 64 + length].decode()


def rows(strings: list[bytes]) -> NDArray[np.uint8]:
    """Strings of one length as the rows of an array."""
    return np.frombuffer(b"".join(strings), np.uint8).reshape(len(strings), -1)


@cache
def compile_contracts() -> None:
    """Brings tests/contracts/build up to date; skips the test without a compiler."""
    examples = CONTRACTS.parents[1] / "examples"
    sources = [p for f in (CONTRACTS / "src", examples) for p in f.glob("*.sol")]
    sources += CONTRACTS.glob("*.js*")
    built = [path.stat().st_mtime for path in CONTRACTS.glob("build/*.json")]
    if built and min(built) > max(path.stat().st_mtime for path in sources):
        return
    node = shutil.which("node")
    if node is None or not (CONTRACTS / "node_modules" / "solc").exists():
        pytest.skip(NO_CONTRACTS)
    # Libraries that a sanitizer wants loaded first are not for another program.
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    run = subprocess.run(
        [node, str(CONTRACTS / "compile.js")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def _word(value: int | bytes) -> bytes:
    return (
        value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")
    )


def _words(answer: bytes) -> list[int]:
    assert len(answer) % 32 == 0
    return [
        int.from_bytes(answer[i : i + 32], "big") for i in range(0, len(answer), 32)
    ]
