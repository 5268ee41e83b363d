"""`stork-codec inspect`: the annotated bytes of one message, and who signed it."""

from __future__ import annotations

import errno
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import TYPE_CHECKING

from codec.cli.extras import require
from codec.cli.options import add_signers, add_taxonomy, load_taxonomy

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["register", "run"]

_EXAMPLES = """\
exit status: 0 for a good message, 1 for a bad one (with --signer also where none
of the signers has signed it as the chain demands), 2 for wrong usage

examples:
  stork-codec inspect 0x435766eac9298f4d...
  stork-codec inspect '{"type":"signed_ecdsa","p":"0x435766ea..."}'
  stork-codec inspect 0x435766ea... --signer 0x3db9E960...
  stork-codec inspect 0x435766ea... --taxonomy taxonomy.json
  head -n 1 frames.ndjson | stork-codec inspect -
  stork-codec inspect - < payload.bin
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "inspect",
        help="show the annotated bytes of one payload or frame",
        description="Shows the fields of one message, where it is wrong, and who signed"
        " it, judged as the chain does.",
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "message",
        metavar="PAYLOAD|FRAME|-",
        help="a payload's hex digits with or without 0x, a JSON frame,"
        " or - to read one (or a raw binary payload) from standard input",
    )
    add_signers(parser, "an address that the message has to be signed by")
    add_taxonomy(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Shows the message; 1 where it, or a signature that is asked for, is bad."""
    require("rich", "cli")
    from codec.cli.message import is_binary, read_message, split_lines
    from codec.cli.render import message_view
    from codec.cli.signature import read_signature
    from codec.cli.terminal import console

    taxonomy = load_taxonomy(args)
    notes = []
    is_stdin = args.message == "-"
    data = _read_stdin() if is_stdin else os.fsencode(args.message)
    binary = is_stdin and is_binary(data)
    if not binary:
        data, n_lines = split_lines(data)
        if n_lines > 1:
            notes.append(f"the first of {n_lines:,} lines")
    if not is_stdin and _is_file(args.message):
        notes.append(f"there is a file of this name: try - < {args.message}")
    message = read_message(data, binary=binary)
    signature = None
    if message.batch is not None and (message.payload or args.signers):
        signature = read_signature(message.batch, args.signers)
    out = console()
    for part in message_view(message, notes, signature, taxonomy):
        out.print(part)
    is_refused = bool(args.signers) and signature is not None and signature.fault
    return 1 if message.fault or is_refused else 0


def _read_stdin() -> bytes:
    if sys.stdin is None:  # closed by who started this
        raise OSError(errno.EBADF, "there is no standard input")
    return sys.stdin.buffer.read()


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False
