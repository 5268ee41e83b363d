"""A node that is as strict as geth, where anvil is lenient, over a real EVM."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

from eth_account import Account
from eth_utils import to_checksum_address
from node import Node
from signed_payloads import address_of
from strict_chain import GAS_LIMIT, Chain
from strict_methods import Methods
from strict_pool import Pool
from strict_transactions import Refused

import codec

N_ACCOUNTS = 10
ETHER = 10**18
SETUP_FEE = 2 * 10**9


class StrictNode(Node):
    """A node whose pool takes and refuses transactions as geth's does, word for word.

    It mines when it is told to, unless is_automining. has_base_fee: off for a chain
    before London. refuses_below_base_fee: as in `Pool`. Skips the test where there is
    no pyrevm. requests: the methods that were asked for, in order. refusals: the texts
    of its errors.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31337,
        has_base_fee: bool = True,
        refuses_below_base_fee: bool = False,
        is_automining: bool = False,
    ) -> None:
        super().__init__()
        self.chain_id = chain_id
        keys = [codec.keccak256(b"strict %d" % i) for i in range(N_ACCOUNTS)]
        self.accounts = [(to_checksum_address(address_of(key)), key) for key in keys]
        balances = {a.lower(): 10_000 * ETHER for a, _ in self.accounts}
        pool = Pool(chain_id, GAS_LIMIT, has_base_fee, refuses_below_base_fee)
        self.chain = Chain(chain_id, balances, has_base_fee, pool)
        self.is_automining = is_automining
        self.requests: list[str] = []
        self.refusals: list[str] = []
        self._methods = Methods(self.chain)
        self._lock = Lock()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def mine(self, n: int = 1) -> None:
        """n blocks, the first with what waits and fits."""
        with self._lock:
            for _ in range(n):
                self.chain.mine()

    def reorg(self, depth: int, *, returns: bool = True) -> None:
        """Puts as many other, empty blocks in the place of the newest `depth`.

        returns: whether their transactions wait again, or are forgotten.
        """
        with self._lock:
            self.chain.reorg(depth, returns=returns)

    def drop(self, digest: str) -> None:
        """Forgets a transaction that waits."""
        with self._lock:
            self.chain.pool.drop(digest)

    def set_base_fee(self, wei: int) -> None:
        """Of the next block; those after it follow from it."""
        with self._lock:
            self.chain.set_base_fee(wei)

    def set_balance(self, address: str, wei: int) -> None:
        with self._lock:
            self.chain.set_balance(address.lower(), wei)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, as JSON has it."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": request.get("id")}
        method = str(request.get("method"))
        with self._lock:
            self.requests.append(method)
            try:
                answer["result"] = self._methods.answer(
                    method, list(request.get("params", []))
                )
                if self.is_automining and method == "eth_sendRawTransaction":
                    self.chain.mine()
            except Refused as refused:
                self.refusals.append(refused.text)
                error = {"code": refused.code, "message": refused.text}
                if refused.data is not None:
                    error["data"] = refused.data
                answer["error"] = error
        return answer

    def _see_mined(self) -> None:
        if not self.is_automining:
            self.mine()

    def _handed_in(self, transaction: dict[str, Any]) -> str:
        """Signs, too: unlike anvil it has no keys of its own."""
        sender = to_checksum_address(transaction["from"])
        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": self.nonce(sender, "pending"),
            "gas": int(self.rpc("eth_estimateGas", transaction), 16),
            "value": int(transaction.get("value", "0x0"), 16),
            "data": transaction["data"],
        }
        if "to" in transaction:
            fields["to"] = to_checksum_address(transaction["to"])
        price = SETUP_FEE + 2 * self.chain.next_base_fee
        if self.chain.has_base_fee:
            fields |= {"maxFeePerGas": price, "maxPriorityFeePerGas": SETUP_FEE}
        else:
            fields["gasPrice"] = price
        signed = Account.sign_transaction(fields, dict(self.accounts)[sender])
        digest: str = self.rpc(
            "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex()
        )
        return digest


class _Server(ThreadingHTTPServer):
    """Serves a node from threads of its own, and ends with no connection open."""

    daemon_threads = True

    def __init__(self, node: StrictNode) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.node = node
        self._connections: set[socket.socket] = set()
        self._thread = Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    """One request or a batch of them in each POST."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(length))
        answer = self.server.node.answer
        told = (
            [answer(one) for one in asked] if isinstance(asked, list) else answer(asked)
        )
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
