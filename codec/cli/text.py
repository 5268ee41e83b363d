"""Numbers, times and foreign bytes as text: exact, and plain printable ASCII."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

__all__ = [
    "decimal_text",
    "duration_text",
    "market_status_text",
    "printable",
    "utc_text",
]

_ONE = 10**18
_N_DIGITS = 9  # of numbers that are rounded
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARKET_STATUS = {
    0: "closed",
    1: "regular",
    2: "extended",
    3: "after hours",
    255: "no schedule",
}


def decimal_text(value: int) -> str:
    """value / 10^18 with all of its 18 decimal places."""
    whole, rest = divmod(abs(value), _ONE)
    return f"{'-' if value < 0 else ''}{whole}.{rest:018}"


def short_decimal(value: int, *, is_grouped: bool = False) -> str:
    """value / 10^18 rounded to nine digits; is_grouped: with commas between
    thousands."""
    number = Decimal(value).scaleb(-18)
    if not number:
        return "0"
    if not -10 < number.adjusted() < 15:
        return f"{number:.{_N_DIGITS - 1}e}"
    n_places = min(max(_N_DIGITS - 1 - number.adjusted(), 0), 18)
    text = f"{number:{',' if is_grouped else ''}.{n_places}f}"
    return text.rstrip("0").rstrip(".") if n_places else text


def utc_text(timestamp_ns: int) -> str:
    """A unix time in ns (uint64) as UTC, to the nanosecond."""
    seconds, ns = divmod(timestamp_ns, 10**9)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{ns:09} UTC"


def duration_text(ns: int, n_digits: int = 4) -> str:
    """A duration in the unit that suits it; from two minutes on in two units."""
    if ns < 1000:
        return f"{ns} ns"
    if ns < 120 * 10**9:
        units = {10**9: "s", 10**6: "ms", 10**3: "us"}
        size = next(size for size in units if ns >= size)
        n_places = n_digits - len(str(ns // size))
        return f"{ns / size:.{max(n_places, 0)}f} {units[size]}"
    seconds = ns // 10**9
    if seconds < 7200:
        return f"{seconds // 60} min {seconds % 60} s"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h {seconds // 60 % 60} min"
    return f"{seconds // 86400:,} d {seconds // 3600 % 24} h"


def market_status_text(status: int) -> str:
    """A market status as its number and its name."""
    return f"{status} ({_MARKET_STATUS.get(status, 'unknown')})"


def printable(data: bytes, limit: int | None = None) -> str:
    r"""Bytes as ASCII, others as `\xNN`; over `limit` bytes without the middle."""
    if limit is not None and len(data) > limit:
        end_len = (limit - 3) // 2
        start_len = limit - 3 - end_len
        return f"{printable(data[:start_len])}...{printable(data[-end_len:])}"
    return "".join(chr(b) if 0x20 <= b < 0x7F else f"\\x{b:02x}" for b in data)
