"""A cluster writes the files that one machine writes, and goes on where it ended."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import started
from commands import run
from distributed import Client
from recorded import frame_lines, made_segments

import codec
from codec.cli import main
from codec.dask_io import export, exporting
from codec.errors import ExportError, MessageError
from codec.export import Options
from codec.export import export as export_here
from codec.taxonomy import Taxonomy

N = 1500


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler that has two workers."""
    with started(tmp_path_factory.mktemp("cluster")) as address:
        yield address


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_segments(tmp_path_factory.mktemp("segments"), N)


def written(folder: Path) -> dict[str, int]:
    """The files of a folder that one sees, and when they were made."""
    return {
        path.name: path.stat().st_mtime_ns
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
    }


def rows(folder: Path) -> pa.Table:
    """All rows, in the order of the files' names."""
    paths = sorted(folder.glob("*.parquet"))
    return pa.concat_tables(pq.read_table(path) for path in paths)


def counts(summary: Any) -> dict[str, Any]:
    values = summary.as_dict()
    return {k: v for k, v in values.items() if k not in ("seconds", "written_len")}


def test_the_files_are_those_of_one_machine(
    scheduler: str, segments: Path, tmp_path: Path
) -> None:
    options = Options(taxonomy=Taxonomy({(1, 1): "BTCUSD"}), assets=[1, 2])
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    expected = export_here(segments, here, options)
    shown: list[tuple[int, int]] = []
    with Client(scheduler, set_as_default=False) as client:
        found = export(
            client, segments, there, options, on_progress=lambda *n: shown.append(n)
        )
    assert list(written(there)) == list(written(here))
    assert rows(there).equals(rows(here))
    assert counts(found) == counts(expected)
    total = sum(path.stat().st_size for path in segments.glob("*.zst"))
    assert shown[0] == (0, total) and shown[-1] == (total, total)
    assert sorted(shown) == shown


def test_blocks_of_a_file_are_numbered(scheduler: str, tmp_path: Path) -> None:
    lines = frame_lines(N)
    (tmp_path / "a.ndjson").write_bytes(lines)
    folder = tmp_path / "out"
    summary = export(scheduler, tmp_path / "a.ndjson", folder, blocksize="100 kB")
    names = [f"a.{i:05}.parquet" for i in range(summary.n_files)]
    assert list(written(folder)) == names and len(names) > 3
    assert rows(folder).equals(codec.decode_lines(lines).to_arrow())
    with pytest.raises(ExportError, match="made with other options"):
        export(scheduler, tmp_path / "a.ndjson", folder)
    export(scheduler, tmp_path / "a.ndjson", folder, force=True)
    assert list(written(folder)) == ["a.parquet"]


def test_a_second_run_does_the_rest(scheduler: str, tmp_path: Path) -> None:
    source, folder = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    good, bad = frame_lines(40), frame_lines(40) + b"?\n"
    for name, lines in (("a", good), ("b", bad), ("c", good)):
        (source / f"{name}.ndjson").write_bytes(lines)
    notes: list[str] = []
    with pytest.raises(MessageError, match=rf"{source}/b\.ndjson: line 41: "):
        export(scheduler, source, folder, on_note=notes.append)
    assert len(notes) == 1 and "line 41" in notes[0]
    before = written(folder)
    assert list(before) == ["a.parquet", "c.parquet"]
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]
    (source / "b.ndjson").write_bytes(good)
    summary = export(scheduler, source, folder)
    assert (summary.n_inputs, summary.n_done, summary.n_files) == (1, 2, 1)
    after = written(folder)
    assert list(after) == ["a.parquet", "b.parquet", "c.parquet"]
    assert before.items() <= after.items()
    assert export(scheduler, source, folder).n_done == 3
    assert written(folder) == after
    # a worker that finished after the run was killed: nobody has noted it as done
    place = folder / ".stork-codec-done.ndjson"
    kept = [x for x in place.read_text().splitlines() if '"b.parquet": -1' in x]
    place.write_text("\n".join(kept) + "\n")
    assert export(scheduler, source / "b.ndjson", folder).n_files == 1
    export(scheduler, source, folder, force=True)
    (folder / "c.parquet").unlink()
    assert export(scheduler, source, folder).n_files == 1
    (folder / "d.parquet").write_bytes(b"a stranger's")
    (source / "d.ndjson").write_bytes(good)
    with pytest.raises(ExportError, match="this exists"):
        export(scheduler, source, folder)
    assert (folder / "d.parquet").read_bytes() == b"a stranger's"


