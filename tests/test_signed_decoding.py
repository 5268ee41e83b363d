"""Verifying while decoding, in the core and in the reference."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
import pytest
from signature_cases import (
    GOOD,
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
    payload,
    resigned,
    rows,
    state,
)

from codec import reference
from codec.dtypes import ERROR_DTYPE
from codec.errors import BadSignatureError, DecodeError, SignatureError

FOREIGN = payload(2, OTHER_KEY)
HIGH = resigned(GOOD, R, N - S, 1 - V)
LONG = payload(3, layout=2)
MIX: list[Any] = [
    UNSIGNED,
    reference.to_frame(GOOD),
    b"",
    FOREIGN.hex(),
    reference.to_frame(LONG),
    HIGH.hex(),
    "{}",
    GOOD.hex(),
]
FAULTS = [(2, 0, E.EMPTY), (6, 0, E.NOT_DATA)]
SIGNATURE_FAULTS = [(0, 0, E.UNSIGNED), (3, 0, E.WRONG_SIGNER), (5, 32, E.HIGH_S)]


def test_mark(api: Any) -> None:
    batch = api.decode(MIX, on_error="skip", signers=SIGNER, on_bad_signature="mark")
    plain = api.decode(MIX, on_error="skip")
    assert state(batch)[:3] == state(plain)[:3]
    assert batch.errors.tolist() == plain.errors.tolist() == FAULTS
    assert batch.verified is not None and batch.signers is not None
    assert batch.verified.tolist() == [False, True, False, True, False, True]
    assert rows(batch.signers) == rows(plain.recover())
    assert rows(batch.signers) == [
        (NOBODY, E.UNSIGNED),
        (SIGNER, 0),
        (OTHER, 0),
        (SIGNER, 0),
        (NOBODY, E.HIGH_S),
        (SIGNER, 0),
    ]


def test_drop_is_as_if_the_good_alone_were_decoded(api: Any) -> None:
    batch = api.decode(MIX, on_error="skip", signers=SIGNER, on_bad_signature="drop")
    good = [MIX[i] for i in (1, 4, 7)]
    assert state(batch) == state(api.decode(good, signers=SIGNER))
    assert batch.errors.dtype == ERROR_DTYPE
    assert batch.errors.tolist() == sorted(FAULTS + SIGNATURE_FAULTS)
    assert not batch.errors.view(np.uint8).reshape(-1, 24)[:, 18:].any()
    assert batch.messages["first_update"].tolist() == [0, 1, 4]
    assert batch.messages["payload_offset"].tolist() == [0, len(GOOD), 229]
    assert len(GOOD) + len(LONG) == 229
    for i, data in enumerate((GOOD, LONG, GOOD)):
        assert bytes(batch.payload(i)) == data
    assert batch.verify(SIGNER).all()
    assert batch.payload_arena is not None and batch.payload_arena.flags.writeable


def test_raise(api: Any) -> None:
    for order, expected in (
        ([1, 5, 0], (E.HIGH_S, 1, 32)),
        ([0, 5], (E.UNSIGNED, 0, 0)),
        ([4, 7, 1, 3], (E.WRONG_SIGNER, 3, 0)),
    ):
        with pytest.raises(BadSignatureError) as caught:
            api.decode([MIX[i] for i in order], signers=[SIGNER])
        error = caught.value
        assert (error.code, error.index, error.offset) == expected
    with pytest.raises(BadSignatureError) as caught:
        api.decode(["", *MIX[1:]], on_error="skip", signers=SIGNER)
    assert (caught.value.code, caught.value.index) == (E.WRONG_SIGNER, 3)
    assert api.decode(MIX[3], signers=[SIGNER, OTHER]).verified.tolist() == [True]


class Mode(StrEnum):
    DROP = "drop"


def test_a_kind_of_str_is_a_mode_too(api: Any) -> None:
    batch = api.decode(MIX[:2], signers=SIGNER, on_bad_signature=Mode.DROP)
    assert batch.errors.tolist() == [(0, 0, E.UNSIGNED)]


def test_malformed_messages_come_first(api: Any) -> None:
    for mode in ("raise", "mark", "drop"):
        with pytest.raises(DecodeError) as caught:
            api.decode(MIX, signers=SIGNER, on_bad_signature=mode)
        assert (caught.value.code, caught.value.index) == (E.EMPTY, 2)
    batch = api.decode([UNSIGNED], signers=SIGNER, on_bad_signature="drop")
    assert batch.errors.tolist() == [(0, 0, E.UNSIGNED)]
    assert len(batch.messages) == len(batch.updates) == 0
    assert batch.payload_arena is not None and len(batch.payload_arena) == 0


@pytest.mark.parametrize("mode", ["mark", "drop"])
def test_every_function_and_the_decoder(api: Any, mode: Any) -> None:
    options: Any = {"signers": SIGNER, "on_bad_signature": mode}
    payloads = [GOOD, FOREIGN, LONG]
    frames = [api.to_frame(data) for data in payloads]
    lines = b"\n".join(b"7 " + frame for frame in frames)
    decoder = api.Decoder(**options)
    expected = api.decode(frames, **options)
    for batch in (
        api.decode_payloads(payloads, **options),
        decoder.decode_payloads(payloads).copy(),
        decoder.decode(frames).copy(),
    ):
        assert state(batch) == state(expected)
        assert batch.errors.tolist() == expected.errors.tolist()
    for batch in (api.decode_lines(lines, **options), decoder.decode_lines(lines)):
        assert set(batch.messages["receive_ns"].tolist()) == {7}
        batch.messages["receive_ns"] = 0
        assert state(batch) == state(expected)
        assert batch.errors.tolist() == expected.errors.tolist()


def test_decoding_options(api: Any) -> None:
    text = GOOD.hex()

    def decoders(**options: Any) -> list[Any]:
        return [
            lambda: api.decode(text, **options),
            lambda: api.decode_lines(text.encode(), **options),
            lambda: api.decode_payloads(GOOD, **options),
            lambda: api.Decoder(**options).decode(text),
            lambda: api.Decoder(**options).decode_lines(text.encode()),
            lambda: api.Decoder(**options).decode_payloads(GOOD),
        ]

    for decode in decoders():
        batch = decode()
        assert batch.verified is batch.signers is None
    for decode in decoders(signers=SIGNER):
        assert decode().verified.tolist() == [True]
    for signers in (None, SIGNER):
        for mode in ("skip", "", None):
            for decode in decoders(signers=signers, on_bad_signature=mode):
                with pytest.raises(ValueError, match="'raise', 'mark' or 'drop', not"):
                    decode()
    for decode in decoders(signers=[]):
        with pytest.raises(SignatureError, match="no signer"):
            decode()
    for function, data in ((api.decode, text), (api.decode_lines, text.encode())):
        with pytest.raises(ValueError, match="payloads=False"):
            function(data, payloads=False, signers=SIGNER)
    with pytest.raises(ValueError, match="payloads=False"):
        api.Decoder(payloads=False, signers=SIGNER)


def test_copy_carries_the_signers(api: Any) -> None:
    batch = api.decode(MIX, on_error="skip", signers=SIGNER, on_bad_signature="mark")
    copy = batch.copy()
    assert state(copy) == state(batch)
    assert copy.verified is not batch.verified
    assert not np.shares_memory(copy.verified, batch.verified)
    assert not np.shares_memory(copy.signers, batch.signers)
