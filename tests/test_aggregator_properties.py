"""The aggregator's messages in any form: the core held to the reference, on every
instruction set and by every way of verifying."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aggregated import PUBLISHER_KEYS, aggregate, publisher_price, stark_price, state
from aggregator_fault_cases import FAULTS
from hypothesis import given
from hypothesis import strategies as st
from messages import INT128, UINT64, damaged

from codec import _core, aggregator
from codec.aggregator.keys import remembered
from codec.errors import DecodeError
from codec.reference import aggregator as reference
from codec.tables import use_verify_path, verify_path

ISAS = _core.instruction_sets()
NAMES = st.one_of(st.sampled_from(["BTCUSD", "A", "ÄÖ", ""]), st.text(max_size=9))
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
    )
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = [
    "timestamp",
    "asset_id",
    "signature_type",
    "trigger",
    "price",
    "stork_signed_price",
    "signed_prices",
    "public_key",
    "msg_hash",
    "signature",
    "checksum",
    "type",
    "data",
]


def assert_same(items: Any, *, lines: bool = False, **options: Any) -> None:
    """Core and reference agree, skipping and raising, on every set."""
    core = aggregator.decode_lines if lines else aggregator.decode
    plain = reference.decode_lines if lines else reference.decode
    wanted = plain(items, on_error="skip", **options)
    for name in ISAS:
        _core.use_instruction_set(name)
        try:
            found = core(items, on_error="skip", **options)
            assert state(found) == state(wanted), name
            if len(wanted.errors):
                with pytest.raises(DecodeError) as caught:
                    core(items, **options)
                first = wanted.errors[0]
                assert (caught.value.code, caught.value.index) == (
                    first["code"],
                    first["index"],
                ), name
        finally:
            _core.use_instruction_set(ISAS[0])


@st.composite
def entries(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A signed entry, some of whose parts may be missing or of another kind."""
    time_ns = draw(UINT64.filter(lambda n: n >= 1000))
    prices = [
        publisher_price(draw(NAMES), draw(INT128), draw(UINT64), key)
        for key in PUBLISHER_KEYS[: draw(st.integers(0, 5))]
    ]
    entry = aggregate(name, draw(INT128), time_ns, publishers=prices)
    if draw(st.integers(0, 5)) == 0:
        entry["signed_prices"].append(stark_price(name, draw(INT128)))
    if draw(st.integers(0, 9)) == 0:
        entry["signature_type"] = draw(st.sampled_from(["stark", "other", ""]))
    if draw(st.integers(0, 9)) == 0:
        entry["stork_signed_price"] = None
    if draw(st.integers(0, 9)) == 0:
        entry["signed_prices"] = None
    if draw(st.integers(0, 9)) == 0:
        entry["trigger"] = draw(st.text(max_size=12))
    return entry


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A message of up to three assets."""
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    return {
        "type": "oracle_prices",
        "trace_id": "x",
        "data": {name: draw(entries(name)) for name in names},
    }


def spread(value: Any, draw: st.DrawFn, *, are_names: bool = False) -> str:
    """JSON in any order, with space, escapes and keys that nobody knows."""
    space = draw(st.sampled_from(["", "", "", " ", "\n\t", "\r"]))
    if isinstance(value, dict):
        pairs = list(value.items())
        if draw(st.booleans()):
            pairs = draw(st.permutations(pairs))
        texts = [
            f"{space}{string(k, draw)}{space}:{space}"
            f"{spread(v, draw, are_names=k == 'data')}{space}"
            for k, v in pairs
        ]
        if not are_names and draw(st.integers(0, 5)) == 0:
            at = draw(st.integers(0, len(texts)))
            texts.insert(at, f'"zz":{json.dumps(draw(JUNK))}')
        return "{" + ",".join(texts) + "}"
    if isinstance(value, list):
        return "[" + ",".join(space + spread(v, draw) + space for v in value) + "]"
    return string(value, draw) if isinstance(value, str) else json.dumps(value)


def string(text: str, draw: st.DrawFn) -> str:
    """A JSON string, mostly as it is."""
    if draw(st.integers(0, 5)):
        return json.dumps(text, ensure_ascii=draw(st.booleans()))
    escaped = draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=4))
    return "".join(
        json.dumps(c)[1:-1]
        if i not in escaped or ord(c) > 0xFFFF
        else f"\\u{ord(c):04x}"
        for i, c in enumerate(text)
    ).join('""')


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A message, compact or spread out."""
    message = draw(messages())
    if draw(st.booleans()):
        return json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    return spread(message, draw)


