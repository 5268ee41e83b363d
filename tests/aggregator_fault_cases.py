"""One row per way in which docs/aggregator.md lets a message, or an entry, be faulty.

FAULTS holds (id, text, code, offset, is_entry): whether an entry alone is left out.
"""

from __future__ import annotations

from typing import TypeAlias

from codec.errors import ErrorCode

E = ErrorCode
Fault: TypeAlias = tuple[str, str, ErrorCode, int, bool]
FAULTS: list[Fault] = []

KEY = '"0x' + "ab" * 20 + '"'
HASH = '"0x' + "cd" * 32 + '"'
SUM = '"' + "ef" * 32 + '"'
DIGITS_TOO_MANY = "1" * 5000


def members(fields: dict[str, str]) -> str:
    """An object of source texts; a field of "" is left out."""
    return "{" + ",".join(f'"{k}":{v}' for k, v in fields.items() if v) + "}"


def signature(**fields: str) -> str:
    """Source text of a signature; a field given replaces or adds to the good."""
    return members({"r": HASH, "s": HASH, "v": '"0x1b"'} | fields)


def stamped(**fields: str) -> str:
    """Source text of a timestamped_signature."""
    good = {"signature": signature(), "timestamp": "7", "msg_hash": HASH}
    return members(good | fields)


def stork(**fields: str) -> str:
    """Source text of a stork_signed_price."""
    good = {
        "public_key": KEY,
        "encoded_asset_id": HASH,
        "price": '"5"',
        "timestamped_signature": stamped(),
        "publisher_merkle_root": HASH,
        "calculation_alg": members({"type": '"median"', "checksum": SUM}),
    }
    return members(good | fields)


def publisher(**fields: str) -> str:
    """Source text of one of signed_prices."""
    good = {
        "publisher_key": KEY,
        "external_asset_id": '"A"',
        "signature_type": '"evm"',
        "price": '"5"',
        "timestamped_signature": stamped(),
    }
    return members(good | fields)


def entry(**fields: str) -> str:
    """Source text of an entry of data."""
    good = {
        "timestamp": "6",
        "asset_id": '"A"',
        "signature_type": '"evm"',
        "trigger": '"clock"',
        "price": '"5"',
        "stork_signed_price": stork(),
        "signed_prices": f"[{publisher()}]",
    }
    return members(good | fields)


def frame(data: str, **fields: str) -> str:
    """Source text of a message."""
    return members({"type": '"oracle_prices"', "data": data} | fields)


def data(text: str, name: str = '"A"') -> str:
    """Source text of a message with one entry."""
    return frame("{" + name + ":" + text + "}")


def _at(name: str, marked: str, code: ErrorCode, is_entry: bool = False) -> None:
    """A row whose text has a `^` before the byte at fault."""
    before, after = marked.split("^")
    FAULTS.append((name, before + after, code, len(before.encode()), is_entry))


def _message(name: str, marked: str, code: ErrorCode) -> None:
    _at(f"message-{name}", marked, code)


def _entry(name: str, marked: str, code: ErrorCode) -> None:
    _at(f"entry-{name}", data(marked), code, True)


def _publisher(name: str, marked: str, code: ErrorCode) -> None:
    both = f"[{publisher()},{marked},{publisher()}]"
    _at(f"publisher-{name}", data(entry(signed_prices=both)), code, True)


