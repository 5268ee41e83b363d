"""A part of a file becomes tables, in a worker: chunk by chunk, in bounded memory."""

from __future__ import annotations

import logging
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from codec.errors import RecordingError
from codec.export.converting import Converter
from codec.export.faults import Fault, Lines
from codec.export.inputs import check_kind
from codec.recording.naming import PART, is_unfinished
from codec.recording.reading import read_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codec.dask_io.parts import Part
    from codec.errors import DamageError
    from codec.export.options import Options

__all__ = ["ERRORS", "convert", "load", "load_errors", "warn"]

_READ_LEN = 8 << 20  # asked of a file system at once

_log = logging.getLogger("codec.dask_io")

ERRORS = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("begin", pa.int64(), nullable=False),
        pa.field("line", pa.int64()),
        pa.field("offset", pa.int64()),
        pa.field("file_offset", pa.int64()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)


def _nothing(fault: Fault) -> None:
    pass


def load(part: Part, options: Options) -> pa.Table:
    """A part's updates. What is bad is left out, and counted in the log, or raised."""
    converter = Converter(options, _nothing)
    found = list(convert(part, options, converter, _nothing))
    warn(part, converter)
    return pa.concat_tables([options.schema().empty_table(), *found])


def load_errors(part: Part, options: Options) -> pa.Table:
    """What `load` leaves out of the same part, as a table of the schema ERRORS."""
    faults: list[Fault] = []
    for _ in convert(part, options, Converter(options, faults.append), faults.append):
        pass
    rows = [
        {
            "path": part.url,
            "begin": part.begin,
            **{name: getattr(fault, name) for name in ERRORS.names[2:]},
        }
        for fault in faults
    ]
    return pa.Table.from_pylist(rows, ERRORS)


def convert(
    part: Part,
    options: Options,
    converter: Converter,
    on_damage: Callable[[Fault], object],
) -> Iterator[pa.Table]:
    """A part's updates, some ten thousand at a time. on_damage: called with what cannot
    be read, where bad things are left out; otherwise it raises DamageError. Raises
    MessageError, and ExportError for what are no lines of messages."""

    def note(error: DamageError) -> None:
        if error.is_at_end and is_unfinished(part.path):
            return  # the torn end of a segment that was not closed
        converter.summary.n_damaged += 1
        on_damage(Fault.of_damage(error))

    with _open(part) as file:
        for chunk in read_part(
            file,
            part.url,
            part.begin,
            part.end,
            is_text=part.is_text,
            on_damage=note if options.on_error == "skip" else "raise",
            unended=not is_unfinished(part.path),
        ):
            n_before = converter.summary.n_lines
            if not (n_before or part.begin):
                check_kind(chunk.lines, part.url)
            yield converter.table(
                Lines(chunk.lines, part.name, n_before + 1, chunk.text_offset)
            )


def warn(part: Part, converter: Converter) -> None:
    """Says in the log how much of a part was left out, if anything was."""
    summary = converter.summary
    words = [f"{n} {code}" for code, n in sorted(summary.bad.items())]
    if summary.n_damaged:
        words.append(f"{summary.n_damaged} places that cannot be read")
    if words:
        _log.warning(
            "%s: left out, besides %d good messages: %s",
            part.name,
            summary.n_messages,
            ", ".join(words),
        )


def _open(part: Part) -> IO[bytes]:
    """Opens a part's file; one that was closed meanwhile has lost its `.part`."""
    options: dict[str, Any] = {"block_size": _READ_LEN, "cache_type": "readahead"}
    try:
        file: IO[bytes] = part.fs.open(part.path, "rb", **options)
    except FileNotFoundError as error:
        if not is_unfinished(part.path):
            raise RecordingError(f"{part.url}: the file is not there") from error
        file = part.fs.open(part.path.removesuffix(PART), "rb", **options)
    except OSError as error:
        raise RecordingError(f"{part.url}: {error}") from error
    return file
