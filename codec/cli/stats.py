"""`stork-codec stats`: what is in recordings, archives and tables."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
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
from codec.errors import CodecError
from codec.periods import CHANNELS, FIXED_CHANNELS
from codec.summary import Summary, Trace

if TYPE_CHECKING:
    from argparse import Namespace, _SubParsersAction

    from codec.cli.inputs import Inputs
    from codec.cli.stats_report import Report

__all__ = ["register", "run"]

_N_BINS = 64
_TOP = 20
_DESCRIPTION = """\
Says what is in recordings, in archives of lines, and in tables that `stork-codec
decode` wrote: how many messages and updates, from when to when, how fast, how old they
were when they came, what is bad and what is missing; and for each asset its first,
last, least and greatest value, exact, with a sparkline of the time between.
"""
_EXAMPLES = """\
The input is read once, in memory that does not grow with it. In a terminal too narrow
for them the values are rounded; a pipe and --json have them in full.

exit status: 0, or 1 where anything is damaged or there is no update, 2 for wrong usage

examples:
  stork-codec stats recordings/
  stork-codec stats recordings/ --channel 100ms --taxonomy taxonomy.json \\
      --symbol BTCUSD,ETHUSD
  zstdcat archive.ndjson.zst | stork-codec stats - --from 2025-12-01T17:00
  stork-codec stats decoded.parquet --sort change --top 5
  stork-codec stats recordings/ --json | jq .updates
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "stats",
        help="say what is in recordings, archives and tables",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_inputs(parser)
    add_taxonomy(parser)
    add_assets(parser)
    add_span(parser)
    parser.add_argument(
        "--channel",
        choices=FIXED_CHANNELS,
        help="the channel that was recorded: count the gaps on its grid",
    )
    parser.add_argument(
        "--top",
        metavar="N",
        type=_count,
        default=_TOP,
        help=f"so many assets ({_TOP}); 0 for all",
    )
    parser.add_argument(
        "--sort",
        choices=("updates", "asset", "symbol", "change"),
        default="updates",
        help="which assets come first: those with the most updates, the default, or"
        " the greatest change in percent, or by id or symbol",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object, for scripts"
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Reads all, and says what it was; 1 where anything was damaged."""
    if not args.json:
        require("rich", "cli")
    from codec.cli.stats_report import Report

    damage = Damage()
    inputs = find_inputs(args.inputs)
    taxonomy = load_taxonomy(args) or inputs.taxonomy()
    if args.sort == "symbol" and taxonomy is None:
        raise UsageError("--sort symbol needs a --taxonomy")
    wanted = wanted_assets(args, taxonomy)
    period_ns = None if args.channel is None else CHANNELS[args.channel]
    summary = Summary(Trace(_N_BINS), period_ns=period_ns)
    report = Report(
        summary, inputs.text, args.channel, taxonomy, wanted, args.sort, args.top
    )
    try:
        _read(inputs, summary, args, damage)
    except (KeyboardInterrupt, CodecError, OSError):
        if summary.flow.n_messages:
            report.is_whole = False
            _show(report, args.json)
        raise  # `main` knows what to do
    _show(report, args.json)
    if not summary.flow.n_updates:
        print(f"stork-codec: {inputs.text}: no update in it", file=sys.stderr)
    elif not report.assets and wanted is not None:
        print(
            f"stork-codec: {inputs.text}: no update of the assets asked for",
            file=sys.stderr,
        )
    return 1 if damage.is_any or not report.assets else 0


def _read(
    inputs: Inputs, summary: Summary[Trace], args: Namespace, damage: Damage
) -> None:
    chunks = inputs.chunks(args.start_ns, args.end_ns, damage.report)
    with progress(inputs.total_len) as advance:
        for part, n_bytes in chunks:
            summary.add(part)
            advance(n_bytes)


def _show(report: Report, is_json: bool) -> None:
    if is_json:
        import json

        print(json.dumps(report.as_dict(), indent=1, ensure_ascii=False))
        return
    from codec.cli.stats_view import show

    show(report)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ArgumentTypeError(f"a number of assets is needed, not {text[:50]!r}")
    return int(text)
