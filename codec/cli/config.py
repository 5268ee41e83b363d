"""The live commands' options: from flags, and from a TOML file by the same names."""

from __future__ import annotations

import tomllib
from argparse import Action, ArgumentTypeError
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec.cli.key_options import refuse
from codec.cli.options import (
    TAXONOMY_HELP,
    UsageError,
    add_signers,
    positive,
    read_assets,
    read_signer,
    read_stream,
    read_symbols,
)
from codec.periods import CHANNELS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["NO_TOKEN", "add_live_options", "add_request_options", "merged_options"]

NO_TOKEN = """\
a token is needed. Give it in one of these ways:
  the environment: export STORK_TOKEN=...
  a file that holds nothing else: --token-file FILE
  token-file = "FILE" or token = "..." in the file of --config
(never as an argument: every user of this machine can read those)"""

_FEEDS = ("fast", "aggregator", "shuriken")
_OF_PRICES = ("fast", "aggregator")
_OF_REQUESTS = ("token-file", "proxy", "ca-file")
_TYPE_NAMES: dict[type, str] = {
    bool: "true or false",
    str: "a string",
    int: "an integer",
    float: "a number",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True, slots=True)
class _Option:
    """An option: `--name` on the command line, `name = value` in the file.

    types: of TOML, that it may have there; bool makes a flag without a value of it.
    read: makes the value of its text, or raises ArgumentTypeError. is_many: it may be
    given several times, or be a list. is_path: counts from the file's folder, there,
    unless it is a URL.
    only: the command that has it; the other one takes it in the file, and lets it be.
    feeds: those that have it, of "fast", "aggregator" and "shuriken".
    """

    name: str
    help: str
    types: tuple[type, ...] = (str,)
    read: Callable[[str], Any] = str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    is_many: bool = False
    is_path: bool = False
    is_in_file_only: bool = False
    only: str | None = None
    feeds: tuple[str, ...] = _FEEDS
    short: str | None = None

    @property
    def dest(self) -> str:
        """Its name for Python."""
        return self.name.replace("-", "_")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise ArgumentTypeError(f"a port from 0 to 65535 is needed, not {text[:50]!r}")
    return int(text)


