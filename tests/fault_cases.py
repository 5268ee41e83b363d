"""One row per way in which docs/messages.md lets an input be faulty.

FAULTS holds (id, kind, input, code, offset); kind names the function: "decode",
"lines" or "payloads". Every input is one message, so the index is 0.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from codec.errors import ErrorCode

E = ErrorCode
Fault: TypeAlias = tuple[str, str, Any, ErrorCode, int]

FAULTS: list[Fault] = []

SIGNATURE = "ab" * 65
LAYOUT_1 = SIGNATURE + "0001" + "00" * 8  # 75 bytes, no record
LAYOUT_2 = SIGNATURE + "ff020003" + "0001" + "00" * 8  # 79 bytes, no record
RECORD = "0001" + "00" * 16
NUMBER_TOO_LONG = "1" * 5000  # more digits than int() takes


def _row(name: str, data: Any, code: ErrorCode, offset: int, kind: str) -> None:
    FAULTS.append((f"{kind}-{name}", kind, data, code, offset))


def _at(name: str, marked: str | bytes, code: ErrorCode, kind: str = "decode") -> None:
    """A row whose input has a `^` before the byte at fault."""
    if isinstance(marked, str):
        before, after = marked.split("^")
        text: str | bytes = before + after
        offset = len(before.encode())
    else:
        head, tail = marked.split(b"^")
        text, offset = head + tail, len(head)
    if kind == "lines" and isinstance(text, str):
        text = text.encode()
    _row(name, text, code, offset, kind)


def signed(p: str) -> str:
    """A signed frame with the source text `p` between the quotes."""
    return '{"type":"signed_ecdsa","p":"' + p + '"}'


def unsigned(a: str, tax: str = "1", ts: str = "2") -> str:
    """An unsigned frame with the source texts of its values."""
    return f'{{"type":"unsigned","tax":{tax},"ts":{ts},"a":{a}}}'


def entry(**fields: str) -> str:
    """An unsigned frame with one entry; a field given replaces or adds to the good."""
    merged = {"id": "1", "v": '"5"'} | fields
    return unsigned("[{" + ",".join(f'"{k}":{v}' for k, v in merged.items()) + "}]")


class NotBytes:
    """No message."""


def _strided() -> memoryview:
    return memoryview(b"abcdef")[::2]


def _released() -> memoryview:
    view = memoryview(b"abcdef")
    view.release()
    return view


# Section 1: the Python object.
for _kind in ("decode", "payloads"):
    for _name, _object in {
        "none": [None],
        "int": [5],
        "float": [1.5],
        "list": [[b"ab"]],
        "tuple": [(b"ab",)],
        "object": [NotBytes()],
        "strided": _strided(),
        "released": _released(),
        "shorts": memoryview(b"abcd").cast("H"),
        "signed-ints": [memoryview(b"abcd").cast("i")],
        "bools": [memoryview(b"ab").cast("?")],
    }.items():
        _row(f"type-{_name}", _object, E.PYTHON_TYPE, 0, _kind)
_row("type-str", [LAYOUT_1], E.PYTHON_TYPE, 0, "payloads")
_row("type-empty-str", [""], E.PYTHON_TYPE, 0, "payloads")

# Section 2: lines. Offsets count from behind the receive time.
for _name, _digits in {
    "00": "00",
    "leading-zero": "01764608698685038908",
    "2^64": "18446744073709551616",
    "20-nines": "9" * 20,
    "20-zeros": "0" * 20,
}.items():
    _row(
        f"receive-{_name}",
        f"{_digits} {LAYOUT_1}".encode(),
        E.INVALID_RECEIVE_TIME,
        0,
        "lines",
    )
_row("receive-before-utf8", b"00 \xff", E.INVALID_RECEIVE_TIME, 0, "lines")
_row("receive-before-empty", b"00 ", E.INVALID_RECEIVE_TIME, 0, "lines")
_row("receive-only", b"1 ", E.EMPTY, 0, "lines")
_row("receive-0-only", b"0 \n", E.EMPTY, 0, "lines")
_row("receive-max-then-empty", b"18446744073709551615   \n", E.EMPTY, 0, "lines")
_row("receive-then-not-data", b"1 {}", E.NOT_DATA, 0, "lines")
_row("receive-then-spaces", b"1   {}", E.NOT_DATA, 2, "lines")
_row("receive-then-second-number", b"1 2 ab", E.INVALID_HEX, 1, "lines")
_row("receive-then-utf8", b"12 {\xff}", E.INVALID_UTF8, 1, "lines")
_row("receive-then-hex", b"1764608698685038908 0x12g4", E.INVALID_HEX, 4, "lines")
_row("no-prefix-21-digits", b"1" * 21 + b" {}", E.INVALID_HEX, 21, "lines")
_row("no-prefix-space-first", b" 12 {}", E.INVALID_HEX, 3, "lines")
_row("no-prefix-tab", b"12\t{}", E.INVALID_HEX, 2, "lines")
_row("no-prefix-sign", b"+12 {}", E.INVALID_HEX, 0, "lines")
_row("no-prefix-minus", b"-1 {}", E.INVALID_HEX, 0, "lines")
_row("no-prefix-letters", b"12a {}", E.INVALID_HEX, 3, "lines")
_row("no-prefix-digits-only", b"123", E.ODD_HEX, 2, "lines")
_row("no-prefix-arabic-digits", "\u0661 {}".encode(), E.INVALID_HEX, 0, "lines")
_row("one-empty", b"\n", E.EMPTY, 0, "lines")
_row("carriage-return", b"\r\n", E.EMPTY, 0, "lines")
_at("last-lacks-newline", '{"type":"signed_ecdsa"^', E.INVALID_JSON, "lines")
_at("cut-by-newline", '{"type":"signed_ecdsa"^\n', E.INVALID_JSON, "lines")
_at("receive-then-cut", b'{"type":^', E.INVALID_JSON, "lines")
_at("nul", b"^\x00", E.INVALID_HEX, "lines")

# Section 3: text.
for _name, _text in {
    "bytes": b"",
    "str": "",
    "bytearray": bytearray(),
    "memoryview": memoryview(b""),
    "space": b" ",
    "all-white": " \t\r\n" * 3,
}.items():
    _row(f"empty-{_name}", _text, E.EMPTY, 0, "decode")
for _name, _bytes in {
    "stray-continuation": b"^\x80",
    "overlong-2": b"^\xc0\x80",
    "overlong-c1": b"^\xc1\xbf",
    "overlong-3": b"^\xe0\x80\x80",
    "overlong-4": b"^\xf0\x80\x80\x80",
    "surrogate": b"^\xed\xa0\x80",
    "surrogate-low": b"^\xed\xbf\xbf",
    "beyond-10ffff": b"^\xf4\x90\x80\x80",
    "f5": b"^\xf5\x80\x80\x80",
    "fe": b"^\xfe",
    "ff": b"^\xff",
    "cut-2": b"^\xc3",
    "cut-3": b"^\xe2\x82",
    "cut-4": b"^\xf0\x9f\x98",
    "bad-second": b"^\xe2\x41\x41",
    "bad-third": b"^\xe2\x82\x41",
    "latin-1": b"^\xe9t\xe9",
}.items():
    _at(f"utf8-{_name}", b'{"type":"' + _bytes + b'"}', E.INVALID_UTF8)
_at(
    "utf8-second-place",
    b'{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80^\x80"}',
    E.INVALID_UTF8,
)
_at("utf8-utf16-bom", b"^\xff\xfe{\x00}\x00", E.INVALID_UTF8)
_at("utf8-at-end", b'{"type":1}^\xc3', E.INVALID_UTF8)
_at("utf8-bare", b"abc^\xff", E.INVALID_UTF8)
_at("utf8-before-json", b"{,,,^\xff", E.INVALID_UTF8)
_at("utf8-before-hex", b"zz^\xff", E.INVALID_UTF8)
_at("utf8-white-then-bad", b"  ^\xff", E.INVALID_UTF8)
_row("utf8-str-surrogate", '{"\u20ac\ud800"}', E.INVALID_UTF8, 5, "decode")
_row("utf8-str-low-surrogate", "ab\udfff", E.INVALID_UTF8, 2, "decode")
_row("utf8-str-two-surrogates", "\ud83d\ude00", E.INVALID_UTF8, 0, "decode")
_at("bom-frame", "^\ufeff{}", E.INVALID_HEX)
_at("bom-behind-space", " ^\ufeff{}", E.INVALID_HEX)
_at("no-break-space", "^\u00a0{}", E.INVALID_HEX)
_at("vertical-tab", "^\v{}", E.INVALID_HEX)
_at("form-feed-only", "^\f", E.INVALID_HEX)
_at("array-frame", "^[1]", E.INVALID_HEX)
_at("string-frame", '^"type"', E.INVALID_HEX)
_at("null", "^null", E.INVALID_HEX)
_at("nul-byte", "^\x00", E.INVALID_HEX)

# Section 4: JSON.
for _name, _text in {
    "open-only": "{^",
    "bare-word": "{^type:1}",
    "single-quotes": "{^'type':1}",
    "missing-colon": '{"type" ^"x"}',
    "missing-value": '{"type":^}',
    "missing-comma": '{"a":1 ^"b":2}',
    "comma-first": "{^,}",
    "trailing-comma": '{"a":1,^}',
    "two-commas": '{"a":1,^,"b":2}',
    "array-trailing-comma": '{"a":[1,^]}',
    "array-comma-first": '{"a":[^,1]}',
    "array-missing-comma": '{"a":[1 ^2]}',
    "wrong-bracket": '{"a":[1^}}',
    "wrong-brace": '{"a":1^]',
    "trailing-brace": "{}^}",
    "trailing-object": "{} ^{}",
    "trailing-nul": "{}^\x00",
    "trailing-word": '{"type":"x"} ^x',
    "leading-zero": '{"a":0^1}',
    "leading-zero-negative": '{"a":-0^1}',
    "plus": '{"a":^+1}',
    "point-first": '{"a":^.5}',
    "point-last": '{"a":1.^}',
    "exponent-empty": '{"a":1e^}',
    "exponent-sign-only": '{"a":1e+^,"b":1}',
    "minus-only": '{"a":-^}',
    "hex-number": '{"a":0^x10}',
    "underscore": '{"a":1^_000}',
    "arabic-digit": '{"a":^\u0661}',
    "digit-then-arabic": '{"a":1^\u0661}',
    "nan": '{"a":^NaN}',
    "infinity": '{"a":^Infinity}',
    "minus-infinity": '{"a":-^Infinity}',
    "nan-behind-string": '{"NaN":"Infinity","a":^NaN}',
    "true-upper": '{"a":^True}',
    "true-misspelt": '{"a":tru^x}',
    "null-cut": '{"a":nul^',
    "undefined": '{"a":^undefined}',
    "comment": '{^/**/"a":1}',
    "string-cut": '{"a":"xyz^',
    "key-cut": '{"a^',
    "string-cut-escape": '{"a":"xyz\\^',
    "control-newline": '{"a":"x^\ny"}',
    "control-tab": '{"a":"x^\ty"}',
    "control-nul": '{"a":"x^\x00y"}',
    "control-1f": '{"a":"x^\x1fy"}',
    "control-in-key": '{"a^\x01":1}',
    "escape-unknown": '{"a":"\\^x"}',
    "escape-quote-single": '{"a":"\\^\'"}',
    "escape-upper-u": '{"a":"\\^U0041"}',
    "escape-u-short": '{"a":"\\u00^"}',
    "escape-u-bad": '{"a":"\\u00^g0"}',
    "escape-u-sign": '{"a":"\\u^+041"}',
    "escape-second-surrogate-bad": '{"a":"\\ud83d\\u^x"}',
    "no-break-space": '{^\u00a0"a":1}',
    "form-feed": '{^\f"a":1}',
    "bom-inside": '{^\ufeff"a":1}',
    "bom-behind": "{}^\ufeff",
    "number-key": "{^1:2}",
    "null-key": "{^null:2}",
    "behind-two-byte-letters": '{"\u00e9\u20ac\U0001f600":^x}',
    "cut-signed": signed("0x" + LAYOUT_1)[:-2] + "^",
    "cut-before-brace": signed("0x" + LAYOUT_1)[:-1] + "^",
    "before-duplicate": '{"type":1,"type":2,^}',
    "before-not-data": '{"type":"subscribe",^}',
    "before-bad-hex": '{"type":"signed_ecdsa","p":"zz"^',
    "in-unknown-key": '{"type":"subscribe","x":[^x]}',
}.items():
    _at(f"json-{_name}", _text, E.INVALID_JSON)

# Section 4: depth. The frame itself is the first level.
for _name, _text in {
    "arrays-65": '{"x":' + "[" * 63 + "^[" + "]" * 64 + "}",
    "objects-65": '{"x":' * 64 + "^{}" + "}" * 64,
    "mixed-65": '{"x":' + '[{"y":' * 31 + "[^{}]" + "}]" * 31 + "}",
    "arrays-66": '{"x":' + "[" * 63 + "^[[" + "]" * 65 + "}",
    "arrays-500": '{"x":' + "[" * 63 + "^" + "[" * 436 + "]" * 499 + "}",
    "arrays-100000": '{"x":' + "[" * 63 + "^" + "[" * 99937 + "]" * 100000 + "}",
    "arrays-100000-open": '{"x":' + "[" * 63 + "^" + "[" * 99937,
    "objects-100000-open": '{"x":' * 64 + "^" + '{"x":' * 99936,
    "cut-at-65": '{"x":' + "[" * 63 + "^[",
    "then-json": '{"x":' + "[" * 63 + "^[x",
    "then-nan": '{"x":' + "[" * 63 + "^[NaN",
    "then-trailing": '{"x":' + "[" * 63 + "^[" + "]" * 64 + "} x",
    "brackets-in-strings": '{"]]\\"}":"[[[","x":'
    + '["]",' * 63
    + "^["
    + "]" * 64
    + "}",
    "second-branch": '{"w":'
    + "[" * 63
    + "]" * 63
    + ',"x":'
    + "[" * 63
    + "^[]"
    + "]" * 63
    + "}",
    "behind-letters": '{"\u00e9":' + "[" * 63 + "^[" + "]" * 64 + "}",
    "before-duplicate": '{"type":1,"type":2,"x":' + "[" * 63 + "^[" + "]" * 64 + "}",
    "before-not-data": '{"x":' + "[" * 63 + "^[" + "]" * 64 + ',"type":"subscribe"}',
    "before-wrong-type": '{"type":' + "[" * 63 + "^[" + "]" * 64 + "}",
    "before-hex": '{"type":"signed_ecdsa","p":"zz","x":'
    + "[" * 63
    + "^["
    + "]" * 64
    + "}",
    "good-signed": '{"type":"signed_ecdsa","p":"'
    + LAYOUT_1
    + '","x":'
    + "[" * 63
    + "^["
    + "]" * 64
    + "}",
    "unused-field-of-other-kind": '{"type":"signed_ecdsa","p":"'
    + LAYOUT_1
    + '","a":'
    + "[" * 63
    + "^["
    + "]" * 64
    + "}",
    "good-unsigned": unsigned("[]", ts='2,"x":' + "[" * 63 + "^[" + "]" * 64),
    "in-entry": unsigned('[{"id":1,"v":"5","x":' + "[" * 61 + "^[" + "]" * 62 + "}]"),
    "in-entry-with-ms": unsigned(
        '[{"id":1,"v":"5","ms":0,"x":' + "[" * 61 + "^[" + "]" * 62 + "}]"
    ),
    "in-entry-duplicated": unsigned(
        '[{"id":1,"v":"5","x":' + "[" * 61 + "^[" + "]" * 62 + ',"x":1}]'
    ),
    "in-last-of-100": unsigned(
        "["
        + '{"id":1,"v":"5"},' * 99
        + '{"id":1,"v":"5","x":'
        + "[" * 61
        + "^["
        + "]" * 62
        + "}]"
    ),
    "a-itself": unsigned("[" * 63 + "^[" + "]" * 64),
}.items():
    _at(f"deep-{_name}", _text, E.TOO_DEEP)
_at("deep-64-good", '^{"x":' + "[" * 63 + "]" * 63 + "}", E.NOT_DATA)
_at("deep-64-objects-good", "^" + '{"x":' * 63 + "{}" + "}" * 63, E.NOT_DATA)
_at("deep-json-first", '{^,"x":' + "[" * 100, E.INVALID_JSON)
_at("deep-json-at-65", '{"x":' + "[" * 63 + "1 ^[", E.INVALID_JSON)
_at("deep-nan-first", '{"x":^NaN,"y":' + "[" * 100, E.INVALID_JSON)
_at("deep-string-cut", '{"x":' + "[" * 63 + '"[[[[[^', E.INVALID_JSON)
_at("deep-64-cut", '{"x":' + "[" * 63 + "^", E.INVALID_JSON)
_at("deep-wide", '^{"x":[' + ",".join(["[[]]"] * 200) + "]}", E.NOT_DATA)

# Section 4: keys of the frame.
for _name, _text in {
    "type": '{"type":"unsigned",^"type":"unsigned"}',
    "p": '{"p":"",^"p":"","type":"signed_ecdsa"}',
    "tax": '{"tax":1,^"tax":1}',
    "ts": '{"ts":1,^"ts":1}',
    "a": '{"a":[],^"a":[]}',
    "first-that-repeats": '{"p":1,"ts":2,^"ts":3,"p":4}',
    "third-time": '{"p":1,^"p":2,"p":3}',
    "spaced": '{ "p" : 1 , ^"p" : 2 }',
    "behind-unknown": '{"x":1,"x":2,"p":[{}],^"p":2}',
    "escaped-second": '{"type":"unsigned",^"\\u0074ype":"unsigned"}',
    "escaped-first": '{"\\u0074ype":"unsigned",^"type":"unsigned"}',
    "escaped-upper": '{"p":1,^"\\u0070":2}',
    "behind-letters": '{"p":"\u00e9\u20ac","\U0001f600":1,^"p":2}',
    "of-the-other-kind": '{"type":"signed_ecdsa","p":"zz","a":1,^"a":2}',
    "before-not-data": '{"type":"subscribe","p":1,^"p":2}',
    "before-absent-type": '{"p":1,^"p":2}',
    "before-wrong-type": '{"type":1,"p":1,^"p":2}',
    "equal-values": '{"p":null,^"p":null}',
    "brackets-in-strings": '{"p":"},]",^"p":1}',
    "behind-long-number": '{"x":' + NUMBER_TOO_LONG + ',"p":1,^"p":2}',
}.items():
    _at(f"duplicate-{_name}", _text, E.DUPLICATE_KEY)
for _name, _text in {
    "empty-object": "^{}",
    "spaced": " \n^{ }",
    "no-type": '^{"p":"0x00"}',
    "type-in-upper": '^{"TYPE":"unsigned"}',
    "type-nested": '^{"x":{"type":"unsigned"}}',
    "unknown-twice": '^{"x":1,"x":2}',
    "subscribe": '{"type":^"subscribe","assets":[1,2]}',
    "error": '{"type": ^"error","data":"bad token"}',
    "empty-type": '{"type":^""}',
    "upper": '{"type":^"UNSIGNED"}',
    "space-behind": '{"type":^"unsigned "}',
    "nul-behind": '{"type":^"unsigned\\u0000"}',
    "lone-surrogate": '{"type":^"\\ud800"}',
    "lone-surrogate-low-first": '{"type":^"\\ude00\\ud83d"}',
    "before-fields": '{"p":1,"tax":"x","type":^"signed"}',
    "behind-letters": '{"\u20ac":1,"type":^"x"}',
}.items():
    _at(f"not-data-{_name}", _text, E.NOT_DATA)
for _name, _value in {
    "null": "null",
    "true": "true",
    "number": "1",
    "float": "1.5",
    "array": '["unsigned"]',
    "object": '{"unsigned":1}',
    "empty-object": "{}",
}.items():
    _at(f"type-is-{_name}", '{"type":^' + _value + "}", E.WRONG_TYPE)
    _at(f"p-is-{_name}", '{"type":"signed_ecdsa","p": ^' + _value + "}", E.WRONG_TYPE)
    _at(f"v-is-{_name}", entry(v="^" + _value), E.WRONG_TYPE)
    _at(f"v-is-{_name}-later", entry(x="[1,{}]", v="^" + _value), E.WRONG_TYPE)

# Section 4: signed frames.
_at("p-absent", '^{"type":"signed_ecdsa"}', E.MISSING_FIELD)
_at("p-absent-spaced", ' \r\n^{"type":"signed_ecdsa","P":"0x"}', E.MISSING_FIELD)
_at("p-behind-type", '{"type":"signed_ecdsa","x":{"p":1},"p":^0}', E.WRONG_TYPE)
_at("p-before-type", '{"p":^[],"type":"signed_ecdsa"}', E.WRONG_TYPE)

# Section 4: unsigned frames.
_at("tax-absent", '^{"type":"unsigned","ts":1,"a":[]}', E.MISSING_FIELD)
_at("tax-absent-before-ts", '^{"type":"unsigned","ts":"x","a":1}', E.MISSING_FIELD)
_at("ts-absent", ' ^{"type":"unsigned","tax":1,"a":[]}', E.MISSING_FIELD)
_at("ts-absent-before-a", '^{"type":"unsigned","tax":1,"a":5}', E.MISSING_FIELD)
_at("a-absent", '^{"type":"unsigned","tax":1,"ts":1}', E.MISSING_FIELD)
_at("tax-before-ts-absent", '{"type":"unsigned","tax":^"x"}', E.WRONG_TYPE)
_at("ts-before-a-absent", '{"type":"unsigned","tax":1,"ts":^-1}', E.OUT_OF_RANGE)
_at(
    "tax-first-by-rule",
    '{"a":0,"ts":"x","tax":^70000,"type":"unsigned"}',
    E.OUT_OF_RANGE,
)
for _name, _value in {
    "null": "null",
    "false": "false",
    "string": '"1"',
    "array": "[]",
    "object": "{}",
}.items():
    _at(f"tax-is-{_name}", unsigned("[]", tax="^" + _value), E.WRONG_TYPE)
    _at(f"ts-is-{_name}", unsigned("[]", ts="^" + _value), E.WRONG_TYPE)
    _at(f"id-is-{_name}", entry(id="^" + _value), E.WRONG_TYPE)
    _at(f"ms-is-{_name}", entry(ms="^" + _value), E.WRONG_TYPE)
    if _name != "array":
        _at(f"a-is-{_name}", unsigned("^" + _value), E.WRONG_TYPE)
    if _name != "object":
        _at(f"entry-is-{_name}", unsigned("[^" + _value + "]"), E.WRONG_TYPE)
_at("a-is-number", unsigned("^0"), E.WRONG_TYPE)
_at("entry-is-number", unsigned("[^7]"), E.WRONG_TYPE)
for _name, _value in {
    "1e5": "1e5",
    "1E0": "1E0",
    "1.0": "1.0",
    "0.0": "0.0",
    "minus-0": "-0",
    "minus-0.0": "-0.0",
    "long-fraction": "0." + "1" * 50,
    "big-exponent": "1e99999",
}.items():
    for _field in ("id", "ms"):
        _at(f"{_field}-{_name}", entry(**{_field: "^" + _value}), E.INVALID_NUMBER)
    _at(f"tax-{_name}", unsigned("[]", tax="^" + _value), E.INVALID_NUMBER)
    _at(f"ts-{_name}", unsigned("[]", ts=" ^" + _value), E.INVALID_NUMBER)
    _at(f"v-{_name}", entry(v=f'^"{_value}"'), E.INVALID_NUMBER)
for _name, _value in {
    "empty": "",
    "plus": "+1",
    "minus": "-",
    "two-minus": "--1",
    "007": "007",
    "00": "00",
    "minus-01": "-01",
    "space-before": " 1",
    "space-behind": "1 ",
    "newline-behind": "1\\n",
    "underscore": "1_0",
    "comma": "1,000",
    "hex": "0x10",
    "letter": "12a",
    "nan": "NaN",
    "infinity": "Infinity",
    "arabic": "\u0661",
    "full-width": "\uff11",
    "superscript": "\u00b2",
    "nul": "1\\u0000",
    "nul-first": "\\u00001",
    "lone-surrogate": "\\ud800",
    "escaped-minus-0": "\\u002d0",
    "long-leading-zero": "0" + NUMBER_TOO_LONG,
}.items():
    _at(f"v-text-{_name}", entry(v=f'^"{_value}"'), E.INVALID_NUMBER)
for _name, _text in {
    "tax-65536": unsigned("[]", tax="^65536"),
    "tax-minus-1": unsigned("[]", tax="^-1"),
    "tax-long": unsigned("[]", tax="^" + NUMBER_TOO_LONG),
    "ts-2^64": unsigned("[]", ts="^18446744073709551616"),
    "ts-minus-1": unsigned("[]", ts="^-1"),
    "ts-long": unsigned("[]", ts="^-" + NUMBER_TOO_LONG),
    "id-65536": entry(id="^65536"),
    "id-minus-1": entry(id="^-1"),
    "id-2^64": entry(id="^18446744073709551616"),
    "id-2^64-plus-1": entry(id="^18446744073709551617"),
    "ms-256": entry(ms="^256"),
    "ms-minus-1": entry(ms="^-1"),
    "ms-long": entry(ms="^" + NUMBER_TOO_LONG),
    "v-2^127": entry(v=f'^"{2**127}"'),
    "v-minus-2^127-1": entry(v=f'^"{-(2**127) - 1}"'),
    "v-2^128": entry(v=f'^"{2**128}"'),
    "v-39-nines": entry(v='^"' + "9" * 39 + '"'),
    "v-40-digits": entry(v='^"1' + "0" * 39 + '"'),
    "v-minus-40-digits": entry(v='^"-1' + "0" * 39 + '"'),
    "v-long": entry(v=f'^"{NUMBER_TOO_LONG}"'),
    "v-escaped": entry(v=f'^"\\u0031{2**127}"'),
}.items():
    _at(f"range-{_name}", _text, E.OUT_OF_RANGE)
for _name, _text, _code in (
    ("id-absent", '[^{"v":"5"}]', E.MISSING_FIELD),
    ("v-absent", '[^{"id":1}]', E.MISSING_FIELD),
    ("empty", "[ ^{ } ]", E.MISSING_FIELD),
    ("second", '[{"id":1,"v":"5"}, ^{"id":1}]', E.MISSING_FIELD),
    ("id-absent-before-v", '[^{"v":5,"ms":-1}]', E.MISSING_FIELD),
    ("v-absent-before-ms", '[^{"id":5,"ms":-1}]', E.MISSING_FIELD),
    ("id-before-v-absent", '[{"id":^-1}]', E.OUT_OF_RANGE),
    ("id-before-v", '[{"ms":-1,"v":5,"id":^"x"}]', E.WRONG_TYPE),
    ("v-before-ms", '[{"ms":-1,"v":^5,"id":1}]', E.WRONG_TYPE),
    ("ms-last", '[{"ms":^-1,"v":"5","id":1}]', E.OUT_OF_RANGE),
    ("first-entry-first", '[{"id":^-1,"v":"5"},7]', E.OUT_OF_RANGE),
    ("later-entry", '[{"id":1,"v":"5"},{"id":1,"v":"5"} ,\n^7]', E.WRONG_TYPE),
    ("id-twice", '[{"id":1,"v":"5",^"id":1}]', E.DUPLICATE_KEY),
    ("v-twice", '[{"id":1,"v":"5",^"v":"5"}]', E.DUPLICATE_KEY),
    ("ms-twice", '[{"id":1,"v":"5","ms":1,^"ms":1}]', E.DUPLICATE_KEY),
    ("ms-twice-escaped", '[{"ms":1,"v":"5",^"m\\u0073":1}]', E.DUPLICATE_KEY),
    ("twice-first-that-repeats", '[{"v":1,"id":2,^"id":3,"v":4}]', E.DUPLICATE_KEY),
    ("twice-before-type", '[{"id":"x",^"id":"y"}]', E.DUPLICATE_KEY),
    ("twice-in-second", '[{"id":1,"v":"5"},{"v":1,^"v":2}]', E.DUPLICATE_KEY),
    ("twice-unknown", '[^{"x":1,"x":2,"type":1,"type":2}]', E.MISSING_FIELD),
    ("bad-before-twice", '[{"id":^-1,"v":"5"},{"v":1,"v":2}]', E.OUT_OF_RANGE),
    ("behind-letters", '[{"\u20ac":"\u00e9","id":^-1}]', E.OUT_OF_RANGE),
    ("behind-long-number", f'[{{"x":{NUMBER_TOO_LONG},"id":^-1}}]', E.OUT_OF_RANGE),
):
    _at(f"entry-{_name}", unsigned(_text), _code)
_at("frame-twice-before-entry", unsigned('[{"id":-1}],^"ts":1'), E.DUPLICATE_KEY)

# Sections 5 and 6: hex payloads, bare and in a frame.
for _name, _hex, _code in (
    ("one-digit", "^0", E.ODD_HEX),
    ("prefix-one-digit", "0x^1", E.ODD_HEX),
    ("odd", LAYOUT_1 + "^0", E.ODD_HEX),
    ("odd-short", "ab^c", E.ODD_HEX),
    ("odd-before-length", "0xab^c", E.ODD_HEX),
    ("prefix-only", "0x^", E.INVALID_LENGTH),
    ("upper-prefix", "0^X" + LAYOUT_1, E.INVALID_HEX),
    ("two-prefixes", "0x0^x" + LAYOUT_1, E.INVALID_HEX),
    ("letter-g", "0xab^g0", E.INVALID_HEX),
    ("letter-before-odd", "0xabc^g0c0", E.INVALID_HEX),
    ("last-letter", LAYOUT_1[:-1] + "^g", E.INVALID_HEX),
    ("first-letter", "^xab", E.INVALID_HEX),
    ("minus", "^-ab", E.INVALID_HEX),
    ("underscore", "ab^_cd", E.INVALID_HEX),
    ("space-inside", "ab^ cd", E.INVALID_HEX),
    ("space-between-bytes", LAYOUT_1[:20] + "^ " + LAYOUT_1[20:], E.INVALID_HEX),
    ("space-behind-prefix", "0x^ " + LAYOUT_1, E.INVALID_HEX),
    ("no-break-space", "ab^\u00a0cd", E.INVALID_HEX),
    ("letter-e-acute", "ab^\u00e9cd", E.INVALID_HEX),
    ("full-width-digit", "ab^\uff11\uff11", E.INVALID_HEX),
    ("arabic-digit", "^\u0661\u0661", E.INVALID_HEX),
    ("emoji", "ab^\U0001f600cd", E.INVALID_HEX),
    ("del", "ab^\x7fcd", E.INVALID_HEX),
    ("brace", "ab^{", E.INVALID_HEX),
    ("slash", "a^/", E.INVALID_HEX),
    ("colon", "a^:", E.INVALID_HEX),
    ("at", "a^@", E.INVALID_HEX),
    ("backtick", "a^`", E.INVALID_HEX),
    ("one-byte", "ab^", E.INVALID_LENGTH),
    ("65-bytes", SIGNATURE + "^", E.INVALID_LENGTH),
    ("66-bytes", "0x" + SIGNATURE + "00^", E.INVALID_LENGTH),
    ("74-bytes", "0x" + LAYOUT_1[:-2] + "^", E.INVALID_LENGTH),
    ("76-bytes", "0x" + LAYOUT_1 + "00^", E.INVALID_LENGTH),
    ("92-bytes", LAYOUT_1 + RECORD[:-2] + "^", E.INVALID_LENGTH),
    ("94-bytes", LAYOUT_1 + RECORD + "00^", E.INVALID_LENGTH),
    ("version-3", SIGNATURE + "ff^0300030001" + "00" * 8, E.UNKNOWN_VERSION),
    ("version-0", "0x" + SIGNATURE.upper() + "FF^00", E.UNKNOWN_VERSION),
    ("mask-0", SIGNATURE + "ff02^00000001" + "00" * 8, E.UNKNOWN_MASK),
    ("mask-2", "0x" + SIGNATURE + "ff02^0002", E.UNKNOWN_MASK),
    ("layout-2-short", "0x" + LAYOUT_2[:-2] + "^", E.INVALID_LENGTH),
    ("layout-2-record-18", LAYOUT_2 + RECORD + "^", E.INVALID_LENGTH),
):
    _at(f"bare-{_name}", _hex, _code)
    _at(f"bare-white-{_name}", f"\n {_hex}\t ", _code)
    _at(f"frame-{_name}", signed(_hex).replace("\x7f", "\\u007f"), _code)
    _at(f"line-{_name}", _hex, _code, "lines")
for _name, _text, _code in (
    ("empty", "^", E.INVALID_LENGTH),
    ("space-first", "^ " + LAYOUT_1, E.INVALID_HEX),
    ("space-last", LAYOUT_1 + "^ ", E.INVALID_HEX),
    ("escaped-newline", "ab^\\ncd", E.INVALID_HEX),
    ("escaped-quote", 'ab^\\"', E.INVALID_HEX),
    ("escaped-backslash", "ab^\\\\", E.INVALID_HEX),
    ("escaped-nul", "ab^\\u0000", E.INVALID_HEX),
    ("escaped-letter", "\\u0061\\u0062^\\u0067", E.INVALID_HEX),
    ("letter-behind-escapes", "\\u0061\\u0062^g", E.INVALID_HEX),
    ("prefix-escaped", "\\u0030\\u0078ab^g", E.INVALID_HEX),
    ("prefix-escaped-only", "\\u0030\\u0078^", E.INVALID_LENGTH),
    ("odd-escaped", "0xab^\\u0063", E.ODD_HEX),
    ("odd-behind-escape", "0x\\u0061b^c", E.ODD_HEX),
    ("surrogate-pair", "ab^\\ud83d\\ude00", E.INVALID_HEX),
    ("surrogate-pair-upper", "ab^\\uD83D\\uDE00", E.INVALID_HEX),
    ("lone-surrogate", "ab^\\ud83dcd", E.INVALID_HEX),
    ("two-high-surrogates", "ab^\\ud83d\\ud83d\\ude00", E.INVALID_HEX),
    ("low-surrogate", "\\u0061^\\ude00", E.INVALID_HEX),
    ("version-escaped", SIGNATURE + "ff^\\u00303", E.UNKNOWN_VERSION),
    ("version-half-escaped", SIGNATURE + "f\\u0066^0\\u0033", E.UNKNOWN_VERSION),
    ("mask-escaped", SIGNATURE + "\\u0066f02^\\u0030004", E.UNKNOWN_MASK),
    ("length-escaped", "0x" + SIGNATURE + "\\u0030\\u0030^", E.INVALID_LENGTH),
    ("slash-escaped", "0x^\\/0", E.INVALID_HEX),
):
    _at(f"p-{_name}", signed(_text), _code)
_at("p-spaced", '\n{ "p" : "0x^g" , "type" : "signed_ecdsa" }', E.INVALID_HEX)
_at("p-behind-letters", '{"\u20ac":1,"type":"signed_ecdsa","p":"a^g"}', E.INVALID_HEX)
_at("p-key-escaped", '{"type":"signed_ecdsa","\\u0070":"a^g"}', E.INVALID_HEX)
_at("type-escaped", '{"type":"signed\\u005fecdsa","p":"a^g"}', E.INVALID_HEX)

# Section 5: binary payloads.
_SIGNATURE = bytes(65)
for _length in (0, 1, 64, 65, 66, 74, 76, 92, 94, 110, 112):
    _row(
        f"length-{_length}",
        bytes(_length),
        E.INVALID_LENGTH,
        _length,
        "payloads",
    )
for _length in (66, 67, 68, 69, 70, 78, 80, 97, 99, 116, 118):
    _data = (_SIGNATURE + b"\xff\x02\x00\x03" + bytes(200))[:_length]
    _row(f"mask-3-length-{_length}", _data, E.INVALID_LENGTH, _length, "payloads")
for _length in (69, 78, 80, 96, 98, 117):
    _data = (_SIGNATURE + b"\xff\x02\x00\x01" + bytes(200))[:_length]
    _row(f"mask-1-length-{_length}", _data, E.INVALID_LENGTH, _length, "payloads")
for _version in (0, 1, 3, 255):
    for _rest in (b"", b"\x00", b"\x00\x03", b"\xff\xff", b"\x00\x03" + bytes(10)):
        _data = _SIGNATURE + b"\xff" + bytes([_version]) + _rest
        _name = f"version-{_version}-{len(_data)}-{_rest[:2].hex()}"
        _row(_name, _data, E.UNKNOWN_VERSION, 66, "payloads")
for _mask in (0, 2, 4, 5, 7, 0x0100, 0x0101, 0x0103, 0x8001, 0xFFFF):
    for _length in (69, 79, 80):
        _data = _SIGNATURE + b"\xff\x02" + _mask.to_bytes(2, "big") + bytes(11)
        _name = f"mask-{_mask:04x}-length-{_length}"
        _row(_name, _data[:_length], E.UNKNOWN_MASK, 67, "payloads")
_row("bytearray", bytearray(3), E.INVALID_LENGTH, 3, "payloads")
_row("memoryview", memoryview(bytes(5))[1:], E.INVALID_LENGTH, 4, "payloads")
_row("memoryview-b", memoryview(bytes(5)).cast("b"), E.INVALID_LENGTH, 5, "payloads")
_row("memoryview-c", memoryview(bytes(5)).cast("c"), E.INVALID_LENGTH, 5, "payloads")
_row("hex-text", LAYOUT_1.encode(), E.INVALID_LENGTH, 150, "payloads")
