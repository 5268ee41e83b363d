"""Reads messages of Stork's aggregator (docs/aggregator.md, "Messages and faults")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from codec.errors import ErrorCode
from codec.reference.aggregator_fields import (
    EVM,
    OTHER,
    STARK,
    Handlers,
    HexReader,
    read_name,
    read_object,
    read_price,
    read_time,
)
from codec.reference.json_nodes import (
    Members,
    Node,
    locate,
    take_array,
    take_object,
    take_string,
)
from codec.reference.json_text import byte_offset, check_depth, parse
from codec.reference.model import Fault

_TRIGGERS = {"unspecified": 0, "clock": 1, "delta": 2}
_TYPES = {"evm": EVM, "stark": STARK}
_MOST_FAULTS = 16
_SPACE = " \t\n\r"


class Names(Protocol):
    """A table of names."""

    def __len__(self) -> int: ...
    def add(self, name: str) -> int | None: ...
    def truncate(self, n: int) -> None: ...


@dataclass(slots=True)
class Signed:
    """What somebody signed, and the signature: hexes are bytes by the field's name."""

    hexes: dict[str, bytes] = field(default_factory=dict)
    value: int = 0
    timestamp_ns: int = 0


@dataclass(slots=True)
class Publisher:
    """One of an aggregate's signed prices."""

    signed: Signed = field(default_factory=Signed)
    name: str = ""
    symbol: int = 0
    signature_type: int = OTHER


@dataclass(slots=True)
class Aggregate:
    """One entry of `data`. signed: what stork_signed_price has, or None."""

    name: str
    symbol: int
    asset_id: str = ""
    timestamp_ns: int = 0
    value: int = 0
    trigger: int = 0
    signature_type: int = OTHER
    signed: Signed | None = None
    publishers: list[Publisher] = field(default_factory=list)
    bad_publishers: list[Fault] = field(default_factory=list)


def read_text(text: str, names: Names) -> tuple[list[Aggregate], list[Fault]]:
    """The entries of one message, and what is wrong with those that are left out.

    Raises Fault where the message is refused; `names` is then as it was before.
    """
    start = len(names)
    aggregates: list[Aggregate] = []
    faults: list[Fault] = []
    seen: set[str] = set()
    for key, key_at, node in _find_data(text):
        try:
            aggregate = _read_entry(Node(key_at, key), node, names, seen)
        except Fault as fault:
            faults.append(fault)
            continue
        aggregates.append(aggregate)
        faults += aggregate.bad_publishers
    faults = [Fault(f.code, byte_offset(text, f.offset)) for f in faults]
    if len(faults) > _MOST_FAULTS:
        names.truncate(start)
        raise faults[0]
    return aggregates, faults


def _find_data(text: str) -> Members:
    """The members of `data`; the faults of the message as a whole."""
    body = text.strip(_SPACE)
    if not body:
        raise Fault(ErrorCode.EMPTY, 0)
    at = text.index(body[0])
    if body[0] != "{":
        raise Fault(ErrorCode.INVALID_JSON, byte_offset(text, at))
    parse(text)
    check_depth(text)
    frame, _ = locate(text, at)
    try:
        return _check_frame(frame)
    except Fault as fault:
        raise Fault(fault.code, byte_offset(text, fault.offset)) from None


def _check_frame(frame: Node) -> Members:
    found: dict[str, Node] = {}
    for key, key_at, node in frame.value:
        if key in found:
            raise Fault(ErrorCode.DUPLICATE_KEY, key_at)
        if key in ("type", "data"):
            found[key] = node
    if "type" not in found:
        raise Fault(ErrorCode.NOT_DATA, frame.at)
    if take_string(found["type"]) != "oracle_prices":
        raise Fault(ErrorCode.NOT_DATA, found["type"].at)
    if "data" not in found:
        raise Fault(ErrorCode.MISSING_FIELD, frame.at)
    return take_object(found["data"])


def _read_entry(key: Node, node: Node, names: Names, seen: set[str]) -> Aggregate:
    name, symbol = _intern(key, names)
    if name in seen:
        raise Fault(ErrorCode.DUPLICATE_KEY, key.at)
    seen.add(name)
    start = len(names)
    try:
        return _EntryReader(Aggregate(name, symbol), names).read(node)
    except Fault:
        names.truncate(start)
        raise


def _intern(node: Node, names: Names) -> tuple[str, int]:
    """A name and its index."""
    name = read_name(node)
    symbol = names.add(name)
    if symbol is None:
        raise Fault(ErrorCode.TOO_LARGE, node.at)
    return name, symbol


