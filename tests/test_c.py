"""The C core by itself: the programs of tests/c, built and run as they say there."""

from __future__ import annotations

import atexit
import os
import platform
import runpy
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from codec import _core

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "c"
CORE = sorted((ROOT / "src_c").glob("*.c"))
PROGRAMS = {
    "test_kernels": ("test_kernels.c",),
    "test_numbers": ("test_numbers.c",),
    "test_messages": ("test_messages.c", "invariants.c"),
    "test_aggregator": ("test_aggregator.c", "aggregator_invariants.c"),
    "test_memory": ("test_memory.c",),
    "test_signatures": ("test_signatures.c",),
    "test_known": ("test_known.c",),
    "test_ifma": ("test_ifma.c",),
    "test_tables": ("test_tables.c",),
    "stress_job": ("stress_job.c",),
}
# Parts of the core that a program includes by itself.
INCLUDED = {"test_memory.c": "memory.c"}
FLAGS = ["-std=c11", "-g", "-fno-strict-aliasing", "-D_DEFAULT_SOURCE", "-pthread"]
MEMORY = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
MEMORY += ["-DCODEC_DEBUG_BOUNDS"]  # every limb's bound, asserted
THREADS = ["-O1", "-fsanitize=thread"]
# Without what a sanitized pytest run itself was started with.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name != "LD_PRELOAD" and not name.endswith("SAN_OPTIONS")
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command and keeps what it prints."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=ENVIRONMENT,
    )


def must(*command: str | Path) -> str:
    """What a command prints; it has to succeed."""
    result = run(*command)
    assert result.returncode == 0, f"{command[0]}:\n{result.stdout}{result.stderr}"
    return result.stdout


def need(tool: str, package: str) -> str:
    """The path of a tool; the test is skipped where there is none."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"there is no {tool} (Debian: {package})")
    return path


@cache
def core_objects(compiler: str, *flags: str) -> dict[str, Path]:
    """The core's object files by the names of their sources, compiled once."""
    folder = Path(tempfile.mkdtemp(prefix="stork-codec-core-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    objects = {source.name: folder / f"{source.stem}.o" for source in CORE}

    def compile_one(source: Path) -> None:
        must(compiler, *FLAGS, *flags, "-c", source, "-o", objects[source.name])

    with ThreadPoolExecutor(os.cpu_count()) as executor:
        list(executor.map(compile_one, CORE))
    return objects


def build(
    target: Path, sources: tuple[str, ...], *flags: str, compiler: str = "cc"
) -> Path:
    """Compiles a program and links it with the core."""
    own = {INCLUDED.get(source) for source in sources}
    files = [FOLDER / source for source in sources]
    core = core_objects(compiler, *flags)
    files += [path for name, path in core.items() if name not in own]
    must(compiler, *FLAGS, *flags, f"-I{ROOT / 'src_c'}", *files, "-o", target)
    return target


def need_sanitizer(folder: Path, flags: list[str]) -> None:
    """Skips the test where the compiler's sanitizer does not link or does not run."""
    source = folder / "empty.c"
    source.write_text("int main(void) { return 0; }\n")
    program = folder / "empty"
    result = run("cc", *flags, source, "-o", program)
    if result.returncode == 0:
        result = run(program)
    if result.returncode:
        line = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"{flags[-1]} does not work here: {line}")


@pytest.mark.parametrize("name", PROGRAMS)
def test_native(name: str, tmp_path: Path) -> None:
    need("cc", "gcc")
    program = build(tmp_path / name, PROGRAMS[name], "-O2")
    # All of the known signer's windows and batches take a quarter of an hour.
    assert "good" in must(program, *(["quick"] if name == "test_known" else []))


@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_sanitizers(name: str, tmp_path: Path) -> None:
    need("cc", "gcc")
    need_sanitizer(tmp_path, MEMORY)
    program = build(tmp_path / name, PROGRAMS[name], *MEMORY)
    assert "good" in must(program, "1" if name == "stress_job" else "quick")


@pytest.mark.parametrize("name", ["stress_job", "test_tables"])
def test_thread_sanitizer(name: str, tmp_path: Path) -> None:
    need("cc", "gcc")
    need_sanitizer(tmp_path, THREADS)
    program = build(tmp_path / name, PROGRAMS[name], *THREADS)
    assert "good" in must(program, *(["quick"] if name == "test_tables" else []))


@pytest.mark.parametrize("name", PROGRAMS)
def test_neon(name: str, tmp_path: Path) -> None:
    if platform.machine() in ("aarch64", "arm64"):
        pytest.skip("test_native runs the same here")
    compiler = need(
        "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
    )
    machine = need("qemu-aarch64", "qemu-user")
    program = build(
        tmp_path / name, PROGRAMS[name], "-O2", "-static", compiler=compiler
    )
    printed = must(machine, program, "1" if name == "stress_job" else "quick")
    assert "good" in printed
    assert name != "test_kernels" or "neon" in printed


def test_seeds(tmp_path: Path) -> None:
    """The fuzzer's seeds hold its invariants, fuzzer or not."""
    need("cc", "gcc")
    need_sanitizer(tmp_path, MEMORY)
    seeds = tmp_path / "seeds"
    runpy.run_path(str(FOLDER / "make_seeds.py"))["main"](seeds)
    sources = ("replay.c", "fuzz.c", "invariants.c", "aggregator_invariants.c")
    program = build(tmp_path / "replay", sources, *MEMORY)
    files = sorted(seeds.iterdir())
    assert len(files) > 500
    assert f"{len(files)} inputs: good" in must(program, *files)


def symbols(file: Path, *flags: str) -> set[str]:
    """The global symbols that a file defines."""
    lines = must(need("nm", "binutils"), *flags, file).splitlines()
    names = {line.split()[-1] for line in lines if len(line.split()) >= 3}
    return (
        {name.removeprefix("_") for name in names}
        if sys.platform == "darwin"
        else names
    )


DEFINED = ["-gU"] if sys.platform == "darwin" else ["-g", "--defined-only"]


def test_objects_define_only_prefixed_symbols() -> None:
    need("cc", "gcc")
    found: set[str] = set()
    for path in core_objects("cc", "-O2").values():
        found |= symbols(path, *DEFINED)
    assert "codec_lines_decode" in found
    assert {name for name in found if not name.startswith("codec_")} == set()


def test_extension_exports_only_its_init_function() -> None:
    dynamic = [] if sys.platform == "darwin" else ["-D"]
    assert symbols(Path(_core.__file__), *dynamic, *DEFINED) == {"PyInit__core"}


def test_valgrind(tmp_path: Path) -> None:
    """The 64-bit path under memcheck: the sanitizers do not see unset memory."""
    need("cc", "gcc")
    valgrind = need("valgrind", "valgrind")
    program = build(tmp_path / "test_known", PROGRAMS["test_known"], "-O1")
    must(valgrind, "--error-exitcode=9", "--quiet", program, "quick")
