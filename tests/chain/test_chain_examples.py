"""The programs of examples/ work as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from anvil import Anvil, NodeRefused

import codec

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "submit_payload.py"
MAX_AGE_S = 3600


@pytest.fixture
def board(chain: Anvil, verifier: str) -> str:
    """The address of the consumer contract."""
    return chain.deploy("PriceBoard", verifier, MAX_AGE_S)


def signed(key: bytes, value: int, *, age_s: int = 0) -> bytes:
    return codec.encode(
        [3, 7],
        [value, -1],
        timestamp_ns=time.time_ns() - age_s * 10**9,
        taxonomy_id=1,
        key=key,
    )


def submit(
    chain: Anvil, board: str, verifier: str, path: Path
) -> subprocess.CompletedProcess[str]:
    arguments = [path, chain.url, chain.chain_id, board, verifier]
    key = {"SENDER_KEY": chain.accounts[0][1].hex()}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=os.environ | key | {"PYTHONPATH": str(EXAMPLES.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_script_brings_a_payload_to_the_board(
    chain: Anvil, board: str, verifier: str, signer_key: bytes, tmp_path: Path
) -> None:
    payload = signed(signer_key, 65_000 * 10**18)
    path = tmp_path / "payload.bin"
    path.write_bytes(payload)
    done = submit(chain, board, verifier, path)
    assert done.returncode == 0, done.stderr
    assert "good: it would succeed" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("confirmed: 0x")
    timestamp_ns = int(codec.decode_payloads(payload).messages["timestamp_ns"][0])
    assert chain.call(board, "prices", 3) == (timestamp_ns, 65_000 * 10**18)
    assert chain.call(board, "prices", 7) == (timestamp_ns, -1)
    again = submit(chain, board, verifier, path)
    assert again.returncode == 1
    assert "the call reverts: NothingNew()" in again.stdout


def test_the_board_takes_what_is_newer_and_not_too_old(
    chain: Anvil, board: str, verifier: str, signer_key: bytes, fee_wei: int
) -> None:
    def update(payload: bytes) -> None:
        chain.send(board, "update", payload, wei=fee_wei)

    new, older = signed(signer_key, 1, age_s=5), signed(signer_key, 2, age_s=600)
    with pytest.raises(NodeRefused, match="revert"):
        update(signed(signer_key, 3, age_s=2 * MAX_AGE_S))
    update(older)
    update(new)
    assert chain.call(board, "prices", 3)[1] == 1
    with pytest.raises(NodeRefused, match="revert"):
        update(older)
    with pytest.raises(NodeRefused, match="revert"):
        update(signed(b"\5" * 32, 4))
    assert chain.call(board, "prices", 3)[1] == 1


def test_the_script_is_as_short_as_is_said() -> None:
    lines = SCRIPT.read_text().split('"""', 2)[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20
