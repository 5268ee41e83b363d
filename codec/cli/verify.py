"""`stork-codec verify`: who signed the messages of an archive of lines."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from time import perf_counter
from typing import TYPE_CHECKING

from codec import CodecError, Decoder, ErrorCode
from codec.cli.archive import chunks, open_archive, remaining_len
from codec.cli.extras import require
from codec.cli.options import add_signers, add_threads
from codec.cli.progress import progress
from codec.cli.tally import HARMLESS, Tally
from codec.cli.text import printable

if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from io import FileIO

    from rich.table import Table
    from rich.text import Text

__all__ = ["register", "run"]

_DESCRIPTION = """\
Checks the signatures of all messages of an archive as the chain judges them. Each
line holds one message, a receive time (unix ns) before it or not. Messages without
a signature and malformed lines fail; blank lines and messages of other types, such
as answers to a subscription, are only counted.
"""
_EXAMPLES = """\
exit status: 0 where every message is signed by one of the signers, 1 where any is
not, any line is malformed or there is no signed message, 2 for wrong usage

examples:
  stork-codec verify archive.ndjson --signer 0x3db9E960ECfCcb11969509FAB000c0c96DC51830
  zstdcat archive.ndjson.zst | stork-codec verify - --signer 0x... --signer 0x...
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "verify",
        help="check the signatures of an archive of lines",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE|-", help="the archive, or - for standard input"
    )
    add_signers(parser, "an address whose signature is good", required=True)
    add_threads(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Checks the archive and says what is in it; 1 where anything fails."""
    require("rich", "cli")
    tally = Tally(args.signers)
    begin = perf_counter()
    with open_archive(args.file) as file:
        try:
            _check(file, tally, args)
        except (KeyboardInterrupt, CodecError, OSError):
            if tally.n_lines:
                _report(args.file, tally, perf_counter() - begin, is_whole=False)
            raise  # `main` knows what to do
    _report(args.file, tally, perf_counter() - begin)
    return 1 if tally.n_failed or not tally.n_signed else 0


def _check(file: FileIO, tally: Tally, args: Namespace) -> None:
    decoder = Decoder(
        threads=args.threads, signers=args.signers, on_bad_signature="mark"
    )
    with progress(remaining_len(file)) as advance:
        for chunk in chunks(file):
            tally.add(decoder.decode_lines(chunk, on_error="skip"))
            advance(len(chunk))


def _report(name: str, tally: Tally, seconds: float, *, is_whole: bool = True) -> None:
    from codec.cli.terminal import console

    out = console()
    shown = "standard input" if name == "-" else printable(os.fsencode(name))
    head = f"{shown}: {_number(tally.n_lines, 'line')}"
    out.print(head, style="bold", soft_wrap=True)
    if tally.n_lines:
        out.print()
        out.print(_counts_table(tally))
    if tally.failures:
        n = len(tally.failures)
        first = f"the first {n} of {tally.n_failed:,}" if n < tally.n_failed else "all"
        out.print()
        out.print(f"{first} that fail", style="bold")
        out.print(_failures_table(tally))
    out.print()
    if tally.n_messages:
        messages = _number(tally.n_messages, "message")
        rate = tally.n_messages / max(seconds, 1e-9)
        out.print(f"{messages} in {seconds:.2f} s: {rate:,.0f} messages/s")
    out.print(_verdict(tally, is_whole))


def _verdict(tally: Tally, is_whole: bool) -> Text:
    from rich.text import Text

    from codec.cli.terminal import BAD, GOOD, NOTE

    head = "" if is_whole else "ended early, the rest was not checked; "
    verified = f"{_number(tally.n_verified, 'signed message')} verified"
    if tally.n_failed:
        failures = _number(tally.n_failed, "failure")
        tail = "" if tally.n_signed else ", none of them signed"
        among = f"among {_number(tally.n_messages, 'message')}{tail}"
        return Text(f"{head}bad: {failures} {among}", BAD)
    if not is_whole:
        return Text(f"{head}so far {verified}", NOTE)
    if not tally.n_signed:
        return Text("bad: there is no signed message to verify", BAD)
    return Text(f"good: {verified}", GOOD)


def _counts_table(tally: Tally) -> Table:
    from rich.text import Text

    from codec.cli.terminal import table

    result = table(">lines", "status", "")
    if tally.n_verified:
        words = "signed as the chain demands, by a signer asked for"
        result.add_row(f"{tally.n_verified:,}", Text("verified", "green"), words)
    for code in sorted(ErrorCode, key=lambda code: (code in HARMLESS, code)):
        if n := tally.count(code):
            style = "dim" if code in HARMLESS else "red"
            words = code.description
            words += " (no failure)" if code in HARMLESS else ""
            result.add_row(f"{n:,}", Text(str(code), style), words)
    return result


def _failures_table(tally: Tally) -> Table:
    from codec.cli.terminal import table

    result = table(">line", "status", "where")
    for failure in tally.failures:
        whole = "payload" if failure.code >= ErrorCode.UNSIGNED else "message"
        place = f"byte {failure.offset:,} of the {whole}"
        if failure.code == ErrorCode.UNSIGNED:
            place = "no signature"
        if failure.signer:
            place += f"\nsigned by {failure.signer}"
        result.add_row(f"{failure.line:,}", str(failure.code), place)
    return result


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
