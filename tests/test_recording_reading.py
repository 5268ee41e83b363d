"""Recordings read back: whole, cut short, damaged, in part, and made by others."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from recorded import BEGIN_NS, STEP_NS, frame_lines, line, lines, record

import codec
from codec.errors import DamageError, RecordingError
from codec.recording import (
    Recorder,
    read,
    read_chunks,
    read_frames,
    read_index,
    read_stream,
)
from codec.recording.pieces import PLAIN_LEN
from codec.recording.segment import HEADER
from codec.recording.text import cut, frames, receive_times, within

N_SMALL = 24


def collect(path: Path, **options: object) -> tuple[bytes, list[DamageError]]:
    damage: list[DamageError] = []
    chunks = list(read(path, on_damage=damage.append, **options))  # type: ignore[arg-type]
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    return b"".join(chunks), damage


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A segment of eight frames of three lines."""
    folder = tmp_path_factory.mktemp("small")
    chunks = [lines(3, i) for i in range(0, N_SMALL, 3)]
    (path,) = record(folder, chunks, each_its_frame=True)
    index = read_index(path)
    assert index is not None and len(index.blocks) == len(chunks)
    return path.read_bytes()


def frame_ends(segment: bytes) -> list[int]:
    found, at = [], segment.find(b"\x28\xb5\x2f\xfd", 1)
    while at >= 0:
        found.append(at)
        at = segment.find(b"\x28\xb5\x2f\xfd", at + 1)
    return [*found, len(segment)]


def test_a_batch_is_what_it_was(tmp_path: Path) -> None:
    text = frame_lines(400)
    record(tmp_path, [text[: len(text)]], max_segment_len=40_000)
    wanted = codec.decode_lines(text)
    found = [codec.decode_lines(chunk) for chunk in read(tmp_path)]
    assert len(found) > 1
    for name in ("messages", "updates"):
        rows = np.concatenate([getattr(batch, name) for batch in found])
        fields = [
            field
            for field in rows.dtype.names
            if field not in ("first_update", "payload_offset")
        ]
        for field in fields:
            assert (rows[field] == getattr(wanted, name)[field]).all()
    payloads = [bytes(b.payload(i)) for b in found for i in range(len(b.messages))]
    assert payloads == [bytes(wanted.payload(i)) for i in range(400)]


FRAMES = st.lists(
    st.tuples(st.integers(0, 2**64 - 1), st.binary().filter(lambda b: b"\n" not in b))
)


@given(rows=FRAMES, compression=st.sampled_from(["zstd", "none"]))
def test_any_frames_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, bytes]],
    compression: str,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Recorder(folder, compression=compression, max_segment_len=100) as recorder:  # type: ignore[arg-type]
        for receive_ns, frame in rows:
            recorder.write(b"%d %s\n" % (receive_ns, frame), 1)
    if rows:
        assert list(read_frames(folder)) == rows


@pytest.mark.parametrize("part", ["", ".part"])
def test_cut_at_every_byte(tmp_path: Path, small: bytes, part: str) -> None:
    path = tmp_path / f"small-20251201T170458Z-000001.ndjson.zst{part}"
    ends = frame_ends(small)
    for n in range(len(small)):
        path.write_bytes(small[:n])
        text, damage = collect(path)
        n_frames = sum(end <= n for end in ends[1:])
        assert text == lines(3 * n_frames)
        is_whole = n in (0, len(HEADER), *ends)
        assert [error.is_at_end for error in damage] == [True] * (not is_whole)
        if is_whole or part:
            assert b"".join(read(path)) == text
        else:
            begin = max((end for end in (0, *ends) if end <= n), default=0)
            with pytest.raises(DamageError) as caught:
                list(read(path))
            assert (caught.value.path, caught.value.offset) == (str(path), begin)


