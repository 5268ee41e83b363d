"""Accounts and contracts in an EVM of this process: what a transaction does to them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from evm import NO_EVM
from strict_transactions import Transaction

_REVERT = re.compile(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}")
_HALT = re.compile(r"Halt \{ reason: (.+), gas_used: (\d+) \}", re.DOTALL)
_NOT_STARTED = re.compile(r"Initial gas spend is|CallGasCostMoreThanGasLimit|GasFloor")
NOBODY = "0x" + "00" * 20


@dataclass(frozen=True)
class Call:
    """What is to be run; to: None for a new contract."""

    sender: str
    to: str | None
    data: bytes
    value: int
    gas: int


@dataclass(frozen=True)
class Result:
    """What became of it. fault: "" where all is well, else why it was undone."""

    fault: str
    output: bytes
    gas_used: int
    contract: str | None = None

    @property
    def is_revert(self) -> bool:
        return self.fault == "execution reverted"


class World:
    """All accounts, after some block.

    Gas comes out somewhat lower than on other nodes: pyrevm keeps what a transaction
    has touched warm for those after it.
    """

    def __init__(self, balances: dict[str, int]) -> None:
        pyrevm = pytest.importorskip("pyrevm", reason=NO_EVM)
        self._block_env = pyrevm.BlockEnv
        self._evm = pyrevm.EVM(spec_id="CANCUN")
        self._nonces: dict[str, int] = {}
        for address, wei in balances.items():
            self.set_balance(address, wei)

    def balance(self, address: str) -> int:
        return int(self._evm.get_balance(address))

    def set_balance(self, address: str, wei: int) -> None:
        self._evm.set_balance(address, wei)

    def nonce(self, address: str) -> int:
        return self._nonces.get(address, 0)

    def code(self, address: str) -> bytes:
        return bytes(self._evm.get_code(address) or b"")

    def run(self, call: Call, number: int, timestamp: int, base_fee: int) -> Result:
        """What a call would do, of which nothing is kept."""
        before = self._evm.snapshot()
        try:
            return self._run(call, number, timestamp, base_fee)
        finally:
            self._evm.revert(before)

    def apply(
        self, transaction: Transaction, number: int, timestamp: int, base_fee: int
    ) -> Result:
        """Runs a transaction for which there is enough of everything."""
        sender, price = transaction.sender, base_fee + transaction.tip(base_fee)
        call = Call(
            sender,
            transaction.to,
            transaction.data,
            transaction.value,
            transaction.gas,
        )
        result = self._run(call, number, timestamp, base_fee)
        gas_used = max(result.gas_used, transaction.floor_gas)
        self._nonces[sender] = self.nonce(sender) + 1
        self.set_balance(sender, self.balance(sender) - gas_used * price)
        return Result(result.fault, result.output, gas_used, result.contract)

    def _run(self, call: Call, number: int, timestamp: int, base_fee: int) -> Result:
        env = self._block_env(number=number, timestamp=timestamp, basefee=base_fee)
        self._evm.set_block_env(env)
        options = {"value": call.value, "gas": call.gas}
        contract = None
        try:
            if call.to is None:
                contract = self._evm.deploy(call.sender, call.data, **options).lower()
                output = b""
            else:
                output = self._evm.message_call(
                    call.sender, call.to, call.data, **options
                )
        except RuntimeError as error:
            return _failure(str(error), call.gas)
        return Result("", output, self._evm.result.gas_used, contract)


def _failure(text: str, gas: int) -> Result:
    revert = _REVERT.fullmatch(text)
    if revert is not None:
        return Result("execution reverted", bytes.fromhex(revert[2]), int(revert[1]))
    halt = _HALT.fullmatch(text)
    if halt is not None:
        is_gas = "OutOfGas" in halt[1]
        return Result("out of gas" if is_gas else f"invalid: {halt[1]}", b"", gas)
    if _NOT_STARTED.search(text):
        return Result("out of gas", b"", gas)
    raise AssertionError(text)
