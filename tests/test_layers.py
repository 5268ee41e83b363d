"""Imports run one way, and none of them is heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import codec

PACKAGE = Path(codec.__file__).parent
# What each module may know of the package; a folder stands for all in it.
ALLOWED = {
    "errors": set(),
    "dtypes": set(),
    "signing": {"errors"},
    "reference": {"errors", "dtypes", "signing"},
    "batch": {"_core"},
    "api": {"_core", "batch", "dtypes", "errors", "signing"},
    "__init__": {"api", "batch", "dtypes", "errors"},
    "__main__": {"cli"},
    "cli": {"*"},
}


def known(path: Path) -> set[str]:
    """The modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("codec.")}
        found |= {"__init__"} & {name for name in names if name == "codec"}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_run_one_way(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    module = parts[0].removesuffix(".py")
    allowed = ALLOWED[module]
    names = {
        name
        for name in known(path)
        if (PACKAGE / name).exists()
        or (PACKAGE / f"{name}.py").exists()
        or name == "_core"
    }
    assert "*" in allowed or names <= allowed


def test_import_loads_no_optional_package() -> None:
    code = (
        "import sys, codec; "
        "print([m for m in ('rich', 'orjson', 'pyarrow', 'coincurve', 'asyncio')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