@pytest.mark.parametrize("part", ["", ".part"])
def test_plain_text_cut_at_every_byte(tmp_path: Path, part: str) -> None:
    path = tmp_path / f"x.ndjson{part}"
    whole = lines(5)
    for n in range(len(whole) + 1):
        path.write_bytes(whole[:n])
        text, damage = collect(path)
        assert text == whole[: whole.rfind(b"\n", 0, n) + 1]
        torn = [(len(text), "the last line has no end")] if len(text) < n else []
        assert [(error.offset, error.reason) for error in damage] == torn
        assert b"".join(read(path, unended=True)) == whole[:n]
        if torn and not part:
            with pytest.raises(DamageError):
                list(read(path))


def test_flipped_bits(tmp_path: Path, small: bytes) -> None:
    path = tmp_path / "flipped.ndjson.zst"
    ends = frame_ends(small)
    wanted = [line(i) for i in range(N_SMALL)]
    for at in range(len(small)):
        for bit in (0, 3, 7):
            data = bytearray(small)
            data[at] ^= 1 << bit
            path.write_bytes(data)
            text, damage = collect(path)
            hurt = max((k for k, end in enumerate(ends) if end <= at), default=None)
            found = text.splitlines(keepends=True)
            if hurt is None:  # in the header: nothing is lost
                assert found == wanted and [e.offset for e in damage] == [0]
                continue
            rest = wanted[: 3 * hurt] + wanted[3 * hurt + 3 :]
            # Some bits of a frame's header say nothing that matters.
            assert found in (rest, wanted)
            assert found == wanted or damage
            for error in damage:
                assert ends[hurt] <= error.offset < ends[hurt + 1]
                assert error.path == str(path)


