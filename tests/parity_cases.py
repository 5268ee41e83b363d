"""Payloads for every row of the table of what Stork's contract accepts."""

from __future__ import annotations

from collections.abc import Iterator

from evm import Asset
from signed_payloads import (
    SCALARS,
    N,
    address_of,
    changed,
    number,
    point_at_infinity,
    sign,
    word,
)

import codec
from codec import _core

KEY = bytes.fromhex("5eed" * 16)
SIGNER = address_of(KEY)


def payload_of(
    n_assets: int = 2, taxonomy_id: int = 1, timestamp_ns: int = 1, key: bytes = KEY
) -> bytes:
    ids = [i % 65536 for i in range(n_assets)]
    values = [10**18 + i for i in range(n_assets)]
    return codec.encode(
        ids, values, timestamp_ns=timestamp_ns, taxonomy_id=taxonomy_id, key=key
    )


def with_r(payload: bytes, r: int) -> bytes:
    return word(r) + payload[32:]


def with_s(payload: bytes, s: int) -> bytes:
    return payload[:32] + word(s) + payload[64:]


def extremes() -> Iterator[tuple[str, bytes]]:
    """Good payloads at every end of every field."""
    ends = {"timestamp_ns": 2**64 - 1, "taxonomy_id": 0xFEFF, "key": KEY}
    lows = {"timestamp_ns": 0, "taxonomy_id": 0, "key": KEY}
    yield "least", codec.encode([0], [-(2**127)], **lows)
    yield "greatest", codec.encode([65535], [2**127 - 1], **ends)
    yield "duplicate ids", codec.encode([7, 7, 7], [1, -1, 1], **lows)
    yield "ids out of order", codec.encode([65535, 0], [0, -1], **ends)
    body = b"\xff\xff" + payload_of()[67:]
    yield "taxonomy 65535", sign(_core.keccak256(body), KEY) + body


GOOD = payload_of()
R, S = number(GOOD[:32]), number(GOOD[32:64])
BODY_DIGEST = _core.keccak256(GOOD[65:])
PREFIXED = _core.keccak256(b"\x19Ethereum Signed Message:\n32" + BODY_DIGEST)

ACCEPTED = {
    "good": GOOD,
    "good, v 0": next(p for i in range(99) if not (p := payload_of(1, i))[64]),
    "good, v 1": next(p for i in range(99) if (p := payload_of(1, i))[64]),
    "exactly 75 bytes": payload_of(0),
    "65,535 assets": payload_of(65_535),
    **dict(extremes()),
}
REFUSED = {
    "high s": with_s(GOOD, N - S),
    "high s and its v": changed(with_s(GOOD, N - S), 64, GOOD[64] ^ 1),
    "the other v": changed(GOOD, 64, GOOD[64] ^ 1),
    "no such point": with_r(GOOD, 5),
    "point at infinity": point_at_infinity(BODY_DIGEST) + GOOD[65:],
    "another key": payload_of(key=word(7)),
    "EIP-191 prefix": sign(PREFIXED, KEY) + GOOD[65:],
    "r and s swapped": word(S) + word(R) + GOOD[64:],
    **{f"r {r:#x}": with_r(GOOD, r) for r in SCALARS},
    **{f"s {s:#x}": with_s(GOOD, s) for s in SCALARS},
    **{f"byte {i}": changed(GOOD, i, GOOD[i] ^ 1) for i in range(len(GOOD))},
    **{f"v {v}": changed(GOOD, 64, v) for v in range(2, 229)},
}
WRONG_LENGTH = {
    **{f"{n} bytes": GOOD[:n] for n in (0, 1, 64, 65, 66, 74, 76, 92, 94, 110)},
    "v 255 and short": changed(GOOD, 64, 255)[:-1],
}
OVERFLOW = {
    **{f"v {v}": changed(GOOD, 64, v) for v in range(229, 256)},
    "v 255 and zeros": changed(bytes(75), 64, 255),
}
TOO_MANY = {f"{n} assets": payload_of(n) for n in (65_536, 65_537)}


def expected_assets(payload: bytes) -> list[Asset]:
    """Layout 1, whatever byte 65 is."""
    records = (payload[i : i + 18] for i in range(75, len(payload), 18))
    return [
        Asset(
            number(record[:2]),
            number(payload[67:75]),
            int.from_bytes(record[2:], "big", signed=True),
        )
        for record in records
    ]
