"""What tests of live commands share: a simulator beside them, processes, a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codec.simulator import Simulator

TOKEN = "aHVzaC1odXNo"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COMMAND = [sys.executable, "-m", "codec"]


@contextlib.contextmanager
def served(kind: Callable[..., Any] = Simulator, **options: Any) -> Iterator[Any]:
    """A simulator on a thread; its faults may be set from here."""
    simulator = kind(**({"token": TOKEN} | options))
    started = threading.Event()
    ending: list[Callable[[], object]] = []

    async def serve() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(end.set))
        async with simulator:
            started.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert started.wait(30)
        yield simulator
    finally:
        ending[0]()
        thread.join(30)


def environment(**more: str) -> dict[str, str]:
    """This process's, without what would change an outcome."""
    unwanted = ("STORK_TOKEN", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
    env = {key: value for key, value in os.environ.items() if key not in unwanted}
    return env | {"TERM": "xterm-256color"} | more


def run(*args: object, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        capture_output=True,
        text=True,
        env=environment(STORK_TOKEN=token),
        timeout=120,
        check=False,
    )


@contextlib.contextmanager
def started(*args: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is ended."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
    try:
        process = subprocess.Popen(
            [*COMMAND, *map(str, args)],
            env=environment(STORK_TOKEN=TOKEN),
            **(pipes | options),
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


class Terminal:
    """A command in a terminal of its own; `text` is all that it has written there."""

    def __init__(self, *args: object, columns: int = 80, rows: int = 24) -> None:
        self.text = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:  # the child, before it becomes the command
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(1, termios.TIOCSWINSZ, size)
            env = environment(STORK_TOKEN=TOKEN)
            os.execve(sys.executable, [*COMMAND, *map(str, args)], env)

    def read_until(self, text: str, timeout_s: float = 60.0) -> None:
        """Reads until the text has appeared."""
        end = time.monotonic() + timeout_s
        while text not in CONTROL.sub("", self.text):
            assert time.monotonic() < end and self._read(), self.text[-2000:]

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # nobody is at the other end
            return False
        self.text += data.decode()
        return bool(data)

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def status(self, timeout_s: float = 60.0) -> int:
        """The exit status, once all is read."""
        end = time.monotonic() + timeout_s
        while self._read():
            if time.monotonic() > end:
                os.kill(self._pid, signal.SIGKILL)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def arguments(pid: int) -> str:
    """What everybody can see of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