def test_damage_is_raised_once_all_before_it_is_given(
    tmp_path: Path, small: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "damaged.ndjson.zst"
    ends = frame_ends(small)
    data = bytearray(small)
    data[ends[3] - 5] ^= 1
    path.write_bytes(data)
    chunks = read(path)
    assert next(chunks) == lines(6)
    with pytest.raises(DamageError, match=f"readable again from byte {ends[3]}"):
        next(chunks)
    assert b"".join(read(path, on_damage="skip")) == lines(6) + lines(15, 9)
    assert f"[byte {ends[2]}]" in caplog.text


def test_garbage_between_frames_is_passed(tmp_path: Path, small: bytes) -> None:
    path = tmp_path / "garbage.ndjson.zst"
    end = frame_ends(small)[2]
    garbage = bytes(300_000) + b"\x28\xb5\x2f\xfd" * 3
    path.write_bytes(small[:end] + garbage + small[end:])
    text, damage = collect(path)
    assert text == lines(N_SMALL)
    assert [error.offset for error in damage] == [end]
    path.write_bytes(small + garbage)
    text, damage = collect(path)
    assert text == lines(N_SMALL)
    assert [(e.offset, e.is_at_end) for e in damage] == [(len(small), True)]


@pytest.mark.parametrize("flush", [None, 700])
def test_archives_of_others_in_zstd(tmp_path: Path, flush: int | None) -> None:
    """One frame of unknown length, then others that begin within a line."""
    text = lines(3000)
    compressor = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    first = compressor.compress(text[:100_001])
    if flush is not None:
        first += compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    first += compressor.flush()
    cctx = zstandard.ZstdCompressor(write_checksum=True)
    middle, last = cctx.compress(text[100_001:120_001]), cctx.compress(text[120_001:])
    path = tmp_path / "other.ndjson.zst"
    path.write_bytes(first + middle + last)
    assert collect(path) == (text, [])
    for n in (1, len(first) // 2, len(first) - 1, len(first) + 10, len(first + middle)):
        path.write_bytes((first + middle + last)[:n])
        found, damage = collect(path)
        assert text.startswith(found) and len(damage) == 1 and damage[0].is_at_end
    # Nobody knows whether a line ended where the damage is: the next one is left out.
    path.write_bytes(first + middle[:-1] + b"?" + last)
    found, damage = collect(path)
    before = text[: text.rfind(b"\n", 0, 100_001) + 1]
    assert found == before + text[text.index(b"\n", 120_001) + 1 :]
    assert [error.offset for error in damage] == [len(first)]
    assert "the frame's checksum does not fit" in damage[0].reason


def test_gzip(tmp_path: Path) -> None:
    text = lines(30_000)
    data = gzip.compress(text[:777]) + gzip.compress(text[777:]) + bytes(3)
    path = tmp_path / "other.ndjson.gz"
    path.write_bytes(data)
    assert collect(path) == (text, [])
    for n in range(1, len(data) - 3, 997):
        path.write_bytes(data[:n])
        found, damage = collect(path)
        assert text.startswith(found)
        assert len(damage) == 1 and damage[0].is_at_end
    path.write_bytes(data[:-9] + b"????????")
    found, damage = collect(path)
    assert text.startswith(found) and "incorrect data check" in damage[0].reason
    path.write_bytes(gzip.compress(text) + b"garbage")
    found, (error,) = collect(path)
    assert found == text and error.reason == "there is no gzip member here"


def test_parts_of_time(tmp_path: Path) -> None:
    chunks = [lines(10, i) for i in range(0, 300, 10)]
    record(tmp_path, chunks, each_its_frame=True, max_segment_len=6000)

    def when(i: int) -> int:
        return BEGIN_NS + i * STEP_NS

    for start, end in ((0, 300), (7, 9), (95, 205), (299, 400), (300, 400), (50, 50)):
        found = b"".join(read(tmp_path, start_ns=when(start), end_ns=when(end)))
        assert found == lines(max(min(end, 300) - start, 0), start)
    assert b"".join(read(tmp_path, start_ns=when(290))) == lines(10, 290)
    assert b"".join(read(tmp_path, end_ns=when(3) + 1)) == lines(4)
    for index in tmp_path.glob("*.index.json"):  # the same without any
        index.unlink()
    assert b"".join(read(tmp_path, start_ns=when(95), end_ns=when(99))) == lines(4, 95)


def test_an_index_spares_what_is_not_asked_for(tmp_path: Path) -> None:
    chunks = [lines(10, i) for i in range(0, 100, 10)]
    (path,) = record(tmp_path, chunks, each_its_frame=True)
    ends = frame_ends(path.read_bytes())
    data = bytearray(path.read_bytes())
    for end in (ends[2], ends[8]):
        data[end - 1] ^= 1
    path.write_bytes(data)
    start, end = BEGIN_NS + 25 * STEP_NS, BEGIN_NS + 65 * STEP_NS
    assert b"".join(read(path, start_ns=start, end_ns=end)) == lines(40, 25)
    data[ends[5] - 1] ^= 1  # aligned to lines also where the header is not read
    path.write_bytes(data)
    found, damage = collect(path, start_ns=start, end_ns=end)
    assert found == lines(15, 25) + lines(15, 50)
    assert [error.offset for error in damage] == [ends[4]]


def test_a_clock_that_steps_back(tmp_path: Path) -> None:
    chunks = [lines(10, 50), lines(10, 10), lines(5, 3) + lines(5, 90)]
    record(tmp_path, chunks, each_its_frame=True, max_segment_len=1000)
    assert b"".join(read(tmp_path)) == b"".join(chunks)  # as they came
    start, end = BEGIN_NS + 5 * STEP_NS, BEGIN_NS + 52 * STEP_NS
    found = b"".join(read(tmp_path, start_ns=start, end_ns=end))
    assert found == lines(2, 50) + lines(10, 10) + lines(3, 5)


def test_a_bad_index_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (path,) = record(tmp_path, [lines(100)])
    index = next(tmp_path.glob("*.index.json"))
    good = index.read_text()
    for bad in ("", "[]", "{}", good.replace('"version": 1', '"version": 2'), "\xff"):
        index.write_text(bad)
        with pytest.raises(RecordingError, match="this is no index"):
            read_index(path)
        assert b"".join(read(path, end_ns=BEGIN_NS + 1)) == line(0)
    assert "reading all of" in caplog.text
    index.write_text(good.replace('"segment_len": ', '"segment_len": 1'))
    assert b"".join(read(path, end_ns=BEGIN_NS + 1)) == line(0)


def test_what_is_no_recording(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "*.zst", []):
        with pytest.raises(RecordingError, match="there is no recording"):
            list(read(path))
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "missing.ndjson"))
    (tmp_path / "empty.ndjson").write_bytes(b"")
    (tmp_path / "empty.ndjson.zst").write_bytes(b"")
    (tmp_path / "notes.txt").write_bytes(b"no recording\n")
    assert list(read(tmp_path)) == []