_OPTIONS = (
    _Option(
        "aggregator",
        "read Stork's aggregator, wss://host, whose assets are named by --symbol",
        types=(bool,),
    ),
    _Option(
        "shuriken",
        "read Shuriken's streams, found by its API at https://host; its key comes from"
        " SHURIKEN_AGENT_KEY",
        types=(bool,),
    ),
    _Option(
        "stream",
        "of Shuriken: a stream's id, as svm.token.swaps, maybe with its filter behind"
        " it: svm.token.swaps?tokenAddress=...; may be given several times",
        read=read_stream,
        metavar="ID",
        is_many=True,
        feeds=("shuriken",),
    ),
    _Option("url", "", is_in_file_only=True),
    _Option("token", "", is_in_file_only=True),
    _Option(
        "second-url",
        "another connection to the same stream, for safety: each message is taken once,"
        " by whichever it comes first; may be given several times",
        metavar="URL",
        is_many=True,
        feeds=_OF_PRICES,
    ),
    _Option(
        "assets",
        "what to subscribe to, as 1,2,10-20; may be given several times",
        types=(str, int),
        read=read_assets,
        metavar="IDS",
        is_many=True,
        feeds=("fast",),
    ),
    _Option(
        "symbol",
        "the same by their symbols in the --taxonomy, or the aggregator's assets by"
        " their names; may be given several times",
        read=read_symbols,
        metavar="NAME[,NAME]",
        is_many=True,
        feeds=_OF_PRICES,
    ),
    _Option(
        "channel", "real_time by default", choices=tuple(CHANNELS), feeds=("fast",)
    ),
    _Option(
        "unsigned",
        "ask for messages without signatures",
        types=(bool,),
        feeds=("fast",),
    ),
    _Option(
        "market-status",
        "ask for the markets' status, too",
        types=(bool,),
        feeds=("fast",),
    ),
    _Option(
        "signer",
        "",
        read=read_signer,
        is_many=True,
        is_in_file_only=True,
        feeds=_OF_PRICES,
    ),
    _Option(
        "on-bad-signature",
        "what becomes of messages that are not by a --signer: mark and count them (the"
        " default), drop them, or raise: end with an error",
        choices=("mark", "drop", "raise"),
        feeds=("fast",),
    ),
    _Option(
        "require",
        "what must be good of an aggregator's price: aggregate, its own signature (the"
        " default), all that it is made of as well, or none",
        choices=("aggregate", "all", "none"),
        feeds=("aggregator",),
    ),
    _Option(
        "max-age",
        "take messages out, and count them as stale, that are older when they arrive",
        types=(int, float),
        read=positive,
        metavar="SECONDS",
        feeds=_OF_PRICES,
    ),
    _Option(
        "on-overflow",
        "what happens when messages come too fast: conflate (the default) to the newest"
        " values, drop_oldest, or wait: let the server hold them",
        choices=("conflate", "drop_oldest", "wait"),
        only="watch",
    ),
    _Option(
        "taxonomy",
        f"{TAXONOMY_HELP}; without --assets and --symbol, all of it is meant",
        metavar="FILE|URL",
        is_path=True,
        feeds=("fast",),
    ),
    _Option(
        "token-file",
        "the token is in this file, which is read again for each connection",
        metavar="FILE",
        is_path=True,
    ),
    _Option("proxy", "an HTTP or SOCKS proxy", metavar="URL"),
    _Option(
        "ca-file",
        "trust the certificates of this file (PEM), not those of the system",
        metavar="FILE",
        is_path=True,
    ),
    _Option("no-deflate", "do not offer to compress", types=(bool,)),
    _Option(
        "metrics-port",
        "serve Prometheus' metrics on this port of 127.0.0.1; 0: any",
        types=(int,),
        read=_port,
        metavar="PORT",
        feeds=_OF_PRICES,
    ),
    _Option("log-format", "text by default", choices=("text", "json")),
    _Option(
        "log-level", "warning by default", choices=("debug", "info", "warning", "error")
    ),
    _Option(
        "log-file",
        "append the log to this file; by default it goes to standard error",
        metavar="FILE",
        is_path=True,
    ),
    _Option(
        "output",
        "where the segments go",
        metavar="FOLDER",
        is_path=True,
        only="record",
        short="-o",
    ),
    _Option(
        "prefix",
        "begins the segments' names (stork-fast, stork-aggregator or shuriken)",
        only="record",
    ),
    _Option(
        "segment-mb",
        "close a segment before it holds more than so many 10^6 bytes of lines (268)",
        types=(int, float),
        read=positive,
        metavar="MB",
        only="record",
    ),
    _Option(
        "segment-seconds",
        "close a segment once it is that old (3600)",
        types=(int, float),
        read=positive,
        metavar="SECONDS",
        only="record",
    ),
    _Option("plain", "segments without compression", types=(bool,), only="record"),
)


class _AddFilter(Action):
    """Adds a field to the filter of the stream that was named last."""

    def __call__(
        self, parser: ArgumentParser, args: Namespace, text: Any, _: str | None = None
    ) -> None:
        if not getattr(args, "stream", None):
            parser.error("--filter belongs to the --stream before it")
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            parser.error(f"--filter: NAME=VALUE is needed, not {text[:50]!r}")
        args.stream[-1][1][name] = value


def add_live_options(parser: ArgumentParser, command: str) -> None:
    """Adds the URL, `--config`, and every option that the command has."""
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="wss://host/ws; without: a simulator's"
    )
    add_signers(parser, "verify: an address whose signature is good")
    parser.add_argument(
        "--filter",
        action=_AddFilter,
        metavar="NAME=VALUE",
        help="of the --stream before it: tokenAddress=... and the like",
    )
    _add(parser, [option for option in _OPTIONS if option.only in (None, command)])


