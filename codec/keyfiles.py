"""Private keys and passwords in files and environment variables.

Nothing here raises while a secret is at hand, so that no traceback that shows variables
has it; and no text that is returned as a reason holds a part of one.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["NO_KEY", "key_of", "place_name", "read_secret", "read_variable"]

NO_KEY = "no private key: 64 hex digits"

_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LONGEST_FILE = 64 << 10
_KEY = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64})")
_LIKE_A_KEY = re.compile(r"[0-9a-fA-F]{48}")  # an address has 40
_logger = logging.getLogger("codec.keyfiles")


def key_of(text: str) -> bytes | None:
    """The 32 bytes of 64 hex digits, `0x` before them or not, white space around them;
    None where they are no private key of secp256k1."""
    match = _KEY.fullmatch(text.strip())
    key = bytes.fromhex(match[1]) if match else b""
    return key if 0 < int.from_bytes(key) < _N else None


def read_secret(path: str | PathLike[str]) -> tuple[str, str]:
    """A file's text, or what is wrong. Warns if others can read it."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        return "", getattr(error, "strerror", None) or "no file of that name"
    if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRGRP | stat.S_IROTH):
        _logger.warning(
            "%s can be read by others than its owner: chmod 600", place_name(path)
        )
    if len(data) > _LONGEST_FILE:
        return "", "too large for a key or a password"
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        return "", "it is no text"


def read_variable(name: str) -> tuple[str, str]:
    """An environment variable's text, or what is wrong."""
    text = os.environ.get(name, "")
    return text, "" if text else "it is not set, or empty"


def place_name(place: str | PathLike[str]) -> str:
    """A file's or variable's name; not what looks like a key in its place."""
    text = os.fspath(place)
    return "(a key instead of a name)" if _LIKE_A_KEY.search(text) else text