def test_a_folder_as_a_shell_spells_it_out(tmp_path: Path) -> None:
    record(tmp_path, [lines(50)], max_segment_len=500)
    paths = sorted(tmp_path.glob("[!.]*"))
    assert any(path.suffix == ".json" for path in paths)
    assert b"".join(read(paths)) == lines(50)


MEMORY = """
import resource, sys
from codec.recording import read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
total = longest = 0
for chunk in read(sys.argv[1]):
    total += len(chunk)
    longest = max(longest, len(chunk))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(total, longest, grown * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.parametrize("kind", ["zstd", "zstd blocks", "gzip", "no line"])
def test_a_bomb_takes_bounded_memory(tmp_path: Path, kind: str) -> None:
    row = b"1764608698685038908 {}\n" if kind != "no line" else b"x" * 23
    chunk = row * 50_000
    n_chunks = 300  # 345 MB
    path = tmp_path / "bomb"
    with open(path, "wb") as file:
        if kind == "gzip":
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as out:
                for _ in range(n_chunks):
                    out.write(chunk)
        elif kind == "zstd":
            frame = zstandard.ZstdCompressor().compress(chunk * 6)
            file.write(frame * (n_chunks // 6))
        else:
            compressor = zstandard.ZstdCompressor().compressobj()
            for _ in range(n_chunks):
                file.write(compressor.compress(chunk))
            file.write(compressor.flush())
    assert path.stat().st_size < 4_000_000
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, path], capture_output=True, text=True
    )
    if kind == "no line":
        assert "a line of over 67,108,864 bytes" in done.stderr
        return
    total, longest, grown = map(int, done.stdout.split())
    assert total == len(chunk) * n_chunks
    assert longest < 3 << 20
    assert grown < 64 << 20


def test_receive_times() -> None:
    text = (
        b'1764608698685038908 {"a": 1}\n17 x\n0 y\n{}\n\n'
        b"007 zero in front\n18446744073709551615 last\n18446744073709551616 more\n"
        b"1764608698685038908x\n123456789012345678901 hex\n1764608698685038909 z"
    )
    big = 2**64 - 1
    wanted = [1764608698685038908, 17, 0, 0, 0, 0, big, 0, 0, 0, 1764608698685038909]
    assert receive_times(text).tolist() == wanted
    assert [time for time, _ in frames(text)] == wanted
    assert [frame for _, frame in frames(text)][:5] == [
        b'{"a": 1}',
        b"x",
        b"y",
        b"{}",
        b"",
    ]
    assert receive_times(b"").tolist() == []
    assert within(text, 17, 18) == b"17 x\n"
    assert within(text, None, None) is text


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"") + b"\n")))
def test_lines_are_cut_between_lines(rows: list[bytes]) -> None:
    parts = list(cut(b"".join(rows), 40))
    assert b"".join(parts) == b"".join(rows)
    assert all(part.endswith(b"\n") for part in parts)
    assert all(len(part) <= 40 for part in parts)
    assert len(receive_times(b"".join(rows))) == len(rows)


def test_where_chunks_stand(tmp_path: Path) -> None:
    chunks = [lines(10, i) for i in range(0, 100, 10)]
    (path,) = record(tmp_path, chunks, each_its_frame=True)
    plain = tmp_path / "plain"
    plain.write_bytes(lines(20_000))
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(lines(20_000) + b"no end"))
    for file, text in ((path, lines(100)), (plain, lines(20_000)), (zipped, None)):
        text = text or lines(20_000) + b"no end"
        at = 0
        for chunk in read_chunks(file, unended=True):
            assert (chunk.n_passed_over, chunk.text_offset) == (0, at)
            assert text.startswith(chunk.lines, at)
            at += len(chunk.lines)
        assert at == len(text)
        assert chunk.file_offset == file.stat().st_size
    (chunk,) = read_chunks(path, start_ns=BEGIN_NS + 75 * STEP_NS)
    assert chunk == (lines(30, 70), None, path.stat().st_size, 70)


@pytest.mark.parametrize("end", [b"", b"no end", b"\n"])
def test_plain_text_longer_than_what_is_read_at_once(
    tmp_path: Path, end: bytes
) -> None:
    one = lines(2000)
    text = one * (3 * PLAIN_LEN // len(one) + 1) + end
    plain = tmp_path / "plain"
    plain.write_bytes(text)
    at = 0
    for chunk in read_chunks(plain, unended=True):
        assert (chunk.text_offset, chunk.file_offset) == (at, at + len(chunk.lines))
        at = chunk.file_offset
        assert text[chunk.text_offset : at] == chunk.lines
        assert chunk.lines[-1:] == b"\n" or at == len(text)
    assert at == len(text)
    parts = list(read(plain, unended=True))
    assert b"".join(parts) == text and {type(part) for part in parts} == {bytes}
    # What cannot be sought is put together from its parts.
    with subprocess.Popen(["cat", plain], stdout=subprocess.PIPE, bufsize=0) as cat:
        assert isinstance(cat.stdout, io.FileIO)
        streamed = read_stream(cat.stdout, "the pipe", unended=True)
        assert b"".join(chunk.lines for chunk in streamed) == text


def test_a_line_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    texts = [b"a" * n + b"\n" for n in (9, 2 * PLAIN_LEN, PLAIN_LEN - 11, 1, 0)]
    path = tmp_path / "plain"
    for text in (b"".join(texts), b"".join(texts[::-1]), texts[1][:-1]):
        path.write_bytes(text)
        for chunk in read_chunks(path, unended=True):
            assert (chunk.lines[-1:] == b"\n") == text.endswith(b"\n")
        assert b"".join(read(path, unended=True)) == text


def test_places_behind_damage(tmp_path: Path, small: bytes) -> None:
    path = tmp_path / "damaged.ndjson.zst"
    ends = frame_ends(small)
    path.write_bytes(small[: ends[2] - 5] + b"?" + small[ends[2] - 4 :])
    first, second = read_chunks(path, on_damage="skip")
    assert (first.lines, first.text_offset) == (lines(3), 0)
    assert (second.lines, second.text_offset) == (lines(18, 6), len(lines(3)))
    text = lines(3000)
    cctx = zstandard.ZstdCompressor(write_checksum=True)
    one, two, three = text[:50_001], text[50_001:80_001], text[80_001:]
    data = [bytearray(cctx.compress(part)) for part in (one, two, three)]
    data[1][-1] ^= 1
    path.write_bytes(b"".join(data))
    readable = one + three
    for chunk in read_chunks(path, on_damage="skip"):
        assert chunk.text_offset is not None
        assert readable.startswith(chunk.lines, chunk.text_offset)


def test_a_stream_that_cannot_be_sought(small: bytes) -> None:
    for data, text in ((small, lines(N_SMALL)), (lines(9), lines(9)), (b"", b"")):
        done = subprocess.run(
            [sys.executable, "-c", STREAM], input=data, capture_output=True, check=True
        )
        assert done.stdout == text
        done = subprocess.run(
            [sys.executable, "-c", STREAM], input=data[:-5], capture_output=True
        )
        assert text.startswith(done.stdout)
        assert (b"DamageError: the pipe: " in done.stderr) == bool(data)


STREAM = """
import sys
from codec.recording import read_stream
for chunk in read_stream(open(0, "rb", buffering=0), "the pipe"):
    sys.stdout.buffer.write(chunk.lines)
"""


def test_an_input_that_does_not_wait() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with (
        open(reading, "rb", buffering=0) as file,
        open(writing, "wb"),
        pytest.raises(BlockingIOError),
    ):
        list(read_stream(file, "the pipe"))


def test_lists_of_errors_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(2))
    (tmp_path / "a.errors.ndjson").write_bytes(b"{}\n")
    assert b"".join(read(tmp_path)) == lines(2)
