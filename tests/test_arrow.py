"""Arrow tables against those that are made of Python's own objects, and in the hands of
the libraries that take them."""

from __future__ import annotations

import subprocess
import sys
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from messages import INT128, UINT16, UINT64, payloads, texts
from signature_cases import GOOD, OTHER_KEY, SIGNER, UNSIGNED, payload

import codec
from codec import RangeError, arrow, reference
from codec.taxonomy import Taxonomy

MOST = 10**38 - 1
EDGES = st.sampled_from(
    [
        MOST,
        MOST + 1,
        -MOST,
        -MOST - 1,
        MOST >> 64 << 64,
        -(MOST >> 64 << 64),
        (MOST >> 64 << 64) - 1,
        -(MOST >> 64 << 64) - 1,
    ]
)
TAXONOMY = Taxonomy({(1, 0): "ZERO", (1, 1): "ONE", (1, 65535): "LAST", (2, 1): "UNO"})
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def many_updates(draw: st.DrawFn) -> Any:
    """Rows of any content."""
    rows = draw(
        st.lists(
            st.tuples(
                INT128 | EDGES,
                UINT64 | st.sampled_from([2**63 - 1, 2**63]),
                st.sampled_from([1, 2, 3]) | UINT16,
                st.sampled_from([0, 1, 65535]) | UINT16,
                st.sampled_from([0, 1, 254, 255]),
            ),
            max_size=40,
        )
    )
    updates = np.zeros(len(rows), codec.UPDATE_DTYPE)
    for place, (value, time, taxonomy_id, asset_id, status) in enumerate(rows):
        halves = (value % 2**64, value >> 64)
        updates[place] = (halves, time, taxonomy_id, asset_id, status)
    return updates


def outcome(call: Any, *args: Any, **options: Any) -> Any:
    """A table, or what is raised."""
    try:
        table = call(*args, **options)
    except RangeError as error:
        return error.index
    table.validate(full=True)
    return table


def assert_equal(found: Any, expected: Any) -> None:
    if isinstance(expected, int):
        assert found == expected
        return
    assert found.schema.equals(expected.schema, check_metadata=True)
    for name in expected.column_names:
        one, other = found[name], expected[name]
        if pa.types.is_dictionary(one.type):  # a dictionary may hold more words
            one, other = one.cast(pa.string()), other.cast(pa.string())
        assert one.equals(other), name


@pytest.mark.parametrize("overflow", ["raise", "null"])
@shared
@given(many_updates(), st.booleans(), st.booleans())
def test_rows_of_any_content(
    isa: str, overflow: str, updates: Any, with_symbols: bool, value_float: bool
) -> None:
    options = {"overflow": overflow, "value_float": value_float}
    taxonomy = TAXONOMY if with_symbols else None
    expected = outcome(reference.to_arrow, updates, None, taxonomy, **options)
    assert_equal(outcome(codec.to_arrow, updates, None, taxonomy, **options), expected)
    strided = np.repeat(updates, 2)[::2]
    assert_equal(outcome(codec.to_arrow, strided, None, taxonomy, **options), expected)


@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("overflow", ["raise", "null"])
@given(st.lists(st.tuples(UINT64, texts()), max_size=6))
def test_batches(layout: Any, overflow: Any, lines: Any) -> None:
    text = "\n".join(f"{time} {line}".replace("\n", " ") for time, line in lines)
    batch = codec.decode_lines(text.encode(), layout=layout)
    expected = reference.decode_lines(text.encode())
    options = {"value_float": True, "overflow": overflow}
    assert_equal(
        outcome(batch.to_arrow, TAXONOMY, **options),
        outcome(expected.to_arrow, TAXONOMY, **options),
    )


@pytest.mark.parametrize("layout", ["rows", "columns"])
@given(st.lists(payloads(), max_size=5))
def test_who_signed(layout: Any, items: list[bytes]) -> None:
    messages = [UNSIGNED, GOOD.hex(), payload(2, OTHER_KEY).hex()]
    messages += [item.hex() for item in items]
    options: Any = {"signers": SIGNER, "on_bad_signature": "mark"}
    table = codec.decode(messages, layout=layout, **options).to_arrow(overflow="null")
    expected = reference.decode(messages, **options).to_arrow(overflow="null")
    assert_equal(table, expected)
    rows = reference.decode(messages[:2]).messages["update_count"].tolist()
    assert table["signer"][rows[0]].as_py() == codec.checksum_address(
        codec.decode(GOOD.hex()).recover()["address"][0]
    )
    assert (
        table["verified"].to_pylist()[: sum(rows)]
        == [False] * rows[0] + [True] * rows[1]
    )


