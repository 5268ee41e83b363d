"""What verification by known keys calculates with: a path, the generator's table."""

from __future__ import annotations

import os
from threading import Lock
from weakref import WeakValueDictionary

from codec import _core

__all__ = ["LIBRARY", "generator_points", "use_verify_path", "verify_path"]

LIBRARY = "libsecp256k1"
"""The path that uses no tables."""

_GENERATOR = bytes.fromhex(
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)


def verify_path() -> str:
    """What verifies by known keys: "ifma", "portable"; "libsecp256k1": nothing does."""
    return _path


def use_verify_path(name: str) -> None:
    """Verifies this way from now on, in the whole process."""
    global _path
    names = (*_core.verify_paths(), LIBRARY)
    if name not in names:
        raise ValueError(
            f"this machine cannot verify by {name!r}: it has {', '.join(names)}"
        )
    _path = name


_generators: WeakValueDictionary[int, _core.Points] = WeakValueDictionary()
_generators_lock = Lock()


def generator_points(window: int) -> _core.Points:
    """The generator's table, which all signers share while any of them needs it."""
    with _generators_lock:
        points = _generators.get(window)
        if points is None:
            _generators[window] = points = _core.Points(_GENERATOR, window)
        return points


_path = LIBRARY
try:
    use_verify_path(os.environ.get("STORK_CODEC_VERIFY") or _core.verify_paths()[0])
except ValueError as error:
    raise ImportError(f"STORK_CODEC_VERIFY: {error}") from None
