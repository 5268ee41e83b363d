"""Partitions come out of an S3 server as they come from a disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import pyarrow as pa
import pytest
from recorded import frame_lines, record

import codec
from codec.dask_io import read_errors, read_frames
from codec.errors import MessageError

WHY = "needs S3's packages: pip install --group cluster"
moto = pytest.importorskip("moto.server", reason=WHY)
s3fs = pytest.importorskip("s3fs", reason=WHY)


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, Any]]:
    """A server on loopback, as `storage_options`."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "key": "testing",
        "secret": "testing",
        "client_kwargs": {
            "endpoint_url": f"http://{host}:{port}",
            "region_name": "eu-west-1",
        },
    }
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_segments_and_archives_in_a_bucket(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    lines = frame_lines(2500)
    half = lines.index(b"\n", len(lines) // 2) + 1
    record(tmp_path, [lines[:half], lines[half:]], each_its_frame=True)
    fs = s3fs.S3FileSystem(**options)
    fs.mkdir("archive")
    fs.put([str(path) for path in tmp_path.iterdir()], "archive/segments/")
    fs.pipe("archive/plain/a.ndjson", lines)
    fs.pipe("archive/bad/a.ndjson", lines[:1000] + b"\n?\n")
    expected = codec.decode_lines(lines).to_arrow()
    with dask.config.set(scheduler="threads", num_workers=2):
        for url, blocksize, n_parts in (
            ("s3://archive/plain/a.ndjson", "100 kB", 8),
            ("s3://archive/plain/a.ndjson", None, 1),
            ("s3://archive/plain/*.ndjson", None, 1),
            ("s3://archive/segments", "100 kB", 2),
        ):
            frame = read_frames(url, blocksize=blocksize, storage_options=options)
            assert frame.npartitions == n_parts
            found = pa.Table.from_pandas(frame.compute(), preserve_index=False)
            assert found.equals(expected.cast(found.schema))
        with pytest.raises(MessageError, match=r"^s3://archive/bad/a\.ndjson: line"):
            read_frames("s3://archive/bad", storage_options=options).compute()
        errors = read_errors("s3://archive/bad", storage_options=options).compute()
        assert set(errors["path"]) == {"s3://archive/bad/a.ndjson"}
    with pytest.raises(FileNotFoundError):
        read_frames("s3://archive/missing.ndjson", storage_options=options)
