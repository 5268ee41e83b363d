"""What README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert examples
    names: dict[str, object] = {}
    for example in examples:  # a later one goes on where an earlier one ended
        exec(compile(example, str(README), "exec"), names)
        expected = re.findall(r"^# (.*)$", example, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == expected


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README.read_text())
    local = [link for link in links if not link.startswith("http")]
    assert local
    assert [link for link in local if not (README.parent / link).exists()] == []
