"""The decoding functions: every message read, good ones gathered, bad ones listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from codec.dtypes import ERROR_DTYPE, MESSAGE_DTYPE, UPDATE_DTYPE
from codec.errors import DecodeError
from codec.reference.batch import Batch, make_table
from codec.reference.judging import judge
from codec.reference.model import DecodedMessage, Fault, Row, is_bytes
from codec.reference.payloads import read_payload_object
from codec.reference.signatures import check_threads
from codec.reference.signers import Signers, read_signers
from codec.reference.texts import read_line, read_message

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Message: TypeAlias = bytes | bytearray | memoryview | str
OnError: TypeAlias = Literal["raise", "skip"]
OnBadSignature: TypeAlias = Literal["raise", "mark", "drop"]
Layout: TypeAlias = Literal["rows", "columns"]
_T = TypeVar("_T")


def decode(
    messages: Message | Iterable[object],
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    """Decode one message, or any iterable of them.

    `threads` and `layout` change nothing here.

    With `signers` every message is judged as well, after all were decoded.
    """
    options = _check_options(
        on_error, payloads, threads, signers, on_bad_signature, layout
    )
    return _decode(as_many(messages), read_message, options)


def decode_lines(
    buffer: ReadableBuffer,
    *,
    on_error: OnError = "raise",
    payloads: bool = True,
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    """Decode a C-contiguous buffer of lines. Options as in `decode`."""
    options = _check_options(
        on_error, payloads, threads, signers, on_bad_signature, layout
    )
    return _decode(split_lines(buffer), read_line, options)


def decode_payloads(
    payloads: Message | Iterable[object],
    *,
    on_error: OnError = "raise",
    threads: int = 1,
    signers: Signers | None = None,
    on_bad_signature: OnBadSignature = "raise",
    layout: Layout = "rows",
) -> Batch:
    """Decode one binary payload, or any iterable of them. Options as in `decode`."""
    options = _check_options(on_error, True, threads, signers, on_bad_signature, layout)
    return _decode(as_many(payloads), read_payload_object, options)


class Decoder:
    """`decode*` with fixed options. Its batches own their arrays, unlike the core's."""

    def __init__(
        self,
        *,
        payloads: bool = True,
        threads: int = 1,
        signers: Signers | None = None,
        on_bad_signature: OnBadSignature = "raise",
        layout: Layout = "rows",
    ) -> None:
        self._options = _check_options(
            "raise", payloads, threads, signers, on_bad_signature, layout
        )

    def decode(
        self, messages: Message | Iterable[object], *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode`."""
        options = self._with(on_error)
        return _decode(as_many(messages), read_message, options)

    def decode_lines(
        self, buffer: ReadableBuffer, *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode_lines`."""
        options = self._with(on_error)
        return _decode(split_lines(buffer), read_line, options)

    def decode_payloads(
        self, payloads: Message | Iterable[object], *, on_error: OnError = "raise"
    ) -> Batch:
        """As the function `decode_payloads`; `payloads=False` counts here too."""
        options = self._with(on_error)
        return _decode(as_many(payloads), read_payload_object, options)

    def _with(self, on_error: str) -> _Options:
        return self._options._replace(on_error=check_on_error(on_error))


class _Options(NamedTuple):
    on_error: str
    payloads: bool
    addresses: frozenset[bytes] | None
    on_bad_signature: str


def _check_options(
    on_error: str,
    payloads: bool,
    threads: int,
    signers: Signers | None = None,
    on_bad_signature: str = "raise",
    layout: str = "rows",
) -> _Options:
    check_on_error(on_error)
    if layout not in ("rows", "columns"):
        raise ValueError(f"layout is 'rows' or 'columns', not {layout!r}")
    if on_bad_signature not in ("raise", "mark", "drop"):
        raise ValueError(
            f"on_bad_signature is 'raise', 'mark' or 'drop', not {on_bad_signature!r}"
        )
    check_threads(threads)
    if signers is None:
        return _Options(on_error, payloads, None, on_bad_signature)
    if not payloads:
        raise ValueError("signers need the payloads, which payloads=False leaves out")
    return _Options(on_error, payloads, read_signers(signers), on_bad_signature)


def check_on_error(on_error: str) -> str:
    """ValueError for another word than "raise" and "skip"."""
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error is "raise" or "skip", not {on_error!r}')
    return on_error


def split_lines(buffer: ReadableBuffer) -> list[bytes]:
    """The lines of a contiguous buffer of single bytes; TypeError for another."""
    try:
        view = memoryview(buffer)
    except ValueError as error:  # closed or released
        raise TypeError(f"decode_lines takes an open buffer: {error}") from error
    if not is_bytes(view):
        raise TypeError("decode_lines takes one contiguous buffer of single bytes")
    lines = view.tobytes().split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def as_many(messages: Message | Iterable[object]) -> Iterable[object]:
    """Messages, where one or any iterable of them may be given."""
    if isinstance(messages, bytes | bytearray | memoryview | str):
        return [messages]
    if isinstance(messages, Mapping):
        raise TypeError("an iterable of messages is needed, not a mapping")
    return messages


def _decode(
    items: Iterable[_T], read: Callable[[_T], DecodedMessage], options: _Options
) -> Batch:
    batch = _collect(items, read, options.on_error, options.payloads)
    if options.addresses is None:
        return batch
    return judge(batch, options.addresses, options.on_bad_signature)


def _collect(
    items: Iterable[_T], read: Callable[[_T], DecodedMessage], on_error: str, keep: bool
) -> Batch:
    """Read every item; `keep` says whether payloads go to the arena."""
    messages: list[tuple[int, ...]] = []
    updates: list[Row] = []
    errors: list[tuple[int, ...]] = []
    arena = bytearray()
    for index, item in enumerate(items):
        try:
            message = read(item)
        except Fault as fault:
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
        make_table(messages, MESSAGE_DTYPE),
        make_table(updates, UPDATE_DTYPE),
        make_table(errors, ERROR_DTYPE),
        np.frombuffer(arena, np.uint8) if keep else None,
    )
