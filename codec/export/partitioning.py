"""A folder for each day and asset: an external sort, each file written once."""

from __future__ import annotations

import heapq
from contextlib import ExitStack
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa

from codec.export.formats import make_writer, suffix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["PARTS", "PartitionedWriter"]

PARTS = ("day", "asset")

_DAY_NS = 86_400 * 10**9
_NO_DAY = 0xFFFF  # of a timestamp beyond what Arrow holds; int64 ends at day 106,751
_RUN_LEN = 1 << 20  # rows that are sorted together
_MAX_RUNS = 64  # that are read at the same time, each with a batch in memory
_BATCH_LEN = 1 << 14


class Key(NamedTuple):
    """A partition; what it is not made by is 0."""

    day: int
    taxonomy_id: int
    asset_id: int


_Piece: TypeAlias = "tuple[Key, pa.Table]"


class PartitionedWriter:
    """Writes tables into `day=2025-12-01/asset=1-3/<name>` below a folder.

    parts: "day", "asset" or both. asset is the taxonomy id and the asset id. Rows keep
    their order within a partition. A million rows at a time are sorted by partition and
    put aside as a run in `scratch`; at the end the runs are merged, one partition after
    the other, each into one file. Memory and open files are bounded whatever the number
    of partitions. written: the files, relative to the folder.
    """

    part_len = 1 << 17

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        schema: pa.Schema,
        parts: Collection[str],
        name: str,
        file_format: str,
    ) -> None:
        self.written: list[Path] = []
        self._folder = folder
        self._scratch = scratch
        self._schema = schema
        self._parts = parts
        self._name = name + suffix_of(file_format)
        self._format = file_format
        self._waiting: list[pa.Table] = []
        self._n_waiting = 0
        self._levels: list[list[Path]] = [[]]  # runs, and runs of merged runs
        self._n_runs = 0

    def write(self, table: pa.Table) -> None:
        """Takes a table of any length."""
        for start in range(0, table.num_rows, _RUN_LEN):
            part = table.slice(start, _RUN_LEN)
            self._waiting.append(part)
            self._n_waiting += part.num_rows
            if self._n_waiting >= _RUN_LEN:
                self._put_aside()

    def close(self) -> None:
        """Writes all files; until then there is none."""
        runs = [run for level in reversed(self._levels) for run in level]
        with ExitStack() as stack:
            sources = [_read(run, self._key, stack) for run in runs]
            sources.append(self._sorted())
            self._write_files(heapq.merge(*sources, key=itemgetter(0)))
        for run in runs:
            run.unlink()

    def abandon(self) -> None:
        """Nothing is open between calls; who has made the folders removes them."""

    def _put_aside(self) -> None:
        self._levels[0].append(self._write_run(self._sorted()))
        level = 0
        while len(self._levels[level]) >= _MAX_RUNS:
            if level + 1 == len(self._levels):
                self._levels.append([])
            runs = self._levels[level]
            with ExitStack() as stack:
                sources = [_read(run, self._key, stack) for run in runs]
                merged = heapq.merge(*sources, key=itemgetter(0))
                self._levels[level + 1].append(self._write_run(merged))
            for run in runs:
                run.unlink()
            self._levels[level] = []
            level += 1

    def _sorted(self) -> Iterator[_Piece]:
        """What waits, by partition."""
        if not self._waiting:
            return
        waiting, self._waiting, self._n_waiting = self._waiting, [], 0
        table = pa.concat_tables(waiting).unify_dictionaries().combine_chunks()
        del waiting
        columns = self._columns(table)
        order = _order(columns)
        if order is not None:
            table = table.take(pa.array(order))
            columns = [column[order] for column in columns]
        is_new = np.zeros(table.num_rows, np.bool_)
        is_new[0] = True
        for column in columns:
            is_new[1:] |= column[1:] != column[:-1]
        starts = np.flatnonzero(is_new).tolist()
        for start, end in zip(starts, [*starts[1:], table.num_rows], strict=True):
            key = Key(*(int(column[start]) for column in columns))
            for at in range(start, end, _BATCH_LEN):
                yield key, table.slice(at, min(_BATCH_LEN, end - at))

    def _columns(self, table: pa.Table) -> list[NDArray[np.uint16]]:
        """Of each row its day, taxonomy id and asset id, or 0."""
        none = np.zeros(table.num_rows, np.uint16)
        days = none
        if "day" in self._parts:
            times = table["timestamp"].cast(pa.int64()).fill_null(_NO_DAY * _DAY_NS)
            days = (times.to_numpy() // _DAY_NS).astype(np.uint16)
        if "asset" not in self._parts:
            return [days, none, none]
        return [days, table["taxonomy_id"].to_numpy(), table["asset_id"].to_numpy()]

    def _key(self, table: pa.Table) -> Key:
        return Key(*(int(column[0]) for column in self._columns(table.slice(0, 1))))

    def _write_run(self, pieces: Iterable[_Piece]) -> Path:
        self._n_runs += 1
        path = self._scratch / f"run-{self._n_runs:06}.arrows"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_stream(file, self._schema, options=options) as out,
        ):
            for _, table in pieces:
                out.write_table(table)
        return path

    def _write_files(self, pieces: Iterator[_Piece]) -> None:
        is_open: Key | None = None
        with ExitStack() as stack:
            for key, table in pieces:
                if key != is_open:
                    stack.close()
                    writer = stack.enter_context(self._open(key))
                    is_open = key
                writer(table)

    def _open(self, key: Key) -> _File:
        place = self._path(key)
        self.written.append(place)
        return _File(self._folder / place, self._schema, self._format)

    def _path(self, key: Key) -> Path:
        path = self._folder
        if "day" in self._parts:
            day = str(np.datetime64(key.day, "D"))
            path /= f"day={'__HIVE_DEFAULT_PARTITION__' if key.day == _NO_DAY else day}"
        if "asset" in self._parts:
            path /= f"asset={key.taxonomy_id}-{key.asset_id}"
        return (path / self._name).relative_to(self._folder)


class _File:
    """A file of a partition while it is open."""

    def __init__(self, path: Path, schema: pa.Schema, file_format: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "xb")  # noqa: SIM115
        self._writer = make_writer(self._file, schema, file_format, path)

    def __enter__(self) -> Callable[[pa.Table], None]:
        return self._writer.write

    def __exit__(self, kind: object, *_: object) -> None:
        with self._file:
            if kind is None:
                self._writer.close()
            else:
                self._writer.abandon()


def _order(columns: list[NDArray[np.uint16]]) -> NDArray[np.int64] | None:
    """The rows by the columns, the first the most important, each keeping its place
    among its like; None where they are in order. numpy sorts uint16 by radix."""
    order: NDArray[np.int64] | None = None
    for column in reversed(columns):
        if (column == column[0]).all():
            continue
        if order is None:
            order = np.argsort(column, kind="stable")
        else:
            order = order[np.argsort(column[order], kind="stable")]
    return order


def _read(
    run: Path, key_of: Callable[[pa.Table], Key], stack: ExitStack
) -> Iterator[_Piece]:
    """A run's pieces, one in memory at a time."""
    file = stack.enter_context(pa.OSFile(str(run), "rb"))
    for batch in stack.enter_context(pa.ipc.open_stream(file)):
        table = pa.Table.from_batches([batch])
        yield key_of(table), table