def test_what_is_bad_is_listed_beside_its_file(scheduler: str, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(frame_lines(40) + b"?\n" + frame_lines(2))
    folder = tmp_path / "out"
    summary = export(scheduler, tmp_path / "a.ndjson", folder, Options(on_error="skip"))
    assert list(written(folder)) == ["a.errors.ndjson", "a.parquet"]
    assert dict(summary.bad) == {"invalid_hex": 1}
    (fault,) = map(json.loads, (folder / "a.errors.ndjson").read_text().splitlines())
    assert (fault["line"], fault["code"]) == (41, "invalid_hex")


def test_what_cannot_be(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.ndjson").write_bytes(frame_lines(3))
    both = [tmp_path / "x", tmp_path / "y"]
    with pytest.raises(ExportError, match=r"would both become a\.parquet"):
        export(scheduler, both, tmp_path / "out")
    (tmp_path / "empty.ndjson").touch()
    with pytest.raises(ExportError, match=r"empty\.ndjson: there is nothing in it"):
        export(scheduler, tmp_path / "empty.ndjson", tmp_path / "out")
    with pytest.raises(ExportError, match="gaps"):
        export(scheduler, both[0], tmp_path / "out", Options(period_ns=10**7))
    with pytest.raises(ValueError, match="file_format"):
        export(scheduler, both[0], tmp_path / "out", file_format="?")
    monkeypatch.setattr(exporting, "_CONNECT_S", 0.5)
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        export("tcp://127.0.0.1:9", both[0], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.parquet"))


def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    lines = frame_lines(N) * 4
    for i in range(12):
        (source / f"{i:02}.ndjson").write_bytes(lines)
    (tmp_path / "cluster").mkdir()
    with (
        started(tmp_path / "cluster") as address,
        Client(address, set_as_default=False) as client,
    ):
        victims = list(client.run(os.getpid).values())[:1]

        def kill(n_bytes: int, total: int) -> None:
            if n_bytes and victims:
                os.kill(victims.pop(), signal.SIGKILL)

        summary = export(client, source, tmp_path / "out", on_progress=kill)
    assert not victims
    assert (summary.n_files, summary.n_updates) == (12, 12 * 4 * 3 * N)
    assert rows(tmp_path / "out").num_rows == summary.n_updates


def test_the_command(scheduler: str, segments: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    summary = tmp_path / "summary.json"
    command = ("decode", segments, "-o", f"{folder}/", "--dask", scheduler)
    done = run(*command, "--summary", summary)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^4,500 updates of 7 assets$", done.stderr, re.M)
    assert json.loads(summary.read_text())["n_updates"] == 3 * N
    assert rows(folder).num_rows == 3 * N
    again = run(*command)
    assert again.returncode == 0
    assert "done before" in again.stderr
    (tmp_path / "bad.ndjson").write_bytes(frame_lines(3) + b"?\n")
    bad = run(
        "decode", tmp_path / "bad.ndjson", "-o", f"{tmp_path}/o/", "--dask", scheduler
    )
    assert bad.returncode == 1
    assert f"{tmp_path}/bad.ndjson: line 4: " in bad.stderr
    assert "Traceback" not in bad.stderr


def test_what_does_not_go_with_a_cluster(
    segments: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "tcp://127.0.0.1:9"
    command = ["decode", str(segments), "--dask", address, "-o"]
    for more in (["--channel", "10ms"], ["--partition", "day"], ["--errors", "e"]):
        assert main([*command, f"{tmp_path}/out/", *more]) == 2
        assert "does not go with --dask" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "a.parquet")]) == 2
    assert "needs a folder" in capsys.readouterr().err
    assert main(["decode", "-", "--dask", address, "-o", f"{tmp_path}/out/"]) == 2
    assert not list(tmp_path.iterdir())
