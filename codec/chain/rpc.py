"""JSON-RPC to a node, or to several that stand for each other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from codec.addresses import checksum_address, read_signers
from codec.chain import answers
from codec.chain.answers import Result
from codec.chain.endpoints import Endpoint, EndpointStatus, Failure
from codec.chain.events import ChainEvents
from codec.chain.nodes import Nodes, Outcome
from codec.errors import ChainError, NodeError, RpcError, WrongChainError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Rpc", "Tag"]

T = TypeVar("T")
Tag = Literal["latest", "pending", "safe", "finalized", "earliest"]

_TAGS = ("latest", "pending", "safe", "finalized", "earliest")


class Rpc:
    """JSON-RPC over HTTP to one node, or to several that stand for each other.

    urls: of the nodes, the preferred one first; user and password in a URL are sent as
    a header. chain_id: what all of them must answer to eth_chainId. timeout_s: for one
    request. attempts: how many requests a call may cost. headers: sent with each
    request. ssl_context: where httpx's certificates will not do.

    Every method is repeated where no usable answer came, so none may be called that is
    not safe to repeat (a raw transaction is: it has one hash). A node that fails rests
    for a quarter of a second, doubling to 15 s, or as long as it asks for, at most a
    minute; another one is asked meanwhile.

    Before its first request, over a new connection and after a failure to answer a node
    is asked for its chain's id and for the code at the watched addresses. It gets no
    other request unless both are as expected.

    Raises ValueError for URLs and headers that are none. URLs and headers may hold
    secrets: texts, reprs, events and logs name nodes by scheme://host:port.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        chain_id: int,
        timeout_s: float = 10.0,
        attempts: int = 5,
        headers: Mapping[str, str] | None = None,
        events: ChainEvents | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not chain_id > 0 or not attempts > 0 or not timeout_s > 0:
            raise ValueError("chain_id, attempts and timeout_s are above 0")
        endpoints, reason = _endpoints(urls, headers or {})
        del urls, headers  # nor does a traceback that shows variables
        self.chain_id = chain_id
        self.events = ChainEvents() if events is None else events
        self._attempts = attempts
        self._nodes = Nodes(endpoints, chain_id, timeout_s, self.events, ssl_context)
        if reason:
            raise ValueError(reason)

    def __repr__(self) -> str:
        nodes = ", ".join(f"{node.name} ({node.state})" for node in self._nodes)
        return f"<Rpc chain {self.chain_id}: {nodes}>"

    async def __aenter__(self) -> Self:
        self._nodes.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the connections; calls that are under way fail."""
        await self._nodes.close()

    @property
    def endpoints(self) -> tuple[EndpointStatus, ...]:
        """How each node stands."""
        return tuple(node.status for node in self._nodes)

    def watch_code(self, address: str) -> None:
        """From now on a node must have code at the address, and always the same.

        The first code that is seen there is what is expected. Raises SignatureError
        for an address that is none.
        """
        (data,) = read_signers(address)
        self._nodes.watch(checksum_address(data))

    async def call(
        self, method: str, *params: object, attempts: int | None = None
    ) -> Any:
        """The `result` of a method; bytes among the parameters are sent as hex.

        Raises RpcError for a node's own error; NodeError where no node gave a usable
        answer in so many attempts, its reason tells of each node; WrongChainError where
        all nodes are of another chain.
        """
        return await self._call(method, params, _any, attempts)

    async def call_all(
        self, method: str, *params: object, attempts: int | None = None
    ) -> list[Any | ChainError]:
        """Each node's result, or the error that `call` would raise, in their order.

        Nodes that rest are not asked, and have a NodeError, unless no other gives an
        answer. attempts: with 1, each node is asked at most once.
        """
        failures = self._nodes.out()
        given: dict[Endpoint, Outcome] = {}
        for _ in range(self._bound(attempts)):
            first = self._nodes.next(failures, {})
            if first is None:
                break
            moment = first.rests_until
            await _until(moment)
            moment = max(moment, time.monotonic())
            asked = [
                node
                for node in self._nodes
                if node.rests_until <= moment and not _is_lasting(failures.get(node))
            ]
            outcomes = await asyncio.gather(
                *(self._nodes.ask(node, method, params, _any) for node in asked)
            )
            for node, outcome in zip(asked, outcomes, strict=True):
                if isinstance(outcome, Failure):
                    outcome = _after(given.get(node), outcome)
                    failures[node] = outcome
                given[node] = outcome
            if not all(isinstance(outcome, Failure) for outcome in outcomes):
                break
        return [_told(given.get(node), node, method) for node in self._nodes]

    async def block_number(self) -> int:
        return await self._call("eth_blockNumber", (), answers.read_quantity)

    async def balance(self, address: str, block: str | int = "latest") -> int:
        """In wei."""
        params = address, _block(block)
        return await self._call("eth_getBalance", params, answers.read_quantity)

    async def nonce(self, address: str, block: str | int = "latest") -> int:
        """How many transactions the address has sent; with "pending", waiting ones too.

        It is the nonce of its next transaction.
        """
        params = address, _block(block)
        return await self._call(
            "eth_getTransactionCount", params, answers.read_quantity
        )

    async def code(self, address: str, block: str | int = "latest") -> bytes:
        """Empty where no contract is."""
        params = address, _block(block)
        return await self._call("eth_getCode", params, answers.read_bytes)

    @overload
    async def block(self, block: Tag = "latest") -> dict[str, Any]: ...
    @overload
    async def block(self, block: str | int | bytes) -> dict[str, Any] | None: ...
    async def block(self, block: str | int | bytes = "latest") -> dict[str, Any] | None:
        """A block by tag, number or hash as the node's JSON has it: numbers as "0x10".

        None where the node knows none, which is never so of a tag.
        """
        if isinstance(block, bytes) or (isinstance(block, str) and len(block) == 66):
            params, by = (block, False), "Hash"
        else:
            params, by = (_block(block), False), "Number"
        is_tag = isinstance(block, str) and block in _TAGS
        read = answers.read_object if is_tag else answers.read_object_or_none
        return await self._call(f"eth_getBlockBy{by}", params, read)

    async def receipt(self, digest: str | bytes) -> dict[str, Any] | None:
        """A mined transaction's receipt as the node's JSON has it, None without one."""
        return await self._call(
            "eth_getTransactionReceipt", (digest,), answers.read_object_or_none
        )

    async def transaction(self, digest: str | bytes) -> dict[str, Any] | None:
        """A transaction as the node's JSON has it, None where the node knows none."""
        return await self._call(
            "eth_getTransactionByHash", (digest,), answers.read_object_or_none
        )

    async def send_raw(self, raw: bytes) -> bytes:
        """Hands in a signed transaction; gives the hash that the node answers with."""
        return await self._call("eth_sendRawTransaction", (raw,), answers.read_hash)

    async def eth_call(
        self, transaction: Mapping[str, object], block: str | int = "latest"
    ) -> bytes:
        """What a call would return. A revert is an RpcError.

        transaction: with ints and bytes, or as JSON has them.
        """
        params = _hexed(transaction), _block(block)
        return await self._call("eth_call", params, answers.read_bytes)

    async def estimate_gas(self, transaction: Mapping[str, object]) -> int:
        """The gas that a transaction would need. A revert is an RpcError."""
        return await self._call(
            "eth_estimateGas", (_hexed(transaction),), answers.read_quantity
        )

    async def _call(
        self,
        method: str,
        params: Sequence[object],
        read: Callable[[Any], T],
        attempts: int | None = None,
    ) -> T:
        failures = self._nodes.out()
        asked: Counter[Endpoint] = Counter()
        while asked.total() < self._bound(attempts):
            node = self._nodes.next(failures, asked)
            if node is None:
                break
            await _until(node.rests_until)
            asked[node] += 1
            outcome = await self._nodes.ask(node, method, params, read)
            if isinstance(outcome, Result):
                value: T = outcome.value
                return value
            if isinstance(outcome, RpcError):
                raise outcome
            failures[node] = outcome
        raise _no_answer(failures, method, asked.total())

    def _bound(self, attempts: int | None) -> int:
        if attempts is None:
            return self._attempts
        if attempts < 1:
            raise ValueError("attempts are above 0")
        return attempts


