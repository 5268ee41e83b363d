"""`stork-codec watch`: live values in the terminal."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import time
from argparse import RawDescriptionHelpFormatter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from codec.cli.config import add_live_options
from codec.cli.extras import require
from codec.cli.options import positive

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Callable, Iterator
    from threading import Event

    from rich.text import Text

    from codec.cli.lines import Line
    from codec.cli.live import LiveOptions
    from codec.cli.screen import Outcome, Screen
    from codec.cli.sources import PriceFeed

__all__ = ["register", "run", "watch"]

_DRAWS_PER_S = 5
# By default a thread that computes may hold the others up for 5 ms.
_SWITCH_INTERVAL_S = 0.0005
_MAX_LAST_ROWS = 20

_DESCRIPTION = """\
Shows the live values of a Stork Fast server, exact to the last digit, with their
changes, ages and rates, and whether their signatures are good; how the connections
do, and what is wrong. Without a URL it shows a simulator's, that it starts itself.
Where the output is no terminal, it is a line a second, and the values at the end.
"""
_EXAMPLES = """\
The token comes from STORK_TOKEN, --token-file or the --config file; it is never an
argument, and never shown. Ctrl-C ends it.

exit status: 0, or 1 where the feed fails, or nothing comes in --seconds; 2 for wrong
usage

examples:
  stork-codec watch
  stork-codec watch wss://fast.jp.stork-oracle.network/ws --assets 1-20 \\
      --signer 0x... --taxonomy taxonomy.json
  stork-codec watch --config stork.toml --channel 100ms --seconds 60 >> watch.log
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "watch",
        help="show live values in the terminal",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_live_options(parser, "watch")
    parser.add_argument(
        "--seconds", metavar="N", type=positive, help="end after so many seconds"
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=positive,
        default=1.0,
        help="between the lines where the output is no terminal (1)",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Shows the feed until it is told to end; 1 where the feed fails."""
    require("picows", "feeds")
    from codec.cli.live import live_options

    outcome = watch(live_options(args), duration=args.seconds, every=args.every)
    print(outcome)
    if outcome.stats.messages == 0 and args.seconds is not None:
        print("stork-codec: no data came", file=sys.stderr)
        return 1
    return 0


def watch(
    options: LiveOptions, *, duration: float | None = None, every: float = 1.0
) -> Outcome:
    """Shows a feed for so many seconds, or until Ctrl-C or the like.

    Raises what ends the feed, UsageError for options that make no sense.
    """
    from codec.cli.background import until_signalled
    from codec.cli.logs import logging_to
    from codec.cli.sources import open_source

    is_live = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if is_live:
        require("rich", "cli")
    with ExitStack() as stack:
        end = stack.enter_context(until_signalled())
        source = stack.enter_context(open_source(options))
        feed = source.feed(on_overflow=options.on_overflow)
        words = source.words
        # The screen has its own place for events.
        is_shown = is_live and sys.stderr.isatty()
        handler = logging.NullHandler() if is_shown else logging.StreamHandler()
        stack.enter_context(logging_to(options, handler))
        if options.metrics_port is not None:
            from codec.feeds.metrics import serve_metrics

            counted = cast("PriceFeed", feed)  # others have no --metrics-port
            metrics = stack.enter_context(serve_metrics(counted, options.metrics_port))
            words.append(f"metrics on port {metrics.port}")
        stack.enter_context(_short_switches())
        screen = source.screen(feed, f"{source.place}  {', '.join(words)}")
        show = _show_live if is_live else _show_lines
        begin = time.monotonic()
        with source.reading(feed, screen.take, end) as reading:
            show(screen, end, _until(begin, duration), every)
            took = time.monotonic() - begin
            last = _last_lines(screen)
        reading.check()
        _print_last(last)
        return screen.outcome(took)


def _until(begin: float, duration: float | None) -> Callable[[], float]:
    """What gives the seconds that are left."""
    return lambda: math.inf if duration is None else begin + duration - time.monotonic()


def _show_live(
    screen: Screen, end: Event, left: Callable[[], float], every: float
) -> None:
    from rich.live import Live
    from rich.text import Text

    from codec.cli.terminal import console

    out = console()

    def drawn() -> Text:
        width, height = out.size
        lines = screen.lines(width, height, time.time_ns(), hint="Ctrl-C ends")
        return Text("\n", no_wrap=True, end="").join(_text(line) for line in lines)

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while not end.wait(max(min(1 / _DRAWS_PER_S, left()), 0)):
            screen.sample()
            live.update(drawn(), refresh=True)
            if left() <= 0:
                return


def _text(line: Line) -> Text:
    from rich.text import Text

    return Text.assemble(*line, no_wrap=True, overflow="crop", end="")


def _show_lines(
    screen: Screen, end: Event, left: Callable[[], float], every: float
) -> None:
    print(screen.place, flush=True)
    screen.sample()
    while not end.wait(max(min(every, left()), 0)):
        screen.sample()
        clock = time.strftime("%H:%M:%S", time.gmtime())
        print("  ".join([clock, *screen.status()]), flush=True)
        if left() <= 0:
            return


def _last_lines(screen: Screen) -> list[Line]:
    """The values at the end, to be left where they stay."""
    screen.sample()
    width = shutil.get_terminal_size((120, 0)).columns
    height = min(screen.n_rows, _MAX_LAST_ROWS) + 13
    return screen.lines(width, height, time.time_ns(), hint="")


def _print_last(lines: list[Line]) -> None:
    if not sys.stdout.isatty():
        for line in lines[3:]:
            print("".join(text for text, _ in line).rstrip())
        return
    from codec.cli.terminal import console

    out = console()
    for line in lines:
        out.print(_text(line), soft_wrap=True)


@contextmanager
def _short_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