# The text.
_message("empty", "^", E.EMPTY)
_message("blank", "^ \t\r\n", E.EMPTY)
_message("array", "^[]", E.INVALID_JSON)
_message("number", " ^1", E.INVALID_JSON)
_message("hex", "^0x00", E.INVALID_JSON)
_message("bom", "^\ufeff{}", E.INVALID_JSON)
_message("cut", data(entry())[:-1] + "^", E.INVALID_JSON)
_message("cut-inside", data(entry())[:300] + "^", E.INVALID_JSON)
_message("trailing", data(entry()) + " ^x", E.INVALID_JSON)
_message("twice", data(entry()) + "^{}", E.INVALID_JSON)
_message("no-colon", '{"type"^"oracle_prices"}', E.INVALID_JSON)
_message("no-comma", '{"type":"oracle_prices"^"data":{}}', E.INVALID_JSON)
_message("comma", frame("{}")[:-1] + ",^}", E.INVALID_JSON)
_message("comma-in-data", frame('{"A":' + entry() + ",^}"), E.INVALID_JSON)
_message("comma-in-entry", data(entry()[:-1] + ",^}"), E.INVALID_JSON)
_message(
    "comma-in-publishers",
    data(entry(signed_prices=f"[{publisher()},^]")),
    E.INVALID_JSON,
)
_message("key-is-no-string", "{^1:2}", E.INVALID_JSON)
_message("name-is-no-string", frame("{^1:2}"), E.INVALID_JSON)
_message("nul", frame("{^\x00}"), E.INVALID_JSON)
_message("nul-in-a-name", frame('{"a^\x00":1}'), E.INVALID_JSON)
_message("control", data(entry(price='"^\x1f"')), E.INVALID_JSON)
_message("leading-zero", data(entry(timestamp="0^1")), E.INVALID_JSON)
_message("plus", data(entry(timestamp="^+1")), E.INVALID_JSON)
_message("nan", data(entry(timestamp="^NaN")), E.INVALID_JSON)
_message("nullish", data(entry(stork_signed_price="null^x")), E.INVALID_JSON)
_message("escape", data(entry(price='"\\^x"')), E.INVALID_JSON)
_message("escape-u", data(entry(price='"\\u00^g0"')), E.INVALID_JSON)
_message(
    "hex-unended",
    '{"data":{"A":{"stork_signed_price":{"public_key":"0x^',
    E.INVALID_JSON,
)
_message("too-deep", frame("{}", x="[" * 63 + "^[" + "]" * 64), E.TOO_DEEP)
_message("too-deep-in-entry", data(entry(x="[" * 61 + "^[" + "]" * 62)), E.TOO_DEEP)
_message("too-deep-entry", data("[" * 62 + "^[" + "]" * 63), E.TOO_DEEP)
_message(
    "too-deep-r",
    data(
        entry(
            stork_signed_price=stork(
                timestamped_signature=stamped(signature=signature(r="[" * 58 + "^["))
            )
        )
    ),
    E.TOO_DEEP,
)
_message(
    "too-deep-publisher", data(entry(signed_prices="[" + "[" * 60 + "^[")), E.TOO_DEEP
)
_message(
    "too-deep-v",
    data(
        entry(
            signed_prices="["
            + publisher(
                timestamped_signature=stamped(signature=signature(v="[" * 57 + "^["))
            )
        )
    ),
    E.TOO_DEEP,
)

# The frame.
_message("type-twice", frame("{}")[:-1] + ',^"type":1}', E.DUPLICATE_KEY)
_message("data-twice", frame("{}")[:-1] + ',^"d\\u0061ta":1}', E.DUPLICATE_KEY)
_message("twice-before-type", '{"data":1,^"data":2}', E.DUPLICATE_KEY)
_message("no-type", '^{"data":{}}', E.NOT_DATA)
_message("nothing", "^{}", E.NOT_DATA)
_message("type-number", frame("{}", type="^1"), E.WRONG_TYPE)
_message("type-null", frame("{}", type="^null"), E.WRONG_TYPE)
_message("type-object", frame("{}", type="^{}"), E.WRONG_TYPE)
_message("other-type", frame("{}", type='^"subscribe"'), E.NOT_DATA)
_message("longer-type", frame("{}", type='^"oracle_prices_"'), E.NOT_DATA)
_message(
    "much-longer-type", frame("{}", type='^"oracle_prices____________"'), E.NOT_DATA
)
_message("type-goes-first", frame("[]", type='^"subscribe"'), E.NOT_DATA)
_message("no-data", '^{"type":"oracle_prices"}', E.MISSING_FIELD)
_message("data-null", frame("^null"), E.WRONG_TYPE)
_message("data-array", frame("^[{}]"), E.WRONG_TYPE)
_message("data-string", frame('^"{}"'), E.WRONG_TYPE)
_message("data-before-type", '{"data":{"A":1},"type":^"x"}', E.NOT_DATA)

