"""Events as Arrow tables: exact, of fixed columns, and read by others as they are."""

from __future__ import annotations

import decimal
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shuriken_samples import EVM_SWAP, PAYLOADS, SVM_SWAP

import codec
from codec.feeds.shuriken import STREAMS, ShurikenEvent, read_payload

pa = pytest.importorskip("pyarrow")

from codec.feeds.shuriken.tables import schema, to_arrow  # noqa: E402
from codec.feeds.shuriken.tables_columns import KINDS  # noqa: E402

ALL = ["swaps", "pool_info", "balances"]
POLICIES = ["text", "raise", "null"]
RECEIVED = 1760000000123456789
numbers = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: abs(number.adjusted()) <= 1000
)


def event(stream: str, payload: Mapping[str, Any] | None = None) -> ShurikenEvent:
    text = json.dumps(PAYLOADS[stream] if payload is None else payload)
    return ShurikenEvent(
        stream=stream,
        data=read_payload(stream, text),
        raw=text,
        receive_ns=RECEIVED,
    )


def swap(**changes: Any) -> ShurikenEvent:
    return event("svm.token.swaps", {**SVM_SWAP, **changes})


EVERYTHING = [event(stream) for stream in STREAMS]
MOMENT = datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


def test_all_kinds_at_once() -> None:
    tables = to_arrow(EVERYTHING)
    assert list(tables) == ALL
    assert [len(tables[kind]) for kind in ALL] == [2, 2, 6]
    for kind in ALL:
        assert tables[kind].schema.equals(schema(kind), check_metadata=True)
        assert tables[kind].equals(to_arrow(iter(EVERYTHING), kind))
        tables[kind].validate(full=True)


@pytest.mark.parametrize("overflow", POLICIES)
@pytest.mark.parametrize("kind", ALL)
def test_no_events_have_the_same_columns(kind: str, overflow: str) -> None:
    empty = to_arrow([], kind, overflow=overflow)
    full = to_arrow(EVERYTHING, kind, overflow=overflow)
    assert len(empty) == 0 and len(full)
    assert empty.schema.equals(full.schema, check_metadata=True)
    assert empty.schema.metadata == {
        b"kind": kind.encode(),
        b"overflow": overflow.encode(),
    }


def test_a_swap_of_solana() -> None:
    (row,) = to_arrow([swap()], "swaps").to_pylist()
    texts = {name for name in row if name.endswith("_text")}
    assert all(row.pop(name) is None for name in texts) and "price_usd_text" in texts
    received = row.pop("receive_timestamp")
    assert received.value == RECEIVED
    assert row == {
        "block_time": MOMENT,
        "network": "sol",
        "chain_id": None,
        "token": SVM_SWAP["tokenMint"],
        "is_buy": True,
        "amount_native": Decimal("1.234567891"),
        "amount_usd": Decimal("271.60493602"),
        "price_native": Decimal("0.0000000056116722278338944"),
        "price_usd": Decimal("0.00000123456789012345678901"),
        "maker": SVM_SWAP["maker"],
        "recipient": None,
        "pool": SVM_SWAP["poolAddress"],
        "transaction": SVM_SWAP["signature"],
        "transaction_index": 812,
        "block": 371234567,
        "block_height": 349000000,
        "block_hash": None,
        "token_decimals": None,
        "token_in": SVM_SWAP["inputMint"],
        "token_out": SVM_SWAP["outputMint"],
        "decimals_in": 9,
        "decimals_out": 6,
        "amount_in": Decimal(1234567891),
        "amount_out": Decimal(2**64 - 1),
        "trade_source": "raydium",
        "dex": None,
        "platform": "shuriken",
        "location": "fra",
        "gas_fee": Decimal(5000),
        "platform_fee": Decimal(12345),
        "mev_fee": Decimal(0),
        "compute_units": 81234,
        "stream": "svm.token.swaps",
    }


def test_a_swap_of_ethereum() -> None:
    (row,) = to_arrow([event("evm.token.swaps")], "swaps").to_pylist()
    expected = {
        "block_time": MOMENT.replace(second=31),
        "network": "eth",
        "chain_id": 1,
        "token": EVM_SWAP["tokenAddress"],
        "is_buy": False,
        "amount_native": Decimal("0.123456789012345678"),
        "amount_usd": Decimal("540.12"),
        "price_native": Decimal("0.0000000021"),
        "price_usd": Decimal("0.00000912"),
        "maker": EVM_SWAP["maker"],
        "recipient": EVM_SWAP["recipient"],
        "pool": EVM_SWAP["poolAddress"],
        "transaction": EVM_SWAP["txHash"],
        "transaction_index": 17,
        "block": 23500000,
        "block_hash": EVM_SWAP["blockHash"],
        "token_decimals": 18,
        "token_in": EVM_SWAP["tokenInAddress"],
        "token_out": EVM_SWAP["tokenOutAddress"],
        "amount_in": Decimal(58788 * 10**21),
        "amount_out": Decimal(123456789012345678),
        "dex": "uniswapV2",
        "platform": "uniswap",
        "stream": "evm.token.swaps",
        "receive_timestamp": row["receive_timestamp"],
    }
    assert {name: value for name, value in row.items() if value is not None} == expected


