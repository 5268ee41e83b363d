"""Folders of outputs and partitions: what is done stays done, crashes leave no half."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from exported import (
    BEGIN_NS,
    READERS,
    Row,
    archive,
    by_arrow,
    message,
    rows,
    table_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import record

import codec
from codec.errors import ExportError, MessageError
from codec.export import Options, export, partitioning, places, staging
from codec.export.resuming import LIST

DAY_NS = 86_400 * 10**9
SKIP = Options(on_error="skip")


def visible(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != LIST
    )


def number(name: str) -> str:
    """The sequence number in a segment's name, or in that of what it became."""
    return name.removesuffix(".parquet").rpartition("-")[2]


def days_archive(n: int, start: int = 0) -> bytes:
    """Messages eight hours apart, of two taxonomies."""
    return b"".join(
        b"%s\n"
        % message(i, taxonomy_id=1 + i % 2, timestamp_ns=BEGIN_NS + i * DAY_NS // 3)
        for i in range(start, start + n)
    )


def partition_of(row: Row, parts: list[str]) -> str:
    day = str(pa.scalar(row[0], pa.timestamp("ns")).as_py())[:10]
    names = {"day": f"day={day}", "asset": f"asset={row[1]}-{row[2]}"}
    return "/".join(names[part] for part in ("day", "asset") if part in parts)


def partitions_of(lines: bytes, parts: list[str]) -> dict[str, list[Row]]:
    wanted: dict[str, list[Row]] = {}
    for row in rows(lines):
        wanted.setdefault(partition_of(row, parts), []).append(row)
    return wanted


def test_a_file_for_each_input(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    record(folder, [archive(100)], max_segment_len=6_000)
    segments = sorted(folder.glob("*.zst"))
    assert len(segments) > 3
    summary = export(folder, f"{out}/")
    assert (summary.n_inputs, summary.n_done, summary.n_files) == (
        len(segments),
        0,
        len(segments),
    )
    names = visible(out)
    assert names == sorted(f"{path.name[:-11]}.parquet" for path in segments)
    names.sort(key=number)
    read = [row for name in names for row in by_arrow(out / name)]
    assert read == rows(archive(100))
    before = {name: (out / name).stat().st_mtime_ns for name in names}
    # Once more, with one output gone and one input more: the rest is left alone.
    (out / names[1]).unlink()
    record(folder, [archive(10, 100)])
    summary = export(folder, out)
    assert (summary.n_inputs, summary.n_done) == (2, len(segments) - 1)
    assert len(visible(out)) == len(segments) + 1
    for name in names[2:]:
        assert (out / name).stat().st_mtime_ns == before[name]
    names = sorted(visible(out), key=number)
    read = [row for name in names for row in by_arrow(out / name)]
    assert read == rows(archive(100)) + rows(archive(10, 100))
    # Copied elsewhere a segment is still the same, by its digest.
    shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copy)
    assert export(tmp_path / "copy", out).n_done == len(segments) + 1


def test_a_changed_input_is_done_anew(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(archive(5))
    for n in (5, 5, 9):
        path.write_bytes(archive(n))
        assert export(path, f"{out}/").n_done == 0
        assert by_arrow(out / "a.parquet") == rows(archive(n))
    assert export(path, out).n_done == 1


def test_other_options_want_another_folder(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(archive(5))
    export(path, f"{out}/")
    for options in (Options(assets=[7]), Options(end_ns=5), Options(value_float=True)):
        with pytest.raises(ExportError, match="made with other options"):
            export(path, out, options)
    assert export(path, out, SKIP).n_done == 1  # makes no other rows
    summary = export(path, out, Options(assets=[7]), force=True)
    assert (summary.n_done, summary.n_inputs) == (0, 1)
    with pytest.raises(ExportError, match="made with other options"):
        export(path, out)


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(archive(5))
    out.mkdir()
    (out / "a.parquet").write_bytes(b"mine")
    with pytest.raises(ExportError, match="exists; --force"):
        export(path, out)
    assert (out / "a.parquet").read_bytes() == b"mine"
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.ndjson.gz").write_bytes(b"")
    with pytest.raises(ExportError, match="would both become"):
        export([path, tmp_path / "more" / "a.ndjson.gz"], out)
    with pytest.raises(ExportError, match="its own list of errors"):
        export(path, out, errors=tmp_path / "x")
    with pytest.raises(ExportError, match="a folder"):
        export(path, path, partition=["day"])


def test_what_was_complete_is_kept(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(4):
        (folder / f"{i}.ndjson").write_bytes(archive(4, i))
    (folder / "2.ndjson").write_bytes(archive(4) + b"zz\n")
    with pytest.raises(MessageError, match=r"2\.ndjson: line 6"):
        export(folder, f"{out}/")
    assert visible(out) == ["0.parquet", "1.parquet"]
    summary = export(folder, out, SKIP)
    assert (summary.n_done, summary.n_inputs, summary.n_bad) == (2, 2, 1)
    assert visible(out) == [
        "0.parquet",
        "1.parquet",
        "2.errors.ndjson",
        "2.parquet",
        "3.parquet",
    ]


def test_a_list_that_a_crash_has_cut(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.ndjson").write_bytes(archive(4, i))
    export(folder, f"{out}/")
    data = (out / LIST).read_bytes()
    (out / LIST).write_bytes(data[:-30])  # which was before the file had its name
    (out / "2.parquet").unlink()
    assert export(folder, out).n_done == 2
    assert export(folder, out).n_done == 3
    (out / LIST).write_bytes(b'{}\n[1]\n"x"\nnull\n' + (out / LIST).read_bytes())
    assert export(folder, out).n_done == 3


def test_stale_files_go_and_living_ones_stay(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(archive(5))
    out.mkdir()
    (out / ".a.parquet.01234567.tmp").write_bytes(b"half")
    (out / ".b[1].csv.01234567.tmp").write_bytes(b"half")
    notes: list[str] = []
    export(path, out, on_note=notes.append)
    assert visible(out) == ["a.parquet"] and len(notes) == 2
    stale = tmp_path / ".b[1].csv.01234567.tmp"
    stale.write_bytes(b"half")
    with open(stale, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ExportError, match="another run is writing this"):
            export(path, tmp_path / "b[1].csv")
    export(path, tmp_path / "b[1].csv", on_note=notes.append)
    assert not stale.exists() and len(notes) == 3
    with open(out / LIST, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for parts in ((), ("day",)):
            with pytest.raises(ExportError, match="another run is writing here"):
                export(path, out, partition=parts)


@pytest.mark.parametrize("parts", [["day"], ["asset"], ["asset", "day"]])
@pytest.mark.parametrize("file_format", ["parquet", "csv"])
def test_partitions(tmp_path: Path, parts: list[str], file_format: str) -> None:
    lines = days_archive(120)
    (tmp_path / "a").write_bytes(lines)
    out = tmp_path / "out"
    summary = export(tmp_path / "a", out, partition=parts, file_format=file_format)
    wanted = partitions_of(lines, parts)
    assert visible(out) == sorted(
        f"{name}/part-000001.{file_format}" for name in wanted
    )
    assert summary.n_files == len(wanted)
    for name, expected in list(wanted.items())[:40]:
        path = out / name / f"part-000001.{file_format}"
        for read in READERS.values() if name == next(iter(wanted)) else [by_arrow]:
            assert read(path) == expected


def test_partitions_read_as_one(tmp_path: Path) -> None:
    """By their hive columns, too."""
    lines = days_archive(60)
    (tmp_path / "a").write_bytes(lines)
    out = tmp_path / "out"
    export(tmp_path / "a", out, partition=["day", "asset"])
    everything = sorted(rows(lines), key=repr)
    table = ds.dataset(out, partitioning="hive").to_table()
    assert sorted(table_rows(table), key=repr) == everything
    frame = pl.read_parquet(out / "**/*.parquet", hive_partitioning=True)
    assert len(frame) == len(everything)
    row = everything[17]
    day, asset = partition_of(row, ["day", "asset"]).split("/")
    n = sum(partition_of(other, ["asset"]) == asset for other in everything)
    source = f"read_parquet('{out}/**/*.parquet')"
    query = f"select count(*), min(day)::varchar from {source} where asset = "
    (found,) = duckdb.sql(f"{query} '{asset[6:]}'").fetchall()
    assert found[0] == n
    assert frame.filter(pl.col("asset") == asset[6:]).height == n
    assert (
        ds.dataset(out, partitioning="hive").count_rows(
            filter=ds.field("asset") == asset[6:]
        )
        == n
    )
    assert (
        day[4:] in duckdb.sql(f"select distinct day::varchar from {source}").df().values
    )


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=80),
    st.integers(2, 30),
    st.integers(2, 4),
)
def test_partitions_by_external_sort(
    tmp_path_factory: pytest.TempPathFactory,
    messages: list[tuple[int, int]],
    run_len: int,
    max_runs: int,
) -> None:
    """Whatever the lengths of runs: all rows, in order, each file written once."""
    folder = tmp_path_factory.mktemp("sort")
    lines = b"".join(
        message(
            i,
            taxonomy_id=taxonomy_id,
            timestamp_ns=BEGIN_NS + day * DAY_NS + i,
        )
        + b"\n"
        for i, (day, taxonomy_id) in enumerate(messages)
    )
    writer = partitioning.PartitionedWriter(
        folder / "files",
        folder,
        Options().schema(),
        ["day", "asset"],
        "x",
        "parquet",
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(partitioning, "_RUN_LEN", run_len)
    patch.setattr(partitioning, "_MAX_RUNS", max_runs)
    patch.setattr(partitioning, "_BATCH_LEN", 3)
    with patch.context():
        for line in lines.splitlines():
            writer.write(codec.decode_lines(line).to_arrow())
        writer.close()
    patch.undo()
    assert not list(folder.glob("run-*"))
    wanted = partitions_of(lines, ["day", "asset"])
    assert sorted(map(str, writer.written)) == sorted(f"{n}/x.parquet" for n in wanted)
    for name, expected in wanted.items():
        assert by_arrow(folder / "files" / name / "x.parquet") == expected


def test_times_beyond_arrow_have_a_partition(tmp_path: Path) -> None:
    lines = message(0) + b"\n" + message(1, timestamp_ns=2**63 + 5) + b"\n"
    (tmp_path / "a").write_bytes(lines)
    out = tmp_path / "out"
    export(tmp_path / "a", out, Options(overflow="null"), partition=["day"])
    assert visible(out) == [
        "day=2025-12-01/part-000001.parquet",
        "day=__HIVE_DEFAULT_PARTITION__/part-000001.parquet",
    ]


def test_partitions_are_added_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for i in range(3):
        (tmp_path / f"{i}.ndjson").write_bytes(days_archive(12, 6 * i) + b"zz\n")
        inputs = tmp_path / "*.ndjson"
        summary = export(inputs, out, SKIP, partition=["day"])
        assert (summary.n_done, summary.n_inputs) == (i, 1)
        entry = json.loads((out / f"part-{i + 1:06}.errors.ndjson").read_text())
        assert entry["file"].endswith(f"{i}.ndjson")
    assert export(inputs, out, SKIP, partition=["day"]).n_done == 3
    table = ds.dataset(sorted(out.rglob("*.parquet"))).to_table()
    everything = b"".join(days_archive(12, 6 * i) for i in range(3))
    assert sorted(table_rows(table), key=repr) == sorted(rows(everything), key=repr)
    with pytest.raises(ExportError, match="made with other options"):
        export(inputs, out, SKIP, partition=["asset"])
    with pytest.raises(ExportError, match="only added to"):
        export(inputs, out, SKIP, partition=["day"], force=True)
    with pytest.raises(ValueError, match="partition is made of"):
        export(inputs, out, SKIP, partition=["hour"])


def test_a_crash_before_a_file_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    for n in (4, 6):
        path.write_bytes(archive(n))

        def rename(source: Any, target: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(places.os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            export(path, f"{out}/")
        monkeypatch.undo()
        assert visible(out) == []
        assert export(path, f"{out}/").n_done == 0
        assert by_arrow(out / "a.parquet") == rows(archive(n))


@pytest.mark.parametrize("n_moves", [0, 1, 3])
def test_a_crash_while_files_are_moved(
    tmp_path: Path, n_moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run moves the rest, and takes the inputs for done."""
    lines = days_archive(12)
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(lines)
    real, calls = os.rename, []

    def rename(source: Any, target: Any) -> None:
        if ".ready" in str(source):
            calls.append(source)
            if len(calls) > n_moves:
                raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(staging.os, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        export(path, out, partition=["day"])
    monkeypatch.undo()
    notes: list[str] = []
    assert export(path, out, partition=["day"], on_note=notes.append).n_done == 1
    assert notes == [f"{out}: finished what a killed run had made ready"]
    table = ds.dataset(sorted(out.rglob("*.parquet"))).to_table()
    assert sorted(table_rows(table), key=repr) == sorted(rows(lines), key=repr)
    assert not list(out.glob(".*ready"))


def test_a_failed_run_leaves_no_partition(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ndjson", tmp_path / "out"
    path.write_bytes(days_archive(12) + b"zz\n")
    with pytest.raises(MessageError):
        export(path, out, partition=["day"])
    assert visible(out) == []
    (out / ".01234567.staging.tmp" / "day=x").mkdir(parents=True)
    notes: list[str] = []
    export(path, out, SKIP, partition=["day"], on_note=notes.append)
    assert notes == [f"{out}: removed the unfinished files of a killed run"]
    assert not list(out.glob(".*.tmp"))
    assert len(visible(out)) == 6
