"""The command `stork-codec`: a module of this package for each of its subcommands."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import codec
from codec.cli.options import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

# Each has `register(subparsers)` and `run(args) -> int`, the exit status, and imports
# what is slow or optional only when it runs.
_COMMANDS = (
    "inspect",
    "verify",
    "watch",
    "record",
    "replay",
    "stats",
    "plot",
    "decode",
    "submit",
    "push",
    "publish",
    "streams",
    "demo",
    "simulate",
)

_EXAMPLES = """\
examples:
  stork-codec inspect 0x435766eac9298f4d...
  stork-codec inspect '{"type":"signed_ecdsa","p":"0x435766ea..."}'
  head -n 1 frames.ndjson | stork-codec inspect -
  stork-codec verify archive.ndjson --signer 0x3db9E960ECfCcb11969509FAB000c0c96DC51830
  stork-codec watch
  STORK_TOKEN=... stork-codec record wss://fast.jp.stork-oracle.network/ws \\
      --assets 1-20 --channel 100ms -o recordings
  stork-codec replay recordings/ --from 2025-12-01T17:00Z --speed 10
  stork-codec stats recordings/ --channel 100ms
  stork-codec plot recordings/ --asset 1-5 -o market.png
  stork-codec decode recordings/ -o prices.parquet
  stork-codec submit payload.bin --rpc http://127.0.0.1:8545 --chain-id 31337 \\
      --contract 0x... --from 0x... --dry-run
  stork-codec push push.yaml --dry-run
  stork-codec watch --aggregator
  stork-codec watch --shuriken
  printf 'BTCUSD 97338.25\\n' | stork-codec publish
  stork-codec demo
  stork-codec simulate --tls --fault cut=1000
"""
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_BROKEN_PIPE = 141  # 128 + SIGPIPE
_AMBIGUOUS = re.compile(r"^(ambiguous option: -[^=]*)=.* (could match )", re.DOTALL)
_KEY = re.compile(r"\b(?:0[xX])?[0-9a-fA-F]{64}\b")


class _Parser(ArgumentParser):
    """Shows the whole help, not only the usage, to who calls it wrongly."""

    def error(self, message: str) -> NoReturn:
        self.print_help(sys.stderr)
        # What it repeats may be a secret, behind a name that was cut short.
        message = _AMBIGUOUS.sub(r"\1 \2", message)
        self.exit(2, f"\n{self.prog}: {_KEY.sub('(a key)', message)}\n")


def main(argv: list[str] | None = None) -> int:
    """Runs a command line (by default the process's own) and returns its exit status.

    0: good. 1: bad input, a failed check or a missing package. 2: wrong usage.
    """
    try:
        status = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except BrokenPipeError:
        status = _BROKEN_PIPE
    except UsageError as error:
        print(f"stork-codec: {error}", file=sys.stderr)
        status = 2
    except (codec.CodecError, OSError) as error:
        print(f"stork-codec: {error}", file=sys.stderr)
        status = 1
    _close_output()
    return status


def _close_output() -> None:
    """Flushes stdout; where that fails, keeps it from failing once more at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str] | None) -> int:
    try:
        args = _parser().parse_args(argv)
    except SystemExit as done:  # argparse has shown the help or the error
        return int(done.code or 0)
    run: Callable[..., int] = args.run
    return run(args)


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="stork-codec",
        description="Decodes, verifies and sends Stork's signed price messages.",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"stork-codec {codec.__version__}"
    )
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, dest="command"
    )
    for name in _COMMANDS:
        module = import_module(f"codec.cli.{name}")
        module.register(subparsers)
    return parser
