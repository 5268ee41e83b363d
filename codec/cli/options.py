"""Options that several commands have."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from codec.addresses import read_signers
from codec.errors import SignatureError

if TYPE_CHECKING:
    from argparse import ArgumentParser

__all__ = ["add_signers", "add_threads"]


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
        type=_signer,
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


def _signer(text: str) -> bytes:
    try:
        (address,) = read_signers(text)
    except SignatureError as error:
        raise ArgumentTypeError(str(error).removesuffix(" [signer 0]")) from None
    return address


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise ArgumentTypeError(f"a number from 0 to 9999 is needed, not {text[:50]!r}")
    return int(text)
