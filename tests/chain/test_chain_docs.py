"""docs/chain.md tells of everything that programs can meet."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from codec import chain, errors
from codec.chain import PreflightCode, SubmissionState
from codec.chain.events import ChainEventKind

TEXT = (Path(__file__).parents[2] / "docs" / "chain.md").read_text()
# Of a Pusher: docs/push.md.
ELSEWHERE = {
    "fee_changed",
    "signers_changed",
    "triggered",
    "pushed",
    "waiting",
    "resumed",
    "unresolved",
}


def first_cells() -> set[str]:
    """What stands in code type at the beginning of tables' rows."""
    cells = re.findall(r"^\| ([^|]+) \|", TEXT, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_finding_state_event_and_error_is_there() -> None:
    cells = first_cells()
    assert {str(code) for code in PreflightCode} <= cells
    assert {str(state) for state in SubmissionState} <= cells
    assert {str(kind) for kind in ChainEventKind} - ELSEWHERE <= cells
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ChainError)
    }
    assert raised - {"ChainError"} <= cells


def test_examples_import_what_there_is() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = [
        alias.name
        for block in blocks
        if "import" in block
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "codec.chain"
        for alias in node.names
    ]
    assert len(names) > 5
    assert [name for name in names if not hasattr(chain, name)] == []
