"""Signed transactions as a strict node reads them, and what they cost at least."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import rlp
from eth_account import Account
from signed_payloads import N

import codec

TX_GAS = 21_000
CREATE_GAS = 32_000
INITCODE_WORD_GAS = 2
ZERO_BYTE_GAS, OTHER_BYTE_GAS = 4, 16
FLOOR_TOKEN_GAS = 10
ACCESS_ADDRESS_GAS, ACCESS_KEY_GAS = 2400, 1900
FIELDS = {1: 11, 2: 12}  # of typed transactions, by type


class Refused(Exception):
    """What the node answers instead of a result: its text, code and data."""

    def __init__(self, text: str, code: int = -32000, data: Any = None) -> None:
        self.text = text
        self.code = code
        self.data = data
        super().__init__(text)


@dataclass(frozen=True)
class Transaction:
    """A transaction; of a legacy one both fees are its gas price."""

    type: int
    chain_id: int | None
    nonce: int
    max_tip: int
    max_fee: int
    gas: int
    to: str | None
    value: int
    data: bytes
    access_list: list[Any]
    signature: tuple[int, int, int]
    raw: bytes = field(repr=False)

    @cached_property
    def hash(self) -> str:
        return "0x" + codec.keccak256(self.raw).hex()

    @cached_property
    def sender(self) -> str:
        sender: str = Account.recover_transaction(self.raw).lower()
        return sender

    @property
    def cost(self) -> int:
        """What the sender's balance must be."""
        return self.gas * self.max_fee + self.value

    def tip(self, base_fee: int) -> int:
        """What the miner would get for each gas; negative where it cannot be mined."""
        return min(self.max_tip, self.max_fee - base_fee)

    @cached_property
    def intrinsic_gas(self) -> int:
        """What is taken before anything runs."""
        n_zeros = self.data.count(0)
        gas = TX_GAS + ZERO_BYTE_GAS * n_zeros
        gas += OTHER_BYTE_GAS * (len(self.data) - n_zeros)
        if self.to is None:
            gas += CREATE_GAS + INITCODE_WORD_GAS * -(-len(self.data) // 32)
        n_keys = sum(len(keys) for _, keys in self.access_list)
        return (
            gas + ACCESS_ADDRESS_GAS * len(self.access_list) + ACCESS_KEY_GAS * n_keys
        )

    @cached_property
    def floor_gas(self) -> int:
        """What the data costs at least, whatever runs (EIP-7623)."""
        n_zeros = self.data.count(0)
        return TX_GAS + FLOOR_TOKEN_GAS * (n_zeros + 4 * (len(self.data) - n_zeros))


def read_transaction(raw: bytes) -> Transaction:
    """A signed transaction from its bytes; Refused for what is none."""
    if not raw:
        raise Refused("typed transaction too short")
    if raw[0] > 0x7F:
        return _legacy(_items(raw), raw)
    if raw[0] not in FIELDS:
        raise Refused("transaction type not supported")
    items = _items(raw[1:])
    if len(items) != FIELDS[raw[0]]:
        raise Refused("rlp: wrong number of elements for a typed transaction")
    *head, gas, to, value, data, access_list, parity, r, s = items
    chain_id, nonce, *fees = map(_number, head)
    return Transaction(
        raw[0],
        chain_id,
        nonce,
        fees[0],
        fees[-1],
        _number(gas),
        _address(to),
        _number(value),
        _bytes(data),
        access_list,
        (_number(parity), _number(r), _number(s)),
        raw,
    )


def check_signature(transaction: Transaction, chain_id: int) -> None:
    """Refused where the signature is not the sender's, or for another chain."""
    if transaction.chain_id is None:
        raise Refused("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != chain_id:
        raise Refused(
            "invalid sender: invalid chain id for signer:"
            f" have {transaction.chain_id} want {chain_id}"
        )
    parity, r, s = transaction.signature
    if parity not in (0, 1) or not 0 < r < N or not 0 < s <= N // 2:
        raise Refused("invalid sender: invalid transaction v, r, s values")


def _legacy(items: list[Any], raw: bytes) -> Transaction:
    if len(items) != 9:
        raise Refused("rlp: wrong number of elements for a legacy transaction")
    nonce, price, gas, to, value, data, v, r, s = items
    chain_id, parity = divmod(_number(v) - 35, 2)
    return Transaction(
        0,
        chain_id if chain_id >= 0 else None,
        _number(nonce),
        _number(price),
        _number(price),
        _number(gas),
        _address(to),
        _number(value),
        _bytes(data),
        [],
        (parity, _number(r), _number(s)),
        raw,
    )


def _items(data: bytes) -> list[Any]:
    try:
        items = rlp.decode(data)
    except rlp.DecodingError as error:
        raise Refused(f"rlp: {error}") from None
    if not isinstance(items, list):
        raise Refused("rlp: expected input list")
    return items


def _bytes(item: Any) -> bytes:
    if not isinstance(item, bytes):
        raise Refused("rlp: expected input string or byte")
    return item


def _number(item: Any) -> int:
    if _bytes(item).startswith(b"\0"):
        raise Refused("rlp: non-canonical integer (leading zero bytes)")
    return int.from_bytes(item, "big")


def _address(item: Any) -> str | None:
    if len(_bytes(item)) not in (0, 20):
        raise Refused("rlp: input string has the wrong length for common.Address")
    return "0x" + item.hex() if item else None
