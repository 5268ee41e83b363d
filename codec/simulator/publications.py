"""What publishers send to the aggregator: read, and judged by their signatures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from codec import CodecError, eip191_digests, recover_digests
from codec.addresses import read_signers
from codec.aggregator import SignedPrice, authentication_hash, publisher_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["MAX_PRICES", "Unfit", "authenticated", "judge", "read_prices"]

MAX_PRICES = 1000
_INTEGER = re.compile(r"-?[0-9]{1,39}")
_TIME = re.compile(r"[0-9]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_ORACLE_ID = re.compile(r"[!-~]{5}")
_TRIGGERS = ("clock", "delta", "unspecified")


class Unfit(Exception):
    """Why something that was published is not accepted."""


def read_prices(data: Any) -> tuple[list[SignedPrice], dict[str, str]]:
    """The prices in a message's `data`, and why others are none, by their names.

    Their signatures are not judged. Raises Unfit for what is no set of prices.
    """
    if not isinstance(data, dict) or not data:
        raise Unfit('expected {"type":"signed_prices","data":{asset: price, ...}}')
    if len(data) > MAX_PRICES:
        raise Unfit(f"more than {MAX_PRICES} prices in one message")
    prices, reasons = [], {}
    for name, entry in data.items():
        try:
            prices.append(_read(name, entry))
        except Unfit as reason:
            reasons[name] = str(reason)
        except CodecError as error:
            reasons[name] = f"not to be signed: {error}"
    return prices, reasons


def judge(prices: list[SignedPrice]) -> list[str]:
    """Why the signature of each price is not its publisher's; empty where it is."""
    if not prices:
        return []
    rows = np.frombuffer(b"".join(price.msg_hash for price in prices), np.uint8)
    signed = b"".join(price.r + price.s + bytes((price.v,)) for price in prices)
    found = recover_digests(
        eip191_digests(rows.reshape(-1, 32)), _rows(signed), v_offset=27
    )
    return [
        ""
        if not item["status"] and bytes(item["address"]) == price.publisher
        else "the signature is not that of publisher_key"
        for price, item in zip(prices, found, strict=True)
    ]


def authenticated(headers: Mapping[str, str], now_ns: int, within_ns: int) -> bytes:
    """The publisher that a handshake's headers are signed by. Raises Unfit."""
    if headers.get("X-Signature-Type") != "evm":
        raise Unfit("X-Signature-Type must be evm")
    time_text, text = headers.get("X-Timestamp", ""), headers.get("X-Signature", "")
    if not _TIME.fullmatch(time_text):
        raise Unfit("X-Timestamp must be in nanoseconds")
    timestamp_ns = int(time_text)
    if abs(now_ns - timestamp_ns) > within_ns:
        raise Unfit("X-Timestamp is not of the present")
    if len(text) != 132 or not _HEX.fullmatch(text):
        raise Unfit("X-Signature must be r, s and v in hex")
    signature = bytes.fromhex(text[2:])
    try:
        publisher = _publisher(headers.get("X-Public-Key"))
        msg_hash = authentication_hash(publisher, timestamp_ns)
    except (Unfit, CodecError):
        raise Unfit("X-Public-Key must be an address") from None
    r, s, v = signature[:32], signature[32:64], signature[64]
    price = SignedPrice(publisher, "", 0, timestamp_ns, r, s, v, msg_hash)
    if judge([price])[0]:
        raise Unfit("X-Signature is not that of X-Public-Key")
    return publisher


def _rows(signed: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(signed, np.uint8).reshape(-1, 65)


def _read(name: str, entry: Any) -> SignedPrice:
    update = _object(entry, "the price")
    signed = _object(update.get("signed_price"), "signed_price")
    stamped = _object(signed.get("timestamped_signature"), "timestamped_signature")
    signature = _object(stamped.get("signature"), "signature")
    _match(update.get("oracle_id"), _ORACLE_ID, "oracle_id must have 5 characters")
    if update.get("asset_id") != name or signed.get("external_asset_id") != name:
        raise Unfit("asset_id and external_asset_id must be the asset's name")
    if update.get("trigger", "unspecified") not in _TRIGGERS:
        raise Unfit(f"trigger must be one of {', '.join(_TRIGGERS)}")
    if signed.get("signature_type") != "evm":
        raise Unfit("signature_type must be evm")
    value = int(
        _match(signed.get("price"), _INTEGER, "price must be an integer's text")
    )
    timestamp_ns = stamped.get("timestamp")
    if type(timestamp_ns) is not int:
        raise Unfit("timestamp must be an integer")
    publisher = _publisher(signed.get("publisher_key"))
    msg_hash = publisher_hash(publisher, name, timestamp_ns, value)
    if "msg_hash" in stamped and _hex(stamped["msg_hash"], 32, "msg_hash") != msg_hash:
        raise Unfit("msg_hash is not that of the price")
    r, s = (_hex(signature.get(part), 32, part) for part in "rs")
    (v,) = _hex(signature.get("v"), 1, "v")
    return SignedPrice(publisher, name, value, timestamp_ns, r, s, v, msg_hash)


def _publisher(text: Any) -> bytes:
    _hex(text, 20, "publisher_key")
    return read_signers(text.lower())[0]


def _object(item: Any, name: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Unfit(f"{name} must be an object")
    return item


def _match(item: Any, pattern: re.Pattern[str], reason: str) -> str:
    if not isinstance(item, str) or not pattern.fullmatch(item):
        raise Unfit(reason)
    return item


def _hex(item: Any, n: int, name: str) -> bytes:
    reason = f"{name} must be {n} bytes in hex, with 0x"
    text = _match(item, _HEX, reason)
    if len(text) != 2 + 2 * n:
        raise Unfit(reason)
    return bytes.fromhex(text[2:])
