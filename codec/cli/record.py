"""`stork-codec record`: live messages into segments on the disk, as they come."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
import time
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from codec.cli.config import add_live_options
from codec.cli.extras import require
from codec.cli.options import UsageError, positive
from codec.cli.text import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction
    from threading import Event

    from codec.cli.live import LiveOptions
    from codec.cli.sources import LiveFeed, PriceFeed
    from codec.feeds.stats import FeedStats
    from codec.recording import Recorder, RecorderEvent

__all__ = ["register", "run"]

_LINE_EVERY_S = 10.0
_DRAW_EVERY_S = 0.5
_CLEAR = "\r\x1b[K"

_DESCRIPTION = """\
Records what a Stork Fast server sends, damaged messages among it, as lines
`<receive time, unix ns> <message>` in segments, which `stork-codec replay` reads.
Signatures of Stork Fast are checked, and counted, only with --signer, those of the
aggregator always; everything is recorded either way. Without a URL it records a
simulator's, that it starts itself.
"""
_EXAMPLES = """\
The token comes from STORK_TOKEN, --token-file or the --config file; it is never an
argument, and never shown. Ctrl-C and SIGTERM end it, the last segment whole.

exit status: 0, or 1 where anything was lost or the feed fails, 2 for wrong usage

examples:
  stork-codec record -o recordings --seconds 60
  stork-codec record wss://fast.jp.stork-oracle.network/ws --assets 1-20 \\
      --token-file token -o recordings --metrics-port 9100
"""
_LEVELS = {"opened": logging.INFO, "closed": logging.INFO, "resumed": logging.WARNING}


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "record",
        help="write live messages to the disk",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    add_live_options(parser, "record")
    parser.add_argument(
        "--seconds", metavar="N", type=positive, help="end after so many seconds"
    )
    parser.add_argument(
        "--messages",
        metavar="N",
        type=_count,
        help="end once so many good messages have come, with those that came along",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Records until it is told to end; 1 where anything was lost."""
    require("picows", "feeds")
    from codec.cli.background import until_signalled
    from codec.cli.live import live_options
    from codec.cli.logs import logging_to
    from codec.cli.sources import open_source

    options = live_options(args)
    if options.output is None:
        raise UsageError("where to? -o FOLDER")
    status = _Status()
    with ExitStack() as stack:
        end = stack.enter_context(until_signalled())
        source = stack.enter_context(open_source(options))
        recorder = _recorder(options)
        feed = source.feed(on_overflow="wait", recorder=recorder)
        stack.enter_context(logging_to(options, status.handler()))
        if options.metrics_port is not None:
            from codec.feeds.metrics import serve_metrics

            counted = cast("PriceFeed", feed)  # others have no --metrics-port
            metrics = stack.enter_context(serve_metrics(counted, options.metrics_port))
            status.say(f"metrics at http://127.0.0.1:{metrics.port}/metrics")
        stack.enter_context(recorder)
        status.say(f"recording {source.place} into {_shown(options.output)}")

        def take(_: object) -> None:
            if args.messages is not None and feed.stats.messages >= args.messages:
                end.set()

        with source.reading(feed, take, end) as reading:
            status.run(feed, recorder, end, args.seconds)
        recorder.close()
        is_whole = _report(status, feed, recorder, options.output)
        reading.check()
    return 0 if is_whole else 1


