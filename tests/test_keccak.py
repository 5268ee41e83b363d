"""keccak256, one by one and in batches: known digests, hashlib, every kernel."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec import _core, reference
from codec.reference.keccak import permute


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"verificationFeeInWei()", "7e7ce368"),
        (b"signerAddress()", "5b7633d0"),
        (b"getSignerAddresses()", "914946aa"),
        (b"isValidSignerAddress(address)", "75d5a58a"),
        (b"InsufficientFee()", "025dbdd4"),
        (b"InvalidSignature()", "8baa579f"),
        (b"InvalidPayload()", "7c6953f9"),
        (b"verifySignedECDSAPayload(bytes)", "17e84a8d"),
        (b"verifyAndDeserializeSignedECDSAPayload(bytes)", "3d5c76ae"),
    ],
)
def test_keccak256(api: Any, data: bytes, digest: str) -> None:
    assert api.keccak256(data).hex().startswith(digest)
    assert api.keccak256(bytearray(data)) == api.keccak256(memoryview(data))


def test_keccak_permutation_agrees_with_sha3() -> None:
    """The block boundaries, through hashlib's SHA3-256: only the padding differs."""
    for length in (0, 1, 135, 136, 137, 271, 272, 273, 1000):
        data = bytes(i % 251 for i in range(length))
        assert _sha3(data) == hashlib.sha3_256(data).digest()
        assert len(reference.keccak256(data)) == 32
    with pytest.raises(TypeError):
        reference.keccak256("text")  # type: ignore[arg-type]


def _sha3(data: bytes) -> bytes:
    rate = 136
    padded = bytearray(data + bytes(rate - len(data) % rate))
    padded[len(data)] ^= 0x06
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), rate):
        for i, lane in enumerate(np.frombuffer(padded, "<u8", rate // 8, block)):
            lanes[i] ^= int(lane)
        lanes = permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def test_keccak256_batch(api: Any) -> None:
    items = [b"", b"abc", bytearray(136), memoryview(bytes(300))[:150]]
    digests = api.keccak256_batch(items)
    assert (digests.shape, digests.dtype) == ((4, 32), np.uint8)
    assert digests.flags.writeable
    assert [row.tobytes() for row in digests] == [api.keccak256(i) for i in items]
    objects = np.empty(4, object)
    objects[:] = items
    for same in (tuple(items), iter(items), objects):
        assert np.array_equal(api.keccak256_batch(same), digests)
    assert api.keccak256_batch([]).shape == (0, 32)


def test_keccak256_batch_of_rows(api: Any) -> None:
    rows = np.arange(5 * 137, dtype=np.uint32).astype(np.uint8).reshape(5, 137)
    thin = rows[:, :1], rows[0][:, None], rows[:1, ::200]
    for array in (rows, rows[::-2], rows[:, ::3], rows.T, rows[:, :0], rows[:0], *thin):
        expected = [api.keccak256(row.tobytes()) for row in array]
        digests = api.keccak256_batch(array)
        assert digests.shape == (len(array), 32)
        assert [row.tobytes() for row in digests] == expected


@pytest.mark.parametrize(
    ("items", "error"),
    [
        (b"", TypeError),
        ("", TypeError),
        (bytearray(4), TypeError),
        (memoryview(b"ab"), TypeError),
        (5, TypeError),
        (None, TypeError),
        (["text"], TypeError),
        ([b"", 5], TypeError),
        (np.zeros((2, 2), np.int8), TypeError),
        (np.zeros((2, 2)), TypeError),
        (np.zeros(32, np.uint8), ValueError),
        (np.zeros((1, 1, 1), np.uint8), ValueError),
    ],
)
def test_keccak256_batch_refuses(api: Any, items: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        api.keccak256_batch(items)


LENGTHS = st.integers(0, 420) | st.sampled_from(
    [0, 63, 64, 127, 128, 135, 136, 271, 272]
)


@pytest.mark.parametrize("isa", _core.instruction_sets())
@given(lengths=st.lists(LENGTHS, max_size=40), seed=st.integers(0, 2**32))
def test_lanes(isa: str, lengths: list[int], seed: int) -> None:
    """Any mix of lengths: lanes end and begin anew at different blocks."""
    data = np.random.default_rng(seed).bytes(sum(lengths))
    ends = np.cumsum(lengths).tolist()
    items = [data[end - n : end] for n, end in zip(lengths, ends, strict=True)]
    before = _core.instruction_set()
    _core.use_instruction_set(isa)
    try:
        digests = codec.keccak256_batch(items)
    finally:
        _core.use_instruction_set(before)
    assert [row.tobytes() for row in digests] == [codec.keccak256(i) for i in items]


def test_more_inputs_than_are_held_at_a_time(isa: str) -> None:
    items = [i.to_bytes(4, "big") * (i % 50) for i in range(2500)]
    expected = [codec.keccak256(item) for item in items]
    assert [row.tobytes() for row in codec.keccak256_batch(items)] == expected
    for i in range(0, 2500, 500):
        assert expected[i] == reference.keccak256(items[i])


def test_a_bad_item_releases_the_others() -> None:
    items = [bytearray(b"ab") for _ in range(5)]
    with pytest.raises(TypeError):
        codec.keccak256_batch([*items, 5])  # type: ignore[list-item]
    for item in items:
        item.clear()  # BufferError while anybody looks at it


def test_strided_bytes_are_refused(api: Any) -> None:
    strided = memoryview(b"abcd")[::2]
    with pytest.raises(BufferError):
        api.keccak256(strided)
    with pytest.raises(BufferError):
        api.keccak256_batch([strided])
