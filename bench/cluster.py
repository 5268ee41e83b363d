"""Segments to Parquet by Dask: two worker processes against one on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import codec
from bench.rows import Row
from bench.timing import Side, interleave
from bench.workloads import FIRST_NS, KEYS, MIB, STEP_NS, frame_len, signed
from codec.recording.index import Block, Index, write_index
from codec.recording.naming import segment_name
from codec.recording.segment import HEADER, make_compressor
from codec.recording.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ratios import Inputs

__all__ = ["cluster_rows", "make_segments"]

_N_ASSETS = 100
_MAX_POOL_LEN = 64 * MIB
_LEVEL = 3  # a Recorder's
# Each worker has one core to itself, and no library in it more threads than that.
_LIMITED = ("OMP", "OPENBLAS", "MKL")
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIMITED}


def cluster_rows(inputs: Inputs) -> Iterator[Row]:
    """The one row, nothing where Dask is missing or the disk has no room."""
    try:
        import dask.dataframe  # noqa: F401
        import distributed  # noqa: F401
    except ImportError as error:
        print(f"left out, as {error.name} is missing: segments to Parquet by Dask")
        return
    scale = inputs.scale
    with TemporaryDirectory(prefix="stork-codec-bench-") as name:
        folder = Path(name)
        if disk_usage(folder).free < 2 * scale.cluster_len:
            print("left out, as the disk has no room: segments to Parquet by Dask")
            return
        source = folder / "segments"
        n_updates = make_segments(source, scale.cluster_len, scale.segment_len)
        with _cluster(1) as one, _cluster(2) as two:
            over, under = (
                Side(
                    partial(_export, client, source, folder / "out", n_updates),
                    prepare=partial(rmtree, folder / "out", ignore_errors=True),
                )
                for client in (one, two)
            )
            ratio = interleave(over, under, scale.cluster_budget)
    work = (
        f"{scale.cluster_len / MIB:,.0f} MiB of lines (100 assets) in zstd segments of"
        f" {scale.segment_len / MIB:.0f} MiB to Parquet, Dask's worker processes"
    )
    yield Row(work, "one worker / two", ratio, 1.7, 1.9)


def make_segments(folder: Path, text_len: int, segment_len: int) -> int:
    """Segments as a Recorder writes them, of some messages over and over; returns how
    many updates they hold.

    text_len: bytes of lines in all. segment_len: of lines in each.
    """
    folder.mkdir()
    pool_len = min(_MAX_POOL_LEN, segment_len)
    frames = signed(_N_ASSETS, pool_len // frame_len(_N_ASSETS), KEYS[:1]).frames
    lines = b"".join(
        b"%d %s\n" % (FIRST_NS + i * STEP_NS, frame) for i, frame in enumerate(frames)
    )
    compress = make_compressor("zstd", _LEVEL)
    assert compress is not None
    parts = [(compress(part), part) for part in cut(lines, MIB)]
    n_updates = 0
    for number in range(1, max(text_len // segment_len, 1) + 1):
        path = folder / segment_name("bench", FIRST_NS, number, "zstd")
        chosen = [parts[i % len(parts)] for i in range(max(segment_len // MIB, 1))]
        n_updates += _write_segment(path, chosen) * _N_ASSETS
    return n_updates


def _write_segment(path: Path, parts: list[tuple[bytes, bytes]]) -> int:
    """A segment and its index, without digests; returns how many messages it holds.

    parts: whole lines, each with the frame that they become.
    """
    blocks = []
    with open(path, "wb") as file:
        file.write(HEADER)
        for data, text in parts:
            last_ns = FIRST_NS + text.count(b"\n") * STEP_NS
            blocks.append(Block(file.tell(), text.count(b"\n"), FIRST_NS, last_ns))
            file.write(data)
        segment_len = file.tell()
    n_messages = sum(block.n_messages for block in blocks)
    write_index(
        path,
        Index(
            segment=path.name,
            closed="cleanly",
            compression="zstd",
            codec_version=codec.__version__,
            n_messages=n_messages,
            first_receive_ns=FIRST_NS,
            last_receive_ns=FIRST_NS,
            segment_len=segment_len,
            segment_sha256="",
            text_len=sum(len(text) for _, text in parts),
            text_sha256="",
            n_lost=0,
            lost_len=0,
            damage=[],
            blocks=blocks,
        ),
    )
    return n_messages


@contextmanager
def _cluster(n_workers: int) -> Iterator[Any]:
    """A client of that many worker processes, of one thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            env=_ONE_THREAD,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,  # type: ignore[no-untyped-call]
    ):
        client.wait_for_workers(n_workers)
        client.run(_pin)
        yield client


def _pin() -> None:
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def _export(client: Any, source: Path, target: Path, n_updates: int) -> None:
    from codec.dask_io import export

    summary = export(client, source, target)
    assert summary.n_updates == n_updates, "every update is written"
