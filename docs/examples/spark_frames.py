"""Frames in Parquet to updates in Parquet, on Spark.

python docs/examples/spark_frames.py frames.parquet updates
"""

import os
import sys
from collections.abc import Iterable, Iterator

import pyarrow as pa
from pyspark.sql import SparkSession

import codec

SYMBOLS = codec.Taxonomy({(1, 3): "BTCUSD", (1, 9): "ETHUSD"})
# Spark has no unsigned integers and no nanoseconds.
SCHEMA = pa.schema(
    {
        "timestamp": pa.int64(),
        "taxonomy_id": pa.int32(),
        "asset_id": pa.int32(),
        "symbol": pa.string(),
        "value": pa.decimal128(38, 18),
        "market_status": pa.int16(),
        "receive_timestamp": pa.int64(),
    }
)
SPARK_SCHEMA = (
    "timestamp long, taxonomy_id int, asset_id int, symbol string,"
    " value decimal(38, 18), market_status short, receive_timestamp long"
)


def decode(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for frames in batches:
        updates = codec.decode_frames(frames, taxonomy=SYMBOLS, on_error="skip")
        yield from updates.cast(SCHEMA).to_batches()


def main(source: str, target: str) -> None:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", 4096)
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    frames = spark.read.parquet(source)
    frames.mapInArrow(decode, SPARK_SCHEMA).write.mode("overwrite").parquet(target)
    updates = spark.read.parquet(target)
    updates.printSchema()
    print(f"{updates.count():,} updates")
    updates.select("timestamp", "symbol", "value").sort("timestamp").show(3, False)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
