"""`export` and `tables`: archives of lines to files, a stream, a folder, partitions."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codec.errors import ExportError
from codec.export.faults import FaultList
from codec.export.formats import (
    FORMATS,
    format_of,
    make_writer,
    stem_of,
    suffix_of,
)
from codec.export.inputs import Input, find_inputs
from codec.export.options import Options
from codec.export.partitioning import PARTS, PartitionedWriter
from codec.export.places import NewFile, clear_stale, refuse_existing
from codec.export.resuming import DoneList, digest_of
from codec.export.running import Run
from codec.export.staging import Staging, finish
from codec.recording.naming import ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    import pyarrow as pa

    from codec.export.faults import Fault
    from codec.export.summary import Summary

    Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

__all__ = ["export", "tables"]

_STDOUT = "-"


def _nothing(*_: object) -> None:
    pass


def tables(
    inputs: Paths,
    options: Options | None = None,
    *,
    on_fault: Callable[[Fault], object] = _nothing,
    on_note: Callable[[str], object] = _nothing,
) -> Iterator[pa.Table]:
    """The rows of archives, some ten thousand at a time, in bounded memory.

    inputs: files, folders, patterns, several of them; "-" is standard input. on_fault:
    called with each bad message or damaged place that is passed over. on_note: with
    words for people. Raises MessageError, DamageError, RecordingError, ExportError,
    OSError.
    """
    run = Run(options or Options(), on_note=on_note, on_progress=_nothing)
    run.on_fault = on_fault
    for source in find_inputs(inputs):
        yield from run.tables(source)


def export(
    inputs: Paths,
    output: str | os.PathLike[str],
    options: Options | None = None,
    *,
    file_format: str | None = None,
    partition: Collection[str] = (),
    errors: str | os.PathLike[str] | None = None,
    force: bool = False,
    on_note: Callable[[str], object] = _nothing,
    on_progress: Callable[[int], object] = _nothing,
) -> Summary:
    """Writes the rows of archives into files, each of which is there whole or not at
    all, and returns what was counted.

    inputs: as in `tables`. output: a file; "-" for standard output; a folder (one that
    exists, or with "/" behind its name): a file for each input, those that an earlier
    run has done left out. partition: "day", "asset" or both: files in hive folders
    below the output, which is a folder then; inputs that an earlier run has added are
    left out. file_format: one of FORMATS, by default what the output's suffix stands
    for, of a folder "parquet".

    errors: where messages that are passed over are listed, by default beside the
    output, with `.errors.ndjson` for its suffix. force: replace what exists. on_note:
    called with words for people. on_progress: with the bytes of the inputs read so far.

    Raises ExportError for an output that cannot be, MessageError, DamageError,
    RecordingError, OSError.
    """
    options = options or Options()
    place = Path(output)
    if unknown := set(partition) - set(PARTS):
        raise ValueError(f"partition is made of {PARTS}, not {sorted(unknown)}")
    if file_format is not None and file_format not in FORMATS:
        raise ValueError(f"file_format is one of {FORMATS}, not {file_format!r}")
    sources = find_inputs(inputs)
    run = Run(options, on_note=on_note, on_progress=on_progress)
    job = _Job(run, options, sources, errors, force, on_note)
    is_folder = str(output).endswith(("/", os.sep)) or place.is_dir()
    if str(output) == _STDOUT:
        if partition:
            raise ExportError("partitions need a folder, not standard output")
        job.to_stdout(file_format or "ndjson")
    elif partition:
        job.to_partitions(place, file_format or "parquet", partition)
    elif is_folder:
        job.to_folder(place, file_format or "parquet")
    else:
        job.to_file(place, file_format or _known_format(place))
    return run.summary


def _known_format(path: Path) -> str:
    found = format_of(path)
    if found is None:
        raise ExportError(
            f"{path}: the name says no format: .parquet, .arrow, .feather, .ndjson,"
            " .csv, or --format (file_format=)"
        )
    return found


class _Job:
    """One call of `export`, for each kind of output."""

    def __init__(
        self,
        run: Run,
        options: Options,
        sources: list[Input],
        errors: str | os.PathLike[str] | None,
        force: bool,
        on_note: Callable[[str], object],
    ) -> None:
        self._run = run
        self._options = options
        self._sources = sources
        self._errors = None if errors is None else Path(errors)
        self._force = force
        self._on_note = on_note

    def to_stdout(self, name: str) -> None:
        out = sys.stdout.buffer
        faults = self._faults(None)
        try:
            writer = make_writer(
                out, self._options.schema(), name, Path(_STDOUT), is_stream=True
            )
            self._run.write(self._sources, writer)
            out.flush()
            faults.commit()
        finally:
            faults.discard()

    def to_file(self, path: Path, name: str) -> None:
        self._refuse_inputs(path)
        refuse_existing(path, self._force)
        errors = path.with_name(stem_of(path) + ERRORS)
        self._write_file(path, name, self._sources, errors, lambda size: None)

    def to_folder(self, folder: Path, name: str) -> None:
        if self._errors is not None:
            raise ExportError(f"{folder}: each file in it has its own list of errors")
        outputs = self._outputs(folder, name)
        folder.mkdir(parents=True, exist_ok=True)
        with DoneList(folder, digest_of(self._options, name)) as done:
            self._begin(folder, done)

            def note(source: Input, size: int) -> None:
                """Before the file has its name: without a file a note says nothing,
                but without its note a file would be taken for somebody else's."""
                path.unlink(missing_ok=True)
                done.append(done.record([source], {path.name: size}))

            for path, source in outputs.items():
                self._refuse_inputs(path)
                if not self._force and done.find(source):
                    self._run.pass_over(source)
                    continue
                if not done.is_ours(path.name):
                    refuse_existing(path, self._force)
                errors = folder / f"{source.stem}{ERRORS}"
                self._write_file(path, name, [source], errors, partial(note, source))

    def to_partitions(self, folder: Path, name: str, parts: Collection[str]) -> None:
        if folder.exists() and not folder.is_dir():
            raise ExportError(f"{folder}: partitions need a folder")
        folder.mkdir(parents=True, exist_ok=True)
        with DoneList(folder, digest_of(self._options, name, *sorted(parts))) as done:
            self._begin(folder, done)
            if self._force and done.records:
                raise ExportError(
                    f"{folder}: partitions are only added to; remove the folder first"
                )
            wanted = [s for s in self._sources if s.is_stdin or not done.find(s)]
            for source in self._sources:
                if source not in wanted:
                    self._run.pass_over(source)
            if not wanted:
                return
            number = len(done.records) + 1
            with Staging(folder) as staging:
                writer = PartitionedWriter(
                    staging.files,
                    staging.scratch,
                    self._options.schema(),
                    parts,
                    f"part-{number:06}",
                    name,
                )
                faults = self._faults(staging.files / f"part-{number:06}{ERRORS}")
                try:
                    self._run.write(wanted, writer)
                    faults.commit()
                finally:
                    faults.discard()
                sizes = {
                    str(path): (staging.files / path).stat().st_size
                    for path in writer.written
                }
                self._count(sizes.values())
                staging.commit(writer.written, done.record(wanted, sizes), done)

    def _begin(self, folder: Path, done: DoneList) -> None:
        """Tidies up after killed runs; looks whether this one may go on with theirs."""
        for note in finish(folder, done):
            self._on_note(note)
        for path in clear_stale(folder):
            self._on_note(f"{path}: removed, a killed run had left it")
        if not self._force:
            done.check()

    def _outputs(self, folder: Path, name: str) -> dict[Path, Input]:
        """The file that each input becomes."""
        outputs: dict[Path, Input] = {}
        for source in self._sources:
            if source.is_stdin:
                raise ExportError(
                    "standard input becomes a file, not a folder: -o FILE"
                )
            path = folder / f"{source.stem}{suffix_of(name)}"
            if path in outputs:
                raise ExportError(
                    f"{outputs[path].name} and {source.name} would both become {path}"
                )
            outputs[path] = source
        return outputs

    def _write_file(
        self,
        path: Path,
        name: str,
        sources: list[Input],
        errors: Path,
        before_rename: Callable[[int], None],
    ) -> None:
        for name_of in (path.name, errors.name):
            for stale in clear_stale(path.parent, name_of):
                self._on_note(f"{stale}: removed, a killed run had left it")
        faults = self._faults(errors)
        with NewFile(path) as new:
            try:
                writer = make_writer(new.file, self._options.schema(), name, path)
                self._run.write(sources, writer)
                size = new.sync()
                faults.commit()
                before_rename(size)
                new.commit()
            finally:
                faults.discard()
        self._count([size])

    def _count(self, sizes: Collection[int]) -> None:
        self._run.summary.n_files += len(sizes)
        self._run.summary.written_len += sum(sizes)

    def _faults(self, path: Path | None) -> FaultList:
        faults = FaultList(self._errors or path)
        self._run.on_fault = faults.add
        return faults

    def _refuse_inputs(self, path: Path) -> None:
        place = os.path.realpath(path)
        for source in self._sources:
            if not source.is_stdin and os.path.realpath(source.path) == place:
                raise ExportError(f"{path}: this is an input")
