"""Verdicts by known keys are those of libsecp256k1, whoever made the signatures."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Any

import curve
import numpy as np
import pytest
from curve import HALF, N, P
from known_cases import (
    FULL,
    HALF_OF_ONE,
    CountingLibrary,
    Key,
    Rows,
    Signature,
    colliding_secrets,
    crafted_signatures,
    damaged_signatures,
    good_rows,
    good_signatures,
    judge,
    key_of,
    keys_with_r,
    lambda_keys,
    meeting_signature,
    n_windows,
    rows_of,
    steps,
)
from test_recovery import scalars_of_der
from vectors import VECTORS

import codec
from codec import _core, tables
from codec._secp256k1 import library

SECRETS = [Random(i).randrange(1, N) for i in range(32)]
SIZES = [*range(1, 41), 63, 64, 65, 99, 100, 101, 127, 128, 129, 1023, 1024, 1025, 2049]


@pytest.fixture(params=_core.verify_paths())
def path(request: pytest.FixtureRequest) -> str:
    """Each way to verify by known keys that this machine has."""
    return str(request.param)


def cut(rows: Rows, part: Any) -> Rows:
    return rows[0][part], rows[1][part]


def joined(*items: Rows) -> Rows:
    digests, signatures = zip(*items, strict=True)
    return np.concatenate(digests), np.concatenate(signatures)


Judged = tuple[Key, Rows, np.ndarray]


@pytest.fixture(scope="module")
def many() -> list[Judged]:
    """Good and damaged signatures of many keys, and what libsecp256k1 says of them."""
    n = (1_000_000 if FULL else 20_000) // len(SECRETS)
    found = []
    for i, secret in enumerate(SECRETS):
        key = key_of(secret)
        rows = rows_of(damaged_signatures(Random(i), secret, n))
        expected = judge(rows, key.address, threads=0)
        assert n // 2 <= expected.sum() < n * 3 // 4
        found.append((key, rows, expected))
    return found


@pytest.mark.parametrize("window", [5, 8, 13])
def test_random_signatures_of_many_keys(
    many: list[Judged], path: str, window: int
) -> None:
    # Tables of 13 bits take 10 ms each.
    for key, rows, expected in many if FULL or window < 13 else many[:8]:
        found = judge(rows, key.address, key.known(path, window))
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("window", range(2, 17))
def test_every_window(many: list[Judged], path: str, window: int) -> None:
    key, rows, expected = many[0]
    known = key.known(path, window)
    found = judge(cut(rows, slice(20_000)), key.address, known)
    assert np.array_equal(found, expected[:20_000])


@pytest.mark.parametrize("window", [8, 9])
def test_every_batch_size(many: list[Judged], path: str, window: int) -> None:
    key, rows, expected = many[1]
    known = key.known(path, window)
    for start, size in enumerate(SIZES):
        part = np.arange(start, start + size) % len(expected)
        found = judge(cut(rows, part), key.address, known)
        assert np.array_equal(found, expected[part]), size


@pytest.mark.parametrize("size", [1, 2, 8, 31, 75, 1024])
def test_one_bad_at_every_place_and_one_good(path: str, size: int) -> None:
    key = key_of(SECRETS[2])
    known = key.known(path, 8)
    good = good_rows(1, SECRETS[2], size)
    bad = good[0].copy(), good[1].copy()
    bad[0][0::2, 31] ^= 1
    bad[1][1::2, 64] ^= 1
    assert judge(good, key.address).all() and not judge(bad, key.address).any()
    for place in range(0, size, 1 if FULL or size < 100 else 61):
        expected = np.arange(size) == place
        mixed = good[0].copy(), good[1].copy()
        for to, rows in zip(mixed, bad, strict=True):
            to[place] = rows[place]
        assert np.array_equal(judge(mixed, key.address, known), ~expected)
        for to, rows in zip(mixed, bad, strict=True):
            to[:] = rows
            to[place] = good[to is mixed[1]][place]
        assert np.array_equal(judge(mixed, key.address, known), expected)


def test_several_keys_at_once(many: list[Judged], path: str) -> None:
    """With a signer whose key is not known, or not."""
    order = np.random.default_rng(0).permutation(5 * 500)
    rows = joined(*(cut(rows, slice(500)) for _, rows, _ in many[:5]))
    rows = cut(rows, order)
    windows = [8, 5, 13, 8]
    entries = [key.entry(w) for (key, _, _), w in zip(many, windows, strict=False)]
    known = _core.KnownKeys(path, tuple(entries))
    for n_keys in (4, 5):
        addresses = b"".join(sorted(key.address for key, _, _ in many[:n_keys]))
        expected = judge(rows, addresses)
        for threads in (1, 2):
            found = judge(rows, addresses, known, threads=threads)
            assert np.array_equal(found, expected)
        assert 250 * n_keys <= expected.sum() <= 400 * n_keys


def test_nothing_but_crafted_signatures_is_left_to_the_library(path: str) -> None:
    key = key_of(SECRETS[0])
    counted = CountingLibrary()
    rows = rows_of(damaged_signatures(Random(7), SECRETS[0], 3000))
    assert judge(cut(rows, slice(9)), key.address, lib=counted.library).any()
    assert 0 < counted.n <= 9
    counted.n = 0
    for window in (8, 13):
        for size in (1, 30, 100, 1024, 3000):
            part = cut(rows, slice(size))
            judge(part, key.address, key.known(path, window), lib=counted.library)
    assert counted.n == 0


def holds(path: str, key: Key, window: int, rows: Rows) -> np.ndarray:
    """All at once, backwards, and each alone, against libsecp256k1; its verdicts."""
    known = key.known(path, window)
    expected = judge(rows, key.address)
    for part in (slice(None), slice(None, None, -1)):
        found = judge(cut(rows, part), key.address, known)
        assert np.array_equal(found, expected[part]), window
    for i, is_good in enumerate(expected):
        assert judge(cut(rows, slice(i, i + 1)), key.address, known)[0] == is_good, i
    return expected


@pytest.mark.parametrize("window", [5, 8, 13])
def test_crafted_signatures(path: str, window: int) -> None:
    secrets = colliding_secrets(window) + lambda_keys()
    for secret in secrets if FULL else secrets[::6]:
        cases = crafted_signatures(secret, window)
        expected = holds(path, key_of(secret), window, rows_of(c for _, c in cases))
        verdicts = dict(zip((name for name, _ in cases), expected, strict=True))
        assert verdicts["u1 G = u2 Q"] and not verdicts["infinity"]
        assert verdicts["digest of ones"] and verdicts["digest n"]
        assert not verdicts["high s"] and not verdicts["v 255"]


def test_libsecp256k1_agrees_with_plain_arithmetic() -> None:
    """On all that is crafted, so that it is not one way of going wrong."""
    for secret in (1, HALF_OF_ONE, SECRETS[3]):
        cases = crafted_signatures(secret, 8)
        expected = judge(rows_of(c for _, c in cases), key_of(secret).address)
        for (name, case), is_good in zip(cases, expected, strict=True):
            assert arithmetic_says(case, secret) == is_good, name


def arithmetic_says(case: Signature, secret: int) -> bool:
    digest, r, s, v = case
    if v > 1 or not 0 < r < N or not 0 < s <= HALF:
        return False
    found = curve.multiply_generator((digest + r * secret) * pow(s, -1, N))
    return found is not None and found[0] == r and found[1] % 2 == v


@pytest.mark.parametrize("place", [0, 7, 8, 1023])
def test_crafted_among_good_signatures(path: str, place: int) -> None:
    """The others' verdicts stay what they are."""
    secrets = [1, HALF_OF_ONE, N - 1, 2**8 * HALF_OF_ONE % N, SECRETS[4]]
    for secret in secrets if FULL else secrets[1:2]:
        key = key_of(secret)
        known = key.known(path, 8)
        rows = good_rows(place, secret, 1024)
        assert judge(rows, key.address, known).all()
        cases = [case for _, case in crafted_signatures(secret, 8)]
        crafted = rows_of(cases)
        expected = judge(crafted, key.address)
        mixed = rows[0].copy(), rows[1].copy()
        others = np.arange(1024) != place
        for i in range(0, len(cases), 1 if FULL else 3):
            for to, source in zip(mixed, crafted, strict=True):
                to[place] = source[i]
            found = judge(mixed, key.address, known)
            assert found[place] == expected[i] and found[others].all(), cases[i]
        order = np.random.default_rng(place).permutation(1024 + len(cases))
        both = cut(joined(rows, crafted), order)
        all_expected = np.concatenate([np.ones(1024, bool), expected])[order]
        assert np.array_equal(judge(both, key.address, known), all_expected)


