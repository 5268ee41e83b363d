"""`stork-codec plot`: a picture of prices, update rate and times between messages."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from codec.cli.damage import Damage
from codec.cli.extras import require
from codec.cli.inputs import add_inputs, find_inputs
from codec.cli.options import (
    UsageError,
    add_assets,
    add_span,
    add_taxonomy,
    load_taxonomy,
    wanted_assets,
)
from codec.cli.progress import progress
from codec.cli.text import printable
from codec.errors import CodecError
from codec.summary import Choice, Curves, Summary

if TYPE_CHECKING:
    from argparse import Namespace, _SubParsersAction
    from collections.abc import Sequence

    from codec.cli.figure import Drawn
    from codec.taxonomy import Taxonomy

__all__ = ["register", "run"]

_SUFFIXES = (".png", ".svg", ".pdf")
# A panel is some 1,500 pixels wide, and more than half of the bins are in use.
_N_BINS = 4096
_N_BINNED = 256  # assets that are followed where none are asked for; 59 MB
_TOP = 5
_MAX_DRAWN = 16
_MAX_NAME_LEN = 24

_DESCRIPTION = """\
Draws what is in recordings, in archives of lines and in tables that `stork-codec
decode` wrote, in one picture: prices over time, each asset on an axis of its own
(--percent: all on one), the rate of their updates, and how far apart messages are.
"""
_EXAMPLES = """\
The input is read once, in memory that does not grow with it. However many updates there
are, each column of pixels covers all of their prices from the least to the greatest.

exit status: 0, or 1 where anything is damaged or has no updates, 2 for wrong usage

examples:
  stork-codec plot recordings/ -o market.png
  stork-codec plot recordings/ --taxonomy taxonomy.json --symbol BTCUSD,ETHUSD \\
      --from 2025-12-01T17:00 --to 2025-12-01T18:00 -o hour.svg
  stork-codec plot decoded.parquet --asset 1-8 --percent -o compared.pdf
"""


class NothingError(CodecError):
    """An input without anything to draw."""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "plot",
        help="draw prices, rates and times between messages",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_inputs(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help=f"the picture: {', '.join(_SUFFIXES)}",
    )
    add_taxonomy(parser)
    add_assets(parser)
    add_span(parser)
    parser.add_argument(
        "--top",
        metavar="N",
        type=_count,
        help=f"so many assets, the most active ones: {_TOP} where none are asked for,"
        f" {_MAX_DRAWN} at most",
    )
    parser.add_argument(
        "--percent",
        action="store_true",
        help="all assets on one axis: their changes in percent",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Reads all, and writes the picture; 1 where anything was damaged or missing."""
    output = _checked(args.output)
    require("matplotlib", "plot")
    damage = Damage()
    inputs = find_inputs(args.inputs)
    taxonomy = load_taxonomy(args) or inputs.taxonomy()
    wanted = wanted_assets(args, taxonomy)
    choice = None if wanted is None else Choice(wanted)
    summary = Summary(
        Curves(_N_BINS), n_binned=_N_BINNED, is_choosing=choice is not None
    )
    chunks = inputs.chunks(args.start_ns, args.end_ns, damage.report)
    with progress(inputs.total_len) as advance:
        for part, n_bytes in chunks:
            summary.add(part, None if choice is None else choice.rows(part))
            advance(n_bytes)
    missing = _missing(summary, wanted, taxonomy)
    if not summary.assets:
        raise NothingError(f"{inputs.text}: no update of {missing or 'any asset'}")
    if missing:
        print(f"stork-codec: {inputs.text}: no update of {missing}", file=sys.stderr)
    _write(output, summary, _chosen(summary, taxonomy, args.top, wanted), args.percent)
    return 1 if damage.is_any or missing else 0


def _checked(name: str) -> Path:
    """The path of the picture, that can be written as far as one can tell before."""
    path = Path(name)
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"-o {name}: the picture is one of {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():
        raise UsageError(f"-o {name}: there is no folder {path.parent}")
    if path.is_dir():
        raise UsageError(f"-o {name}: this is a folder")
    return path


def _missing(
    summary: Summary[Curves],
    wanted: Sequence[tuple[int | None, int]] | None,
    taxonomy: Taxonomy | None,
) -> str:
    """The wanted assets without updates, for people."""
    found = set(summary.assets)
    ids = {asset_id for _, asset_id in found}
    missing = [
        (taxonomy_id, asset_id)
        for taxonomy_id, asset_id in wanted or ()
        if (asset_id not in ids if taxonomy_id is None else True)
        and (taxonomy_id, asset_id) not in found
    ]
    names = [_name(asset, taxonomy) for asset in missing[:_TOP]]
    more = f" and {len(missing) - _TOP} more" if len(missing) > _TOP else ""
    return ", ".join(names) + more


def _chosen(
    summary: Summary[Curves],
    taxonomy: Taxonomy | None,
    top: int | None,
    wanted: Sequence[tuple[int | None, int]] | None,
) -> list[Drawn]:
    """The most active assets, in the order of their ids where they were asked for."""
    from codec.cli.figure import Drawn

    n = min(top or (_TOP if wanted is None else _MAX_DRAWN), _MAX_DRAWN)
    ranked = summary.assets
    followed = [asset for asset in ranked if summary.place(asset) is not None]
    if ranked[:n] != followed[:n]:
        print(
            f"stork-codec: of {len(ranked):,} assets the first {_N_BINNED} are"
            " followed, and others are as active: choose some by --asset",
            file=sys.stderr,
        )
    if wanted is not None and len(ranked) > n:
        words = f"drawing the {n} most active of {len(ranked):,} assets"
        print(f"stork-codec: {words}", file=sys.stderr)
    chosen = followed[:n] if wanted is None else sorted(followed[:n])
    is_plain = len({taxonomy_id for taxonomy_id, _ in chosen}) == 1
    result = []
    for asset in chosen:
        place = summary.place(asset)
        assert place is not None, "it is followed"
        name = _name(asset, taxonomy).removesuffix(
            f" of taxonomy {asset[0]}" if is_plain else ""
        )
        result.append(Drawn(name, summary.extent(asset), summary.bins.curve(place)))
    return result


def _name(asset: tuple[int | None, int], taxonomy: Taxonomy | None) -> str:
    taxonomy_id, asset_id = asset
    symbol = None if taxonomy is None else taxonomy.symbol(asset_id, taxonomy_id)
    if symbol is not None:
        return printable(symbol.encode("utf-8", "replace"), _MAX_NAME_LEN)
    if taxonomy_id is None:
        return f"asset {asset_id}"
    return f"asset {asset_id} of taxonomy {taxonomy_id}"


def _write(
    path: Path, summary: Summary[Curves], drawn: list[Drawn], is_percent: bool
) -> None:
    """The picture, whole or not at all."""
    from codec.cli.figure import draw, styled

    kind = path.suffix.lower().removeprefix(".")
    # Without a date, so that the same data make the same file.
    dateless = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with styled():
            figure = draw(summary, drawn, is_percent=is_percent)
            figure.savefig(temporary, format=kind, metadata=dateless.get(kind))
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink()


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_DRAWN):
        raise ArgumentTypeError(f"a number from 1 to {_MAX_DRAWN} is needed")
    return int(text)
