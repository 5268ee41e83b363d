"""Segments held to their indexes, and unfinished ones closed."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import BEGIN_NS, STEP_NS, lines, record

from codec.errors import RecordingError
from codec.recording import (
    Recorder,
    SegmentState,
    read,
    read_index,
    repair,
    verify,
)

CHUNKS = [lines(10, i) for i in range(0, 100, 10)]


def unfinished(folder: Path, compression: str = "zstd") -> Path:
    """A segment as a crash leaves it, but whole."""
    (path,) = record(folder, CHUNKS, each_its_frame=True, compression=compression)
    for index in folder.glob("*.index.json"):
        index.unlink()
    return path.rename(f"{path}.part")


def test_good_segments(tmp_path: Path) -> None:
    record(tmp_path, CHUNKS, max_segment_len=2000)
    reports = verify(tmp_path)
    assert len(reports) > 2
    assert all(report.state is SegmentState.GOOD for report in reports)
    assert sum(report.n_messages for report in reports) == 100
    assert reports[0].first_receive_ns == BEGIN_NS
    assert reports[-1].last_receive_ns == BEGIN_NS + 99 * STEP_NS
    assert repair(tmp_path) == []


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_any_changed_byte_is_noticed(tmp_path: Path, compression: str) -> None:
    (path,) = record(tmp_path, CHUNKS, compression=compression)
    good = path.read_bytes()
    for at in range(0, len(good), 29):
        data = bytearray(good)
        data[at] ^= 4
        path.write_bytes(data)
        (report,) = verify(path)
        assert report.state is SegmentState.BAD
        assert any("SHA-256" in problem for problem in report.problems)
    path.write_bytes(good[:-1])
    (report,) = verify(path)
    assert report.state is SegmentState.BAD
    assert f"in the index {len(good):,}" in report.problems[-1]


def test_lines_that_are_missing_are_noticed(tmp_path: Path) -> None:
    (path,) = record(tmp_path, CHUNKS, compression="none")
    path.write_bytes(lines(99))
    (report,) = verify(path)
    assert "n_messages is 99, in the index 100" in report.problems


def test_a_file_without_an_index(tmp_path: Path) -> None:
    path = tmp_path / "other.ndjson"
    path.write_bytes(lines(3))
    (report,) = verify(path)
    assert (report.state, report.n_messages) == (SegmentState.UNINDEXED, 3)
    path.write_bytes(lines(3)[:-1])
    (report,) = verify(path)
    assert (report.state, report.is_good) == (SegmentState.BAD, False)
    assert "the last line has no end" in report.problems[0]


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_an_unfinished_segment_is_closed(tmp_path: Path, compression: str) -> None:
    path = unfinished(tmp_path, compression)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    wanted = b"".join(read(path))
    (report,) = verify(tmp_path)
    assert report.state is SegmentState.UNFINISHED and len(report.problems) == 1
    (done,) = repair(tmp_path)
    assert done == path.with_suffix("")
    torn = Path(f"{done}.torn")
    assert done.read_bytes() + torn.read_bytes() == whole[:-7]
    assert b"".join(read(tmp_path)) == wanted
    (report,) = verify(tmp_path)
    assert report.state is SegmentState.GOOD and not report.problems
    index = report.index
    assert index is not None
    assert (index.closed, index.n_lost, index.damage) == ("repaired", None, [])
    start, end = BEGIN_NS + 15 * STEP_NS, BEGIN_NS + 42 * STEP_NS
    assert b"".join(read(tmp_path, start_ns=start, end_ns=end)) == lines(27, 15)
    assert repair(tmp_path) == []


def test_a_repaired_index_is_the_one_that_was_lost(tmp_path: Path) -> None:
    (path,) = record(tmp_path, CHUNKS, each_its_frame=True)
    before = read_index(path)
    Path(f"{path}.index.json").unlink()
    assert repair(path) == [path]
    after = read_index(path)
    assert before is not None and after is not None
    assert after.blocks == before.blocks
    assert after.text_sha256 == before.text_sha256


def test_damage_in_the_middle_stays_known(tmp_path: Path) -> None:
    path = unfinished(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (report,) = verify(path)
    assert report.state is SegmentState.BAD
    (done,) = repair(path)
    assert done.read_bytes() == data  # nothing is cut out
    index = read_index(done)
    assert index is not None and index.n_messages == 90 and len(index.damage) == 1
    assert b"".join(read(done, on_damage="skip")).count(b"\n") == 90


def test_what_cannot_be_repaired(tmp_path: Path) -> None:
    with Recorder(tmp_path, sync_seconds=0.01) as recorder:
        recorder.write(lines(1), 1)
        while not (path := recorder.stats.path):
            pass
        with pytest.raises(RecordingError, match="already records"):
            repair(path)
    other = tmp_path / "other.ndjson"
    other.write_bytes(lines(2))
    with pytest.raises(RecordingError, match="not named as a segment is"):
        repair(other)
    empty = tmp_path / "x-20251201T170458Z-000007.ndjson.part"
    empty.write_bytes(lines(1)[:-1])
    assert repair(empty) == [] and empty.read_bytes() == lines(1)[:-1]
    foreign = tmp_path / "x-20251201T170458Z-000008.ndjson.zst"
    foreign.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(90))
    with pytest.raises(RecordingError, match="not written by a recorder"):
        repair(foreign)
