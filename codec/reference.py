"""The codec in plain Python: oracle of the tests, and baseline of the benchmarks.

docs/messages.md is the contract; "section" in this file means a section of it. Good
messages cost one JSON parse, one `bytes.fromhex` and a loop over the records; where
a fault stands is worked out only after one was met.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE, UPDATE_DTYPE, VALUE_DTYPE
from codec.errors import DecodeError, EncodeError, ErrorCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from codec.signing import Key

__all__ = [
    "Batch",
    "Decoder",
    "as_float",
    "as_int",
    "decode",
    "decode_lines",
    "decode_payloads",
    "encode",
    "keccak256",
    "to_frame",
]

Message: TypeAlias = bytes | bytearray | memoryview | str
OnError: TypeAlias = Literal["raise", "skip"]
Integers: TypeAlias = "Sequence[int] | npt.NDArray[Any]"

_T = TypeVar("_T")
_Pairs: TypeAlias = tuple[tuple[str, Any], ...]
_Step: TypeAlias = str | int  # a key of an object, or an index of an array
_Row: TypeAlias = tuple[tuple[int, int], int, int, int, int]

_UINT8 = (0, 2**8 - 1)
_UINT16 = (0, 2**16 - 1)
_UINT64 = (0, 2**64 - 1)
_INT128 = (-(2**127), 2**127 - 1)
_LOW_64 = 2**64 - 1
_ONE = 10**18  # a value is scaled by this
_NO_STATUS = 255
_VERSIONED = 0xFF  # at byte 65: layout 2
_MAX_PAYLOAD_LEN = 2**32 - 1
_MAX_DEPTH = 64
_ABSENT = object()

_SPACE = " \t\n\r"
_SKIP_SPACE = re.compile(r"[ \t\n\r]*")
_RECEIVE_TIME = re.compile(rb"([0-9]{1,20}) ")
_NO_HEX_DIGIT = re.compile(r"[^0-9a-fA-F]")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_CONSTANT = re.compile(r'"(?:[^"\\]++|\\.)*+"?|NaN|Infinity', re.DOTALL)
# One character of a JSON string as it stands in the source, or the closing quote.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[^\\]", re.DOTALL
)


@dataclass(slots=True, eq=False, repr=False)
class Batch:
    """Decoded messages. Owns its arrays; their dtypes are those of codec.dtypes."""

    messages: npt.NDArray[np.void]
    updates: npt.NDArray[np.void]
    errors: npt.NDArray[np.void]
    payload_arena: npt.NDArray[np.uint8] | None

    def payload(self, i: int) -> memoryview:
        """The raw payload of row `i` of `messages`; empty for an unsigned message."""
        if self.payload_arena is None:
            raise ValueError("the batch was decoded with payloads=False")
        row = self.messages[i]
        start = int(row["payload_offset"])
        return self.payload_arena.data[start : start + int(row["payload_len"])]

    def message_index(self) -> npt.NDArray[np.int64]:
        """The row in `messages` of each update."""
        rows = np.arange(len(self.messages), dtype=np.int64)
        return np.repeat(rows, self.messages["update_count"])

    def copy(self) -> Batch:
        """A batch with arrays of its own."""
        arena = self.payload_arena
        return Batch(
            _copy(self.messages),
            _copy(self.updates),
            _copy(self.errors),
            None if arena is None else arena.copy(),
        )

    def __len__(self) -> int:
        return len(self.updates)

    def __repr__(self) -> str:
        return (
            f"Batch(updates={len(self.updates)}, messages={len(self.messages)},"
            f" errors={len(self.errors)})"
        )


def _copy(table: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """A copy down to the padding, which ndarray.copy leaves out."""
    return table.view(np.uint8).copy().view(table.dtype)


@dataclass(slots=True)
class _Message:
    """One decoded message: `rows` are its updates, `payload` is b"" if unsigned."""

    timestamp_ns: int
    taxonomy_id: int
    layout: int
    rows: list[_Row]
    payload: bytes
    receive_ns: int = 0


class _Fault(Exception):
    """What is wrong with a message, and at which byte."""

    def __init__(self, code: ErrorCode, offset: int) -> None:
        super().__init__(code, offset)
        self.code = code
        self.offset = offset


def decode(
    messages: Message | Iterable[object],
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
) -> Batch:
    """Decode one message, or any iterable of them. `threads` changes nothing here."""
    _check_options(on_error, threads)
    return _collect(_as_many(messages), _read_message, on_error, payloads)


def decode_lines(
    buffer: ReadableBuffer,
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
) -> Batch:
    """Decode a C-contiguous buffer of lines. `threads` changes nothing here."""
    _check_options(on_error, threads)
    try:
        view = memoryview(buffer)
    except ValueError as error:  # closed or released
        raise TypeError(f"decode_lines takes an open buffer: {error}") from error
    if not _is_bytes(view):
        raise TypeError("decode_lines takes one contiguous buffer of single bytes")
    lines = view.tobytes().split(b"\n")
    if not lines[-1]:
        lines.pop()
    return _collect(lines, _read_line, on_error, payloads)


def decode_payloads(
    payloads: Message | Iterable[object],
    *,
    on_error: OnError = "raise",
    threads: int = 1,
) -> Batch:
    """Decode one binary payload, or any iterable of them.

    `threads` changes nothing here.
    """
    _check_options(on_error, threads)
    return _collect(_as_many(payloads), _read_payload_object, on_error, True)


class Decoder:
    """`decode*` with fixed options. Its batches own their arrays, unlike the core's."""

    def __init__(self, *, payloads: bool = True, threads: int = 1) -> None:
        _check_options("raise", threads)
        self._payloads = payloads
        self._threads = threads

    def decode(
        self, messages: Message | Iterable[object], *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode`."""
        return decode(messages, on_error=on_error, payloads=self._payloads)

    def decode_lines(
        self, buffer: ReadableBuffer, *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode_lines`."""
        return decode_lines(buffer, on_error=on_error, payloads=self._payloads)

    def decode_payloads(
        self, payloads: Message | Iterable[object], *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode_payloads`; `payloads=False` counts here too."""
        _check_options(on_error, self._threads)
        items = _as_many(payloads)
        return _collect(items, _read_payload_object, on_error, self._payloads)


def _check_options(on_error: str, threads: int) -> None:
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error is "raise" or "skip", not {on_error!r}')
    if operator.index(threads) < 0:
        raise ValueError(f"threads is 0 (all cores) or more, not {threads}")


def _as_many(messages: Message | Iterable[object]) -> Iterable[object]:
    if isinstance(messages, bytes | bytearray | memoryview | str):
        return [messages]
    if isinstance(messages, Mapping):
        raise TypeError("an iterable of messages is needed, not a mapping")
    return messages


def _collect(
    items: Iterable[_T], read: Callable[[_T], _Message], on_error: str, keep: bool
) -> Batch:
    """Read every item; `keep` says whether payloads go to the arena."""
    messages: list[tuple[int, ...]] = []
    updates: list[_Row] = []
    errors: list[tuple[int, ...]] = []
    arena = bytearray()
    for index, item in enumerate(items):
        try:
            message = read(item)
        except _Fault as fault:
            if on_error == "raise":
                raise DecodeError(fault.code, index, fault.offset) from None
            errors.append((index, fault.offset, fault.code))
            continue
        signed = message.layout != 0
        messages.append(
            (
                message.timestamp_ns,
                message.receive_ns,
                len(updates),
                len(arena) if signed else 0,
                len(message.payload),
                len(message.rows),
                message.taxonomy_id,
                int(signed),
                message.layout,
            )
        )
        updates += message.rows
        if keep:
            arena += message.payload
    return Batch(
        _table(messages, MESSAGE_DTYPE),
        _table(updates, UPDATE_DTYPE),
        _table(errors, ERROR_DTYPE),
        np.frombuffer(arena, np.uint8) if keep else None,
    )


def _table(rows: Sequence[object], dtype: np.dtype[Any]) -> npt.NDArray[np.void]:
    """An array of records with zeros in the padding, which np.array leaves as it was.

    All of it stands behind the last field.
    """
    table = np.array(rows, dtype=dtype)
    fields: Mapping[str, Any] = dtype.fields or {}
    end = max(offset + field.itemsize for field, offset in fields.values())
    table.view(np.uint8).reshape(len(table), dtype.itemsize)[:, end:] = 0
    return table


def _is_bytes(message: object) -> bool:
    """Whether it is a bytes-like message or payload (section 1)."""
    if isinstance(message, memoryview):
        try:
            return message.c_contiguous and message.format in ("B", "b", "c")
        except ValueError:  # released
            return False
    return isinstance(message, bytes | bytearray)


def _read_line(line: bytes) -> _Message:
    """Read a line (section 2); faults count bytes behind the receive time."""
    prefix = _RECEIVE_TIME.match(line)
    if prefix is None:
        return _read_message(line)
    digits = prefix[1]
    receive_ns = int(digits)
    if receive_ns > _UINT64[1] or (digits[:1] == b"0" and digits != b"0"):
        raise _Fault(ErrorCode.INVALID_RECEIVE_TIME, 0)
    message = _read_message(line[prefix.end() :])
    message.receive_ns = receive_ns
    return message


def _read_message(message: object) -> _Message:
    """Read a frame or a bare hex payload (sections 1 and 3)."""
    if isinstance(message, str):
        text = message
        try:
            if not text.isascii():
                text.encode()
        except UnicodeEncodeError as exc:
            offset = _byte_offset(text, exc.start)
            raise _Fault(ErrorCode.INVALID_UTF8, offset) from None
    elif _is_bytes(message):
        try:
            text = str(cast("bytes", message), "utf-8")
        except UnicodeDecodeError as exc:
            raise _Fault(ErrorCode.INVALID_UTF8, exc.start) from None
    else:
        raise _Fault(ErrorCode.PYTHON_TYPE, 0)
    body = text.strip(_SPACE)
    if not body:
        raise _Fault(ErrorCode.EMPTY, 0)
    if body[0] == "{":
        return _read_frame(text)
    try:
        return _read_hex(body)
    except _Fault as fault:  # all before the fault is ASCII: characters are bytes
        raise _Fault(fault.code, text.index(body[0]) + fault.offset) from None


def _byte_offset(text: str, i: int) -> int:
    """Where the character `i` stands in the UTF-8 form of `text`."""
    return len(text[:i].encode())


class _Number(str):
    """A JSON number as it is written; a JSON string is a plain `str`."""

    __slots__ = ()


class _ConstantFound(Exception):
    """The parser met NaN, Infinity or -Infinity."""


def _refuse_constant(name: str) -> None:
    raise _ConstantFound(name)


# Objects become tuples of (key, value): no list, and every duplicate still in it.
_JSON = json.JSONDecoder(
    object_pairs_hook=tuple,
    parse_int=_Number,
    parse_float=_Number,
    parse_constant=_refuse_constant,
)
_FRAME_KEYS = frozenset(("type", "p", "tax", "ts", "a"))
_ENTRY_KEYS = frozenset(("id", "v", "ms"))


def _read_frame(text: str) -> _Message:
    """Read a signed or unsigned frame (section 4)."""
    pairs = _parse(text)
    fields = _as_dict(pairs, _FRAME_KEYS, text)
    kind = fields.get("type", _ABSENT)
    if kind is _ABSENT:
        raise _frame_fault(ErrorCode.NOT_DATA, text)
    if type(kind) is not str:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "type")
    if kind == "signed_ecdsa":
        message = _read_signed(fields, text)
        has_unknown = len(pairs) > 2
    elif kind == "unsigned":
        message, has_unknown = _read_unsigned(fields, text)
        has_unknown = has_unknown or len(pairs) > 4
    else:
        raise _frame_fault(ErrorCode.NOT_DATA, text, "type")
    if has_unknown:  # all that was looked at is flat
        _check_depth(text)
    return message


