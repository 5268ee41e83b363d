"""The recorder: segments, their rotation, what waits and what is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard
from recorded import BEGIN_NS, STEP_NS, line, lines, record, wait_for

import codec
from codec.errors import RecordingError
from codec.recording import (
    EventKind,
    Recorder,
    RecorderEvent,
    read,
    read_index,
    verify,
)


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_a_closed_segment_holds_what_its_index_says(
    tmp_path: Path, compression: str
) -> None:
    text = lines(3000)
    (path,) = record(
        tmp_path, [lines(1000), lines(2000, 1000)], compression=compression
    )
    assert path.name.startswith("stork-fast-20251201T170458Z-000001.ndjson")
    data = path.read_bytes()
    if compression == "zstd":  # any program reads it
        with open(path, "rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(
                file, read_across_frames=True
            )
            assert reader.read() == text
    else:
        assert data == text
    index = read_index(path)
    assert index is not None
    assert index.segment == path.name
    assert (index.closed, index.codec_version) == ("cleanly", codec.__version__)
    assert (index.n_messages, index.text_len) == (3000, len(text))
    assert (index.first_receive_ns, index.last_receive_ns) == (
        BEGIN_NS,
        BEGIN_NS + 2999 * STEP_NS,
    )
    assert index.segment_len == len(data)
    assert index.segment_sha256 == sha256(data).hexdigest()
    assert index.text_sha256 == sha256(text).hexdigest()
    assert (index.n_lost, index.lost_len, index.damage) == (0, 0, [])
    assert sum(block.n_messages for block in index.blocks) == 3000
    assert [report.problems for report in verify(tmp_path)] == [[]]
    assert b"".join(read(tmp_path)) == text


def test_segments_are_closed_before_they_hold_too_much(tmp_path: Path) -> None:
    chunks = [lines(100, start) for start in range(0, 2000, 100)]
    paths = record(tmp_path, chunks, max_segment_len=10_000)
    assert len(paths) > 10
    for path in paths:
        index = read_index(path)
        assert index is not None and 0 < index.text_len <= 10_000
    assert b"".join(read(tmp_path)) == lines(2000)


def test_a_line_longer_than_a_segment_has_one_of_its_own(tmp_path: Path) -> None:
    long = b"17 " + b"x" * 3_000_000 + b"\n"
    record(tmp_path, [lines(5) + long + lines(5)], max_segment_len=1000)
    assert b"".join(read(tmp_path)) == lines(5) + long + lines(5)
    assert all(report.is_good for report in verify(tmp_path))


def test_segments_are_closed_when_they_are_old(tmp_path: Path) -> None:
    now = [0.0]
    with Recorder(
        tmp_path, max_segment_seconds=60, sync_seconds=0.01, clock=lambda: now[0]
    ) as recorder:
        recorder.write(line(0), 1)
        wait_for(lambda: recorder.stats.n_synced == 1)
        now[0] = 59.0
        recorder.write(line(1), 1)
        wait_for(lambda: recorder.stats.n_synced == 2)
        assert recorder.stats.n_segments_closed == 0
        now[0] = 60.0
        wait_for(lambda: recorder.stats.n_segments_closed == 1)  # without a new line
        assert recorder.stats.path is None
        recorder.write(line(2), 1)
    assert [report.n_messages for report in verify(tmp_path)] == [2, 1]


def test_lines_are_written_without_waiting_for_more(tmp_path: Path) -> None:
    with Recorder(tmp_path, sync_seconds=0.05) as recorder:
        recorder.write(line(0), 1)
        wait_for(lambda: recorder.stats.n_synced == 1)
        path = recorder.stats.path
        assert path is not None and path.endswith(".zst.part")
        assert b"".join(read(path)) == b"".join(read(tmp_path)) == line(0)
        assert recorder.stats.last_sync_ns <= time.time_ns()
    assert b"".join(read(path)) == line(0)  # it was closed, and is found all the same


def test_without_lines_there_is_no_segment(tmp_path: Path) -> None:
    with Recorder(tmp_path / "new" / "folder") as recorder:
        assert recorder.write(b"", 0)
    assert recorder.stats.n_segments_closed == 0
    with pytest.raises(RecordingError, match="there is no recording"):
        list(read(tmp_path / "new" / "folder"))


def test_events_tell_of_segments(tmp_path: Path) -> None:
    events: list[RecorderEvent] = []
    (path,) = record(tmp_path, [lines(9)], on_event=events.append)
    opened, closed = events
    assert (opened.kind, opened.path) == (EventKind.OPENED, f"{path}.part")
    assert (closed.kind, closed.path) == (EventKind.CLOSED, str(path))
    assert (closed.n_messages, closed.n_bytes) == (9, len(lines(9)))
    assert str(closed) == f"closed, 9 messages, {len(lines(9))} bytes, {path}"


def test_a_failing_callback_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: RecorderEvent) -> None:
        raise LookupError("mine")

    record(tmp_path, [lines(9)], on_event=fail)
    assert b"".join(read(tmp_path)) == lines(9)
    assert "on_event failed" in caplog.text


def test_one_recorder_at_a_time(tmp_path: Path) -> None:
    with Recorder(tmp_path), Recorder(tmp_path, prefix="other"):
        with pytest.raises(RecordingError, match=r"process \d+ already records"):
            Recorder(tmp_path).start()
        code = (
            f"from codec.recording import Recorder; Recorder({str(tmp_path)!r}).start()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        assert "already records 'stork-fast' here" in done.stderr
    with Recorder(tmp_path) as recorder, pytest.raises(RuntimeError, match="once"):
        recorder.start()


def test_a_restart_goes_on_with_the_numbers(tmp_path: Path) -> None:
    for i in range(3):  # all in the same second of the recording
        record(tmp_path, [line(i)])
        record(tmp_path, [line(i)], prefix="stork-fast-2")
    names = sorted(path.name for path in tmp_path.glob("stork-fast-20*.zst"))
    assert [name[-17:-11] for name in names] == ["000001", "000002", "000003"]
    assert b"".join(read(str(tmp_path / "stork-fast-20*"))) == lines(3)


def stuck(tmp_path: Path, **options: object) -> tuple[Recorder, Callable[[], None]]:
    """A recorder whose thread stands still, as with a disk that does not answer."""
    hold, is_held = threading.Event(), threading.Event()

    def wait(event: RecorderEvent) -> None:
        if event.kind is EventKind.OPENED:
            is_held.set()
            hold.wait()

    recorder = Recorder(tmp_path, sync_seconds=0.01, on_event=wait, **options)  # type: ignore[arg-type]
    recorder.start()
    recorder.write(line(0), 1)
    assert is_held.wait(30)
    return recorder, hold.set


def test_the_queue_is_bounded_and_never_waits(tmp_path: Path) -> None:
    recorder, go_on = stuck(tmp_path, max_queue_len=100_000)
    chunk = lines(100)
    took = [recorder.write(chunk, 100) for _ in range(1000)]
    n_taken = sum(took)
    assert took == [True] * n_taken + [False] * (1000 - n_taken)
    stats = recorder.stats
    assert 100_000 - len(chunk) < stats.queue_len <= 100_000
    assert (stats.n_lost, stats.lost_len) == (
        (1000 - n_taken) * 100,
        (1000 - n_taken) * len(chunk),
    )
    recorder.close(timeout=0.01)  # does not hang with the disk
    assert not recorder.write(chunk, 100)
    go_on()
    recorder.close()
    recorder.close()
    assert b"".join(read(tmp_path)) == line(0) + chunk * n_taken
    (report,) = verify(tmp_path)
    assert report.index is not None
    assert report.index.n_lost == recorder.stats.n_lost == (1001 - n_taken) * 100


def test_what_was_lost_is_told(tmp_path: Path) -> None:
    events: list[RecorderEvent] = []
    with Recorder(
        tmp_path, max_queue_len=1000, sync_seconds=0.01, on_event=events.append
    ) as recorder:
        assert not recorder.write(lines(100), 100)
        wait_for(lambda: events)
        assert recorder.write(lines(3), 3)
    lost = [event for event in events if event.kind is EventKind.LOST]
    assert [(event.n_messages, event.n_bytes) for event in lost] == [
        (100, len(lines(100)))
    ]


@pytest.mark.parametrize(
    "make", [bytes, bytearray, memoryview], ids=["bytes", "bytearray", "memoryview"]
)
@pytest.mark.parametrize("n", [1, 5000])
def test_any_contiguous_buffer_will_do(
    tmp_path: Path, make: Callable[[bytes], bytes], n: int
) -> None:
    record(tmp_path, [make(lines(n))] if make is bytes else [])
    with Recorder(tmp_path, prefix="x") as recorder:
        assert recorder.write(make(lines(n)), n)
    assert b"".join(read(str(tmp_path / "x-*"))) == lines(n)


def test_misuse_is_refused(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with pytest.raises(ValueError, match="the last line has no end"):
        recorder.write(b"17 {}", 1)
    with pytest.raises(TypeError):
        recorder.write(memoryview(lines(2))[::2], 1)
    for wrong in (
        {"prefix": "../up"},
        {"prefix": ""},
        {"compression": "gzip"},
        {"max_queue_len": 0},
        {"sync_seconds": 0},
    ):
        with pytest.raises(ValueError, match=r"prefix|compression|positive"):
            Recorder(tmp_path, **wrong)  # type: ignore[arg-type]
    recorder.close()  # never started


def test_a_forgotten_recorder_is_closed_at_exit(tmp_path: Path) -> None:
    code = (
        "from codec.recording import Recorder;"
        f" r = Recorder({str(tmp_path)!r}); r.start(); r.write(b'17 {{}}\\n', 1)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert b"".join(read(tmp_path)) == b"17 {}\n"
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["n_messages"] == 1
