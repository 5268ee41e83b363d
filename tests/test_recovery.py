"""Recovery over whole batches in the compiled core: threads, vectors, lifetimes."""

from __future__ import annotations

import gc
import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from fault_cases import unsigned
from hypothesis import given
from hypothesis import strategies as st
from signature_cases import (
    BAD,
    GOOD,
    OTHER_KEY,
    SIGNER,
    array,
    payload,
    resigned,
    rows,
    state,
)
from vectors import VECTORS

import codec
from codec import _core, _secp256k1, reference
from codec.dtypes import SIGNER_DTYPE
from codec.errors import ErrorCode, IntegrityError, SignatureError

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.fixture(scope="module")
def mixed() -> list[Any]:
    """Messages good, bad and unsigned, more than one worker takes at a time."""
    good = [payload(i % 9, layout=1 + i % 2) for i in range(40)]
    bad = [resigned(GOOD, r, s, v) for r, s, v, _, _ in BAD.values()]
    some = [*good, *bad, payload(3, OTHER_KEY)]
    messages: list[Any] = [some[i % len(some)].hex() for i in range(331)]
    messages[::17] = [unsigned("[]")] * len(messages[::17])
    return messages


def test_equals_the_reference(mixed: list[Any], isa: str) -> None:
    batch, expected = codec.decode(mixed), reference.decode(mixed)
    assert np.array_equal(batch.digests(), expected.digests())
    signers = codec.recover(batch)
    assert signers.tobytes() == expected.recover().tobytes()
    verified = codec.verify(batch, SIGNER)
    assert np.array_equal(verified, expected.verify(SIGNER))
    assert 100 < verified.sum() < len(mixed)
    assert signers.nbytes == 21 * len(mixed)


@pytest.mark.parametrize("threads", [2, 7, 0])
def test_threads_give_the_same(mixed: list[Any], threads: int) -> None:
    batch = codec.decode(mixed)
    assert batch.recover(threads=threads).tobytes() == batch.recover().tobytes()
    expected = batch.verify(SIGNER)
    assert np.array_equal(batch.verify(SIGNER, threads=threads), expected)
    arena = batch.payload_arena
    assert arena is not None
    signed = batch.messages[batch.messages["kind"] == 1]
    at = signed["payload_offset"].astype(np.intp)[:, None]
    signatures = arena[at + np.arange(65)]
    digests = batch.digests()[batch.messages["kind"] == 1]
    one = codec.recover_digests(digests, signatures)
    many = codec.recover_digests(digests, signatures, threads=threads)
    assert one.tobytes() == many.tobytes()
    assert one.tobytes() == batch.recover()[batch.messages["kind"] == 1].tobytes()


@pytest.mark.parametrize("mode", ["mark", "drop"])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_decoding_equals_the_reference(
    mixed: list[Any], mode: Any, threads: int
) -> None:
    # Enough of them to be decoded by several workers too: 512 KiB.
    messages = [*mixed, "{}", "zz", *mixed[:50]] * 7
    assert sum(map(len, messages)) > 2**19
    options: Any = {
        "on_error": "skip",
        "signers": [SIGNER, bytes(20)],
        "on_bad_signature": mode,
    }
    batch = codec.decode(messages, threads=threads, **options)
    expected = reference.decode(messages, **options)
    assert state(batch) == state(expected)
    assert batch.errors.tolist() == expected.errors.tolist()
    decoder = codec.Decoder(
        signers=[SIGNER, bytes(20)], on_bad_signature=mode, threads=threads
    )
    for _ in range(2):
        warm = decoder.decode(messages, on_error="skip")
        assert state(warm) == state(expected)
        assert warm.errors.tolist() == expected.errors.tolist()


