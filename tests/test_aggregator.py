"""Messages of the aggregator: what is read, and what is found of what is signed."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Callable
from typing import Any

import aggregated
import numpy as np
import pytest
from aggregated import (
    ARRAYS,
    KEY,
    PUBLISHER,
    SIGNER,
    TIME_NS,
    aggregate,
    publisher_price,
    stark_price,
    state,
    statuses,
    text,
)

import codec
from codec import aggregator
from codec.aggregator import AggregatorBatch, SignatureType, Symbols, Trigger
from codec.aggregator.decoding import read_lines
from codec.errors import DecodeError, ErrorCode, SignatureError
from codec.reference import aggregator as reference

E = ErrorCode
STORK = "stork_signed_price"
STAMPED = "timestamped_signature"


def decode(message: Any, **options: Any) -> AggregatorBatch:
    """Decodes one message with the core, as the reference does."""
    data = message if isinstance(message, (str, bytes)) else json.dumps(message)
    found = aggregator.decode(data, **options)
    assert state(found) == state(reference.decode(data, **options))
    return found


def test_real_messages_are_good() -> None:
    lines = aggregated.real_lines()
    batch = aggregator.decode(lines, signers=SIGNER)
    assert len(batch) == len(batch.messages) == len(batch.publishers) == 100
    assert batch.passed("all").all() and not len(batch.errors)
    for name in ("signature", "msg_hash", "encoded_asset_id", "merkle_root"):
        assert not batch.aggregates[name].any()
    assert {codec.checksum_address(a) for a in batch.aggregates["signer"]} == {SIGNER}
    publishers = {codec.checksum_address(a) for a in batch.publishers["publisher"]}
    assert publishers == {PUBLISHER}
    assert list(batch.symbols) == ["NEGATIVE_ASSET_1", "POSITIVE_ASSET_1"]
    for i, line in enumerate(lines):
        entry = next(iter(json.loads(line)["data"].values()))
        assert bytes(batch.text(i)) == line
        assert batch.symbol(i) == entry["asset_id"]
        row = batch.aggregates[i]
        assert codec.as_int(batch.aggregates["value"])[i] == int(entry[STORK]["price"])
        assert row["timestamp_ns"] == entry[STORK][STAMPED]["timestamp"]
        assert row["outer_timestamp_ns"] == entry["timestamp"]
        assert batch.publishers_of(i) == slice(i, i + 1)
    assert state(batch) == state(reference.decode(lines, signers=SIGNER))


def test_lines_with_and_without_receive_times() -> None:
    lines = [text(aggregate(name)).encode() for name in ("A", "B")]
    buffer = b"12 " + lines[0] + b"\n" + lines[1] + b"\r\n0 " + lines[0]
    batch = aggregator.decode_lines(buffer)
    assert batch.messages["receive_ns"].tolist() == [12, 0, 0]
    assert bytes(batch.text(1)) == lines[1] + b"\r"
    assert [batch.symbol(i) for i in range(3)] == ["A", "B", "A"]
    assert state(batch) == state(reference.decode_lines(buffer))
    with pytest.raises(TypeError, match="contiguous buffer"):
        aggregator.decode_lines("text")  # type: ignore[arg-type]


def change(entry: dict[str, Any], path: str, value: Any) -> None:
    """Puts a value to a path of keys and indexes."""
    *steps, last = (int(s) if s.isdigit() else s for s in path.split("."))
    place: Any = entry
    for step in steps:
        place = place[step]
    place[last] = value(place[last]) if callable(value) else value


def other_digit(value: Any) -> Any:
    """The same with another last digit."""
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("1" if value[-1] != "1" else "2")


SIGNED_FIELDS = {
    f"{STORK}.price": ("signature", "msg_hash", "consistency"),
    f"{STORK}.public_key": ("signature", "msg_hash"),
    f"{STORK}.encoded_asset_id": ("signature", "msg_hash", "encoded_asset_id"),
    f"{STORK}.publisher_merkle_root": ("signature", "msg_hash", "merkle_root"),
    f"{STORK}.calculation_alg.checksum": ("signature", "msg_hash"),
    f"{STORK}.{STAMPED}.timestamp": ("signature", "msg_hash"),
    f"{STORK}.{STAMPED}.msg_hash": ("msg_hash",),
    f"{STORK}.{STAMPED}.signature.r": ("signature",),
    f"{STORK}.{STAMPED}.signature.s": ("signature",),
    f"{STORK}.{STAMPED}.signature.v": ("signature",),
    "price": ("consistency",),
    "asset_id": ("consistency",),
    "timestamp": (),
    f"{STORK}.calculation_alg.version": (),
    "signed_prices.0.price": ("merkle_root", "p signature", "p msg_hash"),
    "signed_prices.0.publisher_key": ("merkle_root", "p signature", "p msg_hash"),
    "signed_prices.0.external_asset_id": ("merkle_root", "p signature", "p msg_hash"),
    f"signed_prices.0.{STAMPED}.msg_hash": ("p msg_hash",),
    f"signed_prices.0.{STAMPED}.signature.r": ("p signature",),
    f"signed_prices.0.{STAMPED}.signature.s": ("p signature",),
    f"signed_prices.0.{STAMPED}.signature.v": ("p signature",),
}


@pytest.mark.parametrize("path", SIGNED_FIELDS)
def test_each_field_that_is_changed_is_found(path: str) -> None:
    for line in aggregated.real_lines()[::25]:
        message = json.loads(line)
        entry = next(iter(message["data"].values()))
        value = (lambda v: "0x1c" if v == "0x1b" else "0x1b") if path[-1] == "v" else 0
        change(entry, path, value or other_digit)
        batch = decode(message)
        found = set(statuses(batch.aggregates[0]))
        found |= {f"p {name}" for name in statuses(batch.publishers[0])}
        assert found == set(SIGNED_FIELDS[path])
        assert batch.aggregates["verified"][0] == (
            not found & {"signature", "msg_hash", "encoded_asset_id", "consistency"}
        )
        is_good = not found & {"p signature", "p msg_hash"}
        assert batch.publishers["verified"][0] == is_good
        assert batch.passed("all")[0] == (not found) and batch.passed("none")[0]


def test_seconds_of_publishers_alone_count() -> None:
    entry = aggregate("A", timestamp_ns=10**18 + 5)
    change(entry, f"signed_prices.0.{STAMPED}.timestamp", 10**18 + 999_999_999)
    assert decode(aggregated.message(entry)).passed("all")[0]
    change(entry, f"signed_prices.0.{STAMPED}.timestamp", 10**18 + 10**9)
    batch = decode(aggregated.message(entry))
    assert statuses(batch.publishers[0]) == {"signature": 24, "msg_hash": 26}


def test_timestamps_that_javascript_has_rounded() -> None:
    for line in aggregated.real_lines()[::25]:
        message = json.loads(line, parse_int=lambda digits: int(float(digits)))
        batch = decode(message)
        assert statuses(batch.aggregates[0]) == {
            "signature": E.WRONG_SIGNER,
            "msg_hash": E.MISMATCH,
        }
        assert batch.publishers["verified"].all()


N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def high(signature: dict[str, str]) -> dict[str, str]:
    """The other signature that the curve lets pass."""
    s = N - int(signature["s"], 16)
    v = {"0x1b": "0x1c", "0x1c": "0x1b"}[signature["v"]]
    return signature | {"s": f"0x{s:064x}", "v": v}


SIGNATURES: dict[str, tuple[Callable[[dict[str, str]], dict[str, str]], ErrorCode]] = {
    "v-0": (lambda s: s | {"v": "0x00"}, E.INVALID_V),
    "v-26": (lambda s: s | {"v": "0x1a"}, E.INVALID_V),
    "v-29": (lambda s: s | {"v": "0x1d"}, E.INVALID_V),
    "r-0": (lambda s: s | {"r": "0x" + "0" * 64}, E.SCALAR_RANGE),
    "r-n": (lambda s: s | {"r": f"0x{N:x}"}, E.SCALAR_RANGE),
    "s-0": (lambda s: s | {"s": "0x" + "0" * 64}, E.SCALAR_RANGE),
    "s-n": (lambda s: s | {"s": f"0x{N:x}"}, E.SCALAR_RANGE),
    "high-s": (high, E.HIGH_S),
    "no-point": (lambda s: s | {"r": f"0x{5:064x}"}, E.NO_POINT),
    "other-v": (
        lambda s: s | {"v": "0x1c" if s["v"] == "0x1b" else "0x1b"},
        E.WRONG_SIGNER,
    ),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_bad_signatures(name: str) -> None:
    spoil, code = SIGNATURES[name]
    entry = aggregate("A")
    change(entry, f"{STORK}.{STAMPED}.signature", spoil)
    batch = decode(aggregated.message(entry))
    assert statuses(batch.aggregates[0]) == {"signature": code}
    assert batch.failures()[0] == code and batch.publishers["verified"][0]
    entry = aggregate("A")
    change(entry, f"signed_prices.0.{STAMPED}.signature", spoil)
    batch = decode(aggregated.message(entry))
    assert statuses(batch.publishers[0]) == {"signature": code}
    assert batch.passed()[0] and batch.failures("all")[0] == code


def test_a_key_of_zeros_is_nobody() -> None:
    entry = aggregate("A")
    change(entry, f"{STORK}.public_key", "0x" + "0" * 40)
    batch = decode(aggregated.message(entry))
    assert batch.aggregates["signature"][0] == E.WRONG_SIGNER


def test_trusted_signers() -> None:
    entry = text(aggregate("A"))
    mine, others = aggregated.address(KEY), aggregated.address(8)
    assert decode(entry, signers=mine).passed()[0]
    assert decode(entry, signers=[others, mine]).passed()[0]
    batch = decode(entry, signers=others)
    assert statuses(batch.aggregates[0]) == {"signature": E.UNTRUSTED_SIGNER}
    assert batch.publishers["verified"].all()  # publishers are not asked about
    with pytest.raises(SignatureError):
        aggregator.decode(entry, signers=[])


def test_an_untrusted_signature_that_is_bad_stays_bad() -> None:
    entry = aggregate("A")
    change(entry, f"{STORK}.{STAMPED}.signature", high)
    batch = decode(aggregated.message(entry), signers=aggregated.address(8))
    assert batch.aggregates["signature"][0] == E.HIGH_S


@pytest.mark.parametrize("value", [None, "absent"])
def test_without_a_signed_price(value: str | None) -> None:
    entry = aggregate("A", 17)
    if value == "absent":
        del entry[STORK]
    else:
        entry[STORK] = None
    batch = decode(aggregated.message(entry))
    row = batch.aggregates[0]
    assert set(statuses(row).values()) == {E.UNSIGNED} and len(statuses(row)) == 4
    assert codec.as_int(batch.aggregates["value"])[0] == 17
    assert row["timestamp_ns"] == row["outer_timestamp_ns"] == entry["timestamp"]
    assert not row["signer"].any() and not batch.aggregate_signatures["digest"].any()
    assert batch.publishers["verified"].all()


@pytest.mark.parametrize("value", [None, "absent", []])
def test_without_publishers(value: Any) -> None:
    entry = aggregate("A", publishers=0)
    if value == "absent":
        del entry["signed_prices"]
    else:
        entry["signed_prices"] = value
    batch = decode(aggregated.message(entry))
    assert statuses(batch.aggregates[0]) == {"merkle_root": E.MISSING_FIELD}
    assert batch.passed()[0] and not batch.passed("all")[0]
    assert not len(batch.publishers)


@pytest.mark.parametrize("value", [None, "absent"])
def test_without_a_hash(value: str | None) -> None:
    entry = aggregate("A")
    for stamped in (entry[STORK][STAMPED], entry["signed_prices"][0][STAMPED]):
        stamped["msg_hash"] = value
        if value == "absent":
            del stamped["msg_hash"]
    batch = decode(aggregated.message(entry))
    assert statuses(batch.aggregates[0]) == {"msg_hash": E.MISSING_FIELD}
    assert statuses(batch.publishers[0]) == {"msg_hash": E.MISSING_FIELD}


def test_stark_messages_are_read_exactly() -> None:
    entry = aggregate("A", -5, publishers=[])
    entry |= {"signature_type": "stark", "signed_prices": [stark_price("A", -6)]}
    entry[STORK]["public_key"] = "0xabc"
    del entry[STORK][STAMPED]["signature"]["v"]
    batch = decode(aggregated.message(entry))
    row, price = batch.aggregates[0], batch.publishers[0]
    code = E.UNSUPPORTED_SIGNATURE_TYPE
    names = ("signature", "msg_hash", "encoded_asset_id", "merkle_root")
    assert statuses(row) == dict.fromkeys(names, code)
    assert statuses(price) == {"signature": code, "msg_hash": code}
    assert row["signature_type"] == price["signature_type"] == SignatureType.STARK
    assert codec.as_int(batch.aggregates["value"])[0] == -5
    assert codec.as_int(batch.publishers["value"])[0] == -6
    assert not row["signer"].any() and not price["publisher"].any()
    signature, other = batch.aggregate_signatures[0], batch.publisher_signatures[0]
    assert signature["public_key"].tobytes() == bytes(30) + b"\x0a\xbc"
    assert other["public_key"].tobytes().hex() == (
        "0418d3fd8219a2cf32a00d458f61802d17f01c5bcde5a4f82008ee4a7c8e9a06"
    )
    assert other["r"].tobytes() == bytes(30) + b"\x04\xa1"
    assert other["s"].tobytes().hex() == "0" + "7" * 63
    assert not other["leaf"].any() and not other["digest"].any()
    assert batch.passed("none")[0] and not batch.passed()[0]


UNREADABLE = ["zz", "", "0x", "0x0x1", "1" * 65, 5, None, {}, [1], "0xä", "\x00"]


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_what_cannot_be_read_of_stark_is_zero(value: Any) -> None:
    price = stark_price("A", 5)
    price["publisher_key"] = value
    price[STAMPED]["signature"] = {"r": value, "v": value, "s": "2"}
    price[STAMPED]["msg_hash"] = value
    entry = aggregate("A", publishers=0) | {"signed_prices": [price]}
    batch = decode(aggregated.message(entry))
    signature = batch.publisher_signatures[0]
    for name in ("public_key", "r", "msg_hash"):
        assert not signature[name].any()
    assert signature["s"].tobytes()[-1] == 2 and signature["v"] == 0
    assert batch.aggregates["merkle_root"][0] == E.UNSUPPORTED_SIGNATURE_TYPE


def test_another_kind_of_signature() -> None:
    entry = aggregate("A") | {"signature_type": "ed25519", "trigger": "moon"}
    batch = decode(aggregated.message(entry))
    assert batch.aggregates["signature_type"][0] == SignatureType.OTHER
    assert batch.aggregates["trigger"][0] == Trigger.OTHER
    assert batch.aggregates["signature"][0] == E.UNSUPPORTED_SIGNATURE_TYPE
    assert batch.publishers["verified"][0]


@pytest.mark.parametrize("trigger", ["clock", "delta", "unspecified", None, "absent"])
def test_triggers(trigger: str | None) -> None:
    entry = aggregate("A") | {"trigger": trigger}
    if trigger == "absent":
        del entry["trigger"]
    batch = decode(aggregated.message(entry))
    wanted = Trigger[(trigger or "unspecified").upper()] if trigger != "absent" else 0
    assert batch.aggregates["trigger"][0] == wanted


@pytest.mark.parametrize("n", range(1, 10))
def test_merkle_trees(n: int) -> None:
    entry = aggregate("A", publishers=n)
    batch = decode(aggregated.message(entry))
    assert batch.passed("all")[0] and len(batch.publishers) == n
    if n > 1:  # the order counts, but where an odd last one stands twice
        prices = entry["signed_prices"]
        entry["signed_prices"] = [*prices[1:], prices[0]]
        batch = decode(aggregated.message(entry))
        assert statuses(batch.aggregates[0]) == {"merkle_root": E.MISMATCH}


def test_many_trees_at_once() -> None:
    sizes = [3, 1, 9, 0, 2, 17, 1, 4]
    entries = [aggregate(f"A{i}", publishers=n) for i, n in enumerate(sizes)]
    batch = decode(aggregated.message(*entries))
    assert batch.passed("all").tolist() == [n > 0 for n in sizes]
    assert batch.aggregates["publisher_count"].tolist() == sizes
    for i, n in enumerate(sizes):
        rows = batch.publishers[batch.publishers_of(i)]
        assert len(rows) == n and (rows["aggregate"] == i).all()


def test_a_publisher_that_cannot_be_read_is_left_out_alone() -> None:
    entry = aggregate("A", publishers=3)
    entry["signed_prices"][1]["price"] = "1.5"
    data = text(entry)
    with pytest.raises(DecodeError) as caught:
        aggregator.decode(data)
    place = data.index('"1.5"')
    assert (caught.value.code, caught.value.offset) == (E.INVALID_NUMBER, place)
    batch = decode(data, on_error="skip")
    assert batch.errors.tolist() == [(0, place, E.INVALID_NUMBER)]
    assert statuses(batch.aggregates[0]) == {"merkle_root": E.MISSING_FIELD}
    assert batch.publishers["verified"].tolist() == [True, True]


def test_a_stark_publisher_among_others() -> None:
    entry = aggregate("A", publishers=2)
    entry["signed_prices"].append(stark_price("A", 5))
    batch = decode(aggregated.message(entry))
    code = E.UNSUPPORTED_SIGNATURE_TYPE
    assert statuses(batch.aggregates[0]) == {"merkle_root": code}
    assert batch.failures("all")[0] == code
    assert batch.publishers["verified"].tolist() == [True, True, False]


NAMES = [
    "",
    "BTCUSD",
    "Ω",
    "日本",
    "😀",
    'a"b\\c/d',
    "\x00\x1f",
    "\ud7ff\ue000",
    "é" * 512,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_however_they_are_written(name: str) -> None:
    entry = aggregate(name)
    for escaped in (True, False):
        batch = decode(json.dumps(aggregated.message(entry), ensure_ascii=escaped))
        assert batch.passed("all")[0] and list(batch.symbols) == [name]


def test_several_assets_and_a_shared_table() -> None:
    symbols = Symbols(["Z"])
    first = aggregator.decode(
        text(aggregate("A"), aggregate("B", publishers=2)), symbols=symbols
    )
    second = aggregator.decode(text(aggregate("B"), aggregate("Z")), symbols=symbols)
    assert list(symbols) == ["Z", "A", "B"] and len(symbols) == 3
    assert first.aggregates["symbol"].tolist() == [1, 2]
    assert second.aggregates["symbol"].tolist() == [2, 0]
    assert [second.symbol(i) for i in range(2)] == ["B", "Z"]
    assert first.passed("all").all() and second.passed("all").all()
    assert first.messages["aggregate_count"].tolist() == [2]


def test_an_external_name_of_its_own() -> None:
    price = publisher_price("KRAKEN:A", 5)
    batch = decode(aggregated.message(aggregate("A", publishers=[price])))
    assert batch.passed("all")[0]
    assert list(batch.symbols) == ["A", "KRAKEN:A"]
    assert batch.publishers["symbol"].tolist() == [1]


def test_symbols() -> None:
    symbols = Symbols()
    assert [symbols.add(n) for n in ("a", "b", "a", "")] == [0, 1, 0, 2]
    assert symbols.find("b") == 1 and symbols.find("c") is None
    assert "" in symbols and "c" not in symbols and 5 not in symbols
    assert symbols[0] == "a" and symbols[-1] == "" and list(symbols) == ["a", "b", ""]
    assert repr(symbols) == "<Symbols: 3 names>"
    assert list(pickle.loads(pickle.dumps(symbols))) == list(symbols)
    with pytest.raises(ValueError, match="1024 bytes"):
        symbols.add("é" * 513)
    with pytest.raises(UnicodeEncodeError):
        symbols.add("\ud800")
    with pytest.raises(IndexError):
        symbols[3]
    assert len(symbols) == 3


def test_a_full_table() -> None:
    symbols = Symbols(str(i) for i in range(65_536))
    with pytest.raises(ValueError, match="no room"):
        symbols.add("one more")
    assert symbols.add("65535") == 65_535
    batch = aggregator.decode(
        text(aggregate("new"), aggregate("7")), symbols=symbols, on_error="skip"
    )
    assert [batch.symbol(i) for i in range(len(batch))] == ["7"]
    assert batch.errors["code"].tolist() == [E.TOO_LARGE]
    long = Symbols("x" * 1000 + str(i) for i in range(4178))  # 4 MiB but for 702 bytes
    with pytest.raises(ValueError, match="no room"):
        long.add("y" * 703)
    assert long.add("y" * 702) == 4178


def test_a_call_that_raises_leaves_the_table_alone() -> None:
    symbols = Symbols(["A"])
    bad = text(aggregate("C"), type="oracle")
    with pytest.raises(DecodeError):
        aggregator.decode([text(aggregate("B")), bad], symbols=symbols)
    assert list(symbols) == ["A"] and symbols.find("B") is None
    assert symbols.add("B") == 1


def test_a_table_in_use_refuses_another_call() -> None:
    symbols = Symbols()
    data = b"\n".join([text(aggregate("A", publishers=8)).encode()] * 400)
    refused: list[BaseException] = []

    def work() -> None:
        try:
            aggregator.decode_lines(data, symbols=symbols)
        except RuntimeError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("middle of another call" in str(error) for error in refused)
    assert list(symbols) == ["A"]


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_threads(threads: int) -> None:
    entries = [
        [aggregate(f"A{i}", i, key=i % 3 + 1, publishers=i % 4) for i in range(k)]
        for k in range(12)
    ]
    spoilt = entries[7][3]
    change(spoilt, f"{STORK}.{STAMPED}.signature", high)
    data = [text(*e) for e in entries]
    found = aggregator.decode(data, threads=threads)
    assert state(found) == state(reference.decode(data))
    assert np.count_nonzero(~found.passed()) == 1


def test_select_copies_the_padding() -> None:
    """Nothing of what the memory held before gets into a batch."""
    batch = aggregator.decode(
        [text(aggregate("A"), aggregate("B")), "x"], on_error="skip"
    )
    for name in ARRAYS:
        rows = getattr(batch, name)
        end = max(
            (
                offset + field.itemsize
                for field, offset, *_ in (rows.dtype.fields or {}).values()
            ),
            default=rows.itemsize,
        )
        rows.view(np.uint8).reshape(len(rows), -1)[:, end:] = 0xA5
    assert state(batch.select(np.ones(2, bool))) == state(batch)


def test_what_was_not_checked_does_not_pass() -> None:
    batch = read_lines(text(aggregate("A"), aggregate("B")).encode())
    assert not batch.aggregates["verified"].any()
    assert not batch.passed().any() and not batch.passed("all").any()
    assert batch.passed("none").all()


def test_select() -> None:
    data = [
        text(aggregate("A", publishers=2), aggregate("B", publishers=0)),
        text(aggregate("C", publishers=1)),
        text(aggregate("A", publishers=3), aggregate("C"), aggregate("D")),
        "bad",
    ]
    batch = aggregator.decode(data, on_error="skip")
    keep = np.array([False, True, False, True, False, True])
    chosen = batch.select(keep)
    assert [chosen.symbol(i) for i in range(len(chosen))] == ["B", "A", "D"]
    assert chosen.aggregates["publisher_count"].tolist() == [0, 3, 1]
    assert chosen.aggregates["first_publisher"].tolist() == [0, 0, 3]
    assert chosen.publishers["aggregate"].tolist() == [1, 1, 1, 2]
    assert chosen.aggregates["message"].tolist() == [0, 1, 1]
    assert chosen.messages["aggregate_count"].tolist() == [1, 2]
    assert chosen.messages["first_aggregate"].tolist() == [0, 1]
    assert bytes(chosen.text(1)) == data[2].encode()
    assert chosen.errors.tolist() == batch.errors.tolist() and len(chosen.errors) == 1
    assert len(batch) == 6 and batch.publishers["aggregate"].max() == 5
    assert (
        state(batch.select(np.ones(6, np.bool_)))["publishers"]
        == state(batch)["publishers"]
    )
    nothing = batch.select(np.zeros(6, np.bool_))
    assert len(nothing) == len(nothing.messages) == len(nothing.publishers) == 0
    with pytest.raises(TypeError, match="bools"):
        batch.select(np.ones(6, np.int8))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="masked"):
        batch.select(np.ma.array(np.ones(6, np.bool_), mask=keep))
    with pytest.raises(ValueError, match="shape"):
        batch.select(np.ones(5, np.bool_))


def test_what_a_batch_says() -> None:
    batch = aggregator.decode([text(aggregate("A")), text()])
    assert repr(batch) == (
        "<AggregatorBatch: 2 messages, 1 aggregates, 1 verified, 1 publishers>"
    )
    assert repr(aggregator.decode("{", on_error="skip")).endswith(", 1 errors>")
    assert batch.text(-1).readonly and bytes(batch.text(-1)) == text().encode()
    with pytest.raises(IndexError):
        batch.text(2)
    with pytest.raises(ValueError, match="require"):
        batch.passed("some")  # type: ignore[arg-type]
    assert str(Trigger.CLOCK) == "clock" and str(SignatureType.EVM) == "evm"


def test_messages_of_any_type() -> None:
    data = text(aggregate("Ω")).encode()
    forms: list[Any] = [data, bytearray(data), memoryview(data), data.decode()]
    wanted = state(aggregator.decode(data))
    for form in forms:
        assert state(aggregator.decode(form)) == wanted
    assert len(aggregator.decode(forms)) == 4
    assert len(aggregator.decode(iter(forms))) == 4 and len(aggregator.decode([])) == 0
    found = aggregator.decode([5, "a\ud800x", data], on_error="skip")  # type: ignore[list-item]
    assert found.errors.tolist() == [
        (0, 0, E.PYTHON_TYPE),
        (1, 1, E.INVALID_UTF8),
    ]


def test_a_buffer_that_changes_does_no_harm() -> None:
    good = text(aggregate("A", publishers=3)).encode() + b"\n"
    buffer = bytearray(good * 300)
    stop = threading.Event()

    def spoil() -> None:
        i = 0
        while not stop.is_set():
            buffer[i % len(buffer)] = i * 7 & 0xFF
            i += 101

    thread = threading.Thread(target=spoil)
    thread.start()
    try:
        for _ in range(20):
            batch = aggregator.decode_lines(buffer, on_error="skip")
            assert len(batch.messages) <= 100_000
    finally:
        stop.set()
        thread.join()


def test_the_input_is_copied() -> None:
    data = bytearray(text(aggregate("A")).encode())
    batch = aggregator.decode(data)
    copied = copy.copy(bytes(data))
    data[:] = b" " * len(data)
    assert bytes(batch.text(0)) == copied
    assert batch.messages["text_len"][0] == len(copied)
    assert batch.aggregates["timestamp_ns"][0] == TIME_NS
