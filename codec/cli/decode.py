"""`stork-codec decode`: archives of lines to Parquet, Arrow, NDJSON and CSV."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec.cli.extras import require
from codec.cli.options import (
    UsageError,
    add_assets,
    add_span,
    add_taxonomy,
    add_threads,
    load_taxonomy,
    read_signer,
    wanted_assets,
)
from codec.periods import FIXED_CHANNELS, channel_ns

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

    from codec.export import Options, Summary

__all__ = ["register", "run"]

_DESCRIPTION = """\
Decodes archives of lines, `<receive ns> <frame>` or frames alone, plain, gzip or zstd,
and segments that `stork-codec record` wrote or is writing, into tables with a row for
each update. Blank lines and messages of other types, such as answers to a
subscription, are only counted.
"""
_EXAMPLES = """\
An output is there whole or not at all. With a folder for the output each input becomes
a file in it, and a second run does what is missing. What is passed over (--on-error
skip, --on-bad-signature drop) is listed in <output>.errors.ndjson.

exit status: 0, 1 for bad input or an output that cannot be, 2 for wrong usage

examples:
  stork-codec decode recordings/ -o prices.parquet
  stork-codec decode 'archive-*.ndjson.gz' -o parquet/ --on-error skip
  stork-codec decode recordings/ -o lake/ --partition day,asset
  zstdcat archive.zst | stork-codec decode - -o - --format csv --asset 1,2
  stork-codec decode recordings/ -o btc.csv.gz --taxonomy symbols.json --symbol BTCUSD
  stork-codec decode s3://archive/recordings -o /shared/parquet/ --dask tcp://host:8786
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "decode",
        help="archives to Parquet, Arrow, NDJSON or CSV",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="a file, a folder, a pattern, or - for standard input",
    )
    _add_output(parser)
    _add_rows(parser)
    parser.add_argument(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="end with the first bad message (the default), or list it and go on",
    )
    parser.add_argument(
        "--verify",
        action="append",
        default=[],
        dest="signers",
        metavar="0x...",
        type=read_signer,
        help="an address whose signature is good; adds the columns signer and"
        " verified; may be given several times",
    )
    parser.add_argument(
        "--on-bad-signature",
        choices=("raise", "mark", "drop"),
        help="with --verify: end with the first bad signature (the default), keep the"
        " rows, or list the message and leave it out",
    )
    parser.add_argument(
        "--channel",
        choices=FIXED_CHANNELS,
        help="count the messages that are missing on a channel of this rate",
    )
    add_threads(
        parser,
        "1: all on one thread; otherwise rows are written on a thread of their own, and"
        " signatures verified on N (0, the default: one for each core)",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="have the workers of a Dask scheduler (tcp://...) write into the output, a"
        " folder that they and this machine share; inputs may be URLs (s3://...)",
    )
    parser.set_defaults(run=run)


def _add_output(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        required=True,
        help="a file (.parquet, .arrow, .feather, .ndjson, .csv; the last two also with"
        " .gz or .zst), - for standard output, or a folder",
    )
    parser.add_argument(
        "--format",
        choices=("parquet", "arrow", "ndjson", "csv"),
        help="by default what the output's name says; parquet in a folder, ndjson to"
        " standard output",
    )
    parser.add_argument(
        "--partition",
        metavar="day,asset",
        type=_parts,
        default=(),
        help="a folder for each day (UTC), each asset, or both, below the output",
    )
    parser.add_argument("--force", action="store_true", help="replace what exists")
    parser.add_argument(
        "--errors",
        metavar="FILE",
        type=Path,
        help="where to list what is passed over, by default beside the output",
    )
    parser.add_argument(
        "--summary",
        metavar="FILE",
        type=Path,
        help="write the summary also as JSON",
    )


def _add_rows(parser: ArgumentParser) -> None:
    add_taxonomy(parser)
    add_assets(parser)
    add_span(parser)
    parser.add_argument(
        "--clock",
        choices=("message", "receive"),
        default="message",
        help="what --from and --to go by: the messages' own times (the default), or"
        " when they were received, for which indexes of segments save reading",
    )
    parser.add_argument(
        "--value-float",
        action="store_true",
        help="add the column value_float, the value rounded to a float64",
    )
    parser.add_argument(
        "--overflow",
        choices=("raise", "null"),
        default="raise",
        help="what becomes of values beyond 38 digits",
    )


def run(args: Namespace) -> int:
    """Decodes, and says on standard error what it has made of it."""
    require("pyarrow", "arrow")
    require("rich", "cli")
    from codec.cli.decode_view import Progress, note, report
    from codec.export import export, find_inputs

    options = _options(args)
    if args.dask is not None:
        return _run_on_cluster(args, options)
    sizes = [source.size for source in find_inputs(args.inputs)]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    with Progress(total) as progress:
        summary = export(
            args.inputs,
            args.output,
            options,
            file_format=args.format,
            partition=args.partition,
            errors=args.errors,
            force=args.force,
            on_note=note,
            on_progress=progress.show,
        )
    _write_summary(args, summary)
    report(summary)
    return 0


def _run_on_cluster(args: Namespace, options: Options) -> int:
    require("dask", "dask")
    from codec.cli.decode_view import Progress, note, report
    from codec.dask_io import export

    for name, value in (
        ("--partition", args.partition),
        ("--errors", args.errors),
        ("--channel", args.channel),
        ("--threads", args.threads),
        ("-", "-" in args.inputs),
    ):
        if value:
            raise UsageError(f"{name} does not go with --dask")
    output = args.output
    if not (output.endswith("/") or Path(output).is_dir()):
        raise UsageError("--dask needs a folder as the output, with / behind its name")
    with Progress(None) as progress:
        summary = export(
            args.dask,
            args.inputs,
            output,
            options,
            file_format=args.format or "parquet",
            force=args.force,
            on_note=note,
            on_progress=progress.show,
        )
    _write_summary(args, summary)
    report(summary)
    return 0


def _write_summary(args: Namespace, summary: Summary) -> None:
    if args.summary is not None:
        text = json.dumps(summary.as_dict(), indent=1)
        args.summary.write_text(text + "\n")


def _options(args: Namespace) -> Options:
    from codec.export import Options

    if args.on_bad_signature is not None and not args.signers:
        raise UsageError("--on-bad-signature needs --verify, whose signature is good")
    if args.output == "-" and args.partition:
        raise UsageError("--partition needs a folder, not standard output")
    taxonomy = load_taxonomy(args)
    values: dict[str, Any] = {
        "assets": wanted_assets(args, taxonomy),
        "signers": args.signers or None,
        "on_bad_signature": args.on_bad_signature or "raise",
        "period_ns": None if args.channel is None else channel_ns(args.channel),
    }
    return Options(
        taxonomy=taxonomy,
        value_float=args.value_float,
        overflow=args.overflow,
        start_ns=args.start_ns,
        end_ns=args.end_ns,
        clock=args.clock,
        on_error=args.on_error,
        threads=args.threads,
        **values,
    )


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not set(parts) <= {"day", "asset"}:
        raise ArgumentTypeError(f"day, asset or day,asset is needed, not {text[:50]!r}")
    return parts
