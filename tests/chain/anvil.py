"""A real node for the tests: anvil on a port of this machine, and its contracts."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from threading import Thread
from typing import Self

import pytest
from eth_utils import to_checksum_address
from evm import CONTRACTS
from node import Node, NodeRefused, artifact, jsonrpc, jsonrpc_all

__all__ = ["Anvil", "NodeRefused", "artifact", "jsonrpc", "jsonrpc_all"]

BINARY = CONTRACTS / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
NO_ANVIL = "optional: no anvil for this machine (npm ci --prefix tests/contracts)"
LISTENING = "Listening on 127.0.0.1:"


class Anvil(Node):
    """A node that mines each transaction at once, until it is told otherwise.

    options: more options of the command. port: None for any free one. state: a file
    in which the chain is kept over `kill` and `restart`; transactions that are not yet
    mined are lost, as they are with other nodes.
    """

    def __init__(
        self, *options: str, port: int | None = None, state: Path | None = None
    ) -> None:
        super().__init__()
        self.port = port or 0
        self._options = [*options, *(["--state", str(state)] if state else [])]
        self._process: subprocess.Popen[str] | None = None
        self._keeps_state = state is not None
        self._log: deque[str] = deque(maxlen=200)
        self._reader = Thread()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Returns once the node answers; skips the test where there is no node."""
        if not BINARY.exists() or (sys.platform, platform.machine()) != (
            "linux",
            "x86_64",
        ):
            pytest.skip(NO_ANVIL)
        # Libraries that a sanitizer wants loaded first are not for another program.
        environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        with tempfile.NamedTemporaryFile(suffix=".json") as config:
            self._process = subprocess.Popen(
                [
                    *(str(BINARY), "--port", str(self.port)),
                    *("--config-out", config.name, "--no-request-size-limit"),
                    *self._options,
                ],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self.port = self._listening_port()
            told = json.loads(Path(config.name).read_text())
        self.accounts = [
            (to_checksum_address(address), bytes.fromhex(key.removeprefix("0x")))
            for address, key in zip(
                told["available_accounts"], told["private_keys"], strict=True
            )
        ]
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends the node in good order: its state is written, where one is kept."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def kill(self) -> None:
        """Ends the node; at once, unless it has a state to write."""
        self.stop(signal.SIGTERM if self._keeps_state else signal.SIGKILL)

    def restart(self) -> Self:
        """The same port again: with its state if it keeps one, else a fresh chain."""
        self.kill()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listening_port(self) -> int:
        """Reads the log as far as the port, and leaves the rest to a thread."""
        assert self._process is not None and self._process.stdout is not None
        log = self._process.stdout
        for line in log:
            self._log.append(line)
            if line.startswith(LISTENING):
                self._reader = Thread(target=self._log.extend, args=(log,), daemon=True)
                self._reader.start()
                return int(line.removeprefix(LISTENING))
        raise AssertionError(f"anvil did not start:\n{''.join(self._log)}")

    def mine(self, n: int = 1) -> None:
        """n blocks, the first with what waits."""
        self.rpc("anvil_mine", hex(n))

    def set_automine(self, is_on: bool) -> None:
        """Whether each transaction is mined as it comes; off: only `mine` does it."""
        self.rpc("evm_setAutomine", is_on)

    def set_interval(self, seconds: int) -> None:
        """A block each so many seconds instead; 0: only `mine` does it."""
        self.rpc("evm_setIntervalMining", seconds)

    def snapshot(self) -> str:
        snapshot: str = self.rpc("evm_snapshot")
        return snapshot

    def revert(self, snapshot: str) -> None:
        """The chain as it was, without waiting transactions, each mined as it comes."""
        self.set_interval(0)
        self.rpc("anvil_dropAllTransactions")
        assert self.rpc("evm_revert", snapshot)
        self.set_automine(True)

    def set_balance(self, address: str, wei: int) -> None:
        self.rpc("anvil_setBalance", address, hex(wei))

    def reorg(self, depth: int) -> None:
        """Puts as many other, empty blocks in the place of the newest `depth`."""
        self.rpc("anvil_reorg", depth, [])

    def _see_mined(self) -> None:
        if not self.rpc("anvil_getAutomine"):
            self.mine()