def _recorder(options: LiveOptions) -> Recorder:
    from codec.recording import Recorder

    try:
        return Recorder(
            options.output or "",
            prefix=options.prefix,
            compression="none" if options.plain else "zstd",
            max_segment_len=max(round(options.segment_mb * 1e6), 1),
            max_segment_seconds=options.segment_seconds,
            on_event=_log_event,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _log_event(event: RecorderEvent) -> None:
    level = _LEVELS.get(event.kind, logging.ERROR)
    logger = logging.getLogger("codec.recording")
    logger.log(level, "%s", event, extra={"event": event})


def _report(status: _Status, feed: LiveFeed, recorder: Recorder, folder: str) -> bool:
    """Says what there is now; whether that is all that came."""
    stats, written = feed.stats, recorder.stats
    status.say(
        f"recorded {written.n_written:,} messages, {_size(written.written_len)} of"
        f" lines, in {_shown(folder)}: {written.n_segments_closed:,} new"
        f" segment{'' if written.n_segments_closed == 1 else 's'}"
    )
    odd = [
        f"{n:,} {words}"
        for n, words in (
            (stats.bad, "could not be decoded"),
            (_bad_signatures(stats), "had a bad signature"),
            (getattr(stats, "missing_ticks", 0), "ticks were missing"),
            (getattr(stats, "outages", 0), "outages"),
            (stats.reconnects, "reconnections"),
        )
        if n
    ]
    if odd:
        status.say(f"among them, or on the way: {', '.join(odd)}")
    if written.n_lost:
        reason = f": {written.failure}" if written.failure else ""
        status.say(
            f"lost {written.n_lost:,} messages, {_size(written.lost_len)}:"
            f" the disk did not take them{reason}",
            is_error=True,
        )
    elif written.failure:
        status.say(f"the disk refuses: {written.failure}", is_error=True)
    return not (written.n_lost or written.failure)


def _bad_signatures(stats: FeedStats) -> int:
    """Of messages or aggregates, left out by the feed or not."""
    from codec.feeds import AggregatorStats, Stats

    if isinstance(stats, AggregatorStats):
        faults = stats.faults.items()
        return sum(n for status, n in faults if status.startswith("signature: "))
    return stats.bad_signatures if isinstance(stats, Stats) else 0


class _Status:
    """What the command says: one line that is kept up where the output is a terminal,
    else a line every ten seconds."""

    def __init__(self) -> None:
        self._is_live = sys.stdout.isatty() and os.environ.get("TERM") not in (
            "dumb",
            "unknown",
        )

    def handler(self) -> logging.Handler:
        """For the log, on standard error, without a scratch to the line."""
        return _Handler(_CLEAR if self._is_live and sys.stderr.isatty() else "")

    def say(self, text: str, *, is_error: bool = False) -> None:
        """A line that stays."""
        clear = _CLEAR if self._is_live else ""
        if is_error:
            print(clear, end="", flush=True)
            print(f"stork-codec: {text}", file=sys.stderr)
        else:
            print(f"{clear}{text}", flush=True)

    def run(
        self, feed: LiveFeed, recorder: Recorder, end: Event, seconds: float | None
    ) -> None:
        """Keeps the status up until the end."""
        begin = time.monotonic()
        until = math.inf if seconds is None else begin + seconds
        every = _DRAW_EVERY_S if self._is_live else _LINE_EVERY_S
        while not end.wait(max(min(every, until - time.monotonic()), 0)):
            if time.monotonic() >= until:
                return
            text = _status_text(feed, recorder, time.monotonic() - begin)
            if self._is_live:
                width = shutil.get_terminal_size().columns
                print(f"{_CLEAR}{text[: width - 1]}", end="", flush=True)
            else:
                print(text, flush=True)


class _Handler(logging.StreamHandler[Any]):
    def __init__(self, before: str) -> None:
        super().__init__()
        self._before = before

    def format(self, record: logging.LogRecord) -> str:
        return self._before + super().format(record)


def _status_text(feed: LiveFeed, recorder: Recorder, took: float) -> str:
    from codec.cli.watch_view import states_text

    stats, written = feed.stats, recorder.stats
    disk = f"disk refuses: {written.failure}" if written.failure else "disk ok"
    words = [
        f"{took // 3600:02.0f}:{took // 60 % 60:02.0f}:{took % 60:02.0f}",
        states_text(feed),
        f"{written.n_written:,} messages",
        _size(written.written_len),
        f"{stats.bad:,} bad",
        f"{written.n_lost:,} lost",
        disk,
    ]
    return "  ".join(words)


def _size(n_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000 or unit == "GB":
            break
        n_bytes /= 1000
    return f"{n_bytes:,.0f} bytes" if unit == "bytes" else f"{n_bytes:,.1f} {unit}"


def _shown(path: str) -> str:
    return printable(os.fsencode(path))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19 and int(text)):
        raise ArgumentTypeError(f"a number from 1 on is needed, not {text[:50]!r}")
    return int(text)
