"""`make asan` runs the core that it has built; anywhere else there is no test here."""

from __future__ import annotations

import os
import subprocess

from codec import _core

if os.environ.get("CODEC_SANITIZE"):

    def test_sanitized_core_is_the_one_in_use() -> None:
        command = ["nm", "-D", "-u", _core.__file__]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "__asan_init" in done.stdout
        assert "__ubsan_handle" in done.stdout
