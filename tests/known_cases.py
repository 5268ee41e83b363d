"""Signatures by known keys: good ones at two products each, damaged, made to order."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import product
from random import Random
from typing import Any, NamedTuple

import curve
import numpy as np
from coincurve import PrivateKey
from curve import HALF, N, P, Point
from numpy.typing import NDArray

from codec import _core
from codec._secp256k1 import library
from codec.tables import generator_points

FULL = bool(os.environ.get("CI")) and not os.environ.get("CODEC_SANITIZE")
ONES = 2**256 - 1
HALF_OF_ONE = (N + 1) // 2

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Digests and signatures, as `verify_digests` takes them."""


class Signature(NamedTuple):
    """Integers of at most 256 bits, and v, a byte."""

    digest: int
    r: int
    s: int
    v: int


class Key:
    """A public key. secret: the private one, where somebody knows it."""

    def __init__(self, point: Point, secret: int | None = None) -> None:
        self.point = point
        self.secret = secret
        self.xy = b"".join(c.to_bytes(32, "big") for c in point)
        self.address = _core.keccak256(self.xy)[12:]

    def entry(self, window: int) -> tuple[bytes, _core.Points, _core.Points]:
        """What KnownKeys asks for."""
        return self.address, generator_points(window), _core.Points(self.xy, window)

    def known(self, path: str, window: int) -> _core.KnownKeys:
        return _core.KnownKeys(path, (self.entry(window),))


def key_of(secret: int) -> Key:
    """The key of a private key, which must not be 0 mod n."""
    data = PrivateKey((secret % N).to_bytes(32, "big")).public_key.format(False)
    x, y = (int.from_bytes(data[i : i + 32], "big") for i in (1, 33))
    return Key((x, y), secret % N)


def rows_of(items: Iterable[Signature]) -> Rows:
    """As arrays."""
    items = list(items)
    digests = b"".join(i.digest.to_bytes(32, "big") for i in items)
    signed = b"".join(
        i.r.to_bytes(32, "big") + i.s.to_bytes(32, "big") + bytes([i.v]) for i in items
    )
    return (
        np.frombuffer(digests, np.uint8).reshape(-1, 32),
        np.frombuffer(signed, np.uint8).reshape(-1, 65),
    )


def judge(
    rows: Rows, addresses: bytes, known: _core.KnownKeys | None = None, **options: Any
) -> NDArray[np.bool_]:
    """The verdicts by known keys, or those of libsecp256k1 alone."""
    lib, threads = options.get("lib") or library(), options.get("threads", 1)
    return _core.verify_digests(*rows, 0, addresses, lib, threads, known)


@cache
def _nonces() -> list[tuple[int, int, int]]:
    """k and r, v of k G."""
    random = Random(5)
    keys = [key_of(random.randrange(1, N)) for _ in range(256)]
    return [(key.secret or 0, key.point[0] % N, key.point[1] % 2) for key in keys]


def good_signatures(random: Random, secret: int, n: int) -> Iterator[Signature]:
    """Random r of 256, random s and whatever digest they sign."""
    nonces = _nonces()
    for _ in range(n):
        k, r, v = nonces[random.getrandbits(8)]
        s = random.randrange(1, HALF + 1)
        yield Signature((s * k - r * secret) % N, r, s, v)


def good_rows(seed: int, secret: int, n: int) -> Rows:
    """Good signatures as arrays."""
    return rows_of(good_signatures(Random(seed), secret, n))


def damaged(random: Random, good: Signature) -> Signature:
    """Something near a good signature; now and then it is good still."""
    digest, r, s, v = good
    match random.randrange(12):
        case 0:
            return good._replace(v=1 - v)
        case 1:
            return good._replace(s=N - s, v=1 - v)
        case 2:
            return good._replace(s=N - s)
        case 3:
            return Signature(digest, s, r, v)
        case 4:
            return good._replace(v=random.getrandbits(8))
        case 5:
            return good._replace(r=random.choice(SCALARS))
        case 6:
            return good._replace(s=random.choice(SCALARS))
        case 7:
            return good._replace(r=random.getrandbits(256))
        case 8:
            return good._replace(digest=random.getrandbits(256))
        case 9:
            return good._replace(s=random.randrange(1, HALF))
        case 10:
            return good._replace(digest=digest ^ 1 << random.randrange(256))
        case _:
            bit = 1 << random.randrange(256)
            return good._replace(**random.choice([{"r": r ^ bit}, {"s": s ^ bit}]))


