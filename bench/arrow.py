"""Lines to Arrow tables and Parquet files, against decoding alone and against what a
user would write with orjson, Python's integers and pyarrow."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

import codec
from bench.rows import Row
from bench.timing import Side, balanced, interleave
from bench.workloads import FIRST_NS, STEP_NS
from codec.export import NewFile, Options, export, make_writer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.ratios import Inputs

__all__ = ["arrow_rows", "python_table"]

_EXACT = Context(prec=60)
_TIME = pa.timestamp("ns", "UTC")
_RECORDS_AT, _RECORD_LEN = 75, 18
_ZSTD_LEVEL = 3
_PIECE_LEN = 1 << 20
_OPTIONS = Options(threads=1)


def arrow_rows(inputs: Inputs) -> Iterator[Row]:
    """Every row about tables and files, in turn."""
    yield from _tables(inputs)
    threads = pa.cpu_count(), pa.io_thread_count()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="bench-arrow-", dir=memory))
    try:
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        yield from _files(inputs, folder)
    finally:
        pa.set_cpu_count(threads[0])
        pa.set_io_thread_count(threads[1])
        shutil.rmtree(folder)


def _tables(inputs: Inputs) -> Iterator[Row]:
    scale, lines = inputs.scale, inputs.large.lines
    alone = Side(lambda: codec.decode_lines(lines))
    of = "decode_lines / to Arrow"
    what = "lines of 100 assets to an Arrow table, against `decode_lines` alone:"
    for payloads, words, limits in (
        (False, "into columns, `payloads=False`", (0.5, 0.8)),
        (True, "into columns, payloads kept", (None, None)),
    ):
        ratio = interleave(alone, Side(partial(_table, lines, payloads)), scale.budget)
        yield Row(f"{what} {words}", of, ratio, *limits)
    by_rows = Side(lambda: codec.decode_lines(lines, payloads=False).to_arrow())
    ratio = interleave(alone, by_rows, scale.budget)
    yield Row(f"{what} by way of rows, `payloads=False`", of, ratio)
    received = _received(inputs.large.frames)
    ratio = interleave(
        Side(lambda: codec.decode_lines(received)),
        Side(partial(_table, received, False)),
        scale.budget,
    )
    yield Row(f"{what} as the first, of lines with receive times", of, ratio)
    part = inputs.for_python.lines
    python, ours = Side(partial(python_table, part)), Side(partial(_table, part, False))
    ratio = interleave(*balanced(python, ours), scale.budget)
    work = "lines of 100 assets to an Arrow table, by orjson, Python's ints and pyarrow"
    yield Row(work, "Python / to Arrow", ratio)


def _files(inputs: Inputs, folder: Path) -> Iterator[Row]:
    scale = inputs.scale
    lines = _received(inputs.large.frames)
    plain, small = folder / "all.ndjson", folder / "some.ndjson"
    plain.write_bytes(lines)
    small.write_bytes(_received(inputs.for_python.frames))
    python = Side(
        partial(_python_parquet, small, folder / "python.parquet"),
        inputs.for_python.n_updates,
    )
    ours = Side(
        partial(_parquet, plain, folder / "ours.parquet"), inputs.large.n_updates
    )
    yield Row(
        "file of lines with receive times to Parquet (zstd), one thread, an update: by"
        " orjson, Python's ints and pyarrow",
        "Python / export",
        interleave(python, ours, scale.budget),
        20,
        60,
    )
    packed = folder / "all.ndjson.zst"
    packed.write_bytes(zstandard.compress(lines, _ZSTD_LEVEL))
    whole = Side(partial(_parquet, packed, folder / "ours.parquet"))
    tables = [codec.decode_lines(lines, payloads=False, layout="columns").to_arrow()]

    def others() -> None:
        _unpack(packed)
        _write(tables, folder / "theirs.parquet")

    yield Row(
        "zstd lines to Parquet, one thread: the part that is zstd's and pyarrow's",
        "unpacking and writing alone / export",
        interleave(Side(others), whole, scale.budget),
        0.75,
        0.9,
    )


def _parquet(source: Path, place: Path) -> None:
    export(source, place, _OPTIONS, force=True)


def _python_parquet(source: Path, place: Path) -> None:
    pq.write_table(python_table(source.read_bytes()), place, compression="zstd")


def _unpack(packed: Path) -> None:
    with packed.open("rb", buffering=0) as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file)
        while reader.read(_PIECE_LEN):
            pass


def _write(tables: list[pa.Table], place: Path) -> None:
    """By the writer that `export` has, which is pyarrow's with options."""
    with NewFile(place) as new:
        writer = make_writer(new.file, tables[0].schema, "parquet", place)
        for table in tables:
            writer.write(table)
        writer.close()
        new.commit()


def _table(lines: bytes, payloads: bool) -> pa.Table:
    return codec.decode_lines(lines, payloads=payloads, layout="columns").to_arrow()


def _received(frames: list[bytes]) -> bytes:
    """The frames as a recorder writes them."""
    return b"".join(
        b"%d %s\n" % (FIRST_NS + i * STEP_NS + 1234567, frame)
        for i, frame in enumerate(frames)
    )


def python_table(lines: bytes) -> pa.Table:
    """The table of `to_arrow`, by orjson, Python's integers and Decimal, and pyarrow;
    signed messages of layout 1, nothing checked, receive times if they are there."""
    columns: dict[str, list[Any]] = {name: [] for name in _TYPES}
    for line in lines.splitlines():
        head, _, frame = line.rpartition(b" ")
        payload = bytes.fromhex(orjson.loads(frame)["p"][2:])
        n = (len(payload) - _RECORDS_AT) // _RECORD_LEN
        columns["timestamp"] += [int.from_bytes(payload[67:75])] * n
        columns["taxonomy_id"] += [int.from_bytes(payload[65:67])] * n
        columns["receive_timestamp"] += [int(head) if head else None] * n
        for at in range(_RECORDS_AT, len(payload), _RECORD_LEN):
            columns["asset_id"].append(int.from_bytes(payload[at : at + 2]))
            value = int.from_bytes(payload[at + 2 : at + _RECORD_LEN], signed=True)
            columns["value"].append(Decimal(value).scaleb(-18, _EXACT))
    columns["market_status"] = [None] * len(columns["value"])
    arrays = [pa.array(columns[name], dtype) for name, dtype in _TYPES.items()]
    return pa.Table.from_arrays(arrays, names=list(_TYPES))


_TYPES = {
    "timestamp": _TIME,
    "taxonomy_id": pa.uint16(),
    "asset_id": pa.uint16(),
    "value": pa.decimal128(38, 18),
    "market_status": pa.uint8(),
    "receive_timestamp": _TIME,
}
