"""Dask DataFrames have the rows that one machine decodes, however they are cut."""

from __future__ import annotations

import gzip
import io
import logging
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from recorded import KEY, frame_lines, record

import codec
from codec import recording
from codec.arrow import schema
from codec.dask_io import read_errors, read_frames
from codec.dask_io.parts import plan
from codec.errors import MessageError
from codec.recording import read_index
from codec.recording.pieces import line_pieces
from codec.recording.reading import read_part
from codec.recording.source import Source
from codec.recording.zstd import frame_offsets
from codec.taxonomy import Taxonomy

SIGNER = codec.KnownSigner(
    codec.encode([], [], timestamp_ns=0, taxonomy_id=1, key=KEY)
).address
OTHER = "0x3db9E960ECfCcb11969509FAB000c0c96DC51830"


@pytest.fixture(autouse=True)
def one_process() -> Iterator[None]:
    with dask.config.set(scheduler="sync"):
        yield


@cache
def some_lines(n: int = 1500) -> bytes:
    return frame_lines(n)


def computed(frame: dd.DataFrame) -> pa.Table:
    """All rows; what Dask said before of columns and types is true."""
    found = frame.compute()
    assert dict(found.dtypes) == dict(frame.dtypes)
    return pa.Table.from_pandas(found, preserve_index=False).replace_schema_metadata()


def decoded(path: Any, **options: Any) -> pa.Table:
    """The same on this machine, without Dask."""
    tables = [
        codec.decode_lines(lines, **options).to_arrow()
        for lines in recording.read(path, unended=True, on_damage="skip")
    ]
    return pa.concat_tables([schema().empty_table(), *tables])


def same(found: pa.Table, expected: pa.Table) -> bool:
    """Equal in every value and type; what is nullable, pandas does not keep."""
    return found.equals(expected.cast(found.schema))


def in_frames(lines: bytes, step: int, **options: Any) -> bytes:
    """Zstd frames that begin anywhere in a line."""
    compress = zstandard.ZstdCompressor(**options).compress
    return b"".join(
        compress(lines[at : at + step]) for at in range(0, len(lines), step)
    )