def damaged_signatures(random: Random, secret: int, n: int) -> Iterator[Signature]:
    """Good ones, every other of them damaged."""
    for i, good in enumerate(good_signatures(random, secret, n)):
        yield damaged(random, good) if i % 2 else good


SCALARS = [0, 1, 2, HALF, HALF + 1, N - 1, N, N + 1, P - N, P - N - 1, P - 1, P, ONES]


def signature_with(secret: int, u1: int, u2: int) -> Signature:
    """The one for which u1 and u2 come out, or, where its s is high, -u1 and -u2.

    Where u1 G + u2 Q is infinity, r is that of G.
    """
    u1, u2 = u1 % N, u2 % N
    x, y = curve.multiply_generator(u1 + u2 * secret) or curve.G
    r = x % N
    s = r * pow(u2, -1, N) % N
    low = Signature(u1 * s % N, r, s, y % 2)
    return low if s <= HALF else low._replace(s=N - s, v=1 - y % 2)


def signature_of(secret: int, digest: int, random: Random) -> Signature:
    """A good one of any 256 bits."""
    while True:
        k = random.randrange(1, N)
        x, y = curve.multiply_generator(k) or curve.G
        s = pow(k, -1, N) * (digest + x * secret) % N
        if 0 < s <= HALF:
            return Signature(digest, x % N, s, y % 2)


def with_scalars(
    secret: int, pairs: Callable[[int], tuple[int, int]], random: Random
) -> Signature:
    """With the first of random pairs of u1 and u2 whose signature has low s itself."""
    while True:
        u1, u2 = pairs(random.randrange(1, N))
        found = signature_with(secret, u1, u2)
        if u2 % N == found.r * pow(found.s, -1, N) % N:
            return found


