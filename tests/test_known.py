"""KnownSigner, and the ways in which it comes to be used."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import coincurve
import numpy as np
import pytest
from curve import HALF, N, P, Point, lift
from known_cases import FULL, good_rows, judge, key_of
from signature_cases import (
    BAD,
    GOOD,
    KEY,
    OTHER,
    OTHER_KEY,
    SIGNER,
    UNSIGNED,
    off_curve,
    payload,
    resigned,
    state,
)

import codec
from codec import _core, integrity, known, reference, tables
from codec.errors import BadSignatureError, IntegrityError, SignatureError

PUBLIC = coincurve.PrivateKey(KEY).public_key
SHORT, LONG = PUBLIC.format(), PUBLIC.format(compressed=False)
THIRD_KEY = bytes(31) + b"\x03"
THIRD = key_of(3).address
PATHS = (*_core.verify_paths(), tables.LIBRARY)


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test with each way to verify that this machine has."""
    monkeypatch.setattr(tables, "_path", request.param)
    return str(request.param)


@pytest.fixture(params=_core.verify_paths())
def table_path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As `path`, but for the one that needs no tables."""
    monkeypatch.setattr(tables, "_path", request.param)
    return str(request.param)


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No signer is remembered, and the environment has named no path."""
    monkeypatch.setattr(known, "_remembered", known._Remembered())
    monkeypatch.setattr(tables, "_path", PATHS[0])


def remembered() -> list[bytes]:
    return list(known._remembered._signers)


@pytest.fixture(scope="module")
def mixed() -> list[Any]:
    """Messages good, bad and unsigned, of both layouts."""
    good = [payload(i % 9, layout=1 + i % 2) for i in range(40)]
    bad = [resigned(GOOD, r, s, v) for r, s, v, _, _ in BAD.values()]
    others = [payload(3, OTHER_KEY), payload(2, THIRD_KEY, 2)]
    some: list[Any] = [*good, *bad, *others]
    messages = [some[i % len(some)].hex() for i in range(331)]
    messages[::17] = [UNSIGNED] * len(messages[::17])
    return messages


@pytest.mark.parametrize(
    "key",
    [
        SHORT,
        LONG,
        bytearray(SHORT),
        memoryview(LONG),
        memoryview(b"".join(bytes([b, 0]) for b in LONG))[::2],
        SHORT.hex(),
        LONG.hex(),
        "0x" + SHORT.hex(),
        "0x" + LONG.hex().upper(),
        PUBLIC,
        GOOD,
        bytearray(payload(layout=2)),
        memoryview(payload(3)),
        payload(0).hex(),
        "0x" + payload(5, layout=2).hex(),
    ],
    ids=lambda key: type(key).__name__,
)
def test_ways_to_give_a_key(key: Any) -> None:
    signer = codec.KnownSigner(key)
    assert signer.public_key == LONG
    assert signer.address == codec.checksum_address(SIGNER)
    assert repr(signer) == f"<KnownSigner: {signer.address}>"
    assert codec.verify(codec.decode_payloads([GOOD, payload(1, OTHER_KEY)]), signer)[0]


def point_of(x: int, y: int) -> bytes:
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def lifted(x: int) -> Point:
    found = lift(x)
    assert found is not None
    return found


X, Y = (int.from_bytes(LONG[i : i + 32], "big") for i in (1, 33))


@pytest.mark.parametrize(
    "key",
    [
        b"",
        SHORT[:-1],
        SHORT + b"\0",
        LONG[1:],
        LONG[:-1],
        LONG + b"\0",
        b"\x05" + SHORT[1:],
        b"\x04" + SHORT[1:],
        b"\x02" + LONG[1:],
        point_of(X, Y ^ 1),
        point_of(Y, X),
        point_of(0, 0),
        point_of(1 + P, lifted(1)[1]),
        b"\x02" + (1 + P).to_bytes(32, "big"),
        b"\x02" + off_curve().to_bytes(32, "big"),
        b"\x02" + P.to_bytes(32, "big"),
        bytes(65),
        bytes(33),
        SIGNER,
        KEY,
        GOOD[:74],
    ],
    ids=lambda key: key.hex()[:12] + f" {len(key)}",
)
def test_what_is_no_key(key: bytes) -> None:
    for form in (key, key.hex(), "0x" + key.hex(), bytearray(key)):
        with pytest.raises(SignatureError, match="33 or 65 bytes"):
            codec.KnownSigner(form)