def _parse(text: str) -> _Pairs:
    try:
        return cast("_Pairs", _JSON.decode(text))
    except json.JSONDecodeError as exc:
        end = exc.pos
    except _ConstantFound:
        end = next(m.start() for m in _CONSTANT.finditer(text) if m[0][0] != '"')
    except RecursionError:
        _check_depth(text)
        raise
    _check_depth(text, end)
    raise _Fault(ErrorCode.INVALID_JSON, _byte_offset(text, end))


def _check_depth(text: str, end: int | None = None) -> None:
    """Raise where a level too many opens in text[:end], a beginning of valid JSON."""
    if text.count("{") + text.count("[") <= _MAX_DEPTH:
        return
    depth = 0
    for token in _BRACKET.finditer(text, 0, len(text) if end is None else end):
        if token[0] in "{[":
            depth += 1
            if depth > _MAX_DEPTH:
                raise _Fault(ErrorCode.TOO_DEEP, _byte_offset(text, token.start()))
        elif token[0] in "}]":
            depth -= 1


def _as_dict(
    pairs: _Pairs, known: frozenset[str], text: str, *path: _Step
) -> dict[str, Any]:
    """The object at `path`, in which no key of `known` may stand twice."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen = set()
        for n, (key, _) in enumerate(pairs):
            if key in seen:
                _check_depth(text)
                parts = _parts(text, _find(text, *path))
                _, key_at, _ = next(islice(parts, n, None))
                raise _Fault(ErrorCode.DUPLICATE_KEY, _byte_offset(text, key_at))
            if key in known:
                seen.add(key)
    return fields


def _read_signed(fields: dict[str, Any], text: str) -> _Message:
    digits = fields.get("p", _ABSENT)
    if digits is _ABSENT:
        raise _frame_fault(ErrorCode.MISSING_FIELD, text)
    if type(digits) is not str:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "p")
    try:
        return _read_hex(digits)
    except _Fault as fault:
        _check_depth(text)
        characters = _CHARACTER.finditer(text, _find(text, "p") + 1)
        at = next(islice(characters, fault.offset, None)).start()
        raise _Fault(fault.code, _byte_offset(text, at)) from None


def _read_unsigned(fields: dict[str, Any], text: str) -> tuple[_Message, bool]:
    """The message, and whether an entry of `a` has unknown keys."""
    tax = fields.get("tax", _ABSENT)
    taxonomy_id = _integer(tax, _Number, _UINT16, text, "tax")
    ts = fields.get("ts", _ABSENT)
    timestamp_ns = _integer(ts, _Number, _UINT64, text, "ts")
    entries = fields.get("a", _ABSENT)
    if entries is _ABSENT:
        raise _frame_fault(ErrorCode.MISSING_FIELD, text)
    if type(entries) is not list:
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, "a")
    rows: list[_Row] = []
    has_unknown = False
    for n, pairs in enumerate(entries):
        if type(pairs) is not tuple:
            raise _frame_fault(ErrorCode.WRONG_TYPE, text, "a", n)
        entry = _as_dict(pairs, _ENTRY_KEYS, text, "a", n)
        number = entry.get("id", _ABSENT)
        asset_id = _integer(number, _Number, _UINT16, text, "a", n, "id")
        number = entry.get("v", _ABSENT)
        value = _integer(number, str, _INT128, text, "a", n, "v")
        status = _NO_STATUS
        if "ms" in entry:
            status = _integer(entry["ms"], _Number, _UINT8, text, "a", n, "ms")
        if len(entry) > 2 + ("ms" in entry):
            has_unknown = True
        halves = (value & _LOW_64, value >> 64)
        rows.append((halves, timestamp_ns, taxonomy_id, asset_id, status))
    return _Message(timestamp_ns, taxonomy_id, 0, rows, b""), has_unknown


def _integer(
    value: Any, kind: type[str], bounds: tuple[int, int], text: str, *path: _Step
) -> int:
    """The integer that `value`, which stands at `path`, is the text of."""
    if type(value) is not kind:
        if value is _ABSENT:
            raise _frame_fault(ErrorCode.MISSING_FIELD, text, *path[:-1])
        raise _frame_fault(ErrorCode.WRONG_TYPE, text, *path)
    if not _INTEGER.fullmatch(value):
        raise _frame_fault(ErrorCode.INVALID_NUMBER, text, *path)
    # An int128 has at most 40 characters; int() refuses more than 4300 digits.
    number = int(value) if len(value) <= 40 else None
    if number is None or not bounds[0] <= number <= bounds[1]:
        raise _frame_fault(ErrorCode.OUT_OF_RANGE, text, *path)
    return number


def _frame_fault(code: ErrorCode, text: str, *path: _Step) -> _Fault:
    """The fault at the value that `path` leads to; too_deep goes before all others."""
    _check_depth(text)
    return _Fault(code, _byte_offset(text, _find(text, *path)))


def _find(text: str, *path: _Step) -> int:
    """Where in a frame, known to be valid JSON, the value at `path` starts."""
    at = text.index("{")
    for step in path:
        at = next(value_at for key, _, value_at in _parts(text, at) if key == step)
    return at


def _parts(text: str, at: int) -> Iterator[tuple[_Step, int, int]]:
    """Of the object or array at `at`: each key or index, its start, its value's."""
    is_object = text[at] == "{"
    key: _Step = -1
    at = _skip_space(text, at + 1)
    while text[at] not in "}]":
        key_at = at
        if is_object:
            key, at = _JSON.raw_decode(text, at)
            at = _skip_space(text, _skip_space(text, at) + 1)
        else:
            key = cast("int", key) + 1
        yield key, key_at, at
        at = _skip_space(text, _JSON.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip_space(text, at + 1)


def _skip_space(text: str, at: int) -> int:
    return cast("re.Match[str]", _SKIP_SPACE.match(text, at)).end()


def _read_hex(text: str) -> _Message:
    """Read a hex payload (section 6); faults count characters of `text`."""
    start = 2 if text.startswith("0x") else 0
    digits = text[start:]
    try:
        payload = bytes.fromhex(digits)
    except ValueError:
        payload = b""
    if 2 * len(payload) != len(digits):  # bytes.fromhex skips white space
        other = _NO_HEX_DIGIT.search(digits)
        if other is not None:
            raise _Fault(ErrorCode.INVALID_HEX, start + other.start())
        raise _Fault(ErrorCode.ODD_HEX, len(text) - 1)
    try:
        return _read_payload(payload)
    except _Fault as fault:
        raise _Fault(fault.code, start + 2 * fault.offset) from None


def _read_payload_object(payload: object) -> _Message:
    if not _is_bytes(payload):
        raise _Fault(ErrorCode.PYTHON_TYPE, 0)
    if memoryview(cast("bytes", payload)).nbytes > _MAX_PAYLOAD_LEN:  # before a copy
        raise _Fault(ErrorCode.TOO_LARGE, 0)
    return _read_payload(bytes(cast("bytes", payload)))


def _read_payload(payload: bytes) -> _Message:
    """Read a binary payload (section 5); faults count its bytes."""
    length = len(payload)
    if length > _MAX_PAYLOAD_LEN:
        raise _Fault(ErrorCode.TOO_LARGE, 0)
    if length < 66:
        raise _Fault(ErrorCode.INVALID_LENGTH, length)
    if payload[65] != _VERSIONED:
        layout, start, size = 1, 75, 18
    else:
        mask = int.from_bytes(payload[67:69], "big")
        layout, start, size = 2, 79, 19 if mask & 2 else 18
        if length > 66 and payload[66] != 2:
            raise _Fault(ErrorCode.UNKNOWN_VERSION, 66)
        if length > 68 and mask not in (1, 3):
            raise _Fault(ErrorCode.UNKNOWN_MASK, 67)
    if length < start or (length - start) % size:
        raise _Fault(ErrorCode.INVALID_LENGTH, length)
    taxonomy_id = int.from_bytes(payload[start - 10 : start - 8], "big")
    timestamp_ns = int.from_bytes(payload[start - 8 : start], "big")
    rows: list[_Row] = []
    for at in range(start, length, size):
        asset_id = int.from_bytes(payload[at : at + 2], "big")
        value = int.from_bytes(payload[at + 2 : at + 18], "big", signed=True)
        status = payload[at + 18] if size == 19 else _NO_STATUS
        halves = (value & _LOW_64, value >> 64)
        rows.append((halves, timestamp_ns, taxonomy_id, asset_id, status))
    return _Message(timestamp_ns, taxonomy_id, layout, rows, payload)


def encode(
    asset_ids: Integers,
    values: Integers,
    *,
    timestamp_ns: int,
    taxonomy_id: int,
    key: Key | None,
    market_status: Integers | None = None,
) -> bytes:
    """A payload of layout 1, or of layout 2 with mask 3 where `market_status` is given.

    `values` are scaled by 10^18: ints, or an array of VALUE_DTYPE. With key=None the
    65 bytes of the signature are zero, to be signed elsewhere.
    """
    # Byte 65 of layout 1 is the taxonomy id's first and must not be 0xFF.
    last_id = 0xFEFF if market_status is None else 0xFFFF
    taxonomy_id = _in_range(taxonomy_id, (0, last_id), "taxonomy_id")
    timestamp_ns = _in_range(timestamp_ns, _UINT64, "timestamp_ns")
    if isinstance(values, np.ndarray) and values.dtype == VALUE_DTYPE:
        values = as_int(values)
    for column in (asset_ids, values, market_status):
        if isinstance(column, AbstractSet | Mapping):
            raise TypeError("a column of values has an order: no set, no mapping")
    n_assets = len(asset_ids)
    _check_len(values, n_assets, "values")
    if market_status is not None:
        _check_len(market_status, n_assets, "market_status")
    columns = [
        _packed(asset_ids, 2, _UINT16, "asset_ids"),
        _packed(values, 16, _INT128, "values"),
    ]
    prefix = b""
    if market_status is not None:
        columns.append(_packed(market_status, 1, _UINT8, "market_status"))
        prefix = b"\xff\x02\x00\x03"
    head = prefix + taxonomy_id.to_bytes(2, "big") + timestamp_ns.to_bytes(8, "big")
    body = head + b"".join(map(b"".join, zip(*columns, strict=True)))
    if key is None:
        return bytes(65) + body
    from codec.signing import sign

    return sign(keccak256(body), key) + body


def to_frame(payload: ReadableBuffer) -> bytes:
    """The signed frame, as the server sends it, around a payload (not checked)."""
    digits = memoryview(payload).tobytes().hex().encode()
    return b'{"type":"signed_ecdsa","p":"0x' + digits + b'"}'


def _check_len(column: Integers, n_assets: int, field: str) -> None:
    if len(column) != n_assets:
        reason = f"{len(column)} values for {n_assets} asset ids"
        raise EncodeError(ErrorCode.INVALID_LENGTH, field, None, reason)


def _packed(
    column: Integers, width: int, bounds: tuple[int, int], field: str
) -> list[bytes]:
    signed = bounds[0] < 0
    return [
        _in_range(number, bounds, field, i).to_bytes(width, "big", signed=signed)
        for i, number in enumerate(column)
    ]


def _in_range(
    number: Any, bounds: tuple[int, int], field: str, index: int | None = None
) -> int:
    integer = operator.index(number)
    if not bounds[0] <= integer <= bounds[1]:
        reason = f"not an integer of {bounds[0]} .. {bounds[1]}"
        raise EncodeError(ErrorCode.OUT_OF_RANGE, field, index, reason)
    return integer


def as_float(updates: npt.NDArray[np.void]) -> npt.NDArray[np.float64]:
    """Value / 10^18, correctly rounded, of an array of UPDATE_DTYPE or VALUE_DTYPE."""
    numbers = as_int(updates)
    # Python's int / int is correctly rounded.
    floats = np.array([n / _ONE for n in numbers.ravel()], dtype=np.float64)
    return floats.reshape(numbers.shape)


def as_int(updates: npt.NDArray[np.void]) -> npt.NDArray[np.object_]:
    """The exact integers, scaled by 10^18, of an array of UPDATE_DTYPE or VALUE_DTYPE.

    Other dtypes are a TypeError.
    """
    values = np.asarray(updates)
    if values.dtype == UPDATE_DTYPE:
        values = values["value"]
    elif values.dtype != VALUE_DTYPE:
        raise TypeError(f"takes UPDATE_DTYPE or VALUE_DTYPE, not {values.dtype}")
    high = values["hi"].ravel().tolist()
    low = values["lo"].ravel().tolist()
    numbers = np.empty(values.size, dtype=np.object_)
    numbers[:] = [h << 64 | n for h, n in zip(high, low, strict=True)]
    return numbers.reshape(values.shape)


# --- Keccak --------------------------------------------------------------------------

_RATE = 136  # bytes absorbed between two permutations, for a 256-bit digest


def _round_constants() -> Iterator[int]:
    """The 24 constants of iota, from the shift register x^8 + x^6 + x^5 + x^4 + 1."""
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << (2**j - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        yield constant


def _rho_pi() -> Iterator[tuple[int, int]]:
    """Lane by lane along the path of rho and pi: where it goes, how far it turns."""
    x, y = 1, 0
    for t in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        yield x + 5 * y, (t + 1) * (t + 2) // 2 % 64


_IOTA = tuple(_round_constants())
_PATH = tuple(_rho_pi())


def keccak256(data: ReadableBuffer) -> bytes:
    """Keccak-256 as Ethereum uses it: padding byte 0x01, where SHA3-256 has 0x06."""
    message = memoryview(data).tobytes()
    padded = bytearray(message + bytes(_RATE - len(message) % _RATE))
    padded[len(message)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for block in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            at = block + 8 * i
            lanes[i] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]; lane (x, y) stands at x + 5 y."""
    for constant in _IOTA:
        sums = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        for x in range(5):
            theta = sums[x - 1] ^ _rotate(sums[(x + 1) % 5], 1)
            for y in range(0, 25, 5):
                lanes[x + y] ^= theta
        moving = lanes[1]
        for target, turn in _PATH:
            lanes[target], moving = _rotate(moving, turn), lanes[target]
        for y in range(0, 25, 5):
            row = lanes[y : y + 5]
            for x in range(5):
                lanes[x + y] ^= ~row[(x + 1) % 5] & row[(x + 2) % 5]
        lanes[0] ^= constant
    return lanes


def _rotate(lane: int, turn: int) -> int:
    return (lane << turn | lane >> 64 - turn) & _LOW_64
