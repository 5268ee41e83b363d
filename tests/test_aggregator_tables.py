"""Arrow tables of the aggregator's messages read back exactly."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import aggregated
import pytest
from aggregated import aggregate, publisher_price, stark_price, text

import codec
from codec import aggregator
from codec.errors import ErrorCode, RangeError
from codec.reference import aggregator as reference

pa = pytest.importorskip("pyarrow")
WORD = "dictionary<values=string, indices=int32, ordered=0>"


def exact(values: Any) -> list[Decimal]:
    """By Python's own integers."""
    with localcontext(prec=60):
        return [
            Decimal((int(v["hi"]) << 64) + int(v["lo"])).scaleb(-18) for v in values
        ]


def mixed() -> list[bytes]:
    """Messages with all that a table may show."""
    prices = [-1, 0, 10**38 - 1, 1 - 10**38, 123456789 * 10**18 + 1]
    entries = [
        aggregate(f"A{i}", price, publishers=[publisher_price(f"A{i}", price)])
        for i, price in enumerate(prices)
    ]
    entries[1]["stork_signed_price"]["timestamped_signature"]["msg_hash"] = None
    entries[2]["stork_signed_price"] = None
    entries[3]["signed_prices"] = [stark_price("X", 7)]
    entries[4] |= {"trigger": "delta", "signature_type": "stark"}
    return [text(entry).encode() for entry in entries]


def test_aggregates_read_back_exactly() -> None:
    lines = mixed()
    data = b"1700000000000000001 " + b"\n".join(lines)
    table = aggregator.decode_lines(data).to_arrow()
    plain = reference.decode_lines(data)
    rows = plain.aggregates
    assert table["value"].to_pylist() == exact(rows["value"])
    times = table["timestamp"].cast(pa.int64()).to_pylist()
    assert times == rows["timestamp_ns"].tolist()
    outer = table["outer_timestamp"].cast(pa.int64()).to_pylist()
    assert outer == rows["outer_timestamp_ns"].tolist()
    names = list(plain.symbols)
    assert table["symbol"].to_pylist() == [names[i] for i in rows["symbol"]]
    for name in ("signature", "msg_hash", "merkle_root", "consistency"):
        wanted = [str(ErrorCode(c)) if c else "good" for c in rows[name]]
        assert table[name].to_pylist() == wanted
    assert table["verified"].to_pylist() == rows["verified"].tolist()
    assert table["trigger"].to_pylist() == ["clock"] * 4 + ["delta"]
    assert table["signature_type"].to_pylist() == ["evm"] * 4 + ["stark"]
    signer = codec.checksum_address(aggregated.address(aggregated.KEY))
    assert table["signer"].to_pylist() == [signer, signer, None, signer, None]
    received = table["receive_timestamp"].cast(pa.int64()).to_pylist()
    assert received == [1700000000000000001, None, None, None, None]
    assert table["message"].to_pylist() == [0, 1, 2, 3, 4]


def test_publishers_read_back_exactly() -> None:
    lines = mixed()
    table = aggregator.decode(lines).to_arrow(publishers=True)
    rows = reference.decode(lines).publishers
    assert table["value"].to_pylist() == exact(rows["value"])
    assert table["aggregate"].to_pylist() == rows["aggregate"].tolist()
    assert table["verified"].to_pylist() == rows["verified"].tolist()
    assert table["symbol"].to_pylist() == ["A0", "A1", "A2", "X", "A4"]
    publisher = codec.checksum_address(aggregated.address(aggregated.PUBLISHER_KEYS[0]))
    assert table["publisher"].to_pylist() == [
        None if i == 3 else publisher for i in range(5)
    ]
    assert table["signature"].to_pylist()[3] == "unsupported_signature_type"


def test_real_messages() -> None:
    lines = aggregated.real_lines()
    table = aggregator.decode(lines).to_arrow()
    plain = reference.decode(lines)
    assert table["value"].to_pylist() == exact(plain.aggregates["value"])
    assert set(table["signer"].to_pylist()) == {aggregated.SIGNER}
    assert set(table["signature"].to_pylist()) == {"good"}


def test_columns_depend_on_nothing() -> None:
    empty, full = aggregator.decode([]), aggregator.decode(mixed())
    for publishers in (False, True):
        schema = full.to_arrow(publishers=publishers).schema
        assert empty.to_arrow(publishers=publishers).schema == schema
        assert str(schema.field("symbol").type) == WORD
        assert schema.field("value").type == pa.decimal128(38, 18)
        assert schema.field("timestamp").type == pa.timestamp("ns", "UTC")
        full.to_arrow(publishers=publishers).validate(full=True)


def test_what_does_not_fit() -> None:
    wide = aggregator.decode(
        [text(aggregate("A", 1)), text(aggregate("A", 2**127 - 1))]
    )
    with pytest.raises(RangeError) as caught:
        wide.to_arrow()
    assert caught.value.index == 1
    table = wide.to_arrow(overflow="null")
    assert table["value"].to_pylist() == [Decimal("1E-18"), None]
    late = aggregate("A")
    late["timestamp"] = 2**63
    batch = aggregator.decode(text(late))
    with pytest.raises(RangeError):
        batch.to_arrow()
    assert batch.to_arrow(overflow="null")["outer_timestamp"].to_pylist() == [None]
    received = aggregator.decode_lines(b"9223372036854775808 " + mixed()[0])
    with pytest.raises(RangeError):
        received.to_arrow()
    assert received.to_arrow(overflow="null")["receive_timestamp"].null_count == 1
    with pytest.raises(ValueError, match="overflow"):
        batch.to_arrow(overflow="wrap")  # type: ignore[arg-type]


def test_pandas_and_polars() -> None:
    batch = aggregator.decode(mixed())
    pytest.importorskip("pandas")
    frame = batch.to_pandas()
    assert frame["value"].tolist() == exact(batch.aggregates["value"])
    polars = pytest.importorskip("polars")
    table = batch.to_polars(publishers=True)
    assert table["value"].to_list() == exact(batch.publishers["value"])
    assert polars.DataFrame(batch).height == len(batch)
