"""Disks that are full and processes that are killed: what was written still reads."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import recorded
from recorded import line, lines, wait_for

from codec.recording import (
    EventKind,
    Recorder,
    RecorderEvent,
    SegmentState,
    read,
    repair,
    verify,
)

FULL = bool(os.environ.get("CI")) and not os.environ.get("CODEC_SANITIZE")
N_KILLS = 50 if FULL else 20


def synced(out: Iterator[bytes]) -> int:
    """The last number that the child wrote whole."""
    numbers = [int(row) for row in out if row.endswith(b"\n")]
    return numbers[-1] if numbers else 0


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_killed_at_any_moment(tmp_path: Path, compression: str) -> None:
    rng = random.Random(4)
    n_before = 0
    for _ in range(N_KILLS // 2):
        child = subprocess.Popen(
            [sys.executable, recorded.__file__, tmp_path, compression, str(n_before)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout is not None and child.stderr is not None
        with child.stdout, child.stderr:
            assert child.stdout.readline()  # it records
            time.sleep(rng.uniform(0, 0.4))
            child.send_signal(signal.SIGKILL)
            n_synced = synced(iter(child.stdout))
            assert b"failed" not in child.stderr.read()
        child.wait()
        text = b"".join(read(tmp_path))
        n_after = text.count(b"\n")
        assert n_after >= n_before + n_synced
        assert text == lines(n_after)  # whole, in order, unharmed, each once
        n_before = n_after
    assert n_before > 0
    reports = verify(tmp_path)
    assert {report.state for report in reports} <= {
        SegmentState.GOOD,
        SegmentState.UNFINISHED,
    }
    repair(tmp_path)
    done = [report for report in verify(tmp_path) if report.n_messages]
    assert {report.state for report in done} == {SegmentState.GOOD}
    assert b"".join(read([report.path for report in done])) == lines(n_before)


def record_until_it_fails(
    recorder: Recorder, events: list[RecorderEvent]
) -> list[bytes]:
    """Gives the lines that the queue took; the disk and then the queue are full."""
    rng = random.Random(1)
    taken = []
    i = 0
    n_refused = 0
    while n_refused < 10:
        row = b"%d %s\n" % (recorded.BEGIN_NS + i, rng.randbytes(500).hex().encode())
        i += 1
        if recorder.write(row, 1):
            taken.append(row)
        elif any(event.kind is EventKind.FAILED for event in events):
            n_refused += 1
        else:
            time.sleep(0.001)
        assert recorder.stats.queue_len <= 100_000
    return taken


def check_full_disk(folder: Path, compression: str, make_room: object) -> None:
    events: list[RecorderEvent] = []
    recorder = Recorder(
        folder,
        compression=compression,  # type: ignore[arg-type]
        max_queue_len=100_000,
        sync_seconds=0.01,
        on_event=events.append,
    )
    with recorder:
        taken = record_until_it_fails(recorder, events)
        assert "OSError" in (recorder.stats.failure or "")
        assert recorder.stats.n_lost > 0
        # What is on the disk reads, while it is full.
        found = b"".join(read(folder))
        assert found == b"".join(taken[: found.count(b"\n")])
        make_room()  # type: ignore[operator]
        wait_for(lambda: recorder.stats.failure is None)
        wait_for(lambda: recorder.stats.queue_len == 0)
        assert recorder.write(line(0), 1)
    kinds = [event.kind for event in events]
    assert kinds.index(EventKind.FAILED) < kinds.index(EventKind.RESUMED)
    assert EventKind.LOST in kinds
    assert b"".join(read(folder)) == b"".join(taken) + line(0)
    reports = verify(folder)
    assert all(report.state is SegmentState.GOOD for report in reports)
    indexes = [report.index for report in reports]
    assert sum(index.n_lost or 0 for index in indexes if index) == (
        recorder.stats.n_lost
    )


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_full_disk(tmp_path: Path, compression: str) -> None:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        filler = tmp_path / "filler"
        filler.write_bytes(bytes(600_000))
        check_full_disk(tmp_path / "folder", compression, filler.unlink)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_file_that_may_not_grow(tmp_path: Path, compression: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        check_full_disk(
            tmp_path,
            compression,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_stays_full_holds_nobody_up(tmp_path: Path) -> None:
    events: list[RecorderEvent] = []
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        recorder = Recorder(
            tmp_path, max_queue_len=100_000, sync_seconds=0.01, on_event=events.append
        )
        with recorder:
            taken = record_until_it_fails(recorder, events)
        stats = recorder.stats
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert stats.queue_len == 0
    found = b"".join(read(tmp_path))
    assert found == b"".join(taken[: stats.n_written])
    told = [event for event in events if event.kind is EventKind.LOST]
    assert sum(event.n_messages for event in told) == stats.n_lost
    assert sum(event.n_bytes for event in told) == stats.lost_len
    assert stats.n_lost >= len(taken) - stats.n_written + 10


def test_a_folder_that_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    events: list[RecorderEvent] = []
    with Recorder(folder, sync_seconds=0.01, on_event=events.append) as recorder:
        folder.rename(tmp_path / "elsewhere")
        recorder.write(line(0), 1)
        wait_for(lambda: recorder.stats.failure is not None)
        assert recorder.stats.queue_len == len(line(0))
        (tmp_path / "elsewhere").rename(folder)
        wait_for(lambda: recorder.stats.failure is None)
    assert b"".join(read(folder)) == line(0)
    assert [event.kind for event in events] == [
        EventKind.FAILED,
        EventKind.OPENED,
        EventKind.RESUMED,
        EventKind.CLOSED,
    ]
    assert "FileNotFoundError" in (events[0].reason or "")
