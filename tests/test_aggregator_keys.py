"""Signers that are remembered: how many, for how long, and that no verdict changes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import aggregated
import numpy as np
import pytest
from aggregated import aggregate, state, text
from coincurve import PrivateKey

from codec import KnownSigner, aggregator
from codec.aggregator import keys
from codec.aggregator.keys import KeyRing, remembered
from codec.reference import aggregator as reference
from codec.tables import LIBRARY, use_verify_path, verify_path


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    remembered.clear()
    yield
    remembered.clear()


def messages(n: int, key: int, **options: int) -> list[str]:
    """n messages that differ, by one signer."""
    return [text(aggregate("A", i, key=key, **options)) for i in range(n)]


needs_tables = pytest.mark.skipif(
    verify_path() == LIBRARY, reason="no way to verify by known keys is chosen"
)


@needs_tables
def test_a_signer_is_remembered_after_some_good_signatures() -> None:
    address = aggregated.address(5)
    aggregator.decode(messages(31, 5, publishers=0))
    assert address not in remembered
    aggregator.decode(messages(1, 5, publishers=0))
    assert address in remembered and len(remembered) == 1
    items = messages(40, 5) + messages(40, 6)
    batch = aggregator.decode(items)
    assert batch.passed("all").all()
    assert aggregated.address(6) in remembered
    assert state(batch) == state(reference.decode(items))


@needs_tables
def test_those_of_a_large_batch_are_remembered_within_it() -> None:
    aggregator.decode_lines("\n".join(messages(300, 5)).encode())
    assert len(remembered) == 2


def test_bad_signatures_teach_nothing() -> None:
    for item in messages(1, 5, publishers=0):
        bad = item.replace(aggregated.address(5).hex(), aggregated.address(6).hex())
        batch = aggregator.decode([bad] * 200)
        assert not batch.passed().any()
    assert len(remembered) == 0


@needs_tables
def test_signers_that_come_with_a_key() -> None:
    known = KnownSigner(PrivateKey.from_int(5).public_key)
    batch = aggregator.decode(messages(3, 5), signers=known)
    assert batch.passed("all").all() and aggregated.address(5) in remembered
    batch = aggregator.decode(messages(3, 6), signers=[known])
    assert not batch.passed().any()


def sample(i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One signature by key number i, as `learn` takes it."""
    digest = b"\x01" * 32
    raw = bytearray(PrivateKey.from_int(i).sign_recoverable(digest, hasher=None))
    raw[64] += 27
    rows = (aggregated.address(i), digest, bytes(raw))
    found = [np.frombuffer(row, np.uint8).reshape(1, -1) for row in rows]
    return found[0], found[1], found[2]


def learn(ring: KeyRing, i: int, n: int = 32) -> bytes:
    """Shows a ring n signatures by key number i."""
    a, d, s = (np.repeat(rows, n, axis=0) for rows in sample(i))
    ring.learn(a, d, s)
    return aggregated.address(i)


@needs_tables
def test_the_least_seen_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MOST_KEYS", 4)
    ring = KeyRing()
    addresses = [learn(ring, i) for i in range(1, 5)]
    known, counts = ring.take()
    assert known is not None and len(counts) == 5
    counts[-1] = 10_000
    for i, address in enumerate(sorted(addresses)):
        counts[i] = 0 if address == addresses[2] else 3000
    ring.take()
    last = learn(ring, 9)
    assert len(ring) == 4 and last in ring and addresses[2] not in ring


@needs_tables
@pytest.mark.parametrize("n_given", [2, 4, 7])
def test_those_that_are_given_do_not_push_one_another_out(
    monkeypatch: pytest.MonkeyPatch, n_given: int
) -> None:
    """Or every call would build their tables anew."""
    monkeypatch.setattr(keys, "_MOST_KEYS", 4)
    ring = KeyRing()
    for i in range(1, 5):
        learn(ring, i)
        ring._keys[aggregated.address(i)].n_seen = 1000
    keys_given = range(50, 50 + n_given)
    given = [KnownSigner(PrivateKey.from_int(i).public_key) for i in keys_given]
    ring.add(given)
    known, _ = ring.take()
    assert len(ring) == 4
    assert all(aggregated.address(i) in ring for i in keys_given[:4])
    ring.add(given)
    assert ring.take()[0] is known


