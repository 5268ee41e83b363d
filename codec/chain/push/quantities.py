"""Amounts with units as people write them, exactly: 500ms, 0.5%, 30 gwei, 0.05
ether/hour."""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = [
    "ether_text",
    "gwei_text",
    "read_duration",
    "read_percent",
    "read_scaled",
    "read_wei",
    "read_wei_per_hour",
]

_AMOUNT = re.compile(r"([+-]?)([0-9]{1,40})(?:\.([0-9]{1,40}))?\s*([A-Za-z%/ ]{0,20})")
_SECONDS = {
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_WEI = {"wei": 1, "gwei": 10**9, "ether": 10**18}
_PER_HOUR = re.compile(r"(.*?)\s*/\s*(?:hour|h)")
_MAX_DURATION_S = 366 * 86400


def read_duration(text: str) -> float:
    """Seconds of a text as 500ms, 1.5 s, 10min, 2h. Raises ValueError."""
    number, unit = _amount(text, "a duration as 500ms, 30s or 10min")
    if unit not in _SECONDS:
        raise ValueError(_no_unit(text, unit, _SECONDS))
    seconds = number * _SECONDS[unit]
    if not 0 <= seconds <= _MAX_DURATION_S:
        raise ValueError(f"a duration from 0 to 366d is needed, not {_shown(text)}")
    return float(seconds)


def read_percent(text: str) -> Fraction:
    """The number of a text as 0.5%. Raises ValueError."""
    number, unit = _amount(text, "a percentage as 0.5%")
    if unit != "%":
        raise ValueError(f"{_shown(text)} needs a %")
    if number <= 0:
        raise ValueError(f"a percentage above 0 is needed, not {_shown(text)}")
    return number


def read_wei(text: str) -> int:
    """Wei of a text as 30 gwei, 0.05 ether, 21000 wei. Raises ValueError."""
    number, unit = _amount(text, "an amount as 30 gwei or 0.05 ether")
    if unit not in _WEI:
        raise ValueError(_no_unit(text, unit, _WEI))
    wei = number * _WEI[unit]
    if wei.denominator != 1 or not 0 <= wei < 1 << 256:
        raise ValueError(f"{_shown(text)} is no whole number of wei")
    return wei.numerator


def read_wei_per_hour(text: str) -> int:
    """Wei of a text as 0.05 ether/hour. Raises ValueError."""
    found = _PER_HOUR.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"an amount an hour as 0.05 ether/hour is needed, not {_shown(text)}"
        )
    return read_wei(found[1])


def read_scaled(text: str) -> int:
    """A value as 97345.21 or -37.63, scaled by 10^18. Raises ValueError."""
    number, unit = _amount(text, "a number as 97345.21")
    scaled = number * 10**18
    if unit or scaled.denominator != 1:
        raise ValueError(
            f"a number with up to 18 decimal places is needed, not {_shown(text)}"
        )
    if not -(1 << 127) <= scaled < 1 << 127:
        raise ValueError(f"no value can be {_shown(text)}")
    return scaled.numerator


def ether_text(wei: int) -> str:
    """An amount in ether for people, rounded to six digits, small ones in gwei or
    wei."""
    for unit, size in (("ether", 10**18), ("gwei", 10**9)):
        if abs(wei) * 10**4 >= size:
            return f"{wei / size:.6g} {unit}"
    return f"{wei} wei"


def gwei_text(wei: int) -> str:
    """A price of gas in gwei for people, rounded to four digits."""
    return f"{wei / 10**9:.4g} gwei"


def _amount(text: str, what: str) -> tuple[Fraction, str]:
    """The number, exactly as it is written, and the unit behind it."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{what} is needed, not {_shown(text)}")
    sign, whole, places, unit = found.groups(default="")
    number = Fraction(int(whole + places), 10 ** len(places))
    return -number if sign == "-" else number, unit.strip()


def _no_unit(text: str, unit: str, known: object) -> str:
    units = ", ".join(known) if isinstance(known, dict) else ""
    if not unit:
        return f"{_shown(text)} needs a unit: {units}"
    return f"{_shown(text)} has none of the units {units}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 50 else f"{text[:47]}...")