def files(folder: Path) -> dict[str, Path]:
    """The same lines in files of every kind."""
    lines = some_lines()
    half = lines.index(b"\n", len(lines) // 2) + 1
    chunks = [lines[:half], lines[half:]]
    contents = {
        "plain.ndjson": lines,
        "unended.jsonl": lines[:-1],
        "archive.ndjson.gz": gzip.compress(lines),
        "members.ndjson.gz": gzip.compress(lines[:999]) + gzip.compress(lines[999:]),
        "foreign.ndjson.zst": in_frames(lines, 10_007),
        "named.txt": lines,
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (path,) = record(folder / "r", chunks, each_its_frame=True)
    (bare,) = record(folder / "s", chunks, each_its_frame=True)
    bare.with_name(bare.name + ".index.json").unlink()
    (stale,) = record(folder / "t", chunks, each_its_frame=True)
    place = stale.with_name(stale.name + ".index.json")
    place.write_text(place.read_text().replace('"segment_len": ', '"segment_len": 1'))
    (plain,) = record(folder / "p", chunks, compression="none")
    part = folder / "torn.ndjson.zst.part"
    part.write_bytes(path.read_bytes() + b"\x28\xb5")
    return {name: folder / name for name in contents} | {
        "segment": path,
        "without index": bare,
        "stale index": stale,
        "plain segment": plain,
        "unfinished": part,
    }


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return files(tmp_path_factory.mktemp("kinds"))


NAMES = [
    "plain.ndjson",
    "unended.jsonl",
    "archive.ndjson.gz",
    "members.ndjson.gz",
    "foreign.ndjson.zst",
    "named.txt",
    "segment",
    "without index",
    "stale index",
    "plain segment",
    "unfinished",
]
WHOLE = {"archive.ndjson.gz", "members.ndjson.gz", "foreign.ndjson.zst"}


@pytest.mark.parametrize("blocksize", [None, "256 MiB", "100 kB", 10_001])
@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_one_machine(
    every_kind: dict[str, Path], name: str, blocksize: int | str | None
) -> None:
    path = every_kind[name]
    frame = read_frames(path, blocksize=blocksize)
    expected = codec.decode_lines(some_lines()).to_arrow()
    assert decoded(path).equals(expected)
    assert same(computed(frame), expected)
    if blocksize in (None, "256 MiB") or name in WHOLE:
        assert frame.npartitions == 1
    elif "segment" in name or "in" in name.split("."):
        assert frame.npartitions > 1


def test_a_segment_is_cut_where_its_blocks_begin(every_kind: dict[str, Path]) -> None:
    path = every_kind["segment"]
    index = read_index(path)
    assert index is not None
    with open(path, "rb") as file:
        offsets, text_len = frame_offsets(file, path.stat().st_size)
    assert offsets == [block.offset for block in index.blocks]
    assert text_len == index.text_len == len(some_lines())
    assert len(offsets) > 1
    for name in ("segment", "without index"):
        parts = plan(str(every_kind[name]), "1 kB", None)
        assert [part.begin for part in parts] == [0, *offsets[1:]]
        assert [part.end for part in parts] == [*offsets[1:], None]


def test_frames_are_looked_for_up_to_what_is_none(every_kind: dict[str, Path]) -> None:
    data = every_kind["segment"].read_bytes()
    offsets, text_len = frame_offsets(io.BytesIO(data), len(data))
    ended, _ = frame_offsets(io.BytesIO(data[:-3]), len(data) - 3)
    assert ended in (offsets, offsets[:-1])
    bad = data[: offsets[1]] + b"?" + data[offsets[1] + 1 :]
    assert frame_offsets(io.BytesIO(bad), len(data))[0] == offsets[:1]
    more = data + in_frames(some_lines(), 10_000, write_content_size=False)
    assert frame_offsets(io.BytesIO(more), len(more)) == (offsets, text_len)
    for n in range(40):
        frame_offsets(io.BytesIO(data[:n]), n)


@given(
    st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b""))),
    st.booleans(),
    st.lists(st.integers(0, 60), max_size=5),
    st.integers(1, 7),
)
def test_each_line_is_in_one_block(
    lines: list[bytes], is_ended: bool, cuts: list[int], step: int
) -> None:
    text = b"\n".join(lines) + b"\n" * is_ended

    class Short(io.BytesIO):
        def read(self, n: int | None = -1) -> bytes:
            return super().read(min(n or step, step))

    places = sorted({0, *(cut for cut in cuts if cut < len(text))})
    begins = [0] + [i + 1 for i in range(len(text)) if text[i : i + 1] == b"\n"]
    for begin, end in zip(places, [*places[1:], None], strict=True):
        pieces = list(line_pieces(Source(Short(text)), begin, end))  # type: ignore[arg-type]
        found = b"".join(piece.data for piece in pieces)
        limit = len(text) if end is None else end
        expected = b"".join(
            text[i : (text.find(b"\n", i) + 1) or None]
            for i in begins
            if begin <= i < limit
        )
        assert found == expected
        for piece in pieces:
            assert text[piece.offset : piece.end] == piece.data