async def _until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.monotonic(), 0.0))


def _endpoints(
    urls: str | Sequence[str], headers: Mapping[str, str]
) -> tuple[list[Endpoint], str]:
    """The nodes, or what is wrong with their URLs or headers: that shows no secret."""
    texts = [urls] if isinstance(urls, str) else list(urls)
    try:
        endpoints = [Endpoint(url, headers) for url in texts]
    except ValueError as error:
        return [], str(error)
    return endpoints, "" if endpoints else "a chain needs the URL of a node"


def _no_answer(
    failures: Mapping[Endpoint, Failure], method: str, n_asked: int
) -> ChainError:
    """The error of a call that no node answered."""
    errors = [failure.error for failure in failures.values() if failure.error]
    if errors and len(errors) == len(failures):
        return _another(errors[0])
    times = f" ({n_asked} attempts)" if n_asked > 1 else ""
    if len(failures) == 1:
        ((node, failure),) = failures.items()
        return NodeError(node.name, failure.reason + times, method)
    names = ", ".join(node.name for node in failures)
    reasons = "; ".join(f"{node.name}: {it.reason}" for node, it in failures.items())
    return NodeError(names, f"no usable answer{times}: {reasons}", method)


def _after(before: Outcome | None, failure: Failure) -> Failure:
    """A failure that follows another: what left then, has left."""
    if isinstance(before, Failure) and not before.is_unsent:
        return replace(failure, is_unsent=False)
    return failure


def _told(outcome: Outcome | None, node: Endpoint, method: str) -> Any | ChainError:
    """One node's result, or its error."""
    if isinstance(outcome, Result):
        return outcome.value
    if isinstance(outcome, RpcError):
        return outcome
    failure = outcome or node.failure
    if failure is None:
        return NodeError(node.name, "it was not asked", method, is_unsent=True)
    if failure.error is not None:
        return _another(failure.error)
    is_unsent = outcome is None or failure.is_unsent
    return NodeError(node.name, failure.reason, method, is_unsent)


def _another(error: WrongChainError) -> WrongChainError:
    """The same error; one that is raised twice has the tracebacks of both."""
    return WrongChainError(error.endpoint, error.expected, error.found)


def _is_lasting(failure: Failure | None) -> bool:
    return failure is not None and failure.is_lasting


def _any(value: Any) -> Any:
    return value


def _block(block: str | int) -> str:
    return hex(block) if isinstance(block, int) else block


def _hexed(transaction: Mapping[str, object]) -> dict[str, object]:
    """A transaction as JSON-RPC wants it: numbers as 0x10."""
    return {
        name: hex(value) if type(value) is int else value
        for name, value in transaction.items()
        if value is not None
    }
