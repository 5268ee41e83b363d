"""Nodes that stand for each other: checked, asked, and left alone when they fail."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import httpx

from codec.chain import answers
from codec.chain.answers import BadAnswer, NodesError, Result
from codec.chain.endpoints import Endpoint, Failure
from codec.chain.events import ChainEventKind, ChainEvents
from codec.chain.exchange import Exchange
from codec.chain.judging import judge
from codec.errors import ChainError, RpcError, WrongChainError
from codec.signatures import keccak256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Nodes", "Outcome"]

T = TypeVar("T")
Outcome: TypeAlias = Result | RpcError | Failure


class Nodes:
    """Nodes of one chain, the preferred one first; `Rpc` says how they are treated."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        chain_id: int,
        timeout_s: float,
        events: ChainEvents,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self._endpoints = endpoints
        self._chain_id = chain_id
        self._timeout_s = timeout_s
        self._events = events
        self._ssl_context = ssl_context or _ssl_context(endpoints)
        self._ids = count(1)
        self._codes: dict[str, bytes | None] = {}  # keccak256 of the code there
        self._exchange: Exchange | None = None
        self._closed = False

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints)

    def open(self) -> None:
        """Makes them usable again after `close`."""
        self._closed = False

    async def close(self) -> None:
        """Closes the connections."""
        self._closed = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.close()
            for node in self._endpoints:
                node.renew()

    def watch(self, address: str) -> None:
        """Has every node checked for code at a checksummed address."""
        if address not in self._codes:
            self._codes[address] = None
            for node in self._endpoints:
                node.unsure += 1

    def out(self) -> dict[Endpoint, Failure]:
        """Those that need not be asked now: they would fail as they did."""
        now = time.monotonic()
        return {
            node: node.failure
            for node in self._endpoints
            if node.failure and node.failure.is_lasting and node.rests_until > now
        }

    def next(
        self, failures: Mapping[Endpoint, Failure], asked: Mapping[Endpoint, int]
    ) -> Endpoint | None:
        """Of the nodes that do not rest the one that was asked least, else the next.

        failures: what is known of nodes; those of a lasting one are left out. asked:
        how often the call has asked each.
        """
        now = time.monotonic()
        nodes = [
            node
            for node in self._endpoints
            if node not in failures or not failures[node].is_lasting
        ]
        return min(
            nodes,
            key=lambda node: (max(node.rests_until, now), asked.get(node, 0)),
            default=None,
        )

    async def ask(
        self,
        node: Endpoint,
        method: str,
        params: Sequence[object],
        read: Callable[[Any], T],
    ) -> Outcome:
        """One request to one node, once it is known to be of the chain."""
        n_rests = node.n_rests
        async with node.slots:
            # A node that failed while this one waited for its turn rests now.
            failure = node.failure if node.n_rests != n_rests else None
            failure = failure or await self._check(node)
            if failure is not None:
                return replace(failure, is_unsent=True)

            async def on_connect() -> Failure | None:
                node.unsure += 1
                failure = await self._check(node)
                return failure and replace(failure, is_unsent=True)

            outcome = await self._request(node, method, params, read, on_connect)
            if isinstance(outcome, Failure):
                self._rest(node, outcome, n_rests, method)
            elif node.failure is not None and node.n_rests == n_rests:
                self._recover(node)
            return outcome

    async def _check(self, node: Endpoint) -> Failure | None:
        """Sees to it that a check has begun since now, and was good.

        All who ask for one at a time share it.
        """
        needed, n_rests = node.unsure, node.n_rests
        if node.checked_at >= needed:
            return None
        async with node.lock:
            if node.checked_at >= needed:
                return None
            if node.n_rests != n_rests and node.failure is not None:
                return node.failure
            begun_at = node.unsure
            failure = await self._look(node)
            if failure is None:
                node.checked_at = begun_at
            else:
                self._rest(node, failure, n_rests, "eth_chainId")
            return failure

    async def _look(self, node: Endpoint) -> Failure | None:
        """What is wrong with a node's chain, if anything."""
        found = await self._request(node, "eth_chainId", (), answers.read_quantity)
        if not isinstance(found, Result):
            return _unchecked(found)
        if found.value != self._chain_id:
            return _wrong(node, f"chain {self._chain_id}", f"chain {found.value}")
        for address in tuple(self._codes):
            params = address, "latest"
            found = await self._request(node, "eth_getCode", params, answers.read_bytes)
            if not isinstance(found, Result):
                return _unchecked(found)
            if not found.value:
                return _wrong(node, f"code at {address}", "none")
            digest = keccak256(found.value)
            expected = self._codes[address]
            if expected is None:
                self._codes[address] = digest
            elif expected != digest:
                return _wrong(node, f"the same code at {address}", "another")
        return None

    async def _request(
        self,
        node: Endpoint,
        method: str,
        params: Sequence[object],
        read: Callable[[Any], T],
        on_connect: Callable[[], Any] | None = None,
    ) -> Outcome:
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        content = json.dumps(request, default=_hex, allow_nan=False).encode()
        if self._closed:
            raise ChainError("the Rpc is closed")
        if self._exchange is None:
            self._exchange = Exchange(self._timeout_s, self._ssl_context)
        node.n_requests += 1
        reply = await self._exchange.post(node, content, on_connect)
        outcome = reply if isinstance(reply, Failure) else judge(reply, number)
        if isinstance(outcome, Result):
            try:
                outcome = Result(read(outcome.value))
            except BadAnswer as error:
                outcome = Failure(f"{method}: {error}")
        if isinstance(outcome, Failure):
            node.n_failures += 1
            return replace(outcome, reason=node.redact(outcome.reason))
        if isinstance(outcome, NodesError):
            message = node.redact(outcome.message)
            data = _redacted(outcome.data, node)
            return RpcError(outcome.code, message, data, method, node.name)
        return outcome

    def _rest(self, node: Endpoint, failure: Failure, n_rests: int, what: str) -> None:
        """Leaves a node alone, once for all requests that failed at the same time."""
        if node.n_rests != n_rests or self._closed:
            return
        rest_s = node.rest(failure, time.monotonic())
        kind = ChainEventKind.WRONG_CHAIN if failure.error else None
        self._events.emit(
            kind or ChainEventKind.NODE_FAILED,
            failure.reason,
            place=node.name,
            rest_s=rest_s,
            method=what,
        )

    def _recover(self, node: Endpoint) -> None:
        node.recover()
        self._events.emit(ChainEventKind.NODE_BACK, "it answers again", place=node.name)