# Names.
for _name, _text, _code in (
    ("surrogate", '"\\ud800"', E.INVALID_UTF8),
    ("low-surrogate", '"a\\udc00"', E.INVALID_UTF8),
    ("half-a-pair", '"\\ud83dx"', E.INVALID_UTF8),
    ("two-high", '"\\ud83d\\ud83d"', E.INVALID_UTF8),
    ("pair-and-half", '"\\ud83d\\ude00\\ud83d"', E.INVALID_UTF8),
    ("long", '"' + "a" * 1025 + '"', E.TOO_LARGE),
    ("long-escaped", '"' + "\\u00e9" * 512 + 'a"', E.TOO_LARGE),
    ("long-surrogate", '"' + "a" * 1025 + '\\ud800"', E.INVALID_UTF8),
):
    _at(f"name-{_name}", frame("{^" + _text + ":" + entry() + "}"), _code, True)
    _entry(f"asset-id-{_name}", entry(asset_id="^" + _text), _code)
    _publisher(f"name-{_name}", publisher(external_asset_id="^" + _text), _code)
_at("name-twice", frame(f'{{"A":{entry()},^"A":{entry()}}}'), E.DUPLICATE_KEY, True)
_at(
    "name-twice-escaped",
    frame(f'{{"A":{entry()},^"\\u0041":1}}'),
    E.DUPLICATE_KEY,
    True,
)

# Entries.
for _name, _text in (
    ("null", "null"),
    ("number", "5"),
    ("array", "[{}]"),
    ("true", "true"),
):
    _entry(_name, "^" + _text, E.WRONG_TYPE)
    _publisher(_name, "^" + _text, E.WRONG_TYPE)
_entry("empty", "^{}", E.MISSING_FIELD)
_publisher("empty", "^{}", E.MISSING_FIELD)
for _name in ("timestamp", "asset_id", "signature_type", "price"):
    _entry(f"no-{_name}", "^" + entry(**{_name: ""}), E.MISSING_FIELD)
for _name in ("external_asset_id", "signature_type", "price", "timestamped_signature"):
    _publisher(f"no-{_name}", "^" + publisher(**{_name: ""}), E.MISSING_FIELD)
for _name in ("timestamp", "asset_id", "signature_type", "trigger", "price"):
    _entry(f"{_name}-array", entry(**{_name: "^[1]"}), E.WRONG_TYPE)
    _entry(f"{_name}-true", entry(**{_name: "^true"}), E.WRONG_TYPE)
_entry("timestamp-string", entry(timestamp='^"6"'), E.WRONG_TYPE)
_entry("timestamp-null", entry(timestamp="^null"), E.WRONG_TYPE)
_entry("price-number", entry(price="^5"), E.WRONG_TYPE)
_entry("price-null", entry(price="^null"), E.WRONG_TYPE)
_entry("asset-id-null", entry(asset_id="^null"), E.WRONG_TYPE)
_entry("type-null", entry(signature_type="^null"), E.WRONG_TYPE)
_entry("trigger-number", entry(trigger="^1"), E.WRONG_TYPE)
for _name in ("1e5", "1.0", "-0", "0.0"):
    _entry(f"timestamp-{_name}", entry(timestamp="^" + _name), E.INVALID_NUMBER)
for _name in ("-1", "18446744073709551616", "9" * 40, DIGITS_TOO_MANY):
    _entry(
        f"timestamp-{_name[:9]}-{len(_name)}",
        entry(timestamp="^" + _name),
        E.OUT_OF_RANGE,
    )
for _name in ("", " 5", "5 ", "+5", "-0", "007", "1e5", "1.5", "0x5", "-", "٥", "5\\n"):
    _entry(f"price-{_name!a}", entry(price=f'^"{_name}"'), E.INVALID_NUMBER)
    _publisher(f"price-{_name!a}", publisher(price=f'^"{_name}"'), E.INVALID_NUMBER)
