"""What publishers and the aggregator sign, and their signatures.

Values are ints scaled by 10^18 in the range of int128, times unix nanoseconds as
uint64. A `msg_hash` is what a message carries; signed is
keccak256("\\x19Ethereum Signed Message:\\n32" ‖ msg_hash), with deterministic nonces
(RFC 6979), low s, and v 27 or 28.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from codec._core import keccak256
from codec.addresses import checksum_address, read_signers
from codec.errors import EncodeError, ErrorCode
from codec.signing import private_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coincurve import PrivateKey

    from codec.addresses import Address
    from codec.signing import Key

__all__ = [
    "MEDIAN_CHECKSUM",
    "SignedAggregate",
    "SignedPrice",
    "aggregate_hash",
    "authentication_hash",
    "authentication_headers",
    "encoded_asset_id",
    "key_address",
    "merkle_root",
    "publisher_hash",
    "sign_aggregate",
    "sign_price",
]

MEDIAN_CHECKSUM = bytes.fromhex(
    "9be7e9f9ed459417d96112a7467bd0b27575a2c7847195c68f805b70ce1795ba"
)
"""The checksum of the calculation that Stork calls median, version v1."""

_AUTHENTICATION_ASSET = "STORKAUTH"
_AUTHENTICATION_VALUE = 103109111114107119111114108100
_WRAPPING = b"\x19Ethereum Signed Message:\n32"
_SECOND = 10**9
_MAX_TIMESTAMP = 2**64 - 1
_MAX_VALUE = 2**127 - 1
_ADDRESS_LEN = 20


@dataclass(frozen=True, slots=True)
class SignedPrice:
    """A publisher's price and its signature.

    publisher: address, 20 bytes. value: scaled by 10^18. r, s, msg_hash: 32 bytes.
    """

    publisher: bytes
    asset: str
    value: int
    timestamp_ns: int
    r: bytes
    s: bytes
    v: int
    msg_hash: bytes

    def as_message(self) -> dict[str, Any]:
        """As it stands in `signed_prices`, and as `signed_price` of what is published
        (where `metadata` may be added)."""
        return {
            "publisher_key": _address_text(self.publisher),
            "external_asset_id": self.asset,
            "signature_type": "evm",
            "price": str(self.value),
            "timestamped_signature": _signature_message(self),
        }


@dataclass(frozen=True, slots=True)
class SignedAggregate:
    """The aggregator's price and its signature.

    public_key: the aggregator's address, 20 bytes. encoded_asset_id, checksum,
    publisher_merkle_root, r, s, msg_hash: 32 bytes. value: scaled by 10^18.
    """

    public_key: bytes
    encoded_asset_id: bytes
    value: int
    timestamp_ns: int
    publisher_merkle_root: bytes
    checksum: bytes
    r: bytes
    s: bytes
    v: int
    msg_hash: bytes

    def as_message(self) -> dict[str, Any]:
        """As it stands under `stork_signed_price`."""
        return {
            "public_key": _address_text(self.public_key),
            "encoded_asset_id": f"0x{self.encoded_asset_id.hex()}",
            "price": str(self.value),
            "timestamped_signature": _signature_message(self),
            "publisher_merkle_root": f"0x{self.publisher_merkle_root.hex()}",
            "calculation_alg": {
                "type": "median",
                "version": "v1",
                "checksum": self.checksum.hex(),
            },
        }


def publisher_hash(
    publisher: Address, asset: str, timestamp_ns: int, value: int
) -> bytes:
    """The `msg_hash` of a publisher's price.

    keccak256(publisher[20] ‖ asset in UTF-8 ‖ uint256(whole seconds) ‖ int256(value)):
    prices within one second differ by their values alone.

    Raises EncodeError for a number out of range and for an asset that is no text in
    UTF-8, TypeError for what is no int or text, SignatureError for a bad address.
    """
    return keccak256(
        _address(publisher)
        + _asset_bytes(asset)
        + (_timestamp(timestamp_ns) // _SECOND).to_bytes(32, "big")
        + _value_bytes(value)
    )


def aggregate_hash(
    public_key: Address,
    encoded_asset_id: bytes,
    timestamp_ns: int,
    value: int,
    merkle_root: bytes,
    checksum: bytes,
) -> bytes:
    """The `msg_hash` of an aggregate.

    keccak256(public_key[20] ‖ encoded_asset_id[32] ‖ uint256(nanoseconds) ‖
    int256(value) ‖ merkle_root[32] ‖ checksum[32]). Raises as `publisher_hash`.
    """
    return keccak256(
        _address(public_key)
        + _word(encoded_asset_id, "encoded_asset_id")
        + _timestamp(timestamp_ns).to_bytes(32, "big")
        + _value_bytes(value)
        + _word(merkle_root, "merkle_root")
        + _word(checksum, "checksum")
    )


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The root over publishers' `msg_hash`es (32 bytes each), in their order.

    Every level hashes its pairs; one of odd length repeats its last. A single leaf is
    its own root. Raises EncodeError without leaves, or for one of another length.
    """
    level = [_word(leaf, "leaves", i) for i, leaf in enumerate(leaves)]
    if not level:
        code = ErrorCode.INVALID_LENGTH
        raise EncodeError(code, "leaves", None, "a Merkle root needs a leaf")
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [keccak256(left + right) for left, right in pairs]
    return level[0]


