"""The JSON-RPC methods of a strict node, with the arguments that geth would take."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from strict_chain import GAS_LIMIT, Block, Chain
from strict_transactions import Refused, Transaction, read_transaction
from strict_world import NOBODY, Call, Result, World

from codec.chain import decode_revert

INVALID_PARAMS = -32602
CALL_GAS_CAP = 50_000_000
SUGGESTED_TIP = 10**9
ESTIMATE_ERROR = 0.015
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]*)", re.IGNORECASE)
_BYTES = re.compile(r"0x(?:[0-9a-f]{2})*", re.IGNORECASE)


class Methods:
    """What the node answers; Refused where it answers with an error."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(chain.chain_id),
            "net_version": lambda: str(chain.chain_id),
            "web3_clientVersion": lambda: "strict/1.0",
            "eth_blockNumber": lambda: hex(chain.head.number),
            "eth_getBalance": lambda a, b: hex(self._world(b).balance(_address(a))),
            "eth_getCode": lambda a, b: _hex(self._world(b).code(_address(a))),
            "eth_getTransactionCount": self._nonce,
            "eth_getBlockByNumber": lambda b, f: self._block_json(self._block(b), f),
            "eth_getBlockByHash": self._block_by_hash,
            "eth_gasPrice": lambda: hex(SUGGESTED_TIP + chain.head.base_fee),
            "eth_maxPriorityFeePerGas": lambda: hex(SUGGESTED_TIP),
            "eth_feeHistory": self._fee_history,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
        }

    def answer(self, method: str, params: list[Any]) -> Any:
        """The result of a request."""
        found = self._methods.get(method)
        if found is None:
            text = f"the method {method} does not exist/is not available"
            raise Refused(text, -32601)
        try:
            return found(*params)
        except TypeError as error:
            if "positional argument" not in str(error):
                raise
            raise Refused(
                "missing value for required argument", INVALID_PARAMS
            ) from error

    def _send(self, data: str) -> str:
        transaction = read_transaction(_data(data))
        chain = self.chain
        chain.pool.add(transaction, chain.world, chain.next_base_fee)
        return transaction.hash

    def _nonce(self, address: str, tag: str) -> str:
        if tag == "pending":
            return hex(self.chain.pool.next_nonce(_address(address), self.chain.world))
        return hex(self._world(tag).nonce(_address(address)))

    def _block(self, tag: Any) -> Block:
        blocks = self.chain.blocks
        if tag in ("latest", "pending", "safe", "finalized", "earliest"):
            return blocks[0] if tag == "earliest" else blocks[-1]
        number = _number(tag)
        if number >= len(blocks):
            raise Refused("header not found")
        return blocks[number]

    def _world(self, tag: Any) -> World:
        return self.chain.world_at(self._block(tag).number)

    def _block_by_hash(self, digest: str, is_full: bool) -> Any:
        for block in self.chain.blocks:
            if block.hash == digest.lower():
                return self._block_json(block, is_full)
        return None

    def _block_json(self, block: Block, is_full: bool) -> Any:
        fields: dict[str, Any] = {
            "number": hex(block.number),
            "hash": block.hash,
            "parentHash": block.parent_hash,
            "timestamp": hex(block.timestamp),
            "gasLimit": hex(GAS_LIMIT),
            "gasUsed": hex(block.gas_used),
            "miner": NOBODY,
            "transactions": [
                self._transaction(transaction.hash) if is_full else transaction.hash
                for transaction in block.transactions
            ],
        }
        if self.chain.has_base_fee:
            fields["baseFeePerGas"] = hex(block.base_fee)
        return fields

    def _fee_history(self, n_blocks: str, newest: str, percentiles: list[float]) -> Any:
        last = self._block(newest).number
        first = max(0, last + 1 - _number(n_blocks))
        blocks = self.chain.blocks[first : last + 1]
        fees = [block.base_fee for block in blocks]
        return {
            "oldestBlock": hex(first),
            "baseFeePerGas": [*map(hex, fees), hex(self.chain.next_base_fee)],
            "gasUsedRatio": [block.gas_used / GAS_LIMIT for block in blocks],
            "reward": [[hex(_tip(b, p)) for p in percentiles] for b in blocks],
        }

    def _call(self, fields: dict[str, Any], tag: str = "latest") -> str:
        call = self._checked_call(fields, tag, CALL_GAS_CAP)
        result = self._run(call, tag)
        if result.fault:
            raise _refusal(result)
        return _hex(result.output)

    def _estimate(self, fields: dict[str, Any], tag: str = "latest") -> str:
        call = self._checked_call(fields, tag, GAS_LIMIT)
        result = self._run(call, tag)
        if result.fault == "out of gas":
            raise Refused(f"gas required exceeds allowance ({call.gas})")
        if result.fault:
            raise _refusal(result)
        like = _as_transaction(call)
        least = max(like.intrinsic_gas, like.floor_gas)
        low, high = max(least, result.gas_used) - 1, call.gas
        while (high - low) / high > ESTIMATE_ERROR:
            # Most need little more than they use, so that the search begins low.
            middle = min((low + high) // 2, 2 * low)
            attempt = Call(call.sender, call.to, call.data, call.value, middle)
            is_enough = middle >= least and not self._run(attempt, tag).fault
            low, high = (low, middle) if is_enough else (middle, high)
        return hex(high)

    def _run(self, call: Call, tag: str) -> Result:
        block = self._block(tag)
        return self._world(tag).run(call, block.number, block.timestamp, block.base_fee)

    def _checked_call(self, fields: dict[str, Any], tag: str, most_gas: int) -> Call:
        price_keys = {"maxFeePerGas", "maxPriorityFeePerGas"} & set(fields)
        if price_keys and "gasPrice" in fields:
            raise Refused(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"
            )
        if price_keys and not self.chain.has_base_fee:
            raise Refused(
                "maxFeePerGas and maxPriorityFeePerGas are not valid before London is"
                " active"
            )
        if {"data", "input"} <= set(fields) and fields["data"] != fields["input"]:
            raise Refused('both "data" and "input" are set and not equal')
        call = Call(
            _address(fields.get("from", NOBODY)),
            _address(fields["to"]) if fields.get("to") else None,
            _data(fields.get("input", fields.get("data", "0x"))),
            _number(fields.get("value", "0x0")),
            min(_number(fields.get("gas", hex(most_gas))), most_gas),
        )
        price = _number(fields.get("maxFeePerGas", fields.get("gasPrice", "0x0")))
        base_fee = self._block(tag).base_fee
        if 0 < price < base_fee:
            raise Refused(
                f"max fee per gas less than block base fee: address {call.sender},"
                f" maxFeePerGas: {price}, baseFee: {base_fee}"
            )
        have, want = self._world(tag).balance(call.sender), call.value
        want += call.gas * price if "gas" in fields else 0
        if have < want:
            raise Refused(
                "insufficient funds for gas * price + value: address"
                f" {call.sender} have {have} want {want}"
            )
        return call

    def _transaction(self, digest: str) -> Any:
        found = self.chain.find(digest.lower())
        if found is not None:
            block, i = found
            transaction = block.transactions[i]
            price = block.base_fee + transaction.tip(block.base_fee)
            place = {
                "blockHash": block.hash,
                "blockNumber": hex(block.number),
                "transactionIndex": hex(i),
            }
            return {**_fields(transaction), **place, "gasPrice": hex(price)}
        waiting = self.chain.pool.find(digest.lower())
        return None if waiting is None else _fields(waiting)

    def _receipt(self, digest: str) -> Any:
        found = self.chain.find(digest.lower())
        if found is None:
            return None
        block, i = found
        transaction, result = block.transactions[i], block.results[i]
        before = sum(earlier.gas_used for earlier in block.results[:i])
        return {
            "type": hex(transaction.type),
            "transactionHash": transaction.hash,
            "transactionIndex": hex(i),
            "blockHash": block.hash,
            "blockNumber": hex(block.number),
            "from": transaction.sender,
            "to": transaction.to,
            "contractAddress": result.contract,
            "cumulativeGasUsed": hex(before + result.gas_used),
            "gasUsed": hex(result.gas_used),
            "effectiveGasPrice": hex(block.base_fee + transaction.tip(block.base_fee)),
            "status": hex(not result.fault),
            "logs": [],
            "logsBloom": "0x" + "00" * 256,
        }


def _refusal(result: Result) -> Refused:
    """A failed call's error, in geth's words."""
    if not result.is_revert:
        return Refused(result.fault)
    if not result.output:
        return Refused("execution reverted", data=None)
    revert = decode_revert(result.output)
    reason = f": {revert.args[0]}" if revert.name == "Error" else ""
    return Refused(f"execution reverted{reason}", 3, _hex(result.output))


def _fields(transaction: Transaction) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "type": hex(transaction.type),
        "hash": transaction.hash,
        "from": transaction.sender,
        "to": transaction.to,
        "nonce": hex(transaction.nonce),
        "gas": hex(transaction.gas),
        "gasPrice": hex(transaction.max_fee),
        "value": hex(transaction.value),
        "input": _hex(transaction.data),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
    }
    if transaction.chain_id is not None:
        fields["chainId"] = hex(transaction.chain_id)
    if transaction.type == 2:
        fields["maxFeePerGas"] = hex(transaction.max_fee)
        fields["maxPriorityFeePerGas"] = hex(transaction.max_tip)
    return fields


def _as_transaction(call: Call) -> Transaction:
    """For what it costs at least."""
    return Transaction(
        2, 1, 0, 0, 0, call.gas, call.to, call.value, call.data, [], (0, 0, 0), b""
    )


def _tip(block: Block, percentile: float) -> int:
    tips = sorted(transaction.tip(block.base_fee) for transaction in block.transactions)
    return tips[min(int(len(tips) * percentile / 100), len(tips) - 1)] if tips else 0


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _number(text: Any) -> int:
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
        raise Refused(f"invalid argument: no hex quantity: {text!r}", INVALID_PARAMS)
    return int(text, 16)


def _data(text: Any) -> bytes:
    if not isinstance(text, str) or not _BYTES.fullmatch(text):
        raise Refused(f"invalid argument: no hex data: {text!r:.100}", INVALID_PARAMS)
    return bytes.fromhex(text[2:])


def _address(text: Any) -> str:
    if len(_data(text)) != 20:
        raise Refused(f"invalid argument: no address: {text!r}", INVALID_PARAMS)
    return str(text).lower()