def test_pools_and_balances() -> None:
    tables = to_arrow(EVERYTHING)
    svm, evm = tables["pool_info"].to_pylist()
    assert svm["updated_time"] == MOMENT.replace(microsecond=123000)
    assert svm["price_usd"] == Decimal("0.4321") and svm["liquidity_usd"] is None
    assert evm["total_supply"] == Decimal(42069 * 10**28)
    assert (svm["name"], svm["symbol"], svm["decimals"]) == ("Jupiter", "JUP", 6)
    assert evm["market_cap_usd"] == Decimal("3836692800.5")
    assert (svm["block"], evm["block"]) == (371234567, 23500000)
    balances = {row["stream"]: row for row in tables["balances"].to_pylist()}
    assert len(balances) == 6
    native = balances["svm.wallet.nativeBalance"]
    assert native["token"] is None and native["decimals"] is None
    assert (native["balance"], native["balance_before"]) == (1999995000, 2000000000)
    token = balances["evm.token.balances"]
    assert token["balance"] == Decimal(42069 * 10**28)
    assert token["token"] and token["decimals"] == 18
    assert token["balance_before"] is None and token["block_time"] == MOMENT


def test_every_column_can_be_filled() -> None:
    sent = [*EVERYTHING, swap(blockHash="h")]
    for kind, table in to_arrow(sent).items():
        for name in table.column_names:
            empty = table[name].null_count == len(table)
            assert empty == name.endswith("_text"), (kind, name)


def test_what_has_no_room_stands_as_text() -> None:
    long = "0." + "1" * 31
    events = [swap(priceUsd=long), swap(priceUsd="100000000"), swap(priceUsd="1.50")]
    table = to_arrow(events, "swaps")
    assert table["price_usd"].to_pylist() == [None, None, Decimal("1.5")]
    assert table["price_usd_text"].to_pylist() == [long, "100000000", None]
    field = table.schema.field("price_usd_text")
    assert field.metadata[b"holds"] == (
        b"price_usd where it does not fit decimal128(38, 30), else null"
    )
    assert table.schema.field("price_usd").metadata[b"unit"] == b"USD per token"
    nulls = to_arrow(events, "swaps", overflow="null")
    assert nulls["price_usd"].null_count == 2
    assert not any(name.endswith("_text") for name in nulls.column_names)
    with pytest.raises(codec.RangeError, match=r"price_usd .* has no room") as caught:
        to_arrow([EVERYTHING[-1], *events], "swaps", overflow="raise")
    assert caught.value.index == 1


def test_zeros_at_the_end_need_no_room() -> None:
    zeros = "0" * 60
    events = [
        swap(priceUsd=f"1.5{zeros}"),
        swap(priceUsd=f"0.{zeros}"),
        swap(priceUsd="0e500"),
        swap(priceUsd="9" * 8 + "." + "9" * 30),
        swap(priceUsd="-" + "9" * 8 + "." + "9" * 30),
    ]
    table = to_arrow(events, "swaps", overflow="raise")
    most = Decimal("9" * 8 + "." + "9" * 30)
    assert table["price_usd"].to_pylist() == [
        Decimal("1.5"),
        0,
        0,
        most,
        most.copy_negate(),
    ]


@given(values=st.lists(numbers, max_size=4), precision=st.sampled_from([1, 28]))
def test_any_number_is_exact(values: list[Decimal], precision: int) -> None:
    with decimal.localcontext(decimal.Context(prec=precision)):
        events = [swap(priceUsd=str(value), amountIn=1) for value in values]
        table = to_arrow(events, "swaps")
    texts = table["price_usd_text"].to_pylist()
    for value, cell, text in zip(
        values, table["price_usd"].to_pylist(), texts, strict=True
    ):
        assert (cell is None) != (text is None)
        assert (Decimal(text) if cell is None else cell) == value


