"""Archives exported: every format read back by others, filters, faults, signatures."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from exported import (
    BEGIN_NS,
    KEY,
    LIMIT,
    OTHER_KEY,
    READERS,
    STEP_NS,
    archive,
    by_arrow,
    message,
    rows,
    table_rows,
)
from fault_cases import FAULTS
from hypothesis import given
from hypothesis import strategies as st
from messages import damaged, texts
from recorded import record
from signed_payloads import address_of

import codec
from codec import Taxonomy, reference
from codec.errors import DamageError, ErrorCode, ExportError, MessageError
from codec.export import (
    Converter,
    Fault,
    Lines,
    Options,
    Summary,
    export,
    make_writer,
    tables,
)
from codec.export.parquet import ROW_GROUP_LEN

SIGNER = address_of(KEY)
SUFFIXES = (
    ".parquet",
    ".arrow",
    ".feather",
    ".ndjson",
    ".ndjson.gz",
    ".jsonl.zst",
    ".csv",
    ".csv.gz",
    ".csv.zst",
)


def found(path: Path, options: Options | None = None) -> list[Any]:
    return [row for table in tables(path, options) for row in table_rows(table)]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("reader", READERS)
def test_every_format_reads_back(tmp_path: Path, suffix: str, reader: str) -> None:
    if suffix == ".jsonl.zst" and reader == "duckdb":
        suffix = ".ndjson.zst"
    lines = archive(300)
    (tmp_path / "a.ndjson").write_bytes(lines)
    output = tmp_path / f"out{suffix}"
    summary = export(tmp_path / "a.ndjson", output)
    assert READERS[reader](output) == rows(lines)
    assert (summary.n_messages, summary.n_updates, summary.n_lines) == (300, 900, 301)
    assert summary.passed == {"not_data": 1} and not summary.bad
    assert summary.first_ns == BEGIN_NS
    assert summary.last_ns == BEGIN_NS + 299 * STEP_NS
    assert summary.n_assets == len({row[1:3] for row in rows(lines)})
    assert summary.written_len == output.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ndjson", output.name]


def test_every_kind_of_input(tmp_path: Path) -> None:
    parts = [archive(40, start) for start in range(0, 240, 40)]
    folder = tmp_path / "folder"
    record(folder, [parts[0]], max_segment_len=8_000)
    record(folder, [parts[1]], compression="none")
    last = max(folder.glob("*.ndjson"))
    last.rename(f"{last}.part")
    with open(f"{last}.part", "ab") as file:
        file.write(b'17 {"type":"uns')  # being written
    gz, zst, plain = (tmp_path / name for name in ("b.ndjson.gz", "c.zst", "d"))
    gz.write_bytes(gzip.compress(parts[2]))
    zst.write_bytes(zstandard.compress(parts[3]))
    plain.write_bytes(parts[4].removesuffix(b"\n"))  # the last line has no end
    (tmp_path / "e1.jsonl").write_bytes(parts[5])
    inputs = [folder, gz, zst, plain, tmp_path / "e?.jsonl", gz]
    notes: list[str] = []
    output = tmp_path / "out.parquet"
    summary = export(inputs, output, on_note=notes.append)
    assert by_arrow(output) == rows(b"".join(parts))
    assert summary.n_inputs == len(list(folder.glob("*.zst"))) + 5
    assert len(notes) == 1 and notes[0].startswith(f"unfinished, {last}.part: ")


@given(
    st.lists(st.one_of(texts().map(str.encode), damaged(texts().map(str.encode)))),
    st.integers(1, 5),
)
def test_the_rows_are_the_references(frames: list[bytes], n_parts: int) -> None:
    data = [frame.replace(b"\n", b" ") + b"\n" for frame in frames]
    faults: list[Fault] = []
    options = Options(on_error="skip", overflow="null")
    converter = Converter(options, faults.append)
    found, line, offset = [], 1, 0
    for part in np.array_split(np.arange(len(data)), n_parts):
        lines = b"".join(data[i] for i in part)
        found += table_rows(converter.table(Lines(lines, "x", line, offset)))
        line, offset = line + len(part), offset + len(lines)
    batch = reference.decode_lines(b"".join(data), on_error="skip")
    wanted = [
        row if abs(row[3]) <= Decimal(LIMIT).scaleb(-18) and row[0] < 2**63 else None
        for row in rows(b"".join(data))
    ]
    assert [row if None not in (row[0], row[3]) else None for row in found] == wanted
    errors = [
        (index + 1, offset, str(ErrorCode(code)))
        for index, offset, code in batch.errors.tolist()
        if code not in (ErrorCode.EMPTY, ErrorCode.NOT_DATA)
    ]
    assert [(fault.line, fault.code) for fault in faults] == [
        (line, code) for line, _, code in errors
    ]
    for fault, (_, offset, code) in zip(faults, errors, strict=True):
        assert fault.offset == offset or code == "invalid_json"
    summary = converter.summary
    assert summary.n_lines == len(data) and summary.n_messages == len(batch.messages)
    assert summary.n_bad == len(faults)


def test_tables_own_their_memory(tmp_path: Path) -> None:
    """The decoder's buffers are written over by its next call."""
    for n_assets in (1, 4):
        converter = Converter(Options(), print)
        parts = [message(i, n_assets=n_assets) + b"\n" for i in range(20)]
        made = [converter.table(Lines(part, "x")) for part in parts]
        assert [row for t in made for row in table_rows(t)] == rows(b"".join(parts))


