"""Frames in Parquet to updates in Parquet, on Ray.

python docs/examples/ray_frames.py frames.parquet updates
"""

import sys
from functools import partial

import ray

import codec

SYMBOLS = codec.Taxonomy({(1, 3): "BTCUSD", (1, 9): "ETHUSD"})


def main(source: str, target: str) -> None:
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    decode = partial(codec.decode_frames, taxonomy=SYMBOLS, on_error="skip")
    frames = ray.data.read_parquet(source)
    frames.map_batches(decode, batch_format="pyarrow", batch_size=4096).write_parquet(
        target
    )
    updates = ray.data.read_parquet(target)
    print(updates.schema())
    print(f"{updates.count():,} updates")
    for row in updates.sort("timestamp").take(3):
        print(row["timestamp"], row["symbol"], row["value"])


if __name__ == "__main__":
    main(*sys.argv[1:])
