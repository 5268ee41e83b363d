"""A part of a file becomes a table, in a worker: chunk by chunk, in bounded memory."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from codec import arrow
from codec.api import decode_lines
from codec.errors import (
    BadSignatureError,
    DecodeError,
    ErrorCode,
    FileError,
    RangeError,
    RecordingError,
)
from codec.recording.naming import PART, is_unfinished
from codec.recording.reading import read_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.api import OnError
    from codec.arrow import Overflow
    from codec.batch import Batch
    from codec.dask_io.parts import Part
    from codec.errors import DamageError
    from codec.known import Signers
    from codec.signatures import OnBadSignature
    from codec.taxonomy import Taxonomy

__all__ = ["ERRORS", "Options", "load", "load_errors", "tables"]

_READ_LEN = 8 << 20  # asked of a file system at once
_TEXT_LEN = 4 << 20  # decoded at once

_DAMAGE = "damage"

_log = logging.getLogger("codec.dask_io")

ERRORS = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("begin", pa.uint64(), nullable=False),
        pa.field("line", pa.uint64()),
        pa.field("offset", pa.uint64(), nullable=False),
        pa.field("code", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Options:
    """What `read_frames` was asked for."""

    signers: Signers | None = None
    taxonomy: Taxonomy | None = None
    on_error: OnError = "raise"
    on_bad_signature: OnBadSignature = "raise"
    value_float: bool = False
    overflow: Overflow = "raise"

    @property
    def schema(self) -> pa.Schema:
        return arrow.schema(
            taxonomy=self.taxonomy is not None,
            value_float=self.value_float,
            signers=self.signers is not None,
        )


@dataclass
class Outcome:
    """What became of a part, filled while it is read. left_out: how many of which
    code."""

    n_messages: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    damages: list[DamageError] = field(default_factory=list)


def load(part: Part, options: Options) -> pa.Table:
    """A part's updates. Bad messages are left out, and counted in the log, or raised as
    FileError, with the file and the line; damage as DamageError."""
    outcome = Outcome()
    found = list(tables(part, options, outcome))
    if outcome.left_out:
        words = ", ".join(f"{n} {code}" for code, n in sorted(outcome.left_out.items()))
        _log.warning(
            "%s, from byte %d on: left out, besides %d good messages: %s",
            part.url,
            part.begin,
            outcome.n_messages,
            words,
        )
    return pa.concat_tables([options.schema.empty_table(), *found])


def load_errors(part: Part, options: Options) -> pa.Table:
    """What `load` leaves out of the same part, as a table of the schema ERRORS."""
    outcome = Outcome()
    found = [ERRORS.empty_table()]
    for first_line, batch in _batches(part, options, outcome):
        errors = batch.errors
        codes = [ErrorCode(code) for code in errors["code"].tolist()]
        found.append(
            _errors(
                part,
                errors["index"] + np.uint64(first_line),
                errors["offset"],
                list(map(str, codes)),
                [code.description for code in codes],
            )
        )
    damages = outcome.damages
    found.append(
        _errors(
            part,
            [None] * len(damages),
            [damage.offset for damage in damages],
            [_DAMAGE] * len(damages),
            [damage.reason for damage in damages],
        )
    )
    return pa.concat_tables(found)


def _errors(
    part: Part, lines: Any, offsets: Any, codes: list[str], reasons: list[str]
) -> pa.Table:
    n = len(codes)
    columns = [[part.url] * n, [part.begin] * n, lines, offsets, codes, reasons]
    arrays = [
        pa.array(column, type=kind)
        for column, kind in zip(columns, ERRORS.types, strict=True)
    ]
    return pa.table(arrays, schema=ERRORS)


def tables(part: Part, options: Options, outcome: Outcome) -> Iterator[pa.Table]:
    """A part's updates, some MiB at a time."""
    for first_line, batch in _batches(part, options, outcome):
        try:
            yield batch.to_arrow(
                options.taxonomy,
                value_float=options.value_float,
                overflow=options.overflow,
            )
        except RangeError as error:
            message = int(batch.message_index()[error.index])
            line = first_line + _line_of(batch, message)
            raise FileError(part.url, part.begin, line, error.reason) from error


def _batches(
    part: Part, options: Options, outcome: Outcome
) -> Iterator[tuple[int, Batch]]:
    """The number of the first line, and what was decoded, chunk by chunk."""
    line = 1
    for lines in _texts(part, options, outcome):
        try:
            batch = decode_lines(
                lines,
                on_error=options.on_error,
                payloads=options.signers is not None,
                signers=options.signers,
                on_bad_signature=options.on_bad_signature,
            )
        except (DecodeError, BadSignatureError) as error:
            place = f"{error.code.description} [{error.code}, byte {error.offset}]"
            if isinstance(error, BadSignatureError):
                place = f"{place[:-1]} of its payload]"
            at = line + error.index
            raise FileError(part.url, part.begin, at, place) from error
        outcome.n_messages += batch.n_messages
        codes, counts = np.unique(batch.errors["code"], return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            outcome.left_out[str(ErrorCode(code))] += count
        yield line, batch
        line += batch.n_messages + batch.n_errors


def _line_of(batch: Batch, message: int) -> int:
    """Which line of a batch's input, from 0, a message stood on."""
    line = message
    for index in batch.errors["index"].tolist():
        if index > line:
            break
        line += 1
    return line


def _texts(part: Part, options: Options, outcome: Outcome) -> Iterator[bytes]:
    """Whole lines, some MiB together."""

    def note(damage: DamageError) -> None:
        if damage.is_at_end and is_unfinished(part.path):
            return  # the torn end of a segment that was not closed
        outcome.left_out[_DAMAGE] += 1
        outcome.damages.append(damage)

    chunks: list[bytes] = []
    n_bytes = 0
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
            chunks.append(chunk.lines)
            n_bytes += len(chunk.lines)
            if n_bytes >= _TEXT_LEN:
                yield b"".join(chunks)
                chunks, n_bytes = [], 0
    if chunks:
        yield b"".join(chunks)


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
