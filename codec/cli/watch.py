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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codec.cli.config import add_live_options
from codec.cli.extras import require
from codec.cli.options import positive

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from collections.abc import Callable, Iterator
    from threading import Event

    from rich.text import Text

    from codec.cli.live import LiveOptions
    from codec.cli.watch_view import Line, View
    from codec.feeds import Stats

__all__ = ["Outcome", "register", "run", "watch"]

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What there was to see. n_verified: messages whose signature was good."""

    stats: Stats
    seconds: float
    n_verified: int
    is_verified: bool

    def __str__(self) -> str:
        stats = self.stats
        text = f"{stats.messages:,} messages, {stats.updates:,} updates"
        text += f" in {self.seconds:.1f} s"
        if self.is_verified and stats.messages:
            all_good = self.n_verified == stats.messages
            text += f", {'all' if all_good else f'{self.n_verified:,}'} verified"
        return text


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
    from codec.cli.board import Board
    from codec.cli.live import make_feed, open_source
    from codec.cli.logs import logging_to
    from codec.cli.reading import Reading
    from codec.cli.watch_view import View
    from codec.cli.window import Window

    is_live = sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if is_live:
        require("rich", "cli")
    with ExitStack() as stack:
        end = stack.enter_context(until_signalled())
        source = stack.enter_context(open_source(options))
        feed = make_feed(options, source, on_overflow=options.on_overflow)
        words = [options.channel, "unsigned" if options.unsigned else "signed"]
        if not (source.signers or options.unsigned):
            words.append("not verified")
        # The screen has its own place for events.
        is_shown = is_live and sys.stderr.isatty()
        handler = logging.NullHandler() if is_shown else logging.StreamHandler()
        stack.enter_context(logging_to(options, handler))
        if options.metrics_port is not None:
            from codec.feeds.metrics import serve_metrics

            metrics = stack.enter_context(serve_metrics(feed, options.metrics_port))
            words.append(f"metrics on port {metrics.port}")
        stack.enter_context(_short_switches())
        board = Board()
        view = View(
            feed,
            board,
            Window(),
            sorted(source.assets),
            source.names,
            f"{source.text}  {', '.join(words)}",
            is_verified=bool(source.signers),
        )
        show = _show_live if is_live else _show_lines
        begin = time.monotonic()
        with Reading(feed, board.add, end) as reading:
            show(view, end, _until(begin, duration), every)
            took = time.monotonic() - begin
            last = _last_lines(view)
        reading.check()
        _print_last(last)
        return Outcome(feed.stats, took, board.n_verified, view.is_verified)


def _until(begin: float, duration: float | None) -> Callable[[], float]:
    """What gives the seconds that are left."""
    return lambda: math.inf if duration is None else begin + duration - time.monotonic()


def _show_live(view: View, end: Event, left: Callable[[], float], every: float) -> None:
    from rich.live import Live
    from rich.text import Text

    from codec.cli.terminal import console

    out = console()

    def screen() -> Text:
        width, height = out.size
        lines = view.lines(width, height, time.time_ns(), hint="Ctrl-C ends")
        return Text("\n", no_wrap=True, end="").join(_text(line) for line in lines)

    with Live(console=out, screen=True, auto_refresh=False) as live:
        while not end.wait(max(min(1 / _DRAWS_PER_S, left()), 0)):
            _sample(view)
            live.update(screen(), refresh=True)
            if left() <= 0:
                return


def _text(line: Line) -> Text:
    from rich.text import Text

    return Text.assemble(*line, no_wrap=True, overflow="crop", end="")


def _show_lines(
    view: View, end: Event, left: Callable[[], float], every: float
) -> None:
    from codec.cli.watch_view import ages_text, counts_of, states_text

    print(view.place, flush=True)
    _sample(view)
    while not end.wait(max(min(every, left()), 0)):
        _sample(view)
        window, counts = view.window, counts_of(view.feed.stats)
        words = [
            time.strftime("%H:%M:%S", time.gmtime()),
            states_text(view.feed),
            f"{window.messages_per_s:,.0f} messages/s",
            f"{window.updates_per_s:,.0f} updates/s",
            ages_text(window.ages_s),
            *(f"{name} {n:,}" for name, n, _ in counts),
        ]
        print("  ".join(words), flush=True)
        if left() <= 0:
            return


def _last_lines(view: View) -> list[Line]:
    """The values at the end, to be left where they stay."""
    _sample(view)
    width = shutil.get_terminal_size((120, 0)).columns
    height = min(len(view.ids), _MAX_LAST_ROWS) + 13
    return view.lines(width, height, time.time_ns(), hint="")


def _print_last(lines: list[Line]) -> None:
    if not sys.stdout.isatty():
        for line in lines[3:]:
            print("".join(text for text, _ in line).rstrip())
        return
    from codec.cli.terminal import console

    out = console()
    for line in lines:
        out.print(_text(line), soft_wrap=True)


def _sample(view: View) -> None:
    stats = view.feed.stats
    view.window.add(
        time.monotonic(),
        stats.messages,
        stats.updates,
        view.feed.ages,
        view.board.counts,
    )


@contextmanager
def _short_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