@st.composite
def mistaken(draw: st.DrawFn) -> str:
    """A message in which values stand where others should be."""
    message = draw(messages())

    def spoil(value: Any) -> Any:
        if draw(st.integers(0, 25)) == 0:
            return draw(JUNK)
        if isinstance(value, dict):
            found = {k: spoil(v) for k, v in value.items() if draw(st.integers(0, 40))}
            if draw(st.integers(0, 25)) == 0:
                found[draw(st.sampled_from(KEYS))] = draw(JUNK)
            return found
        if isinstance(value, list):
            return [spoil(v) for v in value]
        if isinstance(value, str) and draw(st.integers(0, 25)) == 0:
            return value[: draw(st.integers(0, 70))] + draw(st.text(max_size=3))
        return value

    message["data"] = {k: spoil(v) for k, v in message["data"].items()}
    return spread(message, draw)


@given(st.lists(texts(), max_size=3))
def test_valid_messages(items: list[str]) -> None:
    assert_same(items)
    assert not len(aggregator.decode(items).errors)


@given(st.lists(mistaken(), min_size=1, max_size=2))
def test_mistaken_messages(items: list[str]) -> None:
    assert_same(items)


@given(st.lists(damaged(texts().map(str.encode)), min_size=1, max_size=3))
def test_damaged_messages(items: list[bytes]) -> None:
    assert_same(items)


@given(st.lists(st.sampled_from([c[1].encode() for c in FAULTS if len(c[1]) < 9000])))
def test_faults_beside_one_another(items: list[bytes]) -> None:
    assert_same(items)


@given(damaged(st.sampled_from([c[1].encode() for c in FAULTS if len(c[1]) < 9000])))
def test_damaged_faults(item: bytes) -> None:
    assert_same(item)


@given(st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40)), max_size=4))
def test_random_bytes(items: list[bytes | str]) -> None:
    assert_same(items)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"", b"1 ", b"0 ", b"00 ", b"18446744073709551616 "]),
            st.one_of(texts().map(str.encode), st.binary(max_size=9)),
        ),
        max_size=4,
    )
)
def test_lines(parts: list[tuple[bytes, bytes]]) -> None:
    assert_same(b"\n".join(head + body for head, body in parts), lines=True)


@given(damaged(texts().map(str.encode)), st.integers(0, 2**63))
def test_the_form_changes_nothing(item: bytes, receive_ns: int) -> None:
    line = b"%d " % receive_ns + item
    found = aggregator.decode_lines(line, on_error="skip")
    if b"\n" in item:
        return
    other = aggregator.decode(item, on_error="skip")
    assert found.aggregates.tobytes() == other.aggregates.tobytes()
    assert found.errors.tolist() == other.errors.tolist()


def with_bad_signatures(draw: st.DrawFn, entry: dict[str, Any]) -> None:
    """Spoils some of an entry's signatures."""
    for signed in (entry["stork_signed_price"], *entry["signed_prices"]):
        signature = signed["timestamped_signature"]["signature"]
        part = draw(st.sampled_from(["", "", "", "r", "s", "v"]))
        if part == "v":
            signature["v"] = draw(st.sampled_from(["0x1b", "0x1c", "0x1d", "0x00"]))
        elif part:
            digits = draw(st.sampled_from(["0" * 64, "f" * 64, signature["s"][2:]]))
            signature[part] = "0x" + digits


@given(st.data())
def test_known_keys_change_no_verdict(data: st.DataObject) -> None:
    """Each way to verify, with keys and without them, gives what recovery gives."""
    n = data.draw(st.integers(1, 6))
    batch = [aggregate(f"A{i}", i, publishers=i % 4, key=i % 2 + 1) for i in range(n)]
    for entry in batch:
        with_bad_signatures(data.draw, entry)
    items = [
        json.dumps({"type": "oracle_prices", "data": {e["asset_id"]: e}}) for e in batch
    ]
    wanted = state(reference.decode(items))
    path = verify_path()
    try:
        for name in (*_core.verify_paths(), "libsecp256k1"):
            use_verify_path(name)
            assert state(aggregator.decode(items, threads=2)) == wanted
            assert state(aggregator.decode(items)) == wanted
    finally:
        use_verify_path(path)
    assert len(remembered) <= 128
