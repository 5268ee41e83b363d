"""Which inputs of a folder of outputs are done, so that a second run does the rest."""

from __future__ import annotations

import fcntl
import json
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from codec import jsontext
from codec.errors import ExportError, RecordingError
from codec.known import read_known_signers
from codec.recording import read_index
from codec.recording.disk import sync_file, sync_folder
from codec.recording.naming import PART

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from codec.export.inputs import Input
    from codec.export.options import Options
    from codec.known import Signers

Source: TypeAlias = "Input | dict[str, Any]"
"""An input, or what tells it from others: path, size, mtime_ns, and sha256 or None."""

__all__ = ["LIST", "DoneList", "digest_of"]

_FIELDS = {"inputs", "options", "outputs"}
LIST = ".stork-codec-done.ndjson"


def digest_of(options: Options, *more: object) -> str:
    """A name for all that decides what an output holds."""
    taxonomy, assets = options.taxonomy, options.assets
    values = (
        None if taxonomy is None else sorted(taxonomy.items()),
        options.value_float,
        options.overflow,
        None if assets is None else sorted(map(repr, assets)),
        options.start_ns,
        options.end_ns,
        options.clock if (options.start_ns, options.end_ns) != (None, None) else None,
        None if options.signers is None else _addresses(options.signers),
        options.on_bad_signature if options.signers is not None else None,
        *more,
    )
    return sha256(repr(values).encode()).hexdigest()[:16]


def _addresses(signers: Signers) -> list[str]:
    return [bytes(address).hex() for address in read_known_signers(signers)[0]]


class DoneList:
    """A line for each input that is done, in a file of the folder of outputs.

    The file is locked as long as this is open, so that one run at a time writes into
    the folder. A line that a crash has cut short counts as none.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self._folder = folder
        self._digest = digest
        self._fd = os.open(folder / LIST, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise ExportError(f"{folder}: another run is writing here") from None
        with open(folder / LIST, "rb") as file:
            data = file.read()
        self._ends_well = not data or data.endswith(b"\n")
        self.records: list[dict[str, Any]] = [
            record for line in data.splitlines() if (record := _parsed(line))
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def check(self) -> None:
        """Raises ExportError where what is done was done with other options."""
        if any(record["options"] != self._digest for record in self.records):
            raise ExportError(
                f"{self._folder}: what is here was made with other options;"
                " --force (force=True) makes it anew"
            )

    def forget(self) -> None:
        """Takes nothing for done any more."""
        os.ftruncate(self._fd, 0)
        self.records.clear()
        self._ends_well = True

    def find(self, source: Source) -> dict[str, Any] | None:
        """The record of an input, if it is done and what it became is still there."""
        identity = _identity(source)
        for record in self.records[::-1]:
            if any(_is_same(one, identity) for one in record["inputs"]) and all(
                _has_len(self._folder / name, size)
                for name, size in record["outputs"].items()
            ):
                found: dict[str, Any] = record
                return found
        return None

    def has_path(self, source: Source) -> bool:
        """Whether an input of that path was done, whatever it was then."""
        path = _identity(source)["path"]
        return any(
            one["path"] == path for record in self.records for one in record["inputs"]
        )

    def record(self, sources: Sequence[Source], outputs: dict[str, int]) -> bytes:
        """What `append` takes. outputs: what the inputs became, and how many bytes."""
        record = {
            "inputs": [_identity(source) for source in sources],
            "options": self._digest,
            "outputs": outputs,
        }
        return json.dumps(record).encode() + b"\n"

    def append(self, record: bytes) -> None:
        """Notes inputs as done."""
        data = record if self._ends_well else b"\n" + record
        self._ends_well = False
        while data:
            data = data[os.write(self._fd, data) :]
        sync_file(self._fd)
        sync_folder(self._folder)
        self._ends_well = True
        self.records.append(jsontext.loads(record))

    def is_ours(self, output: str) -> bool:
        """Whether an earlier run has made that file."""
        return any(output in record["outputs"] for record in self.records)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = jsontext.loads(line)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(record, dict) and set(record) >= _FIELDS
    return cast("dict[str, Any]", record) if is_whole else None


def _identity(source: Source) -> dict[str, Any]:
    """An input's path, size and time, and its SHA-256 if its recorder has noted it."""
    if isinstance(source, dict):
        return source
    path = os.path.realpath(source.path)
    values = {
        "path": path.removesuffix(PART),
        "size": source.size,
        "mtime_ns": source.mtime_ns,
        "sha256": None,
    }
    try:
        index = None if path.endswith(PART) else read_index(source.path)
    except RecordingError:
        index = None
    if index is not None and index.segment_len == source.size:
        values["sha256"] = index.segment_sha256
    return values


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["sha256"] is not None and other["sha256"] is not None:
        return bool(one["sha256"] == other["sha256"])
    return all(one[name] == other[name] for name in ("path", "size", "mtime_ns"))


def _has_len(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