class _SignedReader:
    """Reads the signature, its time and its hash, which all signed things have."""

    def __init__(self) -> None:
        self.signed = Signed()
        self.hex = HexReader()

    def read_price(self, node: Node) -> None:
        self.signed.value = read_price(node)

    def read_timestamped(self, node: Node) -> None:
        hash_of = self.hex.handler("msg_hash", 32)
        handlers: Handlers = {
            "signature": self._read_signature,
            "timestamp": self._read_timestamp,
            "msg_hash": lambda node: None if node.value is None else hash_of(node),
        }
        read_object(node, handlers, ("signature", "timestamp"))

    def _read_timestamp(self, node: Node) -> None:
        self.signed.timestamp_ns = read_time(node)

    def _read_signature(self, node: Node) -> None:
        handlers = {name: self.hex.handler(name, 32) for name in "rs"}
        handlers["v"] = self.hex.handler("v", 1, 1)
        self.hex.need(node, read_object(node, handlers, ()), "rsv")

    def finish(self, signature_type: int) -> Signed:
        """All that was read, if its hex fields are right."""
        self.hex.check(signature_type)
        self.signed.hexes = self.hex.hexes
        return self.signed


class _EntryReader:
    def __init__(self, aggregate: Aggregate, names: Names) -> None:
        self._aggregate = aggregate
        self._names = names
        self._signed: _SignedReader | None = None

    def read(self, node: Node) -> Aggregate:
        names = ["timestamp", "asset_id", "signature_type", "price"]
        handlers: Handlers = {name: getattr(self, f"_read_{name}") for name in names}
        handlers["trigger"] = self._read_trigger
        handlers["stork_signed_price"] = self._read_stork
        handlers["signed_prices"] = self._read_publishers
        read_object(node, handlers, names)
        if self._signed is not None:
            self._aggregate.signed = self._signed.finish(self._aggregate.signature_type)
        return self._aggregate

    def _read_timestamp(self, node: Node) -> None:
        self._aggregate.timestamp_ns = read_time(node)

    def _read_asset_id(self, node: Node) -> None:
        self._aggregate.asset_id = read_name(node)

    def _read_signature_type(self, node: Node) -> None:
        self._aggregate.signature_type = _TYPES.get(take_string(node), OTHER)

    def _read_price(self, node: Node) -> None:
        self._aggregate.value = read_price(node)

    def _read_trigger(self, node: Node) -> None:
        if node.value is not None:
            self._aggregate.trigger = _TRIGGERS.get(take_string(node), OTHER)

    def _read_stork(self, node: Node) -> None:
        if node.value is None:
            return
        self._signed = reader = _SignedReader()
        needed_hex = ("public_key", "encoded_asset_id", "publisher_merkle_root")
        widths = zip(needed_hex, (20, 32, 32), strict=True)
        handlers = {name: reader.hex.handler(name, width) for name, width in widths}
        handlers["price"] = reader.read_price
        handlers["timestamped_signature"] = reader.read_timestamped
        handlers["calculation_alg"] = self._read_algorithm
        found = read_object(node, handlers, ("price", "timestamped_signature"))
        reader.hex.need(node, found, (*needed_hex, "calculation_alg"))

    def _read_algorithm(self, node: Node) -> None:
        assert self._signed is not None
        hex_reader = self._signed.hex
        handlers = {"checksum": hex_reader.handler("checksum", 32)}
        hex_reader.need(node, read_object(node, handlers, ()), ("checksum",))

    def _read_publishers(self, node: Node) -> None:
        if node.value is None:
            return
        for item in take_array(node):
            start = len(self._names)
            try:
                publisher = _PublisherReader(self._names).read(item)
            except Fault as fault:
                self._names.truncate(start)
                self._aggregate.bad_publishers.append(fault)
                continue
            self._aggregate.publishers.append(publisher)


class _PublisherReader:
    def __init__(self, names: Names) -> None:
        self._publisher = Publisher()
        self._names = names
        self._signed = _SignedReader()

    def read(self, node: Node) -> Publisher:
        handlers: Handlers = {
            "external_asset_id": self._read_name,
            "signature_type": self._read_type,
            "price": self._signed.read_price,
            "timestamped_signature": self._signed.read_timestamped,
        }
        needed = tuple(handlers)
        handlers["publisher_key"] = self._signed.hex.handler("public_key", 20)
        found = read_object(node, handlers, needed)
        self._signed.hex.need(node, found, ("publisher_key",))
        publisher = self._publisher
        publisher.signed = self._signed.finish(publisher.signature_type)
        return publisher

    def _read_name(self, node: Node) -> None:
        self._publisher.name, self._publisher.symbol = _intern(node, self._names)

    def _read_type(self, node: Node) -> None:
        self._publisher.signature_type = _TYPES.get(take_string(node), OTHER)
