"""The same rows from workers that are processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from clusters import started
from distributed import Client, LocalCluster
from recorded import KEY, frame_lines, made_segments

import codec
from codec.dask_io import read_errors, read_frames
from codec.errors import MessageError
from codec.taxonomy import Taxonomy

N = 2000


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler that has two workers."""
    with started(tmp_path_factory.mktemp("cluster")) as address:
        yield address


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_segments(tmp_path_factory.mktemp("segments"), N)


def local(folder: Path, **options: Any) -> pa.Table:
    taxonomy = options.pop("taxonomy", None)
    return pa.concat_tables(
        codec.decode_lines(lines, **options).to_arrow(taxonomy)
        for lines in codec.recording.read(folder)
    )


def table(frame: Any) -> pa.Table:
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()


def test_rows_come_from_other_processes(scheduler: str, segments: Path) -> None:
    signer = codec.KnownSigner(
        codec.encode([], [], timestamp_ns=0, taxonomy_id=1, key=KEY)
    )
    options: dict[str, Any] = {"taxonomy": Taxonomy({(1, 1): "BTCUSD"})}
    with Client(scheduler) as client:
        frame = read_frames(segments, **options)
        assert frame.npartitions == len(list(segments.glob("*.zst"))) > 3
        found = table(frame.compute())
        expected = local(segments, **options)
        assert found.equals(expected.cast(found.schema))
        verified = read_frames(segments, signer=[signer], blocksize="64 KiB")
        assert verified.npartitions > frame.npartitions
        assert bool(verified["verified"].all().compute())
        assert len(verified) == 3 * N
        who = client.run(lambda: __import__("os").getpid())
        assert len(set(who.values())) == 2


def test_a_bad_segment_is_named_by_the_client(
    scheduler: str, segments: Path, tmp_path: Path
) -> None:
    lines = frame_lines(40)
    (tmp_path / "a.ndjson").write_bytes(lines)
    (tmp_path / "b.ndjson").write_bytes(lines + b"{\n" + lines)
    with Client(scheduler):
        frame = read_frames(tmp_path)
        assert len(frame.partitions[0]) == 120
        with pytest.raises(MessageError) as raised:
            frame.compute()
        assert str(raised.value).startswith(f"{tmp_path}/b.ndjson: line 41: not a JSON")
        assert len(read_frames(tmp_path, on_error="skip")) == 360
        errors = read_errors(tmp_path).compute()
        assert list(errors["line"]) == [41]
        (tmp_path / "b.ndjson.gz").write_bytes(b"\x1f\x8b\x08\x00")
        with pytest.raises(codec.DamageError, match=rf"{tmp_path}/b\.ndjson\.gz: "):
            read_frames(tmp_path / "b.ndjson.gz").compute()


def test_a_cluster_of_ones_own(segments: Path) -> None:
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster),
    ):
        counts = read_frames(segments).groupby("asset_id").size().compute()
    expected = local(segments).to_pandas().groupby("asset_id").size()
    assert counts.to_dict() == expected.to_dict()
