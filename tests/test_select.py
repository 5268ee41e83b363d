"""`Batch.select`: chosen messages are as if they alone had been decoded."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from messages import damaged, payloads, texts
from signature_cases import (
    GOOD,
    OTHER_KEY,
    SIGNER,
    UNSIGNED,
    E,
    payload,
    state,
)

import codec
from codec import _core, reference

FOREIGN = payload(2, OTHER_KEY)
LONG = payload(3, layout=2)
MIX: list[Any] = [UNSIGNED, GOOD.hex(), FOREIGN.hex(), UNSIGNED, LONG.hex()]
# `api` is the same for all examples of a test.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared
@given(st.lists(texts() | damaged(texts().map(str.encode)), max_size=6), st.data())
def test_as_if_they_alone_were_decoded(api: Any, messages: Any, data: Any) -> None:
    keep_payloads = data.draw(st.booleans())
    batch = api.decode(messages, on_error="skip", payloads=keep_payloads)
    keep = data.draw(
        st.lists(
            st.booleans(), min_size=len(batch.messages), max_size=len(batch.messages)
        )
    )
    bad = set(batch.errors["index"].tolist())
    good = [message for i, message in enumerate(messages) if i not in bad]
    kept = [message for message, yes in zip(good, keep, strict=True) if yes]
    before = state(batch)
    chosen = batch.select(keep)
    assert type(chosen) is type(batch)
    assert state(chosen) == state(api.decode(kept, payloads=keep_payloads))
    assert chosen.errors.tobytes() == batch.errors.tobytes()
    assert state(batch) == before


@shared
@given(st.lists(payloads(), min_size=1, max_size=6), st.data())
def test_a_choice_of_a_choice(api: Any, items: Any, data: Any) -> None:
    batch = api.decode_payloads(items)
    first = np.array(
        data.draw(st.permutations([True, *[False, True] * 3]))[: len(items)]
    )
    chosen = batch.select(first)
    second = np.arange(len(chosen.messages)) % 2 == 0
    both = np.flatnonzero(first)[second]
    expected = np.isin(np.arange(len(items)), both)
    assert state(chosen.select(second)) == state(batch.select(expected))
    for row, i in enumerate(np.flatnonzero(first).tolist()):
        assert bytes(chosen.payload(row)) == items[i]


def test_what_belongs_to_a_message_goes_with_it(api: Any) -> None:
    batch = api.decode(
        [*MIX, "{}"], on_error="skip", signers=SIGNER, on_bad_signature="mark"
    )
    chosen = batch.select([False, True, True, True, True])
    assert state(chosen) == state(
        api.decode(MIX[1:], signers=SIGNER, on_bad_signature="mark")
    )
    assert chosen.errors.tolist() == [(5, 0, E.NOT_DATA)]
    assert chosen.verified is not None
    assert chosen.verified.tolist() == [True, False, False, True]
    assert chosen.verify(SIGNER).tolist() == chosen.verified.tolist()
    assert chosen.recover().tobytes() == chosen.signers.tobytes()
    assert chosen.messages["first_update"].tolist() == [0, 1, 3, 5]
    assert chosen.messages["payload_offset"].tolist() == [
        0,
        len(GOOD),
        0,
        len(GOOD + FOREIGN),
    ]
    expected = [GOOD, FOREIGN, b"", LONG]
    assert [bytes(chosen.payload(i)) for i in range(4)] == expected
    assert chosen.message_index().tolist() == [0, 1, 1, 2, 2, 3, 3, 3]


def test_verified_says_whom_to_keep(api: Any) -> None:
    options: Any = {"signers": SIGNER, "on_bad_signature": "mark"}
    batch = api.decode(MIX, **options)
    good = api.decode(MIX, signers=SIGNER, on_bad_signature="drop")
    assert state(batch.select(batch.verified)) == state(good)


def test_nothing_and_all(api: Any) -> None:
    batch = api.decode([*MIX, ""], on_error="skip")
    nothing = batch.select(np.zeros(5, np.bool_))
    assert len(nothing) == len(nothing.messages) == len(nothing.updates) == 0
    assert nothing.payload_arena is not None and len(nothing.payload_arena) == 0
    assert nothing.errors.tolist() == [(5, 0, E.EMPTY)]
    assert nothing.verified is nothing.signers is None
    assert nothing.verify(SIGNER).tolist() == []
    everything = batch.select(np.ones(5, np.bool_))
    assert state(everything) == state(batch)
    assert not np.shares_memory(everything.updates, batch.updates)
    assert not np.shares_memory(everything.messages, batch.messages)
    assert everything.updates.flags.writeable
    for empty in (api.decode([]), nothing):
        for keep in ([], np.empty(0, np.bool_)):
            assert state(empty.select(keep))[:2] == (b"", b"")


def test_without_payloads(api: Any) -> None:
    batch = api.decode(MIX, payloads=False)
    chosen = batch.select([True, False, True, False, True])
    assert chosen.payload_arena is None
    expected = api.decode([MIX[0], MIX[2], MIX[4]], payloads=False)
    assert state(chosen) == state(expected)
    with pytest.raises(ValueError, match="payloads=False"):
        chosen.payload(1)


def test_what_numpy_reads_as_bools(api: Any) -> None:
    batch = api.decode(MIX)
    keep = [True, False, False, True, True]
    expected = state(batch.select(keep))
    strided = np.array([[yes, True] for yes in keep])[:, 0]
    for form in (tuple(keep), np.array(keep), strided, np.array(keep)[::-1][::-1]):
        assert state(batch.select(form)) == expected


@pytest.mark.parametrize(
    ("keep", "error", "match"),
    [
        ([1, 0, 1, 0, 1], TypeError, "must be bools, .* not int64"),
        ([0, 2, 4], TypeError, "must be bools"),
        ("abcde", TypeError, "must be bools"),
        (None, TypeError, "must be bools"),
        (iter([True] * 5), TypeError, "must be bools"),
        (np.ma.masked_array([True] * 5), TypeError, "masked"),
        ([True] * 4, ValueError, r"the shape \(5,\), .* not \(4,\)"),
        ([True] * 6, ValueError, r"not \(6,\)"),
        ([], ValueError, r"not \(0,\)"),
        (True, ValueError, r"not \(\)"),
        ([[True] * 5], ValueError, r"not \(1, 5\)"),
    ],
)
def test_no_choice(api: Any, keep: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        api.decode(MIX).select(keep)


def test_of_a_decoder(api: Any) -> None:
    decoder = api.Decoder()
    batch = decoder.decode(MIX)
    chosen = batch.select([False, True, False, False, True])
    before = state(chosen)
    decoder.decode([FOREIGN.hex()] * 50)
    assert state(chosen) == before == state(api.decode([MIX[1], MIX[4]]))
    assert bytes(chosen.payload(1)) == LONG


class Own(codec.Batch):
    """A Batch of a kind of its own."""


def test_the_type_stays() -> None:
    decoder = _core.DecoderBase(Own, True, 1, True)
    assert type(decoder.decode(MIX).select([True] * 5)) is Own


def test_rows_that_their_owner_has_changed() -> None:
    """Counts are held to what is there; the rows say nothing of places."""
    for field in ("update_count", "payload_len", "first_update", "payload_offset"):
        for value in (0, 1, 2**31, 2**32 - 1):
            batch = codec.decode(MIX)
            batch.messages[field] = value
            for keep in ([True] * 5, [False, True] * 2 + [True]):
                chosen = batch.select(keep)
                counts = chosen.messages["update_count"].astype(int)
                lengths = chosen.messages["payload_len"].astype(int)
                assert counts.sum() == len(chosen) <= len(batch)
                assert lengths.sum() == len(chosen.payload_arena)
    batch = codec.decode(MIX)
    batch.messages["first_update"] = batch.messages["payload_offset"] = 2**63
    assert state(batch.select([True] * 5)) == state(codec.decode(MIX))


def test_large_batches_with_writers() -> None:
    """Large ones are copied without the GIL, while somebody writes to the rows."""
    frames = [reference.to_frame(payload(i % 40)) for i in range(600)]
    batch = codec.decode(frames)
    keep = np.arange(600) % 3 != 1
    expected = state(
        codec.decode([f for f, yes in zip(frames, keep, strict=True) if yes])
    )
    assert state(batch.select(keep)) == expected
    counts = batch.messages["update_count"].copy()
    done = threading.Event()

    def write() -> None:
        rows = batch.messages
        while not done.is_set():
            rows["update_count"] = 2**32 - 1
            rows["payload_len"] = 0
            rows["update_count"] = counts

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            chosen = batch.select(keep)
            assert chosen.messages["update_count"].astype(int).sum() == len(chosen)
    finally:
        done.set()
        writer.join()
