"""Dask DataFrames of the updates in recordings, and of what is bad in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.dataframe as dd
import pandas as pd

from codec.dask_io.loading import ERRORS, load, load_errors
from codec.dask_io.parts import BLOCK_LEN, plan
from codec.export.options import Options
from codec.signatures import make_judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

    from codec.api import OnError
    from codec.arrow import Overflow
    from codec.dask_io.files import Urls
    from codec.dask_io.parts import Part
    from codec.known import Signers
    from codec.signatures import OnBadSignature
    from codec.taxonomy import Taxonomy

__all__ = ["read_errors", "read_frames"]


def read_frames(
    urlpath: Urls,
    *,
    signer: Signers | None = None,
    taxonomy: Taxonomy | None = None,
    on_error: OnError = "raise",
    on_bad_signature: OnBadSignature = "raise",
    value_float: bool = False,
    overflow: Overflow = "raise",
    blocksize: int | str | None = BLOCK_LEN,
    storage_options: Mapping[str, Any] | None = None,
) -> dd.DataFrame:
    """The updates in recordings and archives of lines, as a Dask DataFrame.

    The columns are those of `Batch.to_arrow`, as Arrow dtypes (`pandas.ArrowDtype`);
    rows are the same as on one machine, in the order of files and lines.

    urlpath: a file, a folder, a pattern, or several of them, on any file system that
    fsspec knows (`s3://`, `gcs://`, `memory://`, a local path), given
    `storage_options`; segments of a Recorder, archives of lines plain, gzip or zstd.
    blocksize: about how many bytes of lines a partition has at most, as a number or
    like "64 MiB"; None: a partition for each file. Cut are plain text, and segments of
    zstd that have their index (local ones without it, too); other files stay whole.

    signer: one or several addresses, as `decode` takes `signers`; fills the columns
    `signer` and `verified`. on_error: "raise" fails the partition with MessageError
    (file, line, why) or DamageError (file, byte, why); "skip" leaves out what is bad
    and counts it in a warning of the log `codec.dask_io`; `read_errors` has each. Lines
    without data (empty, or messages of another type) are passed over in both cases.
    Other arguments as in `decode` and `to_arrow`.

    Raises RecordingError for no recording, SignatureError for a bad address,
    ValueError for a bad option, MissingDependencyError, and what the file system raises
    when files are looked for.
    """
    options = Options(
        signers=signer,
        taxonomy=taxonomy,
        on_error=on_error,
        on_bad_signature=on_bad_signature,
        value_float=value_float,
        overflow=overflow,
        threads=1,
    )
    make_judge(signer, on_bad_signature, True)  # says now what is wrong with a signer
    parts = plan(urlpath, blocksize, storage_options)
    return _mapped(load, parts, options, options.schema(), "read-frames")


def read_errors(
    urlpath: Urls,
    *,
    signer: Signers | None = None,
    blocksize: int | str | None = BLOCK_LEN,
    storage_options: Mapping[str, Any] | None = None,
) -> dd.DataFrame:
    """What `read_frames` with `on_error="skip"`, and with a signer
    `on_bad_signature="drop"`, leaves out: a row for each message, or damaged place.

    Columns: `path`; `line`, from 1, counted from byte `begin` of the file on in what
    can be read; `offset`, the byte of the message (of its payload where the signature
    is bad); `code`, `reason`; `text`, the first 80 characters. Where a file is damaged
    (code "damage") only `file_offset` says where. Reads and decodes once more.
    Arguments as in `read_frames`.
    """
    make_judge(signer, "drop", True)
    options = Options(
        signers=signer, on_error="skip", on_bad_signature="drop", threads=1
    )
    parts = plan(urlpath, blocksize, storage_options)
    return _mapped(load_errors, parts, options, ERRORS, "read-errors")


def _mapped(
    function: Callable[[Part, Options], pa.Table],
    parts: list[Part],
    options: Options,
    schema: pa.Schema,
    label: str,
) -> dd.DataFrame:
    frame: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
        _partition,
        parts,
        function=function,
        options=options,
        meta=_pandas(schema.empty_table()),
        label=label,
    )
    return frame


def _partition(
    part: Part,
    function: Callable[[Part, Options], pa.Table],
    options: Options,
    columns: list[str] | None = None,
) -> pd.DataFrame:
    """One partition; Dask gives the columns where it needs only some."""
    table = function(part, options)
    return _pandas(table if columns is None else table.select(columns))


def _pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(types_mapper=pd.ArrowDtype)
