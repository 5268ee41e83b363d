"""Options that several commands have."""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from codec.addresses import read_signers
from codec.errors import CodecError, SignatureError, TaxonomyError
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ActionsContainer
    from collections.abc import Iterable

__all__ = [
    "TAXONOMY_HELP",
    "UsageError",
    "add_assets",
    "add_range",
    "add_signers",
    "add_span",
    "add_taxonomy",
    "add_threads",
    "load_taxonomy",
    "positive",
    "read_assets",
    "read_signer",
    "read_stream",
    "read_symbols",
    "symbol_ids",
    "wanted_assets",
]

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?"
)
TAXONOMY_HELP = (
    "the assets' symbols: a file, JSON as GET /v1/taxonomy gives it or CSV, or the URL"
    " of that"
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


def add_threads(
    parser: ArgumentParser, text: str = "workers; 0, the default, is one for each core"
) -> None:
    """Adds `--threads`, by default 0: all cores; text: for the help."""
    parser.add_argument(
        "--threads",
        default=0,
        metavar="N",
        type=_count,
        help=text,
    )


def add_range(parser: ArgumentParser) -> None:
    """Adds `--from` and `--to`: `args.start_ns` and `args.end_ns`, or None."""
    _add_times(parser, "what was received")


def add_span(parser: ArgumentParser) -> None:
    """Adds `--from` and `--to` as `add_range` does, meant for messages' timestamps."""
    _add_times(parser, "updates with a timestamp")


def _add_times(parser: ArgumentParser, what: str) -> None:
    for name, dest, words in (
        ("--from", "start_ns", f"only {what} from then on"),
        ("--to", "end_ns", f"only {what} before then"),
    ):
        parser.add_argument(
            name,
            dest=dest,
            metavar="TIME",
            type=_time_ns,
            help=f"{words}: unix ns, or as 2025-12-01T17:08:22.324Z (UTC by default)",
        )


def add_taxonomy(parser: _ActionsContainer, text: str = "") -> None:
    """Adds `--taxonomy`, which `load_taxonomy` reads, maybe with more for the help."""
    parser.add_argument(
        "--taxonomy",
        metavar="FILE|URL",
        help=f"{text}{TAXONOMY_HELP} (https://host/v1/taxonomy, with STORK_TOKEN)",
    )


def load_taxonomy(args: Namespace) -> Taxonomy | None:
    """What `--taxonomy` names, or None.

    Raises TaxonomyError, and OSError for a file that cannot be read.
    """
    if args.taxonomy is None:
        return None
    return Taxonomy.load(args.taxonomy, token=os.environ.get("STORK_TOKEN") or None)


def add_assets(parser: ArgumentParser) -> None:
    """Adds `--asset` and `--symbol`, which `wanted_assets` reads."""
    parser.add_argument(
        "--asset",
        action="append",
        default=[],
        dest="assets",
        metavar="IDS",
        type=read_assets,
        help="only these assets, as 1,2,10-20; may be given several times",
    )
    parser.add_argument(
        "--symbol",
        action="append",
        default=[],
        dest="symbols",
        metavar="NAME[,NAME]",
        type=read_symbols,
        help="only these assets, by their symbols in the --taxonomy; may be given"
        " several times, and beside --asset",
    )


def wanted_assets(
    args: Namespace, taxonomy: Taxonomy | None
) -> list[tuple[int | None, int]] | None:
    """The assets of `--asset` and `--symbol`: (taxonomy id, asset id), ascending.

    The taxonomy id is None, first in the order, for an id that counts in every
    taxonomy. None: neither option was given, so all assets are wanted. Raises
    UsageError for an unknown symbol.
    """
    if not (args.assets or args.symbols):
        return None
    pairs: set[tuple[int | None, int]] = {(None, i) for ids in args.assets for i in ids}
    names = [name for group in args.symbols for name in group]
    symbol_ids(names, taxonomy)
    if taxonomy is not None:
        pairs.update(pair for name in names for pair in taxonomy.assets(name))
    return sorted(pairs, key=lambda pair: (-1 if pair[0] is None else pair[0], pair[1]))


def symbol_ids(names: Iterable[str], taxonomy: Taxonomy | None) -> frozenset[int]:
    """The asset ids of `--symbol`, in all taxonomies. Raises UsageError."""
    names = list(names)
    if names and taxonomy is None:
        raise UsageError(
            f"--symbol {names[0]} needs a --taxonomy that says which asset that is"
        )
    try:
        return frozenset() if taxonomy is None else taxonomy.ids(names)
    except TaxonomyError as error:
        raise UsageError(f"--symbol: {error}") from None


def read_symbols(text: str) -> list[str]:
    """The names of a text as BTCUSD,ETHUSD; raises ArgumentTypeError."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ArgumentTypeError(f"names as BTCUSD,ETHUSD are needed, not {text[:50]!r}")
    return names


def read_stream(text: str) -> tuple[str, dict[str, str]]:
    """A stream's id and filter, of a text as ID or ID?name=value&name=value."""
    stream, _, query = text.partition("?")
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        stream = ""
    if not stream or not stream.isprintable() or not all(v for _, v in fields):
        raise ArgumentTypeError(f"ID or ID?name=value is needed, not {text[:80]!r}")
    return stream, dict(fields)


def read_assets(text: str) -> frozenset[int]:
    """The ids of a text as 1,2,10-20."""
    ids: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = [first, last] if dash else [first]
        if not all(n.isascii() and n.isdigit() and len(n) < 6 for n in numbers):
            raise ArgumentTypeError(f"ids as 1,2,10-20 are needed, not {text[:50]!r}")
        low, high = int(numbers[0]), int(numbers[-1])
        if low > high or high > 65535:
            raise ArgumentTypeError(f"no range of ids in 0 to 65535: {part[:50]!r}")
        ids.update(range(low, high + 1))
    return frozenset(ids)


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