def encoded_asset_id(asset: str) -> bytes:
    """The asset's id on chain: keccak256 of its name in UTF-8."""
    return keccak256(_asset_bytes(asset))


def sign_price(asset: str, value: int, *, timestamp_ns: int, key: Key) -> SignedPrice:
    """A price as the publisher with this key signs it.

    key: a coincurve.PrivateKey (fastest: 25 us), 32 bytes or hex. Raises as
    `publisher_hash`, and SignatureError for a bad key.
    """
    secret = private_key(key)
    publisher = key_address(secret)
    msg_hash = publisher_hash(publisher, asset, timestamp_ns, value)
    r, s, v = _sign(msg_hash, secret)
    return SignedPrice(publisher, asset, value, timestamp_ns, r, s, v, msg_hash)


def sign_aggregate(
    encoded_asset_id: bytes,
    value: int,
    *,
    timestamp_ns: int,
    publisher_merkle_root: bytes,
    key: Key,
    checksum: bytes = MEDIAN_CHECKSUM,
) -> SignedAggregate:
    """An aggregate as the aggregator with this key signs it. Raises as `sign_price`."""
    secret = private_key(key)
    address = key_address(secret)
    msg_hash = aggregate_hash(
        address, encoded_asset_id, timestamp_ns, value, publisher_merkle_root, checksum
    )
    return SignedAggregate(
        address,
        encoded_asset_id,
        value,
        timestamp_ns,
        publisher_merkle_root,
        checksum,
        *_sign(msg_hash, secret),
        msg_hash,
    )


def authentication_hash(publisher: Address, timestamp_ns: int) -> bytes:
    """The `msg_hash` that a publisher signs to say who it is: that of a price of its
    own kind. Raises as `publisher_hash`."""
    return publisher_hash(
        publisher, _AUTHENTICATION_ASSET, timestamp_ns, _AUTHENTICATION_VALUE
    )


def authentication_headers(key: Key, *, timestamp_ns: int) -> dict[str, str]:
    """The headers of a publisher's handshake that say who it is.

    `X-Public-Key` (its address), `X-Timestamp` (nanoseconds, decimal), `X-Signature`
    (r ‖ s ‖ v in hex) and `X-Signature-Type`. Raises as `sign_price`.
    """
    secret = private_key(key)
    publisher = key_address(secret)
    r, s, v = _sign(authentication_hash(publisher, timestamp_ns), secret)
    return {
        "X-Public-Key": _address_text(publisher),
        "X-Timestamp": str(timestamp_ns),
        "X-Signature": f"0x{r.hex()}{s.hex()}{v:02x}",
        "X-Signature-Type": "evm",
    }


def key_address(key: Key) -> bytes:
    """The address (20 bytes) of a private key."""
    public = private_key(key).public_key.format(compressed=False)
    return keccak256(public[1:])[12:]


def _sign(msg_hash: bytes, key: PrivateKey) -> tuple[bytes, bytes, int]:
    digest = keccak256(_WRAPPING + msg_hash)
    signature = key.sign_recoverable(digest, hasher=None)
    return signature[:32], signature[32:64], 27 + signature[64]


def _signature_message(signed: SignedPrice | SignedAggregate) -> dict[str, Any]:
    return {
        "signature": {
            "r": f"0x{signed.r.hex()}",
            "s": f"0x{signed.s.hex()}",
            "v": f"0x{signed.v:02x}",
        },
        "timestamp": signed.timestamp_ns,
        "msg_hash": f"0x{signed.msg_hash.hex()}",
    }


@lru_cache(maxsize=1024)
def _address_text(address: bytes) -> str:
    return checksum_address(address)


def _address(address: Address) -> bytes:
    if type(address) is bytes and len(address) == _ADDRESS_LEN:
        return address
    return read_signers(address)[0]


def _asset_bytes(asset: str) -> bytes:
    if not isinstance(asset, str):
        raise TypeError(f"an asset is a str, not {type(asset).__name__}")
    try:
        return asset.encode()
    except UnicodeEncodeError:
        reason = "an asset is text in UTF-8"
        raise EncodeError(ErrorCode.INVALID_UTF8, "asset", None, reason) from None


def _timestamp(timestamp_ns: int) -> int:
    return _integer(timestamp_ns, "timestamp_ns", 0, _MAX_TIMESTAMP)


def _value_bytes(value: int) -> bytes:
    number = _integer(value, "value", ~_MAX_VALUE, _MAX_VALUE)
    return number.to_bytes(32, "big", signed=True)


def _integer(number: int, name: str, least: int, most: int) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise TypeError(f"{name} is an int, not {type(number).__name__}")
    if not least <= number <= most:
        reason = f"the integer is outside {least} .. {most}"
        raise EncodeError(ErrorCode.OUT_OF_RANGE, name, None, reason)
    return number


def _word(data: bytes, name: str, index: int | None = None) -> bytes:
    if len(data) != 32:
        reason = f"32 bytes are needed, not {len(data)}"
        raise EncodeError(ErrorCode.INVALID_LENGTH, name, index, reason)
    return bytes(data)
