"""The programs of docs/examples do what docs/cluster.md says of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import codec

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "docs" / "examples"
DOCUMENT = (ROOT / "docs" / "cluster.md").read_text()


def run(name: str, *arguments: str, folder: Path) -> str:
    """A program's output."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with frames.parquet and recordings."""
    folder = tmp_path_factory.mktemp("examples")
    run("make_frames.py", "frames.parquet", "recordings", folder=folder)
    return folder


def check(found: pa.Table, folder: Path) -> None:
    """The same rows as without a cluster, in whatever order and types they come."""
    frames = pq.read_table(folder / "frames.parquet")
    expected = codec.decode_frames(frames, on_error="skip")
    names = ["timestamp", "asset_id", "value", "receive_timestamp"]
    columns = {
        name: found[name].cast(pa.int64()) if "timestamp" in name else found[name]
        for name in names
    }
    columns["asset_id"] = columns["asset_id"].cast(pa.uint16())
    order = [("timestamp", "ascending"), ("asset_id", "ascending")]
    plain = expected.select(names)
    for name in ("timestamp", "receive_timestamp"):
        at = plain.column_names.index(name)
        plain = plain.set_column(at, name, plain[name].cast(pa.int64()))
    plain = plain.sort_by(order)
    table = pa.table(columns).sort_by(order)
    assert table.equals(plain.cast(table.schema))
    symbols = {9: "ETHUSD", 3: "BTCUSD"}
    named = found["symbol"].cast(pa.string()).to_pylist()
    assert named == [symbols[i] for i in found["asset_id"].to_pylist()]


def shown(output: str) -> None:
    """What the document shows of a program's output is what it writes."""
    wanted = [line.rstrip() for line in output.splitlines()]
    assert "\n".join(line for line in wanted if line) in "\n".join(
        line.rstrip() for line in DOCUMENT.splitlines() if line.strip()
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_the_document_has_each_program_as_it_is(path: Path) -> None:
    assert f"```python\n{path.read_text()}```\n" in DOCUMENT


def test_dask(made: Path) -> None:
    output = run("dask_frames.py", "recordings", "updates_dask", folder=made)
    shown(output)
    check(pq.read_table(made / "updates_dask"), made)


def test_ray(made: Path) -> None:
    if find_spec("ray") is None:
        pytest.skip("needs Ray: pip install --group engines")
    shown(run("ray_frames.py", "frames.parquet", "updates_ray", folder=made))
    check(pq.read_table(made / "updates_ray"), made)


def test_spark(made: Path) -> None:
    if find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("needs Spark, and Java: pip install --group engines")
    shown(run("spark_frames.py", "frames.parquet", "updates_spark", folder=made))
    check(pq.read_table(made / "updates_spark"), made)