def test_every_v(path: str) -> None:
    key = key_of(3)
    good = next(good_signatures(Random(1), 3, 1))
    rows = rows_of(good._replace(v=v) for v in range(256))
    expected = holds(path, key, 8, rows)
    assert np.flatnonzero(expected).tolist() == [good.v]
    for offset in (1, 27, 254):
        addresses = key.address, library(), 1, key.known(path, 8)
        found = _core.verify_digests(*rows, offset, *addresses)
        assert np.flatnonzero(found).tolist() == [good.v + offset]


NEAR = 40 if FULL else 12


@pytest.mark.parametrize(
    ("xs", "is_good"),
    [
        (range(1, NEAR), True),
        (range(P - N - NEAR // 2, P - N + NEAR // 2), True),
        (range(N - NEAR, N), True),
        # Plain ECDSA takes these by r = x - n.
        (range(N, N + NEAR), False),
        (range(P - NEAR, P), False),
    ],
    ids=["near 0", "near p - n", "below n", "n and more", "below p"],
)
def test_x_near_the_ends_of_its_range(path: str, xs: range, is_good: bool) -> None:
    n_keys = 0
    for key, case in keys_with_r(xs, Random(3)):
        flipped = case._replace(v=1 - case.v)
        rows = rows_of([case, flipped] * 6 + [case] * 40)
        expected = holds(path, key, 8, rows)
        assert expected[0] == is_good and not expected[1]
        n_keys += 1
    assert n_keys > len(xs) // 4


@pytest.mark.parametrize("window", [2, 3, 4])
@pytest.mark.parametrize("secret", [1, 2, HALF_OF_ONE, N - 1, 2**12, 2**132])
def test_tables_so_small_that_sums_meet(path: str, window: int, secret: int) -> None:
    key = key_of(secret)
    rows = rows_of(damaged_signatures(Random(secret), secret, 200))
    counted = CountingLibrary()
    expected = judge(rows, key.address)
    for size in (1, 20, 200):
        part = cut(rows, slice(size))
        known = key.known(path, window)
        found = judge(part, key.address, known, lib=counted.library)
        assert np.array_equal(found, expected[:size])
    assert 100 <= expected.sum() < 150


@pytest.mark.parametrize("sign", [1, -1], ids=["equal", "opposite"])
@pytest.mark.parametrize("size", [1, 2, 3, 33, 200, 1024])
@pytest.mark.parametrize("window", [5, 8, 9, 13])
def test_every_addition_with_a_sum_that_meets_the_other(
    path: str, window: int, size: int, sign: int
) -> None:
    n_met = 0
    all_steps = steps(path, size, window)
    assert len(all_steps) == 2 * n_windows(window) - 1
    random = Random(window * size)
    if not FULL:
        random.shuffle(all_steps)
    for step in all_steps if FULL else all_steps[: 16 if window < 13 else 4]:
        found = meeting_signature(step, window, sign, random)
        if found is None:
            continue
        secret, case = found
        key = key_of(secret)
        others = list(good_signatures(random, secret, 15)) * (size // 15 + 1)
        place = random.randrange(size)
        others[place] = case
        counted = CountingLibrary()
        rows, known = rows_of(others[:size]), key.known(path, window)
        expected = np.ones(size, bool)
        # The last sum may be infinity.
        expected[place] = judge(rows_of([case]), key.address)[0]
        verdicts = judge(rows, key.address, known, lib=counted.library)
        assert np.array_equal(verdicts, expected), step
        assert expected[place] or len(step[0] + step[1]) == 2 * n_windows(window)
        bad = rows[0], rows[1].copy()
        bad[1][place, 64] ^= 1
        expected[place] = False
        assert np.array_equal(judge(bad, key.address, known), expected), step
        n_met += counted.n > 0
    assert n_met > 0 or path == "portable"


def fastest(function: Callable[[], Any]) -> float:
    times = []
    for _ in range(9):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def test_a_crafted_signature_costs_about_one_recovery(path: str) -> None:
    found = meeting_signature(steps(path, 1024, 9)[-1], 9, 1, Random(1))
    assert found is not None
    secret, signature = found
    key = key_of(secret)
    known = key.known(path, 9)
    rows = good_rows(1, secret, 1024)
    case = rows_of([signature])
    mixed = joined(cut(rows, slice(1023)), case)
    counted = CountingLibrary()
    assert judge(mixed, key.address, known, lib=counted.library).all()
    assert counted.n == 1
    recovery = fastest(lambda: judge(case, key.address))
    # If all were recovered, a thousand recoveries. Other processes make it uneven.
    limit = 4 * fastest(lambda: judge(rows, key.address, known)) + 20 * recovery
    assert fastest(lambda: judge(mixed, key.address, known)) < limit


def wycheproof_cases() -> list[tuple[bytes, bool, str, Rows]]:
    """Key, verdict, comment, and the two signatures with v of 0 and 1."""
    file = VECTORS / "wycheproof_ecdsa_secp256k1_sha256_bitcoin.json"
    if not file.exists():
        pytest.skip(f"optional: no Wycheproof vectors at {file}")
    cases = []
    for group in json.loads(file.read_text())["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["uncompressed"])
        for case in group["tests"]:
            text = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
            digest = int.from_bytes(text, "big")
            try:
                r, s = scalars_of_der(bytes.fromhex(case["sig"]))
            except ValueError:
                assert case["result"] == "invalid", case
                continue
            rows = rows_of(Signature(digest, r, s, v) for v in (0, 1))
            cases.append((key, case["result"] == "valid", case["comment"], rows))
    return cases


def test_wycheproof(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_path", path)
    signers: dict[bytes, codec.KnownSigner] = {}
    n_valid, beyond, cases = 0, [], wycheproof_cases()
    for key, is_valid, comment, rows in cases:
        signer = signers.setdefault(key, codec.KnownSigner(key))
        verdicts = signer.verify_digests(*rows)
        address = bytes.fromhex(signer.address[2:])
        assert np.array_equal(verdicts, judge(rows, address)), comment
        if is_valid and not verdicts.any():
            beyond.append(comment)
        else:
            assert verdicts.any() == is_valid, comment
        n_valid += is_valid
    # x(R) is not below n: plain ECDSA takes it, ecrecover with v 0 or 1 cannot.
    assert beyond == ["k*G has a large x-coordinate"]
    assert n_valid > 100 and len(cases) - n_valid > 50 and len(signers) > 50


def test_signatures_by_coincurve(path: str) -> None:
    """What the shortcut to make signatures here does not share with a signer."""
    from concurrent.futures import ThreadPoolExecutor

    from coincurve import PrivateKey

    key, random = PrivateKey(SECRETS[5].to_bytes(32, "big")), Random(5)
    texts = [random.randbytes(32) for _ in range(20_000 if FULL else 1000)]
    with ThreadPoolExecutor(2) as executor:
        signed = list(executor.map(lambda t: key.sign_recoverable(t, None), texts))
    digests = np.frombuffer(b"".join(texts), np.uint8).reshape(-1, 32)
    signatures = np.frombuffer(b"".join(signed), np.uint8).reshape(-1, 65)
    mine = key_of(SECRETS[5])
    for window in islice((8, 13, 5, 16), 4 if FULL else 2):
        known = mine.known(path, window)
        assert judge((digests, signatures), mine.address, known).all()