def test_parquet_in_row_groups(tmp_path: Path) -> None:
    lines = archive(500, n_assets=30)
    n_times = 2 * ROW_GROUP_LEN // (500 * 30) + 5
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(zstandard.compress(lines) * n_times)
    output = tmp_path / "out.parquet"
    for threads in (1, 2):
        export(path, output, Options(threads=threads), force=True)
        file = pq.ParquetFile(output)
        groups = [
            file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)
        ]
        n_rest = n_times * 15_000 - 2 * ROW_GROUP_LEN
        assert [group.num_rows for group in groups] == [ROW_GROUP_LEN] * 2 + [n_rest]
        for group in groups:
            columns = [group.column(i) for i in range(group.num_columns)]
            assert {column.compression for column in columns} == {"ZSTD"}
            assert all(column.is_stats_set for column in columns)
        values = [row[3] for row in rows(lines)] * n_times
        assert file.read(["value"])["value"].to_pylist() == values
    assert groups[0].column(0).statistics.has_min_max


@pytest.mark.parametrize("n_assets", [1, 30])
def test_times_are_encoded_by_how_many_rows_share_them(
    tmp_path: Path, n_assets: int
) -> None:
    path, output = tmp_path / "a.ndjson", tmp_path / "out.parquet"
    path.write_bytes(archive(40, n_assets=n_assets))
    export(path, output)
    group = pq.ParquetFile(output).metadata.row_group(0)
    columns = {
        column.path_in_schema: column
        for column in map(group.column, range(group.num_columns))
    }
    wanted = "PLAIN" if n_assets == 30 else "BYTE_STREAM_SPLIT"
    for name in ("timestamp", "receive_timestamp"):
        assert wanted in columns[name].encodings
    for read in READERS.values():
        assert read(output) == rows(path.read_bytes())


