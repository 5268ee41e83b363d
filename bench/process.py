"""Measures what needs a process of its own: peak memory, and the time of an import."""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

from bench.cold import batch_len
from bench.rows import Row
from bench.timing import ratio_of
from bench.workloads import MIB, signed_of_len

__all__ = ["PeakMemory", "import_row", "peak_memory"]

_STATUS = Path("/proc/self/status")
_ALLOWANCE = 64 * MIB
_BLOCK_LEN = 16 * MIB


@dataclass(frozen=True)
class PeakMemory:
    """Bytes, of one process that decoded one mapped file of lines."""

    input_len: int
    output_len: int
    start_len: int
    """The peak before the call: interpreter and imports."""
    peak_len: int

    @property
    def limit_len(self) -> int:
        return self.input_len + self.output_len + _ALLOWANCE

    @property
    def passed(self) -> bool:
        return self.peak_len <= self.limit_len


def peak_memory(input_len: int) -> PeakMemory | None:
    """The peak of resident memory while a mapped file of `input_len` is decoded.

    None where the system does not tell it, or the disk has no room for the file.
    """
    with TemporaryDirectory(prefix="stork-codec-bench-") as folder:
        if not _STATUS.exists() or disk_usage(folder).free < 2 * input_len:
            return None
        path = Path(folder, "lines")
        _write_lines(path, input_len)
        figures = json.loads(_run_python("-m", "bench.process", str(path)))
    return PeakMemory(**figures)


def import_row(n_pairs: int) -> Row:
    """`import codec` against what it cannot do without, in fresh processes."""
    over, under = "codec", "numpy, coincurve"
    _import_ns(over)
    _import_ns(under)
    over_ns, under_ns = [], []
    for _ in range(n_pairs):
        over_ns.append(_import_ns(over))
        under_ns.append(_import_ns(under))
    work = "`import codec`, against `import numpy, coincurve`"
    ratio = ratio_of(over_ns, under_ns)
    return Row(work, "codec / others", ratio, must=2, better="lower")


def _write_lines(path: Path, input_len: int) -> None:
    """Lines, over and over the same block: what matters here is how many there are."""
    lines = signed_of_len(100, min(_BLOCK_LEN, input_len)).lines
    line_len = lines.index(b"\n") + 1
    rest_len = -(-input_len // line_len) * line_len
    with path.open("wb") as file:
        while rest_len > 0:
            rest_len -= file.write(memoryview(lines)[:rest_len])


def _import_ns(modules: str) -> float:
    code = (
        "from time import perf_counter_ns as now; start = now();"
        f" import {modules}; print(now() - start)"
    )
    return float(_run_python("-c", code))


def _run_python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _status_len(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


def _decode_mapped(path: str) -> PeakMemory:
    import codec

    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines,
    ):
        start_len = _status_len("VmHWM")
        batch = codec.decode_lines(lines)
        peak_len = _status_len("VmHWM")
        return PeakMemory(len(lines), batch_len(batch), start_len, peak_len)


if __name__ == "__main__":
    print(json.dumps(vars(_decode_mapped(sys.argv[1]))))