def test_a_block_does_not_read_the_whole_file() -> None:
    class Counting(io.BytesIO):
        n_read = 0

        def read(self, n: int | None = -1) -> bytes:
            data = super().read(n)
            self.n_read += len(data)
            return data

    file = Counting(some_lines() * 40)
    size = len(file.getvalue())
    chunks = read_part(file, "x.ndjson", size // 2, size // 2 + 1000, is_text=True)
    assert all(chunk.lines for chunk in chunks)
    assert file.n_read < 1_000_000 < size


def test_files_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    chunks = [frame_lines(40)] * 3
    paths = record(tmp_path, chunks, max_segment_len=10_000, each_its_frame=True)
    # a clock that was set back: the number counts
    renamed = tmp_path / paths[-1].name.replace("20251201", "20241201")
    paths[-1].rename(renamed)
    ordered = [*map(str, paths[:-1]), str(renamed)]
    assert len(ordered) > 2 and ordered != sorted(ordered)
    for what in (tmp_path, f"{tmp_path}/*", ordered, f"file://{tmp_path}"):
        assert [part.path for part in plan(what, None, None)] == ordered
    beside = [*ordered, f"{paths[0]}.index.json"]  # as a shell gives a folder's files
    assert [part.path for part in plan(beside, None, None)] == ordered
    assert same(computed(read_frames(tmp_path)), decoded(tmp_path))


def test_a_relative_path_means_the_same_to_every_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.ndjson").write_bytes(frame_lines(3))
    monkeypatch.chdir(tmp_path)
    frame = read_frames("a.ndjson")
    monkeypatch.chdir("/")
    assert len(frame) == 9


def test_other_file_systems(every_kind: dict[str, Path]) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("plain.ndjson", "archive.ndjson.gz"):
        memory.pipe(f"/here/{name}", every_kind[name].read_bytes())
    segment = every_kind["segment"]
    for path in (segment, segment.with_name(segment.name + ".index.json")):
        memory.pipe(f"/there/{path.name}", path.read_bytes())
    memory.pipe("/there/bare.ndjson.zst", segment.read_bytes())
    expected = codec.decode_lines(some_lines()).to_arrow()
    for url, n in (
        ("memory://here/plain.ndjson", 1),
        ("memory://here/*.ndjson*", 2),
        ("memory://there", 2),
    ):
        found = computed(read_frames(url, blocksize=100_000))
        assert same(found, pa.concat_tables([expected] * n))
    assert (
        read_frames("memory://there/bare.ndjson.zst", blocksize=1000).npartitions == 1
    )
    assert read_frames("memory://there/stork*", blocksize=1000).npartitions > 1
    memory.pipe("/here/plain.ndjson", b"?\n")
    with pytest.raises(MessageError, match=r"memory://.*plain\.ndjson: line 1: "):
        read_frames("memory://here/plain.ndjson").compute()


def test_columns_taxonomy_and_signer(tmp_path: Path) -> None:
    lines = frame_lines(30).splitlines(keepends=True)
    lines[11] = (
        codec.to_frame(
            codec.encode([1], [2], timestamp_ns=5, taxonomy_id=1, key=b"\x09" * 32)
        )
        + b"\n"
    )
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(lines))
    options: dict[str, Any] = {
        "signer": [SIGNER],
        "taxonomy": Taxonomy({(1, 1): "BTCUSD", (1, 2): "ETHUSD"}),
        "value_float": True,
    }
    frame = read_frames(path, blocksize=1000, on_bad_signature="mark", **options)
    assert frame.npartitions > 3
    expected = codec.decode_lines(
        path.read_bytes(), signers=SIGNER, on_bad_signature="mark"
    ).to_arrow(options["taxonomy"], value_float=True)
    found = computed(frame)
    assert found.drop_columns(["signer", "symbol"]).equals(
        expected.drop_columns(["signer", "symbol"]).cast(
            found.drop_columns(["signer", "symbol"]).schema
        )
    )
    for name in ("signer", "symbol"):
        assert found[name].type == expected[name].type
        assert found[name].to_pylist() == expected[name].to_pylist()
    verified = frame[frame.verified]
    assert len(verified) == len(expected) - 1
    counts = frame.groupby("symbol").size().compute()
    assert dict(counts) == dict(expected.to_pandas().groupby("symbol").size())
    with pytest.raises(MessageError, match=r"a\.ndjson: line .*wrong_signer"):
        read_frames(path, **options).compute()
    dropped = read_frames(path, on_bad_signature="drop", **options)
    assert len(dropped) == len(expected) - 1


def test_only_wanted_columns_are_kept(every_kind: dict[str, Path]) -> None:
    frame = read_frames(every_kind["plain.ndjson"], blocksize="100 kB")
    pushed = str(frame[["value"]].optimize(fuse=False).expr.tree_repr())
    assert "FromMap" in pushed and "columns=['value']" in pushed
    assert computed(frame[["asset_id", "value"]]).column_names == ["asset_id", "value"]
    assert frame["asset_id"].sum().compute() == (
        codec.decode_lines(some_lines()).updates["asset_id"].sum()
    )