for _name in (str(2**127), str(-(2**127) - 1), DIGITS_TOO_MANY):
    _entry(
        f"price-{_name[:9]}-{len(_name)}", entry(price=f'^"{_name}"'), E.OUT_OF_RANGE
    )
for _name in (
    "timestamp",
    "asset_id",
    "signature_type",
    "trigger",
    "price",
    "signed_prices",
):
    _entry(f"{_name}-twice", entry()[:-1] + f',^"{_name}":0}}', E.DUPLICATE_KEY)
_entry("twice-escaped", entry()[:-1] + ',^"\\u0070rice":"5"}', E.DUPLICATE_KEY)
_entry("stork-twice", entry()[:-1] + ',^"stork_signed_price":null}', E.DUPLICATE_KEY)
for _text in ("1", '"x"', "[]", "false"):
    _entry(f"stork-{_text}", entry(stork_signed_price="^" + _text), E.WRONG_TYPE)
for _text in ("1", '"x"', "{}", "false"):
    _entry(f"publishers-{_text}", entry(signed_prices="^" + _text), E.WRONG_TYPE)

# The order of faults: the first in the text, and what is missing at an object's end.
_entry("first-of-two", entry(timestamp="^-1", price="5"), E.OUT_OF_RANGE)
_entry("twice-then-missing", entry(timestamp="")[:-1] + ',^"price":1}', E.DUPLICATE_KEY)
_entry(
    "missing-inside-first",
    entry(timestamp="", stork_signed_price="^" + stork(price="")),
    E.MISSING_FIELD,
)
_entry(
    "hex-goes-last",
    entry(stork_signed_price=stork(public_key='"x"'), signed_prices="^1"),
    E.WRONG_TYPE,
)
_entry(
    "missing-before-hex",
    "^" + entry(timestamp="", stork_signed_price=stork(public_key='"x"')),
    E.MISSING_FIELD,
)
_entry(
    "type-after-hex",
    entry(signature_type="", stork_signed_price=stork(public_key='^"x"'))[:-1]
    + ',"signature_type":"evm"}',
    E.INVALID_HEX,
)


# Signed things.
def _signed(name: str, marked: str, code: ErrorCode) -> None:
    """A fault of a timestamped_signature, of an aggregate and of a publisher."""
    _entry(
        f"signed-{name}",
        entry(stork_signed_price=stork(timestamped_signature=marked)),
        code,
    )
    _publisher(f"signed-{name}", publisher(timestamped_signature=marked), code)


for _text in ("null", "1", "[]", '"x"'):
    _signed(f"is-{_text}", "^" + _text, E.WRONG_TYPE)
    _signed(f"signature-{_text}", stamped(signature="^" + _text), E.WRONG_TYPE)
_signed("empty", "^{}", E.MISSING_FIELD)
_signed("no-signature", "^" + stamped(signature=""), E.MISSING_FIELD)
_signed("no-timestamp", "^" + stamped(timestamp=""), E.MISSING_FIELD)
_signed("timestamp-string", stamped(timestamp='^"7"'), E.WRONG_TYPE)
_signed("timestamp-float", stamped(timestamp="^7.0"), E.INVALID_NUMBER)
_signed("timestamp-negative", stamped(timestamp="^-7"), E.OUT_OF_RANGE)
for _name in ("signature", "timestamp", "msg_hash"):
    _signed(f"{_name}-twice", stamped()[:-1] + f',^"{_name}":1}}', E.DUPLICATE_KEY)
for _name in "rsv":
    _signed(
        f"no-{_name}",
        stamped(signature="^" + signature(**{_name: ""})),
        E.MISSING_FIELD,
    )
    _signed(
        f"{_name}-twice",
        stamped(signature=signature()[:-1] + f',^"{_name}":1}}'),
        E.DUPLICATE_KEY,
    )
