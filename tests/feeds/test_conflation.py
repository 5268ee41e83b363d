"""What is kept of waiting messages, against a slow account of the same rule."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import KEY, TIMESTAMP, payload

import codec
from codec import reference
from codec.errors import ErrorCode
from codec.feeds.conflation import conflate

SIGNER = codec.KnownSigner(payload()).address
TAXONOMIES = [0, 1, 2, 0xFEFF]
ASSETS = [0, 1, 2, 65535]
JUNK = [
    b"",
    b" ",
    b"{}",
    b"null",
    b"0x12",
    b'{"type":"subscribe","assets":[1]}',
    b'{"type":"unsigned","tax":1,"ts":1,"a":[{"id":1,"v":"x"}]}',
    b'{"type":"unsigned","tax":1,"ts":1,"a":[{"id":1,"v":"5"}]',
    b"\xff\xfe",
    b"1 2",
]


def signed(
    assets: list[int], taxonomy: int = 1, i: int = 0, *, layout: int = 1, key: Any = KEY
) -> bytes:
    payload = codec.encode(
        assets,
        [i * 10**18 + asset for asset in assets],
        timestamp_ns=TIMESTAMP + i,
        taxonomy_id=taxonomy,
        key=key,
        market_status=[1] * len(assets) if layout == 2 else None,
    )
    return codec.to_frame(payload)


def unsigned(assets: list[int], taxonomy: int = 1, i: int = 0) -> bytes:
    entries = [{"id": asset, "v": str(-i)} for asset in assets]
    fields = {"type": "unsigned", "tax": taxonomy, "ts": TIMESTAMP + i, "a": entries}
    return json.dumps(fields).encode()


def text_of(messages: list[bytes]) -> bytes:
    """The messages as they are received, 1 ns apart."""
    return b"".join(b"%d %s\n" % (1000 + i, text) for i, text in enumerate(messages))


def slow(text: bytes) -> list[bytes]:
    """The lines to keep, decoded one by one by the plain reference."""
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    newest: dict[tuple[int, int], tuple[int, int]] = {}
    answers = []
    for i, line in enumerate(lines):
        batch = reference.decode_lines(line + b"\n", on_error="skip")
        for row in batch.updates:
            asset = int(row["taxonomy_id"]), int(row["asset_id"])
            newest[asset] = max(
                (int(row["timestamp_ns"]), i), newest.get(asset, (0, 0))
            )
        if ErrorCode.NOT_DATA in batch.errors["code"]:
            answers.append(i)
    kept = {i for _, i in newest.values()} | set(answers[-100:])
    return [lines[i] for i in sorted(kept)]


def check(text: bytes, *chunks: bytes) -> list[bytes]:
    """Conflates, whole or in chunks, and compares; returns the lines that are kept."""
    result, n_lines = conflate(chunks or [text])
    kept = slow(text)
    assert result == b"".join(line + b"\n" for line in kept)
    assert type(result) is bytes and type(n_lines) is int and n_lines == len(kept)
    return kept


def newest_values(text: bytes) -> dict[tuple[int, int], tuple[Any, ...]]:
    rows = codec.decode_lines(text, on_error="skip").updates
    rows = rows[np.argsort(rows["timestamp_ns"], kind="stable")]
    return {(int(r["taxonomy_id"]), int(r["asset_id"])): r.item() for r in rows}


def n_answers(text: bytes) -> int:
    errors = codec.decode_lines(text, on_error="skip").errors
    return int(np.count_nonzero(errors["code"] == ErrorCode.NOT_DATA))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(["signed", "layout 2", "unsigned", "damaged", "junk"]))
    if kind == "junk":
        return draw(st.sampled_from(JUNK))
    assets = draw(st.lists(st.sampled_from(ASSETS), max_size=4))
    taxonomy, i = draw(st.sampled_from(TAXONOMIES)), draw(st.integers(0, 5))
    if kind == "unsigned":
        return unsigned(assets, taxonomy, i)
    text = signed(assets, taxonomy, i, layout=2 if kind == "layout 2" else 1)
    if kind == "damaged":
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 3))
        text = text[:at] + draw(st.sampled_from([b"", b"f", b"x"])) + text[at + cut :]
    return text


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """Lines, with receive times or without, the last one ended or not."""
    lines = draw(st.lists(messages(), max_size=12))
    start = draw(st.sampled_from([b"", b"1764608698685038908 ", b"0 ", b"01 "]))
    text = b"".join(start + line + b"\n" for line in lines)
    return text if draw(st.booleans()) else text.removesuffix(b"\n")


@given(texts())
def test_against_a_slow_conflation(text: bytes) -> None:
    check(text)


@given(st.lists(messages(), max_size=12), st.data())
def test_chunks_are_one_text(lines: list[bytes], data: st.DataObject) -> None:
    chunks, rest = [], list(lines)
    while rest:
        n = data.draw(st.integers(1, len(rest)))
        chunks.append(text_of(rest[:n]))
        rest = rest[n:]
    check(b"".join(chunks), *chunks)


@given(texts())
def test_all_newest_values_stay_and_no_more_is_to_be_had(text: bytes) -> None:
    once, n_lines = conflate([text])
    assert newest_values(once) == newest_values(text)
    assert conflate([once]) == (once, n_lines)
    assert n_lines <= len(newest_values(text)) + n_answers(text)


def test_order_is_kept() -> None:
    lines = [signed([1], i=0), signed([2], i=1), signed([3], i=2), signed([1], i=3)]
    text = text_of(lines)
    assert check(text) == text.split(b"\n")[1:4]


def test_a_message_stays_for_one_of_its_assets() -> None:
    lines = [signed([1, 2, 3], i=0), signed([1], i=1), signed([3, 1], i=2)]
    text = text_of(lines)
    kept = check(text)
    assert kept == [text.split(b"\n")[0], text.split(b"\n")[2]]


def test_the_newest_wins_even_if_an_older_one_arrives_after_it() -> None:
    """As from two connections, of which one is behind."""
    text = text_of([signed([1], i=2), signed([1], i=1)])
    assert check(text) == [text.split(b"\n")[0]]


def test_of_equal_times_the_last_to_arrive_wins() -> None:
    text = text_of([signed([1, 2], i=2), signed([1], i=2), signed([1], i=1)])
    assert check(text) == text.split(b"\n")[:2]
    text = text_of([signed([1], i=2), signed([1, 2], i=2)])
    assert check(text) == text.split(b"\n")[1:2]


def test_a_bad_signature_makes_no_value_old() -> None:
    def verify(batch: codec.Batch) -> Any:
        return batch.verify(SIGNER)

    other = bytes(range(2, 34))
    good = [signed([1], i=1), signed([2], i=2)]
    bad = [signed([1, 2], i=i, key=other) for i in range(3, 40)]
    text = text_of([good[0], *bad[:20], good[1], *bad[20:]])
    lines = text.split(b"\n")
    assert conflate([text], verify)[0] == lines[0] + b"\n" + lines[21] + b"\n"
    assert conflate([text_of(bad)], verify) == (b"", 0)


def test_answers_of_the_server_stay_the_last_hundred() -> None:
    answers = [b'{"type":"subscribe","assets":[%d]}' % i for i in range(150)]
    text = text_of([signed([1], i=i) if i % 2 else answers[i // 2] for i in range(300)])
    assert len(check(text)) == 101


def test_equal_lines_are_kept_once() -> None:
    text = text_of([signed([1])]) * 5
    assert check(text) == [text.split(b"\n")[0]]


def test_assets_of_different_taxonomies_are_different() -> None:
    text = text_of([signed([1], taxonomy) for taxonomy in TAXONOMIES])
    assert len(check(text)) == len(TAXONOMIES)
    assert len(check(text_of([signed([1], 2), signed([2], 1)]))) == 2


def test_an_asset_that_stands_twice_in_a_message() -> None:
    assert len(check(text_of([signed([1, 1], i=0), signed([1, 2, 1], i=1)]))) == 1


@pytest.mark.parametrize("empty", [signed([]), unsigned([]), signed([], layout=2)])
def test_messages_without_values_go(empty: bytes) -> None:
    text = text_of([empty, signed([1]), empty])
    assert check(text) == [text.split(b"\n")[1]]
    assert check(text_of([empty])) == []


def test_what_cannot_be_decoded_goes() -> None:
    junk = [text for text in JUNK if not n_answers(text + b"\n")]
    lines = [junk[i // 2 % len(junk)] if i % 2 else signed([i]) for i in range(40)]
    text = text_of(lines)
    assert check(text) == text.split(b"\n")[0:40:2]
    assert check(text_of(junk)) == []


@pytest.mark.parametrize("chunks", [[], [b""], [b"", b""], [b"\n"], [b"\n\n", b"\n"]])
def test_nothing(chunks: list[bytes]) -> None:
    assert conflate(chunks) == (b"", 0)


def test_the_last_line_needs_no_end() -> None:
    line = text_of([signed([1])])
    assert conflate([line.removesuffix(b"\n")]) == (line, 1)


def test_white_space_of_the_lines_is_kept() -> None:
    text = b"5  " + unsigned([1]) + b" \r\n7 \t" + signed([2]) + b"\r\n"
    assert check(text) == text.split(b"\n")[:2]


@pytest.mark.parametrize(
    "kind",
    [bytes, bytearray, memoryview, lambda text: np.frombuffer(text, np.uint8)],
    ids=["bytes", "bytearray", "memoryview", "array"],
)
def test_any_buffer(kind: Any) -> None:
    chunks = [text_of([signed([1], i=i), unsigned([2], i=i)]) for i in range(3)]
    check(b"".join(chunks), *map(kind, chunks))


@given(st.lists(st.lists(st.sampled_from(ASSETS), max_size=3), max_size=10))
def test_signatures_of_what_is_kept_verify(assets: list[list[int]]) -> None:
    lines = [signed(some, 1, i, layout=1 + i % 2) for i, some in enumerate(assets)]
    text, n_lines = conflate([text_of(lines)])
    batch = codec.decode_lines(text, signers=SIGNER)
    assert len(batch.messages) == n_lines
    assert batch.verified is not None and batch.verified.all()


def test_receive_times_are_kept() -> None:
    text, _ = conflate([text_of([signed([i % 3], i=i) for i in range(9)])])
    assert codec.decode_lines(text).messages["receive_ns"].tolist() == [
        1006,
        1007,
        1008,
    ]


def test_thousands_of_messages() -> None:
    rng = random.Random(7)
    lines = []
    for i in range(3000):
        assets = rng.sample(range(300), rng.randrange(5))
        make = rng.choice([signed, unsigned])
        text = make(assets, rng.choice(TAXONOMIES), i)
        lines.append(text if rng.random() < 0.95 else text[: rng.randrange(len(text))])
    kept = check(text_of(lines))
    assert 700 < len(kept) < 1300
