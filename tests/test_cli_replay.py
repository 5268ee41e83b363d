"""`stork-codec replay`: to standard output, at any speed, and the check."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import run, started
from recorded import BEGIN_NS, STEP_NS, lines, record

import codec
from codec.cli import main

FRAMES = b"".join(row.partition(b" ")[2] for row in lines(20).splitlines(keepends=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path, [lines(5, i) for i in range(0, 20, 5)], max_segment_len=500)
    return tmp_path


def replay(*argv: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "codec", "replay", *map(str, argv)], capture_output=True
    )


def test_all_of_a_folder(folder: Path) -> None:
    done = replay(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, lines(20), b"")
    assert replay(folder, "--fast", "--format", "frames").stdout == FRAMES
    paths = sorted(folder.glob("[!.]*"))
    assert replay(*paths).stdout == lines(20)


def test_paced(folder: Path) -> None:
    begin = time.monotonic()
    assert replay(folder, "--speed", "0.5").stdout == lines(20)
    assert time.monotonic() - begin > 0.37
    done = replay(folder, "--speed", "100", "--format", "frames", "--max-gap", "0.1")
    assert done.stdout == FRAMES


def test_parts_of_time(folder: Path) -> None:
    start, end = BEGIN_NS + 3 * STEP_NS, BEGIN_NS + 11 * STEP_NS
    assert replay(folder, "--from", start, "--to", end).stdout == lines(8, 3)
    day = "2025-12-01T17:04:58"  # ...698685038908
    for zone in ("Z", "", "+00:00"):
        found = replay(folder, "--from", f"{day}.715038908{zone}", "--to", "2025-12-02")
        assert found.stdout == lines(17, 3)
    assert replay(folder, "--to", "2025-12-01 17:04Z").stdout == b""


def test_damage_is_reported_and_passed(folder: Path) -> None:
    path = sorted(folder.glob("*.zst"))[1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    done = replay(folder)
    assert done.returncode == 1
    assert f"stork-codec: {path}: ".encode() in done.stderr
    assert 0 < len(done.stdout) < len(lines(20))
    assert replay(folder, "--speed", "1000").returncode == 1


def test_a_torn_end_of_an_unfinished_segment_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "x-20251201T170458Z-000001.ndjson.part").write_bytes(lines(3)[:-5])
    done = replay(tmp_path)
    assert (done.returncode, done.stdout) == (0, lines(2))
    assert b"unfinished" in done.stderr


def test_the_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--check", str(folder)]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert all(row.startswith("good ") for row in rows)
    assert last == f"{len(rows)} files, 20 messages, none bad"
    path = min(folder.glob("*.zst"))
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["replay", "--check", str(folder)]) == 1
    out = capsys.readouterr().out
    assert f"bad        {path}: 0 messages" in out
    assert "the file ends within a frame" in out and "1 bad" in out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--speed", "0"],
        ["--speed", "x"],
        ["--speed", "1", "--fast"],
        ["--from", "yesterday"],
        ["--from", "2025-13-01"],
        ["--max-gap", "-1"],
        ["--serve", "x"],
        ["--serve", "99999"],
        ["--serve", "1", "--check"],
    ],
)
def test_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "x", *wrong]) == 2
    assert "stork-codec replay: " in capsys.readouterr().err


def test_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 1
    assert main(["replay", str(tmp_path / "missing.zst")]) == 1
    err = capsys.readouterr().err
    assert "there is no recording" in err and "missing.zst" in err


def test_assets_that_no_market_has_are_served(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    frame = codec.to_frame(
        codec.encode([60000], [5], timestamp_ns=7, taxonomy_id=1, key=b"\x01" * 32)
    )
    path.write_bytes(b"1 " + frame + b"\n")
    with started("replay", path, "--serve", 0, "--fast") as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(": ")[0]
        folder = tmp_path / "again"
        asked = ("--assets", "60000", "-o", folder, "--messages", 1)
        assert run("record", url, *asked).returncode == 0
        assert process.wait(60) == 0
    frames = run("replay", folder, "--format", "frames").stdout.encode().splitlines()
    assert frames[-1] == frame