def test_the_schema_depends_on_what_is_asked_for_alone() -> None:
    for n in (0, 3):
        batch = codec.decode([GOOD.hex()] * n, signers=SIGNER)
        for taxonomy in (None, TAXONOMY):
            for value_float in (False, True):
                table = batch.to_arrow(taxonomy, value_float=value_float)
                assert table.schema == arrow.schema(
                    taxonomy=taxonomy is not None,
                    value_float=value_float,
                    signers=True,
                )
    bare = codec.to_arrow(batch.updates)
    assert bare.schema == arrow.schema(messages=False)


def message_lines(n: int) -> bytes:
    return b"".join(
        b"%d %s\n"
        % (
            1764608698685038908 + i,
            codec.to_frame(
                codec.encode(
                    [1, 0, 7],
                    [i * 10**18 + 1, -i, 3],
                    timestamp_ns=1764608698685000000 + i,
                    taxonomy_id=1,
                    key=None,
                    market_status=[1, 255, 0] if i % 2 else None,
                )
            ),
        )
        for i in range(n)
    )


@pytest.fixture(params=["rows", "columns"])
def batch(request: pytest.FixtureRequest) -> codec.Batch:
    return codec.decode_lines(message_lines(200), layout=request.param)


VALUES = [
    Context(prec=60).scaleb(Decimal(value), -18)
    for i in range(200)
    for value in (i * 10**18 + 1, -i, 3)
]


def test_pyarrow_takes_a_batch_as_it_is(batch: codec.Batch) -> None:
    table = pa.table(batch)
    assert table.equals(batch.to_arrow())
    assert table["value"].to_pylist() == VALUES
    reader = pa.RecordBatchReader.from_stream(batch)
    assert reader.read_all().equals(table)


def test_polars_takes_a_batch_as_it_is(batch: codec.Batch) -> None:
    polars = pytest.importorskip("polars", reason="optional: polars is missing")
    frame = polars.DataFrame(batch)
    assert frame["value"].to_list() == VALUES
    assert frame["value"].dtype == polars.Decimal(38, 18)
    assert frame.equals(batch.to_polars())
    named = batch.to_polars(TAXONOMY)
    assert named["symbol"].to_list()[:3] == ["ONE", "ZERO", None]
    received = frame["receive_timestamp"].cast(polars.Int64).to_list()
    assert received[::3] == [1764608698685038908 + i for i in range(200)]


def test_duckdb_takes_a_batch_as_it_is(batch: codec.Batch) -> None:
    duckdb = pytest.importorskip("duckdb", reason="optional: DuckDB is missing")
    with duckdb.connect() as connection:
        found = connection.sql("select value, market_status from batch").fetchall()
        total = connection.sql(
            "select asset_id, sum(value) from batch group by 1 order by 1"
        ).fetchall()
    assert [value for value, _ in found] == VALUES
    assert [status for _, status in found][:6] == [None, None, None, 1, None, 0]
    assert total == [
        (i, sum(VALUES[place::3])) for i, place in ((0, 1), (1, 0), (7, 2))
    ]


def test_pandas(batch: codec.Batch) -> None:
    pandas = pytest.importorskip("pandas", reason="optional: pandas is missing")
    frame = batch.to_pandas(TAXONOMY)
    assert frame["value"].tolist() == VALUES
    assert all(isinstance(dtype, pandas.ArrowDtype) for dtype in frame.dtypes)
    floats = batch.to_pandas(float64=True)
    assert floats["value"].dtype == np.float64
    assert "value_float" not in floats
    assert floats["value"].tolist() == codec.as_float(batch.updates).tolist()
    assert str(floats["timestamp"].dtype) == "datetime64[ns, UTC]"


def test_pandas_floats_where_a_value_is_null() -> None:
    pytest.importorskip("pandas", reason="optional: pandas is missing")
    message = codec.encode([1, 2], [10**38, 5], timestamp_ns=1, taxonomy_id=1, key=None)
    frame = codec.decode(message.hex()).to_pandas(float64=True, overflow="null")
    assert np.isnan(frame["value"][0]) and frame["value"][1] == 5e-18


