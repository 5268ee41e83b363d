"""`stork-codec decode`: pipes, signals, full disks, and what it says about them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
import zstandard
from commands import COMMAND, Terminal, environment
from exported import (
    BEGIN_NS,
    KEY,
    STEP_NS,
    archive,
    by_arrow,
    by_duckdb,
    by_polars,
    rows,
    table_rows,
)
from recorded import record, wait_for
from signed_payloads import address_of

import codec
from codec.cli import main

SIGNER = codec.checksum_address(address_of(KEY))
LINES = archive(60)
N_UPDATES = 180
NOBODY = 65534


def decode(*args: object, data: bytes | None = None, **options: Any) -> Any:
    """The command to its end: exit status, standard output, lines of standard error.

    A process of its own only where it has standard input, or options of a process.
    """
    argv = ["decode", *map(str, args)]
    if data is None and not options:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            status = main(argv)
        return status, b"", err.getvalue().splitlines()
    done = subprocess.run(
        [*COMMAND, *argv],
        input=data or b"",
        capture_output=True,
        env=environment(),
        timeout=120,
        check=False,
        **options,
    )
    return done.returncode, done.stdout, done.stderr.decode().splitlines()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.ndjson").write_bytes(LINES)
    return tmp_path / "a.ndjson"


def test_a_file_and_a_summary(path: Path, tmp_path: Path) -> None:
    output, summary = tmp_path / "out.parquet", tmp_path / "summary.json"
    status, out, err = decode(
        path, "-o", output, "--channel", "10ms", "--summary", summary
    )
    assert (status, out) == (0, b"")
    for read in (by_arrow, by_polars, by_duckdb):
        assert read(output) == rows(LINES)
    n_assets = len({row[1:3] for row in rows(LINES)})
    size = len(LINES) / 1024
    assert err[:5] == [
        f"60 messages in 1 input ({size:.1f} KiB)",
        f"180 updates of {n_assets} assets",
        "2025-12-01 17:04:58.685038908 UTC to 2025-12-01 17:04:59.275038908 UTC",
        "without data: 1 not_data",
        "none bad",
    ]
    assert err[5] == "no gaps"
    assert re.fullmatch(r"1 file, [\d.]+ KiB, \d\.\d\d s: [\d,]+ updates/s", err[6])
    values = json.loads(summary.read_text())
    assert values["n_updates"] == 180 and values["passed"] == {"not_data": 1}
    assert values["first_ns"] == BEGIN_NS and values["n_gaps"] == 0


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
@pytest.mark.parametrize("file_format", ["ndjson", "csv", "arrow"])
def test_from_a_pipe_to_a_pipe(pack: Any, file_format: str, tmp_path: Path) -> None:
    status, out, _ = decode("-", "-o", "-", "--format", file_format, data=pack(LINES))
    assert status == 0
    if file_format == "arrow":
        assert table_rows(pa.ipc.open_stream(out).read_all()) == rows(LINES)
        return
    (tmp_path / f"x.{file_format}").write_bytes(out)
    assert by_arrow(tmp_path / f"x.{file_format}") == rows(LINES)


def test_options_reach_the_rows(path: Path, tmp_path: Path) -> None:
    symbols = tmp_path / "symbols.csv"
    symbols.write_text("taxonomy_id,asset_id,symbol\n1,7,BTCUSD\n1,8,ETHUSD\n")
    start, end = BEGIN_NS + STEP_NS, BEGIN_NS + 3 * STEP_NS
    output = tmp_path / "out.parquet"
    status, _, err = decode(
        path,
        *("-o", output, "--taxonomy", symbols, "--symbol", "BTCUSD", "--asset", "9-14"),
        *("--from", start, "--to", end, "--value-float", "--verify", SIGNER),
        *("--on-bad-signature", "drop", "--threads", "1"),
    )
    assert status == 0, err
    frame = pl.read_parquet(output)
    wanted = [
        row for row in rows(LINES) if start <= row[0] < end and row[2] in range(7, 15)
    ]
    wanted = [row for row in wanted if row[2] != 8 and (row[0] - BEGIN_NS) % 3 != 2]
    wanted = [row for row in wanted if row[0] == start]  # the other one is unsigned
    assert frame["asset_id"].to_list() == [row[2] for row in wanted]
    assert frame["symbol"].to_list() == ["BTCUSD", None]
    assert frame["value_float"].to_list() == [float(row[3]) for row in wanted]
    assert frame["signer"].to_list() == [SIGNER] * 2 and frame["verified"].all()
    assert any(line.startswith("bad: ") and "unsigned" in line for line in err)
    listed = (tmp_path / "out.errors.ndjson").read_text().splitlines()
    assert len(listed) == 20 and all("unsigned" in line for line in listed)


def test_a_bad_line_ends_it(path: Path, tmp_path: Path) -> None:
    path.write_bytes(LINES + b'17 {"type":"unsigned"}\n' + LINES)
    output = tmp_path / "out.parquet"
    status, _, err = decode(path, "-o", output)
    assert status == 1
    assert err == [
        f"stork-codec: {path}: line 62: a field is missing that messages"
        " of this type have [missing_field, byte 0 of the message;"
        f" the line begins at byte {len(LINES)}]"
    ]
    assert files(tmp_path) == ["a.ndjson"]
    status, _, err = decode(path, "-o", output, "--on-error", "skip")
    assert status == 0 and "bad: 1 missing_field" in err
    (entry,) = map(
        json.loads, (tmp_path / "out.errors.ndjson").read_text().splitlines()
    )
    assert entry == {
        "file": str(path),
        "line": 62,
        "byte": 0,
        "byte_of": "message",
        "line_offset": len(LINES),
        "code": "missing_field",
        "reason": codec.ErrorCode.MISSING_FIELD.description,
        "text": '{"type":"unsigned"}',
    }


@pytest.mark.parametrize(
    ("pack", "words"),
    [(gzip.compress, "the gzip member has no end"), (zstandard.compress, "within a f")],
)
def test_truncated(path: Path, tmp_path: Path, pack: Any, words: str) -> None:
    path.write_bytes(pack(LINES)[:-300])
    status, _, (line,) = decode(path, "-o", tmp_path / "out.parquet")
    assert status == 1 and words in line and f"{path}: " in line
    assert files(tmp_path) == ["a.ndjson"]
    status, _, err = decode("-", "-o", tmp_path / "out.csv", data=path.read_bytes())
    assert status == 1 and "standard input: " in err[0]
    assert files(tmp_path) == ["a.ndjson"]
    status, _, err = decode(path, "-o", tmp_path / "out.parquet", "--on-error", "skip")
    assert status == 0 and "damaged: 1 place" in err


def test_a_segment_cut_within_a_line(tmp_path: Path) -> None:
    (segment,) = record(tmp_path / "in", [LINES], compression="none")
    segment.write_bytes(LINES[:-30])
    output = tmp_path / "out.parquet"
    status, _, (line,) = decode(tmp_path / "in", "-o", output)
    assert status == 1 and f"{segment}: line 61: " in line
    assert "which has no end: is the file cut short?" in line
    status, _, err = decode(tmp_path / "in", "-o", output, "--on-error", "skip")
    assert status == 0 and by_arrow(output) == rows(LINES)[:-3]
    # Of one that was never closed the torn end is expected.
    segment.rename(f"{segment}.part")
    output.unlink()
    status, _, err = decode(tmp_path / "in", "-o", output)
    assert status == 0 and by_arrow(output) == rows(LINES)[:-3]
    assert err[0].startswith(f"stork-codec: unfinished, {segment}.part: the last line")


def test_mixed_kinds(path: Path, tmp_path: Path) -> None:
    zipped = tmp_path / "b.gz"
    zipped.write_bytes(gzip.compress(LINES))
    output = tmp_path / "out.parquet"
    assert decode(path, zipped, "-", "-o", output, data=LINES)[0] == 0
    assert by_arrow(output) == rows(LINES) * 3
    for bad, words in (
        (output, "this is a Parquet file"),
        (tmp_path / "picture", "a picture"),
        (tmp_path / "empty-folder", "there is no recording"),
        (tmp_path / "missing", "No such file"),
    ):
        if bad.name == "picture":
            bad.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90))
        if bad.name == "empty-folder":
            bad.mkdir()
        status, _, err = decode(path, bad, "-o", tmp_path / "new.csv")
        assert status == 1 and len(err) == 1 and words in err[0] and str(bad) in err[0]
    (tmp_path / "empty").write_bytes(b"")
    for source in (tmp_path / "empty", "-"):
        status, _, (line,) = decode(source, "-o", tmp_path / "new.csv")
        assert status == 1 and "there is nothing in it" in line
    assert "new.csv" not in files(tmp_path)
    assert decode(path, tmp_path / "empty", "-o", tmp_path / "new.csv")[0] == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-o", "x.txt"], "says no format"),
        (["-o", "a.ndjson"], "this is an input"),
        (["-o", "-", "--format", "parquet"], "cannot be written to standard output"),
        (["-o", "x/"], "would both become"),
        (["-o", "there.csv"], "this exists; --force"),
    ],
)
def test_outputs_that_cannot_be(
    path: Path, tmp_path: Path, args: list[str], words: str
) -> None:
    (tmp_path / "there.csv").write_bytes(b"mine")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.ndjson").write_bytes(LINES)
    before = files(tmp_path)
    inputs = [path] if args != ["-o", "x/"] else [path, tmp_path / "b" / "a.ndjson"]
    status, _, (line,) = decode(*inputs, *args, cwd=tmp_path)
    assert status == 1 and words in line
    assert files(tmp_path) == before
    assert (tmp_path / "there.csv").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["-o", "x.csv", "--format", "xml"],
        ["-o", "x.csv", "--on-bad-signature", "drop"],
        ["-o", "-", "--partition", "day"],
        ["-o", "x", "--partition", "hour"],
        ["-o", "x.csv", "--symbol", "BTCUSD"],
        ["-o", "x.csv", "--asset", "x"],
        ["-o", "x.csv", "--verify", "0x12"],
        ["-o", "x.csv", "--from", "noon"],
    ],
)
def test_wrong_usage(
    path: Path, args: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(path), *args]) == 2
    assert "stork-codec" in capsys.readouterr().err
    assert files(path.parent) == ["a.ndjson"]


# Nobody may not even look where the packages are.
AS_NOBODY = f"""
import os, sys
from codec.cli import main
from codec.cli.terminal import console
console().print(end="")
source, warm, *argv = sys.argv[1:]
assert main(["decode", source, "-o", warm]) == 0  # all is imported
print("now", file=sys.stderr)
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
sys.exit(main(["decode", *argv]))
"""


def test_no_permission(path: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody who may do less")
    free, closed = tmp_path / "free", tmp_path / "closed"
    for folder in (free, closed):
        folder.mkdir()
    free.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    readable = tmp_path / "readable.ndjson"
    readable.write_bytes(LINES)
    path.chmod(0o600)

    def run(*args: object) -> tuple[int, list[str]]:
        argv = [sys.executable, "-c", AS_NOBODY, path, tmp_path / "warm.csv", *args]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        (tmp_path / "warm.csv").unlink()
        return done.returncode, done.stderr.partition("now\n")[2].splitlines()

    status, err = run(path, "-o", free / "x.csv")
    assert status == 1
    assert err == [f"stork-codec: [Errno 13] Permission denied: '{path}'"]
    status, err = run(readable, "-o", closed / "x.csv")
    assert status == 1 and len(err) == 1 and "Permission denied" in err[0]
    assert files(closed) == [] and files(free) == []
    assert run(readable, "-o", free / "x.csv")[0] == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def many(path: Path, n_times: int = 300) -> Path:
    big = path.with_name("big.ndjson.zst")
    big.write_bytes(zstandard.compress(archive(200, n_assets=20)) * n_times)
    return big


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".ndjson", ".csv.gz"])
def test_a_full_disk(path: Path, small_disk: Path, suffix: str) -> None:
    status, _, err = decode(many(path), "-o", small_disk / f"x{suffix}")
    assert status == 1
    assert len(err) == 1 and "No space left on device" in err[0]
    assert files(small_disk) == []


def test_a_full_disk_keeps_what_is_complete(path: Path, small_disk: Path) -> None:
    inputs, output = [path, many(path)], small_disk / "out"
    status, _, err = decode(*inputs, "-o", f"{output}/")
    assert status == 1 and "No space left on device" in err[0]
    assert by_arrow(output / "a.parquet") == rows(LINES)
    assert len(files(output)) == 2
    for part in ("day", "asset"):
        place = small_disk / part
        status, _, err = decode(*inputs, "-o", place, "--partition", part)
        assert status == 1 and "No space left on device" in err[0], err
        assert len(err) == 1
        assert all(name.startswith(".stork-codec") for name in files(place))


def test_a_file_that_may_not_grow(path: Path, tmp_path: Path) -> None:
    big, output = many(path), tmp_path / "x.parquet"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    status, _, err = decode(big, "-o", output, preexec_fn=limit)
    assert status == 1 and len(err) == 1 and "File too large" in err[0]
    assert files(tmp_path) == ["a.ndjson", "big.ndjson.zst"]


class Fed:
    """A command that reads from a pipe of which it never sees the end."""

    def __init__(self, *args: object) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "decode", "-", *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        assert self.process.stdin is not None
        self.process.stdin.write(LINES * 40)
        self.process.stdin.flush()

    def end(self, number: int) -> tuple[int, bytes]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz"])
def test_ctrl_c_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    fed = Fed("-o", tmp_path / f"x{suffix}")
    wait_for(lambda: files(tmp_path))
    time.sleep(0.1)
    assert fed.end(signal.SIGINT) == (130, b"")
    assert files(tmp_path) == []


def test_ctrl_c_keeps_what_is_complete(path: Path, tmp_path: Path) -> None:
    fifo, output = tmp_path / "fifo.ndjson", tmp_path / "out"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*COMMAND, "decode", path, fifo, "-o", f"{output}/"], stderr=subprocess.PIPE
    )
    with open(fifo, "wb") as pipe:
        pipe.write(LINES)
        pipe.flush()
        wait_for(lambda: output.exists() and any(output.glob(".fifo*")))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert files(output) == [".stork-codec-done.ndjson", "a.parquet"]
    assert by_arrow(output / "a.parquet") == rows(LINES)


@pytest.mark.parametrize("partition", [False, True])
def test_a_killed_run_is_tidied_up(tmp_path: Path, partition: bool) -> None:
    output = tmp_path / ("out" if partition else "x.parquet")
    args = ["-o", output, *(["--partition", "day"] if partition else [])]
    fed = Fed(*args)
    wait_for(lambda: [p for p in tmp_path.rglob("*") if ".tmp" in p.name])
    assert fed.end(signal.SIGKILL)[0] == -signal.SIGKILL
    (left,) = tmp_path.rglob("*.tmp")
    status, _, err = decode("-", *args, data=LINES)
    assert status == 0 and not left.exists()
    assert err[0].startswith("stork-codec: ") and "killed run" in err[0]
    found = next(tmp_path.rglob("*.parquet"))
    assert by_arrow(found) == rows(LINES)


def test_two_runs_on_one_output(tmp_path: Path) -> None:
    output = tmp_path / "x.parquet"
    fed = Fed("-o", output)
    wait_for(lambda: files(tmp_path))
    status, _, (line,) = decode("-", "-o", output, data=LINES)
    assert status == 1 and line.endswith("x.parquet: another run is writing this")
    fed.end(signal.SIGINT)


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "arrow"])
def test_a_closed_pipe_ends_it_quietly(path: Path, file_format: str) -> None:
    process = subprocess.Popen(
        [*COMMAND, "decode", many(path, 60), "-o", "-", "--format", file_format],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
    process.stderr.close()


def test_a_folder_is_resumed(tmp_path: Path) -> None:
    segments = record(tmp_path / "in", [LINES], max_segment_len=6_000)
    output = tmp_path / "out"
    status, _, err = decode(tmp_path / "in", "-o", f"{output}/")
    assert status == 0 and f"in {len(segments)} inputs" in err[0]
    status, _, err = decode(tmp_path / "in", "-o", output)
    assert status == 0 and "in 0 inputs" in err[0]
    assert err[0].endswith(f"; {len(segments)} done before")
    found = duckdb.sql(f"select count(*) from '{output}/*.parquet'").fetchall()
    assert found == [(N_UPDATES,)]
    status, _, (line,) = decode(tmp_path / "in", "-o", output, "--asset", 7)
    assert status == 1 and "made with other options" in line


def test_a_bar_on_a_terminal(path: Path, tmp_path: Path) -> None:
    terminal = Terminal("decode", many(path, 1500), "-o", tmp_path / "x.parquet")
    terminal.read_until("updates/s", timeout_s=60)
    assert terminal.status() == 0
    assert "MB/s" in terminal.text or "kB/s" in terminal.text


MEMORY = """
import sys
from codec.cli import main
status = main(sys.argv[1:])
(peak,) = [row.split()[1] for row in open("/proc/self/status") if "VmHWM" in row]
print(int(peak) // 1024)
sys.exit(status)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("n_assets", [1, 100])
@pytest.mark.parametrize("partition", [(), ("--partition", "day,asset")])
def test_memory_is_bounded(
    tmp_path: Path, n_assets: int, partition: tuple[str, ...]
) -> None:
    """Many times more text and rows than memory may be used for."""
    lines = archive(900 if n_assets > 1 else 9000, n_assets=n_assets)
    n_times = 3_000_000 // (n_assets * lines.count(b"\n"))
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(zstandard.compress(lines) * n_times)
    output = tmp_path / ("x" if partition else "x.parquet")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, "decode", path, "-o", output, *partition],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 400, done.stdout


def test_decode_needs_its_packages(path: Path) -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import importlib.util as u; f = u.find_spec\n"
        "u.find_spec = lambda n, *a: None if n == 'pyarrow' else f(n, *a)\n"
        "from codec.cli import main\n"
        f"sys.exit(main(['decode', {str(path)!r}, '-o', 'x.csv']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'stork-codec[arrow]'" in done.stderr
