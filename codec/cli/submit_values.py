"""Texts of `stork-codec submit`'s options as the values that they stand for."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec import jsontext
from codec.cli.options import UsageError, read_signer
from codec.periods import interval_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "read_address",
    "read_arguments",
    "read_band",
    "read_count",
    "read_errors",
    "read_ether",
    "read_gwei",
    "read_seconds",
    "read_urls",
]

_ASSET = re.compile(r"(?:([0-9]{1,5})/)?([0-9]{1,5})")
_ARRAY = re.compile(r"(.+)\[[0-9]*\]", re.DOTALL)
_PAYLOAD_WORD = "payload"


def read_address(text: str) -> str:
    """An address with its checksum; raises ArgumentTypeError."""
    from codec import checksum_address

    return checksum_address(read_signer(text))


def read_count(text: str) -> int:
    """A whole number from 1 to 2^63 - 1; raises ArgumentTypeError."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not 0 < int(text) < 2**63:
        raise ArgumentTypeError(f"a whole number above 0 is needed, not {text[:50]!r}")
    return int(text)


def read_seconds(text: str) -> float:
    """Text as 500ms, 10s or 2m; raises ArgumentTypeError."""
    try:
        return interval_ns(text) / 1e9
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def read_gwei(text: str) -> int:
    """Wei of a positive number of gwei; raises ArgumentTypeError."""
    return _wei(text, 9)


def read_ether(text: str) -> int:
    """Wei of a positive number of ether; raises ArgumentTypeError."""
    return _wei(text, 18)


def _wei(text: str, places: int) -> int:
    number = _decimal(text)
    wei = number.scaleb(places)
    if not 0 < number < 10**12 or wei != int(wei):
        raise ArgumentTypeError(
            f"a number above 0 with up to {places} decimal places is needed, not"
            f" {text[:50]!r}"
        )
    return int(wei)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise ArgumentTypeError(f"a number is needed, not {text[:50]!r}")
    return number


def read_band(text: str) -> tuple[Any, tuple[Decimal, Decimal]]:
    """An asset and its limits, of text as 3=60000..70000 or 1/3=0.99..1.01."""
    asset, _, limits = text.partition("=")
    low, dots, high = limits.partition("..")
    match = _ASSET.fullmatch(asset.strip())
    if match is None or not dots:
        raise ArgumentTypeError(
            f"a band is as 3=60000..70000 or, with a taxonomy, 1/3=0.99..1.01; not"
            f" {text[:50]!r}"
        )
    taxonomy_id, asset_id = match.groups()
    numbers = [int(n) for n in (taxonomy_id, asset_id) if n is not None]
    if max(numbers) > 65535:
        raise ArgumentTypeError(f"no asset: {asset[:50]!r}")
    limit = _decimal(low.strip()), _decimal(high.strip())
    if limit[0] > limit[1]:
        raise ArgumentTypeError(f"no value is in {limits[:50]!r}")
    return (numbers[0] if len(numbers) == 1 else tuple(numbers)), limit


def read_urls(urls: Sequence[str], name: str | None, path: str | None) -> list[str]:
    """All nodes: those given, those of an environment variable, those of a file.

    Several stand between spaces, commas or lines. Raises UsageError for none, OSError.
    """
    found = list(urls)
    if name is not None:
        text = os.environ.get(name, "")
        if not text.strip():
            raise UsageError(f"--rpc-env: {name} is not set")
        found += re.split(r"[\s,]+", text.strip())
    if path is not None:
        text = Path(path).read_text("utf-8")
        found += re.split(r"[\s,]+", text.strip())
    found = [url for url in found if url]
    if not found:
        raise UsageError("a node is needed: --rpc URL, --rpc-env NAME or --rpc-file")
    return found


def read_errors(paths: Sequence[str]) -> tuple[Any, ...]:
    """The errors of ABI files: JSON lists, or objects with such a list as `abi`.

    Raises UsageError, OSError.
    """
    entries: list[Any] = []
    for path in paths:
        try:
            document = jsontext.loads(Path(path).read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise UsageError(f"--abi: {path} is no JSON: {error}") from None
        if isinstance(document, dict):
            document = document.get("abi")
        if not isinstance(document, list):
            raise UsageError(f"--abi: {path} holds no list of ABI entries")
        entries += [
            entry
            for entry in document
            if isinstance(entry, dict) and entry.get("type") == "error"
        ]
    return tuple(entries)


def read_arguments(
    function: str, texts: Sequence[str], payload: object
) -> tuple[Any, ...] | None:
    """The arguments of a function such as push(bytes,uint64); None for no texts.

    The word `payload` stands for `payload`, where the type is bytes. Arrays and tuples
    are JSON. Raises UsageError.
    """
    from codec.chain.abi import read_signature

    if not texts:
        return None
    try:
        types = read_signature(function).types
    except ValueError as error:
        raise UsageError(f"--function: {error}") from None
    if len(types) != len(texts):
        raise UsageError(
            f"--arg: {function} takes {len(types)} arguments, not {len(texts)}"
        )
    values = []
    for i, (kind, text) in enumerate(zip(types, texts, strict=True), 1):
        try:
            values.append(_value(kind, text, payload))
        except (ValueError, TypeError):
            raise UsageError(f"--arg: argument {i}: no {kind}: {text[:50]!r}") from None
    return tuple(values)


def _value(kind: str, given: Any, payload: object) -> Any:
    """Text, or a part of JSON, as a value of a type; ValueError, TypeError."""
    from codec.chain.abi import read_signature

    array = _ARRAY.fullmatch(kind)
    if array or kind.startswith("("):
        items = jsontext.loads(given) if isinstance(given, str) else given
        if not isinstance(items, list):
            raise TypeError
        kinds = [array[1]] * len(items) if array else read_signature(f"f{kind}").types
        parts = zip(kinds, items, strict=True)
        return tuple(_value(part, item, payload) for part, item in parts)
    if kind.startswith(("uint", "int")):
        return int(given, 0) if isinstance(given, str) else _whole(given)
    if kind == "bool":
        if (word := str(given).lower()) not in ("true", "false"):
            raise ValueError
        return word == "true"
    if not isinstance(given, str):
        raise TypeError
    if kind.startswith("bytes"):
        if kind == "bytes" and given == _PAYLOAD_WORD:
            return payload
        return bytes.fromhex(given.removeprefix("0x"))
    return given


def _whole(given: object) -> int:
    if type(given) is not int:
        raise TypeError
    return given