def test_a_changed_file_is_another_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(frame_lines(3))
    before = read_frames(path)
    assert read_frames(path)._name == before._name
    path.write_bytes(frame_lines(4))
    os.utime(path, ns=(1, 1))
    assert read_frames(path)._name != before._name


ODD = b'{"type":"signed_ecdsa","p":"0x123"}\n'
HARMLESS = (b"\n", b'{"type":"subscribe","assets":[1]}\n')


def bad_lines() -> tuple[bytes, list[int]]:
    """Lines with some bad ones, and which (from 1) they are."""
    lines = frame_lines(300).splitlines(keepends=True)
    lines[20:22] = HARMLESS
    for i, text in ((7, b"?\n"), (123, ODD), (299, b'{"type":"signed_ecdsa"')):
        lines[i] = text
    return b"".join(lines), [8, 124, 300]


def test_a_bad_line_fails_its_partition_with_its_place(tmp_path: Path) -> None:
    text, numbers = bad_lines()
    path = tmp_path / "a.ndjson"
    path.write_bytes(text)
    with pytest.raises(MessageError) as raised:
        read_frames(path).compute()
    assert (raised.value.path, raised.value.line) == (str(path), numbers[0])
    assert str(raised.value).startswith(f"{path}: line {numbers[0]}: ")
    frame = read_frames(path, blocksize="10 kB")
    parts = plan(path, "10 kB", None)
    bad = [text.index(line) for line in (b"?\n", ODD)]
    bad.append(text.rindex(b"\n") + 1)
    n_failed = 0
    for i, part in enumerate(parts):
        in_part = [at for at in bad if part.begin <= at < (part.end or len(text))]
        if not in_part:
            assert len(frame.partitions[i]) > 0
            continue
        n_failed += 1
        with pytest.raises(MessageError) as raised:
            frame.partitions[i].compute()
        assert raised.value.text_offset == in_part[0]
        first = text.rfind(b"\n", 0, part.begin) + 1 if part.begin else 0
        first = first if first == part.begin else text.index(b"\n", part.begin) + 1
        assert raised.value.line == text[first : in_part[0]].count(b"\n") + 1
        assert raised.value.path == part.name
        assert (f"from byte {part.begin} on" in str(raised.value)) == (part.begin > 0)
    assert n_failed == 3


@pytest.mark.parametrize("blocksize", [None, 5000])
def test_bad_lines_are_left_out_counted_and_listed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, blocksize: int | None
) -> None:
    text, numbers = bad_lines()
    path = tmp_path / "a.ndjson"
    path.write_bytes(text)
    frame = read_frames(path, on_error="skip", blocksize=blocksize)
    with caplog.at_level(logging.WARNING, "codec.dask_io"):
        found = computed(frame)
    assert same(found, decoded(path, on_error="skip"))
    words = " ".join(record.getMessage() for record in caplog.records)
    assert str(path) in words
    assert "1 odd_hex" in words and "1 invalid_json" in words
    errors = read_errors(path, blocksize=blocksize).compute()
    assert list(errors["code"]) == ["invalid_hex", "odd_hex", "invalid_json"]
    assert set(errors["path"]) == {str(path)}
    if blocksize is None:
        assert list(errors["line"]) == numbers
        assert set(errors["begin"]) == {0}
    assert list(errors.dtypes) == list(read_errors(path).dtypes)
    unsigned = read_errors(path, signer=OTHER).compute()
    assert list(unsigned["code"]).count("wrong_signer") == 295


@pytest.mark.parametrize("blocksize", [None, 10_000])
def test_damage_is_named_or_left_out(
    every_kind: dict[str, Path], tmp_path: Path, blocksize: int | None
) -> None:
    segment = every_kind["segment"]
    data = bytearray(segment.read_bytes())
    index = read_index(segment)
    assert index is not None
    begin = index.blocks[1].offset
    data[begin + 200] ^= 0xFF
    path = tmp_path / segment.name
    path.write_bytes(data)
    place = f"{segment}.index.json"
    Path(f"{path}.index.json").write_bytes(Path(place).read_bytes())
    with pytest.raises(codec.DamageError, match=rf"{path}: .*\[byte \d+\]"):
        read_frames(path, blocksize=blocksize).compute()
    found = computed(read_frames(path, blocksize=blocksize, on_error="skip"))
    expected = decoded(path)
    assert 0 < len(expected) < 4500
    assert same(found, expected)
    errors = read_errors(path, blocksize=blocksize).compute()
    assert list(errors["code"]) == ["damage"]
    assert errors["line"].isna().all()
    assert errors["offset"].isna().all()
    assert begin <= int(errors["file_offset"][0]) <= begin + 250