def test_errors_name_the_row_and_the_way_out() -> None:
    message = codec.encode([1, 2], [5, 10**38], timestamp_ns=1, taxonomy_id=1, key=None)
    batch = codec.decode(message.hex())
    with pytest.raises(
        RangeError,
        match=r"^10{38} does not fit decimal128\(38, 18\), unless overflow='null'"
        r" \[update 1\]$",
    ) as caught:
        batch.to_arrow()
    assert caught.value.index == 1 and isinstance(caught.value, OverflowError)
    late = codec.encode([1], [5], timestamp_ns=2**63, taxonomy_id=1, key=None)
    with pytest.raises(RangeError, match="9223372036854775808 does not fit timestamp"):
        codec.decode(late.hex()).to_arrow()
    with pytest.raises(RangeError, match=r"does not fit timestamp.*\[update 0\]"):
        codec.decode_lines(b"9223372036854775808 " + message_lines(1)[20:]).to_arrow()


def test_a_table_keeps_what_a_decoder_overwrites() -> None:
    decoder = codec.Decoder(layout="columns")
    table = decoder.decode_lines(message_lines(200)).to_arrow()
    rows = codec.Decoder()
    other = rows.decode_lines(message_lines(200)).to_arrow()
    for each in (decoder, rows):
        each.decode_lines(message_lines(400)[5000:].split(b"\n", 1)[1])
    assert table["value"].to_pylist() == VALUES == other["value"].to_pylist()


def test_rows_out_of_a_file(batch: codec.Batch, tmp_path: Path) -> None:
    np.save(tmp_path / "updates.npy", batch.updates)
    updates = np.load(tmp_path / "updates.npy", mmap_mode="r")
    assert type(updates) is np.memmap
    for rows in (updates, updates.view(np.recarray)):
        assert codec.to_arrow(rows, batch.messages).equals(batch.to_arrow())
    with pytest.raises(TypeError, match="updates must be a 1-D array"):
        codec.to_arrow(np.ma.array(batch.updates, mask=True))


def test_arguments_are_checked() -> None:
    batch = codec.decode(GOOD.hex(), signers=SIGNER)
    with pytest.raises(TypeError, match="updates must be a 1-D array"):
        codec.to_arrow(batch.updates["value"])
    with pytest.raises(TypeError, match="messages must be a 1-D array"):
        codec.to_arrow(batch.updates, batch.updates)
    with pytest.raises(ValueError, match="1 updates, but messages with 0"):
        codec.to_arrow(batch.updates[:1], batch.messages[:0])
    with pytest.raises(ValueError, match="overflow is 'raise' or 'null'"):
        batch.to_arrow(overflow="wrap")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="belong together"):
        codec.to_arrow(batch.updates, batch.messages, signers=batch.signers)
    with pytest.raises(ValueError, match="belong together"):
        codec.to_arrow(batch.updates, signers=batch.signers, verified=batch.verified)
    twice = codec.decode([GOOD.hex()] * 2, signers=SIGNER)
    for batch_of in (twice, twice.select([False, False])):
        with pytest.raises(ValueError, match="belong together"):
            codec.to_arrow(
                batch_of.updates, signers=batch_of.signers, verified=batch_of.verified
            )
    with pytest.raises(ValueError, match="2 signers for 1 messages"):
        codec.to_arrow(
            batch.updates,
            batch.messages,
            signers=twice.signers,
            verified=twice.verified,
        )
    with pytest.raises(ValueError, match="2 verified for 1 messages"):
        codec.to_arrow(
            batch.updates,
            batch.messages,
            signers=batch.signers,
            verified=twice.verified,
        )
    with pytest.raises(TypeError, match="verified must be a 1-D array"):
        codec.to_arrow(
            batch.updates,
            batch.messages,
            signers=batch.signers,
            verified=np.array([2]),
        )


def test_without_pyarrow_the_rest_works() -> None:
    code = """
import sys
sys.modules["pyarrow"] = None
import codec
from codec import *
batch = codec.decode("00" * 75)
try:
    batch.to_arrow()
except codec.MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "this needs the package pyarrow: pip install 'stork-codec[arrow]'\n"
    )


def test_pandas_is_loaded_for_pandas_alone() -> None:
    code = f"""
import sys, codec
batch = codec.decode({GOOD.hex()!r}, signers={SIGNER!r}, on_bad_signature="mark")
batch.to_arrow(codec.Taxonomy.example(), value_float=True).validate(full=True)
print("pandas" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
