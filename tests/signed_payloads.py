"""Payloads with good and with damaged signatures, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import NamedTuple

import coincurve

import codec
from codec import _core

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G_X = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
SCALARS = [0, 1, N - 1, N, N + 1, N // 2, N // 2 + 1, P - N, P - 1, P, 2**256 - 1]


class Case(NamedTuple):
    """A payload, how it was made, and whether the signer made its signature."""

    kind: str
    payload: bytes
    is_signed: bool


def word(value: int) -> bytes:
    """A number as 32 bytes, big-endian."""
    return value.to_bytes(32, "big")


def number(data: bytes) -> int:
    """The inverse of `word`."""
    return int.from_bytes(data, "big")


def address_of(key: bytes) -> bytes:
    """The address of a private key."""
    point = coincurve.PrivateKey(key).public_key.format(compressed=False)
    return _core.keccak256(point[1:])[12:]


def sign(digest: bytes, key: bytes) -> bytes:
    """r, s, v (0 or 1), with low s."""
    return coincurve.PrivateKey(key).sign_recoverable(digest, hasher=None)


def changed(data: bytes, i: int, byte: int) -> bytes:
    """`data` with one byte replaced."""
    return data[:i] + bytes([byte]) + data[i + 1 :]


def point_at_infinity(digest: bytes) -> bytes:
    """r, s, v (0 or 1) with low s by which the key would be the point at infinity."""
    s = number(digest) % N
    return word(G_X) + (word(s) + b"\0" if s <= N // 2 else word(N - s) + b"\1")


class Payloads:
    """Well-formed signed payloads and damaged ones, by a key of ours."""

    def __init__(self, random: Random, key: bytes) -> None:
        self.random = random
        self.key = key
        self._signed: set[bytes] = set()
        self._v = cycle(i * 91 % 256 for i in range(256))
        self._short_len = cycle(range(14))

    def cases(self, n: int) -> Iterator[Case]:
        """A good payload, two that were made from it, and so on."""
        makers, damages = cycle(MAKERS), cycle(DAMAGES)
        good = b""
        for i in range(n):
            if i % 3 == 0:
                make = next(makers)
                kind, payload = make.__name__, make(self)
                good = payload
            else:
                damage = next(damages)
                kind, payload = damage.__name__, damage(self, good)
            yield Case(kind, payload, payload in self._signed)

    def layout_1(self) -> bytes:
        n_assets = self.random.choice([0, 1, 1, 1, 2, 3, 5, 14, 15, 40])
        return self.encode(n_assets, self.uint(16, 0xFEFF), False)

    def layout_2(self) -> bytes:
        n_assets = self.random.choice([0, 1, 2, 5, 13, 15, 18])
        return self.encode(n_assets, self.uint(16), True)

    def layout_2_that_fits(self) -> bytes:
        """Its length is one of layout 1, too."""
        n_assets = self.random.choice([14, 14, 14, 32])
        return self.encode(n_assets, self.uint(16), True)

    def layout_2_of_prices(self) -> bytes:
        """Mask 1, no market status."""
        return self.sign(b"\xff\x02\x00\x01" + self.layout_1()[65:])

    def high_taxonomy(self) -> bytes:
        """Layout 1, but its taxonomy id begins with 0xFF."""
        return self.sign(b"\xff" + self.layout_1()[66:])

    def two_readings(self) -> bytes:
        """Layout 1 with 15 assets, layout 2 with 14."""
        return self.sign(b"\xff\x02\x00\x03" + self.encode(15, 0, False)[69:])

    def encode(self, n_assets: int, taxonomy_id: int, is_layout_2: bool) -> bytes:
        ids = [self.uint(16) for _ in range(n_assets)]
        if n_assets > 1 and self.random.random() < 0.3:
            ids[-1] = ids[0]
        payload = codec.encode(
            ids,
            [self.uint(128) - 2**127 for _ in range(n_assets)],
            timestamp_ns=self.uint(64),
            taxonomy_id=taxonomy_id,
            key=self.key,
            market_status=self.random.randbytes(n_assets) if is_layout_2 else None,
        )
        self._signed.add(payload)
        return payload

    def sign(self, body: bytes) -> bytes:
        """A payload of any bytes, also such as `codec.encode` refuses."""
        payload = sign(_core.keccak256(body), self.key) + body
        self._signed.add(payload)
        return payload

    def uint(self, n_bits: int, maximum: int | None = None) -> int:
        """Any value up to the maximum, with the ends and the middle often."""
        maximum = 2**n_bits - 1 if maximum is None else maximum
        middle = 2 ** (n_bits - 1)
        special = [0, 1, middle - 1, middle, middle + 1, maximum - 1, maximum]
        if self.random.random() < 0.3:
            return self.random.choice(special)
        return self.random.randrange(maximum + 1)

    def bit_flip(self, good: bytes) -> bytes:
        i = self.random.randrange(8 * len(good))
        return changed(good, i // 8, good[i // 8] ^ 1 << i % 8)

    def header_byte(self, good: bytes) -> bytes:
        i = self.random.randrange(64, min(79, len(good)))
        return changed(good, i, self.random.choice([0, 1, 2, 3, 27, 28, 0xFE, 0xFF]))

    def v(self, good: bytes) -> bytes:
        return changed(good, 64, next(self._v))

    def r(self, good: bytes) -> bytes:
        return word(self.random.choice(SCALARS)) + good[32:]

    def s(self, good: bytes) -> bytes:
        return good[:32] + word(self.random.choice(SCALARS)) + good[64:]

    def r_and_s(self, good: bytes) -> bytes:
        return b"".join(map(word, self.random.choices(SCALARS, k=2))) + good[64:]

    def high_s(self, good: bytes) -> bytes:
        """The signature's other form, with the v that belongs to it or without."""
        s = word(N - number(good[32:64]))
        v = good[64] ^ self.random.getrandbits(1)
        return good[:32] + s + bytes([v]) + good[65:]

    def swapped(self, good: bytes) -> bytes:
        return good[32:64] + good[:32] + good[64:]

    def random_r(self, good: bytes) -> bytes:
        """One in two is no point."""
        return self.random.randbytes(32) + good[32:]

    def random_signature(self, good: bytes) -> bytes:
        v = self.random.getrandbits(1)
        return changed(self.random.randbytes(65), 64, v) + good[65:]

    def infinity(self, good: bytes) -> bytes:
        return point_at_infinity(_core.keccak256(good[65:])) + good[65:]

    def other_key(self, good: bytes) -> bytes:
        key = word(self.random.randrange(10, N // 3))
        return sign(_core.keccak256(good[65:]), key) + good[65:]

    def eip_191(self, good: bytes) -> bytes:
        prefixed = b"\x19Ethereum Signed Message:\n32" + _core.keccak256(good[65:])
        return sign(_core.keccak256(prefixed), self.key) + good[65:]

    def other_body(self, good: bytes) -> bytes:
        return good[:65] + self.layout_1()[65:]

    def cut_short(self, good: bytes) -> bytes:
        return good[: self.random.randrange(len(good))]

    def record_missing(self, good: bytes) -> bytes:
        return good[:-18] if len(good) >= 93 else good + bytes(18)

    def extended(self, good: bytes) -> bytes:
        return good + self.random.randbytes(self.random.choice([1, 4, 17, 18, 19, 36]))

    def signed_short(self, good: bytes) -> bytes:
        """Each length from no body at all to a header and three bytes."""
        return self.sign(good[65 : 65 + next(self._short_len)])

    def signed_header(self, good: bytes) -> bytes:
        return self.sign(good[65:75])

    def signed_change(self, good: bytes) -> bytes:
        return self.sign(self.bit_flip(good)[65:])

    def noise(self, good: bytes) -> bytes:
        return self.random.randbytes(self.random.choice([75, 93, 111, len(good)]))


MAKERS: list[Callable[[Payloads], bytes]] = [
    *[Payloads.layout_1] * 11,
    Payloads.layout_2,
    Payloads.layout_2_that_fits,
    Payloads.layout_2_of_prices,
    Payloads.high_taxonomy,
    Payloads.two_readings,
]
DAMAGES: list[Callable[[Payloads, bytes], bytes]] = [
    Payloads.bit_flip,
    Payloads.header_byte,
    Payloads.v,
    Payloads.r,
    Payloads.s,
    Payloads.r_and_s,
    Payloads.high_s,
    Payloads.swapped,
    Payloads.random_r,
    Payloads.random_signature,
    Payloads.infinity,
    Payloads.other_key,
    Payloads.eip_191,
    Payloads.other_body,
    Payloads.cut_short,
    Payloads.record_missing,
    Payloads.extended,
    Payloads.signed_short,
    Payloads.signed_header,
    Payloads.signed_change,
    Payloads.noise,
]
