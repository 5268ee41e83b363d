"""Writes signed frames as archives have them: a Parquet file, and a recording.

python docs/examples/make_frames.py frames.parquet recordings
"""

import sys

import pyarrow as pa
import pyarrow.parquet as pq

import codec
from codec.recording import Recorder

N_MESSAGES = 20_000
FIRST_NS = 1764608698685038908
KEY = bytes([7]) * 32


def main(table: str, folder: str) -> None:
    frames, times = [], []
    for i in range(N_MESSAGES):
        timestamp_ns = FIRST_NS + i * 10_000_000
        values = [(90_000 + i % 7) * 10**18 + i, 3_000 * 10**18 - i]
        payload = codec.encode(
            [3, 9], values, timestamp_ns=timestamp_ns, taxonomy_id=1, key=KEY
        )
        frames.append(codec.to_frame(payload))
        times.append(timestamp_ns + 250_000)
    frames[123] = b'{"type":"subscribe"}'  # what a capture may have, too
    frames[456] = frames[456][:100]
    columns = {"receive_ns": pa.array(times, pa.int64()), "frame": frames}
    pq.write_table(pa.table(columns), table, row_group_size=5_000)
    with Recorder(folder) as recorder:
        for time, frame in zip(times, frames, strict=True):
            recorder.write(b"%d %s\n" % (time, frame), 1)
    print(f"{N_MESSAGES:,} frames in {table} and in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
