"""Says what the figures were measured on: processor, memory, versions."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import codec
from bench.recovery import KECCAK_PACKAGE
from bench.verification import RIVALS
from codec import _core
from codec.tables import verify_path

__all__ = ["machine", "processor"]


def processor() -> str:
    """The processor's name, as well as the system knows it."""
    model = _field(Path("/proc/cpuinfo"), "model name")
    return model or platform.processor() or platform.machine()


def machine() -> dict[str, str]:
    """Facts by name, in the order in which they are shown."""
    facts = {
        "processor": f"{processor()} ({platform.machine()}), {os.cpu_count()} cores",
        "caches": _caches(),
        "memory": _memory(),
        "huge pages": _read(Path("/sys/kernel/mm/transparent_hugepage/enabled")),
        "system": _system(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "instruction set": f"{_core.instruction_set()}"
        f" (of {', '.join(_core.instruction_sets())})",
        "known signers": f"{verify_path()} (of {', '.join(_core.verify_paths())})",
        "stork-codec": codec.__version__,
    }
    packages = ["numpy", "orjson", *(rival.package for rival in RIVALS)]
    packages += ["picows", "aiofastnet", "websockets", "aiohttp", "zlib-ng", "isal"]
    for package in (*packages, KECCAK_PACKAGE, "pytest-benchmark"):
        facts[package] = _version(package)
    return {name: fact for name, fact in facts.items() if fact}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # some that are compared with need not be there
        return ""


def _system() -> str:
    release = re.match(r"[0-9.]*", platform.release())
    return f"{platform.system()} {release[0] if release else ''}".strip()


def _caches() -> str:
    sizes = []
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = _read(folder / "type")
        if kind != "Instruction":
            sizes.append(f"L{_read(folder / 'level')} {_read(folder / 'size')}")
    return ", ".join(sizes)


def _memory() -> str:
    total = _field(Path("/proc/meminfo"), "MemTotal")
    return f"{int(total.split()[0]) / 2**20:.0f} GiB" if total else ""


def _field(path: Path, name: str) -> str:
    for line in _read(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
