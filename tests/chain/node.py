"""What the tests do with a node, whichever it is: requests, and calls of contracts."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import httpx
from eth_abi import decode, encode
from eth_utils import to_checksum_address
from evm import CONTRACTS, compile_contracts

import codec

LONG_S = 30.0  # for what takes a moment, on a machine that may be slow


class NodeRefused(Exception):
    """The node's own answer to a request was an error."""

    def __init__(self, code: int, message: str, data: Any) -> None:
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"{message} [{code}, {data!r}]")


def jsonrpc(url: str, method: str, *params: Any) -> Any:
    """A request's result; NodeRefused where the node answers with an error."""
    (answer,) = jsonrpc_all(url, [(method, *params)])
    if isinstance(answer, NodeRefused):
        raise answer
    return answer


def jsonrpc_all(url: str, requests: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The results of requests (method and parameters) in one batch, or their errors."""
    batch = [
        {"jsonrpc": "2.0", "id": i, "method": method, "params": params}
        for i, (method, *params) in enumerate(requests)
    ]
    # To verify no certificate spares the reading of them all, for each request.
    response = httpx.post(url, json=batch, timeout=60, trust_env=False, verify=False)
    answers = {answer["id"]: answer for answer in response.json()}
    return [_result(answers[i]) for i in range(len(batch))]


def _result(answer: dict[str, Any]) -> Any:
    if "error" not in answer:
        return answer["result"]
    error = answer["error"]
    return NodeRefused(error["code"], error["message"], error.get("data"))


class Node:
    """A node with some accounts; how it is run is left to the heir.

    accounts: address and private key, each with 10,000 ether. owner: the last of them,
    which deploys the contracts; a test that counts nonces takes another.
    """

    chain_id = 31337

    def __init__(self) -> None:
        self.accounts: list[tuple[str, bytes]] = []
        self.abis: dict[str, list[dict[str, Any]]] = {}

    @property
    def url(self) -> str:
        raise NotImplementedError

    @property
    def owner(self) -> str:
        return self.accounts[-1][0]

    def rpc(self, method: str, *params: Any) -> Any:
        """A request's result; NodeRefused where the node answers with an error."""
        return jsonrpc(self.url, method, *params)

    def mine(self, n: int = 1) -> None:
        """n blocks, the first with what waits."""
        raise NotImplementedError

    def balance(self, address: str) -> int:
        return int(self.rpc("eth_getBalance", address, "latest"), 16)

    def nonce(self, address: str, block: str = "latest") -> int:
        return int(self.rpc("eth_getTransactionCount", address, block), 16)

    def block_number(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def now_ns(self) -> int:
        """The newest block's time; it runs ahead of ours by a second a block."""
        return int(
            self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16
        ) * (10**9)

    def deploy(self, contract: str, *arguments: Any) -> str:
        """The checksummed address of a new contract of tests/contracts, the owner's."""
        built = artifact(contract)
        data = bytes.fromhex(built["bytecode"])
        for entry in built["abi"]:
            if entry["type"] == "constructor":
                data += encode(_types(entry["inputs"]), arguments)
        receipt = self._mined({"from": self.owner, "data": "0x" + data.hex()})
        address = to_checksum_address(receipt["contractAddress"])
        self.abis[address] = built["abi"]
        return address

    def call(self, address: str, function: str, *arguments: Any) -> Any:
        """What a deployed contract's function returns: decoded, a single value bare.

        function: "uses" or, where a name is not enough, "uses(bytes32)".
        """
        entry, data = self._encoded(address, function, arguments)
        answer = self.rpc("eth_call", {"to": address, "data": data}, "latest")
        types = _types(entry["outputs"])
        values = decode(types, bytes.fromhex(answer.removeprefix("0x")))
        return values[0] if len(values) == 1 else values

    def send(
        self,
        address: str,
        function: str,
        *arguments: Any,
        sender: str = "",
        wei: int = 0,
    ) -> dict[str, Any]:
        """The receipt of a transaction, of the owner where no sender is named."""
        _, data = self._encoded(address, function, arguments)
        sender = sender or self.owner
        return self._mined(
            {"from": sender, "to": address, "data": data, "value": hex(wei)}
        )

    def transact(self, **transaction: Any) -> dict[str, Any]:
        """The receipt of a transaction that is given as JSON-RPC has it."""
        return self._mined(transaction)

    def uses(self, consumer: str, payload: bytes) -> int:
        """How often a Consumer took a payload."""
        n: int = self.call(consumer, "uses", codec.keccak256(payload))
        return n

    def _mined(self, transaction: dict[str, Any]) -> dict[str, Any]:
        """The receipt of a good transaction, once it is mined."""
        digest = self._handed_in(transaction)
        self._see_mined()
        end = time.monotonic() + LONG_S
        while (receipt := self.rpc("eth_getTransactionReceipt", digest)) is None:
            assert time.monotonic() < end, f"{digest} was never mined"
            time.sleep(0.001)
        if receipt["status"] != "0x1":
            raise NodeRefused(3, "the transaction was mined, and reverted", receipt)
        return dict(receipt)

    def _see_mined(self) -> None:
        """Mines a block, unless the node is about to do so by itself."""
        self.mine()

    def _handed_in(self, transaction: dict[str, Any]) -> str:
        """The hash of a transaction of one of the accounts."""
        digest: str = self.rpc("eth_sendTransaction", transaction)
        return digest

    def _encoded(
        self, address: str, function: str, arguments: Sequence[Any]
    ) -> tuple[dict[str, Any], str]:
        name, _, _ = function.partition("(")
        for entry in self.abis[to_checksum_address(address)]:
            if entry["type"] != "function" or entry["name"] != name:
                continue
            types = _types(entry["inputs"])
            signature = f"{name}({','.join(types)})"
            if function in (name, signature):
                selector = codec.keccak256(signature.encode())[:4]
                return entry, "0x" + (selector + encode(types, arguments)).hex()
        raise KeyError(function)


@cache
def artifact(contract: str) -> dict[str, Any]:
    """abi and bytecode of a contract; skips the test where nothing can compile it."""
    compile_contracts()
    text = (CONTRACTS / "build" / f"{contract}.json").read_text()
    built: dict[str, Any] = json.loads(text)
    return built


def _types(inputs: list[dict[str, Any]]) -> list[str]:
    """The ABI's types of arguments, tuples written out."""
    return [
        f"({','.join(_types(entry['components']))}){entry['type'][5:]}"
        if entry["type"].startswith("tuple")
        else entry["type"]
        for entry in inputs
    ]
