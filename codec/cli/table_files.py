"""Parquet and Arrow files that `stork-codec decode` wrote, read in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from codec.cli.extras import require
from codec.errors import CodecError, DamageError
from codec.summary import Part
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow

    from codec.recording.reading import OnDamage

__all__ = ["TableError", "is_table", "read_symbols", "read_table_file", "table_files"]

_SUFFIXES = (".parquet", ".arrow", ".feather", ".ipc")
_PARQUET, _ARROW = b"PAR1", b"ARROW1"
_NEEDED = ("timestamp", "taxonomy_id", "asset_id", "value")
_N_ROWS = 1 << 17


class TableError(CodecError):
    """A table that is not one of updates."""


def is_table(path: Path) -> bool:
    """Whether a file is, by its name or its beginning, a table."""
    if path.suffix in _SUFFIXES:
        return True
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(6).startswith((_PARQUET, _ARROW))


def table_files(folder: Path) -> list[Path]:
    """Those of a folder and of the folders in it, in the order of their names."""
    found = (path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
    inside = ((path, path.relative_to(folder).parts) for path in found)
    return sorted(
        path
        for path, parts in inside
        if not any(part.startswith((".", "_")) for part in parts) and path.is_file()
    )


def read_table_file(path: Path, on_damage: OnDamage) -> Iterator[tuple[Part, int]]:
    """A file's rows in parts, and how many of the file's bytes each stands for.

    Raises TableError, OSError, MissingDependencyError; DamageError as `on_damage` has
    it.
    """
    size = path.stat().st_size
    n_told = 0
    for table, part in _tables(path, _wanted, on_damage):
        n_bytes = int(size * part) - n_told
        n_told += n_bytes
        yield Part.of_table(table), n_bytes


def read_symbols(paths: Iterable[Path]) -> Taxonomy | None:
    """What the tables' own columns call their assets; None where they do not.

    What cannot be read is left out: who reads the updates will hear of it.
    """
    import pyarrow as pa

    found: dict[tuple[int, int], str] = {}

    def wanted(path: Path, names: Sequence[str]) -> list[str]:
        columns = ["taxonomy_id", "asset_id", "symbol"]
        return columns if set(columns) <= set(names) else []

    for path in paths:
        for table, _ in _tables(path, wanted, lambda _: None):
            if "symbol" not in table.column_names:
                break
            columns = {name: table.column(name) for name in table.column_names}
            columns["symbol"] = columns["symbol"].cast(pa.string())
            each = pa.table(columns).group_by(list(columns)).aggregate([])
            for row in each.to_pylist():
                if row["symbol"] is not None:
                    found[row["taxonomy_id"], row["asset_id"]] = row["symbol"]
    return Taxonomy(found) if found else None


def _wanted(path: Path, names: Sequence[str]) -> list[str]:
    if missing := [name for name in _NEEDED if name not in names]:
        raise TableError(
            f"{path}: no table of updates: it has no column {missing[0]!r}"
        )
    return [*_NEEDED, *(name for name in names if name == "receive_timestamp")]


def _tables(
    path: Path, wanted: Any, on_damage: OnDamage
) -> Iterator[tuple[pyarrow.Table, float]]:
    """A file in parts, and how much of it that makes with those before, up to 1.

    wanted: which of the columns it has; a folder named `asset_id=5` stands for one.
    """
    require("pyarrow", "arrow")
    import pyarrow as pa

    with open(path, "rb"):  # who may not read it hears so, and not from Arrow
        pass
    keys = _keys(path)
    try:
        parts = _arrow_parts if _is_arrow(path) else _parquet_parts
        for table, part in parts(path, lambda names: wanted(path, [*names, *keys])):
            for name in keys.keys() - set(table.column_names):
                column = pa.repeat(pa.scalar(keys[name], pa.uint16()), len(table))
                table = table.append_column(name, column)
            yield table, part
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        damage = DamageError(str(path), 0, f"this table cannot be read: {reason}")
        if not callable(on_damage):
            raise damage from error
        on_damage(damage)


def _is_arrow(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(6)
    return start == _ARROW or (start[:4] != _PARQUET and path.suffix != ".parquet")


def _parquet_parts(path: Path, wanted: Any) -> Iterator[tuple[pyarrow.Table, float]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = file.schema_arrow.names
        columns = [name for name in wanted(names) if name in names]
        n_rows, n_done = max(file.metadata.num_rows, 1), 0
        for batch in file.iter_batches(_N_ROWS, columns=columns, use_threads=False):
            n_done += len(batch)
            yield pa.Table.from_batches([batch]), n_done / n_rows


def _arrow_parts(path: Path, wanted: Any) -> Iterator[tuple[pyarrow.Table, float]]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as source:
        if source.read(len(_ARROW)) == _ARROW:
            source.seek(0)
            file = pa.ipc.open_file(source)
            n = file.num_record_batches
            batches = (file.get_batch(i) for i in range(n))
        else:
            source.seek(0)
            file = pa.ipc.open_stream(source)
            batches = iter(file)
        size = max(source.size(), 1)
        names = file.schema.names
        columns = [name for name in wanted(names) if name in names]
        for i, batch in enumerate(batches):
            part = (i + 1) / n if hasattr(file, "get_batch") else source.tell() / size
            table = pa.Table.from_batches([batch]).select(columns)
            for at in range(0, len(table), _N_ROWS):
                yield table.slice(at, _N_ROWS), part


def _keys(path: Path) -> dict[str, int]:
    """What the folders of a partitioned table say, as in `asset_id=5`."""
    pairs = (part.partition("=") for part in path.parts[:-1])
    return {
        name: int(value)
        for name, _, value in pairs
        if name in ("taxonomy_id", "asset_id") and value.isdigit()
    }
