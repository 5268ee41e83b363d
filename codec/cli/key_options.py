"""Options for secrets: where they are, and never what they are."""

from __future__ import annotations

import re
from argparse import SUPPRESS, Action, ArgumentTypeError
from typing import TYPE_CHECKING

from codec.errors import KeySourceError
from codec.keyfiles import NO_KEY, key_of, place_name, read_secret, read_variable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

__all__ = ["key_from", "read_name", "read_place", "refuse"]

_KEY = re.compile(r"(?:0[xX])?[0-9a-fA-F]{64}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def refuse(parser: ArgumentParser, names: tuple[str, ...], reason: str) -> None:
    """Has a parser refuse what looks like the way to hand a secret over, which would
    else be taken as the beginning of another option; it is never repeated."""

    class Refuse(Action):
        def __call__(self, parser: ArgumentParser, *_: object) -> None:
            parser.error(reason)

    for name in names:
        parser.add_argument(name, nargs="?", action=Refuse, help=SUPPRESS)


def read_place(text: str) -> str:
    """A file's name; raises ArgumentTypeError, without the text, for a key itself."""
    if _KEY.fullmatch(text.strip()):
        raise ArgumentTypeError(
            "this is a key, not a place where one is kept; arguments can be read by"
            " every user of this machine: consider it known"
        )
    return text


def read_name(text: str) -> str:
    """An environment variable's name; an error does not repeat what was given."""
    if not _NAME.fullmatch(read_place(text)):
        raise ArgumentTypeError("the name of an environment variable is needed")
    return text


def key_from(args: Namespace) -> bytes | None:
    """The 32 bytes of `--key-file` or `--key-env`; None where neither is given.

    Raises KeySourceError, which names the place and never holds a part of the key.
    """
    if args.key_file is None and args.key_env is None:
        return None
    key, reason = _read(args.key_file, args.key_env)
    if key is None:
        raise KeySourceError(reason)
    return key


def _read(file: str | None, variable: str | None) -> tuple[bytes | None, str]:
    """The key, or what is wrong, without a word of the key."""
    if file is not None:
        (text, reason), place = read_secret(file), place_name(file)
    else:
        assert variable is not None
        text, reason = read_variable(variable)
        place = f"environment variable {place_name(variable)}"
    return key_of(text), f"{place}: {reason or NO_KEY}"
