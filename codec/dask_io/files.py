"""Which files a URL means, on any file system that fsspec knows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import fsspec
from dask.tokenize import tokenize
from fsspec.core import url_to_fs
from fsspec.utils import stringify_path

from codec.errors import MissingDependencyError, RecordingError
from codec.recording.naming import is_index, is_readable, order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["File", "Urls", "find"]

Urls: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"


@dataclass(frozen=True)
class File:
    """A file as it was when it was listed. stamp: differs when the file has changed."""

    fs: fsspec.AbstractFileSystem
    path: str
    size: int
    stamp: str

    @property
    def url(self) -> str:
        """The file's name for people: a path where it is local."""
        return url_of(self.fs, self.path)


def url_of(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """A path of a file system as a URL, or as it is where that is the local one."""
    if "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return path
    url: str = fs.unstrip_protocol(path)
    return url


def find(urlpath: Urls, storage_options: Mapping[str, Any] | None) -> list[File]:
    """The files that are meant, as `codec.recording.read` takes a path: a file itself,
    those of a folder or a pattern by their numbers or names, several one after another.

    Raises RecordingError for none, what the file system raises, MissingDependencyError
    where a package for it is missing.
    """
    if isinstance(urlpath, (str, os.PathLike)):
        urlpath = [urlpath]
    urls = [stringify_path(url) for url in urlpath]
    files = [file for url in urls for file in _find_one(url, storage_options or {})]
    if not files:
        names = ", ".join(map(str, urls[:3])) or "no path was given"
        raise RecordingError(f"{names}: there is no recording")
    return files


def _find_one(url: str, storage_options: Mapping[str, Any]) -> list[File]:
    try:
        fs, path = url_to_fs(url, **storage_options)
    except ImportError as error:  # fsspec says what has to be installed
        raise MissingDependencyError(f"{url}: {error}") from error
    fs.invalidate_cache()
    if fsspec.core.has_magic(path) and not fs.exists(path):
        found = fs.glob(path, detail=True).values()
    elif (info := fs.info(path))["type"] == "directory":
        found = fs.ls(path, detail=True)
    else:  # what a shell makes of `folder/*` has indexes among it
        return [] if is_index(_name(info)) else [_file(fs, info)]
    wanted = [
        info for info in found if info["type"] == "file" and is_readable(_name(info))
    ]
    if not wanted:
        raise RecordingError(f"{url}: there is no recording")
    return [_file(fs, info) for info in sorted(wanted, key=lambda i: order(_name(i)))]


def _name(info: Mapping[str, Any]) -> str:
    return str(info["name"]).rsplit("/", 1)[-1]


def _file(fs: fsspec.AbstractFileSystem, info: Mapping[str, Any]) -> File:
    size = info.get("size")
    if size is None:  # a server that does not tell: read to its end, never split
        size = 0
    facts = sorted((key, str(value)) for key, value in info.items())
    return File(fs, str(info["name"]), int(size), tokenize(facts))
