"""`stork-codec stats`: what it says of every kind of input, good and bad."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import CONTROL, Terminal
from pictured import BEGIN_NS, MS, ONE, TAXONOMY, line, segments, ticks
from rich.cells import cell_len

import codec
from codec import reference
from codec.cli import main, sparkline
from codec.cli.text import decimal_text, duration_text, short_decimal

Capture = pytest.CaptureFixture[str]
N = 40


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "lines.ndjson"
    path.write_bytes(ticks(N, missing=[7, 8, 20]))
    return path


@pytest.fixture
def taxonomy(tmp_path: Path) -> str:
    path = tmp_path / "taxonomy.json"
    path.write_text(TAXONOMY)
    return str(path)


def stats(capsys: Capture, *argv: object, status: int = 0) -> str:
    """What it prints."""
    assert main(["stats", *map(str, argv)]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return out


def as_json(capsys: Capture, *argv: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stats(capsys, "--json", *argv))
    return found


def failing(capsys: Capture, *argv: object) -> tuple[int, str, str]:
    status = main(["stats", *map(str, argv)])
    return status, *capsys.readouterr()


def test_all_of_it_in_a_pipe(capsys: Capture, plain: Path, taxonomy: str) -> None:
    out = stats(capsys, plain, "--channel", "100ms", "--taxonomy", taxonomy)
    assert "\x1b" not in out and all(row == row.rstrip() for row in out.splitlines())
    rows = {row.split()[0]: row for row in out.splitlines() if row.strip()}
    assert out.startswith(str(plain))
    assert rows["from"].endswith("2025-12-01 17:04:58.685038908 UTC")
    assert rows["to"].endswith("2025-12-01 17:05:02.585038908 UTC  3.900 s")
    assert rows["messages"].split()[1:] == [
        *("37", "9.23/s", "37", "signed,", "layout", "1")
    ]
    assert rows["updates"].split()[1:] == ["148", "36.9/s"]
    assert rows["assets"].split()[1:] == ["4", "taxonomy", "1"]
    assert "3 messages missing in 2 gaps on the 100ms channel" in rows["gaps"]
    assert "300.0 ms at most, from 2025-12-01 17:04:59.285038908 UTC" in rows["silence"]
    assert rows["receive"].endswith("5.00 ms  5.00 ms")
    values = [rows[f"{i}"].split()[:7] for i in (1, 2, 3, 4)]
    assert values == [
        ["1", "BTCUSD", "37", "1", "1.039", "1", "1.039"],
        ["2", "ETHUSD", "37", "2", "2.039", "2", "2.039"],
        ["3", "$SOL$", "37", "3", "3.039", "3", "3.039"],
        ["4", "WTIUSD", "37", "4", "-35.000", "-35", "4.000"],
    ]
    assert "+3.90 %" in rows["1"] and "-975.00 %" in rows["4"]
    assert "▁▁" in rows["1"] and "██" in rows["4"]


def test_json_is_what_the_reference_finds(capsys: Capture, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    text = b"".join(
        line(
            BEGIN_NS + i * MS,
            {int(a): int(v) << int(s) for a, v, s in zip(ids, vs, ss, strict=True)},
            taxonomy_id=int(i % 3 == 0),
        )
        for i in range(60)
        for ids, vs, ss in [
            (
                rng.choice(9, 4, replace=False),
                rng.integers(-(2**62), 2**62, 4),
                rng.integers(0, 65, 4),
            )
        ]
    )
    path = tmp_path / "x.ndjson"
    path.write_bytes(text)
    batch = reference.decode_lines(text)
    found = as_json(capsys, path, "--top", "0")
    assert (found["messages"], found["updates"]) == (60, 240)
    assert found["taxonomies"] == {"0": 40, "1": 20}
    updates, values = batch.updates, reference.as_int(batch.updates)
    assets: dict[tuple[int, int], list[int]] = {}
    for update, value in zip(updates, values, strict=True):
        key = int(update["taxonomy_id"]), int(update["asset_id"])
        assets.setdefault(key, []).append(value)
    assert len(found["assets"]) == len(assets) == found["n_assets"]
    for row in found["assets"]:
        mine = assets[row["taxonomy_id"], row["asset_id"]]
        assert row["updates"] == len(mine)
        names = ("first", "last", "low", "high", "change")
        expected = (mine[0], mine[-1], min(mine), max(mine), mine[-1] - mine[0])
        assert [row[name] for name in names] == list(map(decimal_text, expected))


def test_the_same_from_every_kind_of_input(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    text = ticks(N)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.ndjson").write_bytes(text)
    (tmp_path / "plain" / "b.ndjson").write_bytes(ticks(N, assets=(9,)))
    (tmp_path / "x.gz").write_bytes(gzip.compress(text))
    assert len(segments(tmp_path / "rec", text)) == 3
    expected = as_json(capsys, tmp_path / "plain" / "a.ndjson")
    for name in ("x.gz", "rec", "rec/*.zst", "plain/a*"):
        found = as_json(capsys, tmp_path / name)
        assert found | {"input": ""} == expected | {"input": ""}, name
    found = as_json(capsys, tmp_path / "rec", *(tmp_path / "rec").glob("[!.]*"))
    assert found["messages"] == N  # each file once, and no index
    (index, *_) = sorted((tmp_path / "rec").glob("*.json"))
    status, _, err = failing(capsys, index)
    assert status == 1 and "there is no recording" in err
    both = as_json(capsys, tmp_path / "plain")
    assert both["messages"] == 2 * N and both["n_assets"] == 5
    for name in ("x.gz", "plain/a.ndjson"):
        done = subprocess.run(
            [sys.executable, "-m", "codec", "stats", "-", "--json"],
            input=(tmp_path / name).read_bytes(),
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout) | {"input": ""} == expected | {"input": ""}
        assert json.loads(done.stdout)["input"] == "standard input"


def test_tables(capsys: Capture, tmp_path: Path, plain: Path, taxonomy: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    names = codec.Taxonomy.load(taxonomy)
    table = codec.decode_lines(plain.read_bytes()).to_arrow(names)
    pq.write_table(table, tmp_path / "one.parquet", row_group_size=11)
    pq.write_table(table, tmp_path / "no_suffix")
    with pa.ipc.new_file(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    with pa.ipc.new_stream(tmp_path / "x.ipc", table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    pq.write_to_dataset(table, tmp_path / "parts", partition_cols=["asset_id"])
    folder = tmp_path / "folder"
    folder.mkdir()
    pq.write_table(table.slice(0, 61), folder / "0.parquet")
    pq.write_table(table.slice(61, 1), folder / "1.parquet")
    pq.write_table(table.slice(62, 0), folder / "2.parquet")
    pq.write_table(table.slice(62), folder / "3.parquet")
    expected = as_json(capsys, plain, "--taxonomy", taxonomy, "--channel", "100ms")
    whole = ("kinds", "input")
    for name in ("one.parquet", "no_suffix", "x.arrow", "x.ipc", "folder", "*.parquet"):
        found = as_json(capsys, tmp_path / name, "--channel", "100ms")
        assert found["kinds"] == {"rows of a table": 37}
        assert {k: v for k, v in found.items() if k not in whole} == {
            k: v for k, v in expected.items() if k not in whole
        }, name
    parts = as_json(capsys, tmp_path / "parts")  # their messages are torn apart
    assert parts["assets"] == expected["assets"]
    one = as_json(capsys, tmp_path / "one.parquet", "--symbol", "$SOL$")
    assert [row["symbol"] for row in one["assets"]] == ["$SOL$"]
    start = BEGIN_NS + 10 * 100 * MS
    assert as_json(capsys, tmp_path / "folder", "--from", start)["updates"] == 29 * 4


def test_what_decode_has_written(
    capsys: Capture, tmp_path: Path, plain: Path, taxonomy: str
) -> None:
    pytest.importorskip("pyarrow")
    named = ("--taxonomy", taxonomy)
    expected = as_json(capsys, plain, *named)
    for name, *options in (
        ("x.parquet",),
        ("x.arrow",),
        ("by_day", "--partition", "day"),
        ("by_asset", "--partition", "day,asset"),
    ):
        out = tmp_path / name
        assert main(["decode", str(plain), "-o", str(out), *named, *options]) == 0
        capsys.readouterr()
        found = as_json(capsys, out)
        assert found["assets"] == expected["assets"]
        if name != "by_asset":
            assert found["messages"] == expected["messages"]
            assert found["latency_ns"] == expected["latency_ns"]


def test_what_is_bad_is_counted_by_reason(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    subscribed = b'{"type":"subscribe"}\n'
    path.write_bytes(ticks(3) + b"nonsense\n{\n\n" + subscribed * 2 + b"x\n")
    found = as_json(capsys, path)["bad"]
    assert found == {"invalid_hex": 2, "not_data": 2, "invalid_json": 1, "empty": 1}
    (row,) = [r for r in stats(capsys, path).splitlines() if r.startswith("bad")]
    assert row.split()[:2] == ["bad", "3"]
    assert all(f"{code} {n}" in row for code, n in found.items())


def test_which_assets_and_in_which_order(
    capsys: Capture, tmp_path: Path, taxonomy: str
) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(ticks(9) + line(BEGIN_NS + 9, {3: ONE, 70: 5 * ONE}))

    def ids(*argv: object) -> list[int]:
        assets = as_json(capsys, path, "--taxonomy", taxonomy, *argv)["assets"]
        return [row["asset_id"] for row in assets]

    assert ids() == [3, 1, 2, 4, 70]
    assert ids("--top", "2") == [3, 1]
    assert ids("--sort", "asset") == [1, 2, 3, 4, 70]
    assert ids("--sort", "symbol") == [3, 1, 2, 4, 70]
    assert ids("--sort", "change", "--top", "3") == [4, 1, 2]
    assert ids("--asset", "2-3,70", "--sort", "asset") == [2, 3, 70]
    assert ids("--symbol", "BTCUSD,WTIUSD") == [1, 4]
    out = stats(capsys, path, "--top", "2")
    assert "and 3 more assets: --top" in out
    status, _, err = failing(capsys, path, "--sort", "symbol")
    assert status == 2 and "--sort symbol needs a --taxonomy" in err


def test_only_a_part_of_the_time(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    # Long recordings, so that an index lets parts of them be passed over.
    hour = 3600 * 1000 * MS
    text = ticks(30, step_ns=hour)
    segments(tmp_path / "rec", text, 5)
    (tmp_path / "x.ndjson").write_bytes(ticks(30, step_ns=hour, late_ns=None))
    for name in ("rec", "x.ndjson"):
        start, end = BEGIN_NS + 10 * hour, BEGIN_NS + 20 * hour
        found = as_json(capsys, tmp_path / name, "--from", start, "--to", end)
        assert (found["messages"], found["first_ns"]) == (10, start)
        assert found["last_ns"] == end - hour
    status, out, err = failing(capsys, tmp_path / "rec", "--from", "2030-01-01")
    assert status == 1 and "no update in it" in err and "messages  0" in out


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100, 120, 160, 250])
def test_it_fits_whatever_the_width(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    taxonomy: str,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    path = tmp_path / "x.ndjson"
    values = {1: 97343210057875295129761, 2: -(2**127), 3: 2**127 - 1, 4: 12}
    path.write_bytes(
        b"".join(
            line(BEGIN_NS + i, {a: v // (i + 1) for a, v in values.items()})
            for i in range(50)
        )
    )
    out = stats(capsys, path, "--taxonomy", taxonomy)
    head, *rows = out.splitlines()
    assert head == str(path) and max(map(cell_len, rows)) <= width
    assert "BTCUSD" in out
    if width == 250:
        assert "97343.210057875295129761" in out and "rounded" not in out
    elif width == 80:
        assert "1946.8642" in out and "values are rounded to fit" in out


def test_in_a_terminal(plain: Path) -> None:
    terminal = Terminal("stats", plain, columns=90)
    assert terminal.status() == 0
    text = CONTROL.sub("", terminal.text)
    assert max(len(row.rstrip()) for row in text.splitlines()) <= 90
    assert "▁" in text and "\x1b[32m" in terminal.text


def test_where_there_are_no_blocks(plain: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codec", "stats", str(plain)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert b"_" in done.stdout.splitlines()[-4] and done.stdout.isascii()


def test_damage_is_said_and_the_rest_shown(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    paths = segments(tmp_path / "rec", ticks(N), 4)
    data = bytearray(paths[1].read_bytes())
    data[-1] ^= 1
    paths[1].write_bytes(data)
    status, out, err = failing(capsys, tmp_path / "rec", "--json")
    assert status == 1 and str(paths[1]) in err and "[byte " in err
    assert json.loads(out)["messages"] == 30
    (tmp_path / "cut.gz").write_bytes(gzip.compress(ticks(N))[:-20])
    status, out, err = failing(capsys, tmp_path / "cut.gz")
    assert status == 1 and "has no end" in err and "updates" in out


def test_bad_inputs(capsys: Capture, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    empty = tmp_path / "empty.ndjson"
    empty.write_bytes(b"")
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(b"PAR1 and then nothing")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "a.ndjson").write_bytes(ticks(1))
    (mixed / "b.parquet").write_bytes(torn.read_bytes())
    (tmp_path / "nothing").mkdir()
    for path, expected, text in (
        (empty, 1, f"{empty}: no update in it"),
        (tmp_path / "none.ndjson", 1, "No such file or directory"),
        (tmp_path / "none.parquet", 1, "No such file or directory"),
        (tmp_path / "nothing", 1, "there is no recording"),
        (torn, 1, f"{torn}: this table cannot be read: "),
        (other, 1, f"{other}: no table of updates: it has no column 'timestamp'"),
        (mixed, 2, "recordings and tables, which? Name a file"),
    ):
        status, _, err = failing(capsys, path)
        assert status == expected and text in err, err
        assert "Traceback" not in err
    (tmp_path / "x.ndjson").write_bytes(ticks(1))
    status, out, err = failing(capsys, tmp_path / "x.ndjson", "--asset", "9")
    assert status == 1 and "no update of the assets asked for" in err
    assert "updates   4" in out
    status, _, err = failing(capsys, tmp_path / "x.ndjson", "--symbol", "BTCUSD")
    assert status == 2 and "--taxonomy" in err
    status, _, err = failing(capsys, tmp_path / "x.ndjson", "--top", "-1")
    assert status == 2 and "a number of assets is needed" in err


def test_interrupted_it_shows_what_it_has(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [sys.executable, "-m", "codec", "stats", str(tmp_path / "pipe")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    rows = ticks(N)
    with open(tmp_path / "pipe", "wb", buffering=0) as pipe:
        pipe.write(rows * (3 * 2**20 // len(rows)))
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err == ""
    assert "ended early: this is what was read" in out and "BTCUSD" not in out


def test_without_rich(capsys: Capture, plain: Path) -> None:
    code = (
        "import sys; sys.modules['rich'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'rich' else found(name, *a)\n"
        "import codec.cli.extras as extras; extras.find_spec = u.find_spec\n"
        "from codec.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    run = [sys.executable, "-c", code, "stats", str(plain)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 1 and "stork-codec[cli]" in done.stderr
    done = subprocess.run([*run, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["messages"] == 37


def test_sparklines() -> None:
    nan = np.nan
    draw = sparkline.sparkline
    assert draw(np.array([0, 1, 2, 3, 4, 5, 6, 7.0]), sparkline.BLOCKS) == "▁▂▃▄▅▆▇█"
    assert draw(np.array([5, nan, 5.0]), sparkline.BLOCKS) == "▄ ▄"
    assert draw(np.array([-1e308, 1e308]), sparkline.BLOCKS) == "▁█"
    assert draw(np.array([nan, nan]), sparkline.BLOCKS) == "  "
    assert draw(np.empty(0), sparkline.BLOCKS) == ""
    assert sparkline.ramp("utf-8") == sparkline.BLOCKS
    assert sparkline.ramp("latin-1") == sparkline.ramp(None) == sparkline.PLAIN
    values = np.array([nan, 1, nan, nan, nan, nan, 2, nan])
    pause = np.array([False, False, False, True, True, False, False, False])
    found = sparkline.columns(values, pause, 10).tolist()
    assert np.array_equal(found, [nan, 1, 1, nan, nan, 1, 2, 2], equal_nan=True)
    found = sparkline.columns(values, pause, 4).tolist()
    assert np.array_equal(found, [1, 1, 1, 2], equal_nan=True)
    found = sparkline.columns(values, np.arange(8) // 2 == 2, 4).tolist()
    assert np.array_equal(found, [1, 1, nan, 2], equal_nan=True)
    assert len(sparkline.columns(np.empty(0), np.empty(0, bool), 3)) == 0


def test_a_sparkline_is_blank_in_a_pause_only(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_bytes(ticks(400, assets=(1,), missing=range(100, 200)))
    curve = stats(capsys, path).splitlines()[-1].split("%  ")[1]
    assert len(curve) == 32 and curve[8:16].strip() == ""
    assert " " not in curve[:8] and " " not in curve[16:]
    rows = ticks(40, assets=(1,)).splitlines(keepends=True)
    path.write_bytes(b"".join(row * 2 for row in rows))  # as two feeds have it
    assert " at most" in stats(capsys, path)
    assert " " not in stats(capsys, path).splitlines()[-1].split("%  ")[1]


def test_numbers_as_text() -> None:
    assert short_decimal(0) == "0"
    assert short_decimal(97343210057875295129761) == "97343.2101"
    assert short_decimal(97343210057875295129761, is_grouped=True) == "97,343.2101"
    assert short_decimal(-12344017280871) == "-0.0000123440173"
    assert short_decimal(12) == "1.20000000e-17"
    assert short_decimal(2**127 - 1) == "1.70141183e+20"
    assert short_decimal(10**32) == "100000000000000"
    assert [duration_text(ns) for ns in (0, 999, 1000, 1234567, 119 * 10**9)] == [
        *("0 ns", "999 ns", "1.000 us", "1.235 ms", "119.0 s")
    ]
    assert duration_text(125 * 10**9) == "2 min 5 s"
    assert duration_text(7261 * 10**9) == "2 h 1 min"
    assert duration_text(90 * 86400 * 10**9) == "90 d 0 h"