@pytest.mark.parametrize("text", ["0x", "zz", "0x0x" + SHORT.hex(), SHORT.hex()[:-1]])
def test_text_that_is_no_key(text: str) -> None:
    with pytest.raises(SignatureError):
        codec.KnownSigner(text)


@pytest.mark.parametrize("name", BAD)
def test_bad_payloads_name_no_signer(name: str) -> None:
    r, s, v, code, _ = BAD[name]
    with pytest.raises(SignatureError, match="names no signer") as raised:
        codec.KnownSigner(resigned(GOOD, r, s, v))
    assert code.description in str(raised.value)


@pytest.mark.parametrize("key", [None, 5, 1.5, [SHORT], (GOOD,), np.zeros(33, "u1")])
def test_other_types_of_keys(key: Any) -> None:
    with pytest.raises(TypeError, match=type(key).__name__):
        codec.KnownSigner(key)


def test_windows() -> None:
    for window in (-1, 0, 1, 17, 2**70, True):
        with pytest.raises(ValueError, match=r"2 \.\. 16"):
            codec.KnownSigner(SHORT, window=window)
    for wrong in (8.0, "8", b"8"):
        with pytest.raises(TypeError):
            codec.KnownSigner(SHORT, window=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        codec.KnownSigner(SHORT, 8)  # type: ignore[misc]
    batch = codec.decode_payloads([GOOD, payload(1, OTHER_KEY)] * 5)
    for window in [2, np.int64(9), 13, *([16] if FULL else [])]:
        signer = codec.KnownSigner(SHORT, window=window)
        assert codec.verify(batch, signer).tolist() == [True, False] * 5


@pytest.fixture(scope="module")
def who_signed(mixed: list[Any]) -> list[bytes | None]:
    """The address that recovery finds for each message."""
    found = reference.decode(mixed).recover()
    return [None if row["status"] else row["address"].tobytes() for row in found]


def test_signers_and_addresses_mixed(
    mixed: list[Any], who_signed: list[bytes | None], path: str
) -> None:
    batch = codec.decode(mixed)
    one, other = codec.KnownSigner(SHORT), codec.KnownSigner(payload(2, OTHER_KEY))
    for signers, addresses in [
        (one, [SIGNER]),
        ([one], [SIGNER]),
        (other, [OTHER]),
        ((one, other), [SIGNER, OTHER]),
        ({other, one}, [SIGNER, OTHER]),
        (iter([one, OTHER]), [SIGNER, OTHER]),
        ([SIGNER.hex(), other], [SIGNER, OTHER]),
        ([one, SIGNER, codec.KnownSigner(LONG)], [SIGNER]),
        ([other, bytes(20), THIRD], [OTHER, bytes(20), THIRD]),
        ([one, other, codec.KnownSigner(key_of(5).xy.hex().join(["04", ""]))],
         [SIGNER, OTHER, key_of(5).address]),
    ]:  # fmt: skip
        expected = [address in addresses for address in who_signed]
        found = codec.verify(batch, signers, cross_check=1.0)  # type: ignore[arg-type]
        assert found.tolist() == expected and 0 < sum(expected) < len(expected)
    assert np.array_equal(batch.verify(one), codec.verify(batch, SIGNER))


def test_signers_that_are_none() -> None:
    batch, one = codec.decode_payloads(GOOD), codec.KnownSigner(SHORT)
    with pytest.raises(SignatureError, match=r"\[signer 1\]"):
        codec.verify(batch, [one, b"short"])
    with pytest.raises(TypeError, match=r"\[signer 2\]"):
        codec.verify(batch, [one, SIGNER, 5])  # type: ignore[list-item]
    for wrong in ([], [[one]], one.public_key):
        with pytest.raises((SignatureError, TypeError)):
            codec.verify(batch, wrong)  # type: ignore[arg-type]


MODES: list[Any] = ["mark", "drop"]


@pytest.mark.parametrize("mode", MODES)
def test_decoding_equals_the_reference(mixed: list[Any], mode: Any, path: str) -> None:
    messages = [*mixed, "{}", "zz"]
    options: Any = {"on_error": "skip", "on_bad_signature": mode}
    expected = reference.decode(messages, signers=[SIGNER, OTHER], **options)
    one, other = codec.KnownSigner(SHORT), codec.KnownSigner(payload(2, OTHER_KEY))
    for signers in ([one, other], [one, OTHER], (SIGNER, OTHER)):
        batch = codec.decode(messages, signers=signers, **options)
        assert state(batch) == state(expected)
        assert batch.errors.tolist() == expected.errors.tolist()
    lines = "\n".join(m if isinstance(m, str) else m.decode() for m in messages)
    by_line = codec.decode_lines(lines.encode(), signers=[one, other], **options)
    assert state(by_line) == state(expected)
    decoder = codec.Decoder(signers=[other, one], on_bad_signature=mode)
    for _ in range(2):
        warm = decoder.decode(messages, on_error="skip")
        assert state(warm) == state(expected)
        assert warm.errors.tolist() == expected.errors.tolist()


def test_raising_equals_the_reference(path: str) -> None:
    signer, good = codec.KnownSigner(SHORT), [payload(i % 5) for i in range(70)]
    bad = [resigned(GOOD, r, s, v) for r, s, v, _, _ in BAD.values()]
    for fault in (*bad, payload(2, OTHER_KEY), payload(0, THIRD_KEY, 2)):
        with pytest.raises(BadSignatureError) as expected:
            reference.decode_payloads(fault, signers=SIGNER)
        for place in (0, 8, 69):
            messages = [*good[:place], fault, *good[place:], fault]
            with pytest.raises(BadSignatureError) as found:
                codec.decode_payloads(messages, signers=signer)
            error = expected.value
            assert found.value.args == (error.code, place, error.offset)
    with pytest.raises(BadSignatureError, match="unsigned"):
        codec.decode([good[0].hex(), UNSIGNED], signers=signer)
    batch = codec.decode_payloads(good, signers=signer)
    assert batch.verified is not None and batch.verified.all()


@pytest.mark.parametrize("threads", [2, 7, 0])
@pytest.mark.usefixtures("table_path")
def test_threads_give_the_same(mixed: list[Any], threads: int) -> None:
    good = [payload(i % 9, layout=1 + i % 2).hex() for i in range(9)]
    messages = [*good * 300, *mixed, *good * 800]
    one = codec.KnownSigner(SHORT)
    batch = codec.decode(messages)
    expected = codec.verify(batch, one)
    assert np.array_equal(expected, codec.verify(batch, SIGNER))
    assert np.array_equal(codec.verify(batch, one, threads=threads), expected)
    marked = codec.decode(
        messages, signers=one, on_bad_signature="mark", threads=threads
    )
    assert np.array_equal(marked.verified, expected)
    once = codec.decode(messages, signers=one, on_bad_signature="mark")
    assert state(once) == state(marked)
    digests, signatures = good_rows(3, 1, 15_000)
    bad = np.flatnonzero(np.arange(15_000) % 7 == 0)
    digests = digests.copy()
    digests[bad, 5] ^= 4
    found = one.verify_digests(digests, signatures, threads=threads)
    assert np.array_equal(np.flatnonzero(~found), bad)


def test_messages_without_payloads(path: str) -> None:
    signer = codec.KnownSigner(SHORT)
    for messages in ([UNSIGNED] * 80, []):
        for payloads in (True, False):
            batch = codec.decode(messages, payloads=payloads)
            for who in (signer, SIGNER):
                found = codec.verify(batch, who, cross_check=1.0)
                assert (found.tolist(), found.dtype) == ([False] * len(messages), bool)
    batch = codec.decode([GOOD.hex()] * 80, payloads=False)
    for who in (signer, SIGNER):
        with pytest.raises(ValueError, match="payloads=False"):
            codec.verify(batch, who)
    with pytest.raises(ValueError, match="payloads=False"):
        codec.decode([GOOD.hex()], payloads=False, signers=signer)
    assert len(codec.decode([], signers=signer)) == 0
    for thing in (None, [GOOD], reference.decode_payloads(GOOD)):
        with pytest.raises(TypeError):
            codec.verify(thing, signer)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.5, 1.0])
