"""Functions and errors of contracts, read from text or from JSON ABI entries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from eth_abi.abi import default_codec

from codec.signatures import keccak256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Entry", "Signature", "entry_of", "errors_of", "read_signature"]

Signature: TypeAlias = "str | Mapping[str, Any]"
"""`TooOld(uint64 age)`, or an entry of a JSON ABI."""

_TOKEN = re.compile(r"\s*([\w$]+|\[\d*\]|[(),])")
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_LOCATIONS = ("memory", "calldata", "storage")
_LONGEST_LEN = 10_000
_DEEPEST = 32


@dataclass(frozen=True)
class Entry:
    """A function or an error: its name, and its arguments' types in canonical form."""

    name: str
    types: tuple[str, ...]

    @cached_property
    def signature(self) -> str:
        """What its selector is made of: `transfer(address,uint256)`."""
        return f"{self.name}({','.join(self.types)})"

    @cached_property
    def selector(self) -> bytes:
        """Its calldata's or its data's first four bytes."""
        return keccak256(self.signature.encode())[:4]


@lru_cache(maxsize=1024)
def read_signature(text: str) -> Entry:
    """A function or an error from its text.

    Arguments may have names and data locations, and spaces do not count; `uint` and
    `int` have 256 bits; a tuple is written out, `(uint64,bytes)`. Raises ValueError,
    with the place, for anything else and for types that the ABI does not have.
    """
    return _Reader(text).entry()


def entry_of(signature: Signature) -> Entry:
    """A function or an error from text or from a JSON ABI's entry; ValueError."""
    if isinstance(signature, str):
        return read_signature(signature)
    try:
        name = signature["name"]
        types = tuple(_type_of(argument) for argument in signature.get("inputs", ()))
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"no entry of a JSON ABI: {signature!r:.200}") from None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"no name of a function or an error: {name!r:.100}")
    return Entry(name, types)


def errors_of(abi: Iterable[Signature]) -> tuple[Entry, ...]:
    """The errors of a contract's ABI, whose other entries are passed over.

    A text is an error. Raises ValueError for an entry that is none.
    """
    return tuple(
        entry_of(entry)
        for entry in abi
        if isinstance(entry, str) or entry.get("type", "error") == "error"
    )


def _type_of(argument: Mapping[str, Any]) -> str:
    written: str = argument["type"]
    if written.startswith("tuple"):
        inner = ",".join(map(_type_of, argument["components"]))
        written = f"({inner}){written.removeprefix('tuple')}"
    return _checked(written, f"{written[:100]!r}")


def _checked(written: str, place: str) -> str:
    """The type, if the ABI has it."""
    try:
        is_known = written != "function" and default_codec.is_encodable_type(written)
    except ValueError:
        is_known = False
    if not is_known:
        raise ValueError(
            f"the ABI has no type {written[:100]!r} (a contract is an address, an enum"
            f" a uint8, a struct a tuple) [{place}]"
        )
    return written


class _Reader:
    """Reads `name(type name, ...)` from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens_of(text)
        self._next = 0
        self._depth = 0

    def entry(self) -> Entry:
        name = self._take()
        if name in ("function", "error") and self._peek() != "(":
            name = self._take()
        if not _NAME.fullmatch(name):
            raise self._fault("a name is expected")
        types = self._types()
        if self._next != len(self._tokens):
            raise self._fault("nothing is expected after the arguments")
        return Entry(name, types)

    def _types(self) -> tuple[str, ...]:
        if self._take() != "(":
            raise self._fault("( is expected")
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault("tuples nest too deep")
        types: list[str] = []
        separator = "," if self._peek() != ")" else self._take()
        while separator == ",":
            types.append(self._argument())
            separator = self._take()
        if separator != ")":
            raise self._fault(", or ) is expected")
        self._depth -= 1
        return tuple(types)

    def _argument(self) -> str:
        place = self._place()
        if self._peek() == "tuple":
            self._take()
        if self._peek() == "(":
            written = f"({','.join(self._types())})"
        else:
            written = self._take()
            written = {"uint": "uint256", "int": "int256"}.get(written, written)
        while self._peek().startswith("["):
            written += self._take()
        if written == "address" and self._peek() == "payable":
            self._take()
        if self._peek() in _LOCATIONS:
            self._take()
        if _NAME.fullmatch(self._peek()):
            self._take()
        return _checked(written, place)

    def _peek(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._next += 1
        return token

    def _place(self) -> str:
        is_over = self._next >= len(self._tokens)
        at = len(self._text) if is_over else self._tokens[self._next][1]
        return f"character {at} of {self._text[:100]!r}"

    def _fault(self, reason: str) -> ValueError:
        self._next -= 1
        return ValueError(f"{reason} [{self._place()}]")


def _tokens_of(text: str) -> Sequence[tuple[str, int]]:
    """Words, brackets and commas, each with its place."""
    if len(text) > _LONGEST_LEN:
        raise ValueError(f"a signature has at most {_LONGEST_LEN} characters")
    tokens, at, end = [], 0, len(text.rstrip(" \t\r\n;"))
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(
                "a signature is like transfer(address,uint256)"
                f" [character {at} of {text[:100]!r}]"
            )
        tokens.append((match[1], match.start(1)))
        at = match.end()
    return tokens
