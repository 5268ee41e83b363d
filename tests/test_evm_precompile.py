"""`recover_digests` finds whom the EVM's ecrecover precompile finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest
from evm import FULL, Evm, rows
from numpy.typing import NDArray
from signed_payloads import (
    SCALARS,
    N,
    changed,
    number,
    point_at_infinity,
    sign,
    word,
)

import codec
from codec import reference
from codec.errors import ErrorCode

N_DIGESTS = 20_000 if FULL else 2_000
ONE_IN = 41 if FULL else 11  # is judged by the reference, too


class Found:
    """Digests with their signatures, and what this package says of them."""

    def __init__(self) -> None:
        self.pairs = list(digest_signatures(N_DIGESTS))
        self.digests = rows([digest for digest, _ in self.pairs])
        self.signatures = rows([signature for _, signature in self.pairs])
        self.signers = self.recover(self.signatures)

    def recover(
        self, signatures: NDArray[np.uint8], v_offset: int = 27
    ) -> NDArray[np.void]:
        """Whose they are; another form of the same signatures may be asked for."""
        return codec.recover_digests(self.digests, signatures, v_offset=v_offset)


@pytest.fixture(scope="module")
def found() -> Found:
    return Found()


def test_ecrecover(evm: Evm, found: Found) -> None:
    """The precompile takes high s, all else is as here: where s is high, it gives the
    address that we find for the mirrored signature."""
    rules = [first_rule(signature) for _, signature in found.pairs]
    is_high = [rule == ErrorCode.HIGH_S for rule in rules]
    low_s = [
        mirrored(signature) if high else signature
        for (_, signature), high in zip(found.pairs, is_high, strict=True)
    ]
    low = found.recover(rows(low_s))
    for pair, rule, ours, ours_low in zip(
        found.pairs, rules, found.signers, low, strict=True
    ):
        theirs = evm.ecrecover(*pair)
        if rule is not None:
            assert ours["status"] == rule, pair
            assert not ours["address"].any(), pair
        if rule in (None, ErrorCode.HIGH_S):
            assert ours_low["status"] == (0 if theirs else ErrorCode.NO_POINT), pair
            assert ours_low["address"].tobytes() == (theirs or bytes(20)), pair
        else:
            assert theirs is None, pair
    counts = Counter(low["status"][is_high].tolist())
    assert min(counts[0], counts[ErrorCode.NO_POINT]) > 0.02 * N_DIGESTS, counts


def test_digests_are_worth_judging(found: Found) -> None:
    counts = Counter(found.signers["status"].tolist())
    for code in (
        0,
        ErrorCode.INVALID_V,
        ErrorCode.SCALAR_RANGE,
        ErrorCode.HIGH_S,
        ErrorCode.NO_POINT,
    ):
        assert counts[code] > 0.02 * N_DIGESTS, (code, counts)


@pytest.mark.parametrize("v_offset", [0, 1, 35, 254])
def test_v_offset(found: Found, v_offset: int) -> None:
    """Every v moved alike, round the end of a byte, too."""
    moved = found.signatures.copy()
    moved[:, 64] += np.uint8((v_offset - 27) % 256)
    again = found.recover(moved, v_offset)
    assert again.tobytes() == found.signers.tobytes()


def test_reference_agrees(found: Found) -> None:
    plain = reference.recover_digests(
        found.digests[::ONE_IN], found.signatures[::ONE_IN], v_offset=27
    )
    assert plain.tobytes() == found.signers[::ONE_IN].tobytes()


def digest_signatures(n: int) -> Iterator[tuple[bytes, bytes]]:
    """Digests, and r, s, v for each; v is 27 or 28 of a good one."""
    random = Random("digests")
    edges = [word(edge) for edge in [*SCALARS, *range(2, 40), *range(N - 40, N - 1)]]
    for i in range(n):
        digest = random.choice(edges) if i % 5 == 0 else random.randbytes(32)
        good = plus_27(sign(digest, word(random.randrange(1, N))))
        match i % 8:
            case 0:
                signature = good
            case 1:
                signature = mirrored(good)
            case 2:
                signature = mirrored(changed(good, 64, 55 - good[64]))
            case 3:
                signature = random.choice(edges) + good[32:]
            case 4:
                signature = b"".join(random.choices(edges, k=2)) + good[64:]
            case 5:
                signature = random.randbytes(64) + good[64:]
            case 6:
                signature = plus_27(point_at_infinity(digest))
            case _:
                signature = changed(good, 64, i // 8 % 256)
        yield digest, signature


def plus_27(signature: bytes) -> bytes:
    """Ethereum's usual form."""
    return changed(signature, 64, signature[64] + 27)


def mirrored(signature: bytes) -> bytes:
    """The other signature by the same key: n - s, and the other v of 27 and 28."""
    s = word(N - number(signature[32:64]))
    return signature[:32] + s + bytes([55 - signature[64]])


def first_rule(signature: bytes) -> ErrorCode | None:
    """The rule of docs/signatures.md that the numbers alone break."""
    r, s, v = number(signature[:32]), number(signature[32:64]), signature[64]
    if v not in (27, 28):
        return ErrorCode.INVALID_V
    if not (0 < r < N and 0 < s < N):
        return ErrorCode.SCALAR_RANGE
    return ErrorCode.HIGH_S if s > N // 2 else None