@pytest.mark.parametrize("n_digits", [7, 9, 22])
def test_values_are_compressed_by_what_suits_their_digits(
    tmp_path: Path, n_digits: int
) -> None:
    digits = np.random.default_rng(n_digits).integers(10**6, 10**7, 30_000).tolist()
    unit = 10 ** (22 - n_digits)
    values = [Decimal(d * 10**15 // unit * unit).scaleb(-18) for d in digits]
    times = pa.array([BEGIN_NS] * len(values), Options().schema().field(0).type)
    columns = {
        "timestamp": times,
        "taxonomy_id": np.ones(len(values), np.uint16),
        "asset_id": np.ones(len(values), np.uint16),
        "value": values,
        "market_status": pa.nulls(len(values)),
        "receive_timestamp": times,
    }
    table = pa.table(columns, Options().schema())
    path = tmp_path / "out.parquet"
    with path.open("wb") as file:
        writer = make_writer(file, table.schema, "parquet", path)
        writer.write(table)
        writer.close()
    sizes = [written_len(path)]
    for level in (-3, -4, -5):
        other = tmp_path / f"{level}.parquet"
        pq.write_table(
            table,
            other,
            compression="zstd",
            compression_level=level,
            use_dictionary=False,
            max_rows_per_page=len(values),
        )
        sizes.append(written_len(other))
    assert sizes[0] <= 1.01 * min(sizes)
    assert pq.read_table(path)["value"].to_pylist() == values


def written_len(path: Path) -> int:
    """Bytes of a Parquet file's values."""
    size: int = (
        pq.ParquetFile(path).metadata.row_group(0).column(3).total_compressed_size
    )
    return size


def test_columns_that_lack_nothing_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(archive(3))
    for overflow, required in (("raise", True), ("null", False)):
        output = tmp_path / f"{overflow}.parquet"
        export(path, output, Options(overflow=overflow))
        schema = pq.read_schema(output)
        found = {field.name for field in schema if not field.nullable}
        assert found >= {"taxonomy_id", "asset_id"}
        assert (found >= {"timestamp", "value"}) == required
        assert not found & {"market_status", "receive_timestamp"}


def test_schema_notes_and_columns(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(archive(30))
    taxonomy = Taxonomy({(1, 7): "BTCUSD", (1, 8): 'a "quoted", name', (2, 7): "no"})
    options = Options(
        taxonomy=taxonomy, value_float=True, signers=SIGNER, on_bad_signature="mark"
    )
    wanted = rows(archive(30))
    for suffix in (".parquet", ".arrow", ".csv", ".ndjson"):
        output = tmp_path / f"out{suffix}"
        export(tmp_path / "a.ndjson", output, options)
        if suffix == ".csv":
            table = pa.csv.read_csv(output)
        elif suffix == ".ndjson":
            table = pa.json.read_json(output)
        else:
            table = by_schema(output)
            assert table.schema.equals(options.schema())
            notes = json.loads(table.schema.metadata[b"stork_codec"])
            assert notes["version"] == codec.__version__
            assert set(notes["columns"]) == set(table.column_names)
        symbols = {7: "BTCUSD", 8: 'a "quoted", name'}
        assert [word or None for word in table["symbol"].to_pylist()] == [
            symbols.get(row[2]) for row in wanted
        ]
        assert table["value_float"].to_pylist() == [float(row[3]) for row in wanted]
        verified = [i % 3 != 2 for i in range(30) for _ in range(3)]
        assert table["verified"].to_pylist() == verified
        mixed = codec.checksum_address(SIGNER)
        assert [word or None for word in table["signer"].to_pylist()] == [
            mixed if good else None for good in verified
        ]


def by_schema(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return pa.ipc.open_file(path).read_all()


@pytest.mark.parametrize(
    "assets", [[7], [7, 8, 499], [(1, 7)], [(2, 7), (1, 8)], [(None, 7), (3, 8)], []]
)
def test_assets(tmp_path: Path, assets: list[Any]) -> None:
    lines = archive(200) + archive(100, taxonomy_id=2) + archive(50, taxonomy_id=3)
    (tmp_path / "a").write_bytes(lines)
    pairs = [asset if isinstance(asset, tuple) else (None, asset) for asset in assets]
    wanted = [
        row
        for row in rows(lines)
        if (row[1], row[2]) in pairs or (None, row[2]) in pairs
    ]
    assert found(tmp_path / "a", Options(assets=assets)) == wanted


def test_times(tmp_path: Path) -> None:
    lines = archive(100)
    (tmp_path / "a").write_bytes(lines)
    start, end = BEGIN_NS + 20 * STEP_NS, BEGIN_NS + 70 * STEP_NS
    for low, high in ((start, end), (start, None), (None, end), (end, start)):
        lo, hi = low or 0, high or 2**63
        options = Options(start_ns=low, end_ns=high)
        assert found(tmp_path / "a", options) == [
            row for row in rows(lines) if lo <= row[0] < hi
        ]
        options = Options(start_ns=low, end_ns=high, clock="receive")
        assert found(tmp_path / "a", options) == [
            row for row in rows(lines) if row[5] and lo <= row[5] < hi
        ]


def test_an_index_spares_reading_only_by_receive_time(tmp_path: Path) -> None:
    """Lines that no index lets be passed over are read, and bad ones seen."""
    parts = [archive(10, i) for i in range(0, 100, 10)]
    parts[1] = b"%d zz\n" % (BEGIN_NS + 15 * STEP_NS) + parts[1]
    (path,) = record(tmp_path / "folder", parts, each_its_frame=True)
    start = BEGIN_NS + 50 * STEP_NS
    wanted = [row for row in rows(b"".join(parts)) if row[5] and row[5] >= start]
    assert found(path, Options(start_ns=start, clock="receive")) == wanted
    with pytest.raises(MessageError, match="line 12: not a hexa"):
        found(path, Options(start_ns=start))
    (tmp_path / "more").mkdir()
    parts[8] += b"%d zz\n" % (BEGIN_NS + 85 * STEP_NS)
    (path,) = record(tmp_path / "more", parts, each_its_frame=True)
    with pytest.raises(MessageError) as caught:
        found(path, Options(start_ns=start, clock="receive"))
    n_before = b"".join(parts[:9]).count(b"\n")
    assert (caught.value.line, caught.value.text_offset) == (n_before, None)


def bad_lines() -> list[tuple[bytes, bytes, ErrorCode, int]]:
    """What stands before a message, the message, its fault and where that is."""
    found = []
    for _, kind, data, code, offset in FAULTS:
        if kind == "payloads" or not isinstance(data, (str, bytes)):
            continue
        text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        line = text.removesuffix(b"\n")
        head = b"" if code == ErrorCode.INVALID_RECEIVE_TIME else b"17 "
        harmless = (ErrorCode.EMPTY, ErrorCode.NOT_DATA)
        if b"\n" not in line and code not in harmless and kind != "lines":
            found.append((head, line, code, offset))
    found.append((b"", b"017 {}", ErrorCode.INVALID_RECEIVE_TIME, 0))
    return found


BAD_LINES = bad_lines()


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd"])
def test_each_fault_is_listed(tmp_path: Path, kind: str) -> None:
    good = archive(3)
    lines = [good]
    for head, data, _, _ in BAD_LINES:
        lines += [head + data + b"\n", good]
    text = b"".join(lines)
    pack: Callable[[bytes], bytes] = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.compress,
    }[kind]
    path = tmp_path / "a.ndjson"
    path.write_bytes(pack(text))
    output = tmp_path / "out.parquet"
    summary = export(path, output, Options(on_error="skip"))
    assert by_arrow(output) == rows(text)
    listed = [
        json.loads(line)
        for line in (tmp_path / "out.errors.ndjson").read_text().splitlines()
    ]
    assert summary.n_bad == len(listed) == len(BAD_LINES)
    split = text.split(b"\n")
    for entry, (head, data, code, offset) in zip(listed, BAD_LINES, strict=True):
        assert entry["file"] == str(path)
        assert split[entry["line"] - 1] == head + data
        assert text[entry["line_offset"] :].startswith(head + data)
        assert (entry["code"], entry["reason"]) == (str(code), code.description)
        if code != ErrorCode.INVALID_JSON:  # fault_cases gives several places
            assert entry["byte"] == offset
        assert entry["byte_of"] == "message"
        assert data.decode("utf-8", "backslashreplace").startswith(entry["text"])
        assert len(entry["text"]) > 0 or not data
    first = BAD_LINES[0][2]
    with pytest.raises(MessageError) as caught:
        export(path, tmp_path / "none.parquet")
    error = caught.value
    assert (error.path, error.line, error.code) == (str(path), 5, str(first))
    assert str(error).startswith(f"{path}: line 5: {first.description} [{first}, byte ")
    assert str(error).endswith(f"; the line begins at byte {len(good)}]")
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"a.ndjson", "out.parquet", "out.errors.ndjson"}


def test_a_list_of_errors_goes_with_its_output(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(b"zz\n" + archive(2))
    good.write_bytes(archive(2))
    output, listed = tmp_path / "out.csv.gz", tmp_path / "out.errors.ndjson"
    skip = Options(on_error="skip")
    export(bad, output, skip)
    assert listed.exists()
    with pytest.raises(ExportError, match="exists; --force"):
        export(good, output, skip)
    export(good, output, skip, force=True)
    assert not listed.exists()
    export(bad, output, skip, force=True, errors=tmp_path / "elsewhere")
    assert json.loads((tmp_path / "elsewhere").read_text())["line"] == 1
    assert not listed.exists()


def test_a_fault_at_a_cut_end(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(archive(5)[:-20])
    with pytest.raises(MessageError, match="has no end: is the file cut short"):
        list(tables(path))
    text = archive(5)
    path.write_bytes(text[:-1])
    assert found(path) == rows(text)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [10, 700, -5])
def test_truncated(tmp_path: Path, kind: str, cut: int) -> None:
    text = archive(400)
    whole = gzip.compress(text) if kind == "gzip" else zstandard.compress(text)
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(whole[:cut])
    output = tmp_path / "out.parquet"
    with pytest.raises(DamageError) as caught:
        export(path, output)
    assert caught.value.path == str(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.ndjson.zst"]
    summary = export(path, output, Options(on_error="skip"))
    assert summary.n_damaged == 1
    n = summary.n_updates
    assert by_arrow(output) == rows(text)[:n]
    if kind == "gzip":
        assert n > 0 or cut == 10
    (listed,) = (tmp_path / "out.errors.ndjson").read_text().splitlines()
    entry = json.loads(listed)
    assert (entry["code"], entry["file"]) == ("damage", str(path))
    assert entry["reason"] == caught.value.reason
    assert entry["file_offset"] == caught.value.offset


def signed_lines() -> bytes:
    """Of eight messages the third is unsigned, the sixth another's."""
    frames = [message(i, key=OTHER_KEY if i == 6 else KEY) for i in (0, 1, 2, 3, 4, 6)]
    return b"".join(b"17 %s\n" % frame for frame in frames)


def test_signatures(tmp_path: Path) -> None:
    lines = signed_lines()
    path, output = tmp_path / "a", tmp_path / "out.parquet"
    path.write_bytes(lines)
    with pytest.raises(MessageError) as caught:
        export(path, output, Options(signers=SIGNER))
    assert (caught.value.line, caught.value.code) == (3, "unsigned")
    assert not output.exists()
    summary = export(path, output, Options(signers=SIGNER, on_bad_signature="mark"))
    table = pq.read_table(output)
    assert by_arrow(output) == rows(lines)
    good = [i not in (2, 5) for i in range(6) for _ in range(3)]
    assert table["verified"].to_pylist() == good
    assert summary.n_unverified == 2 and not summary.bad
    options = Options(signers=SIGNER, on_bad_signature="drop")
    summary = export(path, output, options, force=True)
    kept = [row for row, is_good in zip(rows(lines), good, strict=True) if is_good]
    assert by_arrow(output) == kept
    assert pq.read_table(output)["verified"].to_pylist() == [True] * 12
    assert summary.bad == {"unsigned": 1, "wrong_signer": 1}
    entries = [
        json.loads(line)
        for line in (tmp_path / "out.errors.ndjson").read_text().splitlines()
    ]
    assert [(e["line"], e["code"], e["byte_of"]) for e in entries] == [
        (3, "unsigned", "payload"),
        (6, "wrong_signer", "payload"),
    ]
    # Of a bad message and a bad signature the first one ends it.
    path.write_bytes(lines[: lines.index(b"\n") + 1] + b"zz\n" + lines)
    with pytest.raises(MessageError, match="line 2: "):
        export(path, output, Options(signers=SIGNER), force=True)
    with pytest.raises(MessageError, match="line 5: "):
        export(path, output, Options(signers=SIGNER, on_error="skip"), force=True)


def overflowing(value: int, asset_id: int = 9) -> bytes:
    return codec.to_frame(
        codec.encode(
            [1, asset_id],
            [5, value],
            timestamp_ns=BEGIN_NS,
            taxonomy_id=1,
            key=None,
        )
    )


def test_overflow(tmp_path: Path) -> None:
    path, output = tmp_path / "a", tmp_path / "out.parquet"
    good = overflowing(LIMIT) + b"\n" + overflowing(-LIMIT) + b"\n"
    path.write_bytes(good)
    assert found(path) == rows(good)
    for value in (LIMIT + 1, -LIMIT - 1, 2**127 - 1, -(2**127)):
        path.write_bytes(good + b"{}\n" + overflowing(value) + b"\n" + good)
        with pytest.raises(MessageError, match="cannot hold") as caught:
            export(path, output)
        assert (caught.value.line, caught.value.code) == (4, "overflow")
        assert caught.value.text_offset == len(good) + 3
        summary = export(path, output, Options(overflow="null"), force=True)
        assert summary.n_overflowed == 1
        for read in READERS.values():
            column = [row[3] for row in read(output)]
            assert column.index(None) == 5 and column.count(None) == 1
        # What is not asked for does no harm.
        assert len(found(path, Options(assets=[1]))) == 5
        for table in tables(path, Options(assets=[1])):
            assert table.schema == Options().schema()
        with pytest.raises(MessageError, match="line 4: "):
            found(path, Options(assets=[9]))
        assert found(path, Options(end_ns=BEGIN_NS)) == []
        output.unlink()


def test_gaps_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(archive(10) + archive(10, 15))
    summary = export(path, tmp_path / "o.csv", Options(period_ns=STEP_NS))
    assert (summary.n_gaps, summary.n_missing) == (1, 5)
    summary = export(path, tmp_path / "o2.csv")
    assert summary.n_gaps is None


def test_what_is_refused(tmp_path: Path) -> None:
    path, output = tmp_path / "a.ndjson", tmp_path / "out.parquet"
    path.write_bytes(archive(3))
    export(path, output)
    export(path, tmp_path / "out.arrow")
    (segment,) = record(tmp_path / "folder", [archive(3)])
    index = Path(f"{segment}.index.json")
    (tmp_path / "copy").write_bytes(index.read_bytes())
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90))
    (tmp_path / "noise").write_bytes(b"\x07" + bytes(range(256)))
    for source, words in (
        (output, "this is a Parquet file"),
        (tmp_path / "out.arrow", "this is an Arrow file"),
        (index, "lies beside a segment"),
        (tmp_path / "copy", "the index of a segment"),
        (tmp_path / "picture", "a picture"),
        (tmp_path / "noise", "binary"),
        (tmp_path / "empty", "there is nothing in it"),
        (tmp_path / "nothing", "there is no recording"),
        (tmp_path / "*.none", "there is no recording"),
        ([], "there is no recording"),
    ):
        with pytest.raises(codec.CodecError, match=words):
            export(source, tmp_path / "new.csv")
    with pytest.raises(FileNotFoundError):
        export(tmp_path / "missing", tmp_path / "new.csv")
    for place, words in (
        (output, "exists; --force"),
        (path, "this is an input"),
        (tmp_path / "new.txt", "says no format"),
        (tmp_path / "new.parquet.gz", "compressed inside already"),
        (tmp_path / "none" / "new.csv", "there is no such folder"),
        (Path(os.devnull), "says no format"),
    ):
        with pytest.raises(ExportError, match=words):
            export(path, place)
    with pytest.raises(ExportError, match="a device or a pipe"):
        export(path, os.devnull, file_format="csv", force=True)
    for options in ({"overflow": "x"}, {"clock": "x"}, {"on_error": "x"}):
        with pytest.raises(ValueError, match="is one of"):
            Options(**options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="file_format is one of"):
        export(path, tmp_path / "new.csv", file_format="x")
    assert not list(tmp_path.glob("new*")) and not list(tmp_path.glob(".*.tmp"))


def test_writers_stand_alone(tmp_path: Path) -> None:
    """Tables made in one place are written in another."""
    converter = Converter(Options(), print)
    table = converter.table(Lines(archive(5), "x"))
    path = tmp_path / "x.parquet"
    with open(path, "wb") as file:
        writer = make_writer(file, table.schema, "parquet", path)
        writer.write(table)
        writer.write(table.slice(3, 2))
        writer.close()
    assert by_arrow(path) == rows(archive(5)) + rows(archive(5))[3:5]
    assert isinstance(converter.summary, Summary)