_entry(
    "stork-no-price", entry(stork_signed_price="^" + stork(price="")), E.MISSING_FIELD
)
_entry(
    "stork-no-signature",
    entry(stork_signed_price="^" + stork(timestamped_signature="")),
    E.MISSING_FIELD,
)
_entry("stork-empty", entry(stork_signed_price="^{}"), E.MISSING_FIELD)
for _name in (
    "public_key",
    "encoded_asset_id",
    "publisher_merkle_root",
    "calculation_alg",
):
    _entry(
        f"stork-no-{_name}",
        entry(stork_signed_price="^" + stork(**{_name: ""})),
        E.MISSING_FIELD,
    )
    _entry(
        f"stork-{_name}-twice",
        entry(stork_signed_price=stork()[:-1] + f',^"{_name}":1}}'),
        E.DUPLICATE_KEY,
    )
for _text in ("null", "1", "[]"):
    _entry(
        f"algorithm-{_text}",
        entry(stork_signed_price=stork(calculation_alg="^" + _text)),
        E.WRONG_TYPE,
    )
_entry(
    "algorithm-empty",
    entry(stork_signed_price=stork(calculation_alg="^{}")),
    E.MISSING_FIELD,
)
_entry(
    "checksum-twice",
    entry(
        stork_signed_price=stork(
            calculation_alg='{"checksum":' + SUM + ',^"checksum":1}'
        )
    ),
    E.DUPLICATE_KEY,
)
_publisher("no-key", "^" + publisher(publisher_key=""), E.MISSING_FIELD)
_publisher("key-twice", publisher()[:-1] + ',^"publisher_key":1}', E.DUPLICATE_KEY)


# Hex.
def _hex(name: str, digits: str, code: ErrorCode, *, has_prefix: bool = True) -> None:
    """A fault of every field of 32 bytes."""
    value = '^"' + ("0x" if has_prefix else "") + digits + '"'
    for field in ("r", "s"):
        _signed(f"{field}-{name}", stamped(signature=signature(**{field: value})), code)
    _signed(f"hash-{name}", stamped(msg_hash=value), code)
    for field in ("encoded_asset_id", "publisher_merkle_root"):
        _entry(
            f"{field}-{name}", entry(stork_signed_price=stork(**{field: value})), code
        )
    if has_prefix:
        _entry(
            f"checksum-{name}",
            entry(
                stork_signed_price=stork(calculation_alg=members({"checksum": value}))
            ),
            code,
        )


_hex("no-prefix", "cd" * 32, E.INVALID_HEX, has_prefix=False)
_hex("capital-prefix", "0X" + "cd" * 32, E.INVALID_HEX, has_prefix=False)
_hex("digit", "cd" * 31 + "cg", E.INVALID_HEX)
_hex("digit-of-many", "g" * 300, E.INVALID_HEX)
_hex("odd", "cd" * 32 + "c", E.ODD_HEX)
_hex("odd-short", "cd" * 31 + "c", E.ODD_HEX)
_hex("short", "cd" * 31, E.INVALID_LENGTH)
_hex("long", "cd" * 33, E.INVALID_LENGTH)
_hex("empty", "", E.INVALID_LENGTH)
_hex("not-ascii", "ä" * 32, E.INVALID_HEX)
_hex("zero", "cd" * 31 + "\\u0000", E.INVALID_HEX)
for _text in ("1", "null", "[]", "{}"):
    _publisher(f"key-{_text}", publisher(publisher_key="^" + _text), E.WRONG_TYPE)
    _entry(
        f"key-{_text}",
        entry(stork_signed_price=stork(public_key="^" + _text)),
        E.WRONG_TYPE,
    )
    _signed(f"v-{_text}", stamped(signature=signature(v="^" + _text)), E.WRONG_TYPE)
for _text, _code in (
    ('"0x1"', E.ODD_HEX),
    ('"1b"', E.INVALID_HEX),
    ('"0x001b"', E.INVALID_LENGTH),
    ('"27"', E.INVALID_HEX),
):
    _signed(f"v-{_text}", stamped(signature=signature(v="^" + _text)), _code)
_publisher("key-32", publisher(publisher_key="^" + HASH), E.INVALID_LENGTH)
_entry(
    "checksum-bare",
    entry(stork_signed_price=stork(calculation_alg='{"checksum":^"ef"}')),
    E.INVALID_LENGTH,
)