def _redacted(data: object, node: Endpoint) -> object:
    """What a node adds to an error, without secrets; bytes in hex as they are."""
    if isinstance(data, str):
        return data if data.startswith("0x") else node.redact(data)
    if isinstance(data, list):
        return [_redacted(item, node) for item in data]
    if isinstance(data, dict):
        return {node.redact(key): _redacted(data[key], node) for key in data}
    return data


def _ssl_context(endpoints: Sequence[Endpoint]) -> ssl.SSLContext:
    """One that trusts httpx's certificates, or none: to read them takes long."""
    if any(endpoint.name.startswith("https:") for endpoint in endpoints):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _hex(value: object) -> str:
    """Bytes among a request's parameters."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "0x" + bytes(value).hex()
    raise TypeError(f"{type(value).__name__} is no parameter of JSON-RPC")


def _unchecked(outcome: RpcError | Failure) -> Failure:
    """What it means that a node does not say which chain it is of."""
    if isinstance(outcome, Failure):
        return outcome
    return Failure(f"{outcome.method}: {outcome.message} [{outcome.code}]")


def _wrong(node: Endpoint, expected: str, found: str) -> Failure:
    error = WrongChainError(node.name, expected, found)
    reason = f"expected {expected}, found {found}"
    return Failure(reason, is_lasting=True, error=error)
