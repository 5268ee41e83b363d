"""Archives to export, the rows that the reference finds in them, and readers."""

from __future__ import annotations

from decimal import Context, Decimal
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

import codec
from codec import reference

BEGIN_NS = 1764608698685038908
STEP_NS = 10_000_000
KEY = b"\x07" * 32
OTHER_KEY = b"\x08" * 32
SUBSCRIBED = b'{"type":"subscribe","data":{"id":1}}\n'
LIMIT = 10**38 - 1
EXACT = Context(prec=60)

# timestamp, taxonomy id, asset id, value, market status, receive time
Row: TypeAlias = tuple[int, int, int, Decimal, int | None, int | None]


def message(
    i: int,
    *,
    n_assets: int = 3,
    taxonomy_id: int = 1,
    key: bytes = KEY,
    timestamp_ns: int | None = None,
) -> bytes:
    """A frame: signed in either layout, or unsigned."""
    stamp = BEGIN_NS + i * STEP_NS if timestamp_ns is None else timestamp_ns
    ids = [(7 * i + k) % 500 for k in range(n_assets)]
    values = [(-1) ** k * (10**18 * (k + 1) + i * 999_999_999_999_937) for k in ids]
    if i % 3 == 2:
        entries = ",".join(
            f'{{"id":{a},"v":"{v}"}}' for a, v in zip(ids, values, strict=True)
        )
        return (
            f'{{"type":"unsigned","tax":{taxonomy_id},"ts":{stamp},"a":[{entries}]}}'
        ).encode()
    return codec.to_frame(
        codec.encode(
            ids,
            values,
            timestamp_ns=stamp,
            taxonomy_id=taxonomy_id,
            key=key,
            market_status=[k % 4 for k in ids] if i % 3 else None,
        )
    )


def archive(n: int, start: int = 0, **options: Any) -> bytes:
    """Lines, most of them with a receive time, and one without data among them."""
    parts = []
    for i in range(start, start + n):
        head = b"" if i % 5 == 4 else b"%d " % (BEGIN_NS + i * STEP_NS + 12_345)
        parts.append(head + message(i, **options) + b"\n")
    return b"".join(parts[: n // 2]) + SUBSCRIBED + b"".join(parts[n // 2 :])


def rows(lines: bytes) -> list[Row]:
    """What the reference finds in lines."""
    batch = reference.decode_lines(lines, on_error="skip")
    received = np.repeat(batch.messages["receive_ns"], batch.messages["update_count"])
    return [
        (
            int(update["timestamp_ns"]),
            int(update["taxonomy_id"]),
            int(update["asset_id"]),
            Decimal(value).scaleb(-18, EXACT),
            None if update["market_status"] == 255 else int(update["market_status"]),
            int(receive_ns) or None,
        )
        for update, value, receive_ns in zip(
            batch.updates, reference.as_int(batch.updates), received, strict=True
        )
    ]


def table_rows(table: pa.Table) -> list[Row]:
    """An Arrow table's."""
    columns = [
        table["timestamp"].cast(pa.int64()),
        table["taxonomy_id"],
        table["asset_id"],
        table["value"],
        table["market_status"],
        table["receive_timestamp"].cast(pa.int64()),
    ]
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def by_arrow(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return table_rows(pq.read_table(path))
    if path.suffix in (".arrow", ".feather"):
        return table_rows(pa.ipc.open_file(path).read_all())
    if ".csv" in path.name:
        types = {"value": pa.decimal128(38, 18), "market_status": pa.uint8()}
        table = pa.csv.read_csv(
            path, convert_options=pa.csv.ConvertOptions(column_types=types)
        )
    else:
        table = pa.json.read_json(path)
        value = table["value"].cast(pa.decimal128(38, 18))
        table = table.set_column(table.schema.get_field_index("value"), "value", value)
    return table_rows(
        table.rename_columns([n.removesuffix("_ns") for n in table.column_names])
    )


def by_polars(path: Path) -> list[Row]:
    text = {
        "timestamp_ns": pl.Int64,
        "value": pl.Decimal(38, 18),
        "market_status": pl.UInt8,
        "receive_timestamp_ns": pl.Int64,
    }
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, hive_partitioning=False)
    elif path.suffix in (".arrow", ".feather"):
        frame = pl.read_ipc(path)
    elif ".csv" in path.name:
        frame = pl.read_csv(path, schema_overrides=text)
    else:
        frame = pl.read_ndjson(path, infer_schema_length=None)
        frame = frame.with_columns(pl.col("value").cast(pl.Decimal(38, 18)))
    frame = frame.rename(lambda name: name.removesuffix("_ns"))
    frame = frame.with_columns(pl.col("timestamp", "receive_timestamp").cast(pl.Int64))
    names = ["timestamp", "taxonomy_id", "asset_id", "value", "market_status"]
    return frame.select([*names, "receive_timestamp"]).rows()


def by_duckdb(path: Path) -> list[Row]:
    stamp = "epoch_ns(timestamp), taxonomy_id, asset_id, value, market_status"
    received = "epoch_ns(receive_timestamp)"
    if path.suffix == ".parquet":
        source = f"read_parquet('{path}', hive_partitioning=false)"
    elif path.suffix in (".arrow", ".feather"):
        arrow = pa.ipc.open_file(path).read_all()  # noqa: F841
        source = "arrow"
    else:
        stamp = stamp.replace("epoch_ns(timestamp)", "timestamp_ns")
        received = "receive_timestamp_ns"
        types = (
            "{timestamp_ns: 'BIGINT', taxonomy_id: 'USMALLINT', asset_id: 'USMALLINT',"
            " value: 'DECIMAL(38, 18)', market_status: 'UTINYINT',"
            " receive_timestamp_ns: 'BIGINT'}"
        )
        kind = "read_csv" if ".csv" in path.name else "read_json"
        more = ", header=true" if kind == "read_csv" else ""
        source = f"{kind}('{path}', columns={types}{more})"
    return duckdb.sql(f"select {stamp}, {received} from {source}").fetchall()


READERS = {"pyarrow": by_arrow, "polars": by_polars, "duckdb": by_duckdb}
