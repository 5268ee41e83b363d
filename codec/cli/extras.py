"""Optional packages: imported where they are used, missed with a hint."""

from __future__ import annotations

from importlib.util import find_spec

from codec.errors import MissingDependencyError

__all__ = ["require"]


def require(package: str, extra: str) -> None:
    """Raises MissingDependencyError where the package of `extra` is missing."""
    if find_spec(package) is None:
        raise MissingDependencyError(
            f"this needs the package {package}: pip install 'stork-codec[{extra}]'"
        )
