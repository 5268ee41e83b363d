"""Hypothesis strategies: valid messages of every form, and damaged ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from codec import reference

INT128 = st.one_of(
    st.integers(-(2**127), 2**127 - 1),
    st.integers(-(10**24), 10**24),
    st.sampled_from([0, 1, -1, 2**63, -(2**63) - 1, 2**64, 2**127 - 1, -(2**127)]),
)
UINT16 = st.one_of(st.integers(0, 65535), st.sampled_from([0, 1, 65535]))
UINT64 = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**64 - 1]))
SIGNATURES = st.binary(min_size=65, max_size=65)


@st.composite
def payloads(draw: st.DrawFn, max_assets: int = 40) -> bytes:
    """A well-formed payload of either layout."""
    values = draw(st.lists(INT128, max_size=max_assets))
    versioned = draw(st.booleans())
    payload = reference.encode(
        draw(st.lists(UINT16, min_size=len(values), max_size=len(values))),
        values,
        timestamp_ns=draw(UINT64),
        taxonomy_id=draw(UINT16 if versioned else st.integers(0, 0xFEFF)),
        key=None,
        market_status=list(draw(st.binary(min_size=len(values), max_size=len(values))))
        if versioned
        else None,
    )
    return draw(SIGNATURES) + payload[65:]


def _spread(text: str, draw: st.DrawFn) -> str:
    """JSON with its characters partly written as escapes."""
    escaped = draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=5))
    return "".join(
        f"\\u{ord(c):04x}" if i in escaped and c != '"' else c
        for i, c in enumerate(text)
    )


def _json(value: Any, draw: st.DrawFn) -> str:
    """A JSON text in some order, with some white space and some escapes."""
    space = draw(st.sampled_from(["", " ", "\n", "\t \r"]))
    if isinstance(value, dict):
        items = draw(st.permutations(list(value.items())))
        inside = f",{space}".join(
            f"{_json(k, draw)}{space}:{space}{_json(v, draw)}" for k, v in items
        )
        return "{" + space + inside + space + "}"
    if isinstance(value, list):
        return (
            "[" + space + f"{space},".join(_json(v, draw) for v in value) + space + "]"
        )
    if isinstance(value, str) and value.isascii() and value.isprintable():
        plain = '"' not in value and "\\" not in value
        return f'"{_spread(value, draw)}"' if plain else json.dumps(value)
    return json.dumps(value)


_UNKNOWN = st.dictionaries(
    st.text(max_size=6).filter(
        lambda key: key not in {"type", "p", "tax", "ts", "a", "id", "v", "ms"}
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=2,
)


@st.composite
def unsigned_objects(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a well-formed unsigned frame."""
    entries = [
        {"id": draw(UINT16), "v": str(draw(INT128))}
        | draw(st.fixed_dictionaries({}, optional={"ms": st.integers(0, 255)}))
        for _ in range(draw(st.integers(0, 6)))
    ]
    return {
        "type": "unsigned",
        "tax": draw(UINT16),
        "ts": draw(UINT64),
        "a": entries,
    }


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A well-formed text message: compact or spread out, signed, unsigned or bare."""
    form = draw(
        st.sampled_from(["frame", "bare", "loose", "unsigned", "loose unsigned"])
    )
    if form in {"unsigned", "loose unsigned"}:
        fields = draw(unsigned_objects())
        if form == "unsigned":
            return json.dumps(fields, separators=(",", ":"))
    else:
        digits = draw(payloads()).hex()
        if draw(st.booleans()):
            digits = digits.upper()
        if form == "frame":
            return '{"type":"signed_ecdsa","p":"0x' + digits + '"}'
        prefix = draw(st.sampled_from(["0x", ""]))
        if form == "bare":
            return prefix + digits
        fields = {"type": "signed_ecdsa", "p": prefix + digits}
    return _json(fields | draw(_UNKNOWN), draw)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A message with some bytes changed, cut out, doubled or put in."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(start + draw(st.integers(0, 4)), len(data))
        data[start:end] = draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [
                        b'"',
                        b"{",
                        b"}",
                        b"[",
                        b"]",
                        b",",
                        b":",
                        b"\\",
                        b"\\u00",
                        b" ",
                        b"0",
                        b"-",
                        b"e",
                        b"x",
                        b"\n",
                        b"\x00",
                        b"\xff",
                        b"\xc3\xa9",
                        b'"type":1,',
                        b'"a":[],',
                        b"null",
                        b"[[[[[[[[",
                    ]
                ),
                st.just(bytes(data[start : start + 40])),
            )
        )
    return bytes(data)