def cleared_at(n_steps: int) -> tuple[bool, int, int]:
    """Clears a ring of one key at a step of its `take`; whether there was such a step,
    and of what `take` gave the number of keys and of counts."""
    ring = KeyRing()
    learn(ring, 1)
    n_left = n_steps

    def step(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal n_left
        if frame.f_code is not KeyRing.take.__code__:
            return None
        frame.f_trace_opcodes = True
        n_left -= event == "opcode"
        if n_left == 0:
            sys.settrace(None)
            ring.clear()
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        known, counts = ring.take()
    finally:
        sys.settrace(before)
    return n_left <= 0, 0 if known is None else 1, len(counts)


@needs_tables
def test_keys_and_their_counts_belong_together() -> None:
    """Whatever another thread does in the middle of `take`."""
    found = [cleared_at(n) for n in range(1, 100)]
    assert found[0][0] and not found[-1][0]
    assert {(n_keys, n_counts) for _, n_keys, n_counts in found} == {(0, 1), (1, 2)}


@needs_tables
def test_nobody_waits_for_another() -> None:
    """Who holds the lock may have stayed behind, where this process was forked."""
    ring = KeyRing()
    learn(ring, 1)
    known, counts = ring.take()
    counts[:] = 10_000
    given = KnownSigner(PrivateKey.from_int(3).public_key)

    def use() -> None:
        learn(ring, 2)
        ring.add([given])
        assert ring.take()[0] is known

    with ring._lock:
        thread = threading.Thread(target=use, daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive() and len(ring) == 1
    ring.add([given])
    assert len(ring) == 2


@needs_tables
def test_large_tables_where_many_come_at_once() -> None:
    ring = KeyRing()
    addresses = [learn(ring, i) for i in (1, 2)]
    for n_calls, window in ((1, 13), (10_000, 13)):
        _, counts = ring.take()
        ring._n_calls = n_calls
        counts[sorted(addresses).index(addresses[0])] = counts[-1] = 8192
        ring.take()
        assert ring._keys[addresses[0]].window == window
        assert ring._keys[addresses[1]].window == 8
    small = KeyRing()
    address = learn(small, 1)
    _, counts = small.take()
    small._n_calls = 8000
    counts[:] = 8192
    small.take()
    assert small._keys[address].window == 8


@needs_tables
def test_only_so_many_are_counted() -> None:
    ring = KeyRing()
    first = learn(ring, 1, 31)
    rows = np.arange(20 * 1024, dtype=np.uint32).view(np.uint8)
    many = np.resize(rows, (1024, 20))
    ring.learn(many, np.zeros((1024, 32), np.uint8), np.zeros((1024, 65), np.uint8))
    learn(ring, 1, 1)
    assert first not in ring and len(ring._n_good) <= 1024


def test_without_tables_nothing_is_learnt() -> None:
    path = verify_path()
    use_verify_path(LIBRARY)
    try:
        batch = aggregator.decode(messages(40, 5))
        assert batch.passed("all").all() and len(remembered) == 0
    finally:
        use_verify_path(path)


@needs_tables
@pytest.mark.parametrize("threads", [1, 3])
def test_verdicts_are_the_same_with_keys(threads: int) -> None:
    items = messages(40, 5, publishers=2)
    entry = aggregate("B", 1, key=5)
    signature = entry["stork_signed_price"]["timestamped_signature"]["signature"]
    other = aggregate("B", 2, key=5)["stork_signed_price"]["timestamped_signature"]
    items.append(text(entry | {"price": "2"}))
    signature |= other["signature"]
    items.append(text(entry))
    entry["stork_signed_price"]["public_key"] = f"0x{aggregated.address(6).hex()}"
    items.append(text(entry))
    wanted = state(reference.decode(items))
    for _ in range(3):
        assert state(aggregator.decode(items, threads=threads)) == wanted
    assert len(remembered) == 3