def test_rows_that_were_written_to(path: str, share: float) -> None:
    for signer in (codec.KnownSigner(SHORT), SIGNER):
        batch = codec.decode_payloads([GOOD] * 100)
        batch.messages["payload_offset"][1] = 2**63
        batch.messages["payload_len"][2] = 2**32 - 1
        batch.messages["payload_len"][3] = 64
        found = codec.verify(batch, signer, cross_check=share)
        assert np.flatnonzero(~found).tolist() == [1, 2, 3]


def test_addresses_become_known_after_64_signatures(path: str) -> None:
    batch = codec.decode_payloads([payload(i % 3) for i in range(63)])
    is_library = path == tables.LIBRARY
    assert codec.verify(batch, SIGNER).all() and remembered() == []
    one_more = codec.decode_payloads([GOOD])
    assert codec.verify(one_more, SIGNER).all()
    assert remembered() == ([] if is_library else [SIGNER])
    known._remembered = known._Remembered()
    messages = [*[UNSIGNED] * 63, GOOD.hex()]
    decoded = codec.decode(messages, signers=[SIGNER], on_bad_signature="mark")
    assert decoded.verified is not None and decoded.verified.sum() == 1
    assert remembered() == ([] if is_library else [SIGNER])


def used_keys(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """The addresses of the keys of each call from now on that has any."""
    used: list[list[bytes]] = []
    real = _core.KnownKeys

    def make(name: str, entries: tuple[Any, ...]) -> _core.KnownKeys:
        used.append([entry[0] for entry in entries])
        return real(name, entries)

    integrity.ensure_checked(tables.verify_path())
    monkeypatch.setattr(_core, "KnownKeys", make)
    return used


def test_known_addresses_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used = used_keys(monkeypatch)
    batch = codec.decode_payloads([GOOD] * 32 + [payload(1, OTHER_KEY)] * 32)
    codec.verify(batch, SIGNER)
    codec.verify(codec.decode_payloads(GOOD), [OTHER, SIGNER])
    assert used == [[SIGNER], [SIGNER]]
    codec.verify(batch, [OTHER, SIGNER])
    codec.Decoder(signers=OTHER, on_bad_signature="mark").decode_payloads(GOOD)
    codec.verify(codec.decode([UNSIGNED]), SIGNER)
    assert [sorted(addresses) for addresses in used[2:]] == [
        sorted([SIGNER, OTHER]),
        [OTHER],
        [SIGNER],
    ]


@pytest.mark.parametrize("n_signers", [2, 3, 4, 8, 12])
def test_signers_that_take_turns_are_all_found(n_signers: int) -> None:
    keys = [(i + 100).to_bytes(32, "big") for i in range(n_signers)]
    batch = codec.decode_payloads([payload(1, key) for key in keys] * (96 // n_signers))
    addresses = [row["address"].tobytes() for row in codec.recover(batch)[:n_signers]]
    for _ in range(20):
        assert codec.verify(batch, addresses).all()
    assert sorted(remembered()) == sorted(addresses)


def test_wrong_addresses_are_never_known(monkeypatch: pytest.MonkeyPatch) -> None:
    used = used_keys(monkeypatch)
    batch = codec.decode_payloads([GOOD, resigned(GOOD, 5, 5, 5)] * 100)
    nobody = [bytes([i] * 20) for i in range(1, 40)]
    for address in (*nobody, bytes(20)):
        assert not codec.verify(batch, address).any()
    assert codec.verify(batch, [*nobody, SIGNER]).sum() == 100
    assert {address for addresses in used for address in addresses} <= {SIGNER}
    assert len(known._remembered._n_seen) <= 16


def test_what_is_remembered_is_bounded() -> None:
    keys = [(i + 100).to_bytes(32, "big") for i in range(40)]
    batch = codec.decode_payloads([payload(1, key) for key in keys])
    addresses = [row["address"].tobytes() for row in codec.recover(batch)]
    for key, address in zip(keys, addresses, strict=True):
        one = codec.decode_payloads([payload(1, key)] * 70)
        assert codec.verify(one, address).all()
        assert not codec.verify(one, SIGNER).any()
        assert len(remembered()) <= 16 and len(known._remembered._n_seen) <= 16
    assert remembered() == addresses[-16:]
    # All of them at once, more than are remembered.
    many = codec.decode_payloads([payload(1, key) for key in keys] * 2)
    for _ in range(3):
        assert codec.verify(many, addresses).all()
        assert len(remembered()) <= 16 and len(known._remembered._n_seen) <= 16


def test_windows_grow_with_use(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, fixed = codec.KnownSigner(SHORT), codec.KnownSigner(SHORT, window=5)
    batch = codec.decode_payloads([GOOD] * 4000)
    found = []
    for _ in range(4):
        assert codec.verify(batch, [signer]).all() and codec.verify(batch, fixed).all()
        found.append(signer._entry and signer._entry[2].window)
    assert found == [8, 8, 13, 13]
    assert fixed._entry is not None and fixed._entry[2].window == 5


def test_a_signer_shared_by_threads_while_its_window_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "_MANY", 3000)
    batch = codec.decode_payloads([GOOD, payload(1, OTHER_KEY)] * 100)
    expected = codec.verify(batch, SIGNER)
    for _ in range(3):
        signer, results = codec.KnownSigner(SHORT), []

        def work(signer: Any = signer, results: list[Any] = results) -> None:
            for _ in range(12):
                results.append(codec.verify(batch, signer))

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(results) == 36
        assert all(np.array_equal(found, expected) for found in results)
        assert signer._entry is not None and signer._entry[2].window == 13


def test_threads_share_what_is_remembered() -> None:
    good = codec.decode_payloads([GOOD] * 40 + [payload(1, OTHER_KEY)] * 40)
    results: list[bool] = []

    def work(address: bytes) -> None:
        expected = codec.recover(good)["address"].tobytes()
        for _ in range(20):
            found = codec.verify(good, address)
            signed = [expected[i : i + 20] == address for i in range(0, 1600, 20)]
            results.append(found.tolist() == signed)

    workers = [threading.Thread(target=work, args=[a]) for a in (SIGNER, OTHER) * 2]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 80 and sorted(remembered()) == sorted([SIGNER, OTHER])


def test_tables_go_with_their_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_generators", weakref.WeakValueDictionary())
    batch = codec.decode_payloads([GOOD] * 3)
    signer = codec.KnownSigner(SHORT, window=10)
    assert codec.verify(batch, signer).all()
    assert signer._entry is not None and 10 in tables._generators
    own, shared = weakref.ref(signer._entry[2]), weakref.ref(tables._generators[10])
    signer_2 = codec.KnownSigner(payload(1, OTHER_KEY), window=10)
    codec.verify(batch, signer_2)
    assert tables._generators[10] is shared()
    del signer
    gc.collect()
    assert own() is None and shared() is not None
    del signer_2
    gc.collect()
    assert shared() is None and 10 not in tables._generators


def test_the_generators_table_stays_while_a_signer_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It costs more than the verification of a thousand signatures."""
    monkeypatch.setattr(tables, "_generators", weakref.WeakValueDictionary())
    made: list[int] = []
    real = _core.Points

    def make(key: bytes, window: int) -> _core.Points:
        made.append(window)
        return real(key, window)

    batch = codec.decode_payloads([GOOD] * 3)
    signer = codec.KnownSigner(SHORT, window=6)
    integrity.ensure_checked(tables.verify_path())
    monkeypatch.setattr(_core, "Points", make)
    for _ in range(5):
        assert codec.verify(batch, signer).all()
    assert made == [6, 6]


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or "CODEC_SANITIZE" in os.environ,
    reason="no /proc, or memory that a sanitizer keeps",
)
def test_memory_of_tables_is_given_back() -> None:
    batch = codec.decode_payloads([GOOD] * 3)
    held = codec.KnownSigner(SHORT, window=13)
    assert codec.verify(batch, held).all()
    before, largest = resident_bytes(), 0
    for i in range(24):
        signer = codec.KnownSigner(key_of(i + 7).xy.hex().join(["04", ""]), window=13)
        codec.verify(batch, signer)
        largest = max(largest, resident_bytes())
    assert _core.Points(key_of(1).xy, 13).nbytes == 20 * 2**12 * 64
    # 24 tables are 125 MB.
    assert largest - before < 50_000_000


def test_digests_with_other_v_and_strides(path: str) -> None:
    signer = codec.KnownSigner(SHORT)
    digests, signatures = good_rows(9, 1, 300)
    bad = np.arange(300) % 11 == 3
    v27 = signatures.copy()
    v27[:, 64] += 27
    v27[bad, 10] ^= 1
    assert signer.verify_digests(digests, signatures).all()
    assert not signer.verify_digests(digests, v27).any()
    assert np.array_equal(signer.verify_digests(digests, v27, v_offset=27), ~bad)
    assert not signer.verify_digests(digests, v27, v_offset=29).any()
    wide = np.zeros((300, 200), np.uint8)
    wide[:, 3:35], wide[:, 50:115] = digests, v27
    both = wide[:, 3:35], wide[:, 50:115]
    assert np.array_equal(signer.verify_digests(*both, v_offset=27), ~bad)
    flipped = both[0][::-3], both[1][::-3]
    assert np.array_equal(signer.verify_digests(*flipped, v_offset=27), ~bad[::-3])
    columns = np.asfortranarray(digests), np.asfortranarray(v27)
    assert np.array_equal(signer.verify_digests(*columns, v_offset=27), ~bad)
    same = np.broadcast_to(digests[0], (70, 32)), np.broadcast_to(v27[0], (70, 65))
    assert signer.verify_digests(*same, v_offset=27).all()
    read_only = digests[:5].copy()
    read_only.setflags(write=False)
    assert signer.verify_digests(read_only, signatures[:5]).all()
    empty = signer.verify_digests(digests[:0], signatures[:0])
    assert (empty.shape, empty.dtype) == ((0,), bool)


def test_digests_that_are_none() -> None:
    signer = codec.KnownSigner(SHORT)
    digests, signatures = good_rows(9, 1, 5)
    with pytest.raises(ValueError, match="5 digests, but 4 signatures"):
        signer.verify_digests(digests, signatures[:4])
    with pytest.raises(ValueError, match="shape"):
        signer.verify_digests(digests[:, :31], signatures)
    with pytest.raises(ValueError, match="shape"):
        signer.verify_digests(digests[0], signatures[0])
    with pytest.raises(TypeError, match="uint8"):
        signer.verify_digests(digests.astype(np.int8), signatures)
    for offset in (-1, 255):
        with pytest.raises(ValueError, match="v_offset"):
            signer.verify_digests(digests, signatures, v_offset=offset)
    with pytest.raises(ValueError, match="threads"):
        signer.verify_digests(digests, signatures, threads=-1)


def test_cross_check(
    mixed: list[Any], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, signer = codec.decode(mixed), codec.KnownSigner(SHORT)
    expected = codec.verify(batch, SIGNER)
    for who in (signer, SIGNER):
        for share in (0, 1e-9, 0.01, 0.5, 1, 1.0, True):
            found = codec.verify(batch, who, cross_check=share)
            assert np.array_equal(found, expected)
    real = _core.verify_batch
    for place in (0, 1, int(np.flatnonzero(expected)[-1]), len(expected) - 1):

        def falsified(*arguments: Any, place: int = place) -> np.ndarray:
            verdicts = real(*arguments)
            verdicts[place] ^= True
            return verdicts

        monkeypatch.setattr(_core, "verify_batch", falsified)
        with pytest.raises(IntegrityError, match=f"message {place}, libsecp256k1"):
            codec.verify(batch, signer, cross_check=1.0)
        assert codec.verify(batch, signer)[place] != expected[place]
    monkeypatch.setattr(_core, "verify_batch", lambda *arguments: ~real(*arguments))
    for share in (1e-6, 0.01, 0.999):
        with pytest.raises(IntegrityError):
            codec.verify(batch, signer, cross_check=share)


@pytest.mark.parametrize("share", [-1e-9, -1, 1.000001, 2, np.nan, np.inf, -np.inf])
def test_cross_check_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=r"0 \.\. 1"):
        codec.verify(codec.decode_payloads(GOOD), SIGNER, cross_check=share)


CHOSEN = """
import sys, codec
from codec import tables
signer = codec.KnownSigner(bytes.fromhex(sys.argv[1]))
good = codec.decode_payloads([bytes.fromhex(text) for text in sys.argv[2:]])
print(tables.verify_path(), codec.verify(good, signer).tolist())
"""


def run_with_path(name: str | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "STORK_CODEC_VERIFY"}
    if name is not None:
        environment["STORK_CODEC_VERIFY"] = name
    texts = [data.hex() for data in (SHORT, GOOD, payload(1, OTHER_KEY))]
    return subprocess.run(
        [sys.executable, "-c", CHOSEN, *texts],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", [*PATHS, "", None])
def test_the_environment_names_the_path(name: str | None) -> None:
    done = run_with_path(name)
    assert done.stdout.strip() == f"{name or PATHS[0]} [True, False]", done.stderr


def test_the_environment_names_no_path() -> None:
    done = run_with_path("sse2")
    assert done.returncode == 1 and done.stdout == ""
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith("ImportError: STORK_CODEC_VERIFY: ")
    assert "'sse2'" in error and ", ".join(PATHS) in error


def test_a_path_that_there_is_not() -> None:
    before = tables.verify_path()
    for name in ("", "sse2", "IFMA", "libsecp"):
        with pytest.raises(ValueError, match="this machine cannot verify by"):
            tables.use_verify_path(name)
        assert tables.verify_path() == before


def test_libsecp256k1_alone_makes_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_path", tables.LIBRARY)
    monkeypatch.setattr(_core, "Points", None)
    monkeypatch.setattr(_core, "KnownKeys", None)
    batch, signer = codec.decode_payloads([GOOD] * 100), codec.KnownSigner(SHORT)
    assert codec.verify(batch, signer).all() and codec.verify(batch, SIGNER).all()
    assert signer.verify_digests(*good_rows(1, 1, 100)).all()


@pytest.mark.parametrize("wrong", ["all true", "one false", "all false"])
def test_a_path_that_fails_its_check_is_not_used(
    table_path: str, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    real = _core.verify_digests

    def falsified(*arguments: Any) -> np.ndarray:
        verdicts = real(*arguments)
        if len(arguments) == 7 and arguments[6] is not None:
            if wrong == "one false":
                verdicts[np.flatnonzero(verdicts)[-1]] = False
            else:
                verdicts[:] = wrong == "all true"
        return verdicts

    monkeypatch.setattr(integrity, "_checked", set())
    monkeypatch.setattr(_core, "verify_digests", falsified)
    batch, signer = codec.decode_payloads([GOOD] * 100), codec.KnownSigner(SHORT)
    decoder = codec.Decoder(signers=signer)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="STORK_CODEC_VERIFY=libsecp256k1"):
            codec.verify(batch, signer)
        with pytest.raises(IntegrityError):
            codec.verify(batch, SIGNER)
        with pytest.raises(IntegrityError):
            signer.verify_digests(*good_rows(1, 1, 3))
        with pytest.raises(IntegrityError):
            codec.decode_payloads([GOOD], signers=signer, on_bad_signature="mark")
        with pytest.raises(IntegrityError):
            decoder.decode_payloads([GOOD])
        with pytest.raises(IntegrityError):
            codec.self_test(200)
    assert integrity._checked == set()
    tables.use_verify_path(tables.LIBRARY)
    assert codec.verify(batch, signer).all()
    tables.use_verify_path(table_path)
    monkeypatch.setattr(_core, "verify_digests", real)
    assert codec.verify(batch, signer).all()
    assert len(decoder.decode_payloads([GOOD])) == 1
    assert integrity._checked == {table_path}


def test_self_test() -> None:
    found = codec.self_test(200)
    assert list(found) == list(_core.verify_paths())
    assert all(n >= 200 for n in found.values())


def test_high_s_has_the_other_form(path: str) -> None:
    """That plain ECDSA takes; with low s it is good, by whichever way it is judged."""
    signer = codec.KnownSigner(SHORT)
    digests, signatures = good_rows(2, 1, 100)
    high = signatures.copy()
    for row in high:
        s = N - int.from_bytes(row[32:64].tobytes(), "big")
        assert s > HALF
        row[32:64] = np.frombuffer(s.to_bytes(32, "big"), np.uint8)
        row[64] ^= 1
    assert not signer.verify_digests(digests, high).any()
    assert not judge((digests, high), SIGNER).any()
    assert signer.verify_digests(digests, signatures).all()


def test_internal_tables_refuse_what_they_cannot_hold() -> None:
    xy = key_of(7).xy
    for key, window in ((xy[:-1], 8), (xy + b"\0", 8), (xy, 1), (xy, 17)):
        with pytest.raises(ValueError, match="window of 2 to 16"):
            _core.Points(key, window)
    points, other = _core.Points(xy, 4), _core.Points(xy, 5)
    name = _core.verify_paths()[0]
    with pytest.raises(ValueError, match="cannot verify"):
        _core.KnownKeys("sse2", ())
    for entry in ((SIGNER[:-1], points, points), (SIGNER, points, other)):
        with pytest.raises(ValueError, match="one window"):
            _core.KnownKeys(name, (entry,))
