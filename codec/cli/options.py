"""Options that several commands have."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from codec.addresses import read_signers
from codec.errors import CodecError, SignatureError

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = [
    "UsageError",
    "add_range",
    "add_signers",
    "add_threads",
    "positive",
    "read_signer",
]

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UsageError(CodecError):
    """Options that fit the command line's form, and still cannot be followed."""


def positive(text: str) -> float:
    """A finite number above 0, for argparse's `type`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"a number above 0 is needed, not {text[:50]!r}")
    return value


def add_signers(parser: ArgumentParser, text: str, *, required: bool = False) -> None:
    """Adds `--signer`, with a text for the help.

    `args.signers` is a list of addresses of 20 bytes.
    """
    parser.add_argument(
        "--signer",
        action="append",
        default=[],
        dest="signers",
        metavar="0x...",
        required=required,
        type=read_signer,
        help=f"{text}; may be given several times",
    )


def add_threads(parser: ArgumentParser) -> None:
    """Adds `--threads`, by default 0: all cores."""
    parser.add_argument(
        "--threads",
        default=0,
        metavar="N",
        type=_count,
        help="workers; 0, the default, is one for each core",
    )


def add_range(parser: ArgumentParser) -> None:
    """Adds `--from` and `--to`: `args.start_ns` and `args.end_ns`, or None."""
    for name, dest, words in (
        ("--from", "start_ns", "only what was received from then on"),
        ("--to", "end_ns", "only what was received before then"),
    ):
        parser.add_argument(
            name,
            dest=dest,
            metavar="TIME",
            type=_time_ns,
            help=f"{words}: unix ns, or as 2025-12-01T17:08:22.324Z (UTC by default)",
        )


def _time_ns(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) > 8:
        return int(text)
    try:
        found = _TIME.fullmatch(text)
        if found is None:
            raise ValueError
        day, clock, fraction, zone = found.groups()
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone or 'Z'}")
    except ValueError:
        raise ArgumentTypeError(
            f"a time is unix ns or as 2025-12-01T17:08:22.324Z, not {text[:50]!r}"
        ) from None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))


def read_signer(text: str) -> bytes:
    """An address of 20 bytes; raises ArgumentTypeError."""
    try:
        (address,) = read_signers(text)
    except SignatureError as error:
        raise ArgumentTypeError(str(error).removesuffix(" [signer 0]")) from None
    return address


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise ArgumentTypeError(f"a number from 0 to 9999 is needed, not {text[:50]!r}")
    return int(text)
