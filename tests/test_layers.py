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
    "backoff": set(),
    "dtypes": set(),
    "eventlog": set(),
    "jsontext": set(),
    "keyfiles": set(),
    "loopthread": set(),
    "notices": set(),
    "periods": set(),
    "signing": {"errors"},
    "reference": {"errors", "dtypes", "notices", "periods", "signing", "reference"},
    "_secp256k1": {"_core", "errors"},
    "addresses": {"_core", "errors"},
    "rows": set(),
    "tables": {"_core"},
    "integrity": {"_core", "_secp256k1", "errors", "rows", "tables"},
    "known": {
        "_core",
        "_secp256k1",
        "addresses",
        "errors",
        "integrity",
        "rows",
        "tables",
    },
    "signatures": {"_core", "_secp256k1", "integrity", "known", "rows"},
    "tokens": set(),
    "webanswers": set(),
    "asset_index": set(),
    "asset_lists": {"errors", "jsontext"},
    "taxonomy_endpoint": {"errors", "tokens"},
    "taxonomy": {"asset_index", "asset_lists", "errors", "taxonomy_endpoint"},
    "arrow_arrays": {"_core", "errors"},
    "arrow": {"_core", "addresses", "arrow_arrays", "dtypes", "errors", "taxonomy"},
    "batch": {"_core", "arrow", "known", "signatures", "taxonomy"},
    "frames": {
        "_core",
        "api",
        "arrow",
        "batch",
        "errors",
        "known",
        "signatures",
        "taxonomy",
    },
    "latest": {"_core", "batch"},
    "monitor": {"_core", "notices"},
    "resampling": {"_core", "batch", "periods"},
    "api": {
        "_core",
        "batch",
        "dtypes",
        "errors",
        "known",
        "signatures",
        "signing",
    },
    "aggregator": {
        "_core",
        "_secp256k1",
        "addresses",
        "aggregator",
        "api",
        "arrow",
        "arrow_arrays",
        "dtypes",
        "errors",
        "integrity",
        "known",
        "signing",
        "tables",
    },
    "__init__": {
        "addresses",
        "arrow",
        "api",
        "batch",
        "dtypes",
        "errors",
        "frames",
        "integrity",
        "known",
        "latest",
        "monitor",
        "notices",
        "resampling",
        "signatures",
        "taxonomy",
    },
    "recording": {"__init__", "errors", "jsontext", "recording"},
    "feeds": {
        "_core",
        "aggregator",
        "api",
        "backoff",
        "batch",
        "errors",
        "eventlog",
        "feeds",
        "jsontext",
        "known",
        "loopthread",
        "monitor",
        "periods",
        "recording",
        "signatures",
        "signing",
        "taxonomy",
        "tokens",
        "webanswers",
    },
    "chain": {
        "addresses",
        "aggregator",
        "api",
        "backoff",
        "batch",
        "chain",
        "dtypes",
        "errors",
        "eventlog",
        "jsontext",
        "keyfiles",
        "known",
        "loopthread",
        "periods",
        "signatures",
        "taxonomy",
        "webanswers",
    },
    # Of the chain only what takes prices from a feed.
    "chain/push": {"feeds"},
    "dask_io": {
        "api",
        "arrow",
        "batch",
        "dask_io",
        "errors",
        "export",
        "known",
        "recording",
        "signatures",
        "taxonomy",
    },
    "summary": {"_core", "dtypes", "errors", "monitor", "summary"},
    "export": {
        "__init__",
        "_core",
        "api",
        "arrow",
        "batch",
        "errors",
        "export",
        "jsontext",
        "known",
        "monitor",
        "notices",
        "recording",
        "resampling",
        "signatures",
        "taxonomy",
    },
    "simulator": {
        "__init__",
        "addresses",
        "aggregator",
        "dtypes",
        "errors",
        "jsontext",
        "signing",
        "simulator",
    },
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
    if parts[:2] == ("chain", "push"):
        allowed = allowed | ALLOWED["chain/push"]
    names = {
        name
        for name in known(path)
        if (PACKAGE / name).exists()
        or (PACKAGE / f"{name}.py").exists()
        or name == "_core"
    }
    assert "*" in allowed or names <= allowed


def test_the_reference_is_there_when_asked_for() -> None:
    code = (
        "import sys, codec; assert 'codec.reference' not in sys.modules;"
        " print(codec.reference.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "codec.reference"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        codec.nothing  # noqa: B018


def test_a_tree_without_the_core_says_so(tmp_path: Path) -> None:
    for path in PACKAGE.glob("*.py"):
        (tmp_path / "codec").mkdir(exist_ok=True)
        (tmp_path / "codec" / path.name).write_text(path.read_text())
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import codec"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"the compiled core is not in {tmp_path / 'codec'}" in done.stderr


def test_import_loads_no_optional_package() -> None:
    code = (
        "import sys, codec; "
        "print([m for m in ('rich', 'orjson', 'pyarrow', 'coincurve', 'asyncio',"
        " 'zstandard', 'picows', 'httpx', 'msgspec', 'eth_account', 'eth_abi', 'yaml')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