@given(values=st.lists(st.integers(0, 10**80), max_size=4))
def test_any_base_units_are_exact(values: list[int]) -> None:
    table = to_arrow([swap(amountIn=value) for value in values], "swaps")
    cells, texts = table["amount_in"].to_pylist(), table["amount_in_text"].to_pylist()
    assert values == [
        int(cell if text is None else text)
        for cell, text in zip(cells, texts, strict=True)
    ]
    assert all(
        (text is not None) == (value >= 10**38)
        for value, text in zip(values, texts, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("slot", "block", 2**63),
        ("slot", "block", 10**400),
        ("blockTime", "block_time", 2**63 // 1000 + 1),
        ("blockTime", "block_time", -(2**63)),
    ],
)
def test_blocks_and_times_beyond_64_bits(name: str, column: str, value: int) -> None:
    events = [swap(), swap(**{name: value})]
    for overflow in ("text", "raise"):
        with pytest.raises(codec.RangeError, match=f"{column} has no room") as caught:
            to_arrow(events, "swaps", overflow=overflow)
        assert caught.value.index == 1 and len(str(caught.value)) < 150
    table = to_arrow(events, "swaps", overflow="null")
    table.validate(full=True)
    assert table[column].null_count == 1


def test_misfits() -> None:
    events = [
        swap(),
        event("?", {}),
        event("alpha.personal", {}),
        swap(slot="x"),
        swap(),
    ]
    with pytest.raises(codec.PayloadError, match=r"event 3: not a SvmSwap: .*slot"):
        to_arrow(events)
    assert len(to_arrow(events, "swaps", on_error="skip")) == 2
    assert len(to_arrow(events, "balances")) == 0


@pytest.mark.parametrize("name", ["kind", "overflow", "on_error"])
def test_options_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is one of"):
        to_arrow([], **{name: "other"})
    if name != "on_error":
        with pytest.raises(ValueError, match=f"{name} is one of"):
            schema(**{"kind": "swaps", name: "other"})


def test_texts_that_are_no_unicode() -> None:
    sent = {**PAYLOADS["svm.token.poolInfo"], "tokenName": "cut \ud83d é"}
    table = to_arrow([event("svm.token.poolInfo", sent)], "pool_info")
    assert table["name"].to_pylist() == ["cut ? é"]


def test_an_unknown_time_of_receipt() -> None:
    table = to_arrow([ShurikenEvent(stream="s", data=swap().data)], "swaps")
    assert table["receive_timestamp"].null_count == 1


def test_columns_need_no_explanation() -> None:
    for kind, table in KINDS.items():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names), kind
        for column in table.columns:
            for path, payloads in ((column.svm, table.svm), (column.evm, table.evm)):
                fields = {name for one in payloads for name in one.__struct_fields__}
                assert path is None or path.partition(".")[0] in fields


def test_polars_and_duckdb_read_the_same(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    duckdb = pytest.importorskip("duckdb")
    tables = to_arrow([*EVERYTHING, swap(priceUsd="1e20")])
    for kind, table in tables.items():
        expected = table.drop_columns(["receive_timestamp"]).to_pylist()
        frame = polars.from_arrow(table)
        rows = frame.drop("receive_timestamp").to_dicts()
        assert rows == expected
        assert frame["receive_timestamp"].dt.timestamp("ns").to_list() == [
            RECEIVED
        ] * len(table)
        path = tmp_path / f"{kind}.parquet"
        frame.write_parquet(path)
        assert polars.read_parquet(path).equals(frame)
        pa.parquet = pytest.importorskip("pyarrow.parquet")
        pa.parquet.write_table(table, path)
        assert pa.parquet.read_table(path).equals(table)
        assert pa.parquet.read_schema(path).metadata[b"kind"] == kind.encode()
        names = [name for name in table.column_names if not name.endswith("time")]
        names.remove("receive_timestamp")
        chosen = ", ".join(names)
        arrow = table  # by this name for DuckDB
        assert len(arrow)
        for source in ("arrow", f"'{path}'"):
            found = duckdb.sql(f"select {chosen} from {source}").fetchall()
            assert found == [tuple(row[name] for name in names) for row in expected]
        seconds = next(name for name in table.column_names if name.endswith("time"))
        found = duckdb.sql(f"select epoch_ms({seconds}) from arrow").fetchall()
        assert found == [(int(row[seconds].timestamp() * 1000),) for row in expected]


def test_the_examples_print_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(__file__).parents[2] / "docs" / "shuriken.md"
    names: dict[str, object] = {}
    for section in ("Payloads", "Tables"):
        text = path.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        exec(compile(example, path, "exec"), names)
        expected = re.findall(r"^# (.*)$", example, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == expected


def test_the_package_says_which_extra_is_missing() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from codec.feeds.shuriken import read_payload\n"
        "try: from codec.feeds.shuriken import to_arrow\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "stork-codec[arrow]" in done.stdout, done.stderr
