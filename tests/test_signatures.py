"""Signatures in the core and in the reference: docs/signatures.md, rule by rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from signature_cases import (
    BAD,
    GOOD,
    HALF,
    KEY,
    NOBODY,
    OTHER,
    OTHER_KEY,
    SIGNER,
    UNSIGNED,
    E,
    N,
    R,
    S,
    V,
    array,
    payload,
    resigned,
    rows,
)

import codec
from codec.dtypes import SIGNER_DTYPE
from codec.errors import BadSignatureError, ErrorCode
from codec.signing import sign


@pytest.mark.parametrize(
    ("r", "s", "v", "code", "offset"), BAD.values(), ids=BAD.keys()
)
@pytest.mark.parametrize("layout", [1, 2])
def test_rule(
    api: Any, r: int, s: int, v: int, code: ErrorCode, offset: int, layout: int
) -> None:
    data = resigned(payload(2, layout=layout), r, s, v)
    batch = api.decode_payloads([data, payload(2, layout=layout)])
    assert rows(api.recover(batch)) == [(NOBODY, code), (SIGNER, 0)]
    assert api.verify(batch, SIGNER).tolist() == [False, True]
    assert api.verify(batch, NOBODY).tolist() == [False, False]
    with pytest.raises(BadSignatureError) as caught:
        api.decode_payloads(data, signers=SIGNER)
    error = caught.value
    assert (error.code, error.index, error.offset) == (code, 0, offset)
    dropped = api.decode_payloads(data, signers=SIGNER, on_bad_signature="drop")
    assert dropped.errors.tolist() == [(0, offset, code)]


def test_bounds_that_are_still_good(api: Any) -> None:
    for r, s, v in ((R, S, 1 - V), (R, HALF, V), (R, 1, V), (1, S, V)):
        batch = api.decode_payloads(resigned(GOOD, r, s, v))
        address, status = rows(api.recover(batch))[0]
        assert status == 0
        assert address not in (SIGNER, NOBODY)
        assert api.verify(batch, address).tolist() == [True]
        with pytest.raises(BadSignatureError) as caught:
            api.decode_payloads([GOOD, batch.payload(0)], signers=[SIGNER])
        error = caught.value
        assert (error.code, error.index, error.offset) == (E.WRONG_SIGNER, 1, 0)


def test_key_at_infinity(api: Any) -> None:
    """s R = digest G, so that s R - digest G has no key."""
    coincurve = pytest.importorskip("coincurve")
    k = 12345
    point = coincurve.PrivateKey.from_int(k).public_key.format(compressed=False)
    r, v = int.from_bytes(point[1:33], "big"), point[-1] & 1
    s = 7
    digest = (s * k % N).to_bytes(32, "big")
    signature = resigned(b"", r, s, v)
    other = resigned(b"", r, s, 1 - v)
    found = api.recover_digests(array(digest, digest), array(signature, other))
    assert rows(found)[0] == (NOBODY, E.NO_POINT)
    assert rows(found)[1][1] == 0


def test_any_changed_byte_is_seen(api: Any) -> None:
    for layout in (1, 2):
        data = payload(layout=layout)
        for i in (*range(64), 71, len(data) - 1):
            changed = bytearray(data)
            changed[i] ^= 1
            batch = api.decode_payloads(bytes(changed))
            assert not batch.verify(SIGNER)[0]


def test_eip191_signature_is_none_of_the_digest(api: Any) -> None:
    digest = api.eip191_digests(array(api.keccak256(GOOD[65:])))[0]
    data = sign(digest.tobytes(), KEY) + GOOD[65:]
    assert not api.verify(api.decode_payloads(data), SIGNER)[0]


def test_vectors(api: Any, payload_vectors: list[dict[str, Any]]) -> None:
    texts = [vector["hex"] for vector in payload_vectors]
    signers = [vector["signer"] for vector in payload_vectors]
    batch = api.decode(texts)
    expected = [(bytes.fromhex(signer[2:]), 0) for signer in signers]
    assert rows(api.recover(batch)) == expected
    assert api.verify(batch, signers).all()
    for signer in signers:
        expected_good = [other == signer for other in signers]
        assert api.verify(batch, signer).tolist() == expected_good
    judged = api.decode(texts, signers=signers)
    assert judged.verified is not None and judged.verified.all()
    assert judged.signers is not None and rows(judged.signers) == expected


def test_unsigned_messages(api: Any) -> None:
    batch = api.decode([UNSIGNED, api.to_frame(GOOD)])
    assert rows(api.recover(batch)) == [(NOBODY, E.UNSIGNED), (SIGNER, 0)]
    assert api.verify(batch, [NOBODY, SIGNER]).tolist() == [False, True]
    digests = api.digests(batch)
    assert (digests.shape, digests.dtype) == ((2, 32), np.uint8)
    assert not digests[0].any()
    assert digests[1].tobytes() == api.keccak256(GOOD[65:])


def test_no_messages(api: Any) -> None:
    for batch in (api.decode([]), api.decode([], payloads=False)):
        assert api.digests(batch).shape == (0, 32)
        assert api.recover(batch).shape == (0,)
        assert api.recover(batch).dtype == SIGNER_DTYPE
        assert api.verify(batch, SIGNER).shape == (0,)
        assert api.verify(batch, SIGNER).dtype == np.bool_
    for mode in ("raise", "mark", "drop"):
        batch = api.decode([], signers=SIGNER, on_bad_signature=mode)
        assert batch.verified is not None and batch.verified.dtype == np.bool_
        assert batch.signers is not None and batch.signers.dtype == SIGNER_DTYPE
        assert len(batch.verified) == len(batch.signers) == 0


def test_without_payloads(api: Any) -> None:
    batch = api.decode([UNSIGNED], payloads=False)
    assert not api.digests(batch).any()
    assert rows(api.recover(batch)) == [(NOBODY, E.UNSIGNED)]
    batch = api.decode([UNSIGNED, api.to_frame(GOOD)], payloads=False)
    for function in (
        api.digests,
        api.recover,
        lambda batch: api.verify(batch, SIGNER),
    ):
        with pytest.raises(ValueError, match="payloads=False"):
            function(batch)


def test_methods_and_batches_of_the_core(api: Any) -> None:
    messages = [api.to_frame(GOOD), UNSIGNED, api.to_frame(payload(3))]
    batch, core = api.decode(messages), codec.decode(messages)
    assert np.array_equal(batch.digests(), api.digests(core))
    assert rows(batch.recover(threads=0)) == rows(api.recover(core))
    good = [True, False, True]
    assert batch.verify(SIGNER, threads=2).tolist() == good
    assert api.verify(core, SIGNER).tolist() == good


def test_threads(api: Any) -> None:
    batch = api.decode_payloads(GOOD)
    pair = array(bytes(32)), array(GOOD[:65])
    functions = [
        lambda **options: api.recover(batch, **options),
        lambda **options: api.verify(batch, SIGNER, **options),
        lambda **options: api.recover_digests(*pair, **options),
    ]
    for function in functions:
        expected = function().tobytes()
        for threads in (0, 7, np.int64(2)):
            assert function(threads=threads).tobytes() == expected
        with pytest.raises(ValueError, match="threads"):
            function(threads=-1)
        for threads in (1.0, "1", None):
            with pytest.raises(TypeError):
                function(threads=threads)


@pytest.mark.parametrize("v_offset", [0, 27, 254])
def test_recover_digests(api: Any, v_offset: int) -> None:
    digests, signatures, expected = [], [], []
    for r, s, v, code, _ in BAD.values():
        digests.append(api.keccak256(GOOD[65:]))
        if code != E.INVALID_V:
            signatures.append(resigned(b"", r, s, v + v_offset))
            expected.append((NOBODY, code))
        else:
            signatures.append(resigned(b"", r, s, (v_offset + 2) % 256))
            expected.append((NOBODY, E.INVALID_V))
    for key, signer in ((KEY, SIGNER), (OTHER_KEY, OTHER)):
        for i in range(4):
            digest = api.keccak256(bytes([i]))
            signature = sign(digest, key)
            digests.append(digest)
            signatures.append(signature[:64] + bytes([signature[64] + v_offset]))
            expected.append((signer, 0))
    arrays = array(*digests), array(*signatures)
    assert rows(api.recover_digests(*arrays, v_offset=v_offset)) == expected
    wide = np.concatenate([arrays[1], arrays[0]], axis=1)
    found = api.recover_digests(
        wide[::-1, 65:], wide[::-1, :65], v_offset=np.int64(v_offset), threads=3
    )
    assert rows(found) == expected[::-1]


def test_v_below_its_offset(api: Any) -> None:
    digest = array(api.keccak256(GOOD[65:]))
    for v in (0, 1, 26, 29):
        found = api.recover_digests(digest, array(resigned(b"", R, S, v)), v_offset=27)
        assert rows(found) == [(NOBODY, E.INVALID_V)]


def test_recover_digests_refuses(api: Any) -> None:
    digests, signatures = np.zeros((2, 32), np.uint8), np.zeros((2, 65), np.uint8)
    bad: list[tuple[Any, Any, type[Exception]]] = [
        (digests.tolist(), signatures, TypeError),
        (bytes(64), signatures, TypeError),
        (digests.astype(np.int8), signatures, TypeError),
        (digests, signatures.astype(np.uint16), TypeError),
        (digests, None, TypeError),
        (np.ma.masked_array(digests), signatures, TypeError),
        (digests[:1], signatures, ValueError),
        (digests[0], signatures[0], ValueError),
        (digests[:, 1:], signatures, ValueError),
        (digests, signatures[:, 1:], ValueError),
        (signatures, digests, ValueError),
        (digests, signatures.reshape(2, 65, 1), ValueError),
    ]
    for a, b, error in bad:
        with pytest.raises(error):
            api.recover_digests(a, b)
    for v_offset in (-1, 255, 1000):
        with pytest.raises(ValueError, match="v_offset"):
            api.recover_digests(digests, signatures, v_offset=v_offset)
    for v_offset in (27.0, "27", None):
        with pytest.raises(TypeError):
            api.recover_digests(digests, signatures, v_offset=v_offset)
    found = api.recover_digests(digests[:0], signatures[:0])
    assert rows(found) == []


def test_eip191_digests(api: Any) -> None:
    hashes = np.arange(96, dtype=np.uint8).reshape(3, 32)
    prefix = b"\x19Ethereum Signed Message:\n32"
    expected = [api.keccak256(prefix + row.tobytes()) for row in hashes]
    digests = api.eip191_digests(hashes)
    assert (digests.shape, digests.dtype) == ((3, 32), np.uint8)
    assert [row.tobytes() for row in digests] == expected
    assert api.eip191_digests(hashes[:0]).shape == (0, 32)
    assert np.array_equal(api.eip191_digests(hashes[::-1]), digests[::-1])
    for bad in (hashes.tolist(), hashes.astype(int), bytes(32)):
        with pytest.raises(TypeError):
            api.eip191_digests(bad)
    for bad in (hashes[0], hashes[:, 1:]):
        with pytest.raises(ValueError, match="shape"):
            api.eip191_digests(bad)