@pytest.mark.parametrize("name", ["archive.ndjson.gz", "foreign.ndjson.zst", "segment"])
def test_a_file_that_is_cut_short(
    every_kind: dict[str, Path], tmp_path: Path, name: str
) -> None:
    source = every_kind[name]
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(codec.DamageError, match=str(path)):
        read_frames(path).compute()
    found = computed(read_frames(path, on_error="skip"))
    assert same(found, decoded(path, on_error="skip"))
    codes = list(read_errors(path)["code"].compute())
    assert "damage" in codes


def test_values_beyond_the_decimal_are_named(tmp_path: Path) -> None:
    lines = [
        codec.to_frame(
            codec.encode([1, 2], [5, v], timestamp_ns=1, taxonomy_id=1, key=None)
        )
        for v in (1, 10**38)
    ]
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"\n".join([lines[0], b"{}", lines[1], b""]))
    with pytest.raises(MessageError, match=r"a\.ndjson: line 3: "):
        read_frames(path, on_error="skip").compute()
    found = computed(read_frames(path, on_error="skip", overflow="null"))
    assert found["value"].null_count == 1


def test_what_is_asked_for_wrongly(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"")
    assert len(read_frames(path)) == 0
    for options, error, words in (
        ({"on_error": "?"}, ValueError, "on_error is"),
        ({"overflow": "?"}, ValueError, "overflow is"),
        ({"on_bad_signature": "?"}, ValueError, "on_bad_signature is"),
        ({"signer": "0x12"}, codec.SignatureError, "0x12"),
        ({"blocksize": 0}, ValueError, "blocksize must be above 0"),
        ({"blocksize": "many"}, ValueError, "many"),
    ):
        with pytest.raises(error, match=words):
            read_frames(path, **options)
    with pytest.raises(FileNotFoundError, match="missing"):
        read_frames(tmp_path / "missing.ndjson")
    (tmp_path / "empty").mkdir()
    for url in (tmp_path / "empty", f"{tmp_path}/*.gz", []):
        with pytest.raises(codec.RecordingError, match="there is no recording"):
            read_frames(url)
    with pytest.raises(ValueError, match="Protocol not known"):
        read_frames("nothing://x")


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    pq.write_table(schema().empty_table(), path)
    for on_error in ("raise", "skip"):
        with pytest.raises(codec.ExportError, match=f"{path}: this is a Parquet file"):
            read_frames(path, on_error=on_error).compute()


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(frame_lines(3))
    part = tmp_path / "b.ndjson.part"
    part.write_bytes(frame_lines(3))
    frame, unfinished = read_frames(path), read_frames(part)
    path.unlink()
    part.rename(tmp_path / "b.ndjson")
    with pytest.raises(codec.RecordingError, match=f"{path}: the file is not there"):
        frame.compute()
    assert len(unfinished) == 9


def test_random_cuts_give_the_same_rows(every_kind: dict[str, Path]) -> None:
    generator = random.Random(5)
    expected = codec.decode_lines(some_lines()).to_arrow()
    for _ in range(6):
        blocksize = generator.randrange(2000, 400_000)
        for name in ("plain.ndjson", "without index"):
            assert same(
                computed(read_frames(every_kind[name], blocksize=blocksize)), expected
            )


def test_pandas_has_arrow_types(every_kind: dict[str, Path]) -> None:
    frame = read_frames(every_kind["plain.ndjson"])
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)
    assert pa.schema(
        [(name, dtype.pyarrow_dtype) for name, dtype in frame.dtypes.items()]
    ).equals(pa.schema([(field.name, field.type) for field in schema()]))
