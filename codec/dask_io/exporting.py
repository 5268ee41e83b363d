"""`export` on a cluster: each part becomes a file, written by a worker."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import Client, as_completed

from codec.dask_io.loading import convert
from codec.dask_io.parts import BLOCK_LEN, plan
from codec.errors import CodecError, ExportError, MissingDependencyError
from codec.export.converting import Converter
from codec.export.faults import FaultList
from codec.export.formats import FORMATS, make_writer, suffix_of
from codec.export.inputs import Input
from codec.export.options import Options
from codec.export.places import NewFile, clear_stale, refuse_existing
from codec.export.resuming import DoneList, digest_of
from codec.export.summary import Summary
from codec.recording.naming import ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from codec.dask_io.files import Urls
    from codec.dask_io.parts import Part

__all__ = ["export"]

_CONNECT_S = 20
_NOT_YET = -1  # as the length of a file


def _nothing(*_: object) -> None:
    pass


def export(
    client: Client | str,
    inputs: Urls,
    folder: str | os.PathLike[str],
    options: Options | None = None,
    *,
    file_format: str = "parquet",
    blocksize: int | str | None = BLOCK_LEN,
    storage_options: Mapping[str, Any] | None = None,
    force: bool = False,
    on_note: Callable[[str], object] = _nothing,
    on_progress: Callable[[int, int], object] = _nothing,
) -> Summary:
    """Writes the rows of recordings and archives into a folder, on a cluster.

    client: a `distributed.Client`, or the scheduler's address. inputs, blocksize,
    storage_options: as in `read_frames`. folder: one that all workers and this process
    share under the same path; each partition becomes a file in it, named for its input
    (and numbered, where that has several), that is there whole or not at all; what is
    passed over is listed beside it, in `.errors.ndjson`. Those that an earlier run has
    done are left out. options, file_format, force, on_note: as in `codec.export`.
    on_progress: called with the bytes of the inputs that are done, and with all.

    A partition that fails is said by `on_note`; the others are still written, and then
    the first failure is raised: MessageError, DamageError, ExportError, OSError.
    """
    options = replace(options or Options(), threads=1)
    if options.period_ns is not None:
        raise ExportError("gaps cannot be counted over partitions of a cluster")
    if file_format not in FORMATS:
        raise ValueError(f"file_format is one of {FORMATS}, not {file_format!r}")
    place = Path(folder).absolute()
    parts = plan(inputs, blocksize, storage_options)
    names = _names(parts, file_format)
    place.mkdir(parents=True, exist_ok=True)
    digest = digest_of(options, file_format, "cluster", blocksize)
    with DoneList(place, digest) as done:
        _tidy(place, done, parts, names, force, on_note)
        job = _Job(place, options, file_format, parts, names, done, on_note)
        job.run(client, force, on_progress)
    return job.summary


def _names(parts: list[Part], file_format: str) -> list[str]:
    """The file that each part becomes, in an order that sorts as the parts do."""
    counts = Counter(part.url for part in parts)
    numbers: Counter[str] = Counter()
    owners: dict[str, Part] = {}
    for part in parts:
        stem = Input(Path(part.path), None, 0).stem
        if counts[part.url] > 1:
            stem = f"{stem}.{numbers[part.url]:05}"
            numbers[part.url] += 1
        name = stem + suffix_of(file_format)
        if name in owners:
            raise ExportError(
                f"{owners[name].url} and {part.url} would both become {name}"
            )
        owners[name] = part
    return list(owners)


def _tidy(
    folder: Path,
    done: DoneList,
    parts: list[Part],
    names: list[str],
    force: bool,
    on_note: Callable[[str], object],
) -> None:
    """Removes what a killed run left, and what the inputs have become when they were
    cut in other places; looks whether this run may go on with what is there."""
    for path in clear_stale(folder):
        on_note(f"{path}: removed, a killed run had left it")
    if not force:
        done.check()
    urls = {part.url for part in parts}
    for record in done.records:
        if any(one["path"].rpartition("#")[0] in urls for one in record["inputs"]):
            for name in set(record["outputs"]) - set(names):
                (folder / name).unlink(missing_ok=True)
    if force:
        done.forget()


def _connected(client: Client | str) -> AbstractContextManager[Client]:
    """A client, which is closed again if it was only an address."""
    if isinstance(client, str):
        opened: AbstractContextManager[Client] = Client(  # type: ignore[no-untyped-call]
            client, timeout=_CONNECT_S, set_as_default=False
        )
        return opened
    return nullcontext(client)


class _Job:
    """One call of `export`."""

    def __init__(
        self,
        folder: Path,
        options: Options,
        file_format: str,
        parts: list[Part],
        names: list[str],
        done: DoneList,
        on_note: Callable[[str], object],
    ) -> None:
        self.summary = Summary()
        self._folder = folder
        self._options = options
        self._format = file_format
        self._work = list(zip(parts, names, strict=True))
        self._done = done
        self._on_note = on_note

    def run(
        self,
        client: Client | str,
        force: bool,
        on_progress: Callable[[int, int], object],
    ) -> None:
        """Has all parts written that are not done, and counts."""
        begin = time.perf_counter()
        wanted = [
            pair for pair in self._work if not self._done.find(_identity(pair[0]))
        ]
        for _, name in wanted:
            if not self._done.is_ours(name):
                refuse_existing(self._folder / name, force)
        self._announce(wanted)
        total = sum(part.size for part, _ in self._work)
        missing = sum(part.size for part, _ in wanted)
        self.summary.n_inputs = len({part.url for part, _ in wanted})
        urls = {part.url for part, _ in self._work}
        self.summary.n_done = len(urls) - self.summary.n_inputs
        on_progress(total - missing, total)
        if wanted:
            with _connected(client) as connected:
                self._run(connected, wanted, total - missing, total, on_progress)
        self.summary.read_len = total
        self.summary.seconds = time.perf_counter() - begin

    def _announce(self, wanted: list[tuple[Part, str]]) -> None:
        """Notes which files are to come: workers may finish some after this process has
        ended, and the next run must know them for its own."""
        if names := {name: _NOT_YET for _, name in wanted}:
            parts = [_identity(part) for part, _ in wanted]
            self._done.append(self._done.record(parts, names))

    def _run(
        self,
        client: Client,
        wanted: list[tuple[Part, str]],
        n_bytes: int,
        total: int,
        on_progress: Callable[[int, int], object],
    ) -> None:
        if not client.scheduler_info(n_workers=1)["workers"]:
            self._on_note("the cluster has no workers yet: waiting for one")
        futures = client.map(
            _write,
            [part for part, _ in wanted],
            [str(self._folder / name) for _, name in wanted],
            options=self._options,
            file_format=self._format,
            pure=False,
            key="decode",
        )
        places = {future.key: i for i, future in enumerate(futures)}
        failures: dict[int, BaseException] = {}
        try:
            ends = as_completed(  # type: ignore[no-untyped-call]
                futures, loop=client.loop
            )
            for future in ends:
                i = places[future.key]
                part, name = wanted[i]
                if future.status == "finished":
                    self._finish(part, name, *future.result())
                else:
                    failures[i] = _failure(part, future.exception())
                    self._on_note(str(failures[i]))
                future.release()
                n_bytes += part.size
                on_progress(n_bytes, total)
        finally:
            client.cancel(futures)  # type: ignore[no-untyped-call]
        if failures:
            raise failures[min(failures)]

    def _finish(self, part: Part, name: str, summary: Summary, size: int) -> None:
        path = self._folder / name
        if not path.exists() or path.stat().st_size != size:
            raise ExportError(
                f"{path}: a worker has written it, but it is not here: the folder must"
                " be one that all workers and this process share"
            )
        self._done.append(self._done.record([_identity(part)], {name: size}))
        self.summary.add(summary)
        self.summary.n_files += 1
        self.summary.written_len += size


def _identity(part: Part) -> dict[str, Any]:
    """What tells a part from others, and from itself before its file has changed."""
    end = "" if part.end is None else part.end
    return {
        "path": f"{part.url}#{part.begin}-{end}",
        "size": part.file_len,
        "mtime_ns": part.stamp,
        "sha256": None,
    }


def _failure(part: Part, error: BaseException) -> BaseException:
    """What to raise for a part that failed: an error that names it."""
    if isinstance(error, (CodecError, OSError)):
        return error
    if isinstance(error, ImportError):
        return MissingDependencyError(f"a worker: {error}")
    failure = ExportError(f"{part.name}: {type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


def _write(
    part: Part, path: str, options: Options, file_format: str
) -> tuple[Summary, int]:
    """In a worker: one part to one file. What was counted, and the file's length."""
    place = Path(path)
    stem = place.name.removesuffix(suffix_of(file_format))
    faults = FaultList(place.with_name(stem + ERRORS))
    converter = Converter(options, faults.add)
    with NewFile(place) as new:
        try:
            writer = make_writer(new.file, options.schema(), file_format, place)
            for table in convert(part, options, converter, faults.add):
                if table.num_rows:
                    writer.write(table)
            if not (converter.summary.n_lines or part.file_len):
                raise ExportError(f"{part.url}: there is nothing in it")
            writer.close()
            size = new.sync()
            faults.commit()
            new.commit()
        finally:
            faults.discard()
    return converter.summary, size
