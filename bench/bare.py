"""Compiles C loops around libsecp256k1's functions, those that codec calls itself."""

from __future__ import annotations

import ctypes
import subprocess
from functools import cache
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from coincurve._libsecp256k1 import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NoCompilerError", "c_loop", "library_context", "library_function"]


class NoCompilerError(Exception):
    """A C loop cannot be built; the text says why."""


@cache
def c_loop(name: str, n_pointers: int) -> Callable[..., int]:
    """The function of bench/<name>.c: takes pointers and a size_t, returns a size_t.

    Raises NoCompilerError where there is no working C compiler.
    """
    source = Path(__file__).with_name(f"{name}.c")
    compiler = which("cc")
    if compiler is None:
        raise NoCompilerError("there is no C compiler (cc)")
    with TemporaryDirectory(prefix="stork-codec-bench-") as folder:
        path = Path(folder, f"{name}.so")
        command = [compiler, "-O3", "-shared", "-fPIC", "-o", str(path), str(source)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as exc:
            detail = getattr(exc, "stderr", "") or exc
            raise NoCompilerError(f"cc failed: {detail}") from exc
        function: Callable[..., int] = getattr(ctypes.CDLL(str(path)), name)
    function.argtypes = [ctypes.c_void_p] * n_pointers + [ctypes.c_size_t]  # type: ignore[attr-defined]
    function.restype = ctypes.c_size_t  # type: ignore[attr-defined]
    return function


def library_function(name: str) -> int:
    """The address of a function of coincurve's library."""
    return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))


def library_context() -> int:
    """The address of its static context."""
    return int(ffi.cast("uintptr_t", lib.secp256k1_context_static))