def add_request_options(parser: ArgumentParser) -> None:
    """Adds the URL, `--config`, and what a single request needs of the options."""
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="https://host; without: a simulator's"
    )
    _add(parser, [option for option in _OPTIONS if option.name in _OF_REQUESTS])


def _add(parser: ArgumentParser, options: Iterable[_Option]) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options from a TOML file, by the same names; flags win over the"
        " environment, and that over the file",
    )
    refuse(parser, ("--token",), NO_TOKEN)
    for option in options:
        if option.is_in_file_only:
            continue
        names = [*([option.short] if option.short else []), f"--{option.name}"]
        arguments: dict[str, Any] = {"help": option.help, "dest": option.dest}
        if option.types == (bool,):
            arguments |= {"action": "store_true", "default": None}
        elif option.choices:
            arguments |= {"choices": option.choices}
        else:
            arguments |= {"type": option.read, "metavar": option.metavar}
        if option.is_many:
            arguments |= {"action": "append"}
        parser.add_argument(*names, **arguments)


def merged_options(args: Namespace) -> dict[str, Any]:
    """Every option by its name for Python: the flag's value, else the file's, or None.

    Raises UsageError with all that is wrong with the file, OSError where it cannot be
    read.
    """
    path = args.config
    values = {option.dest: None for option in _OPTIONS}
    if path is not None:
        values |= _read_file(Path(path))
    for name in values:
        given = getattr(args, "signers" if name == "signer" else name, None)
        if given not in (None, []):
            values[name] = given
    _check_feed(values)
    return values


def _check_feed(values: dict[str, Any]) -> None:
    """Raises UsageError for an option of a feed that is not read."""
    chosen = [feed for feed in _FEEDS[1:] if values[feed]]
    if len(chosen) > 1:
        raise UsageError("--aggregator and --shuriken: one at a time")
    feed = chosen[0] if chosen else _FEEDS[0]
    for option in _OPTIONS:
        if values[option.dest] is None or feed in option.feeds:
            continue
        if chosen:
            raise UsageError(f"--{option.name} has no meaning with --{feed}")
        raise UsageError(f"--{option.name} has no meaning without --{option.feeds[0]}")


def _read_file(path: Path) -> dict[str, Any]:
    try:
        fields = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    values: dict[str, Any] = {}
    problems = []
    known = {option.name: option for option in _OPTIONS}
    for name, value in fields.items():
        option = known.get(name)
        if option is None:
            problems.append(_unknown(name, list(known)))
            continue
        try:
            values[option.dest] = _value(option, value, path.parent)
        except ArgumentTypeError as error:
            problems.append(f"{name}: {error}")
    if {"token", "token-file"} <= fields.keys():
        problems.append("token, token-file: one of them is enough")
    if problems:
        raise UsageError("\n  ".join([f"{path}:", *problems]))
    return values


def _unknown(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name.replace("_", "-"), known, 1)
    hint = f"; is it {close[0]}?" if close else ""
    return f"{name[:50]}: no such option{hint}"


def _value(option: _Option, value: object, folder: Path) -> Any:
    if option.is_many:
        items = value if isinstance(value, list) else [value]
        return [_one(option, item, folder) for item in items]
    return _one(option, value, folder)


def _one(option: _Option, value: object, folder: Path) -> Any:
    if type(value) not in option.types:
        wanted = " or ".join(_TYPE_NAMES[kind] for kind in option.types)
        found = _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")
        raise ArgumentTypeError(f"{wanted} is needed, not {found}")
    if isinstance(value, bool):
        return value
    text = str(value)
    if option.choices and text not in option.choices:
        choices = ", ".join(option.choices)
        raise ArgumentTypeError(f"one of {choices} is needed, not {text[:50]!r}")
    if option.is_path:
        return text if "://" in text else str(folder / text)
    return option.read(text)