SCALARS = st.sampled_from(
    [0, 1, 2, N // 2, N // 2 + 1, N - 1, N, N + 1, 2**256 - 1]
) | st.integers(0, 2**256 - 1)


@given(
    st.lists(
        st.tuples(SCALARS, SCALARS, st.integers(0, 255), st.binary(max_size=300)),
        max_size=40,
    )
)
def test_random_signatures(items: list[tuple[int, int, int, bytes]]) -> None:
    digests = np.empty((len(items), 32), np.uint8)
    signatures = np.empty((len(items), 65), np.uint8)
    for i, (r, s, v, data) in enumerate(items):
        digests[i] = np.frombuffer(codec.keccak256(data), np.uint8)
        signatures[i] = np.frombuffer(resigned(b"", r, s, v % (2 + i % 3)), np.uint8)
    for v_offset in (0, 1):
        found = codec.recover_digests(digests, signatures, v_offset=v_offset)
        expected = reference.recover_digests(digests, signatures, v_offset=v_offset)
        assert found.tobytes() == expected.tobytes()


def integer_of_der(data: bytes) -> tuple[int, bytes]:
    """A DER integer by the strict rules, and what follows it."""
    if len(data) < 2 or data[0] != 0x02 or not 0 < data[1] <= 33:
        raise ValueError
    body, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if len(body) != data[1] or body[0] >= 0x80:
        raise ValueError
    if len(body) > 1 and body[0] == 0 and body[1] < 0x80:
        raise ValueError
    return int.from_bytes(body, "big"), rest


def scalars_of_der(data: bytes) -> tuple[int, int]:
    """r and s of a DER signature; ValueError for another encoding."""
    if len(data) < 2 or data[0] != 0x30 or data[1] != len(data) - 2:
        raise ValueError
    r, rest = integer_of_der(data[2:])
    s, rest = integer_of_der(rest)
    if rest or r >= 2**256 or s >= 2**256:
        raise ValueError
    return r, s


def test_wycheproof(api: Any) -> None:
    """Valid exactly where the key is one of the two that r, s and v 0 or 1 give."""
    path = VECTORS / "wycheproof_ecdsa_secp256k1_sha256_bitcoin.json"
    if not path.exists():
        pytest.skip(f"optional: no Wycheproof vectors at {path}")
    groups = json.loads(path.read_text())["testGroups"]
    outcomes = {"valid": 0, "invalid": 0}
    beyond = []
    for group in groups:
        key = bytes.fromhex(group["publicKey"]["uncompressed"])
        signer = reference.keccak256(key[1:])[-20:]
        for case in group["tests"]:
            digest = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
            try:
                r, s = scalars_of_der(bytes.fromhex(case["sig"]))
            except ValueError:
                assert case["result"] == "invalid", case
                continue
            both = array(resigned(b"", r, s, 0), resigned(b"", r, s, 1))
            found = rows(api.recover_digests(array(digest, digest), both))
            is_good = (signer, 0) in found
            if case["result"] == "valid" and not is_good:
                beyond.append(case["comment"])
                continue
            assert is_good == (case["result"] == "valid"), case
            outcomes[case["result"]] += 1
    assert outcomes["valid"] > 100 and outcomes["invalid"] > 50
    # x(R) is not below n: plain ECDSA takes it, ecrecover with v 0 or 1 cannot.
    assert beyond == ["k*G has a large x-coordinate"]


def test_rows_that_were_written_to() -> None:
    """Rows are the user's memory: what points outside the arena is never read."""
    batch = codec.decode_payloads([GOOD] * 5)
    batch.messages["payload_offset"][1] = 2**63
    batch.messages["payload_len"][2] = 2**32 - 1
    batch.messages["payload_len"][3] = 64
    found = codec.recover(batch)
    assert found["status"].tolist() == [0, *[ErrorCode.INVALID_LENGTH] * 3, 0]
    assert codec.verify(batch, SIGNER).tolist() == [True, False, False, False, True]
    assert codec.digests(batch).any(axis=1).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]


RACE = """
import sys, threading, time
import codec
from codec import ErrorCode
good, signer, mode = bytes.fromhex(sys.argv[1]), sys.argv[2], sys.argv[3]
decoder = codec.Decoder(signers=signer, on_bad_signature=mode)
bad = bytes(64) + b"\\0" + good[65:]
old = decoder.decode_payloads([good] * 3010).messages  # overwritten by the next call
def write():
    time.sleep(0.05)
    for name in ("first_update", "payload_offset", "update_count", "payload_len"):
        old[name][0] = old[name][2500:] = 2**31
        old[name][1] = 2**32 - 1
    old["payload_offset"][0] = old["first_update"][2000:] = 2**60
threading.Thread(target=write).start()
try:
    batch = decoder.decode_payloads([bad] + [good] * 3000)
    print("left", len(batch.messages) > 1500)
except codec.BadSignatureError as error:
    print("raised", error.index)
"""


