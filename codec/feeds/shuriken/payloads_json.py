"""JSON of a server that may be hostile: exact numbers, and bounds on what they cost."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from codec import jsontext
from codec.errors import PayloadError

__all__ = ["LARGEST_EXPONENT", "read_object"]

# 10^1000 is far beyond 256 bits (10^77), and little text. Without a bound a few bytes
# ("1e999999999") would be a gigabyte as soon as somebody makes an int of them.
LARGEST_EXPONENT: Final = 1000
_MOST_DEEP = 200


def read_object(stream: str, text: str | bytes | dict[str, Any]) -> dict[str, Any]:
    """A JSON object, with Decimals for numbers that have a fraction or an exponent.

    A dict is taken as read by somebody else; floats in it become the Decimals that
    they are written as. Raises PayloadError.
    """
    try:
        value = _exact(text, 0) if isinstance(text, dict) else _parse(text)
    except (ValueError, RecursionError) as error:
        raise PayloadError(stream, _reason(error)) from error
    if not isinstance(value, dict):
        kind = type(value).__name__
        raise PayloadError(stream, f"a JSON object is expected, not {kind}")
    return value


def _parse(text: str | bytes) -> Any:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if jsontext.is_deeper(data, _MOST_DEEP):
        raise _too_deep()
    try:
        return _GENERIC.decode(text)
    except (msgspec.MsgspecError, ValueError):
        # Halves of surrogate pairs, which JavaScript leaves where it cuts a text, are
        # no JSON for msgspec; others' words for what is wrong are as good.
        whole = str(text, "utf-8") if isinstance(text, bytes) else text
        return jsontext.loads(whole, parse_float=_number, parse_constant=_constant)


def _number(text: str) -> Decimal:
    try:
        return _bounded(Decimal(text))
    except InvalidOperation:  # an exponent beyond those of Decimal
        raise ValueError("a number is too large or too small") from None


_GENERIC = msgspec.json.Decoder(float_hook=_number)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _bounded(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueError("a number is not finite")
    if not -LARGEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT:
        raise ValueError("a number is too large or too small")
    return number


def _exact(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list | tuple):
        if depth >= _MOST_DEEP:
            raise _too_deep()
        if isinstance(value, dict):
            return {str(key): _exact(item, depth + 1) for key, item in value.items()}
        return [_exact(item, depth + 1) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number is not finite")
        return Decimal(repr(value))
    return _bounded(value) if isinstance(value, Decimal) else value


def _too_deep() -> ValueError:
    return ValueError(f"it nests more than {_MOST_DEEP} deep")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it is not UTF-8"
    reason = str(error)
    return reason if len(reason) <= 200 else f"{reason[:200]}..."
