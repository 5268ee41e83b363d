"""Foreign words in logs and terminals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.feeds.words import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all is well", "all is well"),
        (b"all is well", "all is well"),
        ("", ""),
        ("grüße", "grüße"),
        ("  two\n lines\t", "two lines"),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"),
        ("\ud800", "\\ud800"),
        (b"\xff{", "\\xff{"),
        ("\u202egnp", "\\u202egnp"),
        ("x" * 1000, "x" * 200),
    ],
)
def test_what_is_shown(text: str | bytes, expected: str) -> None:
    assert shown(text) == expected


@given(st.text() | st.binary())
def test_what_is_shown_is_one_short_printable_line(text: str | bytes) -> None:
    result = shown(text, 50)
    assert result.isprintable() and len(result) <= 50
    result.encode()