@pytest.mark.parametrize(
    ("mode", "printed"), [("raise", "raised 0"), ("drop", "left True")]
)
def test_rows_written_to_while_they_are_judged(mode: str, printed: str) -> None:
    """The rows of a Decoder's last result are the memory of the next one."""
    done = subprocess.run(
        [sys.executable, "-c", RACE, GOOD.hex(), SIGNER.hex(), mode],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr


def test_other_things_than_batches() -> None:
    for function in (codec.recover, codec.digests):
        for thing in (None, [GOOD], reference.decode_payloads(GOOD)):
            with pytest.raises(TypeError):
                function(thing)  # type: ignore[arg-type]


def test_results_of_a_decoder_outlive_it() -> None:
    decoder = codec.Decoder(signers=SIGNER)
    first = decoder.decode_payloads([GOOD] * 100)
    verified, signers = first.verified, first.signers
    decoder.decode_payloads([GOOD])
    del decoder, first
    gc.collect()
    assert verified is not None and verified.all() and len(verified) == 100
    assert signers is not None and rows(signers) == [(SIGNER, 0)] * 100


def test_coincurve_outlives_the_loop() -> None:
    """Nothing that the loop needs goes when everybody else has let go of it."""
    code = f"""
import gc, sys, threading
import codec
from codec import _secp256k1
batch = codec.decode_payloads([bytes.fromhex("{GOOD.hex()}")] * 3000)
library = _secp256k1.library()
results = []
def work():
    results.append(codec.recover(batch, threads=2))
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
_secp256k1.library.cache_clear()
for name in [name for name in sys.modules if "coincurve" in name or "cffi" in name]:
    del sys.modules[name]
del library
for _ in range(20):
    gc.collect()
for thread in threads:
    thread.join()
for found in results:
    assert set(found["address"].tobytes()[i:i + 20] for i in range(0, 60000, 20)) == {{
        bytes.fromhex("{SIGNER.hex()}")}}
print(len(results))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr


def test_known_answers_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    good = _secp256k1.library()
    assert _secp256k1.library() is good
    monkeypatch.setattr(_secp256k1, "_ADDRESSES", ("00" * 20,) * 3)
    _secp256k1.library.cache_clear()
    with pytest.raises(IntegrityError, match="known signers"):
        _secp256k1.library()
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match="have \\(64, 64\\) bytes"):
        _core.Secp256k1(1, 1, 1, 1, sizes=(64, 64), owners=None)


def test_ctrl_c_ends_a_long_recovery() -> None:
    code = f"""
import codec, sys
batch = codec.decode_payloads([bytes.fromhex("{GOOD.hex()}")] * 300_000)
codec.recover(codec.decode_payloads(bytes.fromhex("{GOOD.hex()}")))
print("begun", flush=True)
try:
    codec.recover(batch, threads=int(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted")
"""
    for threads in ("1", "2"):
        with subprocess.Popen(
            [sys.executable, "-c", code, threads], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            time.sleep(0.3)
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate(timeout=60)
            assert printed == "interrupted\n"
            # All of it would take five seconds and more on two cores.
            assert time.monotonic() - begin < 3


def test_the_gil_is_released() -> None:
    batch = codec.decode_payloads([GOOD] * 2000)
    done = threading.Event()

    def work() -> None:
        codec.recover(batch)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    n_turns = 0
    while not done.wait(0.001):
        n_turns += 1
    thread.join()
    assert n_turns > 5  # of the sixty that it takes


def test_empty_arrays() -> None:
    found = codec.recover_digests(
        np.empty((0, 32), np.uint8), np.empty((0, 65), np.uint8), threads=0
    )
    assert (found.shape, found.dtype) == ((0,), SIGNER_DTYPE)


def test_checksum_address() -> None:
    text = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    row = codec.recover(codec.decode_payloads(GOOD))[0]
    for address in (SIGNER, bytearray(SIGNER), row["address"]):
        assert codec.checksum_address(address) == text
    for bad in (b"", SIGNER + b"\0"):
        with pytest.raises(SignatureError, match="20 bytes"):
            codec.checksum_address(bad)
