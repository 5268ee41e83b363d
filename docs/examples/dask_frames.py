"""A recording to updates and to Parquet, on Dask.

python docs/examples/dask_frames.py recordings updates
"""

import sys

from distributed import Client, LocalCluster

import codec
from codec.dask_io import read_errors, read_frames

SYMBOLS = codec.Taxonomy({(1, 3): "BTCUSD", (1, 9): "ETHUSD"})


def main(source: str, target: str) -> None:
    # On a cluster that is there already: Client("tcp://scheduler:8786").
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as it,
        Client(it),
    ):
        updates = read_frames(
            source, taxonomy=SYMBOLS, on_error="skip", blocksize="1 MiB"
        )
        print(f"{updates.npartitions} partitions of")
        print(updates.dtypes.to_string())
        print(f"{len(updates):,} updates")
        highest = updates.groupby("symbol")["value"].max().compute()
        print(highest.to_string())
        updates.to_parquet(target, write_index=False)
        for row in read_errors(source, blocksize="1 MiB").compute().itertuples():
            print(f"line {row.line} after byte {row.begin}: {row.reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
