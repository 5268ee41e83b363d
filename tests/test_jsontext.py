"""JSON that nests too deep is refused, whatever the interpreter's limit is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec import jsontext

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def depth_of(value: Any) -> int:
    if not isinstance(value, (list, dict)):
        return 0
    items = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth_of, items), default=0)


@given(VALUES)
def test_what_is_not_deep_is_read(value: Any) -> None:
    text = json.dumps(value)
    assert jsontext.loads(text) == jsontext.loads(text.encode()) == value


@given(VALUES, st.integers(0, 8))
def test_how_deep_a_text_is(value: Any, most: int) -> None:
    text = json.dumps(value).encode()
    assert jsontext.is_deeper(text, most) == (depth_of(value) > most)


def test_brackets_in_texts_are_none() -> None:
    text = json.dumps(["[" * 500, '{"' * 500, "\\" * 99])
    assert jsontext.loads(text) == json.loads(text)


@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**6, "[" * 201 + "]" * 201])
def test_too_deep_a_text_is_refused(text: str) -> None:
    for given_text in (text, text.encode()):
        with pytest.raises(RecursionError, match="more than 200 deep"):
            jsontext.loads(given_text)


RAISED = """
import sys
sys.setrecursionlimit(10**6)
from codec import Taxonomy, TaxonomyError
try:
    Taxonomy.from_json("[" * 10**6, name="a")
except TaxonomyError as error:
    print(error)
"""


def test_a_raised_limit_of_recursion_ends_no_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", RAISED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "a: no list of assets nests so deep\n"


@pytest.mark.parametrize("depth", [1, 200, 201, 100_000])
def test_what_others_may_read(depth: int) -> None:
    text = "[" * depth + "]" * depth
    flat = '{"a":"' + "[" * depth + '\ud800"}'
    for kind in (str, lambda text: text.encode("utf-8", "surrogatepass")):
        assert jsontext.is_too_deep(kind(text)) == (depth > 200)
        assert not jsontext.is_too_deep(kind(flat))