def n_windows(window: int) -> int:
    return -(-256 // window)


def shift(window: int) -> int:
    """What a scalar is shifted by before it is cut into windows (mod n)."""
    return (2 ** (window * n_windows(window)) - 1) * HALF_OF_ONE % N


def extreme_scalars(window: int) -> list[int]:
    """Scalars with extreme digits, plain or after the shift."""
    k = n_windows(window)
    bits = [window * i for i in (0, 1, k // 2, k - 2, k - 1)]
    plain = [1, 2, 3, N - 1, N - 2, HALF, HALF + 1, ONES % N, 2**255, 2**128 - 1]
    plain += [2**bit for bit in bits] + [2**bit * HALF_OF_ONE % N for bit in bits]
    top = 2**window - 1
    shifted = [0, 1, N - 1, N - 2, 2**255, 2**255 - 1]
    shifted += [top << bit for bit in bits if top << bit < N]
    for digit in (1, top // 2, top // 2 + 1, top - 1, top):
        shifted.append(sum(digit << window * i for i in range(k)) % 2**255)
    return plain + [(e - shift(window)) % N for e in shifted]


@cache
def crafted_signatures(secret: int, window: int) -> list[tuple[str, Signature]]:
    """Those that a careless sum of table entries gets wrong, each with its name."""
    d, random = secret, Random(window)

    def of(pairs: Callable[[int], tuple[int, int]]) -> Signature:
        return with_scalars(d, pairs, random)

    good = next(good_signatures(random, d, 1))
    cases = [
        ("u1 G = u2 Q", of(lambda t: (t * d, t))),
        ("infinity", of(lambda t: (-t * d, t))),
        ("u1 = u2", of(lambda t: (t, t))),
        ("u1 = -u2", of(lambda t: (-t, t))),
        ("R is G", of(lambda t: (1 - t * d, t))),
        ("R is -G", of(lambda t: (-1 - t * d, t))),
        ("R is Q", of(lambda t: (t * d, 1 - t))),
        ("R is 2 G", of(lambda t: (2 - t * d, t))),
        ("u1 = 0", signature_of(d, 0, random)),
        ("digest n", signature_of(d, N, random)),
        ("digest n + 1", signature_of(d, N + 1, random)),
        ("digest of ones", signature_of(d, ONES, random)),
        ("digest 1", signature_of(d, 1, random)),
        ("digest n - 1", signature_of(d, N - 1, random)),
        ("high s", good._replace(s=N - good.s, v=1 - good.v)),
        ("v flipped", good._replace(v=1 - good.v)),
        ("v 2", good._replace(v=2 + good.v)),
        ("v 27", good._replace(v=27 + good.v)),
        ("v 255", good._replace(v=255)),
    ]
    scalars = extreme_scalars(window)
    for u in scalars:
        cases.append((f"u1 {u:x}", of(lambda t, u=u: (u, t))))
        if u:
            cases.append((f"u2 {u:x}", of(lambda t, u=u: (t, u))))
            other = random.choice([c for c in scalars if c])
            cases.append((f"both {u:x} {other:x}", signature_with(d, u, other)))
    bad_scalars = [0, 1, N - 1, N, N + 1, ONES]
    for r, s in product(bad_scalars, bad_scalars):
        digest = random.choice([0, good.digest, N, ONES])
        cases.append((f"r {r:x} s {s:x}", Signature(digest, r, s, good.v)))
    return cases


def colliding_secrets(window: int) -> list[int]:
    """Private keys whose tables share points with that of G, and some small ones."""
    k = n_windows(window)
    places = range(0, k, 3) if FULL else (0, 1, k // 2, k - 1)
    found = [1, 2, 3, HALF_OF_ONE, N - 1, N - 2, N - HALF_OF_ONE, pow(3, -1, N)]
    for i, j in product(places, (1, 3, 2**window - 1)):
        d = j * 2 ** (window * i) * HALF_OF_ONE % N
        found += [d, N - d]
    return list(dict.fromkeys(found))


def lambda_keys() -> list[int]:
    """Private keys whose points have the y of G, or its opposite, but another x."""
    root = 0x5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72
    return [root, root * root % N, N - root]


def keys_with_r(xs: Iterable[int], random: Random) -> Iterator[tuple[Key, Signature]]:
    """For each x of a point, a good signature but for r = x mod n, and whose it is."""
    for x in xs:
        found = curve.lift(x)
        if found is None or x % N == 0:
            continue
        point = random.choice([found, curve.negate(found)])
        digest, s = random.randrange(N), random.randrange(1, HALF)
        inverse = pow(x, -1, N)
        key = curve.add(
            curve.multiply(s * inverse, point),
            curve.multiply_generator(-digest * inverse),
        )
        assert key is not None
        yield Key(key), Signature(digest, x % N, s, point[1] % 2)


Term = tuple[bool, int]
"""Whether a table entry is of Q, and its row."""
Step = tuple[list[Term], list[Term]]
"""Two sums of entries that are added to each other."""


def steps(path: str, n: int, window: int) -> list[Step]:
    """The additions by which a path sums up each of n signatures, as of now.

    If a path comes to go another way, the tests that use this only get weaker.
    """
    k = n_windows(window)
    if path == "portable":
        mixed = [(place % 2 == 1, place // 2) for place in range(2 * k)]
        n_groups = -(-n // (2048 // k))
        parts, found = _deal(mixed, k)
        while len(parts) // 2 * (n // n_groups) >= 20:
            found += _halve(parts)
        return found + [_join(parts, 0, 1) for _ in parts[1:]]
    terms = [(is_q, row) for is_q in (False, True) for row in range(k)]
    n_groups, n_shares = -(-n // 8), 1
    if n <= 2 and k % 2 == 0:
        n_shares = 8 if n == 1 and k % 4 == 0 else 4
    if n_shares > 1:
        parts, found = _deal(terms, n_shares)
        while len(parts) > 1:
            found += [_join(parts, i, i + 1) for i in range(len(parts) // 2)]
        return found
    parts, found = _deal(terms, 2 if n_groups <= 4 else min(256 // n_groups, k))
    while len(parts) > 1:
        found += _halve(parts)
    return found


def _deal(terms: list[Term], n_parts: int) -> tuple[list[list[Term]], list[Step]]:
    """Term i to part i mod n_parts, one by one."""
    parts = [[term] for term in terms[:n_parts]]
    found: list[Step] = []
    for i, term in enumerate(terms[n_parts:]):
        found.append((list(parts[i % n_parts]), [term]))
        parts[i % n_parts].append(term)
    return parts, found


def _halve(parts: list[list[Term]]) -> list[Step]:
    """The last half of the parts to the first."""
    n = len(parts) // 2
    n_left = len(parts) - n
    return [_join(parts, i, n_left) for i in range(n)]


def _join(parts: list[list[Term]], i: int, j: int) -> Step:
    step = list(parts[i]), parts.pop(j)
    parts[i] += step[1]
    return step


def meeting_signature(
    step: Step, window: int, sign: int, random: Random
) -> tuple[int, Signature] | None:
    """The private key and a good signature for which a step adds a sum to itself.

    sign: 1, or -1 for its opposite. None where no key makes them meet.
    """
    kinds = {is_q for is_q, _ in step[0] + step[1]}
    if len(kinds) == 1:
        return _meeting_of_one_base(step, window, sign, random)
    for _ in range(64):
        scalars = [random.randrange(1, N), random.randrange(1, N)]
        digits = [_digits(u, window) for u in scalars]
        by_g, by_q = (
            _weight(step[0], digits, is_q, window)
            - sign * _weight(step[1], digits, is_q, window)
            for is_q in (False, True)
        )
        secret = -by_g * pow(by_q, -1, N) % N
        found = signature_with(secret, *scalars)
        if scalars[1] == found.r * pow(found.s, -1, N) % N:
            return secret, found
    raise AssertionError("every s is high")


def _meeting_of_one_base(
    step: Step, window: int, sign: int, random: Random
) -> tuple[int, Signature] | None:
    """The terms for 0 with the signs of one sum changed; it takes all rows to be 0."""
    top = 2**window - 1
    digits = _digits(0, window)
    if sign < 0 or len(step[0] + step[1]) != len(digits):
        return None
    for _, row in step[1]:
        digits[row] ^= top
    shifted = sum(digit << window * row for row, digit in enumerate(digits))
    u, secret = (shifted - shift(window)) % N, random.randrange(1, N)
    if _digits(u, window) != digits:
        return None
    is_q = step[0][0][0]
    return secret, with_scalars(secret, lambda t: (t, u) if is_q else (u, t), random)


def _digits(u: int, window: int) -> list[int]:
    shifted, top = (u + shift(window)) % N, 2**window - 1
    return [shifted >> window * row & top for row in range(n_windows(window))]


def _weight(terms: list[Term], digits: list[list[int]], is_q: bool, window: int) -> int:
    """Twice the multiple of a base that is in a sum."""
    top = 2**window - 1
    return sum(
        (2 * digits[is_q][row] - top) << window * row
        for kind, row in terms
        if kind is is_q
    )


class CountingLibrary:
    """libsecp256k1 whose recoveries are counted: `n`."""

    def __init__(self) -> None:
        from coincurve._libsecp256k1 import ffi, lib

        def address(name: str) -> int:
            return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))

        kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4)
        real = kind(address("secp256k1_ecdsa_recover"))
        self.n = 0

        def recover(*arguments: int) -> int:
            self.n += 1
            return int(real(*arguments))

        counted = kind(recover)
        pointer = ctypes.cast(counted, ctypes.c_void_p).value
        assert pointer is not None
        self.library = _core.Secp256k1(
            int(ffi.cast("uintptr_t", lib.secp256k1_context_static)),
            address("secp256k1_ecdsa_recoverable_signature_parse_compact"),
            pointer,
            address("secp256k1_ec_pubkey_serialize"),
            sizes=(65, 64),
            owners=(ffi, lib, counted, real),
        )
