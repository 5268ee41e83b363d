"""A cluster of processes on this machine, started by Dask's own commands."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMAND = [sys.executable, "-m", "dask"]


@contextlib.contextmanager
def started(folder: Path, n_workers: int = 2) -> Iterator[str]:
    """The scheduler's address, once the workers are with it."""
    from distributed import Client

    place = folder / "scheduler.json"
    commands = [
        ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        *[["worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"]] * n_workers,
    ]
    processes = []
    with open(folder / "cluster.log", "wb") as log:
        try:
            for i, command in enumerate(commands):
                processes.append(
                    subprocess.Popen(
                        [*COMMAND, *command, "--scheduler-file", str(place)],
                        stdout=log,
                        stderr=log,
                        cwd=folder,
                    )
                )
                until = time.monotonic() + 60
                while i == 0 and not _address(place):
                    assert time.monotonic() < until, "the scheduler did not start"
                    time.sleep(0.05)
            address = _address(place)
            with Client(address) as client:
                client.wait_for_workers(n_workers, timeout=60)
            yield address
        finally:
            for process in reversed(processes):  # workers take leave of the scheduler
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _address(place: Path) -> str:
    try:
        return str(json.loads(place.read_text())["address"])
    except (FileNotFoundError, ValueError):
        return ""
