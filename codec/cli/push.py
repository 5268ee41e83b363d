"""`stork-codec push`: a feed's prices to a contract, by rules."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import time
from argparse import RawDescriptionHelpFormatter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from codec.cli.extras import require
from codec.cli.options import UsageError, positive

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from threading import Event

    from rich.text import Text

    from codec.chain.push.config import PushConfig
    from codec.cli.push_view import PushView
    from codec.cli.pushing import Pushing

__all__ = ["register", "run"]

_DRAWS_PER_S = 5
_MAX_LAST_ROWS = 20

_DESCRIPTION = """\
Reads a live feed, and sends its signed payloads to a contract as the rules of a
configuration say: by change, by longest silence, or each batch. What is in the way (a
low balance, a node that is away, ...) is said, waited for, and gone on from.
Where the output is no terminal, it is a line every ten seconds.
"""
_EXAMPLES = """\
The configuration is described in docs/push.md. Keys and tokens are in files or the
environment; they are never arguments, and never shown. Ctrl-C, SIGTERM and SIGHUP end
it, after ten seconds at most for what is out.

exit status: 0; 1 where something was not resolved at the end, or the feed failed; 2 for
a configuration that is not good

examples:
  stork-codec push push.yaml --check
  stork-codec push push.yaml --dry-run
  stork-codec push push.yaml --log-format json --log-file push.log
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "push",
        help="send live prices to a contract, by rules",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", metavar="CONFIG", help="a YAML file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--check",
        action="store_true",
        help="only check the configuration, and say all that is wrong with it",
    )
    which.add_argument(
        "--dry-run", action="store_true", help="do everything but send transactions"
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=positive,
        default=10.0,
        help="between the lines where the output is no terminal (10)",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info"
    )
    parser.add_argument(
        "--log-file",
        metavar="FILE",
        help="append the log to this file; by default it goes to standard error",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Pushes until it is told to end; 1 where something was not resolved."""
    require("httpx", "chain")
    require("yaml", "chain")
    from codec.chain.push.config import load
    from codec.errors import PushConfigError

    try:
        config = load(args.config)
    except PushConfigError as error:
        n = len(error.faults)
        head = f"{n} fault{'' if n == 1 else 's'} in the configuration:"
        raise UsageError("\n  ".join([head, *error.faults])) from None
    if args.check:
        print(f"{args.config} is good: {_place(config)}")
        return 0
    require("picows", "feeds")
    return _push(args, config)


def _push(args: Namespace, config: PushConfig) -> int:
    from codec.cli.background import until_signalled
    from codec.cli.live import LiveOptions
    from codec.cli.logs import logging_to
    from codec.cli.push_view import PushView
    from codec.cli.pushing import Pushing

    is_live = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if is_live:
        require("rich", "cli")
    options = LiveOptions(
        log_format=args.log_format, log_level=args.log_level, log_file=args.log_file
    )
    place = _short(_place(config)) if is_live else _place(config)
    if args.dry_run:
        place = f"DRY RUN  {place}"
    with ExitStack() as stack:
        end = stack.enter_context(until_signalled())
        # The screen has its own place for events.
        is_shown = is_live and sys.stderr.isatty()
        handler = logging.NullHandler() if is_shown else logging.StreamHandler()
        stack.enter_context(logging_to(options, handler))
        pushing = Pushing(config, end, is_dry=args.dry_run)
        try:
            with pushing as pusher:
                if pushing.metrics_port is not None:
                    place += f"  metrics on port {pushing.metrics_port}"
                view = PushView(pusher, config.names, place)
                show = _show_live if is_live else _show_lines
                show(view, end, args.every)
            _print_last(view)
        finally:  # also where nobody reads the output any more
            _say_unresolved(pushing)
        pushing.check()
    return 0 if pushing.unresolved is None else 1


def _place(config: PushConfig) -> str:
    n = len(config.rules)
    return (
        f"{n:,} asset{'' if n == 1 else 's'} to {config.target.address} on chain"
        f" {config.chain_id}, from {config.wallet.address}"
    )


def _short(text: str) -> str:
    """The same with addresses of which the beginning and the end are left."""
    return re.sub(r"(0x\w{4})\w{32}(\w{4})", r"\1..\2", text)


def _show_live(view: PushView, end: Event, _: float) -> None:
    from rich.live import Live
    from rich.text import Text

    from codec.cli.terminal import console

    out = console()
    with Live(console=out, screen=True, auto_refresh=False) as live:
        while not end.wait(1 / _DRAWS_PER_S):
            width, height = out.size
            lines = view.lines(width, height, hint="Ctrl-C ends")
            text = Text("\n", no_wrap=True, end="").join(map(_text, lines))
            live.update(text, refresh=True)


def _text(line: list[tuple[str, str]]) -> Text:
    from rich.text import Text

    return Text.assemble(*line, no_wrap=True, overflow="crop", end="")


def _show_lines(view: PushView, end: Event, every: float) -> None:
    print(view.place, flush=True)
    while not end.wait(every):
        print(f"{time.strftime('%H:%M:%S', time.gmtime())}  {view.pulse()}", flush=True)


def _print_last(view: PushView) -> None:
    """How it stands at the end, to be left where it stays."""
    width = shutil.get_terminal_size((120, 0)).columns
    n_rows = min(len(view.pusher.rules), _MAX_LAST_ROWS)
    for line in view.lines(width, n_rows + 14, hint=""):
        print("".join(text for text, _ in line).rstrip())


def _say_unresolved(pushing: Pushing) -> None:
    if pushing.unresolved is not None:
        hashes = ", ".join(pushing.unresolved.hashes) or "without a hash yet"
        print(
            f"stork-codec: a push was not resolved, and may be mined yet: {hashes}",
            file=sys.stderr,
        )
