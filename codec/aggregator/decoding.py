"""Decodes messages of the aggregator, and checks what is signed in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from codec import _core
from codec._secp256k1 import library
from codec.aggregator.batch import AggregatorBatch
from codec.aggregator.keys import remembered
from codec.aggregator.symbols import Symbols
from codec.known import read_known_signers

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from codec.api import Message, OnError
    from codec.known import Signers

__all__ = ["decode", "decode_lines", "read_lines"]


def decode(
    messages: Message | Iterable[Message],
    *,
    signers: Signers | None = None,
    on_error: OnError = "raise",
    threads: int = 1,
    symbols: Symbols | None = None,
) -> AggregatorBatch:
    """Decodes one `oracle_prices` message or an iterable of them.

    messages: bytes, bytearray, memoryview or str, one or many. signers: the
    aggregators to trust, as `codec.verify` takes them; None: any. on_error: "raise" for
    the first message or entry that cannot be read, "skip" to list them in `errors`.
    threads: workers for the signatures, 0 for one on each core. symbols: the table that
    names get their indexes from, a new one by default; one call at a time may use it.

    Raises DecodeError (nothing was added to `symbols` then), SignatureError for a bad
    signer.
    """
    return _decode(messages, False, signers, on_error, threads, symbols)


def decode_lines(
    buffer: Buffer,
    *,
    signers: Signers | None = None,
    on_error: OnError = "raise",
    threads: int = 1,
    symbols: Symbols | None = None,
) -> AggregatorBatch:
    """Decodes the lines of one contiguous buffer, each optionally behind its receive
    time (unix ns, and a space), as `codec.decode_lines` does. Options as in `decode`.
    """
    return _decode(buffer, True, signers, on_error, threads, symbols)


def read_lines(buffer: Buffer, *, on_error: OnError = "raise") -> AggregatorBatch:
    """As `decode_lines`, without any check: no hash, no signature, nothing `verified`.

    For those who have to choose among many messages, and check what they chose.
    """
    return _decode(buffer, True, None, on_error, 1, None, checks=False)


def _decode(
    messages: Any,
    is_lines: bool,
    signers: Signers | None,
    on_error: OnError,
    threads: int,
    symbols: Symbols | None,
    *,
    checks: bool = True,
) -> AggregatorBatch:
    names = Symbols() if symbols is None else symbols
    trusted = None
    if signers is not None:
        addresses, given = read_known_signers(signers)
        trusted = b"".join(addresses)
        remembered.add(given)
    arrays = _core.aggregator_decode(
        messages,
        is_lines,
        on_error,
        threads,
        names._table,
        library(),
        trusted,
        remembered,
        checks,
    )
    return AggregatorBatch(*arrays, names)
