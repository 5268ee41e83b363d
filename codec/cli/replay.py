"""`stork-codec replay`: recordings to standard output, or to websocket clients."""

from __future__ import annotations

import math
import os
import sys
from argparse import ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, Any

from codec.cli.damage import Damage
from codec.cli.extras import require
from codec.cli.options import UsageError, add_range, positive
from codec.cli.text import printable
from codec.errors import CodecError

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction
    from collections.abc import Iterator

    from codec.recording import SegmentReport
    from codec.simulator import ShurikenSimulator
    from codec.simulator.feed import FeedServer

__all__ = ["register", "run"]

_DESCRIPTION = """\
Gives recordings back: segments that `stork-codec record` wrote, the one that it is
writing among them, and archives of others, plain, gzip or zstd. What is damaged is
reported, and the rest is read.
"""
_EXAMPLES = """\
exit status: 0, or 1 where anything is damaged, 2 for wrong usage

examples:
  stork-codec replay recordings/ --format frames | head
  stork-codec replay recordings/ --from 2025-12-01T17:00 --to 2025-12-01T18:00 --fast
  stork-codec replay recordings/stork-fast-20251201T17*.zst --serve 8765
  stork-codec replay recordings/ --check
"""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "replay",
        help="give recordings back, at any speed",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="a segment, a folder or a pattern"
    )
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed",
        metavar="X",
        type=positive,
        help="1 is as it was received (the default with --serve), 10 ten times as fast",
    )
    pace.add_argument(
        "--fast",
        action="store_true",
        help="as fast as possible (the default, but with --serve)",
    )
    parser.add_argument(
        "--max-gap",
        metavar="SECONDS",
        type=_seconds,
        help="shorten longer pauses of the recording to this",
    )
    add_range(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--format",
        choices=("lines", "frames"),
        default="lines",
        help="lines with their receive times, the default, or frames alone",
    )
    where.add_argument(
        "--serve",
        metavar="[HOST:]PORT",
        type=_address,
        help="a websocket server that sends all to each client that subscribes",
    )
    for name, whose in (
        ("--aggregator", "Stork's aggregator"),
        ("--shuriken", "Shuriken's streams"),
    ):
        parser.add_argument(
            name,
            action="store_true",
            help=f"with --serve: subscribers are those of {whose}, and get what was"
            " recorded there",
        )
    where.add_argument(
        "--check",
        action="store_true",
        help="only read all, hold it to the indexes and say what it is",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Gives back what is asked for; 1 where anything was damaged."""
    if (args.aggregator or args.shuriken) and args.serve is None:
        raise UsageError("--aggregator and --shuriken say what to --serve")
    if args.aggregator and args.shuriken:
        raise UsageError("--aggregator and --shuriken: one at a time")
    if args.check:
        return _check(args.paths)
    damage = Damage()
    common = {
        "start_ns": args.start_ns,
        "end_ns": args.end_ns,
        "on_damage": damage.report,
    }
    if args.serve is not None:
        import asyncio

        speed = math.inf if args.fast else args.speed or 1.0
        paced = {**common, "speed": speed, "max_gap_s": args.max_gap}
        asyncio.run(_serve(args, paced))
    elif args.speed is None:
        _write_all(args.paths, args.format == "lines", common)
    else:
        paced = {**common, "speed": args.speed, "max_gap_s": args.max_gap}
        _write_paced(args.paths, args.format == "lines", paced)
    return 1 if damage.is_any else 0


def _write_all(paths: list[str], is_lines: bool, options: dict[str, Any]) -> None:
    from codec.recording import read
    from codec.recording.text import frames

    out = sys.stdout.buffer
    for chunk in read(paths, **options):
        if is_lines:
            out.write(chunk)
        else:
            out.write(b"".join([frame + b"\n" for _, frame in frames(chunk)]))


def _write_paced(paths: list[str], is_lines: bool, options: dict[str, Any]) -> None:
    from codec.recording import replay

    out = sys.stdout.buffer

    def write(receive_ns: int, frame: bytes) -> None:
        head = b"%d " % receive_ns if is_lines and receive_ns else b""
        out.write(head + frame + b"\n")
        out.flush()

    replay(paths, write, **options)


async def _serve(args: Namespace, options: dict[str, Any]) -> None:
    from codec.recording import spaced

    failures: list[Exception] = []

    def frames() -> Iterator[tuple[float, bytes]]:
        try:
            yield from spaced(args.paths, **options)
        except (CodecError, OSError) as error:  # it is raised again, at the end
            failures.append(error)

    server = _server(args, frames())
    async with server:
        print(f"{_place(server)}: waits for subscribers, ends with the recording")
        sys.stdout.flush()
        await server.replayed.wait()
    if failures:
        raise failures[0]


def _server(
    args: Namespace, frames: Iterator[tuple[float, bytes]]
) -> FeedServer[Any, Any] | ShurikenSimulator:
    """The server that replays frames."""
    from codec.simulator import AggregatorSimulator, Simulator

    host, port = args.serve
    if args.shuriken:
        return _shuriken_server(args, frames)
    served = AggregatorSimulator if args.aggregator else Simulator
    return served(host=host, port=port, token=None, frames=frames)


def _shuriken_server(
    args: Namespace, frames: Iterator[tuple[float, bytes]]
) -> ShurikenSimulator:
    require("msgspec", "shuriken")
    from codec.feeds.shuriken.recorded import channels_of, is_event
    from codec.recording import read_frames
    from codec.simulator import ShurikenSimulator

    host, port = args.serve
    texts = (frame for _, frame in read_frames(args.paths, on_damage="skip"))
    return ShurikenSimulator(
        host=host,
        api_port=port,
        token=None,
        frames=((delay_s, frame) for delay_s, frame in frames if is_event(frame)),
        channels=channels_of(texts),
    )


def _place(server: FeedServer[Any, Any] | ShurikenSimulator) -> str:
    """Where clients go first."""
    from codec.simulator import ShurikenSimulator

    if isinstance(server, ShurikenSimulator):
        return server.base_url
    return server.url


def _check(paths: list[str]) -> int:
    from codec.recording import verify

    reports = verify(paths)
    for report in reports:
        _print_report(report)
    n_bad = sum(not report.is_good for report in reports)
    n_messages = sum(report.n_messages for report in reports)
    tail = f"{n_bad:,} bad" if n_bad else "none bad"
    print(f"{len(reports):,} files, {n_messages:,} messages, {tail}")
    return 1 if n_bad else 0


def _print_report(report: SegmentReport) -> None:
    words = [f"{report.n_messages:,} messages"]
    if report.index is not None and report.index.closed == "repaired":
        words.append("repaired")
    if report.index is not None and report.index.n_lost:
        words.append(f"{report.index.n_lost:,} were lost when it was recorded")
    name = printable(os.fsencode(report.path))
    print(f"{report.state:10} {name}: {', '.join(words)}")
    for problem in report.problems:
        print(f"           {problem}")


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"a number of seconds is needed, not {text[:50]!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ArgumentTypeError(f"[HOST:]PORT is needed, not {text[:50]!r}")
    return host.strip("[]") or "127.0.0.1", int(port)
